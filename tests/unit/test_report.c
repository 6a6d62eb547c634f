#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/json.h"
#include "core/report.h"
#include "fake/plan_case.h"
#include "io/fs.h"

#define TEXT_MAX   ((size_t)64 << 20)
/* Over this the runner drops a summary whole. */
#define RUNNER_MAX ((size_t)1 << 20)

#define CONFIG                                                  \
	"config\n"                                              \
	"sites:\n"                                              \
	"  one: { path: one, bucket: one, distribution: E1 }\n" \
	"  two: { path: two, bucket: two, distribution: E1 }\n" \
	"end\n"                                                 \
	"head b\n"
#define SITE(name)          \
	"site " name "\n"   \
	"deployed a\n"      \
	"recorded E1\n"     \
	"distribution E1\n" \
	"behavior * ours\n"

static void read_case(struct plan_case *c, const char *text)
{
	struct error err = ERROR_INIT;

	if (plan_case_read(c, text, &err) < 0)
		fail_msg("%s", err.msg);
}

static struct json_doc *parse(const struct buf *text)
{
	struct json_doc *doc = NULL;
	struct error err = ERROR_INIT;

	if (json_parse(text->data, text->len, &doc, &err) < 0)
		fail_msg("%s: %.200s", err.msg, text->data);
	return doc;
}

/* The one line that was written is an object with these. */
static struct json_doc *parse_line(const struct buf *text, const char *type)
{
	const char *end = memchr(text->data, '\n', text->len);
	struct json_doc *doc = parse(text);
	int64_t v = 0;

	assert_true(end == text->data + text->len - 1);
	assert_true(json_int(json_get(json_root(doc), "v"), &v));
	assert_int_equal(v, 1);
	assert_string_equal(json_str(json_get(json_root(doc), "type")), type);
	return doc;
}

static int64_t number(const struct json *v, const char *key)
{
	int64_t n = -1;

	if (!json_int(json_get(v, key), &n))
		fail_msg("%s is no number", key);
	return n;
}

#define BACKENDS                           \
	"config\n"                         \
	"backends:\n"                      \
	"  a: { path: a, stack: sa }\n"    \
	"  b: { path: b, function: fb }\n" \
	"  c: { path: c, stack: sc }\n"    \
	"end\n"                            \
	"head b\n"

static const struct json *nth(const struct json_doc *doc, const char *list, size_t i)
{
	return json_at(json_get(json_root(doc), list), i);
}

static size_t count(const char *text, const char *part)
{
	size_t n = 0;

	while ((text = strstr(text, part))) {
		n++;
		text += strlen(part);
	}
	return n;
}

/* A plan in a line, of golden folders */

static const struct {
	const char *name;
	const char *line;
} lines[] = {
	{ "nothing-to-do", "aaaaaaaaaa: nothing to do" },
	{ "backends-only-unchanged", "bbbbbbbbbb: nothing to do" },
	{ "same-content", "bbbbbbbbbb: only the commit to record" },
	{ "backends-only", "bbbbbbbbbb: 1 backend to deploy" },
	{ "backend-later", "bbbbbbbbbb: 2 backends to deploy" },
	{ "backend-and-site-differ", "bbbbbbbbbb: 1 backend to deploy, 1 to upload, "
				     "0 to delete, 1 invalidation path" },
	{ "headers-only", "bbbbbbbbbb: 0 to upload, 1 to be given other headers, "
			  "0 to delete, 1 invalidation path" },
	{ "over-max-delete-dry-run",
	  "bbbbbbbbbb: 0 to upload, 301 to delete, "
	  "1 invalidation path; refused: site resume: 301 of 1200 objects would be "
	  "deleted, and at most 300 may be: if that is meant, run with --max-delete 301" },
};

static void test_report__a_plan_in_a_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		CLEANUP(buf) struct buf path = BUF_INIT(4096);
		CLEANUP(buf) struct buf input = BUF_INIT(TEXT_MAX);
		CLEANUP(buf) struct buf line = BUF_INIT(TEXT_MAX);
		struct plan_case c;
		struct error err = ERROR_INIT;

		buf_printf(&path, TEST_DATA "/golden/plan/%s/input", lines[i].name);
		assert_int_equal(fs_read(path.data, &input, &err), 0);
		read_case(&c, input.data);
		report_plan_line(&c.outcome.plan, &line);
		assert_string_equal(
			line.data,
			arena_printf(&c.arena, "Plan for commit %s\n", lines[i].line));
		plan_case_release(&c);
	}
}

/* Names and sizes */

