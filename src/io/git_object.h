/* git_object.h - the bytes of git's trees and commits, read strictly. Knows no libgit2, so
 * that what is hostile about them can be tested without a repository. Private to git. */
#ifndef IO_GIT_OBJECT_H
#define IO_GIT_OBJECT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "core/snapshot.h"
#include "io/git.h"

/* One line of a tree. */
struct tree_entry {
	const char *
		name; /* NUL-terminated, not empty, without '/', not "." or ".."; borrowed
			     from the tree's bytes */
	enum repo_mode mode;
	struct oid id;
};

struct tree_reader {
	const unsigned char *at, *end;
	struct tree_entry last; /* name NULL: none yet */
};

static inline struct tree_reader tree_reader_start(const void *bytes, size_t n)
{
	return (struct tree_reader){ .at = bytes,
				     .end = (const unsigned char *)bytes + n };
}

/* 1 with *out filled, 0 at the end, -1 with ERR_DATA: malformed, or not in git's order. */
int tree_next(struct tree_reader *t, struct tree_entry *out, struct error *err);

/* git's order: by the bytes of the names, where a folder's ends in '/'. Equal therefore means
 * the same name and both folders or neither. */
int tree_compare(const struct tree_entry *a, const struct tree_entry *b);

/* What a commit says. Texts are borrowed from its bytes and not NUL-terminated. */
struct commit_view {
	struct oid tree;
	const char *parents; /* n_parents lines, for commit_parent() */
	size_t n_parents;
	int64_t time_s; /* the committer's; 0: not readable */
	const char *author;
	size_t author_len;
	const char *summary;
	size_t summary_len;
};

/* -1: ERR_DATA. */
int commit_parse(const void *bytes, size_t n, struct commit_view *out, struct error *err);
struct oid commit_parent(const struct commit_view *c, size_t i);

#endif
