#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "core/config.h"

#include "cases.h"

/* The first site of a configuration, and what of its folder is uploaded. */
static void parse(struct config *c, const char *file, const char *text)
{
	struct error err = ERROR_INIT;

	*c = (struct config)CONFIG_INIT;
	if (config_parse(c, file, text, strlen(text), &err) < 0)
		fail_msg("%s", err.msg);
}

struct verdict {
	const char *path;
	bool uploaded;
};

static void assert_verdicts(const char *file, const char *text,
			    const struct verdict *verdicts)
{
	CLEANUP(config) struct config c = CONFIG_INIT;

	parse(&c, file, text);
	for (const struct verdict *v = verdicts; v->path; v++)
		if (config_uploads(&c, &c.sites.items[0], v->path) != v->uploaded)
			fail_msg("%s is %s\n%s", v->path,
				 v->uploaded ? "not uploaded" : "uploaded", text);
}

static void test_config_files__defaults(void **state)
{
	static const struct verdict verdicts[] = {
		{ "index.html", true },
		{ "a/b/c d.\xC3\xA9", true },
		{ "node_modules", true }, /* a file of that name */
		{ "node_modules/a/b.js", false },
		{ "a/node_modules/b.js", false },
		{ "node_modules2/b.js", true },
		{ "my_node_modules/b.js", true },
		{ ".htaccess", false },
		{ "a/.DS_Store", false },
		{ ".github/workflows/x.yml", false },
		{ ".well-known/security.txt", true },
		{ "a/.well-known/x", true },
		{ ".well-known/.x", false },
		{ ".well-known", false },
		{ ".well-known2/x", false },
		{ "venv/a", false },
		{ "virtualenv/a", false },
		{ "x.venv/a", false },
		{ ".venv/a", false },
		{ "venv", true },
		{ "x.venv", true },
		{ "env/a", true },
		{ "terraform.tfstate", false },
		{ "a/terraform.tfstate.backup", false },
		{ "x.tfstate.d/a", false },
		{ "tfstate", true },
		{ "main.tf", false },
		{ "a/main.TF.JSON", false },
		{ "modules.tf/a", false },
		{ "main.tf.html", true },
		{ "tf", true },
		{ "terraform.tfvars", false },
		{ "a/x.auto.tfvars.json", false },
		{ "tfplan", false },
		{ "dev.tfplan", false },
		{ "tfplan.html", true },
		{ "a.pem", false },
		{ "a/B.PEM", false },
		{ "certs.pem/a", false },
		{ "a.pem.txt", true },
		{ "pem", true },
		{ ".pem", false },
		{ "server.key", false },
		{ "key", true },
		{ "a.keys", true },
		{ "crc.yml", false },
		{ "a/crc.yml", false },
		{ "crc.yml.txt", true },
		{ "crc.yml/a", false },
		{ NULL, false },
	};

	(void)state;
	assert_verdicts("crc.yml", "sites: {a: {path: w}}", verdicts);
	assert_verdicts("crc.yml", "sites: {a: {path: .}}", verdicts);
}

static void test_config_files__exclude(void **state)
{
	static const struct verdict verdicts[] = {
		{ "a.psd", false },
		{ "x/y/a.psd", false },
		{ "keep.psd", true },
		{ "drafts/a", false },
		{ "x/drafts/a/b", false },
		{ "drafts", true },
		{ "top/a", false },
		{ "x/top/a", true },
		{ "a/x/b", false },
		{ "a/x/y/b", false },
		{ "a/b", false },
		{ "c/a/x/b", true },
		{ "notes.txt", false },
		{ "x/notes.txt", true },
		{ "only/a", false },
		{ "only/keep", true },
		{ "only/x/keep", false },
		{ "other", true },
		{ "drafts/keep.psd", false },
		{ NULL, false },
	};

	(void)state;
	assert_verdicts("crc.yml",
			"sites: {a: {path: w, exclude: ['*.psd', '!keep.psd', drafts/,\n"
			"  /top, 'a/**/b', /notes.txt, 'only/*', '!only/keep']}}",
			verdicts);
}

