#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws/sign.h"
#include "base/str.h"

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct fixture {
	struct aws_keys keys;
	struct endpoint endpoint;
	struct attempt attempt;
	struct aws_request req;
	struct error err;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	secret_set_str(&f->keys.id, "AKIDEXAMPLE");
	secret_set_str(&f->keys.key, "secret");
	f->endpoint = (struct endpoint){ "https", "host.example:8443", "/base",
					 "eu-west-1", "s3" };
	f->req = (struct aws_request)AWS_REQUEST_INIT;
	f->req.service = AWS_S3;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	attempt_release(&f->attempt);
	aws_request_release(&f->req);
	aws_keys_release(&f->keys);
	free(f);
	return 0;
}

static int sign(struct fixture *f, const struct aws_keys *keys)
{
	const struct attempt_options options = {
		.endpoint = &f->endpoint,
		.keys = keys,
		.payload_hash = EMPTY_SHA256,
		.time_ms = INT64_C(1780000000999),
	};

	return attempt_sign(&f->attempt, &f->req, &options, &f->err);
}

static const char *header(const struct fixture *f, const char *name)
{
	const char *value = NULL;
	size_t n = 0;

	for (size_t i = 0; i < f->attempt.http.n_headers; i++) {
		if (!str_eq_nocase(f->attempt.http.headers[i].name, name))
			continue;
		value = f->attempt.http.headers[i].value;
		n++;
	}
	assert_true(n <= 1);
	return value;
}

static void test_sign__url_and_headers(void **state)
{
	struct fixture *f = *state;

	f->req.method = "PUT";
	f->req.path = "/a b/../\xc3\xa9";
	f->req.once = true;
	f->req.max_response = 7;
	aws_request_param(&f->req, "uploads", "");
	aws_request_param(&f->req, "key", "/+ &");
	aws_request_header(&f->req, "If-Match", "\"e\"");
	assert_int_equal(sign(f, &f->keys), 0);
	assert_string_equal(f->attempt.http.url,
			    "https://host.example:8443/base/a%20b/../%C3%A9"
			    "?key=%2F%2B%20%26&uploads=");
	assert_string_equal(f->attempt.http.method, "PUT");
	assert_true(f->attempt.http.fresh);
	assert_int_equal(f->attempt.http.max_response, 7);
	assert_string_equal(header(f, "Host"), "host.example:8443");
	assert_string_equal(header(f, "If-Match"), "\"e\"");
	assert_string_equal(header(f, "x-amz-date"), "20260528T202640Z");
	assert_string_equal(header(f, "x-amz-content-sha256"), EMPTY_SHA256);
	assert_true(
		str_starts(header(f, "Authorization"),
			   "AWS4-HMAC-SHA256 "
			   "Credential=AKIDEXAMPLE/20260528/eu-west-1/s3/aws4_request"));
	assert_non_null(strstr(header(f, "Authorization"), "if-match"));
	assert_null(header(f, "x-amz-security-token"));
}

/* The token of the attempt is its own: the keys may be renewed meanwhile. */
static void test_sign__a_token_is_copied(void **state)
{
	struct fixture *f = *state;

	secret_set_str(&f->keys.token, "token-1");
	assert_int_equal(sign(f, &f->keys), 0);
	secret_set_str(&f->keys.token, "token-2");
	assert_string_equal(header(f, "x-amz-security-token"), "token-1");
	assert_int_equal(sign(f, &f->keys), 0);
	assert_string_equal(header(f, "x-amz-security-token"), "token-2");
}

static void test_sign__anonymous(void **state)
{
	struct fixture *f = *state;

	f->req.service = AWS_STS;
	assert_int_equal(sign(f, NULL), 0);
	assert_int_equal(f->attempt.http.n_headers, 1);
	assert_string_equal(header(f, "Host"), "host.example:8443");
}

static void test_sign__refuses(void **state)
{
	struct fixture *f = *state;
	char *path = xcalloc(1, 8000);

	/* Each byte becomes three. */
	memset(path, ' ', 7999);
	path[0] = '/';
	f->req.path = path;
	assert_int_equal(sign(f, &f->keys), -1);
	assert_int_equal(f->err.code, ERR_TOO_BIG);
	f->req.path = "/";
	for (int i = 0; i < 20; i++)
		aws_request_param(&f->req, "a", path);
	assert_int_equal(sign(f, &f->keys), -1);
	assert_int_equal(f->err.code, ERR_TOO_BIG);
	f->req.query.len = 0;
	aws_request_header(&f->req, "x-amz-meta-a", "b\nc");
	assert_int_equal(sign(f, &f->keys), -1);
	assert_int_equal(f->err.code, ERR_DATA);
	free(path);
}

static void test_sign__hashes_bodies(void **state)
{
	static const char hello[] =
		"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
	struct http_body body = { .bytes = "hello", .len = 5 };
	struct error err = ERROR_INIT;
	FILE *file = tmpfile();
	char hex[65];

	(void)state;
	assert_int_equal(attempt_hash_body(&body, hex, &err), 0);
	assert_string_equal(hex, hello);
	body = (struct http_body){ .bytes = "", .len = 0 };
	assert_int_equal(attempt_hash_body(&body, hex, &err), 0);
	assert_string_equal(hex, EMPTY_SHA256);
	body = (struct http_body){ .bytes = NULL };
	assert_int_equal(attempt_hash_body(&body, hex, &err), 0);
	assert_string_equal(hex, EMPTY_SHA256);
	/* A part of a file, and one that is longer than a piece that is read at once. */
	assert_non_null(file);
	for (int i = 0; i < 20000; i++)
		assert_true(fputs("xyz", file) >= 0);
	assert_true(fputs("hello", file) >= 0 && fflush(file) == 0);
	body = (struct http_body){ .fd = fileno(file), .offset = 60000, .len = 5 };
	assert_int_equal(attempt_hash_body(&body, hex, &err), 0);
	assert_string_equal(hex, hello);
	body = (struct http_body){ .fd = fileno(file), .len = 60000 };
	assert_int_equal(attempt_hash_body(&body, hex, &err), 0);
	assert_string_equal(
		hex, "6411e65ad780b34d129e643032440fd8ae6cc6ffed06dbd603a2d8113a92e248");
	body.len = 60006;
	assert_int_equal(attempt_hash_body(&body, hex, &err), -1);
	assert_int_equal(err.code, ERR_IO);
	fclose(file);
	body.fd = -1;
	assert_int_equal(attempt_hash_body(&body, hex, &err), -1);
	assert_int_equal(err.code, ERR_IO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_sign__##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(url_and_headers),
		TEST(a_token_is_copied),
		TEST(anonymous),
		TEST(refuses),
		cmocka_unit_test(test_sign__hashes_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
