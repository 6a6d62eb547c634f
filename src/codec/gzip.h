/* gzip.h - RFC 1952, in memory. */
#ifndef CODEC_GZIP_H
#define CODEC_GZIP_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

/* Appends one gzip member with an empty header (no time, no name): the same bytes for the
 * same input and zlib build. */
void gzip_compress(const void *p, size_t n, struct buf *out);

/* Appends the content of all members. -1: ERR_DATA (damaged, cut short, or followed by
 * something else) or ERR_TOO_BIG (out's maximum, the guard against a small body that
 * unpacks to a huge one); what out holds beyond its old content is then of no use. */
int gzip_decompress(const void *p, size_t n, struct buf *out, struct error *err);

#endif
