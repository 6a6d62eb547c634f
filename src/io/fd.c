#include "io/fd.h"

#include <errno.h>
#include <unistd.h>

void fd_release(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

bool fd_write_all(int fd, const void *p, size_t n)
{
	const char *bytes = p;

	while (n) {
		ssize_t got = write(fd, bytes, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		bytes += got;
		n -= (size_t)got;
	}
	return true;
}
