/* Mirrors and checkouts of repositories on this machine; what needs a server is tested by
 * tests/e2e/test_daemon_job.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/str.h"
#include "git_repo.h"
#include "io/git_checkout.h"
#include "io/git_fetch.h"

static struct sandbox box;

static int set_up(void **state)
{
	(void)state;
	sandbox_start(&box);
	run(&box, "", NULL,
	    "git init -q up; cd up; echo one >a; mkdir d; echo two >d/b; git add .; "
	    "git commit -qm first");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sandbox_end(&box);
	return 0;
}

static char *in_box(const char *name)
{
	CLEANUP(buf) struct buf path = BUF_INIT(4096);

	buf_printf(&path, "%s/%s", box.path, name);
	return buf_take(&path);
}

static int fetch(const char *url_name, const char *branch, struct oid *tip,
		 struct error *err)
{
	CLEANUP_PTR(mem) char *url = in_box(url_name);
	CLEANUP_PTR(mem) char *mirror = in_box("state/mirror");
	struct mirror_remote remote = { .url = url, .branch = branch };

	error_clear(err);
	return mirror_fetch(mirror, &remote, tip, err);
}

static void must_fetch(const char *revision)
{
	struct oid want = id_of(&box, "up", revision);
	struct error err = ERROR_INIT;
	struct oid tip;

	if (fetch("up", "main", &tip, &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(oid_equal(&tip, &want));
}

static void test_fetches_and_follows(void **state)
{
	CLEANUP(buf) struct buf out = BUF_INIT(4096);
	struct oid want;
	struct oid got;

	(void)state;
	must_fetch("HEAD");
	run(&box, "up", NULL, "echo more >>a; git commit -qam second; git tag t");
	must_fetch("HEAD");
	/* A branch that was moved back is followed, and what was fetched stays. */
	want = id_of(&box, "up", "HEAD");
	run(&box, "up", NULL, "git reset -q --hard HEAD~1");
	must_fetch("HEAD");
	got = id_of(&box, "state/mirror", "main");
	assert_false(oid_equal(&want, &got));
	run(&box, "state/mirror", &out,
	    "git cat-file -t t 2>&1 || true; git cat-file -t $(git -C ../../up rev-parse t); "
	    "git rev-list --count main; git symbolic-ref HEAD; git config remote.origin.url; "
	    "stat -c %%a .; git tag; git for-each-ref | wc -l");
	assert_non_null(strstr(out.data, "commit\n1\nrefs/heads/main\n"));
	assert_non_null(strstr(out.data, "/state/mirror\n700\n1\n"));
}

