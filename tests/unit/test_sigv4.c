#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "codec/sigv4.h"

#define COUNT(a)    (sizeof(a) / sizeof(*(a)))
#define PAIRS(name) .n_##name = COUNT(name), .name = name

enum { MAY_2013 = 1369353600, AUGUST_2015 = 1440938160 };

static const struct sigv4_scope s3_scope = { "us-east-1", "s3", MAY_2013 };
static const struct sigv4_scope suite_scope = { "us-east-1", "service", AUGUST_2015 };

/* The key pairs of AWS's examples. */
struct keys {
	struct secret secret;
	struct secret token;
	struct sigv4_key key;
};

static void keys_init(struct keys *k, const char *id, const char *secret)
{
	*k = (struct keys){ .secret = SECRET_INIT, .token = SECRET_INIT };
	secret_set_str(&k->secret, secret);
	k->key = (struct sigv4_key){ id, &k->secret, &k->token };
}

static void keys_release(struct keys *k)
{
	secret_release(&k->secret);
	secret_release(&k->token);
}

static void s3_keys(struct keys *k)
{
	keys_init(k, "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
}

static void suite_keys(struct keys *k)
{
	keys_init(k, "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
}

static const char *value_of(const struct sigv4_pair *pairs, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(pairs[i].name, name) == 0)
			return pairs[i].value;
	return NULL;
}

static void test_sigv4__time(void **state)
{
	static const struct {
		int64_t time_s;
		const char *text;
	} cases[] = {
		{ 0, "19700101T000000Z" },
		{ MAY_2013, "20130524T000000Z" },
		{ 951782399, "20000228T235959Z" },
		{ 951782400, "20000229T000000Z" },
		{ 951868800, "20000301T000000Z" },
		{ 1709251199, "20240229T235959Z" },
		{ 1735689599, "20241231T235959Z" },
		{ 4107542399, "21000228T235959Z" },
		{ 4107542400, "21000301T000000Z" },
		{ 253402300799, "99991231T235959Z" },
		{ 253402300800, "99991231T235959Z" },
		{ INT64_MAX, "99991231T235959Z" },
		{ -1, "19700101T000000Z" },
		{ INT64_MIN, "19700101T000000Z" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[SIGV4_TIME_SIZE];

		sigv4_time(cases[i].time_s, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_sigv4__query_is_sorted_encoded(void **state)
{
	static const struct sigv4_pair query[] = {
		{ "k", "b" },   { "k.", "1" }, { "uploads", "" }, { "k", "" },
		{ "k-", "2" },  { "k", "a" },  { "~", "/" },      { "\xc3\xa9", "+ " },
		{ "K", "%2F" }, { "=", "=" },
	};
	CLEANUP(buf) struct buf out = BUF_INIT(1000);

	(void)state;
	sigv4_query(query, COUNT(query), &out);
	assert_string_equal(out.data,
			    "%3D=%3D&%C3%A9=%2B%20&K=%252F&k=&k=a&k=b&k-=2&k.=1&"
			    "uploads=&~=%2F");
	buf_clear(&out);
	sigv4_query(NULL, 0, &out);
	assert_string_equal(out.data, "");
}

static void test_sigv4__paths(void **state)
{
	static const struct {
		const char *path;
		const char *s3;
		const char *general;
	} cases[] = {
		{ "", "/", "/" },
		{ "/", "/", "/" },
		{ "//", "//", "/" },
		{ "/a//b/", "/a//b/", "/a/b/" },
		{ "/./a/./b", "/./a/./b", "/a/b" },
		{ "/a/../b", "/a/../b", "/b" },
		{ "/../..", "/../..", "/" },
		{ "/a/b/..", "/a/b/..", "/a" },
		{ "/a/b/../", "/a/b/../", "/a/" },
		{ "/...", "/...", "/..." },
		{ "/a/.b/..c", "/a/.b/..c", "/a/.b/..c" },
		{ "/%20%2F%7E", "/%20%2F%7E", "/%2520%252F%257E" },
		{ "/arn%3Aaws/~", "/arn%3Aaws/~", "/arn%253Aaws/~" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(buf) struct buf out = BUF_INIT(1000);
		CLEANUP(buf) struct buf expected = BUF_INIT(1000);
		struct sigv4_request req = { .style = SIGV4_S3,
					     .method = "GET",
					     .host = "h",
					     .path = cases[i].path,
					     .payload_hash = "p" };

		sigv4_canonical_request(&req, &out);
		buf_printf(&expected, "GET\n%s\n\nhost:h\n\nhost\np", cases[i].s3);
		assert_string_equal(out.data, expected.data);
		buf_clear(&out);
		buf_clear(&expected);
		req.style = SIGV4_GENERAL;
		sigv4_canonical_request(&req, &out);
		buf_printf(&expected, "GET\n%s\n\nhost:h\n\nhost\np", cases[i].general);
		assert_string_equal(out.data, expected.data);
	}
}

static void test_sigv4__headers(void **state)
{
	static const struct sigv4_pair headers[] = {
		{ "X-B", "  two \t words  " },
		{ "Expect", "100-continue" },
		{ "x-a", "first" },
		{ "Connection", "close" },
		{ "X-A", "second,  third" },
		{ "User-Agent", "crc" },
		{ "content-type", "" },
		{ "x-a", "first" },
		{ "Transfer-Encoding", "chunked" },
		{ "X-a-b", "line\r\nforged:x" },
	};
	const struct sigv4_request req = { .method = "PUT",
					   .host = "h:8080",
					   .path = "/",
					   PAIRS(headers),
					   .payload_hash = SIGV4_UNSIGNED_PAYLOAD };
	CLEANUP(buf) struct buf out = BUF_INIT(1000);

	(void)state;
	sigv4_canonical_request(&req, &out);
	assert_string_equal(out.data,
			    "PUT\n/\n\ncontent-type:\nhost:h:8080\n"
			    "x-a:first,second, third,first\nx-a-b:line forged:x\n"
			    "x-b:two words\n\ncontent-type;host;x-a;x-a-b;x-b\n"
			    "UNSIGNED-PAYLOAD");
	buf_clear(&out);
	sigv4_signed_headers(&req, &out);
	assert_string_equal(out.data, "content-type;host;x-a;x-a-b;x-b");
}

/* Each stage of an example in AWS's documentation of S3 (GET Object). */
static void test_sigv4__stages(void **state)
{
	static const struct sigv4_pair headers[] = {
		{ "Range", "bytes=0-9" },
		{ "x-amz-content-sha256", SIGV4_EMPTY_PAYLOAD },
		{ "x-amz-date", "20130524T000000Z" },
	};
	const struct sigv4_request req = { .style = SIGV4_S3,
					   .method = "GET",
					   .host = "examplebucket.s3.amazonaws.com",
					   .path = "/test.txt",
					   PAIRS(headers),
					   .payload_hash = SIGV4_EMPTY_PAYLOAD };
	CLEANUP(keys) struct keys k;
	CLEANUP(buf) struct buf canonical = BUF_INIT(1000);
	CLEANUP(buf) struct buf string = BUF_INIT(1000);
	CLEANUP(buf) struct buf authorization = BUF_INIT(1000);
	CLEANUP(secret) struct secret signing_key = SECRET_INIT;
	char signature[SIGV4_SIGNATURE_SIZE];

	(void)state;
	s3_keys(&k);
	sigv4_canonical_request(&req, &canonical);
	assert_string_equal(
		canonical.data,
		"GET\n/test.txt\n\nhost:examplebucket.s3.amazonaws.com\n"
		"range:bytes=0-9\nx-amz-content-sha256:" SIGV4_EMPTY_PAYLOAD
		"\nx-amz-date:20130524T000000Z\n\n"
		"host;range;x-amz-content-sha256;x-amz-date\n" SIGV4_EMPTY_PAYLOAD);
	sigv4_string_to_sign(&s3_scope, canonical.data, canonical.len, &string);
	assert_string_equal(
		string.data,
		"AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n"
		"7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972");
	sigv4_signing_key(&k.secret, &s3_scope, &signing_key);
	sigv4_signature(&signing_key, string.data, string.len, signature);
	assert_string_equal(
		signature,
		"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
	sigv4_authorization("ID", &s3_scope, "host", "sig", &authorization);
	assert_string_equal(authorization.data,
			    "AWS4-HMAC-SHA256 Credential=ID/20130524/us-east-1/s3/"
			    "aws4_request, SignedHeaders=host, Signature=sig");
}

static void test_sigv4__signs_s3(void **state)
{
	static const struct sigv4_pair query[] = { { "prefix", "J" },
						   { "max-keys", "2" } };
	const struct sigv4_request req = { .style = SIGV4_S3,
					   .method = "GET",
					   .host = "examplebucket.s3.amazonaws.com",
					   .path = "/",
					   PAIRS(query),
					   .payload_hash = SIGV4_EMPTY_PAYLOAD };
	CLEANUP(keys) struct keys k;
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	struct sigv4_pair added[SIGV4_ADDED_MOST];

	(void)state;
	s3_keys(&k);
	assert_int_equal(sigv4_sign(&req, &k.key, &s3_scope, &arena, added), 3);
	assert_string_equal(value_of(added, 3, "X-Amz-Date"), "20130524T000000Z");
	assert_string_equal(value_of(added, 3, "X-Amz-Content-SHA256"),
			    SIGV4_EMPTY_PAYLOAD);
	assert_string_equal(
		value_of(added, 3, "Authorization"),
		"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
		"aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
		"Signature="
		"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

/* "get-vanilla" of AWS's test suite. */
static void test_sigv4__signs_other_services(void **state)
{
	const struct sigv4_request req = { .method = "GET",
					   .host = "example.amazonaws.com",
					   .path = "/",
					   .payload_hash = SIGV4_EMPTY_PAYLOAD };
	CLEANUP(keys) struct keys k;
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	struct sigv4_pair added[SIGV4_ADDED_MOST];

	(void)state;
	suite_keys(&k);
	assert_int_equal(sigv4_sign(&req, &k.key, &suite_scope, &arena, added), 2);
	assert_string_equal(
		value_of(added, 2, "Authorization"),
		"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/"
		"aws4_request, SignedHeaders=host;x-amz-date, "
		"Signature="
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

static void test_sigv4__signs_the_token(void **state)
{
	const struct sigv4_request req = { .style = SIGV4_S3,
					   .method = "GET",
					   .host = "h",
					   .path = "/",
					   .payload_hash = SIGV4_UNSIGNED_PAYLOAD };
	CLEANUP(keys) struct keys k;
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(buf) struct buf query = BUF_INIT(1000);
	struct sigv4_pair added[SIGV4_ADDED_MOST];

	(void)state;
	s3_keys(&k);
	secret_set_str(&k.token, "tok/en");
	assert_int_equal(sigv4_sign(&req, &k.key, &s3_scope, &arena, added), 4);
	assert_string_equal(value_of(added, 4, "X-Amz-Security-Token"), "tok/en");
	assert_string_equal(value_of(added, 4, "X-Amz-Content-SHA256"),
			    "UNSIGNED-PAYLOAD");
	assert_non_null(strstr(value_of(added, 4, "Authorization"),
			       "host;x-amz-content-sha256;x-amz-date;"
			       "x-amz-security-token,"));
	sigv4_presign(&req, &k.key, &s3_scope, 60, &query);
	assert_non_null(strstr(query.data, "&X-Amz-Security-Token=tok%2Fen&"));
}

/* The example in AWS's documentation of presigned requests. */
static void test_sigv4__presigns(void **state)
{
	const struct sigv4_request req = { .style = SIGV4_S3,
					   .method = "GET",
					   .host = "examplebucket.s3.amazonaws.com",
					   .path = "/test.txt",
					   .payload_hash = SIGV4_UNSIGNED_PAYLOAD };
	CLEANUP(keys) struct keys k;
	CLEANUP(buf) struct buf query = BUF_INIT(1000);

	(void)state;
	s3_keys(&k);
	sigv4_presign(&req, &k.key, &s3_scope, 86400, &query);
	assert_string_equal(
		query.data,
		"X-Amz-Algorithm=AWS4-HMAC-SHA256&"
		"X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F"
		"20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&"
		"X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
		"aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sigv4__time),
		cmocka_unit_test(test_sigv4__query_is_sorted_encoded),
		cmocka_unit_test(test_sigv4__paths),
		cmocka_unit_test(test_sigv4__headers),
		cmocka_unit_test(test_sigv4__stages),
		cmocka_unit_test(test_sigv4__signs_s3),
		cmocka_unit_test(test_sigv4__signs_other_services),
		cmocka_unit_test(test_sigv4__signs_the_token),
		cmocka_unit_test(test_sigv4__presigns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
