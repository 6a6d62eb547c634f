/* daemon.yml from anybody: what is refused is so by name and place, what is accepted holds only
 * what the rest of the daemon can work with. No file is read. */
#undef NDEBUG /* the checks are what a fuzz target is for */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/settings_private.h"
#include "daemon/settings_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_message(const struct error *err)
{
	assert(err->code == ERR_CONFIG);
	assert(str_starts(err->msg, "daemon.yml:"));
	for (const char *c = err->msg; *c; c++)
		assert((unsigned char)*c >= 0x20 && *c != 0x7F);
}

static void check_site(const struct site *site)
{
	assert(!settings_bad_name(site->name) && !strchr(site->name, '/'));
	assert(!settings_bad_repository(site->repository) && *site->repository != '-');
	assert(*site->branch && *site->branch != '-' && site->provider);
	assert(site->poll_ms >= 0 && site->keys.n_secrets <= PROVIDER_SECRETS_MOST);
	for (size_t i = 0; i < site->environment.len; i++)
		assert(strchr(site->environment.items[i], '='));
}

static void check_settings(const struct settings *s)
{
	assert(s->n_sites && !s->names[s->n_sites]);
	assert(*s->state == '/' && *s->queue);
	assert(s->workers >= 1 && s->threads >= 2 && s->attempts >= 1);
	assert(s->body_most > 0 && s->body_ms > 0 && s->deploy_ms > 0 && s->log_most > 0);
	assert(s->address_per_min >= 0 && s->site_per_min >= 0 && s->memory >= 0);
	for (size_t i = 0; i < s->n_sites; i++)
		check_site(&s->sites[i]);
}

static void check_files(const struct settings_draft *d)
{
	for (size_t i = 0; i < d->files.len; i++) {
		const struct settings_file *f = &d->files.items[i];

		assert(!f->into != !f->path && f->line);
		assert(*f->from == '/' || str_starts(f->from, "credential:"));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings_draft d = { .settings = settings_new(),
				    .name = "daemon.yml",
				    .folder = "/etc/crc" };
	struct error err = ERROR_INIT;

	if (settings_parse(&d, (const char *)data, size, &err) < 0) {
		check_message(&err);
	} else {
		check_settings(d.settings);
		check_files(&d);
		if (settings_check(&d, &err) < 0)
			check_message(&err);
	}
	settings_files_release(&d.files);
	settings_drop(d.settings);
	return 0;
}
