#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "core/cover.h"

#include "cases.h"

/* The cover against all there is: every way to cover the stale paths with exact paths and
 * with wildcards at any whole character is tried, and none is better. */

enum { CASES = 5000, PATHS_MOST = 13, CHARS_MOST = 5, PATTERNS_MOST = 13 };

/* Encoded characters: some share bytes, none is the beginning of another. */
static const char *const characters[] = {
	"a",      "b",      "/",         "a",         "/",   "*",           ".",
	"%C3%A9", "%C3%A8", "%E2%82%AC", "%E2%82%AD", "%20", "%F0%9F%9A%80"
};

/* A path, and where its characters end. */
struct sample {
	char path[80];
	size_t ends[CHARS_MOST + 1]; /* "/" and what was appended */
	size_t n_ends;
	bool stale;
	bool subtree;
};

struct problem {
	struct sample samples[PATHS_MOST];
	size_t n;
	struct cover_limits limits; /* 0 counts as 1 */
};

/* What a set of patterns costs: less evicted, then fewer patterns, then fewer wildcards. */
struct cost {
	size_t evicted;
	size_t patterns;
	size_t wildcards;
};

static bool is_cheaper(const struct cost *a, const struct cost *b)
{
	if (a->evicted != b->evicted)
		return a->evicted < b->evicted;
	if (a->patterns != b->patterns)
		return a->patterns < b->patterns;
	return a->wildcards < b->wildcards;
}

/* A pattern: the first n bytes of a text, exactly or as a wildcard. */
struct pattern {
	const char *text;
	size_t n;
	bool wildcard;
};

static bool begins(const char *path, const struct pattern *p)
{
	return strncmp(path, p->text, p->n) == 0;
}

static bool covers(const struct pattern *p, const struct sample *s)
{
	if (p->wildcard)
		return begins(s->path, p);
	return !s->subtree && strlen(s->path) == p->n && begins(s->path, p);
}

/* A wildcard in a subtree, or a subtree in a wildcard. */
static bool reaches(const struct pattern *p, const struct sample *s)
{
	size_t n = strlen(s->path);

	return begins(s->path, p) || (n <= p->n && strncmp(s->path, p->text, n) == 0);
}

static bool is_stale(const struct problem *p, const char *path)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->samples[i].stale && strcmp(p->samples[i].path, path) == 0)
			return true;
	return false;
}

/* Whether a sample says of its path what an earlier one has said. */
static bool is_repeated(const struct problem *p, size_t at)
{
	const struct sample *s = &p->samples[at];

	for (size_t i = 0; i < at; i++)
		if (strcmp(p->samples[i].path, s->path) == 0 &&
		    p->samples[i].stale == s->stale &&
		    p->samples[i].subtree == s->subtree)
			return true;
	return false;
}

/* A path that is held as itself, and as the top of a held subtree, counts as the latter. */
static bool is_held_subtree(const struct problem *p, const char *path)
{
	for (size_t i = 0; i < p->n; i++)
		if (!p->samples[i].stale && p->samples[i].subtree &&
		    strcmp(p->samples[i].path, path) == 0)
			return true;
	return false;
}

static size_t count_evicted(const struct problem *p, const struct pattern *patterns,
			    size_t n)
{
	size_t evicted = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct sample *s = &p->samples[i];
		size_t by = 0;

		if (s->stale || is_repeated(p, i))
			continue;
		for (size_t k = 0; k < n; k++)
			by += patterns[k].wildcard &&
			      (s->subtree ? reaches(&patterns[k], s)
					  : begins(s->path, &patterns[k]));
		if (s->subtree)
			evicted += COVER_SUBTREE_HELD * by;
		else if (by && !is_stale(p, s->path) && !is_held_subtree(p, s->path))
			evicted++;
	}
	return evicted;
}

/* The search: the first path that is not covered is covered in every possible way. */

struct search {
	const struct problem *problem;
	struct pattern chosen[PATTERNS_MOST];
	struct cost best;
};

