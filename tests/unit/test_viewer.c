#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"
#include "core/viewer.h"

static void push(struct viewer *v, struct viewer_behavior b)
{
	if (!b.origin_path)
		b.origin_path = "";
	viewer_behaviors_push(&v->behaviors, b);
}

static int compare_paths(const void *a, const void *b)
{
	const struct cover_path *x = a;
	const struct cover_path *y = b;

	return strcmp(x->path, y->path);
}

/* "/a/ /b" sorted, each once; all below a path as "/b...". */
static void print_paths(struct cover_paths *paths, struct buf *out)
{
	const char *last = NULL;

	if (paths->len)
		qsort(paths->items, paths->len, sizeof(*paths->items), compare_paths);
	for (size_t i = 0; i < paths->len; i++) {
		const struct cover_path *p = &paths->items[i];

		if (!str_eq(last, p->path))
			buf_printf(out, "%s%s%s", i ? " " : "", p->path,
				   p->subtree ? "..." : "");
		last = p->path;
	}
}

static void assert_seen_at(const struct viewer *v, const struct viewer_object *object,
			   const char *wanted)
{
	CLEANUP(cover_paths) struct cover_paths paths = { 0 };
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 16);

	viewer_paths(v, object, &arena, &paths);
	for (size_t i = 0; i < paths.len; i++)
		assert_int_equal(paths.items[i].stale, object->stale);
	print_paths(&paths, &text);
	if (!str_eq(text.data, wanted))
		fail_msg("%s is seen at %s, not at %s", object->key, text.data, wanted);
}

struct seen {
	const char *key;
	const char *paths;
};

static void assert_all_seen(const struct viewer *v, const struct seen *cases)
{
	for (; cases->key; cases++) {
		const struct viewer_object object = { cases->key, "index.html", true,
						      false };

		assert_seen_at(v, &object, cases->paths);
	}
}

static void test_viewer__a_bucket_behind_a_distribution(void **state)
{
	static const struct seen cases[] = {
		{ "index.html", "/index.html" },
		{ "a/index.html", "/a/index.html" },
		{ "r1~2 \xC3\xA9t\xC3\xA9.html", "/r1%7E2%20%C3%A9t%C3%A9.html" },
		{ "a(b)'!,+=@:&$;.html", "/a(b)'!,+=@:&$;.html" },
		{ "a*b", "/a*b" },
		{ "100%", "/100%25" },
		{ "a//b/../c", "/a//b/../c" },
		{ NULL, NULL },
	};
	CLEANUP(viewer) struct viewer v = { .known = true, .root = "" };

	(void)state;
	push(&v, (struct viewer_behavior){ .ours = true });
	assert_all_seen(&v, cases);
}

static void test_viewer__origin_path(void **state)
{
	static const struct seen cases[] = {
		{ "v1/index.html", "/index.html" },
		{ "v1/a/b", "/a/b" },
		{ "v1/", "/" },
		{ "v1", "" },
		{ "v10/a", "" },
		{ "index.html", "" },
		{ "a/v1/b", "" },
		{ NULL, NULL },
	};
	CLEANUP(viewer) struct viewer v = { .known = true, .root = "" };

	(void)state;
	push(&v, (struct viewer_behavior){ .ours = true, .origin_path = "/v1" });
	assert_all_seen(&v, cases);
}

static void test_viewer__default_root_object(void **state)
{
	static const struct seen cases[] = {
		{ "home.html", "/ /home.html" },
		{ "a/home.html", "/a/home.html" },
		{ "index.html", "/index.html" },
		{ NULL, NULL },
	};
	static const char *const roots[] = { "home.html", "/home.html" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		CLEANUP(viewer) struct viewer v = { .known = true, .root = roots[i] };

		push(&v, (struct viewer_behavior){ .ours = true });
		assert_all_seen(&v, cases);
	}
}

