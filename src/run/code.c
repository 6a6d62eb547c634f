#include "run/code.h"

#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "codec/encode.h"
#include "codec/hash.h"
#include "core/code_rules.h"
#include "core/code_size.h"
#include "run/code_private.h"
#include "run/problems.h"

/* FORMAT changes when the same files would make another archive, RECIPE when pip would be told
 * something else. */
#define FORMAT "crc code 1"
#define RECIPE "pip 1"

enum { FILES_MOST = 100000, PATH_BYTES = 32 << 10, FILE_BYTES = 1 << 30 };

void code_release(struct code *c)
{
	code_files_release(&c->files);
	arena_release(&c->arena);
}

struct tree code_tree(const struct code *c)
{
	return (struct tree){
		.repo = c->options.repo,
		.commit = *c->options.commit,
		.is_disk = c->kind == SOURCE_WORKTREE,
	};
}

void code_say(const struct code *c, const char *line)
{
	const struct progress *p = c->options.progress;

	if (p && p->output)
		p->output(p->ctx, line);
}

static const char *path_of(const struct code *c)
{
	return *c->options.path ? c->options.path : ".";
}

/* Where it is */

static int find_on_disk(struct code *c, struct tree_item *out, struct error *err)
{
	struct tree tree;

	if (!repo_worktree(c->options.repo))
		return error_set(err, ERR_CONFIG,
				 "%s: the repository is bare: there is no work tree to "
				 "take it from",
				 path_of(c));
	c->kind = SOURCE_WORKTREE;
	tree = code_tree(c);
	return tree_find(&tree, c->options.path, &c->arena, out, err);
}

static int find_code(struct code *c, struct tree_item *out, struct error *err)
{
	enum source_kind wanted = c->options.wanted;
	struct tree tree;

	c->kind = SOURCE_COMMIT;
	if (wanted == SOURCE_WORKTREE)
		return find_on_disk(c, out, err);
	tree = code_tree(c);
	if (tree_find(&tree, c->options.path, &c->arena, out, err) == 0)
		return 0;
	if (err->code != ERR_NOT_FOUND || wanted == SOURCE_COMMIT ||
	    !repo_worktree(c->options.repo))
		return -1;
	error_clear(err);
	return find_on_disk(c, out, err);
}

static int settle(struct code *c, struct tree_item *out, struct error *err)
{
	bool both = c->options.wanted == SOURCE_AUTO && repo_worktree(c->options.repo);

	if (find_code(c, out, err) == 0)
		return 0;
	if (err->code == ERR_NOT_FOUND)
		return error_set(err, ERR_CONFIG, "there is no %s in the %s", path_of(c),
				 both                       ? "commit or on the disk"
				 : c->kind == SOURCE_COMMIT ? "commit"
							    : "work tree");
	if (err->code == ERR_UNSUPPORTED)
		err->code = ERR_CONFIG;
	return error_wrap(err, "%s", path_of(c));
}

/* Its files */

/* A folder that is being walked, and those through whose links it was reached. */
struct level {
	const char *folder; /* from the repository's top */
	const char *prefix; /* of its files in the archive; "" or ends in '/' */
	const struct level *above;
};

struct gathering {
	struct code *code;
	struct tree tree;
	enum code_kind kind;
	struct problems problems;
	const struct level *level;
};

static void gathering_release(struct gathering *g)
{
	problems_release(&g->problems);
}

static enum code_kind kind_of(const struct code_options *o)
{
	if (o->is_layer || o->is_built)
		return CODE_READY;
	return o->runtime && pip_is_python(o->runtime) ? CODE_PYTHON : CODE_SOURCE;
}

static const char *join(struct gathering *g, const char *folder, const char *path)
{
	return arena_printf(&g->code->arena, "%s%s%s", folder,
			    *folder && !str_ends(folder, "/") ? "/" : "", path);
}

static int add_file(struct gathering *g, const char *path, const struct tree_item *item,
		    struct error *err)
{
	struct code *c = g->code;

	if (!str_is_utf8(path, strlen(path))) {
		problems_add(&g->problems, path, "the name is not UTF-8: rename it");
		return 0;
	}
	if (c->files.len == FILES_MOST)
		return error_set(err, ERR_TOO_BIG, "%s: over %d files", path_of(c),
				 FILES_MOST);
	code_files_push(&c->files, (struct code_file){ .path = path,
						       .from = item->path,
						       .id = item->id,
						       .executable = item->executable });
	return 0;
}

static int gather(struct gathering *g, const char *folder, const char *prefix,
		  struct error *err);

/* Whether b is a, or a folder below it. */
static bool is_within(const char *a, const char *b)
{
	size_t n = strlen(a);

	return !n || (strncmp(a, b, n) == 0 && (!b[n] || b[n] == '/'));
}

static int visit_link(struct gathering *g, const char *path, const char *link,
		      struct error *err)
{
	struct tree_item item = { .path = "" };

