#include "run/source.h"

#include <string.h>

#include "base/mem.h"
#include "run/problems.h"

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
	struct problems problems; /* owned */
};

static void gathering_release(struct gathering *g)
{
	problems_release(&g->problems);
}

static struct gathering gathering_of(const struct source *s, struct arena *arena,
				     struct snapshot *out)
{
	return (struct gathering){
		.source = s,
		.arena = arena,
		.out = out,
		.problems = PROBLEMS_INIT,
	};
}

static bool name_is_sound(struct gathering *g, const char *path)
{
	size_t n = strlen(path);

	if (!str_is_utf8(path, n))
		problems_add(&g->problems, path,
			     "the name is not UTF-8, which S3 keys are: rename it");
	else if (n + strlen(g->source->site->prefix) > 1024)
		problems_add(&g->problems, path,
			     "longer than the 1,024 bytes that S3 allows a key");
	else if (config_key_owner(g->source->config, g->source->site, path))
		problems_add(
			&g->problems, path,
			"its key is below the prefix of another site in the same bucket: "
			"exclude it, or give that site another prefix");
	else
		return true;
	return false;
}

static bool enter_folder(void *ctx, const char *path)
{
	struct gathering *g = ctx;

	/* At any depth: a prefix may end there. */
	if (config_is_reserved(g->source->site, path)) {
		problems_add(&g->problems, path,
			     "crc keeps its own state under .crc/: rename the folder, or "
			     "exclude it");
		return false;
	}
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
		problems_add(&g->problems, item->path, wrong);
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
		problems_add(&g->problems, item->path,
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
	if (problems_check(&g->problems, "deployed", err) < 0)
		return error_wrap(err, "site %s", g->source->site->name);
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

static struct content_origin origin_of(const struct source *s)
{
	return (struct content_origin){
		.repo = s->repo,
		.folder = s->site->path,
		.root = s->folder,
		.is_disk = s->kind == SOURCE_WORKTREE,
	};
}

int source_read(const struct source *s, const struct entry *e, struct content *out,
		struct error *err)
{
	const struct content_origin from = origin_of(s);

	return content_read(&from, e->path, &e->id, out, err);
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

static bool edit_counts(void *ctx, const char *path, const struct oid *committed)
{
	const struct source *s = ctx;
	const struct content_origin from = origin_of(s);

	/* git would run the filter to tell. */
	return config_uploads(s->config, s->site, path) &&
	       !(committed && content_is_checked_out(&from, path, committed));
}

int source_count_edits(const struct source *s, size_t *out, struct error *err)
{
	const struct repo_edit_filter filter = { edit_counts, (void *)(uintptr_t)s };

	*out = 0;
	if (!source_is_checked_out(s))
		return 0;
	return repo_count_edits(s->repo, &s->commit, s->site->path, &filter, out, err);
}
