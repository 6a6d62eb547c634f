#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"
#include "core/config_rules.h"

/* A text, and whether a rule takes it. */
struct word {
	const char *text;
	bool good;
};

struct rule {
	const char *name;
	const char *(*problem)(const char *text);
	const struct word *words; /* up to one without text */
};

static const struct word names[] = {
	{ "a", true },    { "my-site_2", true }, { "A", true },
	{ "", false },    { "a b", false },      { "a.b", false },
	{ "a/b", false }, { "\xC3\xA9", false }, { NULL, false },
};

static const struct word paths[] = {
	{ "", true },          { "a", true },
	{ "a/b.c", true },     { "r\xC3\xA9sum\xC3\xA9", true },
	{ "..a", true },       { "a..", true },
	{ ".github", true },   { "/", false },
	{ "/a", false },       { "..", false },
	{ "a/..", false },     { "../a", false },
	{ "a/../b", false },   { ".git", false },
	{ "a/.git/b", false }, { "a\nb", false },
	{ "a\x7F", false },    { NULL, false },
};

static const struct word prefixes[] = {
	{ "", true },       { "a/", true },
	{ "a/b/", true },   { "a b/\xC3\xA9/", true },
	{ ".a/", true },    { "/", false },
	{ "/a/", false },   { "a//", false },
	{ "a//b/", false }, { "./", false },
	{ "a/./", false },  { "a/../", false },
	{ ".crc/", false }, { "a/.crc/", false },
	{ "a\tb/", false }, { "\xFF/", false },
	{ NULL, false },
};

static const struct word buckets[] = {
	{ "abc", true },
	{ "my-bucket", true },
	{ "example.com", true },
	{ "1.2.3", true },
	{ "1.2.3.4a", true },
	{ "point-s3alias", true },
	{ "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123", true },
	{ "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234", false },
	{ "", false },
	{ "ab", false },
	{ "My-bucket", false },
	{ "my_bucket", false },
	{ "-bucket", false },
	{ "bucket.", false },
	{ "a..b", false },
	{ "192.168.5.4", false },
	{ "xn--bucket", false },
	{ "sthree-bucket", false },
	{ "bucket--ol-s3", false },
	{ "bucket--use1-az4--x-s3", false },
	{ "bucket--table-s3", false },
	{ "point.mrap", false },
	{ "s3://bucket", false },
	{ "arn:aws:s3:::bucket", false },
	{ "bucket/folder", false },
	{ NULL, false },
};

static const struct word distributions[] = {
	{ "E1A2B3C4D5E6F7", true },
	{ "", false },
	{ "d111111abcdef8.cloudfront.net", false },
	{ "arn:aws:cloudfront::1:distribution/E1", false },
	{ "../E1", false },
	{ "E1,E2", false },
	{ "E1A2B3C4D5E6F7E1A2B3C4D5E6F7E1A2B", false },
	{ NULL, false },
};

static const struct word urls[] = {
	{ "https://example.com", true },
	{ "http://localhost:8080/x/", true },
	{ "https://example.com/%C3%A9", true },
	{ "", false },
	{ "example.com", false },
	{ "ftp://example.com", false },
	{ "https://example.com/?a=b", false },
	{ "https://example.com/?", false },
	{ "https://example.com/#a", false },
	{ "https://user@example.com", false },
	{ "https://example.com/a b", false },
	{ "https://example.com/\xC3\xA9", false },
	{ NULL, false },
};

static const struct word regions[] = {
	{ "us-east-1", true },
	{ "eu-isoe-west-1", true },
	{ "", false },
	{ "US-EAST-1", false },
	{ "us east", false },
	{ "us-east-1.evil.com", false },
	{ "us-east-1/x", false },
	{ NULL, false },
};

static const struct word stacks[] = {
	{ "a", true },    { "My-Stack-1", true }, { "", false },
	{ "1a", false },  { "-a", false },        { "a_b", false },
	{ "a.b", false }, { "a b", false },       { NULL, false },
};

static const struct word functions[] = {
	{ "f", true },
	{ "my_f-1", true },
	{ "arn:aws:lambda:us-east-1:123456789012:function:f", true },
	{ "123456789012:function:f", true },
	{ "f:live", false },
	{ "123456789012:function:f:live", false },
	{ "arn:aws:lambda:us-east-1:123456789012:function:f:7", false },
	{ "arn:aws:lambda:us-east-1:f", false },
	{ "a:b:c:d:e", false },
	{ "f:", false },
	{ "", false },
	{ "a/b", false },
	{ "a b", false },
	{ "f?x", false },
	{ NULL, false },
};

