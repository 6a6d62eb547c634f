#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws/lambda.h"
#include "aws_fixture.h"

#define HOST "https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/"
#define ARN  "arn:aws:lambda:us-east-1:123456789012:function:counter"
#define SHA  "ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs="

/* ---- requests ---- */

static void assert_request(const struct aws_request *req, const char *method,
			   const char *path, const char *body)
{
	assert_int_equal(req->service, AWS_LAMBDA);
	assert_string_equal(req->method, method);
	assert_string_equal(req->path, path);
	assert_int_equal(req->query.len, 0);
	assert_int_equal(req->headers.len, body ? 1 : 0);
	assert_int_equal(req->body.len, body ? strlen(body) : 0);
	if (!body)
		return;
	assert_string_equal(req->headers.items[0].name, "Content-Type");
	assert_string_equal(req->headers.items[0].value, "application/json");
	assert_memory_equal(req->body.bytes, body, strlen(body));
}

static void test_lambda__code_in_the_request(void **state)
{
	const struct lambda_code code = {
		.zip = "PK\x03\x04\0\xff",
		.len = 6,
		.architecture = "arm64",
		.revision = "2a5b\"",
	};
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(lambda_update_request(&req, "counter", &code, &err), 0);
	assert_string_equal(req.operation, "UpdateFunctionCode");
	assert_request(&req, "PUT", "/2015-03-31/functions/counter/code",
		       "{\"ZipFile\":\"UEsDBAD/\",\"RevisionId\":\"2a5b\\\"\","
		       "\"Architectures\":[\"arm64\"]}");
}

static void test_lambda__code_in_s3(void **state)
{
	const struct lambda_code code = { .bucket = "b", .key = "k/\xc3\xa4\"" };
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(lambda_update_request(&req, ARN ":live", &code, &err), 0);
	assert_request(&req, "PUT", "/2015-03-31/functions/" ARN ":live/code",
		       "{\"S3Bucket\":\"b\",\"S3Key\":\"k/\xc3\xa4\\\"\"}");
}

/* As much as may be sent: under the 70,167,211 bytes that Lambda takes. */
static void test_lambda__the_largest_code(void **state)
{
	char *zip = xcalloc(1, LAMBDA_ZIP_BYTES_MOST + 1);
	struct lambda_code code = { .zip = zip, .len = LAMBDA_ZIP_BYTES_MOST };
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(aws_request) struct aws_request more = AWS_REQUEST_INIT;
	struct error err = ERROR_INIT;
	const char *body;

	(void)state;
	assert_int_equal(lambda_update_request(&req, "f", &code, &err), 0);
	body = req.body.bytes;
	assert_int_equal(req.body.len, 69905068 + 14);
	assert_memory_equal(body + req.body.len - 8, "AAAAA=\"}", 8);
	code.len++;
	assert_int_equal(lambda_update_request(&more, "f", &code, &err), -1);
	assert_int_equal(err.code, ERR_TOO_BIG);
	free(zip);
}

static void test_lambda__versions_and_aliases(void **state)
{
	CLEANUP(aws_request) struct aws_request publish = AWS_REQUEST_INIT;
	CLEANUP(aws_request) struct aws_request any = AWS_REQUEST_INIT;
	CLEANUP(aws_request) struct aws_request get = AWS_REQUEST_INIT;
	CLEANUP(aws_request) struct aws_request move = AWS_REQUEST_INIT;

	(void)state;
	lambda_publish_request(&publish, "f", SHA);
	assert_string_equal(publish.operation, "PublishVersion");
	assert_request(&publish, "POST", "/2015-03-31/functions/f/versions",
		       "{\"CodeSha256\":\"" SHA "\"}");
	lambda_publish_request(&any, "f", NULL);
	assert_request(&any, "POST", "/2015-03-31/functions/f/versions", "{}");
	lambda_alias_request(&get, "f", "live");
	assert_string_equal(get.operation, "GetAlias");
	assert_request(&get, "GET", "/2015-03-31/functions/f/aliases/live", NULL);
	lambda_alias_update_request(&move, "f", "live", "12");
	assert_string_equal(move.operation, "UpdateAlias");
	assert_request(&move, "PUT", "/2015-03-31/functions/f/aliases/live",
		       "{\"FunctionVersion\":\"12\"}");
}

