#define _XOPEN_SOURCE 700 /* mkfifo, mkdtemp */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "io/fs.h"

/* Each test gets an empty folder, where it also works. */
static int in_folder(void **state)
{
	CLEANUP(buf) struct buf path = BUF_INIT(4096);
	struct error err = ERROR_INIT;

	if (fs_make_temp("/tmp", &path, &err) < 0 || chdir(path.data) < 0)
		return -1;
	*state = buf_take(&path);
	return 0;
}

static int out_of_folder(void **state)
{
	struct error err = ERROR_INIT;
	int rc = chdir("/") < 0 ? -1 : fs_remove_tree(*state, &err);

	free(*state);
	return rc;
}

static void put(const char *path, const char *text)
{
	struct error err = ERROR_INIT;

	assert_int_equal(fs_write(path, text, strlen(text), &err), 0);
}

static void make(const char *path)
{
	struct error err = ERROR_INIT;

	assert_int_equal(fs_make_folders(path, &err), 0);
}

static void test_fs__what_is_written_is_read(void **state)
{
	CLEANUP(buf) struct buf b = BUF_INIT(8);
	struct error err = ERROR_INIT;

	(void)state;
	put("a", "12345678");
	assert_int_equal(fs_read("a", &b, &err), 0);
	assert_string_equal(b.data, "12345678");
	buf_clear(&b);
	assert_int_equal(fs_append("a", "9", 1, &err), 0);
	assert_int_equal(fs_read("a", &b, &err), -1);
	assert_int_equal(err.code, ERR_TOO_BIG);
	buf_clear(&b);
	assert_int_equal(fs_read("missing", &b, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(fs_read(".", &b, &err), -1);
	assert_int_equal(err.code, ERR_IO);
}

static void test_fs__write_keeps_the_mode_and_leaves_nothing(void **state)
{
	struct error err = ERROR_INIT;
	struct stat st;

	(void)state;
	make("d");
	put("d/a", "old");
	assert_int_equal(chmod("d/a", 0640), 0);
	put("d/a", "new");
	assert_int_equal(stat("d/a", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(st.st_size, 3);
	make("d/folder");
	assert_int_equal(fs_write("d/folder", "x", 1, &err), -1);
	assert_int_equal(unlink("d/a"), 0);
	assert_int_equal(rmdir("d/folder"), 0);
	assert_int_equal(rmdir("d"), 0); /* no temporary file stayed */
}

static void test_fs__folders_are_made_as_far_as_needed(void **state)
{
	struct error err = ERROR_INIT;
	struct stat st;

	(void)state;
	make("a/b//c/");
	make("a/b/c");
	assert_int_equal(stat("a/b/c", &st), 0);
	put("a/file", "");
	assert_int_equal(fs_make_folders("a/file/x", &err), -1);
	assert_int_equal(err.code, ERR_IO);
}

/* What a walk saw: "kind path\n". */
struct seen {
	struct buf text;
	const char *pass_over;
};

static void seen_release(struct seen *s)
{
	buf_release(&s->text);
}

static bool enter(void *ctx, const char *path)
{
	const struct seen *s = ctx;

	return !s->pass_over || strcmp(path, s->pass_over) != 0;
}

static int see(void *ctx, const struct fs_item *item, struct error *err)
{
	static const char kinds[] = {
		[FS_FILE] = 'f', [FS_SYMLINK] = 'l', [FS_OTHER] = 'o'
	};
	struct seen *s = ctx;

	buf_printf(&s->text, "%c%s %s\n", kinds[item->kind], item->executable ? "x" : "",
		   item->path);
	return strcmp(item->path, "fail") == 0 ? error_set(err, ERR_LIMIT, "told to") : 0;
}

#define SEEN_INIT                         \
	{                                 \
		.text = BUF_INIT(1 << 20) \
	}

static void test_fs_walk__sorted_by_bytes_and_kinds_told(void **state)
{
	CLEANUP(seen) struct seen s = SEEN_INIT;
	struct error err = ERROR_INIT;
	struct fs_visitor visitor = { enter, see, &s };

	(void)state;
	make("w/a/b");
	make("w/skipped");
	make("w/empty");
	put("w/a.b", "");
	put("w/a-", "");
	put("w/a/b/c", "");
	put("w/a/z", "");
	put("w/skipped/x", "");
	put("w/\xff\n", "");
	put("w/run", "");
	assert_int_equal(chmod("w/run", 0755), 0);
	assert_int_equal(symlink("a", "w/link"), 0);
	assert_int_equal(symlink("nowhere", "w/dangling"), 0);
	assert_int_equal(mkfifo("w/fifo", 0600), 0);
	s.pass_over = "skipped";
	assert_int_equal(fs_walk("w", &visitor, &err), 0);
	assert_string_equal(s.text.data, "f a-\nf a.b\nf a/b/c\nf a/z\nlx dangling\n"
					 "o fifo\nlx link\nfx run\nf \xff\n\n");
}

static void test_fs_walk__failures(void **state)
{
	CLEANUP(seen) struct seen s = SEEN_INIT;
	CLEANUP(buf) struct buf deep = BUF_INIT(4096);
	struct error err = ERROR_INIT;
	struct fs_visitor visitor = { NULL, see, &s };

	(void)state;
	assert_int_equal(fs_walk("none", &visitor, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	put("fail", "");
	put("later", "");
	assert_int_equal(fs_walk(".", &visitor, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_string_equal(s.text.data, "f fail\n");
	buf_str(&deep, "deep");
	for (int i = 0; i < 201; i++)
		buf_str(&deep, "/d");
	make(deep.data);
	assert_int_equal(fs_walk("deep", &visitor, &err), -1);
	assert_int_equal(err.code, ERR_TOO_BIG);
	assert_int_equal(rmdir(deep.data),
			 0); /* or it would be too deep to remove, too */
	deep.data[deep.len - 2] = '\0';
	assert_int_equal(rmdir(deep.data), 0);
	deep.data[deep.len - 4] = '\0';
	assert_int_equal(rmdir(deep.data), 0);
}

static void test_fs_open__beneath_only(void **state)
{
	static const struct {
		const char *path;
		enum error_code code; /* ERR_NONE: opens */
	} cases[] = {
		{ "a/file", ERR_NONE },
		{ "", ERR_USAGE },
		{ "/etc/passwd", ERR_USAGE },
		{ "../secret", ERR_USAGE },
		{ "a/../a/file", ERR_USAGE },
		{ "a//file", ERR_USAGE },
		{ "a/./file", ERR_USAGE },
		{ "a/file/", ERR_NOT_FOUND },
		{ "a/file/x", ERR_NOT_FOUND },
		{ "a/none", ERR_NOT_FOUND },
		{ "a", ERR_UNSUPPORTED },
		{ "a/fifo", ERR_UNSUPPORTED },
		{ "link", ERR_UNSUPPORTED },
		{ "out", ERR_UNSUPPORTED },
		{ "alias/file", ERR_UNSUPPORTED },
		{ "up/secret", ERR_UNSUPPORTED },
	};

	(void)state;
	make("r/a");
	put("secret", "s");
	put("r/a/file", "content");
	assert_int_equal(mkfifo("r/a/fifo", 0600), 0);
	assert_int_equal(symlink("a/file", "r/link"), 0);
	assert_int_equal(symlink("../secret", "r/out"), 0);
	assert_int_equal(symlink("a", "r/alias"), 0);
	assert_int_equal(symlink("..", "r/up"), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(fs_file) struct fs_file f = FS_FILE_INIT;
		struct error err = ERROR_INIT;
		int rc = fs_open_beneath("r", cases[i].path, &f, &err);

		if (err.code != cases[i].code || (rc == 0) != (err.code == ERR_NONE))
			fail_msg("%s: %d, %s", cases[i].path, rc, err.msg);
		assert_int_equal(f.fd >= 0, rc == 0);
	}
}

static void test_fs_look__says_what_is_there(void **state)
{
	static const struct {
		const char *path;
		enum error_code code;
		enum fs_kind kind;
		const char *target; /* of a link */
	} cases[] = {
		{ "a/file", ERR_NONE, FS_FILE, NULL },
		{ "a", ERR_NONE, FS_FOLDER, NULL },
		{ "a/fifo", ERR_NONE, FS_OTHER, NULL },
		{ "a/link", ERR_NONE, FS_SYMLINK, "../none" },
		{ "alias", ERR_NONE, FS_SYMLINK, "a" },
		{ "alias/file", ERR_UNSUPPORTED, FS_FILE, NULL },
		{ "none", ERR_NOT_FOUND, FS_FILE, NULL },
		{ "a/file/x", ERR_NOT_FOUND, FS_FILE, NULL },
		{ "a/..", ERR_USAGE, FS_FILE, NULL },
	};

	(void)state;
	make("l/a");
	put("l/a/file", "content");
	assert_int_equal(chmod("l/a/file", 0700), 0);
	assert_int_equal(mkfifo("l/a/fifo", 0600), 0);
	assert_int_equal(symlink("../none", "l/a/link"), 0);
	assert_int_equal(symlink("a", "l/alias"), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf target = BUF_INIT(100);
		struct error err = ERROR_INIT;
		struct fs_item item = { .kind = FS_FILE };
		int rc = fs_look_beneath("l", cases[i].path, &item, &err);

		if (err.code != cases[i].code || item.kind != cases[i].kind)
			fail_msg("%s: %d, %s", cases[i].path, rc, err.msg);
		if (rc < 0)
			continue;
		rc = fs_link_beneath("l", cases[i].path, &target, &err);
		assert_int_equal(rc == 0, cases[i].target != NULL);
		assert_string_equal(target.data, cases[i].target ? cases[i].target : "");
		assert_int_equal(item.executable && item.kind == FS_FILE, i == 0);
	}
}

static void test_fs_file__a_change_is_noticed(void **state)
{
	CLEANUP(fs_file) struct fs_file f = FS_FILE_INIT;
	CLEANUP(buf) struct buf b = BUF_INIT(100);
	CLEANUP(buf) struct buf small = BUF_INIT(3);
	struct fs_digest digest;
	struct error err = ERROR_INIT;

	(void)state;
	put("f", "1234");
	assert_int_equal(fs_open_beneath(".", "f", &f, &err), 0);
	assert_int_equal(f.size, 4);
	assert_int_equal(fs_file_read(&f, "f", &b, &err), 0);
	assert_string_equal(b.data, "1234");
	assert_int_equal(fs_file_read(&f, "f", &small, &err), -1);
	assert_int_equal(err.code, ERR_TOO_BIG);
	assert_int_equal(fs_append("f", "5", 1, &err), 0);
	assert_int_equal(fs_digest_file(&f, "f", &digest, &err), -1);
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_int_equal(truncate("f", 2), 0);
	assert_int_equal(fs_file_read(&f, "f", &b, &err), -1);
	assert_int_equal(err.code, ERR_CONFLICT);
}

static void hex(const unsigned char *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", p[i]);
}

static void check_digest(const struct fs_digest *d)
{
	char text[65];

	assert_int_equal(d->size, 6);
	hex(d->blob.bytes, 20, text);
	assert_string_equal(text, "ce013625030ba8dba906f756967f9e9ca394464a");
	hex(d->md5, 16, text);
	assert_string_equal(text, "b1946ac92492d2347c6235b4d2611184");
	hex(d->sha256, 32, text);
	assert_string_equal(
		text, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
}

static void test_fs_digest__file_and_bytes_agree_with_the_programs(void **state)
{
	CLEANUP(fs_file) struct fs_file f = FS_FILE_INIT;
	struct fs_digest d;
	struct error err = ERROR_INIT;

	(void)state;
	fs_digest_bytes("hello\n", 6, &d);
	check_digest(&d);
	put("hello", "hello\n");
	assert_int_equal(fs_open_beneath(".", "hello", &f, &err), 0);
	assert_int_equal(fs_digest_file(&f, "hello", &d, &err), 0);
	check_digest(&d);
}

static void test_fs_digest__larger_than_a_piece(void **state)
{
	CLEANUP(fs_file) struct fs_file f = FS_FILE_INIT;
	CLEANUP_PTR(mem) char *bytes = xcalloc(200001, 1);
	struct fs_digest a;
	struct fs_digest b;
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < 200001; i++)
		bytes[i] = (char)(i * 7 + i / 256);
	assert_int_equal(fs_write("big", bytes, 200001, &err), 0);
	assert_int_equal(fs_open_beneath(".", "big", &f, &err), 0);
	assert_int_equal(fs_digest_file(&f, "big", &a, &err), 0);
	fs_digest_bytes(bytes, 200001, &b);
	assert_memory_equal(&a.blob, &b.blob, sizeof(a.blob));
	assert_memory_equal(a.md5, b.md5, 16);
	assert_memory_equal(a.sha256, b.sha256, 32);
}

static void test_fs_remove__follows_no_link_and_opens_closed_folders(void **state)
{
	struct error err = ERROR_INIT;
	struct stat st;

	(void)state;
	make("outside");
	put("outside/kept", "");
	make("tree/a/b");
	put("tree/a/b/c", "");
	assert_int_equal(symlink("../../outside", "tree/a/link"), 0);
	assert_int_equal(chmod("tree/a/b", 0500), 0);
	assert_int_equal(chmod("tree/a", 0), 0);
	assert_int_equal(fs_remove_tree("tree", &err), 0);
	assert_int_equal(lstat("tree", &st), -1);
	assert_int_equal(stat("outside/kept", &st), 0);
	assert_int_equal(fs_remove_tree("tree", &err), 0);
	assert_int_equal(symlink("outside", "link"), 0);
	assert_int_equal(fs_remove_tree("link", &err), 0);
	assert_int_equal(stat("outside/kept", &st), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, in_folder, out_of_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_fs__what_is_written_is_read),
		TEST(test_fs__write_keeps_the_mode_and_leaves_nothing),
		TEST(test_fs__folders_are_made_as_far_as_needed),
		TEST(test_fs_walk__sorted_by_bytes_and_kinds_told),
		TEST(test_fs_walk__failures),
		TEST(test_fs_open__beneath_only),
		TEST(test_fs_look__says_what_is_there),
		TEST(test_fs_file__a_change_is_noticed),
		TEST(test_fs_digest__file_and_bytes_agree_with_the_programs),
		TEST(test_fs_digest__larger_than_a_piece),
		TEST(test_fs_remove__follows_no_link_and_opens_closed_folders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