static const struct word aliases[] = {
	{ "live", true }, { "v2", true },       { "a_b-c", true }, { "", false },
	{ "7", false },   { "$LATEST", false }, { "a.b", false },  { NULL, false },
};

static const struct word outputs[] = {
	{ "SiteBucket", true }, { "7", true },    { "", false },   { "a.b", false },
	{ "a-b", false },       { "a_b", false }, { NULL, false },
};

static const struct word variables[] = {
	{ "A", true },    { "_a1", true },  { "", false },   { "1A", false },
	{ "A-B", false }, { "A=B", false }, { "$A", false }, { NULL, false },
};

static const struct word capabilities[] = {
	{ "CAPABILITY_IAM", true },
	{ "CAPABILITY_NAMED_IAM", true },
	{ "CAPABILITY_AUTO_EXPAND", true },
	{ "", false },
	{ "capability_iam", false },
	{ "CAPABILITY_ALL", false },
	{ NULL, false },
};

static const struct word file_names[] = {
	{ "index.html", true }, { "a b", true }, { "", false },
	{ "a/b", false },       { "/", false },  { "a\n", false },
	{ ".", false },         { "..", false }, { NULL, false },
};

static const struct word headers[] = {
	{ "cache-control", true },
	{ "content-type", true },
	{ "content-disposition", true },
	{ "content-encoding", true },
	{ "content-language", true },
	{ "expires", true },
	{ "x-amz-storage-class", true },
	{ "x-amz-website-redirect-location", true },
	{ "x-amz-meta-a", true },
	{ "x-amz-meta-a_b.c-9", true },
	{ "", false },
	{ "x-amz-meta-", false },
	{ "x-amz-meta-a b", false },
	{ "x-amz-meta-a:b", false },
	{ "x-amz-acl", false },
	{ "x-amz-tagging", false },
	{ "strict-transport-security", false },
	{ "etag", false },
	{ NULL, false },
};

static const struct rule rules[] = {
	{ "name", config_bad_name, names },
	{ "path", config_bad_path, paths },
	{ "prefix", config_bad_prefix, prefixes },
	{ "bucket", config_bad_bucket, buckets },
	{ "distribution", config_bad_distribution, distributions },
	{ "url", config_bad_url, urls },
	{ "region", config_bad_region, regions },
	{ "stack", config_bad_stack, stacks },
	{ "function", config_bad_function, functions },
	{ "alias", config_bad_alias, aliases },
	{ "output", config_bad_output, outputs },
	{ "variable", config_bad_variable, variables },
	{ "capability", config_bad_capability, capabilities },
	{ "file name", config_bad_file_name, file_names },
	{ "header", config_bad_header, headers },
};

static void test_config_rules__tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		for (const struct word *w = rules[i].words; w->text; w++) {
			const char *problem = rules[i].problem(w->text);

			if (!problem != w->good)
				fail_msg("%s \"%s\": %s", rules[i].name, w->text,
					 problem ? problem : "is taken");
			if (problem)
				assert_true(*problem &&
					    problem[strlen(problem) - 1] != '.');
		}
	}
}

