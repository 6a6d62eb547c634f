#include "io/git.h"

#include <assert.h>
#include <git2.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "io/git_private.h"

#define AT_LEAST(major, minor)          \
	(LIBGIT2_VER_MAJOR > (major) || \
	 (LIBGIT2_VER_MAJOR == (major) && LIBGIT2_VER_MINOR >= (minor)))

/* Extensions of the repository format that change nothing about what is read here:
 * worktreeconfig and partialclone are what `--filter` and sparse checkouts leave. */
#if AT_LEAST(1, 5)
static const char *extensions[] = {
	"worktreeconfig",
	"partialclone",
	"preciousobjects",
	"relativeworktrees",
};
#endif

/* libgit2's settings belong to the process, so they are made once and never taken back.
 * Owners are not compared: the argument says which repository is meant, and nothing that it
 * configures is run. Hashes are checked by object_read(), with a faster SHA-1. */
static void start_library(void)
{
	git_libgit2_init();
	/* Ubuntu 22.04 has 1.1, which compares no owners, and opens no sparse or partial
	 * clone because it takes no extension. */
#if AT_LEAST(1, 5)
	git_libgit2_opts(GIT_OPT_SET_EXTENSIONS, extensions,
			 sizeof(extensions) / sizeof(*extensions));
	git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
#endif
	git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 0);
}

void repo_start_library(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, start_library);
}

int repo_fail(struct error *err, enum error_code code, const char *context)
{
	const git_error *last = git_error_last();

	return error_set(err, code, "%s: %s", context,
			 last && last->message ? last->message : "git failed");
}

static void config_freep(git_config **p)
{
	git_config_free(*p);
}

static void object_freep(git_object **p)
{
	git_object_free(*p);
}

static void reference_freep(git_reference **p)
{
	git_reference_free(*p);
}

#define SCOPED(kind) __attribute__((cleanup(kind##_freep)))

/* Formats that libgit2 refuses in words that differ by version. */
static const struct {
	const char *extension;
	const char *value;
	const char *message;
} refused[] = {
	{ "extensions.objectformat", "sha256",
	  "repositories with SHA-256 ids are not supported" },
	{ "extensions.refstorage", "reftable",
	  "refs in the reftable format are not supported: `git refs migrate "
	  "--ref-format=files` turns them into files" },
};

/* Why the repository that path is in, which did not open, is refused; NULL: not known. */
static const char *why_refused(const char *path)
{
	CLEANUP(buf) struct buf file = BUF_INIT(REPO_PATH_MOST);
	SCOPED(config) git_config *config = NULL;
	git_buf found = { 0 };
	const char *why = NULL;

	if (git_repository_discover(&found, path, 0, NULL) < 0)
		return NULL;
	buf_printf(&file, "%sconfig", found.ptr);
	git_buf_dispose(&found);
	if (git_config_open_ondisk(&config, file.data) < 0)
		return NULL;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		git_buf value = { 0 };

		if (git_config_get_string_buf(&value, config, refused[i].extension) ==
			    0 &&
		    str_eq_nocase(value.ptr, refused[i].value))
			why = refused[i].message;
		git_buf_dispose(&value);
	}
	return why;
}

static int fail_open(const char *path, int rc, struct error *err)
{
	const char *why;

	if (rc == GIT_ENOTFOUND)
		return error_set(err, ERR_NOT_FOUND,
				 "%s: no git repository here or above; clone one (in a "
				 "workflow: actions/checkout before this step)",
				 path);
	(void)repo_fail(err, ERR_IO, path);
	why = why_refused(path);
	if (why)
		return error_set(err, ERR_UNSUPPORTED, "%s: %s", path, why);
	if (strstr(err->msg, "extension"))
		err->code = ERR_UNSUPPORTED;
	return -1;
}

static int found_promisor(const git_config_entry *entry, void *ctx)
{
	int on = 0;

	if (str_starts(entry->name, "remote.") && str_ends(entry->name, ".promisor") &&
	    git_config_parse_bool(&on, entry->value) == 0 && on)
		*(bool *)ctx = true;
	return 0;
}

static bool is_partial(git_repository *handle)
{
	SCOPED(config) git_config *config = NULL;
	const char *remote;
	bool found = false;

	if (git_repository_config_snapshot(&config, handle) < 0)
		return false;
	if (git_config_get_string(&remote, config, "extensions.partialclone") == 0)
		return true;
	/* Not git_config_foreach_match(), which leaks in 1.5. */
	(void)git_config_foreach(config, found_promisor, &found);
	return found;
}

