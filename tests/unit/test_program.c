/* The program itself, without a network: what it says where, and how it ends. */
#define _XOPEN_SOURCE 700 /* setenv */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "codec/json.h"

#include "git_repo.h"

enum { TEXT_MAX = 1 << 20, WORDS_MOST = 16 };

static int start(void **state)
{
	struct sandbox *s = xcalloc(1, sizeof(*s));

	sandbox_start(s);
	*state = s;
	run(s, "", NULL,
	    "git init -q r && cd r && mkdir website && echo one > website/index.html && "
	    "echo css > website/a.css && mkdir back && echo one > back/app.py && "
	    "echo x > back/README && echo one > mailer.py && "
	    "echo 'Resources: { F: { Type: AWS::Serverless::Function, Properties: { "
	    "CodeUri: ., Handler: app.main, Runtime: python3.12 } } }' > back/template.yaml && "
	    "git add . && git commit -qm one");
	run(s, "r", NULL,
	    "echo two > website/index.html && echo two > back/app.py && echo x > 'website/##[error]x.html' && git add . && "
	    "git commit -qm two");
	return 0;
}

static int end(void **state)
{
	sandbox_end(*state);
	free(*state);
	return 0;
}

struct ended {
	int status;
	struct buf out;
	struct buf err;
};

/* words: arguments with spaces between; variables: NAME=VALUE, likewise, beside the sandbox's. */
static void start_program(struct sandbox *s, const char *words, const char *variables,
			  struct ended *e)
{
	CLEANUP_PTR(mem) char *line = xstrdup(words);
	CLEANUP_PTR(mem) char *more = xstrdup(variables);
	CLEANUP(buf) struct buf folder = BUF_INIT(4096);
	static const char *const none[] = { NULL };
	const char *argv[WORDS_MOST] = { CRC_ACTION_PROGRAM };
	struct process p = { .argv = argv, .timeout_ms = 60000 };
	struct error err = ERROR_INIT;
	char **env = process_env_without(s->env, none);
	char *rest = NULL;
	size_t n = 1;

