/* cover.h - the smallest exact set of invalidation patterns.
 *
 * Pure; knows encoded paths and no sites. docs/invalidation.md explains the algorithm. */
#ifndef CORE_COVER_H
#define CORE_COVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "base/vec.h"

/* A path as CloudFront wants it encoded (url_encode_cloudfront), starting with '/'. */
struct cover_path {
	const char *path; /* borrowed */
	bool stale;       /* true: must be covered; false: held, better not covered */
	bool subtree; /* everything that starts with path, not path alone. A held subtree
	                   * (a behaviour that goes elsewhere) counts as COVER_SUBTREE_HELD
	                   * paths for each wildcard that reaches into it; a stale one must
	                   * be covered by a wildcard. */
};

enum { COVER_SUBTREE_HELD = 1000, COVER_PATTERN_MOST = 4000 };

VEC_DEFINE(cover_paths, struct cover_path);

struct cover_limits {
	size_t max_paths;     /* patterns in all, wildcards among them; 0 counts as 1 */
	size_t max_wildcards; /* 0 counts as 1 */
};

struct cover {
	struct str_list patterns; /* sorted; strings in the arena that was given */
	size_t wildcards;         /* how many of them end in '*' */
	size_t evicted;           /* held paths that they cover */
};

void cover_release(struct cover *c);

/* Covers all stale paths: with the fewest patterns when no held path need be evicted for the
 * limits, else evicting the fewest held paths, then with the fewest patterns, then with the
 * fewest wildcards. A path that is stale and held is stale; duplicates count once. Ties are
 * broken the same way each time. paths is sorted in place. Always succeeds: one wildcard
 * at the root of the stale paths is within any limits. */
void cover_build(struct cover_paths *paths, const struct cover_limits *limits,
		 struct arena *arena, struct cover *out);

/* Whether a pattern covers an encoded path. */
bool cover_matches(const char *pattern, const char *path);

#endif
