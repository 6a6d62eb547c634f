#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws/cloudformation.h"
#include "aws_fixture.h"
#include "run/poll.h"

#define THROTTLED                                                     \
	"<ErrorResponse><Error><Code>Throttling</Code><Message>Rate " \
	"exceeded</Message></Error></ErrorResponse>"

struct fixture {
	struct aws_fixture aws;
	struct watch watch;
	struct poll poll;
	size_t ticks;
	size_t fail_at; /* from 1; that tick fails */
};

static int on_tick(void *ctx, struct error *err)
{
	struct fixture *f = ctx;

	if (++f->ticks != f->fail_at)
		return 0;
	error_set(err, ERR_NETWORK, "the lease was not renewed");
	err->retryable = true;
	return -1;
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	aws_fixture_start(&f->aws);
	f->watch = (struct watch){ f->aws.aws, NULL, on_tick, f };
	poll_start(&f->poll, &f->watch, (struct poll_pace){ 1000, 3000 }, 600);
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

static int ask(struct fixture *f, enum poll_patience patience)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;

	error_clear(&f->aws.err);
	cfn_stack_request(&req, "resume");
	return poll_send(&f->poll, &req, patience, &res, &f->aws.err);
}

static void answers(struct fixture *f, int times, int status, const char *body)
{
	fake_http_expect(&f->aws.fake, NULL, NULL, status, NULL, body)->times = times;
}

static void pauses_grow_and_end(void **state)
{
	static const int64_t expected[] = { 1000, 1500, 2250, 3000, 3000 };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		int64_t before = f->aws.clock.now_ms;

		assert_int_equal(poll_wait(&f->poll, &f->aws.err), 0);
		assert_int_equal(f->aws.clock.now_ms - before, expected[i]);
	}
	assert_int_equal(poll_elapsed_s(&f->poll), 10);
	f->aws.clock.now_ms = FIXTURE_MS + 599000;
	assert_false(poll_is_over(&f->poll));
	/* No longer than there is time. */
	assert_int_equal(poll_wait(&f->poll, &f->aws.err), 0);
	assert_int_equal(f->aws.clock.now_ms, FIXTURE_MS + 600000);
	assert_true(poll_is_over(&f->poll));
	assert_int_equal(poll_wait(&f->poll, &f->aws.err), 0);
	assert_int_equal(f->aws.clock.now_ms, FIXTURE_MS + 600000);
}

/* However short the first pauses are. */
static void failures_slow_the_asking_down(void **state)
{
	struct fixture *f = *state;
	int64_t before;

	poll_start(&f->poll, &f->watch, (struct poll_pace){ 200, 3000 }, 600);
	answers(f, 10, 400, THROTTLED);
	answers(f, 1, 200, "");
	assert_int_equal(ask(f, POLL_THROTTLED), 0);
	before = f->aws.clock.now_ms;
	assert_int_equal(poll_wait(&f->poll, &f->aws.err), 0);
	assert_int_equal(f->aws.clock.now_ms - before, 2250);
}

static void throttling_is_always_waited_out(void **state)
{
	struct fixture *f = *state;

	answers(f, 13, 400, THROTTLED);
	answers(f, 1, 200, "");
	assert_int_equal(ask(f, POLL_THROTTLED), 0);
	answers(f, -1, 400, THROTTLED);
	assert_int_equal(ask(f, POLL_THROTTLED), -1);
	assert_true(poll_is_over(&f->poll));
	assert_string_equal(f->aws.err.service_code, "Throttling");
}

/* The client runs out of time between two tries, and calls that a timeout. */
static void throttling_that_asks_for_patience_is_throttling(void **state)
{
	struct fixture *f = *state;

	fake_http_expect(&f->aws.fake, NULL, NULL, 400, "Retry-After: 20", THROTTLED)
		->times = 7;
	answers(f, 1, 200, "");
	assert_int_equal(ask(f, POLL_THROTTLED), 0);
}

static void the_rest_only_while_something_is_under_way(void **state)
{
	static const struct {
		int status;
		const char *body;
	} cases[] = { { 503, "" }, { 500, "" }, { 0, NULL } };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		answers(f, 5, cases[i].status, cases[i].body);
		assert_int_equal(ask(f, POLL_THROTTLED), -1);
		answers(f, 8, cases[i].status, cases[i].body);
		answers(f, 1, 200, "");
		assert_int_equal(ask(f, POLL_ANYTHING), 0);
	}
}

static void what_will_not_pass_is_not_waited_for(void **state)
{
	static const char *const bodies[] = {
		"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>",
		"<ErrorResponse><Error><Code>ValidationError</Code></Error></ErrorResponse>",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		answers(f, 1, 400, bodies[i]);
		assert_int_equal(ask(f, POLL_ANYTHING), -1);
	}
	/* A quota; the client takes it for throttling. */
	answers(f, 5, 400,
		"<ErrorResponse><Error><Code>LimitExceededException</Code></Error>"
		"</ErrorResponse>");
	assert_int_equal(ask(f, POLL_ANYTHING), -1);
}

static void requests_do_not_outlast_a_lease(void **state)
{
	struct fixture *f = *state;

	answers(f, 1, 200, "");
	f->aws.fake.rules.items[0].reply.latency_ms = 100000;
	answers(f, 1, 200, "");
	assert_int_equal(ask(f, POLL_ANYTHING), 0);
	assert_in_range(f->aws.clock.now_ms - FIXTURE_MS, 30000, 32000);
	assert_int_equal(aws_fixture_seen(&f->aws, 0)->timeout_ms, 30000);
}

static void a_tick_that_fails_is_the_end(void **state)
{
	struct fixture *f = *state;

	f->fail_at = 1;
	assert_int_equal(ask(f, POLL_ANYTHING), -1);
	assert_string_equal(f->aws.err.msg, "the lease was not renewed");
	assert_int_equal(f->aws.fake.seen.len, 0);
	f->fail_at = 4; /* while it pauses */
	answers(f, 5, 503, "");
	assert_int_equal(ask(f, POLL_ANYTHING), -1);
	assert_string_equal(f->aws.err.msg, "the lease was not renewed");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pauses_grow_and_end),
		TEST(failures_slow_the_asking_down),
		TEST(throttling_is_always_waited_out),
		TEST(throttling_that_asks_for_patience_is_throttling),
		TEST(the_rest_only_while_something_is_under_way),
		TEST(what_will_not_pass_is_not_waited_for),
		TEST(requests_do_not_outlast_a_lease),
		TEST(a_tick_that_fails_is_the_end),
	};

	return cmocka_run_group_tests_name("poll", tests, NULL, NULL);
}
