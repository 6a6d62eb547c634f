#include "daemon/worker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "daemon/worker_private.h"

enum {
	IDLE_MS = 1000,   /* between looks: what other processes put wakes nobody here */
	FAILED_MS = 2000, /* after a queue that could not be asked */
	SPACING_MS = 20,  /* between looks, however often somebody wakes us */
	KEEPER_IDLE_MS = 1000,
	TIP_MS = 30000,
};

/* So that three renewals may fail before the lease ends. */
static struct worker_times usual_times(int64_t lease_ms)
{
	int64_t look = lease_ms / 8;

	return (struct worker_times){ .lease = lease_ms,
				      .renew = lease_ms / 4,
				      .look = look < KEEPER_IDLE_MS ? look
								    : KEEPER_IDLE_MS,
				      .tip = TIP_MS };
}

void worker_wait(struct worker *w, pthread_cond_t *on, int64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(ms / 1000);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	(void)pthread_cond_timedwait(on, &w->mutex, &until);
}

bool worker_is_draining(struct worker *w)
{
	bool is;

	pthread_mutex_lock(&w->mutex);
	is = w->draining;
	pthread_mutex_unlock(&w->mutex);
	return is;
}

int worker_thread(pthread_t *out, void *(*run)(void *), void *ctx, struct error *err)
{
	sigset_t all;
	sigset_t before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(out, NULL, run, ctx);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc)
		return error_set(err, ERR_IO, "start a thread: %s", strerror(rc));
	return 0;
}

/* Threads that run jobs */

/* 1: a job is the slot's now; 0: none; *wait_ms is when to look again. */
static int claim(struct slot *slot, int64_t *wait_ms)
{
	struct worker *w = slot->worker;
	__attribute__((cleanup(settings_dropp))) struct settings *s = settings_now(
		w->needs.settings);
	int64_t asked = worker_now(w); /* the lease runs from before the answer */
	int64_t now = worker_wall(w);
	const struct queue_claim c = { .sites = s->names,
				       .now_ms = now,
				       .lease_ms = w->times.lease };
	int64_t next = INT64_MAX;
	struct error err = ERROR_INIT;
	struct job job;

	if (queue_claim(w->needs.queue, &c, &job, &next, &err) < 0) {
		if (err.code != ERR_NOT_FOUND)
			log_write(w->needs.log, LOG_ERROR, "queue: %s", err.msg);
		*wait_ms = err.code != ERR_NOT_FOUND          ? FAILED_MS
			   : next - now > IDLE_MS || next < 0 ? IDLE_MS
			   : next > now                       ? next - now
							      : 0;
		return 0;
	}
	pthread_mutex_lock(&w->mutex);
	slot->job = job;
	slot->busy = true;
	slot->stop = STOP_NONE;
	slot->renewed_ms = asked;
	/* There may be more. */
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->mutex);
	return 1;
}

static void release_slot(struct slot *slot)
{
	pthread_mutex_lock(&slot->worker->mutex);
	slot->busy = false;
	slot->seen_ms = worker_now(slot->worker);
	pthread_mutex_unlock(&slot->worker->mutex);
}

/* Waits until there may be a job. False: there will be none any more. */
static bool wait_for_work(struct slot *slot, unsigned wakes, int64_t wait_ms)
{
	struct worker *w = slot->worker;
	int64_t begin = worker_now(w);
	int64_t now = begin;
	bool goes_on;

	pthread_mutex_lock(&w->mutex);
	/* Not on changed: a flood of pushes would wake us for each of them. */
	while (!w->draining && now - begin < SPACING_MS) {
		worker_wait(w, &w->ticked, SPACING_MS);
		now = worker_now(w);
	}
	while (!w->draining && w->wakes == wakes && now - begin < wait_ms &&
	       now - begin < IDLE_MS) {
		worker_wait(w, &w->changed, wait_ms - (now - begin));
		now = worker_now(w);
	}
	slot->seen_ms = now;
	goes_on = !w->draining;
	pthread_mutex_unlock(&w->mutex);
	return goes_on;
}

static void *run_slot(void *ctx)
{
	struct slot *slot = ctx;
	struct worker *w = slot->worker;
	bool goes_on = true;

	while (goes_on) {
		int64_t wait_ms = 0;
		unsigned wakes;

		pthread_mutex_lock(&w->mutex);
		wakes = w->wakes;
		goes_on = !w->draining;
		pthread_mutex_unlock(&w->mutex);
		if (!goes_on)
			break;
		if (claim(slot, &wait_ms)) {
			worker_run_job(slot);
			release_slot(slot);
		} else {
			goes_on = wait_for_work(slot, wakes, wait_ms);
		}
	}
	return NULL;
}

/* The keeper of leases */

static void stop_slot(struct slot *slot, enum verdict_stop why)
{
	if (slot->busy && slot->stop == STOP_NONE)
		slot->stop = why;
}

