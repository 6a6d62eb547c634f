#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aws/retry.h"

static void test_retry__table(void **state)
{
	static const struct {
		const char *name;
		enum error_code code;
		bool retryable;
		unsigned attempts;
		bool once, not_sent;
		int64_t after_ms;
		uint64_t random;
		int64_t wait_ms;
	} cases[] = {
		{ "not retryable", ERR_SERVICE, false, 1, false, false, -1, 5, -1 },
		{ "the last attempt", ERR_SERVICE, true, 5, false, false, -1, 5, -1 },
		{ "beyond the last", ERR_SERVICE, true, 6, false, false, -1, 5, -1 },
		{ "least jitter", ERR_SERVICE, true, 1, false, false, -1, 201, 0 },
		{ "most jitter", ERR_SERVICE, true, 1, false, false, -1, 200, 200 },
		{ "doubles", ERR_NETWORK, true, 3, false, false, -1, 800, 800 },
		{ "throttling is longer", ERR_THROTTLED, true, 1, false, false, -1, 1000,
		  1000 },
		{ "throttling doubles", ERR_THROTTLED, true, 4, false, false, -1, 8000,
		  8000 },
		{ "once: an effect is possible", ERR_NETWORK, true, 1, true, false, -1, 9,
		  -1 },
		{ "once: a 500 is too", ERR_SERVICE, true, 1, true, false, -1, 9, -1 },
		{ "once: never sent", ERR_NETWORK, true, 1, true, true, -1, 9, 9 },
		{ "once: turned away", ERR_THROTTLED, true, 1, true, false, -1, 9, 9 },
		{ "the server's word", ERR_THROTTLED, true, 1, false, false, 3000, 7,
		  3000 },
		{ "jitter above it", ERR_THROTTLED, true, 1, false, false, 3, 900, 900 },
		{ "not for a day", ERR_THROTTLED, true, 1, false, false, 86400000, 7,
		  20000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error err = { .code = cases[i].code,
				     .retryable = cases[i].retryable };
		struct retry_facts facts = {
			.err = &err,
			.attempts = cases[i].attempts,
			.max_attempts = 5,
			.once = cases[i].once,
			.not_sent = cases[i].not_sent,
			.retry_after_ms = cases[i].after_ms,
			.random = cases[i].random,
		};
		int64_t wait_ms = retry_wait_ms(&facts);

		if (wait_ms != cases[i].wait_ms)
			fail_msg("%s: %lld", cases[i].name, (long long)wait_ms);
	}
}

static void test_retry__waits_stay_under_the_cap(void **state)
{
	struct error err = { .code = ERR_THROTTLED, .retryable = true };
	uint64_t seed = 1;

	(void)state;
	for (unsigned attempt = 1; attempt < 1000; attempt++) {
		struct retry_facts facts = { .err = &err,
					     .attempts = attempt,
					     .max_attempts = 1000,
					     .retry_after_ms = -1,
					     .random = retry_random(&seed) };
		int64_t wait_ms = retry_wait_ms(&facts);

		assert_true(wait_ms >= 0 && wait_ms <= RETRY_CAP_MS);
	}
}

static void test_retry__after(void **state)
{
	const int64_t now = INT64_C(784111777000);

	(void)state;
	assert_int_equal(retry_after_ms(NULL, now), -1);
	assert_int_equal(retry_after_ms("soon", now), -1);
	assert_int_equal(retry_after_ms("-5", now), -1);
	assert_int_equal(retry_after_ms("120", now), 120000);
	assert_int_equal(retry_after_ms("Sun, 06 Nov 1994 08:49:40 GMT", now), 3000);
	assert_int_equal(retry_after_ms("Sun, 06 Nov 1994 08:49:00 GMT", now), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_retry__table),
		cmocka_unit_test(test_retry__waits_stay_under_the_cap),
		cmocka_unit_test(test_retry__after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
