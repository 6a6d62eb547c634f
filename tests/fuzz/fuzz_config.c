/* Whatever is accepted passes its own check, and holds only what later stages can work with.
 * What is refused is so by name and place. */
#undef NDEBUG /* the checks are what a fuzz target is for */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/config.h"
#include "core/headers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *lookup(void *ctx, const char *name)
{
	(void)ctx;
	return name[0] == 'N' ? NULL : name; /* some are not set */
}

static void check_message(const struct error *err)
{
	assert(err->code == ERR_CONFIG);
	for (const char *c = err->msg; *c; c++)
		assert((unsigned char)*c >= 0x20 && *c != 0x7F);
}

static void check_files(const struct config *c, const struct site *s)
{
	static const char *const paths[] = {
		"index.html",    "a/b.css", ".well-known/x",   "node_modules/a/b.js",
		"venv/lib/a.py", "api/x",   "x/.hidden/a.pem", "a/b/c/d/e",
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		CLEANUP_PTR(mem) char *path = xstrdup(paths[i]);
		bool uploads = config_uploads(c, s, path);

		for (char *slash = strchr(path, '/'); slash; slash = strchr(slash, '/')) {
			*slash = '\0';
			assert(!uploads || !config_skips_folder(c, s, path));
			*slash++ = '/';
		}
	}
	assert(!config_uploads(c, s, ".git/config"));
	assert(!config_uploads(c, s, "a/.crc/state.json"));
}

static void check_site(const struct config *c, const struct site *s)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(header_list) struct header_list headers = { 0 };
	const struct headers_options options = { .behind_distribution = true };

	assert(*s->path != '/' && *s->index && s->keep_s >= 0);
	assert(!*s->prefix || s->prefix[strlen(s->prefix) - 1] == '/');
	check_files(c, s);
	headers_build(s, "a/index.html", &options, &arena, &headers);
	for (size_t i = 0; i < headers.len; i++)
		assert(!strpbrk(headers.items[i].value, "\r\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(config) struct config c = CONFIG_INIT;
	struct error err = ERROR_INIT;

	if (config_parse(&c, "crc.yml", (const char *)data, size, &err) < 0) {
		check_message(&err);
		assert(str_starts(err.msg, "crc.yml:"));
		return 0;
	}
	assert(c.sites.len + c.backends.len);
	assert(config_check(&c, &err) == 0);
	if (config_resolve_env(&c, lookup, NULL, &err) < 0 ||
	    config_check(&c, &err) < 0) {
		check_message(&err);
		return 0;
	}
	for (size_t i = 0; i < c.sites.len; i++)
		check_site(&c, &c.sites.items[i]);
	return 0;
}
