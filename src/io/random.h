/* random.h - bytes that nobody can guess. */
#ifndef IO_RANDOM_H
#define IO_RANDOM_H

#include <stddef.h>

#include "base/error.h"

/* Fills n bytes from the operating system. -1: ERR_IO. */
int random_bytes(void *out, size_t n, struct error *err);

#endif
