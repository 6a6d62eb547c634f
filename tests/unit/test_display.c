/* What goes to stdout and what to stderr. */
#define _XOPEN_SOURCE 700 /* posix_openpt */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "action/display.h"
#include "base/str.h"
#include "codec/json.h"
#include "fake/plan_case.h"

enum { TEXT_MAX = 1 << 20 };

/* Catches what is written to both streams while it is open. */
struct capture {
	FILE *files[2];
	int kept[2]; /* where the streams went before */
	struct buf out;
	struct buf err;
};

static FILE *stream(int i)
{
	return i == 0 ? stdout : stderr;
}

static void capture_start(struct capture *c)
{
	*c = (struct capture){ .out = BUF_INIT(TEXT_MAX), .err = BUF_INIT(TEXT_MAX) };
	for (int i = 0; i < 2; i++) {
		fflush(stream(i));
		c->files[i] = tmpfile();
		assert_non_null(c->files[i]);
		c->kept[i] = dup(fileno(stream(i)));
		assert_true(dup2(fileno(c->files[i]), fileno(stream(i))) >= 0);
	}
}

static void capture_stop(struct capture *c)
{
	for (int i = 0; i < 2; i++) {
		struct buf *to = i == 0 ? &c->out : &c->err;
		char block[4096];
		size_t n;

		fflush(stream(i));
		assert_true(dup2(c->kept[i], fileno(stream(i))) >= 0);
		close(c->kept[i]);
		rewind(c->files[i]);
		while ((n = fread(block, 1, sizeof(block), c->files[i])) > 0)
			buf_add(to, block, n);
		fclose(c->files[i]);
	}
}

