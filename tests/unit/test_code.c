#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/zip.h"
#include "git_checkout.h"
#include "run/code.h"

struct fixture {
	struct checkout checkout;
	struct progress progress;
	struct buf told;
	volatile int cancelled;
	struct code_options options;
	struct code code;
	struct error err;
};

static void on_output(void *ctx, const char *line)
{
	buf_printf(ctx, "%s\n", line);
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	checkout_start(&f->checkout);
	run(&f->checkout.sandbox, ".", NULL, "mkdir tmp");
	f->checkout.sandbox.env = process_env_set(f->checkout.sandbox.env, "TMPDIR",
						  "tmp");
	f->told = (struct buf)BUF_INIT(1 << 16);
	f->progress = (struct progress){ .ctx = &f->told, .output = on_output };
	f->options = (struct code_options){ .commit = &f->checkout.head,
					    .path = "fn",
					    .what = "backend counter",
					    .runtime = "python3.13",
					    .cancelled = &f->cancelled,
					    .progress = &f->progress };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	code_release(&f->code);
	buf_release(&f->told);
	checkout_end(&f->checkout);
	free(f);
	return 0;
}

static void commit(struct fixture *f, const char *script)
{
	checkout_commit(&f->checkout, script);
}

static int open_code(struct fixture *f)
{
	code_release(&f->code);
	error_clear(&f->err);
	f->options.repo = checkout_open(&f->checkout);
	f->options.env = f->checkout.sandbox.env;
	return code_open(&f->code, &f->options, &f->err);
}

static void must_open(struct fixture *f)
{
	if (open_code(f) < 0)
		fail_msg("%s", f->err.msg);
}

static void assert_error(struct fixture *f, enum error_code code, const char *text)
{
	if (f->err.code != code || !strstr(f->err.msg, text))
		fail_msg("%d %s\nlacks: %s", f->err.code, f->err.msg, text);
	assert_true(str_starts(f->err.msg, "backend counter: "));
}

/* "path[*][<from] ..." of the files. */
static void assert_files(struct fixture *f, const char *expected)
{
	CLEANUP(buf) struct buf all = BUF_INIT(1 << 16);

	for (size_t i = 0; i < f->code.files.len; i++) {
		const struct code_file *file = &f->code.files.items[i];
		const char *from = file->from;

		buf_printf(&all, "%s%s%s", i ? " " : "", file->path,
			   file->executable ? "*" : "");
		if (!str_starts(from, "fn/") || !str_eq(from + 3, file->path))
			buf_printf(&all, "<%s", from);
	}
	assert_string_equal(all.data, expected);
}

/* A file of the sandbox. */
static void put(const char *path, const void *p, size_t n)
{
	struct error err = ERROR_INIT;

	if (fs_write(path, p, n, &err) < 0)
		fail_msg("%s", err.msg);
}

/* Files */

static void a_folder_is_its_files(void **state)
{
	struct fixture *f = *state;

	commit(f, "mkdir -p fn/a/b .git/x; echo 1 > fn/app.py; echo 2 > fn/a/b/c; "
		  "echo 3 > fn/a-b; touch fn/empty; chmod +x fn/a/b/c; "
		  "mkdir -p fn/__pycache__ fn/venv/bin fn/node_modules/x fn/env/lib "
		  "fn/.aws-sam; touch fn/__pycache__/x fn/venv/bin/y "
		  "fn/node_modules/x/z fn/env/lib/q fn/.gitignore fn/.env fn/x.pyc "
		  "fn/terraform.tfstate fn/.aws-sam/x; echo 4 > other");
	must_open(f);
	assert_files(f, "a-b a/b/c* app.py empty");
	assert_int_equal(f->code.kind, SOURCE_COMMIT);
	assert_false(f->code.is_archive || f->code.has_requirements);
	f->options.runtime = "nodejs22.x";
	must_open(f);
	assert_files(f, "a-b a/b/c* app.py empty env/lib/q node_modules/x/z");
	f->options.is_layer = true;
	must_open(f);
	assert_files(f, "a-b a/b/c* app.py empty env/lib/q node_modules/x/z "
			"venv/bin/y x.pyc");
	f->options.path = "fn/a/../a/./b/";
	must_open(f);
	assert_files(f, "c*<fn/a/b/c");
}

