/* Text on its way into a page: html.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "daemon/html.h"

#define BAD "\xef\xbf\xbd"

static void test_html__text(void **state)
{
	static const struct {
		const char *text, *html;
	} cases[] = {
		{ "plain", "plain" },
		{ "<script>alert('x')</script>&\"",
		  "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;" },
		{ "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x9a\x80",
		  "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x9a\x80" },
		{ "a\x01"
		  "b\x1b[31m\x7f",
		  "a" BAD "b" BAD "[31m" BAD },
		{ "\xc3", BAD },
		{ "\xc3<", BAD "&lt;" },
		{ "\xe2\x82", BAD BAD },
		{ "\xff\xfe", BAD BAD },
		{ "\xc0\xbc"
		  "script",
		  BAD BAD "script" },
		{ "line\n\tnext", "line\n\tnext" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CLEANUP(buf) struct buf out = BUF_INIT(1000);

		html_text(&out, cases[i].text);
		assert_string_equal(out.data, cases[i].html);
	}
}

static void test_html__time(void **state)
{
	static const struct {
		int64_t ago_ms;
		const char *words;
	} cases[] = {
		{ 0, "just now" },
		{ -5000, "just now" },
		{ 1999, "just now" },
		{ 2000, "2 seconds ago" },
		{ 60000, "1 minute ago" },
		{ 3599000, "59 minutes ago" },
		{ 3600000, "1 hour ago" },
		{ 47LL * 3600000, "47 hours ago" },
		{ 48LL * 3600000, "2 days ago" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CLEANUP(buf) struct buf out = BUF_INIT(1000), wanted = BUF_INIT(1000);

		html_time(&out, 1764000000000, 1764000000000 + cases[i].ago_ms);
		buf_printf(&wanted,
			   "<time datetime=\"2025-11-24T16:00:00Z\" "
			   "title=\"2025-11-24T16:00:00Z\">%s</time>",
			   cases[i].words);
		assert_string_equal(out.data, wanted.data);
	}
}

static void test_html__amounts(void **state)
{
	CLEANUP(buf) struct buf out = BUF_INIT(1000);

	(void)state;
	html_duration(&out, 840);
	buf_char(&out, '|');
	html_duration(&out, 125000);
	buf_char(&out, '|');
	html_duration(&out, 7380000);
	buf_char(&out, '|');
	html_duration(&out, -1);
	buf_char(&out, '|');
	html_bytes(&out, 1023);
	buf_char(&out, '|');
	html_bytes(&out, 1536);
	buf_char(&out, '|');
	html_bytes(&out, (int64_t)5 << 20);
	assert_string_equal(out.data,
			    "0.8 s|2 min 5 s|2 h 3 min|0.0 s|1023 B|1.5 KiB|5.0 MiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_html__text),
		cmocka_unit_test(test_html__time),
		cmocka_unit_test(test_html__amounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
