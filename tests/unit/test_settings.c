#define _XOPEN_SOURCE 700 /* setenv */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "action/settings.h"
#include "base/str.h"

#include "git_repo.h"

#define CRC_YML                                                                           \
	"region: eu-west-1\\nsites:\\n  one:\\n    path: one\\n    bucket: bucket-one\\n" \
	"    prefix: old\\n    distribution: E1\\n    url: https://one.example\\n"

static int start(void **state)
{
	struct sandbox *s = xcalloc(1, sizeof(*s));

	sandbox_start(s);
	*state = s;
	return 0;
}

static int end(void **state)
{
	sandbox_end(*state);
	free(*state);
	return 0;
}

/* What was loaded, and all that it borrows from. */
struct loaded {
	struct options options;
	struct github github;
	struct repo *repo;
	struct settings settings;
	struct error err;
	int rc;
};

/* Loads from a folder of the sandbox. words: arguments with spaces between; env may be NULL. */
static void load(struct loaded *l, const char *folder, const char *words,
		 const char *const *env)
{
	static char line[1024];
	char *argv[16] = { (char *)(uintptr_t) "crc-action" };
	int argc = 1;

	memset(l, 0, sizeof(*l));
	assert_true(str_copy(line, sizeof(line), words));
	for (char *at = line; *at && argc < 15;) {
		size_t n = strcspn(at, " ");
		bool more = at[n];

		at[n] = '\0';
		argv[argc++] = at;
		at += n + more;
	}
	if (options_parse(&l->options, argc, argv, NULL, &l->err) < 0 ||
	    repo_open(folder, NULL, &l->repo, &l->err) < 0)
		fail_msg("%s", l->err.msg);
	github_init(&l->github, env);
	l->rc = settings_load(&l->settings, &l->options, &l->github, l->repo, env,
			      &l->err);
}

static void unload(struct loaded *l)
{
	settings_release(&l->settings);
	repo_free(l->repo);
	options_release(&l->options);
}

static void load_well(struct loaded *l, const char *folder, const char *words)
{
	load(l, folder, words, NULL);
	if (l->rc < 0)
		fail_msg("%s: %s", words, l->err.msg);
}

static void assert_refused(const char *folder, const char *words, enum error_code code,
			   const char *part)
{
	struct loaded l;

	load(&l, folder, words, NULL);
	if (l.rc == 0)
		fail_msg("%s: taken", words);
	if (!strstr(l.err.msg, part))
		fail_msg("%s: %s", words, l.err.msg);
	assert_int_equal(l.err.code, code);
	unload(&l);
}

static const struct site *site(const struct loaded *l, size_t i)
{
	assert_true(i < l->settings.config.sites.len);
	return &l->settings.config.sites.items[i];
}

/* From options */

static void test_settings__one_site_of_options(void **state)
{
	struct loaded l;

	run(*state, "", NULL,
	    "git init -q r && cd r && mkdir web && echo x > web/index.html && "
	    "git add . && git commit -qm one");
	load_well(
		&l, "r",
		"--site-path web/ --bucket my-resume --prefix /blog --distribution-id E1,E2 "
		"--url https://x.example --name resume --region us-east-2");
	assert_int_equal(l.settings.config.sites.len, 1);
	assert_string_equal(site(&l, 0)->name, "resume");
	assert_string_equal(site(&l, 0)->path, "web");
	assert_string_equal(site(&l, 0)->bucket.text, "my-resume");
	assert_string_equal(site(&l, 0)->prefix, "blog/");
	assert_int_equal(site(&l, 0)->distributions.len, 2);
	assert_string_equal(site(&l, 0)->distributions.items[1].text, "E2");
	assert_string_equal(site(&l, 0)->url.text, "https://x.example");
	assert_string_equal(l.settings.region, "us-east-2");
	assert_null(l.settings.source_note);
	assert_string_equal(l.settings.ref, "refs/heads/main");
	unload(&l);
	/* An input may be a block of YAML. */
	load_well(&l, "r", "--site-path web --distribution-id E1,\n\tE2,,\nE3");
	assert_int_equal(site(&l, 0)->distributions.len, 3);
	assert_string_equal(site(&l, 0)->distributions.items[2].text, "E3");
	assert_string_equal(site(&l, 0)->name, "site");
	unload(&l);
	load_well(&l, "r", "--site-path .");
	assert_string_equal(site(&l, 0)->path, "");
	assert_int_equal(site(&l, 0)->bucket.kind, VALUE_NONE);
	unload(&l);
	assert_refused("r", "--site-path web --prefix a//b", ERR_CONFIG,
		       "--prefix: prefix");
	assert_refused("r", "--site-path ../web", ERR_CONFIG, "..");
	assert_refused("r", "--site-path web --bucket Not_A_Bucket", ERR_CONFIG,
		       "Not_A_Bucket");
	assert_refused("r", "--site-path web --head nope", ERR_NOT_FOUND, "head: nope");
}

