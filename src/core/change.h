/* change.h - what differs between two snapshots. */
#ifndef CORE_CHANGE_H
#define CORE_CHANGE_H

#include "core/snapshot.h"

enum change_kind {
	CHANGE_ADDED,
	CHANGE_MODIFIED, /* the bytes differ (and perhaps the headers) */
	CHANGE_HEADERS,  /* the same bytes, other headers */
	CHANGE_DELETED,
	CHANGE_KINDS
};

struct change {
	enum change_kind kind;
	const struct entry *before; /* NULL: added; borrowed from the snapshot */
	const struct entry *after;  /* NULL: deleted; borrowed from the snapshot */
};

VEC_DEFINE(change_list, struct change);

/* Appends the changes that lead from one snapshot to the other, sorted by path. O(n + m). */
void change_compare(const struct snapshot *from, const struct snapshot *to,
		    struct change_list *out);

/* after's path, or before's. */
const char *change_path(const struct change *c);
/* "added", "modified", "headers", "deleted" */
const char *change_kind_name(enum change_kind kind);

#endif
