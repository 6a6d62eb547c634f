#include "io/git_private.h"

#include <git2.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "codec/hash.h"
#include "io/fs.h"
#include "io/process.h"

enum { FETCH_TIMEOUT_MS = 60000 };

extern char **environ;

static const struct {
	const char *name;
	git_object_t type;
} kinds[] = {
	[OBJECT_COMMIT] = { "commit", GIT_OBJECT_COMMIT },
	[OBJECT_TREE] = { "tree", GIT_OBJECT_TREE },
	[OBJECT_BLOB] = { "blob", GIT_OBJECT_BLOB },
};

void object_release(struct object *o)
{
	git_odb_object_free(o->handle);
	buf_release(&o->fetched);
	*o = (struct object)OBJECT_INIT;
}

/* git counts the empty tree as always there, and so it need not be stored. */
static bool is_empty_tree(const struct oid *id)
{
	static const struct oid empty = {
		{ 0x4b, 0x82, 0x5d, 0xc6, 0x42, 0xcb, 0x6e, 0xb9, 0xa0, 0x60,
		  0xe5, 0x4b, 0xf8, 0xd6, 0x92, 0x88, 0xfb, 0xee, 0x49, 0x04 },
	};

	return oid_equal(id, &empty);
}

static bool has_id(enum object_kind kind, const struct object *o, const struct oid *id)
{
	CLEANUP_PTR(hash) struct hash *h = hash_new(HASH_SHA1);
	struct oid own;
	char head[32];
	int n = snprintf(head, sizeof(head), "%s %zu", kinds[kind].name, o->len);

	hash_add(h, head, (size_t)n + 1);
	hash_add(h, o->bytes, o->len);
	hash_end(h, own.bytes);
	return oid_equal(&own, id);
}

/* The user's environment, less what would lead git to another repository or keep it from
 * fetching; and nobody is asked for a password. */
static char **fetch_env(void)
{
	static const char *const misleading[] = {
		"GIT_DIR",
		"GIT_WORK_TREE",
		"GIT_INDEX_FILE",
		"GIT_COMMON_DIR",
		"GIT_OBJECT_DIRECTORY",
		"GIT_ALTERNATE_OBJECT_DIRECTORIES",
		"GIT_NAMESPACE",
		"GIT_NO_LAZY_FETCH",
		"GIT_TRACE*",
		NULL,
	};
	char **env = process_env_without(environ, misleading);

	env = process_env_set(env, "GIT_TERMINAL_PROMPT", "0");
	env = process_env_set(env, "GIT_NO_REPLACE_OBJECTS", "1");
	return process_env_set(env, "LC_ALL", "C");
}

static int run_cat_file(struct repo *r, enum object_kind kind, const char *hex,
			struct buf *out, struct error *err)
{
	const char *argv[] = {
		"git",
		"-c",
		"protocol.ext.allow=never",
		"-c",
		"core.hooksPath=/dev/null",
		"--git-dir",
		r->git_dir,
		"cat-file",
		kinds[kind].name,
		hex,
		NULL,
	};
	CLEANUP(buf) struct buf errors = BUF_INIT(64 << 10);
	char **env = fetch_env();
	struct process p = {
		.argv = argv,
		.env = env,
		.timeout_ms = FETCH_TIMEOUT_MS,
		.out = out,
		.errors = &errors,
	};
	int rc = process_run(&p, NULL, err);

	process_env_free(env);
	return rc < 0 ? -1 : buf_check(out, hex, err);
}

/* The program fetches what a partial clone lacks, and knows the remote's credentials. */
static int fetch(struct repo *r, const struct oid *id, enum object_kind kind,
		 struct object *out, struct error *err)
{
	char hex[OID_HEX_SIZE];

	oid_hex(id, hex);
	log_debug(r->log, "git cat-file %s %s", kinds[kind].name, hex);
	if (run_cat_file(r, kind, hex, &out->fetched, err) < 0) {
		if (err->code != ERR_TOO_BIG)
			err->code = ERR_NOT_FOUND;
		return error_wrap(err,
				  "%s %s is not in this partial clone and could not be "
				  "fetched (clone without a filter)",
				  kinds[kind].name, hex);
	}
	out->bytes = out->fetched.data;
	out->len = out->fetched.len;
	return 0;
}

static int fail_missing(struct repo *r, const struct oid *id, enum object_kind kind,
			struct error *err)
{
	char hex[OID_HEX_SIZE];
	const char *advice = "the clone is damaged: clone again";