static void test_lambda__on_the_wire(void **state)
{
	struct aws_fixture *f = *state;
	struct aws_call calls[2] = { AWS_CALL_INIT, AWS_CALL_INIT };
	char value[600];

	fake_http_expect(&f->fake, "GET", NULL, 200, NULL, "{}")->times = 2;
	lambda_get_request(&calls[0].request, "my-f_1");
	lambda_get_request(&calls[1].request, ARN ":live");
	assert_string_equal(calls[0].request.operation, "GetFunction");
	assert_int_equal(aws_send_all(f->aws, calls, 2, &f->err), 0);
	assert_string_equal(aws_fixture_seen(f, 0)->url, HOST "my-f_1");
	assert_string_equal(aws_fixture_seen(f, 1)->url,
			    HOST "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3A"
				 "function%3Acounter%3Alive");
	assert_true(fake_seen_header(aws_fixture_seen(f, 0), "Authorization", value,
				     sizeof(value)));
	assert_non_null(strstr(value, "/us-east-1/lambda/aws4_request"));
	aws_call_release(&calls[0]);
	aws_call_release(&calls[1]);
}

/* ---- answers ---- */

#define CONFIGURATION                                                                  \
	"{\"FunctionName\":\"counter\",\"FunctionArn\":\"" ARN "\",\"Runtime\":"       \
	"\"python3.12\",\"Role\":\"arn:aws:iam::123456789012:role/r\",\"Handler\":"    \
	"\"app.handler\",\"CodeSize\":42,\"Description\":\"\xc3\xa4 \\ud83d\\ude00\"," \
	"\"Timeout\":3,\"LastModified\":\"2026-05-28T20:26:40.000+0000\","             \
	"\"CodeSha256\":\"" SHA "\",\"Version\":\"$LATEST\",\"Environment\":"          \
	"{\"Variables\":{\"SECRET\":\"canary\"}},\"TracingConfig\":{\"Mode\":"         \
	"\"PassThrough\"},\"RevisionId\":\"2a5b\",\"State\":\"Active\","               \
	"\"StateReason\":null,\"LastUpdateStatus\":\"Failed\","                        \
	"\"LastUpdateStatusReason\":\"The image\\nis gone\","                          \
	"\"LastUpdateStatusReasonCode\":\"ImageDeleted\",\"PackageType\":\"Zip\","     \
	"\"Architectures\":[\"arm64\"],\"EphemeralStorage\":{\"Size\":512}}"

static void assert_function(const struct lambda_function *f)
{
	assert_string_equal(f->arn, ARN);
	assert_string_equal(f->code_sha256, SHA);
	assert_string_equal(f->revision, "2a5b");
	assert_string_equal(f->runtime, "python3.12");
	assert_string_equal(f->handler, "app.handler");
	assert_string_equal(f->architecture, "arm64");
	assert_string_equal(f->package_type, "Zip");
	assert_false(f->has_more_code);
	assert_string_equal(f->version, "$LATEST");
	assert_string_equal(f->state, "Active");
	assert_string_equal(f->state_reason, "");
	assert_string_equal(f->update, "Failed");
	assert_string_equal(f->update_reason, "The image\nis gone");
	assert_string_equal(f->update_reason_code, "ImageDeleted");
}

static void test_lambda__a_whole_function(void **state)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct lambda_function f = { .arn = NULL };
	struct error err = ERROR_INIT;

	(void)state;
	set_answer(&res,
		   "{\"Configuration\":" CONFIGURATION
		   ",\"Code\":{\"RepositoryType\":\"S3\",\"Location\":\"https://x\"},"
		   "\"Tags\":{},\"Concurrency\":{\"ReservedConcurrentExecutions\":1}}");
	if (lambda_get_decode(&res, &arena, &f, &err) < 0)
		fail_msg("%s", err.msg);
	http_response_release(&res);
	assert_function(&f);
	set_answer(&res, CONFIGURATION);
	f = (struct lambda_function){ .arn = NULL };
	assert_int_equal(lambda_configuration_decode(&res, &arena, &f, &err), 0);
	assert_function(&f);
}

/* An image has no runtime, and answers of old know no architectures. */
static void test_lambda__a_function_with_little(void **state)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct lambda_function f = { .arn = NULL };
	struct error err = ERROR_INIT;

	(void)state;
	set_answer(&res, "{\"FunctionArn\":\"a\",\"PackageType\":\"Image\",\"Runtime\":7,"
			 "\"Architectures\":[]}");
	assert_int_equal(lambda_configuration_decode(&res, &arena, &f, &err), 0);
	assert_string_equal(f.runtime, "");
	assert_string_equal(f.architecture, "x86_64");
	assert_string_equal(f.package_type, "Image");
	assert_string_equal(f.update, "");
}

