/* Answers of S3: whatever the bytes, errors are told in one line, and lists hold objects of
 * the prefix. The first byte chooses the status. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aws/creds.h"
#include "aws/error.h"
#include "aws/s3.h"
#include "base/str.h"
#include "fake/fake_http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char prefix[] = "p/";

/* A client that gets the same answer to everything. */
static struct clock_fake the_clock;
static struct fake_http fake;
static struct aws *aws;

static void start(void)
{
	static const char *const env[] = { "AWS_ACCESS_KEY_ID=a",
					   "AWS_SECRET_ACCESS_KEY=b", NULL };
	struct aws_options options = { .env = env, .region = "us-east-1" };
	struct aws_keys keys = AWS_KEYS_INIT;
	struct error err = ERROR_INIT;

	clock_fake_init(&the_clock, INT64_C(1780000000000));
	secret_set_str(&keys.id, "a");
	secret_set_str(&keys.key, "b");
	options.http = &fake.http;
	options.clock = &the_clock.clock;
	options.creds = aws_creds_new_fixed(&keys);
	if (aws_new(&options, &aws, &err) < 0)
		abort();
}

static int visit(void *ctx, const struct s3_object *object, struct error *err)
{
	(void)ctx, (void)err;
	if (!str_starts(object->key, prefix) || !object->etag || object->size < 0)
		abort();
	return 0;
}

static int visit_upload(void *ctx, const char *key, const char *id, struct error *err)
{
	(void)ctx, (void)err;
	if (!key || str_empty(id))
		abort();
	return 0;
}

static void check_lists(const char *body, size_t n)
{
	struct fake_rule all = {
		.reply = { .status = 200, .body = body, .body_len = n },
		.times = -1,
	};
	struct error err = ERROR_INIT;

	fake_http_init(&fake, &the_clock);
	if (!aws)
		start();
	fake_rules_push(&fake.rules, all);
	if (s3_list(aws, "bucket", prefix, visit, NULL, &err) < 0 && !*err.msg)
		abort();
	error_clear(&err);
	if (s3_multipart_list(aws, "bucket", prefix, visit_upload, NULL, &err) < 0 &&
	    !*err.msg)
		abort();
	fake_http_release(&fake);
}

static void failed(void *ctx, const char *key, const char *code, const char *message)
{
	(void)ctx;
	if (!key || !code || !message)
		abort();
}

static void check_line(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7F)
			abort();
}

static void check_error(const struct http_response *res)
{
	struct aws_fault fault;
	struct error err = ERROR_INIT;

	aws_error_decode(res, &fault, &err);
	if (!err.code || !*err.msg || err.http_status != res->status)
		abort();
	check_line(err.msg);
	check_line(err.service_code);
	if (aws_is_result(res, "Error") && aws_is_result(res, "CopyObjectResult"))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = { 200, 301, 400, 403, 404, 412, 500, 503 };
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct error err = ERROR_INIT;
	const char *id = NULL;

	if (!size)
		return 0;
	res.status = statuses[data[0] % (sizeof(statuses) / sizeof(*statuses))];
	buf_add(&res.body, data + 1, size - 1);
	check_error(&res);
	s3_etag(&res, true);
	s3_multipart_etag(&res);
	if (s3_multipart_id(&res, &id, &err) == 0 && str_empty(id))
		abort();
	if (s3_delete_many_result(&res, failed, NULL, &err) < 0 && !*err.msg)
		abort();
	if (size > 1)
		check_lists(res.body.data, res.body.len);
	return 0;
}