static void test_report__names(void **state)
{
	static const struct {
		const char *name;
		const char *shown;
	} cases[] = {
		{ "a/b c.html", "a/b c.html" },
		{ "", "" },
		{ "caf\xc3\xa9 \xe6\x97\xa5", "caf\xc3\xa9 \xe6\x97\xa5" },
		{ "a\nb\r\t\x1b[31m\x7f", "a\\x0ab\\x0d\\x09\\x1b[31m\\x7f" },
		/* not UTF-8, cut off, a surrogate */
		{ "\xff", "\\xff" },
		{ "a\xc3", "a\\xc3" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
		/* characters that turn text around, end lines, or are C1 controls */
		{ "a\xe2\x80\xae"
		  "b",
		  "a\\xe2\\x80\\xaeb" },
		{ "\xe2\x80\x8e\xe2\x80\x8f", "\\xe2\\x80\\x8e\\xe2\\x80\\x8f" },
		{ "\xe2\x81\xa6\xe2\x81\xa9", "\\xe2\\x81\\xa6\\xe2\\x81\\xa9" },
		{ "\xd8\x9c", "\\xd8\\x9c" },
		{ "\xe2\x80\xa8\xe2\x80\xa9", "\\xe2\\x80\\xa8\\xe2\\x80\\xa9" },
		{ "\xc2\x85\xc2\x9b", "\\xc2\\x85\\xc2\\x9b" },
		/* the neighbours of these */
		{ "\xe2\x80\x90\xe2\x80\xaf\xc2\xa0\xe2\x81\xa5",
		  "\xe2\x80\x90\xe2\x80\xaf\xc2\xa0\xe2\x81\xa5" },
		/* what the GitHub runner takes for commands */
		{ "::error::x", "\\x3a:error::x" },
		{ "  ::error::x", "  \\x3a:error::x" },
		{ "\xc2\xa0::error::x", "\xc2\xa0\\x3a:error::x" },
		{ "std::vector", "std::vector" },
		{ "/::x", "/::x" },
		{ "##[error]x", "\\x23#[error]x" },
		{ "a ##[error]x", "a \\x23#[error]x" },
		{ "###[error]", "#\\x23#[error]" },
		{ "##", "##" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf out = BUF_INIT(4096);

		report_name(&out, cases[i].name);
		assert_string_equal(out.data, cases[i].shown);
	}
}

static void test_report__sizes(void **state)
{
	static const struct {
		int64_t bytes;
		const char *shown;
	} cases[] = {
		{ 0, "0 B" },
		{ 999, "999 B" },
		{ 1000, "1.0 kB" },
		{ 9940, "9.9 kB" },
		{ 9960, "10 kB" },
		{ 999499, "999 kB" },
		{ 999500, "1.0 MB" },
		{ 1234567, "1.2 MB" },
		{ 45600000, "46 MB" },
		{ 2500000000, "2.5 GB" },
		{ 7000000000000, "7.0 TB" },
		{ INT64_MAX, "9223372 TB" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf out = BUF_INIT(4096);

		report_size(&out, cases[i].bytes);
		assert_string_equal(out.data, cases[i].shown);
	}
}

/* Text */

static void strip_colors(struct buf *text)
{
	char *to = text->data;

	for (const char *from = text->data; *from; from++) {
		if (*from == '\033')
			from += strcspn(from, "m");
		else
			*to++ = *from;
	}
	*to = '\0';
}

static void print_all(const struct plan_case *c, bool color, struct buf *out)
{
	struct report_style style = { .color = color, .max_rows = 0 };

	report_plan_text(&c->outcome.plan, &style, out);
	report_outcome_text(&c->outcome, &style, out);
}

static void test_report__colors_only_when_asked(void **state)
{
	CLEANUP(buf) struct buf plain = BUF_INIT(TEXT_MAX);
	CLEANUP(buf) struct buf colored = BUF_INIT(TEXT_MAX);
	struct plan_case c;

	(void)state;
	read_case(
		&c,
		CONFIG "max-delete 0\n" SITE(
			"one") "file new x\nfile changed y\nobject changed z\n"
			       "object gone z\nnote warning careful\nnote note easy\ndone\n");
	print_all(&c, false, &plain);
	print_all(&c, true, &colored);
	assert_null(strchr(plain.data, '\033'));
	assert_true(count(colored.data, "\033[3") >= 6);
	assert_int_equal(count(colored.data, "\033[3"), count(colored.data, "\033[0m"));
	strip_colors(&colored);
	assert_string_equal(colored.data, plain.data);
	plan_case_release(&c);
}

static void test_report__rows_are_limited_and_counted(void **state)
{
	static const struct {
		size_t max_rows;
		size_t rows;
		const char *more;
	} cases[] = {
		{ 0, 20, NULL },
		{ 20, 20, NULL },
		{ 19, 19, "    ... and 1 more\n" },
		{ 1, 1, "    ... and 19 more\n" },
	};
	struct plan_case c;

	(void)state;
	read_case(&c, CONFIG SITE("one") "many 20 file p% new\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf out = BUF_INIT(TEXT_MAX);
		struct report_style style = { .max_rows = cases[i].max_rows };

		report_plan_text(&c.outcome.plan, &style, &out);
		assert_int_equal(count(out.data, "    upload"), cases[i].rows);
		if (cases[i].more)
			assert_non_null(strstr(out.data, cases[i].more));
		else
			assert_null(strstr(out.data, "more"));
	}
	plan_case_release(&c);
}

static const struct resource_change some_changes[] = {
	{ "Modify", "A", "AWS::X::Y", "False" },
	{ "Modify", "B", "AWS::X::Y", "True" },
	{ "Remove", "C", "AWS::X::Y", "" },
};

static void test_report__resources_are_limited_and_counted(void **state)
{
	static const struct {
		size_t max_rows;
		const char *shown;
	} cases[] = {
		{ 0, "  backend b: 3 resources\n      modify   A (AWS::X::Y)\n"
		     "      REPLACE  B (AWS::X::Y)\n      remove   C (AWS::X::Y)\n" },
		{ 3, "  backend b: 3 resources\n      modify   A (AWS::X::Y)\n"
		     "      REPLACE  B (AWS::X::Y)\n      remove   C (AWS::X::Y)\n" },
		{ 1, "  backend b: 3 resources\n      modify   A (AWS::X::Y)\n"
		     "    ... and 2 more\n" },
	};
	const struct backend backend = { .name = "b" };
	const struct resource_list one = { .items = (void *)(uintptr_t)some_changes,
					   .len = 1 };
	const struct resource_list all = { .items = (void *)(uintptr_t)some_changes,
					   .len = 3 };
	CLEANUP(buf) struct buf out = BUF_INIT(TEXT_MAX);
	struct report_style style = { .color = false };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		buf_clear(&out);
		style.max_rows = cases[i].max_rows;
		report_resources_text(&backend, &all, &style, &out);
		assert_string_equal(out.data, cases[i].shown);
	}
	buf_clear(&out);
	report_resources_text(&backend, &one, &style, &out);
	assert_true(str_starts(out.data, "  backend b: 1 resource\n"));
}

/* What may lose data is red. */
static void test_report__replacements_are_loud(void **state)
{
	const struct backend backend = { .name = "b" };
	const struct resource_list all = { .items = (void *)(uintptr_t)some_changes,
					   .len = 3 };
	CLEANUP(buf) struct buf out = BUF_INIT(TEXT_MAX);
	struct report_style style = { .color = true };

	(void)state;
	report_resources_text(&backend, &all, &style, &out);
	assert_non_null(strstr(out.data, "\033[33mmodify  \033[0m A"));
	assert_non_null(strstr(out.data, "\033[31mREPLACE \033[0m B"));
	assert_non_null(strstr(out.data, "\033[31mremove  \033[0m C"));
}

/* JSON */

static void test_report__a_dry_run_names_every_step(void **state)
{
	CLEANUP(buf) struct buf out = BUF_INIT(TEXT_MAX);
	struct plan_case c;
	const struct json *steps;
	struct json_doc *doc;

	(void)state;
	read_case(
		&c,
		CONFIG SITE(
			"one") "file a new\nfile b same\nobject b same other-headers\n"
			       "file c.html new\nobject c.html old\nobject d old\n" SITE(
				       "two") "file same same\nobject same same\n");
	report_plan_json(&c.outcome.plan, 0, &out);
	doc = parse_line(&out, "plan");
	steps = json_get(json_root(doc), "steps");
	assert_int_equal(json_len(steps), c.outcome.plan.steps.len);
	for (size_t i = 0; i < json_len(steps); i++) {
		const struct step *s = &c.outcome.plan.steps.items[i];
		const struct json *step = json_at(steps, i);

		assert_int_equal(number(step, "step"), i);
		assert_string_equal(json_str(json_get(step, "kind")),
				    step_kind_name(s->kind));
		if (s->kind != STEP_INVALIDATE)
			assert_non_null(json_str(json_get(step, "key")));
		else
			assert_int_equal(json_len(json_get(step, "paths")),
					 s->cover.patterns.len);
	}
	json_doc_free(doc);
	plan_case_release(&c);
}

static void test_report__a_long_plan_is_cut_and_says_so(void **state)
{
	static const size_t limits[] = { 2000, 20000, 120000, 1000000, 0 };
	struct plan_case c;
	const size_t *n_steps = &c.outcome.plan.steps.len;

	(void)state;
	read_case(&c, CONFIG SITE("one") "many 1000 file some/folder/page%.html new\n"
					 "many 500 note warning so and so %\n");
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		CLEANUP(buf) struct buf out = BUF_INIT(TEXT_MAX);
		struct json_doc *doc;
		const struct json *root;
		size_t steps;
		size_t notes;

		buf_str(&out, ""); /* what stands before does not count */
		report_plan_json(&c.outcome.plan, limits[i], &out);
		assert_false(out.overflowed);
		if (limits[i])
			assert_true(out.len <= limits[i]);
		doc = parse_line(&out, "plan");
		root = json_root(doc);
		steps = json_len(json_get(root, "steps"));
		notes = json_len(json_get(root, "notes"));
		/* Cut late, too: half of it is always used. */
		if (steps < *n_steps) {
			assert_true(out.len >= limits[i] / 2);
			assert_int_equal(number(root, "steps_left_out"),
					 *n_steps - steps);
		} else {
			assert_null(json_get(root, "steps_left_out"));
		}
		if (notes < 500)
			assert_int_equal(number(root, "notes_left_out"), 500 - notes);
		else
			assert_null(json_get(root, "notes_left_out"));
		if (!limits[i])
			assert_true(steps == *n_steps && notes == 500);
		json_doc_free(doc);
	}
	plan_case_release(&c);
}

static void test_report__a_long_list_of_resources_is_cut_and_says_so(void **state)
{
	static const char text[] = BACKENDS
		"backend a\ntemplate x y\n"
		"many 500 preview Add SomeResourceWithALongName% AWS::SNS::Topic\n"
		"backend c\ntemplate x y\n"
		"many 500 preview Add SomeResourceWithALongName% AWS::SNS::Topic\n"
		"many 300 note warning so and so and so and so and so and so %\n";
	static const size_t limits[] = { 4000, 120000, 0 };
	struct plan_case c;

	(void)state;
	read_case(&c, text);
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		CLEANUP(buf) struct buf out = BUF_INIT(TEXT_MAX);
		struct json_doc *doc;

		report_plan_json(&c.outcome.plan, limits[i], &out);
		assert_true(!limits[i] || out.len <= limits[i]);
		doc = parse_line(&out, "plan");
		for (size_t k = 0; k < 2; k++) {
			const struct json *b = nth(doc, "backends", k);
			size_t n = json_len(json_get(b, "resources"));

			if (n < 500)
				assert_int_equal(number(b, "resources_left_out"),
						 500 - n);
			else
				assert_null(json_get(b, "resources_left_out"));
			assert_true(limits[i] || n == 500);
		}
		/* They leave room for what comes behind them. */
		assert_true(json_len(json_get(json_root(doc), "notes")) > 0);
		assert_int_equal(json_len(json_get(json_root(doc), "steps")), 2);
		json_doc_free(doc);
	}
	plan_case_release(&c);
}

