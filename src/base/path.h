/* path.h - relative paths with '/', taken step by step. */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Goes on from a path ("": the top) by one name: up for "..", nowhere for "." and "". False,
 * and the path as it was: there is nothing above the top. */
bool path_step(struct buf *path, const char *name, size_t n);
/* Goes on by all the names of a path. False: it led above the top. */
bool path_go(struct buf *path, const char *names);
/* The last name of a path. */
const char *path_name(const char *path);

#endif
