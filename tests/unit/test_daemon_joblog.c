#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#include <cmocka.h>

#include "base/str.h"
#include "daemon/joblog.h"
#include "io/fs.h"

static char *folder;

static int set_up(void **state)
{
	CLEANUP(buf) struct buf path = BUF_INIT(4096);
	struct error err = ERROR_INIT;

	(void)state;
	if (fs_make_temp("/tmp", &path, &err) < 0)
		return -1;
	folder = buf_take(&path);
	return 0;
}

static int tear_down(void **state)
{
	struct error err = ERROR_INIT;
	int rc = fs_remove_tree(folder, &err);

	(void)state;
	free(folder);
	return rc;
}

static struct joblog *must_open(int64_t id, int64_t most)
{
	struct error err = ERROR_INIT;
	struct joblog *l = NULL;

	if (joblog_open(folder, id, most, &l, &err) < 0)
		fail_msg("%s", err.msg);
	return l;
}

static void say(struct joblog *l, bool is_stderr, const char *line)
{
	joblog_line(l, 5, is_stderr, line, strlen(line));
}

static int64_t read_from(int64_t id, int64_t offset, size_t most, struct buf *out)
{
	struct error err = ERROR_INIT;

	if (joblog_read(folder, id, &offset, most, out, &err) < 0)
		fail_msg("%s", err.msg);
	return offset;
}