static void commit_and_work_tree_have_one_key(void **state)
{
	struct fixture *f = *state;
	char key[CODE_KEY_SIZE];

	commit(f, "mkdir -p fn/a shared; echo 1 > fn/app.py; echo 2 > fn/a/x; "
		  "chmod +x fn/a/x; echo 3 > shared/s; ln -s ../shared fn/shared; "
		  "ln -s a/x fn/y");
	must_open(f);
	assert_int_equal(strlen(f->code.key), 64);
	memcpy(key, f->code.key, sizeof(key));
	assert_files(f, "a/x* app.py shared/s<shared/s y*<fn/a/x");
	f->options.wanted = SOURCE_WORKTREE;
	must_open(f);
	assert_int_equal(f->code.kind, SOURCE_WORKTREE);
	assert_files(f, "a/x* app.py shared/s<shared/s y*<fn/a/x");
	assert_string_equal(f->code.key, key);
	/* An edit is seen on the disk alone. */
	run(&f->checkout.sandbox, "r", NULL, "echo 9 > fn/app.py");
	must_open(f);
	assert_string_not_equal(f->code.key, key);
	f->options.wanted = SOURCE_AUTO;
	must_open(f);
	assert_string_equal(f->code.key, key);
}

/* What each script makes of a folder with app.py = 1 changes the key, or does not. */
static void the_key_is_of_content_alone(void **state)
{
	static const struct {
		const char *script;
		bool same;
	} cases[] = {
		{ "touch -d 2001-01-01 fn/app.py; chmod 600 fn/app.py", true },
		{ "mkdir fn/__pycache__; touch fn/__pycache__/app.pyc", true },
		{ "echo x > README", true },
		{ "echo 2 > fn/app.py", false },
		{ "chmod 700 fn/app.py", false },
		{ "git mv fn/app.py fn/b.py", false },
		{ "touch fn/b", false },
		{ "touch fn/requirements.txt", false },
	};
	struct fixture *f = *state;
	char key[CODE_KEY_SIZE];

	commit(f, "mkdir fn; echo 1 > fn/app.py");
	must_open(f);
	memcpy(key, f->code.key, sizeof(key));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		commit(f, cases[i].script);
		must_open(f);
		if (str_eq(key, f->code.key) != cases[i].same)
			fail_msg("%s", cases[i].script);
		run(&f->checkout.sandbox, "r", NULL, "git reset -q --hard HEAD~1");
	}
	commit(f, "git mv fn gn");
	f->options.path = "gn";
	must_open(f);
	assert_string_equal(f->code.key, key);
}

static void one_key_for_one_way_to_install(void **state)
{
	static const struct {
		const char *runtime, *architecture;
	} ways[] = { { "python3.13", NULL },
		     { "python3.13", "arm64" },
		     { "python3.12", NULL },
		     { "nodejs22.x", NULL } };
	struct fixture *f = *state;
	char keys[4][CODE_KEY_SIZE];

	commit(f, "mkdir fn; echo tiny > fn/requirements.txt");
	for (size_t i = 0; i < 4; i++) {
		f->options.runtime = ways[i].runtime;
		f->options.architecture = ways[i].architecture;
		must_open(f);
		assert_int_equal(f->code.has_requirements, i < 3);
		memcpy(keys[i], f->code.key, sizeof(keys[i]));
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(keys[i], keys[k]);
	}
	f->options.runtime = "python3.13";
	f->options.architecture = "x86_64";
	must_open(f);
	assert_string_equal(f->code.key, keys[0]);
}

/* Links */

static const enum source_kind both[] = { SOURCE_COMMIT, SOURCE_WORKTREE };

static void links_stand_for_what_they_point_to(void **state)
{
	struct fixture *f = *state;

	commit(f, "mkdir -p fn/a lib/deep; echo 1 > lib/u.py; echo 2 > lib/deep/v; "
		  "ln -s ../lib fn/lib; ln -s ../lib/deep/v fn/v; ln -s deep/v lib/w; "
		  "ln -s ../../fn/v fn/a/chain; ln -s nowhere fn/.env; "
		  "ln -s /usr/bin fn/venv; ln -s fn alias");
	for (size_t i = 0; i < 2; i++) {
		f->options.wanted = both[i];
		f->options.path = "fn";
		must_open(f);
		assert_files(f, "a/chain<lib/deep/v lib/deep/v<lib/deep/v "
				"lib/u.py<lib/u.py lib/w<lib/deep/v v<lib/deep/v");
		f->options.path = "alias/../alias/a";
		must_open(f);
		assert_files(f, "chain<lib/deep/v");
		f->options.path = "fn/v";
		must_open(f);
		assert_files(f, "v<lib/deep/v");
	}
}

