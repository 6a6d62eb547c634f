#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake/fake_http.h"
#include "io/http.h"

static void test_http__dates(void **state)
{
	static const struct {
		const char *text;
		bool valid;
		int64_t ms;
	} cases[] = {
		{ "Thu, 01 Jan 1970 00:00:00 GMT", true, 0 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT", true, INT64_C(784111777000) },
		{ "Tue, 29 Feb 2028 23:59:60 GMT", true, INT64_C(1835481600000) },
		{ "Fri, 31 Dec 2100 00:00:00 GMT", true, INT64_C(4133894400000) },
		{ "Sun, 06 Nov 1994 08:49:37 UTC", false, 0 },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", false, 0 },
		{ "Sun Nov  6 08:49:37 1994", false, 0 },
		{ "Sun, 06 Foo 1994 08:49:37 GMT", false, 0 },
		{ "Sun, 06 anF 1994 08:49:37 GMT", false, 0 },
		{ "Sun, 00 Nov 1994 08:49:37 GMT", false, 0 },
		{ "Sun, 06 Nov 1994 24:49:37 GMT", false, 0 },
		{ "Sun, 06 Nov 19x4 08:49:37 GMT", false, 0 },
		{ "", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t ms = -7;

		if (http_date_parse(cases[i].text, &ms) != cases[i].valid)
			fail_msg("%s", cases[i].text);
		assert_int_equal(ms, cases[i].valid ? cases[i].ms : -7);
	}
}

static void test_http__when_it_was_asked(void **state)
{
	static const struct {
		const char *date;
		const char *age;
		int64_t sent_ms;
		int64_t received_ms;
		int64_t asked_ms;
	} cases[] = {
		{ "Sun, 06 Nov 1994 08:49:37 GMT", NULL, 500, 500,
		  INT64_C(784111777000) },
		{ "Sun, 06 Nov 1994 08:49:37 GMT", NULL, 500, 3750,
		  INT64_C(784111773750) },
		{ "Sun, 06 Nov 1994 08:49:37 GMT", NULL, 3750, 500,
		  INT64_C(784111777000) },
		{ "Sun, 06 Nov 1994 08:49:37 GMT", "5", 500, 500, 0 },
		{ "yesterday", NULL, 500, 500, 0 },
		{ NULL, NULL, 500, 500, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct http_header headers[] = {
			{ cases[i].date ? "Date" : "x", cases[i].date },
			{ cases[i].age ? "Age" : "x", cases[i].age },
		};
		const struct http_response res = {
			.headers = headers,
			.n_headers = 2,
			.sent_ms = cases[i].sent_ms,
			.received_ms = cases[i].received_ms,
		};

		if (http_response_asked_ms(&res) != cases[i].asked_ms)
			fail_msg("case %zu: %lld", i,
				 (long long)http_response_asked_ms(&res));
	}
}

static void test_http__send_moves_the_answer_out(void **state)
{
	CLEANUP(fake_http) struct fake_http fake;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct http_request req = { .method = "GET", .url = "https://example.com/a" };
	struct error err = ERROR_INIT;
	struct clock_fake clock;

	(void)state;
	clock_fake_init(&clock, 1000);
	fake_http_init(&fake, &clock);
	fake_http_expect(&fake, "GET", "/a", 404, "ETag: \"x\"\nDate: now", "gone");
	assert_int_equal(http_send(&fake.http, &req, &res, &err), 0);
	assert_int_equal(res.status, 404);
	assert_string_equal(res.body.data, "gone");
	assert_string_equal(http_response_header(&res, "etag"), "\"x\"");
	assert_null(http_response_header(&res, "Age"));
	assert_true(fake_http_check(&fake));
}

static void test_http__send_tells_why_there_is_no_answer(void **state)
{
	CLEANUP(fake_http) struct fake_http fake;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct http_request req = { .method = "GET", .url = "https://example.com/a" };
	struct error err = ERROR_INIT;
	struct clock_fake clock;

	(void)state;
	clock_fake_init(&clock, 1000);
	fake_http_init(&fake, &clock);
	fake_http_expect(&fake, NULL, NULL, 0, NULL, NULL);
	assert_int_equal(http_send(&fake.http, &req, &res, &err), -1);
	assert_int_equal(err.code, ERR_NETWORK);
	assert_int_equal(res.status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http__dates),
		cmocka_unit_test(test_http__when_it_was_asked),
		cmocka_unit_test(test_http__send_moves_the_answer_out),
		cmocka_unit_test(test_http__send_tells_why_there_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
