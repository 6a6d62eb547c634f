#include "core/code_size.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

enum { NAMED = 3 };

/* What lies directly in a folder: a file, or a folder with all in it. */
struct part {
	const char *path; /* of which the first len bytes are the part's */
	size_t len;
	int64_t size;
};

struct parts {
	struct part biggest[NAMED]; /* in falling order */
};

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct sized_path *)a)->path,
		      ((const struct sized_path *)b)->path);
}

static void add(struct parts *p, struct part part)
{
	for (size_t i = 0; i < NAMED; i++) {
		if (part.size > p->biggest[i].size) {
			struct part smaller = p->biggest[i];

			p->biggest[i] = part;
			part = smaller;
		}
	}
}

/* The part of a path that lies directly in a folder of n bytes (with its slash). */
static size_t part_length(const char *path, size_t n)
{
	const char *slash = strchr(path + n, '/');

	return slash ? (size_t)(slash - path) + 1 : strlen(path);
}

/* Since the paths are sorted, all of one part stand together. */
static void find_parts(const struct sized_paths *files, const struct part *folder,
		       struct parts *out)
{
	struct part now = { NULL, 0, 0 };

	*out = (struct parts){ 0 };
	for (size_t i = 0; i < files->len; i++) {
		const struct sized_path *f = &files->items[i];
		size_t len;

		if (folder->len && strncmp(f->path, folder->path, folder->len) != 0)
			continue;
		len = part_length(f->path, folder->len);
		if (!now.path || len != now.len || strncmp(f->path, now.path, len) != 0) {
			add(out, now);
			now = (struct part){ f->path, len, 0 };
		}
		now.size += f->size;
	}
	add(out, now);
}

/* A folder that holds nearly all says less than what is in it. */
static void find_biggest(const struct sized_paths *files, int64_t total,
			 struct parts *out)
{
	struct part folder = { "", 0, total };

	for (;;) {
		const struct part *first = &out->biggest[0];

		find_parts(files, &folder, out);
		if (!first->path || first->path[first->len - 1] != '/' ||
		    first->size < folder.size / 10 * 8)
			return;
		folder = *first;
	}
}

static long long megabytes(int64_t size)
{
	return (long long)((size + (1 << 20) - 1) >> 20);
}

int code_size_check(struct sized_paths *files, struct error *err)
{
	CLEANUP(buf) struct buf names = BUF_INIT(600);
	struct parts parts;
	int64_t total = 0;

	for (size_t i = 0; i < files->len; i++)
		total += files->items[i].size;
	if (total <= CODE_BYTES_MOST)
		return 0;
	qsort(files->items, files->len, sizeof(*files->items), compare);
	find_biggest(files, total, &parts);
	for (size_t i = 0; i < NAMED && parts.biggest[i].path; i++)
		buf_printf(&names, "%s%.*s %lld MB", i ? ", " : "",
			   (int)parts.biggest[i].len, parts.biggest[i].path,
			   megabytes(parts.biggest[i].size));
	return error_set(
		err, ERR_TOO_BIG,
		"%lld MB of files, and Lambda unpacks at most 250 MB; the biggest "
		"are %s: leave out what it does not need",
		megabytes(total), names.data);
}
