#include "daemon/joblog.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"
#include "io/fd.h"
#include "io/fs.h"

enum {
	PATH_MOST = 4096,
	/* Each byte may be escaped to six, or replaced by three. */
	ROW_MOST = JOBLOG_EVENT_MOST + 6 * JOBLOG_LINE_MOST + 1024,
};

struct joblog {
	int fd;
	int64_t size, most;
	bool is_full; /* which was said */
	struct buf row;
};

static int log_path(const char *state, int64_t id, struct buf *out, struct error *err)
{
	buf_printf(out, "%s/logs/%" PRId64 ".jsonl", state, id);
	return buf_check(out, "path of a log", err);
}

static int make_folder(const char *state, struct error *err)
{
	CLEANUP(buf) struct buf path = BUF_INIT(PATH_MOST);

	buf_printf(&path, "%s/logs", state);
	if (fs_make_folders(path.data, err) < 0)
		return -1;
	if (chmod(path.data, 0700) < 0)
		return error_set(err, ERR_IO, "%s: %s", path.data, strerror(errno));
	return 0;
}

/* A daemon that was killed may have left half a line. */
static int end_last_line(int fd, int64_t size)
{
	char last = '\n';

	if (size && pread(fd, &last, 1, (off_t)size - 1) != 1)
		return -1;
	return last == '\n' || fd_write_all(fd, "\n", 1) ? 0 : -1;
}

int joblog_open(const char *state, int64_t id, int64_t most, struct joblog **out,
		struct error *err)
{
	CLEANUP(buf) struct buf path = BUF_INIT(PATH_MOST);
	CLEANUP(fd) int fd = -1;
	struct joblog *l;
	struct stat st;

	if (make_folder(state, err) < 0 || log_path(state, id, &path, err) < 0)
		return -1;
	fd = open(path.data, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || fstat(fd, &st) < 0 || end_last_line(fd, st.st_size) < 0)
		return error_set(err, ERR_IO, "%s: %s", path.data, strerror(errno));
	l = xcalloc(1, sizeof(*l));
	l->fd = fd_take(&fd);
	l->size = st.st_size;
	l->most = most;
	l->row = (struct buf)BUF_INIT(ROW_MOST);
	*out = l;
	return 0;
}

void joblog_free(struct joblog *l)
{
	if (!l)
		return;
	fd_release(&l->fd);
	buf_release(&l->row);
	free(l);
}

static void begin(struct joblog *l, struct json_writer *w, int64_t now_ms)
{
	buf_clear(&l->row);
	*w = (struct json_writer)JSON_WRITER_INIT(&l->row);
	json_open(w, '{');
	json_member_int(w, "at", now_ms);
}

/* One write a line, so that a reader and a second writer see whole ones. */
static void end(struct joblog *l, struct json_writer *w)
{
	json_close(w, '}');
	buf_char(&l->row, '\n');
	if (!l->row.overflowed && fd_write_all(l->fd, l->row.data, l->row.len))
		l->size += (int64_t)l->row.len;
}

static bool has_room(struct joblog *l, int64_t now_ms)
{
	struct json_writer w;

	if (l->size < l->most)
		return true;
	if (l->is_full)
		return false;
	l->is_full = true;
	begin(l, &w, now_ms);
	json_member(&w, "line", "(the log is full: the rest is left out)");
	json_member(&w, "stream", "err");
	end(l, &w);
	return false;
}

void joblog_attempt(struct joblog *l, int64_t now_ms, int attempt)
{
	struct json_writer w;

	begin(l, &w, now_ms);
	json_member_int(&w, "attempt", attempt);
	end(l, &w);
}

static void put_text(struct joblog *l, int64_t now_ms, bool is_stderr, const char *line,
		     size_t len)
{
	struct json_writer w;

	if (!has_room(l, now_ms))
		return;
	begin(l, &w, now_ms);
	json_key(&w, "line");
	json_put_strn(&w, line, len < JOBLOG_LINE_MOST ? len : JOBLOG_LINE_MOST);
	json_member(&w, "stream", is_stderr ? "err" : "out");
	end(l, &w);
}