static void test_report__patterns_that_fit(void **state)
{
	struct plan_case c;

	(void)state;
	read_case(
		&c,
		CONFIG "max-wildcards 1\n" SITE(
			"one") "many 50 file a%x.html new\nmany 50 object a%x.html old\n"
			       "many 50 file a%.html same\nmany 50 object a%.html same\n");
	for (size_t most = 2; most < 2000; most += 37) {
		CLEANUP(buf) struct buf out = BUF_INIT(TEXT_MAX);
		size_t left = report_patterns_json(&c.outcome, most, &out);
		struct json_doc *doc = parse(&out);

		assert_true(out.len <= most);
		assert_int_equal(json_len(json_root(doc)) + left, 50);
		assert_true(left == 0 || out.len + strlen("\"/a10x.html\",") + 4 > most);
		json_doc_free(doc);
	}
	plan_case_release(&c);
}

static void test_report__only_accepted_patterns_count(void **state)
{
	static const struct {
		const char *end;
		const char *patterns;
	} cases[] = {
		{ "planned\n", "[\"/a\"]" },
		{ "done\n", "[\"/a\"]" },
		{ "partial 3\nfails-with partial x\n", "[\"/a\"]" },
		{ "partial 2\nfails-with partial x\n", "[]" },
		{ "refused\nfails-with locked x\n", "[]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf text = BUF_INIT(4096);
		CLEANUP(buf) struct buf out = BUF_INIT(4096);
		struct plan_case c;

		buf_printf(&text,
			   CONFIG SITE("one") "file a new\nobject a old\n"
					      "file b s\nobject b s\n%s",
			   cases[i].end);
		read_case(&c, text.data);
		assert_int_equal(report_patterns_json(&c.outcome, 4096, &out), 0);
		assert_string_equal(out.data, cases[i].patterns);
		plan_case_release(&c);
	}
}

static void test_report__the_result_tells_how_it_ended(void **state)
{
	static const struct {
		const char *end;
		const char *verdict;
		const char *error_code;
		int exit;
		bool changed;
	} cases[] = {
		{ "planned\n", "planned", NULL, 0, true },
		{ "done\n", "done", NULL, 0, true },
		{ "superseded c it is newer\n", "superseded", NULL, 0, false },
		{ "partial 2\nfails-with partial x\n", "partial", "partial", 4, true },
		{ "partial 1\nfails-with cancelled x\n", "partial", "cancelled", 4,
		  false },
		{ "failed\nfails-with credentials x\n", "failed", "credentials", 3,
		  false },
		{ "failed\nfails-with usage x\n", "failed", "usage", 2, false },
		{ "refused\nfails-with limit x\n", "refused", "limit", 5, false },
		{ "unverified\nfails-with timeout x\n", "unverified", "timeout", 1,
		  true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf text = BUF_INIT(4096);
		CLEANUP(buf) struct buf out = BUF_INIT(65536);
		struct plan_case c;
		struct json_doc *doc;
		const struct json *root;

		buf_printf(&text, CONFIG SITE("one") "file a new\nobject a old\n%s",
			   cases[i].end);
		read_case(&c, text.data);
		report_result_json(&c.outcome, &out);
		doc = parse_line(&out, "result");
		root = json_root(doc);
		assert_string_equal(json_str(json_get(root, "verdict")),
				    cases[i].verdict);
		assert_int_equal(number(root, "exit"), cases[i].exit);
		assert_int_equal(json_is_true(json_get(root, "changed")),
				 cases[i].changed);
		if (cases[i].error_code) {
			assert_string_equal(json_str(json_get(root, "error_code")),
					    cases[i].error_code);
			assert_string_equal(json_str(json_get(root, "error")), "x");
		} else {
			assert_null(json_get(root, "error"));
		}
		json_doc_free(doc);
		plan_case_release(&c);
	}
}

static void test_report__a_head_that_is_not_known_is_null(void **state)
{
	CLEANUP(buf) struct buf out = BUF_INIT(65536);
	struct outcome o = { .verdict = VERDICT_FAILED };
	struct json_doc *doc;

	(void)state;
	error_set(&o.error, ERR_USAGE, "there is no option --x");
	report_result_json(&o, &out);
	doc = parse_line(&out, "result");
	assert_int_equal(json_type(json_get(json_root(doc), "head")), JSON_NULL);
	assert_int_equal(number(json_root(doc), "exit"), 2);
	json_doc_free(doc);
}

static void test_report__progress(void **state)
{
	CLEANUP(buf) struct buf out = BUF_INIT(65536);
	struct report_progress p = {
		.bytes = 1, .bytes_total = 2, .steps = 3, .steps_total = 4
	};
	struct json_doc *doc;

	(void)state;
	report_progress_json(&p, &out);
	doc = parse_line(&out, "progress");
	assert_int_equal(number(json_root(doc), "bytes"), 1);
	assert_int_equal(number(json_root(doc), "steps_total"), 4);
	assert_null(json_get(json_root(doc), "waiting"));
	json_doc_free(doc);
	buf_clear(&out);
	p.waiting = "for \"it\"\n";
	report_progress_json(&p, &out);
	doc = parse_line(&out, "progress");
	assert_string_equal(json_str(json_get(json_root(doc), "waiting")), p.waiting);
	assert_null(json_get(json_root(doc), "bytes"));
	json_doc_free(doc);
}

static void test_report__resources_in_progress(void **state)
{
	const struct backend backend = { .name = "b" };
	const struct resource_list all = { .items = (void *)(uintptr_t)some_changes,
					   .len = 3 };
	CLEANUP(buf) struct buf out = BUF_INIT(65536);
	const struct json *resources;
	struct json_doc *doc;

	(void)state;
	report_resources_json(&backend, &all, &out);
	doc = parse_line(&out, "progress");
	assert_string_equal(json_str(json_get(json_root(doc), "backend")), "b");
	resources = json_get(json_root(doc), "resources");
	assert_int_equal(json_len(resources), 3);
	assert_string_equal(json_str(json_get(json_at(resources, 1), "name")), "B");
	assert_string_equal(json_str(json_get(json_at(resources, 1), "action")),
			    "Modify");
	assert_string_equal(json_str(json_get(json_at(resources, 1), "replacement")),
			    "True");
	assert_string_equal(json_str(json_get(json_at(resources, 2), "resource_type")),
			    "AWS::X::Y");
	json_doc_free(doc);
}

static void assert_member(const struct json *v, const char *key, const char *wanted)
{
	const char *is = json_str(json_get(v, key));

	if (!str_eq(is, wanted))
		fail_msg("%s: %s is not %s", key, is, wanted);
}

static void test_report__backends_of_a_plan(void **state)
{
	static const char text[] = BACKENDS "backend a\nknows absent\n"
					    "backend b\ncode new old\nnewer\n"
					    "backend c\nknows later a\npreview\n";
	CLEANUP(buf) struct buf out = BUF_INIT(65536);
	struct plan_case c;
	struct json_doc *doc;

	(void)state;
	read_case(&c, text);
	report_plan_json(&c.outcome.plan, 0, &out);
	doc = parse_line(&out, "plan");
	assert_int_equal(json_len(json_get(json_root(doc), "backends")), 3);
	assert_member(nth(doc, "backends", 0), "verdict", "deploy");
	assert_member(nth(doc, "backends", 0), "kind", "template");
	assert_member(nth(doc, "backends", 0), "target", "sa");
	assert_true(json_is_true(json_get(nth(doc, "backends", 0), "creates")));
	assert_null(json_get(nth(doc, "backends", 0), "resources"));
	assert_member(nth(doc, "backends", 1), "verdict", "left-alone");
	assert_member(nth(doc, "backends", 1), "kind", "function");
	assert_member(nth(doc, "backends", 1), "why", "a newer commit is deployed");
	assert_member(nth(doc, "backends", 2), "verdict", "later");
	/* There is a list where there was a change set, be it empty. */
	assert_int_equal(json_type(json_get(nth(doc, "backends", 2), "resources")),
			 JSON_ARRAY);
	assert_int_equal(json_len(json_get(json_root(doc), "steps")), 1);
	assert_member(nth(doc, "steps", 0), "backend", "a");
	assert_member(nth(doc, "steps", 0), "target", "sa");
	assert_null(json_get(nth(doc, "steps", 0), "site"));
	json_doc_free(doc);
	plan_case_release(&c);
}

static void test_report__backends_of_a_result(void **state)
{
	static const char text[] = BACKENDS
		"backend a\nknows absent\nbecame created 1500\n"
		"change Add X AWS::X::Y\nnew-output Url https://x.example\n"
		"backend b\ncode new old\nbecame failed 20\nreason it\n"
		"backend c\noutput O v\noutput P w\n"
		"failed 1\nfails-with service it\n";
	CLEANUP(buf) struct buf out = BUF_INIT(65536);
	struct plan_case c;
	struct json_doc *doc;
	const struct json *b;

	(void)state;
	read_case(&c, text);
	report_result_json(&c.outcome, &out);
	doc = parse_line(&out, "result");
	assert_true(json_is_true(json_get(json_root(doc), "changed")));
	b = nth(doc, "backends", 0);
	assert_member(b, "status", "created");
	assert_int_equal(number(b, "duration_ms"), 1500);
	assert_int_equal(json_len(json_get(b, "resources")), 1);
	assert_member(json_get(b, "outputs"), "Url", "https://x.example");
	assert_null(json_get(b, "error"));
	assert_null(json_get(b, "version"));
	b = nth(doc, "backends", 1);
	assert_member(b, "status", "failed");
	assert_member(b, "error", "it");
	assert_member(b, "target", "fb");
	/* One that was only read tells what it puts out. */
	b = nth(doc, "backends", 2);
	assert_member(b, "status", "pending");
	assert_member(json_get(b, "outputs"), "P", "w");
	json_doc_free(doc);
	plan_case_release(&c);
}

/* How many outputs a JSON object of outputs has. */
static size_t count_outputs(const struct json *v)
{
	static const char *const names[] = { "a", "c" };
	size_t n = 0;

	for (size_t i = 0; i < 2; i++) {
		const struct json *outputs = json_get(v, names[i]);

		for (int k = 1; k <= 20; k++) {
			CLEANUP(buf) struct buf name = BUF_INIT(64);

			buf_printf(&name, "Out%d", k);
			n += json_get(outputs, name.data) != NULL;
		}
	}
	return n;
}

static void test_report__outputs_that_fit(void **state)
{
	static const char text[] = BACKENDS "backend a\n"
					    "many 20 output Out% some\\n\"value\"\n"
					    "backend b\n"
					    "backend c\nmany 20 output Out% x\ndone\n";
	struct plan_case c;

	(void)state;
	read_case(&c, text);
	for (size_t most = 2; most < 1200; most += 7) {
		CLEANUP(buf) struct buf out = BUF_INIT(TEXT_MAX);
		struct json_doc *doc;
		size_t left;

		buf_str(&out, ""); /* what stands before does not count */
		left = report_outputs_json(&c.outcome, most, &out);
		assert_true(out.len <= most);
		doc = parse(&out);
		assert_int_equal(count_outputs(json_root(doc)) + left, 40);
		assert_true(left == 0 || out.len + 40 > most);
		assert_true(left == 0 || most < 1000);
		json_doc_free(doc);
	}
	plan_case_release(&c);
}

/* Summaries */

/* What is opened is closed, and the rows of tables are whole. */
static void assert_sound(const struct buf *summary)
{
	const char *line = summary->data;

	assert_false(summary->overflowed);
	assert_int_equal(count(summary->data, "<details>"),
			 count(summary->data, "</details>"));
	assert_int_equal(count(summary->data, "<code>"), count(summary->data, "</code>"));
	while (*line) {
		size_t n = strcspn(line, "\n");

		if (line[0] == '|' && line[n - 1] != '|')
			fail_msg("a row is cut: %.*s", (int)n, line);
		line += n + (line[n] == '\n');
	}
}

static void test_report__a_long_summary_is_cut_and_says_so(void **state)
{
	static const char *const sites[] = { "one", "two" };
	CLEANUP(buf) struct buf text = BUF_INIT(TEXT_MAX);
	CLEANUP(buf) struct buf name = BUF_INIT(4096);
	CLEANUP(buf) struct buf out = BUF_INIT(TEXT_MAX);
	struct plan_case c;

	(void)state;
	/* The longest names there are, all of what takes most to write down. */
	for (size_t i = 0; i < 250; i++)
		buf_str(&name, "\\x01\\x02|");
	buf_str(&text, CONFIG);
	for (size_t i = 0; i < 2; i++)
		buf_printf(&text,
			   "site %s\ndeployed a\nrecorded E1\ndistribution E1\n"
			   "behavior * ours\nerror 404 /404.html 300\n"
			   "many 150 file f%%%s.html new\n"
			   "many 150 object f%%%s.html old\n"
			   "many 150 file f%%%s.htmlx same\n"
			   "many 150 object f%%%s.htmlx same\n",
			   sites[i], name.data, name.data, name.data, name.data);
	buf_printf(&text, "max-paths 3000\nmany 200 note warning %s %%\n", name.data);
	read_case(&c, text.data);
	report_summary(&c.outcome, NULL, &out);
	assert_true(out.len < RUNNER_MAX);
	assert_sound(&out);
	/* Each of two tables, two lists of paths and the notes says what it lacks, and has
	 * something to show. */
	assert_int_equal(count(out.data, "\n... and "), 5);
	assert_true(count(out.data, "| upload | modified |") >= 2);
	assert_true(count(out.data, "- <code>/") >= 2);
	assert_non_null(strstr(out.data, "- **Warning:**"));
	assert_non_null(strstr(out.data, "**Cost:**"));
	plan_case_release(&c);
}

static void test_report__long_lists_of_resources_are_cut(void **state)
{
	CLEANUP(buf) struct buf name = BUF_INIT(4096);
	CLEANUP(buf) struct buf text = BUF_INIT(TEXT_MAX);
	CLEANUP(buf) struct buf out = BUF_INIT(TEXT_MAX);
	struct plan_case c;

	(void)state;
	for (size_t i = 0; i < 250; i++)
		buf_str(&name, "\\x01\\x02|");
	buf_printf(&text,
		   BACKENDS
		   "backend a\nknows absent\nbecame created\n"
		   "many 500 change Add %%%s X\n"
		   "backend c\ntemplate a b\nmany 500 preview Modify %%%s X True\n"
		   "failed 1\nfails-with service x\n",
		   name.data, name.data);
	read_case(&c, text.data);
	report_summary(&c.outcome, NULL, &out);
	assert_true(out.len < RUNNER_MAX);
	assert_sound(&out);
	assert_int_equal(count(out.data, "\n... and "), 2);
	assert_int_equal(count(out.data, "<details><summary>500 resources</summary>"), 2);
	assert_true(count(out.data, "| **REPLACE** |") > 2);
	plan_case_release(&c);
}

/* What the first plan has done is not told by the second. */
static void test_report__notes_outlive_their_plan(void **state)
{
	CLEANUP(buf) struct buf out = BUF_INIT(1 << 20);
	struct report_style style = { .color = false };
	struct plan_case c;
	char text[] = "deleted, and created anew";
	const char *reports[3];

	(void)state;
	read_case(&c, CONFIG SITE("one") "file x new\n");
	outcome_begin(&c.outcome);
	outcome_note(&c.outcome, NOTE_WARNING, 0, "some/path", text);
	memset(text, 'x', sizeof(text) - 1);
	outcome_forget_plan(&c.outcome);
	c.outcome.verdict = VERDICT_DONE;
	report_outcome_text(&c.outcome, &style, &out);
	reports[0] = arena_strdup(&c.arena, out.data);
	buf_clear(&out);
	report_result_json(&c.outcome, &out);
	reports[1] = arena_strdup(&c.arena, out.data);
	buf_clear(&out);
	report_summary(&c.outcome, NULL, &out);
	reports[2] = out.data;
	for (size_t i = 0; i < 3; i++)
		if (!strstr(reports[i], "deleted, and created anew") ||
		    !strstr(reports[i], "some/path"))
			fail_msg("report %zu: %s", i, reports[i]);
	/* The site that had this number may have another in the next plan. */
	assert_null(strstr(reports[1], "\"site\""));
	plan_case_release(&c);
}

static void test_report__costs(void **state)
{
	static const struct {
		int paths;
		const char *cost;
	} cases[] = {
		{ 1, "$0.005 in all" },     { 2, "$0.01 in all" },
		{ 3, "$0.015 in all" },     { 20, "$0.10 in all" },
		{ 101, "$0.505 in all" },   { 1000, "$5.00 in all" },
		{ 2999, "$14.995 in all" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf text = BUF_INIT(4096);
		CLEANUP(buf) struct buf out = BUF_INIT(TEXT_MAX);
		struct plan_case c;

		/* Held ones everywhere between: no wildcard is of use. */
		buf_printf(
			&text,
			CONFIG "max-paths 3000\n" SITE(
				"one") "many %d file %%.html new\nmany %d object %%.html old\n"
				       "many %d file %%.htmlx same\nmany %d object %%.htmlx same\n"
				       "file x s\nobject x s\n",
			cases[i].paths, cases[i].paths, cases[i].paths, cases[i].paths);
		read_case(&c, text.data);
		report_summary(&c.outcome, NULL, &out);
		if (!strstr(out.data, cases[i].cost))
			fail_msg("%d paths: no %s in %s", cases[i].paths, cases[i].cost,
				 strstr(out.data, "**Cost"));
		plan_case_release(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report__names),
		cmocka_unit_test(test_report__sizes),
		cmocka_unit_test(test_report__colors_only_when_asked),
		cmocka_unit_test(test_report__rows_are_limited_and_counted),
		cmocka_unit_test(test_report__resources_are_limited_and_counted),
		cmocka_unit_test(test_report__replacements_are_loud),
		cmocka_unit_test(test_report__a_dry_run_names_every_step),
		cmocka_unit_test(test_report__a_long_plan_is_cut_and_says_so),
		cmocka_unit_test(
			test_report__a_long_list_of_resources_is_cut_and_says_so),
		cmocka_unit_test(test_report__patterns_that_fit),
		cmocka_unit_test(test_report__only_accepted_patterns_count),
		cmocka_unit_test(test_report__the_result_tells_how_it_ended),
		cmocka_unit_test(test_report__a_head_that_is_not_known_is_null),
		cmocka_unit_test(test_report__progress),
		cmocka_unit_test(test_report__resources_in_progress),
		cmocka_unit_test(test_report__backends_of_a_plan),
		cmocka_unit_test(test_report__backends_of_a_result),
		cmocka_unit_test(test_report__outputs_that_fit),
		cmocka_unit_test(test_report__a_long_summary_is_cut_and_says_so),
		cmocka_unit_test(test_report__long_lists_of_resources_are_cut),
		cmocka_unit_test(test_report__notes_outlive_their_plan),
		cmocka_unit_test(test_report__a_plan_in_a_line),
		cmocka_unit_test(test_report__costs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