static void links_that_lead_astray_are_refused(void **state)
{
	static const struct {
		const char *script, *message;
	} cases[] = {
		{ "ln -s ../../x fn/l", "\n  l: it leads out of the repository" },
		{ "ln -s /etc/passwd fn/l",
		  "leads out of the repository, to /etc/passwd" },
		{ "ln -s nowhere fn/l", "\n  l: fn/nowhere is not there" },
		{ "ln -s l fn/l", "\n  l: a symbolic link that leads in a circle" },
		{ "ln -s . fn/l", "\n  l: a symbolic link to a folder that it is in" },
		{ "ln -s .. fn/l", "\n  l: a symbolic link to a folder that it is in" },
		{ "ln -s ../o fn/l; mkdir o; ln -s ../fn o/m",
		  "\n  l/m: a symbolic link to a folder that it is in" },
		{ "ln -s app.py/x fn/l", "\n  l: fn/app.py is no folder" },
	};
	struct fixture *f = *state;

	commit(f, "mkdir fn; echo 1 > fn/app.py");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		commit(f, cases[i].script);
		for (size_t k = 0; k < 2; k++) {
			f->options.wanted = both[k];
			assert_int_equal(open_code(f), -1);
			assert_error(f, ERR_DATA, "fn: 1 path cannot be packed:");
			assert_error(f, ERR_DATA, cases[i].message);
		}
		run(&f->checkout.sandbox, "r", NULL, "git reset -q --hard HEAD~1");
	}
	run(&f->checkout.sandbox, "r", NULL, "ln -s ../.git/config fn/l");
	assert_int_equal(open_code(f), -1);
	assert_error(f, ERR_DATA, "git's own folder");
	f->options.path = ".git";
	assert_int_equal(open_code(f), -1);
	assert_error(f, ERR_CONFIG, "git's own folder");
}

static void what_cannot_be_packed_is_named(void **state)
{
	struct fixture *f = *state;

	commit(f, "mkdir fn; echo 1 > fn/app.py; git init -q sub; cd sub; "
		  "git commit -q --allow-empty -m 1; cd ..; "
		  "git -c protocol.file.allow=always submodule -q add ./sub fn/sub; "
		  "touch \"$(printf 'fn/\\377')\"");
	assert_int_equal(open_code(f), -1);
	assert_error(f, ERR_DATA, "2 paths cannot be packed");
	assert_error(f, ERR_DATA, "\n  sub: a submodule, whose files");
	assert_error(f, ERR_DATA, "\n  \\xff: the name is not UTF-8");
	f->options.path = "fn/sub";
	assert_int_equal(open_code(f), -1);
	assert_error(f, ERR_CONFIG, "fn/sub is a submodule");
	commit(f, "git rm -qrf fn; rm -rf fn; mkdir fn; mkfifo fn/pipe");
	f->options.path = "fn";
	f->options.wanted = SOURCE_WORKTREE;
	assert_int_equal(open_code(f), -1);
	assert_error(f, ERR_DATA, "\n  pipe: not a regular file");
}

/* Where it is */

static void nothing_there_is_an_error_that_says_where(void **state)
{
	struct fixture *f = *state;

	commit(f, "mkdir dist empty; echo 1 > x; echo dist > .gitignore");
	run(&f->checkout.sandbox, "r", NULL,
	    "git rm -qr --cached . && git commit -qm y; "
	    "echo 1 > dist/app.py");
	f->checkout.head = id_of(&f->checkout.sandbox, "r", "HEAD");
	f->options.path = "dist";
	must_open(f);
	assert_int_equal(f->code.kind, SOURCE_WORKTREE);
	assert_files(f, "app.py<dist/app.py");
	f->options.wanted = SOURCE_COMMIT;
	assert_int_equal(open_code(f), -1);
	assert_error(f, ERR_CONFIG, "there is no dist in the commit");
	f->options.wanted = SOURCE_AUTO;
	f->options.path = "none";
	assert_int_equal(open_code(f), -1);
	assert_error(f, ERR_CONFIG, "there is no none in the commit or on the disk");
	f->options.path = "../x";
	assert_int_equal(open_code(f), -1);
	assert_error(f, ERR_CONFIG, "../x: it leads out of the repository");
	f->options.path = "empty";
	assert_int_equal(open_code(f), -1);
	assert_error(f, ERR_CONFIG, "empty: there is nothing in it to pack");
}

