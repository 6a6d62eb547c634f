/* endpoint.h - where a request goes: service, region and bucket to scheme, host and the
 * start of the path. Pure. docs/aws.md, "Endpoints". */
#ifndef AWS_ENDPOINT_H
#define AWS_ENDPOINT_H

#include <stdbool.h>

#include "aws/client.h"
#include "base/arena.h"
#include "base/error.h"

/* What the user configured. Strings are borrowed; NULL: not set. */
struct endpoint_settings {
	const char *url[AWS_SERVICES]; /* each service's own, or the one for all */
	bool fips;
	bool dualstack;
};

struct endpoint {
	const char *scheme;    /* "https" */
	const char *host;      /* with :port where it is not the scheme's own */
	const char *base_path; /* "" or "/base"; for path-style buckets with "/bucket" */
	const char *region;    /* that is signed for */
	const char *service;   /* that is signed for: "s3" */
};

/* The settings that an environment makes. profile_url answers what the profile's
 * configuration says for a service ("s3"; NULL: for all), or NULL; it may be NULL itself. */
void endpoint_settings_read(const char *const *env,
			    const char *(*profile_url)(void *ctx, const char *service),
			    void *ctx, struct endpoint_settings *out);

/* What a request is for. */
struct endpoint_target {
	enum aws_service service;
	const char *region; /* NULL or "": none, which is enough for a global service */
	const char *bucket; /* NULL: none */
};

/* Fills *out with strings in the arena. -1: ERR_CONFIG (an endpoint that is no URL, a bucket
 * name that cannot be one), ERR_UNSUPPORTED (directory buckets, access points, FIPS where
 * there is none). */
int endpoint_resolve(const struct endpoint_settings *settings,
		     const struct endpoint_target *target, struct arena *arena,
		     struct endpoint *out, struct error *err);

/* "s3": the name that is signed for. */
const char *endpoint_service_name(enum aws_service service);

/* Of the partition that a region is in: "amazonaws.com", and "aws" as ARNs begin. */
const char *endpoint_suffix(const char *region);
const char *endpoint_partition(const char *region);

/* The value of NAME in an environment; NULL: not set, or empty. */
const char *env_get(const char *const *env, const char *name);

#endif
