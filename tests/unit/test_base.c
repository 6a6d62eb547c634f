#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/str.h"

static void test_error__wrap_prepends_and_keeps_the_code(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(error_set(&err, ERR_FORBIDDEN, "403 %s", "AccessDenied"), -1);
	assert_int_equal(error_wrap(&err, "put %s", "index.html"), -1);
	assert_string_equal(err.msg, "put index.html: 403 AccessDenied");
	assert_int_equal(error_exit_status(err.code), 3);
}

static void test_error__long_messages_are_cut_not_overrun(void **state)
{
	struct error err = ERROR_INIT;
	char long_text[3000];

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	error_set(&err, ERR_IO, "%s", long_text);
	error_wrap(&err, "%s", long_text);
	assert_int_equal(strlen(err.msg), ERROR_MSG_MAX - 1);
}

static void test_buf__overflow_is_sticky(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT(8);
	struct error err = ERROR_INIT;

	(void)state;
	assert_string_equal(b.data, "");
	buf_str(&b, "1234");
	buf_str(&b, "56789");
	buf_str(&b, "5");
	assert_string_equal(b.data, "1234");
	assert_int_equal(buf_check(&b, "test", &err), -1);
	assert_int_equal(err.code, ERR_TOO_BIG);
	buf_clear(&b);
	buf_printf(&b, "%d-%s", 12, "abcde");
	assert_string_equal(b.data, "12-abcde");
	assert_int_equal(buf_check(&b, "test", &err), 0);
}

static void test_buf__take_leaves_it_empty(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT(100);
	char *taken;

	(void)state;
	buf_str(&b, "kept");
	taken = buf_take(&b);
	assert_string_equal(taken, "kept");
	assert_int_equal(b.len, 0);
	free(taken);
}

static void test_arena__pieces_do_not_overlap(void **state)
{
	CLEANUP(arena) struct arena a = ARENA_INIT;
	char *strings[2000];

	(void)state;
	for (int i = 0; i < 2000; i++) {
		uint64_t *n = arena_alloc(&a, sizeof(*n));

		assert_int_equal((uintptr_t)n % sizeof(*n), 0);
		assert_int_equal(*n, 0);
		*n = UINT64_MAX;
		strings[i] = i % 2 ? arena_printf(&a, "string %d", i)
				   : arena_concat(&a, "string ",
						  arena_printf(&a, "%d", i));
	}
	for (int i = 0; i < 2000; i++)
		assert_int_equal(atoi(strings[i] + 7), i);
	assert_non_null(arena_alloc(&a, 5 << 20));
}

static void test_str__numbers_are_strict(void **state)
{
	static const char *const bad[] = { "",   "-",   "+1",  " 1",
					   "1 ", "1.0", "0x1", "9223372036854775808",
					   "101" };
	int64_t n = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(str_to_i64(bad[i], -5, 100, &n));
	assert_int_equal(n, 7);
	assert_true(str_to_i64("-5", -5, 100, &n));
	assert_int_equal(n, -5);
	assert_true(str_to_i64("-9223372036854775808", INT64_MIN, INT64_MAX, &n));
	assert_true(n == INT64_MIN);
}

static void test_str__utf8(void **state)
{
	(void)state;
	assert_true(str_is_utf8("r\xc3\xa9sum\xc3\xa9 \xf0\x9f\x9a\x80", 13));
	assert_false(str_is_utf8("\xc3", 1));
	assert_false(str_is_utf8("\xc0\x80", 2));         /* overlong NUL */
	assert_false(str_is_utf8("\xed\xa0\x80", 3));     /* surrogate */
	assert_false(str_is_utf8("\xf4\x90\x80\x80", 4)); /* beyond U+10FFFF */
}

static void test_str__distance(void **state)
{
	(void)state;
	assert_int_equal(str_distance("bucket", "bucket"), 0);
	assert_int_equal(str_distance("bukcet", "bucket"), 1);
	assert_int_equal(str_distance("kitten", "sitting"), 3);
	assert_int_equal(str_distance("", "abc"), 3);
}

static void test_secret__moves_and_empties(void **state)
{
	CLEANUP(secret) struct secret a = SECRET_INIT;
	CLEANUP(secret) struct secret b = SECRET_INIT;

	(void)state;
	secret_set_str(&a, "hush");
	secret_move(&b, &a);
	assert_false(secret_is_set(&a));
	assert_string_equal(secret_bytes(&b), "hush");
	assert_int_equal(secret_len(&b), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error__wrap_prepends_and_keeps_the_code),
		cmocka_unit_test(test_error__long_messages_are_cut_not_overrun),
		cmocka_unit_test(test_buf__overflow_is_sticky),
		cmocka_unit_test(test_buf__take_leaves_it_empty),
		cmocka_unit_test(test_arena__pieces_do_not_overlap),
		cmocka_unit_test(test_str__numbers_are_strict),
		cmocka_unit_test(test_str__utf8),
		cmocka_unit_test(test_str__distance),
		cmocka_unit_test(test_secret__moves_and_empties),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
