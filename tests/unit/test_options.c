#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "action/options.h"
#include "base/str.h"

enum { WORDS_MOST = 16 };

/* Words of a line, with '|' between them; they live in line. */
static size_t split(char *line, const char **words)
{
	size_t n = 0;

	while (*line) {
		size_t len = strcspn(line, "|");
		char *next = line + len + (line[len] == '|');

		assert_true(n + 2 < WORDS_MOST);
		words[n++] = line;
		line[len] = '\0';
		line = next;
	}
	words[n] = NULL;
	return n;
}

/* What an arguments' line and the environment's variables give. */
struct given {
	char *arguments;
	char *variables;
	struct options options;
	struct error err;
	int rc;
};

static void parse(struct given *g, const char *arguments, const char *variables)
{
	const char *argv[WORDS_MOST] = { "crc-action" };
	const char *env[WORDS_MOST];
	size_t n;

	g->arguments = xstrdup(arguments);
	g->variables = xstrdup(variables);
	g->err = (struct error)ERROR_INIT;
	n = split(g->arguments, argv + 1);
	split(g->variables, env);
	g->rc = options_parse(&g->options, (int)n + 1, (char **)(uintptr_t)argv, env,
			      &g->err);
}

static void release(struct given *g)
{
	options_release(&g->options);
	free(g->arguments);
	free(g->variables);
}

static void test_options__defaults(void **state)
{
	struct given g;
	const struct options *o = &g.options;

	(void)state;
	parse(&g, "", "");
	assert_int_equal(g.rc, 0);
	assert_string_equal(o->command, "deploy");
	assert_true(!o->dry_run && !o->offline && !o->json && !o->quiet && !o->wait);
	assert_null(o->bucket);
	assert_string_equal(o->source, "auto");
	assert_string_equal(o->color, "auto");
	assert_int_equal(o->max_delete, -1);
	assert_int_equal(o->max_paths, 100);
	assert_int_equal(o->concurrency, 16);
	assert_int_equal(o->lock_timeout_s, 600);
	release(&g);
}

/* Where an option's value goes: every one is set by its own name, and nothing else. */
static void test_options__every_text_by_its_name(void **state)
{
	struct given g;
	struct options *o = &g.options;
	const struct {
		const char *name;
		const char **at;
	} cases[] = {
		{ "config", &o->config },
		{ "repo", &o->repo },
		{ "head", &o->head },
		{ "base", &o->base },
		{ "name", &o->name },
		{ "site-path", &o->site_path },
		{ "bucket", &o->bucket },
		{ "prefix", &o->prefix },
		{ "distribution-id", &o->distribution_id },
		{ "url", &o->url },
		{ "backend-path", &o->backend_path },
		{ "template", &o->template_file },
		{ "stack-name", &o->stack_name },
		{ "function-name", &o->function_name },
		{ "site", &o->site },
		{ "backend", &o->backend },
		{ "region", &o->region },
		{ "aws-region", &o->region },
		{ "role-to-assume", &o->role_to_assume },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf apart = BUF_INIT(256);
		CLEANUP(buf) struct buf joined = BUF_INIT(256);

		buf_printf(&apart, "--%s|a value|--dry-run", cases[i].name);
		parse(&g, apart.data, "");
		assert_int_equal(g.rc, 0);
		assert_string_equal(*cases[i].at, "a value");
		assert_true(o->dry_run);
		release(&g);
		buf_printf(&joined, "--%s=a=value|-n", cases[i].name);
		parse(&g, joined.data, "");
		assert_int_equal(g.rc, 0);
		assert_string_equal(*cases[i].at, "a=value");
		assert_true(o->dry_run);
		release(&g);
	}
}

