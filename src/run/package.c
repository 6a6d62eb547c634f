#include "run/package.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "run/tree.h"

/* What CloudFormation takes from S3.
 * docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html */
enum { TEMPLATE_BYTES = 1 << 20 };

void package_release(struct package *p)
{
	for (size_t i = 0; i < p->n_codes; i++)
		code_release(&p->codes[i]);
	free(p->codes);
	free(p->code_of);
	template_release(&p->template);
	template_settings_release(&p->settings);
	buf_release(&p->text);
	arena_release(&p->arena);
	*p = (struct package){ .text = BUF_INIT(TEMPLATE_BYTES),
			       .template = TEMPLATE_INIT };
}

static const char *join(struct package *p, const char *folder, const char *path)
{
	return arena_printf(&p->arena, "%s%s%s", folder, *folder ? "/" : "", path);
}

/* The template */

static enum source_kind wanted_of(const struct package *p)
{
	return p->options.backend->build ? SOURCE_WORKTREE : p->options.wanted;
}

static int find_template(struct package *p, const char *path, struct tree *tree,
			 struct tree_item *out, struct error *err)
{
	const struct package_options *o = &p->options;
	enum source_kind wanted = wanted_of(p);

	*tree = (struct tree){ .repo = o->repo,
			       .commit = *o->commit,
			       .is_disk = wanted == SOURCE_WORKTREE };
	if (tree->is_disk && !repo_worktree(o->repo))
		return error_set(err, ERR_CONFIG,
				 "%s: the repository is bare: there is no work tree to "
				 "take it from",
				 path);
	if (tree_find(tree, path, &p->arena, out, err) == 0)
		return 0;
	if (err->code != ERR_NOT_FOUND)
		return error_wrap(err, "%s", path);
	if (wanted != SOURCE_AUTO || !repo_worktree(o->repo))
		return error_set(err, ERR_CONFIG, "there is no template %s in the %s",
				 path, tree->is_disk ? "work tree" : "commit");
	error_clear(err);
	tree->is_disk = true;
	if (tree_find(tree, path, &p->arena, out, err) == 0)
		return 0;
	return error_set(err, ERR_CONFIG,
			 "there is no template %s in the commit or on the disk: check "
			 "`path` and `template`",
			 path);
}

static int read_template(struct package *p, struct error *err)
{
	const struct backend *b = p->options.backend;
	const char *path = join(p, b->path, b->template_file);
	struct tree_item item = { .path = "" };
	struct tree tree;

	if (find_template(p, path, &tree, &item, err) < 0)
		return -1;
	p->kind = tree.is_disk ? SOURCE_WORKTREE : SOURCE_COMMIT;
	if (item.is_folder)
		return error_set(err, ERR_CONFIG, "%s is a folder, and no template",
				 path);
	if (tree_read(&tree, item.path, &item.id, &p->text, err) < 0) {
		if (err->code == ERR_TOO_BIG)
			return error_set(err, ERR_CONFIG,
					 "%s: over the 1 MB that CloudFormation takes",
					 path);
		return -1;
	}
	for (size_t i = 0; i < b->parameters.len; i++)
		template_settings_push(&p->settings,
				       (struct template_setting){
					       b->parameters.items[i].name,
					       value_text(&b->parameters.items[i].value),
				       });
	p->template.is_built = b->build != NULL;
	p->template.settings = &p->settings;
	return template_parse(&p->template, path, p->text.data, p->text.len, err);
}

/* Parameters */

static bool is_declared(const struct template *t, const char *name)
{
	for (size_t i = 0; i < t->parameters.len; i++)
		if (str_eq(t->parameters.items[i].name, name))
			return true;
	return false;
}

/* NULL: there is none. */
static const char *nearest_parameter(const struct template *t, const char *name)
{
	const char *nearest = NULL;

	for (size_t i = 0; i < t->parameters.len; i++) {
		const char *other = t->parameters.items[i].name;

		if (!nearest || str_distance(name, other) < str_distance(name, nearest))
			nearest = other;
	}
	return nearest;
}

static int refuse_parameter(const struct package *p, const struct parameter *parameter,
			    struct error *err)
{
	const struct template *t = &p->template;
	const char *nearest = nearest_parameter(t, parameter->name);
	const char *file = p->options.config_file;

