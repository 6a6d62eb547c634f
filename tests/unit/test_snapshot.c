#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "core/snapshot.h"

static void test_snapshot__ids_in_hex(void **state)
{
	static const char hex[] = "0123456789abcdef0123456789abcdef01234567";
	static const char *const wrong[] = {
		"",
		"0123456789abcdef0123456789abcdef0123456",
		"0123456789abcdef0123456789abcdef012345678",
		"0123456789abcdef0123456789abcdef0123456g",
		" 123456789abcdef0123456789abcdef01234567",
		"0x23456789abcdef0123456789abcdef01234567",
	};
	char out[OID_HEX_SIZE];
	struct oid id;

	(void)state;
	assert_true(oid_from_hex(hex, &id));
	assert_int_equal(id.bytes[0], 0x01);
	assert_int_equal(id.bytes[19], 0x67);
	assert_ptr_equal(oid_hex(&id, out), out);
	assert_string_equal(out, hex);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_false(oid_from_hex(wrong[i], &id));
}

static void test_snapshot__ids_compared(void **state)
{
	struct oid zero = { { 0 } };
	struct oid first = { { 1 } };
	struct oid last = { { 0 } };

	(void)state;
	last.bytes[19] = 1;
	assert_true(oid_is_zero(&zero));
	assert_false(oid_is_zero(&first));
	assert_false(oid_is_zero(&last));
	assert_true(oid_equal(&first, &first));
	assert_false(oid_equal(&zero, &last));
	assert_false(oid_equal(&first, &last));
}

/* In the order of bytes, as git and S3 have it, whatever order they came in. */
static void test_snapshot__sorted_by_bytes(void **state)
{
	static const char *const sorted[] = { "A",
					      "Z",
					      "a",
					      "a b",
					      "a-b",
					      "a.b",
					      "a/b",
					      "a0",
					      "ab",
					      "b",
					      "\xC3\xA9",
					      "\xE2\x82\xAC",
					      "\xF0\x9F\x9A\x80" };
	enum { N = sizeof(sorted) / sizeof(*sorted) };

	(void)state;
	for (unsigned step = 1; step < N; step++) {
		CLEANUP(snapshot) struct snapshot s = { 0 };

		for (unsigned i = 0; i < N; i++) /* N is a prime */
			snapshot_push(&s, (struct entry){ .path = sorted[i * step % N] });
		snapshot_sort(&s);
		for (unsigned i = 0; i < N; i++)
			assert_string_equal(s.items[i].path, sorted[i]);
	}
}

static void test_snapshot__finds_what_is_there(void **state)
{
	CLEANUP(snapshot) struct snapshot s = { 0 };
	CLEANUP(arena) struct arena arena = ARENA_INIT;

	(void)state;
	snapshot_sort(&s);
	assert_null(snapshot_find(&s, "a"));
	for (unsigned i = 0; i < 1000; i++) {
		struct entry e = { .path = arena_printf(&arena, "f%u", i * 7919 % 1000),
				   .headers_id = i * 7919 % 1000 };

		snapshot_push(&s, e);
	}
	snapshot_sort(&s);
	for (unsigned i = 0; i < 1000; i++) {
		char path[16];

		snprintf(path, sizeof(path), "f%u", i);
		assert_int_equal(snapshot_find(&s, path)->headers_id, i);
		snprintf(path, sizeof(path), "f%u.", i);
		assert_null(snapshot_find(&s, path));
	}
	assert_null(snapshot_find(&s, ""));
	assert_null(snapshot_find(&s, "f"));
	assert_null(snapshot_find(&s, "z"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_snapshot__ids_in_hex),
		cmocka_unit_test(test_snapshot__ids_compared),
		cmocka_unit_test(test_snapshot__sorted_by_bytes),
		cmocka_unit_test(test_snapshot__finds_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