static void test_viewer__folders(void **state)
{
	static const struct seen cases[] = {
		{ "index.html", "/ /index.html" },
		{ "a/index.html", "/a /a/ /a/index.html" },
		{ "a/b/index.html", "/a/b /a/b/ /a/b/index.html" },
		{ "a/myindex.html", "/a/myindex.html" },
		{ "myindex.html", "/myindex.html" },
		{ "a/index.html.bak", "/a/index.html.bak" },
		{ "\xC3\xA9/index.html", "/%C3%A9 /%C3%A9/ /%C3%A9/index.html" },
		{ NULL, NULL },
	};
	static const struct viewer_object odd[] = {
		{ "a/home.htm", "home.htm", false, false },
		{ "a/index.html", "home.htm", false, false },
		{ "a/index.html", "", false, false },
	};
	CLEANUP(viewer) struct viewer website = { .known = true, .root = "" };
	CLEANUP(viewer) struct viewer function = { .known = true, .root = "" };

	(void)state;
	push(&website, (struct viewer_behavior){ .ours = true, .website = true });
	push(&function, (struct viewer_behavior){ .ours = true, .rewrites = true });
	assert_all_seen(&website, cases);
	assert_all_seen(&function, cases);
	assert_seen_at(&website, &odd[0], "/a /a/ /a/home.htm");
	assert_seen_at(&website, &odd[1], "/a/index.html");
	assert_seen_at(&website, &odd[2], "/a/index.html");
}

static void test_viewer__a_website_redirect_outlives_its_index(void **state)
{
	const struct viewer_object changed = { "a/index.html", "index.html", true, true };
	const struct viewer_object gone = { "a/index.html", "index.html", true, false };
	CLEANUP(viewer) struct viewer v = { .known = true, .root = "" };

	(void)state;
	viewer_behaviors_push(&v.behaviors, (struct viewer_behavior){ .ours = true,
								      .origin_path = "",
								      .website = true });
	assert_seen_at(&v, &changed, "/a/ /a/index.html");
	assert_seen_at(&v, &gone, "/a /a/ /a/index.html");
	v.behaviors.items[0].rewrites = true;
	assert_seen_at(&v, &changed, "/a /a/ /a/index.html");
}

static void test_viewer__query_strings(void **state)
{
	const struct viewer_object stale = { "a.html", "index.html", true, false };
	const struct viewer_object held = { "a.html", "index.html", false, false };
	CLEANUP(viewer) struct viewer v = { .known = true, .root = "a.html" };

	(void)state;
	push(&v, (struct viewer_behavior){ .ours = true, .query_strings = true });
	assert_seen_at(&v, &stale, "/ /?... /a.html /a.html?...");
	/* What is held is there without a query string at least. */
	assert_seen_at(&v, &held, "/ /a.html");
}

static void test_viewer__unknown_settings(void **state)
{
	static const struct seen whole[] = {
		{ "index.html", "/ /?... /index.html /index.html?..." },
		{ "a/index.html",
		  "/a /a/ /a/?... /a/index.html /a/index.html?... /a?..." },
		{ "a.css", "/a.css /a.css?..." },
		{ NULL, NULL },
	};
	static const struct seen prefixed[] = {
		{ "v1/a.css", "/a.css /v1/a.css" },
		{ "v1/index.html", "/ /index.html /v1 /v1/ /v1/index.html" },
		{ NULL, NULL },
	};
	CLEANUP(viewer) struct viewer v = { .known = true };
	CLEANUP(viewer) struct viewer p = { .known = true };
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	int64_t caching_s;

	(void)state;
	viewer_init_unknown(&v, "E1", "", -1, &arena);
	assert_string_equal(v.id, "E1");
	assert_false(v.known);
	assert_all_seen(&v, whole);
	assert_false(viewer_is_error_page(&v, "404.html", &caching_s));
	assert_true(viewer_missing_caching_s(&v) > 1000000000);
	viewer_init_unknown(&p, "E1", "v1/", 0, &arena);
	assert_all_seen(&p, prefixed);
}

/* The first behaviour whose pattern matches serves a path, and nobody else. */
static void test_viewer__several_behaviours(void **state)
{
	static const struct seen cases[] = {
		{ "a.html", "/a.html" },
		{ "assets/a.css", "" }, /* its path goes to the other origin path */
		{ "v2/assets/a.css", "/assets/a.css /v2/assets/a.css" },
		{ "v2/a.html", "/v2/a.html" },
		{ "api/x", "" },
		{ "apix", "/apix" },
		{ NULL, NULL },
	};
	CLEANUP(viewer) struct viewer v = { .known = true, .root = "" };

	(void)state;
	push(&v, (struct viewer_behavior){ .pattern = "/api/*" });
	push(&v, (struct viewer_behavior){
			 .pattern = "assets/*", .ours = true, .origin_path = "/v2" });
	push(&v, (struct viewer_behavior){ .ours = true });
	assert_all_seen(&v, cases);
}

