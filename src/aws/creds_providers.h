/* creds_providers.h - what the credential providers share; private to src/aws. Each provider
 * is one row of the chain in creds.c and one source file. */
#ifndef AWS_CREDS_PROVIDERS_H
#define AWS_CREDS_PROVIDERS_H

#include "aws/creds.h"
#include "aws/profile.h"
#include "aws/sts.h"
#include "base/arena.h"

/* What providers may use. */
struct creds_context {
	struct creds_options options; /* strings in arena */
	struct profiles profiles;
	struct arena arena;
	char region[64]; /* of STS */
	uint64_t random;
};

struct creds_provider {
	const char *name;
	bool (*configured)(const struct creds_context *ctx);
	/* Fills *out, which is empty. */
	int (*fetch)(struct creds_context *ctx, struct aws_keys *out, struct error *err);
	bool implicit; /* tried because it may be there, not because it is configured */
};

extern const struct creds_provider creds_env, creds_profile_role, creds_web,
	creds_profile_sso, creds_profile_shared, creds_profile_login, creds_process,
	creds_profile_config, creds_container, creds_imds;

/* The role that was asked for (options.role_to_assume) by a job's or file's token. False
 * from creds_role_has_token: base keys from the chain must assume it. */
bool creds_role_has_token(const struct creds_context *ctx);
int creds_role_by_token(struct creds_context *ctx, struct aws_keys *out,
			struct error *err);

/* Runs the chain without the role that was asked for. */
int creds_chain(struct creds_context *ctx, struct aws_keys *out, struct error *err);

/* Assumes a role with keys, which are consumed. The role's session may be NULL: it gets
 * creds_session_name(). */
int creds_assume(struct creds_context *ctx, struct aws_keys *base,
		 const struct sts_role *role, struct aws_keys *out, struct error *err);
/* The name of the session where nobody gave one; in the context's arena. */
const char *creds_session_name(struct creds_context *ctx);

/* A small file's whole text. -1: ERR_NOT_FOUND when it is not there, else ERR_IO or
 * ERR_TOO_BIG (over 1 MiB). */
int creds_read_file(const char *path, struct secret *out, struct error *err);
/* The same, without the white space around it; -1 also when it is then empty. */
int creds_read_token(const char *path, struct secret *out, struct error *err);

/* A request of a provider's own, not through the AWS client. 200 or -1. */
int creds_fetch(struct creds_context *ctx, const struct http_request *req,
		struct http_response *res, struct error *err);

/* {"AccessKeyId", "SecretAccessKey", "Token" (or SessionToken), "Expiration"}: what the
 * metadata services and credential_process answer. */
int creds_decode(const char *text, size_t n, const char *token_name, struct aws_keys *out,
		 struct error *err);
/* "2026-01-02T03:04:05Z", also with a fraction or an offset. */
bool creds_time_parse(const char *text, int64_t *out_ms);

/* Wipes what may hold keys, then lets it go. */
void creds_wipe_response(struct http_response *res);

#endif
