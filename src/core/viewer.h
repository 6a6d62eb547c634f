/* viewer.h - under which URL paths an edge may hold an object.
 *
 * Pure: a distribution's settings in the domain's words, and from a key to viewer paths.
 * docs/invalidation.md has the rules and their sources. */
#ifndef CORE_VIEWER_H
#define CORE_VIEWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "core/cover.h"

struct viewer_behavior {
	const char *pattern;     /* NULL: the default behaviour */
	bool ours;               /* its origin is the site's bucket */
	const char *origin_path; /* "" or "/prefix" */
	bool website;       /* an S3 website endpoint: folders have index documents */
	bool query_strings; /* are part of the cache key */
	bool rewrites;      /* a function may map folders to their index */
};

VEC_DEFINE(viewer_behaviors, struct viewer_behavior);

struct viewer_error_page {
	int status;
	const char *page; /* a viewer path, or "" */
	int64_t caching_s;
};

VEC_DEFINE(viewer_error_pages, struct viewer_error_page);

/* A distribution as far as the site is concerned. Strings are borrowed. */
struct viewer {
	const char *id;
	bool known;       /* false: the settings could not be read, or were not asked */
	const char *root; /* default root object, "" when none */
	struct viewer_behaviors behaviors; /* in order of precedence, the default last */
	struct viewer_error_pages error_pages;
};

void viewer_release(struct viewer *v);

/* What is assumed of a distribution whose settings are not known: everything that could make
 * a path stale. prefix is the site's; query_strings is the configuration's word (1, 0, -1). */
void viewer_init_unknown(struct viewer *v, const char *id, const char *prefix,
			 int query_strings, struct arena *arena);

/* An object that edges may hold. */
struct viewer_object {
	const char *key;
	const char *index; /* the name of folders' index documents */
	bool stale;        /* its paths are to be evicted; else they are held */
	bool stays; /* it was there before and is there now: what leads to it, such as
			    * a website's redirect from "/dir", is as it was */
};

/* Appends the encoded paths under which an object may be cached. Strings go into the
 * arena. */
void viewer_paths(const struct viewer *v, const struct viewer_object *object,
		  struct arena *arena, struct cover_paths *out);

/* Appends what behaviours that go elsewhere hold: of a pattern, all that begins with what is
 * before its first wildcard; and where the default goes elsewhere, what is around the patterns
 * of ours. */
void viewer_elsewhere(const struct viewer *v, struct arena *arena,
		      struct cover_paths *out);

/* Whether the key's object is served as an error page; *caching_s gets how long. */
bool viewer_is_error_page(const struct viewer *v, const char *key, int64_t *caching_s);

/* How long an edge may hold "not there" for a key that is added now (403 and 404). */
int64_t viewer_missing_caching_s(const struct viewer *v);

/* Whether a path pattern of a behaviour ("*" any run, "?" one character, case counts)
 * matches a path. Linear. */
bool viewer_pattern_matches(const char *pattern, const char *path);

#endif
