/* creds.h - the keys that requests are signed with: found by a chain of providers, kept, and
 * fetched anew five minutes before they expire.
 *
 * The first provider that is configured decides; if it then fails, that is an error, and no
 * other is tried: a deploy must not quietly become somebody else's. docs/aws.md,
 * "Credentials", has the order. */
#ifndef AWS_CREDS_H
#define AWS_CREDS_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/client.h"
#include "base/buf.h"
#include "base/secret.h"

struct aws_keys {
	struct secret
		id; /* the access key id; no secret by itself, but nobody's business */
	struct secret key;
	struct secret token; /* empty for long-term keys */
	int64_t expires_ms;  /* wall clock; 0: never */
	const char *source;  /* "environment": for people; static */
};

#define AWS_KEYS_INIT           \
	{                       \
		.expires_ms = 0 \
	}

void aws_keys_release(struct aws_keys *keys);

struct creds_options {
	struct http *http;          /* borrowed */
	const struct clock *clock;  /* borrowed */
	const struct log *log;      /* borrowed; may be NULL */
	const char *const *env;     /* NAME=VALUE..., NULL-terminated; borrowed */
	const char *region;         /* for STS; NULL: as creds_region has it */
	const char *role_to_assume; /* an ARN; NULL: none */
	bool no_metadata;           /* never ask the instance's metadata service */
	uint64_t seed;
	/* Told of each secret as soon as it is known, before anything can print it. May be
	 * NULL. */
	void (*mask)(void *ctx, const char *secret);
	void *mask_ctx;
	/* Runs a command line (credential_process) and gives its output. NULL: profiles that
	 * need it are refused. */
	int (*process)(void *ctx, const char *command, struct buf *out,
		       struct error *err);
	void *process_ctx;
};

/* Reads the profile files; asks nobody yet. Strings of options are copied, env is not.
 * -1: ERR_CONFIG. */
int aws_creds_new(const struct creds_options *options, struct aws_creds **out,
		  struct error *err);
/* Keys that are at hand already; moved out of *keys. */
struct aws_creds *aws_creds_new_fixed(struct aws_keys *keys);
void aws_creds_free(struct aws_creds *creds); /* NULL-safe */

/* Keys that are good for now, fetched if need be; borrowed until the next call.
 * -1: ERR_CREDENTIALS (none, or refused), or why their source was not reached. */
int aws_creds_get(struct aws_creds *creds, const struct aws_keys **out,
		  struct error *err);
/* The service says that they have expired: the next aws_creds_get fetches new ones. */
void aws_creds_expire(struct aws_creds *creds);

/* Whether something but the instance's metadata is configured. Uses no network. */
bool creds_configured(const struct creds_options *options);

/* The region that environment or profile name, into out; false: neither does. */
bool creds_region(const char *const *env, char *out, size_t size);

MEM_DEFINE_FREEP(aws_creds)

#endif
