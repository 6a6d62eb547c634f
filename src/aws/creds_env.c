#include "aws/creds_providers.h"
#include "aws/endpoint.h"

/* docs.aws.amazon.com/sdkref/latest/guide/feature-static-credentials.html */

static bool env_configured(const struct creds_context *ctx)
{
	return env_get(ctx->options.env, "AWS_ACCESS_KEY_ID") != NULL;
}

static int env_fetch(struct creds_context *ctx, struct aws_keys *out, struct error *err)
{
	const char *const *env = ctx->options.env;
	const char *key = env_get(env, "AWS_SECRET_ACCESS_KEY");
	const char *token = env_get(env, "AWS_SESSION_TOKEN");

	if (!key)
		return error_set(
			err, ERR_CREDENTIALS,
			"AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not");
	secret_set_str(&out->id, env_get(env, "AWS_ACCESS_KEY_ID"));
	secret_set_str(&out->key, key);
	if (token)
		secret_set_str(&out->token, token);
	return 0;
}

const struct creds_provider creds_env = { "the environment", env_configured, env_fetch,
					  false };