/* The longest text that is taken, made of one letter. */
static void test_config_rules__longest(void **state)
{
	static const struct {
		const char *(*problem)(const char *text);
		size_t most;
	} cases[] = {
		{ config_bad_name, 64 },         { config_bad_path, 1024 },
		{ config_bad_prefix, 512 },      { config_bad_bucket, 63 },
		{ config_bad_distribution, 32 }, { config_bad_region, 32 },
		{ config_bad_stack, 128 },       { config_bad_function, 170 },
		{ config_bad_alias, 128 },       { config_bad_output, 255 },
		{ config_bad_variable, 256 },    { config_bad_file_name, 255 },
		{ config_bad_command, 8192 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[8200];

		memset(text, 'a', sizeof(text));
		text[cases[i].most] = '\0';
		assert_null(cases[i].problem(text));
		text[cases[i].most] = 'a';
		text[cases[i].most + 1] = '\0';
		assert_non_null(cases[i].problem(text));
	}
}

static void test_config_rules__files_and_commands(void **state)
{
	(void)state;
	assert_null(config_bad_file("a/template.yaml"));
	assert_non_null(config_bad_file(""));
	assert_non_null(config_bad_file("../template.yaml"));
	assert_null(config_bad_command("npm run build\nnpm test"));
	assert_non_null(config_bad_command(""));
}

static void test_config_rules__values_of_headers(void **state)
{
	static const struct {
		const char *name;
		const char *value;
		bool good;
	} cases[] = {
		{ "cache-control", "no-store", true },
		{ "cache-control", "", true },
		{ "content-type", "text/html; charset=utf-8", true },
		{ "expires", " x", false },
		{ "expires", "x ", false },
		{ "expires", "x\ty", false },
		{ "expires", "x\r\nset-cookie: y", false },
		{ "expires", "\xC3\xA9", false },
		{ "x-amz-meta-a", "any ~thing!", true },
		{ "x-amz-storage-class", "STANDARD", true },
		{ "x-amz-storage-class", "INTELLIGENT_TIERING", true },
		{ "x-amz-storage-class", "DEEP_ARCHIVE", false },
		{ "x-amz-storage-class", "standard", false },
		{ "x-amz-website-redirect-location", "/a", true },
		{ "x-amz-website-redirect-location", "https://example.com", true },
		{ "x-amz-website-redirect-location", "http://example.com", true },
		{ "x-amz-website-redirect-location", "a", false },
		{ "x-amz-website-redirect-location", "javascript:x", false },
	};
	char value[1026];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (!config_bad_header_value(cases[i].name, cases[i].value) !=
		    cases[i].good)
			fail_msg("%s: %s", cases[i].name, cases[i].value);
	memset(value, 'a', sizeof(value));
	value[1025] = '\0';
	assert_non_null(config_bad_header_value("expires", value));
	value[1024] = '\0';
	assert_null(config_bad_header_value("expires", value));
}

static void test_config_rules__nearest_header(void **state)
{
	(void)state;
	assert_string_equal(config_nearest_header("cach-control"), "cache-control");
	assert_string_equal(config_nearest_header("content-typ"), "content-type");
	assert_string_equal(config_nearest_header("expire"), "expires");
}

static void test_config_rules__normal_paths(void **state)
{
	static const char *const cases[][2] = {
		{ "", "" },           { ".", "" },       { "./", "" },
		{ "././/.", "" },     { "a", "a" },      { "a/", "a" },
		{ "./a", "a" },       { "a//b", "a/b" }, { "a/./b/.", "a/b" },
		{ ".a/b.", ".a/b." }, { "..", ".." },    { "a/../b", "a/../b" },
		{ "/", "/" },         { "//", "/" },     { "/a/", "/a" },
		{ "//./a", "/a" },    { "...", "..." },  { "a/.../b", "a/.../b" },
	};
	CLEANUP(arena) struct arena arena = ARENA_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(config_normal_path(&arena, cases[i][0]), cases[i][1]);
}

static void test_config_rules__normal_prefixes(void **state)
{
	static const char *const cases[][2] = {
		{ "", "" },           { "/", "" },      { "///", "" },
		{ "a", "a/" },        { "a/", "a/" },   { "/a", "a/" },
		{ "//a/b/", "a/b/" }, { "a//", "a//" }, { "a//b", "a//b/" },
		{ ".", "./" },
	};
	CLEANUP(arena) struct arena arena = ARENA_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(config_normal_prefix(&arena, cases[i][0]),
				    cases[i][1]);
}

static void test_config_rules__durations(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} cases[] = {
		{ "0", 0 },          { "0d", 0 },
		{ "7d", 604800 },    { "12h", 43200 },
		{ "30m", 1800 },     { "3650d", 315360000 },
		{ "3651d", -1 },     { "87600h", 315360000 },
		{ "87601h", -1 },    { "5256000m", 315360000 },
		{ "5256001m", -1 },  { "", -1 },
		{ "7", -1 },         { "d", -1 },
		{ "7D", -1 },        { "7s", -1 },
		{ "7 d", -1 },       { "7d ", -1 },
		{ "-7d", -1 },       { "+7d", -1 },
		{ "1.5d", -1 },      { "1d12h", -1 },
		{ "99999999d", -1 }, { "99999999999999999999d", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (config_duration_s(cases[i].text) != cases[i].seconds)
			fail_msg("%s: %lld", cases[i].text,
				 (long long)config_duration_s(cases[i].text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config_rules__tables),
		cmocka_unit_test(test_config_rules__longest),
		cmocka_unit_test(test_config_rules__files_and_commands),
		cmocka_unit_test(test_config_rules__values_of_headers),
		cmocka_unit_test(test_config_rules__nearest_header),
		cmocka_unit_test(test_config_rules__normal_paths),
		cmocka_unit_test(test_config_rules__normal_prefixes),
		cmocka_unit_test(test_config_rules__durations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
