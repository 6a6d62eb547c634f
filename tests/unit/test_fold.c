#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "codec/encode.h"
#include "codec/fold.h"

enum { TEXT_MOST = 1024 };

/* A field in hex as a text; what is behind its tab or line end. */
static char *read_field(char *line, char out[TEXT_MOST])
{
	size_t n = strcspn(line, "\t\n");

	line[n] = '\0';
	assert_true(n / 2 < TEXT_MOST);
	assert_true(decode_hex(line, n / 2, (unsigned char *)out));
	out[n / 2] = '\0';
	return line + n + 1;
}

static void assert_folds(const char *text, enum fold_kind kind, const char *wanted)
{
	CLEANUP(buf) struct buf out = BUF_INIT(TEXT_MOST);

	fold_text(text, kind, &out);
	if (!str_eq(out.data, wanted))
		fail_msg("%s, fold %d: %s and not %s", text, kind, out.data, wanted);
	/* What a fold is hashed to, its own hash says again. */
	assert_true(fold_hash(text, kind) == fold_hash(wanted, kind));
}

static void test_fold__agrees_with_unicode(void **state)
{
	FILE *file = fopen(TEST_DATA "/golden/fold/cases.txt", "r");
	char line[4 * TEXT_MOST];
	unsigned n = 0;

	(void)state;
	assert_non_null(file);
	for (; fgets(line, sizeof(line), file); n++) {
		char text[TEXT_MOST];
		char apart[TEXT_MOST];
		char small[TEXT_MOST];

		(void)read_field(read_field(read_field(line, text), apart), small);
		assert_folds(text, FOLD_SPELLING, apart);
		assert_folds(text, FOLD_CASE, small);
	}
	fclose(file);
	assert_true(n > 1000);
}

static void test_fold__bytes_that_are_no_text(void **state)
{
	static const char *const texts[] = {
		"",
		"\xff",
		"a\xc3",
		"\xe2\x82",
		"\xed\xa0\x80x",
		"\xc0\x80",
		"\xf4\x90\x80\x80",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_folds(texts[i], FOLD_CASE, texts[i]);
}

static void test_fold__tells_names_apart(void **state)
{
	static const char *const names[] = { "a",   "b",         "ab", "a/b",
					     "a-b", "e\xcc\x81", "e",  "\xc3\xa8",
					     "s",   "\xc3\x9f",  "ss" };
	enum { N = sizeof(names) / sizeof(*names) };

	(void)state;
	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < N; j++)
			assert_true((fold_hash(names[i], FOLD_CASE) ==
				     fold_hash(names[j], FOLD_CASE)) == (i == j));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fold__agrees_with_unicode),
		cmocka_unit_test(test_fold__bytes_that_are_no_text),
		cmocka_unit_test(test_fold__tells_names_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