static void a_bare_repository_has_its_commits(void **state)
{
	struct fixture *f = *state;

	commit(f, "mkdir fn; echo 1 > fn/app.py");
	run(&f->checkout.sandbox, ".", NULL,
	    "git clone -q --bare r b && mv r old && mv b r");
	must_open(f);
	assert_files(f, "app.py");
	f->options.path = "none";
	assert_int_equal(open_code(f), -1);
	assert_error(f, ERR_CONFIG, "there is no none in the commit");
	f->options.wanted = SOURCE_WORKTREE;
	assert_int_equal(open_code(f), -1);
	assert_error(f, ERR_CONFIG, "bare");
}

/* Files and archives */

static void put_archive(const char *path)
{
	CLEANUP(zip_items) struct zip_items items = { 0 };
	CLEANUP(buf) struct buf zip = BUF_INIT(1 << 16);
	struct error err = ERROR_INIT;

	zip_items_push(&items,
		       (struct zip_item){ .path = "app.py", .bytes = "1", .len = 1 });
	assert_int_equal(zip_write(&items, &zip, &err), 0);
	put(path, zip.data, zip.len);
}

static void an_archive_goes_as_it_is(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf) struct buf zip = BUF_INIT(1 << 16);
	CLEANUP(buf) struct buf file = BUF_INIT(1 << 16);
	char key[CODE_KEY_SIZE];

	put_archive("r/a.zip");
	commit(f, "cp a.zip b.bin; head -c 40 a.zip > cut.zip; touch empty.jar");
	f->options.path = "a.zip";
	must_open(f);
	assert_true(f->code.is_archive);
	memcpy(key, f->code.key, sizeof(key));
	assert_int_equal(code_zip(&f->code, &zip, &f->err), 0);
	assert_int_equal(fs_read("r/a.zip", &file, &f->err), 0);
	assert_int_equal(zip.len, file.len);
	assert_memory_equal(zip.data, file.data, zip.len);
	f->options.path = "b.bin";
	must_open(f);
	assert_string_equal(f->code.key, key);
	f->options.path = "cut.zip";
	assert_int_equal(open_code(f), -1);
	assert_error(f, ERR_CONFIG, "cut.zip is no archive");
	f->options.path = "empty.jar";
	assert_int_equal(open_code(f), -1);
}

static void a_file_is_packed_by_itself(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf) struct buf zip = BUF_INIT(1 << 16);
	char key[CODE_KEY_SIZE];

	commit(f, "mkdir -p fn one; echo 1 > fn/app.py; echo x > fn/other; "
		  "echo tiny > fn/requirements.txt; cp fn/app.py one");
	f->options.path = "fn/app.py";
	must_open(f);
	assert_files(f, "app.py");
	assert_false(f->code.is_archive || f->code.has_requirements);
	memcpy(key, f->code.key, sizeof(key));
	assert_int_equal(code_zip(&f->code, &zip, &f->err), 0);
	assert_true(zip_is_archive(zip.data, zip.len));
	f->options.path = "one";
	must_open(f);
	assert_string_equal(f->code.key, key);
}

static void zip_of(struct fixture *f, struct buf *out)
{
	must_open(f);
	if (code_zip(&f->code, out, &f->err) < 0)
		fail_msg("%s", f->err.msg);
}

static void assert_same_bytes(const struct buf *a, const struct buf *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->data, b->data, a->len);
}