static const struct sample *first_open(const struct search *s, size_t n)
{
	for (size_t i = 0; i < s->problem->n; i++) {
		const struct sample *sample = &s->problem->samples[i];
		bool covered = !sample->stale;

		for (size_t k = 0; k < n && !covered; k++)
			covered = covers(&s->chosen[k], sample);
		if (!covered)
			return sample;
	}
	return NULL;
}

static size_t at_least_1(size_t limit)
{
	return limit ? limit : 1;
}

static void search(struct search *s, size_t n, size_t wildcards)
{
	const struct sample *open = first_open(s, n);
	struct cost cost = { count_evicted(s->problem, s->chosen, n), n, wildcards };

	if (!is_cheaper(&cost, &s->best))
		return; /* more patterns make it no cheaper */
	if (!open) {
		s->best = cost;
		return;
	}
	if (n == at_least_1(s->problem->limits.max_paths) || n == PATTERNS_MOST)
		return;
	if (!open->subtree && !strchr(open->path, '*')) {
		s->chosen[n] = (struct pattern){ open->path, strlen(open->path), false };
		search(s, n + 1, wildcards);
	}
	if (wildcards == at_least_1(s->problem->limits.max_wildcards))
		return;
	for (size_t i = 0; i < open->n_ends; i++) {
		if (memchr(open->path, '*', open->ends[i]))
			break;
		s->chosen[n] = (struct pattern){ open->path, open->ends[i], true };
		search(s, n + 1, wildcards + 1);
	}
}

/* What came out */

static void print_problem(const struct problem *p, struct buf *out)
{
	buf_printf(out, "at most %zu paths, %zu wildcards\n", p->limits.max_paths,
		   p->limits.max_wildcards);
	for (size_t i = 0; i < p->n; i++)
		buf_printf(out, "%s %s%s\n", p->samples[i].stale ? "stale" : "held ",
			   p->samples[i].path, p->samples[i].subtree ? "..." : "");
}

static void fail_case(const struct problem *p, const struct cover *c,
		      const struct cost *best, const char *what)
{
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 20);

	print_problem(p, &text);
	for (size_t i = 0; i < c->patterns.len; i++)
		buf_printf(&text, "pattern %s\n", c->patterns.items[i]);
	buf_printf(&text, "evicts %zu with %zu, %zu wildcards; best: %zu, %zu, %zu",
		   c->evicted, c->patterns.len, c->wildcards, best->evicted,
		   best->patterns, best->wildcards);
	fail_msg("%s\n%s", what, text.data);
}

static struct pattern pattern_of(const char *text)
{
	size_t n = strlen(text);
	bool wildcard = n && text[n - 1] == '*';

	return (struct pattern){ text, n - wildcard, wildcard };
}

static bool ends_a_character(const struct problem *p, const struct pattern *pattern)
{
	for (size_t i = 0; i < p->n; i++)
		for (size_t k = 0; k < p->samples[i].n_ends; k++)
			if (p->samples[i].ends[k] == pattern->n &&
			    begins(p->samples[i].path, pattern))
				return true;
	return false;
}

/* NULL: the cover is one, within its limits, and of the cost that it says. */
static const char *wrong_with(const struct problem *p, const struct cover *c)
{
	struct pattern patterns[PATTERNS_MOST];
	size_t wildcards = 0;

	if (c->patterns.len > at_least_1(p->limits.max_paths) ||
	    c->patterns.len > PATTERNS_MOST ||
	    c->wildcards > at_least_1(p->limits.max_wildcards))
		return "beyond its limits";
	for (size_t i = 0; i < c->patterns.len; i++) {
		patterns[i] = pattern_of(c->patterns.items[i]);
		wildcards += patterns[i].wildcard;
		if (*patterns[i].text != '/' ||
		    memchr(patterns[i].text, '*', patterns[i].n) ||
		    !ends_a_character(p, &patterns[i]))
			return "not a pattern";
		if (i && strcmp(patterns[i - 1].text, patterns[i].text) >= 0)
			return "not sorted";
	}
	if (wildcards != c->wildcards)
		return "wildcards miscounted";
	if (count_evicted(p, patterns, c->patterns.len) != c->evicted)
		return "evicted miscounted";
	for (size_t i = 0; i < p->n; i++) {
		bool covered = !p->samples[i].stale;

		for (size_t k = 0; k < c->patterns.len; k++)
			covered |= covers(&patterns[k], &p->samples[i]);
		if (!covered)
			return "not covered";
	}
	return NULL;
}

