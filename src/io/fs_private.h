/* fs_private.h - what the parts of fs share. */
#ifndef IO_FS_PRIVATE_H
#define IO_FS_PRIVATE_H

#include <sys/types.h>

#include "io/fs.h"

/* Tells errno: "WHAT PATH: reason", ERR_NOT_FOUND if there is nothing there, else ERR_IO.
 * Returns -1. */
int fs_fail(struct error *err, const char *what, const char *path);

/* What a stat says of a path. */
struct fs_item fs_item_of(const char *path, mode_t mode, int64_t size);

#endif
