#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "codec/glob.h"

static void test_glob__parse_takes_a_pattern_apart(void **state)
{
	static const struct {
		const char *pattern;
		const char *text;
		bool negated;
		bool anchored;
		bool folders_only;
	} cases[] = {
		{ "*.pdf", "*.pdf", false, false, false },
		{ "/a", "a", false, true, false },
		{ "a/b", "a/b", false, true, false },
		{ "dir/", "dir", false, false, true },
		{ "!/dir/", "dir", true, true, true },
		{ "\\!a", "\\!a", false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct glob g;

		assert_true(glob_parse(cases[i].pattern, &g));
		assert_int_equal(g.len, strlen(cases[i].text));
		assert_memory_equal(g.text, cases[i].text, g.len);
		assert_int_equal(g.negated, cases[i].negated);
		assert_int_equal(g.anchored, cases[i].anchored);
		assert_int_equal(g.folders_only, cases[i].folders_only);
	}
}

static void test_glob__parse_refuses_what_matches_nothing(void **state)
{
	char longest[1026];
	struct glob g;

	(void)state;
	assert_false(glob_parse("", &g));
	assert_false(glob_parse("!", &g));
	assert_false(glob_parse("/", &g));
	assert_false(glob_parse("!//", &g));
	memset(longest, '*', sizeof(longest) - 1);
	longest[1025] = '\0';
	assert_false(glob_parse(longest, &g));
	longest[1024] = '\0';
	assert_true(glob_parse(longest, &g));
	assert_true(glob_matches(&g, "a/b", false));
}

static void test_glob__of_a_part_of_a_path(void **state)
{
	static const struct {
		const char *pattern;
		size_t n; /* of "a/b.txt/c.txt" */
		bool is_folder, matches;
	} cases[] = {
		{ "a", 1, true, true },           { "a", 3, true, false },
		{ "*.txt", 7, true, true },       { "b.txt/", 7, true, true },
		{ "b.txt/", 7, false, false },    { "*.txt", 6, true, false },
		{ "/a/b.txt", 7, true, true },    { "a/*/c.txt", 13, false, true },
		{ "a/*/c.txt", 12, true, false }, { "**/a", 1, true, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct glob g;

		assert_true(glob_parse(cases[i].pattern, &g));
		if (glob_matches_part(&g, "a/b.txt/c.txt", cases[i].n,
				      cases[i].is_folder) != cases[i].matches)
			fail_msg("%s, %zu bytes", cases[i].pattern, cases[i].n);
	}
}

static char verdict_char(enum glob_verdict verdict)
{
	return "-+!"[verdict];
}

/* patterns parted by spaces; those that can match nothing are left out, as git does. */
static void parse_list(char *patterns, struct glob_list *list)
{
	char *rest = NULL;

	for (char *p = strtok_r(patterns, " ", &rest); p;
	     p = strtok_r(NULL, " ", &rest)) {
		struct glob g;

		if (glob_parse(p, &g))
			glob_list_push(list, g);
	}
}

static bool agrees(const char *line)
{
	CLEANUP(glob_list) struct glob_list list = { 0 };
	char patterns[256];
	char path[256];
	char verdict;
	char got;
	size_t n;

	if (sscanf(line, "%255[^\t]\t%255[^\t]\t%c", patterns, path, &verdict) != 3)
		fail_msg("no case: %s", line);
	n = strlen(path);
	if (path[n - 1] == '/')
		path[n - 1] = '\0';
	parse_list(patterns, &list);
	got = verdict_char(glob_list_verdict(&list, path, strlen(path) < n));
	if (got != verdict)
		print_error("got %c: %s", got, line);
	return got == verdict;
}

static void test_glob__agrees_with_git(void **state)
{
	FILE *file = fopen(TEST_DATA "/golden/glob/cases.txt", "r");
	char line[1024];
	size_t wrong = 0;
	size_t n = 0;

	(void)state;
	assert_non_null(file);
	for (; fgets(line, sizeof(line), file); n++)
		wrong += !agrees(line);
	fclose(file);
	assert_true(n > 5000);
	assert_int_equal(wrong, 0);
}

static void test_glob__reaches_below(void **state)
{
	static const struct {
		const char *pattern;
		const char *folder;
		bool reaches;
	} cases[] = {
		{ "a/b/c.txt", "a", true },
		{ "a/b/c.txt", "a/b", true },
		{ "a/b/c.txt", "b", false },
		{ "a/b/c.txt", "a/bb", false },
		{ "/a", "a", false },
		{ "/a/", "a", false },
		{ "**/x", "a/b", true },
		{ "*/x", "a/b", false },
		{ "*/x", "a", true },
		{ "a/[", "a", false },
		{ ".github/*.md", ".github", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct glob g;

		assert_true(glob_parse(cases[i].pattern, &g));
		if (glob_reaches_below(&g, cases[i].folder) != cases[i].reaches)
			fail_msg("%s below %s", cases[i].pattern, cases[i].folder);
	}
}

/* Each would take a backtracking matcher longer than the universe has. */
static void test_glob__hostile_patterns_are_quick(void **state)
{
	static const char *const patterns[] = {
		"**/**/**/**/**/**/**/**/*a*a*a*a*a*a*a*a*a*a*a*a*b",
		"*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
		"**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/b",
		"*/*/*/*/*/*/*/*/*[ab]*[ab]*[ab]*[ab]*[ab]*[ab]*[ab]*c",
	};
	char flat[1001];
	char deep[1001];
	clock_t start = clock();

	(void)state;
	for (size_t i = 0; i < 1000; i++) {
		flat[i] = 'a';
		deep[i] = i % 2 ? '/' : 'a';
	}
	flat[1000] = deep[999] = '\0';
	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
		struct glob g;

		assert_true(glob_parse(patterns[i], &g));
		assert_false(glob_matches(&g, flat, false));
		assert_false(glob_matches(&g, deep, false));
	}
	assert_true((clock() - start) / CLOCKS_PER_SEC < 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_glob__parse_takes_a_pattern_apart),
		cmocka_unit_test(test_glob__parse_refuses_what_matches_nothing),
		cmocka_unit_test(test_glob__of_a_part_of_a_path),
		cmocka_unit_test(test_glob__agrees_with_git),
		cmocka_unit_test(test_glob__reaches_below),
		cmocka_unit_test(test_glob__hostile_patterns_are_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