static void build(const struct problem *p, unsigned from, struct arena *arena,
		  struct cover *out)
{
	CLEANUP(cover_paths) struct cover_paths paths = { 0 };

	for (size_t i = 0; i < p->n; i++) {
		const struct sample *s = &p->samples[(i + from) % p->n];

		cover_paths_push(&paths,
				 (struct cover_path){ s->path, s->stale, s->subtree });
	}
	cover_build(&paths, &p->limits, arena, out);
}

static struct cost solve(const struct problem *p)
{
	struct search s = { .problem = p, .best = { SIZE_MAX, SIZE_MAX, SIZE_MAX } };

	search(&s, 0, 0);
	return s.best;
}

static void assert_best(const struct problem *p)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(cover) struct cover c = { 0 };
	struct cost best = solve(p);
	const char *wrong;

	build(p, 0, &arena, &c);
	wrong = wrong_with(p, &c);
	if (wrong)
		fail_case(p, &c, &best, wrong);
	if (c.evicted != best.evicted || c.patterns.len != best.patterns ||
	    c.wildcards != best.wildcards)
		fail_case(p, &c, &best, "not the best");
	for (unsigned from = 1; from < p->n; from += 3) {
		CLEANUP(cover) struct cover again = { 0 };

		build(p, from, &arena, &again);
		for (size_t i = 0; i < c.patterns.len; i++)
			if (again.patterns.len != c.patterns.len ||
			    strcmp(again.patterns.items[i], c.patterns.items[i]) != 0)
				fail_case(p, &again, &best, "another in another order");
	}
}

/* Random problems */

static void random_sample(uint64_t *seed, unsigned alphabet, struct sample *out)
{
	unsigned n = below(seed, CHARS_MOST + 1);
	size_t len = 1;

	*out = (struct sample){ .path = "/", .ends = { 1 }, .n_ends = 1 };
	for (unsigned i = 0; i < n; i++) {
		const char *c = characters[below(seed, alphabet)];

		memcpy(out->path + len, c, strlen(c) + 1);
		len += strlen(c);
		out->ends[out->n_ends++] = len;
	}
}

static void random_problem(uint64_t *seed, struct problem *p)
{
	static const unsigned alphabets[] = { 3, 5, 6, 13 };
	unsigned alphabet = alphabets[below(seed, 4)];
	unsigned subtrees = below(seed, 3) ? 0 : 1 + below(seed, 4);
	unsigned held = 1 + below(seed, 3); /* of four */

	p->n = 1 + below(seed, PATHS_MOST);
	for (size_t i = 0; i < p->n; i++) {
		struct sample *s = &p->samples[i];

		if (i && below(seed, 12) == 0)
			*s = p->samples[below(seed, (unsigned)i)];
		else
			random_sample(seed, alphabet, s);
		s->stale = below(seed, 4) >= held;
		s->subtree = subtrees && below(seed, subtrees + 2) == 0;
	}
	p->limits.max_paths = below(seed, below(seed, 2) ? 4 : PATTERNS_MOST + 1);
	p->limits.max_wildcards = below(seed, 4);
}

static void test_cover__is_the_best_there_is(void **state)
{
	unsigned n = cases_count(CASES);
	uint64_t seed = CASES_SEED;

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		struct problem p;

		random_problem(&seed, &p);
		assert_best(&p);
	}
}

/* Named problems */

struct named {
	const char *label;
	const char *paths; /* "+" stale, "-" held, "..." all below */
	struct cover_limits limits;
	const char *patterns;
	size_t evicted;
};

