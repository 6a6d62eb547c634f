#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws_fixture.h"
#include "run/artifacts.h"

#define BUCKET  "crc-artifacts-123456789012-eu-west-1"
#define MISSING "<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>"
#define DENIED  "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
/* Of "zip". */
#define SHA256  "SnD+mqZDbgLC3qNA+9HjUuTvLYzmylKtJdS5VHH8i/I="

struct fixture {
	struct aws_fixture aws;
	struct arena arena;
	struct progress progress;
	struct watch watch;
	struct artifacts artifacts;
	size_t ticks;
	char told[200];
};

static int on_tick(void *ctx, struct error *err)
{
	(void)err;
	((struct fixture *)ctx)->ticks++;
	return 0;
}

static void on_waiting(void *ctx, const char *text)
{
	struct fixture *f = ctx;

	assert_true(str_copy(f->told, sizeof(f->told), text));
}

static int setup(void **state)
{
	static const char *const env[] = { "AWS_ENDPOINT_URL=http://cloud.test", NULL };
	struct fixture *f = xcalloc(1, sizeof(*f));

	aws_fixture_start_env(&f->aws, env, 1);
	f->progress = (struct progress){ .ctx = f, .waiting = on_waiting };
	f->watch = (struct watch){ f->aws.aws, &f->progress, on_tick, f };
	f->artifacts = (struct artifacts){ &f->watch, BUCKET, "eu-west-1", "123456789012",
					   true };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	arena_release(&f->arena);
	aws_fixture_end(&f->aws);
	free(f);
	return 0;
}

static void expect(struct fixture *f, const char *method, const char *url, int status,
		   const char *headers, const char *body)
{
	fake_http_expect(&f->aws.fake, method, url, status, headers, body);
}

static int put(struct fixture *f)
{
	error_clear(&f->aws.err);
	return artifacts_put(&f->artifacts, "crc/k.zip", "zip", 3, &f->aws.err);
}

static void must_put(struct fixture *f)
{
	if (put(f) < 0)
		fail_msg("%s", f->aws.err.msg);
}

static void assert_error(struct fixture *f, enum error_code code, const char *text)
{
	if (f->aws.err.code != code || !strstr(f->aws.err.msg, text))
		fail_msg("%d %s\nlacks: %s", f->aws.err.code, f->aws.err.msg, text);
}

static void names_and_addresses(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(
		artifacts_default_bucket(&f->arena, "123456789012", "eu-west-1"), BUCKET);
	assert_string_equal(artifacts_url(&f->artifacts, "crc/a b.template", &f->arena),
			    "https://s3.eu-west-1.amazonaws.com/" BUCKET
			    "/crc/a%20b.template");
	f->artifacts.region = "cn-north-1";
	assert_string_equal(artifacts_url(&f->artifacts, "x", &f->arena),
			    "https://s3.cn-north-1.amazonaws.com.cn/" BUCKET "/x");
}

#define ETAG "ETag: \"e\"\n"