static void test_config_files__include(void **state)
{
	static const struct verdict verdicts[] = {
		{ ".htaccess", true },
		{ "a/.htaccess", true },
		{ ".env", false },
		{ "ca.pem", true },
		{ "node_modules/ca.pem", false },
		{ "node_modules/lib/dist/a.js", true },
		{ "node_modules/lib/dist/b/c.js", true },
		{ "node_modules/lib/a.js", false },
		{ "node_modules/a.js", false },
		{ ".well-known/.hidden", true },
		{ "pub/x.key", true },
		{ "x.key", false },
		{ ".dot/a", true },
		{ ".dot/.b", false },
		{ "no.pem", false },
		{ NULL, false },
	};

	(void)state;
	assert_verdicts("crc.yml",
			"sites: {a: {path: w, include: [.htaccess, '*.pem', '!no.pem',\n"
			"  node_modules/lib/dist/, .well-known/.hidden, pub/*.key,\n"
			"  .dot/]}}",
			verdicts);
}

/* exclude is the site's own word, and the last. */
static void test_config_files__exclude_beats_include(void **state)
{
	static const struct verdict verdicts[] = {
		{ ".htaccess", false },
		{ "a/.htaccess", false },
		{ ".htpasswd", true },
		{ NULL, false },
	};

	(void)state;
	assert_verdicts("crc.yml",
			"sites: {a: {path: w, exclude: [.htaccess], include: ['.ht*']}}",
			verdicts);
}

static void test_config_files__git_and_crc_are_never_uploaded(void **state)
{
	static const struct verdict verdicts[] = {
		{ ".git/config", false },  { "a/.git/HEAD", false },
		{ ".git", false },         { ".crc/state.json", false },
		{ "a/.crc/x", false },     { ".crc", false },
		{ ".gitignore", true },    { ".github/x", true },
		{ ".crcx", true },         { "x.git/a", true },
		{ ".gitx/.git/a", false }, { NULL, false },
	};

	(void)state;
	assert_verdicts("crc.yml",
			"sites: {a: {path: w, include: ['**', '.*', .git/, .git/config,\n"
			"  .crc/, '.crc/**', a/.git/HEAD]}}",
			verdicts);
}

static void test_config_files__backends_below_the_site(void **state)
{
	static const struct verdict verdicts[] = {
		{ "index.html", true },
		{ "api/app.py", false },
		{ "api/sub/x", false },
		{ "api", true },
		{ "apix/a", true },
		{ "x/api/a", true },
		{ "lambda/mailer/a", false },
		{ "lambda/other/a", true },
		{ NULL, false },
	};
	static const struct verdict lifted[] = {
		{ "api/app.py", false },
		{ "api/docs/x", true },
		{ NULL, false },
	};

	(void)state;
	assert_verdicts("crc.yml",
			"sites: {a: {path: .}}\n"
			"backends: {a: {path: api, stack: s},\n"
			"           b: {path: lambda/mailer, function: f}}\n",
			verdicts);
	assert_verdicts("crc.yml",
			"sites: {a: {path: w}}\n"
			"backends: {a: {path: w/api, stack: s},\n"
			"           b: {path: w/lambda/mailer, function: f}}\n",
			verdicts);
	assert_verdicts("crc.yml",
			"sites: {a: {path: w, include: [api/docs/]}}\n"
			"backends: {a: {path: w/api, stack: s}}\n",
			lifted);
}

/* A function's code may be a single file; a template's path is always a folder. */
static void test_config_files__backends_of_one_file(void **state)
{
	static const struct verdict verdicts[] = {
		{ "index.html", true },    { "api/app.py", false },
		{ "api/app.pyc", true },   { "api/app", true },
		{ "api/other.py", true },  { "x/api/app.py", true },
		{ "api/app.py/x", false }, /* should it become a folder */
		{ NULL, false },
	};
	static const struct verdict templates[] = {
		{ "api/app.py", true },
		{ "api/app.py/x", false },
		{ NULL, false },
	};
	static const struct verdict lifted[] = {
		{ "api/app.py", true },
		{ "api/b.py", false },
		{ NULL, false },
	};

	(void)state;
	assert_verdicts("crc.yml",
			"sites: {a: {path: .}}\n"
			"backends: {b: {path: api/app.py, function: f}}\n",
			verdicts);
	assert_verdicts("crc.yml",
			"sites: {a: {path: w}}\n"
			"backends: {b: {path: w/api/app.py, function: f}}\n",
			verdicts);
	assert_verdicts("crc.yml",
			"sites: {a: {path: .}}\n"
			"backends: {b: {path: api/app.py, stack: s}}\n",
			templates);
	assert_verdicts("crc.yml",
			"sites: {a: {path: ., include: [api/app.py]}}\n"
			"backends: {b: {path: api/app.py, function: f},\n"
			"           c: {path: api/b.py, function: g}}\n",
			lifted);
}

