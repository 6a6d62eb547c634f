/* notify.h - telling systemd how the service is: sd_notify(3)'s protocol, one datagram a
 * message to the socket that NOTIFY_SOCKET names. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct notify {
	const char *
		socket; /* a path, or "@NAME" in the abstract namespace; NULL: nobody listens */
	int64_t watchdog_ms; /* we are to be heard of that often; 0: not wanted */
};

/* What the environment says; pid is ours. Borrows from the environment. */
void notify_init(struct notify *n, int64_t pid);

/* Sends "READY=1" and the like. 0 also when nobody listens; -1: ERR_IO. */
int notify_send(const struct notify *n, const char *message, struct error *err);
/* Before a reload; READY=1 ends it. */
int notify_reloading(const struct notify *n, int64_t monotonic_ms, struct error *err);

#endif
