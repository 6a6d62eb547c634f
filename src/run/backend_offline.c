/* What changed of a backend between two commits: all that an offline plan can tell. */
#include "run/backend_private.h"

#include <string.h>

#include "base/path.h"
#include "run/tree.h"

enum { PATH_BYTES = 4096 };

struct counting {
	struct backend_work *b;
	const struct oid *base;
	struct str_list folders; /* gone through, from the repository's top */
	size_t n;
	const char *first;
};

static void count(struct counting *c, const char *folder, const char *path)
{
	if (!c->n++)
		c->first = arena_printf(&c->b->arena, "%s%s%s", folder,
					*folder && *path ? "/" : "", path);
}

static int count_file(void *ctx, const struct repo_item *before,
		      const struct repo_item *after, struct error *err)
{
	struct counting *c = ctx;

	(void)err;
	count(c, c->folders.items[c->folders.len - 1], (after ? after : before)->path);
	return 0;
}

static bool same_file(struct repo *repo, const struct oid *a, const struct oid *b,
		      const char *path)
{
	struct repo_item before;
	struct repo_item after;
	struct error ignored = ERROR_INIT; /* it is not there */
	bool was = repo_lookup(repo, a, path, &before, &ignored) == 0;
	bool is = repo_lookup(repo, b, path, &after, &ignored) == 0;

	return was == is &&
	       (!was || (oid_equal(&before.id, &after.id) && before.mode == after.mode));
}

static bool is_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return !n || (str_starts(path, folder) && (path[n] == '/' || !path[n]));
}

static bool is_counted(const struct counting *c, const char *path)
{
	for (size_t i = 0; i < c->folders.len; i++)
		if (is_below(path, c->folders.items[i]))
			return true;
	return false;
}

/* Counts what is at a path, a folder or a file, unless that is done. */
static int count_below(struct counting *c, const char *path, struct error *err)
{
	const struct backend_options *o = c->b->options;
	const struct repo_diff_visitor visitor = { NULL, count_file, c };
	struct repo_item item;
	struct error ignored = ERROR_INIT;
	bool is_folder = repo_lookup(o->repo, o->commit, path, &item, &ignored) == 0 &&
			 item.mode == REPO_FOLDER;

	if (is_counted(c, path))
		return 0;
	str_list_push(&c->folders, path);
	if (is_folder)
		return repo_diff(o->repo, c->base, o->commit, path, &visitor, err);
	if (!same_file(o->repo, c->base, o->commit, path))
		count(c, path, "");
	return 0;
}

/* A path of the template as the commit has it: through no "..", and through no link. NULL: it
 * leads out of the repository, which the commit's code cannot. */
static const char *find_path(struct counting *c, const char *folder, const char *path)
{
	const struct tree tree = { .repo = c->b->options->repo,
				   .commit = *c->b->options->commit };
	struct tree_item item = { .path = NULL };
	struct error ignored = ERROR_INIT; /* it is on the disk alone */
	CLEANUP(buf) struct buf plain = BUF_INIT(PATH_BYTES);

	if (!path_go(&plain, folder) || !path_go(&plain, path) || plain.overflowed)
		return NULL;
	if (tree_find(&tree, plain.data, &c->b->arena, &item, &ignored) == 0)
		return item.path;
	return arena_strdup(&c->b->arena, plain.data);
}

/* The folders that the template names, each: of those with the same files only one is packed. */
static int count_codes(struct counting *c, struct error *err)
{
	const struct template *t = &c->b->package.template;
	const char *slash = strrchr(t->name, '/');
	const char *folder = arena_strndup(&c->b->arena, t->name,
					   slash ? (size_t)(slash - t->name) : 0);

	for (size_t i = 0; i < t->codes.len; i++) {
		const char *path = find_path(c, folder, t->codes.items[i].path);

		if (path && count_below(c, path, err) < 0)
			return -1;
	}
	return 0;
}

/* What links within those folders stand for. */
static int count_links(struct counting *c, struct error *err)
{
	const struct package *p = &c->b->package;

	for (size_t i = 0; i < p->n_codes; i++)
		for (size_t k = 0; k < p->codes[i].files.len; k++)
			if (count_below(c, p->codes[i].files.items[k].from, err) < 0)
				return -1;
	return 0;
}

static int count_all(struct counting *c, struct error *err)
{
	if (count_below(c, c->b->backend->path, err) < 0)
		return -1;
	if (!c->b->has_package)
		return 0;
	return count_codes(c, err) < 0 ? -1 : count_links(c, err);
}

int backend_count_changes(struct backend_work *b, const struct oid *base,
			  struct backend_input *out, struct error *err)
{
	struct counting c = { .b = b, .base = base };
	int rc = count_all(&c, err);

	str_list_release(&c.folders);
	out->files_changed = c.n;
	out->first_changed = c.first;
	return rc < 0 ? error_wrap(err, "backend %s", b->backend->name) : 0;
}
