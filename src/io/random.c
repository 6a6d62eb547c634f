#include "io/random.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int random_bytes(void *out, size_t n, struct error *err)
{
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	size_t done = 0;

	if (fd < 0)
		return error_set(err, ERR_IO, "open /dev/urandom: %s", strerror(errno));
	while (done < n) {
		ssize_t got = read(fd, (char *)out + done, n - done);

		if (got <= 0 && errno != EINTR)
			break;
		if (got > 0)
			done += (size_t)got;
	}
	close(fd);
	if (done < n)
		return error_set(err, ERR_IO, "read /dev/urandom: %s", strerror(errno));
	return 0;
}
