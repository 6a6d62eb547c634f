#define _XOPEN_SOURCE 700 /* setenv */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/git.h"

#include "git_random.h"

/* Random histories: what we see of them is what git sees. */

enum { COMMITS = 60 };

static void compare_walk(struct sandbox *s, struct repo *r, const struct oid *commit)
{
	CLEANUP(buf) struct buf ours = BUF_INIT(1 << 20);
	CLEANUP(buf) struct buf theirs = BUF_INIT(1 << 20);
	struct repo_visitor visitor = { NULL, print_item, &ours };
	struct error err = ERROR_INIT;
	char hex[OID_HEX_SIZE];

	assert_int_equal(repo_walk(r, commit, "", &visitor, &err), 0);
	run(s, "r", &theirs, "git ls-tree -rz %s", oid_hex(commit, hex));
	assert_same(&ours, &theirs, "walk");
}

static void compare_diff(struct sandbox *s, struct repo *r, const struct oid *from,
			 const struct oid *to)
{
	CLEANUP(buf) struct buf ours = BUF_INIT(1 << 20);
	CLEANUP(buf) struct buf theirs = BUF_INIT(1 << 20);
	struct repo_diff_visitor visitor = { NULL, print_change, &ours };
	struct error err = ERROR_INIT;
	char a[OID_HEX_SIZE];
	char b[OID_HEX_SIZE];

	assert_int_equal(repo_diff(r, from, to, "", &visitor, &err), 0);
	run(s, "r", &theirs, "git diff -z --raw --no-abbrev --no-renames %s %s",
	    oid_hex(from, a), oid_hex(to, b));
	assert_same(&ours, &theirs, "diff");
}

/* A folder's part of a diff is the diff of the folder. One that is not there is empty. */
static void compare_folder(struct sandbox *s, struct repo *r, const struct oid *from,
			   const struct oid *to, const char *folder)
{
	CLEANUP(buf) struct buf ours = BUF_INIT(1 << 20);
	CLEANUP(buf) struct buf theirs = BUF_INIT(1 << 20);
	struct repo_diff_visitor visitor = { NULL, print_change, &ours };
	struct error err = ERROR_INIT;
	char a[OID_HEX_SIZE];
	char b[OID_HEX_SIZE];

	assert_int_equal(repo_diff(r, from, to, folder, &visitor, &err), 0);
	run(s, "r", &theirs,
	    "t() { test \"$(git cat-file -t $1:$2 2>&1)\" = tree && git rev-parse $1:$2 || "
	    "git mktree < /dev/null; }; "
	    "git diff -z --raw --no-abbrev --no-renames $(t %s %s) $(t %s %s)",
	    oid_hex(from, a), folder, oid_hex(to, b), folder);
	assert_same(&ours, &theirs, folder);
}

static void open_sandbox(struct repo **r)
{
	struct error err = ERROR_INIT;

	if (repo_open("r", NULL, r, &err) < 0)
		fail_msg("%s", err.msg);
}

static void test_git_diff__as_git_sees_it(void **state)
{
	CLEANUP(files) struct files files = { 0 };
	CLEANUP_PTR(repo) struct repo *r = NULL;
	CLEANUP_PTR(repo) struct repo *packed = NULL;
	char blobs[BLOBS][OID_HEX_SIZE];
	struct oid commits[COMMITS];
	struct sandbox s;
	uint64_t seed = 88172645463325252;

	(void)state;
	sandbox_start(&s);
	run(&s, "", NULL, "git init -q r");
	make_blobs(&s, blobs);
	open_sandbox(&r);
	for (unsigned i = 0; i < COMMITS; i++) {
		random_edit(&seed, &files);
		commits[i] = commit_files(&s, &files, blobs);
		compare_walk(&s, r, &commits[i]);
		compare_diff(&s, r, &commits[below(&seed, i + 1)], &commits[i]);
		compare_folder(&s, r, &commits[i ? i - 1 : 0], &commits[i],
			       i % 2 ? "a" : "a/b");
	}
	for (unsigned i = 0; i < COMMITS; i++) {
		char hex[OID_HEX_SIZE];

		run(&s, "r", NULL, "git update-ref refs/heads/c%u %s", i,
		    oid_hex(&commits[i], hex));
	}
	run(&s, "r", NULL, "rm .git/index; git repack -adfq; git prune-packed");
	open_sandbox(&packed);
	for (unsigned i = 1; i < COMMITS; i += 5)
		compare_diff(&s, packed, &commits[i], &commits[i - 1]);
	sandbox_end(&s);
}

enum { NODES = 40 };

/* Commits with random parents, of which some are younger than their children. */
static void make_dag(struct sandbox *s, uint64_t *seed, struct oid *commits)
{
	for (unsigned i = 0; i < NODES; i++) {
		CLEANUP(buf) struct buf parents = BUF_INIT(4096);
		CLEANUP(buf) struct buf out = BUF_INIT(4096);
		unsigned n = i ? below(seed, 3) : 0;

		for (unsigned k = 0; k < n; k++) {
			unsigned back = 1 + below(seed, i < 8 ? i : 8);
			char hex[OID_HEX_SIZE];

			buf_printf(&parents, " -p %s", oid_hex(&commits[i - back], hex));
		}
		run(s, "r", &out,
		    "GIT_COMMITTER_DATE='%u +0000' git commit-tree -m %u%s 2>/dev/null "
		    "$(git mktree < /dev/null)",
		    1700000000 + 100 * i - below(seed, 5000), i, parents.data);
		buf_truncate(&out, 40);
		assert_true(oid_from_hex(out.data, &commits[i]));
	}
}

/* The pairs that `git rev-list` calls ancestors. */
static void read_ancestors(struct sandbox *s, const struct oid *commits,
			   bool is[NODES][NODES])
{
	for (unsigned b = 0; b < NODES; b++) {
		CLEANUP(buf) struct buf out = BUF_INIT(1 << 20);
		char hex[OID_HEX_SIZE];

		run(s, "r", &out, "git rev-list %s", oid_hex(&commits[b], hex));
		for (unsigned a = 0; a < NODES; a++)
			is[a][b] = strstr(out.data, oid_hex(&commits[a], hex)) != NULL;
	}
}

static void test_git_history__ancestors_as_git_sees_them(void **state)
{
	CLEANUP_PTR(repo) struct repo *r = NULL;
	struct oid commits[NODES];
	bool is[NODES][NODES];
	struct sandbox s;
	uint64_t seed = 2463534242;

	(void)state;
	sandbox_start(&s);
	run(&s, "", NULL, "git init -q r");
	make_dag(&s, &seed, commits);
	read_ancestors(&s, commits, is);
	open_sandbox(&r);
	for (unsigned a = 0; a < NODES; a++)
		for (unsigned b = 0; b < NODES; b++)
			assert_int_equal(repo_is_ancestor(r, &commits[a], &commits[b]),
					 is[a][b]);
	sandbox_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_git_diff__as_git_sees_it),
		cmocka_unit_test(test_git_history__ancestors_as_git_sees_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
