#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws/error.h"
#include "base/str.h"

/* An answer with at most two headers. */
struct answer {
	int status;
	const char *header, *value;
	const char *body;
};

static void decode(const struct answer *a, struct aws_fault *fault, struct error *err)
{
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct http_header header = { a->header, a->value };

	res.status = a->status;
	if (a->header) {
		res.headers = &header;
		res.n_headers = 1;
	}
	if (a->body)
		buf_str(&res.body, a->body);
	aws_error_decode(&res, fault, err);
	res.headers = NULL;
}

static const struct {
	struct answer answer;
	enum error_code code;
	bool retryable;
	const char *service_code, *msg;
} decodings[] = {
	/* what S3 answers, with and without a declaration, and after blanks */
	{ { 404, NULL, NULL,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey"
	    "</Code><Message>Gone.</Message><Key>k</Key></Error>" },
	  ERR_NOT_FOUND,
	  false,
	  "NoSuchKey",
	  "404 NoSuchKey: Gone." },
	{ { 200, NULL, NULL,
	    "  \r\n\n<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>"
	    "</Error>" },
	  ERR_FORBIDDEN,
	  false,
	  "AccessDenied",
	  "200 AccessDenied" },
	{ { 200, NULL, NULL,
	    "\xef\xbb\xbf<?xml version=\"1.0\"?><Error><Code>SlowDown</Code>"
	    "</Error>" },
	  ERR_THROTTLED,
	  true,
	  "SlowDown",
	  "200 SlowDown" },
	{ { 412, "x-amz-request-id", "R1",
	    "<Error><Code>PreconditionFailed</Code><Message>m</Message></Error>" },
	  ERR_CONDITION,
	  false,
	  "PreconditionFailed",
	  "412 PreconditionFailed: m (request R1)" },
	{ { 409, NULL, NULL, "<Error><Code>ConditionalRequestConflict</Code></Error>" },
	  ERR_CONFLICT,
	  true,
	  "ConditionalRequestConflict",
	  "409 ConditionalRequestConflict" },
	{ { 409, NULL, NULL, "<Error><Code>BucketNotEmpty</Code></Error>" },
	  ERR_CONFLICT,
	  false,
	  "BucketNotEmpty",
	  "409 BucketNotEmpty" },
	{ { 400, NULL, NULL, "<Error><Code>RequestTimeout</Code></Error>" },
	  ERR_SERVICE,
	  true,
	  "RequestTimeout",
	  "400 RequestTimeout" },
	{ { 503, NULL, NULL, "<Error><Code>SlowDown</Code></Error>" },
	  ERR_THROTTLED,
	  true,
	  "SlowDown",
	  "503 SlowDown" },
	/* A store that lacks something will lack it the next time too. */
	{ { 501, NULL, NULL, "<Error><Code>NotImplemented</Code></Error>" },
	  ERR_SERVICE,
	  false,
	  "NotImplemented",
	  "501 NotImplemented" },
	{ { 500, NULL, NULL, "<Error><Code>InternalError</Code>" },
	  ERR_SERVICE,
	  true,
	  "",
	  "500 internal error" },
	/* CloudFront, STS */
	{ { 404, "x-amzn-RequestId", "R2",
	    "<ErrorResponse xmlns=\"http://cloudfront.amazonaws.com/doc/"
	    "2020-05-31/\"><Error><Type>Sender</Type><Code>NoSuchDistribution"
	    "</Code><Message>It is not.</Message></Error><RequestId>R2"
	    "</RequestId></ErrorResponse>" },
	  ERR_NOT_FOUND,
	  false,
	  "NoSuchDistribution",
	  "404 NoSuchDistribution: It is not. (request R2)" },
	{ { 400, NULL, NULL,
	    "<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error>"
	    "</Errors></Response>" },
	  ERR_THROTTLED,
	  true,
	  "RequestLimitExceeded",
	  "400 RequestLimitExceeded" },
	{ { 400, NULL, NULL,
	    "<ErrorResponse><Error><Code>TooManyInvalidationsInProgress</Code>"
	    "</Error></ErrorResponse>" },
	  ERR_SERVICE,
	  true,
	  "TooManyInvalidationsInProgress",
	  "400 TooManyInvalidationsInProgress" },
	{ { 403, NULL, NULL,
	    "<ErrorResponse><Error><Code>ExpiredToken</Code></Error>"
	    "</ErrorResponse>" },
	  ERR_CREDENTIALS,
	  false,
	  "ExpiredToken",
	  "403 ExpiredToken" },
	/* JSON */
	{ { 400, NULL, NULL,
	    "{\"__type\":\"com.x#AccessDeniedException\","
	    "\"Message\":\"no\"}" },
	  ERR_FORBIDDEN,
	  false,
	  "AccessDeniedException",
	  "400 AccessDeniedException: no" },
	{ { 429, "x-amzn-ErrorType", "TooManyRequestsException:http://x/",
	    "{\"message\":\"slower\"}" },
	  ERR_THROTTLED,
	  true,
	  "TooManyRequestsException",
	  "429 TooManyRequestsException: slower" },
	{ { 400, NULL, NULL, "{\"code\":\"Oops\",\"message\":7}" },
	  ERR_SERVICE,
	  false,
	  "Oops",
	  "400 Oops" },
	{ { 400, NULL, NULL, "[1,2]" }, ERR_SERVICE, false, "", "400 bad request" },
	/* what is none of them */
	{ { 200, NULL, NULL, "" }, ERR_NETWORK, true, "", "200 no whole answer" },
	{ { 502, NULL, NULL, "<html><body><h1>Bad Gateway</h1></body></html>" },
	  ERR_SERVICE,
	  true,
	  "",
	  "502 bad gateway" },
	{ { 403, NULL, NULL, "<Error><Code/><Message>m</Message></Error>" },
	  ERR_FORBIDDEN,
	  false,
	  "",
	  "403 forbidden: m" },
	{ { 407, NULL, NULL, NULL },
	  ERR_NETWORK,
	  false,
	  "",
	  "407 the proxy wants a password" },
	{ { 599, NULL, NULL, NULL }, ERR_SERVICE, true, "", "599 unexpected answer" },
	{ { 418, NULL, NULL, "\xff\xfe" },
	  ERR_SERVICE,
	  false,
	  "",
	  "418 unexpected answer" },
	/* A server's words must not break out of a line. */
	{ { 400, NULL, NULL,
	    "<Error><Code>A&#10;B</Code><Message>c&#13;\n::error::\x7f"
	    "</Message></Error>" },
	  ERR_SERVICE,
	  false,
	  "A B",
	  "400 A B: c  ::error:: " },
};

