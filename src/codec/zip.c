#include "codec/zip.h"

#include <string.h>
#include <zip.h>

#include "base/mem.h"
#include "base/str.h"

/* The first moment that an entry can have: 1980-01-01 00:00:00, in the format of MS-DOS. */
enum { DOS_TIME = 0, DOS_DATE = (0 << 9) | (1 << 5) | 1, LEVEL = 9 };
/* Types and permissions as Unix keeps them in the upper half of the attributes. */
#define MODE_FILE       ((zip_uint32_t)0100644 << 16)
#define MODE_EXECUTABLE ((zip_uint32_t)0100755 << 16)

static void zip_freep(zip_t **p)
{
	zip_discard(*p);
}

static void zip_source_freep(zip_source_t **p)
{
	zip_source_free(*p);
}

#define SCOPED(kind) __attribute__((cleanup(kind##_freep)))

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct zip_item *)a)->path,
		      ((const struct zip_item *)b)->path);
}

static bool is_relative(const char *path)
{
	if (!*path || *path == '/')
		return false;
	for (;;) {
		size_t n = strcspn(path, "/");

		if (!n || (n == 1 && path[0] == '.') ||
		    (n == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		if (!path[n])
			return true;
		path += n + 1;
	}
}

static int check(const struct zip_items *items, struct error *err)
{
	for (size_t i = 0; i < items->len; i++) {
		const char *path = items->items[i].path;

		if (!is_relative(path) || !str_is_utf8(path, strlen(path)))
			return error_set(err, ERR_DATA,
					 "%s: a path in an archive is relative and UTF-8",
					 path);
		if (i && str_eq(path, items->items[i - 1].path))
			return error_set(err, ERR_DATA, "%s: twice in one archive", path);
	}
	return 0;
}

static int add(zip_t *archive, const struct zip_item *item, struct error *err)
{
	zip_source_t *source = zip_source_buffer(archive, item->len ? item->bytes : "",
						 item->len, 0);
	zip_int64_t at = -1;
	zip_uint64_t index;

	if (source)
		at = zip_file_add(archive, item->path, source, ZIP_FL_ENC_UTF_8);
	if (at < 0) {
		zip_source_free(source);
		return error_set(err, ERR_IO, "%s: %s", item->path,
				 zip_strerror(archive));
	}
	index = (zip_uint64_t)at;
	if (zip_set_file_compression(archive, index, ZIP_CM_DEFLATE, LEVEL) < 0 ||
	    zip_file_set_dostime(archive, index, DOS_TIME, DOS_DATE, 0) < 0 ||
	    zip_file_set_external_attributes(archive, index, 0, ZIP_OPSYS_UNIX,
					     item->executable ? MODE_EXECUTABLE
							      : MODE_FILE) < 0)
		return error_set(err, ERR_IO, "%s: %s", item->path,
				 zip_strerror(archive));
	return 0;
}

static int take_bytes(zip_source_t *source, struct buf *out, struct error *err)
{
	char chunk[16384];
	zip_int64_t n;

	if (zip_source_open(source) < 0)
		return error_set(err, ERR_IO, "archive: %s",
				 zip_error_strerror(zip_source_error(source)));
	while ((n = zip_source_read(source, chunk, sizeof(chunk))) > 0)
		buf_add(out, chunk, (size_t)n);
	zip_source_close(source);
	if (n < 0)
		return error_set(err, ERR_IO, "archive: cannot be read back");
	return buf_check(out, "archive", err);
}

int zip_write(struct zip_items *items, struct buf *out, struct error *err)
{
	zip_error_t why;
	SCOPED(zip_source) zip_source_t *source = NULL;
	SCOPED(zip) zip_t *archive = NULL;

	if (!items->len)
		return error_set(err, ERR_DATA,
				 "there is nothing to put into an archive");
	qsort(items->items, items->len, sizeof(*items->items), compare);
	if (check(items, err) < 0)
		return -1;
	zip_error_init(&why);
	source = zip_source_buffer_create(NULL, 0, 0, &why);
	if (source)
		archive = zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, &why);
	if (!archive)
		return error_set(err, ERR_IO, "archive: %s", zip_error_strerror(&why));
	/* The archive takes the source over; one more reference is ours. */
	zip_source_keep(source);
	for (size_t i = 0; i < items->len; i++)
		if (add(archive, &items->items[i], err) < 0)
			return -1;
	if (zip_close(archive) < 0)
		return error_set(err, ERR_IO, "archive: %s", zip_strerror(archive));
	archive = NULL;
	return take_bytes(source, out, err);
}

static zip_t *open_archive(const void *p, size_t n)
{
	zip_error_t why;
	zip_source_t *source;
	zip_t *archive;

	zip_error_init(&why);
	source = zip_source_buffer_create(p, n, 0, &why);
	if (!source)
		return NULL;
	archive = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &why);
	if (!archive)
		zip_source_free(source);
	return archive;
}

bool zip_is_archive(const void *p, size_t n)
{
	SCOPED(zip) zip_t *archive = open_archive(p, n);

	return archive && zip_get_num_entries(archive, 0) > 0;
}

/* Those that are not made on a Unix host have no such right. */
static bool is_executable(zip_t *archive, zip_uint64_t index)
{
	zip_uint8_t host = 0;
	zip_uint32_t attributes = 0;

	return zip_file_get_external_attributes(archive, index, 0, &host, &attributes) ==
		       0 &&
	       host == ZIP_OPSYS_UNIX && (attributes >> 16 & 0111);
}

bool zip_each(const void *p, size_t n, zip_visit visit, void *ctx)
{
	SCOPED(zip) zip_t *archive = open_archive(p, n);
	zip_int64_t entries = archive ? zip_get_num_entries(archive, 0) : 0;

	for (zip_int64_t i = 0; i < entries; i++) {
		const char *path = zip_get_name(archive, (zip_uint64_t)i, 0);

		if (path)
			visit(ctx, path, is_executable(archive, (zip_uint64_t)i));
	}
	return archive != NULL;
}
