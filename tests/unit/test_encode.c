#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "codec/encode.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static void test_encode__hex(void **state)
{
	static const char *const bad[] = { "",      "0",      "00f",  "00fg",
					   "00ff0", "00ff00", "0x00", " 00f" };
	unsigned char bytes[2] = { 0x00, 0xFF };
	char hex[5];

	(void)state;
	encode_hex(bytes, 2, hex);
	assert_string_equal(hex, "00ff");
	memset(bytes, 7, 2);
	assert_true(decode_hex("00fF", 2, bytes));
	assert_int_equal(bytes[0], 0);
	assert_int_equal(bytes[1], 0xFF);
	assert_true(decode_hex("", 0, bytes));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(decode_hex(bad[i], 2, bytes));
}

/* RFC 4648, section 10. */
static void test_encode__base64_vectors(void **state)
{
	static const char *const cases[][2] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP(buf) struct buf text = BUF_INIT(100);
		CLEANUP(buf) struct buf bytes = BUF_INIT(100);

		encode_base64(cases[i][0], strlen(cases[i][0]), &text);
		assert_string_equal(text.data, cases[i][1]);
		assert_true(decode_base64(text.data, text.len, &bytes));
		assert_string_equal(bytes.data, cases[i][0]);
	}
}

static void test_encode__base64_keeps_every_byte(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT(1000);
	CLEANUP(buf) struct buf bytes = BUF_INIT(1000);
	unsigned char all[256];

	(void)state;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (unsigned char)i;
	encode_base64(all, sizeof(all), &text);
	assert_non_null(strchr(text.data, '+'));
	assert_non_null(strchr(text.data, '/'));
	assert_true(decode_base64(text.data, text.len, &bytes));
	assert_int_equal(bytes.len, sizeof(all));
	assert_memory_equal(bytes.data, all, sizeof(all));
}

static void test_encode__base64_refuses(void **state)
{
	static const struct {
		const char *name;
		const char *text;
	} bad[] = {
		{ "no padding", "Zg" },
		{ "half of it", "Zg=" },
		{ "too much", "Z===" },
		{ "only padding", "====" },
		{ "padding inside", "Zg==Zm8=" },
		{ "line end", "Zm9v\n" },
		{ "space", "Zm 9" },
		{ "URL alphabet", "_-_-" },
		{ "stray bits", "Zh==" },
		{ "stray bits, one pad", "Zm9=" },
		{ "beyond ASCII", "\xc3\xa9Zm" },
		{ "padding first", "=m9v" },
		{ "late", "Zm9vZm9vZm9*" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		CLEANUP(buf) struct buf out = BUF_INIT(100);

		buf_str(&out, "kept");
		if (decode_base64(bad[i].text, strlen(bad[i].text), &out))
			fail_msg("accepted: %s", bad[i].name);
		assert_string_equal(out.data, "kept");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode__hex),
		cmocka_unit_test(test_encode__base64_vectors),
		cmocka_unit_test(test_encode__base64_keeps_every_byte),
		cmocka_unit_test(test_encode__base64_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
