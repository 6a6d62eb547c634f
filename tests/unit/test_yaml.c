#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "codec/yaml.h"

static const struct yaml_node *parse(struct arena *arena, const char *text)
{
	struct error err = ERROR_INIT;
	const struct yaml_node *root = NULL;

	if (yaml_parse(arena, "t.yml", text, strlen(text), &root, &err) < 0)
		fail_msg("%s", err.msg);
	return root;
}

/* The bytes of the text that a scalar says it was written with. */
static void assert_written(const char *text, const struct yaml_node *node, const char *as)
{
	assert_non_null(node);
	assert_true(node->start <= node->end && node->end <= strlen(text));
	if (node->end - node->start != strlen(as) ||
	    memcmp(text + node->start, as, strlen(as)) != 0)
		fail_msg("%.*s is not %s", (int)(node->end - node->start),
			 text + node->start, as);
}

static void test_yaml__scalars_stay_text(void **state)
{
	static const struct {
		const char *yaml;
		const char *text;
		enum yaml_style style;
		const char *tag;
		bool null;
	} cases[] = {
		{ "true", "true", YAML_PLAIN, "", false },
		{ "7d", "7d", YAML_PLAIN, "", false },
		{ "0123", "0123", YAML_PLAIN, "", false },
		{ "\"0123\"", "0123", YAML_DOUBLE_QUOTED, "", false },
		{ "'a''b'", "a'b", YAML_SINGLE_QUOTED, "", false },
		{ "!output a.B", "a.B", YAML_PLAIN, "!output", false },
		{ "!env X", "X", YAML_PLAIN, "!env", false },
		{ "!!str 7", "7", YAML_PLAIN, "tag:yaml.org,2002:str", false },
		{ "|\n  a\n  b\n", "a\nb\n", YAML_LITERAL, "", false },
		{ ">-\n  a\n  b\n", "a b", YAML_FOLDED, "", false },
		{ "~", "~", YAML_PLAIN, "", true },
		{ "", "", YAML_PLAIN, "", true },
		{ "''", "", YAML_SINGLE_QUOTED, "", false },
		{ "!env", "", YAML_PLAIN, "!env", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(arena) struct arena arena = ARENA_INIT;
		char *yaml = arena_printf(&arena, "key: %s", cases[i].yaml);
		const struct yaml_node *node = yaml_get(parse(&arena, yaml), "key");

		assert_string_equal(yaml_text(node), cases[i].text);
		assert_int_equal(node->style, cases[i].style);
		assert_string_equal(node->tag, cases[i].tag);
		assert_int_equal(yaml_is_null(node), cases[i].null);
	}
}

static void test_yaml__places_are_lines_columns_and_bytes(void **state)
{
	static const char text[] = "# r\xC3\xA9sum\xC3\xA9 \xF0\x9F\x9A\x80\r\n"
				   "name: \"\xC3\xBC\xE2\x82\xAC\" # \xE2\x82\xAC\r\n"
				   "list: [\xC3\xA4, 'b c', !Sub \"${x}\"]\n"
				   "\xC3\xB6: !GetAtt &anchor # a comment: 'no'\n"
				   "  plain text\n"
				   "block: |\n"
				   "  \xF0\x9F\x9A\x80\n"
				   "last: *anchor\n"
				   "none:\n"
				   "end: x";
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	const struct yaml_node *root = parse(&arena, text);
	const struct yaml_node *list = yaml_get(root, "list");
	const struct yaml_node *none = yaml_get(root, "none");

	(void)state;
	assert_written(text, yaml_get(root, "name"), "\"\xC3\xBC\xE2\x82\xAC\"");
	assert_int_equal(yaml_get(root, "name")->line, 2);
	assert_int_equal(yaml_get(root, "name")->column, 7);
	assert_written(text, list->items[0], "\xC3\xA4");
	assert_written(text, list->items[1], "'b c'");
	assert_int_equal(list->items[1]->column, 11);
	assert_written(text, list->items[2], "\"${x}\"");
	assert_int_equal(list->items[2]->column, 18);
	assert_string_equal(list->items[2]->tag, "!Sub");
	assert_written(text, yaml_get(root, "\xC3\xB6"), "plain text");
	assert_written(text, yaml_get(root, "block"), "|\n  \xF0\x9F\x9A\x80\n");
	assert_ptr_equal(yaml_get(root, "last"), yaml_get(root, "\xC3\xB6"));
	assert_int_equal(none->start, none->end);
	assert_written(text, yaml_get(root, "end"), "x");
	assert_written(text, root->pairs[6].key, "end");
	assert_int_equal(root->pairs[6].key->line, 10);
}

/* Splices at every scalar of a long text that changes the widths of its characters. */
static void test_yaml__offsets_hold_in_long_texts(void **state)
{
	static const char *const words[] = { "a", "\xC3\xA9", "\xE2\x82\xAC",
					     "\xF0\x9F\x9A\x80" };
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 20);
	const struct yaml_node *root;

	(void)state;
	for (unsigned i = 0; i < 2000; i++)
		buf_printf(&text, "- %s%s%u\n", words[i % 4], words[i / 4 % 4], i);
	root = parse(&arena, text.data);
	assert_int_equal(root->len, 2000);
	for (size_t i = 0; i < root->len; i++)
		assert_written(text.data, root->items[i], root->items[i]->text);
}

