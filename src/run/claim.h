/* claim.h - a site's state object as a lock: claim, renew, release, commit.
 *
 * docs/state.md tells the protocol. Every write is conditional on the ETag that was last
 * seen, and changes the bytes (a new nonce), so that an old ETag never comes back. */
#ifndef RUN_CLAIM_H
#define RUN_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/client.h"
#include "base/arena.h"
#include "core/state.h"

enum { CLAIM_RENEW_AFTER_MS = 45000, CLAIM_NONCE_SIZE = STATE_NONCE_SIZE };

struct claim {
	struct aws *aws;    /* borrowed */
	const char *bucket; /* borrowed */
	struct arena arena;
	const char *key;   /* of the state object */
	struct state next; /* what is written; its lists and strings are borrowed */
	const char *etag;  /* of the object as last seen; NULL: absent */
	char nonce[CLAIM_NONCE_SIZE];
	bool held;
	bool unsure;         /* whether the last write took effect is not known */
	bool unfenced;       /* the store ignores conditions */
	int64_t taken_ms;    /* monotonic, before the last write was sent */
	int64_t deadline_ms; /* monotonic; of all that it sends; 0: none */
};

#define CLAIM_INIT            \
	{                     \
		.held = false \
	}

void claim_release(struct claim *c); /* frees; sends nothing */

void claim_init(struct claim *c, struct aws *aws, const char *bucket, const char *prefix);

/* Writes next with a lease. ERR_CONDITION: somebody else was faster; read again. */
int claim_take(struct claim *c, struct error *err);
/* Whether the lease is old enough to be renewed. */
bool claim_is_due(const struct claim *c);
/* The monotonic time by which every request under this claim must have ended. */
int64_t claim_deadline_ms(const struct claim *c);
/* ERR_CONDITION: the claim was lost. */
int claim_renew(struct claim *c, struct error *err);
/* Gives up the lease and keeps the journal; also a lease that may have been taken without our
 * being told. Soon done, or failed: a lease ends by itself. */
int claim_drop(struct claim *c, struct error *err);
/* Writes after, without journal and lease, in the place of next; next is that from then on,
 * or, if it fails, what it was. ERR_CONDITION: lost. */
int claim_commit(struct claim *c, const struct state *after, struct error *err);

/* A state that was read. */
struct claim_read {
	struct state state;
	bool exists;
	const char *etag;   /* in state.arena */
	int64_t wait_s;     /* until its lease is dead; 0: none, or dead */
	int64_t written_ms; /* when, by the store's clock; 0: it does not tell */
};

void claim_read_release(struct claim_read *r);
void claim_read_request(struct aws_request *req, const char *bucket, const char *prefix);
/* Reads what came of the request: an absent state is an answer, not an error. */
int claim_read_result(struct aws_call *call, struct claim_read *out, struct error *err);

/* Whether a state that was written then may be younger than what was asked for at asked_ms
 * (http_response_asked_ms) of something that deploys change under a claim. Whoever changes it
 * writes the state afterwards; so if both were read side by side, one may be from before another
 * deploy and the other from behind it, and a claim of that state would cover what is no more. A
 * state that is older shows that none has ended in between, and its lease or its journal shows
 * one that is at work. Both times are of servers' clocks, ms since 1970; 0: not known. */
bool claim_read_may_be_since(int64_t written_ms, int64_t asked_ms);

#endif