static void test_aws_error__codes_and_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(decodings) / sizeof(*decodings); i++) {
		struct aws_fault fault;
		struct error err = ERROR_INIT;

		decode(&decodings[i].answer, &fault, &err);
		if (err.code != decodings[i].code ||
		    err.retryable != decodings[i].retryable ||
		    err.http_status != decodings[i].answer.status ||
		    !str_eq(err.service_code, decodings[i].service_code) ||
		    !str_eq(err.msg, decodings[i].msg))
			fail_msg("case %zu: %d %d '%s' '%s'", i, (int)err.code,
				 err.retryable, err.service_code, err.msg);
	}
}

static void test_aws_error__region(void **state)
{
	static const struct {
		struct answer answer;
		const char *region;
	} cases[] = {
		{ { 301, "x-amz-bucket-region", "eu-west-1", NULL }, "eu-west-1" },
		{ { 400, NULL, NULL,
		    "<Error><Code>AuthorizationHeaderMalformed</Code>"
		    "<Region>ap-east-1</Region></Error>" },
		  "ap-east-1" },
		{ { 301, "X-Amz-Bucket-Region", "eu-west-1",
		    "<Error><Code>PermanentRedirect</Code><Region>no</Region></Error>" },
		  "eu-west-1" },
		{ { 301, "Location", "https://eu-west-1.example/", NULL }, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct aws_fault fault = { "?" };
		struct error err = ERROR_INIT;

		decode(&cases[i].answer, &fault, &err);
		assert_string_equal(fault.region, cases[i].region);
	}
}

/* Everything that a server says has its length cut, and nothing else is lost by it. */
static void test_aws_error__long_words(void **state)
{
	CLEANUP(buf) struct buf body = BUF_INIT(SIZE_MAX / 2);
	struct answer answer = { .status = 400, .header = "x-amz-bucket-region" };
	struct aws_fault fault;
	struct error err = ERROR_INIT;
	char word[3001];

	(void)state;
	memset(word, 'w', 3000);
	word[3000] = '\0';
	buf_printf(&body, "<Error><Code>%s</Code><Message>%s</Message></Error>", word,
		   word);
	answer.body = body.data;
	answer.value = word;
	decode(&answer, &fault, &err);
	assert_int_equal(strlen(err.service_code), ERROR_SERVICE_CODE_MAX - 1);
	assert_int_equal(strlen(fault.region), sizeof(fault.region) - 1);
	assert_true(strlen(err.msg) < ERROR_MSG_MAX);
	/* Bodies of several megabytes are no errors: they are not even looked at. */
	buf_clear(&body);
	buf_str(&body, "<Error><Code>C</Code>");
	while (body.len < (size_t)2 << 20)
		buf_add(&body, word, 3000);
	buf_str(&body, "</Error>");
	answer.body = body.data;
	decode(&answer, &fault, &err);
	assert_string_equal(err.service_code, "");
}

static void test_aws_error__results(void **state)
{
	static const struct {
		const char *body;
		bool is_result;
	} cases[] = {
		{ "<CopyObjectResult xmlns=\"x\"/>", true },
		{ "\n\n <?xml version=\"1.0\"?><CopyObjectResult/>", true },
		{ "<Error><Code>InternalError</Code></Error>", false },
		{ "<CopyObjectResult>", false },
		{ "<Other/>", false },
		{ "   ", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;

		buf_str(&res.body, cases[i].body);
		if (aws_is_result(&res, "CopyObjectResult") != cases[i].is_result)
			fail_msg("case %zu", i);
	}
}

static void test_aws_error__questions(void **state)
{
	bool sure;

	(void)state;
	assert_true(aws_error_is_throttle("SlowDown"));
	assert_false(aws_error_is_throttle("slowdown"));
	assert_false(aws_error_is_throttle(""));
	assert_true(aws_error_is_expired("ExpiredTokenException"));
	assert_false(aws_error_is_expired("AccessDenied"));
	assert_true(aws_error_is_skew("RequestTimeTooSkewed", &sure) && sure);
	assert_true(aws_error_is_skew("SignatureDoesNotMatch", &sure) && !sure);
	assert_false(aws_error_is_skew("AccessDenied", &sure) || sure);
	assert_true(aws_error_is_elsewhere("", 301));
	assert_true(aws_error_is_elsewhere("", 307));
	assert_true(aws_error_is_elsewhere("AuthorizationHeaderMalformed", 400));
	assert_true(aws_error_is_elsewhere("", 400)); /* a HEAD says no more */
	assert_false(aws_error_is_elsewhere("InvalidRequest", 400));
	assert_false(aws_error_is_elsewhere("", 403));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aws_error__codes_and_words),
		cmocka_unit_test(test_aws_error__region),
		cmocka_unit_test(test_aws_error__long_words),
		cmocka_unit_test(test_aws_error__results),
		cmocka_unit_test(test_aws_error__questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
