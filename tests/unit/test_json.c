#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/json.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static struct json_doc *parse(const char *text)
{
	struct json_doc *doc = NULL;
	struct error err = ERROR_INIT;

	if (json_parse(text, strlen(text), &doc, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return doc;
}

static void test_json__reads_every_type(void **state)
{
	CLEANUP_PTR(json_doc)
	struct json_doc *doc = parse("{\"o\":{},\"a\":[1,\"x\"],\"s\":\"\\u00e9\\n\","
				     "\"i\":-9223372036854775808,"
				     "\"r\":1.0,\"t\":true,\"f\":false,\"n\":null}");
	static const struct {
		const char *key;
		enum json_type type;
	} cases[] = { { "o", JSON_OBJECT }, { "a", JSON_ARRAY }, { "s", JSON_STRING },
		      { "i", JSON_INT },    { "r", JSON_REAL },  { "t", JSON_BOOL },
		      { "f", JSON_BOOL },   { "n", JSON_NULL },  { "none", JSON_NONE } };
	const struct json *root = json_root(doc);
	int64_t n = 7;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(json_type(json_get(root, cases[i].key)), cases[i].type);
	assert_int_equal(json_len(root), 8);
	assert_string_equal(json_str(json_get(root, "s")), "\xc3\xa9\n");
	assert_true(json_int(json_get(root, "i"), &n));
	assert_true(n == INT64_MIN);
	assert_true(json_is_true(json_get(root, "t")));
	assert_false(json_is_true(json_get(root, "f")));
	assert_int_equal(json_len(json_get(root, "a")), 2);
	assert_string_equal(json_str(json_at(json_get(root, "a"), 1)), "x");
}

static void test_json__answers_not_there(void **state)
{
	CLEANUP_PTR(json_doc) struct json_doc *doc = parse("{\"s\":\"x\",\"r\":1.0}");
	const struct json *root = json_root(doc);
	const struct json *s = json_get(root, "s");
	int64_t n = 7;

	(void)state;
	assert_null(json_get(json_get(root, "a"), "b"));
	assert_null(json_get(s, "b"));
	assert_null(json_at(s, 0));
	assert_null(json_at(root, 0));
	assert_null(json_at(NULL, 0));
	assert_null(json_str(root));
	assert_null(json_str(NULL));
	assert_int_equal(json_len(s), 0);
	assert_int_equal(json_len(NULL), 0);
	assert_false(json_int(s, &n));
	assert_false(json_int(json_get(root, "r"), &n));
	assert_false(json_int(NULL, &n));
	assert_int_equal(n, 7);
	assert_false(json_is_true(NULL));
	assert_false(json_is_true(s));
	assert_int_equal(json_each(s, NULL, NULL), 0);
	assert_int_equal(json_each(NULL, NULL, NULL), 0);
	json_doc_free(NULL);
}

static void test_json__any_root(void **state)
{
	static const char *const cases[] = {
		"1", " \"x\" ", "null", "true", "[]", "{}\n"
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP_PTR(json_doc) struct json_doc *doc = parse(cases[i]);

		assert_int_not_equal(json_type(json_root(doc)), JSON_NONE);
	}
}

static int gather(void *ctx, const char *key, const struct json *value)
{
	int64_t n = 0;

	assert_true(json_int(value, &n));
	buf_printf(ctx, "%s%d", key, (int)n);
	return (int)n == 4 ? 42 : 0;
}

static void test_json__each_in_order(void **state)
{
	CLEANUP_PTR(json_doc)
	struct json_doc *doc = parse("{\"z\":1,\"b\":2,\"a\":3,\"m\":4,\"y\":5}");
	CLEANUP(buf) struct buf seen = BUF_INIT(100);

	(void)state;
	assert_int_equal(json_each(json_root(doc), gather, &seen), 42);
	assert_string_equal(seen.data, "z1b2a3m4");
}

static void test_json__refuses(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{ "", "cut short" },
		{ "{", "cut short" },
		{ "[1,]", "syntax" },
		{ "{\"secret\" \"hush\"}", "syntax" },
		{ "nul", "syntax" },
		{ "[01]", "syntax" },
		{ "[+1]", "syntax" },
		{ "[NaN]", "syntax" },
		{ "'x'", "syntax" },
		{ "[1] [2]", "more than one" },
		{ "{\"a\":1,\n \"a\":2}", "twice at line 2, column 4" },
		{ "\"\xff\"", "UTF-8" },
		{ "\"\xed\xa0\x80\"", "UTF-8" },
		{ "\"\\u0000\"", "NUL" },
		{ "{\"a\\u0000b\":1}", "NUL" },
		{ "\"\\ud800\"", "syntax" },
		{ "\"a\nb\"", "syntax" },
		{ "[9223372036854775808]", "too large" },
		{ "[1e999]", "too large" },
		{ "/* no */ 1", "syntax" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct json_doc *doc = NULL;
		struct error err = ERROR_INIT;

		if (json_parse(cases[i].text, strlen(cases[i].text), &doc, &err) == 0)
			fail_msg("accepted: %s", cases[i].text);
		assert_int_equal(err.code, ERR_DATA);
		if (!strstr(err.msg, cases[i].message))
			fail_msg("%s: %s", cases[i].text, err.msg);
		assert_null(strstr(err.msg, "hush"));
		assert_null(doc);
	}
}

static char *nested(size_t depth)
{
	char *text = malloc(2 * depth + 1);

	for (size_t i = 0; i < depth; i++) {
		text[i] = '[';
		text[2 * depth - 1 - i] = ']';
	}
	text[2 * depth] = '\0';
	return text;
}

static void test_json__depth_is_capped(void **state)
{
	char *fits = nested(JSON_PARSE_DEPTH_MAX);
	char *deep = nested(JSON_PARSE_DEPTH_MAX + 1);
	char *open = nested(1 << 20);
	struct json_doc *doc = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(json_parse(fits, strlen(fits), &doc, &err), 0);
	json_doc_free(doc);
	assert_int_equal(json_parse(deep, strlen(deep), &doc, &err), -1);
	assert_int_equal(json_parse(open, 1 << 20, &doc, &err), -1);
	free(fits);
	free(deep);
	free(open);
	/* Brackets in strings count for nothing, nor do those that are closed. */
	json_doc_free(parse(
		"\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\""));
}

static void test_json__writes(void **state)
{
	CLEANUP(buf) struct buf out = BUF_INIT(1000);
	struct json_writer w = JSON_WRITER_INIT(&out);

	(void)state;
	json_open(&w, '{');
	json_member(&w, "s", "a\"b\\c/<>&\n\t\b\f\r\x01\x1f\x7f");
	json_member(&w, "null", NULL);
	json_member_int(&w, "i", INT64_MIN);
	json_member_bool(&w, "t", true);
	json_key(&w, "a");
	json_open(&w, '[');
	json_put_bool(&w, false);
	json_put_null(&w);
	json_open(&w, '{');
	json_close(&w, '}');
	json_open(&w, '[');
	json_close(&w, ']');
	json_put_raw(&w, "{\"x\":1}");
	json_put_strn(&w, "ab", 1);
	json_close(&w, ']');
	json_key(&w, "last");
	json_put_int(&w, 0);
	json_close(&w, '}');
	assert_string_equal(
		out.data,
		"{\"s\":\"a\\\"b\\\\c/<>&\\n\\t\\b\\f\\r\\u0001\\u001f\\u007f\","
		"\"null\":null,\"i\":-9223372036854775808,\"t\":true,"
		"\"a\":[false,null,{},[],{\"x\":1},\"a\"],\"last\":0}");
}

static void test_json__what_is_not_utf8_is_replaced(void **state)
{
	static const char *const cases[][2] = {
		{ "r\xc3\xa9\xf0\x9f\x9a\x80", "\"r\xc3\xa9\xf0\x9f\x9a\x80\"" },
		{ "a\xff", "\"a\xef\xbf\xbd\"" },
		{ "\xc3", "\"\xef\xbf\xbd\"" },
		{ "\xc3(", "\"\xef\xbf\xbd(\"" },
		{ "\xed\xa0\x80x", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx\"" },
		{ "\xf0\x9f\x9a", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(buf) struct buf out = BUF_INIT(100);
		struct json_writer w = JSON_WRITER_INIT(&out);

		json_put_str(&w, cases[i][0]);
		assert_string_equal(out.data, cases[i][1]);
	}
}

static void test_json__every_character_comes_back(void **state)
{
	CLEANUP(buf) struct buf out = BUF_INIT(10000);
	struct json_writer w = JSON_WRITER_INIT(&out);
	CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;
	char text[127];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i + 1);
	json_open(&w, '{');
	json_key(&w, "k\"\n\\");
	json_put_strn(&w, text, sizeof(text));
	json_close(&w, '}');
	doc = parse(out.data);
	assert_memory_equal(json_str(json_get(json_root(doc), "k\"\n\\")), text,
			    sizeof(text));
}

static int count(void *ctx, const char *key, const struct json *value)
{
	(void)key;
	assert_int_equal(json_len(value), 3);
	++*(size_t *)ctx;
	return 0;
}

static void test_json__many_members(void **state)
{
	CLEANUP(buf) struct buf out = BUF_INIT(64 << 20);
	struct json_writer w = JSON_WRITER_INIT(&out);
	CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;
	size_t n = 0;

	(void)state;
	json_open(&w, '{');
	for (int i = 0; i < 100000; i++) {
		char key[40];

		snprintf(key, sizeof(key), "assets/file-%d.js", i);
		json_key(&w, key);
		json_put_raw(&w, "[\"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\","
				 "\"0123456789abcdef\",\"\\\"etag\\\"\"]");
	}
	json_close(&w, '}');
	assert_int_equal(buf_check(&out, "test", &(struct error)ERROR_INIT), 0);
	doc = parse(out.data);
	assert_int_equal(json_each(json_root(doc), count, &n), 0);
	assert_int_equal(n, 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json__reads_every_type),
		cmocka_unit_test(test_json__answers_not_there),
		cmocka_unit_test(test_json__any_root),
		cmocka_unit_test(test_json__each_in_order),
		cmocka_unit_test(test_json__refuses),
		cmocka_unit_test(test_json__depth_is_capped),
		cmocka_unit_test(test_json__writes),
		cmocka_unit_test(test_json__what_is_not_utf8_is_replaced),
		cmocka_unit_test(test_json__every_character_comes_back),
		cmocka_unit_test(test_json__many_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
