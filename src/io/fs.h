/* fs.h - files and folders of this machine.
 *
 * What comes out of a work tree or a build is hostile: it is walked and opened step by step
 * from a folder that is held open, no symbolic link is ever followed on the way, and only
 * regular files are read. */
#ifndef IO_FS_H
#define IO_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "core/snapshot.h"

/* Paths that are trusted: ours, or the user's arguments. */

/* Appends a whole file (or what a pipe gives). ERR_NOT_FOUND; ERR_TOO_BIG: more than the
 * buffer takes; ERR_IO. */
int fs_read(const char *path, struct buf *out, struct error *err);
/* Replaces a file by n bytes: after a crash it holds either the old or the new content. */
int fs_write(const char *path, const void *p, size_t n, struct error *err);
/* Adds n bytes at the end of a file, which is made if it is not there. */
int fs_append(const char *path, const void *p, size_t n, struct error *err);

/* Makes a folder and those above it; one that is there already is fine. */
int fs_make_folders(const char *path, struct error *err);
/* Makes a new folder that only we may enter, in parent, whose path is appended to out. */
int fs_make_temp(const char *parent, struct buf *out, struct error *err);
/* Removes a file, or a folder and all in it, without following links; nothing there is
 * fine. A folder whose mode forbids it is made writable first. */
int fs_remove_tree(const char *path, struct error *err);

/* Folders whose content is not trusted. */

enum fs_kind { FS_FILE, FS_SYMLINK, FS_OTHER, FS_FOLDER };

struct fs_item {
	const char *path;  /* relative to the root; bytes as they are; borrowed */
	enum fs_kind kind; /* a walk does not show folders */
	bool executable;   /* by its owner */
	int64_t size;
};

struct fs_visitor {
	/* Asked for each sub-folder, which false passes over. NULL: all are entered. */
	bool (*enter)(void *ctx, const char *path);
	/* Its -1 ends the walk. */
	int (*visit)(void *ctx, const struct fs_item *item, struct error *err);
	void *ctx;
};

/* Visits all that is not a folder below root, sorted by the bytes of the paths. The root may
 * be a symbolic link. ERR_NOT_FOUND: there is no such folder. */
int fs_walk(const char *root, const struct fs_visitor *visitor, struct error *err);

/* What a path below root is, reached through no symbolic link and not following one. Errors
 * as of fs_open_beneath; out->path is path. */
int fs_look_beneath(const char *root, const char *path, struct fs_item *out,
		    struct error *err);
/* Appends what a symbolic link below root says. ERR_UNSUPPORTED: it is none. */
int fs_link_beneath(const char *root, const char *path, struct buf *out,
		    struct error *err);

/* An open regular file, and what it was like when it was opened. */
struct fs_file {
	int fd;
	int64_t size;
	int64_t device_, inode_, modified_ns_, changed_ns_; /* private */
};

#define FS_FILE_INIT     \
	{                \
		.fd = -1 \
	}

/* Opens a file below root by its relative path, through no symbolic link. ERR_NOT_FOUND;
 * ERR_UNSUPPORTED: a link, a folder, or another thing that is not a regular file; ERR_USAGE:
 * the path is absolute or has an empty, "." or ".." part. The file is closed by
 * fs_file_release(). */
int fs_open_beneath(const char *root, const char *path, struct fs_file *out,
		    struct error *err);
void fs_file_release(struct fs_file *f);
/* -1 with ERR_CONFLICT if the file was written to since it was opened. name is for people. */
int fs_file_unchanged(const struct fs_file *f, const char *name, struct error *err);
/* Appends the whole file, and sees to it that it did not change meanwhile. ERR_TOO_BIG. */
int fs_file_read(const struct fs_file *f, const char *name, struct buf *out,
		 struct error *err);

/* What identifies content, to git and to S3. */
struct fs_digest {
	int64_t size;
	struct oid blob; /* the id git gives it */
	unsigned char md5[16];
	unsigned char sha256[32];
};

/* Reads the file once, in pieces. ERR_CONFLICT: it changed meanwhile. */
int fs_digest_file(const struct fs_file *f, const char *name, struct fs_digest *out,
		   struct error *err);
void fs_digest_bytes(const void *p, size_t n, struct fs_digest *out);

#endif