static void test_yaml__a_byte_order_mark_counts_in_bytes_only(void **state)
{
	static const char text[] = "\xEF\xBB\xBF"
				   "a: b";
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	const struct yaml_node *root = parse(&arena, text);

	(void)state;
	assert_string_equal(root->pairs[0].key->text, "a");
	assert_int_equal(root->pairs[0].key->column, 1);
	assert_written(text, root->pairs[0].value, "b");
}

static void test_yaml__merge_keys(void **state)
{
	static const char text[] = "base: &base {a: 1, b: 2}\n"
				   "more: &more {b: 3, c: 4}\n"
				   "one: {<<: *base, b: own}\n"
				   "two:\n"
				   "  z: 0\n"
				   "  <<: [*more, *base]\n"
				   "text: {'<<': kept}\n";
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	const struct yaml_node *root = parse(&arena, text);
	const struct yaml_node *one = yaml_get(root, "one");
	const struct yaml_node *two = yaml_get(root, "two");

	(void)state;
	assert_int_equal(one->len, 2);
	assert_string_equal(yaml_text(yaml_get(one, "a")), "1");
	assert_string_equal(yaml_text(yaml_get(one, "b")), "own");
	assert_int_equal(two->len, 4);
	assert_string_equal(two->pairs[0].key->text, "z");
	assert_false(two->pairs[0].is_merged);
	assert_true(two->pairs[1].is_merged);
	assert_string_equal(yaml_text(yaml_get(two, "b")), "3");
	assert_string_equal(yaml_text(yaml_get(two, "a")), "1");
	assert_string_equal(yaml_text(yaml_get(yaml_get(root, "text"), "<<")), "kept");
}

/* What is merged may be as long as what merges it. */
static void test_yaml__own_keys_win_over_a_single_merged_one(void **state)
{
	static const char text[] = "base: &base {a: 1}\n"
				   "own: {<<: *base, a: 2}\n"
				   "later: {a: 2, <<: *base}\n";
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	const struct yaml_node *root = parse(&arena, text);

	(void)state;
	for (size_t i = 1; i < 3; i++) {
		const struct yaml_node *map = root->pairs[i].value;

		assert_int_equal(map->len, 1);
		assert_string_equal(yaml_text(map->pairs[0].value), "2");
		assert_string_equal(yaml_text(yaml_get(map, "a")), "2");
	}
}

static void test_yaml__empty_documents_have_no_root(void **state)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;

	(void)state;
	assert_null(parse(&arena, ""));
	assert_null(parse(&arena, "# only a comment\n"));
	assert_null(yaml_get(NULL, "a"));
	assert_null(yaml_text(NULL));
}

