#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws/s3.h"
#include "aws_fixture.h"

#define XMLNS "http://s3.amazonaws.com/doc/2006-03-01/"

/* A request that is built, sent, and released. */
static int send(struct aws_fixture *f, struct aws_request *req, struct http_response *res)
{
	int result = aws_send(f->aws, req, res, &f->err);

	aws_request_release(req);
	return result;
}

static void send_well(struct aws_fixture *f, struct aws_request *req)
{
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;

	if (send(f, req, &res) < 0)
		fail_msg("%s", f->err.msg);
}

static void answer(struct http_response *res, const char *body)
{
	http_response_release(res);
	res->status = 200;
	buf_str(&res->body, body);
}

/* ---- where requests go ---- */

static void test_s3__addressing(void **state)
{
	static const struct {
		const char *env, *bucket, *key, *url;
	} cases[] = {
		{ NULL, "my-bucket", "a/b.html",
		  "https://my-bucket.s3.us-east-1.amazonaws.com/a/b.html" },
		/* No certificate of one wildcard fits these. */
		{ NULL, "www.example.com", "a",
		  "https://s3.us-east-1.amazonaws.com/www.example.com/a" },
		{ NULL, "Old_Name", "a",
		  "https://s3.us-east-1.amazonaws.com/Old_Name/a" },
		{ "AWS_ENDPOINT_URL=http://127.0.0.1:9000", "my-bucket", "a",
		  "http://127.0.0.1:9000/my-bucket/a" },
		{ "AWS_ENDPOINT_URL_S3=https://r2.example/base/", "my-bucket", "a",
		  "https://r2.example/base/my-bucket/a" },
		/* Nothing is normalised. */
		{ NULL, "bucket", "/", "https://bucket.s3.us-east-1.amazonaws.com//" },
		{ NULL, "bucket", "/a//b/../c/./",
		  "https://bucket.s3.us-east-1.amazonaws.com//a//b/../c/./" },
		{ NULL, "a.b", "/", "https://s3.us-east-1.amazonaws.com/a.b//" },
		{ NULL, "bucket", "r\xc3\xa9sum\xc3\xa9 (1)+.pdf?#",
		  "https://bucket.s3.us-east-1.amazonaws.com/"
		  "r%C3%A9sum%C3%A9%20%281%29%2B.pdf%3F%23" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *env[] = { cases[i].env, NULL };
		struct aws_request req = AWS_REQUEST_INIT;
		struct aws_fixture f;

		aws_fixture_start_env(&f, env, 0);
		fake_http_expect(&f.fake, "GET", NULL, 200, NULL, "");
		s3_get_request(&req, cases[i].bucket, cases[i].key, NULL);
		send_well(&f, &req);
		assert_string_equal(f.fake.seen.items[0].url, cases[i].url);
		aws_fixture_end(&f);
	}
}

static bool goes_as_it_is(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~' ||
	       c == '/';
}

static void test_s3__every_byte_of_a_key_is_encoded(void **state)
{
	CLEANUP(buf) struct buf url = BUF_INIT(4096);
	struct s3_metadata metadata = { .content_type = NULL };
	struct aws_request req = AWS_REQUEST_INIT;
	struct aws_fixture *f = *state;
	char key[256] = "";

	buf_str(&url, "https://bucket.s3.us-east-1.amazonaws.com/");
	for (int c = 1; c < 256; c++) {
		key[c - 1] = (char)c;
		buf_printf(&url, goes_as_it_is(c) ? "%c" : "%%%02X", c);
	}
	fake_http_expect(&f->fake, "HEAD", NULL, 200, "ETag: \"0\"", NULL);
	fake_http_expect(&f->fake, "PUT", NULL, 200, NULL, "<CopyObjectResult/>");
	s3_head_request(&req, "bucket", key);
	send_well(f, &req);
	assert_string_equal(aws_fixture_seen(f, 0)->url, url.data);
	/* The source of a copy is encoded the same way, in a header. */
	s3_copy_request(&req, "bucket", key, &metadata, NULL);
	send_well(f, &req);
	assert_string_equal(aws_fixture_seen(f, 1)->url, url.data);
	buf_clear(&url);
	buf_str(&url, "/bucket/");
	for (int c = 1; c < 256; c++)
		buf_printf(&url, goes_as_it_is(c) ? "%c" : "%%%02X", c);
	assert_seen_header(aws_fixture_seen(f, 1), "x-amz-copy-source", url.data);
}

/* ---- single requests ---- */

static const struct http_header others[] = { { "x-amz-meta-owner", "r\xc3\xa9mi" },
					     { "x-amz-storage-class", "STANDARD_IA" } };
static const struct s3_metadata everything = {
	.content_type = "text/html; charset=utf-8",
	.cache_control = "no-store",
	.content_encoding = "gzip",
	.content_disposition = "inline; filename=\"a b.html\"",
	.content_language = "fr",
	.redirect = "/elsewhere",
	.others = others,
	.n_others = 2,
};

static void assert_metadata(const struct fake_seen *seen, bool there)
{
	static const struct http_header expected[] = {
		{ "Content-Type", "text/html; charset=utf-8" },
		{ "Cache-Control", "no-store" },
		{ "Content-Encoding", "gzip" },
		{ "Content-Disposition", "inline; filename=\"a b.html\"" },
		{ "Content-Language", "fr" },
		{ "x-amz-website-redirect-location", "/elsewhere" },
		{ "x-amz-meta-owner", "r\xc3\xa9mi" },
		{ "x-amz-storage-class", "STANDARD_IA" },
	};

	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++)
		assert_seen_header(seen, expected[i].name,
				   there ? expected[i].value : NULL);
}