static void test_events_and_text(void **state)
{
	CLEANUP_PTR(joblog) struct joblog *l = must_open(7, 1 << 20);
	CLEANUP(buf) struct buf out = BUF_INIT(1 << 20);
	struct stat st;

	(void)state;
	joblog_attempt(l, 4, 2);
	say(l, false, "{\"v\":1,\"type\":\"phase\",\"phase\":\"fetch\"}");
	say(l, true, "{\"v\":1,\"type\":\"phase\"}");
	say(l, false, "{\"type\":\"no version\"}");
	say(l, false, "{\"v\":1,\"type\":");
	say(l, false, "");
	joblog_line(l, 5, false, "a\x01\xff\"b\0c", 7);
	/* Only as much as is told. */
	joblog_line(l, 5, false, "{\"v\":1,\"type\":\"x\"},\"line\":0", 18);
	read_from(7, 0, 1 << 16, &out);
	assert_string_equal(
		out.data,
		"{\"at\":4,\"attempt\":2}\n"
		"{\"at\":5,\"event\":{\"v\":1,\"type\":\"phase\",\"phase\":\"fetch\"}}\n"
		"{\"at\":5,\"line\":\"{\\\"v\\\":1,\\\"type\\\":\\\"phase\\\"}\","
		"\"stream\":\"err\"}\n"
		"{\"at\":5,\"line\":\"{\\\"type\\\":\\\"no version\\\"}\",\"stream\":\"out\"}\n"
		"{\"at\":5,\"line\":\"{\\\"v\\\":1,\\\"type\\\":\",\"stream\":\"out\"}\n"
		"{\"at\":5,\"line\":\"\",\"stream\":\"out\"}\n"
		"{\"at\":5,\"line\":\"a\\u0001\xef\xbf\xbd\\\"b\\u0000c\",\"stream\":\"out\"}\n"
		"{\"at\":5,\"event\":{\"v\":1,\"type\":\"x\"}}\n");
	chdir(folder);
	assert_int_equal(stat("logs", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat("logs/7.jsonl", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	chdir("/");
}

static void test_reads_on(void **state)
{
	CLEANUP_PTR(joblog) struct joblog *l = must_open(7, 1 << 20);
	CLEANUP(buf) struct buf all = BUF_INIT(1 << 20);
	CLEANUP(buf) struct buf pieces = BUF_INIT(1 << 20);
	struct error err = ERROR_INIT;
	int64_t at = 0;
	int64_t next;

	(void)state;
	for (int i = 0; i < 50; i++)
		say(l, false, "short");
	read_from(7, 0, 1 << 16, &all);
	say(l, false,
	    "a line that is longer than the most below, and thus is passed over");
	for (int i = 0; i < 100 && (next = read_from(7, at, 60, &pieces)) != at; i++) {
		assert_int_equal(pieces.data[pieces.len - 1], '\n');
		at = next;
	}
	assert_string_equal(pieces.data, all.data);
	assert_int_equal(joblog_read(folder, 8, &at, 60, &all, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void test_half_a_line(void **state)
{
	CLEANUP(buf) struct buf path = BUF_INIT(4096);
	CLEANUP(buf) struct buf out = BUF_INIT(1 << 20);
	struct error err = ERROR_INIT;

	(void)state;
	joblog_free(must_open(7, 1 << 20));
	buf_printf(&path, "%s/logs/7.jsonl", folder);
	assert_int_equal(fs_append(path.data, "{\"at\":1", 7, &err), 0);
	assert_int_equal(read_from(7, 0, 100, &out), 0);
	assert_string_equal(out.data, "");
	{
		CLEANUP_PTR(joblog) struct joblog *l = must_open(7, 1 << 20);

		joblog_attempt(l, 2, 1);
	}
	read_from(7, 0, 100, &out);
	assert_string_equal(out.data, "{\"at\":1\n{\"at\":2,\"attempt\":1}\n");
}

static void test_has_an_end(void **state)
{
	CLEANUP_PTR(joblog) struct joblog *l = must_open(7, 1000);
	CLEANUP(buf) struct buf out = BUF_INIT(1 << 20);

	(void)state;
	for (int i = 0; i < 1000; i++)
		say(l, i % 2, "a line of output");
	say(l, false, "{\"v\":1,\"type\":\"step\"}");
	say(l, false, "{\"v\":1,\"type\":\"result\",\"exit\":0}");
	read_from(7, 0, 1 << 16, &out);
	assert_true(out.len < 1300);
	assert_null(strstr(out.data, "step"));
	assert_true(str_ends(
		out.data,
		"{\"at\":5,\"line\":\"(the log is full: the rest is left out)\","
		"\"stream\":\"err\"}\n"
		"{\"at\":5,\"event\":{\"v\":1,\"type\":\"result\",\"exit\":0}}\n"));
}

static void test_large_lines(void **state)
{
	CLEANUP_PTR(joblog) struct joblog *l = must_open(7, 64 << 20);
	CLEANUP(buf) struct buf line = BUF_INIT(8 << 20);
	CLEANUP(buf) struct buf out = BUF_INIT(8 << 20);

	(void)state;
	buf_str(&line, "{\"v\":1,\"type\":\"plan\",\"x\":\"");
	while (line.len < JOBLOG_EVENT_MOST + 100)
		buf_str(&line, "0123456789");
	buf_str(&line, "\"}");
	say(l, false, line.data);
	say(l, true, line.data);
	read_from(7, 0, 1 << 20, &out);
	assert_true(str_starts(out.data, "{\"at\":5,\"event\":{\"v\":1,\"type\":\"plan\","
					 "\"left_out\":104"));
	assert_true(out.len > JOBLOG_LINE_MOST && out.len < JOBLOG_LINE_MOST + 300);
}

static void test_prunes(void **state)
{
	CLEANUP(buf) struct buf path = BUF_INIT(4096);
	CLEANUP(buf) struct buf out = BUF_INIT(4096);
	const struct utimbuf old = { 1000, 1000 };
	struct error err = ERROR_INIT;
	int64_t at = 0;

	(void)state;
	assert_int_equal(joblog_prune(folder, 2000000, &err), 0);
	joblog_free(must_open(7, 1000));
	joblog_free(must_open(8, 1000));
	buf_printf(&path, "%s/logs/7.jsonl", folder);
	assert_int_equal(utime(path.data, &old), 0);
	assert_int_equal(joblog_prune(folder, 1000000, &err), 0);
	assert_int_equal(joblog_read(folder, 7, &at, 9, &out, &err), 0);
	assert_int_equal(joblog_prune(folder, 2000000, &err), 0);
	assert_int_equal(joblog_read(folder, 7, &at, 9, &out, &err), -1);
	assert_int_equal(joblog_read(folder, 8, &at, 9, &out, &err), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_events_and_text), TEST(test_reads_on),
		TEST(test_half_a_line),     TEST(test_has_an_end),
		TEST(test_large_lines),     TEST(test_prunes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
