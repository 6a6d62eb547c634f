/* artifacts.h - the bucket that code and large templates go through.
 *
 * Objects are named by what they were made from and written once; none is ever deleted, since
 * a stack that rolls back needs its old ones. The default bucket is made on first need:
 * private, encrypted, TLS only. Every request names the account that must own it, since its
 * name can be guessed. */
#ifndef RUN_ARTIFACTS_H
#define RUN_ARTIFACTS_H

#include "base/arena.h"
#include "run/watch.h"

struct artifacts {
	const struct watch *watch; /* borrowed */
	const char *bucket;        /* borrowed */
	const char *region;        /* where a bucket is made; borrowed */
	const char *account;       /* owner of the default bucket; NULL: of any */
	bool is_default;           /* it may be made */
};

/* crc-artifacts-ACCOUNT-REGION, in the arena. */
const char *artifacts_default_bucket(struct arena *arena, const char *account,
				     const char *region);

/* Base64 of an object's SHA-256, as Lambda writes it, into the arena; NULL when it is not
 * there (or the bucket is not). "" when it is there and was written without one.
 * ERR_FORBIDDEN says which rights are missing. */
int artifacts_find(const struct artifacts *a, const char *key, struct arena *arena,
		   const char **sha256, struct error *err);
/* Writes an object unless it is there, making the default bucket if it must, which is told; a
 * bucket that cannot be made as described is deleted again. ERR_FORBIDDEN says which right is
 * missing; ERR_CONFIG: the bucket that crc.yml names is not there, or somebody else has the
 * default one's name. */
int artifacts_put(const struct artifacts *a, const char *key, const void *p, size_t n,
		  struct error *err);
/* The https URL by which CloudFormation reads a template, in the arena. */
const char *artifacts_url(const struct artifacts *a, const char *key,
			  struct arena *arena);

#endif
