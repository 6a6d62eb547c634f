#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "codec/gzip.h"

/* The same text, compressed by another program: header with a name, then the text. */
static const unsigned char named[] = { 0x1f, 0x8b, 0x08, 0x08, 0x00, 0x00, 0x00,
				       0x00, 0x00, 0x03, 0x61, 0x00, 0xcb, 0x48,
				       0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x86, 0xa6,
				       0x10, 0x36, 0x05, 0x00, 0x00, 0x00 };

static void expect_failure(const void *p, size_t n, size_t max, enum error_code code)
{
	CLEANUP(buf) struct buf out = BUF_INIT(max);
	struct error err = ERROR_INIT;

	assert_int_equal(gzip_decompress(p, n, &out, &err), -1);
	assert_int_equal(err.code, code);
	assert_true(out.len <= max);
}

static void test_gzip__round_trip(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, 16383, 16384, 16385, 300000 };
	char *text = malloc(300000);
	uint32_t seed = 1;

	(void)state;
	for (size_t i = 0; i < 300000; i++) {
		seed = seed * 1664525 + 1013904223;
		text[i] = (char)(i % 1000 < 500 ? 'a' : seed >> 24);
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		CLEANUP(buf) struct buf packed = BUF_INIT(1 << 20);
		CLEANUP(buf) struct buf again = BUF_INIT(1 << 20);
		CLEANUP(buf) struct buf back = BUF_INIT(1 << 20);
		struct error err = ERROR_INIT;

		gzip_compress(text, sizes[i], &packed);
		gzip_compress(text, sizes[i], &again);
		assert_int_equal(packed.len, again.len);
		assert_memory_equal(packed.data, again.data, packed.len);
		assert_int_equal(gzip_decompress(packed.data, packed.len, &back, &err),
				 0);
		assert_int_equal(back.len, sizes[i]);
		assert_memory_equal(back.data, text, sizes[i]);
	}
	free(text);
}

static void test_gzip__empty_header(void **state)
{
	CLEANUP(buf) struct buf packed = BUF_INIT(1000);
	static const unsigned char start[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0 };

	(void)state;
	gzip_compress("x", 1, &packed);
	assert_memory_equal(packed.data, start, sizeof(start));
}

static void test_gzip__members_follow_each_other(void **state)
{
	CLEANUP(buf) struct buf packed = BUF_INIT(1000);
	CLEANUP(buf) struct buf out = BUF_INIT(1000);
	struct error err = ERROR_INIT;

	(void)state;
	buf_add(&packed, named, sizeof(named));
	gzip_compress("", 0, &packed);
	gzip_compress(", world", 7, &packed);
	buf_str(&out, "> ");
	assert_int_equal(gzip_decompress(packed.data, packed.len, &out, &err), 0);
	assert_string_equal(out.data, "> hello, world");
}

static void test_gzip__every_cut_is_seen(void **state)
{
	CLEANUP(buf) struct buf packed = BUF_INIT(1000);

	(void)state;
	for (size_t n = 0; n < sizeof(named); n++)
		expect_failure(named, n, 100, ERR_DATA);
	gzip_compress("first", 5, &packed);
	for (size_t n = 1; n < sizeof(named); n++) {
		size_t whole = packed.len;

		buf_add(&packed, named, n);
		expect_failure(packed.data, packed.len, 100, ERR_DATA);
		buf_truncate(&packed, whole);
	}
}

static void test_gzip__damage_is_seen(void **state)
{
	unsigned char copy[sizeof(named) + 1];

	(void)state;
	/* Nothing guards the header, nor the bits between the text and its sum. */
	for (size_t i = 12; i < sizeof(named); i++) {
		memcpy(copy, named, sizeof(named));
		copy[i] ^= 0x01;
		expect_failure(copy, sizeof(named), 100, ERR_DATA);
	}
	memcpy(copy, named, sizeof(named));
	copy[sizeof(named)] = 0;
	expect_failure(copy, sizeof(copy), 100, ERR_DATA);
	expect_failure("plain text, not packed", 22, 100, ERR_DATA);
}

static void test_gzip__a_bomb_ends_at_the_maximum(void **state)
{
	CLEANUP(buf) struct buf packed = BUF_INIT(1 << 20);
	char *zeros = calloc(1, 10 << 20);

	(void)state;
	gzip_compress(zeros, 10 << 20, &packed);
	free(zeros);
	assert_true(packed.len < 20000);
	expect_failure(packed.data, packed.len, 1 << 20, ERR_TOO_BIG);
	expect_failure(named, sizeof(named), 4, ERR_TOO_BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gzip__round_trip),
		cmocka_unit_test(test_gzip__empty_header),
		cmocka_unit_test(test_gzip__members_follow_each_other),
		cmocka_unit_test(test_gzip__every_cut_is_seen),
		cmocka_unit_test(test_gzip__damage_is_seen),
		cmocka_unit_test(test_gzip__a_bomb_ends_at_the_maximum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
