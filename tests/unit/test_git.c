#define _XOPEN_SOURCE 700 /* setenv, lchown */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "io/git.h"

#include "git_repo.h"

/* A repository with a site in a folder, two commits, a branch and tags, in r. */
static int start(void **state)
{
	struct sandbox *s = xcalloc(1, sizeof(*s));

	sandbox_start(s);
	*state = s;
	run(s, "", NULL,
	    "git init -q r && cd r && mkdir -p site/css && echo one > site/index.html && "
	    "echo css > site/css/a.css && echo other > README && ln -s css site/link && "
	    "git add . && git commit -qm first && git tag v1");
	run(s, "r", NULL,
	    "echo two > site/index.html && git rm -q README && echo new > site/new.html && "
	    "git add . && git commit -qm \"$(printf '::error::se\\tcond\\n\\nbody')\" && "
	    "git tag -am annotated v2 && git branch side v1");
	return 0;
}

static int end(void **state)
{
	sandbox_end(*state);
	free(*state);
	return 0;
}

static struct repo *open_repo(const char *path)
{
	struct repo *r = NULL;
	struct error err = ERROR_INIT;

	if (repo_open(path, NULL, &r, &err) < 0)
		fail_msg("%s", err.msg);
	return r;
}

static void check_walk(struct sandbox *s, const char *folder)
{
	CLEANUP_PTR(repo) struct repo *r = open_repo(folder);
	CLEANUP(buf) struct buf ours = BUF_INIT(1 << 20);
	CLEANUP(buf) struct buf theirs = BUF_INIT(1 << 20);
	struct repo_visitor visitor = { NULL, print_item, &ours };
	struct oid head = id_of(s, folder, "HEAD");
	struct error err = ERROR_INIT;

	if (repo_walk(r, &head, "", &visitor, &err) < 0)
		fail_msg("%s", err.msg);
	run(s, folder, &theirs, "git ls-tree -rz --full-tree HEAD");
	assert_same(&ours, &theirs, folder);
	assert_true(theirs.len > 0);
}

static void test_git_open__where_nothing_is(void **state)
{
	static const char *const paths[] = { ".", "none", ".gitconfig", "" };
	struct repo *r = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		struct error err = ERROR_INIT;

		assert_int_equal(repo_open(paths[i], NULL, &r, &err), -1);
		assert_int_equal(err.code, ERR_NOT_FOUND);
	}
}

static void test_git_open__from_a_folder_inside_and_not_from_the_environment(void **state)
{
	struct sandbox *s = *state;
	CLEANUP_PTR(repo) struct repo *r = NULL;
	CLEANUP(buf) struct buf top = BUF_INIT(4096);

	run(s, "", &top, "git init -q decoy; cd r; pwd -P | tr -d '\\n'");
	setenv("GIT_DIR", "decoy/.git", 1);
	r = open_repo("r/site/css");
	unsetenv("GIT_DIR");
	assert_string_equal(repo_worktree(r), top.data);
	assert_false(repo_is_shallow(r));
	check_walk(s, "r/site");
}

static void test_git_open__formats(void **state)
{
	static const struct {
		const char *name, *script;
		enum error_code code;
	} cases[] = {
		{ "sha256", "git init -q --object-format=sha256 o", ERR_UNSUPPORTED },
		{ "reftable",
		  "git init -q o; cd o; git config core.repositoryformatversion 1; "
		  "git config extensions.refStorage reftable",
		  ERR_UNSUPPORTED },
		{ "unknown extension",
		  "git init -q o; cd o; git config core.repositoryformatversion 1; "
		  "git config extensions.strange 1",
		  ERR_UNSUPPORTED },
		{ "worktree config",
		  "git init -q o; cd o; git config core.repositoryformatversion 1; "
		  "git config extensions.worktreeConfig true",
		  ERR_NONE },
		{ "partial clone",
		  "git init -q o; cd o; git config core.repositoryformatversion 1; "
		  "git config extensions.partialClone origin; "
		  "git config extensions.preciousObjects true",
		  ERR_NONE },
	};
	struct sandbox *s = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP_PTR(repo) struct repo *r = NULL;
		struct error err = ERROR_INIT;

		run(s, "", NULL, "rm -rf o; %s", cases[i].script);
		(void)repo_open("o", NULL, &r, &err);
		if (err.code != cases[i].code)
			fail_msg("%s: %s", cases[i].name, err.msg);
	}
}