/* A copy without the slash that libgit2 puts at the end. */
static char *folder_dup(const char *path)
{
	size_t n = path ? strlen(path) : 0;

	if (!path)
		return NULL;
	return n > 1 && path[n - 1] == '/' ? xstrndup(path, n - 1) : xstrdup(path);
}

static int open_with(const char *path, unsigned flags, const struct log *log,
		     struct repo **out, struct error *err)
{
	CLEANUP_PTR(repo) struct repo *r = xcalloc(1, sizeof(*r));
	int rc;

	repo_start_library();
	rc = git_repository_open_ext(&r->handle, path, flags, NULL);
	if (rc < 0)
		return fail_open(path, rc, err);
	if (git_repository_odb(&r->odb, r->handle) < 0)
		return repo_fail(err, ERR_IO, path);
	r->log = log;
	r->git_dir = folder_dup(git_repository_path(r->handle));
	r->worktree = folder_dup(git_repository_workdir(r->handle));
	r->partial = is_partial(r->handle);
	log_debug(log, "repository %s%s%s", r->git_dir,
		  repo_is_shallow(r) ? ", shallow" : "", r->partial ? ", partial" : "");
	*out = take(&r);
	return 0;
}

int repo_open(const char *path, const struct log *log, struct repo **out,
	      struct error *err)
{
	return open_with(path, 0, log, out, err);
}

void repo_free(struct repo *r)
{
	if (!r)
		return;
	git_odb_free(r->odb);
	git_repository_free(r->handle);
	free(r->git_dir);
	free(r->worktree);
	free(r);
}

const char *repo_worktree(const struct repo *r)
{
	return r->worktree;
}

bool repo_is_shallow(const struct repo *r)
{
	return git_repository_is_shallow(r->handle) == 1;
}

static int fail_resolve(struct repo *r, const char *revision, int rc, struct error *err)
{
	if (rc == GIT_EAMBIGUOUS)
		return error_set(err, ERR_USAGE, "%s: more than one object begins so",
				 revision);
	if (rc == GIT_EINVALIDSPEC)
		return error_set(err, ERR_USAGE, "%s: not a revision", revision);
	if (rc != GIT_ENOTFOUND)
		return repo_fail(err, ERR_DATA, revision);
	if (git_repository_head_unborn(r->handle) == 1)
		return error_set(err, ERR_NOT_FOUND,
				 "%s: no such revision; the branch has no commit yet",
				 revision);
	return error_set(
		err, ERR_NOT_FOUND, "%s: no such revision in this clone%s", revision,
		repo_is_shallow(r) ? ", which is shallow (fetch-depth: 0 gets all "
				     "history)"
				   : "");
}

int repo_resolve(struct repo *r, const char *revision, struct oid *commit,
		 struct error *err)
{
	SCOPED(object) git_object *found = NULL;
	SCOPED(object) git_object *peeled = NULL;
	int rc = git_revparse_single(&found, r->handle, revision);

	if (rc < 0)
		return fail_resolve(r, revision, rc, err);
	rc = git_object_peel(&peeled, found, GIT_OBJECT_COMMIT);
	if (rc == GIT_ENOTFOUND)
		return fail_resolve(r, revision, rc, err);
	if (rc < 0)
		return error_set(err, ERR_USAGE, "%s: not a commit", revision);
	memcpy(commit->bytes, git_object_id(peeled)->id, sizeof(commit->bytes));
	return 0;
}

bool repo_has_commit(struct repo *r, const struct oid *commit)
{
	CLEANUP(object) struct object o = OBJECT_INIT;
	struct commit_view view;
	struct error ignored = ERROR_INIT;
	git_oid tree;

	if (object_read(r, commit, OBJECT_COMMIT, &o, &ignored) < 0 ||
	    commit_parse(o.bytes, o.len, &view, &ignored) < 0)
		return false;
	return git_oid_fromraw(&tree, view.tree.bytes) == 0 &&
	       git_odb_exists(r->odb, &tree);
}

static void copy_text(char *out, size_t size, const char *text, size_t n)
{
	snprintf(out, size, "%.*s", n < size ? (int)n : (int)size, text);
}