static void put_event(struct joblog *l, int64_t now_ms, const char *type,
		      const char *line, size_t len)
{
	bool is_last = str_eq(type, "result");
	struct json_writer w;

	if (!has_room(l, now_ms) && !is_last)
		return;
	begin(l, &w, now_ms);
	json_key(&w, "event");
	if (len <= JOBLOG_EVENT_MOST) {
		/* By its length: nobody has said that a NUL follows. */
		json_put_raw(&w, "");
		buf_add(&l->row, line, len);
	} else {
		json_open(&w, '{');
		json_member_int(&w, "v", 1);
		json_member(&w, "type", type);
		json_member_int(&w, "left_out", (int64_t)len);
		json_close(&w, '}');
	}
	end(l, &w);
}

void joblog_line(struct joblog *l, int64_t now_ms, bool is_stderr, const char *line,
		 size_t len)
{
	CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;
	struct error ignored = ERROR_INIT;
	const char *type = NULL;

	if (!is_stderr && len && line[0] == '{' &&
	    json_parse(line, len, &doc, &ignored) == 0 && json_get(json_root(doc), "v"))
		type = json_str(json_get(json_root(doc), "type"));
	if (type && strlen(type) < 32)
		put_event(l, now_ms, type, line, len);
	else
		put_text(l, now_ms, is_stderr, line, len);
}

/* How many of n bytes are lines at the begin that are longer than most. */
static size_t long_lines(const char *bytes, size_t n, size_t most)
{
	size_t at = 0;
	const char *end;

	while ((end = memchr(bytes + at, '\n', n - at)) != NULL &&
	       (size_t)(end - bytes) + 1 - at > most)
		at = (size_t)(end - bytes) + 1;
	return at;
}

/* How many of n bytes are whole lines, at most most of them. */
static size_t whole_lines(const char *bytes, size_t n, size_t most)
{
	size_t end = n < most ? n : most;

	while (end && bytes[end - 1] != '\n')
		end--;
	return end;
}

static int open_log(const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return error_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s",
				 path, strerror(errno));
	return fd;
}

int joblog_read(const char *state, int64_t id, int64_t *offset, size_t most,
		struct buf *out, struct error *err)
{
	CLEANUP(buf) struct buf path = BUF_INIT(PATH_MOST);
	CLEANUP(fd) int fd = -1;
	size_t room = most > ROW_MOST ? most : ROW_MOST;
	CLEANUP_PTR(mem) char *bytes = NULL;
	size_t skipped;
	size_t taken;
	ssize_t n;

	if (log_path(state, id, &path, err) < 0)
		return -1;
	fd = open_log(path.data, err);
	if (fd < 0)
		return -1;
	bytes = xmalloc(room);
	n = pread(fd, bytes, room, (off_t)*offset);
	if (n < 0)
		return error_set(err, ERR_IO, "%s: %s", path.data, strerror(errno));
	skipped = long_lines(bytes, (size_t)n, most);
	taken = whole_lines(bytes + skipped, (size_t)n - skipped, most);
	buf_add(out, bytes + skipped, taken);
	if (buf_check(out, "log", err) < 0)
		return -1;
	*offset += (int64_t)(skipped + taken);
	return 0;
}

static bool is_old(int folder, const char *name, int64_t before_ms)
{
	struct stat st;

	return str_ends(name, ".jsonl") &&
	       fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && (int64_t)st.st_mtime * 1000 < before_ms;
}

int joblog_prune(const char *state, int64_t before_ms, struct error *err)
{
	CLEANUP(buf) struct buf path = BUF_INIT(PATH_MOST);
	struct dirent *entry;
	int rc = 0;
	DIR *dir;

	buf_printf(&path, "%s/logs", state);
	dir = opendir(path.data);
	if (!dir)
		return errno == ENOENT ? 0
				       : error_set(err, ERR_IO, "%s: %s", path.data,
						   strerror(errno));
	while ((entry = readdir(dir)) != NULL)
		if (is_old(dirfd(dir), entry->d_name, before_ms) &&
		    unlinkat(dirfd(dir), entry->d_name, 0) < 0 && errno != ENOENT)
			rc = error_set(err, ERR_IO, "%s/%s: %s", path.data, entry->d_name,
				       strerror(errno));
	closedir(dir);
	return rc;
}
