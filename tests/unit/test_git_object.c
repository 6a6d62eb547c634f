#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "io/git_object.h"

#define ID             "01234567890123456789"
#define HEX_A          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B          "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define BYTES(literal) literal, sizeof(literal) - 1

/* How many entries are read before the end, or -1. */
static int count_entries(const char *bytes, size_t n)
{
	struct tree_reader t = tree_reader_start(bytes, n);
	struct tree_entry e;
	struct error err = ERROR_INIT;
	int count = 0;
	int rc;

	while ((rc = tree_next(&t, &e, &err)) > 0)
		count++;
	assert_int_equal(err.code, rc < 0 ? ERR_DATA : ERR_NONE);
	return rc < 0 ? -1 : count;
}

static void test_git_object__trees(void **state)
{
	static const struct {
		const char *name;
		const char *bytes;
		size_t n;
		int count;
	} cases[] = {
		{ "empty", BYTES(""), 0 },
		{ "one", BYTES("100644 a\0" ID), 1 },
		{ "all kinds",
		  BYTES("100644 a\0" ID "100755 b\0" ID "40000 c\0" ID "120000 d\0" ID
			"160000 e\0" ID),
		  5 },
		{ "old modes", BYTES("100664 a\0" ID "040000 b\0" ID), 2 },
		{ "a file before what begins so",
		  BYTES("100644 a\0" ID "100644 a.b\0" ID), 2 },
		{ "a folder after a dot", BYTES("100644 a.b\0" ID "40000 a\0" ID), 2 },
		{ "a file and a folder of one name",
		  BYTES("100644 a\0" ID "40000 a\0" ID), 2 },
		{ "a folder before a dot", BYTES("40000 a\0" ID "100644 a.b\0" ID), -1 },
		{ "twice", BYTES("100644 a\0" ID "100644 a\0" ID), -1 },
		{ "not sorted", BYTES("100644 b\0" ID "100644 a\0" ID), -1 },
		{ "sorted as signed bytes", BYTES("100644 \xff\0" ID "100644 a\0" ID),
		  -1 },
		{ "no name", BYTES("100644 \0" ID), -1 },
		{ "dot", BYTES("100644 .\0" ID), -1 },
		{ "dots", BYTES("40000 ..\0" ID), -1 },
		{ "slash", BYTES("100644 a/b\0" ID), -1 },
		{ "absolute", BYTES("100644 /\0" ID), -1 },
		{ "no mode", BYTES(" a\0" ID), -1 },
		{ "no such kind", BYTES("010000 a\0" ID), -1 },
		{ "not octal", BYTES("100648 a\0" ID), -1 },
		{ "endless mode", BYTES("00000000000100644 a\0" ID), -1 },
		{ "no space", BYTES("100644"), -1 },
		{ "no end of name", BYTES("100644 aaaaaaaaaaaaaaaaaaaaaaaaaaaa"), -1 },
		{ "short id",
		  BYTES("100644 a\0"
			"0123456789012345678"),
		  -1 },
		{ "no id", BYTES("100644 a\0"), -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int count = count_entries(cases[i].bytes, cases[i].n);

		if (count != cases[i].count)
			fail_msg("%s: %d", cases[i].name, count);
	}
}

static void test_git_object__entries_are_what_they_say(void **state)
{
	struct tree_reader t = tree_reader_start(
		BYTES("100755 run\0" ID "120000 s\0" ID));
	struct tree_entry e;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(tree_next(&t, &e, &err), 1);
	assert_string_equal(e.name, "run");
	assert_int_equal(e.mode, REPO_EXECUTABLE);
	assert_memory_equal(e.id.bytes, ID, 20);
	assert_int_equal(tree_next(&t, &e, &err), 1);
	assert_int_equal(e.mode, REPO_SYMLINK);
	assert_int_equal(tree_next(&t, &e, &err), 0);
}

static void test_git_object__commits(void **state)
{
	static const struct {
		const char *bytes;
		int rc;
		size_t parents;
		int64_t time_s;
		const char *author, *summary;
	} cases[] = {
		{ "tree " HEX_A "\nparent " HEX_B "\nparent " HEX_A
		  "\nauthor A <B> U Thor <a@b> 1 +0000\ncommitter C <c> 1700000000 -0800\n"
		  "gpgsig x\n y\n\n\nFirst line\nauthor no <x> 2 +0\n",
		  0, 2, 1700000000, "A", "First line" },
		{ "tree " HEX_A "\n\nno end", 0, 0, 0, "", "no end" },
		{ "tree " HEX_A "\n", 0, 0, 0, "", "" },
		{ "tree " HEX_A "\nauthor \ncommitter x\n\n", 0, 0, 0, "", "" },
		{ "tree " HEX_A "\ncommitter <> 99999999999999999999999 +0\n\n", 0, 0, 0,
		  "", "" },
		{ "tree " HEX_A "\ncommitter <> -5 +0\n\n", 0, 0, 0, "", "" },
		{ "tree " HEX_A "\nparent " HEX_A "x\n\n", 0, 0, 0, "", "" },
		{ "tree " HEX_A "x\n\n", -1, 0, 0, NULL, NULL },
		{ "tree aaaa\n\n", -1, 0, 0, NULL, NULL },
		{ "tree " HEX_A, -1, 0, 0, NULL, NULL },
		{ "tree " HEX_A "\nauthor cut", -1, 0, 0, NULL, NULL },
		{ "parent " HEX_A "\n\n", -1, 0, 0, NULL, NULL },
		{ "", -1, 0, 0, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct commit_view c;
		struct error err = ERROR_INIT;

		assert_int_equal(
			commit_parse(cases[i].bytes, strlen(cases[i].bytes), &c, &err),
			cases[i].rc);
		if (cases[i].rc < 0)
			continue;
		assert_int_equal(c.n_parents, cases[i].parents);
		assert_int_equal(c.time_s, cases[i].time_s);
		assert_int_equal(c.author_len, strlen(cases[i].author));
		assert_memory_equal(c.author, cases[i].author, c.author_len);
		assert_int_equal(c.summary_len, strlen(cases[i].summary));
		assert_memory_equal(c.summary, cases[i].summary, c.summary_len);
	}
}

static void test_git_object__parents(void **state)
{
	static const char text[] = "tree " HEX_B "\nparent " HEX_A "\nparent " HEX_B
				   "\n\n";
	struct commit_view c;
	struct error err = ERROR_INIT;
	char hex[OID_HEX_SIZE];
	struct oid id;

	(void)state;
	assert_int_equal(commit_parse(BYTES(text), &c, &err), 0);
	id = commit_parent(&c, 0);
	assert_string_equal(oid_hex(&id, hex), HEX_A);
	id = commit_parent(&c, 1);
	assert_string_equal(oid_hex(&id, hex), HEX_B);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_git_object__trees),
		cmocka_unit_test(test_git_object__entries_are_what_they_say),
		cmocka_unit_test(test_git_object__commits),
		cmocka_unit_test(test_git_object__parents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
