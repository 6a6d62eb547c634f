#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "aws/client.h"
#include "aws/creds.h"
#include "aws/s3.h"
#include "base/str.h"
#include "fake/fake_http.h"

#define START_MS   INT64_C(1780000000000) /* Thu, 28 May 2026 20:26:40 GMT */
#define OK_HEADERS "Date: Thu, 28 May 2026 20:26:40 GMT"

/* A client on a scripted transport. */
struct fixture {
	struct clock_fake clock;
	struct fake_http fake;
	struct aws_creds *creds;
	struct aws *aws;
	struct aws_request req;
	struct http_response res;
	struct error err;
};

static const char *const env[] = { "AWS_ACCESS_KEY_ID=AKIDEXAMPLE",
				   "AWS_SECRET_ACCESS_KEY=canary-secret", NULL };

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct creds_options creds = { .env = env, .no_metadata = true };
	struct aws_options options = { .env = env, .region = "us-east-1", .seed = 1 };

	clock_fake_init(&f->clock, START_MS);
	fake_http_init(&f->fake, &f->clock);
	creds.http = options.http = &f->fake.http;
	creds.clock = options.clock = &f->clock.clock;
	assert_int_equal(aws_creds_new(&creds, &f->creds, &f->err), 0);
	options.creds = f->creds;
	assert_int_equal(aws_new(&options, &f->aws, &f->err), 0);
	f->req = (struct aws_request)AWS_REQUEST_INIT;
	f->res = (struct http_response)HTTP_RESPONSE_INIT;
	s3_get_request(&f->req, "bucket", "key", NULL);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	bool good = fake_http_check(&f->fake);

	aws_request_release(&f->req);
	http_response_release(&f->res);
	aws_free(f->aws);
	aws_creds_free(f->creds);
	fake_http_release(&f->fake);
	free(f);
	return good ? 0 : -1;
}

static int send(struct fixture *f)
{
	return aws_send(f->aws, &f->req, &f->res, &f->err);
}

static const struct fake_seen *seen(const struct fixture *f, size_t i)
{
	assert_true(i < f->fake.seen.len);
	return &f->fake.seen.items[i];
}

static void test_aws_client__signs_and_answers(void **state)
{
	struct fixture *f = *state;
	char value[300];

	fake_http_expect(&f->fake, "GET", "https://bucket.s3.us-east-1.amazonaws.com/key",
			 200, OK_HEADERS, "body");
	assert_int_equal(send(f), 0);
	assert_string_equal(f->res.body.data, "body");
	assert_true(fake_seen_header(seen(f, 0), "Authorization", value, sizeof(value)));
	assert_non_null(strstr(value, "Credential=AKIDEXAMPLE/20260528/us-east-1/s3/"));
	assert_true(fake_seen_header(seen(f, 0), "Host", value, sizeof(value)));
	assert_string_equal(value, "bucket.s3.us-east-1.amazonaws.com");
	assert_int_equal(seen(f, 0)->timeout_ms, 60000);
}

static void test_aws_client__retries_what_may_pass(void **state)
{
	struct fixture *f = *state;

	fake_http_expect(&f->fake, NULL, NULL, 0, NULL, NULL);
	fake_http_expect(&f->fake, NULL, NULL, 503, NULL, "<html>Sorry</html>");
	fake_http_expect(&f->fake, NULL, NULL, 500, NULL, "<Error><Code>Intern");
	fake_http_expect(&f->fake, NULL, NULL, 200, NULL, "ok");
	assert_int_equal(send(f), 0);
	assert_int_equal(f->fake.seen.len, 4);
	/* Signed anew, for the time of the attempt. */
	assert_true(seen(f, 3)->at_ms > seen(f, 0)->at_ms);
}

static void test_aws_client__gives_up_after_five(void **state)
{
	struct fixture *f = *state;

	fake_http_expect(
		&f->fake, NULL, NULL, 503, NULL,
		"<Error><Code>SlowDown</Code><Message>Slow\ndown</Message></Error>")
		->times = 5;
	assert_int_equal(send(f), -1);
	assert_int_equal(f->err.code, ERR_THROTTLED);
	assert_int_equal(f->err.http_status, 503);
	assert_string_equal(f->err.service_code, "SlowDown");
	assert_string_equal(f->err.msg, "GetObject bucket: 503 SlowDown: Slow down");
}