static void test_s3__put(void **state)
{
	static const char sha256[] =
		"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
	struct s3_write write = {
		.bucket = "bucket",
		.key = "k",
		.body = { .bytes = "hello", .len = 5 },
		.sha256_hex = sha256,
		.metadata = everything,
		.condition.if_match = "\"e1\"",
	};
	struct aws_fixture *f = *state;
	struct aws_request req = AWS_REQUEST_INIT;

	fake_http_expect(&f->fake, "PUT", "/k", 200, "ETag: \"e2\"", "")->times = 3;
	s3_put_request(&req, &write);
	send_well(f, &req);
	assert_string_equal(aws_fixture_seen(f, 0)->body, "hello");
	assert_metadata(aws_fixture_seen(f, 0), true);
	assert_seen_header(aws_fixture_seen(f, 0), "x-amz-content-sha256", sha256);
	assert_seen_header(aws_fixture_seen(f, 0), "If-Match", "\"e1\"");
	assert_seen_header(aws_fixture_seen(f, 0), "If-None-Match", NULL);
	/* The hash is computed where it is not given, and nothing is sent that was not set. */
	write.sha256_hex = NULL;
	write.metadata = (struct s3_metadata){ .content_type = NULL };
	write.condition = (struct s3_condition){ .if_absent = true };
	s3_put_request(&req, &write);
	send_well(f, &req);
	assert_metadata(aws_fixture_seen(f, 1), false);
	assert_seen_header(aws_fixture_seen(f, 1), "x-amz-content-sha256", sha256);
	assert_seen_header(aws_fixture_seen(f, 1), "If-Match", NULL);
	assert_seen_header(aws_fixture_seen(f, 1), "If-None-Match", "*");
	write.condition = (struct s3_condition){ .if_absent = false };
	s3_put_request(&req, &write);
	send_well(f, &req);
	assert_seen_header(aws_fixture_seen(f, 2), "If-None-Match", NULL);
}

