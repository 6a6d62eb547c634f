/* server.h - the sockets: CivetWeb around front.h. The one place that knows it.
 *
 * A request's headers are bounded by CivetWeb's own timeout, and its body by a deadline of
 * ours: a reaper shuts down connections whose body is late, which ends CivetWeb's read. While most threads are
 * reading bodies, those get less time. So slow senders hold a thread for a bounded time, and
 * as many threads as there are at most. */
#ifndef DAEMON_SERVER_H
#define DAEMON_SERVER_H

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/metrics.h"
#include "daemon/queue.h"
#include "daemon/settings.h"
#include "daemon/worker.h"

struct server;

/* All borrowed until server_stop() has returned. */
struct server_needs {
	struct settings_box *settings;
	struct queue *queue;
	struct metrics *metrics;
	const struct clock *clock;
	const struct log *log;
};

/* Listens where the settings of now say. -1: ERR_IO, naming the address; ERR_CONFIG: one that is no address. The
 * addresses and the number of threads are read once: a reload does not change them. */
int server_start(const struct server_needs *needs, struct server **out,
		 struct error *err);
/* Whose health is told from now on; until server_stop() has returned. */
void server_set_worker(struct server *s, struct worker *worker);
/* From now on readiness is denied, deliveries get 503, and connections are closed once answered. */
void server_drain(struct server *s);
/* Drains, waits for requests in flight (at most grace_ms), and closes. Frees. NULL-safe. */
void server_stop(struct server *s, int64_t grace_ms);

#endif
