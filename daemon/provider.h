/* provider.h - the hosts that send webhooks, one row each: how a delivery is authenticated,
 * and what it says. Pure: bytes in, values out.
 *
 * The row is the one that the site's configuration names. It is never guessed from headers:
 * Gitea and Forgejo send GitHub's too. A payload's clone URL is never read. */
#ifndef DAEMON_PROVIDER_H
#define DAEMON_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/secret.h"
#include "daemon/push.h"
#include "daemon/request.h"

struct provider; /* a row; static */

/* NULL: no host of that name. */
const struct provider *provider_find(const char *name);
const char *provider_name(const struct provider *p);
/* The i-th row, NULL behind the last: for listing them. */
const struct provider *provider_at(size_t i);

enum { PROVIDER_SECRETS_MOST = 2, PROVIDER_TOLERANCE_S = 300 };

/* The generic row's settings, NULL for what is not configured. Pointers are RFC 6901's. */
struct provider_generic {
	/* "standard-webhooks" (the default), "hmac-sha256" (hex, with or without "sha256=",
	 * in header) or "token" (the secret itself in header). */
	const char *auth;
	const char *header;
	/* Of an array of changes, to whose items ref, before and after then point; default: the
	 * payload is one change, or has them in "/changes" when ref points to nothing. */
	const char *changes;
	const char
		*ref; /* default "/ref"; its value may be "main" or "refs/heads/main" */
	const char *before;   /* default "/before"; it may be null or not be there */
	const char *after;    /* default "/after"; null or zeros: the ref was deleted */
	const char *delivery; /* default: the header webhook-id */
};

/* What a delivery must be signed with.
 *
 * A secret that begins with "whsec_" is a key of Standard Webhooks where the row knows those
 * (gitlab, generic): base64 follows. GitLab's other secrets are the token of X-Gitlab-Token, with
 * which a whsec_ secret is never compared. Azure's are the password of Basic, whoever the user. */
struct provider_keys {
	struct secret secrets[PROVIDER_SECRETS_MOST]; /* any of them will do */
	size_t n_secrets;
	struct provider_generic generic;
};

/* 0 when the raw body was signed (or accompanied) by one of the secrets. Constant in time
 * with regard to the secrets. An empty secret matches nothing. -1: ERR_CREDENTIALS (answer 401;
 * the message names the header that is missing or wrong, and no bytes of it), also for a
 * timestamp more than PROVIDER_TOLERANCE_S from now_s where the scheme has one. */
int provider_authenticate(const struct provider *p, const struct provider_keys *keys,
			  const struct request *r, int64_t now_s, struct error *err);

/* Reads an authenticated delivery. Released by the caller either way. -1: ERR_DATA for what
 * is not this host's JSON or form (answer 400), also for more than PUSH_CHANGES_MOST changes. Refs
 * are kept as they are, however odd and long; commits are 40 hex digits or the delivery is
 * ERR_DATA. */
int provider_parse(const struct provider *p, const struct provider_keys *keys,
		   const struct request *r, struct push *out, struct error *err);

/* Whether settings are enough for the row: secrets there and of its kind, the generic row's
 * header named, its pointers well formed. ERR_CONFIG. */
int provider_check(const struct provider *p, const struct provider_keys *keys,
		   struct error *err);

#endif
