#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "daemon/options.h"

enum { WORDS_MOST = 16 };

/* Parses the words of a line. What is given is found in line, which must live on. */
static int parse(char *line, struct options *o, struct error *err)
{
	char name[] = "crc-daemon";
	char *argv[WORDS_MOST] = { name };
	int argc = 1;

	for (char *word = line; *word && argc < WORDS_MOST;) {
		size_t n = strcspn(word, " ");
		bool is_last = !word[n];

		argv[argc++] = word;
		word[n] = '\0';
		word += is_last ? n : n + 1;
	}
	return options_parse(o, argc, argv, err);
}

static void test_options__commands_and_their_words(void **state)
{
	static const struct {
		const char *line, *command, *config, *site, *commit;
	} cases[] = {
		{ "", "serve", OPTIONS_CONFIG, NULL, NULL },
		{ "--config d.yml", "serve", "d.yml", NULL, NULL },
		{ "--config=d.yml serve", "serve", "d.yml", NULL, NULL },
		{ "redeploy a", "redeploy", OPTIONS_CONFIG, "a", NULL },
		{ "redeploy a abc --config d", "redeploy", "d", "a", "abc" },
		{ "rollback a", "rollback", OPTIONS_CONFIG, "a", NULL },
		{ "rollback -- -a", "rollback", OPTIONS_CONFIG, "-a", NULL },
		{ "retry a", "retry", OPTIONS_CONFIG, "a", NULL },
		{ "list", "list", OPTIONS_CONFIG, NULL, NULL },
		{ "list a", "list", OPTIONS_CONFIG, "a", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP_PTR(mem) char *line = xstrdup(cases[i].line);
		struct error err = ERROR_INIT;
		struct options o;

		if (parse(line, &o, &err) < 0)
			fail_msg("%s: %s", cases[i].line, err.msg);
		if (!str_eq(o.command, cases[i].command) ||
		    !str_eq(o.config, cases[i].config) ||
		    !str_eq(o.site, cases[i].site) || !str_eq(o.commit, cases[i].commit))
			fail_msg("%s", cases[i].line);
		assert_int_equal(o.last, 20);
	}
}

static void test_options__flags(void **state)
{
	char listing[] = "list --json --last 5";
	char checking[] = "--check-config";
	char helping[] = "redeploy --help";
	struct error err = ERROR_INIT;
	struct options o;

	(void)state;
	assert_int_equal(parse(listing, &o, &err), 0);
	assert_true(o.json);
	assert_int_equal(o.last, 5);
	assert_int_equal(parse(checking, &o, &err), 0);
	assert_true(o.check_config);
	assert_int_equal(parse(helping, &o, &err), 0);
	assert_true(o.help);
}

static void test_options__what_is_refused(void **state)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
		{ "--confg x", "there is no option --confg: did you mean --config?" },
		{ "--frobnicate",
		  "there is no option --frobnicate: see crc-daemon --help" },
		{ "-c x", "there is no option -c: see crc-daemon --help" },
		{ "--config", "--config needs a value: FILE" },
		{ "--config --json", "--config needs a value: FILE" },
		{ "--config=", "--config needs a value: FILE" },
		{ "--help=yes", "--help takes no value" },
		{ "redeply a", "there is no command redeply: did you mean redeploy?" },
		{ "frobnicate", "there is no command frobnicate: see crc-daemon --help" },
		{ "redeploy", "redeploy needs SITE [COMMIT]" },
		{ "redeploy a b c", "redeploy takes SITE [COMMIT]: what is \"c\"?" },
		{ "serve a", "serve takes no words: what is \"a\"?" },
		{ "retry a b", "retry takes SITE: what is \"b\"?" },
		{ "redeploy a --json", "--json is for list" },
		{ "list --check-config", "--check-config is for the daemon itself" },
		{ "list --last 0", "--last: \"0\" is not a number from 1 to 1000" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP_PTR(mem) char *line = xstrdup(cases[i].line);
		struct error err = ERROR_INIT;
		struct options o;

		assert_int_equal(parse(line, &o, &err), -1);
		assert_int_equal(err.code, ERR_USAGE);
		assert_string_equal(err.msg, cases[i].says);
	}
}

static void test_options__help_names_all(void **state)
{
	static const char *const words[] = {
		"list [SITE]", "redeploy SITE [COMMIT]", "rollback SITE [COMMIT]",
		"retry SITE",  "--config FILE",          "--check-config"
	};
	CLEANUP(buf) struct buf text = BUF_INIT(65536);

	(void)state;
	options_help(&text);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		assert_non_null(strstr(text.data, words[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options__commands_and_their_words),
		cmocka_unit_test(test_options__flags),
		cmocka_unit_test(test_options__what_is_refused),
		cmocka_unit_test(test_options__help_names_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