static void test_git_open__owned_by_somebody_else(void **state)
{
	struct sandbox *s = *state;

	if (geteuid() != 0)
		skip();
	run(s, "", NULL,
	    "chown -hR 12345:12345 r; git config --global --unset-all safe.directory;"
	    "! git -C r status 2> /dev/null; git config --global safe.directory '*'");
	check_walk(s, "r");
}

static void test_git_resolve__revisions(void **state)
{
	static const struct {
		const char *revision;
		const char *same_as; /* for git; NULL: fails */
		enum error_code code;
	} cases[] = {
		{ "HEAD", "HEAD", ERR_NONE },
		{ "HEAD~1", "HEAD~1", ERR_NONE },
		{ "main", "main", ERR_NONE },
		{ "refs/heads/side", "v1", ERR_NONE },
		{ "v1", "v1", ERR_NONE },
		{ "v2", "v2^{commit}", ERR_NONE },
		{ "HEAD~2", NULL, ERR_NOT_FOUND },
		{ "none", NULL, ERR_NOT_FOUND },
		{ "0123456789012345678901234567890123456789", NULL, ERR_NOT_FOUND },
		{ "HEAD:site", NULL, ERR_USAGE },
		{ "HEAD:site/index.html", NULL, ERR_USAGE },
		{ "HEAD^{", NULL, ERR_USAGE },
		{ "", NULL, ERR_USAGE },
	};
	struct sandbox *s = *state;
	CLEANUP_PTR(repo) struct repo *r = open_repo("r");

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error err = ERROR_INIT;
		struct oid ours = { { 0 } };
		struct oid theirs;

		(void)repo_resolve(r, cases[i].revision, &ours, &err);
		if (err.code != cases[i].code)
			fail_msg("'%s': %d %s", cases[i].revision, (int)err.code,
				 err.msg);
		if (!cases[i].same_as)
			continue;
		theirs = id_of(s, "r", cases[i].same_as);
		assert_true(oid_equal(&ours, &theirs));
	}
}

static void test_git_resolve__abbreviated_ids(void **state)
{
	CLEANUP_PTR(repo) struct repo *r = open_repo("r");
	struct oid head = id_of(*state, "r", "HEAD");
	struct error err = ERROR_INIT;
	char hex[OID_HEX_SIZE];
	struct oid found;

	assert_int_equal(repo_resolve(r, oid_hex(&head, hex), &found, &err), 0);
	assert_true(oid_equal(&found, &head));
	hex[9] = '\0';
	assert_int_equal(repo_resolve(r, hex, &found, &err), 0);
	assert_true(oid_equal(&found, &head));
}

static void test_git_resolve__a_branch_without_commits(void **state)
{
	CLEANUP_PTR(repo) struct repo *r = NULL;
	struct error err = ERROR_INIT;
	struct oid id;
	char ref[100];

	run(*state, "", NULL, "git init -q empty");
	r = open_repo("empty");
	assert_int_equal(repo_resolve(r, "HEAD", &id, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "no commit yet"));
	assert_int_equal(repo_head_ref(r, ref, sizeof(ref), &err), 0);
	assert_string_equal(ref, "refs/heads/main");
}

