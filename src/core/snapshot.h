/* snapshot.h - what a commit holds, or what is deployed: a sorted list of entries. */
#ifndef CORE_SNAPSHOT_H
#define CORE_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

/* A git object id: SHA-1. */
struct oid {
	unsigned char bytes[20];
};

enum { OID_HEX_SIZE = 41 };

/* Writes 40 digits and a NUL; returns out. */
char *oid_hex(const struct oid *id, char out[OID_HEX_SIZE]);
bool oid_from_hex(const char *hex, struct oid *out);
bool oid_equal(const struct oid *a, const struct oid *b);
bool oid_is_zero(const struct oid *id);

struct entry {
	const char *path;    /* relative to the site's folder, valid UTF-8; borrowed */
	struct oid id;       /* content id: the blob id of the bytes that are sent */
	uint64_t headers_id; /* headers_id(); 0: not known */
	const char *etag;    /* in the bucket, with quotes; NULL: not known; borrowed */
};

/* Entries sorted by the bytes of their paths, each path once. */
VEC_DEFINE(snapshot, struct entry);

/* Sorts what was pushed in any order. */
void snapshot_sort(struct snapshot *s);
/* O(log n). NULL: not there. */
const struct entry *snapshot_find(const struct snapshot *s, const char *path);

#endif