	if (kind == OBJECT_COMMIT)
		advice = repo_is_shallow(r)
				 ? "it is shallow (fetch-depth: 0 gets all history)"
				 : "fetch it first";
	return error_set(err, ERR_NOT_FOUND, "%s %s is not in this clone; %s",
			 kinds[kind].name, oid_hex(id, hex), advice);
}

static int load(struct repo *r, const struct oid *id, enum object_kind kind,
		struct object *out, struct error *err)
{
	char hex[OID_HEX_SIZE];
	git_oid oid;
	int rc;

	git_oid_fromraw(&oid, id->bytes);
	rc = git_odb_read(&out->handle, r->odb, &oid);
	if (rc == GIT_ENOTFOUND)
		return r->partial && kind != OBJECT_COMMIT
			       ? fetch(r, id, kind, out, err)
			       : fail_missing(r, id, kind, err);
	if (rc < 0)
		return repo_fail(err, ERR_DATA, oid_hex(id, hex));
	if (git_odb_object_type(out->handle) != kinds[kind].type)
		return error_set(err, ERR_DATA, "%s is not a %s", oid_hex(id, hex),
				 kinds[kind].name);
	out->bytes = git_odb_object_data(out->handle);
	out->len = git_odb_object_size(out->handle);
	return 0;
}

int object_read(struct repo *r, const struct oid *id, enum object_kind kind,
		struct object *out, struct error *err)
{
	char hex[OID_HEX_SIZE];

	if (kind == OBJECT_TREE && is_empty_tree(id))
		return 0;
	if (load(r, id, kind, out, err) < 0)
		return -1;
	if (!has_id(kind, out, id))
		return error_set(err, ERR_DATA,
				 "%s %s is damaged: its bytes have another id",
				 kinds[kind].name, oid_hex(id, hex));
	return 0;
}

/* Size of a blob that is in the clone, or false. */
static bool stored_size(struct repo *r, const struct oid *id, size_t *size)
{
	git_object_t type;
	git_oid oid;

	git_oid_fromraw(&oid, id->bytes);
	return git_odb_read_header(size, &type, r->odb, &oid) == 0 &&
	       type == GIT_OBJECT_BLOB;
}

bool repo_has_blob(struct repo *r, const struct oid *id)
{
	size_t size;

	return stored_size(r, id, &size);
}

/* Whether the file that the work tree has at path holds the blob's very bytes, which are
 * then appended. Whatever stands against it is no error: they are to be had elsewhere. */
static bool worktree_has(struct repo *r, const struct oid *id, const char *path,
			 struct buf *out)
{
	CLEANUP(fs_file) struct fs_file f = FS_FILE_INIT;
	struct error ignored = ERROR_INIT;
	struct oid own;
	size_t before = out->len;

	if (!r->worktree || !path || fs_open_beneath(r->worktree, path, &f, &ignored) < 0)
		return false;
	if (fs_file_read(&f, path, out, &ignored) < 0) {
		buf_truncate(out, before);
		out->overflowed = false;
		return false;
	}
	hash_git_blob(out->data + before, out->len - before, own.bytes);
	if (oid_equal(&own, id))
		return true;
	buf_truncate(out, before);
	return false;
}

static int too_big(const struct oid *id, size_t len, size_t room, struct error *err)
{
	char hex[OID_HEX_SIZE];

	return error_set(err, ERR_TOO_BIG, "blob %s: %zu bytes, over %zu",
			 oid_hex(id, hex), len, room);
}

int repo_blob(struct repo *r, const struct oid *id, const char *path, struct buf *out,
	      struct error *err)
{
	CLEANUP(object) struct object o = OBJECT_INIT;
	size_t room = out->max - out->len;
	size_t len;

	if (stored_size(r, id, &len)) {
		if (len > room)
			return too_big(id, len, room, err);
	} else if (worktree_has(r, id, path, out)) {
		return 0;
	}
	if (object_read(r, id, OBJECT_BLOB, &o, err) < 0)
		return -1;
	if (o.len > room)
		return too_big(id, o.len, room, err);
	buf_add(out, o.bytes, o.len);
	return buf_check(out, "blob", err);
}

int repo_blob_size(struct repo *r, const struct oid *id, const char *path, int64_t *out,
		   struct error *err)
{
	CLEANUP(object) struct object o = OBJECT_INIT;
	CLEANUP(buf) struct buf b = BUF_INIT(OBJECT_MOST);
	size_t len;

	if (stored_size(r, id, &len)) {
		*out = (int64_t)len;
		return 0;
	}
	if (worktree_has(r, id, path, &b)) {
		*out = (int64_t)b.len;
		return 0;
	}
	if (object_read(r, id, OBJECT_BLOB, &o, err) < 0)
		return -1;
	*out = (int64_t)o.len;
	return 0;
}
