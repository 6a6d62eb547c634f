/* worker_private.h - what the parts of worker share. */
#ifndef DAEMON_WORKER_PRIVATE_H
#define DAEMON_WORKER_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/verdict.h"
#include "daemon/worker.h"

/* One thread that runs jobs. All but the thread's own is guarded by the worker's mutex. */
struct slot {
	struct worker *worker;
	pthread_t thread;
	bool busy;
	struct job job;
	int64_t renewed_ms; /* monotonic; when the lease was last known to be ours */
	enum verdict_stop stop;
	int64_t seen_ms;
};

/* What is to be told to the host, in order; the last thread to end. */
struct reporter;

struct worker {
	struct worker_needs needs;
	struct worker_times times;
	pthread_mutex_t mutex;
	pthread_cond_t changed; /* one of the threads that wait for a job */
	pthread_cond_t ticked;  /* the keeper and the poll: something ends */
	unsigned wakes;
	bool draining;    /* no more jobs, no more polls */
	int64_t drain_ms; /* monotonic; when running jobs are ended */
	bool ending;      /* the keeper may go */
	int64_t keeper_seen_ms, poll_seen_ms;
	struct slot *slots;
	size_t n_slots; /* whose threads run */
	pthread_t keeper, poll;
	bool has_keeper, has_poll;
	struct reporter *reporter; /* NULL: nobody is told */
};

static inline int64_t worker_now(const struct worker *w)
{
	return clock_monotonic_ms(w->needs.clock);
}

static inline int64_t worker_wall(const struct worker *w)
{
	return clock_wall_ms(w->needs.clock);
}

/* Waits, with the mutex held, at most so long. */
void worker_wait(struct worker *w, pthread_cond_t *on, int64_t ms);
bool worker_is_draining(struct worker *w);
/* A thread with all signals blocked: they are for the main thread. */
int worker_thread(pthread_t *out, void *(*run)(void *), void *ctx, struct error *err);

/* Runs the slot's job to its end, and writes that to the queue. */
void worker_run_job(struct slot *slot);

/* The thread that asks for tips. ctx: the worker. */
void *worker_poll(void *ctx);

int reporter_start(struct worker *w, struct error *err);
/* Takes copies. s: whom site belongs to. */
void reporter_tell(struct worker *w, struct settings *s, const struct site *site,
		   const struct job *job, const char *commit, const struct verdict *v);
/* Tells what is left, for a while. */
void reporter_stop(struct worker *w);

#endif