/* From a layer, or from a file system, a function may run what its archive lacks. */
static void test_lambda__code_from_elsewhere(void **state)
{
	static const char *const answers[][2] = {
		{ "{\"FunctionArn\":\"a\",\"Layers\":[{\"Arn\":\"l\",\"CodeSize\":1}]}",
		  "yes" },
		{ "{\"FunctionArn\":\"a\",\"FileSystemConfigs\":[{\"Arn\":\"f\"}]}",
		  "yes" },
		{ "{\"FunctionArn\":\"a\",\"Layers\":[],\"FileSystemConfigs\":null}",
		  NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		CLEANUP(arena) struct arena arena = ARENA_INIT;
		CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
		struct lambda_function f = { .arn = NULL };
		struct error err = ERROR_INIT;

		set_answer(&res, answers[i][0]);
		assert_int_equal(lambda_configuration_decode(&res, &arena, &f, &err), 0);
		assert_int_equal(f.has_more_code, answers[i][1] != NULL);
	}
}

static void test_lambda__aliases(void **state)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct error err = ERROR_INIT;
	const char *version = NULL;

	(void)state;
	set_answer(&res, "{\"AliasArn\":\"" ARN ":live\",\"Name\":\"live\","
			 "\"FunctionVersion\":\"7\",\"Description\":\"\","
			 "\"RevisionId\":\"r\"}");
	assert_int_equal(lambda_alias_decode(&res, &arena, &version, &err), 0);
	assert_string_equal(version, "7");
}

static int decode_get(const struct http_response *res, struct error *err)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	struct lambda_function f = { .arn = NULL };

	return lambda_get_decode(res, &arena, &f, err);
}

static int decode_configuration(const struct http_response *res, struct error *err)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	struct lambda_function f = { .arn = NULL };

	return lambda_configuration_decode(res, &arena, &f, err);
}

static int decode_alias(const struct http_response *res, struct error *err)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	const char *version = NULL;

	return lambda_alias_decode(res, &arena, &version, err);
}

static int (*const decoders[])(const struct http_response *res,
			       struct error *err) = { decode_get, decode_configuration,
						      decode_alias };

static void test_lambda__what_is_no_answer(void **state)
{
	static const char *const bodies[] = {
		"",
		"<html/>",
		"null",
		"[]",
		"\"text\"",
		"{}",
		"{\"Configuration\":null}",
		"{\"Configuration\":[]}",
		"{\"Configuration\":{\"FunctionArn\":\"\"}}",
		"{\"FunctionArn\":\"\",\"FunctionVersion\":\"\"}",
		"{\"FunctionArn\":{},\"FunctionVersion\":7}",
		"{\"FunctionArn\":\"a\\u0000\",\"FunctionVersion\":\"\\u0000\"}",
		"{\"FunctionArn\":\"\xff\",\"FunctionVersion\":\"\xff\"}",
	};
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		set_answer(&res, bodies[i]);
		for (size_t k = 0; k < sizeof(decoders) / sizeof(*decoders); k++)
			if (decoders[k](&res, &err) == 0 || err.code != ERR_DATA)
				fail_msg("%zu: %s", k, bodies[i]);
	}
}

static void test_lambda__cut_anywhere(void **state)
{
	static const char whole[] = "{\"Configuration\":" CONFIGURATION
				    ",\"FunctionVersion\":\"7\",\"FunctionArn\":\"a\"}";
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t n = 0; n <= strlen(whole); n++) {
		http_response_release(&res);
		buf_add(&res.body, whole, n);
		for (size_t k = 0; k < sizeof(decoders) / sizeof(*decoders); k++)
			assert_int_equal(decoders[k](&res, &err),
					 n == strlen(whole) ? 0 : -1);
	}
}

/* ---- errors ---- */

static const struct error_case {
	int status;
	const char *type, *body;
	enum error_code code;
	bool retried, busy;
} error_cases[] = {
	{ 404, "ResourceNotFoundException",
	  "{\"Type\":\"User\",\"Message\":\"Function not found: " ARN "\"}",
	  ERR_NOT_FOUND, false, false },
	{ 409, "ResourceConflictException",
	  "{\"Type\":\"User\",\"message\":\"The operation cannot be performed at this "
	  "time. An update is in progress for resource: " ARN "\"}",
	  ERR_CONFLICT, false, true },
	{ 412, "PreconditionFailedException",
	  "{\"Type\":\"User\",\"Message\":\"The Revision Id provided does not match\"}",
	  ERR_CONDITION, false, false },
	{ 429, "TooManyRequestsException",
	  "{\"Type\":\"User\",\"Reason\":\"CallerRateLimitExceeded\",\"message\":\"\"}",
	  ERR_THROTTLED, true, false },
	{ 400, "ThrottlingException", "{\"message\":\"Rate exceeded\"}", ERR_THROTTLED,
	  true, false },
	{ 400, "InvalidParameterValueException",
	  "{\"Type\":\"User\",\"message\":\"Could not unzip uploaded file\"}",
	  ERR_SERVICE, false, false },
	{ 400, "CodeStorageExceededException", "{\"message\":\"limit\"}", ERR_SERVICE,
	  false, false },
	{ 413, "RequestTooLargeException", "{\"message\":\"Request must be smaller\"}",
	  ERR_TOO_BIG, false, false },
	{ 403, "AccessDeniedException",
	  "{\"Message\":\"User: x is not authorized to perform: lambda:GetFunction\"}",
	  ERR_FORBIDDEN, false, false },
	{ 403, "UnrecognizedClientException", "{\"message\":\"token invalid\"}",
	  ERR_CREDENTIALS, false, false },
	{ 500, "ServiceException", "{\"Type\":\"Service\"}", ERR_SERVICE, true, false },
	{ 502, NULL, "<html/>", ERR_SERVICE, true, false },
};

