#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "aws/endpoint.h"

/* "https://host/base region", or what kind of error. */
static const char *resolve(const struct endpoint_settings *settings,
			   enum aws_service service, const char *region,
			   const char *bucket)
{
	const struct endpoint_target target = { service, region, bucket };
	static char text[600];
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	struct error err = ERROR_INIT;
	struct endpoint e;

	if (endpoint_resolve(settings, &target, &arena, &e, &err) < 0)
		return error_code_name(err.code);
	snprintf(text, sizeof(text), "%s://%s%s %s", e.scheme, e.host, e.base_path,
		 e.region);
	return text;
}

struct row {
	enum aws_service service;
	const char *region, *bucket;
	bool fips, dualstack;
	const char *expected;
};

static void check(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct endpoint_settings s = { .fips = rows[i].fips,
					       .dualstack = rows[i].dualstack };

		assert_string_equal(
			resolve(&s, rows[i].service, rows[i].region, rows[i].bucket),
			rows[i].expected);
	}
}

static void test_endpoint__of_buckets(void **state)
{
	static const struct row rows[] = {
		{ AWS_S3, "us-east-1", "bkt", 0, 0,
		  "https://bkt.s3.us-east-1.amazonaws.com us-east-1" },
		{ AWS_S3, "eu-west-1", NULL, 0, 0,
		  "https://s3.eu-west-1.amazonaws.com eu-west-1" },
		{ AWS_S3, "eu-west-1", "www.example.com", 0, 0,
		  "https://s3.eu-west-1.amazonaws.com/www.example.com eu-west-1" },
		{ AWS_S3, "us-east-1", "Old_Name", 0, 0,
		  "https://s3.us-east-1.amazonaws.com/Old_Name us-east-1" },
		{ AWS_S3, "us-east-1", "bkt", 1, 1,
		  "https://bkt.s3-fips.dualstack.us-east-1.amazonaws.com us-east-1" },
		{ AWS_S3, "cn-north-1", "bkt", 0, 0,
		  "https://bkt.s3.cn-north-1.amazonaws.com.cn cn-north-1" },
		{ AWS_S3, "us-iso-east-1", "bkt", 0, 0,
		  "https://bkt.s3.us-iso-east-1.c2s.ic.gov us-iso-east-1" },
	};

	(void)state;
	check(rows, sizeof(rows) / sizeof(*rows));
}

static void test_endpoint__of_other_services(void **state)
{
	static const struct row rows[] = {
		{ AWS_CLOUDFRONT, "eu-west-1", NULL, 0, 0,
		  "https://cloudfront.amazonaws.com us-east-1" },
		{ AWS_CLOUDFRONT, NULL, NULL, 0, 0,
		  "https://cloudfront.amazonaws.com us-east-1" },
		{ AWS_CLOUDFRONT, "us-east-1", NULL, 1, 1,
		  "https://cloudfront-fips.global.api.aws us-east-1" },
		{ AWS_CLOUDFRONT, "cn-north-1", NULL, 0, 0,
		  "https://cloudfront.cn-northwest-1.amazonaws.com.cn cn-northwest-1" },
		{ AWS_CLOUDFRONT, "cn-north-1", NULL, 0, 1,
		  "https://cloudfront.api.amazonwebservices.com.cn cn-northwest-1" },
		{ AWS_CLOUDFRONT, "us-gov-west-1", NULL, 0, 0,
		  "https://cloudfront.amazonaws.com us-gov-west-1" },
		{ AWS_STS, "eu-west-1", NULL, 0, 0,
		  "https://sts.eu-west-1.amazonaws.com eu-west-1" },
		{ AWS_STS, "us-gov-west-1", NULL, 1, 0,
		  "https://sts.us-gov-west-1.amazonaws.com us-gov-west-1" },
		{ AWS_STS, "us-gov-west-1", NULL, 1, 1,
		  "https://sts-fips.us-gov-west-1.api.aws us-gov-west-1" },
		{ AWS_CLOUDFORMATION, "us-east-1", NULL, 1, 0,
		  "https://cloudformation-fips.us-east-1.amazonaws.com us-east-1" },
		{ AWS_LAMBDA, "us-gov-west-1", NULL, 1, 0,
		  "https://lambda-fips.us-gov-west-1.amazonaws.com us-gov-west-1" },
		{ AWS_LAMBDA, "eu-west-1", NULL, 0, 1,
		  "https://lambda.eu-west-1.api.aws eu-west-1" },
	};

	(void)state;
	check(rows, sizeof(rows) / sizeof(*rows));
}