/* Nothing of a file is in memory before it is read for the wire. */
static void test_s3__put_from_a_file(void **state)
{
	struct aws_fixture *f = *state;
	struct aws_request req = AWS_REQUEST_INIT;
	FILE *file = tmpfile();
	struct s3_write write = { .bucket = "bucket", .key = "k" };

	assert_non_null(file);
	assert_true(fputs("..hello..", file) >= 0 && fflush(file) == 0);
	write.body = (struct http_body){ .fd = fileno(file), .offset = 2, .len = 5 };
	fake_http_expect(&f->fake, "PUT", "/k", 200, NULL, "");
	s3_put_request(&req, &write);
	assert_null(req.body.bytes);
	send_well(f, &req);
	assert_string_equal(aws_fixture_seen(f, 0)->body, "hello");
	assert_seen_header(
		aws_fixture_seen(f, 0), "x-amz-content-sha256",
		"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
	/* One that has shrunk is not sent. */
	write.body.len = 50;
	s3_put_request(&req, &write);
	assert_int_equal(aws_send(f->aws, &req, &(struct http_response)HTTP_RESPONSE_INIT,
				  &f->err),
			 -1);
	assert_int_equal(f->err.code, ERR_IO);
	aws_request_release(&req);
	fclose(file);
}

static void test_s3__copy_replaces_metadata_in_place(void **state)
{
	struct aws_fixture *f = *state;
	struct aws_request req = AWS_REQUEST_INIT;

	fake_http_expect(&f->fake, "PUT", "/a%20b", 200, NULL, "<CopyObjectResult/>")
		->times = 2;
	s3_copy_request(&req, "bucket", "a b", &everything, "\"e1\"");
	send_well(f, &req);
	assert_metadata(aws_fixture_seen(f, 0), true);
	assert_seen_header(aws_fixture_seen(f, 0), "x-amz-copy-source", "/bucket/a%20b");
	assert_seen_header(aws_fixture_seen(f, 0), "x-amz-metadata-directive", "REPLACE");
	assert_seen_header(aws_fixture_seen(f, 0), "x-amz-copy-source-if-match",
			   "\"e1\"");
	assert_int_equal(aws_fixture_seen(f, 0)->body_len, 0);
	s3_copy_request(&req, "bucket", "a b", &everything, NULL);
	send_well(f, &req);
	assert_seen_header(aws_fixture_seen(f, 1), "x-amz-copy-source-if-match", NULL);
}

static void test_s3__conditions_of_the_others(void **state)
{
	struct aws_fixture *f = *state;
	struct aws_request req = AWS_REQUEST_INIT;

	fake_http_expect(&f->fake, "DELETE", "/k", 204, NULL, NULL)->times = 2;
	fake_http_expect(&f->fake, "GET", "/k", 200, NULL, NULL)->times = 2;
	s3_delete_request(&req, "bucket", "k", "\"e\"");
	send_well(f, &req);
	assert_seen_header(aws_fixture_seen(f, 0), "If-Match", "\"e\"");
	s3_delete_request(&req, "bucket", "k", NULL);
	send_well(f, &req);
	assert_seen_header(aws_fixture_seen(f, 1), "If-Match", NULL);
	s3_get_request(&req, "bucket", "k", "\"e\"");
	send_well(f, &req);
	assert_seen_header(aws_fixture_seen(f, 2), "If-None-Match", "\"e\"");
	s3_get_request(&req, "bucket", "k", NULL);
	send_well(f, &req);
	assert_seen_header(aws_fixture_seen(f, 3), "If-None-Match", NULL);
}

static void test_s3__metadata_cannot_smuggle_headers(void **state)
{
	static const struct s3_metadata bad = {
		.content_type = "text/html\r\nx-amz-acl: public-read",
	};
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct aws_fixture *f = *state;
	struct aws_request req = AWS_REQUEST_INIT;

	s3_copy_request(&req, "bucket", "k", &bad, NULL);
	assert_int_equal(send(f, &req, &res), -1);
	assert_int_equal(f->err.code, ERR_DATA);
}

static void test_s3__etags_of_answers(void **state)
{
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct http_header header = { "eTaG", "\"put\"" };

	(void)state;
	answer(&res, "");
	assert_null(s3_etag(&res, false));
	res.headers = &header;
	res.n_headers = 1;
	assert_string_equal(s3_etag(&res, false), "\"put\"");
	res.headers = NULL;
	res.n_headers = 0;
	/* White space keeps the connection alive while the copy goes on. */
	answer(&res, "\n \r\n<?xml version=\"1.0\"?><CopyObjectResult>"
		     "<ETag>&quot;copied&quot;</ETag></CopyObjectResult>");
	assert_string_equal(s3_etag(&res, true), "\"copied\"");
	answer(&res, "<CopyObjectResult/>");
	assert_null(s3_etag(&res, true));
	answer(&res, "<CopyObjectResult><ETag>");
	assert_null(s3_etag(&res, true));
	answer(&res, "<Error><Code>InternalError</Code><ETag>x</ETag></Error>");
	assert_null(s3_etag(&res, true));
	answer(&res, "<CompleteMultipartUploadResult><ETag>\"m-2\"</ETag>"
		     "</CompleteMultipartUploadResult>");
	assert_string_equal(s3_multipart_etag(&res), "\"m-2\"");
	answer(&res, "<Error/>");
	assert_null(s3_multipart_etag(&res));
}

/* ---- many deletes ---- */

static void test_s3__delete_many(void **state)
{
	static const char *const keys[] = { "a & <b>", "\xc3\xa9" };
	static const char *const etags[] = { NULL, "\"e\"" };
	struct aws_fixture *f = *state;
	struct aws_request req = AWS_REQUEST_INIT;

	fake_http_expect(&f->fake, "POST", "amazonaws.com/?delete=", 200, NULL,
			 "<DeleteResult/>");
	assert_int_equal(s3_delete_many_request(&req, "bucket", keys, etags, 2, &f->err),
			 0);
	send_well(f, &req);
	assert_string_equal(
		aws_fixture_seen(f, 0)->body,
		"<Delete xmlns=\"" XMLNS
		"\"><Object><Key>a &amp; &lt;b&gt;</Key></Object>"
		"<Object><Key>\xc3\xa9</Key><ETag>&quot;e&quot;</ETag></Object>"
		"<Quiet>true</Quiet></Delete>");
	assert_seen_header(aws_fixture_seen(f, 0), "Content-Type", "application/xml");
	/* openssl md5 -binary | base64 */
	assert_seen_header(aws_fixture_seen(f, 0), "Content-MD5",
			   "RsK8WZkCrJXY4IyR8FdO5g==");
}

static void test_s3__delete_many_refuses_what_xml_cannot_carry(void **state)
{
	static const char *const bad[] = { "a\x01",    "a\rb",         "a\nb", "a\tb",
					   "\x7f\xff", "\xef\xbf\xbe", "a\xc3" };
	struct aws_fixture *f = *state;
	struct aws_request req = AWS_REQUEST_INIT;
	const char **many = xcalloc(S3_DELETE_MOST + 1, sizeof(*many));

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const char *keys[] = { "good", bad[i] };

		if (s3_delete_many_request(&req, "bucket", keys, NULL, 2, &f->err) == 0)
			fail_msg("case %zu", i);
		assert_int_equal(f->err.code, ERR_DATA);
	}
	for (size_t i = 0; i <= S3_DELETE_MOST; i++)
		many[i] = "k";
	assert_int_equal(s3_delete_many_request(&req, "bucket", many, NULL,
						S3_DELETE_MOST + 1, &f->err),
			 -1);
	assert_int_equal(f->err.code, ERR_TOO_BIG);
	aws_request_release(&req);
	free(many);
}

