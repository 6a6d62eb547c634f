#include "run/tree.h"

#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "run/content.h"

enum { PATH_BYTES = 32 << 10, LINK_BYTES = 4096, LINKS_MOST = 40 };

/* One step */

/* What stands at a path that leads through no link. */
struct place {
	enum repo_mode mode;
	struct oid id;     /* in a commit */
	const char *other; /* neither file, link nor folder: what it is */
};

static const char *const submodule = "a submodule, whose files are not in this commit";

static int look_in_commit(const struct tree *t, const char *path, struct place *out,
			  struct error *err)
{
	struct repo_item item;

	if (repo_lookup(t->repo, &t->commit, path, &item, err) < 0)
		return -1;
	*out = (struct place){ .mode = item.mode, .id = item.id };
	if (item.mode == REPO_SUBMODULE)
		out->other = submodule;
	return 0;
}

static int look_on_disk(const struct tree *t, const char *path, struct place *out,
			struct error *err)
{
	static const enum repo_mode modes[] = {
		[FS_FILE] = REPO_FILE,
		[FS_SYMLINK] = REPO_SYMLINK,
		[FS_OTHER] = REPO_FILE,
		[FS_FOLDER] = REPO_FOLDER,
	};
	struct fs_item item;

	if (fs_look_beneath(repo_worktree(t->repo), path, &item, err) < 0)
		return -1;
	*out = (struct place){ .mode = modes[item.kind] };
	if (item.kind == FS_OTHER)
		out->other = "not a regular file";
	else if (item.kind == FS_FILE && item.executable)
		out->mode = REPO_EXECUTABLE;
	return 0;
}

static int look(const struct tree *t, const char *path, struct place *out,
		struct error *err)
{
	return t->is_disk ? look_on_disk(t, path, out, err)
			  : look_in_commit(t, path, out, err);
}

static int read_link(const struct tree *t, const char *path, const struct place *place,
		     struct buf *out, struct error *err)
{
	if (t->is_disk)
		return fs_link_beneath(repo_worktree(t->repo), path, out, err);
	return repo_blob(t->repo, &place->id, path, out, err);
}

/* The whole way */

/* Where a path has led so far, and what is left of it. */
struct way {
	struct buf done;
	struct buf left;
	struct place place; /* of done */
	unsigned links;
};

static void way_release(struct way *w)
{
	buf_release(&w->done);
	buf_release(&w->left);
}

static int follow_link(const struct tree *t, struct way *w, struct error *err)
{
	CLEANUP(buf) struct buf target = BUF_INIT(LINK_BYTES);

	if (++w->links > LINKS_MOST)
		return error_set(err, ERR_UNSUPPORTED,
				 "a symbolic link that leads in a circle");
	if (read_link(t, w->done.data, &w->place, &target, err) < 0)
		return -1;
	if (*target.data == '/')
		return error_set(err, ERR_UNSUPPORTED,
				 "a symbolic link that leads out of the repository, to "
				 "%.100s",
				 target.data);
	if (w->left.len)
		buf_char(&target, '/');
	buf_add(&target, w->left.data, w->left.len);
	buf_clear(&w->left);
	buf_add(&w->left, target.data, target.len);
	if (buf_check(&target, "symbolic link", err) < 0)
		return -1;
	(void)path_step(&w->done, "..", 2);
	w->place.mode = REPO_FOLDER;
	return 0;
}

static int take_step(const struct tree *t, struct way *w, const char *name, size_t n,
		     struct error *err)
{
	size_t before = w->done.len;

	if (w->place.mode != REPO_FOLDER)
		return error_set(err, ERR_NOT_FOUND, "%.200s is no folder", w->done.data);
	if (!path_step(&w->done, name, n))
		return error_set(err, ERR_UNSUPPORTED, "it leads out of the repository");
	if (w->done.len <= before)
		return 0;
	if (t->is_disk && str_eq_nocase(path_name(w->done.data), ".git"))
		return error_set(err, ERR_UNSUPPORTED, "it leads to git's own folder");
	if (look(t, w->done.data, &w->place, err) < 0)
		return err->code == ERR_NOT_FOUND
			       ? error_set(err, ERR_NOT_FOUND, "%.200s is not there",
					   w->done.data)
			       : -1;
	if (w->place.other)
		return error_set(err, ERR_UNSUPPORTED, "%.200s is %s", w->done.data,
				 w->place.other);
	return 0;
}

static int go(const struct tree *t, struct way *w, struct error *err)
{
	while (w->left.len) {
		size_t n = strcspn(w->left.data, "/");
		size_t gone = n + (w->left.data[n] == '/');
		CLEANUP_PTR(mem) char *name = xstrndup(w->left.data, n);
		CLEANUP_PTR(mem) char *rest = xstrdup(w->left.data + gone);

		buf_clear(&w->left);
		buf_str(&w->left, rest);
		if (take_step(t, w, name, n, err) < 0 ||
		    (w->place.mode == REPO_SYMLINK && follow_link(t, w, err) < 0))
			return -1;
	}
	return buf_check(&w->done, "path", err);
}