static void the_same_files_are_the_same_archive(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf) struct buf first = BUF_INIT(1 << 20);
	CLEANUP(buf) struct buf second = BUF_INIT(1 << 20);
	CLEANUP(buf) struct buf third = BUF_INIT(1 << 20);

	commit(f, "umask 022; mkdir -p fn/b; echo 1 > fn/a; echo 2 > fn/b/c; "
		  "echo 3 > fn/z; chmod +x fn/b/c");
	zip_of(f, &first);
	run(&f->checkout.sandbox, "r", NULL,
	    "rm -rf fn; umask 077; mkdir -p gn/b; echo 3 > gn/z; echo 2 > gn/b/c; "
	    "echo 1 > gn/a; chmod 700 gn/b/c; touch -d 2001-02-03 gn/a gn/z gn/b");
	f->options.path = "gn";
	f->options.wanted = SOURCE_WORKTREE;
	zip_of(f, &second);
	assert_same_bytes(&first, &second);
	run(&f->checkout.sandbox, "r", NULL, "chmod 600 gn/b/c");
	zip_of(f, &third);
	assert_true(third.len != first.len ||
		    memcmp(third.data, first.data, first.len) != 0);
}

static void a_file_that_changes_meanwhile_is_noticed(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf) struct buf zip = BUF_INIT(1 << 20);

	commit(f, "mkdir fn; echo 1 > fn/a");
	f->options.wanted = SOURCE_WORKTREE;
	must_open(f);
	put("r/fn/a", "2\n", 2);
	assert_int_equal(code_zip(&f->code, &zip, &f->err), -1);
	assert_error(f, ERR_CONFLICT, "fn/a changed");
}

static void what_lambda_would_not_unpack_is_refused(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf) struct buf zip = BUF_INIT(1 << 20);

	/* Holes: nothing of it is written, and all of it is read once for its id. */
	commit(f, "mkdir -p fn/big/deep fn/small; echo 1 > fn/app.py");
	run(&f->checkout.sandbox, "r", NULL,
	    "truncate -s 240M fn/big/deep/x; truncate -s 11M fn/small/y");
	f->options.wanted = SOURCE_WORKTREE;
	must_open(f);
	assert_int_equal(code_zip(&f->code, &zip, &f->err), -1);
	assert_error(f, ERR_TOO_BIG,
		     "fn: 252 MB of files, and Lambda unpacks at most 250 MB");
	assert_error(f, ERR_TOO_BIG, "big/deep/x 240 MB");
	assert_int_equal(zip.len, 0);
}

/* Requirements */

static void requirements_are_looked_at(void **state)
{
	static const struct {
		const char *script, *runtime;
		bool is_ready;
		const char *expected; /* "pip", "none", or an error's words */
	} cases[] = {
		{ "echo tiny > fn/requirements.txt", "python3.13", false, "pip" },
		{ "echo '# tiny' > fn/requirements.txt", "python3.13", false, "none" },
		{ "echo '-c p' > fn/requirements.txt; touch fn/p", "python3.13", false,
		  "none" },
		{ "echo tiny > fn/requirements.txt", "nodejs22.x", false, "none" },
		{ "echo tiny > fn/requirements.txt", "provided.al2023", false, "none" },
		{ "echo tiny > fn/requirements.txt", "python3.13", true, "none" },
		{ "echo tiny > fn/requirements.txt", NULL, true, "none" },
		{ "echo '# tiny' > fn/requirements.txt", NULL, false, "none" },
		{ "echo tiny > fn/requirements.txt", NULL, false,
		  "fn/requirements.txt is there, and for which Python and processor to install is not "
		  "known" },
		{ "echo tiny > fn/requirements.txt", "python2.7", false,
		  "for the runtime \"python2.7\"" },
		{ "mkdir fn/sub; echo tiny > fn/sub/requirements.txt", "python3.13",
		  false, "none" },
		{ "echo boto3 > fn/requirements.txt", "python3.13", false, "pip" },
		{ "echo ./pkg > fn/requirements.txt", "python3.13", false, "pip" },
		{ "echo ../pkg > fn/requirements.txt", "python3.13", false,
		  "requirements.txt:1: \"../pkg\" is outside of the function's folder" },
		{ "printf 'a\\n-e .\\n' > fn/requirements.txt", "python3.13", false,
		  "requirements.txt:2: \".\" is editable (-e)" },
		{ "printf '%s\\n' '--no-binary x' x > fn/requirements.txt", "python3.13",
		  false, "would be built here (--no-binary)" },
		{ "echo '-r base.txt' > fn/requirements.txt", "python3.13", false,
		  "requirements.txt:1: \"base.txt\" is not there" },
		{ "echo '-r base.txt' > fn/requirements.txt; echo '# x' > fn/base.txt",
		  "python3.13", false, "none" },
		{ "echo '-r base.txt' > fn/requirements.txt; echo x > fn/base.txt",
		  "python3.13", false, "pip" },
		{ "echo '-r https://example.com/r.txt' > fn/requirements.txt",
		  "python3.13", false, "pip" },
		{ "echo '-r ../base.txt' > fn/requirements.txt; touch base.txt",
		  "python3.13", false, "is outside of the function's folder" },
		{ "mkdir fn/r; echo '-r r/a.txt' > fn/requirements.txt; "
		  "echo '-r b.txt' > fn/r/a.txt; echo '-r a.txt' > fn/r/b.txt; "
		  "echo -e . >> fn/r/b.txt",
		  "python3.13", false, "r/b.txt:2: \".\" is editable" },
	};
	struct fixture *f = *state;

	commit(f, "mkdir fn; echo 1 > fn/app.py");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		commit(f, cases[i].script);
		f->options.runtime = cases[i].runtime;
		f->options.is_layer = i % 2 && cases[i].is_ready;
		f->options.is_built = !(i % 2) && cases[i].is_ready;
		if (open_code(f) < 0)
			assert_error(f, ERR_CONFIG, cases[i].expected);
		else if (!str_eq(f->code.has_requirements ? "pip" : "none",
				 cases[i].expected))
			fail_msg("%s: %s", cases[i].script, cases[i].expected);
		run(&f->checkout.sandbox, "r", NULL, "git reset -q --hard HEAD~1");
	}
}

