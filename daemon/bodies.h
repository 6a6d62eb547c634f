/* bodies.h - a deadline for each body that is being read, and how many threads connections hold.
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

/* While three quarters of the threads are held: a body's time, the time after which it must have come
 * at the rate, and the rate. What a host sends is there within a round trip or two. */
enum { BODIES_PRESSED_MS = 2000, BODIES_GRACE_MS = 500, BODIES_BYTES_A_MS = 16 };

struct bodies;

struct bodies_connection {
	const char *address; /* of the peer; copied */
	int port;
	int local_port;
};

/* threads: of the server, each of which reads one body at a time. Starts one more. */
struct bodies *bodies_new(size_t threads, const struct clock *clock);
void bodies_free(struct bodies *b); /* NULL-safe; no body is being read any more */

/* A thread is a connection's from now on, until it is let go. */
void bodies_hold(struct bodies *b);
void bodies_let_go(struct bodies *b);
/* Three quarters of the threads are held: somebody may be waiting for one. */
bool bodies_are_pressed(const struct bodies *b);

/* The reading of a body begins, and may take ms. Returns its slot. */
size_t bodies_enter(struct bodies *b, const struct bodies_connection *c, int64_t now_ms,
		    int64_t ms);
/* So many bytes of it are there by now. */
void bodies_got(struct bodies *b, size_t slot, size_t bytes);
/* It has ended. True: because it was late. */
bool bodies_leave(struct bodies *b, size_t slot);

/* Nothing more is read from the connection: for a body that nobody wants. Only from the
 * thread that serves it. */
void bodies_stop_reading(const struct bodies_connection *c);

#endif