#define BLOG                                                                          \
	"+/ +/index.html +/blog/ +/blog/index.html +/blog/one.html +/blog/two.html "  \
	"+/blog/old/1.html +/blog/old/2.html +/blog/old/3.html -/cv.pdf -/style.css " \
	"-/a.jpg -/b.jpg -/blog/six.html -/blog/new/1 -/blog/new/2 -/blog/new/3 "     \
	"-/api/..."

static const struct named named_cases[] = {
	{ "nothing", "", { 5, 5 }, "", 0 },
	{ "nothing stale", "-/a -/b", { 5, 5 }, "", 0 },
	{ "one", "+/a -/ab", { 5, 5 }, "/a", 0 },
	{ "one that nothing is beside", "+/a", { 5, 5 }, "/a", 0 },
	{ "two", "+/a +/b -/c", { 5, 5 }, "/a /b", 0 },
	{ "a folder", "+/a/1 +/a/2 -/ab", { 5, 5 }, "/a/*", 0 },
	{ "a folder and its pages", "+/a +/a/1 +/a/2 -/b", { 5, 5 }, "/a*", 0 },
	{ "a folder and another", "+/a +/a/1 +/a/2 -/ab", { 5, 5 }, "/a /a/*", 0 },
	{ "stale and held is stale", "+/a -/a", { 5, 5 }, "/a", 0 },
	{ "everything", "+/... -/a -/b", { 5, 5 }, "/*", 2 },
	{ "all below one", "+/a... -/b", { 5, 5 }, "/a*", 0 },
	{ "all below one, and what is held there", "+/a... -/ab", { 5, 5 }, "/a*", 1 },
	{ "a literal star", "+/a*b -/c", { 5, 5 }, "/a*", 0 },
	{ "a literal star beside another", "+/a*b -/ab", { 5, 5 }, "/a*", 1 },
	{ "a star at the end", "+/a* -/b", { 5, 5 }, "/a*", 0 },
	{ "whole characters", "+/%C3%A9 +/%C3%A8 -/%C3%A7", { 1, 1 }, "/*", 1 },
	{ "a whole character", "+/%C3%A9a +/%C3%A9b -/%C3%A8", { 5, 5 }, "/%C3%A9*", 0 },
	{ "beyond the limits", "+/a/1 +/b/1 -/a/2 -/b/2 -/b/3", { 1, 5 }, "/*", 3 },
	{ "the cheapest folder",
	  "+/a1 +/a2 +/b1 +/b2 -/a3 -/b3 -/b4",
	  { 3, 5 },
	  "/a* /b1 /b2",
	  1 },
	{ "an exact path below another origin",
	  "+/api/x -/api/...",
	  { 5, 5 },
	  "/api/x",
	  0 },
	{ "a wildcard below another origin",
	  "+/api/x... -/api/...",
	  { 5, 5 },
	  "/api/x*",
	  COVER_SUBTREE_HELD },
	{ "no paths at all", "+/a +/b -/c", { 0, 0 }, "/*", 1 },
	{ "no end of paths", "+/a +/b -/c", { SIZE_MAX, SIZE_MAX }, "/a /b", 0 },
	{ "no end of paths, few wildcards",
	  "+/a... +/b... -/c",
	  { SIZE_MAX, 1 },
	  "/*",
	  1 },
	{ "the example of the documentation",
	  BLOG,
	  { 6, 15 },
	  "/ /blog/ /blog/index.html /blog/o* /blog/two.html /index.html",
	  0 },
	{ "the example with five", BLOG, { 5, 15 }, "/ /blog/* /index.html", 4 },
	{ "the example with three", BLOG, { 3, 15 }, "/ /blog/* /index.html", 4 },
	{ "the example with two", BLOG, { 2, 15 }, "/*", 8 + COVER_SUBTREE_HELD },
};