static void test_aws_client__does_not_retry_what_stays(void **state)
{
	static const struct {
		const char *name;
		int status;
		const char *headers, *body;
		enum error_code code;
		const char *service_code;
	} cases[] = {
		{ "missing key", 404, NULL, "<Error><Code>NoSuchKey</Code></Error>",
		  ERR_NOT_FOUND, "NoSuchKey" },
		{ "denied", 403, NULL,
		  "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code>"
		  "<Message>no</Message></Error>",
		  ERR_FORBIDDEN, "AccessDenied" },
		{ "bad key", 403, NULL, "<Error><Code>InvalidAccessKeyId</Code></Error>",
		  ERR_CREDENTIALS, "InvalidAccessKeyId" },
		{ "condition", 412, NULL,
		  "<Error><Code>PreconditionFailed</Code></Error>", ERR_CONDITION,
		  "PreconditionFailed" },
		{ "not modified", 304, NULL, NULL, ERR_CONDITION, "" },
		{ "REST-XML", 404, NULL,
		  "<ErrorResponse xmlns=\"x\"><Error><Type>Sender</Type>"
		  "<Code>NoSuchDistribution</Code></Error></ErrorResponse>",
		  ERR_NOT_FOUND, "NoSuchDistribution" },
		{ "query, a 400", 400, NULL,
		  "<ErrorResponse><Error><Code>ValidationError</Code>"
		  "</Error></ErrorResponse>",
		  ERR_SERVICE, "ValidationError" },
		{ "JSON", 404, NULL, "{\"__type\":\"com.x#ResourceNotFoundException:y\"}",
		  ERR_NOT_FOUND, "ResourceNotFoundException" },
		{ "JSON header", 409,
		  "x-amzn-ErrorType: ResourceConflictException:http://x",
		  "{\"message\":\"busy\"}", ERR_CONFLICT, "ResourceConflictException" },
		{ "entities are not followed", 403, NULL,
		  "<!DOCTYPE a [<!ENTITY b \"c\">]>"
		  "<Error><Code>&b;</Code></Error>",
		  ERR_FORBIDDEN, "" },
		{ "unknown", 418, NULL, "", ERR_SERVICE, "" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fake_http_expect(&f->fake, NULL, NULL, cases[i].status, cases[i].headers,
				 cases[i].body);
		assert_int_equal(send(f), -1);
		if (f->err.code != cases[i].code ||
		    !str_eq(f->err.service_code, cases[i].service_code) ||
		    f->fake.seen.len != i + 1)
			fail_msg("%s: %s", cases[i].name, f->err.msg);
	}
}

static void test_aws_client__once_is_not_repeated(void **state)
{
	struct fixture *f = *state;

	f->req.once = true;
	fake_http_expect(&f->fake, NULL, NULL, 0, NULL, NULL)->reply.not_sent = true;
	fake_http_expect(&f->fake, NULL, NULL, 429, NULL, NULL);
	fake_http_expect(&f->fake, NULL, NULL, 500, NULL, NULL);
	assert_int_equal(send(f), -1);
	assert_int_equal(f->err.http_status, 500);
	assert_true(seen(f, 0)->fresh);
}

static void test_aws_client__honours_retry_after(void **state)
{
	struct fixture *f = *state;

	fake_http_expect(&f->fake, NULL, NULL, 429, "Retry-After: 7", NULL);
	fake_http_expect(&f->fake, NULL, NULL, 200, NULL, NULL);
	assert_int_equal(send(f), 0);
	assert_true(seen(f, 1)->at_ms - seen(f, 0)->at_ms >= 7000);
}

static void test_aws_client__retry_after_a_date_by_the_servers_clock(void **state)
{
	struct fixture *f = *state;

	/* An hour ahead of us, and wants 9 s. */
	fake_http_expect(&f->fake, NULL, NULL, 503,
			 "Date: Thu, 28 May 2026 21:26:40 GMT\n"
			 "Retry-After: Thu, 28 May 2026 21:26:49 GMT",
			 NULL);
	fake_http_expect(&f->fake, NULL, NULL, 200, NULL, NULL);
	assert_int_equal(send(f), 0);
	assert_in_range(seen(f, 1)->at_ms - seen(f, 0)->at_ms, 8900, 9100);
}

static void test_aws_client__conflicts_of_writers_are_retried(void **state)
{
	static const char *const codes[] = { "ConditionalRequestConflict",
					     "OperationAborted" };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		CLEANUP(buf) struct buf body = BUF_INIT(256);

		buf_printf(&body, "<Error><Code>%s</Code></Error>", codes[i]);
		fake_http_expect(&f->fake, NULL, NULL, 409, NULL, body.data);
		fake_http_expect(&f->fake, NULL, NULL, 200, NULL, "ok");
		assert_int_equal(send(f), 0);
	}
	fake_http_expect(&f->fake, NULL, NULL, 409, NULL,
			 "<Error><Code>BucketNotEmpty</Code></Error>");
	assert_int_equal(send(f), -1);
	assert_int_equal(f->err.code, ERR_CONFLICT);
}