/* The largest batch there can be: its body is built whole. */
static void test_s3__delete_many_of_the_longest_keys(void **state)
{
	struct aws_fixture *f = *state;
	struct aws_request req = AWS_REQUEST_INIT;
	const char **keys = xcalloc(S3_DELETE_MOST, sizeof(*keys));
	char key[1025];

	memset(key, '&', 1024);
	key[1024] = '\0';
	for (size_t i = 0; i < S3_DELETE_MOST; i++)
		keys[i] = key;
	assert_int_equal(s3_delete_many_request(&req, "bucket", keys, NULL,
						S3_DELETE_MOST, &f->err),
			 0);
	assert_true(req.body.len > INT64_C(5) * 1024 * S3_DELETE_MOST);
	aws_request_release(&req);
	free(keys);
}

static void note_failed(void *ctx, const char *key, const char *code, const char *message)
{
	buf_printf(ctx, "%s|%s|%s\n", key, code, message);
}

static void test_s3__delete_many_result(void **state)
{
	static const struct {
		const char *body, *failed;
		int result;
	} cases[] = {
		{ "<?xml version=\"1.0\"?>\n<DeleteResult xmlns=\"" XMLNS "\"/>", "", 0 },
		{ "<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b &amp; c</Key>"
		  "<Code>AccessDenied</Code><Message>No</Message></Error>"
		  "<Error><Key>d</Key></Error></DeleteResult>",
		  "b & c|AccessDenied|No\nd||\n", 0 },
		{ "<DeleteResult><Error><Code>X</Code></Error></DeleteResult>", "", -1 },
		{ "<Error><Code>InternalError</Code></Error>", "", -1 },
		{ "<DeleteResult><Error><Key>b</Key>", "", -1 },
		{ "", "", -1 },
		{ "<!DOCTYPE a [<!ENTITY b \"c\">]><DeleteResult/>", "", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
		CLEANUP(buf) struct buf failed = BUF_INIT(4096);
		struct error err = ERROR_INIT;

		answer(&res, cases[i].body);
		if (s3_delete_many_result(&res, note_failed, &failed, &err) !=
		    cases[i].result)
			fail_msg("case %zu: %s", i, err.msg);
		assert_string_equal(failed.data, cases[i].failed);
	}
}

/* ---- lists ---- */

struct visits {
	struct buf text;
	size_t left; /* visits that are let pass; the next one ends the list */
};

static int visit(void *ctx, const struct s3_object *object, struct error *err)
{
	struct visits *v = ctx;

	if (!v->left--)
		return error_set(err, ERR_CANCELLED, "enough");
	buf_printf(&v->text, "%s|%s|%lld\n", object->key, object->etag,
		   (long long)object->size);
	return 0;
}

/* What a list of the bucket visits under a prefix; *result gets s3_list's. */
static char *list(struct aws_fixture *f, const char *prefix, size_t most, int *result)
{
	struct visits v = { BUF_INIT(1 << 20), most };

	error_clear(&f->err);
	*result = s3_list(f->aws, "bucket", prefix, visit, &v, &f->err);
	return buf_take(&v.text);
}

#define OBJECT(key, etag, size)                                         \
	"<Contents><Key>" key "</Key><ETag>&quot;" etag "&quot;</ETag>" \
	"<Size>" size "</Size></Contents>"
#define PAGE(more, contents) \
	"<ListBucketResult xmlns=\"" XMLNS "\">" more contents "</ListBucketResult>"
#define ENCODED "<EncodingType>url</EncodingType>"
#define MORE(token)                       \
	"<IsTruncated>true</IsTruncated>" \
	"<NextContinuationToken>" token "</NextContinuationToken>"

static void test_s3__list_pages_and_decodes(void **state)
{
	struct aws_fixture *f = *state;
	int result;
	char *seen;

	fake_http_expect(&f->fake, "GET",
			 "https://bucket.s3.us-east-1.amazonaws.com/?encoding-type=url&"
			 "list-type=2&prefix=p%2F",
			 200, NULL,
			 PAGE(ENCODED MORE("t+/= &amp;"),
			      OBJECT("p%2Fa+b%2B%0A", "1", "0")
				      OBJECT("p/%C3%A9", "2", "9223372036854775807")));
	fake_http_expect(&f->fake, "GET", "continuation-token=t%2B%2F%3D%20%26&", 200,
			 NULL, PAGE(MORE("second"), ""));
	fake_http_expect(&f->fake, "GET", "continuation-token=second&", 200, NULL,
			 PAGE("<IsTruncated>false</IsTruncated>",
			      OBJECT("p/c+d%20&amp;", "3", "7")));
	seen = list(f, "p/", 100, &result);
	assert_int_equal(result, 0);
	assert_string_equal(seen, "p/a b+\n|\"1\"|0\n"
				  "p/\xc3\xa9|\"2\"|9223372036854775807\n"
				  /* This page does not say that it is encoded. */
				  "p/c+d%20&|\"3\"|7\n");
	free(seen);
}

static void test_s3__list_of_nothing_and_without_prefix(void **state)
{
	struct aws_fixture *f = *state;
	int result;
	char *seen;

	fake_http_expect(&f->fake, "GET", "/?encoding-type=url&list-type=2", 200, NULL,
			 PAGE("", ""))
		->times = 2;
	seen = list(f, "", 100, &result);
	assert_int_equal(result, 0);
	assert_string_equal(seen, "");
	free(seen);
	seen = list(f, NULL, 100, &result);
	assert_int_equal(result, 0);
	free(seen);
	assert_null(strstr(aws_fixture_seen(f, 0)->url, "prefix"));
}

static void test_s3__list_ends_when_told(void **state)
{
	struct aws_fixture *f = *state;
	int result;
	char *seen;

	fake_http_expect(&f->fake, "GET", NULL, 200, NULL,
			 PAGE(MORE("t"), OBJECT("a", "1", "1") OBJECT("b", "2", "2")));
	seen = list(f, "", 1, &result);
	assert_int_equal(result, -1);
	assert_int_equal(f->err.code, ERR_CANCELLED);
	assert_string_equal(seen, "a|\"1\"|1\n");
	free(seen);
}

static void test_s3__hostile_lists(void **state)
{
	static const struct {
		const char *name, *body;
	} cases[] = {
		{ "no key",
		  PAGE("", "<Contents><ETag>e</ETag><Size>1</Size></Contents>") },
		{ "no size",
		  PAGE("", "<Contents><Key>p/a</Key><ETag>e</ETag></Contents>") },
		{ "no ETag",
		  PAGE("", "<Contents><Key>p/a</Key><Size>1</Size></Contents>") },
		{ "a size below 0", PAGE("", OBJECT("p/a", "e", "-1")) },
		{ "a size beyond all",
		  PAGE("", OBJECT("p/a", "e", "9223372036854775808")) },
		{ "a size that is none", PAGE("", OBJECT("p/a", "e", "1e3")) },
		{ "a NUL", PAGE(ENCODED, OBJECT("p/a%00b", "e", "1")) },
		{ "half an escape", PAGE(ENCODED, OBJECT("p/a%4", "e", "1")) },
		{ "no escape", PAGE(ENCODED, OBJECT("p/a%zz", "e", "1")) },
		{ "a key elsewhere", PAGE("", OBJECT("q/a", "e", "1")) },
		{ "a key shorter than the prefix", PAGE("", OBJECT("p", "e", "1")) },
		{ "an empty key", PAGE("", OBJECT("", "e", "1")) },
		{ "an error", "<Error><Code>InternalError</Code></Error>" },
		{ "cut short", "<ListBucketResult><Contents><Key>p/a</Key>" },
		{ "nothing", "" },
		{ "HTML", "<html><body>Sign in</body></html>" },
		{ "a document type", "<!DOCTYPE a [<!ENTITY b \"c\">]>" PAGE("", "") },
		{ "goes on, not where", PAGE("<IsTruncated>true</IsTruncated>", "") },
		{ "goes on nowhere", PAGE(MORE(""), "") },
	};
	struct aws_fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int result;
		char *seen;

		fake_http_expect(&f->fake, "GET", NULL, 200, NULL, cases[i].body);
		seen = list(f, "p/", 100, &result);
		if (result == 0 || f->err.code != ERR_DATA || *seen)
			fail_msg("%s: %s%s", cases[i].name, seen, f->err.msg);
		free(seen);
	}
}