static void test_options__every_flag_by_its_name(void **state)
{
	struct given g;
	struct options *o = &g.options;
	const struct {
		const char *words;
		const bool *at;
	} cases[] = {
		{ "--dry-run", &o->dry_run },
		{ "-n", &o->dry_run },
		{ "--offline", &o->offline },
		{ "--wait", &o->wait },
		{ "--verify", &o->verify },
		{ "--audit", &o->audit },
		{ "--allow-rollback", &o->allow_rollback },
		{ "--change-set", &o->change_set },
		{ "--recreate-stack", &o->recreate_stack },
		{ "--json", &o->json },
		{ "--quiet", &o->quiet },
		{ "-q", &o->quiet },
		{ "--verbose", &o->verbose },
		{ "-v", &o->verbose },
		{ "--help", &o->help },
		{ "-h", &o->help },
		{ "--version", &o->version },
		{ "--print-inputs", &o->print_inputs },
		{ "--wait=true", &o->wait },
		{ "--wait=TRUE", &o->wait },
		{ "--wait=yes", &o->wait },
		{ "--wait=1", &o->wait },
		{ "--wait=false|--wait", &o->wait },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t on = 0;

		parse(&g, cases[i].words, "");
		if (g.rc < 0 || !*cases[i].at)
			fail_msg("%s: %s", cases[i].words, g.err.msg);
		for (size_t k = 0; k < sizeof(cases) / sizeof(*cases); k++)
			on += *cases[k].at && cases[k].at != cases[i].at;
		assert_int_equal(on, 0);
		release(&g);
	}
	parse(&g, "--wait|--wait=false|--json=off", "");
	assert_true(g.rc == 0 && !o->wait && !o->json);
	release(&g);
}

static void test_options__letters_together(void **state)
{
	struct given g;
	const struct options *o = &g.options;

	(void)state;
	parse(&g, "-nqv|-C|some/dir", "");
	assert_int_equal(g.rc, 0);
	assert_true(o->dry_run && o->quiet && o->verbose);
	assert_string_equal(o->repo, "some/dir");
	release(&g);
	parse(&g, "-nCsome/dir|status", "");
	assert_int_equal(g.rc, 0);
	assert_true(o->dry_run);
	assert_string_equal(o->repo, "some/dir");
	assert_string_equal(o->command, "status");
	release(&g);
}

