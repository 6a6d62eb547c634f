#include "aws/creds_providers.h"

#include <string.h>

#include "aws/endpoint.h"
#include "base/str.h"
#include "codec/url.h"

/* ECS, EKS and CodeBuild keep a role's keys at an address that the environment names.
 * docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html */

static bool container_configured(const struct creds_context *ctx)
{
	const char *const *env = ctx->options.env;

	return env_get(env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") ||
	       env_get(env, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
}

/* Without TLS only addresses that cannot leave the machine. */
static bool is_local(const struct url *url)
{
	static const char *const hosts[] = { "169.254.170.2", "169.254.170.23",
					     "fd00:ec2::23" };

	if (url_is_loopback(url))
		return true;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++)
		if (strlen(hosts[i]) == url->host_len &&
		    memcmp(hosts[i], url->host, url->host_len) == 0)
			return true;
	return false;
}

static const char *container_url(struct creds_context *ctx, struct error *err)
{
	const char *const *env = ctx->options.env;
	const char *relative = env_get(env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = env_get(env, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
	struct url url;

	if (relative)
		full = arena_printf(&ctx->arena, "http://169.254.170.2%s%s",
				    *relative == '/' ? "" : "/", relative);
	if (!url_parse(full, &url)) {
		error_set(err, ERR_CREDENTIALS, "the container's address is not a URL");
		return NULL;
	}
	if (url.scheme_len == 4 && !is_local(&url)) {
		error_set(err, ERR_CREDENTIALS,
			  "the container's address is neither https nor this machine");
		return NULL;
	}
	return full;
}

static int container_token(struct creds_context *ctx, struct secret *out,
			   struct error *err)
{
	const char *const *env = ctx->options.env;
	const char *file = env_get(env, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *token = env_get(env, "AWS_CONTAINER_AUTHORIZATION_TOKEN");

	if (file && creds_read_token(file, out, err) < 0) {
		err->code = ERR_CREDENTIALS;
		return -1;
	}
	if (file || !token)
		return 0;
	if (strpbrk(token, "\r\n"))
		return error_set(err, ERR_CREDENTIALS,
				 "AWS_CONTAINER_AUTHORIZATION_TOKEN holds a line break");
	secret_set_str(out, token);
	return 0;
}

static int container_fetch(struct creds_context *ctx, struct aws_keys *out,
			   struct error *err)
{
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	CLEANUP(secret) struct secret token = SECRET_INIT;
	struct http_header header = { "Authorization", NULL };
	struct http_request req = {
		.method = "GET",
		.headers = &header,
		.timeout_ms = 2000,
		.max_response = 1 << 20,
		.no_proxy = true,
	};
	int result;

	req.url = container_url(ctx, err);
	if (!req.url || container_token(ctx, &token, err) < 0)
		return -1;
	header.value = secret_bytes(&token);
	req.n_headers = secret_is_set(&token) ? 1 : 0;
	if (creds_fetch(ctx, &req, &res, err) < 0)
		return -1;
	result = creds_decode(res.body.data, res.body.len, "Token", out, err);
	creds_wipe_response(&res);
	return result;
}

const struct creds_provider creds_container = { "the container", container_configured,
						container_fetch, false };