/* Not for the time of the first one, nor for that before the wait. */
static void test_aws_client__attempts_are_signed_for_their_own_time(void **state)
{
	struct fixture *f = *state;
	char date[40];

	fake_http_expect(&f->fake, NULL, NULL, 503, "Retry-After: 20", NULL)->times = 2;
	fake_http_expect(&f->fake, NULL, NULL, 200, NULL, NULL);
	assert_int_equal(send(f), 0);
	assert_true(fake_seen_header(seen(f, 0), "x-amz-date", date, sizeof(date)));
	assert_string_equal(date, "20260528T202640Z");
	assert_true(fake_seen_header(seen(f, 2), "x-amz-date", date, sizeof(date)));
	assert_string_equal(date, "20260528T202720Z");
}

static void test_aws_client__redirects_are_not_followed(void **state)
{
	static const int statuses[] = { 301, 302, 303, 307, 308 };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		fake_http_expect(&f->fake, "GET", "bucket.s3.us-east-1.", statuses[i],
				 "Location: https://evil.example/key", "");
		assert_int_equal(send(f), -1);
		assert_int_equal(f->err.http_status, statuses[i]);
	}
	/* A new bucket: its name is not known everywhere yet. */
	fake_http_expect(&f->fake, "GET", "us-east-1", 307,
			 "Location: https://evil.example/\n"
			 "x-amz-bucket-region: eu-south-2",
			 "");
	fake_http_expect(&f->fake, "GET", "bucket.s3.eu-south-2.", 200, NULL, "");
	assert_int_equal(send(f), 0);
}

static void test_aws_client__answers_over_the_cap_are_not_asked_for_again(void **state)
{
	struct fixture *f = *state;

	f->req.max_response = 10;
	fake_http_expect(&f->fake, NULL, NULL, 200, NULL, "12345678901");
	assert_int_equal(send(f), -1);
	assert_int_equal(f->err.code, ERR_TOO_BIG);
	fake_http_expect(&f->fake, NULL, NULL, 200, NULL, "1234567890");
	assert_int_equal(send(f), 0);
}

static void test_aws_client__deadline_bounds_attempts_and_waits(void **state)
{
	struct fixture *f = *state;

	f->req.deadline_ms = START_MS + 5000;
	fake_http_expect(&f->fake, NULL, NULL, 503, "Retry-After: 10", NULL);
	assert_int_equal(send(f), -1);
	assert_int_equal(f->err.code, ERR_TIMEOUT);
	assert_int_equal(f->err.http_status, 503);
	assert_int_equal(seen(f, 0)->timeout_ms, 5000);
	/* An attempt that would last longer is cut. */
	fake_http_expect(&f->fake, NULL, NULL, 200, NULL, NULL)->reply.latency_ms = 60000;
	assert_int_equal(send(f), -1);
	assert_int_equal(f->err.code, ERR_TIMEOUT);
	assert_int_equal(f->clock.now_ms, START_MS + 5000);
	/* And none starts afterwards. */
	assert_int_equal(send(f), -1);
	assert_int_equal(f->err.code, ERR_TIMEOUT);
	assert_int_equal(f->fake.seen.len, 2);
}

/* A clock that goes on by a millisecond whenever it is looked at. */
static int64_t tick(void *ctx)
{
	return ++((struct clock_fake *)ctx)->now_ms;
}

static void test_aws_client__a_deadline_that_passes_while_it_is_looked_at(void **state)
{
	struct fixture *f = *state;
	size_t sent = 0;

	f->clock.clock.monotonic_ms = tick;
	fake_http_expect(&f->fake, NULL, NULL, 200, NULL, "")->times = -1;
	for (int64_t ms = 1; ms < 20; ms++) {
		f->req.deadline_ms = f->clock.now_ms + ms;
		(void)send(f); /* in time or not: what was sent is looked at */
		for (; sent < f->fake.seen.len; sent++)
			assert_in_range(seen(f, sent)->timeout_ms, 1, ms);
	}
	assert_true(sent > 0);
}

