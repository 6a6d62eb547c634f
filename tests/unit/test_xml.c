#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "codec/xml.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static const struct xml_node *parse(const char *text, struct arena *arena)
{
	const struct xml_node *root = NULL;
	struct error err = ERROR_INIT;

	if (xml_parse(text, strlen(text), arena, &root, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return root;
}

static void test_xml__reads_a_page(void **state)
{
	CLEANUP(arena) struct arena a = ARENA_INIT;
	const struct xml_node *root = parse(
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<s:ListBucketResult xmlns:s=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
		"<Contents><Key>a</Key><ETag>&quot;1&quot;</ETag></Contents>"
		"<Prefix/>\n"
		"<Contents x='y'><Key>b</Key></Contents><!-- no -->"
		"<IsTruncated>false</IsTruncated></s:ListBucketResult>\n",
		&a);
	const struct xml_node *c = xml_child(root, "Contents");

	(void)state;
	assert_string_equal(xml_name(root), "ListBucketResult");
	assert_string_equal(xml_get(c, "Key"), "a");
	assert_string_equal(xml_get(c, "ETag"), "\"1\"");
	assert_string_equal(xml_name(xml_sibling(c)), "Prefix");
	assert_string_equal(xml_text(xml_sibling(c)), "");
	c = xml_next(c);
	assert_string_equal(xml_get(c, "Key"), "b");
	assert_null(xml_get(c, "ETag"));
	assert_null(xml_next(c));
	assert_ptr_equal(xml_child(root, NULL), xml_child(root, "Contents"));
	assert_string_equal(xml_get(root, "IsTruncated"), "false");
	assert_null(xml_next(NULL));
	assert_null(xml_sibling(NULL));
	assert_null(xml_name(NULL));
	assert_null(xml_get(xml_child(root, "No"), "Key"));
}

static void test_xml__text_is_exact(void **state)
{
	static const char *const cases[][2] = {
		{ "<a> x  y </a>", " x  y " },
		{ "<a>\r\n</a>", "\n" },
		{ "<a>&#13;&#10;&#9;&#xe9;</a>", "\r\n\t\xc3\xa9" },
		{ "<a>&lt;&amp;&gt;&apos;</a>", "<&>'" },
		{ "<a><![CDATA[<b>&amp;]]></a>", "<b>&amp;" },
		{ "<a>1<b>x<c>y</c></b>2<b/>3</a>", "123" },
		{ "<a></a>", "" },
		{ "<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>", "\xc3\xa9" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(arena) struct arena a = ARENA_INIT;

		assert_string_equal(xml_text(parse(cases[i][0], &a)), cases[i][1]);
	}
}

static void expect_failure(const char *text, size_t n, enum error_code code)
{
	CLEANUP(arena) struct arena a = ARENA_INIT;
	const struct xml_node *root = NULL;
	struct error err = ERROR_INIT;

	if (xml_parse(text, n, &a, &root, &err) == 0)
		fail_msg("accepted: %s", text);
	if (err.code != code)
		fail_msg("%s: %s", text, err.msg);
	assert_null(root);
}

static void test_xml__refuses(void **state)
{
	static const struct {
		const char *name;
		const char *text;
	} cases[] = {
		{ "empty", "" },
		{ "no element", "  " },
		{ "HTML", "<html><body><br></body></html>" },
		{ "JSON", "{\"a\":1}" },
		{ "two roots", "<a/><b/>" },
		{ "not closed", "<a><b></b>" },
		{ "crossed", "<a><b></a></b>" },
		{ "not UTF-8", "<a>\xff</a>" },
		{ "control character", "<a>\x01</a>" },
		{ "its reference", "<a>&#1;</a>" },
		{ "NUL's reference", "<a>&#0;</a>" },
		{ "unknown entity", "<a>&x;</a>" },
		{ "document type", "<!DOCTYPE a><a/>" },
		{ "outside", "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>" },
		{ "outside entity",
		  "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>" },
		{ "billion laughs",
		  "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">"
		  "<!ENTITY c \"&b;&b;&b;\">]><l>&c;</l>" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_failure(cases[i].text, strlen(cases[i].text), ERR_DATA);
	expect_failure("<a>\0</a>", 8, ERR_DATA);
	expect_failure("<a", XML_BYTES_MAX + (size_t)1, ERR_TOO_BIG);
}

static void test_xml__every_cut_is_seen(void **state)
{
	static const char text[] =
		"<?xml version=\"1.0\"?><r><k a='b'>x&amp;y</k><e/></r>";

	(void)state;
	for (size_t n = 0; n < strlen(text); n++)
		expect_failure(text, n, ERR_DATA);
}

static void put_nested(struct buf *out, int depth)
{
	for (int i = 0; i < depth; i++)
		xml_open(out, "a", NULL);
	for (int i = 0; i < depth; i++)
		xml_close(out, "a");
}

static void test_xml__depth_and_number_are_capped(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT(XML_BYTES_MAX);
	CLEANUP(arena) struct arena a = ARENA_INIT;

	(void)state;
	put_nested(&text, XML_DEPTH_MAX);
	parse(text.data, &a);
	buf_clear(&text);
	put_nested(&text, XML_DEPTH_MAX + 1);
	expect_failure(text.data, text.len, ERR_TOO_BIG);
	buf_clear(&text);
	buf_str(&text, "<r>");
	for (int i = 0; i < XML_NODES_MAX; i++)
		buf_str(&text, "<a/>");
	buf_str(&text, "</r>");
	expect_failure(text.data, text.len, ERR_TOO_BIG);
}

static void test_xml__can_carry(void **state)
{
	static const struct {
		const char *text;
		bool can;
	} cases[] = {
		{ "", true },
		{ "a\tb\nc\rd", true },
		{ "\x7f r\xc3\xa9", true },
		{ "\xf0\x9f\x9a\x80", true },
		{ "a\x01", false },
		{ "\x1b[0m", false },
		{ "\x1f", false },
		{ "\xff", false },
		{ "\xed\xa0\x80", false },
		{ "\xef\xbf\xbe", false },
		{ "x\xef\xbf\xbf", false },
		{ "\xef\xbf\xbd", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(xml_can_carry(cases[i].text), cases[i].can);
}

static void test_xml__writes(void **state)
{
	CLEANUP(buf) struct buf out = BUF_INIT(1000);

	(void)state;
	xml_open(&out, "Delete", "http://a/?b&c");
	xml_element(&out, "Key", "a<b>&\"'\r]]>");
	xml_element(&out, "Quiet", "");
	xml_close(&out, "Delete");
	assert_string_equal(
		out.data,
		"<Delete xmlns=\"http://a/?b&amp;c\"><Key>a&lt;b&gt;&amp;&quot;'"
		"&#13;]]&gt;</Key><Quiet></Quiet></Delete>");
}

static void test_xml__what_is_carried_comes_back(void **state)
{
	CLEANUP(buf) struct buf out = BUF_INIT(1000);
	CLEANUP(arena) struct arena a = ARENA_INIT;
	char text[100] = "\t\n\r\r\n \xc2\x85\xe2\x80\xa8\xf0\x9f\x9a\x80";
	size_t n = strlen(text);

	(void)state;
	for (int c = ' '; c < 0x7f && n < sizeof(text) - 1; c++)
		text[n++] = (char)c;
	assert_true(xml_can_carry(text));
	xml_element(&out, "k", text);
	assert_string_equal(xml_text(parse(out.data, &a)), text);
	/* The rest is refused by whoever reads it. */
	for (int c = 1; c < ' '; c++) {
		char bad[] = { (char)c, '\0' };

		buf_clear(&out);
		xml_element(&out, "k", bad);
		if (!xml_can_carry(bad))
			expect_failure(out.data, out.len, ERR_DATA);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_xml__reads_a_page),
		cmocka_unit_test(test_xml__text_is_exact),
		cmocka_unit_test(test_xml__refuses),
		cmocka_unit_test(test_xml__every_cut_is_seen),
		cmocka_unit_test(test_xml__depth_and_number_are_capped),
		cmocka_unit_test(test_xml__can_carry),
		cmocka_unit_test(test_xml__writes),
		cmocka_unit_test(test_xml__what_is_carried_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