static void what_is_there_is_found_with_its_sum(void **state)
{
	static const struct {
		int status;
		const char *headers, *expected;
	} cases[] = {
		{ 404, NULL, NULL },
		{ 200, ETAG "x-amz-checksum-sha256: " SHA256 "\n", SHA256 },
		{ 200, ETAG, "" },
		{ 200, ETAG "x-amz-meta-sha256: " SHA256 "\n", SHA256 },
		{ 200,
		  ETAG "x-amz-checksum-sha256: AAAA-3\nx-amz-meta-sha256: " SHA256 "\n",
		  SHA256 },
		{ 200, ETAG "x-amz-checksum-sha256: AAAA-3\n", "" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *sha256 = "x";

		expect(f, "HEAD", "/" BUCKET "/crc/k.zip", cases[i].status,
		       cases[i].headers, "");
		if (artifacts_find(&f->artifacts, "crc/k.zip", &f->arena, &sha256,
				   &f->aws.err) < 0)
			fail_msg("%zu: %s", i, f->aws.err.msg);
		if (!str_eq(sha256, cases[i].expected))
			fail_msg("%zu: %s", i, sha256);
		assert_seen_header(aws_fixture_seen(&f->aws, i), "x-amz-checksum-mode",
				   "ENABLED");
		assert_seen_header(aws_fixture_seen(&f->aws, i),
				   "x-amz-expected-bucket-owner", "123456789012");
	}
	assert_int_equal(f->ticks, 6);
}

static void what_may_not_be_looked_at_says_why(void **state)
{
	struct fixture *f = *state;
	const char *sha256 = "x";

	expect(f, "HEAD", "/k", 403, NULL, "");
	assert_int_equal(
		artifacts_find(&f->artifacts, "k", &f->arena, &sha256, &f->aws.err), -1);
	assert_null(sha256);
	assert_error(
		f, ERR_FORBIDDEN,
		"not allowed to look into the bucket " BUCKET
		" for code and templates: the role needs s3:ListBucket on arn:aws:s3:::" BUCKET
		" and s3:GetObject on arn:aws:s3:::" BUCKET
		"/*; if the bucket is not of account 123456789012, name one that is with "
		"`artifacts:` in crc.yml (");
}

static void an_object_is_written_once_with_its_sum(void **state)
{
	struct fixture *f = *state;
	const struct fake_seen *seen;

	expect(f, "PUT", "/" BUCKET "/crc/k.zip", 200, "ETag: \"e\"\n", "");
	must_put(f);
	seen = aws_fixture_seen(&f->aws, 0);
	assert_string_equal(seen->body, "zip");
	assert_seen_header(seen, "If-None-Match", "*");
	assert_seen_header(seen, "Content-Type", "application/zip");
	assert_seen_header(seen, "x-amz-checksum-sha256", SHA256);
	assert_seen_header(seen, "x-amz-expected-bucket-owner", "123456789012");
	expect(f, "PUT", "/" BUCKET "/crc/k.zip", 412, NULL, "");
	f->artifacts.account = NULL;
	must_put(f);
	assert_seen_header(aws_fixture_seen(&f->aws, 1), "x-amz-expected-bucket-owner",
			   NULL);
	assert_string_equal(f->told, "");
}

static void expect_settings(struct fixture *f)
{
	expect(f, "PUT", "/" BUCKET "?publicAccessBlock=", 200, NULL, "");
	expect(f, "PUT", "/" BUCKET "?policy=", 204, NULL, "");
	expect(f, "PUT", "/" BUCKET "?lifecycle=", 200, NULL, "");
}

static void the_default_bucket_is_made_on_first_need(void **state)
{
	struct fixture *f = *state;

	expect(f, "PUT", "/" BUCKET "/crc/k.zip", 404, NULL, MISSING);
	expect(f, "PUT", "http://cloud.test/" BUCKET, 200, NULL, "");
	expect_settings(f);
	/* Not everybody has heard of it yet. */
	expect(f, "PUT", "/" BUCKET "/crc/k.zip", 404, NULL, MISSING);
	expect(f, "PUT", "/" BUCKET "/crc/k.zip", 200, "ETag: \"e\"\n", "");
	must_put(f);
	assert_string_equal(f->told, "making the bucket " BUCKET
				     " for code and templates: private, encrypted, TLS "
				     "only");
	assert_non_null(strstr(aws_fixture_seen(&f->aws, 1)->body,
			       "<LocationConstraint>eu-west-1</LocationConstraint>"));
	assert_non_null(strstr(aws_fixture_seen(&f->aws, 2)->body,
			       "<RestrictPublicBuckets>true</RestrictPublicBuckets>"));
	assert_non_null(strstr(aws_fixture_seen(&f->aws, 3)->body,
			       "[\"arn:aws:s3:::" BUCKET "\",\"arn:aws:s3:::" BUCKET
			       "/*\"],\"Condition\":{\"Bool\":{\"aws:SecureTransport\":"
			       "\"false\"}}"));
	assert_non_null(strstr(aws_fixture_seen(&f->aws, 4)->body,
			       "<DaysAfterInitiation>1</DaysAfterInitiation>"));
	assert_seen_header(aws_fixture_seen(&f->aws, 4), "x-amz-expected-bucket-owner",
			   "123456789012");
	assert_true(f->aws.clock.now_ms > FIXTURE_MS + 1000);
}

static void two_runs_may_make_it_at_once(void **state)
{
	struct fixture *f = *state;

	f->artifacts.region = "us-east-1";
	expect(f, "PUT", "/crc/k.zip", 404, NULL, MISSING);
	expect(f, "PUT", "http://cloud.test/" BUCKET, 409, NULL,
	       "<Error><Code>BucketAlreadyOwnedByYou</Code></Error>");
	expect_settings(f);
	expect(f, "PUT", "/crc/k.zip", 412, NULL, "");
	must_put(f);
	assert_int_equal(aws_fixture_seen(&f->aws, 1)->body_len, 0);
}

static void a_bucket_that_cannot_be_made_says_why(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum error_code code;
		const char *message;
	} cases[] = {
		{ 403, DENIED, ERR_FORBIDDEN,
		  "not allowed to make the bucket " BUCKET " for code and templates: the "
		  "role needs s3:CreateBucket on arn:aws:s3:::" BUCKET ", or" },
		{ 409, "<Error><Code>BucketAlreadyExists</Code></Error>", ERR_CONFIG,
		  "somebody else has a bucket named " BUCKET },
		{ 400, "<Error><Code>TooManyBuckets</Code></Error>", ERR_SERVICE,
		  "TooManyBuckets" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		expect(f, "PUT", "/crc/k.zip", 404, NULL, MISSING);
		expect(f, "PUT", "http://cloud.test/" BUCKET, cases[i].status, NULL,
		       cases[i].body);
		assert_int_equal(put(f), -1);
		assert_error(f, cases[i].code, cases[i].message);
	}
}

static void a_bucket_that_cannot_be_set_up_is_given_up(void **state)
{
	struct fixture *f = *state;

	expect(f, "PUT", "/crc/k.zip", 404, NULL, MISSING);
	expect(f, "PUT", "http://cloud.test/" BUCKET, 200, NULL, "");
	expect(f, "PUT", "?publicAccessBlock=", 200, NULL, "");
	expect(f, "PUT", "?policy=", 403, NULL, DENIED);
	expect(f, "DELETE", "http://cloud.test/" BUCKET, 204, NULL, "");
	assert_int_equal(put(f), -1);
	assert_error(f, ERR_FORBIDDEN,
		     "needs s3:PutBucketPolicy on arn:aws:s3:::" BUCKET
		     ", or `artifacts:`");
}

static void a_bucket_of_the_users_is_never_made(void **state)
{
	struct fixture *f = *state;
	const char *sha256 = "x";

	f->artifacts.is_default = false;
	f->artifacts.bucket = "mine";
	expect(f, "HEAD", "/mine/k", 404, NULL, "");
	assert_int_equal(
		artifacts_find(&f->artifacts, "k", &f->arena, &sha256, &f->aws.err), 0);
	assert_null(sha256);
	expect(f, "PUT", "/mine/crc/k.zip", 404, NULL, MISSING);
	assert_int_equal(put(f), -1);
	assert_error(f, ERR_CONFIG,
		     "there is no bucket mine: make it, correct `artifacts:`");
	expect(f, "PUT", "/mine/crc/k.zip", 403, NULL, DENIED);
	assert_int_equal(put(f), -1);
	assert_error(f, ERR_FORBIDDEN,
		     "needs s3:PutObject on arn:aws:s3:::mine/*; if the "
		     "bucket is not of account");
}

static void nobody_waits_for_ever(void **state)
{
	struct fixture *f = *state;

	expect(f, "PUT", "/crc/k.zip", 404, NULL, MISSING);
	expect(f, "PUT", "http://cloud.test/" BUCKET, 200, NULL, "");
	expect_settings(f);
	fake_http_expect(&f->aws.fake, "PUT", "/crc/k.zip", 404, NULL, MISSING)->times =
		-1;
	assert_int_equal(put(f), -1);
	assert_error(f, ERR_NOT_FOUND, "the bucket " BUCKET);
	assert_in_range(f->aws.fake.seen.len, 10, 20);
}

/* A large object, in three parts. */

enum { LARGE = (32 << 20) + 5 };

static int put_large(struct fixture *f)
{
	CLEANUP_PTR(mem) char *bytes = xcalloc(LARGE, 1);

	error_clear(&f->aws.err);
	bytes[LARGE - 1] = 'x';
	return artifacts_put(&f->artifacts, "crc/l.zip", bytes, LARGE, &f->aws.err);
}

static void expect_parts(struct fixture *f)
{
	expect(f, "POST", "/crc/l.zip?uploads=", 200, NULL,
	       "<InitiateMultipartUploadResult><UploadId>u1</UploadId>"
	       "</InitiateMultipartUploadResult>");
	expect(f, "PUT", "partNumber=1&uploadId=u1", 200, "ETag: \"1\"\n", "");
	expect(f, "PUT", "partNumber=2&uploadId=u1", 200, "ETag: \"2\"\n", "");
	expect(f, "PUT", "partNumber=3&uploadId=u1", 200, "ETag: \"3\"\n", "");
}

static void a_large_object_goes_in_parts(void **state)
{
	struct fixture *f = *state;
	char value[100];

	expect_parts(f);
	expect(f, "POST", "/crc/l.zip?uploadId=u1", 200, NULL,
	       "<CompleteMultipartUploadResult><ETag>e</ETag>"
	       "</CompleteMultipartUploadResult>");
	if (put_large(f) < 0)
		fail_msg("%s", f->aws.err.msg);
	assert_int_equal(f->ticks, 5);
	assert_true(fake_seen_header(aws_fixture_seen(&f->aws, 0), "x-amz-meta-sha256",
				     value, sizeof(value)));
	assert_int_equal(strlen(value), 44);
	assert_int_equal(aws_fixture_seen(&f->aws, 1)->body_len, 16 << 20);
	assert_int_equal(aws_fixture_seen(&f->aws, 3)->body_len, 5);
	assert_seen_header(aws_fixture_seen(&f->aws, 4), "If-None-Match", "*");
	for (size_t i = 0; i < 5; i++)
		assert_seen_header(aws_fixture_seen(&f->aws, i),
				   "x-amz-expected-bucket-owner", "123456789012");
}

static void an_upload_that_fails_is_aborted(void **state)
{
	struct fixture *f = *state;

	expect_parts(f);
	expect(f, "POST", "/crc/l.zip?uploadId=u1", 412, NULL, "");
	expect(f, "DELETE", "/crc/l.zip?uploadId=u1", 204, NULL, "");
	/* It was there already. */
	assert_int_equal(put_large(f), 0);
	expect_parts(f);
	expect(f, "POST", "/crc/l.zip?uploadId=u1", 403, NULL, DENIED);
	expect(f, "DELETE", "/crc/l.zip?uploadId=u1", 204, NULL, "");
	assert_int_equal(put_large(f), -1);
	assert_error(f, ERR_FORBIDDEN, "s3:PutObject");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(names_and_addresses),
		CASE(what_is_there_is_found_with_its_sum),
		CASE(what_may_not_be_looked_at_says_why),
		CASE(an_object_is_written_once_with_its_sum),
		CASE(the_default_bucket_is_made_on_first_need),
		CASE(two_runs_may_make_it_at_once),
		CASE(a_bucket_that_cannot_be_made_says_why),
		CASE(a_bucket_that_cannot_be_set_up_is_given_up),
		CASE(a_bucket_of_the_users_is_never_made),
		CASE(nobody_waits_for_ever),
		CASE(a_large_object_goes_in_parts),
		CASE(an_upload_that_fails_is_aborted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
