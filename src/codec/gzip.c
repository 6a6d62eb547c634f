#include "codec/gzip.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <zlib.h>

#include "base/mem.h"

/* The largest window, and a gzip rather than a zlib header. */
enum { GZIP_WINDOW = 15 + 16, MEM_LEVEL = 8, CHUNK = 16384 };

/* A stream being read. */
struct inflater {
	z_stream z;
	size_t left; /* bytes of the input that zlib was not given yet */
};

static void inflater_release(struct inflater *in)
{
	inflateEnd(&in->z);
}

/* zlib's own allocations end like ours. */
static voidpf zalloc_checked(voidpf ctx, uInt count, uInt size)
{
	(void)ctx;
	return xcalloc(count, size);
}

static void zfree_checked(voidpf ctx, voidpf p)
{
	(void)ctx;
	free(p);
}

static z_stream stream_of(const void *p)
{
	return (z_stream){
		.next_in = (Bytef *)p, /* zlib's interface lacks the const */
		.zalloc = zalloc_checked,
		.zfree = zfree_checked,
	};
}

/* zlib counts in unsigned int: larger inputs are handed over piece by piece. */
static void feed(z_stream *z, size_t *left)
{
	uInt piece = *left > UINT_MAX ? UINT_MAX : (uInt)*left;

	if (z->avail_in > 0)
		return;
	z->avail_in = piece;
	*left -= piece;
}

void gzip_compress(const void *p, size_t n, struct buf *out)
{
	z_stream z = stream_of(p);
	unsigned char chunk[CHUNK];
	size_t left = n;
	int result = deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW,
				  MEM_LEVEL, Z_DEFAULT_STRATEGY);

	if (result != Z_OK) {
		/* Only a header and a library that do not fit together get here. */
		fputs("crc: zlib does not work\n", stderr);
		abort();
	}
	do {
		feed(&z, &left);
		z.next_out = chunk;
		z.avail_out = CHUNK;
		result = deflate(&z, left ? Z_NO_FLUSH : Z_FINISH);
		buf_add(out, chunk, CHUNK - z.avail_out);
	} while (result != Z_STREAM_END && !out->overflowed);
	deflateEnd(&z);
}

static int damaged(const z_stream *z, struct error *err)
{
	return error_set(err, ERR_DATA, "gzip: %s", z->msg ? z->msg : "cut short");
}

/* Unpacks the member that the input stands at. */
static int inflate_member(struct inflater *in, struct buf *out, struct error *err)
{
	unsigned char chunk[CHUNK];
	int result;

	do {
		feed(&in->z, &in->left);
		in->z.next_out = chunk;
		in->z.avail_out = CHUNK;
		result = inflate(&in->z, Z_NO_FLUSH);
		if (result != Z_OK && result != Z_STREAM_END)
			return damaged(&in->z, err);
		buf_add(out, chunk, CHUNK - in->z.avail_out);
		if (buf_check(out, "gzip content", err) < 0)
			return -1;
	} while (result != Z_STREAM_END);
	return 0;
}

int gzip_decompress(const void *p, size_t n, struct buf *out, struct error *err)
{
	CLEANUP(inflater) struct inflater in = { .z = stream_of(p), .left = n };

	if (inflateInit2(&in.z, GZIP_WINDOW) != Z_OK)
		return error_set(err, ERR_DATA, "gzip: zlib does not work");
	do {
		if (inflate_member(&in, out, err) < 0)
			return -1;
		inflateReset(&in.z);
	} while (in.z.avail_in > 0 || in.left > 0);
	return 0;
}
