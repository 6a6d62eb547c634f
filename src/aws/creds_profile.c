#include "aws/creds_providers.h"

#include <string.h>

#include "base/str.h"

/* What a profile may say about its keys: the keys, a role to assume with another profile's,
 * or the name of a way that needs a person first.
 * docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html */

enum { ROLE_DEPTH_MAX = 5 };

static const char *setting(const struct creds_context *ctx, const char *name,
			   const char *key)
{
	return profiles_get(&ctx->profiles, "profile", name, key);
}

/* ---- keys in a file ---- */

static int fixed_keys(const struct creds_context *ctx, const char *profile,
		      struct aws_keys *out, struct error *err)
{
	const char *id = setting(ctx, profile, "aws_access_key_id");
	const char *key = setting(ctx, profile, "aws_secret_access_key");
	const char *token = setting(ctx, profile, "aws_session_token");

	if (!id || !key)
		return error_set(err, ERR_CREDENTIALS,
				 "profile \"%s\" lacks aws_access_key_id or "
				 "aws_secret_access_key",
				 profile);
	secret_set_str(&out->id, id);
	secret_set_str(&out->key, key);
	if (token)
		secret_set_str(&out->token, token);
	return 0;
}

static bool shared_configured(const struct creds_context *ctx)
{
	return profiles_get_from(&ctx->profiles, true, ctx->profiles.name,
				 "aws_access_key_id") != NULL;
}

static bool config_configured(const struct creds_context *ctx)
{
	return profiles_get_from(&ctx->profiles, false, ctx->profiles.name,
				 "aws_access_key_id") != NULL;
}

static int fixed_fetch(struct creds_context *ctx, struct aws_keys *out, struct error *err)
{
	return fixed_keys(ctx, ctx->profiles.name, out, err);
}

const struct creds_provider creds_profile_shared = { "the credentials file",
						     shared_configured, fixed_fetch,
						     false };
const struct creds_provider creds_profile_config = { "the config file", config_configured,
						     fixed_fetch, false };

/* ---- a role ---- */

static bool role_configured(const struct creds_context *ctx)
{
	const char *name = ctx->profiles.name;

	/* With a token file the role is creds_web's. */
	return setting(ctx, name, "role_arn") &&
	       !setting(ctx, name, "web_identity_token_file");
}

/* The keys that a credential_source names. */
static int source_fetch(struct creds_context *ctx, const char *source,
			struct aws_keys *out, struct error *err)
{
	static const struct {
		const char *name;
		const struct creds_provider *provider;
	} sources[] = {
		{ "Environment", &creds_env },
		{ "EcsContainer", &creds_container },
		{ "Ec2InstanceMetadata", &creds_imds },
	};

	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
		if (!str_eq(source, sources[i].name))
			continue;
		if (!sources[i].provider->configured(ctx))
			return error_set(err, ERR_CREDENTIALS,
					 "credential_source %s is not configured",
					 source);
		return sources[i].provider->fetch(ctx, out, err);
	}
	return error_set(err, ERR_CREDENTIALS,
			 "credential_source is none of Environment, EcsContainer, "
			 "Ec2InstanceMetadata");
}

static int profile_keys(struct creds_context *ctx, const char *name, int depth,
			struct aws_keys *out, struct error *err);

static int role_base(struct creds_context *ctx, const char *name, int depth,
		     struct aws_keys *out, struct error *err)
{
	const char *source = setting(ctx, name, "source_profile");
	const char *from = setting(ctx, name, "credential_source");

	if (source && from)
		return error_set(err, ERR_CREDENTIALS,
				 "profile \"%s\" has both source_profile and "
				 "credential_source",
				 name);
	if (from)
		return source_fetch(ctx, from, out, err);
	if (!source)
		return error_set(err, ERR_CREDENTIALS,
				 "profile \"%s\" has role_arn, but no source_profile",
				 name);
	/* A profile may be its own source: its role, assumed with its own keys. */
	if (str_eq(source, name))
		return fixed_keys(ctx, name, out, err);
	return profile_keys(ctx, source, depth + 1, out, err);
}

static int role_keys(struct creds_context *ctx, const char *name, int depth,
		     struct aws_keys *out, struct error *err)
{
	CLEANUP(aws_keys) struct aws_keys base = AWS_KEYS_INIT;
	const char *duration = setting(ctx, name, "duration_seconds");
	struct sts_role role = {
		.arn = setting(ctx, name, "role_arn"),
		.session = setting(ctx, name, "role_session_name"),
		.external_id = setting(ctx, name, "external_id"),
	};

	if (setting(ctx, name, "mfa_serial"))
		return error_set(
			err, ERR_CREDENTIALS,
			"profile \"%s\" wants an MFA code: run `aws configure "
			"export-credentials --profile %s --format env` and use what "
			"it prints",
			name, name);
	if (duration && !str_to_i64(duration, 900, 43200, &role.duration_s))
		return error_set(err, ERR_CREDENTIALS,
				 "profile \"%s\": duration_seconds is not within 900 to "
				 "43200",
				 name);
	if (role_base(ctx, name, depth, &base, err) < 0)
		return -1;
	return creds_assume(ctx, &base, &role, out, err);
}

static int profile_keys(struct creds_context *ctx, const char *name, int depth,
			struct aws_keys *out, struct error *err)
{
	if (depth > ROLE_DEPTH_MAX)
		return error_set(err, ERR_CREDENTIALS,
				 "the source_profile of \"%s\" leads in a circle", name);
	if (!profiles_has(&ctx->profiles, "profile", name))
		return error_set(err, ERR_CREDENTIALS,
				 "source_profile \"%s\" is in neither of the AWS files",
				 name);
	if (setting(ctx, name, "aws_access_key_id"))
		return fixed_keys(ctx, name, out, err);
	if (setting(ctx, name, "role_arn"))
		return role_keys(ctx, name, depth, out, err);
	return error_set(err, ERR_CREDENTIALS,
			 "source_profile \"%s\" has neither keys nor a role: run `aws "
			 "configure export-credentials --profile %s --format env`",
			 name, name);
}

static int role_fetch(struct creds_context *ctx, struct aws_keys *out, struct error *err)
{
	return role_keys(ctx, ctx->profiles.name, 0, out, err);
}

const struct creds_provider creds_profile_role = { "the profile's role", role_configured,
						   role_fetch, false };

/* ---- what needs a person ---- */

static bool sso_configured(const struct creds_context *ctx)
{
	const char *name = ctx->profiles.name;

	return setting(ctx, name, "sso_session") || setting(ctx, name, "sso_start_url");
}

static bool login_configured(const struct creds_context *ctx)
{
	return setting(ctx, ctx->profiles.name, "login_session") != NULL;
}

static int person_fetch(struct creds_context *ctx, struct aws_keys *out,
			struct error *err)
{
	const char *name = ctx->profiles.name;

	(void)out;
	return error_set(
		err, ERR_CREDENTIALS,
		"profile \"%s\" signs in by browser, which crc does not do: run "
		"`eval \"$(aws configure export-credentials --profile %s --format "
		"env)\"` first",
		name, name);
}

const struct creds_provider creds_profile_sso = { "the profile's SSO session",
						  sso_configured, person_fetch, false };
const struct creds_provider creds_profile_login = { "the profile's login session",
						    login_configured, person_fetch,
						    false };