static void test_options__commands(void **state)
{
	static const struct {
		const char *words;
		const char *command; /* NULL: refused */
	} cases[] = {
		{ "deploy", "deploy" },
		{ "status", "status" },
		{ "--json|status|-v", "status" },
		{ "--bucket|status", "deploy" },
		{ "--|status", "status" },
		{ "-n|--|deploy", "deploy" },
		{ "--", "deploy" },
		{ "--|--dry-run", NULL },
		{ "deploy|status", NULL },
		{ "deploy|deploy", NULL },
		{ "-", NULL },
		{ "Deploy", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct given g;

		parse(&g, cases[i].words, "");
		if ((g.rc < 0) != !cases[i].command)
			fail_msg("%s: %d %s", cases[i].words, g.rc, g.err.msg);
		if (cases[i].command)
			assert_string_equal(g.options.command, cases[i].command);
		else
			assert_int_equal(g.err.code, ERR_USAGE);
		release(&g);
	}
}

static const struct {
	const char *words;
	const char *message;
} mistakes[] = {
	{ "--bukcet|x", "there is no option --bukcet: did you mean --bucket?" },
	{ "--bukcet=x", "there is no option --bukcet: did you mean --bucket?" },
	{ "--dryrun", "there is no option --dryrun: did you mean --dry-run?" },
	{ "--aws-regoin=x",
	  "there is no option --aws-regoin: did you mean --aws-region?" },
	{ "--print-input", "there is no option --print-input: see crc-action --help" },
	{ "--stak-name=x", "there is no option --stak-name: did you mean --stack-name?" },
	{ "--recreate-stacks",
	  "there is no option --recreate-stacks: did you mean --recreate-stack?" },
	{ "--backend-path", "--backend-path needs a value: DIR" },
	{ "--change-set=perhaps", "--change-set: \"perhaps\" is not true or false" },
	{ "--zzzzzzzz", "there is no option --zzzzzzzz: see crc-action --help" },
	{ "--x", "there is no option --x: see crc-action --help" },
	{ "-x", "there is no option -x: see crc-action --help" },
	{ "-nx", "there is no option -x: see crc-action --help" },
	{ "---n", "there is no option ---n: see crc-action --help" },
	{ "depoly", "there is no command depoly: did you mean deploy?" },
	{ "frobnicate", "there is no command frobnicate: see crc-action --help" },
	{ "deploy|status", "one command at a time: status" },
	{ "--bucket", "--bucket needs a value: NAME" },
	{ "--bucket|--dry-run", "--bucket needs a value: NAME" },
	{ "-C", "-C needs a value: DIR" },
	{ "--max-paths=0", "--max-paths: \"0\" is not a number from 1 to 3000" },
	{ "--max-paths|3001", "--max-paths: \"3001\" is not a number from 1 to 3000" },
	{ "--max-paths=1e3", "--max-paths: \"1e3\" is not a number from 1 to 3000" },
	{ "--max-paths=", "--max-paths: \"\" is not a number from 1 to 3000" },
	{ "--concurrency=257", "--concurrency: \"257\" is not a number from 1 to 256" },
	{ "--lock-timeout=-1", "--lock-timeout: \"-1\" is not a number from 0 to 86400" },
	{ "--max-delete=-1", "--max-delete: \"-1\" is not a number, 0 or more" },
	{ "--max-delete=9223372036854775808",
	  "--max-delete: \"9223372036854775808\" is not a number, 0 or more" },
	{ "--max-delete=0x10", "--max-delete: \"0x10\" is not a number, 0 or more" },
	{ "--wait=maybe", "--wait: \"maybe\" is not true or false" },
	{ "--wait=", "--wait: \"\" is not true or false" },
	{ "--color=purple", "--color: \"purple\" is none of auto|always|never" },
	{ "--color=", "--color: \"\" is none of auto|always|never" },
	{ "--source|work", "--source: \"work\" is none of commit|worktree|auto" },
	{ "--source|commit|worktree", "there is no command worktree: see crc-action "
				      "--help" },
};

static void test_options__what_is_wrong_is_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++) {
		struct given g;

		parse(&g, mistakes[i].words, "");
		if (g.rc == 0)
			fail_msg("%s: taken", mistakes[i].words);
		assert_string_equal(g.err.msg, mistakes[i].message);
		assert_int_equal(g.err.code, ERR_USAGE);
		release(&g);
	}
}

static void test_options__numbers_at_their_limits(void **state)
{
	struct given g;
	const struct options *o = &g.options;

	(void)state;
	parse(&g, "--max-paths=1|--concurrency=256|--lock-timeout=0|--max-delete=0", "");
	assert_int_equal(g.rc, 0);
	assert_int_equal(o->max_paths, 1);
	assert_int_equal(o->concurrency, 256);
	assert_int_equal(o->lock_timeout_s, 0);
	assert_int_equal(o->max_delete, 0);
	release(&g);
	parse(&g,
	      "--max-paths=3000|--lock-timeout=86400|--max-delete=9223372036854775807",
	      "");
	assert_int_equal(g.rc, 0);
	assert_int_equal(o->max_paths, 3000);
	assert_true(o->max_delete == INT64_MAX);
	release(&g);
}

/* Inputs */

