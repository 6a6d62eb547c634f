#include "io/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "codec/hash.h"
#include "io/fd.h"
#include "io/fs_private.h"

enum { PIECE = 64 << 10, LINK_MOST = 4097 };

void fs_file_release(struct fs_file *f)
{
	fd_release(&f->fd);
}

static int64_t ns(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static bool same(const struct fs_file *f, const struct stat *st)
{
	return f->size == st->st_size && f->device_ == (int64_t)st->st_dev &&
	       f->inode_ == (int64_t)st->st_ino && f->modified_ns_ == ns(&st->st_mtim) &&
	       f->changed_ns_ == ns(&st->st_ctim);
}

int fs_file_unchanged(const struct fs_file *f, const char *name, struct error *err)
{
	struct stat st;

	if (fstat(f->fd, &st) < 0)
		return fs_fail(err, "look at", name);
	if (!same(f, &st))
		return error_set(err, ERR_CONFLICT, "%s: changed while it was read",
				 name);
	return 0;
}

/* Hands the file to add() in pieces; a file that grows or shrinks is found out. */
static int each_piece(const struct fs_file *f, const char *name,
		      void (*add)(void *ctx, const void *p, size_t n), void *ctx,
		      struct error *err)
{
	CLEANUP_PTR(mem) char *piece = xmalloc(PIECE);
	int64_t at = 0;

	while (at < f->size) {
		ssize_t n = pread(f->fd, piece, PIECE, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fs_fail(err, "read", name);
		if (n == 0 || n > f->size - at)
			return error_set(err, ERR_CONFLICT,
					 "%s: changed while it was read", name);
		add(ctx, piece, (size_t)n);
		at += n;
	}
	return fs_file_unchanged(f, name, err);
}

static void add_to_buf(void *ctx, const void *p, size_t n)
{
	buf_add(ctx, p, n);
}

int fs_file_read(const struct fs_file *f, const char *name, struct buf *out,
		 struct error *err)
{
	if ((uint64_t)f->size > SIZE_MAX || !buf_reserve(out, (size_t)f->size))
		return error_set(err, ERR_TOO_BIG, "%s: %lld bytes are too many", name,
				 (long long)f->size);
	return each_piece(f, name, add_to_buf, out, err);
}

static int check_opened(int fd, const char *path, struct fs_file *out, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fs_fail(err, "look at", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERR_UNSUPPORTED, "%s: not a regular file", path);
	*out = (struct fs_file){
		.fd = fd,
		.size = st.st_size,
		.device_ = (int64_t)st.st_dev,
		.inode_ = (int64_t)st.st_ino,
		.modified_ns_ = ns(&st.st_mtim),
		.changed_ns_ = ns(&st.st_ctim),
	};
	return 0;
}

/* ELOOP and (for a folder asked for, O_DIRECTORY) ENOTDIR are what O_NOFOLLOW says of a
 * symbolic link; FreeBSD says EMLINK. A device or socket may say ENXIO. */
static int open_part(int at, const char *part, int flags, const char *path,
		     struct error *err)
{
	int fd = openat(at, part, flags | O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd >= 0)
		return fd;
	if (errno == ELOOP || errno == EMLINK || errno == ENXIO)
		return error_set(err, ERR_UNSUPPORTED, "%s: not a regular file", path);
	if (errno == ENOTDIR && fstatat(at, part, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode))
		return error_set(err, ERR_UNSUPPORTED, "%s: behind a symbolic link",
				 path);
	return fs_fail(err, "open", path);
}

static bool part_is_plain(const char *part)
{
	return *part && strcmp(part, ".") != 0 && strcmp(part, "..") != 0;
}

/* Opens the folder that a path below root is in, through no link. *name is the path's last
 * part, within path. -1 and err: there is none, or the path is not plain. */
static int open_parent(const char *root, const char *path, const char **name,
		       struct error *err)
{
	CLEANUP_PTR(mem) char *copy = xstrdup(path);
	CLEANUP(fd) int at = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *part = copy;
	char *slash;

	if (at < 0)
		return fs_fail(err, "open", root);
	for (; (slash = strchr(part, '/')) != NULL; part = slash + 1) {
		int fd;

		*slash = '\0';
		if (!part_is_plain(part))
			break;
		fd = open_part(at, part, O_DIRECTORY, path, err);
		if (fd < 0)
			return -1;
		fd_release(&at);
		at = fd;
	}
	if (!part_is_plain(part))
		return error_set(err, ERR_USAGE, "%s: not a plain relative path", path);
	*name = path + (part - copy);
	return fd_take(&at);
}

int fs_open_beneath(const char *root, const char *path, struct fs_file *out,
		    struct error *err)
{
	const char *name = NULL;
	CLEANUP(fd) int parent = open_parent(root, path, &name, err);
	CLEANUP(fd) int fd = -1;

	if (parent < 0)
		return -1;
	fd = open_part(parent, name, 0, path, err);
	if (fd < 0 || check_opened(fd, path, out, err) < 0)
		return -1;
	(void)fd_take(&fd);
	return 0;
}

struct fs_item fs_item_of(const char *path, mode_t mode, int64_t size)
{
	return (struct fs_item){
		.path = path,
		.kind = S_ISREG(mode)   ? FS_FILE
			: S_ISLNK(mode) ? FS_SYMLINK
			: S_ISDIR(mode) ? FS_FOLDER
					: FS_OTHER,
		.executable = (mode & S_IXUSR) != 0,
		.size = size,
	};
}

int fs_look_beneath(const char *root, const char *path, struct fs_item *out,
		    struct error *err)
{
	const char *name = NULL;
	CLEANUP(fd) int parent = open_parent(root, path, &name, err);
	struct stat st;

	if (parent < 0)
		return -1;
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fs_fail(err, "look at", path);
	*out = fs_item_of(path, st.st_mode, st.st_size);
	return 0;
}

int fs_link_beneath(const char *root, const char *path, struct buf *out,
		    struct error *err)
{
	const char *name = path;
	CLEANUP(fd) int parent = open_parent(root, path, &name, err);
	char target[LINK_MOST];
	ssize_t n;

	if (parent < 0)
		return -1;
	n = readlinkat(parent, name, target, sizeof(target));
	if (n < 0 && errno == EINVAL)
		return error_set(err, ERR_UNSUPPORTED, "%s: not a symbolic link", path);
	if (n < 0)
		return fs_fail(err, "read", path);
	if (n == LINK_MOST)
		return error_set(err, ERR_TOO_BIG, "%s: a symbolic link of %d bytes",
				 path, LINK_MOST);
	buf_add(out, target, (size_t)n);
	return buf_check(out, path, err);
}

/* The three digests of one stream of bytes. */
struct digests {
	struct hash *blob;
	struct hash *md5;
	struct hash *sha256;
};

static void digests_release(struct digests *d)
{
	hash_free(d->blob);
	hash_free(d->md5);
	hash_free(d->sha256);
}

/* git puts the size before the bytes, which is why a file must not grow under us. */
static struct digests digests_start(int64_t size)
{
	struct digests d = {
		.blob = hash_new(HASH_SHA1),
		.md5 = hash_new(HASH_MD5),
		.sha256 = hash_new(HASH_SHA256),
	};
	char head[32];
	int n = snprintf(head, sizeof(head), "blob %lld", (long long)size);

	hash_add(d.blob, head, (size_t)n + 1);
	return d;
}

static void digests_add(void *ctx, const void *p, size_t n)
{
	struct digests *d = ctx;

	hash_add(d->blob, p, n);
	hash_add(d->md5, p, n);
	hash_add(d->sha256, p, n);
}

static void digests_end(struct digests *d, int64_t size, struct fs_digest *out)
{
	out->size = size;
	hash_end(d->blob, out->blob.bytes);
	hash_end(d->md5, out->md5);
	hash_end(d->sha256, out->sha256);
}

int fs_digest_file(const struct fs_file *f, const char *name, struct fs_digest *out,
		   struct error *err)
{
	CLEANUP(digests) struct digests d = digests_start(f->size);

	if (each_piece(f, name, digests_add, &d, err) < 0)
		return -1;
	digests_end(&d, f->size, out);
	return 0;
}

void fs_digest_bytes(const void *p, size_t n, struct fs_digest *out)
{
	CLEANUP(digests) struct digests d = digests_start((int64_t)n);

	digests_add(&d, p, n);
	digests_end(&d, (int64_t)n, out);
}
