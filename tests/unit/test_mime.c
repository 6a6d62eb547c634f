#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "codec/mime.h"

static void test_mime__types(void **state)
{
	static const struct {
		const char *path;
		const char *type;
	} cases[] = {
		{ "index.html", "text/html; charset=utf-8" },
		{ "a/b/INDEX.HTM", "text/html; charset=utf-8" },
		{ "main.8f3b2c1a.js", "text/javascript; charset=utf-8" },
		{ "module.mjs", "text/javascript; charset=utf-8" },
		{ "style.Css", "text/css; charset=utf-8" },
		{ "data.json", "application/json" },
		{ "main.js.map", "application/json" },
		{ "sitemap.xml", "application/xml; charset=utf-8" },
		{ "logo.svg", "image/svg+xml; charset=utf-8" },
		{ "humans.txt", "text/plain; charset=utf-8" },
		{ ".well-known/security.txt", "text/plain; charset=utf-8" },
		{ ".well-known/apple-app-site-association", "application/json" },
		{ "CNAME", "text/plain; charset=utf-8" },
		{ "docs/LICENSE", "text/plain; charset=utf-8" },
		{ "resume.pdf", "application/pdf" },
		{ "me.JPG", "image/jpeg" },
		{ "me.avif", "image/avif" },
		{ "favicon.ico", "image/x-icon" },
		{ "f.woff2", "font/woff2" },
		{ "app.webmanifest", "application/manifest+json" },
		{ "lib.wasm", "application/wasm" },
		{ "feed.rss", "application/rss+xml; charset=utf-8" },
		{ "cv.docx", "application/vnd.openxmlformats-officedocument."
			     "wordprocessingml.document" },
		{ "3d.3gp", "video/3gpp" },
		{ "all.zst", "application/zstd" },
		{ "noextension", "application/octet-stream" },
		{ "cname", "application/octet-stream" },
		{ ".html", "application/octet-stream" },
		{ "html", "application/octet-stream" },
		{ "dir.html/file", "application/octet-stream" },
		{ "trailing.", "application/octet-stream" },
		{ "a.extension-beyond-all-measure", "application/octet-stream" },
		{ "", "application/octet-stream" },
		{ "dir/", "application/octet-stream" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (strcmp(mime_type(cases[i].path), cases[i].type) != 0)
			fail_msg("%s: %s", cases[i].path, mime_type(cases[i].path));
}

/* A row out of order would be one that is never found. */
static void test_mime__every_extension_that_sites_hold_is_found(void **state)
{
	static const char *const extensions[] = {
		"3gp",   "7z",   "aac",  "apng", "atom", "avi",  "avif",        "bmp",
		"br",    "bz2",  "cjs",  "css",  "csv",  "cur",  "doc",         "docx",
		"eot",   "epub", "flac", "gif",  "glb",  "gltf", "gz",          "htm",
		"heic",  "html", "ico",  "ics",  "jpeg", "jpg",  "js",          "json",
		"jxl",   "kml",  "less", "log",  "m3u8", "m4a",  "m4v",         "map",
		"md",    "mid",  "mjs",  "mkv",  "mov",  "mp3",  "mp4",         "mpd",
		"mpeg",  "mpg",  "odp",  "ods",  "odt",  "oga",  "ogg",         "ogv",
		"opus",  "otf",  "pdf",  "png",  "ppt",  "pptx", "ps",          "psd",
		"rar",   "rss",  "rtf",  "scss", "sig",  "srt",  "svg",         "svgz",
		"tar",   "tgz",  "tif",  "tiff", "toml", "ts",   "tsv",         "ttc",
		"ttf",   "txt",  "vcf",  "vtt",  "wasm", "wav",  "weba",        "webm",
		"webp",  "woff", "xht",  "xls",  "xlsx", "xml",  "webmanifest", "woff2",
		"xhtml", "xsl",  "xslt", "xz",   "yaml", "yml",  "zip",         "zst",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(extensions) / sizeof(*extensions); i++) {
		char path[32] = "x.";

		assert_true(str_copy(path + 2, sizeof(path) - 2, extensions[i]));
		if (strcmp(mime_type(path), "application/octet-stream") == 0)
			fail_msg("%s is not found", path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mime__types),
		cmocka_unit_test(test_mime__every_extension_that_sites_hold_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
