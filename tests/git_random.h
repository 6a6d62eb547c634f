/* git_random.h - random histories, the same each time and on every machine.
 *
 * Include after cmocka.h. The repository is in the folder r of a sandbox. */
#ifndef TESTS_GIT_RANDOM_H
#define TESTS_GIT_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

#include "git_repo.h"

enum { BLOBS = 12, FILES_MOST = 60 };

/* The first five are picked most often, so that paths meet. */
static const char *const random_names[] = {
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
	".hidden",
	"key.pem",
	"node_modules",
};
enum { RANDOM_NAMES = sizeof(random_names) / sizeof(*random_names) };

static const char *const random_modes[] = { "100644", "100644", "100755", "120000",
					    "160000" };

struct file {
	char path[200];
	const char *mode;
	int blob;
};

VEC_DEFINE(files, struct file);

/* xorshift. */
static inline unsigned below(uint64_t *seed, unsigned n)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (unsigned)((*seed >> 16) % n);
}

static inline void random_path(uint64_t *seed, char *out, size_t size)
{
	unsigned depth = 1 + below(seed, 4);
	size_t n = 0;

	for (unsigned i = 0; i < depth; i++) {
		unsigned pick = below(seed, 3) ? below(seed, 5)
					       : below(seed, RANDOM_NAMES);

		n += (size_t)snprintf(out + n, size - n, "%s%s", i ? "/" : "",
				      random_names[pick]);
	}
}

/* Whether one is the other, or a folder above it. */
static inline bool in_the_way(const char *a, const char *b)
{
	size_t n = strlen(a);
	size_t m = strlen(b);
	size_t least = n < m ? n : m;

	if (memcmp(a, b, least) != 0)
		return false;
	return n == m || (n < m ? b[n] : a[m]) == '/';
}

static inline void put_file(struct files *files, const struct file *f)
{
	size_t kept = 0;

	for (size_t i = 0; i < files->len; i++)
		if (!in_the_way(files->items[i].path, f->path))
			files->items[kept++] = files->items[i];
	files->len = kept;
	files_push(files, *f);
}

static inline void drop_file(struct files *files, size_t at)
{
	files->items[at] = files->items[--files->len];
}

static inline void random_edit(uint64_t *seed, struct files *files)
{
	unsigned edits = 1 + below(seed, 8);

	for (unsigned i = 0; i < edits; i++) {
		struct file f = { .mode = random_modes[below(seed, 5)],
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

/* Commits these files, and no others. */
static inline struct oid commit_files(struct sandbox *s, const struct files *files,
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

static inline void make_blobs(struct sandbox *s, char blobs[BLOBS][OID_HEX_SIZE])
{
	for (int i = 0; i < BLOBS; i++) {
		CLEANUP(buf) struct buf out = BUF_INIT(4096);

		run(s, "r", &out, "echo %d | git hash-object -w --stdin", i);
		memcpy(blobs[i], out.data, OID_HEX_SIZE - 1);
		blobs[i][OID_HEX_SIZE - 1] = '\0';
	}
}

#endif
