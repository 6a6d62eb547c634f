/* accept.h - a delivery on its way into the queue: who may send, whether it is signed, what
 * it says, and the answer. Nothing here knows a socket.
 *
 * The answer is 2xx only once the push is on the disk, or when nothing follows from the delivery. 401 for
 * a signature that is wrong, 429 for too many, 503 when the queue does not answer: hosts
 * that retry do so then. Never 410, by which Azure DevOps gives a hook up; and an event that
 * is filtered out is a success, since GitLab disables hooks that answer 4xx. */
#ifndef DAEMON_ACCEPT_H
#define DAEMON_ACCEPT_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/limits.h"
#include "daemon/metrics.h"
#include "daemon/queue.h"
#include "daemon/request.h"
#include "daemon/settings.h"

/* All borrowed. */
struct accept {
	struct queue *queue;
	struct limits *addresses;
	struct limits *sites;
	struct metrics *metrics;
	const struct clock *clock;
	const struct log *log;
};

/* Before the body is read: whether it should be. False: *a is the answer. length: of the
 * body; -1: not told. site may be NULL: there is none of that name. */
bool accept_admits(const struct accept *x, const struct settings *s,
		   const struct site *site, const struct request *r, long long length,
		   struct answer *a);

/* The whole request. */
void accept_delivery(const struct accept *x, const struct site *site,
		     const struct settings *s, const struct request *r, struct answer *a);

#endif