/* A backend in the site's own folder or above it holds back its template only. */
static void test_config_files__templates(void **state)
{
	static const struct {
		const char *text;
		const char *template;
	} cases[] = {
		{ "sites: {a: {path: .}}\nbackends: {b: {path: ., stack: s}}",
		  "template.yaml" },
		{ "sites: {a: {path: w}}\nbackends: {b: {path: w, stack: s}}",
		  "template.yaml" },
		{ "sites: {a: {path: w}}\nbackends: {b: {path: w, stack: s, template: "
		  "t/x.json}}",
		  "t/x.json" },
		{ "sites: {a: {path: w}}\nbackends: {b: {path: ., stack: s, template: "
		  "w/x.json}}",
		  "x.json" },
		{ "sites: {a: {path: v/w}}\nbackends: {b: {path: v, stack: s, template: "
		  "w/t/x.json}}",
		  "t/x.json" },
		{ "sites: {a: {path: v/w}}\nbackends: {b: {path: v, stack: s, template: "
		  "x.json}}",
		  NULL },
		{ "sites: {a: {path: w}}\nbackends: {b: {path: wx, stack: s}}", NULL },
		{ "sites: {a: {path: wx}}\nbackends: {b: {path: w, stack: s, template: "
		  "x/x.json}}",
		  NULL },
		{ "sites: {a: {path: w}}\nbackends: {b: {path: w, function: f}}", NULL },
	};
	static const char *const paths[] = { "index.html", "template.yaml", "x.json",
					     "t/x.json",   "w/x.json",      "x/x.json" };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (size_t k = 0; k < sizeof(paths) / sizeof(*paths); k++) {
			struct verdict verdicts[2] = {
				{ paths[k], !str_eq(paths[k], cases[i].template) },
			};

			assert_verdicts("crc.yml", cases[i].text, verdicts);
		}
	}
}

