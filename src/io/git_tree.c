#include "io/git_private.h"

#include <string.h>

#include "base/mem.h"

int repo_walk_step(struct repo_walk_state *s, const char *name, struct error *err)
{
	if (++s->items > REPO_ITEMS_MOST)
		return error_set(err, ERR_TOO_BIG, "%s: over %d files", s->path.data,
				 REPO_ITEMS_MOST);
	buf_str(&s->path, name);
	return buf_check(&s->path, "path in a commit", err);
}

int repo_walk_enter(struct repo_walk_state *s, struct error *err)
{
	if (s->depth == REPO_DEPTH_MOST)
		return error_set(err, ERR_TOO_BIG, "%s: over %d folders deep",
				 s->path.data, REPO_DEPTH_MOST);
	s->depth++;
	buf_char(&s->path, '/');
	return buf_check(&s->path, "path in a commit", err);
}

/* A missing tree must not be taken for a missing folder. */
static int missing_is_damage(struct error *err)
{
	if (err->code == ERR_NOT_FOUND)
		err->code = ERR_DATA;
	return -1;
}

int repo_read_tree(struct repo *r, const struct oid *id, struct object *out,
		   struct error *err)
{
	if (object_read(r, id, OBJECT_TREE, out, err) < 0)
		return missing_is_damage(err);
	return 0;
}

static int root_of(struct repo *r, const struct oid *commit, struct oid *tree,
		   struct error *err)
{
	CLEANUP(object) struct object o = OBJECT_INIT;
	struct commit_view view;

	if (object_read(r, commit, OBJECT_COMMIT, &o, err) < 0)
		return missing_is_damage(err);
	if (commit_parse(o.bytes, o.len, &view, err) < 0)
		return -1;
	*tree = view.tree;
	return 0;
}

/* Looks for a name in a tree: 1 found, 0 not, -1 failed. *mode and *id are replaced. */
static int find_name(struct repo *r, const char *name, size_t len, enum repo_mode *mode,
		     struct oid *id, struct error *err)
{
	CLEANUP(object) struct object o = OBJECT_INIT;
	struct tree_reader tree;
	struct tree_entry entry;
	int rc;

	if (repo_read_tree(r, id, &o, err) < 0)
		return -1;
	tree = tree_reader_start(o.bytes, o.len);
	while ((rc = tree_next(&tree, &entry, err)) > 0) {
		if (strncmp(entry.name, name, len) == 0 && entry.name[len] == '\0') {
			*mode = entry.mode;
			*id = entry.id;
			return 1;
		}
	}
	return rc;
}

/* Follows a path from the root of a commit: 1 found, 0 not, -1 failed. Empty parts and "."
 * are passed over, so that "site/" and "./site" mean the same folder. */
static int find(struct repo *r, const struct oid *commit, const char *path,
		enum repo_mode *mode, struct oid *id, struct error *err)
{
	*mode = REPO_FOLDER;
	if (root_of(r, commit, id, err) < 0)
		return -1;
	while (*path) {
		size_t len = strcspn(path, "/");
		int rc = 1;

		if (len && !(len == 1 && *path == '.'))
			rc = *mode == REPO_FOLDER ? find_name(r, path, len, mode, id, err)
						  : 0;
		if (rc <= 0)
			return rc;
		path += len + (path[len] == '/');
	}
	return 1;
}

int repo_find_folder(struct repo *r, const struct oid *commit, const char *folder,
		     bool *found, struct oid *tree, struct error *err)
{
	enum repo_mode mode;
	int rc = find(r, commit, folder, &mode, tree, err);

	*found = rc == 1 && mode == REPO_FOLDER;
	return rc < 0 ? -1 : 0;
}

int repo_lookup(struct repo *r, const struct oid *commit, const char *path,
		struct repo_item *out, struct error *err)
{
	enum repo_mode mode;
	struct oid id;
	int rc = find(r, commit, path, &mode, &id, err);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return error_set(err, ERR_NOT_FOUND, "%s: not in the commit", path);
	*out = (struct repo_item){ .path = path, .mode = mode, .id = id };
	return 0;
}

struct walk {
	struct repo *repo;
	const struct repo_visitor *visitor;
	struct repo_walk_state state;
};

static void walk_release(struct walk *w)
{
	buf_release(&w->state.path);
}

static int walk_tree(struct walk *w, const struct oid *id, struct error *err);

static int walk_folder(struct walk *w, const struct oid *id, struct error *err)
{
	const struct repo_visitor *v = w->visitor;
	int rc;

	if (v->enter && !v->enter(v->ctx, w->state.path.data))
		return 0;
	if (repo_walk_enter(&w->state, err) < 0)
		return -1;
	rc = walk_tree(w, id, err);
	w->state.depth--;
	return rc;
}

static int walk_entry(struct walk *w, const struct tree_entry *entry, struct error *err)
{
	struct repo_item item = { .mode = entry->mode, .id = entry->id };

	if (repo_walk_step(&w->state, entry->name, err) < 0)
		return -1;
	if (entry->mode == REPO_FOLDER)
		return walk_folder(w, &entry->id, err);
	item.path = w->state.path.data;
	return w->visitor->visit(w->visitor->ctx, &item, err);
}

static int walk_tree(struct walk *w, const struct oid *id, struct error *err)
{
	CLEANUP(object) struct object o = OBJECT_INIT;
	size_t len = w->state.path.len;
	struct tree_reader tree;
	struct tree_entry entry;
	int rc;

	if (repo_read_tree(w->repo, id, &o, err) < 0)
		return -1;
	tree = tree_reader_start(o.bytes, o.len);
	while ((rc = tree_next(&tree, &entry, err)) > 0) {
		if (walk_entry(w, &entry, err) < 0)
			return -1;
		buf_truncate(&w->state.path, len);
	}
	return rc;
}

int repo_walk(struct repo *r, const struct oid *commit, const char *folder,
	      const struct repo_visitor *visitor, struct error *err)
{
	CLEANUP(walk)
	struct walk w = {
		.repo = r,
		.visitor = visitor,
		.state = REPO_WALK_STATE_INIT,
	};
	struct oid tree;
	bool found;

	if (repo_find_folder(r, commit, folder, &found, &tree, err) < 0)
		return -1;
	if (!found)
		return error_set(err, ERR_NOT_FOUND, "%s: no such folder in the commit",
				 folder);
	return walk_tree(&w, &tree, err);
}
