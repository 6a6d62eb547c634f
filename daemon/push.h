/* push.h - what a provider's row makes of a delivery: a push as plain data, whichever host
 * it came from. */
#ifndef DAEMON_PUSH_H
#define DAEMON_PUSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

enum push_kind {
	PUSH_CHANGES, /* refs were moved; changes tells which, there may be none of interest */
	PUSH_PING, /* the host tries the hook out */
	PUSH_OTHER /* an event that is no push: accepted politely, nothing follows */
};

enum { PUSH_CHANGES_MOST = 1000, PUSH_COMMIT_MAX = 41, PUSH_DELIVERY_MAX = 128 };

/* One ref that was moved. The strings are the arena's. */
struct push_change {
	const char *ref; /* the full name: "refs/heads/main", "refs/tags/v1" */
	const char
		*before;   /* 40 lower-case hex digits; "": the ref is new, or not told */
	const char *after; /* "": the ref was deleted */
};

struct push {
	struct arena arena;
	enum push_kind kind;
	struct push_change *changes;
	size_t n_changes;
	/* The host's name for this delivery, "" when it gives none. A replay is told by it and
	 * by the digest of the body, since most hosts do not sign it. */
	const char *delivery;
	/* This one does: the same body under another name is another push. */
	bool delivery_is_signed;
};

void push_release(struct push *p);

/* The last change of a branch ("main"); NULL: the push does not move it. */
const struct push_change *push_change_of(const struct push *p, const char *branch);

#endif
