/* parts.h - a body that is too large for one request, part by part.
 *
 * S3 takes a large object in parts and makes it appear when all are named at its end
 * (docs.aws.amazon.com/AmazonS3/latest/userguide, "Uploading and copying objects using
 * multipart upload"). Parts are short requests, so that a claim's deadline never stands
 * against a large file and a slow line. */
#ifndef RUN_PARTS_H
#define RUN_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "run/source.h"

enum { PARTS_MOST = 10000, PARTS_ETAG_SIZE = 48 };

struct parts {
	size_t n;           /* 0: the body goes in one request */
	char (*sha256)[65]; /* of each, in hex */
	char etag
		[PARTS_ETAG_SIZE]; /* that the object will have, with quotes: the MD5 of the
	                             * parts' MD5s, and their number */
};

#define PARTS_INIT     \
	{              \
		.n = 0 \
	}

void parts_release(struct parts *p);

/* Digests the parts of a content that is large enough to have some. ERR_LIMIT: S3 takes no
 * object of this size. ERR_IO, ERR_CONFLICT: the file cannot be read, or changed. */
int parts_of(const struct content *c, const char *name, struct parts *out,
	     struct error *err);

/* The range of part i, counted from 0. Borrows from the content. */
struct http_body parts_body(const struct content *c, size_t i);
/* All of the content. */
struct http_body parts_whole(const struct content *c);

#endif
