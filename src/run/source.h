/* source.h - where a site's bytes come from: a commit, or the work tree.
 *
 * Snapshots are made without reading file contents where git knows their ids already. What
 * cannot be deployed truthfully is refused by name: symbolic links, submodules, names that
 * are not UTF-8, LFS pointers whose content is not here. */
#ifndef RUN_SOURCE_H
#define RUN_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "core/config.h"
#include "core/plan.h"
#include "io/fs.h"
#include "io/git.h"
#include "run/content.h"

enum source_kind { SOURCE_AUTO, SOURCE_COMMIT, SOURCE_WORKTREE };

struct source {
	struct repo *repo;           /* borrowed */
	const struct config *config; /* borrowed */
	const struct site *site;     /* borrowed */
	enum source_kind kind;       /* COMMIT or WORKTREE, never AUTO */
	struct oid commit;
	char *folder;    /* the site's on disk; NULL when bare */
	const char *why; /* WORKTREE though not asked for: why; static */
};

/* All is borrowed; the commit is copied. */
struct source_options {
	struct repo *repo;
	const struct config *config;
	const struct site *site;
	const struct oid *commit;
	enum source_kind wanted;
};

/* Settles where the site is: in the commit, else (AUTO) on the disk. ERR_CONFIG: neither, or
 * not where it was asked for; the message says what there is. ERR_DATA: the commit cannot be
 * read. */
int source_open(struct source *s, const struct source_options *options,
		struct error *err);
void source_release(struct source *s);

/* All that the site uploads, sorted; strings in the arena. ERR_DATA: something in it cannot
 * be deployed (all such paths, up to a few, are named). ERR_CONFIG: it is empty. */
int source_snapshot(const struct source *s, struct arena *arena, struct snapshot *out,
		    struct error *err);
/* What the site would have uploaded of another commit, as far as that could be deployed; a
 * folder that it lacks is an empty snapshot. head is source_snapshot()'s: of a commit source
 * only what differs from it is read, and paths are borrowed from it. */
int source_snapshot_of(const struct source *s, const struct oid *commit,
		       const struct snapshot *head, struct arena *arena,
		       struct snapshot *out, struct error *err);
/* The same, read whole. */
int source_snapshot_whole(const struct source *s, const struct oid *commit,
			  struct arena *arena, struct snapshot *out, struct error *err);

/* Opens what is sent for an entry and digests it. An LFS pointer is followed: the bytes must
 * have the pointer's SHA-256. ERR_CONFLICT: a file of the work tree is not any more what the
 * snapshot saw. */
int source_read(const struct source *s, const struct entry *e, struct content *out,
		struct error *err);

/* Whether the work tree is at the commit that is deployed, and so may differ by edits. */
bool source_is_checked_out(const struct source *s);
/* How many files that the site uploads differ in the work tree from the commit that is
 * deployed instead; 0 where it is not checked out. Looks at every file below the folder.
 * ERR_UNSUPPORTED: it cannot be told. */
int source_count_edits(const struct source *s, size_t *out, struct error *err);

#endif