static void test_yaml__refusals(void **state)
{
	static const struct {
		const char *text;
		enum error_code code;
		const char *message;
	} cases[] = {
		{ "a: 1\nb: 2\na: 3\n", ERR_DATA,
		  "t.yml:3:1: key \"a\" is there twice, first in line 1" },
		{ "x: {a: 1, \"a\": 3}\n", ERR_DATA,
		  "t.yml:1:11: key \"a\" is there twice, first in line 1" },
		{ "\"a\\n\\x7F\\e[2J\": 1\n\"a\\n\\x7F\\e[2J\": 2\n", ERR_DATA,
		  "t.yml:2:1: key \"a???[2J\" is there twice, first in line 1" },
		{ "a: 1\n---\nb: 2\n", ERR_UNSUPPORTED,
		  "t.yml:2:1: a second document: one is all that is read" },
		{ "a:\n\t- b\n", ERR_DATA,
		  "t.yml:2:1: found character that cannot start any token: indent with "
		  "spaces, not with tabs" },
		{ "a: *.pdf\n", ERR_DATA,
		  "t.yml:1:5: did not find expected alphabetic or numeric character: a value "
		  "that starts with this character needs quotes" },
		{ "a: @b\n", ERR_DATA,
		  "t.yml:1:4: found character that cannot start any token: a value that starts "
		  "with this character needs quotes" },
		{ "a: *b\n", ERR_DATA,
		  "t.yml:1:4: no anchor &b is before this alias; a value that starts with '*' "
		  "needs quotes" },
		{ "a: &a [*a]\n", ERR_DATA,
		  "t.yml:1:8: alias *a is inside of what it stands for" },
		{ "a: [1, 2\n", ERR_DATA, "t.yml:2:1: did not find expected ',' or ']'" },
		{ "[a]: b\n", ERR_UNSUPPORTED, "t.yml:1:1: a key must be a text" },
		{ "a: \"x\\0y\"\n", ERR_UNSUPPORTED, "t.yml:1:4: a NUL in a text" },
		{ "a: 1\nb: {<<: 7}\n", ERR_DATA,
		  "t.yml:2:5: \"<<\" merges mappings only" },
		{ "a: \xC3\xA9\nb: \xFF\n", ERR_DATA,
		  "t.yml:2:4: invalid leading UTF-8 octet (0xFF)" },
		{ "a: \x01\n", ERR_DATA,
		  "t.yml:1:4: control characters are not allowed (0x01)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(arena) struct arena arena = ARENA_INIT;
		struct error err = ERROR_INIT;
		const struct yaml_node *root;

		assert_int_equal(yaml_parse(&arena, "t.yml", cases[i].text,
					    strlen(cases[i].text), &root, &err),
				 -1);
		assert_string_equal(err.msg, cases[i].message);
		assert_int_equal(err.code, cases[i].code);
	}
}

static void assert_too_big(const char *text)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	struct error err = ERROR_INIT;
	const struct yaml_node *root;

	assert_int_equal(yaml_parse(&arena, "t.yml", text, strlen(text), &root, &err),
			 -1);
	assert_int_equal(err.code, ERR_TOO_BIG);
}

static void test_yaml__caps(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT(4 << 20);

	(void)state;
	for (unsigned i = 0; i < 65; i++)
		buf_char(&text, '[');
	assert_too_big(text.data);
	buf_clear(&text);
	for (unsigned i = 0; i < 1001; i++)
		buf_printf(&text, "- &a%u x\n", i);
	assert_too_big(text.data);
	buf_clear(&text);
	for (unsigned i = 0; i < 1 << 20; i++)
		buf_char(&text, ' ');
	buf_char(&text, ' ');
	assert_too_big(text.data);
}

/* A thousand million laughs in ten lines; by aliases in lists, and by merging. */
static void test_yaml__aliases_do_not_multiply(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 20);

	(void)state;
	buf_str(&text, "- &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (unsigned i = 1; i < 10; i++) {
		buf_printf(&text, "- &a%u [", i);
		for (unsigned k = 0; k < 10; k++)
			buf_printf(&text, "*a%u, ", i - 1);
		buf_str(&text, "]\n");
	}
	assert_too_big(text.data);
	buf_clear(&text);
	buf_str(&text, "- &m {");
	for (unsigned i = 0; i < 1000; i++)
		buf_printf(&text, "k%u: v, ", i);
	buf_str(&text, "}\n- <<: [");
	for (unsigned i = 0; i < 100; i++)
		buf_str(&text, "*m, ");
	buf_str(&text, "]\n");
	assert_too_big(text.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_yaml__scalars_stay_text),
		cmocka_unit_test(test_yaml__places_are_lines_columns_and_bytes),
		cmocka_unit_test(test_yaml__offsets_hold_in_long_texts),
		cmocka_unit_test(test_yaml__a_byte_order_mark_counts_in_bytes_only),
		cmocka_unit_test(test_yaml__merge_keys),
		cmocka_unit_test(test_yaml__own_keys_win_over_a_single_merged_one),
		cmocka_unit_test(test_yaml__empty_documents_have_no_root),
		cmocka_unit_test(test_yaml__refusals),
		cmocka_unit_test(test_yaml__caps),
		cmocka_unit_test(test_yaml__aliases_do_not_multiply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
