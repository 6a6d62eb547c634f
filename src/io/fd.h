/* fd.h - file descriptors that close themselves. For io, and the daemon. */
#ifndef IO_FD_H
#define IO_FD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

/* For CLEANUP(fd) int fd = -1: closes what is open, and leaves -1. errno is kept. */
void fd_release(int *fd);

/* Moves a descriptor out of a variable that its scope would close. */
int fd_take(int *fd);

/* False with errno set: not all n bytes could be written. */
bool fd_write_all(int fd, const void *p, size_t n);

#endif