static int identify(const struct tree *t, const char *path, struct oid *id,
		    struct error *err)
{
	CLEANUP(fs_file) struct fs_file file = FS_FILE_INIT;
	struct fs_digest digest;

	if (fs_open_beneath(repo_worktree(t->repo), path, &file, err) < 0 ||
	    fs_digest_file(&file, path, &digest, err) < 0)
		return -1;
	*id = digest.blob;
	return 0;
}

int tree_find(const struct tree *t, const char *path, struct arena *arena,
	      struct tree_item *out, struct error *err)
{
	CLEANUP(way)
	struct way w = { .done = BUF_INIT(PATH_BYTES), .left = BUF_INIT(PATH_BYTES) };

	w.place.mode = REPO_FOLDER;
	buf_str(&w.left, path);
	if (buf_check(&w.left, "path", err) < 0 || go(t, &w, err) < 0)
		return -1;
	*out = (struct tree_item){
		.path = arena_strdup(arena, w.done.data),
		.is_folder = w.place.mode == REPO_FOLDER,
		.executable = w.place.mode == REPO_EXECUTABLE,
		.id = w.place.id,
	};
	if (t->is_disk && !out->is_folder)
		return identify(t, out->path, &out->id, err);
	return 0;
}

/* Walking */

struct walk {
	const struct tree *tree;
	const char *folder;
	const struct tree_visitor *visitor;
};

static bool enter(void *ctx, const char *path)
{
	const struct walk *w = ctx;

	return w->visitor->wants(w->visitor->ctx, path);
}

static int visit_committed(void *ctx, const struct repo_item *item, struct error *err)
{
	const struct walk *w = ctx;
	const struct tree_visitor *v = w->visitor;
	struct tree_entry entry = {
		.path = item->path,
		.kind = item->mode == REPO_SYMLINK     ? TREE_LINK
			: item->mode == REPO_SUBMODULE ? TREE_OTHER
						       : TREE_FILE,
		.executable = item->mode == REPO_EXECUTABLE,
		.id = item->id,
		.why = submodule,
	};

	return v->wants(v->ctx, item->path) ? v->visit(v->ctx, &entry, err) : 0;
}

static int visit_on_disk(void *ctx, const struct fs_item *item, struct error *err)
{
	const struct walk *w = ctx;
	const struct tree_visitor *v = w->visitor;
	CLEANUP(buf) struct buf path = BUF_INIT(PATH_BYTES);
	struct tree_entry entry = {
		.path = item->path,
		.kind = item->kind == FS_SYMLINK ? TREE_LINK
			: item->kind == FS_FILE  ? TREE_FILE
						 : TREE_OTHER,
		.executable = item->executable,
		.why = "not a regular file",
	};

	if (!v->wants(v->ctx, item->path))
		return 0;
	buf_printf(&path, "%s%s%s", w->folder, *w->folder ? "/" : "", item->path);
	if (entry.kind == TREE_FILE && identify(w->tree, path.data, &entry.id, err) < 0)
		return -1;
	return v->visit(v->ctx, &entry, err);
}

int tree_walk(const struct tree *t, const char *folder,
	      const struct tree_visitor *visitor, struct error *err)
{
	struct walk w = { t, folder, visitor };
	CLEANUP(buf) struct buf root = BUF_INIT(PATH_BYTES);
	struct repo_visitor in_commit = { enter, visit_committed, &w };
	struct fs_visitor on_disk = { enter, visit_on_disk, &w };

	if (!t->is_disk)
		return repo_walk(t->repo, &t->commit, folder, &in_commit, err);
	buf_printf(&root, "%s%s%s", repo_worktree(t->repo), *folder ? "/" : "", folder);
	return fs_walk(root.data, &on_disk, err);
}

/* Content */

static struct content_origin origin_of(const struct tree *t)
{
	return (struct content_origin){
		.repo = t->repo,
		.folder = "",
		.root = repo_worktree(t->repo),
		.is_disk = t->is_disk,
	};
}

int tree_read(const struct tree *t, const char *path, const struct oid *id,
	      struct buf *out, struct error *err)
{
	CLEANUP(content) struct content content = CONTENT_INIT;
	const struct content_origin from = origin_of(t);

	if (content_read(&from, path, id, &content, err) < 0)
		return -1;
	if (content.file.fd >= 0)
		return fs_file_read(&content.file, path, out, err);
	buf_add(out, content.bytes.data, content.bytes.len);
	return buf_check(out, path, err);
}

int tree_size(const struct tree *t, const char *path, const struct oid *id, int64_t *out,
	      struct error *err)
{
	struct fs_item item;

	if (!t->is_disk)
		return repo_blob_size(t->repo, id, path, out, err);
	if (fs_look_beneath(repo_worktree(t->repo), path, &item, err) < 0)
		return -1;
	*out = item.size;
	return 0;
}
