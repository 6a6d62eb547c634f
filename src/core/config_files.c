#include "core/config.h"

#include <string.h>

/* What a site's folder may hold by accident. */
enum part { WHOLE, FRONT, TAIL, ANYWHERE };

#define TEXT(s) s, sizeof(s) - 1

static const struct accident {
	enum part part;
	const char *text;
	size_t len;
	bool folders_only;
} accidents[] = {
	{ FRONT, TEXT("."), false },           { WHOLE, TEXT("node_modules"), true },
	{ WHOLE, TEXT("venv"), true },         { WHOLE, TEXT("virtualenv"), true },
	{ TAIL, TEXT(".venv"), true },         { WHOLE, TEXT("crc.yml"), false },
	{ ANYWHERE, TEXT(".tfstate"), false }, { TAIL, TEXT(".pem"), false },
	{ TAIL, TEXT(".key"), false },         { TAIL, TEXT(".tf"), false },
	{ TAIL, TEXT(".tf.json"), false },     { ANYWHERE, TEXT(".tfvars"), false },
	{ WHOLE, TEXT("tfplan"), false },      { TAIL, TEXT(".tfplan"), false },
};

/* A file's or folder's name within a path: asked for each of thousands, nothing is copied. */
struct name {
	const char *at;
	size_t len;
};

static bool name_equals(const struct name *name, const char *text, size_t len)
{
	return name->len == len && memcmp(name->at, text, len) == 0;
}

