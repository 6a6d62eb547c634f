#include "run/source.h"

#include <string.h>

#include "base/mem.h"
#include "codec/encode.h"
#include "codec/hash.h"

enum { PROBLEMS_NAMED = 5, PROBLEMS_BYTES = 4096, END_BYTES = 30, POINTER_MAX = 1024 };

/* Opening */

void source_release(struct source *s)
{
	free(s->folder);
	*s = (struct source){ .repo = NULL };
}

static bool enter_nothing(void *ctx, const char *path)
{
	(void)ctx;
	(void)path;
	return false;
}

static int visit_nothing(void *ctx, const struct fs_item *item, struct error *err)
{
	(void)ctx;
	(void)item;
	(void)err;
	return 0;
}

/* A walk that enters nothing only opens the folder. */
static bool folder_on_disk(const struct source *s)
{
	struct fs_visitor nobody = { enter_nothing, visit_nothing, NULL };
	struct error err = ERROR_INIT;

	return s->folder && fs_walk(s->folder, &nobody, &err) == 0;
}

static char *disk_folder(struct repo *repo, const char *path)
{
	CLEANUP(buf) struct buf b = BUF_INIT(8192);
	const char *top = repo_worktree(repo);

	if (!top)
		return NULL;
	buf_printf(&b, "%s%s%s", top, *path ? "/" : "", path);
	return buf_take(&b);
}

static const char *path_of(const struct source *s)
{
	return *s->site->path ? s->site->path : ".";
}

static const char *mode_name(enum repo_mode mode)
{
	static const char *const names[] = {
		[REPO_FILE] = "a file",
		[REPO_EXECUTABLE] = "a file",
		[REPO_SYMLINK] = "a symbolic link",
		[REPO_SUBMODULE] = "a submodule",
		[REPO_FOLDER] = "a folder",
	};

	return names[mode];
}

/* 1: settled; 0: it may be on the disk; -1: error. A commit that cannot be read is one, and
 * no reason to deploy something else. */
static int settle_in_commit(struct source *s, enum source_kind wanted, struct error *err)
{
	struct repo_item item;
	bool found = repo_lookup(s->repo, &s->commit, s->site->path, &item, err) == 0;

	if (!found && err->code != ERR_NOT_FOUND)
		return error_wrap(err, "site %s", s->site->name);
	error_clear(err);
	if (found && item.mode == REPO_FOLDER) {
		s->kind = SOURCE_COMMIT;
		return 1;
	}
	s->why = found ? "it is a submodule of the commit"
		       : "the commit has no such folder";
	if (wanted == SOURCE_AUTO && (!found || item.mode == REPO_SUBMODULE))
		return 0;
	if (found)
		return error_set(err, ERR_CONFIG,
				 "site %s: %s is %s in the commit and no folder: check "
				 "`path`",
				 s->site->name, path_of(s), mode_name(item.mode));
	return error_set(err, ERR_CONFIG,
			 "site %s: the commit has no folder %s: check `path`, or use "
			 "--source worktree if a build makes it",
			 s->site->name, path_of(s));
}

static int settle_on_disk(struct source *s, struct error *err)
{
	s->kind = SOURCE_WORKTREE;
	if (folder_on_disk(s))
		return 0;
	if (!s->folder && s->why)
		return error_set(err, ERR_CONFIG,
				 "site %s: there is no folder %s in the commit, and a "
				 "bare repository has nothing else: check `path`",
				 s->site->name, path_of(s));
	if (!s->folder)
		return error_set(err, ERR_CONFIG,
				 "site %s: the repository is bare: there is no work tree "
				 "to take %s from",
				 s->site->name, path_of(s));
	return error_set(
		err, ERR_CONFIG,
		"site %s: there is no folder %s %son the disk: check `path` (it counts "
		"from the top of the repository)",
		s->site->name, path_of(s), s->why ? "in the commit or " : "");
}