/* A Python whose pip does what a script says, with $target and $source set. */
static void fake_python(struct fixture *f, const char *name, const char *script)
{
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 16);
	CLEANUP(buf) struct buf path = BUF_INIT(4096);

	buf_printf(&text,
		   "#!/bin/sh\nprintf '%%s\\n' \"$0 $*\" >> %s/asked\nenv >> %s/env\n"
		   "source=$PWD\nwhile [ $# -gt 0 ]; do [ \"$1\" = --target ] && "
		   "target=$2; shift; done\n%s\n",
		   f->checkout.sandbox.path, f->checkout.sandbox.path, script);
	buf_printf(&path, "bin/%s", name);
	run(&f->checkout.sandbox, ".", NULL,
	    "mkdir -p bin && ln -sf \"$(command -v sh)\" bin/sh && "
	    "for t in env mkdir cat printf cp touch ls rm kill; do "
	    "ln -sf \"$(command -v $t)\" bin/$t; done");
	put(path.data, text.data, text.len);
	run(&f->checkout.sandbox, ".", NULL, "chmod +x %s", path.data);
}

/* The environment that the next archive is made in: only our programs. */
static char **only_ours(struct fixture *f)
{
	static const char *const none[] = { NULL };
	CLEANUP(buf) struct buf path = BUF_INIT(4096);
	CLEANUP(buf) struct buf temp = BUF_INIT(4096);
	char **env = process_env_without(f->checkout.sandbox.env, none);

	buf_printf(&path, "%s/bin", f->checkout.sandbox.path);
	buf_printf(&temp, "%s/tmp", f->checkout.sandbox.path);
	env = process_env_set(env, "PATH", path.data);
	return process_env_set(env, "TMPDIR", temp.data);
}

static int zip_with_ours(struct fixture *f, struct buf *out)
{
	char **env = only_ours(f);
	int rc;

	env = process_env_set(env, "AWS_SECRET_ACCESS_KEY", "canary");
	env = process_env_set(env, "GITHUB_TOKEN", "canary");
	env = process_env_set(env, "PIP_EXTRA", "passed");
	f->code.options.env = env;
	rc = code_zip(&f->code, out, &f->err);
	f->code.options.env = NULL;
	process_env_free(env);
	run(&f->checkout.sandbox, "tmp", NULL, "test -z \"$(ls -A)\"");
	return rc;
}

/* Puts "name mode\n" of an archive's entries into out. */
static void list_archive(struct fixture *f, const struct buf *zip, struct buf *out)
{
	put("out.zip", zip->data, zip->len);
	run(&f->checkout.sandbox, ".", out,
	    "python3 -c 'import zipfile\n"
	    "for i in zipfile.ZipFile(\"out.zip\").infolist():\n"
	    "  print(i.filename, oct(i.external_attr >> 16 & 0o777)[2:])'");
}