static void test_s3__lists_do_not_go_on_for_ever(void **state)
{
	struct aws_fixture *f = *state;
	int result;

	fake_http_expect(&f->fake, "GET", NULL, 200, NULL, PAGE(MORE("same"), ""))
		->times = 2;
	free(list(f, "", 100, &result));
	assert_int_equal(result, -1);
	assert_int_equal(f->err.code, ERR_DATA);
}

static char *repeated(const char *before, const char *unit, size_t n, const char *after)
{
	struct buf b = BUF_INIT(SIZE_MAX / 2);

	buf_str(&b, before);
	for (size_t i = 0; i < n; i++)
		buf_str(&b, unit);
	buf_str(&b, after);
	return buf_take(&b);
}

static void test_s3__values_that_are_too_long(void **state)
{
	struct aws_fixture *f = *state;
	char *key = repeated("<ListBucketResult>" ENCODED "<Contents><Key>p/", "%41",
			     5000,
			     "</Key><ETag>e</ETag><Size>1</Size></Contents>"
			     "</ListBucketResult>");
	char *token = repeated("<ListBucketResult><IsTruncated>true</IsTruncated>"
			       "<NextContinuationToken>",
			       "t", 70000, "</NextContinuationToken></ListBucketResult>");
	char *page = repeated("<ListBucketResult>", "                ", (size_t)1 << 20,
			      "</ListBucketResult>");
	int result;

	fake_http_expect(&f->fake, "GET", NULL, 200, NULL, key);
	free(list(f, "p/", 100, &result));
	assert_int_equal(result, -1);
	assert_int_equal(f->err.code, ERR_DATA);
	fake_http_expect(&f->fake, "GET", NULL, 200, NULL, token);
	free(list(f, "p/", 100, &result));
	assert_int_equal(result, -1);
	assert_int_equal(f->err.code, ERR_TOO_BIG);
	fake_http_expect(&f->fake, "GET", NULL, 200, NULL, page);
	free(list(f, "p/", 100, &result));
	assert_int_equal(result, -1);
	assert_int_equal(f->err.code, ERR_TOO_BIG);
	free(key);
	free(token);
	free(page);
}