static int settle_kind(struct source *s, enum source_kind wanted, struct error *err)
{
	int rc = 0;

	if (wanted == SOURCE_COMMIT && s->site->build)
		return error_set(err, ERR_CONFIG,
				 "site %s has a `build`, and what that makes is not in "
				 "the commit: leave --source commit out",
				 s->site->name);
	if (wanted != SOURCE_WORKTREE && !s->site->build)
		rc = settle_in_commit(s, wanted, err);
	return rc ? (rc < 0 ? -1 : 0) : settle_on_disk(s, err);
}

int source_open(struct source *s, const struct source_options *options, struct error *err)
{
	*s = (struct source){
		.repo = options->repo,
		.config = options->config,
		.site = options->site,
		.commit = *options->commit,
		.folder = disk_folder(options->repo, options->site->path),
	};
	return settle_kind(s, options->wanted, err);
}

/* Snapshots */

struct gathering {
	const struct source *source;
	struct arena *arena;
	struct snapshot *out;
	struct buf problems; /* owned; the first few, a line each */
	size_t n_problems;
};

static void gathering_release(struct gathering *g)
{
	buf_release(&g->problems);
}

static struct gathering gathering_of(const struct source *s, struct arena *arena,
				     struct snapshot *out)
{
	return (struct gathering){
		.source = s,
		.arena = arena,
		.out = out,
		.problems = BUF_INIT(PROBLEMS_BYTES),
	};
}

static void spell(struct buf *out, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c < 0x20 || c >= 0x7F)
			buf_printf(out, "\\x%02x", c);
		else
			buf_char(out, (char)c);
	}
}

/* Of a long path both ends are shown, so that there is room for what is wrong with it. */
static void problem(struct gathering *g, const char *path, const char *what)
{
	size_t n = strlen(path);

	if (g->n_problems++ >= PROBLEMS_NAMED)
		return;
	buf_str(&g->problems, "\n  ");
	if (n <= 2 * END_BYTES) {
		spell(&g->problems, path, n);
	} else {
		spell(&g->problems, path, END_BYTES);
		buf_str(&g->problems, "...");
		spell(&g->problems, path + n - END_BYTES, END_BYTES);
	}
	buf_printf(&g->problems, ": %s", what);
}

static bool name_is_sound(struct gathering *g, const char *path)
{
	size_t n = strlen(path);

	if (!str_is_utf8(path, n))
		problem(g, path, "the name is not UTF-8, which S3 keys are: rename it");
	else if (n + strlen(g->source->site->prefix) > 1024)
		problem(g, path, "longer than the 1,024 bytes that S3 allows a key");
	else if (str_starts(path, ".crc/"))
		problem(g, path,
			"crc keeps its own state under .crc/: rename the folder");
	else if (config_key_owner(g->source->config, g->source->site, path))
		problem(g, path,
			"its key is below the prefix of another site in the same bucket: "
			"exclude it, or give that site another prefix");
	else
		return true;
	return false;
}

static bool enter_folder(void *ctx, const char *path)
{
	struct gathering *g = ctx;

	return !config_skips_folder(g->source->config, g->source->site, path);
}

static const char *mode_problem(enum repo_mode mode)
{
	switch (mode) {
	case REPO_SYMLINK:
		return "a symbolic link, which S3 does not have: put a file there, or exclude it";
	case REPO_SUBMODULE:
		return "a submodule, whose files are not in this commit: exclude it, or deploy "
		       "a build that contains them";
	default:
		return NULL;
	}
}

static int visit_item(void *ctx, const struct repo_item *item, struct error *err)
{
	struct gathering *g = ctx;
	const char *wrong = mode_problem(item->mode);

	(void)err;
	if (!config_uploads(g->source->config, g->source->site, item->path))
		return 0;
	if (wrong) {
		problem(g, item->path, wrong);
		return 0;
	}
	if (name_is_sound(g, item->path))
		snapshot_push(g->out, (struct entry){
					      .path = arena_strdup(g->arena, item->path),
					      .id = item->id,
				      });
	return 0;
}