static void test_tells_what_is_not_there(void **state)
{
	struct error err = ERROR_INIT;
	struct oid tip;

	(void)state;
	assert_int_equal(fetch("up", "other", &tip, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "no branch \"other\""));
	assert_int_equal(fetch("nowhere", "main", &tip, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(fetch("up", "a..b", &tip, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	run(&box, "", NULL, "git init -q empty");
	assert_int_equal(fetch("empty", "main", &tip, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	must_fetch("HEAD");
}

/* The configured branch is another now, and the mirror has the former's ref in its place. */
static void test_a_branch_below_a_former_one(void **state)
{
	static const char *const branches[] = { "release", "release/1", "release",
						"main" };
	struct error err = ERROR_INIT;
	struct oid tip;

	(void)state;
	must_fetch("HEAD");
	for (size_t i = 0; i < sizeof(branches) / sizeof(*branches); i++) {
		run(&box, "up", NULL,
		    "git checkout -q --detach; "
		    "git for-each-ref --format='delete %%(refname)' refs/heads | "
		    "git update-ref --stdin; "
		    "git checkout -q -b %s; git commit -q --allow-empty -m more",
		    branches[i]);
		if (fetch("up", branches[i], &tip, &err) < 0)
			fail_msg("%s: %d: %s", branches[i], (int)err.code, err.msg);
	}
}

static void test_many_packs_become_one_when_the_host_is_there(void **state)
{
	CLEANUP(buf) struct buf out = BUF_INIT(4096);
	struct error err = ERROR_INIT;
	struct oid want;
	struct oid got;
	struct oid tip;

	(void)state;
	must_fetch("HEAD");
	want = id_of(&box, "up", "HEAD");
	run(&box, "state/mirror", NULL,
	    "for n in $(seq 201); do : >objects/pack/pack-$n.pack; done; "
	    "mv ../../up ../../away; mkdir ../../up");
	assert_int_equal(fetch("up", "main", &tip, &err), -1);
	got = id_of(&box, "state/mirror", "main");
	assert_true(oid_equal(&want, &got));
	run(&box, "state/mirror", NULL, "rmdir ../../up; mv ../../away ../../up");
	must_fetch("HEAD");
	run(&box, "state/mirror", &out, "ls objects/pack/*.pack | wc -l");
	assert_string_equal(out.data, "1\n");
}

static void test_tip_alone(void **state)
{
	CLEANUP_PTR(mem) char *url = in_box("up");
	struct mirror_remote remote = { .url = url, .branch = "main" };
	struct oid want = id_of(&box, "up", "HEAD");
	struct error err = ERROR_INIT;
	struct oid tip;

	(void)state;
	assert_int_equal(mirror_tip(&remote, &tip, &err), 0);
	assert_true(oid_equal(&tip, &want));
	remote.branch = "none";
	assert_int_equal(mirror_tip(&remote, &tip, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

/* Each leaves the mirror so that it has to be made anew, or put right. */
static void test_recovers(void **state)
{
	static const char *const damages[] = {
		"rm -rf *; echo no >HEAD",
		"rm -rf objects",
		"rm HEAD",
		"printf junk >config",
		"echo 0000000000000000000000000000000000000bad >refs/heads/main",
		"find objects -type f | xargs -r rm -f",
		"for f in $(find objects -type f); do chmod u+w $f; : >$f; done",
		"touch config.lock HEAD.lock packed-refs.lock",
		"touch refs/heads/main.lock",
		"touch objects/pack/pack_a1b2c3",
		"rm -rf ../mirror; echo file >../mirror",
		"rm -rf refs",
		"for i in $(seq 201); do touch objects/pack/pack-$i.pack; done",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(*damages); i++) {
		run(&box, "", NULL, "rm -rf state");
		must_fetch("HEAD");
		run(&box, "state/mirror", NULL, "%s", damages[i]);
		run(&box, "up", NULL, "echo more >>a; git commit -qam more");
		print_message("damage: %s\n", damages[i]);
		must_fetch("HEAD");
		run(&box, "state/mirror", NULL,
		    "git archive main >/dev/null; test ! -e objects/pack/pack_a1b2c3; "
		    "test ! -e objects/pack/pack-7.pack; "
		    "test \"$(git cat-file -t main:d/b)\" = blob");
	}
}

static void test_ignores_the_users_configuration(void **state)
{
	(void)state;
	run(&box, "", NULL, "git config -f .gitconfig url./nowhere/.insteadOf $PWD/");
	must_fetch("HEAD");
}

static int set_cancelled(struct error *err)
{
	CLEANUP_PTR(mem) char *url = in_box("up");
	CLEANUP_PTR(mem) char *mirror = in_box("state/mirror");
	volatile int cancelled = 1;
	struct mirror_remote remote = { .url = url,
					.branch = "main",
					.cancelled = &cancelled };
	struct oid tip;

	return mirror_fetch(mirror, &remote, &tip, err);
}

static void test_stops(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(set_cancelled(&err), -1);
	assert_int_equal(err.code, ERR_CANCELLED);
	must_fetch("HEAD");
}

/* Checkouts */

static int check_out(const char *folder, const struct oid *commit, struct error *err)
{
	CLEANUP_PTR(mem) char *where = in_box(folder);
	CLEANUP_PTR(mem) char *mirror = in_box("state/mirror");

	error_clear(err);
	return checkout_make(where, mirror, "main", commit, err);
}

static void test_checks_out(void **state)
{
	struct error err = ERROR_INIT;
	struct oid commit;

	(void)state;
	run(&box, "up", NULL,
	    "printf 'l1\\r\\nl2\\n' >mixed; printf '$Id$\\n' >id; ln -s /etc/passwd link; "
	    "echo '* text=auto eol=crlf ident filter=evil' >.gitattributes; "
	    "echo x >run; chmod +x run; "
	    "git -c core.attributesFile=/dev/null add .; git commit -qm files; "
	    "git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),sub; "
	    "git commit -qm sub");
	run(&box, "", NULL,
	    "git config -f .gitconfig filter.evil.smudge 'touch %s/ran; cat'; "
	    "git config -f .gitconfig filter.evil.clean cat",
	    box.path);
	must_fetch("HEAD");
	commit = id_of(&box, "up", "HEAD");
	if (check_out("tree", &commit, &err) < 0)
		fail_msg("%s", err.msg);
	run(&box, "tree", NULL,
	    "test ! -e ../ran; test -x run; test -L link; "
	    "test \"$(readlink link)\" = /etc/passwd; test -z \"$(ls -A sub)\"; "
	    "for f in mixed id a d/b; do git cat-file blob HEAD:$f | cmp - $f; done; "
	    "test \"$(git rev-parse HEAD)\" = \"$(git -C ../up rev-parse HEAD)\"; "
	    "test \"$(git symbolic-ref HEAD)\" = refs/heads/main; "
	    "test \"$(git config remote.origin.url)\" = %s/state/mirror; "
	    "test -z \"$(ls .git/hooks 2>/dev/null | grep -v sample)\"; "
	    "git diff-index HEAD -- a d run",
	    box.path);
	assert_int_equal(check_out("tree", &commit, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
}

/* Trees that git does not make, by its plumbing. */
static void test_refuses_hostile_trees(void **state)
{
	static const char *const entries[] = {
		"100644 .git/x",
		"100644 ../escaped",
		"40000 .git",
		"40000 .GIT",
		"40000 ..",
		"40000 git~1",
		"100644 a/../../escaped",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(entries) / sizeof(*entries); i++) {
		struct error err = ERROR_INIT;
		struct oid commit;

		print_message("entry: %s\n", entries[i]);
		run(&box, "", NULL, "rm -rf state tree; git init -q --bare state/mirror");
		run(&box, "state/mirror", NULL,
		    "blob=$(echo hi | git hash-object -w --stdin); "
		    "sub=$(printf '100644 blob %%s\\tconfig\\n' $blob | git mktree); "
		    "id=$blob; case '%s' in 4*) id=$sub;; esac; "
		    "tree=$( { printf '%s\\0'; printf $id | xxd -r -p; } | "
		    "git hash-object -t tree -w --stdin --literally); "
		    "git update-ref refs/heads/main $(git commit-tree -m bad $tree)",
		    entries[i], entries[i]);
		commit = id_of(&box, "state/mirror", "main");
		assert_int_equal(check_out("tree", &commit, &err), -1);
		assert_int_equal(err.code, ERR_DATA);
		run(&box, "", NULL,
		    "test ! -e escaped; test ! -e tree/.git/x; ! grep -q hi tree/.git/config");
	}
}

/* A name that is both a link and a folder: nothing may be written through the link. */
static void test_writes_through_no_link(void **state)
{
	struct error err = ERROR_INIT;
	struct oid commit;

	(void)state;
	run(&box, "", NULL, "mkdir out; git init -q --bare state/mirror");
	run(&box, "state/mirror", NULL,
	    "blob=$(echo hi | git hash-object -w --stdin); "
	    "link=$(printf %s/out | git hash-object -w --stdin); "
	    "sub=$(printf '100644 blob %%s\\tfile\\n' $blob | git mktree); "
	    "tree=$( { printf '120000 a\\0'; printf $link | xxd -r -p; "
	    "printf '40000 a\\0'; printf $sub | xxd -r -p; } | "
	    "git hash-object -t tree -w --stdin --literally); "
	    "git update-ref refs/heads/main $(git commit-tree -m bad $tree)",
	    box.path);
	commit = id_of(&box, "state/mirror", "main");
	(void)check_out("tree", &commit, &err); /* whether it does or not */
	run(&box, "", NULL, "test -z \"$(ls -A out)\"");
}

static void test_tells_of_a_missing_commit(void **state)
{
	struct oid commit = { { 1 } };
	struct error err = ERROR_INIT;

	(void)state;
	must_fetch("HEAD");
	assert_int_equal(check_out("tree", &commit, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_fetches_and_follows),
		TEST(test_tells_what_is_not_there),
		TEST(test_a_branch_below_a_former_one),
		TEST(test_many_packs_become_one_when_the_host_is_there),
		TEST(test_tip_alone),
		TEST(test_recovers),
		TEST(test_ignores_the_users_configuration),
		TEST(test_stops),
		TEST(test_checks_out),
		TEST(test_refuses_hostile_trees),
		TEST(test_writes_through_no_link),
		TEST(test_tells_of_a_missing_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