static void test_s3__a_list_says_what_an_error_in_its_place_says(void **state)
{
	struct aws_fixture *f = *state;
	int result;

	fake_http_expect(&f->fake, "GET", NULL, 200, NULL,
			 "<Error><Code>InternalError</Code><Message>We failed</Message>"
			 "</Error>");
	free(list(f, "", 100, &result));
	assert_int_equal(result, -1);
	assert_non_null(strstr(f->err.msg, "InternalError: We failed"));
}

/* ---- multipart ---- */

static const struct s3_write large = {
	.bucket = "bucket",
	.key = "a b",
	.metadata = { .content_type = "video/mp4" },
	.condition = { .if_absent = true },
};

static void test_s3__multipart_requests(void **state)
{
	static const char *const etags[] = { "\"1\"", "\"2&\"" };
	const struct http_body part = { .bytes = "part", .len = 4 };
	struct aws_fixture *f = *state;
	struct aws_request req = AWS_REQUEST_INIT;

	fake_http_expect(&f->fake, "POST", "/a%20b?uploads=", 200, NULL, "");
	fake_http_expect(&f->fake, "PUT", "/a%20b?partNumber=2&uploadId=i%2Fd%20%3D", 200,
			 NULL, "");
	fake_http_expect(&f->fake, "POST", "/a%20b?uploadId=i%2Fd%20%3D", 200, NULL,
			 "<CompleteMultipartUploadResult/>");
	fake_http_expect(&f->fake, "DELETE", "/a%20b?uploadId=i%2Fd%20%3D", 204, NULL,
			 NULL);
	s3_multipart_create_request(&req, &large);
	send_well(f, &req);
	/* The condition belongs to the end, the metadata to the start. */
	assert_seen_header(aws_fixture_seen(f, 0), "Content-Type", "video/mp4");
	assert_seen_header(aws_fixture_seen(f, 0), "If-None-Match", NULL);
	s3_multipart_part_request(
		&req, &large, "i/d =", 2, &part,
		"ce1645fb2c2ac30e4af1e3a97b2d1ae2e4b0aeb0fe1a7f1d3e4c1de6d6d3a0f3");
	send_well(f, &req);
	assert_string_equal(aws_fixture_seen(f, 1)->body, "part");
	assert_seen_header(aws_fixture_seen(f, 1), "Content-Type", NULL);
	assert_seen_header(
		aws_fixture_seen(f, 1), "x-amz-content-sha256",
		"ce1645fb2c2ac30e4af1e3a97b2d1ae2e4b0aeb0fe1a7f1d3e4c1de6d6d3a0f3");
	s3_multipart_complete_request(&req, &large, "i/d =", etags, 2);
	send_well(f, &req);
	assert_seen_header(aws_fixture_seen(f, 2), "If-None-Match", "*");
	assert_string_equal(
		aws_fixture_seen(f, 2)->body,
		"<CompleteMultipartUpload xmlns=\"" XMLNS "\">"
		"<Part><PartNumber>1</PartNumber><ETag>&quot;1&quot;</ETag></Part>"
		"<Part><PartNumber>2</PartNumber><ETag>&quot;2&amp;&quot;</ETag></Part>"
		"</CompleteMultipartUpload>");
	s3_multipart_abort_request(&req, "bucket", "a b", "i/d =");
	send_well(f, &req);
}

