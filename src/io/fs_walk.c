#include "io/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/vec.h"
#include "io/fd.h"
#include "io/fs_private.h"

enum { DEPTH_MOST = 200, PATH_MOST = 32 << 10 };

/* What a folder holds. */
struct name {
	const char *text;
	mode_t mode;
	int64_t size;
};

VEC_DEFINE(names, struct name);

static void dir_freep(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* The byte that follows a name in a path: what makes "a.b" come before "a/c". */
static unsigned char byte_at(const struct name *n, size_t at)
{
	unsigned char c = (unsigned char)n->text[at];

	return c == '\0' && S_ISDIR(n->mode) ? '/' : c;
}

static int compare_names(const void *a, const void *b)
{
	const struct name *x = a;
	const struct name *y = b;
	size_t i = 0;

	while (x->text[i] && x->text[i] == y->text[i])
		i++;
	return (int)byte_at(x, i) - (int)byte_at(y, i);
}

static bool is_dots(const char *s)
{
	return strcmp(s, ".") == 0 || strcmp(s, "..") == 0;
}

/* A name that vanished since it was listed is as if it had never been there. */
static int add_name(int fd, const char *text, struct arena *arena, struct names *out,
		    struct error *err)
{
	struct stat st;

	if (is_dots(text))
		return 0;
	if (fstatat(fd, text, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fs_fail(err, "look at", text);
	names_push(out, (struct name){
				.text = arena_strdup(arena, text),
				.mode = st.st_mode,
				.size = st.st_size,
			});
	return 0;
}

/* Everything in an open folder, sorted. The descriptor stays the caller's, since what is
 * found is then opened relative to it. */
static int list(int fd, const char *path, struct arena *arena, struct names *out,
		struct error *err)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	__attribute__((cleanup(dir_freep))) DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *d;

	if (!dir) {
		(void)fs_fail(err, "list", path);
		fd_release(&copy);
		return -1;
	}
	for (errno = 0; (d = readdir(dir)) != NULL; errno = 0)
		if (add_name(fd, d->d_name, arena, out, err) < 0)
			return -1;
	if (errno)
		return fs_fail(err, "list", path);
	if (out->len)
		qsort(out->items, out->len, sizeof(*out->items), compare_names);
	return 0;
}

static int open_folder(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

struct walk {
	const struct fs_visitor *visitor;
	struct buf path; /* of what is looked at now */
	unsigned depth;
};

static void walk_release(struct walk *w)
{
	buf_release(&w->path);
}

static int walk_folder(struct walk *w, int fd, struct error *err);

static int walk_into(struct walk *w, int at, const struct name *n, struct error *err)
{
	const struct fs_visitor *v = w->visitor;
	CLEANUP(fd) int fd = -1;
	int rc;

	if (v->enter && !v->enter(v->ctx, w->path.data))
		return 0;
	if (w->depth == DEPTH_MOST)
		return error_set(err, ERR_TOO_BIG, "%s: over %d folders deep",
				 w->path.data, DEPTH_MOST);
	fd = open_folder(at, n->text);
	if (fd < 0)
		return fs_fail(err, "open", w->path.data);
	buf_char(&w->path, '/');
	w->depth++;
	rc = walk_folder(w, fd, err);
	w->depth--;
	return rc;
}

static int walk_name(struct walk *w, int at, const struct name *n, struct error *err)
{
	struct fs_item item;

	buf_str(&w->path, n->text);
	if (buf_check(&w->path, "path", err) < 0)
		return -1;
	if (S_ISDIR(n->mode))
		return walk_into(w, at, n, err);
	item = fs_item_of(w->path.data, n->mode, n->size);
	return w->visitor->visit(w->visitor->ctx, &item, err);
}

static int walk_folder(struct walk *w, int fd, struct error *err)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(names) struct names names = { 0 };
	size_t len = w->path.len;

	if (list(fd, w->path.data, &arena, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.len; i++) {
		if (walk_name(w, fd, &names.items[i], err) < 0)
			return -1;
		buf_truncate(&w->path, len);
	}
	return 0;
}

int fs_walk(const char *root, const struct fs_visitor *visitor, struct error *err)
{
	CLEANUP(fd) int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(walk) struct walk w = { .visitor = visitor, .path = BUF_INIT(PATH_MOST) };

	if (fd < 0)
		return fs_fail(err, "open", root);
	return walk_folder(&w, fd, err);
}

static int remove_in(int at, const char *name, unsigned depth, struct error *err);

static int remove_content(int fd, const char *name, unsigned depth, struct error *err)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(names) struct names names = { 0 };

	if (list(fd, name, &arena, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.len; i++)
		if (remove_in(fd, names.items[i].text, depth + 1, err) < 0)
			return -1;
	return 0;
}

/* Opens a folder that is to be emptied; one that forbids it is asked again, once ours. */
static int open_to_empty(int at, const char *name)
{
	int fd = open_folder(at, name);

	if (fd < 0 && errno == EACCES && fchmodat(at, name, 0700, 0) == 0)
		fd = open_folder(at, name);
	if (fd >= 0)
		(void)fchmod(fd, 0700);
	return fd;
}

static int remove_in(int at, const char *name, unsigned depth, struct error *err)
{
	CLEANUP(fd) int fd = -1;
	struct stat st;

	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fs_fail(err, "remove", name);
	if (!S_ISDIR(st.st_mode))
		return unlinkat(at, name, 0) == 0 || errno == ENOENT
			       ? 0
			       : fs_fail(err, "remove", name);
	if (depth == DEPTH_MOST)
		return error_set(err, ERR_TOO_BIG, "%s: over %d folders deep", name,
				 DEPTH_MOST);
	fd = open_to_empty(at, name);
	if (fd < 0)
		return fs_fail(err, "remove", name);
	if (remove_content(fd, name, depth, err) < 0)
		return -1;
	if (unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return fs_fail(err, "remove", name);
	return 0;
}

int fs_remove_tree(const char *path, struct error *err)
{
	return remove_in(AT_FDCWD, path, 0, err);
}