static void test_endpoint__refuses(void **state)
{
	static const struct row rows[] = {
		{ AWS_S3, "cn-north-1", "bkt", 1, 0, "unsupported" },
		{ AWS_S3, "us-east-1", "arn:aws:s3:::x", 0, 0, "unsupported" },
		{ AWS_S3, "us-east-1", "b--use1-az4--x-s3", 0, 0, "unsupported" },
		{ AWS_S3, "us-east-1", "a/b", 0, 0, "config" },
		{ AWS_S3, "us-east-1", "..", 0, 0, "config" },
		{ AWS_S3, "us-east-1", "", 0, 0, "config" },
		{ AWS_S3, "", "bkt", 0, 0, "config" },
		{ AWS_S3, "x@evil.example/", "bkt", 0, 0, "config" },
	};

	(void)state;
	check(rows, sizeof(rows) / sizeof(*rows));
}

static const char *profile_url(void *ctx, const char *service)
{
	(void)ctx;
	if (!service)
		return "http://profile";
	return strcmp(service, "sts") == 0 ? "http://profile-sts" : NULL;
}

static void test_endpoint__settings(void **state)
{
	static const char *const all[] = {
		"AWS_ENDPOINT_URL=http://all", "AWS_ENDPOINT_URL_S3=http://only-s3",
		"AWS_ENDPOINT_URL_LAMBDA=", "AWS_USE_FIPS_ENDPOINT=TRUE", NULL
	};
	static const char *const none[] = { "AWS_ENDPOINT_URL_S3X=http://other", NULL };
	static const char *const ignored[] = { "AWS_ENDPOINT_URL=http://all",
					       "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true",
					       NULL };
	struct endpoint_settings s;

	(void)state;
	endpoint_settings_read(all, profile_url, NULL, &s);
	assert_string_equal(s.url[AWS_S3], "http://only-s3");
	assert_string_equal(s.url[AWS_STS], "http://all");
	assert_string_equal(s.url[AWS_LAMBDA], "http://all");
	assert_true(s.fips);
	assert_false(s.dualstack);
	endpoint_settings_read(none, profile_url, NULL, &s);
	assert_string_equal(s.url[AWS_S3], "http://profile");
	assert_string_equal(s.url[AWS_STS], "http://profile-sts");
	endpoint_settings_read(ignored, profile_url, NULL, &s);
	assert_null(s.url[AWS_S3]);
	endpoint_settings_read(NULL, NULL, NULL, &s);
	assert_null(s.url[AWS_S3]);
}

static void test_endpoint__custom(void **state)
{
	static const struct {
		const char *url, *bucket, *expected;
	} cases[] = {
		{ "http://127.0.0.1:4566", "bkt", "http://127.0.0.1:4566/bkt us-east-1" },
		{ "http://[::1]:80/", "bkt", "http://[::1]:80/bkt us-east-1" },
		{ "https://store.example/base/", "a.b",
		  "https://store.example/base/a.b us-east-1" },
		{ "https://store.example", NULL, "https://store.example us-east-1" },
		{ "https://store.example/?x=1", "bkt", "config" },
		{ "ftp://store.example", "bkt", "config" },
		{ "store.example", "bkt", "config" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct endpoint_settings s = { .url = { [AWS_S3] = cases[i].url } };

		assert_string_equal(resolve(&s, AWS_S3, "us-east-1", cases[i].bucket),
				    cases[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_endpoint__of_buckets),
		cmocka_unit_test(test_endpoint__of_other_services),
		cmocka_unit_test(test_endpoint__refuses),
		cmocka_unit_test(test_endpoint__settings),
		cmocka_unit_test(test_endpoint__custom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
