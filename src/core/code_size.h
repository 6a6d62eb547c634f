/* code_size.h - whether code is small enough for Lambda. Pure. */
#ifndef CORE_CODE_SIZE_H
#define CORE_CODE_SIZE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/vec.h"

/* docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: unpacked. */
#define CODE_BYTES_MOST INT64_C(262144000)

struct sized_path {
	const char *path; /* in the archive; borrowed */
	int64_t size;
};

VEC_DEFINE(sized_paths, struct sized_path);

/* Sorts the files by path. ERR_TOO_BIG: they are more than Lambda unpacks; the message names
 * where most of it is. */
int code_size_check(struct sized_paths *files, struct error *err);

#endif
