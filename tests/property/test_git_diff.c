#define _XOPEN_SOURCE 700 /* setenv */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "base/vec.h"
#include "io/git.h"

#include "git_repo.h"

/* Random histories: what we see of them is what git sees. */

enum { BLOBS = 12, FILES_MOST = 60, COMMITS = 60 };

static const char *const names[] = {
	"a",
	"b",
	"a.b",
	"a-",
	"a0",
	"a b",
	"index.html",
	"q\"uote",
	"it's",
	"new\nline",
	"\xff\xfe",
	"100%",
	"p+lus",
	"r\xc3\xa9sum\xc3\xa9",
	"\xe6\x97\xa5\xe6\x9c\xac",
	"back\\slash",
	" lead",
	"tab\t",
	"::error::x",
	"-n",
	"~",
	"\x01",
};

static const char *const modes[] = { "100644", "100644", "100755", "120000", "160000" };

struct file {
	char path[200];
	const char *mode;
	int blob;
};

VEC_DEFINE(files, struct file);

/* xorshift: the same history each time, and on every machine. */
static unsigned below(uint64_t *seed, unsigned n)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (unsigned)((*seed >> 16) % n);
}

static void random_path(uint64_t *seed, char *out, size_t size)
{
	unsigned depth = 1 + below(seed, 4);
	size_t n = 0;

	for (unsigned i = 0; i < depth; i++) {
		unsigned pick = below(seed, 3)
					? below(seed, 5)
					: below(seed, sizeof(names) / sizeof(*names));

		n += (size_t)snprintf(out + n, size - n, "%s%s", i ? "/" : "",
				      names[pick]);
	}
}

/* Whether one is the other, or a folder above it. */
static bool in_the_way(const char *a, const char *b)
{
	size_t n = strlen(a);
	size_t m = strlen(b);
	size_t least = n < m ? n : m;

	if (memcmp(a, b, least) != 0)
		return false;
	return n == m || (n < m ? b[n] : a[m]) == '/';
}

static void put_file(struct files *files, const struct file *f)
{
	size_t kept = 0;

	for (size_t i = 0; i < files->len; i++)
		if (!in_the_way(files->items[i].path, f->path))
			files->items[kept++] = files->items[i];
	files->len = kept;
	files_push(files, *f);
}

static void drop_file(struct files *files, size_t at)
{
	files->items[at] = files->items[--files->len];
}

static void random_edit(uint64_t *seed, struct files *files)
{
	unsigned edits = 1 + below(seed, 8);

	for (unsigned i = 0; i < edits; i++) {
		struct file f = { .mode = modes[below(seed, 5)],
				  .blob = (int)below(seed, BLOBS) };

		if (files->len && (files->len >= FILES_MOST || below(seed, 4) == 0)) {
			drop_file(files, below(seed, (unsigned)files->len));
		} else if (files->len && below(seed, 3) == 0) {
			struct file *old =
				&files->items[below(seed, (unsigned)files->len)];

			old->mode = f.mode;
			old->blob = f.blob;
		} else {
			random_path(seed, f.path, sizeof(f.path));
			put_file(files, &f);
		}
	}
}

static struct oid commit_files(struct sandbox *s, const struct files *files,
			       char blobs[BLOBS][OID_HEX_SIZE])
{
	CLEANUP(buf) struct buf lines = BUF_INIT(1 << 20);
	CLEANUP(buf) struct buf out = BUF_INIT(4096);
	struct error err = ERROR_INIT;
	struct oid id;

	for (size_t i = 0; i < files->len; i++) {
		const struct file *f = &files->items[i];

		buf_printf(&lines, "%s %s\t%s", f->mode, blobs[f->blob], f->path);
		buf_add(&lines, "", 1);
	}
	assert_int_equal(fs_write("lines", lines.data, lines.len, &err), 0);
	run(s, "r", &out,
	    "rm -f .git/index; git update-index -z --index-info < ../lines; "
	    "git commit-tree -m x \"$(git write-tree)\"");
	buf_truncate(&out, 40);
	assert_true(oid_from_hex(out.data, &id));
	return id;
}

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

static void make_blobs(struct sandbox *s, char blobs[BLOBS][OID_HEX_SIZE])
{
	for (int i = 0; i < BLOBS; i++) {
		CLEANUP(buf) struct buf out = BUF_INIT(4096);

		run(s, "r", &out, "echo %d | git hash-object -w --stdin", i);
		memcpy(blobs[i], out.data, OID_HEX_SIZE - 1);
		blobs[i][OID_HEX_SIZE - 1] = '\0';
	}
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