static void test_aws_client__timeouts_of_attempts_are_retried(void **state)
{
	struct fixture *f = *state;

	f->req.timeout_ms = 1000;
	fake_http_expect(&f->fake, NULL, NULL, 200, NULL, NULL)->reply.latency_ms = 60000;
	fake_http_expect(&f->fake, NULL, NULL, 200, NULL, "ok");
	assert_int_equal(send(f), 0);
	assert_string_equal(f->res.body.data, "ok");
}

static void test_aws_client__skew_is_known_but_used_when_told(void **state)
{
	struct fixture *f = *state;
	char date[40];

	/* An hour ahead of us, and nobody minds. */
	fake_http_expect(&f->fake, NULL, NULL, 200, "Date: Thu, 28 May 2026 21:26:40 GMT",
			 "");
	fake_http_expect(&f->fake, NULL, NULL, 403, "Date: Thu, 28 May 2026 21:26:40 GMT",
			 "<Error><Code>RequestTimeTooSkewed</Code></Error>");
	fake_http_expect(&f->fake, NULL, NULL, 200, "Date: Thu, 28 May 2026 21:26:40 GMT",
			 "");
	assert_int_equal(send(f), 0);
	assert_in_range(aws_skew_ms(f->aws), 3599000, 3601000);
	assert_int_equal(send(f), 0);
	assert_true(fake_seen_header(seen(f, 1), "x-amz-date", date, sizeof(date)));
	assert_string_equal(date, "20260528T202640Z");
	assert_true(fake_seen_header(seen(f, 2), "x-amz-date", date, sizeof(date)));
	assert_int_equal(strncmp(date, "20260528T2126", 13), 0);
	/* Derived from our own clock again, not from the corrected one. */
	assert_in_range(aws_skew_ms(f->aws), 3599000, 3601000);
}

static void test_aws_client__skew_from_a_cache_is_ignored(void **state)
{
	struct fixture *f = *state;

	fake_http_expect(&f->fake, NULL, NULL, 200,
			 "Date: Thu, 28 May 2026 19:26:40 GMT\nAge: 3600", "");
	assert_int_equal(send(f), 0);
	assert_int_equal(aws_skew_ms(f->aws), 0);
}

static void test_aws_client__skew_is_tried_once(void **state)
{
	struct fixture *f = *state;

	fake_http_expect(&f->fake, NULL, NULL, 403, "Date: Thu, 28 May 2026 21:26:40 GMT",
			 "<Error><Code>RequestTimeTooSkewed</Code></Error>")
		->times = 2;
	assert_int_equal(send(f), -1);
	assert_int_equal(f->err.code, ERR_CREDENTIALS);
}

static void test_aws_client__finds_the_buckets_region(void **state)
{
	struct fixture *f = *state;
	char value[300];

	fake_http_expect(&f->fake, "GET", "bucket.s3.us-east-1.", 301,
			 "x-amz-bucket-region: eu-west-1",
			 "<Error><Code>PermanentRedirect</Code></Error>");
	fake_http_expect(&f->fake, "GET", "bucket.s3.eu-west-1.", 200, NULL, "");
	fake_http_expect(&f->fake, "HEAD", "bucket.s3.eu-west-1.", 200, "ETag: \"0\"",
			 "");
	fake_http_expect(&f->fake, "HEAD", "other.s3.us-east-1.", 200, "ETag: \"0\"", "");
	assert_int_equal(send(f), 0);
	assert_true(fake_seen_header(seen(f, 1), "Authorization", value, sizeof(value)));
	assert_non_null(strstr(value, "/eu-west-1/s3/"));
	/* Remembered, for that bucket. */
	aws_request_release(&f->req);
	s3_head_request(&f->req, "bucket", "k");
	assert_int_equal(send(f), 0);
	aws_request_release(&f->req);
	s3_head_request(&f->req, "other", "k");
	assert_int_equal(send(f), 0);
}

