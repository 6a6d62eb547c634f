/* tree.h - the files of a repository by their paths: of a commit, or of the work tree. Symbolic
 * links are followed as long as they stay inside of the repository; git's own folder is
 * outside. */
#ifndef RUN_TREE_H
#define RUN_TREE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "io/git.h"

struct tree {
	struct repo *repo; /* borrowed */
	struct oid commit;
	bool is_disk; /* the work tree, which must be there */
};

struct tree_item {
	const char *path; /* from the repository's top, through no link; in the arena */
	bool is_folder;
	bool executable;
	struct oid id; /* of a file */
};

/* What a path stands for in the end. "" is the top; ".." is what it is to an open(2). -1:
 * ERR_NOT_FOUND, also for a link to nothing; ERR_UNSUPPORTED: it leads out of the repository,
 * in a circle, or to something that is neither file nor folder. */
int tree_find(const struct tree *t, const char *path, struct arena *arena,
	      struct tree_item *out, struct error *err);

enum tree_kind { TREE_FILE, TREE_LINK, TREE_OTHER };

struct tree_entry {
	const char *path; /* below the folder; borrowed; bytes as they are */
	enum tree_kind kind;
	bool executable;
	struct oid id;   /* of a file */
	const char *why; /* TREE_OTHER: what it is; static */
};

struct tree_visitor {
	/* Asked for each folder and file; false passes over it. */
	bool (*wants)(void *ctx, const char *path);
	/* Its -1 ends the walk. */
	int (*visit)(void *ctx, const struct tree_entry *entry, struct error *err);
	void *ctx;
};

/* Visits all that is below a folder that tree_find found. */
int tree_walk(const struct tree *t, const char *folder,
	      const struct tree_visitor *visitor, struct error *err);

/* Appends the content of a file that was found, LFS pointers followed. ERR_CONFLICT: it is
 * not any more what was found. */
int tree_read(const struct tree *t, const char *path, const struct oid *id,
	      struct buf *out, struct error *err);
/* How many bytes that will be; of an LFS pointer, the pointer's. */
int tree_size(const struct tree *t, const char *path, const struct oid *id, int64_t *out,
	      struct error *err);

#endif