	if (nearest)
		error_set(err, ERR_CONFIG,
			  "%s declares no parameter \"%s\": did you mean \"%s\"?",
			  t->name, parameter->name, nearest);
	else
		error_set(err, ERR_CONFIG,
			  "%s declares no parameters, and \"%s\" is set: leave it out",
			  t->name, parameter->name);
	if (parameter->value.line)
		return error_wrap(err, "%s:%u:%u", file ? file : "crc.yml",
				  parameter->value.line, parameter->value.column);
	return -1;
}

static int check_parameters(const struct package *p, struct error *err)
{
	const struct parameter_list *all = &p->options.backend->parameters;

	for (size_t i = 0; i < all->len; i++)
		if (!is_declared(&p->template, all->items[i].name))
			return refuse_parameter(p, &all->items[i], err);
	return 0;
}

/* Codes */

static const char *folder_of_template(struct package *p)
{
	const char *slash = strrchr(p->template.name, '/');

	return slash ? arena_strndup(&p->arena, p->template.name,
				     (size_t)(slash - p->template.name))
		     : "";
}

static struct code_options options_of(struct package *p, const struct template_code *code)
{
	const struct package_options *o = &p->options;

	return (struct code_options){
		.repo = o->repo,
		.commit = o->commit,
		.wanted = wanted_of(p),
		.path = join(p, folder_of_template(p), code->path),
		.what = arena_printf(&p->arena, "%s:%u: %s of %s", p->template.name,
				     code->line, code->property, code->resource),
		.runtime = code->runtime,
		.architecture = code->architecture,
		.is_layer = code->kind == TEMPLATE_LAYER,
		.is_built = o->backend->build != NULL,
		.env = o->env,
		.cancelled = o->cancelled,
		.progress = o->progress,
	};
}

static bool is_same(const struct code_options *a, const struct code_options *b)
{
	return str_eq(a->path, b->path) && str_eq(a->runtime, b->runtime) &&
	       str_eq(a->architecture, b->architecture) && a->is_layer == b->is_layer;
}

/* The code that is open already and has the same files, or the same path to begin with. */
static size_t find_open(const struct package *p, const struct code_options *o)
{
	size_t i = 0;

	while (i < p->n_codes && !is_same(&p->codes[i].options, o))
		i++;
	return i;
}

static size_t find_key(const struct package *p, const char *key)
{
	size_t i = 0;

	while (i < p->n_codes && !str_eq(p->codes[i].key, key))
		i++;
	return i;
}

static int add_code(struct package *p, size_t i, struct error *err)
{
	const struct code_options o = options_of(p, &p->template.codes.items[i]);
	struct code *next = &p->codes[p->n_codes];

	p->code_of[i] = find_open(p, &o);
	if (p->code_of[i] < p->n_codes)
		return 0;
	if (code_open(next, &o, err) < 0) {
		code_release(next);
		return -1;
	}
	/* Other paths may lead to the same content, and need it made but once. */
	p->code_of[i] = find_key(p, next->key);
	if (p->code_of[i] < p->n_codes)
		code_release(next);
	else
		p->n_codes++;
	return 0;
}

static int open_codes(struct package *p, struct error *err)
{
	size_t n = p->template.codes.len;

	p->codes = xcalloc(n, sizeof(*p->codes));
	p->code_of = xcalloc(n, sizeof(*p->code_of));
	for (size_t i = 0; i < n; i++)
		if (add_code(p, i, err) < 0)
			return -1;
	return 0;
}

static int open_package(struct package *p, struct error *err)
{
	if (p->options.backend->build && p->options.wanted == SOURCE_COMMIT)
		return error_set(err, ERR_CONFIG,
				 "it has a `build`, and what that makes is not in the "
				 "commit: leave --source commit out");
	if (read_template(p, err) < 0 || check_parameters(p, err) < 0)
		return -1;
	return open_codes(p, err);
}

int package_open(struct package *p, const struct package_options *options,
		 struct error *err)
{
	*p = (struct package){ .options = *options,
			       .text = BUF_INIT(TEMPLATE_BYTES),
			       .template = TEMPLATE_INIT };
	if (open_package(p, err) < 0)
		return error_wrap(err, "backend %s", options->backend->name);
	return 0;
}

const char *package_key(const struct package *p, size_t code, struct arena *arena)
{
	return arena_printf(arena, "crc/%s.zip", p->codes[code].key);
}

void package_splice(const struct package *p, const char *bucket, struct buf *out)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	size_t n = p->template.codes.len;
	struct template_place *places = arena_alloc(&arena, n * sizeof(*places));

	for (size_t i = 0; i < n; i++)
		places[i] = (struct template_place){ bucket, package_key(p, p->code_of[i],
									 &arena) };
	template_splice(&p->template, places, out);
}
