#include "run/parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "aws/s3.h"
#include "base/mem.h"
#include "codec/encode.h"
#include "codec/hash.h"

enum { CHUNK = 1 << 16 };

void parts_release(struct parts *p)
{
	free(p->sha256);
	*p = (struct parts)PARTS_INIT;
}

struct http_body parts_whole(const struct content *c)
{
	if (c->file.fd >= 0)
		return (struct http_body){ .fd = c->file.fd, .len = c->len };
	return (struct http_body){ .bytes = c->bytes.data, .len = c->len };
}

struct http_body parts_body(const struct content *c, size_t i)
{
	struct http_body body = parts_whole(c);
	int64_t from = (int64_t)i * S3_PART_BYTES;

	if (body.bytes)
		body.bytes = (const char *)body.bytes + from;
	else
		body.offset = from;
	body.len = c->len - from < S3_PART_BYTES ? c->len - from : S3_PART_BYTES;
	return body;
}

struct digests {
	struct hash *sha256;
	struct hash *md5;
};

static int add_range(const struct http_body *body, const char *name,
		     const struct digests *d, struct error *err)
{
	unsigned char chunk[CHUNK];
	int64_t done = 0;

	if (body->bytes) {
		hash_add(d->sha256, body->bytes, (size_t)body->len);
		hash_add(d->md5, body->bytes, (size_t)body->len);
		return 0;
	}
	while (done < body->len) {
		int64_t left = body->len - done;
		ssize_t n = pread(body->fd, chunk, left < CHUNK ? (size_t)left : CHUNK,
				  body->offset + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_set(err, n ? ERR_IO : ERR_CONFLICT, "%s: %s", name,
					 n ? strerror(errno)
					   : "shrank while it was being deployed");
		hash_add(d->sha256, chunk, (size_t)n);
		hash_add(d->md5, chunk, (size_t)n);
		done += n;
	}
	return 0;
}

int parts_of(const struct content *c, const char *name, struct parts *out,
	     struct error *err)
{
	CLEANUP_PTR(hash) struct hash *sha256 = hash_new(HASH_SHA256);
	CLEANUP_PTR(hash) struct hash *md5 = hash_new(HASH_MD5);
	CLEANUP_PTR(hash) struct hash *all = hash_new(HASH_MD5);
	const struct digests digests = { sha256, md5 };
	unsigned char digest[HASH_MOST];
	char hex[2 * HASH_MD5_SIZE + 1];
	int64_t n = (c->len + S3_PART_BYTES - 1) / S3_PART_BYTES;

	if (n > PARTS_MOST)
		return error_set(err, ERR_LIMIT,
				 "%s: %" PRId64
				 " bytes are more than %d parts of %d bytes: "
				 "keep it elsewhere, or exclude it",
				 name, c->len, PARTS_MOST, S3_PART_BYTES);
	parts_release(out);
	out->sha256 = xcalloc((size_t)n, sizeof(*out->sha256));
	out->n = (size_t)n;
	for (size_t i = 0; i < out->n; i++) {
		struct http_body body = parts_body(c, i);

		if (add_range(&body, name, &digests, err) < 0)
			return -1;
		hash_end(sha256, digest);
		encode_hex(digest, HASH_SHA256_SIZE, out->sha256[i]);
		hash_end(md5, digest);
		hash_add(all, digest, HASH_MD5_SIZE);
	}
	hash_end(all, digest);
	encode_hex(digest, HASH_MD5_SIZE, hex);
	snprintf(out->etag, sizeof(out->etag), "\"%s-%zu\"", hex, out->n);
	return 0;
}
