#include "io/git_private.h"

#include <stddef.h>

#include "base/mem.h"

/* An own comparison rather than libgit2's: it shows every byte of a name, never looks at a
 * blob, and does not even read what two trees have in common. */

struct diff {
	struct repo *repo;
	const struct repo_diff_visitor *visitor;
	struct repo_walk_state state;
};

static void diff_release(struct diff *d)
{
	buf_release(&d->state.path);
}

/* One of the two trees that are gone through side by side. */
struct side {
	struct object object;
	struct tree_reader tree;
	struct tree_entry entry;
	int more; /* as tree_next(): whether entry is there */
};

#define SIDE_INIT                     \
	{                             \
		.object = OBJECT_INIT \
	}

static void side_release(struct side *s)
{
	object_release(&s->object);
}

static int side_next(struct side *s, struct error *err)
{
	s->more = tree_next(&s->tree, &s->entry, err);
	return s->more < 0 ? -1 : 0;
}

/* id NULL: nothing is there. */
static int side_start(struct side *s, struct repo *r, const struct oid *id,
		      struct error *err)
{
	if (id && repo_read_tree(r, id, &s->object, err) < 0)
		return -1;
	s->tree = tree_reader_start(s->object.bytes, s->object.len);
	return side_next(s, err);
}

static int diff_trees(struct diff *d, const struct oid *from, const struct oid *to,
		      struct error *err);

static int diff_folder(struct diff *d, const struct oid *from, const struct oid *to,
		       struct error *err)
{
	const struct repo_diff_visitor *v = d->visitor;
	int rc;

	if (v->enter && !v->enter(v->ctx, d->state.path.data))
		return 0;
	if (repo_walk_enter(&d->state, err) < 0)
		return -1;
	rc = diff_trees(d, from, to, err);
	d->state.depth--;
	return rc;
}

static int show(struct diff *d, const struct tree_entry *before,
		const struct tree_entry *after, struct error *err)
{
	struct repo_item old = { .path = d->state.path.data };
	struct repo_item new = { .path = d->state.path.data };

	if (before) {
		old.mode = before->mode;
		old.id = before->id;
	}
	if (after) {
		new.mode = after->mode;
		new.id = after->id;
	}
	return d->visitor->visit(d->visitor->ctx, before ? &old : NULL,
				 after ? &new : NULL, err);
}

/* Two entries of one name, both folders or neither; or one of them alone. */
static int diff_entry(struct diff *d, const struct tree_entry *before,
		      const struct tree_entry *after, struct error *err)
{
	const struct tree_entry *any = before ? before : after;
	size_t len = d->state.path.len;
	int rc;

	if (before && after && before->mode == after->mode &&
	    oid_equal(&before->id, &after->id))
		return 0;
	if (repo_walk_step(&d->state, any->name, err) < 0)
		return -1;
	if (any->mode == REPO_FOLDER)
		rc = diff_folder(d, before ? &before->id : NULL,
				 after ? &after->id : NULL, err);
	else
		rc = show(d, before, after, err);
	buf_truncate(&d->state.path, len);
	return rc;
}

/* Which side's entry comes first: < 0 a's, > 0 b's, 0 both. At least one is there. */
static int first(const struct side *a, const struct side *b)
{
	if (!a->more || !b->more)
		return a->more ? -1 : 1;
	return tree_compare(&a->entry, &b->entry);
}

static int diff_trees(struct diff *d, const struct oid *from, const struct oid *to,
		      struct error *err)
{
	CLEANUP(side) struct side a = SIDE_INIT;
	CLEANUP(side) struct side b = SIDE_INIT;

	if (side_start(&a, d->repo, from, err) < 0 ||
	    side_start(&b, d->repo, to, err) < 0)
		return -1;
	while (a.more || b.more) {
		int order = first(&a, &b);

		if (diff_entry(d, order <= 0 ? &a.entry : NULL,
			       order >= 0 ? &b.entry : NULL, err) < 0)
			return -1;
		if ((order <= 0 && side_next(&a, err) < 0) ||
		    (order >= 0 && side_next(&b, err) < 0))
			return -1;
	}
	return 0;
}

int repo_diff(struct repo *r, const struct oid *from, const struct oid *to,
	      const char *folder, const struct repo_diff_visitor *visitor,
	      struct error *err)
{
	CLEANUP(diff)
	struct diff d = {
		.repo = r,
		.visitor = visitor,
		.state = REPO_WALK_STATE_INIT,
	};
	struct oid a;
	struct oid b;
	bool has_a;
	bool has_b;

	if (repo_find_folder(r, from, folder, &has_a, &a, err) < 0 ||
	    repo_find_folder(r, to, folder, &has_b, &b, err) < 0)
		return -1;
	if (has_a && has_b && oid_equal(&a, &b))
		return 0;
	return diff_trees(&d, has_a ? &a : NULL, has_b ? &b : NULL, err);
}
