/* fs_private.h - what the parts of fs share. */
#ifndef IO_FS_PRIVATE_H
#define IO_FS_PRIVATE_H

#include "base/error.h"

/* Tells errno: "WHAT PATH: reason", ERR_NOT_FOUND if there is nothing there, else ERR_IO.
 * Returns -1. */
int fs_fail(struct error *err, const char *what, const char *path);

#endif
