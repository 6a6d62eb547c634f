#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "core/headers.h"

static void test_headers__fingerprinted_names(void **state)
{
	static const struct {
		const char *path;
		bool fingerprinted;
	} cases[] = {
		/* as builders write them */
		{ "assets/index-BxK3n9Qa.js", true },
		{ "static/js/main.8f3b2c1a.js", true },
		{ "static/js/2.8f3b2c1a.chunk.js", true },
		{ "static/js/main.8f3b2c1a.js.map", true },
		{ "_next/static/chunks/123-abcdef0123456789.js", true },
		{ "_next/static/chunks/pages/_app-3d0b1d57ce2a7ed2.js", true },
		{ "_next/static/media/a34f9d1faa5f3315-s.p.woff2", true },
		{ "main.min.0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33d34e5f6a7b8c9d0e1f2a3b4c.css",
		  true },
		{ "main.0beec7b5ea3f0fdb.min.css", true },
		{ "_next/static/css/3d0b1d57ce2a7ed2.css", true },
		{ "main-5XDN2CSP.js", true },
		{ "polyfills-B6TNHZQ6.js", true },
		{ "_app/immutable/entry/start.DxZk3q1B.js", true },
		{ "logo_6ce24c58023cc2f8fd88fe9d219db6c6.svg", true },
		{ "img/photo-6ce24c58.JPG", true },
		{ "lib.1a2b3c4d.wasm", true },
		{ "inter.a1b2c3d4.woff2", true },
		{ "chunk.X7K2M9QP.css", true },
		/* names that people give */
		{ "jquery-3.7.1.min.js", false },
		{ "bootstrap5bundle.js", false },
		{ "bootstrap-5bundle.js", false },
		{ "resume-2024.pdf", false },
		{ "resume-8f3b2c1a.pdf", false },
		{ "photo-20240131.jpg", false },
		{ "photo-vacation2024.jpg", false },
		{ "photo-MyPhoto2024.jpg", false },
		{ "shot-iPhone15Pro.png", false },
		{ "lib-version2024.js", false },
		{ "abcdefgh.js", false },
		{ "3434343434343434.js", false },
		{ "8f3b2c1a.js", false },
		{ "main.8f3b2c1.js", false },
		{ "main.deadbeef.js", false },
		{ "main.12345678.js", false },
		{ "main-my-dog-1.js", false },
		{ "dir-8f3b2c1a/main.js", false },
		{ "page-8f3b2c1a.html", false },
		{ "8f3b2c1a9-sw.js", false },
		{ "data-8f3b2c1a.json", false },
		{ "site.8f3b2c1a.webmanifest", false },
		{ "main.8f3b2c1a", false },
		{ ".js", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (headers_is_fingerprinted(cases[i].path) != cases[i].fingerprinted)
			fail_msg("%s", cases[i].path);
}

static void test_headers__entry_documents(void **state)
{
	static const struct {
		const char *path;
		bool entry;
	} cases[] = {
		{ "index.html", true },
		{ "a/b/About.HTM", true },
		{ "sw.js", true },
		{ "app/service-worker.js", true },
		{ "firebase-messaging-sw.js", true },
		{ "OneSignalSDKWorker.js", true },
		{ "ngsw-worker.js", true },
		{ "feed.xml", true },
		{ "blog/index.xml", true },
		{ "posts.rss", true },
		{ "posts.atom", true },
		{ "sitemap.xml", true },
		{ "sitemap-0.xml", true },
		{ "manifest.json", true },
		{ "site.webmanifest", true },
		{ "robots.txt", true },
		{ "main.js", false },
		{ "answer.js", false },
		{ "data.json", false },
		{ "data.xml", false },
		{ "humans.txt", false },
		{ "html", false },
		{ "index.html/a.css", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (headers_is_entry(cases[i].path) != cases[i].entry)
			fail_msg("%s", cases[i].path);
}

static const char *cache_control(const char *path, struct headers_options options)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(header_list) struct header_list list = { 0 };
	const struct site site = { .name = "s" };

	headers_build(&site, path, &options, &arena, &list);
	return headers_get(&list, "cache-control"); /* static */
}

static void test_headers__cache_control_by_default(void **state)
{
	const char *immutable = "public, max-age=31536000, immutable";
	const char *edge = "public, max-age=0, s-maxage=86400, must-revalidate";
	const char *plain = "public, max-age=0, must-revalidate";
	const struct headers_options none = { 0 };
	const struct headers_options behind = { .behind_distribution = true };
	const struct headers_options error = { .behind_distribution = true,
					       .is_error_document = true };
	const struct headers_options changed = { .behind_distribution = true,
						 .never_immutable = true };

	(void)state;
	assert_string_equal(cache_control("index.html", none), plain);
	assert_string_equal(cache_control("index.html", behind), edge);
	assert_string_equal(cache_control("404.html", error), plain);
	assert_string_equal(cache_control("main.8f3b2c1a.js", none), immutable);
	assert_string_equal(cache_control("main.8f3b2c1a.js", behind), immutable);
	assert_string_equal(cache_control("main.8f3b2c1a.js", changed), edge);
	assert_string_equal(cache_control("error.8f3b2c1a.svg", error), plain);
}

static void add_rule(struct site *site, const char *match, const char *name,
		     const char *value)
{
	struct header_rule rule = { .set = { 0 } };

	assert_true(glob_parse(match, &rule.match));
	header_list_push(&rule.set, (struct header){ name, value });
	header_rules_push(&site->headers, rule);
}

static void release_rules(struct site *site)
{
	for (size_t i = 0; i < site->headers.len; i++)
		header_list_release(&site->headers.items[i].set);
	header_rules_release(&site->headers);
}

static void assert_headers(const struct site *site, const char *path,
			   const char *expected)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(header_list) struct header_list list = { 0 };
	const struct headers_options options = { .behind_distribution = true };
	CLEANUP(buf) struct buf text = BUF_INIT(1000);

	headers_build(site, path, &options, &arena, &list);
	for (size_t i = 0; i < list.len; i++)
		buf_printf(&text, "%s: %s\n", list.items[i].name, list.items[i].value);
	assert_string_equal(text.data, expected);
}

static void test_headers__every_rule_applies_and_the_later_wins(void **state)
{
	struct site site = { .name = "s" };

	(void)state;
	add_rule(&site, "*.pdf", "content-disposition", "inline");
	add_rule(&site, "docs/", "x-amz-meta-owner", "me");
	add_rule(&site, "docs/", "cache-control", "private");
	add_rule(&site, "*.pdf", "cache-control", "no-cache");
	add_rule(&site, "*.8f3b2c1a.js", "cache-control", "max-age=5");
	add_rule(&site, "/plain", "content-type", "");
	add_rule(&site, "/plain", "cache-control", "");
	assert_headers(&site, "docs/a/cv.pdf",
		       "cache-control: no-cache\n"
		       "content-disposition: inline\n"
		       "content-type: application/pdf\n"
		       "x-amz-meta-owner: me\n");
	assert_headers(&site, "docs/a.txt",
		       "cache-control: private\n"
		       "content-type: text/plain; charset=utf-8\n"
		       "x-amz-meta-owner: me\n");
	assert_headers(&site, "x.8f3b2c1a.js",
		       "cache-control: max-age=5\n"
		       "content-type: text/javascript; charset=utf-8\n");
	assert_headers(&site, "plain", "");
	release_rules(&site);
}

static void test_headers__id_names_the_set_whatever_its_order(void **state)
{
	struct header ab[] = { { "a", "1" }, { "b", "2" } };
	struct header ba[] = { { "b", "2" }, { "a", "1" } };
	struct header other[] = { { "a", "1" }, { "b", "3" } };
	const struct header_list one = { .items = ab, .len = 2 };
	const struct header_list two = { .items = ba, .len = 2 };
	const struct header_list three = { .items = other, .len = 2 };
	const struct header_list none = { 0 };

	(void)state;
	/* Recorded in states: must never change. printf 'a:1\nb:2\n' | sha256sum */
	assert_true(headers_id(&one) == 0x6408fdc5c36df5df);
	assert_true(headers_id(&one) == headers_id(&two));
	assert_true(headers_id(&one) != headers_id(&three));
	assert_true(headers_id(&none) == 0xe3b0c44298fc1c14);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers__fingerprinted_names),
		cmocka_unit_test(test_headers__entry_documents),
		cmocka_unit_test(test_headers__cache_control_by_default),
		cmocka_unit_test(test_headers__every_rule_applies_and_the_later_wins),
		cmocka_unit_test(test_headers__id_names_the_set_whatever_its_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
