#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "action/github.h"
#include "base/str.h"
#include "codec/json.h"
#include "fake/plan_case.h"
#include "io/fs.h"

enum { TEXT_MAX = 16 << 20, OUTPUTS_MOST = 32 };

#define CONFIG                                                  \
	"config\n"                                              \
	"sites:\n"                                              \
	"  one: { path: one, bucket: one, distribution: E1 }\n" \
	"end\n"                                                 \
	"head b\n"                                              \
	"site one\n"                                            \
	"deployed a\n"                                          \
	"recorded E1\n"                                         \
	"distribution E1\n"                                     \
	"behavior * ours\n"                                     \
	"file same same\n"                                      \
	"object same same\n"

#define BACKENDS                           \
	"config\n"                         \
	"backends:\n"                      \
	"  a: { path: a, stack: sa }\n"    \
	"  b: { path: b, function: fb }\n" \
	"  c: { path: c, stack: sc }\n"    \
	"end\n"                            \
	"head b\n"

/* What the runner makes of an output file, by its own rules (FileCommandManager): "name=value",
 * or "name<<DELIMITER", lines, and the delimiter in a line by itself. */
struct outputs {
	char *names[OUTPUTS_MOST];
	char *values[OUTPUTS_MOST];
	size_t n;
};

static void add_output(struct outputs *o, char *name, char *value)
{
	assert_true(o->n < OUTPUTS_MOST);
	o->names[o->n] = name;
	o->values[o->n++] = value;
}

/* The value that starts at text, up to the delimiter's line; *text moves behind that. */
static char *take_value(const char **text, const char *delimiter)
{
	const char *start = *text;
	const char *at = start;

	for (;;) {
		size_t n = strcspn(at, "\n");

		if (!at[n])
			fail_msg("no end: %s", delimiter);
		if (n == strlen(delimiter) && strncmp(at, delimiter, n) == 0)
			break;
		at += n + 1;
	}
	*text = at + strlen(delimiter) + 1;
	return xstrndup(start, at > start ? (size_t)(at - start - 1) : 0);
}

static void read_outputs(const char *text, struct outputs *out)
{
	*out = (struct outputs){ .n = 0 };
	while (*text) {
		size_t line = strcspn(text, "\n");
		size_t equals = strcspn(text, "=");
		const char *marker = strstr(text, "<<");
		CLEANUP_PTR(mem) char *delimiter = NULL;
		char *name;

		if (equals < line && (!marker || text + equals < marker)) {
			add_output(out, xstrndup(text, equals),
				   xstrndup(text + equals + 1, line - equals - 1));
			text += line + 1;
			continue;
		}
		assert_true(marker && marker < text + line);
		name = xstrndup(text, (size_t)(marker - text));
		delimiter = xstrndup(marker + 2, (size_t)(text + line - marker - 2));
		text += line + 1;
		add_output(out, name, take_value(&text, delimiter));
	}
}

static void release_outputs(struct outputs *o)
{
	for (size_t i = 0; i < o->n; i++) {
		free(o->names[i]);
		free(o->values[i]);
	}
}

static const char *output(const struct outputs *o, const char *name)
{
	for (size_t i = 0; i < o->n; i++)
		if (str_eq(o->names[i], name))
			return o->values[i];
	fail_msg("no output %s", name);
	return NULL;
}

static void read_case(struct plan_case *c, const char *text)
{
	struct error err = ERROR_INIT;

	if (plan_case_read(c, text, &err) < 0)
		fail_msg("%s", err.msg);
}

/* Reports the case into files; what they hold is read back. */
struct reported {
	struct buf summary;
	struct outputs outputs;
};

static void report_case(const char *text, const char *url, struct reported *r)
{
	CLEANUP(buf) struct buf folder = BUF_INIT(4096);
	CLEANUP(buf) struct buf output_file = BUF_INIT(4096);
	CLEANUP(buf) struct buf summary_file = BUF_INIT(4096);
	CLEANUP(buf) struct buf found = BUF_INIT(TEXT_MAX);
	struct error err = ERROR_INIT;
	struct plan_case c;
	struct github g = { .is_runner = true,
			    .server = "https://github.com",
			    .repository = "me/resume" };

	assert_int_equal(fs_make_temp("/tmp", &folder, &err), 0);
	buf_printf(&output_file, "%s/output", folder.data);
	buf_printf(&summary_file, "%s/summary", folder.data);
	g.output_file = output_file.data;
	g.summary_file = summary_file.data;
	read_case(&c, text);
	if (github_report(&g, &c.outcome, url, &err) < 0 ||
	    fs_read(output_file.data, &found, &err) < 0 ||
	    fs_read(summary_file.data, &r->summary, &err) < 0)
		fail_msg("%s", err.msg);
	read_outputs(found.data, &r->outputs);
	plan_case_release(&c);
	assert_int_equal(fs_remove_tree(folder.data, &err), 0);
}