int repo_commit_read(struct repo *r, const struct oid *commit, struct repo_commit *out,
		     struct error *err)
{
	CLEANUP(object) struct object o = OBJECT_INIT;
	struct commit_view view;

	if (object_read(r, commit, OBJECT_COMMIT, &o, err) < 0)
		return -1;
	if (commit_parse(o.bytes, o.len, &view, err) < 0)
		return -1;
	out->time_s = view.time_s;
	copy_text(out->summary, sizeof(out->summary), view.summary, view.summary_len);
	copy_text(out->author, sizeof(out->author), view.author, view.author_len);
	return 0;
}

int repo_parent(struct repo *r, const struct oid *commit, struct oid *out,
		struct error *err)
{
	CLEANUP(object) struct object o = OBJECT_INIT;
	struct commit_view view;
	char hex[OID_HEX_SIZE];

	if (object_read(r, commit, OBJECT_COMMIT, &o, err) < 0 ||
	    commit_parse(o.bytes, o.len, &view, err) < 0)
		return -1;
	if (!view.n_parents)
		return error_set(err, ERR_NOT_FOUND, "commit %s has no parent",
				 oid_hex(commit, hex));
	*out = commit_parent(&view, 0);
	return 0;
}

int repo_head_ref(struct repo *r, char *out, size_t size, struct error *err)
{
	SCOPED(reference) git_reference *head = NULL;
	const char *target;

	if (git_reference_lookup(&head, r->handle, "HEAD") < 0)
		return repo_fail(err, ERR_DATA, "HEAD");
	target = git_reference_symbolic_target(head);
	if (!target)
		return error_set(err, ERR_NOT_FOUND, "HEAD is detached: on no branch");
	if (strlen(target) >= size)
		return error_set(err, ERR_TOO_BIG, "HEAD: the branch name is too long");
	memcpy(out, target, strlen(target) + 1);
	return 0;
}

int repo_config_value(struct repo *r, const char *name, struct buf *out,
		      struct error *err)
{
	SCOPED(config) git_config *config = NULL;
	const char *value = NULL;
	int rc;

	if (git_repository_config_snapshot(&config, r->handle) < 0)
		return repo_fail(err, ERR_IO, "configuration");
	rc = git_config_get_string(&value, config, name);
	if (rc == GIT_ENOTFOUND)
		return error_set(err, ERR_NOT_FOUND, "%s: not set", name);
	if (rc < 0)
		return repo_fail(err, ERR_USAGE, name);
	buf_str(out, value ? value : "");
	return buf_check(out, name, err);
}

int repo_remote_url(struct repo *r, const char *remote, struct buf *out,
		    struct error *err)
{
	CLEANUP(buf) struct buf name = BUF_INIT(1024);

	buf_printf(&name, "remote.%s.url", remote);
	if (buf_check(&name, "remote", err) < 0)
		return -1;
	if (repo_config_value(r, name.data, out, err) == 0)
		return 0;
	if (err->code != ERR_NOT_FOUND)
		return -1;
	return error_set(err, ERR_NOT_FOUND, "%s: no such remote", remote);
}

int repo_local_ref(const char *path, const char *ref, struct oid *out, struct error *err)
{
	CLEANUP_PTR(repo) struct repo *r = NULL;
	SCOPED(reference) git_reference *found = NULL;
	SCOPED(object) git_object *commit = NULL;
	int rc;

	if (open_with(path, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL, &r, err) < 0)
		return -1;
	assert(r);
	rc = git_reference_lookup(&found, r->handle, ref);
	if (rc == GIT_ENOTFOUND)
		return error_set(err, ERR_NOT_FOUND, "%s: no such ref in %s", ref, path);
	if (rc < 0)
		return repo_fail(err, rc == GIT_EINVALIDSPEC ? ERR_USAGE : ERR_DATA, ref);
	if (git_reference_peel(&commit, found, GIT_OBJECT_COMMIT) < 0)
		return repo_fail(err, ERR_DATA, ref);
	memcpy(out->bytes, git_object_id(commit)->id, sizeof(out->bytes));
	return 0;
}

void repo_lfs_path(const struct repo *r, const char *sha256_hex, struct buf *out)
{
	buf_printf(out, "%slfs/objects/%.2s/%.2s/%s", git_repository_commondir(r->handle),
		   sha256_hex, strlen(sha256_hex) < 2 ? "" : sha256_hex + 2, sha256_hex);
}