static void test_lambda__errors(void **state)
{
	struct aws_fixture *f = *state;

	for (size_t i = 0; i < sizeof(error_cases) / sizeof(*error_cases); i++) {
		const struct error_case *c = &error_cases[i];
		CLEANUP(aws_call) struct aws_call call = AWS_CALL_INIT;
		struct error err = ERROR_INIT;
		char headers[200] = "";

		if (c->type)
			snprintf(
				headers, sizeof(headers),
				"x-amzn-ErrorType: %s:http://internal.amazon.com/coral/\n",
				c->type);
		fake_http_expect(&f->fake, "GET", NULL, c->status, headers, c->body)
			->times = -1;
		lambda_get_request(&call.request, "counter");
		assert_int_equal(aws_send_all(f->aws, &call, 1, &err), 0);
		if (call.err.code != c->code || call.err.http_status != c->status ||
		    !str_eq(call.err.service_code, c->type ? c->type : "") ||
		    (call.attempts > 1) != c->retried ||
		    lambda_is_busy_error(&call.err) != c->busy)
			fail_msg("%zu: %d %s after %u", i, call.err.code, call.err.msg,
				 call.attempts);
		f->fake.rules.len = 0;
	}
}

/* A lost answer: the retry carries the same code and the same guard. */
static void test_lambda__a_retry_is_the_same_wish(void **state)
{
	const struct lambda_code code = { .zip = "zip", .len = 3, .revision = "r" };
	struct aws_fixture *f = *state;
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;

	fake_http_expect(&f->fake, "PUT", NULL, 0, NULL, "")->reply.fail = ERR_NETWORK;
	fake_http_expect(&f->fake, "PUT", NULL, 412,
			 "x-amzn-ErrorType: PreconditionFailedException\n", "{}");
	assert_int_equal(lambda_update_request(&req, "f", &code, &f->err), 0);
	assert_int_equal(aws_send(f->aws, &req, &res, &f->err), -1);
	assert_int_equal(f->err.code, ERR_CONDITION);
	assert_string_equal(aws_fixture_seen(f, 0)->body,
			    "{\"ZipFile\":\"emlw\",\"RevisionId\":\"r\"}");
	assert_string_equal(aws_fixture_seen(f, 1)->body, aws_fixture_seen(f, 0)->body);
}

/* ---- secrets ---- */

/* A configuration holds the function's environment. */
static void test_lambda__logs_no_environment(void **state)
{
	struct aws_fixture *f = *state;
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;

	aws_fixture_log(f);
	fake_http_expect(&f->fake, NULL, NULL, 200, NULL, CONFIGURATION "x");
	lambda_get_request(&req, "f");
	assert_int_equal(aws_send(f->aws, &req, &res, &f->err), 0);
	assert_int_equal(decode_get(&res, &f->err), -1);
	assert_non_null(strstr(f->logged.data, "GetFunction"));
	assert_null(strstr(f->logged.data, "canary"));
	assert_null(strstr(f->err.msg, "canary"));
}

#define TEST(name)                                                              \
	cmocka_unit_test_setup_teardown(test_lambda__##name, aws_fixture_setup, \
					aws_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lambda__code_in_the_request),
		cmocka_unit_test(test_lambda__code_in_s3),
		cmocka_unit_test(test_lambda__the_largest_code),
		cmocka_unit_test(test_lambda__versions_and_aliases),
		TEST(on_the_wire),
		cmocka_unit_test(test_lambda__a_whole_function),
		cmocka_unit_test(test_lambda__a_function_with_little),
		cmocka_unit_test(test_lambda__code_from_elsewhere),
		cmocka_unit_test(test_lambda__aliases),
		cmocka_unit_test(test_lambda__what_is_no_answer),
		cmocka_unit_test(test_lambda__cut_anywhere),
		TEST(errors),
		TEST(a_retry_is_the_same_wish),
		TEST(logs_no_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
