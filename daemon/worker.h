/* worker.h - threads that take jobs from the queue and run each in a child of its own
 * (`crc-daemon job`), which fetches, builds and becomes crc-action.
 *
 * The child has a deadline, limits and a process group; what it says goes to the job's log; its end
 * is judged (verdict.h) and written to the queue, and told to the host. While it runs, its lease is
 * renewed; a lease that is lost ends the child. Another thread polls the branches. */
#ifndef DAEMON_WORKER_H
#define DAEMON_WORKER_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/metrics.h"
#include "daemon/queue.h"
#include "daemon/settings.h"

struct worker;

/* ms. */
struct worker_times {
	int64_t lease; /* how long a job is ours without a word of us */
	int64_t renew; /* how often that word is given */
	int64_t look;  /* how often the keeper of leases looks */
	int64_t tip;   /* how long asking for a branch's tip may take */
};

/* All borrowed until worker_stop() has returned. */
struct worker_needs {
	struct settings_box *settings;
	struct queue *queue;
	struct metrics *metrics;
	/* Not 0: worker_stop() is to wait no longer, whatever its grace is. May be NULL. */
	const atomic_int *hurry;
	const struct clock *clock;
	const struct log *log;
	const char *program; /* of crc-daemon itself, for its job children */
	/* May be NULL. Told what becomes of a deploy, in order and from one thread of the worker's, so
	 * it may take its time. commit: "" when it is not known. */
	void (*report)(void *ctx, const struct site *site, const struct job *job,
		       const char *commit, enum host_state state, const char *message);
	void *report_ctx;
	const struct worker_times
		*times; /* NULL: by the settings' lease; 30 s for a tip */
};

/* As many threads as the settings of now have workers, and their lease; a reload does not change that. -1:
 * ERR_IO. */
int worker_start(const struct worker_needs *needs, struct worker **out,
		 struct error *err);
/* There may be something to do; the settings may be others. Any thread. */
void worker_wake(struct worker *w);
/* Takes no more jobs. Running ones get up to grace_ms to end, then TERM: what they leave is
 * pending again. Frees the worker. NULL-safe. */
void worker_stop(struct worker *w, int64_t grace_ms);
/* When the one of the worker's threads that is latest came by (monotonic): for the watchdog. Who
 * runs a deploy does not count, since that has its own deadline. At most half a minute ago when
 * all is well. */
int64_t worker_alive_ms(struct worker *w);

#endif
