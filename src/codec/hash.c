#include "codec/hash.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/mem.h"

static const struct {
	const char *name;
	size_t size;
	const EVP_MD *(*md)(void);
} kinds[] = {
	[HASH_SHA256] = { "SHA-256", HASH_SHA256_SIZE, EVP_sha256 },
	[HASH_SHA1] = { "SHA-1", HASH_SHA1_SIZE, EVP_sha1 },
	[HASH_MD5] = { "MD5", HASH_MD5_SIZE, EVP_md5 },
};

struct hash {
	EVP_MD_CTX *ctx;
	enum hash_kind kind;
};

/* These calls fail when memory is short, or when the machine's policy takes a digest away
 * (MD5 under FIPS); there is no going on without one. */
static void check(int ok, enum hash_kind kind)
{
	if (ok == 1)
		return;
	fprintf(stderr, "crc: this machine's OpenSSL refuses %s\n", kinds[kind].name);
	abort();
}

static void start(struct hash *h)
{
	check(EVP_DigestInit_ex(h->ctx, kinds[h->kind].md(), NULL), h->kind);
}

struct hash *hash_new(enum hash_kind kind)
{
	struct hash *h = xmalloc(sizeof(*h));

	*h = (struct hash){ .ctx = EVP_MD_CTX_new(), .kind = kind };
	check(h->ctx != NULL, kind);
	start(h);
	return h;
}

void hash_free(struct hash *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

void hash_add(struct hash *h, const void *p, size_t n)
{
	if (n)
		check(EVP_DigestUpdate(h->ctx, p, n), h->kind);
}

void hash_end(struct hash *h, unsigned char *out)
{
	check(EVP_DigestFinal_ex(h->ctx, out, NULL), h->kind);
	start(h);
}

void hash_bytes(enum hash_kind kind, const void *p, size_t n, unsigned char *out)
{
	check(EVP_Digest(n ? p : "", n, out, NULL, kinds[kind].md(), NULL), kind);
}

size_t hash_size(enum hash_kind kind)
{
	return kinds[kind].size;
}

void hash_hmac_sha256(const void *key, size_t key_len, const void *p, size_t n,
		      unsigned char out[HASH_SHA256_SIZE])
{
	const unsigned char *done;

	assert(key_len <= INT_MAX);
	/* OpenSSL takes a NULL key for "the key as before". */
	done = HMAC(EVP_sha256(), key_len ? key : "", (int)key_len, n ? p : NULL, n, out,
		    NULL);
	check(done != NULL, HASH_SHA256);
}

void hash_git_blob(const void *p, size_t n, unsigned char out[HASH_SHA1_SIZE])
{
	CLEANUP_PTR(hash) struct hash *h = hash_new(HASH_SHA1);
	char header[32];
	int len = snprintf(header, sizeof(header), "blob %zu", n);

	hash_add(h, header, (size_t)len + 1);
	hash_add(h, p, n);
	hash_end(h, out);
}

bool hash_equal(const void *a, const void *b, size_t n)
{
	return n == 0 || CRYPTO_memcmp(a, b, n) == 0;
}