static void test_git_head_ref__branch_and_detached(void **state)
{
	CLEANUP_PTR(repo) struct repo *r = open_repo("r");
	struct error err = ERROR_INIT;
	char ref[100];

	assert_int_equal(repo_head_ref(r, ref, 10, &err), -1);
	assert_int_equal(err.code, ERR_TOO_BIG);
	assert_int_equal(repo_head_ref(r, ref, sizeof(ref), &err), 0);
	assert_string_equal(ref, "refs/heads/main");
	run(*state, "r", NULL, "git checkout -q --detach");
	assert_int_equal(repo_head_ref(r, ref, sizeof(ref), &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void test_git_commit__is_read_as_it_is(void **state)
{
	CLEANUP_PTR(repo) struct repo *r = open_repo("r");
	struct oid head = id_of(*state, "r", "HEAD");
	struct oid none = { { 1 } };
	struct oid blob = id_of(*state, "r", "HEAD:site/index.html");
	struct error err = ERROR_INIT;
	struct repo_commit c;

	assert_int_equal(repo_commit_read(r, &head, &c, &err), 0);
	assert_string_equal(c.summary, "::error::se\tcond");
	assert_string_equal(c.author, "A U Thor");
	assert_int_equal(c.time_s, 1700000060);
	assert_true(repo_has_commit(r, &head));
	assert_false(repo_has_commit(r, &none));
	assert_false(repo_has_commit(r, &blob));
	assert_int_equal(repo_commit_read(r, &none, &c, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void test_git_parent__as_the_commit_names_it(void **state)
{
	struct sandbox *s = *state;
	CLEANUP_PTR(repo) struct repo *r = NULL;
	struct oid first = id_of(s, "r", "v1");
	struct oid second = id_of(s, "r", "v2^{commit}");
	struct error err = ERROR_INIT;
	struct oid parent;
	char hex[OID_HEX_SIZE];

	/* A graft says that it has none, and a replacement that it is another. */
	run(s, "r", NULL,
	    "git checkout -q -b merged v1; git commit -q --allow-empty -m x; "
	    "git merge -q -m merge -s ours main; git replace v1 merged~1; "
	    "mkdir -p .git/info; git rev-parse main > .git/info/grafts");
	r = open_repo("r");
	assert_int_equal(repo_parent(r, &second, &parent, &err), 0);
	assert_true(oid_equal(&parent, &first));
	second = id_of(s, "r", "merged");
	assert_int_equal(repo_parent(r, &second, &parent, &err), 0);
	run(s, "r", NULL, "test %s = $(git rev-parse merged^1)", oid_hex(&parent, hex));
	assert_int_equal(repo_parent(r, &first, &parent, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void test_git_commit__long_texts_are_cut(void **state)
{
	CLEANUP_PTR(repo) struct repo *r = open_repo("r");
	struct error err = ERROR_INIT;
	struct repo_commit c;
	struct oid head;

	run(*state, "r", NULL,
	    "git commit -q --allow-empty --author=\"$(printf %%0999d 1) <x>\" "
	    "-m \"$(printf %%0999d 1)\"");
	head = id_of(*state, "r", "HEAD");
	assert_int_equal(repo_commit_read(r, &head, &c, &err), 0);
	assert_int_equal(strlen(c.summary), 255);
	assert_int_equal(strlen(c.author), 127);
}

static void test_git_walk__wherever_the_commit_lives(void **state)
{
	struct sandbox *s = *state;

	check_walk(s, "r");
	run(s, "", NULL,
	    "git clone -q --bare r bare.git; git -C r worktree add -q ../linked side; "
	    "git clone -q --depth 1 \"file://$PWD/r\" shallow; "
	    "git clone -q --shared r shared; git clone -q r packed; git -C packed repack -adq");
	check_walk(s, "bare.git");
	check_walk(s, "linked");
	check_walk(s, "shallow");
	check_walk(s, "shared");
	check_walk(s, "packed");
}

static void test_git_open__kinds_of_repository(void **state)
{
	struct sandbox *s = *state;
	CLEANUP_PTR(repo) struct repo *bare = NULL;
	CLEANUP_PTR(repo) struct repo *linked = NULL;
	CLEANUP(buf) struct buf path = BUF_INIT(4096);
	struct error err = ERROR_INIT;
	char ref[100];

	run(s, "", NULL,
	    "git clone -q --bare r bare.git; git -C r worktree add -q ../l side");
	bare = open_repo("bare.git");
	assert_null(repo_worktree(bare));
	linked = open_repo("l/site");
	assert_true(str_ends(repo_worktree(linked), "/l"));
	assert_int_equal(repo_head_ref(linked, ref, sizeof(ref), &err), 0);
	assert_string_equal(ref, "refs/heads/side");
	repo_lfs_path(linked, "abcdef", &path);
	assert_true(str_ends(path.data, "/r/.git/lfs/objects/ab/cd/abcdef"));
	buf_clear(&path);
	repo_lfs_path(linked, "", &path);
	assert_true(str_ends(path.data, "/lfs/objects///"));
}

static bool not_css(void *ctx, const char *path)
{
	(void)ctx;
	return strcmp(path, "css") != 0;
}

static int list_path(void *ctx, const struct repo_item *item, struct error *err)
{
	buf_printf(ctx, "%s\n", item->path);
	return strcmp(item->path, "new.html") == 0 ? error_set(err, ERR_LIMIT, "stop")
						   : 0;
}

static void test_git_walk__a_folder(void **state)
{
	static const struct {
		const char *revision, *folder, *paths;
		enum error_code code;
	} cases[] = {
		{ "v1", "site", "index.html\nlink\n", ERR_NONE },
		{ "v1", "./site//", "index.html\nlink\n", ERR_NONE },
		{ "v1", "site/css", "a.css\n", ERR_NONE },
		{ "v1", "", "README\nsite/css/a.css\nsite/index.html\nsite/link\n",
		  ERR_NONE },
		{ "v2", "site", "index.html\nlink\nnew.html\n", ERR_LIMIT },
		{ "v1", "none", "", ERR_NOT_FOUND },
		{ "v1", "sit", "", ERR_NOT_FOUND },
		{ "v1", "README", "", ERR_NOT_FOUND },
		{ "v1", "README/x", "", ERR_NOT_FOUND },
		{ "v1", "site/link", "", ERR_NOT_FOUND },
		{ "v1", "site/../site", "", ERR_NOT_FOUND },
	};
	CLEANUP_PTR(repo) struct repo *r = open_repo("r");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf paths = BUF_INIT(1 << 20);
		struct repo_visitor visitor = { not_css, list_path, &paths };
		struct error err = ERROR_INIT;
		struct oid commit;

		assert_int_equal(repo_resolve(r, cases[i].revision, &commit, &err), 0);
		(void)repo_walk(r, &commit, cases[i].folder, &visitor, &err);
		assert_string_equal(paths.data, cases[i].paths);
		assert_int_equal(err.code, cases[i].code);
	}
}

static int list_change(void *ctx, const struct repo_item *before,
		       const struct repo_item *after, struct error *err)
{
	(void)err;
	buf_printf(ctx, "%c %s\n", kind_of_change(before, after),
		   before ? before->path : after->path);
	return 0;
}

static void test_git_diff__folders(void **state)
{
	static const struct {
		const char *from, *to, *folder, *changes;
	} cases[] = {
		{ "v1", "v2", "", "D README\nM site/index.html\nA site/new.html\n" },
		{ "v2", "v1", "", "A README\nM site/index.html\nD site/new.html\n" },
		{ "v1", "v2", "site", "M index.html\nA new.html\n" },
		{ "v1", "v2", "site/css", "" },
		{ "v1", "v2", "none", "" },
		{ "v1", "v1", "", "" },
	};
	CLEANUP_PTR(repo) struct repo *r = open_repo("r");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf changes = BUF_INIT(1 << 20);
		struct repo_diff_visitor visitor = { NULL, list_change, &changes };
		struct error err = ERROR_INIT;
		struct oid from;
		struct oid to;

		assert_int_equal(repo_resolve(r, cases[i].from, &from, &err), 0);
		assert_int_equal(repo_resolve(r, cases[i].to, &to, &err), 0);
		assert_int_equal(
			repo_diff(r, &from, &to, cases[i].folder, &visitor, &err), 0);
		assert_string_equal(changes.data, cases[i].changes);
	}
}

static void test_git_lookup__paths(void **state)
{
	static const struct {
		const char *path;
		int mode; /* -1: not there */
	} cases[] = {
		{ "", REPO_FOLDER },
		{ "site", REPO_FOLDER },
		{ "site/", REPO_FOLDER },
		{ "site/css/a.css", REPO_FILE },
		{ "site/link", REPO_SYMLINK },
		{ "site/link/a.css", -1 },
		{ "README", -1 },
		{ "site/css/a.cs", -1 },
		{ "module", REPO_SUBMODULE },
		{ "module/x", -1 },
		{ "run", REPO_EXECUTABLE },
	};
	CLEANUP_PTR(repo) struct repo *r = open_repo("r");
	struct oid head;

	run(*state, "r", NULL,
	    "git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),module; "
	    "echo x > run; chmod +x run; git add run; git commit -qm x");
	head = id_of(*state, "r", "HEAD");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error err = ERROR_INIT;
		struct repo_item item;
		int rc = repo_lookup(r, &head, cases[i].path, &item, &err);

		assert_int_equal(rc, cases[i].mode < 0 ? -1 : 0);
		assert_int_equal(err.code, rc < 0 ? ERR_NOT_FOUND : ERR_NONE);
		if (rc == 0)
			assert_int_equal(item.mode, cases[i].mode);
	}
}

static void test_git_walk__too_deep(void **state)
{
	CLEANUP(buf) struct buf ours = BUF_INIT(1 << 20);
	CLEANUP(buf) struct buf path = BUF_INIT(4096);
	CLEANUP_PTR(repo) struct repo *r = open_repo("r");
	struct repo_visitor visitor = { NULL, print_item, &ours };
	struct repo_diff_visitor diff_visitor = { NULL, print_change, &ours };
	struct oid first = id_of(*state, "r", "HEAD");
	struct error err = ERROR_INIT;
	struct oid head;

	for (int i = 0; i < 201; i++)
		buf_str(&path, "d/");
	run(*state, "r", NULL,
	    "git update-index --add --cacheinfo 100644,$(git rev-parse HEAD:site/index.html),"
	    "%sf; git commit -qm deep",
	    path.data);
	head = id_of(*state, "r", "HEAD");
	assert_int_equal(repo_walk(r, &head, "", &visitor, &err), -1);
	assert_int_equal(err.code, ERR_TOO_BIG);
	error_clear(&err);
	assert_int_equal(repo_diff(r, &first, &head, "", &diff_visitor, &err), -1);
	assert_int_equal(err.code, ERR_TOO_BIG);
	assert_int_equal(repo_walk(r, &head, "d", &visitor, &err), 0);
}

static void test_git_walk__an_empty_commit(void **state)
{
	CLEANUP(buf) struct buf ours = BUF_INIT(1 << 20);
	CLEANUP_PTR(repo) struct repo *r = NULL;
	struct repo_visitor visitor = { NULL, print_item, &ours };
	struct error err = ERROR_INIT;
	struct oid head;

	run(*state, "", NULL, "git init -q e; cd e; git commit -q --allow-empty -m e");
	r = open_repo("e");
	head = id_of(*state, "e", "HEAD");
	assert_int_equal(repo_walk(r, &head, "", &visitor, &err), 0);
	assert_int_equal(ours.len, 0);
}

/* The file that holds a loose object. */
static void loose_path(const char *folder, const struct oid *id, struct buf *out)
{
	char hex[OID_HEX_SIZE];

	oid_hex(id, hex);
	buf_printf(out, "%s/.git/objects/%.2s/%s", folder, hex, hex + 2);
}

static void test_git_blob__content_and_size(void **state)
{
	CLEANUP_PTR(repo) struct repo *r = open_repo("r");
	CLEANUP(buf) struct buf out = BUF_INIT(100);
	CLEANUP(buf) struct buf small = BUF_INIT(3);
	struct oid blob = id_of(*state, "r", "HEAD:site/index.html");
	struct oid tree = id_of(*state, "r", "HEAD:site");
	struct oid none = { { 1 } };
	struct error err = ERROR_INIT;
	int64_t size = 0;

	buf_str(&out, "before ");
	assert_int_equal(repo_blob(r, &blob, NULL, &out, &err), 0);
	assert_string_equal(out.data, "before two\n");
	assert_int_equal(repo_blob_size(r, &blob, NULL, &size, &err), 0);
	assert_int_equal(size, 4);
	assert_int_equal(repo_blob(r, &blob, NULL, &small, &err), -1);
	assert_int_equal(err.code, ERR_TOO_BIG);
	assert_int_equal(repo_blob(r, &tree, NULL, &out, &err), -1);
	assert_int_equal(err.code, ERR_DATA);
	assert_int_equal(repo_blob(r, &none, "site/index.html", &out, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_string_equal(out.data, "before two\n");
}

static void test_git_blob__damage_is_found(void **state)
{
	struct sandbox *s = *state;
	CLEANUP_PTR(repo) struct repo *r = open_repo("r");
	CLEANUP(buf) struct buf out = BUF_INIT(100);
	CLEANUP(buf) struct buf a = BUF_INIT(4096);
	CLEANUP(buf) struct buf b = BUF_INIT(4096);
	struct oid index = id_of(s, "r", "HEAD:site/index.html");
	struct oid new = id_of(s, "r", "HEAD:site/new.html");
	struct error err = ERROR_INIT;

	loose_path("r", &index, &a);
	loose_path("r", &new, &b);
	run(s, "", NULL, "cp -f %s %s", a.data, b.data);
	assert_int_equal(repo_blob(r, &new, NULL, &out, &err), -1);
	assert_int_equal(err.code, ERR_DATA);
	assert_non_null(strstr(err.msg, "damaged"));
	run(s, "", NULL, "rm -f %s; head -c 10 /dev/zero > %s", a.data, a.data);
	assert_int_equal(repo_blob(r, &index, NULL, &out, &err), -1);
	assert_int_equal(err.code, ERR_DATA);
	assert_int_equal(out.len, 0);
}

static void test_git_walk__missing_and_damaged_trees(void **state)
{
	struct sandbox *s = *state;
	CLEANUP(buf) struct buf ours = BUF_INIT(1 << 20);
	CLEANUP(buf) struct buf path = BUF_INIT(4096);
	CLEANUP_PTR(repo) struct repo *r = NULL;
	struct repo_visitor visitor = { NULL, print_item, &ours };
	struct repo_diff_visitor diff_visitor = { NULL, print_change, &ours };
	struct oid head = id_of(s, "r", "HEAD");
	struct oid old = id_of(s, "r", "HEAD~1");
	struct oid site = id_of(s, "r", "HEAD:site");
	struct oid none = { { 1 } };
	struct error err = ERROR_INIT;

	loose_path("r", &site, &path);
	run(s, "", NULL, "rm -f %s", path.data);
	r = open_repo("r");
	assert_int_equal(repo_walk(r, &head, "", &visitor, &err), -1);
	assert_int_equal(err.code, ERR_DATA);
	assert_non_null(strstr(err.msg, "not in this clone"));
	assert_int_equal(repo_walk(r, &head, "site/css", &visitor, &err), -1);
	assert_int_equal(err.code, ERR_DATA);
	assert_int_equal(repo_diff(r, &old, &head, "site", &diff_visitor, &err), -1);
	assert_int_equal(err.code, ERR_DATA);
	assert_int_equal(repo_walk(r, &none, "", &visitor, &err), -1);
	assert_int_equal(err.code, ERR_DATA);
	run(s, "", NULL, "printf x > %s", path.data);
	assert_int_equal(repo_walk(r, &head, "", &visitor, &err), -1);
	assert_int_equal(err.code, ERR_DATA);
}

static void test_git_shallow__what_is_known(void **state)
{
	struct sandbox *s = *state;
	CLEANUP_PTR(repo) struct repo *one = NULL;
	CLEANUP_PTR(repo) struct repo *two = NULL;
	CLEANUP_PTR(repo) struct repo *fetched = NULL;
	CLEANUP(buf) struct buf changes = BUF_INIT(1 << 20);
	struct repo_diff_visitor visitor = { NULL, list_change, &changes };
	struct oid head = id_of(s, "r", "v2^{commit}");
	struct oid old = id_of(s, "r", "v1");
	struct oid top;
	struct oid ignored;
	struct error err = ERROR_INIT;
	char hex[OID_HEX_SIZE];

	run(s, "r", NULL, "git commit -q --allow-empty -m third");
	top = id_of(s, "r", "HEAD");
	run(s, "", NULL,
	    "git clone -q --depth 1 \"file://$PWD/r\" one; "
	    "git clone -q --depth 2 \"file://$PWD/r\" two");
	one = open_repo("one");
	assert_true(repo_is_shallow(one));
	assert_true(repo_has_commit(one, &top));
	assert_false(repo_has_commit(one, &old));
	assert_int_equal(repo_is_ancestor(one, &old, &top), -1);
	assert_int_equal(repo_is_ancestor(one, &top, &top), 1);
	assert_int_equal(repo_resolve(one, "HEAD~1", &ignored, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "fetch-depth"));
	two = open_repo("two");
	assert_int_equal(repo_is_ancestor(two, &head, &top), 1);
	assert_int_equal(repo_is_ancestor(two, &top, &head), 0);
	assert_int_equal(repo_is_ancestor(two, &old, &top), -1);
	/* The base alone, as actions fetch it: comparable, but of unknown order. */
	run(s, "one", NULL, "git fetch -q --no-tags --depth=1 origin %s",
	    oid_hex(&old, hex));
	fetched = open_repo("one");
	assert_int_equal(repo_is_ancestor(fetched, &old, &top), -1);
	assert_int_equal(repo_diff(fetched, &old, &top, "site", &visitor, &err), 0);
	assert_string_equal(changes.data, "M index.html\nA new.html\n");
}

static void test_git_partial__blobs_come_from_the_work_tree_or_the_remote(void **state)
{
	struct sandbox *s = *state;
	CLEANUP_PTR(repo) struct repo *r = NULL;
	CLEANUP(buf) struct buf out = BUF_INIT(1000);
	struct oid index = id_of(s, "r", "HEAD:site/index.html");
	struct oid css = id_of(s, "r", "HEAD:site/css/a.css");
	struct oid old = id_of(s, "r", "v1:site/index.html");
	struct oid readme = id_of(s, "r", "v1:README");
	struct error err = ERROR_INIT;
	int64_t size;

	setenv("GIT_DIR", "decoy/.git", 1); /* must not reach the program */
	run(s, "", NULL,
	    "git clone -q --filter=blob:none --no-checkout \"file://$PWD/r\" p; cd p; "
	    "git sparse-checkout set --no-cone /site/; git checkout -q main; cd ..; "
	    "cp -r p moved; rm -rf p; mv moved p; mv r/.git r/hidden");
	check_walk(s, "p");
	r = open_repo("p");
	assert_int_equal(repo_blob(r, &old, "site/index.html", &out, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "partial clone"));
	/* Taken out of the object store: only the work tree has it. */
	run(s, "p", NULL,
	    "rm -f .git/objects/pack/pack-*; mv ../r/hidden ../r/.git; "
	    "git init -q x; git -C x fetch -q --filter=blob:none "
	    "\"file://$PWD/../r\" main; cp x/.git/objects/pack/* "
	    ".git/objects/pack/; rm -rf x; mv ../r/.git ../r/hidden");
	repo_free(r);
	r = open_repo("p");
	assert_int_equal(repo_blob(r, &index, "site/index.html", &out, &err), 0);
	assert_string_equal(out.data, "two\n");
	assert_int_equal(repo_blob_size(r, &css, "site/css/a.css", &size, &err), 0);
	assert_int_equal(size, 4);
	assert_int_equal(repo_blob(r, &css, "site/../site/css/a.css", &out, &err), -1);
	/* And with the remote back, any blob. */
	run(s, "", NULL, "mv r/hidden r/.git");
	buf_clear(&out);
	if (repo_blob(r, &readme, "README", &out, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(out.data, "other\n");
	assert_int_equal(repo_blob_size(r, &old, NULL, &size, &err), 0);
	assert_int_equal(size, 4);
	unsetenv("GIT_DIR");
}

static void test_git_edits__are_counted(void **state)
{
	static const struct {
		const char *script, *revision, *folder;
		size_t edits;
	} cases[] = {
		{ ":", "HEAD", "", 0 },
		{ ":", "HEAD~1", "", 3 },
		{ ":", "HEAD~1", "site", 2 },
		{ "echo new >> site/index.html", "HEAD", "site", 1 },
		{ "echo new >> site/index.html; git add -A", "HEAD", "site", 1 },
		{ "touch -d @1 site/index.html", "HEAD", "site", 0 },
		{ "chmod +x site/index.html", "HEAD", "site", 0 },
		{ "rm site/index.html", "HEAD", "site", 1 },
		{ "echo x > site/u; mkdir site/d; echo x > site/d/u", "HEAD", "site", 2 },
		{ "echo x > outside; mkdir site2; echo x > site2/x", "HEAD", "site", 0 },
		{ "echo x > site/u; echo u > .gitignore", "HEAD", "site", 0 },
		{ "rm -r site", "HEAD", "site", 4 },
		{ "git sparse-checkout set --no-cone /site/css/", "HEAD", "site", 0 },
	};
	struct sandbox *s = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP_PTR(repo) struct repo *r = NULL;
		struct error err = ERROR_INIT;
		struct oid commit;
		size_t edits = 99;

		run(s, "", NULL, "rm -rf c; cp -a r c; cd c; git reset -q --hard; %s",
		    cases[i].script);
		r = open_repo("c");
		assert_int_equal(repo_resolve(r, cases[i].revision, &commit, &err), 0);
		assert_int_equal(
			repo_count_edits(r, &commit, cases[i].folder, NULL, &edits, &err),
			0);
		if (edits != cases[i].edits)
			fail_msg("%s: %zu", cases[i].script, edits);
	}
}

/* Prints what is asked, and says no to index.html. */
static bool print_edit(void *ctx, const char *path, const struct oid *committed)
{
	char hex[OID_HEX_SIZE];

	buf_printf(ctx, "%s %s;", path, committed ? oid_hex(committed, hex) : "new");
	return !str_eq(path, "index.html");
}

static void test_git_edits__are_filtered(void **state)
{
	struct sandbox *s = *state;
	CLEANUP_PTR(repo) struct repo *r = NULL;
	CLEANUP(buf) struct buf asked = BUF_INIT(1000);
	CLEANUP(buf) struct buf wanted = BUF_INIT(1000);
	const struct repo_edit_filter filter = { print_edit, &asked };
	struct error err = ERROR_INIT;
	struct oid commit;
	size_t edits;

	run(s, "", NULL,
	    "cp -a r c; cd c; git reset -q --hard; echo new >> site/index.html; "
	    "rm site/css/a.css; echo x > site/untracked; echo x > site/added; "
	    "git add site/added; echo x > outside");
	r = open_repo("c");
	assert_int_equal(repo_resolve(r, "HEAD", &commit, &err), 0);
	assert_int_equal(repo_count_edits(r, &commit, "site", &filter, &edits, &err), 0);
	assert_int_equal(edits, 3);
	run(s, "c", &wanted,
	    "printf 'added new;css/a.css %%s;index.html %%s;untracked new;' "
	    "$(git rev-parse HEAD:site/css/a.css HEAD:site/index.html)");
	assert_string_equal(asked.data, wanted.data);
}

static void test_git_config__values_and_remotes(void **state)
{
	struct sandbox *s = *state;
	CLEANUP_PTR(repo) struct repo *r = NULL;
	CLEANUP(buf) struct buf out = BUF_INIT(100);
	struct error err = ERROR_INIT;

	run(s, "r", NULL,
	    "git remote add origin https://x.example/a.git; "
	    "git config url.ssh://y/.insteadOf https://x.example/; "
	    "git config http.https://x.example/.extraheader 'AUTHORIZATION: basic x'");
	r = open_repo("r");
	assert_int_equal(repo_remote_url(r, "origin", &out, &err), 0);
	assert_string_equal(out.data, "https://x.example/a.git");
	assert_int_equal(repo_remote_url(r, "none", &out, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	buf_clear(&out);
	assert_int_equal(
		repo_config_value(r, "http.https://x.example/.extraheader", &out, &err),
		0);
	assert_string_equal(out.data, "AUTHORIZATION: basic x");
	assert_int_equal(repo_config_value(r, "no.such", &out, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(repo_config_value(r, "not a name", &out, &err), -1);
}

static void test_git_local_ref__of_another_repository(void **state)
{
	struct sandbox *s = *state;
	struct oid head = id_of(s, "r", "HEAD");
	struct oid found;
	struct error err = ERROR_INIT;

	run(s, "", NULL, "git clone -q --bare r bare.git");
	assert_int_equal(repo_local_ref("bare.git", "refs/heads/main", &found, &err), 0);
	assert_true(oid_equal(&found, &head));
	assert_int_equal(repo_local_ref("r", "refs/tags/v2", &found, &err), 0);
	assert_true(oid_equal(&found, &head));
	assert_int_equal(repo_local_ref("r", "refs/heads/none", &found, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(repo_local_ref("r/site", "refs/heads/main", &found, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(repo_local_ref("r", "no good..ref", &found, &err), -1);
	assert_int_equal(err.code, ERR_USAGE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_git_open__where_nothing_is),
		TEST(test_git_open__from_a_folder_inside_and_not_from_the_environment),
		TEST(test_git_open__formats),
		TEST(test_git_open__owned_by_somebody_else),
		TEST(test_git_open__kinds_of_repository),
		TEST(test_git_resolve__revisions),
		TEST(test_git_resolve__abbreviated_ids),
		TEST(test_git_resolve__a_branch_without_commits),
		TEST(test_git_head_ref__branch_and_detached),
		TEST(test_git_commit__is_read_as_it_is),
		TEST(test_git_parent__as_the_commit_names_it),
		TEST(test_git_commit__long_texts_are_cut),
		TEST(test_git_walk__wherever_the_commit_lives),
		TEST(test_git_walk__a_folder),
		TEST(test_git_walk__too_deep),
		TEST(test_git_walk__an_empty_commit),
		TEST(test_git_walk__missing_and_damaged_trees),
		TEST(test_git_diff__folders),
		TEST(test_git_lookup__paths),
		TEST(test_git_blob__content_and_size),
		TEST(test_git_blob__damage_is_found),
		TEST(test_git_shallow__what_is_known),
		TEST(test_git_partial__blobs_come_from_the_work_tree_or_the_remote),
		TEST(test_git_edits__are_counted),
		TEST(test_git_edits__are_filtered),
		TEST(test_git_config__values_and_remotes),
		TEST(test_git_local_ref__of_another_repository),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