/* pip runs in another folder, and would install into one below that. */
static void a_relative_temporary_folder_is_not_taken(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf) struct buf zip = BUF_INIT(1 << 20);
	CLEANUP(buf) struct buf names = BUF_INIT(1 << 16);
	char **env;
	int rc;

	commit(f, "mkdir fn; echo 1 > fn/app.py; echo tiny > fn/requirements.txt");
	fake_python(f, "python3.13", "mkdir -p $target; echo 2 > $target/tiny.py");
	must_open(f);
	run(&f->checkout.sandbox, ".", NULL, "mkdir -p rel");
	env = process_env_set(only_ours(f), "TMPDIR", "rel");
	f->code.options.env = env;
	rc = code_zip(&f->code, &zip, &f->err);
	f->code.options.env = NULL;
	process_env_free(env);
	assert_int_equal(rc, 0);
	list_archive(f, &zip, &names);
	assert_string_equal(names.data,
			    "app.py 644\nrequirements.txt 644\ntiny.py 644\n");
}

static void what_pip_installs_is_packed(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf) struct buf zip = BUF_INIT(1 << 20);
	CLEANUP(buf) struct buf again = BUF_INIT(1 << 20);
	CLEANUP(buf) struct buf names = BUF_INIT(1 << 16);
	CLEANUP(buf) struct buf seen = BUF_INIT(1 << 20);
	static const char script[] =
		"echo told; cat $source/requirements.txt; ls -A $source; "
		"mkdir -p $target/tiny/__pycache__ $target/bin $target/t-1.dist-info; "
		"echo pip > $target/app.py; touch $target/tiny/__pycache__/x.pyc; "
		"echo 1 > $target/tiny/__init__.py; echo so > $target/tiny/n.so; "
		"chmod 755 $target/tiny/n.so; echo \"$$\" > "
		"$target/t-1.dist-info/direct_url.json; "
		"printf '#!/usr/bin/python3 %s\\n' \"$$\" > $target/bin/tool; "
		"printf 'ELF' > $target/bin/native; chmod 755 $target/bin/*; "
		"printf '../../bin/tool,sha256=%s,1\\ntiny/__init__.py,,\\n' \"$$\" "
		"> $target/t-1.dist-info/RECORD";

	commit(f, "mkdir fn; echo ours > fn/app.py; echo tiny > fn/requirements.txt");
	fake_python(f, "python3.13", script);
	run(&f->checkout.sandbox, ".", NULL, "ln -sf \"$(command -v chmod)\" bin/chmod");
	must_open(f);
	assert_int_equal(zip_with_ours(f, &zip), 0);
	assert_int_equal(zip_with_ours(f, &again), 0);
	assert_same_bytes(&zip, &again);
	list_archive(f, &zip, &names);
	assert_string_equal(names.data,
			    "app.py 644\nbin/native 755\nrequirements.txt 644\n"
			    "t-1.dist-info/RECORD 644\ntiny/__init__.py 644\n"
			    "tiny/n.so 755\n");
	run(&f->checkout.sandbox, ".", &seen,
	    "python3 -c 'import zipfile; z = zipfile.ZipFile(\"out.zip\")\n"
	    "print(z.read(\"app.py\"), z.read(\"t-1.dist-info/RECORD\"))'");
	assert_string_equal(seen.data, "b'ours\\n' b'tiny/__init__.py,,\\n'\n");
	/* Of the folder pip sees no more than it needs, of the environment no secret. */
	assert_true(str_starts(f->told.data, "told\ntiny\nrequirements.txt\n"));
	buf_clear(&seen);
	assert_int_equal(fs_read("env", &seen, &f->err), 0);
	assert_null(strstr(seen.data, "canary"));
	assert_non_null(strstr(seen.data, "PIP_EXTRA=passed\n"));
	assert_non_null(strstr(seen.data, "PIP_USER=0\n"));
}

static void pip_sees_the_folder_where_it_is_asked_for(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf) struct buf zip = BUF_INIT(1 << 20);

	commit(f, "mkdir -p fn/pkg fn/r; echo 1 > fn/pkg/setup.py; "
		  "echo '-r r/base.txt' > fn/requirements.txt; "
		  "echo ./pkg > fn/r/base.txt; echo 1 > fn/app.py");
	fake_python(f, "python3.13",
		    "cat $source/pkg/setup.py $source/r/base.txt "
		    "$source/app.py");
	must_open(f);
	assert_int_equal(zip_with_ours(f, &zip), 0);
	assert_string_equal(f->told.data, "1\n./pkg\n1\n");
}

