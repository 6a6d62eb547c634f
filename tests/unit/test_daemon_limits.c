/* Token buckets: limits.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "daemon/limits.h"

enum { START = 1000000 };

static unsigned take_many(struct limits *l, const char *name, int64_t per_minute,
			  int64_t now, unsigned tries)
{
	unsigned taken = 0;
	int retry;

	for (unsigned i = 0; i < tries; i++)
		taken += limits_take(l, name, per_minute, now, &retry);
	return taken;
}

static void test_limits__bucket(void **state)
{
	struct limits *l = limits_new();
	int retry = 0;

	(void)state;
	assert_int_equal(take_many(l, "192.0.2.1", 60, START, 100), 60);
	assert_false(limits_take(l, "192.0.2.1", 60, START, &retry));
	assert_int_equal(retry, 2);
	assert_int_equal(take_many(l, "192.0.2.1", 60, START + 10000, 100), 10);
	/* Somebody else has a bucket of his own. */
	assert_int_equal(take_many(l, "192.0.2.2", 60, START, 100), 60);
	/* It never holds more than a minute's worth. */
	assert_int_equal(take_many(l, "192.0.2.1", 60, START + 3600000, 100), 60);
	limits_free(l);
}

static void test_limits__none(void **state)
{
	struct limits *l = limits_new();

	(void)state;
	assert_int_equal(take_many(l, "a", 0, START, 1000), 1000);
	limits_free(l);
}

static void test_limits__clock_goes_back(void **state)
{
	struct limits *l = limits_new();

	(void)state;
	assert_int_equal(take_many(l, "a", 5, START, 9), 5);
	assert_int_equal(take_many(l, "a", 5, START - 900000, 9), 0);
	limits_free(l);
}

static void test_limits__table_is_full(void **state)
{
	struct limits *l = limits_new();
	char name[32];

	(void)state;
	assert_int_equal(take_many(l, "first", 5, START, 5), 5);
	for (unsigned i = 0; i < 50000; i++) {
		snprintf(name, sizeof name, "address %u", i);
		assert_int_equal(take_many(l, name, 5, START + 1 + i / 1000, 1), 1);
	}
	/* Long forgotten, so that its bucket is full again. */
	assert_int_equal(take_many(l, "first", 5, START + 51, 9), 5);
	limits_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits__bucket),
		cmocka_unit_test(test_limits__none),
		cmocka_unit_test(test_limits__clock_goes_back),
		cmocka_unit_test(test_limits__table_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