static void test_settings__the_folder_is_found(void **state)
{
	static const struct {
		const char *make;
		const char *path; /* NULL: not found */
	} cases[] = {
		{ "mkdir website; echo x > website/index.html", "website" },
		{ "mkdir public docs; echo x > public/index.html; echo x > docs/index.html",
		  "public" },
		{ "echo x > index.html; mkdir docs; echo x > docs/index.html", "docs" },
		{ "echo x > index.html", "" },
		{ "mkdir website; echo x > website/about.html", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct loaded l;

		run(*state, "", NULL,
		    "rm -rf d && git init -q d && cd d && %s && git add . && git commit -qm one",
		    cases[i].make);
		if (!cases[i].path) {
			assert_refused("d", "", ERR_CONFIG, "give --site-path");
			continue;
		}
		load_well(&l, "d", "--bucket my-resume");
		assert_string_equal(site(&l, 0)->path, cases[i].path);
		assert_non_null(strstr(l.settings.source_note,
				       *cases[i].path ? cases[i].path : "the top"));
		unload(&l);
	}
}

/* A backend of options */

static const struct backend *backend(const struct loaded *l)
{
	assert_int_equal(l->settings.config.backends.len, 1);
	return &l->settings.config.backends.items[0];
}

static void test_settings__a_template_of_options(void **state)
{
	struct loaded l;

	run(*state, "", NULL,
	    "git init -q p && cd p && mkdir web && echo x > web/index.html && "
	    "git add . && git commit -qm one");
	load_well(&l, "p",
		  "--backend-path ./back/ --template ./sam/t.yml --stack-name counter");
	assert_string_equal(backend(&l)->name, "backend");
	assert_int_equal(backend(&l)->kind, BACKEND_TEMPLATE);
	assert_string_equal(backend(&l)->path, "back");
	assert_string_equal(backend(&l)->template_file, "sam/t.yml");
	assert_string_equal(backend(&l)->stack.text, "counter");
	assert_int_equal(backend(&l)->function.kind, VALUE_NONE);
	assert_int_equal(backend(&l)->artifacts.kind, VALUE_NONE);
	/* Nobody asked for a site. */
	assert_int_equal(l.settings.config.sites.len, 0);
	assert_null(l.settings.source_note);
	unload(&l);
	/* The top of the repository, unless something else is said. */
	load_well(&l, "p", "--stack-name counter");
	assert_string_equal(backend(&l)->path, "");
	assert_string_equal(backend(&l)->template_file, "template.yaml");
	unload(&l);
	load_well(&l, "p", "--stack-name counter --backend-path .");
	assert_string_equal(backend(&l)->path, "");
	unload(&l);
}

static void test_settings__a_function_of_options(void **state)
{
	struct loaded l;

	run(*state, "", NULL,
	    "git init -q p2 && cd p2 && echo x > index.html && git add . && "
	    "git commit -qm one");
	load_well(&l, "p2", "--backend-path lambda/mailer.py --function-name mailer");
	assert_int_equal(backend(&l)->kind, BACKEND_FUNCTION);
	assert_string_equal(backend(&l)->path, "lambda/mailer.py");
	assert_string_equal(backend(&l)->function.text, "mailer");
	assert_int_equal(backend(&l)->stack.kind, VALUE_NONE);
	assert_int_equal(backend(&l)->alias.kind, VALUE_NONE);
	assert_int_equal(l.settings.config.sites.len, 0);
	unload(&l);
}

/* Both halves without a file; the folder of the site is looked for as ever. */
static void test_settings__a_site_and_a_backend_of_options(void **state)
{
	struct loaded l;

	run(*state, "", NULL,
	    "git init -q p3 && cd p3 && mkdir web website && echo x > web/index.html && "
	    "echo x > website/index.html && git add . && git commit -qm one");
	load_well(&l, "p3", "--site-path web --bucket my-resume --stack-name counter");
	assert_string_equal(site(&l, 0)->path, "web");
	assert_string_equal(backend(&l)->stack.text, "counter");
	unload(&l);
	load_well(&l, "p3", "--bucket my-resume --stack-name counter");
	assert_string_equal(site(&l, 0)->path, "website");
	assert_non_null(l.settings.source_note);
	assert_string_equal(backend(&l)->stack.text, "counter");
	unload(&l);
	/* What is empty was not given: a site alone. */
	load_well(&l, "p3",
		  "--site-path web --stack-name= --function-name= --template= "
		  "--backend-path=");
	assert_int_equal(l.settings.config.sites.len, 1);
	assert_int_equal(l.settings.config.backends.len, 0);
	unload(&l);
}

static void test_settings__options_that_make_no_backend(void **state)
{
	static const struct {
		const char *words;
		enum error_code code;
		const char *part;
	} cases[] = {
		{ "--backend-path back", ERR_USAGE, "give one of them" },
		{ "--template t.yml", ERR_USAGE, "give one of them" },
		{ "--template t.yml --stack-name=", ERR_USAGE, "give one of them" },
		{ "--stack-name a --function-name b", ERR_USAGE, "give one of them" },
		{ "--stack-name a --function-name b --site-path web", ERR_USAGE,
		  "give one of them" },
		{ "--function-name b", ERR_USAGE,
		  "--function-name needs --backend-path" },
		{ "--function-name b --backend-path=", ERR_USAGE,
		  "--function-name needs --backend-path" },
		{ "--function-name b --backend-path c --template t.yml", ERR_USAGE,
		  "--template has no use with --function-name" },
		{ "--stack-name a_b", ERR_CONFIG, "stack \"a_b\"" },
		{ "--backend-path b --function-name a/b", ERR_CONFIG,
		  "function \"a/b\"" },
		{ "--stack-name a --backend-path ../b", ERR_CONFIG,
		  "leads out of the repository" },
		{ "--stack-name a --backend-path /b", ERR_CONFIG,
		  "must be relative to the repository's root" },
		{ "--stack-name a --template ../t.yml", ERR_CONFIG,
		  "leads out of the repository" },
	};

	run(*state, "", NULL,
	    "git init -q p4 && cd p4 && echo x > x && git add . && git commit -qm one");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_refused("p4", cases[i].words, cases[i].code, cases[i].part);
}

/* A file that describes sites only is no exception: one place says what is deployed. */
static void test_settings__a_file_goes_before_options_of_a_backend(void **state)
{
	static const char *const words[] = {
		"--stack-name a",
		"--function-name a --backend-path b",
		"--template t.yml",
		"--backend-path b",
		"--bucket other --stack-name a",
	};
	struct loaded l;

	run(*state, "", NULL,
	    "git init -q p5 && cd p5 && printf '" CRC_YML "' > crc.yml && git add . && "
	    "git commit -qm one");
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		assert_refused("p5", words[i], ERR_USAGE,
			       "crc.yml describes what is deployed: change the backends "
			       "there");
	load_well(&l, "p5", "--stack-name= --backend-path=");
	assert_string_equal(site(&l, 0)->name, "one");
	unload(&l);
}

/* From a file */

static void test_settings__the_commits_file(void **state)
{
	struct loaded l;

	run(*state, "", NULL,
	    "git init -q f && cd f && mkdir one && echo x > one/index.html && "
	    "printf '" CRC_YML "' > crc.yml && git add . && "
	    "git commit -qm one && echo broken: > crc.yml");
	load_well(&l, "f", "");
	assert_string_equal(site(&l, 0)->name, "one");
	assert_string_equal(site(&l, 0)->bucket.text, "bucket-one");
	assert_string_equal(l.settings.region, "eu-west-1");
	assert_null(l.settings.source_note);
	unload(&l);
	/* Options go before the file, and an empty one takes away what it says. */
	load_well(&l, "f",
		  "--bucket other --prefix new --distribution-id E9 --region eu-west-3");
	assert_string_equal(site(&l, 0)->bucket.text, "other");
	assert_string_equal(site(&l, 0)->prefix, "new/");
	assert_int_equal(site(&l, 0)->distributions.len, 1);
	assert_string_equal(site(&l, 0)->distributions.items[0].text, "E9");
	assert_string_equal(l.settings.region, "eu-west-3");
	unload(&l);
	load_well(&l, "f", "--prefix= --distribution-id=");
	assert_string_equal(site(&l, 0)->prefix, "");
	assert_int_equal(site(&l, 0)->distributions.len, 0);
	assert_string_equal(site(&l, 0)->bucket.text, "bucket-one");
	unload(&l);
	assert_refused("f", "--site-path one", ERR_USAGE, "crc.yml describes the sites");
	assert_refused("f", "--name resume", ERR_USAGE, "crc.yml describes the sites");
}

static void test_settings__one_of_two_sites(void **state)
{
	struct loaded l;

	run(*state, "", NULL,
	    "git init -q t && cd t && mkdir one two && touch one/a two/a && "
	    "printf '" CRC_YML
	    "  two: { path: two, bucket: bucket-two }\\n' > crc.yml && "
	    "git add . && git commit -qm one");
	assert_refused("t", "--bucket other", ERR_USAGE, "name one with --site");
	assert_refused("t", "--bucket other --site none", ERR_USAGE,
		       "name one with --site");
	load_well(&l, "t", "--bucket other --site two");
	assert_string_equal(site(&l, 0)->bucket.text, "bucket-one");
	assert_string_equal(site(&l, 1)->bucket.text, "other");
	unload(&l);
	/* Both in one place: found out although no file says so. */
	assert_refused("t", "--bucket bucket-one --prefix old --site two", ERR_CONFIG,
		       "those of site");
}

static void test_settings__a_file_on_the_disk(void **state)
{
	struct loaded l;

	run(*state, "", NULL,
	    "git init -q k && cd k && mkdir one && touch one/a && git add . && "
	    "git commit -qm one && printf '" CRC_YML "' > crc.yml && "
	    "cp crc.yml ../outside.yml");
	load_well(&l, "k", "");
	assert_string_equal(site(&l, 0)->name, "one");
	assert_non_null(strstr(l.settings.source_note, "not committed"));
	unload(&l);
	load_well(&l, "k/one", "");
	assert_string_equal(site(&l, 0)->name, "one");
	unload(&l);
	/* What the commit has is its file, however its name leads there. */
	run(*state, "k", NULL,
	    "mkdir conf && mv crc.yml conf/a.yml && ln -s a.yml conf/b.yml && "
	    "ln -s conf/b.yml crc.yml && git add . && git commit -qm links && "
	    "echo broken > conf/a.yml");
	load_well(&l, "k", "");
	assert_string_equal(site(&l, 0)->name, "one");
	assert_null(l.settings.source_note);
	unload(&l);
	assert_refused("k", "--config conf/", ERR_CONFIG,
		       "configuration conf/: a folder, and no file");
	run(*state, "k", NULL, "ln -s ../../outside.yml conf/c.yml && git add .");
	load_well(&l, "k", "--config conf/c.yml");
	assert_non_null(strstr(l.settings.source_note, "not committed"));
	unload(&l);
	assert_refused("k", "--config none.yml", ERR_CONFIG,
		       "configuration none.yml: neither in the commit nor on the disk");
	{
		CLEANUP(buf) struct buf words = BUF_INIT(4096);

		buf_printf(&words, "--config %s/outside.yml",
			   ((struct sandbox *)*state)->path);
		load_well(&l, "k", words.data);
		assert_string_equal(site(&l, 0)->name, "one");
		assert_null(l.settings.source_note);
		unload(&l);
	}
}

/* A file that is there but cannot be taken must not be passed over: what would be deployed
 * then is anybody's guess. */
static void test_settings__a_file_that_cannot_be_read(void **state)
{
	run(*state, "", NULL,
	    "git init -q b && cd b && mkdir website && echo x > website/index.html && "
	    "head -c 1100000 /dev/zero | tr '\\0' '#' > crc.yml && git add . && "
	    "git commit -qm one");
	assert_refused("b", "", ERR_TOO_BIG, "configuration crc.yml");
	run(*state, "", NULL,
	    "cd b && git rm -qf crc.yml && git commit -qm two && mkdir crc.yml");
	assert_refused("b", "", ERR_IO, "configuration crc.yml");
	run(*state, "", NULL,
	    "cd b && rmdir crc.yml && printf 'sites:\\n  x: {' > crc.yml && git add . && "
	    "git commit -qm three");
	assert_refused("b", "", ERR_CONFIG, "crc.yml:");
	/* Nobody can say what is in a commit whose tree is broken. */
	run(*state, "", NULL,
	    "cd b && tree=$(git rev-parse HEAD^{tree}) && "
	    "file=.git/objects/$(echo $tree | cut -c1-2)/$(echo $tree | cut -c3-) && "
	    "rm -f $file && echo broken > $file");
	assert_refused("b", "", ERR_DATA, "configuration crc.yml");
}

static void test_settings__values_of_the_environment(void **state)
{
	static const char *const env[] = { "SITE_BUCKET=from-env", "GITHUB_ACTIONS=true",
					   "GITHUB_REF=refs/heads/release", NULL };
	struct loaded l;

	run(*state, "", NULL,
	    "git init -q e && cd e && mkdir one && touch one/a && "
	    "printf 'sites:\\n  one: { path: one, bucket: !env SITE_BUCKET }\\n' > crc.yml && "
	    "git add . && git commit -qm one");
	load(&l, "e", "", env);
	assert_int_equal(l.rc, 0);
	assert_string_equal(site(&l, 0)->bucket.text, "from-env");
	assert_string_equal(l.settings.ref, "refs/heads/release");
	assert_null(l.settings.region);
	unload(&l);
	assert_refused("e", "", ERR_CONFIG, "SITE_BUCKET");
	/* What an option replaces is not asked for. */
	load_well(&l, "e", "--bucket given");
	assert_string_equal(site(&l, 0)->bucket.text, "given");
	unload(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings__one_site_of_options),
		cmocka_unit_test(test_settings__the_folder_is_found),
		cmocka_unit_test(test_settings__a_template_of_options),
		cmocka_unit_test(test_settings__a_function_of_options),
		cmocka_unit_test(test_settings__a_site_and_a_backend_of_options),
		cmocka_unit_test(test_settings__options_that_make_no_backend),
		cmocka_unit_test(test_settings__a_file_goes_before_options_of_a_backend),
		cmocka_unit_test(test_settings__the_commits_file),
		cmocka_unit_test(test_settings__one_of_two_sites),
		cmocka_unit_test(test_settings__a_file_on_the_disk),
		cmocka_unit_test(test_settings__a_file_that_cannot_be_read),
		cmocka_unit_test(test_settings__values_of_the_environment),
	};

	return cmocka_run_group_tests(tests, start, end);
}