static void test_aws_client__region_from_body_or_head(void **state)
{
	struct fixture *f = *state;

	fake_http_expect(&f->fake, "GET", "us-east-1", 400, NULL,
			 "<Error><Code>AuthorizationHeaderMalformed</Code>"
			 "<Region>ap-east-1</Region></Error>");
	fake_http_expect(&f->fake, "GET", "ap-east-1", 200, NULL, "");
	assert_int_equal(send(f), 0);
	aws_request_release(&f->req);
	s3_head_request(&f->req, "second", "k");
	fake_http_expect(&f->fake, "HEAD", "us-east-1", 400,
			 "x-amz-bucket-region: me-south-1", NULL);
	fake_http_expect(&f->fake, "HEAD", "me-south-1", 301,
			 "x-amz-bucket-region: sa-east-1", NULL);
	/* One re-send, not a tour of the world. */
	assert_int_equal(send(f), -1);
	assert_int_equal(f->err.http_status, 301);
}

static void test_aws_client__a_region_from_outside_cannot_choose_hosts(void **state)
{
	struct fixture *f = *state;

	fake_http_expect(&f->fake, "GET", "us-east-1", 301,
			 "x-amz-bucket-region: x.evil.example/", NULL);
	assert_int_equal(send(f), -1);
	assert_int_equal(f->err.code, ERR_CONFIG);
}

static void test_aws_client__expired_token_is_renewed_once(void **state)
{
	struct fixture *f = *state;

	fake_http_expect(&f->fake, NULL, NULL, 400, NULL,
			 "<Error><Code>ExpiredToken</Code></Error>")
		->times = 2;
	assert_int_equal(send(f), -1);
	assert_int_equal(f->err.code, ERR_CREDENTIALS);
	assert_int_equal(f->fake.seen.len, 2);
}

static void test_aws_client__200_with_an_error_is_an_error(void **state)
{
	static const struct {
		const char *name, *body;
		bool again;
		const char *code;
	} cases[] = {
		{ "internal",
		  "<?xml version=\"1.0\"?><Error><Code>InternalError</Code></Error>",
		  true, "InternalError" },
		{ "slow down, after blanks",
		  " \n \n<?xml version=\"1.0\"?><Error>"
		  "<Code>SlowDown</Code></Error>",
		  true, "SlowDown" },
		{ "empty", "", true, "" },
		{ "cut short", "<CopyObjectResult><ETag>", true, "" },
		{ "denied", "<Error><Code>AccessDenied</Code></Error>", false,
		  "AccessDenied" },
	};
	struct s3_metadata metadata = { .content_type = "text/html" };
	struct fixture *f = *state;

	aws_request_release(&f->req);
	s3_copy_request(&f->req, "bucket", "a b", &metadata, "\"e\"");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t before = f->fake.seen.len;

		fake_http_expect(&f->fake, "PUT", "/a%20b", 200, NULL, cases[i].body);
		if (cases[i].again)
			fake_http_expect(&f->fake, "PUT", "/a%20b", 200, NULL,
					 "  <CopyObjectResult><ETag>\"new\"</ETag>"
					 "</CopyObjectResult>");
		assert_int_equal(send(f), cases[i].again ? 0 : -1);
		assert_int_equal(f->fake.seen.len, before + (cases[i].again ? 2 : 1));
		if (cases[i].again)
			assert_string_equal(s3_etag(&f->res, true), "\"new\"");
		else
			assert_string_equal(f->err.service_code, cases[i].code);
	}
}

static void test_aws_client__200_with_an_error_for_ever(void **state)
{
	struct fixture *f = *state;
	struct s3_write write = { .bucket = "bucket", .key = "k" };
	const char *const etags[] = { "\"1\"" };

	aws_request_release(&f->req);
	s3_multipart_complete_request(&f->req, &write, "id", etags, 1);
	fake_http_expect(&f->fake, "POST", "uploadId=id", 200, NULL,
			 "<Error><Code>InternalError</Code></Error>")
		->times = 5;
	assert_int_equal(send(f), -1);
	assert_int_equal(f->err.http_status, 200);
	assert_string_equal(f->err.service_code, "InternalError");
}

/* What a guest network answers to everything is no object. */
static void test_aws_client__a_head_has_an_etag(void **state)
{
	struct fixture *f = *state;

	aws_request_release(&f->req);
	s3_head_request(&f->req, "bucket", "k");
	fake_http_expect(&f->fake, "HEAD", NULL, 200, "Content-Type: text/html", NULL)
		->times = 5;
	assert_int_equal(send(f), -1);
	assert_int_equal(f->err.code, ERR_NETWORK);
	assert_int_equal(f->err.http_status, 200);
	fake_http_expect(&f->fake, "HEAD", NULL, 200, "Content-Type: text/html", NULL);
	fake_http_expect(&f->fake, "HEAD", NULL, 200, "ETag: \"0\"", NULL);
	assert_int_equal(send(f), 0);
}

