#include "daemon/queue_group.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>

/* So that a flood does not make one transaction of unbounded length. */
enum { BATCH_MOST = 256 };

/* One request; on the stack of who waits for it. */
struct request {
	queue_work work;
	void *ctx;
	struct error *err;
	struct request *next;
	sem_t done;
	int result;
};

struct queue_group {
	struct group_db db;
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t asked;
	struct request *first;
	struct request *last;
	bool ending;
};

static int say(struct queue_group *g, enum group_word word, struct error *err)
{
	return g->db.say(g->db.ctx, word, err);
}

/* Takes what waits, at most a batch; waits for the first. NULL: it is over. */
static struct request *take_batch(struct queue_group *g)
{
	struct request *batch;
	struct request *end;

	pthread_mutex_lock(&g->lock);
	while (!g->first && !g->ending)
		pthread_cond_wait(&g->asked, &g->lock);
	batch = end = g->first;
	for (int n = 1; end && end->next && n < BATCH_MOST; n++)
		end = end->next;
	g->first = end ? end->next : NULL;
	if (!g->first)
		g->last = NULL;
	if (end)
		end->next = NULL;
	pthread_mutex_unlock(&g->lock);
	return batch;
}

/* -1: the transaction is of no use any more. */
static int do_one(struct queue_group *g, struct request *r, struct error *err)
{
	if (say(g, GROUP_MARK, err) < 0)
		return -1;
	r->result = r->work(g->db.db, r->ctx, r->err);
	return say(g, r->result < 0 ? GROUP_UNDO : GROUP_KEEP, err);
}

static int do_batch(struct queue_group *g, struct request *batch, struct error *err)
{
	struct error ignored = ERROR_INIT;

	if (say(g, GROUP_BEGIN, err) < 0)
		return -1;
	for (struct request *r = batch; r; r = r->next) {
		if (do_one(g, r, err) == 0)
			continue;
		/* When a statement failed so badly that SQLite has ended the transaction, what it
		 * said of that is worth more than what it says of the missing savepoint. */
		if (r->result < 0)
			*err = *r->err;
		say(g, GROUP_ABANDON, &ignored);
		return -1;
	}
	if (say(g, GROUP_COMMIT, err) == 0)
		return 0;
	say(g, GROUP_ABANDON, &ignored);
	return -1;
}

/* A request is gone as soon as its owner sees it done. Semaphores, and no lock: who is woken would
 * run into it at once, a whole batch of them. */
static void wake_all(struct request *batch, int result, const struct error *err)
{
	struct request *next;

	for (struct request *r = batch; r; r = next) {
		next = r->next;
		if (result < 0 && r->result == 0) {
			r->result = -1;
			*r->err = *err;
		}
		sem_post(&r->done);
	}
}

static void *group_thread(void *arg)
{
	struct queue_group *g = arg;
	struct request *batch;

	while ((batch = take_batch(g))) {
		struct error err = ERROR_INIT;
		int result = do_batch(g, batch, &err);

		wake_all(batch, result, &err);
	}
	return NULL;
}

int queue_group_start(const struct group_db *db, struct queue_group **out,
		      struct error *err)
{
	struct queue_group *g = xcalloc(1, sizeof(*g));
	sigset_t all;
	sigset_t before;
	int failed;

	g->db = *db;
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->asked, NULL);
	/* Signals are for the threads that look for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&g->thread, NULL, group_thread, g);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!failed) {
		*out = g;
		return 0;
	}
	pthread_cond_destroy(&g->asked);
	pthread_mutex_destroy(&g->lock);
	free(g);
	return error_set(err, ERR_IO, "start a thread: %s", strerror(failed));
}

void queue_group_free(struct queue_group *g)
{
	if (!g)
		return;
	pthread_mutex_lock(&g->lock);
	g->ending = true;
	pthread_cond_signal(&g->asked);
	pthread_mutex_unlock(&g->lock);
	pthread_join(g->thread, NULL);
	pthread_cond_destroy(&g->asked);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

int queue_group_do(struct queue_group *g, queue_work work, void *ctx, struct error *err)
{
	struct request r = { .work = work, .ctx = ctx, .err = err };

	sem_init(&r.done, 0, 0);
	pthread_mutex_lock(&g->lock);
	if (g->last)
		g->last->next = &r;
	else
		g->first = &r;
	g->last = &r;
	pthread_cond_signal(&g->asked);
	pthread_mutex_unlock(&g->lock);
	while (sem_wait(&r.done) < 0 && errno == EINTR)
		;
	sem_destroy(&r.done);
	return r.result;
}