static void reported_release(struct reported *r)
{
	buf_release(&r->summary);
	release_outputs(&r->outputs);
}

#define REPORTED_INIT                         \
	{                                     \
		.summary = BUF_INIT(TEXT_MAX) \
	}

/* The environment */

static void test_github__the_environment(void **state)
{
	static const char *const env[] = {
		"GITHUB_ACTIONS=true",
		"GITHUB_OUTPUT=/o",
		"GITHUB_STEP_SUMMARY=/s",
		"GITHUB_EVENT_PATH=/e",
		"GITHUB_EVENT_NAME=push",
		"GITHUB_SHA=abc",
		"GITHUB_REF=refs/heads/main",
		"GITHUB_WORKFLOW=named",
		"GITHUB_WORKFLOW_REF=me/resume/.github/workflows/x.yml@refs/heads/main",
		"GITHUB_RUN_ID=1",
		"GITHUB_RUN_NUMBER=2",
		"GITHUB_RUN_ATTEMPT=3",
		"GITHUB_TOKEN=t",
		"GITHUB_SERVER_URL=https://github.com",
		"GITHUB_REPOSITORY=me/resume",
		"RUNNER_DEBUG=1",
		NULL,
	};
	static const char *const little[] = { "GITHUB_ACTIONS=false",
					      "GITHUB_WORKFLOW=named", NULL };
	struct github g;

	(void)state;
	github_init(&g, env);
	assert_true(g.is_runner && g.debug);
	assert_string_equal(g.output_file, "/o");
	assert_string_equal(g.summary_file, "/s");
	assert_string_equal(g.event_file, "/e");
	assert_string_equal(g.event_name, "push");
	assert_string_equal(g.sha, "abc");
	assert_string_equal(g.ref, "refs/heads/main");
	/* Names of workflows are not unique. */
	assert_string_equal(g.workflow,
			    "me/resume/.github/workflows/x.yml@refs/heads/main");
	assert_string_equal(g.run_id, "1");
	assert_string_equal(g.run_number, "2");
	assert_string_equal(g.run_attempt, "3");
	assert_string_equal(g.token, "t");
	github_init(&g, little);
	assert_false(g.is_runner);
	assert_null(g.output_file);
	assert_string_equal(g.workflow, "named");
}

/* Commands */

