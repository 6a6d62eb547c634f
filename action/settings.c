#include "action/settings.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "core/config_rules.h"
#include "io/fs.h"
#include "run/tree.h"

enum { CONFIG_MAX = 1 << 20 };

static const char default_config[] = "crc.yml";

/* Where people keep a site, most telling first. */
static const char *const usual_folders[] = {
	"website",      "frontend",     "public",    "site",   "www",
	"dist",         "build",        "html",      "docs",   "frontend/public",
	"src/frontend", "website/html", "ui/public", "static", "",
};

void settings_release(struct settings *s)
{
	config_release(&s->config);
}

/* The commit */

/* On a runner too: when it is not what the event names, somebody checked it out on purpose. */
static int find_head(struct settings *s, const struct options *o, struct repo *repo,
		     struct error *err)
{
	const char *revision = o->head ? o->head : "HEAD";

	if (repo_resolve(repo, revision, &s->head, err) < 0)
		return error_wrap(err, "head");
	return 0;
}

static void find_ref(struct settings *s, const struct github *g, struct repo *repo)
{
	struct error ignored = ERROR_INIT;

	if (g->is_runner && !str_empty(g->ref))
		snprintf(s->ref, sizeof(s->ref), "%s", g->ref);
	else if (repo_head_ref(repo, s->ref, sizeof(s->ref), &ignored) < 0)
		s->ref[0] = '\0';
}

/* The file */

/* 1: read; 0: there is none, and *err is clear; -1: it is there and cannot be read, which must
 * not pass for "none". */

/* What leads out of the repository ("../crc.yml", a link) the commit does not have either. */
static int read_committed(const struct settings *s, struct repo *repo, const char *path,
			  struct buf *out, struct error *err)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	const struct tree tree = { .repo = repo, .commit = s->head };
	struct tree_item item = { .path = "" };

	if (tree_find(&tree, path, &arena, &item, err) < 0) {
		if (err->code != ERR_NOT_FOUND && err->code != ERR_UNSUPPORTED)
			return -1;
		error_clear(err);
		return 0;
	}
	if (item.is_folder)
		return error_set(err, ERR_CONFIG, "a folder, and no file");
	return tree_read(&tree, item.path, &item.id, out, err) < 0 ? -1 : 1;
}

static int read_disk(struct repo *repo, const char *path, struct buf *out,
		     struct error *err)
{
	CLEANUP(buf) struct buf full = BUF_INIT(8192);
	const char *top = repo_worktree(repo);

	if (path[0] != '/' && top)
		buf_printf(&full, "%s/", top);
	buf_str(&full, path);
	if (fs_read(full.data, out, err) < 0) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
		error_clear(err);
		return 0;
	}
	return 1;
}

static int read_config(struct settings *s, const struct options *o, struct repo *repo,
		       struct buf *text, struct error *err)
{
	const char *path = o->config ? o->config : default_config;
	bool in_repo = path[0] != '/';
	int found = in_repo ? read_committed(s, repo, path, text, err) : 0;

	if (found == 0) {
		found = read_disk(repo, path, text, err);
		if (found == 1 && in_repo)
			s->source_note =
				"the configuration file is not committed: taken from "
				"the disk";
	}
	if (found == 0 && o->config)
		return error_set(
			err, ERR_CONFIG,
			"configuration %s: neither in the commit nor on the disk", path);
	return found < 0 ? error_wrap(err, "configuration %s", path) : found;
}

/* Options */

static void set_distributions(struct settings *s, struct site *site, const char *list)
{
	while (list && *list) {
		size_t n = strcspn(list, ", \t\r\n");

		if (n) {
			char *id = arena_strndup(&s->config.arena, list, n);

			value_list_push(
				&site->distributions,
				(struct value){ .kind = VALUE_LITERAL, .text = id });
		}
		list += n + (list[n] != '\0');
	}
}

static int apply_options(struct settings *s, const struct options *o, struct site *site,
			 struct error *err)
{
	if (o->bucket)
		config_set(&s->config, &site->bucket, o->bucket);
	if (o->url)
		config_set(&s->config, &site->url, o->url);
	if (o->prefix && config_set_prefix(&s->config, site, o->prefix, err) < 0)
		return error_wrap(err, "--prefix");
	if (o->distribution_id) {
		site->distributions.len = 0;
		set_distributions(s, site, o->distribution_id);
	}
	return 0;
}

static bool any_site_option(const struct options *o)
{
	return o->name || o->bucket || o->url || o->prefix || o->distribution_id ||
	       o->site_path;
}

static bool any_backend_option(const struct options *o)
{
	return !str_empty(o->backend_path) || !str_empty(o->template_file) ||
	       !str_empty(o->stack_name) || !str_empty(o->function_name);
}