static int digest_on_disk(const struct source *s, const char *path, struct fs_digest *out,
			  struct error *err)
{
	CLEANUP(fs_file) struct fs_file file = FS_FILE_INIT;

	if (fs_open_beneath(s->folder, path, &file, err) < 0)
		return -1;
	return fs_digest_file(&file, path, out, err);
}

static int visit_file(void *ctx, const struct fs_item *item, struct error *err)
{
	struct gathering *g = ctx;
	struct fs_digest digest;

	if (!config_uploads(g->source->config, g->source->site, item->path))
		return 0;
	if (item->kind != FS_FILE) {
		problem(g, item->path,
			item->kind == FS_SYMLINK ? mode_problem(REPO_SYMLINK)
						 : "not a regular file: exclude it");
		return 0;
	}
	if (!name_is_sound(g, item->path))
		return 0;
	if (digest_on_disk(g->source, item->path, &digest, err) < 0)
		return -1;
	snapshot_push(g->out, (struct entry){
				      .path = arena_strdup(g->arena, item->path),
				      .id = digest.blob,
			      });
	return 0;
}

static int finish(struct gathering *g, struct error *err)
{
	if (g->n_problems)
		return error_set(err, ERR_DATA,
				 "site %s: %zu path%s cannot be deployed:%s%s",
				 g->source->site->name, g->n_problems,
				 g->n_problems == 1 ? "" : "s", g->problems.data,
				 g->n_problems > PROBLEMS_NAMED ? "\n  ..." : "");
	snapshot_sort(g->out);
	return 0;
}

static int gather_commit(struct gathering *g, const struct oid *commit, struct error *err)
{
	struct repo_visitor visitor = { enter_folder, visit_item, g };
	const struct source *s = g->source;

	return repo_walk(s->repo, commit, s->site->path, &visitor, err);
}

static int gather_worktree(struct gathering *g, struct error *err)
{
	struct fs_visitor visitor = { enter_folder, visit_file, g };

	return fs_walk(g->source->folder, &visitor, err);
}

int source_snapshot(const struct source *s, struct arena *arena, struct snapshot *out,
		    struct error *err)
{
	CLEANUP(gathering) struct gathering g = gathering_of(s, arena, out);
	int rc = s->kind == SOURCE_COMMIT ? gather_commit(&g, &s->commit, err)
					  : gather_worktree(&g, err);

	if (rc < 0 || finish(&g, err) < 0)
		return -1;
	if (!out->len)
		return error_set(
			err, ERR_CONFIG,
			"site %s: nothing to upload in %s: an empty site would delete "
			"all that is deployed; check `path`, `exclude` and the build",
			s->site->name, path_of(s));
	return 0;
}

int source_snapshot_whole(const struct source *s, const struct oid *commit,
			  struct arena *arena, struct snapshot *out, struct error *err)
{
	CLEANUP(gathering) struct gathering g = gathering_of(s, arena, out);

	/* What could not be deployed was not: its problems are not ours. */
	if (gather_commit(&g, commit, err) < 0) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
		error_clear(err);
	}
	snapshot_sort(out);
	return 0;
}

/* The way back from the head to another commit. */
struct rewind {
	struct gathering before;
	const struct snapshot *head;
	size_t next; /* of the head: the first that is not settled yet */
};

static void rewind_release(struct rewind *r)
{
	gathering_release(&r->before);
}

/* What stands before a path (NULL: all that is left) is the same in both. */
static void keep_up_to(struct rewind *r, const char *path)
{
	for (; r->next < r->head->len; r->next++) {
		const struct entry *e = &r->head->items[r->next];

		if (path && strcmp(e->path, path) >= 0)
			return;
		snapshot_push(r->before.out,
			      (struct entry){ .path = e->path, .id = e->id });
	}
}

