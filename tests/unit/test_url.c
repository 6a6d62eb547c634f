#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "codec/url.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static void test_url__three_ways_to_encode(void **state)
{
	static const struct {
		const char *text;
		const char *s3;
		const char *query;
		const char *cloudfront;
	} cases[] = {
		{ "a/b.html", "a/b.html", "a%2Fb.html", "a/b.html" },
		{ "AZaz09-._~", "AZaz09-._~", "AZaz09-._~", "AZaz09-._%7E" },
		{ "//../.", "//../.", "%2F%2F..%2F.", "//../." },
		{ " +%", "%20%2B%25", "%20%2B%25", "%20+%25" },
		{ "!$&'()*,:;=?@", "%21%24%26%27%28%29%2A%2C%3A%3B%3D%3F%40",
		  "%21%24%26%27%28%29%2A%2C%3A%3B%3D%3F%40", "!$&'()*,:;=%3F@" },
		{ "<>\"#{}|\\^[]`", "%3C%3E%22%23%7B%7D%7C%5C%5E%5B%5D%60",
		  "%3C%3E%22%23%7B%7D%7C%5C%5E%5B%5D%60",
		  "%3C%3E%22%23%7B%7D%7C%5C%5E%5B%5D%60" },
		{ "r\xc3\xa9\x01\x7f", "r%C3%A9%01%7F", "r%C3%A9%01%7F",
		  "r%C3%A9%01%7F" },
		{ "", "", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(buf) struct buf out = BUF_INIT(1000);
		size_t n = strlen(cases[i].text);

		url_encode_s3_key(cases[i].text, &out);
		assert_string_equal(out.data, cases[i].s3);
		buf_clear(&out);
		url_encode_query(cases[i].text, n, &out);
		assert_string_equal(out.data, cases[i].query);
		buf_clear(&out);
		url_encode_cloudfront(cases[i].text, n, &out);
		assert_string_equal(out.data, cases[i].cloudfront);
	}
}

static void test_url__all_bytes_come_back(void **state)
{
	void (*const encoders[])(const char *, size_t,
				 struct buf *) = { url_encode_query,
						   url_encode_cloudfront };
	char all[255];

	(void)state;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (char)(i + 1);
	for (size_t i = 0; i < COUNT(encoders); i++) {
		CLEANUP(buf) struct buf text = BUF_INIT(1000);
		CLEANUP(buf) struct buf back = BUF_INIT(1000);

		encoders[i](all, sizeof(all), &text);
		assert_true(url_decode(text.data, text.len, &back));
		assert_int_equal(back.len, sizeof(all));
		assert_memory_equal(back.data, all, sizeof(all));
	}
}

static void test_url__decode_refuses(void **state)
{
	static const char *const bad[] = {
		"%", "a%2", "%zz", "%2g", "%%20", "%00", "a%+1"
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		CLEANUP(buf) struct buf out = BUF_INIT(100);

		buf_str(&out, "kept");
		assert_false(url_decode(bad[i], strlen(bad[i]), &out));
		assert_string_equal(out.data, "kept");
	}
	{
		CLEANUP(buf) struct buf out = BUF_INIT(100);

		assert_false(url_decode("a\0b", 3, &out));
		assert_true(url_decode("a+%2b%252F", 10, &out));
		assert_string_equal(out.data, "a++%2F");
	}
}

static void test_url__parse(void **state)
{
	static const struct {
		const char *text;
		const char *scheme, *host, *authority;
		int port;
		const char *path, *query;
	} cases[] = {
		{ "https://example.com", "https", "example.com", "example.com", 443, "",
		  "" },
		{ "http://127.0.0.1:8080/a?b=c?d", "http", "127.0.0.1", "127.0.0.1:8080",
		  8080, "/a", "b=c?d" },
		{ "HTTPS://E.com:443/%41//..", "HTTPS", "E.com", "E.com:443", 443,
		  "/%41//..", "" },
		{ "http://[::1]:65535/", "http", "::1", "[::1]:65535", 65535, "/", "" },
		{ "http://[fe80::1]", "http", "fe80::1", "[fe80::1]", 80, "", "" },
		{ "http://h?q", "http", "h", "h", 80, "", "q" },
		{ "http://h/?", "http", "h", "h", 80, "/", "" },
		{ "http://h/a@b:c", "http", "h", "h", 80, "/a@b:c", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct url u;

		assert_true(url_parse(cases[i].text, &u));
		assert_int_equal(u.scheme_len, strlen(cases[i].scheme));
		assert_memory_equal(u.scheme, cases[i].scheme, u.scheme_len);
		assert_int_equal(u.host_len, strlen(cases[i].host));
		assert_memory_equal(u.host, cases[i].host, u.host_len);
		assert_int_equal(u.authority_len, strlen(cases[i].authority));
		assert_memory_equal(u.authority, cases[i].authority, u.authority_len);
		assert_int_equal(u.port, cases[i].port);
		assert_int_equal(u.path_len, strlen(cases[i].path));
		assert_memory_equal(u.path, cases[i].path, u.path_len);
		assert_string_equal(u.query, cases[i].query);
	}
}

static void test_url__parse_refuses(void **state)
{
	static const char *const bad[] = {
		"",
		"http",
		"http:",
		"http://",
		"http:///a",
		"//h/a",
		"/a",
		"ftp://h/",
		"file:///etc/passwd",
		"httpx://h",
		"http:/h",
		"https//h",
		"http://u@h/",
		"http://u:p@h/",
		"http://h#f",
		"http://h/#",
		"http://h/a b",
		" http://h",
		"http://h ",
		"http://h/\n",
		"http://h\r\nX: y",
		"http://h/\x7f",
		"http://h/\xc3\xa9",
		"http://h\xc3\xa9/",
		"http://h:",
		"http://h:/",
		"http://h:0/",
		"http://h:65536/",
		"http://h:123456/",
		"http://h:8a/",
		"http://h:-1/",
		"http://h:+1/",
		"http://[::1",
		"http://[]/",
		"http://[::1]x/",
		"http://[h]/",
		"http://::1/",
		"http://h\\@x/",
		"http://h%41/",
		"http://?q",
		"http://:80/",
		"http://h,i/",
	};
	struct url u = { .port = 7 };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (url_parse(bad[i], &u))
			fail_msg("accepted: %s", bad[i]);
	assert_int_equal(u.port, 7);
}

static void test_url__loopback(void **state)
{
	static const struct {
		const char *text;
		bool loopback;
	} cases[] = {
		{ "http://localhost/", true },
		{ "http://LocalHost:80", true },
		{ "http://127.0.0.1/", true },
		{ "http://127.255.1.2/", true },
		{ "http://[::1]:9/", true },
		{ "http://localhost.evil.com/", false },
		{ "http://127.0.0.1.evil.com", false },
		{ "http://127.0.0.256/", false },
		{ "http://127.0.0/", false },
		{ "http://127.1/", false },
		{ "http://127.0.0.1.1/", false },
		{ "http://1127.0.0.1/", false },
		{ "http://128.0.0.1/", false },
		{ "http://[::2]/", false },
		{ "http://[::1:1]/", false },
		{ "http://169.254.169.254/", false },
		{ "http://127.0.0./", false },
		{ "http://127.0.0.0001/", false },
		{ "http://127..0.1/", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct url u;

		assert_true(url_parse(cases[i].text, &u));
		if (url_is_loopback(&u) != cases[i].loopback)
			fail_msg("wrong: %s", cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_url__three_ways_to_encode),
		cmocka_unit_test(test_url__all_bytes_come_back),
		cmocka_unit_test(test_url__decode_refuses),
		cmocka_unit_test(test_url__parse),
		cmocka_unit_test(test_url__parse_refuses),
		cmocka_unit_test(test_url__loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