static void read_paths(const char *line, struct arena *arena, struct cover_paths *out)
{
	while (*line) {
		size_t n = strcspn(line, " ");
		bool subtree = n > 4 && strncmp(line + n - 3, "...", 3) == 0;
		const char *path = arena_strndup(arena, line + 1,
						 n - 1 - (subtree ? 3 : 0));

		cover_paths_push(out, (struct cover_path){ path, *line == '+', subtree });
		line += n;
		line += *line == ' ';
	}
}

static void test_cover__named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(named_cases) / sizeof(*named_cases); i++) {
		const struct named *named = &named_cases[i];
		CLEANUP(cover_paths) struct cover_paths paths = { 0 };
		CLEANUP(arena) struct arena arena = ARENA_INIT;
		CLEANUP(cover) struct cover c = { 0 };
		CLEANUP(buf) struct buf text = BUF_INIT(1 << 20);

		read_paths(named->paths, &arena, &paths);
		cover_build(&paths, &named->limits, &arena, &c);
		for (size_t k = 0; k < c.patterns.len; k++)
			buf_printf(&text, "%s%s", k ? " " : "", c.patterns.items[k]);
		if (strcmp(text.data, named->patterns) != 0 ||
		    c.evicted != named->evicted)
			fail_msg("%s: %s evicts %zu", named->label, text.data, c.evicted);
	}
}

