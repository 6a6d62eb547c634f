/* function.h - new code for a Lambda function that another tool owns. Its settings are never
 * touched. */
#ifndef RUN_FUNCTION_H
#define RUN_FUNCTION_H

#include <stdbool.h>

#include "aws/lambda.h"
#include "base/arena.h"
#include "run/watch.h"

/* All is borrowed. */
struct function_options {
	const struct watch *watch;
	const char *name;  /* or an ARN */
	const char *alias; /* NULL: none is moved */
	int64_t timeout_s; /* how long to wait for others, and for the update */
};

struct function_code {
	const void *zip; /* NULL: in S3 */
	size_t len;
	const char *bucket;
	const char *key;
	const char *sha256; /* base64, of the archive */
};

struct function_result {
	bool changed; /* the code */
	bool goes_on; /* also told when it failed: Lambda takes the code in by itself */
	bool moved;   /* the alias */
	const char *version; /* that the alias points to; NULL: no alias. In the arena */
	struct lambda_function now; /* strings in the arena */
};

/* Waits while somebody else updates it; leaves code that is there already; sends it guarded by
 * the revision it was compared at, and compares again when that moved; waits for the result;
 * publishes and moves the alias. ERR_NOT_FOUND: no such function (or alias), with what to do;
 * ERR_CONFIG: an image, or code that Lambda cannot unpack; ERR_SERVICE: the update failed, in
 * Lambda's words; ERR_TIMEOUT: busy for too long. */
int function_deploy(const struct function_options *options,
		    const struct function_code *code, struct arena *arena,
		    struct function_result *out, struct error *err);

#endif
