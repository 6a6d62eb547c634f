#include "io/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/fd.h"
#include "io/fs_private.h"

int fs_fail(struct error *err, const char *what, const char *path)
{
	enum error_code code = errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND
								   : ERR_IO;

	return error_set(err, code, "%s %s: %s", what, path, strerror(errno));
}

static int read_all(int fd, const char *path, struct buf *out, struct error *err)
{
	for (;;) {
		char piece[4096];
		ssize_t n = read(fd, piece, sizeof(piece));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fs_fail(err, "read", path);
		if (n == 0)
			return buf_check(out, path, err);
		buf_add(out, piece, (size_t)n);
		if (out->overflowed)
			return buf_check(out, path, err);
	}
}

int fs_read(const char *path, struct buf *out, struct error *err)
{
	CLEANUP(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fs_fail(err, "open", path);
	return read_all(fd, path, out, err);
}

/* The folder that a path is in, owned by the caller. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return xstrdup(".");
	return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

/* A rename is durable once its folder is; file systems that cannot say so are believed. */
static void sync_folder(const char *folder)
{
	CLEANUP(fd) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		(void)fsync(fd);
}

/* The new file is as open to others as the old one was. */
static mode_t mode_for(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? st.st_mode & 0777 : 0644;
}

static int write_temp(int fd, const char *path, const void *p, size_t n,
		      struct error *err)
{
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fchmod(fd, mode_for(path)) < 0 ||
	    !fd_write_all(fd, p, n) || fsync(fd) < 0)
		return fs_fail(err, "write", path);
	return 0;
}

int fs_write(const char *path, const void *p, size_t n, struct error *err)
{
	CLEANUP_PTR(mem) char *folder = folder_of(path);
	CLEANUP(buf) struct buf temp = BUF_INIT(1 << 16);
	CLEANUP(fd) int fd = -1;

	buf_printf(&temp, "%s/.crc-XXXXXX", folder);
	if (buf_check(&temp, "path", err) < 0)
		return -1;
	fd = mkstemp(temp.data);
	if (fd < 0)
		return fs_fail(err, "write", path);
	if (write_temp(fd, path, p, n, err) < 0) {
		(void)unlink(temp.data);
		return -1;
	}
	if (rename(temp.data, path) < 0) {
		(void)fs_fail(err, "write", path);
		(void)unlink(temp.data);
		return -1;
	}
	sync_folder(folder);
	return 0;
}

int fs_append(const char *path, const void *p, size_t n, struct error *err)
{
	CLEANUP(fd) int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);

	if (fd < 0)
		return fs_fail(err, "open", path);
	if (!fd_write_all(fd, p, n))
		return fs_fail(err, "write", path);
	return 0;
}

static int make_folder(const char *path, struct error *err)
{
	struct stat st;

	if (mkdir(path, 0777) == 0)
		return 0;
	if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return error_set(err, ERR_IO, "make folder %s: %s", path, strerror(errno));
}

int fs_make_folders(const char *path, struct error *err)
{
	CLEANUP_PTR(mem) char *copy = xstrdup(path);

	for (char *slash = copy; (slash = strchr(slash, '/')) != NULL; slash++) {
		if (slash == copy || slash[-1] == '/')
			continue;
		*slash = '\0';
		if (make_folder(copy, err) < 0)
			return -1;
		*slash = '/';
	}
	return *path && path[strlen(path) - 1] == '/' ? 0 : make_folder(path, err);
}

int fs_make_temp(const char *parent, struct buf *out, struct error *err)
{
	CLEANUP(buf) struct buf path = BUF_INIT(1 << 16);

	buf_printf(&path, "%s/crc-XXXXXX", parent);
	if (buf_check(&path, "path", err) < 0)
		return -1;
	if (!mkdtemp(path.data))
		return fs_fail(err, "make a folder in", parent);
	buf_str(out, path.data);
	return buf_check(out, "path", err);
}
