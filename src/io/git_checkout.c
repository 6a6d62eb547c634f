#include "io/git_checkout.h"

#include <git2.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/mem.h"
#include "io/fs.h"
#include "io/git_private.h"

static void repository_freep(git_repository **p)
{
	git_repository_free(*p);
}

static void commit_freep(git_commit **p)
{
	git_commit_free(*p);
}

static void config_freep(git_config **p)
{
	git_config_free(*p);
}

static void reference_freep(git_reference **p)
{
	git_reference_free(*p);
}

#define SCOPED(kind) __attribute__((cleanup(kind##_freep)))

static int find_any(void *ctx, const struct fs_item *item, struct error *err)
{
	(void)ctx;
	return error_set(err, ERR_EXISTS, "%s is there", item->path);
}

static int check_empty(const char *folder, struct error *err)
{
	const struct fs_visitor visitor = { .visit = find_any };

	if (fs_walk(folder, &visitor, err) < 0)
		return error_wrap(err, "%s", folder);
	return 0;
}

static int make_repository(const char *folder, const char *mirror, struct error *err)
{
	CLEANUP(buf) struct buf path = BUF_INIT(REPO_PATH_MOST);
	CLEANUP(buf) struct buf objects = BUF_INIT(REPO_PATH_MOST);
	SCOPED(repository) git_repository *handle = NULL;
	git_repository_init_options options;

	git_repository_init_options_init(&options, GIT_REPOSITORY_INIT_OPTIONS_VERSION);
	options.flags = GIT_REPOSITORY_INIT_NO_REINIT | GIT_REPOSITORY_INIT_MKDIR;
	if (git_repository_init_ext(&handle, folder, &options) < 0)
		return repo_fail(err, ERR_IO, folder);
	/* Read when a repository is opened. */
	buf_printf(&path, "%s/.git/objects/info", folder);
	buf_printf(&objects, "%s/objects\n", mirror);
	if (fs_make_folders(path.data, err) < 0)
		return -1;
	buf_str(&path, "/alternates");
	return fs_write(path.data, objects.data, objects.len, err);
}

static int set_head(git_repository *handle, const char *branch, const git_oid *id)
{
	CLEANUP(buf) struct buf ref = BUF_INIT(REPO_PATH_MOST);
	SCOPED(reference) git_reference *made = NULL;
	int rc;

	buf_printf(&ref, "refs/heads/%s", branch);
	rc = git_reference_create(&made, handle, ref.data, id, 1, NULL);
	return rc < 0 ? rc : git_repository_set_head(handle, ref.data);
}

static int set_origin(git_repository *handle, const char *mirror)
{
	SCOPED(config) git_config *config = NULL;
	int rc = git_repository_config(&config, handle);

	return rc < 0 ? rc : git_config_set_string(config, "remote.origin.url", mirror);
}

static int write_files(git_repository *handle, git_commit *commit)
{
	git_checkout_options options;

	git_checkout_options_init(&options, GIT_CHECKOUT_OPTIONS_VERSION);
	options.checkout_strategy = GIT_CHECKOUT_FORCE;
	options.disable_filters = 1;
	return git_checkout_tree(handle, (const git_object *)commit, &options);
}

int checkout_make(const char *folder, const char *mirror, const char *branch,
		  const struct oid *commit, struct error *err)
{
	SCOPED(repository) git_repository *handle = NULL;
	SCOPED(commit) git_commit *found = NULL;
	git_oid id;

	repo_start_library();
	memcpy(id.id, commit->bytes, sizeof(commit->bytes));
	if (fs_make_folders(folder, err) < 0 || check_empty(folder, err) < 0 ||
	    make_repository(folder, mirror, err) < 0)
		return -1;
	if (git_repository_open(&handle, folder) < 0)
		return repo_fail(err, ERR_IO, folder);
	if (git_commit_lookup(&found, handle, &id) < 0)
		return repo_fail(err, ERR_NOT_FOUND, "check out");
	if (write_files(handle, found) < 0)
		return repo_fail(err, ERR_DATA, "check out");
	if (set_origin(handle, mirror) < 0 || set_head(handle, branch, &id) < 0)
		return repo_fail(err, ERR_IO, folder);
	return 0;
}