/* With the mutex held, which is let go meanwhile. */
static void renew(struct worker *w, struct slot *slot)
{
	struct job job = slot->job;
	int64_t asked = worker_now(w);
	struct error err = ERROR_INIT;
	int rc;

	pthread_mutex_unlock(&w->mutex);
	rc = queue_renew(w->needs.queue, &job, worker_wall(w), w->times.lease, &err);
	pthread_mutex_lock(&w->mutex);
	if (!slot->busy || slot->job.fence != job.fence)
		return;
	if (rc == 0) {
		slot->renewed_ms = asked;
		return;
	}
	log_write(w->needs.log, LOG_WARN, "job %lld of %s: the lease: %s",
		  (long long)job.id, job.site, err.msg);
	/* A queue that does not answer is for who runs the child to judge (must_stop()). */
	if (err.code == ERR_CONDITION)
		stop_slot(slot, STOP_LEASE);
}

static bool is_hurried(const struct worker *w)
{
	return w->needs.hurry && atomic_load(w->needs.hurry);
}

static void *keep(void *ctx)
{
	struct worker *w = ctx;

	pthread_mutex_lock(&w->mutex);
	while (!w->ending) {
		int64_t now = worker_now(w);

		w->keeper_seen_ms = now;
		for (size_t i = 0; i < w->n_slots; i++) {
			struct slot *slot = &w->slots[i];

			if (w->draining && (now >= w->drain_ms || is_hurried(w)))
				stop_slot(slot, STOP_DRAIN);
			if (slot->busy && now - slot->renewed_ms >= w->times.renew)
				renew(w, slot);
		}
		if (!w->ending)
			worker_wait(w, &w->ticked, w->times.look);
	}
	pthread_mutex_unlock(&w->mutex);
	return NULL;
}

/* The worker's life */

static void worker_free(struct worker *w)
{
	pthread_cond_destroy(&w->changed);
	pthread_cond_destroy(&w->ticked);
	pthread_mutex_destroy(&w->mutex);
	free(w->slots);
	free(w);
}

static struct worker *worker_new(const struct worker_needs *needs, int64_t lease_ms)
{
	struct worker *w = xcalloc(1, sizeof(*w));
	pthread_condattr_t attr;

	w->needs = *needs;
	w->times = needs->times ? *needs->times : usual_times(lease_ms);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&w->mutex, NULL);
	pthread_cond_init(&w->changed, &attr);
	pthread_cond_init(&w->ticked, &attr);
	pthread_condattr_destroy(&attr);
	w->keeper_seen_ms = w->poll_seen_ms = worker_now(w);
	return w;
}

static int start_slots(struct worker *w, size_t n, struct error *err)
{
	w->slots = xcalloc(n, sizeof(*w->slots));
	for (size_t i = 0; i < n; i++) {
		struct slot *slot = &w->slots[i];

		slot->worker = w;
		slot->seen_ms = worker_now(w);
		if (worker_thread(&slot->thread, run_slot, slot, err) < 0)
			return -1;
		pthread_mutex_lock(&w->mutex);
		w->n_slots++;
		pthread_mutex_unlock(&w->mutex);
	}
	return 0;
}

static int start_threads(struct worker *w, size_t n, struct error *err)
{
	if (reporter_start(w, err) < 0)
		return -1;
	w->has_keeper = worker_thread(&w->keeper, keep, w, err) == 0;
	if (!w->has_keeper)
		return -1;
	w->has_poll = worker_thread(&w->poll, worker_poll, w, err) == 0;
	if (!w->has_poll)
		return -1;
	return start_slots(w, n, err);
}

int worker_start(const struct worker_needs *needs, struct worker **out, struct error *err)
{
	struct settings *s = settings_now(needs->settings);
	size_t n = (size_t)s->workers;
	struct worker *w = worker_new(needs, s->lease_ms);

	settings_drop(s);
	if (start_threads(w, n, err) < 0) {
		worker_stop(w, 0);
		return -1;
	}
	*out = w;
	return 0;
}

void worker_wake(struct worker *w)
{
	pthread_mutex_lock(&w->mutex);
	w->wakes++;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->mutex);
}

void worker_stop(struct worker *w, int64_t grace_ms)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->mutex);
	w->draining = true;
	w->drain_ms = worker_now(w) + grace_ms;
	pthread_cond_broadcast(&w->changed);
	pthread_cond_broadcast(&w->ticked);
	pthread_mutex_unlock(&w->mutex);
	for (size_t i = 0; i < w->n_slots; i++)
		pthread_join(w->slots[i].thread, NULL);
	if (w->has_poll)
		pthread_join(w->poll, NULL);
	pthread_mutex_lock(&w->mutex);
	w->ending = true;
	pthread_cond_broadcast(&w->ticked);
	pthread_mutex_unlock(&w->mutex);
	if (w->has_keeper)
		pthread_join(w->keeper, NULL);
	reporter_stop(w);
	worker_free(w);
}

int64_t worker_alive_ms(struct worker *w)
{
	int64_t least;

	pthread_mutex_lock(&w->mutex);
	least = w->keeper_seen_ms < w->poll_seen_ms ? w->keeper_seen_ms : w->poll_seen_ms;
	for (size_t i = 0; i < w->n_slots; i++)
		if (!w->slots[i].busy && w->slots[i].seen_ms < least)
			least = w->slots[i].seen_ms;
	pthread_mutex_unlock(&w->mutex);
	return least;
}
