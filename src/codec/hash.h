/* hash.h - digests. */
#ifndef CODEC_HASH_H
#define CODEC_HASH_H

#include <stdbool.h>
#include <stddef.h>

enum { HASH_SHA256_SIZE = 32, HASH_SHA1_SIZE = 20, HASH_MD5_SIZE = 16, HASH_MOST = 32 };

enum hash_kind { HASH_SHA256, HASH_SHA1, HASH_MD5 };

/* A digest in the making: hash_new, any number of hash_add, hash_end, hash_free. */
struct hash;

struct hash *hash_new(enum hash_kind kind);
void hash_free(struct hash *h); /* NULL-safe */
void hash_add(struct hash *h, const void *p, size_t n);
/* Writes the digest (as many bytes as its kind has) and starts anew. */
void hash_end(struct hash *h, unsigned char *out);

/* The digest of n bytes in one go. */
void hash_bytes(enum hash_kind kind, const void *p, size_t n, unsigned char *out);
size_t hash_size(enum hash_kind kind);

/* RFC 2104 with SHA-256. */
void hash_hmac_sha256(const void *key, size_t key_len, const void *p, size_t n,
		      unsigned char out[HASH_SHA256_SIZE]);

/* The id that git gives a blob of these bytes: SHA-1 over "blob LEN\0" and the bytes. */
void hash_git_blob(const void *p, size_t n, unsigned char out[HASH_SHA1_SIZE]);

/* Compares without telling by its time where the difference is. */
bool hash_equal(const void *a, const void *b, size_t n);

#include "base/mem.h"
MEM_DEFINE_FREEP(hash)

#endif
