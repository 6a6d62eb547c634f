#include "aws/creds_providers.h"

#include <string.h>

#include "base/str.h"
#include "codec/json.h"

/* docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html */

enum { OUTPUT_BYTES = 1 << 20 };

static const char *command(const struct creds_context *ctx)
{
	return profiles_get(&ctx->profiles, "profile", ctx->profiles.name,
			    "credential_process");
}

static bool process_configured(const struct creds_context *ctx)
{
	return command(ctx) != NULL;
}

static bool is_version_1(const struct buf *text)
{
	CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;
	struct error err = ERROR_INIT;
	int64_t version;

	return json_parse(text->data, text->len, &doc, &err) == 0 &&
	       json_int(json_get(json_root(doc), "Version"), &version) && version == 1;
}

static int process_fetch(struct creds_context *ctx, struct aws_keys *out,
			 struct error *err)
{
	const struct creds_options *o = &ctx->options;
	struct buf text = BUF_INIT(OUTPUT_BYTES);
	int result;

	if (!o->process)
		return error_set(err, ERR_UNSUPPORTED,
				 "profile \"%s\": credential_process is not run here",
				 ctx->profiles.name);
	result = o->process(o->process_ctx, command(ctx), &text, err);
	if (result == 0 && !is_version_1(&text))
		result = error_set(err, ERR_CREDENTIALS,
				   "credential_process does not answer Version 1");
	if (result == 0)
		result = creds_decode(text.data, text.len, "SessionToken", out, err);
	secret_wipe(text.data, text.len);
	buf_release(&text);
	return result;
}

const struct creds_provider creds_process = { "credential_process", process_configured,
					      process_fetch, false };