static void test_aws_client__others_go_on_while_one_waits(void **state)
{
	struct fixture *f = *state;
	struct aws_call calls[3] = { AWS_CALL_INIT, AWS_CALL_INIT, AWS_CALL_INIT };

	for (int i = 0; i < 3; i++)
		s3_get_request(&calls[i].request, "bucket", i ? "good" : "bad", NULL);
	fake_http_expect(&f->fake, NULL, "/bad", 503, "Retry-After: 15", NULL);
	fake_http_expect(&f->fake, NULL, "/good", 200, NULL, "")->times = 2;
	fake_http_expect(&f->fake, NULL, "/bad", 200, NULL, "");
	assert_int_equal(aws_send_all(f->aws, calls, 3, &f->err), 0);
	assert_int_equal(calls[0].attempts, 2);
	assert_string_equal(strrchr(seen(f, 3)->url, '/'), "/bad");
	assert_true(seen(f, 3)->at_ms - START_MS >= 15000);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(calls[i].err.code, ERR_NONE);
		aws_call_release(&calls[i]);
	}
}

static void test_aws_client__throttling_lowers_the_number_at_once(void **state)
{
	enum { N = 64 };
	struct fixture *f = *state;
	struct aws_call *calls = xcalloc(N, sizeof(*calls));
	size_t after_slow;

	for (int i = 0; i < N; i++) {
		calls[i] = (struct aws_call)AWS_CALL_INIT;
		s3_get_request(&calls[i].request, "bucket", "key", NULL);
	}
	fake_http_expect(&f->fake, NULL, NULL, 503, NULL,
			 "<Error><Code>SlowDown</Code></Error>")
		->times = 16;
	fake_http_expect(&f->fake, NULL, NULL, 200, NULL, "")->times = N;
	assert_int_equal(aws_send_all(f->aws, calls, N, &f->err), 0);
	assert_int_equal(f->fake.most_in_flight, 16);
	for (int i = 0; i < N; i++) {
		assert_int_equal(calls[i].err.code, ERR_NONE);
		assert_true(calls[i].attempts <= 3);
		aws_call_release(&calls[i]);
	}
	free(calls);
	/* The next run starts where this one ended. */
	after_slow = f->fake.seen.len;
	assert_int_equal(after_slow, N + 16);
}

static void test_aws_client__cancelled_calls_end(void **state)
{
	static volatile int cancelled;
	struct fixture *f = *state;
	struct aws_call calls[2] = { AWS_CALL_INIT, AWS_CALL_INIT };

	cancelled = 1;
	f->fake.http.cancelled = &cancelled;
	for (int i = 0; i < 2; i++)
		s3_get_request(&calls[i].request, "bucket", "key", NULL);
	assert_int_equal(aws_send_all(f->aws, calls, 2, &f->err), -1);
	assert_int_equal(f->err.code, ERR_CANCELLED);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(calls[i].err.code, ERR_CANCELLED);
		aws_call_release(&calls[i]);
	}
}

static volatile int stop;

static void stop_at_once(void *ctx, const struct fake_seen *seen,
			 struct fake_reply *reply)
{
	bool first = strstr(seen->url, "/0") != NULL;

	(void)ctx;
	*reply = (struct fake_reply){ .status = first ? 503 : 200,
				      .headers = first ? "Retry-After: 10" : NULL };
	stop = !first;
}

/* One waits for its second attempt, one is in flight, one has not begun. */
static void test_aws_client__cancelled_in_the_middle(void **state)
{
	enum { N = 40 };
	struct fixture *f = *state;
	struct aws_call *calls = xcalloc(N, sizeof(*calls));

	stop = 0;
	f->fake.http.cancelled = &stop;
	f->fake.serve = stop_at_once;
	for (int i = 0; i < N; i++) {
		char key[16];

		snprintf(key, sizeof(key), "%d", i);
		calls[i] = (struct aws_call)AWS_CALL_INIT;
		s3_get_request(&calls[i].request, "bucket", key, NULL);
	}
	assert_int_equal(aws_send_all(f->aws, calls, N, &f->err), -1);
	for (int i = 0; i < N; i++) {
		assert_int_equal(calls[i].err.code, ERR_CANCELLED);
		aws_call_release(&calls[i]);
	}
	free(calls);
	/* What must be put away still can be. */
	assert_int_equal(send(f), -1);
	(void)aws_uncancel(f->aws);
	assert_int_equal(send(f), 0);
}

