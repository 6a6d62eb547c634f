/* content.h - the bytes behind a path of the repository: a commit's, or the work tree's. An LFS
 * pointer stands for what it points to, in both. */
#ifndef RUN_CONTENT_H
#define RUN_CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "io/fs.h"
#include "io/git.h"

/* Where paths are looked for. All is borrowed. */
struct content_origin {
	struct repo *repo;
	const char *folder; /* that paths count from, as seen from the repository's top */
	const char *root; /* the same folder on the disk; NULL: the repository is bare */
	bool is_disk;     /* the work tree is read; else what was committed */
};

/* A path's content: bytes in memory, or an open file. */
struct content {
	struct buf bytes;
	struct fs_file file; /* fd < 0: the bytes */
	int64_t len;
	struct fs_digest digest;
};

#define CONTENT_INIT                                                  \
	{                                                             \
		.bytes = BUF_INIT(SIZE_MAX / 4), .file = FS_FILE_INIT \
	}

void content_release(struct content *c);

/* Opens the content of a path and digests it. The bytes that an LFS pointer stands for must
 * have its SHA-256. ERR_CONFLICT: a file of the work tree does not have that id any more. */
int content_read(const struct content_origin *from, const char *path,
		 const struct oid *id, struct content *out, struct error *err);
/* Whether the blob is an LFS pointer, and the work tree has what it stands for. */
bool content_is_checked_out(const struct content_origin *from, const char *path,
			    const struct oid *pointer);

#endif
