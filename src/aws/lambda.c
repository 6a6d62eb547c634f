#include "aws/lambda.h"

#include "base/mem.h"
#include "base/str.h"
#include "codec/encode.h"
#include "codec/json.h"

#define API       "/2015-03-31/functions/"
/* A zip of 50 MiB grows by a third in base64. */
#define BODY_MOST ((size_t)72 << 20)

static void start(struct aws_request *req, const char *operation, const char *method)
{
	req->service = AWS_LAMBDA;
	req->operation = operation;
	req->method = method;
}

/* The body stays with the request. */
static void set_body(struct aws_request *req, const struct buf *body)
{
	req->body.bytes = arena_memdup(&req->arena, body->data, body->len);
	req->body.len = (int64_t)body->len;
	aws_request_header(req, "Content-Type", "application/json");
}

void lambda_get_request(struct aws_request *req, const char *name)
{
	start(req, "GetFunction", "GET");
	req->path = arena_printf(&req->arena, API "%s", name);
}

int lambda_update_request(struct aws_request *req, const char *name,
			  const struct lambda_code *code, struct error *err)
{
	CLEANUP(buf) struct buf body = BUF_INIT(BODY_MOST);
	struct json_writer w = JSON_WRITER_INIT(&body);

	if (code->zip && code->len > LAMBDA_ZIP_BYTES_MOST)
		return error_set(err, ERR_TOO_BIG,
				 "a zip of %zu bytes is too large for a request",
				 code->len);
	start(req, "UpdateFunctionCode", "PUT");
	req->path = arena_printf(&req->arena, API "%s/code", name);
	json_open(&w, '{');
	if (code->zip) {
		/* Base64 needs no escapes: no second copy of it is made. */
		json_key(&w, "ZipFile");
		json_put_raw(&w, "\"");
		encode_base64(code->zip, code->len, &body);
		buf_char(&body, '"');
	} else {
		json_member(&w, "S3Bucket", code->bucket);
		json_member(&w, "S3Key", code->key);
	}
	if (code->revision)
		json_member(&w, "RevisionId", code->revision);
	if (code->architecture) {
		json_key(&w, "Architectures");
		json_open(&w, '[');
		json_put_str(&w, code->architecture);
		json_close(&w, ']');
	}
	json_close(&w, '}');
	if (buf_check(&body, "UpdateFunctionCode", err) < 0)
		return -1;
	set_body(req, &body);
	return 0;
}

void lambda_publish_request(struct aws_request *req, const char *name,
			    const char *code_sha256)
{
	CLEANUP(buf) struct buf body = BUF_INIT(4096);
	struct json_writer w = JSON_WRITER_INIT(&body);

	start(req, "PublishVersion", "POST");
	req->path = arena_printf(&req->arena, API "%s/versions", name);
	json_open(&w, '{');
	/* Refused if the code is another by now: nobody else's is published. */
	if (code_sha256)
		json_member(&w, "CodeSha256", code_sha256);
	json_close(&w, '}');
	set_body(req, &body);
}

void lambda_alias_request(struct aws_request *req, const char *name, const char *alias)
{
	start(req, "GetAlias", "GET");
	req->path = arena_printf(&req->arena, API "%s/aliases/%s", name, alias);
}

void lambda_alias_update_request(struct aws_request *req, const char *name,
				 const char *alias, const char *version)
{
	CLEANUP(buf) struct buf body = BUF_INIT(4096);
	struct json_writer w = JSON_WRITER_INIT(&body);

	start(req, "UpdateAlias", "PUT");
	req->path = arena_printf(&req->arena, API "%s/aliases/%s", name, alias);
	json_open(&w, '{');
	json_member(&w, "FunctionVersion", version);
	json_close(&w, '}');
	set_body(req, &body);
}

/* Answers */

static const char *text_of(struct arena *arena, const struct json *v, const char *key)
{
	const char *text = json_str(json_get(v, key));

	return text ? arena_strdup(arena, text) : "";
}

static int take_configuration(const struct json *v, struct arena *arena,
			      struct lambda_function *out, struct error *err)
{
	const char *architecture = json_str(json_at(json_get(v, "Architectures"), 0));

	*out = (struct lambda_function){
		.arn = text_of(arena, v, "FunctionArn"),
		.code_sha256 = text_of(arena, v, "CodeSha256"),
		.revision = text_of(arena, v, "RevisionId"),
		.runtime = text_of(arena, v, "Runtime"),
		.handler = text_of(arena, v, "Handler"),
		.architecture = architecture ? arena_strdup(arena, architecture)
					     : "x86_64",
		.package_type = text_of(arena, v, "PackageType"),
		.has_more_code = json_at(json_get(v, "Layers"), 0) ||
				 json_at(json_get(v, "FileSystemConfigs"), 0),
		.version = text_of(arena, v, "Version"),
		.state = text_of(arena, v, "State"),
		.state_reason = text_of(arena, v, "StateReason"),
		.update = text_of(arena, v, "LastUpdateStatus"),
		.update_reason = text_of(arena, v, "LastUpdateStatusReason"),
		.update_reason_code = text_of(arena, v, "LastUpdateStatusReasonCode"),
	};
	if (!*out->arn)
		return error_set(err, ERR_DATA, "Lambda answers without a function");
	return 0;
}

int lambda_get_decode(const struct http_response *res, struct arena *arena,
		      struct lambda_function *out, struct error *err)
{
	CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;

	if (json_parse(res->body.data, res->body.len, &doc, err) < 0)
		return error_wrap(err, "GetFunction");
	return take_configuration(json_get(json_root(doc), "Configuration"), arena, out,
				  err);
}

int lambda_configuration_decode(const struct http_response *res, struct arena *arena,
				struct lambda_function *out, struct error *err)
{
	CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;

	if (json_parse(res->body.data, res->body.len, &doc, err) < 0)
		return error_wrap(err, "Lambda");
	return take_configuration(json_root(doc), arena, out, err);
}

int lambda_alias_decode(const struct http_response *res, struct arena *arena,
			const char **version, struct error *err)
{
	CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;

	*version = NULL;
	if (json_parse(res->body.data, res->body.len, &doc, err) < 0)
		return error_wrap(err, "alias");
	*version = text_of(arena, json_root(doc), "FunctionVersion");
	if (!**version)
		return error_set(err, ERR_DATA, "the alias names no version");
	return 0;
}

bool lambda_is_busy_error(const struct error *err)
{
	return str_eq(err->service_code, "ResourceConflictException");
}