	if (tree_find(&g->tree, link, &g->code->arena, &item, err) < 0) {
		if (err->code != ERR_NOT_FOUND && err->code != ERR_UNSUPPORTED)
			return -1;
		problems_add(&g->problems, path, err->msg);
		error_clear(err);
		return 0;
	}
	if (!item.is_folder)
		return add_file(g, path, &item, err);
	for (const struct level *l = g->level; l; l = l->above) {
		if (is_within(item.path, l->folder)) {
			problems_add(&g->problems, path,
				     "a symbolic link to a folder that it is in");
			return 0;
		}
	}
	return gather(g, item.path, arena_concat(&g->code->arena, path, "/"), err);
}

static bool wants(void *ctx, const char *path)
{
	const struct gathering *g = ctx;

	return !code_leaves_out(g->kind, path);
}

static int visit(void *ctx, const struct tree_entry *e, struct error *err)
{
	struct gathering *g = ctx;
	struct arena *arena = &g->code->arena;
	const char *path = arena_concat(arena, g->level->prefix, e->path);
	struct tree_item item = { .id = e->id, .executable = e->executable };

	item.path = join(g, g->level->folder, e->path);
	switch (e->kind) {
	case TREE_LINK:
		return visit_link(g, path, item.path, err);
	case TREE_OTHER:
		problems_add(&g->problems, path, e->why);
		return 0;
	case TREE_FILE:
		break;
	}
	return add_file(g, path, &item, err);
}

static int gather(struct gathering *g, const char *folder, const char *prefix,
		  struct error *err)
{
	const struct level level = { folder, prefix, g->level };
	const struct tree_visitor visitor = { wants, visit, g };
	int rc;

	g->level = &level;
	rc = tree_walk(&g->tree, folder, &visitor, err);
	g->level = level.above;
	return rc;
}

static int compare_files(const void *a, const void *b)
{
	return strcmp(((const struct code_file *)a)->path,
		      ((const struct code_file *)b)->path);
}

static int gather_folder(struct code *c, const struct tree_item *folder,
			 struct error *err)
{
	CLEANUP(gathering)
	struct gathering g = { .code = c,
			       .tree = code_tree(c),
			       .kind = kind_of(&c->options),
			       .problems = PROBLEMS_INIT };

	if (gather(&g, folder->path, "", err) < 0)
		return -1;
	if (problems_check(&g.problems, "packed", err) < 0)
		return error_wrap(err, "%s", path_of(c));
	if (!c->files.len)
		return error_set(err, ERR_CONFIG, "%s: there is nothing in it to pack",
				 path_of(c));
	qsort(c->files.items, c->files.len, sizeof(*c->files.items), compare_files);
	return 0;
}

static int take_file(struct code *c, const struct tree_item *item, struct error *err)
{
	CLEANUP(buf) struct buf bytes = BUF_INIT(FILE_BYTES);
	struct tree tree = code_tree(c);
	const char *name = path_name(c->options.path);

	if (tree_read(&tree, item->path, &item->id, &bytes, err) < 0)
		return error_wrap(err, "%s", path_of(c));
	c->is_archive = zip_is_archive(bytes.data, bytes.len);
	if (!c->is_archive && (str_ends(name, ".zip") || str_ends(name, ".jar")))
		return error_set(
			err, ERR_CONFIG,
			"%s is no archive that can be unpacked: it is empty, cut "
			"short or damaged",
			path_of(c));
	if (!str_is_utf8(name, strlen(name)))
		return error_set(err, ERR_DATA, "%s: the name is not UTF-8: rename it",
				 path_of(c));
	code_files_push(&c->files, (struct code_file){ .path = name,
						       .from = item->path,
						       .id = item->id,
						       .executable = item->executable });
	return 0;
}

const struct code_file *code_find_file(const struct code *c, const char *path)
{
	const struct code_file wanted = { .path = path };

	return bsearch(&wanted, c->files.items, c->files.len, sizeof(wanted),
		       compare_files);
}

/* How it is built, and its key */

static int settle_requirements(struct code *c, struct error *err)
{
	CLEANUP(code_needs) struct code_needs needs = { 0 };
	const struct code_options *o = &c->options;
	struct pip_target target;

	if (c->is_archive || o->is_layer || o->is_built ||
	    (o->runtime && !pip_is_python(o->runtime)) ||
	    !code_find_file(c, "requirements.txt"))
		return 0;
	if (code_needs_read(c, &needs, err) < 0)
		return error_wrap(err, "%s", path_of(c));
	if (!needs.anything)
		return 0;
	if (!o->runtime)
		return error_set(err, ERR_CONFIG,
				 "%s/requirements.txt is there, and for which Python and "
				 "processor to install is not known: write `Runtime` "
				 "and `Architectures` out in the template, the same "
				 "where functions share the line, or use a `build:` "
				 "command",
				 path_of(c));
	c->has_requirements = true;
	return pip_target_of(&target, o->runtime, o->architecture, err);
}

