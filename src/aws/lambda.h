/* lambda.h - functions that exist: their code, versions and aliases (API 2015-03-31). Never
 * touches a function's settings. */
#ifndef AWS_LAMBDA_H
#define AWS_LAMBDA_H

#include <stdbool.h>
#include <stddef.h>

#include "aws/client.h"

enum { LAMBDA_ZIP_BYTES_MOST = 50 << 20 }; /* in a request; a larger one goes by S3 */

struct lambda_function {
	const char *arn;
	const char *code_sha256; /* base64, as Lambda writes it */
	const char *revision;    /* guards an update: it changes with every change */
	const char *runtime;     /* "" for an image */
	const char *handler;
	const char *architecture; /* "x86_64" or "arm64" */
	const char *package_type; /* "Zip" or "Image" */
	bool has_more_code;       /* layers, or a file system */
	const char *version;      /* "$LATEST" or a number */
	const char *state;        /* "Active", "Pending", "Inactive", "Failed" */
	const char *state_reason;
	const char *update; /* "Successful", "InProgress", "Failed" */
	const char *update_reason;
	const char *update_reason_code; /* "ImageAccessDenied", ... */
};

/* name: a function's name or ARN. Strings of decoded answers live in the arena given. */
void lambda_get_request(struct aws_request *req, const char *name);
/* ERR_NOT_FOUND is the send's: no such function. */
int lambda_get_decode(const struct http_response *res, struct arena *arena,
		      struct lambda_function *out, struct error *err);

/* Where the new code is: bytes, or an object in S3. */
struct lambda_code {
	const void *zip; /* NULL: in S3 */
	size_t len;
	const char *bucket;
	const char *key;
	const char *architecture; /* NULL: as it is */
	const char *revision;     /* only if it is this one (ERR_CONDITION); NULL: any */
};

/* ERR_TOO_BIG: bytes over LAMBDA_ZIP_BYTES_MOST. When the answer of an attempt that took effect
 * is lost, the next attempt meets another revision or a busy function: ERR_CONDITION and
 * lambda_is_busy_error mean "look at the code's hash", not yet "somebody else was here". */
int lambda_update_request(struct aws_request *req, const char *name,
			  const struct lambda_code *code, struct error *err);
/* lambda_get_request answers a wrapped configuration, this one and the next the bare one. */
int lambda_configuration_decode(const struct http_response *res, struct arena *arena,
				struct lambda_function *out, struct error *err);

/* Publishing what is published already gives the same version again. */
void lambda_publish_request(struct aws_request *req, const char *name,
			    const char *code_sha256);

/* An alias's version, in the arena. ERR_NOT_FOUND is the send's. */
void lambda_alias_request(struct aws_request *req, const char *name, const char *alias);
int lambda_alias_decode(const struct http_response *res, struct arena *arena,
			const char **version, struct error *err);
void lambda_alias_update_request(struct aws_request *req, const char *name,
				 const char *alias, const char *version);

/* The errors that mean "somebody is changing it": wait and ask again. */
bool lambda_is_busy_error(const struct error *err);

#endif