static void test_github__annotations_are_one_line(void **state)
{
	static const struct {
		const char *title;
		const char *text;
		const char *line;
	} cases[] = {
		{ "crc", "simple", "::error title=crc::simple\n" },
		{ "crc", "", "::error title=crc::\n" },
		{ "crc", "a\nb\r\n::warning::c",
		  "::error title=crc::a%0Ab%0D%0A::warning::c\n" },
		{ "crc", "100% %0A", "::error title=crc::100%25 %250A\n" },
		{ "crc", "a:b,c", "::error title=crc::a:b,c\n" },
		{ "a:b,c%\n", "x", "::error title=a%3Ab%2Cc%25%0A::x\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf out = BUF_INIT(4096);

		github_annotation(&out, "error", cases[i].title, cases[i].text);
		assert_string_equal(out.data, cases[i].line);
	}
}

static void test_github__masks(void **state)
{
	CLEANUP(buf) struct buf out = BUF_INIT(4096);

	(void)state;
	github_mask(&out, "two%\nlines");
	assert_string_equal(out.data, "::add-mask::two%25%0Alines\n");
}

static void test_github__warnings_are_annotated(void **state)
{
	CLEANUP(buf) struct buf out = BUF_INIT(65536);
	struct plan_case c;
	size_t lines = 0;

	(void)state;
	read_case(&c, CONFIG "file app.3f9a1c2b.css new\nobject app.3f9a1c2b.css old\n"
			     "note note not a warning\n"
			     "note warning 100% ##[error]x\n"
			     "many 20 note warning number %\n");
	outcome_note(&c.outcome, NOTE_WARNING, SIZE_MAX, NULL, "done meanwhile");
	github_warnings(&out, &c.outcome);
	for (const char *at = out.data; *at; at++)
		lines += *at == '\n';
	assert_int_equal(lines, 10); /* as many as the runner shows */
	assert_true(str_starts(out.data, "::warning title=crc::done meanwhile\n"
					 "::warning title=crc::app.3f9a1c2b.css was "));
	assert_non_null(strstr(out.data, "::warning title=crc::100%25 \\x23#[error]x\n"));
	assert_null(strstr(out.data, "not a warning"));
	plan_case_release(&c);
}

/* Outputs */

static void test_github__outputs_hold_any_value(void **state)
{
	static const char *const values[] = {
		"",
		"plain",
		"two\nlines",
		"ends in a line\n",
		"\n",
		"\r\n",
		"name=value",
		"name<<EOF\nvalue\nEOF",
		"crc_0123456789abcdef0123456789abcdef\nother<<x\ny\nx",
		"a<<b",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		CLEANUP(buf) struct buf text = BUF_INIT(65536);
		struct error err = ERROR_INIT;
		struct outputs found;

		assert_int_equal(github_output(&text, "first", values[i], &err), 0);
		assert_int_equal(github_output(&text, "second", "x", &err), 0);
		read_outputs(text.data, &found);
		assert_int_equal(found.n, 2);
		assert_string_equal(found.names[0], "first");
		assert_string_equal(found.values[0], values[i]);
		assert_string_equal(found.names[1], "second");
		assert_string_equal(found.values[1], "x");
		release_outputs(&found);
	}
}

static void test_github__delimiters_are_never_the_same(void **state)
{
	CLEANUP(buf) struct buf one = BUF_INIT(4096);
	CLEANUP(buf) struct buf two = BUF_INIT(4096);
	struct error err = ERROR_INIT;

	(void)state;
	github_output(&one, "n", "v", &err);
	github_output(&two, "n", "v", &err);
	assert_string_not_equal(one.data, two.data);
}

static void test_github__a_deploy_reports_all_outputs(void **state)
{
	static const struct {
		const char *name;
		const char *value;
	} expected[] = {
		{ "changed", "true" },
		{ "superseded", "false" },
		{ "uploaded-count", "1" },
		{ "deleted-count", "1" },
		{ "uploaded-bytes", "1005" },
		{ "invalidation-ids", "I3" },
		{ "invalidated-paths", "[\"/gone\",\"/new.x\"]" },
		{ "backend-deployed", "false" },
		{ "stack-outputs", "{}" },
		{ "base-sha", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
		{ "head-sha", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" },
		{ "site-url", "https://example.com" },
	};
	struct reported r = REPORTED_INIT;
	struct json_doc *doc = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	report_case(CONFIG "file new.x new\nobject new.x old\nobject gone old\ndone\n",
		    "https://example.com", &r);
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++)
		assert_string_equal(output(&r.outputs, expected[i].name),
				    expected[i].value);
	assert_int_equal(r.outputs.n, sizeof(expected) / sizeof(*expected) + 1);
	assert_null(strchr(output(&r.outputs, "plan"), '\n'));
	assert_int_equal(json_parse(output(&r.outputs, "plan"),
				    strlen(output(&r.outputs, "plan")), &doc, &err),
			 0);
	json_doc_free(doc);
	assert_non_null(strstr(r.summary.data,
			       "(https://github.com/me/resume/compare/"
			       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...bbbb"));
	reported_release(&r);
}

static void test_github__outputs_of_other_ends(void **state)
{
	static const struct {
		const char *text;
		const char *name;
		const char *value;
	} cases[] = {
		/* a dry run tells what it would do */
		{ CONFIG "file new.x new\nplanned\n", "changed", "true" },
		{ CONFIG "file new.x new\nplanned\n", "uploaded-count", "1" },
		{ CONFIG "file new.x new\nplanned\n", "invalidation-ids", "" },
		/* nothing, though there is a record */
		{ CONFIG "done\n", "changed", "false" },
		{ CONFIG "done\n", "invalidated-paths", "[]" },
		/* what was done before it failed */
		{ CONFIG
		  "file a new\nfile b new\nobject b old\npartial 2\nfails-with partial x\n",
		  "uploaded-count", "1" },
		{ CONFIG
		  "file a new\nfile b new\nobject b old\npartial 2\nfails-with partial x\n",
		  "invalidated-paths", "[]" },
		{ CONFIG "file a new\nrefused\nfails-with limit x\n", "changed",
		  "false" },
		/* there is no plan */
		{ "config\nsites:\n  one: { path: one }\nend\nhead a\n"
		  "superseded c it is newer\n",
		  "superseded", "true" },
		{ "config\nsites:\n  one: { path: one }\nend\nhead a\n"
		  "superseded c it is newer\n",
		  "base-sha", "cccccccccccccccccccccccccccccccccccccccc" },
		{ "config\nsites:\n  one: { path: one }\nend\n"
		  "failed\nfails-with config x\n",
		  "head-sha", "" },
		{ "config\nsites:\n  one: { path: one }\nend\n"
		  "failed\nfails-with config x\n",
		  "base-sha", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct reported r = REPORTED_INIT;

		report_case(cases[i].text, NULL, &r);
		if (!str_eq(output(&r.outputs, cases[i].name), cases[i].value))
			fail_msg("%zu: %s: %s", i, cases[i].name,
				 output(&r.outputs, cases[i].name));
		assert_string_equal(output(&r.outputs, "site-url"), "");
		reported_release(&r);
	}
}

static void test_github__outputs_of_backends(void **state)
{
	static const struct {
		const char *text;
		const char *deployed;
		const char *outputs;
	} cases[] = {
		{ BACKENDS
		  "backend a\nknows absent\nbecame created\n"
		  "new-output Url https://x.example/\nnew-output N \\n\"1\"\ndone\n",
		  "true",
		  "{\"a\":{\"Url\":\"https://x.example/\",\"N\":\"\\n\\\"1\\\"\"}}" },
		{ BACKENDS "backend b\ncode new old\nbecame updated\ndone\n", "true",
		  "{}" },
		/* of stacks that were only read, too */
		{ BACKENDS "backend a\noutput X 1\nbackend b\nbackend c\noutput Y 2\n"
			   "nothing\n",
		  "false", "{\"a\":{\"X\":\"1\"},\"c\":{\"Y\":\"2\"}}" },
		{ BACKENDS "backend a\ntemplate x y\nbecame confirmed\ndone\n", "false",
		  "{}" },
		/* a dry run tells what it would do */
		{ BACKENDS "backend a\ntemplate x y\noutput X 1\nplanned\n", "true",
		  "{\"a\":{\"X\":\"1\"}}" },
		{ BACKENDS "backend a\nplanned\n", "false", "{}" },
		/* one is done, and the next fails */
		{ BACKENDS "backend a\ntemplate x y\nbecame updated\n"
			   "backend c\ntemplate x y\nbecame failed\nfailed 1\n"
			   "fails-with service x\n",
		  "true", "{}" },
		{ BACKENDS "backend c\ntemplate x y\nbecame failed\noutput X 1\n"
			   "failed 0\nfails-with service x\n",
		  "false", "{\"c\":{\"X\":\"1\"}}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct reported r = REPORTED_INIT;

		report_case(cases[i].text, NULL, &r);
		if (!str_eq(output(&r.outputs, "backend-deployed"), cases[i].deployed))
			fail_msg("%zu: %s", i, output(&r.outputs, "backend-deployed"));
		if (!str_eq(output(&r.outputs, "stack-outputs"), cases[i].outputs))
			fail_msg("%zu: %s", i, output(&r.outputs, "stack-outputs"));
		assert_string_equal(output(&r.outputs, "changed"), cases[i].deployed);
		reported_release(&r);
	}
}

/* A stack may have 200 outputs of 1,024 characters: that must not fail a deploy. */
static void test_github__many_stack_outputs_are_cut(void **state)
{
	CLEANUP(buf) struct buf value = BUF_INIT(4096);
	CLEANUP(buf) struct buf text = BUF_INIT(TEXT_MAX);
	struct reported r = REPORTED_INIT;
	struct json_doc *doc = NULL;
	struct error err = ERROR_INIT;
	const char *outputs;

	(void)state;
	for (size_t i = 0; i < 1024; i++)
		buf_str(&value, "\\x01");
	buf_printf(&text,
		   BACKENDS "backend a\nmany 200 output Out%% %s\n"
			    "backend c\nmany 200 output Out%% %s\nnothing\n",
		   value.data, value.data);
	report_case(text.data, NULL, &r);
	outputs = output(&r.outputs, "stack-outputs");
	assert_true(strlen(outputs) <= 120000 && strlen(outputs) > 100000);
	assert_int_equal(json_parse(outputs, strlen(outputs), &doc, &err), 0);
	assert_non_null(json_get(json_get(json_root(doc), "a"), "Out1"));
	json_doc_free(doc);
	reported_release(&r);
}

/* A job's outputs may have 1 MiB in UTF-16, and a program's variable 128 KiB. */
static void test_github__long_outputs_are_cut(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT(TEXT_MAX);
	CLEANUP(buf) struct buf name = BUF_INIT(4096);
	struct reported r = REPORTED_INIT;
	size_t total = 0;

	(void)state;
	for (size_t i = 0; i < 100; i++)
		buf_str(&name, "\\xc3\\xa9");
	buf_printf(
		&text,
		CONFIG
		"max-paths 3000\nmany 600 file %s%%.x new\nmany 600 object %s%%.x old\n"
		"many 600 file %s%%.xy same\nmany 600 object %s%%.xy same\ndone\n",
		name.data, name.data, name.data, name.data);
	report_case(text.data, NULL, &r);
	for (size_t i = 0; i < r.outputs.n; i++) {
		size_t n = strlen(r.outputs.values[i]);

		assert_true(n < 128 << 10);
		total += n;
	}
	assert_true(total < 500000);
	assert_non_null(strstr(output(&r.outputs, "plan"), "\"steps_left_out\":"));
	assert_true(str_ends(output(&r.outputs, "plan"), "}"));
	assert_true(str_ends(output(&r.outputs, "invalidated-paths"), "]"));
	assert_string_equal(output(&r.outputs, "uploaded-count"), "600");
	assert_true(r.summary.len < 1 << 20);
	reported_release(&r);
}

static void test_github__no_files_no_output(void **state)
{
	struct github g = { .is_runner = true, .output_file = "" };
	struct error err = ERROR_INIT;
	struct plan_case c;

	(void)state;
	read_case(&c, CONFIG "done\n");
	assert_int_equal(github_report(&g, &c.outcome, NULL, &err), 0);
	g.output_file = "/nonexistent/output";
	assert_int_equal(github_report(&g, &c.outcome, NULL, &err), -1);
	assert_non_null(strstr(err.msg, "/nonexistent/output"));
	plan_case_release(&c);
}

static void test_github__links_only_to_what_looks_like_github(void **state)
{
	static const struct {
		const char *server;
		const char *repository;
		bool linked;
	} cases[] = {
		{ "https://github.com", "me/resume", true },
		{ "https://ghe.example.com:8443", "me/a.b-c_d", true },
		{ "http://github.com", "me/resume", false },
		{ "https://github.com", "me/resume)](javascript", false },
		{ "https://github.com", "", false },
		{ NULL, "me/resume", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf file = BUF_INIT(4096);
		CLEANUP(buf) struct buf summary = BUF_INIT(TEXT_MAX);
		struct github g = { .server = cases[i].server,
				    .repository = cases[i].repository };
		struct error err = ERROR_INIT;
		struct plan_case c;

		assert_int_equal(fs_make_temp("/tmp", &file, &err), 0);
		buf_str(&file, "/summary");
		g.summary_file = file.data;
		read_case(&c, CONFIG "file new.x new\ndone\n");
		assert_int_equal(github_report(&g, &c.outcome, NULL, &err), 0);
		assert_int_equal(fs_read(file.data, &summary, &err), 0);
		assert_int_equal(strstr(summary.data, "](https://") != NULL,
				 cases[i].linked);
		plan_case_release(&c);
		buf_truncate(&file, file.len - strlen("/summary"));
		assert_int_equal(fs_remove_tree(file.data, &err), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_github__the_environment),
		cmocka_unit_test(test_github__annotations_are_one_line),
		cmocka_unit_test(test_github__masks),
		cmocka_unit_test(test_github__warnings_are_annotated),
		cmocka_unit_test(test_github__outputs_hold_any_value),
		cmocka_unit_test(test_github__delimiters_are_never_the_same),
		cmocka_unit_test(test_github__a_deploy_reports_all_outputs),
		cmocka_unit_test(test_github__outputs_of_other_ends),
		cmocka_unit_test(test_github__outputs_of_backends),
		cmocka_unit_test(test_github__many_stack_outputs_are_cut),
		cmocka_unit_test(test_github__long_outputs_are_cut),
		cmocka_unit_test(test_github__no_files_no_output),
		cmocka_unit_test(test_github__links_only_to_what_looks_like_github),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
