#include "io/git_private.h"

#include <git2.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

#define SCOPED(kind) __attribute__((cleanup(kind##_freep)))

static void tree_freep(git_tree **p)
{
	git_tree_free(*p);
}

static void commit_freep(git_commit **p)
{
	git_commit_free(*p);
}

static void diff_freep(git_diff **p)
{
	git_diff_free(*p);
}

static void index_freep(git_index **p)
{
	git_index_free(*p);
}

/* A file that a sparse checkout holds back is missing on purpose. libgit2 counts it. */
static bool is_held_back(git_index *index, const git_diff_delta *delta)
{
	const git_index_entry *entry;

	if (delta->status != GIT_DELTA_DELETED)
		return false;
	entry = git_index_get_bypath(index, delta->old_file.path, 0);
	return entry && (entry->flags_extended & GIT_INDEX_ENTRY_SKIP_WORKTREE) &&
	       git_oid_equal(&entry->id, &delta->old_file.id);
}

static bool has_value(struct repo *r, const char *path, const char *attribute,
		      const char **value)
{
	return git_attr_get(value, r->handle, GIT_ATTR_CHECK_FILE_THEN_INDEX, path,
			    attribute) == 0 &&
	       git_attr_value(*value) == GIT_ATTR_VALUE_STRING;
}

/* What only a program could turn back into the blob is compared by its bytes, which differ.
 * LFS is left to the caller, who can tell. */
static bool is_out_of_reach(struct repo *r, const git_diff_delta *delta)
{
	const char *path = delta->new_file.path;
	const char *value;

	if (delta->status != GIT_DELTA_MODIFIED)
		return false;
	if (has_value(r, path, "filter", &value))
		return strcmp(value, "lfs") != 0;
	return has_value(r, path, "working-tree-encoding", &value);
}

static bool counts(const struct repo_edit_filter *filter, const git_diff_delta *delta,
		   size_t folder_len)
{
	const char *path = delta->status == GIT_DELTA_DELETED ? delta->old_file.path
							      : delta->new_file.path;
	struct oid committed;

	if (!filter)
		return true;
	memcpy(committed.bytes, delta->old_file.id.id, sizeof(committed.bytes));
	return filter->counts(filter->ctx, path + folder_len,
			      delta->status == GIT_DELTA_UNTRACKED ||
					      delta->status == GIT_DELTA_ADDED
				      ? NULL
				      : &committed);
}

int repo_count_edits(struct repo *r, const struct oid *commit, const char *folder,
		     const struct repo_edit_filter *filter, size_t *out,
		     struct error *err)
{
	size_t folder_len = *folder ? strlen(folder) + 1 : 0;
	SCOPED(commit) git_commit *c = NULL;
	SCOPED(tree) git_tree *tree = NULL;
	SCOPED(index) git_index *index = NULL;
	SCOPED(diff) git_diff *diff = NULL;
	git_diff_options options;
	char *paths[] = { (char *)folder };
	git_oid oid;

	*out = 0;
	if (!r->worktree)
		return 0;
	git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
	options.flags = GIT_DIFF_INCLUDE_UNTRACKED | GIT_DIFF_RECURSE_UNTRACKED_DIRS |
			GIT_DIFF_DISABLE_PATHSPEC_MATCH | GIT_DIFF_IGNORE_SUBMODULES |
			GIT_DIFF_IGNORE_FILEMODE | GIT_DIFF_SKIP_BINARY_CHECK;
	if (*folder)
		options.pathspec = (git_strarray){ paths, 1 };
	git_oid_fromraw(&oid, commit->bytes);
	if (git_commit_lookup(&c, r->handle, &oid) < 0 || git_commit_tree(&tree, c) < 0)
		return repo_fail(err, ERR_DATA, "edits");
	if (git_repository_index(&index, r->handle) < 0)
		return repo_fail(err, ERR_UNSUPPORTED, "edits");
	if (!git_index_entrycount(index))
		return 0;
	if (git_diff_tree_to_workdir_with_index(&diff, r->handle, tree, &options) < 0)
		return repo_fail(err, ERR_UNSUPPORTED, "edits");
	for (size_t i = 0; i < git_diff_num_deltas(diff); i++) {
		const git_diff_delta *delta = git_diff_get_delta(diff, i);

		*out += !is_held_back(index, delta) && !is_out_of_reach(r, delta) &&
			counts(filter, delta, folder_len);
	}
	return 0;
}
