#include "daemon/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/fd.h"

void notify_init(struct notify *n, int64_t pid)
{
	const char *socket_name = getenv("NOTIFY_SOCKET");
	const char *usec = getenv("WATCHDOG_USEC");
	const char *whose = getenv("WATCHDOG_PID");
	int64_t number;

	*n = (struct notify){ .socket = str_empty(socket_name) ? NULL : socket_name };
	if (whose && (!str_to_i64(whose, 1, INT64_MAX, &number) || number != pid))
		return;
	if (n->socket && usec && str_to_i64(usec, 1000, INT64_MAX, &number))
		n->watchdog_ms = number / 1000;
}

/* The length of the address; 0: the name is none. An abstract one has its '@' as a NUL and
 * ends with its last byte, so the length is what tells it. */
static socklen_t make_address(const char *name, struct sockaddr_un *a)
{
	size_t n = strlen(name);

	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if ((*name != '/' && *name != '@') || n < 2 || n >= sizeof(a->sun_path))
		return 0;
	memcpy(a->sun_path, name, n);
	if (*name == '@')
		a->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (*name == '/'));
}

int notify_send(const struct notify *n, const char *message, struct error *err)
{
	CLEANUP(fd) int fd = -1;
	struct sockaddr_un address;
	socklen_t len;

	if (!n->socket)
		return 0;
	len = make_address(n->socket, &address);
	if (!len)
		return error_set(err, ERR_IO, "NOTIFY_SOCKET is no name of a socket");
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, message, strlen(message), MSG_NOSIGNAL,
			     (const struct sockaddr *)&address, len) < 0)
		return error_set(err, ERR_IO, "tell systemd: %s", strerror(errno));
	return 0;
}

int notify_reloading(const struct notify *n, int64_t monotonic_ms, struct error *err)
{
	CLEANUP(buf) struct buf message = BUF_INIT(128);

	/* Type=notify-reload wants the time, to tell this reload from an older one. */
	buf_printf(&message, "RELOADING=1\nMONOTONIC_USEC=%lld",
		   (long long)monotonic_ms * 1000);
	return notify_send(n, message.data, err);
}
