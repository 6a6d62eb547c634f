/* front.h - the daemon's HTTP surface as a function from requests to answers: which path is
 * whose, and who may see it.
 *
 *   POST /hooks/SITE      a delivery (accept.h)
 *   GET  /healthz         200 while the threads that deploy come by
 *   GET  /readyz          200 while pushes can be accepted: the queue takes writes, the disk has room,
 *                         and nobody has told the daemon to stop
 *   GET  /metrics         metrics.h
 *   GET  /, /deploys/...  the page (page.h)
 *
 * With admin addresses configured, the last two are answered there alone, and hooks are not. */
#ifndef DAEMON_FRONT_H
#define DAEMON_FRONT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/limits.h"
#include "daemon/metrics.h"
#include "daemon/queue.h"
#include "daemon/request.h"
#include "daemon/settings.h"
#include "daemon/worker.h"

/* Who listens: what of the surface is behind an address. */
enum front_door { FRONT_ALL, FRONT_HOOKS, FRONT_ADMIN };

struct front {
	struct settings_box *settings;
	struct queue *queue;
	struct metrics *metrics;
	struct worker *_Atomic worker; /* NULL: nothing is deployed here, or not yet */
	const struct clock *clock;
	const struct log *log;
	struct limits *addresses;
	struct limits *sites;
	atomic_int draining;
	/* Private: when the queue was last tried out (monotonic; 0: never), and how that went. */
	_Atomic int64_t probed_ms;
	atomic_bool is_stuck;
};

/* Before a body is read. True: read it, at most *most bytes in at most *ms; false: *a is the
 * answer, without it. length: Content-Length, -1 when not told. */
bool front_takes_body(struct front *f, enum front_door door, const struct request *r,
		      long long length, int64_t *ms, struct answer *a);
/* A request that has no body, or whose body is there. */
void front_answer(struct front *f, enum front_door door, const struct request *r,
		  struct answer *a);

#endif
