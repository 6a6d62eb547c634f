/* What a deploy's log tells: story.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "daemon/joblog.h"
#include "daemon/story.h"
#include "io/fs.h"

static void add(struct story *s, const char *line)
{
	story_add(s, line, strlen(line));
}

static void setup(struct story *s)
{
	*s = (struct story){
		.commit = "", .subject = "", .author = "", .verdict = "", .error = ""
	};
}

static void test_story__of_a_deploy(void **state)
{
	struct story s;

	(void)state;
	setup(&s);
	add(&s, "{\"at\":1000,\"attempt\":1}");
	add(&s,
	    "{\"at\":1001,\"event\":{\"v\":1,\"type\":\"phase\",\"phase\":\"fetch\"}}");
	add(&s, "{\"at\":1002,\"event\":{\"v\":1,\"type\":\"commit\",\"commit\":\"abc\","
		"\"summary\":\"say <hello>\",\"author\":\"Me\"}}");
	add(&s,
	    "{\"at\":1003,\"event\":{\"v\":1,\"type\":\"phase\",\"phase\":\"deploy\"}}");
	add(&s, "{\"at\":1004,\"line\":\"npm WARN\",\"stream\":\"err\"}");
	add(&s, "{\"at\":1005,\"event\":{\"v\":1,\"type\":\"step\",\"kind\":\"put\","
		"\"path\":\"a.css\",\"key\":\"a.css\",\"status\":\"done\"}}");
	add(&s,
	    "{\"at\":1006,\"event\":{\"v\":1,\"type\":\"step\",\"kind\":\"invalidate\","
	    "\"distribution\":\"E1\",\"paths\":[\"/a.css\",\"/b*\"],\"status\":\"failed\"}}");
	add(&s, "{\"at\":1007,\"event\":{\"v\":1,\"type\":\"step\",\"kind\":\"commit\","
		"\"key\":\".crc/state.json\",\"status\":\"done\"}}");
	add(&s,
	    "{\"at\":1008,\"event\":{\"v\":1,\"type\":\"result\",\"verdict\":\"done\","
	    "\"uploaded\":1,\"deleted\":0,\"bytes\":12,\"invalidation_paths\":2}}");
	assert_string_equal(s.subject, "say <hello>");
	assert_int_equal(s.phases.len, 2);
	assert_string_equal(s.phases.items[1].name, "deploy");
	assert_int_equal(s.phases.items[1].at_ms, 1003);
	assert_int_equal(s.items.len, 3);
	assert_string_equal(s.items.items[0].name, "a.css");
	assert_string_equal(s.items.items[2].name, "/b*");
	assert_string_equal(s.items.items[2].status, "failed");
	assert_int_equal(s.uploaded, 1);
	assert_int_equal(s.invalidated, 2);
	assert_string_equal(s.verdict, "done");
	/* Builds talk on stderr; only what failed is an error. */
	assert_false(story_line_at(&s, 3)->is_error);
	assert_true(story_line_at(&s, 5)->is_error);
	assert_string_equal(story_line_at(&s, 3)->text, "npm WARN");
	story_release(&s);
}

static void test_story__another_attempt(void **state)
{
	struct story s;

	(void)state;
	setup(&s);
	add(&s, "{\"at\":1,\"attempt\":1}");
	add(&s, "{\"at\":2,\"event\":{\"v\":1,\"type\":\"phase\",\"phase\":\"fetch\"}}");
	add(&s, "{\"at\":3,\"event\":{\"v\":1,\"type\":\"result\",\"verdict\":\"failed\","
		"\"error\":\"no network\"}}");
	add(&s, "{\"at\":4,\"attempt\":2}");
	assert_int_equal(s.phases.len, 0);
	assert_string_equal(s.error, "");
	assert_string_equal(story_line_at(&s, 1)->text, "failed: no network");
	assert_string_equal(story_line_at(&s, 2)->text, "attempt 2");
	story_release(&s);
}

static void test_story__of_nonsense(void **state)
{
	struct story s;

	(void)state;
	setup(&s);
	add(&s, "");
	add(&s, "{");
	add(&s, "[]");
	add(&s, "{\"at\":\"x\",\"event\":7}");
	add(&s, "{\"event\":{\"type\":\"step\",\"paths\":[1,null]}}");
	add(&s, "{\"event\":{\"type\":\"phase\"}}");
	assert_int_equal(s.items.len, 0);
	assert_null(story_line_at(&s, 2));
	story_release(&s);
}

static void test_story__keeps_the_last_lines(void **state)
{
	struct story s;
	char line[64];

	(void)state;
	setup(&s);
	for (int i = 0; i < 1000; i++) {
		snprintf(line, sizeof line, "{\"at\":%d,\"line\":\"%d\"}", i, i);
		add(&s, line);
	}
	assert_int_equal(s.n_lines, 1000);
	assert_string_equal(story_line_at(&s, 0)->text, "700");
	assert_string_equal(story_line_at(&s, STORY_LINES_MOST - 1)->text, "999");
	assert_null(story_line_at(&s, STORY_LINES_MOST));
	story_release(&s);
}

/* The overview wants a commit's first line of each site, and is asked for all the time. */
static void test_story__of_the_begin_of_a_long_log(void **state)
{
	CLEANUP(buf) struct buf folder = BUF_INIT(200);
	static const char commit[] = "{\"v\":1,\"type\":\"commit\",\"commit\":\"abc\","
				     "\"summary\":\"hello\"}";
	struct error err = ERROR_INIT;
	struct joblog *log = NULL;
	struct story s;
	char line[1000];

	(void)state;
	memset(line, 'x', sizeof line);
	assert_int_equal(fs_make_temp("/tmp", &folder, &err), 0);
	assert_int_equal(joblog_open(folder.data, 7, 8 << 20, &log, &err), 0);
	joblog_line(log, 1, false, commit, strlen(commit));
	for (int i = 0; i < 2000; i++)
		joblog_line(log, 2, true, line, sizeof line);
	joblog_free(log);
	assert_int_equal(story_read_head(folder.data, 7, &s, &err), 0);
	assert_string_equal(s.subject, "hello");
	assert_true(s.n_lines > 50 && s.n_lines < 70);
	story_release(&s);
	assert_int_equal(story_read(folder.data, 7, &s, &err), 0);
	assert_string_equal(s.subject, "hello");
	assert_int_equal(s.n_lines, 2001);
	story_release(&s);
	assert_int_equal(story_read_head(folder.data, 8, &s, &err), 0);
	assert_string_equal(s.subject, "");
	story_release(&s);
	assert_int_equal(fs_remove_tree(folder.data, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_story__of_a_deploy),
		cmocka_unit_test(test_story__another_attempt),
		cmocka_unit_test(test_story__of_nonsense),
		cmocka_unit_test(test_story__keeps_the_last_lines),
		cmocka_unit_test(test_story__of_the_begin_of_a_long_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