/* "/dir/" is not always served by the behaviour of "/dir/index.html". */
static void test_viewer__folders_of_another_behaviour(void **state)
{
	static const struct seen cases[] = {
		{ "index.html", "/ /index.html" },
		{ "a/index.html", "/a /a/ /a/index.html" },
		{ "blog/index.html", "/blog /blog/index.html" },
		{ "a/b.html", "/a/b.html" },
		{ "a/b.css", "/a/b.css" },
		{ NULL, NULL },
	};
	CLEANUP(viewer) struct viewer v = { .known = true, .root = "" };

	(void)state;
	push(&v, (struct viewer_behavior){ .pattern = "*.html", .ours = true });
	push(&v, (struct viewer_behavior){ .pattern = "/blog/*" });
	push(&v, (struct viewer_behavior){ .ours = true, .rewrites = true });
	assert_all_seen(&v, cases);
}

/* A function names a folder's document by the origin path of its own behaviour. */
static void test_viewer__folders_below_another_origin_path(void **state)
{
	static const struct seen cases[] = {
		{ "v1/index.html", "/ /index.html" },
		{ "v1/a/index.html", "/a /a/ /a/index.html" },
		{ "v2/index.html", "/index.html" },
		{ "v2/a/index.html", "/a/index.html" },
		{ "v1/a/b.html", "" },
		{ NULL, NULL },
	};
	CLEANUP(viewer) struct viewer v = { .known = true, .root = "" };

	(void)state;
	push(&v, (struct viewer_behavior){
			 .pattern = "*.html", .ours = true, .origin_path = "/v2" });
	push(&v, (struct viewer_behavior){
			 .ours = true, .origin_path = "/v1", .rewrites = true });
	assert_all_seen(&v, cases);
}

static void test_viewer__root_of_another_behaviour(void **state)
{
	static const struct seen cases[] = {
		{ "v1/index.html", "/" },
		{ "v2/index.html", "/ /index.html" },
		{ NULL, NULL },
	};
	CLEANUP(viewer) struct viewer v = { .known = true, .root = "index.html" };

	(void)state;
	push(&v, (struct viewer_behavior){
			 .pattern = "*.html", .ours = true, .origin_path = "/v2" });
	push(&v, (struct viewer_behavior){ .ours = true, .origin_path = "/v1" });
	assert_all_seen(&v, cases);
}

static void test_viewer__without_a_behaviour_that_serves(void **state)
{
	static const struct seen cases[] = { { "a.html", "" }, { NULL, NULL } };
	CLEANUP(viewer) struct viewer v = { .known = true, .root = "" };

	(void)state;
	assert_all_seen(&v, cases);
	push(&v, (struct viewer_behavior){ .pattern = "*.css", .ours = true });
	assert_all_seen(&v, cases);
}

static void assert_elsewhere(const struct viewer *v, const char *wanted)
{
	CLEANUP(cover_paths) struct cover_paths paths = { 0 };
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 16);

	viewer_elsewhere(v, &arena, &paths);
	for (size_t i = 0; i < paths.len; i++)
		assert_false(paths.items[i].stale);
	print_paths(&paths, &text);
	assert_string_equal(text.data, wanted);
}

static void test_viewer__what_goes_elsewhere(void **state)
{
	static const struct {
		const char *pattern;
		const char *held;
	} cases[] = {
		{ "/api/*", "/api/..." },
		{ "api/*", "/api/..." },
		{ "/login", "/login" },
		{ "/a?c", "/a..." },
		{ "/img/*.png", "/img/..." },
		{ "*.php", "/..." },
		{ "?/a", "/..." },
		{ "/~me/*", "/%7Eme/..." },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(viewer) struct viewer v = { .known = true };

		push(&v, (struct viewer_behavior){ .pattern = cases[i].pattern });
		push(&v, (struct viewer_behavior){ .pattern = "/ours/*", .ours = true });
		push(&v, (struct viewer_behavior){ .ours = true });
		assert_elsewhere(&v, cases[i].held);
	}
}

