#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "codec/json_pointer.h"

/* Section 5's names (their values are numbers of ours), and what else arrays need. */
static const char text[] =
	"{\"foo\": [10, 11], \"\": 1, \"a/b\": 2, \"c%d\": 3, \"e^f\": 4, "
	"\"g|h\": 5, \"i\\\\j\": 6, \"k\\\"l\": 7, \" \": 8, \"m~n\": 9, "
	"\"deep\": [{\"x\": {\"0\": 12}}], \"~1\": 13, \"none\": null}";

static const struct sight {
	const char *pointer;
	int64_t value; /* -1: nothing is there */
} sights[] = {
	{ "/foo/0", 10 },      { "/foo/1", 11 },   { "/", 1 },
	{ "/a~1b", 2 },        { "/c%d", 3 },      { "/e^f", 4 },
	{ "/g|h", 5 },         { "/i\\j", 6 },     { "/k\"l", 7 },
	{ "/ ", 8 },           { "/m~0n", 9 },     { "/deep/0/x/0", 12 },
	{ "/~01", 13 }, /* "~01" is "~1", never "/" */
	{ "/foo/2", -1 },      { "/foo/00", -1 },  { "/foo/01", -1 },
	{ "/foo/-", -1 },      { "/foo/-0", -1 },  { "/foo/+1", -1 },
	{ "/foo/1x", -1 },     { "/foo/", -1 },    { "/foo/18446744073709551616", -1 },
	{ "/foo/1/x", -1 },    { "/nothing", -1 }, { "/none/x", -1 },
	{ "/deep/0/x/1", -1 }, { "foo", -1 },      { "/m~n", -1 },
	{ "/m~", -1 },         { "/a~2b", -1 },
};

static void names_values(void **state)
{
	CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(json_parse(text, strlen(text), &doc, &err), 0);
	for (size_t i = 0; i < sizeof(sights) / sizeof(*sights); i++) {
		const struct json *v = json_pointer_get(json_root(doc),
							sights[i].pointer);
		int64_t n = -1;

		json_int(v, &n);
		if (n != sights[i].value)
			fail_msg("\"%s\": %lld instead of %lld", sights[i].pointer,
				 (long long)n, (long long)sights[i].value);
	}
	assert_ptr_equal(json_pointer_get(json_root(doc), ""), json_root(doc));
	assert_int_equal(json_type(json_pointer_get(json_root(doc), "/none")), JSON_NULL);
	assert_null(json_pointer_get(NULL, "/foo"));
}

static void knows_pointers(void **state)
{
	static const char *const good[] = {
		"", "/", "//", "/a", "/a/b", "/~0", "/~1/~01"
	};
	static const char *const bad[] = { "a", " /a", "/~", "/~2", "/a~/b", "/~~0" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(json_pointer_is_valid(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(json_pointer_is_valid(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_values),
		cmocka_unit_test(knows_pointers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
