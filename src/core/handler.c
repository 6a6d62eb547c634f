#include "core/handler.h"

#include <string.h>

#include "base/path.h"
#include "base/str.h"

/* What is before the function's name in a handler. */
enum stem {
	TO_LAST_DOT,  /* a module: src.app, or src/app, of src.app.handler */
	TO_FIRST_DOT, /* of the last name of a path: lib/index of lib/index.handler.x */
	BOOTSTRAP     /* the handler's text is the program's own affair */
};

/* How runtimes find it. The suffixes are tried by the runtime in some order; the first one
 * here is the usual one. */
static const struct language {
	const char *runtimes; /* what their names begin with */
	enum stem stem;
	const char *suffixes[6];
} languages[] = {
	{ "python", TO_LAST_DOT, { ".py", "/__init__.py", ".pyc", "/__init__.pyc" } },
	{ "nodejs", TO_FIRST_DOT, { ".js", ".mjs", ".cjs", "" } },
	{ "ruby", TO_FIRST_DOT, { ".rb" } },
	{ "provided", BOOTSTRAP, { "" } },
};

static const struct language *language_of(const char *runtime)
{
	for (size_t i = 0; i < sizeof(languages) / sizeof(*languages); i++)
		if (str_starts(runtime, languages[i].runtimes))
			return &languages[i];
	return NULL;
}

/* A layer's folders are below /opt. */
static bool leads_out(const char *handler)
{
	return *handler == '/' || *handler == '.' || strstr(handler, "..");
}

/* NULL: the handler is not what this language's are. */
static char *stem_of(const struct language *l, const char *handler, struct arena *arena)
{
	const char *dot;
	char *stem;

	if (l->stem == BOOTSTRAP)
		return arena_strdup(arena, "bootstrap");
	if (str_starts(handler, "./"))
		handler += 2;
	if (leads_out(handler))
		return NULL;
	dot = l->stem == TO_LAST_DOT ? strrchr(handler, '.')
				     : strchr(path_name(handler), '.');
	if (!dot || dot == handler || !dot[1] || dot[-1] == '/')
		return NULL;
	stem = arena_strndup(arena, handler, (size_t)(dot - handler));
	for (char *c = stem; l->stem == TO_LAST_DOT && *c; c++)
		if (*c == '.')
			*c = '/';
	return stem;
}

const char *handler_file(const char *runtime, const char *handler, struct arena *arena)
{
	const struct language *l = language_of(runtime);
	const char *stem = l ? stem_of(l, handler, arena) : NULL;

	return stem ? arena_concat(arena, stem, l->suffixes[0]) : NULL;
}

/* What stands for a module beside the files that its name gives: a compiled one, whose name
 * tells for which Python (app.cpython-313-x86_64-linux-gnu.so), or a package of Node's. */
static bool is_module(const struct language *l, const char *stem, const char *path)
{
	const char *packages = "node_modules/";
	size_t n = strlen(stem);

	if (l->stem == TO_LAST_DOT)
		return str_starts(path, stem) && path[n] == '.' && str_ends(path, ".so");
	if (!str_starts(path, packages))
		return false;
	path += strlen(packages);
	return str_starts(path, stem) && (path[n] == '/' || path[n] == '.');
}

bool handler_is_at(const char *runtime, const char *handler, const char *path)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	const struct language *l = language_of(runtime);
	const char *stem = l ? stem_of(l, handler, &arena) : NULL;

	if (!stem)
		return false;
	for (size_t i = 0; i < sizeof(l->suffixes) / sizeof(*l->suffixes); i++)
		if (l->suffixes[i] && str_starts(path, stem) &&
		    str_eq(path + strlen(stem), l->suffixes[i]))
			return true;
	return l->stem != BOOTSTRAP && is_module(l, stem, path);
}

bool handler_is_program(const char *runtime)
{
	const struct language *l = language_of(runtime);

	return l && l->stem == BOOTSTRAP;
}

/* How much of path is before "/" + end, or all if end is ""; 0 when it does not end so. A
 * path that is all end has nothing before it, which is no folder. */
static size_t before(const char *path, const char *end)
{
	size_t n = strlen(path);
	size_t m = strlen(end);

	return n > m && path[n - m - 1] == '/' && str_ends(path, end) ? n - m - 1 : 0;
}

const char *handler_folder(const char *packed, const char *found, const char *wanted,
			   struct arena *arena)
{
	size_t down = before(found, wanted);
	size_t up = before(wanted, found);
	const char *extra;

	if (down)
		return arena_printf(arena, "%s%s%.*s", packed, *packed ? "/" : "",
				    (int)down, found);
	if (!up)
		return NULL;
	/* The folders that the archive lacks must be those that it was packed from. */
	extra = arena_strndup(arena, wanted, up);
	if (str_eq(packed, extra))
		return "";
	up = before(packed, extra);
	return up ? arena_strndup(arena, packed, up) : NULL;
}
