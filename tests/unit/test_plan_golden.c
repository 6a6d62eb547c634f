/* Plans and their reports against files that a person has judged: each folder of
 * tests/golden/plan holds what a plan is made from (input, whose language fake/plan_case.h
 * tells), and what is said of it: text, JSON lines and the job's summary.
 *
 * CRC_GOLDEN_UPDATE=1 writes what the program says today; the diff is then to be judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>

#include "core/report.h"
#include "fake/plan_case.h"
#include "io/fs.h"

#define FOLDER TEST_DATA "/golden/plan"

enum { TEXT_MAX = 16 << 20, ROWS = 40, INLINE_DEPTH = 2 };

static void print_text(const struct plan_case *c, struct buf *out)
{
	struct report_style style = { .color = false, .max_rows = ROWS };
	const struct plan *plan = &c->outcome.plan;

	if (plan->sites.len || plan->backends.len)
		report_plan_text(plan, &style, out);
	report_outcome_text(&c->outcome, &style, out);
}

static bool opens(char c)
{
	return c == '{' || c == '[';
}

static bool closes(char c)
{
	return c == '}' || c == ']';
}

static void new_line(struct buf *out, unsigned depth)
{
	buf_printf(out, "\n%*s", (int)(2 * depth), "");
}

/* Breaks a JSON line where a reader wants it broken, and changes nothing else. */
static void unfold(const char *line, struct buf *out)
{
	unsigned depth = 0;
	bool in_string = false;

	for (; *line; line++) {
		bool outside = !in_string;

		if (*line == '"')
			in_string = !in_string;
		if (in_string && *line == '\\') {
			buf_char(out, *line++);
			buf_char(out, *line);
			continue;
		}
		if (outside && closes(*line) && --depth < INLINE_DEPTH &&
		    !opens(line[-1]))
			new_line(out, depth);
		buf_char(out, *line);
		if (outside && opens(*line) && ++depth <= INLINE_DEPTH &&
		    !closes(line[1]))
			new_line(out, depth);
		else if (outside && *line == ',' && depth <= INLINE_DEPTH)
			new_line(out, depth);
		else if (*line == '\n')
			depth = 0;
	}
}

static void print_json(const struct plan_case *c, struct buf *out)
{
	CLEANUP(buf) struct buf lines = BUF_INIT(TEXT_MAX);
	const struct plan *plan = &c->outcome.plan;

	if (plan->sites.len || plan->backends.len)
		report_plan_json(plan, 0, &lines);
	for (size_t i = 0; c->outcome.steps && i < plan->steps.len; i++)
		if (c->outcome.steps[i].status != STATUS_PENDING)
			report_step_json(plan, i, &c->outcome.steps[i], &lines);
	report_result_json(&c->outcome, &lines);
	unfold(lines.data, out);
}

static void print_summary(const struct plan_case *c, struct buf *out)
{
	report_summary(&c->outcome, "https://github.com/me/resume/compare/", out);
}

static const struct {
	const char *name;
	void (*print)(const struct plan_case *c, struct buf *out);
} reports[] = {
	{ "plan.txt", print_text },
	{ "plan.json", print_json },
	{ "summary.md", print_summary },
};

static void fail_at_difference(const char *path, const struct buf *now,
			       const struct buf *was)
{
	size_t same = 0;
	size_t start;

	while (same < now->len && same < was->len && now->data[same] == was->data[same])
		same++;
	for (start = same; start && now->data[start - 1] != '\n';)
		start--;
	fail_msg("%s differs (CRC_GOLDEN_UPDATE=1 rewrites it)\nexpected: %.*s\n"
		 "     got: %.*s",
		 path, (int)strcspn(was->data + start, "\n"), was->data + start,
		 (int)strcspn(now->data + start, "\n"), now->data + start);
}

static void compare(const char *path, const struct buf *now)
{
	CLEANUP(buf) struct buf was = BUF_INIT(TEXT_MAX);
	struct error err = ERROR_INIT;

	if (getenv("CRC_GOLDEN_UPDATE")) {
		if (fs_write(path, now->data, now->len, &err) < 0)
			fail_msg("%s", err.msg);
		return;
	}
	if (fs_read(path, &was, &err) < 0)
		fail_msg("%s", err.msg);
	if (was.len != now->len || memcmp(was.data, now->data, now->len) != 0)
		fail_at_difference(path, now, &was);
}

static void check_case(void **state)
{
	const char *folder = *state;
	CLEANUP(buf) struct buf path = BUF_INIT(4096);
	CLEANUP(buf) struct buf input = BUF_INIT(TEXT_MAX);
	struct plan_case c;
	struct error err = ERROR_INIT;

	buf_printf(&path, "%s/%s/input", FOLDER, folder);
	if (fs_read(path.data, &input, &err) < 0 ||
	    plan_case_read(&c, input.data, &err) < 0)
		fail_msg("%s: %s", folder, err.msg);
	for (size_t i = 0; i < sizeof(reports) / sizeof(*reports); i++) {
		CLEANUP(buf) struct buf now = BUF_INIT(TEXT_MAX);

		reports[i].print(&c, &now);
		assert_false(now.overflowed);
		buf_clear(&path);
		buf_printf(&path, "%s/%s/%s", FOLDER, folder, reports[i].name);
		compare(path.data, &now);
	}
	plan_case_release(&c);
}

static int is_case(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(void)
{
	struct dirent **entries;
	int n = scandir(FOLDER, &entries, is_case, alphasort);
	struct CMUnitTest *tests;
	int failed;

	if (n <= 0)
		return 1;
	tests = xcalloc((size_t)n, sizeof(*tests));
	for (int i = 0; i < n; i++)
		tests[i] = (struct CMUnitTest){ .name = entries[i]->d_name,
						.test_func = check_case,
						.initial_state = entries[i]->d_name };
	failed = _cmocka_run_group_tests("plan_golden", tests, (size_t)n, NULL, NULL);
	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
	free(tests);
	return failed;
}
