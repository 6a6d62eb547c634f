#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "daemon/daemon_log.h"

enum { LINE_MOST = 16384 };

/* 2026-11-28T17:30:37.123Z */
#define NOW  INT64_C(1795887037123)
#define TIME "2026-11-28T17:30:37.123Z"

static void check_line(bool json, enum log_level level, const char *message,
		       const char *wanted)
{
	CLEANUP(buf) struct buf line = BUF_INIT(LINE_MOST);

	daemon_log_line(&line, json, NOW, level, message);
	if (!str_eq(line.data, wanted))
		fail_msg("%s is not %s", line.data, wanted);
}

static void test_log__text(void **state)
{
	(void)state;
	check_line(false, LOG_INFO, "site a: deployed", TIME " info site a: deployed\n");
	check_line(false, LOG_ERROR, "x", TIME " error x\n");
}

#define JSON(level, message) \
	"{\"time\":\"" TIME "\",\"level\":\"" level "\",\"message\":\"" message "\""

static void test_log__json_with_members_of_the_labels(void **state)
{
	(void)state;
	check_line(true, LOG_WARN, "plain: text", JSON("warn", "plain: text") "}\n");
	check_line(
		true, LOG_INFO, "site a: delivery 1-2: queued",
		JSON("info", "site a: delivery 1-2: queued") ",\"site\":\"a\","
							     "\"delivery\":\"1-2\"}\n");
	check_line(
		true, LOG_INFO, "site a: job 7: ended",
		JSON("info", "site a: job 7: ended") ",\"site\":\"a\",\"job\":\"7\"}\n");
	check_line(true, LOG_INFO, "job 7 of a: ended",
		   JSON("info", "job 7 of a: ended") ",\"job\":\"7\",\"site\":\"a\"}\n");
	check_line(true, LOG_INFO, "job 7 of many",
		   JSON("info", "job 7 of many") ",\"job\":\"7\"}\n");
	/* A sentence, not at the start, without an end, twice, empty. */
	check_line(true, LOG_INFO, "site a and b: x",
		   JSON("info", "site a and b: x") "}\n");
	check_line(true, LOG_INFO, "of site a: x", JSON("info", "of site a: x") "}\n");
	check_line(true, LOG_INFO, "site a", JSON("info", "site a") "}\n");
	check_line(true, LOG_INFO, "site a: site b: x",
		   JSON("info", "site a: site b: x") ",\"site\":\"a\"}\n");
	check_line(true, LOG_INFO, "site : x", JSON("info", "site : x") "}\n");
}

static void test_log__hostile_text_stays_within_its_line(void **state)
{
	(void)state;
	check_line(false, LOG_INFO, "a\nb\x1b[31m\x7f", TIME " info a?b?[31m?\n");
	check_line(true, LOG_INFO, "a\"\\\n", JSON("info", "a\\\"\\\\?") "}\n");
	/* U+202E, U+2066, U+200F, U+061C, U+0085; invalid bytes; what may stay. */
	check_line(
		false, LOG_INFO,
		"\xE2\x80\xAE.\xE2\x81\xA6.\xE2\x80\x8F.\xD8\x9C.\xC2\x85.\xFF\xE2\x80",
		TIME " info ?.?.?.?.?.???\n");
	check_line(false, LOG_INFO, "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xE2\x80\xA6",
		   TIME " info \xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xE2\x80\xA6\n");
}

static void test_log__lines_are_written_in_the_format_of_now(void **state)
{
	struct clock_fake clock;
	struct daemon_log log;
	char text[1024] = "";
	int ends[2];
	ssize_t n;

	(void)state;
	clock_fake_init(&clock, NOW);
	assert_int_equal(pipe(ends), 0);
	daemon_log_init(&log, &clock.clock);
	log.fd = ends[1];
	log_write(&log.log, LOG_INFO, "one %d", 1);
	log_write(&log.log, LOG_DEBUG, "not shown");
	daemon_log_format(&log, true);
	log_write(&log.log, LOG_ERROR, "two");
	close(ends[1]);
	n = read(ends[0], text, sizeof(text) - 1);
	close(ends[0]);
	assert_true(n > 0);
	assert_string_equal(text, TIME " info one 1\n" JSON("error", "two") "}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log__text),
		cmocka_unit_test(test_log__json_with_members_of_the_labels),
		cmocka_unit_test(test_log__hostile_text_stays_within_its_line),
		cmocka_unit_test(test_log__lines_are_written_in_the_format_of_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
