#include "core/config.h"

#include <string.h>

/* What a site's folder may hold by accident. */
enum part { WHOLE, FRONT, TAIL, ANYWHERE };

static const struct {
	enum part part;
	const char *text;
	bool folders_only;
} accidents[] = {
	{ FRONT, ".", false },           { WHOLE, "node_modules", true },
	{ WHOLE, "venv", true },         { WHOLE, "virtualenv", true },
	{ TAIL, ".venv", true },         { WHOLE, "crc.yml", false },
	{ ANYWHERE, ".tfstate", false }, { TAIL, ".pem", false },
	{ TAIL, ".key", false },
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool ends_nocase(const char *name, const char *tail)
{
	size_t n = strlen(name);
	size_t len = strlen(tail);

	return n >= len && str_eq_nocase(name + n - len, tail);
}

static bool has_part(const char *name, enum part part, const char *text)
{
	switch (part) {
	case WHOLE:
		return str_eq(name, text);
	case FRONT:
		return str_starts(name, text);
	case TAIL:
		return ends_nocase(name, text);
	default:
		return strstr(name, text) != NULL;
	}
}

static bool is_accident(const char *path, bool is_folder)
{
	const char *name = base_name(path);

	if (is_folder && str_eq(name, ".well-known"))
		return false;
	for (size_t i = 0; i < sizeof(accidents) / sizeof(*accidents); i++)
		if ((is_folder || !accidents[i].folders_only) &&
		    has_part(name, accidents[i].part, accidents[i].text))
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

static bool is_of_backend(const struct config *c, const struct site *s, const char *path,
			  bool is_folder)
{
	for (size_t i = 0; i < c->backends.len; i++) {
		const struct backend *b = &c->backends.items[i];
		const char *folder = below_site(s, b->path);

		if (is_folder ? folder && str_eq(path, folder) : is_template(s, b, path))
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

/* The last pattern that has a say about this very path decides. Below what is held back
 * only those have one that spell out the way there. */
static bool is_lifted(const struct glob_list *include, const char *path, bool is_folder,
		      bool held_above)
{
	for (size_t i = include->len; i > 0; i--) {
		const struct glob *g = &include->items[i - 1];

		if ((!held_above || g->anchored) && glob_matches(g, path, is_folder))
			return !g->negated;
	}
	return false;
}

/* Whether the defaults hold a path back: it, or a folder above it, and no include lifts. */
static bool is_held(const struct config *c, const struct site *s, const char *path,
		    bool is_folder)
{
	CLEANUP_PTR(mem) char *part = xstrdup(path);
	char *slash = part;
	bool held = false;

	do {
		bool folder;

		slash = strchr(slash, '/');
		folder = slash || is_folder;
		if (slash)
			*slash = '\0';
		if (is_lifted(&s->include, part, folder, held))
			held = false;
		else if (is_accident(part, folder) || is_of_backend(c, s, part, folder) ||
			 (!folder && is_config(c, s, part)))
			held = true;
		if (slash)
			*slash++ = '/';
	} while (slash);
	return held;
}

bool config_uploads(const struct config *c, const struct site *s, const char *path)
{
	return !is_forbidden(path) &&
	       glob_list_verdict(&s->exclude, path, false) != GLOB_MATCHED &&
	       !is_held(c, s, path, false);
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