static void test_options__inputs(void **state)
{
	struct given g;
	const struct options *o = &g.options;

	(void)state;
	parse(&g, "",
	      "INPUT_AWS_REGION=eu-central-1|INPUT_ROLE_TO_ASSUME=arn|INPUT_SITE_PATH=website|"
	      "INPUT_BUCKET=my-resume|INPUT_DISTRIBUTION_ID=E1,E2|INPUT_WORKING_DIRECTORY=sub|"
	      "INPUT_MAX_PATHS=5|INPUT_WAIT=true|INPUT_DRY_RUN=TRUE|INPUT_SOURCE=worktree|"
	      "OTHER=x");
	assert_int_equal(g.rc, 0);
	assert_string_equal(o->region, "eu-central-1");
	assert_string_equal(o->role_to_assume, "arn");
	assert_string_equal(o->site_path, "website");
	assert_string_equal(o->bucket, "my-resume");
	assert_string_equal(o->distribution_id, "E1,E2");
	assert_string_equal(o->repo, "sub");
	assert_int_equal(o->max_paths, 5);
	assert_true(o->wait && o->dry_run && !o->audit);
	assert_string_equal(o->source, "worktree");
	release(&g);
	parse(&g, "",
	      "INPUT_BACKEND_PATH=back|INPUT_TEMPLATE=t.yml|INPUT_STACK_NAME=counter|"
	      "INPUT_FUNCTION_NAME=f|INPUT_BACKEND=one|INPUT_CHANGE_SET=true|"
	      "INPUT_RECREATE_STACK=false");
	assert_int_equal(g.rc, 0);
	assert_string_equal(o->backend_path, "back");
	assert_string_equal(o->template_file, "t.yml");
	assert_string_equal(o->stack_name, "counter");
	assert_string_equal(o->function_name, "f");
	assert_string_equal(o->backend, "one");
	assert_true(o->change_set && !o->recreate_stack);
	release(&g);
}

static void test_options__empty_inputs_are_none(void **state)
{
	struct given g;
	const struct options *o = &g.options;

	(void)state;
	parse(&g, "",
	      "INPUT_BUCKET=|INPUT_WAIT=|INPUT_MAX_PATHS=|INPUT_MAX_DELETE= |INPUT_SOURCE=\n|"
	      "INPUT_PREFIX= \t\r\n |INPUT_STACK_NAME=|INPUT_TEMPLATE= |INPUT_CHANGE_SET=");
	assert_int_equal(g.rc, 0);
	assert_null(o->bucket);
	assert_null(o->prefix);
	assert_null(o->stack_name);
	assert_null(o->template_file);
	assert_false(o->change_set);
	assert_false(o->wait);
	assert_int_equal(o->max_paths, 100);
	assert_int_equal(o->max_delete, -1);
	assert_string_equal(o->source, "auto");
	release(&g);
}

static void test_options__inputs_are_trimmed(void **state)
{
	struct given g;
	const struct options *o = &g.options;

	(void)state;
	parse(&g, "",
	      "INPUT_BUCKET=my-resume\n|INPUT_WAIT= true \n|INPUT_MAX_PATHS= 7|"
	      "INPUT_DISTRIBUTION_ID=E1,\nE2\n|INPUT_SITE_PATH=my site\r\n");
	assert_int_equal(g.rc, 0);
	assert_string_equal(o->bucket, "my-resume");
	assert_true(o->wait);
	assert_int_equal(o->max_paths, 7);
	assert_string_equal(o->distribution_id, "E1,\nE2");
	assert_string_equal(o->site_path, "my site");
	release(&g);
}

static void test_options__the_command_line_goes_before_inputs(void **state)
{
	struct given g;
	const struct options *o = &g.options;

	(void)state;
	parse(&g, "--bucket|other|--wait=false|--prefix=",
	      "INPUT_BUCKET=my-resume|INPUT_WAIT=true|INPUT_PREFIX=blog|INPUT_URL=https://x");
	assert_int_equal(g.rc, 0);
	assert_string_equal(o->bucket, "other");
	assert_false(o->wait);
	assert_string_equal(o->prefix, "");
	assert_string_equal(o->url, "https://x");
	release(&g);
}

