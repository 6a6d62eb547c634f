/* bodies.h - a deadline for each body that is being read.
 *
 * CivetWeb's own timeout starts anew with each byte, and it does not hand out its sockets. A connection is
 * known by its two ends; when its time is up, the socket that has them is found among
 * ours and shut down, so that the read ends. Whoever reads holds the slot until it
 * has returned, so that the socket cannot be another's by then. */
#ifndef DAEMON_BODIES_H
#define DAEMON_BODIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

enum { BODIES_PRESSED_MS = 2000 };

struct bodies;

struct bodies_connection {
	const char *address; /* of the peer; copied */
	int port;
	int local_port;
};

/* slots: as many as can be read at once. Starts a thread. When three quarters of them are taken, each gets
 * BODIES_PRESSED_MS at most. */
struct bodies *bodies_new(size_t slots, const struct clock *clock);
void bodies_free(struct bodies *b); /* NULL-safe; no body is being read any more */

/* The reading of a body begins, and may take ms. Returns its slot. */
size_t bodies_enter(struct bodies *b, const struct bodies_connection *c, int64_t now_ms,
		    int64_t ms);
/* It has ended. True: because it was late. */
bool bodies_leave(struct bodies *b, size_t slot);

/* Nothing more is read from the connection: for a body that nobody wants. Only from the
 * thread that serves it. */
void bodies_stop_reading(const struct bodies_connection *c);

#endif