static void test_aws_client__the_number_at_once_grows_again(void **state)
{
	enum { N = 400 };
	struct fixture *f = *state;
	struct aws_call *calls = xcalloc(N, sizeof(*calls));

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < N; i++) {
			calls[i] = (struct aws_call)AWS_CALL_INIT;
			s3_get_request(&calls[i].request, "bucket", "key", NULL);
		}
		if (round == 0)
			fake_http_expect(&f->fake, NULL, NULL, 503, NULL,
					 "<Error><Code>SlowDown</Code></Error>")
				->times = 40;
		fake_http_expect(&f->fake, NULL, NULL, 200, NULL, "")->times = N;
		f->fake.most_in_flight = 0;
		assert_int_equal(aws_send_all(f->aws, calls, N, &f->err), 0);
		for (int i = 0; i < N; i++)
			aws_call_release(&calls[i]);
	}
	free(calls);
	assert_int_equal(f->fake.most_in_flight, 16);
}

static void test_aws_client__line_breaks_in_headers_are_refused(void **state)
{
	struct fixture *f = *state;

	aws_request_header(&f->req, "x-amz-meta-a", "b\r\nx-amz-acl: public-read");
	assert_int_equal(send(f), -1);
	assert_int_equal(f->err.code, ERR_DATA);
}

static void collect(void *ctx, enum log_level level, const char *line)
{
	(void)level;
	buf_str(ctx, line);
}

static void test_aws_client__logs_no_secret(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 20);
	struct log log = { .level = LOG_DEBUG, .sink = collect, .ctx = &text };
	struct aws_options options = { .http = &f->fake.http,
				       .creds = f->creds,
				       .clock = &f->clock.clock,
				       .log = &log,
				       .region = "us-east-1",
				       .env = env };
	CLEANUP_PTR(aws) struct aws *aws = NULL;

	assert_int_equal(aws_new(&options, &aws, &f->err), 0);
	fake_http_expect(&f->fake, NULL, NULL, 403, NULL,
			 "<Error><Code>SignatureDoesNotMatch</Code><Message>m</Message>"
			 "<StringToSign>canary-sts</StringToSign></Error>");
	assert_int_equal(aws_send(aws, &f->req, &f->res, &f->err), -1);
	assert_non_null(strstr(text.data, "GetObject /key"));
	assert_null(strstr(text.data, "canary"));
	assert_null(strstr(text.data, "Signature="));
	assert_null(strstr(f->err.msg, "canary"));
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(test_aws_client__##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(signs_and_answers),
		TEST(retries_what_may_pass),
		TEST(gives_up_after_five),
		TEST(does_not_retry_what_stays),
		TEST(once_is_not_repeated),
		TEST(honours_retry_after),
		TEST(retry_after_a_date_by_the_servers_clock),
		TEST(conflicts_of_writers_are_retried),
		TEST(attempts_are_signed_for_their_own_time),
		TEST(redirects_are_not_followed),
		TEST(answers_over_the_cap_are_not_asked_for_again),
		TEST(deadline_bounds_attempts_and_waits),
		TEST(a_deadline_that_passes_while_it_is_looked_at),
		TEST(timeouts_of_attempts_are_retried),
		TEST(skew_is_known_but_used_when_told),
		TEST(skew_from_a_cache_is_ignored),
		TEST(skew_is_tried_once),
		TEST(finds_the_buckets_region),
		TEST(region_from_body_or_head),
		TEST(a_region_from_outside_cannot_choose_hosts),
		TEST(expired_token_is_renewed_once),
		TEST(200_with_an_error_is_an_error),
		TEST(200_with_an_error_for_ever),
		TEST(a_head_has_an_etag),
		TEST(others_go_on_while_one_waits),
		TEST(throttling_lowers_the_number_at_once),
		TEST(the_number_at_once_grows_again),
		TEST(cancelled_calls_end),
		TEST(cancelled_in_the_middle),
		TEST(line_breaks_in_headers_are_refused),
		TEST(logs_no_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