static void test_options__wrong_inputs_are_named(void **state)
{
	static const struct {
		const char *variables;
		const char *message;
	} cases[] = {
		{ "INPUT_DRY_RUN=perhaps",
		  "input: dry-run: \"perhaps\" is not true or false" },
		{ "INPUT_MAX_PATHS=many",
		  "input: max-paths: \"many\" is not a number from 1 to 3000" },
		{ "INPUT_SOURCE=disk",
		  "input: source: \"disk\" is none of commit|worktree|auto" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct given g;

		parse(&g, "", cases[i].variables);
		assert_int_equal(g.rc, -1);
		assert_string_equal(g.err.msg, cases[i].message);
		release(&g);
	}
}

/* What is only of use at a terminal is no input. */
static void test_options__some_are_no_inputs(void **state)
{
	struct given g;
	const struct options *o = &g.options;

	(void)state;
	parse(&g, "",
	      "INPUT_JSON=true|INPUT_OFFLINE=true|INPUT_QUIET=true|INPUT_VERBOSE=true|"
	      "INPUT_COLOR=always|INPUT_HELP=true|INPUT_VERSION=true|INPUT_PRINT_INPUTS=true|"
	      "INPUT_REGION=x|INPUT_REPO=x");
	assert_int_equal(g.rc, 0);
	assert_true(!o->json && !o->offline && !o->quiet && !o->verbose && !o->help &&
		    !o->version && !o->print_inputs);
	assert_string_equal(o->color, "auto");
	assert_null(o->region);
	assert_null(o->repo);
	release(&g);
}

static void test_options__json_is_known_when_the_rest_is_wrong(void **state)
{
	struct given g;

	(void)state;
	parse(&g, "--bukcet|x|--json", "");
	assert_true(g.rc < 0 && g.options.json);
	release(&g);
	parse(&g, "--json|--json=false|--bukcet", "");
	assert_true(g.rc < 0 && !g.options.json);
	release(&g);
	parse(&g, "--bukcet|--|--json", "");
	assert_true(g.rc < 0 && !g.options.json);
	release(&g);
	parse(&g, "--json", "INPUT_WAIT=perhaps");
	assert_true(g.rc < 0 && g.options.json);
	release(&g);
}

/* Texts */

static void test_options__help_shows_all_and_fits(void **state)
{
	static const char *const shown[] = {
		"  -n, --dry-run ", "  --bucket NAME ", "  -C, --repo DIR ",
		"--aws-region",     "(default 100)",    "(default auto)",
		"  --version ",     "Exit status:",
	};
	CLEANUP(buf) struct buf out = BUF_INIT(65536);
	const char *line;

	(void)state;
	options_help(&out);
	assert_false(out.overflowed);
	for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++)
		if (!strstr(out.data, shown[i]))
			fail_msg("help lacks %s", shown[i]);
	assert_null(strstr(out.data, "print-inputs"));
	for (line = out.data; *line; line += strcspn(line, "\n") + 1)
		if (strcspn(line, "\n") > 115)
			fail_msg("long: %s", line);
}

static void test_options__inputs_are_printed_with_their_defaults(void **state)
{
	CLEANUP(buf) struct buf out = BUF_INIT(65536);

	(void)state;
	options_inputs(&out);
	assert_non_null(strstr(out.data, "dry-run\tfalse\n"));
	assert_non_null(strstr(out.data, "aws-region\t\n"));
	assert_non_null(strstr(out.data, "working-directory\t\n"));
	assert_non_null(strstr(out.data, "max-paths\t100\n"));
	assert_null(strstr(out.data, "json"));
	assert_null(strstr(out.data, "color"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options__defaults),
		cmocka_unit_test(test_options__every_text_by_its_name),
		cmocka_unit_test(test_options__every_flag_by_its_name),
		cmocka_unit_test(test_options__letters_together),
		cmocka_unit_test(test_options__commands),
		cmocka_unit_test(test_options__what_is_wrong_is_said),
		cmocka_unit_test(test_options__numbers_at_their_limits),
		cmocka_unit_test(test_options__inputs),
		cmocka_unit_test(test_options__empty_inputs_are_none),
		cmocka_unit_test(test_options__inputs_are_trimmed),
		cmocka_unit_test(test_options__the_command_line_goes_before_inputs),
		cmocka_unit_test(test_options__wrong_inputs_are_named),
		cmocka_unit_test(test_options__some_are_no_inputs),
		cmocka_unit_test(test_options__json_is_known_when_the_rest_is_wrong),
		cmocka_unit_test(test_options__help_shows_all_and_fits),
		cmocka_unit_test(test_options__inputs_are_printed_with_their_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
