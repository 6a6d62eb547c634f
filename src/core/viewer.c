#include "core/viewer.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "codec/url.h"

/* CloudFront keeps an error for 10 s when ErrorCachingMinTTL is not set. */
enum { DEFAULT_ERROR_CACHING_S = 10, PATH_MOST = 16384 };

void viewer_release(struct viewer *v)
{
	viewer_behaviors_release(&v->behaviors);
	viewer_error_pages_release(&v->error_pages);
}

void viewer_init_unknown(struct viewer *v, const char *id, const char *prefix,
			 int query_strings, struct arena *arena)
{
	struct viewer_behavior whole = {
		.ours = true,
		.origin_path = "",
		.query_strings = query_strings != 0,
		.rewrites = true,
	};

	*v = (struct viewer){ .id = id, .root = "" };
	/* The prefix may be in the distribution's origin path or in the viewers' URLs. */
	if (*prefix) {
		struct viewer_behavior cut = whole;

		cut.origin_path = arena_printf(arena, "/%.*s", (int)strlen(prefix) - 1,
					       prefix);
		viewer_behaviors_push(&v->behaviors, cut);
	}
	viewer_behaviors_push(&v->behaviors, whole);
}

bool viewer_pattern_matches(const char *pattern, const char *path)
{
	const char *star = NULL;
	const char *retry = NULL;

	/* A pattern may be written with or without its leading slash. */
	if (*pattern == '/')
		pattern++;
	if (*path == '/')
		path++;
	while (*path) {
		if (*pattern == '*') {
			star = ++pattern;
			retry = path;
		} else if (*pattern == '?' || *pattern == *path) {
			pattern++;
			path++;
		} else if (star) {
			pattern = star;
			path = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

static const struct viewer_behavior *serving(const struct viewer *v, const char *path)
{
	for (size_t i = 0; i < v->behaviors.len; i++) {
		const struct viewer_behavior *b = &v->behaviors.items[i];

		if (!b->pattern || viewer_pattern_matches(b->pattern, path))
			return b;
	}
	return NULL;
}

/* "/" + the key without the origin path; NULL: the key is not below it. */
static const char *path_of(const struct viewer_behavior *b, const char *key,
			   struct arena *arena)
{
	const char *origin = *b->origin_path == '/' ? b->origin_path + 1 : b->origin_path;
	size_t n = strlen(origin);

	if (n && (strncmp(key, origin, n) != 0 || key[n] != '/'))
		return NULL;
	return arena_concat(arena, "/", n ? key + n + 1 : key);
}

/* The paths of an object under one behaviour, and where they go. */
struct adding {
	const struct viewer *viewer;
	const struct viewer_object *object;
	const struct viewer_behavior *behavior;
	struct arena *arena;
	struct cover_paths *out;
};

static const char *encode(const char *path, size_t n, struct arena *arena)
{
	CLEANUP(buf) struct buf encoded = BUF_INIT(PATH_MOST);

	url_encode_cloudfront(path, n, &encoded);
	return arena_strndup(arena, encoded.data, encoded.len);
}

static void push(const struct adding *a, const char *path, bool subtree)
{
	cover_paths_push(a->out, (struct cover_path){
					 .path = path,
					 .stale = a->object->stale,
					 .subtree = subtree,
				 });
}

/* Variants by query string are cached behind "path?": a stale path takes them along. */
static void add(const struct adding *a, const char *path)
{
	const char *encoded = encode(path, strlen(path), a->arena);

	push(a, encoded, false);
	if (a->object->stale && a->behavior->query_strings)
		push(a, arena_printf(a->arena, "%s?", encoded), true);
}

/* Each path that a viewer may ask for has its own behaviour: "/dir/" is not always served by
 * the one that serves "/dir/index.html". */
static bool is_served(const struct adding *a, const char *path)
{
	return !a->viewer->known || serving(a->viewer, path) == a->behavior;
}

static bool add_if_served(const struct adding *a, const char *path)
{
	if (!is_served(a, path))
		return false;
	add(a, path);
	return true;
}

/* A website endpoint answers "/dir" with a redirect, which says nothing of the bytes. */
static bool is_same_redirect(const struct adding *a)
{
	return a->object->stale && a->object->stays && !a->behavior->rewrites;
}

/* "/dir/" and "/dir" for "/dir/index.html". True: one is looked up by this behaviour. */
static bool add_folder(const struct adding *a, const char *path)
{
	const char *index = a->object->index;
	size_t n = strlen(path);
	size_t m = strlen(index);
	bool added;

	if (!m || n <= m || path[n - m - 1] != '/' || strcmp(path + n - m, index) != 0)
		return false;
	if (!a->behavior->website && !a->behavior->rewrites)
		return false;
	added = add_if_served(a, arena_strndup(a->arena, path, n - m));
	if (n - m > 1 && !is_same_redirect(a))
		added |= add_if_served(a, arena_strndup(a->arena, path, n - m - 1));
	return added;
}

static void add_all(const struct adding *a, const char *path, const char *root)
{
	bool served = is_served(a, path);

	root += *root == '/';
	/* Whether "/" or the root object's own path chooses the behaviour is not said. */
	if (*root && strcmp(path + 1, root) == 0 && (served || is_served(a, "/")))
		add(a, "/");
	/* Behind a function both the viewer's path and the rewritten one are to be named. */
	if (add_folder(a, path) && a->behavior->rewrites)
		served = true;
	if (served)
		add(a, path);
}

void viewer_paths(const struct viewer *v, const struct viewer_object *object,
		  struct arena *arena, struct cover_paths *out)
{
	for (size_t i = 0; i < v->behaviors.len; i++) {
		const struct viewer_behavior *b = &v->behaviors.items[i];
		const struct adding a = { v, object, b, arena, out };
		const char *path = b->ours ? path_of(b, object->key, arena) : NULL;

		if (path)
			add_all(&a, path, v->root);
	}
}

/* The first n bytes of a pattern, without its slash. */
static void hold(const char *pattern, size_t n, bool subtree, struct arena *arena,
		 struct cover_paths *out)
{
	const char *path = arena_printf(arena, "/%.*s", (int)n, pattern);

	cover_paths_push(out, (struct cover_path){
				      .path = encode(path, n + 1, arena),
				      .subtree = subtree,
			      });
}

/* A wildcard must not reach out of what a pattern of ours takes: where "static/" and all
 * below it is ours, it must not cover "/static". */
static void hold_around(const char *pattern, size_t n, struct arena *arena,
			struct cover_paths *out)
{
	if (n && (!pattern[n] || strcmp(pattern + n, "*") == 0))
		hold(pattern, n - 1, false, arena, out);
	else
		hold(pattern, n, true, arena, out);
}

/* Where all goes that no pattern before it takes; patterns behind it are never asked. */
static size_t find_default(const struct viewer *v)
{
	size_t i = 0;

	while (i < v->behaviors.len && v->behaviors.items[i].pattern &&
	       strcmp(v->behaviors.items[i].pattern, "*") != 0 &&
	       strcmp(v->behaviors.items[i].pattern, "/*") != 0)
		i++;
	return i;
}

void viewer_elsewhere(const struct viewer *v, struct arena *arena,
		      struct cover_paths *out)
{
	size_t last = find_default(v);
	bool rest_is_ours = last == v->behaviors.len || v->behaviors.items[last].ours;

	for (size_t i = 0; i < last; i++) {
		const struct viewer_behavior *b = &v->behaviors.items[i];
		const char *pattern = b->pattern + (*b->pattern == '/');
		size_t n = strcspn(pattern, "*?");

		if (!b->ours)
			hold(pattern, n, pattern[n] != '\0', arena, out);
		else if (!rest_is_ours)
			hold_around(pattern, n, arena, out);
	}
}

/* A page may be written as it is or encoded. */
static bool is_page(const char *page, const char *path)
{
	CLEANUP(buf) struct buf decoded = BUF_INIT(PATH_MOST);

	return strcmp(page, path) == 0 || (url_decode(page, strlen(page), &decoded) &&
					   strcmp(decoded.data, path) == 0);
}

bool viewer_is_error_page(const struct viewer *v, const char *key, int64_t *caching_s)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	bool found = false;

	*caching_s = 0;
	for (size_t i = 0; i < v->error_pages.len; i++) {
		const struct viewer_error_page *e = &v->error_pages.items[i];
		const struct viewer_behavior *b = *e->page ? serving(v, e->page) : NULL;
		const char *path = b && b->ours ? path_of(b, key, &arena) : NULL;

		if (!path || !is_page(e->page, path))
			continue;
		found = true;
		if (e->caching_s > *caching_s)
			*caching_s = e->caching_s;
	}
	return found;
}

int64_t viewer_missing_caching_s(const struct viewer *v)
{
	int64_t most = 0;
	bool seen_403 = false;
	bool seen_404 = false;

	for (size_t i = 0; i < v->error_pages.len; i++) {
		const struct viewer_error_page *e = &v->error_pages.items[i];

		if (e->status != 403 && e->status != 404)
			continue;
		seen_403 |= e->status == 403;
		seen_404 |= e->status == 404;
		if (e->caching_s > most)
			most = e->caching_s;
	}
	if ((!seen_403 || !seen_404) && most < DEFAULT_ERROR_CACHING_S)
		most = DEFAULT_ERROR_CACHING_S;
	return v->known ? most : INT64_MAX;
}
