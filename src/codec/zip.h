/* zip.h - archives whose bytes depend on their content alone.
 *
 * Entries in the order of the bytes of their paths, all of 1980-01-01, made by a Unix host,
 * with mode 0755 or 0644, deflated; no folders, no extra fields. The same files are the same
 * archive on every day, for every user and umask, and under any folder. (Deflated bytes
 * follow the zlib they were made with.) */
#ifndef CODEC_ZIP_H
#define CODEC_ZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/vec.h"

struct zip_item {
	const char *path;  /* relative, with '/'; UTF-8 */
	const void *bytes; /* borrowed until the archive is written */
	size_t len;
	bool executable;
};

VEC_DEFINE(zip_items, struct zip_item);

/* Sorts the items by path and appends the archive. ERR_DATA: no item, a path twice, or one
 * that is not relative ("..", a slash in front). ERR_TOO_BIG: more than out takes. */
int zip_write(struct zip_items *items, struct buf *out, struct error *err);

/* Whether the bytes are an archive with something in it. */
bool zip_is_archive(const void *p, size_t n);

/* Calls visit for each entry of an archive, whoever made it, in its order. False: it is none. */
typedef void (*zip_visit)(void *ctx, const char *path, bool executable);
bool zip_each(const void *p, size_t n, zip_visit visit, void *ctx);

#endif