static void test_s3__multipart_id(void **state)
{
	static const struct {
		const char *body, *id;
	} cases[] = {
		{ "<InitiateMultipartUploadResult><UploadId>i&amp;d</UploadId>"
		  "</InitiateMultipartUploadResult>",
		  "i&d" },
		{ "<InitiateMultipartUploadResult><UploadId/>"
		  "</InitiateMultipartUploadResult>",
		  NULL },
		{ "<InitiateMultipartUploadResult/>", NULL },
		{ "<Error><Code>InternalError</Code></Error>", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
		struct error err = ERROR_INIT;
		const char *id = NULL;

		answer(&res, cases[i].body);
		if (s3_multipart_id(&res, &id, &err) != (cases[i].id ? 0 : -1))
			fail_msg("case %zu: %s", i, err.msg);
		if (cases[i].id)
			assert_string_equal(id, cases[i].id);
	}
}

static void test_s3__large_is_more_than_two_parts(void **state)
{
	(void)state;
	assert_false(s3_is_large(0));
	assert_false(s3_is_large(INT64_C(2) * S3_PART_BYTES));
	assert_true(s3_is_large(INT64_C(2) * S3_PART_BYTES + 1));
}

static int visit_upload(void *ctx, const char *key, const char *id, struct error *err)
{
	struct visits *v = ctx;

	if (!v->left--)
		return error_set(err, ERR_CANCELLED, "enough");
	buf_printf(&v->text, "%s|%s\n", key, id);
	return 0;
}

static char *list_uploads(struct aws_fixture *f, size_t most, int *result)
{
	struct visits v = { BUF_INIT(1 << 20), most };

	error_clear(&f->err);
	*result = s3_multipart_list(f->aws, "bucket", "p/", visit_upload, &v, &f->err);
	return buf_take(&v.text);
}

#define UPLOAD(key, id) "<Upload><Key>" key "</Key><UploadId>" id "</UploadId></Upload>"
#define UPLOADS(rest) \
	"<ListMultipartUploadsResult>" ENCODED rest "</ListMultipartUploadsResult>"
#define FROM(key, id)                                        \
	"<IsTruncated>true</IsTruncated><NextKeyMarker>" key \
	"</NextKeyMarker><NextUploadIdMarker>" id "</NextUploadIdMarker>"

static void test_s3__multipart_list(void **state)
{
	struct aws_fixture *f = *state;
	int result;
	char *seen;

	fake_http_expect(&f->fake, "GET", "/?encoding-type=url&prefix=p%2F&uploads=", 200,
			 NULL, UPLOADS(FROM("p/a+b", "1") UPLOAD("p/a+b", "1")));
	fake_http_expect(&f->fake, "GET",
			 "key-marker=p%2Fa%20b&prefix=p%2F&upload-id-marker=1&uploads=",
			 200, NULL, UPLOADS(UPLOAD("p/c", "2") UPLOAD("p/d", "3")));
	seen = list_uploads(f, 100, &result);
	assert_int_equal(result, 0);
	assert_string_equal(seen, "p/a b|1\np/c|2\np/d|3\n");
	free(seen);
	fake_http_expect(&f->fake, "GET", NULL, 200, NULL,
			 UPLOADS(UPLOAD("p/c", "2") UPLOAD("p/d", "3")));
	free(list_uploads(f, 1, &result));
	assert_int_equal(f->err.code, ERR_CANCELLED);
}

static void test_s3__hostile_lists_of_uploads(void **state)
{
	static const char *const bodies[] = {
		UPLOADS("<Upload><Key>p/a</Key></Upload>"),
		UPLOADS("<Upload><UploadId>1</UploadId></Upload>"),
		UPLOADS(UPLOAD("p/%00", "1")),
		UPLOADS("<IsTruncated>true</IsTruncated>"),
		UPLOADS(FROM("%zz", "1")),
		"<Error><Code>NotImplemented</Code></Error>",
		"",
	};
	struct aws_fixture *f = *state;
	char *id = repeated("<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>"
			    "<NextKeyMarker>p/a</NextKeyMarker><NextUploadIdMarker>",
			    "i", 10000,
			    "</NextUploadIdMarker></ListMultipartUploadsResult>");
	int result;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		fake_http_expect(&f->fake, "GET", NULL, 200, NULL, bodies[i]);
		free(list_uploads(f, 100, &result));
		if (result == 0 || f->err.code != ERR_DATA)
			fail_msg("case %zu: %s", i, f->err.msg);
	}
	fake_http_expect(&f->fake, "GET", NULL, 200, NULL, UPLOADS(FROM("p/a", "1")))
		->times = 2;
	free(list_uploads(f, 100, &result));
	assert_int_equal(f->err.code, ERR_DATA);
	/* A marker that is not kept whole would start somewhere else. */
	fake_http_expect(&f->fake, "GET", NULL, 200, NULL, id);
	free(list_uploads(f, 100, &result));
	assert_int_equal(f->err.code, ERR_TOO_BIG);
	free(id);
}

#define TEST(name)                                                          \
	cmocka_unit_test_setup_teardown(test_s3__##name, aws_fixture_setup, \
					aws_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(addressing),
		TEST(every_byte_of_a_key_is_encoded),
		TEST(put),
		TEST(put_from_a_file),
		TEST(copy_replaces_metadata_in_place),
		TEST(conditions_of_the_others),
		TEST(metadata_cannot_smuggle_headers),
		TEST(etags_of_answers),
		TEST(delete_many),
		TEST(delete_many_refuses_what_xml_cannot_carry),
		TEST(delete_many_of_the_longest_keys),
		TEST(delete_many_result),
		TEST(list_pages_and_decodes),
		TEST(list_of_nothing_and_without_prefix),
		TEST(list_ends_when_told),
		TEST(hostile_lists),
		TEST(lists_do_not_go_on_for_ever),
		TEST(values_that_are_too_long),
		TEST(a_list_says_what_an_error_in_its_place_says),
		TEST(multipart_requests),
		TEST(multipart_id),
		TEST(large_is_more_than_two_parts),
		TEST(multipart_list),
		TEST(hostile_lists_of_uploads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