static int apply_to_file(struct settings *s, const struct options *o, struct error *err)
{
	struct site *site = NULL;

	if (any_backend_option(o))
		return error_set(
			err, ERR_USAGE,
			"%s describes what is deployed: change the backends there "
			"(--backend-path, --template, --stack-name and "
			"--function-name are only for use without a file)",
			o->config ? o->config : default_config);
	if (!any_site_option(o))
		return 0;
	for (size_t i = 0; i < s->config.sites.len; i++)
		if (s->config.sites.len == 1 ||
		    (o->site && str_eq(o->site, s->config.sites.items[i].name)))
			site = &s->config.sites.items[i];
	if (!site || o->site_path || o->name)
		return error_set(
			err, ERR_USAGE,
			"%s describes the sites: change it there, or name one with "
			"--site (--site-path and --name are only for use without a file)",
			o->config ? o->config : default_config);
	return apply_options(s, o, site, err);
}

/* Detection */

static bool has_index(const struct settings *s, struct repo *repo, const char *folder)
{
	CLEANUP(buf) struct buf path = BUF_INIT(1024);
	struct repo_item item;
	struct error ignored = ERROR_INIT;

	buf_printf(&path, "%s%sindex.html", folder, *folder ? "/" : "");
	return repo_lookup(repo, &s->head, path.data, &item, &ignored) == 0;
}

static const char *detect_folder(const struct settings *s, struct repo *repo)
{
	for (size_t i = 0; i < sizeof(usual_folders) / sizeof(*usual_folders); i++)
		if (has_index(s, repo, usual_folders[i]))
			return usual_folders[i];
	return NULL;
}

static int from_options(struct settings *s, const struct options *o, struct repo *repo,
			struct error *err)
{
	const char *path = o->site_path;

	if (!path) {
		path = detect_folder(s, repo);
		if (!path)
			return error_set(
				err, ERR_CONFIG,
				"there is no crc.yml, and no folder with an index.html "
				"was found: give --site-path");
		s->source_note = arena_printf(
			&s->config.arena,
			"no crc.yml and no --site-path: the site is taken "
			"to be in %s",
			*path ? path : "the top of the repository");
	}
	if (str_eq(path, ".") || str_eq(path, "./"))
		path = "";
	return apply_options(
		s, o, config_add_site(&s->config, o->name ? o->name : "site", path), err);
}

/* What makes no backend of its options; NULL: nothing. */
static const char *bad_backend(const struct options *o)
{
	bool has_function = !str_empty(o->function_name);

	if (has_function == !str_empty(o->stack_name))
		return "a backend is deployed to --stack-name (a template) or to "
		       "--function-name (an existing function): give one of them";
	if (has_function && !str_empty(o->template_file))
		return "--template has no use with --function-name, whose settings "
		       "belong to whoever made it";
	if (has_function && str_empty(o->backend_path))
		return "--function-name needs --backend-path, the folder or file of its "
		       "code";
	return NULL;
}

/* A backend without a file. */
static int backend_from_options(struct settings *s, const struct options *o,
				struct error *err)
{
	const char *wrong = bad_backend(o);
	struct backend *b;

	if (wrong)
		return error_set(err, ERR_USAGE, "%s", wrong);
	b = config_add_backend(&s->config, "backend",
			       o->backend_path ? o->backend_path : "");
	b->kind = str_empty(o->function_name) ? BACKEND_TEMPLATE : BACKEND_FUNCTION;
	config_set(&s->config, &b->stack, o->stack_name);
	config_set(&s->config, &b->function, o->function_name);
	if (!str_empty(o->template_file))
		b->template_file = config_normal_path(&s->config.arena, o->template_file);
	return 0;
}

/* Whether only a backend is meant. */
static bool has_no_site(const struct options *o)
{
	return any_backend_option(o) && !any_site_option(o);
}

static const char *lookup_env(void *ctx, const char *name)
{
	return options_env(ctx, name);
}

int settings_load(struct settings *s, const struct options *o, const struct github *g,
		  struct repo *repo, const char *const *env, struct error *err)
{
	CLEANUP(buf) struct buf text = BUF_INIT(CONFIG_MAX);
	const char *file = o->config ? o->config : default_config;
	int found;

	*s = (struct settings){ .config = CONFIG_INIT };
	if (find_head(s, o, repo, err) < 0)
		return -1;
	find_ref(s, g, repo);
	found = read_config(s, o, repo, &text, err);
	if (found < 0)
		return -1;
	if (found) {
		if (config_parse(&s->config, file, text.data, text.len, err) < 0 ||
		    apply_to_file(s, o, err) < 0)
			return -1;
	} else if ((any_backend_option(o) && backend_from_options(s, o, err) < 0) ||
		   (!has_no_site(o) && from_options(s, o, repo, err) < 0)) {
		return -1;
	}
	if (config_resolve_env(&s->config, lookup_env, (void *)(uintptr_t)env, err) < 0)
		return -1;
	s->region = o->region ? o->region : s->config.region.text;
	return config_check(&s->config, err);
}