static void capture_release(struct capture *c)
{
	buf_release(&c->out);
	buf_release(&c->err);
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

/* A deploy as the display sees it. */
static void play(const struct options *o, const char *const *env, struct capture *c)
{
	struct error err = ERROR_INIT;
	struct clock_fake clock;
	struct display d;
	struct plan_case plan;
	const struct progress *p;

	if (plan_case_read(&plan,
			   "config\nsites: { one: { path: one, bucket: one } }\nend\n"
			   "head b\nsite one\ndeployed a\nmany 50 file %.x new\ndone\n",
			   &err) < 0)
		fail_msg("%s", err.msg);
	capture_start(c);
	display_init(&d, o, env);
	clock_fake_init(&clock, 1000000);
	d.clock = &clock.clock;
	p = &d.progress;
	p->planned(p->ctx, &plan.outcome.plan);
	for (int i = 0; i < 3; i++)
		p->waiting(p->ctx, "for ##[error]it");
	for (size_t i = 0; i < plan.outcome.plan.steps.len; i++) {
		p->step(p->ctx, &plan.outcome.plan, i, &plan.outcome.steps[i]);
		p->sent(p->ctx, (int64_t)i, 52, i + 1, plan.outcome.plan.steps.len);
		clock.now_ms += 100;
	}
	p->output(p->ctx, "::error::of a build\x1b[31m");
	log_write(&d.log, LOG_WARN, "##[error]careful");
	log_debug(&d.log, "a request");
	display_end_line(&d);
	capture_stop(c);
	plan_case_release(&plan);
}

/* No line on either stream is a workflow command. */
static void assert_no_commands(const char *text)
{
	assert_null(strstr(text, "##["));
	for (; *text; text += strcspn(text, "\n") + (text[strcspn(text, "\n")] == '\n'))
		assert_false(str_starts(text + strspn(text, " "), "::"));
}

static void test_display__text(void **state)
{
	const struct options o = { .color = "auto" };
	struct capture c;

	(void)state;
	play(&o, NULL, &c);
	assert_int_equal(count(c.out.data, "    upload"), 40);
	assert_non_null(strstr(c.out.data, "... and 10 more\n"));
	/* A log has what is waited for once, and no progress. */
	assert_string_equal(c.err.data, "  for \\x23#[error]it\n"
					"  | \\x3a:error::of a build\\x1b[31m\n"
					"  . \\x23#[error]careful\n");
	assert_no_commands(c.out.data);
	assert_no_commands(c.err.data);
	assert_null(strchr(c.out.data, '\033'));
	capture_release(&c);
}

/* The changes of a stack, as they come up, and how long it is waited for. */
static void play_backend(const struct options *o, struct capture *c)
{
	static struct resource_change changes[50];
	const struct resource_list list = { .items = changes, .len = 50 };
	const struct backend backend = { .name = "counter" };
	struct clock_fake clock;
	struct display d;
	const struct progress *p;

	for (size_t i = 0; i < 50; i++)
		changes[i] = (struct resource_change){ "Add", "##[error]x", "A::B", "" };
	capture_start(c);
	display_init(&d, o, NULL);
	clock_fake_init(&clock, 1000000);
	d.clock = &clock.clock;
	p = &d.progress;
	p->resources(p->ctx, &backend, &list);
	for (int i = 0; i < 25; i++) {
		CLEANUP(buf) struct buf text = BUF_INIT(64);

		buf_printf(&text, "stack s: %d s", i);
		p->waiting(p->ctx, text.data);
		clock.now_ms += 1000;
	}
	p->waiting(p->ctx, "stack t: 0 s");
	display_end_line(&d);
	capture_stop(c);
}

static void test_display__resources(void **state)
{
	static const struct {
		struct options options;
		size_t rows;
		size_t waits;
	} cases[] = {
		/* a log: now and then, and whatever is new at once */
		{ { .color = "auto" }, 40, 4 },
		{ { .color = "auto", .verbose = true }, 50, 4 },
		{ { .color = "auto", .quiet = true }, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct capture c;

		play_backend(&cases[i].options, &c);
		assert_int_equal(count(c.out.data, "      add "), cases[i].rows);
		assert_int_equal(count(c.err.data, "  stack "), cases[i].waits);
		assert_no_commands(c.out.data);
		if (cases[i].rows)
			assert_true(str_starts(c.out.data,
					       "  backend counter: 50 resources\n"));
		capture_release(&c);
	}
}

static void test_display__resources_in_json(void **state)
{
	const struct options o = { .color = "auto", .json = true };
	struct capture c;

	(void)state;
	play_backend(&o, &c);
	assert_true(str_starts(c.out.data,
			       "{\"v\":1,\"type\":\"progress\",\"backend\":\"counter\","
			       "\"resources\":["));
	/* Each second's. */
	assert_int_equal(count(c.out.data, "\"waiting\":"), 26);
	assert_string_equal(c.err.data, "");
	capture_release(&c);
}

static void test_display__verbose_shows_all(void **state)
{
	const struct options o = { .color = "auto", .verbose = true };
	struct capture c;

	(void)state;
	play(&o, NULL, &c);
	assert_int_equal(count(c.out.data, "    upload"), 50);
	assert_non_null(strstr(c.err.data, "  . a request\n"));
	capture_release(&c);
}

static void test_display__quiet_is_quiet(void **state)
{
	const struct options o = { .color = "auto", .quiet = true };
	struct capture c;

	(void)state;
	play(&o, NULL, &c);
	assert_string_equal(c.out.data, "");
	assert_string_equal(c.err.data, "  . \\x23#[error]careful\n");
	capture_release(&c);
}

static void test_display__json_is_alone_on_stdout(void **state)
{
	const struct options o = { .color = "always", .json = true };
	struct capture c;
	char *line;
	size_t waiting = 0;
	size_t told = 0;
	size_t steps = 0;

	(void)state;
	play(&o, NULL, &c);
	for (line = c.out.data; *line;) {
		size_t n = strcspn(line, "\n");
		struct json_doc *doc = NULL;
		struct error err = ERROR_INIT;
		const char *type;

		assert_true(line[n] == '\n');
		if (json_parse(line, n, &doc, &err) < 0)
			fail_msg("%s: %.*s", err.msg, (int)n, line);
		type = json_str(json_get(json_root(doc), "type"));
		steps += str_eq(type, "step");
		told += str_eq(type, "progress") && !json_get(json_root(doc), "waiting");
		waiting += json_get(json_root(doc), "waiting") != NULL;
		json_doc_free(doc);
		line += n + 1;
	}
	assert_int_equal(steps, 52);
	assert_int_equal(waiting, 1);
	/* The first, each second's, and the last: 52 steps of 100 ms. */
	assert_int_equal(told, 7);
	assert_non_null(strstr(c.out.data, "\"steps\":52,\"steps_total\":52}"));
	assert_null(strstr(c.err.data, "{"));
	capture_release(&c);
}

static void test_display__colors(void **state)
{
	static const char *const no_color[] = { "NO_COLOR=1", NULL };
	static const char *const empty_no_color[] = { "NO_COLOR=", NULL };
	static const struct {
		const char *color;
		const char *const *env;
		bool expected;
	} cases[] = {
		/* stdout is no terminal here */
		{ "auto", NULL, false },           { "never", NULL, false },
		{ "always", NULL, true },          { "always", no_color, true },
		{ "auto", empty_no_color, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct options o = { .color = cases[i].color };
		struct capture c;

		play(&o, cases[i].env, &c);
		assert_int_equal(strchr(c.out.data, '\033') != NULL, cases[i].expected);
		capture_release(&c);
	}
}

/* A terminal's end in place of stdout; what is written to it goes nowhere. */
static bool colors_on_terminal(const char *color, const char *const *env)
{
	const struct options o = { .color = color };
	int kept = dup(STDOUT_FILENO);
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	struct display d;
	int slave;

	assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	fflush(stdout);
	assert_true(dup2(slave, STDOUT_FILENO) >= 0);
	display_init(&d, &o, env);
	assert_true(dup2(kept, STDOUT_FILENO) >= 0);
	close(kept);
	close(slave);
	close(master);
	return d.color;
}

static void test_display__colors_on_a_terminal(void **state)
{
	static const char *const no_color[] = { "NO_COLOR=1", NULL };
	static const char *const empty_no_color[] = { "NO_COLOR=", NULL };
	static const char *const dumb[] = { "TERM=dumb", NULL };

	(void)state;
	assert_true(colors_on_terminal("auto", NULL));
	assert_false(colors_on_terminal("auto", no_color));
	assert_true(colors_on_terminal("auto", empty_no_color));
	assert_false(colors_on_terminal("auto", dumb));
	assert_true(colors_on_terminal("always", no_color));
	assert_false(colors_on_terminal("never", NULL));
}

static void test_display__a_full_disk_is_told(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT(64);
	struct error err = ERROR_INIT;
	int kept = dup(STDOUT_FILENO);
	FILE *full = fopen("/dev/full", "w");
	int rc;

	(void)state;
	if (!full)
		skip();
	fflush(stdout);
	assert_true(dup2(fileno(full), STDOUT_FILENO) >= 0);
	buf_str(&text, "x\n");
	rc = display_print(&text, &err);
	clearerr(stdout);
	assert_true(dup2(kept, STDOUT_FILENO) >= 0);
	close(kept);
	fclose(full);
	assert_int_equal(rc, -1);
	assert_int_equal(err.code, ERR_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_display__text),
		cmocka_unit_test(test_display__resources),
		cmocka_unit_test(test_display__resources_in_json),
		cmocka_unit_test(test_display__verbose_shows_all),
		cmocka_unit_test(test_display__quiet_is_quiet),
		cmocka_unit_test(test_display__json_is_alone_on_stdout),
		cmocka_unit_test(test_display__colors),
		cmocka_unit_test(test_display__colors_on_a_terminal),
		cmocka_unit_test(test_display__a_full_disk_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
