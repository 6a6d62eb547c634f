#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws_fixture.h"
#include "run/watch.h"

struct fixture {
	struct aws_fixture aws;
	struct watch watch;
	struct progress progress;
	int64_t ticked_ms[8]; /* when */
	size_t ticks;
	size_t fail_at; /* from 1; that tick fails */
	int64_t takes_ms;
	volatile int cancelled;
	size_t cancel_at; /* from 1 */
	char told[64];
};

static int on_tick(void *ctx, struct error *err)
{
	struct fixture *f = ctx;

	assert_true(f->ticks < 8);
	f->ticked_ms[f->ticks++] = f->aws.clock.now_ms - FIXTURE_MS;
	f->aws.clock.now_ms += f->takes_ms;
	if (f->ticks == f->cancel_at)
		f->cancelled = 1;
	if (f->ticks == f->fail_at)
		return error_set(err, ERR_CONDITION, "the claim was lost");
	return 0;
}

static void on_waiting(void *ctx, const char *text)
{
	struct fixture *f = ctx;

	assert_true(str_copy(f->told, sizeof(f->told), text));
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	aws_fixture_start(&f->aws);
	f->aws.fake.http.cancelled = &f->cancelled;
	f->progress = (struct progress){ .ctx = f, .waiting = on_waiting };
	f->watch = (struct watch){ f->aws.aws, &f->progress, on_tick, f };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	aws_fixture_end(&f->aws);
	free(f);
	return 0;
}

static void sleep_waits_so_long_and_ticks_meanwhile(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(watch_sleep(&f->watch, 5000, &f->aws.err), 0);
	assert_int_equal(f->aws.clock.now_ms - FIXTURE_MS, 5000);
	assert_int_equal(f->ticks, 4);
	assert_int_equal(f->ticked_ms[0], 0);
	for (size_t i = 1; i < f->ticks; i++)
		assert_in_range(f->ticked_ms[i] - f->ticked_ms[i - 1], 1, 2000);
}

static void the_time_that_ticks_take_counts(void **state)
{
	struct fixture *f = *state;

	f->takes_ms = 3000;
	assert_int_equal(watch_sleep(&f->watch, 5000, &f->aws.err), 0);
	assert_int_equal(f->ticks, 2);
	assert_int_equal(f->aws.clock.now_ms - FIXTURE_MS, 8000);
}

static void a_failing_tick_ends_the_wait(void **state)
{
	struct fixture *f = *state;

	f->fail_at = 2;
	assert_int_equal(watch_sleep(&f->watch, 60000, &f->aws.err), -1);
	assert_int_equal(f->aws.err.code, ERR_CONDITION);
	assert_int_equal(f->aws.clock.now_ms - FIXTURE_MS, 2000);
}

static void a_signal_ends_the_wait(void **state)
{
	struct fixture *f = *state;

	f->cancel_at = 2;
	assert_int_equal(watch_sleep(&f->watch, 60000, &f->aws.err), -1);
	assert_int_equal(f->aws.err.code, ERR_CANCELLED);
	assert_int_equal(f->ticks, 2);
}

static void nothing_is_sent_after_a_failing_tick(void **state)
{
	struct fixture *f = *state;
	struct aws_request req = AWS_REQUEST_INIT;
	struct http_response res = HTTP_RESPONSE_INIT;

	f->fail_at = 2;
	req.service = AWS_LAMBDA;
	fake_http_expect(&f->aws.fake, "GET", "lambda", 200, NULL, "{}");
	assert_int_equal(watch_send(&f->watch, &req, &res, &f->aws.err), 0);
	assert_int_equal(f->ticks, 1);
	assert_int_equal(watch_send(&f->watch, &req, &res, &f->aws.err), -1);
	assert_int_equal(f->aws.err.code, ERR_CONDITION);
	aws_request_release(&req);
	http_response_release(&res);
}

static void all_but_the_client_may_be_absent(void **state)
{
	struct fixture *f = *state;
	struct watch bare = { .aws = f->aws.aws };

	assert_int_equal(watch_sleep(&bare, 10, &f->aws.err), 0);
	watch_tell(&bare, "nobody %s", "listens");
	f->progress.waiting = NULL;
	watch_tell(&f->watch, "nor %s", "here");
	f->progress.waiting = on_waiting;
	watch_tell(&f->watch, "%s: %d of 7", "resume", 3);
	assert_string_equal(f->told, "resume: 3 of 7");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(sleep_waits_so_long_and_ticks_meanwhile),
		CASE(the_time_that_ticks_take_counts),
		CASE(a_failing_tick_ends_the_wait),
		CASE(a_signal_ends_the_wait),
		CASE(nothing_is_sent_after_a_failing_tick),
		CASE(all_but_the_client_may_be_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