static void test_config_files__the_configuration_itself(void **state)
{
	static const struct {
		const char *file;
		const char *site;
		const char *path;
	} cases[] = {
		{ "deploy.yml", ".", "deploy.yml" },
		{ "w/deploy.yml", "w", "deploy.yml" },
		{ "w/x/deploy.yml", "w", "x/deploy.yml" },
		{ "./deploy.yml", ".", "deploy.yml" },
		{ "w//deploy.yml", "w", "deploy.yml" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf text = BUF_INIT(1024);
		struct verdict verdicts[] = {
			{ cases[i].path, false },
			{ "a/deploy.yml", true },
			{ NULL, false },
		};

		buf_printf(&text, "sites: {a: {path: %s}}", cases[i].site);
		assert_verdicts(cases[i].file, text.data, verdicts);
	}
}

static void test_config_files__without_a_file(void **state)
{
	CLEANUP(config) struct config c = CONFIG_INIT;
	struct site *s = config_add_site(&c, "a", "w");

	(void)state;
	assert_true(config_uploads(&c, s, "index.html"));
	assert_false(config_uploads(&c, s, "crc.yml"));
	assert_false(config_uploads(&c, s, ".x"));
}

static void test_config_files__folders_to_pass_over(void **state)
{
	static const struct verdict skipped[] = {
		{ "a", false },
		{ "node_modules", true },
		{ "x/node_modules", true },
		{ ".hidden", true },
		{ ".git", true },
		{ "x/.crc", true },
		{ ".well-known", false },
		{ "drafts", true },
		{ "x/drafts", true },
		{ "venv", false }, /* venv/lib/ is included */
		{ "venv/lib", false },
		{ "venv/lib/x", false },
		{ "venv/bin", true },
		{ "api", true },
		{ NULL, false },
	};
	CLEANUP(config) struct config c = CONFIG_INIT;

	(void)state;
	parse(&c, "crc.yml",
	      "sites: {a: {path: w, exclude: [drafts/], include: ['*.pem', venv/lib/]}}\n"
	      "backends: {a: {path: w/api, stack: s}}\n");
	for (const struct verdict *v = skipped; v->path; v++)
		if (config_skips_folder(&c, &c.sites.items[0], v->path) != v->uploaded)
			fail_msg("%s is %s", v->path,
				 v->uploaded ? "walked" : "passed over");
}

static void test_config_files__folders_of_our_own(void **state)
{
	static const struct {
		const char *path;
		bool reserved;
	} cases[] = {
		{ ".crc", true },     { "a/b/.crc", true }, { "old/.crc", false },
		{ "x/.crcs", false }, { "x.crc", false },   { "a", false },
	};
	CLEANUP(config) struct config c = CONFIG_INIT;

	(void)state;
	parse(&c, "crc.yml", "sites: {a: {path: w, exclude: [old/.crc/]}}\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (config_is_reserved(&c.sites.items[0], cases[i].path) !=
		    cases[i].reserved)
			fail_msg("%s", cases[i].path);
}

static const char *const parts[] = { "a",   "b",     ".c",   "node_modules",
				     "api", "x.pem", ".git", ".well-known",
				     "*",   "**",    "a*" };

enum { PATH_PARTS = 8, PATTERN_PARTS = 11 };

static void random_joined(uint64_t *seed, unsigned n_parts, struct buf *out)
{
	unsigned n = 1 + below(seed, 4);

	buf_clear(out);
	for (unsigned i = 0; i < n; i++)
		buf_printf(out, "%s%s", i ? "/" : "", parts[below(seed, n_parts)]);
}

static void random_patterns(uint64_t *seed, struct arena *arena, struct glob_list *out)
{
	CLEANUP(buf) struct buf text = BUF_INIT(1024);
	unsigned n = below(seed, 4);

	for (unsigned i = 0; i < n; i++) {
		struct glob g;

		random_joined(seed, PATTERN_PARTS, &text);
		if (glob_parse(arena_printf(arena, "%s%s%s", below(seed, 4) ? "" : "!",
					    text.data, below(seed, 3) ? "" : "/"),
			       &g))
			glob_list_push(out, g);
	}
}

/* What lies in a folder that is passed over is not uploaded. */
static void test_config_files__passed_over_means_not_uploaded(void **state)
{
	CLEANUP(buf) struct buf path = BUF_INIT(1024);
	uint64_t seed = CASES_SEED;
	unsigned skipped = 0;

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		CLEANUP(config) struct config c = CONFIG_INIT;
		struct site *s = config_add_site(&c, "s", below(&seed, 2) ? "a" : "");

		config_add_backend(&c, "b", below(&seed, 2) ? "a/api" : "a/b/api");
		random_patterns(&seed, &c.arena, &s->exclude);
		random_patterns(&seed, &c.arena, &s->include);
		for (unsigned k = 0; k < 20; k++) {
			char *slash;
			bool uploads;

			random_joined(&seed, PATH_PARTS, &path);
			uploads = config_uploads(&c, s, path.data);
			slash = strrchr(path.data, '/');
			if (!slash)
				continue;
			*slash = '\0';
			if (config_skips_folder(&c, s, path.data)) {
				skipped++;
				assert_false(uploads);
			}
		}
	}
	assert_true(skipped > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config_files__defaults),
		cmocka_unit_test(test_config_files__exclude),
		cmocka_unit_test(test_config_files__include),
		cmocka_unit_test(test_config_files__exclude_beats_include),
		cmocka_unit_test(test_config_files__git_and_crc_are_never_uploaded),
		cmocka_unit_test(test_config_files__backends_below_the_site),
		cmocka_unit_test(test_config_files__backends_of_one_file),
		cmocka_unit_test(test_config_files__templates),
		cmocka_unit_test(test_config_files__the_configuration_itself),
		cmocka_unit_test(test_config_files__without_a_file),
		cmocka_unit_test(test_config_files__folders_to_pass_over),
		cmocka_unit_test(test_config_files__folders_of_our_own),
		cmocka_unit_test(test_config_files__passed_over_means_not_uploaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
