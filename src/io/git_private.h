/* git_private.h - what the parts of git share. libgit2's types are only named here; the .c
 * files include it. */
#ifndef IO_GIT_PRIVATE_H
#define IO_GIT_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "io/git.h"
#include "io/git_object.h"

struct git_odb;
struct git_odb_object;
struct git_oid;
struct git_repository;

struct repo {
	struct git_repository *handle;
	struct git_odb *odb;
	const struct log *log;
	char *git_dir;  /* that of the work tree, where HEAD is */
	char *worktree; /* NULL: bare */
	bool partial;   /* objects may be fetched when they are needed */
};

enum {
	REPO_DEPTH_MOST = 200,     /* folders in folders */
	REPO_PATH_MOST = 32 << 10, /* bytes */
	REPO_ITEMS_MOST = 5000000, /* a few small trees can name billions of files */
};

/* libgit2, set up for this process. Any thread, any number of times. */
void repo_start_library(void);

/* Tells what libgit2 says about rc, as "CONTEXT: message". Returns -1. */
int repo_fail(struct error *err, enum error_code code, const char *context);

enum object_kind { OBJECT_COMMIT, OBJECT_TREE, OBJECT_BLOB };

/* An object's bytes, for as long as the object is not released. */
struct object {
	struct git_odb_object *handle; /* private */
	struct buf fetched;            /* private */
	const void *bytes;
	size_t len;
};

#define OBJECT_MOST ((size_t)2 << 30)
#define OBJECT_INIT                                           \
	{                                                     \
		.fetched = BUF_INIT(OBJECT_MOST), .bytes = "" \
	}

void object_release(struct object *o);

/* Reads an object and checks its bytes against the id. Trees and blobs that a partial clone
 * lacks are fetched. ERR_NOT_FOUND: not in this clone; ERR_DATA: damaged, or of another
 * kind. */
int object_read(struct repo *r, const struct oid *id, enum object_kind kind,
		struct object *out, struct error *err);

/* The tree below a folder ("" the root) of a commit. *found tells whether it is there; -1
 * with ERR_DATA only, when an object is missing or damaged. */
int repo_find_folder(struct repo *r, const struct oid *commit, const char *folder,
		     bool *found, struct oid *tree, struct error *err);

/* Reads a tree: as object_read, but what is missing is ERR_DATA, too. */
int repo_read_tree(struct repo *r, const struct oid *id, struct object *out,
		   struct error *err);

/* Where a walk is. */
struct repo_walk_state {
	struct buf path;
	unsigned depth;
	unsigned long items;
};

#define REPO_WALK_STATE_INIT                     \
	{                                        \
		.path = BUF_INIT(REPO_PATH_MOST) \
	}

/* Appends an entry's name to the path (a caller goes back by buf_truncate) and counts it.
 * ERR_TOO_BIG: beyond a cap. */
int repo_walk_step(struct repo_walk_state *s, const char *name, struct error *err);
/* Goes into the folder that the path names: appends the slash. ERR_TOO_BIG: too deep. The
 * caller decrements depth. */
int repo_walk_enter(struct repo_walk_state *s, struct error *err);

#endif