/* Each text with its NUL, each id with its length known: no two lists make the same bytes. */
static void make_key(struct code *c)
{
	CLEANUP_PTR(hash) struct hash *h = hash_new(HASH_SHA256);
	unsigned char digest[HASH_SHA256_SIZE];

	hash_add(h, FORMAT, sizeof(FORMAT));
	hash_add(h, c->is_archive ? "A" : "F", 2);
	for (size_t i = 0; i < c->files.len; i++) {
		const struct code_file *f = &c->files.items[i];

		/* An archive goes as it is, whatever it is called. */
		if (!c->is_archive) {
			hash_add(h, f->path, strlen(f->path) + 1);
			hash_add(h, f->executable ? "x" : "-", 1);
		}
		hash_add(h, f->id.bytes, sizeof(f->id.bytes));
	}
	if (c->has_requirements) {
		hash_add(h, RECIPE, sizeof(RECIPE));
		hash_add(h, c->options.runtime, strlen(c->options.runtime) + 1);
		hash_add(h, c->options.architecture, strlen(c->options.architecture) + 1);
	}
	hash_end(h, digest);
	encode_hex(digest, sizeof(digest), c->key);
}

static int open_code(struct code *c, struct error *err)
{
	struct tree_item item = { .path = "" };

	if (settle(c, &item, err) < 0 || (item.is_folder ? gather_folder(c, &item, err)
							 : take_file(c, &item, err)) < 0)
		return -1;
	if (settle_requirements(c, err) < 0)
		return -1;
	make_key(c);
	return 0;
}

int code_open(struct code *c, const struct code_options *options, struct error *err)
{
	*c = (struct code){ .options = *options };
	if (!c->options.architecture)
		c->options.architecture = "x86_64";
	if (open_code(c, err) < 0)
		return error_wrap(err, "%s", options->what);
	return 0;
}

/* The archive */

void code_bytes_list_clear(struct code_bytes_list *l)
{
	for (size_t i = 0; i < l->len; i++) {
		free(l->items[i].path);
		buf_release(&l->items[i].text);
	}
	code_bytes_list_release(l);
}

struct packing {
	struct code_bytes_list source;
	struct code_bytes_list installed;
	struct zip_items items;
};

static void packing_release(struct packing *p)
{
	code_bytes_list_clear(&p->source);
	code_bytes_list_clear(&p->installed);
	zip_items_release(&p->items);
}

/* Before all is read into memory. */
static int check_source_size(const struct code *c, struct error *err)
{
	CLEANUP(sized_paths) struct sized_paths sizes = { 0 };
	struct tree tree = code_tree(c);

	for (size_t i = 0; i < c->files.len; i++) {
		const struct code_file *f = &c->files.items[i];
		struct sized_path sized = { .path = f->path, .size = 0 };

		if (tree_size(&tree, f->from, &f->id, &sized.size, err) < 0)
			return error_wrap(err, "%s", f->from);
		sized_paths_push(&sizes, sized);
	}
	return code_size_check(&sizes, err);
}

static int check_archive_size(const struct zip_items *items, struct error *err)
{
	CLEANUP(sized_paths) struct sized_paths sizes = { 0 };

	for (size_t i = 0; i < items->len; i++)
		sized_paths_push(&sizes,
				 (struct sized_path){ items->items[i].path,
						      (int64_t)items->items[i].len });
	return code_size_check(&sizes, err);
}

static int read_source(const struct code *c, struct code_bytes_list *out,
		       struct error *err)
{
	struct tree tree = code_tree(c);

	for (size_t i = 0; i < c->files.len; i++) {
		const struct code_file *f = &c->files.items[i];
		struct code_bytes *b = code_bytes_list_push(
			out, (struct code_bytes){ .path = xstrdup(f->path),
						  .text = BUF_INIT(FILE_BYTES),
						  .executable = f->executable });

		if (tree_read(&tree, f->from, &f->id, &b->text, err) < 0)
			return -1;
	}
	return 0;
}

static void add_items(struct packing *p, const struct code_bytes_list *list)
{
	for (size_t i = 0; i < list->len; i++)
		zip_items_push(
			&p->items,
			(struct zip_item){ .path = list->items[i].path,
					   .bytes = list->items[i].text.data,
					   .len = list->items[i].text.len,
					   .executable = list->items[i].executable });
}

static int pack(const struct code *c, struct packing *p, struct buf *out,
		struct error *err)
{
	if (check_source_size(c, err) < 0)
		return error_wrap(err, "%s", path_of(c));
	if (read_source(c, &p->source, err) < 0)
		return -1;
	if (c->has_requirements && code_install(c, &p->source, &p->installed, err) < 0)
		return -1;
	add_items(p, &p->source);
	add_items(p, &p->installed);
	if (check_archive_size(&p->items, err) < 0 || zip_write(&p->items, out, err) < 0)
		return error_wrap(err, "%s", path_of(c));
	return 0;
}

int code_zip(const struct code *c, struct buf *out, struct error *err)
{
	CLEANUP(packing) struct packing p = { { 0 }, { 0 }, { 0 } };
	const struct code_file *first = c->files.items;
	struct tree tree = code_tree(c);
	int rc = c->is_archive ? tree_read(&tree, first->from, &first->id, out, err)
			       : pack(c, &p, out, err);

	return rc < 0 ? error_wrap(err, "%s", c->options.what) : 0;
}
