/* fake_store.h - the part of S3 and CloudFront that a deploy uses, in memory, behind a
 * fake_http; and a fault at the nth request.
 *
 * Requests must come in path style to FAKE_STORE_URL. Conditions, copies, uploads in parts,
 * lists of one page, and caller references are as AWS has them; signatures are not looked
 * at. One bucket, any distribution. */
#ifndef FAKE_STORE_H
#define FAKE_STORE_H

#include "base/arena.h"
#include "fake/fake_http.h"

#define FAKE_STORE_URL "http://cloud.test"

struct fake_object {
	char *key;
	struct buf body;
	char etag[64];       /* with quotes */
	char *content_type;  /* "" when none was given */
	char *cache_control; /* "" likewise */
	int64_t modified_ms;
};

struct fake_upload {
	char *id;
	char *key;
	struct buf body; /* the parts so far, which must come in order */
	struct buf md5s; /* of the parts, 16 bytes each */
	char *content_type, *cache_control;
};

struct fake_invalidation {
	char *distribution;
	char *reference;
	char *paths; /* a line each */
};

VEC_DEFINE(fake_objects, struct fake_object);
VEC_DEFINE(fake_uploads, struct fake_upload);
VEC_DEFINE(fake_invalidations, struct fake_invalidation);

enum fake_fault {
	FAKE_UNREACHED, /* no answer, no effect */
	FAKE_LOST,      /* no answer, but the effect */
	FAKE_500,       /* these have none */
	FAKE_403,
	FAKE_412,
	FAKE_GARBAGE,   /* 200, and a page of HTML */
	FAKE_CANCELLED, /* *cancelled is set, and there is no answer */
	FAKE_FAULTS
};

struct fake_store {
	struct fake_http *fake;
	const char *bucket;
	struct arena arena; /* of replies */
	struct fake_objects objects;
	struct fake_uploads uploads;
	struct fake_invalidations invalidations;
	bool unfenced;     /* conditions are ignored */
	bool without_etag; /* writes are answered without one */
	size_t requests;
	size_t fault_at; /* from 1; 0: none */
	enum fake_fault fault;
	volatile int *cancelled;
	/* Called before a request is served; may be NULL. For what others do meanwhile. */
	void (*before)(struct fake_store *store, const struct fake_seen *seen);
	void *before_ctx;
	unsigned ids;
};

/* Answers what fake's rules do not. */
void fake_store_init(struct fake_store *s, struct fake_http *fake, const char *bucket);
void fake_store_release(struct fake_store *s);
/* Borrowed until the next change. NULL: not there. */
struct fake_object *fake_store_find(struct fake_store *s, const char *key);
/* As if somebody else had written it. */
struct fake_object *fake_store_put(struct fake_store *s, const char *key,
				   const void *bytes, size_t n);
void fake_store_remove(struct fake_store *s, const char *key);

#endif