static bool holds(const struct name *name, const char *text, size_t len)
{
	for (size_t i = 0; i + len <= name->len; i++)
		if (name->at[i] == *text && memcmp(name->at + i, text, len) == 0)
			return true;
	return false;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* tail is in small letters. */
static bool ends_nocase(const struct name *name, const char *tail, size_t len)
{
	const char *end = name->at + name->len;

	if (name->len < len)
		return false;
	for (size_t i = len; i > 0; i--)
		if (lower(*--end) != tail[i - 1])
			return false;
	return true;
}

static bool has_part(const struct name *name, const struct accident *a)
{
	switch (a->part) {
	case WHOLE:
		return name_equals(name, a->text, a->len);
	case FRONT:
		return name->len >= a->len && memcmp(name->at, a->text, a->len) == 0;
	case TAIL:
		return ends_nocase(name, a->text, a->len);
	default:
		return holds(name, a->text, a->len);
	}
}

static bool is_accident(const struct name *name, bool is_folder)
{
	if (is_folder && name_equals(name, TEXT(".well-known")))
		return false;
	for (size_t i = 0; i < sizeof(accidents) / sizeof(*accidents); i++)
		if ((is_folder || !accidents[i].folders_only) &&
		    has_part(name, &accidents[i]))
			return true;
	return false;
}

/* A path of the repository as seen from the site's folder. NULL: not below it. */
static const char *below_site(const struct site *s, const char *path)
{
	size_t n = strlen(s->path);

	if (!n)
		return *path ? path : NULL;
	return str_starts(path, s->path) && path[n] == '/' ? path + n + 1 : NULL;
}

/* Whether path is folder + "/" + file, of which folder may be "". */
static bool is_joined(const char *path, const char *folder, const char *file)
{
	size_t n = strlen(folder);

	if (!n)
		return str_eq(path, file);
	return str_starts(path, folder) && path[n] == '/' && str_eq(path + n + 1, file);
}

/* A template is one also where its folder is the site's, or above it. */
static bool is_template(const struct site *s, const struct backend *b, const char *path)
{
	const char *folder = below_site(s, b->path);
	size_t n = strlen(b->path);
	const char *down = s->path;

	if (b->kind != BACKEND_TEMPLATE)
		return false;
	if (folder)
		return is_joined(path, folder, b->template_file);
	if (n && !str_eq(b->path, s->path) &&
	    !(str_starts(down, b->path) && down[n] == '/'))
		return false;
	/* The site's folder, as seen from the backend's. */
	down += n;
	down += *down == '/';
	n = strlen(down);
	if (!n)
		return str_eq(path, b->template_file);
	return str_starts(b->template_file, down) && b->template_file[n] == '/' &&
	       str_eq(b->template_file + n + 1, path);
}

/* Whether the first n bytes of a path, a folder or all of the path, are a backend's: its
 * folder, the file that is all of it, or its template. */
static bool is_of_backend(const struct config *c, const struct site *s, const char *path,
			  size_t n, bool is_folder)
{
	for (size_t i = 0; i < c->backends.len; i++) {
		const struct backend *b = &c->backends.items[i];
		const char *folder = below_site(s, b->path);

		bool may_be_it = is_folder || b->kind == BACKEND_FUNCTION;

		if (may_be_it && folder && strlen(folder) == n &&
		    memcmp(path, folder, n) == 0)
			return true;
		if (!is_folder && is_template(s, b, path))
			return true;
	}
	return false;
}

static bool is_config(const struct config *c, const struct site *s, const char *path)
{
	const char *file = c->file ? below_site(s, c->file) : NULL;

	return file && str_eq(path, file);
}

/* No pattern opens git's store or crc's. */
static bool is_forbidden(const char *path)
{
	for (;;) {
		size_t n = strcspn(path, "/");

		if (n == 4 &&
		    (memcmp(path, ".git", 4) == 0 || memcmp(path, ".crc", 4) == 0))
			return true;
		if (!path[n])
			return false;
		path += n + 1;
	}
}

/* The last pattern that has a say about this very path (its first n bytes) decides. Below
 * what is held back only those have one that spell out the way there. */
static bool is_lifted(const struct glob_list *include, const char *path, size_t n,
		      bool is_folder, bool held_above)
{
	for (size_t i = include->len; i > 0; i--) {
		const struct glob *g = &include->items[i - 1];

		if ((!held_above || g->anchored) &&
		    glob_matches_part(g, path, n, is_folder))
			return !g->negated;
	}
	return false;
}

/* Whether the defaults hold a path back: it, or a folder above it, and no include lifts. */
static bool is_held(const struct config *c, const struct site *s, const char *path,
		    bool is_folder)
{
	const char *name = path;
	bool held = false;

	for (;;) {
		const struct name part = { name, strcspn(name, "/") };
		size_t n = (size_t)(name - path) + part.len;
		bool folder = path[n] || is_folder;

		if (is_lifted(&s->include, path, n, folder, held))
			held = false;
		else if (is_accident(&part, folder) ||
			 is_of_backend(c, s, path, n, folder) ||
			 (!folder && is_config(c, s, path)))
			held = true;
		if (!path[n])
			return held;
		name += part.len + 1;
	}
}

bool config_uploads(const struct config *c, const struct site *s, const char *path)
{
	return !is_forbidden(path) &&
	       glob_list_verdict(&s->exclude, path, false) != GLOB_MATCHED &&
	       !is_held(c, s, path, false);
}

bool config_is_reserved(const struct site *s, const char *path)
{
	const char *slash = strrchr(path, '/');

	return str_eq(slash ? slash + 1 : path, ".crc") &&
	       glob_list_verdict(&s->exclude, path, true) != GLOB_MATCHED;
}

bool config_skips_folder(const struct config *c, const struct site *s, const char *path)
{
	if (is_forbidden(path) ||
	    glob_list_verdict(&s->exclude, path, true) == GLOB_MATCHED)
		return true;
	if (!is_held(c, s, path, true))
		return false;
	for (size_t i = 0; i < s->include.len; i++) {
		const struct glob *g = &s->include.items[i];

		if (g->anchored && !g->negated && glob_reaches_below(g, path))
			return false;
	}
	return true;
}

/* Whether prefix + path begins with the longer prefix. */
static bool is_below(const char *longer, const char *prefix, const char *path)
{
	size_t n = strlen(prefix);

	return strlen(longer) > n && strncmp(longer, prefix, n) == 0 &&
	       str_starts(path, longer + n);
}

const struct site *config_key_owner(const struct config *c, const struct site *s,
				    const char *path)
{
	for (size_t i = 0; i < c->sites.len; i++) {
		const struct site *other = &c->sites.items[i];

		if (other != s && value_same(&other->bucket, &s->bucket) &&
		    is_below(other->prefix, s->prefix, path))
			return other;
	}
	return NULL;
}
