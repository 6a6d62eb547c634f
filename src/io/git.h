/* git.h - reading repositories. The one place that knows libgit2.
 *
 * Works on bare repositories, shallow and partial clones, linked work trees, and work trees
 * that another user owns. Never runs hooks, filters or helpers of the repository. */
#ifndef IO_GIT_H
#define IO_GIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "core/snapshot.h"

struct git;

/* Opens the repository that path is in. -1: ERR_NOT_FOUND when there is none (the message
 * says how to get one), ERR_UNSUPPORTED for a SHA-256 repository. */
int git_open(const char *path, const struct log *log, struct git **out, struct error *err);
void git_free(struct git *g); /* NULL-safe */

/* The top of the work tree, without a slash at its end; NULL: bare. Borrowed. */
const char *git_worktree(const struct git *g);
bool git_is_shallow(const struct git *g);

/* A commit from a revision: an id (whole or unambiguous prefix), branch, tag, HEAD, HEAD~1.
 * ERR_NOT_FOUND: no such revision in this clone. */
int git_resolve(struct git *g, const char *revision, struct oid *commit, struct error *err);
/* Whether the commit and its tree are in this clone. */
bool git_has_commit(struct git *g, const struct oid *commit);

struct git_commit {
	char summary[256];   /* the first line, as it is: may hold anything */
	char author[128];
	int64_t time_s;      /* the committer's */
};

int git_commit_read(struct git *g, const struct oid *commit, struct git_commit *out,
		    struct error *err);

/* The full name of the branch HEAD is on ("refs/heads/main") into out. ERR_NOT_FOUND:
 * detached. */
int git_head_ref(struct git *g, char *out, size_t size, struct error *err);

/* What an entry of a tree is. */
enum git_mode { GIT_FILE, GIT_EXECUTABLE, GIT_SYMLINK, GIT_SUBMODULE, GIT_FOLDER };

struct git_item {
	const char *path; /* relative to the folder; bytes as git has them; borrowed */
	enum git_mode mode;
	struct oid id;
};

/* Visits all files (not folders) below a folder ("" the root) of a commit, in git's order.
 * enter (may be NULL) is asked for each sub-folder and passes it over with false. visit's -1
 * ends the walk. ERR_NOT_FOUND: the commit has no such folder. */
int git_walk(struct git *g, const struct oid *commit, const char *folder,
	     bool (*enter)(void *ctx, const char *path),
	     int (*visit)(void *ctx, const struct git_item *item, struct error *err),
	     void *ctx, struct error *err);

/* Visits what differs below a folder between two commits, without reading what is equal;
 * a side that is absent is NULL. A folder that one commit lacks counts as empty there. */
int git_diff(struct git *g, const struct oid *from, const struct oid *to, const char *folder,
	     int (*visit)(void *ctx, const struct git_item *before,
			  const struct git_item *after, struct error *err),
	     void *ctx, struct error *err);

/* Whether a path ("" the root) is there in a commit, and as what. ERR_NOT_FOUND: not. */
int git_lookup(struct git *g, const struct oid *commit, const char *path,
	       struct git_item *out, struct error *err);

/* Appends a blob's bytes. A blob that a partial clone lacks is read from the work tree when
 * the file there has its id, else fetched by the git program; ERR_NOT_FOUND says what to do.
 * path (may be NULL) is where the work tree may have it, from the repository's root. */
int git_blob(struct git *g, const struct oid *id, const char *path, struct buf *out,
	     struct error *err);
/* Size of a blob in bytes without reading it where possible. */
int git_blob_size(struct git *g, const struct oid *id, const char *path, int64_t *out,
		  struct error *err);

/* Is a an ancestor of (or the same as) b? 1 yes, 0 no, -1 not known: the clone does not
 * hold enough history to tell, or lacks a commit. */
int git_is_ancestor(struct git *g, const struct oid *a, const struct oid *b);

/* How many files below a folder of the work tree differ from the commit (changed, missing,
 * untracked but not ignored). */
int git_count_edits(struct git *g, const struct oid *commit, const char *folder,
		    size_t *out, struct error *err);

/* The URL of a remote (as configured, without rewriting) into out. ERR_NOT_FOUND: none. */
int git_remote_url(struct git *g, const char *remote, struct buf *out, struct error *err);
/* A configuration value of the repository, e.g. "http.https://github.com/.extraheader".
 * ERR_NOT_FOUND: not set. */
int git_config_value(struct git *g, const char *name, struct buf *out, struct error *err);
/* The commit that a ref ("refs/heads/main") of a repository on this machine points to. */
int git_local_ref(const char *path, const char *ref, struct oid *out, struct error *err);

/* The real bytes behind an LFS pointer with this SHA-256 (hex): .git/lfs/objects. The path
 * of the file into out, whether it is there or not. */
void git_lfs_path(const struct git *g, const char *sha256_hex, struct buf *out);

#include "base/mem.h"
MEM_DEFINE_FREEP(git)

#endif
