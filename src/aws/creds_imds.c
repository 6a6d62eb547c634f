#include "aws/creds_providers.h"

#include <stdio.h>
#include <string.h>

#include "aws/endpoint.h"
#include "base/str.h"
#include "codec/url.h"

/* The metadata service of an EC2 instance, version 2: a session token first.
 * docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html */

#define ROLES "/latest/meta-data/iam/security-credentials/"

enum { TIMEOUT_MS = 1000 };

static bool imds_configured(const struct creds_context *ctx)
{
	const char *disabled = env_get(ctx->options.env, "AWS_EC2_METADATA_DISABLED");

	return !ctx->options.no_metadata &&
	       !(disabled && str_eq_nocase(disabled, "true"));
}

static const char *imds_base(const struct creds_context *ctx)
{
	const char *const *env = ctx->options.env;
	const char *base = env_get(env, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *mode = env_get(env, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");

	if (base)
		return base;
	return mode && str_eq_nocase(mode, "ipv6") ? "http://[fd00:ec2::254]"
						   : "http://169.254.169.254";
}

static int ask(struct creds_context *ctx, const char *method, const char *path,
	       const struct http_header *header, struct http_response *res,
	       struct error *err)
{
	const char *base = imds_base(ctx);
	size_t len = strlen(base);
	struct http_request req = {
		.method = method,
		.headers = header,
		.n_headers = 1,
		.timeout_ms = TIMEOUT_MS,
		.max_response = 1 << 20,
		.no_proxy = true,
	};

	while (len && base[len - 1] == '/')
		len--;
	req.url = arena_printf(&ctx->arena, "%.*s%s", (int)len, base, path);
	if (http_send(ctx->options.http, &req, res, err) < 0)
		return -1;
	if (res->status == 200)
		return 0;
	return error_set(err, ERR_CREDENTIALS,
			 "the instance's metadata service answers %d", res->status);
}

/* A header value or a part of a path, from a service that anybody on the network might
 * play. */
static bool is_plain(const char *s)
{
	for (; *s; s++)
		if (*s <= ' ' || *s >= 0x7F || strchr("/?#%\\\"", *s))
			return false;
	return true;
}

static int session_token(struct creds_context *ctx, struct secret *out, struct error *err)
{
	static const struct http_header ttl = { "X-aws-ec2-metadata-token-ttl-seconds",
						"21600" };
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;

	if (ask(ctx, "PUT", "/latest/api/token", &ttl, &res, err) < 0)
		return -1;
	secret_set(out, res.body.data, res.body.len);
	creds_wipe_response(&res);
	if (!secret_is_set(out) || strpbrk(secret_bytes(out), "\r\n"))
		return error_set(err, ERR_CREDENTIALS,
				 "the metadata service gives no token");
	return 0;
}

static int imds_keys(struct creds_context *ctx, struct aws_keys *out, struct error *err)
{
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	CLEANUP(secret) struct secret token = SECRET_INIT;
	struct http_header header = { "X-aws-ec2-metadata-token", NULL };
	const char *path;
	int result;

	if (session_token(ctx, &token, err) < 0)
		return -1;
	header.value = secret_bytes(&token);
	if (ask(ctx, "GET", ROLES, &header, &res, err) < 0)
		return -1;
	res.body.data[strcspn(res.body.data, "\r\n")] = '\0';
	if (!*res.body.data || !is_plain(res.body.data))
		return error_set(err, ERR_CREDENTIALS, "the instance has no role");
	path = arena_printf(&ctx->arena, ROLES "%s", res.body.data);
	http_response_release(&res);
	if (ask(ctx, "GET", path, &header, &res, err) < 0)
		return -1;
	result = creds_decode(res.body.data, res.body.len, "Token", out, err);
	creds_wipe_response(&res);
	return result;
}

/* On most machines there is no such service, and nobody asked for it: then what is missing
 * is credentials, not the service. */
static int imds_fetch(struct creds_context *ctx, struct aws_keys *out, struct error *err)
{
	struct error why = ERROR_INIT;

	if (imds_keys(ctx, out, &why) == 0)
		return 0;
	if (why.code == ERR_CANCELLED) {
		*err = why;
		return -1;
	}
	return error_set(
		err, ERR_CREDENTIALS,
		"no credentials: give role-to-assume in a workflow with id-token: "
		"write, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile "
		"(and this is no EC2 instance with a role: %s)",
		why.msg);
}

const struct creds_provider creds_imds = { "the instance's role", imds_configured,
					   imds_fetch, true };