static void test_cover__matches(void **state)
{
	static const struct {
		const char *pattern;
		const char *path;
		bool matches;
	} cases[] = {
		{ "/a", "/a", true },  { "/a", "/ab", false }, { "/ab", "/a", false },
		{ "/a*", "/a", true }, { "/a*", "/ab", true }, { "/a*", "/b", false },
		{ "/*", "/", true },   { "/*", "/a/b", true }, { "/a/*", "/a", false },
		{ "/A", "/a", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(cover_matches(cases[i].pattern, cases[i].path),
				 cases[i].matches);
}

/* Large sites */

/* What lies at the end of a long path: "/fff...f" + name, of that length in all. */
static const char *long_path(struct arena *arena, const char *name, size_t n)
{
	char *path = arena_alloc(arena, n + 1);

	memset(path, 'f', n - strlen(name));
	path[0] = '/';
	memcpy(path + n - strlen(name), name, strlen(name) + 1);
	return path;
}

/* 4,000 characters go, star included; a longer path needs a wildcard before its end. */
static void test_cover__long_paths(void **state)
{
	static const struct {
		size_t n;
		size_t pattern; /* the length of the pattern that is sent */
		bool wildcard;
	} cases[] = {
		{ 3999, 3999, false }, { 4000, 4000, false },
		{ 4001, 4000, true },  { 4004, 3998, true }, /* no part of %C3%A9 */
		{ 5000, 4000, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(cover_paths) struct cover_paths paths = { 0 };
		CLEANUP(arena) struct arena arena = ARENA_INIT;
		CLEANUP(cover) struct cover c = { 0 };
		const struct cover_limits limits = { 10, 10 };
		const char *tail = cases[i].n == 4004 ? "%C3%A9b" : "b";
		const char *path = long_path(&arena, tail, cases[i].n);

		cover_paths_push(&paths, (struct cover_path){ path, true, false });
		cover_paths_push(&paths, (struct cover_path){ "/g", false, false });
		cover_build(&paths, &limits, &arena, &c);
		assert_int_equal(c.patterns.len, 1);
		assert_int_equal(strlen(c.patterns.items[0]), cases[i].pattern);
		assert_int_equal(c.wildcards, cases[i].wildcard);
		assert_true(cover_matches(c.patterns.items[0], path));
		assert_int_equal(c.evicted, 0);
	}
}

enum { LARGE = 100000, FOLDERS = 100 }; /* 10,000 are stale in each of these */

/* The first of the sorted paths that is not less. */
static size_t lower_bound(const struct cover_paths *paths, const char *path, size_t n)
{
	size_t from = 0;
	size_t to = paths->len;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (strncmp(paths->items[middle].path, path, n) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static void assert_covered(const struct cover_paths *paths, const struct cover *c,
			   size_t evicted)
{
	bool *covered = xcalloc(paths->len, sizeof(*covered));
	size_t n = 0;

	for (size_t k = 0; k < c->patterns.len; k++) {
		const struct pattern p = pattern_of(c->patterns.items[k]);
		size_t i = lower_bound(paths, p.text, p.n);

		for (; i < paths->len && begins(paths->items[i].path, &p); i++)
			covered[i] |= p.wildcard || !paths->items[i].path[p.n];
	}
	for (size_t i = 0; i < paths->len; i++) {
		if (paths->items[i].stale && !covered[i])
			fail_msg("not covered: %s", paths->items[i].path);
		n += !paths->items[i].stale && covered[i];
	}
	free(covered);
	assert_int_equal(n, c->evicted);
	assert_int_equal(n, evicted);
}

/* 1,000 files in each of 100 folders. */
static void large_site(struct arena *arena, bool (*is_stale_one)(unsigned i),
		       struct cover_paths *out)
{
	for (unsigned i = 0; i < LARGE; i++) {
		const char *path = arena_printf(arena, "/posts/%02u/%03u.html",
						i % FOLDERS, i / FOLDERS);

		cover_paths_push(out,
				 (struct cover_path){ path, is_stale_one(i), false });
	}
}

static bool in_ten_folders(unsigned i)
{
	return i % FOLDERS % 10 == 3;
}

static void test_cover__large_sites_with_whole_folders(void **state)
{
	CLEANUP(cover_paths) struct cover_paths paths = { 0 };
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(cover) struct cover c = { 0 };
	const struct cover_limits limits = { 100, 15 };

	(void)state;
	large_site(&arena, in_ten_folders, &paths);
	cover_build(&paths, &limits, &arena, &c);
	assert_int_equal(c.patterns.len, 10);
	assert_int_equal(c.wildcards, 10);
	assert_covered(&paths, &c, 0);
}

static bool in_each_folder(unsigned i)
{
	return i / FOLDERS >= 901 || i / FOLDERS == 0;
}

/* In each folder "000", "901" to "909", and "91*" to "99*". */
static void test_cover__large_sites_with_parts_of_folders(void **state)
{
	CLEANUP(cover_paths) struct cover_paths paths = { 0 };
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(cover) struct cover c = { 0 };
	const struct cover_limits limits = { 1900, 900 };

	(void)state;
	large_site(&arena, in_each_folder, &paths);
	cover_build(&paths, &limits, &arena, &c);
	assert_int_equal(c.patterns.len, 1900);
	assert_int_equal(c.wildcards, 900);
	assert_covered(&paths, &c, 0);
}

static bool every_other_of_twenty_folders(unsigned i)
{
	return i % FOLDERS < 20 && i / FOLDERS % 2 == 0;
}

/* Fifteen wildcards are too few for parts of folders, or for each folder: what is held in
 * the twenty goes, and nothing else. */
static void test_cover__large_sites_beyond_the_limits(void **state)
{
	CLEANUP(cover_paths) struct cover_paths paths = { 0 };
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(cover) struct cover c = { 0 };
	const struct cover_limits limits = { 100, 15 };

	(void)state;
	large_site(&arena, every_other_of_twenty_folders, &paths);
	cover_build(&paths, &limits, &arena, &c);
	assert_int_equal(c.patterns.len, 2);
	assert_string_equal(c.patterns.items[0], "/posts/0*");
	assert_string_equal(c.patterns.items[1], "/posts/1*");
	assert_covered(&paths, &c, 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cover__is_the_best_there_is),
		cmocka_unit_test(test_cover__named),
		cmocka_unit_test(test_cover__matches),
		cmocka_unit_test(test_cover__long_paths),
		cmocka_unit_test(test_cover__large_sites_with_whole_folders),
		cmocka_unit_test(test_cover__large_sites_with_parts_of_folders),
		cmocka_unit_test(test_cover__large_sites_beyond_the_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