/* Where the default goes elsewhere, ours is an island. */
static void test_viewer__what_is_around(void **state)
{
	static const struct {
		const char *pattern;
		const char *held;
	} cases[] = {
		{ "/static/*", "/static" },
		{ "/static*", "/stati" },
		{ "/a", "/" },
		{ "/img/*.png", "/img/..." },
		{ "*.css", "/..." },
		{ "/a?", "/a..." },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(viewer) struct viewer v = { .known = true };

		push(&v, (struct viewer_behavior){ .pattern = cases[i].pattern,
						   .ours = true });
		push(&v, (struct viewer_behavior){ .pattern = i % 2 ? NULL : "*" });
		push(&v, (struct viewer_behavior){ .pattern = "/never/asked/*" });
		assert_elsewhere(&v, cases[i].held);
	}
}

/* An object that only a wildcard over others' paths would save is named by itself. */
static void test_viewer__no_wildcard_over_others(void **state)
{
	static const char *const keys[] = { "static/a.css", "static/b.css", "static-2/c",
					    "static-2/d", "static-2/e" };
	const struct cover_limits limits = { 10, 10 };
	CLEANUP(viewer) struct viewer v = { .known = true, .root = "" };
	CLEANUP(cover_paths) struct cover_paths paths = { 0 };
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(cover) struct cover cover = { 0 };

	(void)state;
	push(&v, (struct viewer_behavior){ .pattern = "/static/*", .ours = true });
	push(&v, (struct viewer_behavior){ .pattern = "/static-2/*", .ours = true });
	push(&v, (struct viewer_behavior){ .pattern = NULL });
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const struct viewer_object object = { keys[i], "index.html", true,
						      false };

		viewer_paths(&v, &object, &arena, &paths);
	}
	viewer_elsewhere(&v, &arena, &paths);
	cover_build(&paths, &limits, &arena, &cover);
	assert_int_equal(cover.patterns.len, 2);
	assert_string_equal(cover.patterns.items[0], "/static-2/*");
	assert_string_equal(cover.patterns.items[1], "/static/*");
	assert_int_equal(cover.evicted, 0);
}

static void test_viewer__error_pages(void **state)
{
	static const struct {
		const char *key;
		int64_t caching_s; /* -1: no error page */
	} cases[] = {
		{ "v1/404.html", 300 },    { "v1/index.html", 10 },
		{ "v1/ho ps.html", 5 },    { "v1/other.html", -1 },
		{ "404.html", -1 },        { "v1/v1/404.html", -1 },
		{ "v1/api/500.html", -1 },
	};
	CLEANUP(viewer) struct viewer v = { .known = true, .root = "" };

	(void)state;
	push(&v, (struct viewer_behavior){ .pattern = "/api/*" });
	push(&v, (struct viewer_behavior){ .ours = true, .origin_path = "/v1" });
	viewer_error_pages_push(&v.error_pages,
				(struct viewer_error_page){ 404, "/404.html", 60 });
	viewer_error_pages_push(&v.error_pages,
				(struct viewer_error_page){ 403, "/404.html", 300 });
	viewer_error_pages_push(&v.error_pages,
				(struct viewer_error_page){ 500, "/index.html", 10 });
	viewer_error_pages_push(&v.error_pages,
				(struct viewer_error_page){ 503, "/ho%20ps.html", 5 });
	viewer_error_pages_push(&v.error_pages,
				(struct viewer_error_page){ 501, "/api/500.html", 5 });
	viewer_error_pages_push(&v.error_pages,
				(struct viewer_error_page){ 502, "", 1000 });
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t caching_s = 77;
		bool is = viewer_is_error_page(&v, cases[i].key, &caching_s);

		assert_int_equal(is, cases[i].caching_s >= 0);
		assert_int_equal(caching_s, is ? cases[i].caching_s : 0);
	}
}