	*e = (struct ended){ -1, BUF_INIT(TEXT_MAX), BUF_INIT(TEXT_MAX) };
	for (char *w = strtok_r(line, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
		argv[n++] = w;
	assert_true(n < WORDS_MOST);
	for (char *w = strtok_r(more, " ", &rest); w; w = strtok_r(NULL, " ", &rest)) {
		char *equals = strchr(w, '=');

		*equals = '\0';
		env = process_env_set(env, w, equals + 1);
	}
	buf_printf(&folder, "%s/r", s->path);
	p.env = env;
	p.folder = folder.data;
	p.out = &e->out;
	p.errors = &e->err;
	(void)process_run(&p, &e->status, &err);
	process_env_free(env);
	if (e->status < 0 || strstr(e->err.data, "Sanitizer"))
		fail_msg("%s: %s", err.msg, e->err.data);
}

static void ended_release(struct ended *e)
{
	buf_release(&e->out);
	buf_release(&e->err);
}

/* The last of stdout's lines, all of which are JSON objects with a version. */
static struct json_doc *last_line(const struct ended *e)
{
	struct json_doc *doc = NULL;
	const char *line = e->out.data;

	if (!*line)
		fail_msg("nothing on stdout, but: %s", e->err.data);
	while (*line) {
		size_t n = strcspn(line, "\n");
		struct error err = ERROR_INIT;

		json_doc_free(doc);
		doc = NULL;
		if (line[n] != '\n' || json_parse(line, n, &doc, &err) < 0)
			fail_msg("no JSON: %.*s", (int)n, line);
		assert_non_null(json_str(json_get(json_root(doc), "type")));
		line += n + 1;
	}
	return doc;
}

static void test_program__every_failure_ends_in_a_result(void **state)
{
	static const struct {
		const char *words;
		const char *variables;
		int status;
		const char *code;
	} cases[] = {
		{ "--json --bukcet x", "", 2, "usage" },
		{ "--bukcet x --json", "", 2, "usage" },
		{ "--json", "INPUT_MAX_PATHS=x", 2, "usage" },
		{ "--json -n --site-path none", "", 2, "config" },
		{ "--json -n --backend-path back", "", 2, "usage" },
		{ "--json -n --function-name f", "", 2, "usage" },
		{ "--json -n --stack-name counter --backend x", "", 2, "config" },
		{ "--json -n -C /", "", 1, "not-found" },
		{ "--json -n --head nope", "", 1, "not-found" },
		{ "--json --base HEAD --bucket my-resume --region x", "", 2, "usage" },
		{ "--json --site-path website --bucket my-resume", "", 2, "config" },
		{ "--json -n --prefix a//b", "", 2, "config" },
		{ "--json status --site-path website", "", 2, "config" },
		{ "--json status -C /", "", 1, "not-found" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		/* Once more on a runner, which wants an annotation: not on stdout. */
		for (int runner = 0; runner < 2; runner++) {
			CLEANUP(buf) struct buf variables = BUF_INIT(4096);
			struct ended e;
			struct json_doc *doc;
			const struct json *root;
			int64_t status = -1;

			buf_printf(&variables, "%s%s", cases[i].variables,
				   runner ? " GITHUB_ACTIONS=true" : "");
			start_program(*state, cases[i].words, variables.data, &e);
			if (e.status != cases[i].status)
				fail_msg("%s: %d %s", cases[i].words, e.status,
					 e.err.data);
			doc = last_line(&e);
			root = json_root(doc);
			assert_string_equal(json_str(json_get(root, "type")), "result");
			assert_string_equal(json_str(json_get(root, "verdict")),
					    "failed");
			if (!str_eq(json_str(json_get(root, "error_code")),
				    cases[i].code))
				fail_msg("%s: %s", cases[i].words, e.out.data);
			json_int(json_get(root, "exit"), &status);
			assert_int_equal(status, e.status);
			assert_true(str_starts(e.err.data, "crc-action: "));
			assert_int_equal(strstr(e.err.data, "::error title=crc::") !=
						 NULL,
					 runner);
			json_doc_free(doc);
			ended_release(&e);
		}
	}
}

static void test_program__a_dry_run(void **state)
{
	struct ended e;
	struct json_doc *doc;

	start_program(*state, "--dry-run", "", &e);
	assert_int_equal(e.status, 0);
	assert_non_null(strstr(e.out.data, "site site -> (no bucket yet)"));
	assert_non_null(strstr(e.out.data, "(the parent of the head)"));
	assert_non_null(strstr(e.out.data, "modified   index.html"));
	assert_non_null(strstr(e.out.data, "added      \\x23#[error]x.html"));
	assert_non_null(strstr(e.out.data, "Dry run: nothing was written anywhere."));
	assert_non_null(strstr(e.err.data, "note: no crc.yml and no --site-path"));
	ended_release(&e);
	start_program(*state, "-nq", "", &e);
	assert_true(str_starts(e.out.data, "Plan for commit "));
	assert_string_equal(strchr(e.out.data, ':'),
			    ": 2 to upload, 0 to delete, 0 invalidation paths\n"
			    "Dry run: nothing was written anywhere.\n");
	assert_string_equal(e.err.data, "");
	ended_release(&e);
	start_program(*state, "--dry-run --json", "", &e);
	doc = last_line(&e);
	assert_string_equal(json_str(json_get(json_root(doc), "verdict")), "planned");
	json_doc_free(doc);
	ended_release(&e);
}

/* Without credentials, git tells what of a backend changed. */
static void test_program__a_dry_run_of_a_backend(void **state)
{
	struct ended e;

	start_program(*state,
		      "--dry-run --change-set --stack-name counter --backend-path back",
		      "", &e);
	assert_int_equal(e.status, 0);
	assert_string_equal(strstr(e.out.data, " (offline"),
			    " (offline: compared in git alone)\n"
			    "  backend backend -> stack counter\n"
			    "    deploy: back/app.py changed\n"
			    "Dry run: nothing was written anywhere.\n");
	assert_non_null(strstr(e.err.data, "note: --change-set asks CloudFormation"));
	ended_release(&e);
	start_program(*state, "-n --function-name mailer --backend-path mailer.py", "",
		      &e);
	assert_non_null(strstr(e.out.data, "  backend backend -> function mailer\n"
					   "    unchanged\n"));
	assert_string_equal(e.err.data, "");
	ended_release(&e);
}

static void read_file(struct sandbox *s, const char *name, struct buf *out)
{
	CLEANUP(buf) struct buf path = BUF_INIT(4096);
	struct error err = ERROR_INIT;

	buf_printf(&path, "%s/%s", s->path, name);
	if (fs_read(path.data, out, &err) < 0)
		fail_msg("%s", err.msg);
}

static void test_program__a_runner_is_told_of_failures_too(void **state)
{
	CLEANUP(buf) struct buf outputs = BUF_INIT(TEXT_MAX);
	CLEANUP(buf) struct buf summary = BUF_INIT(TEXT_MAX);
	struct ended e;

	start_program(*state, "--site-path website --bucket my-resume",
		      "GITHUB_ACTIONS=true GITHUB_OUTPUT=../outputs "
		      "GITHUB_STEP_SUMMARY=../summary",
		      &e);
	assert_int_equal(e.status, 2);
	assert_string_equal(e.out.data, "Nothing was deployed.\n");
	read_file(*state, "outputs", &outputs);
	read_file(*state, "summary", &summary);
	assert_non_null(strstr(outputs.data, "changed<<crc_"));
	assert_non_null(strstr(outputs.data, "\nfalse\n"));
	assert_non_null(strstr(summary.data, "### crc: failed"));
	assert_non_null(strstr(summary.data, "no AWS region"));
	ended_release(&e);
}

/* A branch was deleted: said aloud, in the language that was asked for. */
static void test_program__an_event_that_deploys_nothing(void **state)
{
	static const char event[] =
		"{\"ref\":\"refs/heads/old\",\"before\":\"1111111111111111111111111111111111111111\","
		"\"after\":\"0000000000000000000000000000000000000000\",\"deleted\":true,"
		"\"repository\":{\"full_name\":\"me/resume\","
		"\"clone_url\":\"https://github.com/me/resume.git\"}}";
	const char *variables =
		"GITHUB_ACTIONS=true GITHUB_EVENT_NAME=push "
		"GITHUB_EVENT_PATH=../event.json GITHUB_OUTPUT=../outputs2 "
		"AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=y AWS_REGION=eu-west-1";
	CLEANUP(buf) struct buf path = BUF_INIT(4096);
	CLEANUP(buf) struct buf outputs = BUF_INIT(TEXT_MAX);
	struct sandbox *s = *state;
	struct error err = ERROR_INIT;
	struct json_doc *doc;
	struct ended e;

	buf_printf(&path, "%s/event.json", s->path);
	assert_int_equal(fs_write(path.data, event, strlen(event), &err), 0);
	start_program(s, "--site-path website --bucket my-resume", variables, &e);
	assert_int_equal(e.status, 0);
	assert_true(str_starts(e.out.data, "Nothing is deployed: "));
	read_file(s, "outputs2", &outputs);
	assert_non_null(strstr(outputs.data, "changed<<crc_"));
	ended_release(&e);
	start_program(s, "--site-path website --bucket my-resume --json", variables, &e);
	doc = last_line(&e);
	assert_string_equal(json_str(json_get(json_root(doc), "verdict")),
			    "nothing-to-do");
	assert_non_null(json_str(json_get(json_root(doc), "nothing_why")));
	json_doc_free(doc);
	ended_release(&e);
}

static void test_program__each_line_of_an_error_begins_with_our_name(void **state)
{
	struct ended e;
	size_t lines = 0;

	run(*state, "", NULL,
	    "git clone -q r links && cd links && mkdir -p website/::error::a && "
	    "ln -s x 'website/::error::a/b' && ln -s y 'website/::warning::c' && git add . && "
	    "git commit -qm links");
	start_program(*state, "-n -C ../links --site-path website", "GITHUB_ACTIONS=true",
		      &e);
	assert_int_equal(e.status, 1);
	for (const char *line = e.err.data; *line; line += strcspn(line, "\n") + 1) {
		lines++;
		if (!str_starts(line, "crc-action: ") &&
		    !str_starts(line, "::error title=crc::"))
			fail_msg("%s", line);
	}
	assert_int_equal(lines, 4);
	ended_release(&e);
}

static void test_program__help_and_version(void **state)
{
	struct ended e;

	start_program(*state, "--version", "", &e);
	assert_int_equal(e.status, 0);
	assert_string_equal(e.out.data, "crc-action " CRC_VERSION "\n");
	ended_release(&e);
	start_program(*state, "status --help --bucket x", "", &e);
	assert_int_equal(e.status, 0);
	assert_true(str_starts(e.out.data, "crc-action - "));
	assert_string_equal(e.err.data, "");
	ended_release(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_program__every_failure_ends_in_a_result),
		cmocka_unit_test(test_program__a_dry_run),
		cmocka_unit_test(test_program__a_dry_run_of_a_backend),
		cmocka_unit_test(test_program__a_runner_is_told_of_failures_too),
		cmocka_unit_test(test_program__an_event_that_deploys_nothing),
		cmocka_unit_test(
			test_program__each_line_of_an_error_begins_with_our_name),
		cmocka_unit_test(test_program__help_and_version),
	};

	return cmocka_run_group_tests(tests, start, end);
}
