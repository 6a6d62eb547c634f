#include "aws/creds_providers.h"

#include <string.h>

#include "aws/endpoint.h"
#include "aws/sts.h"
#include "base/str.h"
#include "codec/json.h"
#include "codec/url.h"

/* A token from somebody whom AWS trusts, for the keys of a role.
 * docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html */

/* Exchanges a token. The request is not signed: there is nothing to sign it with. */
static int exchange(struct creds_context *ctx, const char *role_arn, const char *session,
		    const struct secret *token, struct aws_keys *out, struct error *err)
{
	CLEANUP_PTR(aws) struct aws *aws = NULL;
	struct sts_role role = {
		.arn = role_arn,
		.session = session ? session : creds_session_name(ctx),
	};
	struct aws_options options = {
		.http = ctx->options.http,
		.clock = ctx->options.clock,
		.log = ctx->options.log,
		.region = ctx->region,
		.env = ctx->options.env,
		.seed = ctx->random++,
	};

	if (aws_new(&options, &aws, err) < 0)
		return -1;
	return sts_assume_role_with_token(aws, &role, token, out, err);
}

/* ---- a token in a file ---- */

/* What configures a token file: the environment as a whole, or the profile as a whole. */
struct token_file {
	const char *path;
	const char *role_arn;
	const char *session;
};

static bool find_token_file(const struct creds_context *ctx, struct token_file *out)
{
	const struct profiles *p = &ctx->profiles;
	const char *const *env = ctx->options.env;

	*out = (struct token_file){
		.path = env_get(env, "AWS_WEB_IDENTITY_TOKEN_FILE"),
		.role_arn = env_get(env, "AWS_ROLE_ARN"),
	};
	if (out->path)
		return true;
	*out = (struct token_file){
		.path = profiles_get(p, "profile", p->name, "web_identity_token_file"),
		.role_arn = profiles_get(p, "profile", p->name, "role_arn"),
		.session = profiles_get(p, "profile", p->name, "role_session_name"),
	};
	return out->path != NULL;
}

static bool web_configured(const struct creds_context *ctx)
{
	struct token_file file;

	return find_token_file(ctx, &file);
}

static int file_exchange(struct creds_context *ctx, const char *role_arn,
			 struct aws_keys *out, struct error *err)
{
	CLEANUP(secret) struct secret token = SECRET_INIT;
	struct token_file file;

	if (!find_token_file(ctx, &file))
		return error_set(err, ERR_CREDENTIALS, "no token file");
	if (!role_arn)
		role_arn = file.role_arn;
	if (!role_arn)
		return error_set(
			err, ERR_CREDENTIALS,
			"there is a web identity token file, but no AWS_ROLE_ARN");
	/* Read anew each time: whoever writes it replaces it before it expires. */
	if (creds_read_token(file.path, &token, err) < 0) {
		err->code = ERR_CREDENTIALS;
		return error_wrap(err, "web identity token");
	}
	return exchange(ctx, role_arn, file.session, &token, out, err);
}

static int web_fetch(struct creds_context *ctx, struct aws_keys *out, struct error *err)
{
	return file_exchange(ctx, NULL, out, err);
}

const struct creds_provider creds_web = { "a web identity token file", web_configured,
					  web_fetch, false };

/* ---- a job's token ---- */

/* docs.github.com/actions/reference/security/oidc, "Methods for requesting the OIDC
 * token": GET the URL with the audience added and the request token as bearer. */
static int request_job_token(struct creds_context *ctx, struct secret *out,
			     struct error *err)
{
	const char *const *env = ctx->options.env;
	const char *url = env_get(env, "ACTIONS_ID_TOKEN_REQUEST_URL");
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;
	CLEANUP(secret) struct secret bearer = SECRET_INIT;
	struct error why = ERROR_INIT;
	const char *token;
	char *text = arena_printf(&ctx->arena, "Bearer %s",
				  env_get(env, "ACTIONS_ID_TOKEN_REQUEST_TOKEN"));
	struct http_header headers[] = { { "Authorization", NULL },
					 { "Accept", "application/json" } };
	struct http_request req = {
		.method = "GET",
		.url = arena_printf(&ctx->arena, "%s%saudience=sts.amazonaws.com", url,
				    strchr(url, '?') ? "&" : "?"),
		.headers = headers,
		.n_headers = 2,
		.timeout_ms = 10000,
		.max_response = 1 << 20,
	};

	secret_set_str(&bearer, text);
	secret_wipe(text, strlen(text));
	headers[0].value = secret_bytes(&bearer);
	if (creds_fetch(ctx, &req, &res, err) < 0)
		return error_wrap(err, "GitHub's token service");
	if (json_parse(res.body.data, res.body.len, &doc, &why) == 0) {
		token = json_str(json_get(json_root(doc), "value"));
		if (!str_empty(token))
			secret_set_str(out, token);
	}
	creds_wipe_response(&res);
	if (!secret_is_set(out))
		return error_set(err, ERR_CREDENTIALS,
				 "GitHub's token service answers without a token");
	return 0;
}

static bool job_has_token(const struct creds_context *ctx)
{
	return env_get(ctx->options.env, "ACTIONS_ID_TOKEN_REQUEST_URL") &&
	       env_get(ctx->options.env, "ACTIONS_ID_TOKEN_REQUEST_TOKEN");
}

/* Whether the keys that the chain would find can assume the role. */
static bool has_keys(const struct creds_context *ctx)
{
	return creds_env.configured(ctx) || creds_profile_role.configured(ctx) ||
	       creds_profile_shared.configured(ctx) ||
	       creds_profile_config.configured(ctx) || creds_process.configured(ctx) ||
	       creds_container.configured(ctx);
}

bool creds_role_has_token(const struct creds_context *ctx)
{
	bool is_job = env_get(ctx->options.env, "GITHUB_ACTIONS") != NULL;

	/* A job that lacks the permission is told so, rather than that it has no keys. */
	return job_has_token(ctx) || web_configured(ctx) || (is_job && !has_keys(ctx));
}

int creds_role_by_token(struct creds_context *ctx, struct aws_keys *out,
			struct error *err)
{
	CLEANUP(secret) struct secret token = SECRET_INIT;
	const char *role = ctx->options.role_to_assume;

	if (!job_has_token(ctx) && web_configured(ctx))
		return file_exchange(ctx, role, out, err);
	if (!job_has_token(ctx))
		return error_set(
			err, ERR_CREDENTIALS,
			"role-to-assume needs the job's token: add \"permissions: "
			"{ id-token: write, contents: read }\" to the workflow (jobs "
			"of forks never get one)");
	if (request_job_token(ctx, &token, err) < 0)
		return -1;
	if (ctx->options.mask)
		ctx->options.mask(ctx->options.mask_ctx, secret_bytes(&token));
	return exchange(ctx, role, NULL, &token, out, err);
}
