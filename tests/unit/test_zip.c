#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "codec/zip.h"

static void push(struct zip_items *items, const char *path, const char *text,
		 bool executable)
{
	zip_items_push(items, (struct zip_item){ path, text, strlen(text), executable });
}

static uint32_t le32(const char *p)
{
	const unsigned char *b = (const unsigned char *)p;

	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static uint32_t le16(const char *p)
{
	const unsigned char *b = (const unsigned char *)p;

	return b[0] | (uint32_t)b[1] << 8;
}

/* The central directory's entry of that index: APPNOTE.TXT, section 4.3.12. */
static const char *central(const struct buf *zip, size_t index)
{
	const char *end = zip->data + zip->len - 22;
	const char *at;

	assert_int_equal(le32(end), 0x06054b50);
	assert_true(index < le16(end + 10));
	at = zip->data + le32(end + 16);
	for (size_t i = 0; i < index; i++)
		at += 46 + le16(at + 28) + le16(at + 30) + le16(at + 32);
	assert_int_equal(le32(at), 0x02014b50);
	return at;
}

static void test_zip__same_files_same_bytes(void **state)
{
	CLEANUP(zip_items) struct zip_items a = { 0 };
	CLEANUP(zip_items) struct zip_items b = { 0 };
	CLEANUP(buf) struct buf first = BUF_INIT(1 << 20);
	CLEANUP(buf) struct buf second = BUF_INIT(1 << 20);
	struct error err = ERROR_INIT;

	(void)state;
	push(&a, "b.py", "print(2)\n", false);
	push(&a, "a/x.py", "print(1)\n", true);
	push(&b, "a/x.py", "print(1)\n", true);
	push(&b, "b.py", "print(2)\n", false);
	assert_int_equal(zip_write(&a, &first, &err), 0);
	assert_int_equal(zip_write(&b, &second, &err), 0);
	assert_int_equal(first.len, second.len);
	assert_memory_equal(first.data, second.data, first.len);
}

static void test_zip__entries_carry_nothing_of_this_machine(void **state)
{
	CLEANUP(zip_items) struct zip_items items = { 0 };
	CLEANUP(buf) struct buf zip = BUF_INIT(1 << 20);
	struct error err = ERROR_INIT;
	const char *entry;

	(void)state;
	push(&items, "run.sh", "#!/bin/sh\n", true);
	push(&items, "\xc3\xa4.txt", "", false);
	assert_int_equal(zip_write(&items, &zip, &err), 0);
	entry = central(&zip, 0);
	assert_int_equal(le16(entry + 4) >> 8, 3);      /* Unix */
	assert_int_equal(le32(entry + 12), 0x00210000); /* 1980-01-01 00:00 */
	assert_int_equal(le16(entry + 30), 0);          /* no extra field */
	assert_int_equal(le32(entry + 38) >> 16, 0100755);
	assert_memory_equal(entry + 46, "run.sh", 6);
	entry = central(&zip, 1);
	assert_int_equal(le32(entry + 38) >> 16, 0100644);
	assert_int_equal(le16(entry + 8) & 0x800, 0x800); /* the name is UTF-8 */
	assert_int_equal(le16(entry + 30), 0);
}

static void test_zip__refuses(void **state)
{
	static const char *const paths[] = { "/a",  "",   "../a", "a/../b", "a//b",
					     "./a", "a/", "\xff", "twice" };

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		CLEANUP(zip_items) struct zip_items items = { 0 };
		CLEANUP(buf) struct buf zip = BUF_INIT(1 << 20);
		struct error err = ERROR_INIT;

		push(&items, "twice", "1", false);
		push(&items, paths[i], "2", false);
		assert_int_equal(zip_write(&items, &zip, &err), -1);
		assert_int_equal(err.code, ERR_DATA);
	}
}

static void test_zip__empty_and_too_big(void **state)
{
	CLEANUP(zip_items) struct zip_items items = { 0 };
	CLEANUP(buf) struct buf zip = BUF_INIT(64);
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(zip_write(&items, &zip, &err), -1);
	assert_int_equal(err.code, ERR_DATA);
	push(&items, "a", "text", false);
	assert_int_equal(zip_write(&items, &zip, &err), -1);
	assert_int_equal(err.code, ERR_TOO_BIG);
}

static void test_zip__knows_an_archive(void **state)
{
	CLEANUP(zip_items) struct zip_items items = { 0 };
	CLEANUP(buf) struct buf zip = BUF_INIT(1 << 20);
	struct error err = ERROR_INIT;

	(void)state;
	push(&items, "a", "text", false);
	assert_int_equal(zip_write(&items, &zip, &err), 0);
	assert_true(zip_is_archive(zip.data, zip.len));
	assert_false(zip_is_archive(zip.data, zip.len - 1));
	assert_false(zip_is_archive("PK\x03\x04 no", 8));
	assert_false(zip_is_archive("", 0));
}

static void note_entry(void *ctx, const char *path, bool executable)
{
	buf_printf(ctx, "%s%s ", path, executable ? "*" : "");
}

static void test_zip__each_entry(void **state)
{
	CLEANUP(buf) struct buf zip = BUF_INIT(4096);
	CLEANUP(buf) struct buf seen = BUF_INIT(4096);
	CLEANUP(zip_items) struct zip_items items = { 0 };
	struct error err = ERROR_INIT;

	(void)state;
	push(&items, "src/app.py", "text", false);
	push(&items, "bootstrap", "", true);
	assert_int_equal(zip_write(&items, &zip, &err), 0);
	assert_true(zip_each(zip.data, zip.len, note_entry, &seen));
	assert_string_equal(seen.data, "bootstrap* src/app.py ");
	assert_false(zip_each("PK", 2, note_entry, &seen));
	assert_string_equal(seen.data, "bootstrap* src/app.py ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zip__same_files_same_bytes),
		cmocka_unit_test(test_zip__entries_carry_nothing_of_this_machine),
		cmocka_unit_test(test_zip__refuses),
		cmocka_unit_test(test_zip__empty_and_too_big),
		cmocka_unit_test(test_zip__knows_an_archive),
		cmocka_unit_test(test_zip__each_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
