/* state.h - the object in S3 that records what is deployed: its shape, and its bytes.
 *
 * The state of a site lives beside it (STATE_KEY under the site's prefix) as gzip-encoded
 * JSON. Pure: reading and writing the object is run/'s. docs/state.md tells the protocol. */
#ifndef CORE_STATE_H
#define CORE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "core/snapshot.h"

#define STATE_KEY ".crc/state.json"

enum {
	STATE_NONCE_SIZE = 33, /* 128 random bits in hex and a NUL */
	STATE_LEASE_S = 120,
	STATE_LEASE_GRACE_S = 60, /* a lease is dead this long after its end */
};
#define STATE_TEXT_MAX ((size_t)1 << 30) /* unpacked; some 4 million objects */

/* The CI run that writes. Zeros and NULL: not in CI. */
struct state_run {
	const char *workflow; /* what run numbers are comparable within */
	int64_t id;
	int64_t number;
	int64_t attempt;
};

struct state_deployed {
	bool is_set;
	struct oid commit;
	const char *nonce; /* of the write that recorded it */
	struct state_run run;
	int64_t at_s;
};

/* An asset that is in the bucket still though no longer in the commit. */
struct state_retired {
	struct entry entry;
	int64_t since_s;
};

VEC_DEFINE(state_retired_list, struct state_retired);

/* What an unfinished deploy may have done to one path. */
struct state_touch {
	const char *path;
	const char *from; /* ETag before; NULL: absent */
	bool to_absent;   /* a delete */
	struct oid id;    /* else what was to be there */
	uint64_t headers_id;
	const char *to; /* and the ETag it was expected to have; NULL: not known */
	bool copied;    /* what has the ETag `from` may have other headers by now */
	bool multipart; /* an upload in parts may have been left behind */
};

VEC_DEFINE(state_touch_list, struct state_touch); /* sorted by path */

struct state_journal {
	bool is_set;
	struct oid commit;
	struct state_run run;
	struct str_list distributions;
	struct str_list references; /* the caller reference of each distribution */
	bool everything;            /* a full invalidation was due */
	struct state_touch_list touches;
};

struct state_lease {
	bool is_set;
	const char *holder; /* the nonce of the claim */
	int64_t seconds;    /* from the moment the store dates the write */
};

struct state {
	struct arena arena; /* owns all that was parsed */
	const char *nonce;  /* of this write */
	struct state_lease lease;
	struct state_deployed deployed;
	const char *prefix;
	struct str_list distributions;
	struct str_list
		mutable_paths; /* sorted; once immutable, then modified in place */
	struct snapshot objects;
	struct state_retired_list retired; /* sorted by path */
	struct state_journal journal;
};

#define STATE_INIT            \
	{                     \
		.nonce = NULL \
	}

void state_release(struct state *s);

/* Reads unpacked JSON. -1: ERR_DATA naming what is wrong; a later format's version is
 * ERR_UNSUPPORTED. The bytes may come from anybody who can write to the bucket: a member
 * that is there and not what it ought to be is refused, not left out. */
int state_parse(struct state *s, const char *text, size_t n, struct error *err);

/* Appends the JSON that state_parse reads. An ETag that is no string in quotes of visible
 * characters is written as not known. */
void state_print(const struct state *s, struct buf *out);

/* O(log n). NULL: not there. */
const struct state_touch *state_journal_find(const struct state_journal *j,
					     const char *path);
const struct state_retired *state_retired_find(const struct state *s, const char *path);
bool state_has_distribution(const struct state *s, const char *id);
bool state_path_is_mutable(const struct state *s, const char *path);

/* Whether a lease can be taken over: now_s and modified_s are the server's Date and the
 * object's Last-Modified, so that no machine's own clock matters. 0: not known; the lease is
 * then taken to begin now. */
bool state_lease_is_dead(const struct state_lease *lease, int64_t now_s,
			 int64_t modified_s);
/* Seconds until it is dead; 0 if it is. */
int64_t state_lease_wait_s(const struct state_lease *lease, int64_t now_s,
			   int64_t modified_s);

/* True for a path that may be in a site: valid UTF-8, 1 to 1,024 bytes, no NUL, not starting
 * with '/', without "." and ".." between slashes, not below .crc/. */
bool state_path_is_sound(const char *path);

#endif
