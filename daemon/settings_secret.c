/* Secrets from their files. */
#define _DEFAULT_SOURCE

#include "daemon/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "daemon/settings_private.h"
#include "io/fd.h"

enum { SECRET_MOST = 64 << 10, CREDENTIAL_LEN = 11 /* "credential:" */ };

#define FAIL(d, f, ...) settings_fail_at((d), (f)->line, (f)->column, err, __VA_ARGS__)

static bool is_credential(const struct settings_file *f)
{
	return str_starts(f->from, "credential:");
}

/* The path of a secret's file. NULL: the error is set. */
static const char *path_of(const struct settings_draft *d, const struct settings_file *f,
			   const char *credentials, struct error *err)
{
	if (!is_credential(f))
		return f->from;
	if (!str_empty(credentials))
		return arena_printf(&d->settings->arena, "%s/%s", credentials,
				    f->from + CREDENTIAL_LEN);
	FAIL(d, f,
	     "%s: %s needs $CREDENTIALS_DIRECTORY, which systemd sets for "
	     "LoadCredential=",
	     f->key, f->from);
	return NULL;
}

/* A path that may be a secret, pasted in the wrong place, is not printed. */
static int fail_open(const struct settings_draft *d, const struct settings_file *f,
		     int number, struct error *err)
{
	if (is_credential(f))
		return FAIL(d, f, "%s: %s: %s", f->key, f->from, strerror(number));
	if (number == ENOENT)
		return FAIL(d, f,
			    "%s: there is no such file (relative paths are from %s)",
			    f->key, d->folder);
	return FAIL(d, f, "%s: the file cannot be opened: %s", f->key, strerror(number));
}

/* A named pipe must not hold us up. */
static int open_file(const struct settings_draft *d, const struct settings_file *f,
		     const char *path, struct stat *st, struct error *err)
{
	CLEANUP(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, st) < 0)
		return fail_open(d, f, errno, err);
	if (!S_ISREG(st->st_mode))
		return FAIL(d, f, "%s: is not a regular file", f->key);
	if (st->st_mode & S_IROTH)
		str_list_push(
			&d->settings->warnings,
			arena_printf(&d->settings->arena,
				     "%s:%u: %s: every user of this machine may read the "
				     "file: chmod o= it",
				     d->name, f->line, f->key));
	return fd_take(&fd);
}

static ssize_t read_up_to(int fd, char *out, size_t most)
{
	size_t have = 0;

	while (have < most) {
		ssize_t n = read(fd, out + have, most - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

static int set_secret(const struct settings_draft *d, const struct settings_file *f,
		      const char *bytes, size_t n, struct error *err)
{
	if (n > SECRET_MOST)
		return FAIL(d, f, "%s: the file is over %d KiB long", f->key,
			    SECRET_MOST >> 10);
	/* Editors and echo end a file with a line's end. */
	while (n && (bytes[n - 1] == '\n' || bytes[n - 1] == '\r'))
		n--;
	if (!n)
		return FAIL(d, f, "%s: the file is empty", f->key);
	if (memchr(bytes, '\0', n))
		return FAIL(d, f, "%s: the file holds a NUL byte", f->key);
	secret_set(f->into, bytes, n);
	return 0;
}

static int read_secret(const struct settings_draft *d, const struct settings_file *f,
		       int fd, struct error *err)
{
	CLEANUP_PTR(mem) char *bytes = xmalloc(SECRET_MOST + 1);
	ssize_t n = read_up_to(fd, bytes, SECRET_MOST + 1);
	int rc;

	if (n < 0)
		return FAIL(d, f, "%s: the file cannot be read: %s", f->key,
			    strerror(errno));
	rc = set_secret(d, f, bytes, (size_t)n, err);
	secret_wipe(bytes, (size_t)n);
	return rc;
}

static int read_file(const struct settings_draft *d, const struct settings_file *f,
		     const char *credentials, struct error *err)
{
	const char *path = path_of(d, f, credentials, err);
	CLEANUP(fd) int fd = -1;
	struct stat st;

	if (!path)
		return -1;
	fd = open_file(d, f, path, &st, err);
	if (fd < 0)
		return -1;
	if (f->into)
		return read_secret(d, f, fd, err);
	*f->path = path;
	return 0;
}

static bool is_wanted(const struct settings_draft *d, const struct settings_file *f)
{
	const struct site *site;

	switch (d->extent) {
	case SETTINGS_ALL:
		return true;
	case SETTINGS_QUEUE:
		return f->into == &d->settings->queue_password;
	case SETTINGS_SITE:
		break;
	}
	site = settings_site(d->settings, d->site);
	if (!site)
		return false;
	return f->into == &site->access.token || f->into == &site->access.passphrase ||
	       f->path == &site->access.ssh_key;
}

int settings_read_files(struct settings_draft *d, const char *credentials,
			struct error *err)
{
	for (size_t i = 0; i < d->files.len; i++) {
		const struct settings_file *f = &d->files.items[i];

		if (is_wanted(d, f) && read_file(d, f, credentials, err) < 0)
			return -1;
	}
	return 0;
}