static bool enter_both(void *ctx, const char *path)
{
	struct rewind *r = ctx;

	return enter_folder(&r->before, path);
}

static int visit_change(void *ctx, const struct repo_item *before,
			const struct repo_item *after, struct error *err)
{
	struct rewind *r = ctx;
	const struct snapshot *head = r->head;
	const char *path = before ? before->path : after->path;

	keep_up_to(r, path);
	if (r->next < head->len && str_eq(head->items[r->next].path, path))
		r->next++;
	return before ? visit_item(&r->before, before, err) : 0;
}

int source_snapshot_of(const struct source *s, const struct oid *commit,
		       const struct snapshot *head, struct arena *arena,
		       struct snapshot *out, struct error *err)
{
	CLEANUP(rewind)
	struct rewind r = { .before = gathering_of(s, arena, out), .head = head };
	const struct repo_diff_visitor visitor = { enter_both, visit_change, &r };

	if (s->kind != SOURCE_COMMIT)
		return source_snapshot_whole(s, commit, arena, out, err);
	if (repo_diff(s->repo, commit, &s->commit, s->site->path, &visitor, err) < 0)
		return -1;
	keep_up_to(&r, NULL);
	return 0;
}

/* Content */

void content_release(struct content *c)
{
	buf_release(&c->bytes);
	fs_file_release(&c->file);
}

/* The SHA-256 (hex) that an LFS pointer names; false: not a pointer.
 * github.com/git-lfs/git-lfs, docs/spec.md */
static bool pointer_sha256(const char *text, size_t n, char out[65])
{
	static const char version[] = "version https://git-lfs.github.com/spec/v1\n";
	static const char oid[] = "\noid sha256:";
	const char *at;

	if (n > POINTER_MAX || strncmp(text, version, sizeof(version) - 1) != 0)
		return false;
	at = strstr(text, oid);
	if (!at || strspn(at + sizeof(oid) - 1, "0123456789abcdef") != 64)
		return false;
	memcpy(out, at + sizeof(oid) - 1, 64);
	out[64] = '\0';
	return true;
}

static bool has_sha256(const struct fs_digest *d, const char *hex)
{
	unsigned char bytes[HASH_SHA256_SIZE];

	return decode_hex(hex, sizeof(bytes), bytes) &&
	       memcmp(bytes, d->sha256, sizeof(bytes)) == 0;
}

static int open_beneath(const char *root, const char *path, struct content *out,
			struct error *err)
{
	fs_file_release(&out->file);
	out->file = (struct fs_file)FS_FILE_INIT;
	if (fs_open_beneath(root, path, &out->file, err) < 0)
		return -1;
	out->len = out->file.size;
	return fs_digest_file(&out->file, path, &out->digest, err);
}

/* Opens what the clone keeps for a pointer. *wrong: something, but not its content. */
static bool open_lfs_object(const struct source *s, const char *sha256,
			    struct content *out, bool *wrong)
{
	CLEANUP(buf) struct buf path = BUF_INIT(8192);
	struct error ignored = ERROR_INIT;
	char *slash;

	*wrong = false;
	repo_lfs_path(s->repo, sha256, &path);
	slash = strrchr(path.data, '/');
	if (!slash)
		return false;
	*slash = '\0';
	if (open_beneath(path.data, slash + 1, out, &ignored) < 0)
		return false;
	*wrong = !has_sha256(&out->digest, sha256);
	return !*wrong;
}

static int follow_pointer(const struct source *s, const char *path, const char *sha256,
			  struct content *out, struct error *err)
{
	struct error ignored = ERROR_INIT;
	bool wrong;