static void test_viewer__how_long_missing_is_cached(void **state)
{
	static const struct {
		struct viewer_error_page pages[3];
		int64_t most_s;
	} cases[] = {
		{ { { 0 } }, 10 },
		{ { { 404, "", 300 } }, 300 },
		{ { { 403, "/404.html", 300 } }, 300 },
		/* the other one has its default */
		{ { { 404, "", 0 } }, 10 },
		{ { { 403, "", 5 } }, 10 },
		{ { { 403, "", 5 }, { 404, "", 3 } }, 5 },
		{ { { 403, "", 0 }, { 404, "", 0 } }, 0 },
		{ { { 500, "", 3600 } }, 10 },
		{ { { 403, "", 0 }, { 404, "", 0 }, { 500, "", 3600 } }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(viewer) struct viewer v = { .known = true };

		for (size_t k = 0; k < 3 && cases[i].pages[k].status; k++)
			viewer_error_pages_push(&v.error_pages, cases[i].pages[k]);
		assert_int_equal(viewer_missing_caching_s(&v), cases[i].most_s);
	}
}

static void test_viewer__path_patterns(void **state)
{
	static const struct {
		const char *pattern;
		const char *path;
		bool matches;
	} cases[] = {
		{ "/images/*.jpg", "/images/a.jpg", true },
		{ "images/*.jpg", "/images/a.jpg", true },
		{ "/images/*.jpg", "/images/a/b/c.jpg", true },
		{ "/images/*.jpg", "/images/.jpg", true },
		{ "/images/*.jpg", "/images/a.JPG", false },
		{ "/images/*.jpg", "/images/a.jpg2", false },
		{ "/images/*.jpg", "/x/images/a.jpg", false },
		{ "*.jpg", "/images/a.jpg", true },
		{ "*.jpg", "/a.jpg/b", false },
		{ "*", "/", true },
		{ "*", "/a/b", true },
		{ "/*", "/", true },
		{ "", "/", true },
		{ "/", "/", true },
		{ "/", "/a", false },
		{ "/a", "/a", true },
		{ "/a", "/a/", false },
		{ "/a/*", "/a/", true },
		{ "/a/*", "/a", false },
		{ "/a?c", "/abc", true },
		{ "/a?c", "/a/c", true },
		{ "/a?c", "/ac", false },
		{ "/a?c", "/abbc", false },
		{ "/??", "/ab", true },
		{ "/??", "/a", false },
		{ "/a*b*c", "/aXbXbXc", true },
		{ "/a*b*c", "/aXbXbX", false },
		{ "/a**c", "/abc", true },
		{ "*?", "/", false },
		{ "*?", "/a", true },
		{ "/a*?c", "/ac", false },
		{ "/a*?c", "/abc", true },
		{ "/a.c", "/abc", false },
		{ "/[a]", "/a", false },
		{ "/[a]", "/[a]", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (viewer_pattern_matches(cases[i].pattern, cases[i].path) !=
		    cases[i].matches)
			fail_msg("%s %s", cases[i].pattern, cases[i].path);
}

/* Many stars do not make it try all ways. */
static void test_viewer__path_patterns_are_linear(void **state)
{
	CLEANUP(buf) struct buf pattern = BUF_INIT(1 << 20);
	CLEANUP(buf) struct buf path = BUF_INIT(1 << 20);

	(void)state;
	for (unsigned i = 0; i < 200; i++)
		buf_str(&pattern, "a*");
	buf_str(&pattern, "b");
	for (unsigned i = 0; i < 5000; i++)
		buf_str(&path, "a");
	assert_false(viewer_pattern_matches(pattern.data, path.data));
	buf_str(&path, "b");
	assert_true(viewer_pattern_matches(pattern.data, path.data));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_viewer__a_bucket_behind_a_distribution),
		cmocka_unit_test(test_viewer__origin_path),
		cmocka_unit_test(test_viewer__default_root_object),
		cmocka_unit_test(test_viewer__folders),
		cmocka_unit_test(test_viewer__a_website_redirect_outlives_its_index),
		cmocka_unit_test(test_viewer__query_strings),
		cmocka_unit_test(test_viewer__unknown_settings),
		cmocka_unit_test(test_viewer__several_behaviours),
		cmocka_unit_test(test_viewer__folders_of_another_behaviour),
		cmocka_unit_test(test_viewer__folders_below_another_origin_path),
		cmocka_unit_test(test_viewer__root_of_another_behaviour),
		cmocka_unit_test(test_viewer__without_a_behaviour_that_serves),
		cmocka_unit_test(test_viewer__what_goes_elsewhere),
		cmocka_unit_test(test_viewer__what_is_around),
		cmocka_unit_test(test_viewer__no_wildcard_over_others),
		cmocka_unit_test(test_viewer__error_pages),
		cmocka_unit_test(test_viewer__how_long_missing_is_cached),
		cmocka_unit_test(test_viewer__path_patterns),
		cmocka_unit_test(test_viewer__path_patterns_are_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
