/* Lines that describe a distribution and what it holds:
 *
 *   B FLAGS PATTERN ORIGIN-PATH   a behaviour; of its flags "o" is ours, "w" website, "q" query
 *                                 strings, "r" rewrites; "-" is no pattern, no origin path
 *   E PAGE                        an error page
 *   R ROOT                        the default root object
 *   U PREFIX                      nothing of this is known
 *   S KEY, H KEY                  a stale object, a held one
 *
 * All stale paths are covered by patterns that CloudFront takes. */
#undef NDEBUG /* the checks are what a fuzz target is for */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "core/viewer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	struct viewer viewer;
	struct arena arena;
	struct cover_paths paths;
	struct str_list stale;
	struct str_list held;
};

/* The text up to a blank, which becomes the end of a string; "-" when there is none. */
static const char *word(char **rest)
{
	char *text = *rest;
	size_t n = strcspn(text, " ");

	*rest += n;
	if (**rest)
		*(*rest)++ = '\0';
	return n ? text : "-";
}

static const char *or_none(const char *text, const char *none)
{
	return str_eq(text, "-") ? none : text;
}

static void add_behavior(struct input *in, char *rest)
{
	const char *flags = word(&rest);
	const char *pattern = or_none(word(&rest), NULL);
	const char *origin = or_none(word(&rest), "");

	viewer_behaviors_push(&in->viewer.behaviors,
			      (struct viewer_behavior){
				      .pattern = pattern,
				      .ours = strchr(flags, 'o'),
				      .origin_path = origin,
				      .website = strchr(flags, 'w'),
				      .query_strings = strchr(flags, 'q'),
				      .rewrites = strchr(flags, 'r'),
			      });
}

static void read_line(struct input *in, char *line)
{
	char *rest = line[0] && line[1] == ' ' ? line + 2 : "";

	switch (line[0]) {
	case 'B':
		add_behavior(in, rest);
		break;
	case 'E':
		viewer_error_pages_push(&in->viewer.error_pages,
					(struct viewer_error_page){ 404, rest, 300 });
		break;
	case 'R':
		in->viewer.root = rest;
		break;
	case 'U':
		viewer_release(&in->viewer);
		viewer_init_unknown(&in->viewer, "E1",
				    *rest ? arena_printf(&in->arena, "%s/", rest) : "",
				    -1, &in->arena);
		break;
	case 'S':
		str_list_push(&in->stale, rest);
		break;
	case 'H':
		str_list_push(&in->held, rest);
		break;
	default:
		break;
	}
}

static void add_objects(struct input *in, const struct str_list *keys, bool stale)
{
	for (size_t i = 0; i < keys->len; i++) {
		const struct viewer_object object = { keys->items[i], "index.html", stale,
						      false };
		int64_t caching_s;

		viewer_paths(&in->viewer, &object, &in->arena, &in->paths);
		assert(viewer_is_error_page(&in->viewer, keys->items[i], &caching_s) ||
		       caching_s == 0);
	}
}

static void check_pattern(const char *pattern)
{
	size_t n = strlen(pattern);
	const char *star = strchr(pattern, '*');

	assert(pattern[0] == '/' && n <= COVER_PATTERN_MOST);
	assert(!star || star == pattern + n - 1);
	for (; *pattern; pattern++)
		assert(*pattern > ' ' && *pattern < 0x7F);
}

static void check_cover(const struct input *in, const struct cover *c)
{
	for (size_t i = 0; i < c->patterns.len; i++)
		check_pattern(c->patterns.items[i]);
	for (size_t i = 0; i < in->paths.len; i++) {
		const struct cover_path *p = &in->paths.items[i];
		bool covered = !p->stale;

		assert(p->path[0] == '/');
		for (size_t k = 0; k < c->patterns.len && !covered; k++)
			covered = cover_matches(c->patterns.items[k], p->path) &&
				  (!p->subtree || str_ends(c->patterns.items[k], "*"));
		assert(covered);
	}
}

/* The same by a table: every prefix of the pattern against every prefix of the path. */
static bool matches_slowly(const char *pattern, const char *path)
{
	enum { MOST = 64 };
	bool table[MOST + 1][MOST + 1] = { { true } };
	size_t n;
	size_t m;

	pattern += *pattern == '/';
	path += *path == '/';
	n = strlen(pattern);
	m = strlen(path);
	if (n > MOST || m > MOST)
		return viewer_pattern_matches(pattern, path);
	for (size_t i = 1; i <= n; i++) {
		bool star = pattern[i - 1] == '*';

		table[i][0] = star && table[i - 1][0];
		for (size_t j = 1; j <= m; j++)
			table[i][j] = star ? table[i - 1][j] || table[i][j - 1]
					   : table[i - 1][j - 1] &&
						      (pattern[i - 1] == '?' ||
						       pattern[i - 1] == path[j - 1]);
	}
	return table[n][m];
}

static void check_patterns(const struct input *in)
{
	for (size_t i = 0; i < in->viewer.behaviors.len; i++) {
		const char *pattern = in->viewer.behaviors.items[i].pattern;

		for (size_t k = 0; pattern && k < in->held.len; k++)
			assert(viewer_pattern_matches(pattern, in->held.items[k]) ==
			       matches_slowly(pattern, in->held.items[k]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_PTR(mem) char *text = xstrndup((const char *)data, size);
	CLEANUP(cover) struct cover cover = { 0 };
	struct input in = { .viewer = { .known = true, .root = "" } };
	const struct cover_limits limits = { 1 + size % 20, 1 + size % 4 };
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		read_line(&in, line);
	add_objects(&in, &in.stale, true);
	add_objects(&in, &in.held, false);
	viewer_elsewhere(&in.viewer, &in.arena, &in.paths);
	check_patterns(&in);
	cover_build(&in.paths, &limits, &in.arena, &cover);
	check_cover(&in, &cover);
	viewer_release(&in.viewer);
	cover_paths_release(&in.paths);
	str_list_release(&in.stale);
	str_list_release(&in.held);
	arena_release(&in.arena);
	return 0;
}