	if (open_lfs_object(s, sha256, out, &wrong))
		return 0;
	if (s->folder && open_beneath(s->folder, path, out, &ignored) == 0 &&
	    has_sha256(&out->digest, sha256))
		return 0;
	if (wrong)
		return error_set(
			err, ERR_DATA,
			"%s is kept in Git LFS, and what this clone has for it is "
			"damaged: its SHA-256 is not its pointer's (`git lfs fsck` "
			"moves it away, `git lfs pull` gets it anew)",
			path);
	return error_set(
		err, ERR_DATA,
		"%s is kept in Git LFS and its content is not in this clone: run `git "
		"lfs pull`, or check out with `lfs: true`",
		path);
}

static int read_commit(const struct source *s, const struct entry *e, struct content *out,
		       struct error *err)
{
	CLEANUP(buf) struct buf whole = BUF_INIT(8192);
	char sha256[65];

	buf_printf(&whole, "%s%s%s", s->site->path, *s->site->path ? "/" : "", e->path);
	if (repo_blob(s->repo, &e->id, whole.data, &out->bytes, err) < 0)
		return error_wrap(err, "%s", e->path);
	out->len = (int64_t)out->bytes.len;
	if (pointer_sha256(out->bytes.data, out->bytes.len, sha256)) {
		buf_release(&out->bytes);
		return follow_pointer(s, e->path, sha256, out, err);
	}
	fs_digest_bytes(out->bytes.data, out->bytes.len, &out->digest);
	return 0;
}

static int read_worktree(const struct source *s, const struct entry *e,
			 struct content *out, struct error *err)
{
	CLEANUP(buf) struct buf head = BUF_INIT(POINTER_MAX);
	char sha256[65];

	if (open_beneath(s->folder, e->path, out, err) < 0)
		return -1;
	if (!oid_equal(&out->digest.blob, &e->id))
		return error_set(err, ERR_CONFLICT,
				 "%s changed while it was being deployed", e->path);
	if (out->len > POINTER_MAX)
		return 0;
	if (fs_file_read(&out->file, e->path, &head, err) < 0)
		return -1;
	if (pointer_sha256(head.data, head.len, sha256))
		return follow_pointer(s, e->path, sha256, out, err);
	return 0;
}

int source_read(const struct source *s, const struct entry *e, struct content *out,
		struct error *err)
{
	return s->kind == SOURCE_COMMIT ? read_commit(s, e, out, err)
					: read_worktree(s, e, out, err);
}

/* Edits */

bool source_is_checked_out(const struct source *s)
{
	struct error ignored = ERROR_INIT;
	struct oid head;

	return s->kind == SOURCE_COMMIT && s->folder &&
	       repo_resolve(s->repo, "HEAD", &head, &ignored) == 0 &&
	       oid_equal(&head, &s->commit);
}

/* Whether the work tree has what the pointer that was committed stands for. git would run
 * the filter to tell. */
static bool is_lfs_content(const struct source *s, const char *path, const struct oid *id)
{
	CLEANUP(buf) struct buf pointer = BUF_INIT(POINTER_MAX);
	CLEANUP(content) struct content content = CONTENT_INIT;
	struct error ignored = ERROR_INIT;
	char sha256[65];

	return repo_has_blob(s->repo, id) &&
	       repo_blob(s->repo, id, NULL, &pointer, &ignored) == 0 &&
	       pointer_sha256(pointer.data, pointer.len, sha256) &&
	       open_beneath(s->folder, path, &content, &ignored) == 0 &&
	       has_sha256(&content.digest, sha256);
}

static bool edit_counts(void *ctx, const char *path, const struct oid *committed)
{
	const struct source *s = ctx;

	return config_uploads(s->config, s->site, path) &&
	       !(committed && is_lfs_content(s, path, committed));
}

int source_count_edits(const struct source *s, size_t *out, struct error *err)
{
	const struct repo_edit_filter filter = { edit_counts, (void *)(uintptr_t)s };

	*out = 0;
	if (!source_is_checked_out(s))
		return 0;
	return repo_count_edits(s->repo, &s->commit, s->site->path, &filter, out, err);
}