static void any_python_will_do(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf) struct buf zip = BUF_INIT(1 << 20);
	CLEANUP(buf) struct buf asked = BUF_INIT(1 << 20);

	commit(f, "mkdir fn; echo boto3 > fn/requirements.txt");
	must_open(f);
	run(&f->checkout.sandbox, ".", NULL, "mkdir -p bin");
	assert_int_equal(zip_with_ours(f, &zip), -1);
	assert_error(f, ERR_NOT_FOUND,
		     "needs Python to be installed from: install python3");
	error_clear(&f->err);
	fake_python(f, "python3.13", "echo '/x: No module named pip' >&2; exit 1");
	fake_python(f, "python3", "exit 0");
	assert_int_equal(zip_with_ours(f, &zip), 0);
	/* A stand-in that knows no such version. */
	fake_python(f, "python3.13", "echo 'command not found' >&2; exit 127");
	buf_clear(&zip);
	buf_clear(&f->told);
	assert_int_equal(zip_with_ours(f, &zip), 0);
	assert_non_null(strstr(f->told.data, "names nothing but what the runtime has"));
	assert_non_null(strstr(f->told.data, "there is no python3.13 with pip: python3"));
	assert_int_equal(fs_read("asked", &asked, &f->err), 0);
	assert_non_null(strstr(asked.data, "bin/python3 -m pip install "));
	assert_non_null(strstr(asked.data, "--python-version 3.13 "));
	/* pyenv has a program of that name, which says that there is none. */
	fake_python(f, "python3.13",
		    "echo 'pyenv: python3.13: command not found' >&2; "
		    "echo 'Note: see its help' >&2; exit 127");
	buf_clear(&f->told);
	assert_int_equal(zip_with_ours(f, &zip), 0);
	assert_non_null(strstr(f->told.data, "there is no python3.13 with pip: python3"));
}

static void a_failure_of_pip_is_explained(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf) struct buf zip = BUF_INIT(1 << 20);

	commit(f, "mkdir fn; echo tiny==9 > fn/requirements.txt");
	f->options.architecture = "arm64";
	must_open(f);
	fake_python(
		f, "python3.13",
		"echo 'ERROR: No matching distribution found for tiny==9' >&2; exit 1");
	assert_int_equal(zip_with_ours(f, &zip), -1);
	assert_error(f, ERR_IO, "fn: pip: no wheel of tiny==9 for python3.13 on arm64");
	error_clear(&f->err);
	/* What the first one said is not the second one's fault. */
	fake_python(f, "python3.13", "echo '/x: No module named pip' >&2; exit 1");
	fake_python(f, "python3", "echo 'ERROR: the disk is full' >&2; exit 1");
	assert_int_equal(zip_with_ours(f, &zip), -1);
	assert_error(f, ERR_IO, "fn: pip: the disk is full");
	error_clear(&f->err);
	f->cancelled = 1;
	assert_int_equal(zip_with_ours(f, &zip), -1);
	assert_int_equal(f->err.code, ERR_CANCELLED);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_folder_is_its_files),
		CASE(commit_and_work_tree_have_one_key),
		CASE(the_key_is_of_content_alone),
		CASE(one_key_for_one_way_to_install),
		CASE(links_stand_for_what_they_point_to),
		CASE(links_that_lead_astray_are_refused),
		CASE(what_cannot_be_packed_is_named),
		CASE(nothing_there_is_an_error_that_says_where),
		CASE(a_bare_repository_has_its_commits),
		CASE(an_archive_goes_as_it_is),
		CASE(a_file_is_packed_by_itself),
		CASE(the_same_files_are_the_same_archive),
		CASE(a_file_that_changes_meanwhile_is_noticed),
		CASE(what_lambda_would_not_unpack_is_refused),
		CASE(requirements_are_looked_at),
		CASE(what_pip_installs_is_packed),
		CASE(a_relative_temporary_folder_is_not_taken),
		CASE(pip_sees_the_folder_where_it_is_asked_for),
		CASE(any_python_will_do),
		CASE(a_failure_of_pip_is_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
