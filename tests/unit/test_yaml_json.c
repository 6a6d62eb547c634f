#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/yaml_json.h"

static int parse(struct arena *arena, const char *text, const struct yaml_node **root,
		 struct error *err)
{
	return yaml_json_parse(arena, "t.json", text, strlen(text), root, err);
}

static void test_yaml_json__texts_mean_what_json_says(void **state)
{
	static const struct {
		const char *json, *text;
	} cases[] = {
		{ "\"\"", "" },
		{ "\"a\\/b\\\\c\\\"d\"", "a/b\\c\"d" },
		{ "\"\\b\\f\\n\\r\\t\"", "\b\f\n\r\t" },
		{ "\"\\u0041\\u00e9\\u20AC\"", "A\xc3\xa9\xe2\x82\xac" },
		{ "\"\\ud83d\\uDE00 x\"", "\xf0\x9f\x98\x80 x" },
		{ "\"\\udbff\\udfff\"", "\xf4\x8f\xbf\xbf" },
		{ "\"\xf0\x9f\x98\x80\x7f\"", "\xf0\x9f\x98\x80\x7f" },
		{ "-1.50e+3", "-1.50e+3" },
		{ " true ", "true" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(arena) struct arena arena = ARENA_INIT;
		const struct yaml_node *root = NULL;
		struct error err = ERROR_INIT;

		assert_int_equal(parse(&arena, cases[i].json, &root, &err), 1);
		assert_string_equal(yaml_text(root), cases[i].text);
	}
}

static void assert_node(const struct yaml_node *node, unsigned line, unsigned column,
			size_t start, size_t end)
{
	if (node->line != line || node->column != column || node->from != start ||
	    node->start != start || node->end != end)
		fail_msg("%u:%u, %zu to %zu", node->line, node->column, node->start,
			 node->end);
}

static void test_yaml_json__where_things_stand(void **state)
{
	static const char text[] = "\xef\xbb\xbf{ \"\xc3\xa4\"\n\t: [\"x\" , null],\r\n"
				   " \"b\":{}, \"a\":1}\n";
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	const struct yaml_node *root = NULL;
	const struct yaml_node *list;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(parse(&arena, text, &root, &err), 1);
	assert_node(root, 1, 1, 3, strlen(text) - 1);
	assert_true(root->flow);
	assert_int_equal(root->len, 3);
	assert_int_equal(root->weight, 9);
	list = yaml_get(root, "\xc3\xa4");
	assert_node(list, 2, 4, 13, 25);
	assert_node(list->items[0], 2, 5, 14, 17);
	assert_int_equal(list->items[0]->style, YAML_DOUBLE_QUOTED);
	assert_true(yaml_is_null(list->items[1]));
	assert_node(root->pairs[1].key, 3, 2, 29, 32);
	assert_string_equal(yaml_text(yaml_get(root, "a")), "1");
	assert_int_equal(yaml_get(root, "b")->len, 0);
	assert_null(yaml_get(root, "c"));
}

static void test_yaml_json__what_is_left_to_yaml(void **state)
{
	static const char *const texts[] = {
		"",
		"a: b",
		"{a: b}",
		"{\"a\": 1,}",
		"{\"a\": 1} x",
		"{\"a\": 1, \"a\": 2}",
		"{\"a\": \"\\ud83d\"}",
		"{\"a\": \"\\u0000\"}",
		"{\"a\": 99999999999999999999}",
		"[\"tab\there\"]",
		"[1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		CLEANUP(arena) struct arena arena = ARENA_INIT;
		const struct yaml_node *root = NULL;
		struct error err = ERROR_INIT;

		if (parse(&arena, texts[i], &root, &err) != 0 || root)
			fail_msg("%s", texts[i]);
	}
}

static void nest(struct buf *out, unsigned depth)
{
	buf_clear(out);
	for (unsigned i = 0; i < depth; i++)
		buf_char(out, '[');
	for (unsigned i = 0; i < depth; i++)
		buf_char(out, ']');
}

static void test_yaml_json__caps(void **state)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 20);
	const struct yaml_node *root = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	nest(&text, YAML_DEPTH_MOST);
	assert_int_equal(parse(&arena, text.data, &root, &err), 1);
	nest(&text, YAML_DEPTH_MOST + 1);
	assert_int_equal(parse(&arena, text.data, &root, &err), -1);
	assert_int_equal(err.code, ERR_TOO_BIG);
	assert_true(str_starts(err.msg, "t.json:1:65: nested"));
	buf_clear(&text);
	buf_str(&text, "[0");
	for (unsigned i = 2; i < YAML_NODES_MOST; i++)
		buf_str(&text, ",0");
	buf_char(&text, ']');
	assert_int_equal(parse(&arena, text.data, &root, &err), 1);
	assert_int_equal(root->weight, YAML_NODES_MOST);
	text.data[text.len - 1] = ',';
	buf_str(&text, "0]");
	assert_int_equal(parse(&arena, text.data, &root, &err), -1);
	assert_int_equal(err.code, ERR_TOO_BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_yaml_json__texts_mean_what_json_says),
		cmocka_unit_test(test_yaml_json__where_things_stand),
		cmocka_unit_test(test_yaml_json__what_is_left_to_yaml),
		cmocka_unit_test(test_yaml_json__caps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
