/* git.h - reading repositories. The one place that knows libgit2.
 *
 * Works on bare repositories, shallow and partial clones, linked work trees, and work trees
 * that another user owns. Objects are read as git stores them and checked against their id:
 * no filter, no grafts, no replacements. Hooks, filters and helpers of the repository are
 * never run; only the fetch of an object that a partial clone lacks runs the git program,
 * with the repository's own remote.
 *
 * Names begin with repo_: libgit2 owns git_ and exports one of the names that would be
 * wanted here. No environment variable chooses the repository; the argument does. */
#ifndef IO_GIT_H
#define IO_GIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "core/snapshot.h"

struct repo;

/* Opens the repository that path is in. -1: ERR_NOT_FOUND when there is none (the message
 * says how to get one), ERR_UNSUPPORTED for a SHA-256 repository, or one with another
 * format extension that is not known here. log may be NULL; borrowed. */
int repo_open(const char *path, const struct log *log, struct repo **out,
	      struct error *err);
void repo_free(struct repo *r); /* NULL-safe */

/* The top of the work tree, without a slash at its end; NULL: bare. Borrowed. */
const char *repo_worktree(const struct repo *r);
bool repo_is_shallow(const struct repo *r);

/* A commit from a revision: an id (whole or unambiguous prefix), branch, tag, HEAD, HEAD~1.
 * ERR_NOT_FOUND: no such revision in this clone. ERR_USAGE: not a commit, or ambiguous. */
int repo_resolve(struct repo *r, const char *revision, struct oid *commit,
		 struct error *err);
/* Whether the commit and its tree are in this clone. */
bool repo_has_commit(struct repo *r, const struct oid *commit);

struct repo_commit {
	char summary[256]; /* the first line, as it is: may hold anything */
	char author[128];
	int64_t time_s; /* the committer's */
};

/* ERR_NOT_FOUND: not in this clone. */
int repo_commit_read(struct repo *r, const struct oid *commit, struct repo_commit *out,
		     struct error *err);

/* The first parent that a commit names, whatever grafts say. ERR_NOT_FOUND: it has none, or
 * the commit is not in this clone. */
int repo_parent(struct repo *r, const struct oid *commit, struct oid *out,
		struct error *err);

/* The full name of the branch HEAD is on ("refs/heads/main") into out, also when it has no
 * commit yet. ERR_NOT_FOUND: detached. */
int repo_head_ref(struct repo *r, char *out, size_t size, struct error *err);

/* What an entry of a tree is. */
enum repo_mode { REPO_FILE, REPO_EXECUTABLE, REPO_SYMLINK, REPO_SUBMODULE, REPO_FOLDER };

struct repo_item {
	const char *path; /* relative to the folder; bytes as git has them; borrowed */
	enum repo_mode mode;
	struct oid id;
};

/* Who is shown the files of a commit. */
struct repo_visitor {
	/* Asked for each sub-folder, which false passes over. NULL: all are entered. */
	bool (*enter)(void *ctx, const char *path);
	/* Its -1 ends the walk. */
	int (*visit)(void *ctx, const struct repo_item *item, struct error *err);
	void *ctx;
};

/* Visits all files (not folders) below a folder ("" the root) of a commit, sorted by the
 * bytes of their paths. ERR_NOT_FOUND: the commit has no such folder. ERR_DATA: an object
 * is missing or damaged (this also tells of a commit that the clone lacks). */
int repo_walk(struct repo *r, const struct oid *commit, const char *folder,
	      const struct repo_visitor *visitor, struct error *err);

/* Who is shown the differences of two commits. */
struct repo_diff_visitor {
	bool (*enter)(void *ctx, const char *path); /* as in repo_visitor */
	/* A side that is absent is NULL; never both. A file that became a folder is deleted,
	 * and what the folder holds is added. Its -1 ends the comparison. */
	int (*visit)(void *ctx, const struct repo_item *before,
		     const struct repo_item *after, struct error *err);
	void *ctx;
};

/* Visits what differs below a folder between two commits, sorted by the bytes of the paths,
 * without reading what is equal. A folder that one commit lacks counts as empty there.
 * ERR_DATA: as in repo_walk. */
int repo_diff(struct repo *r, const struct oid *from, const struct oid *to,
	      const char *folder, const struct repo_diff_visitor *visitor,
	      struct error *err);

/* Whether a path ("" the root) is there in a commit, and as what. out->path is path.
 * ERR_NOT_FOUND: not. */
int repo_lookup(struct repo *r, const struct oid *commit, const char *path,
		struct repo_item *out, struct error *err);

/* Appends a blob's bytes. A blob that a partial clone lacks is read from the work tree when
 * the file there has its id, else fetched by the git program; ERR_NOT_FOUND says what to do.
 * path (may be NULL) is where the work tree may have it, from the repository's root.
 * ERR_TOO_BIG: more than the buffer takes. ERR_DATA: the bytes do not have the id. */
int repo_blob(struct repo *r, const struct oid *id, const char *path, struct buf *out,
	      struct error *err);
/* Whether a blob is in this clone; false also when it could be fetched. */
bool repo_has_blob(struct repo *r, const struct oid *id);
/* Size of a blob in bytes without reading it where possible. */
int repo_blob_size(struct repo *r, const struct oid *id, const char *path, int64_t *out,
		   struct error *err);

/* Is a an ancestor of (or the same as) b? 1 yes, 0 no, -1 not known: the clone does not
 * hold enough history to tell, or lacks a commit. */
int repo_is_ancestor(struct repo *r, const struct oid *a, const struct oid *b);

/* Who is asked which edits count. */
struct repo_edit_filter {
	/* path is relative to the folder; committed is NULL for a file that the commit lacks. */
	bool (*counts)(void *ctx, const char *path, const struct oid *committed);
	void *ctx;
};

/* How many files below a folder of the work tree differ from the commit (changed, missing,
 * untracked but not ignored) and count, which all do without a filter; any commit will do.
 * What a filter program made of a blob is taken to be unchanged, since none is run; but of
 * LFS, the filter is asked.
 * 0 in a bare repository, and where nothing was ever checked out. ERR_UNSUPPORTED: the index cannot be read (sparse or split). */
int repo_count_edits(struct repo *r, const struct oid *commit, const char *folder,
		     const struct repo_edit_filter *filter, size_t *out,
		     struct error *err);

/* The URL of a remote (as configured, without rewriting) into out. ERR_NOT_FOUND: none. */
int repo_remote_url(struct repo *r, const char *remote, struct buf *out,
		    struct error *err);
/* A configuration value as the repository sees it (its own, else the user's, else the
 * machine's), e.g. "http.https://github.com/.extraheader". ERR_NOT_FOUND: not set. */
int repo_config_value(struct repo *r, const char *name, struct buf *out,
		      struct error *err);
/* The commit that a ref ("refs/heads/main") of a repository on this machine points to.
 * path is the repository itself; what it lies in is not searched. */
int repo_local_ref(const char *path, const char *ref, struct oid *out, struct error *err);

/* The real bytes behind an LFS pointer with this SHA-256 (hex): .git/lfs/objects. The path
 * of the file into out, whether it is there or not. */
void repo_lfs_path(const struct repo *r, const char *sha256_hex, struct buf *out);

#include "base/mem.h"
MEM_DEFINE_FREEP(repo)

#endif
