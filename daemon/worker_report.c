#include "daemon/worker_private.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum {
	WAITING_MOST = 256,
	LEFT_MS = 15000, /* for what is left when the daemon ends */
	IDLE_MS = 60000,
};

struct item {
	struct item *next;
	struct settings *settings; /* held: site is its */
	const struct site *site;
	struct job job;
	char commit[QUEUE_COMMIT_MAX];
	enum host_state state;
	char message[QUEUE_MESSAGE_MAX];
};

/* Guarded by the worker's mutex. */
struct reporter {
	pthread_t thread;
	pthread_cond_t changed;
	struct item *first, *last;
	size_t n;
	bool ending;
	int64_t until_ms; /* monotonic */
};

static void item_free(struct item *item)
{
	settings_drop(item->settings);
	free(item);
}

static struct item *shift(struct reporter *r)
{
	struct item *item = r->first;

	if (!item)
		return NULL;
	r->first = item->next;
	if (!r->first)
		r->last = NULL;
	r->n--;
	return item;
}

/* NULL: it is over. */
static struct item *next_item(struct worker *w)
{
	struct reporter *r = w->reporter;
	struct item *item;

	pthread_mutex_lock(&w->mutex);
	while (!r->first && !r->ending)
		worker_wait(w, &r->changed, IDLE_MS);
	item = r->ending && worker_now(w) >= r->until_ms ? NULL : shift(r);
	pthread_mutex_unlock(&w->mutex);
	return item;
}

static void *tell_all(void *ctx)
{
	struct worker *w = ctx;
	struct item *item;

	while ((item = next_item(w)) != NULL) {
		w->needs.report(w->needs.report_ctx, item->site, &item->job, item->commit,
				item->state, item->message);
		item_free(item);
	}
	return NULL;
}

int reporter_start(struct worker *w, struct error *err)
{
	pthread_condattr_t attr;

	if (!w->needs.report)
		return 0;
	w->reporter = xcalloc(1, sizeof(*w->reporter));
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->reporter->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (worker_thread(&w->reporter->thread, tell_all, w, err) == 0)
		return 0;
	pthread_cond_destroy(&w->reporter->changed);
	free(take(&w->reporter));
	return -1;
}

void reporter_tell(struct worker *w, struct settings *s, const struct site *site,
		   const struct job *job, const char *commit, const struct verdict *v)
{
	struct reporter *r = w->reporter;
	struct item *oldest = NULL;
	struct item *item;

	if (!r)
		return;
	item = xcalloc(1, sizeof(*item));
	item->settings = settings_hold(s);
	item->site = site;
	item->job = *job;
	item->state = v->host;
	(void)str_copy(item->commit, sizeof(item->commit), commit);
	(void)str_copy(item->message, sizeof(item->message), v->message);
	pthread_mutex_lock(&w->mutex);
	/* A host that does not answer must not cost memory without end. */
	if (r->n == WAITING_MOST)
		oldest = shift(r);
	if (r->last)
		r->last->next = item;
	else
		r->first = item;
	r->last = item;
	r->n++;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&w->mutex);
	if (oldest)
		item_free(oldest);
}

void reporter_stop(struct worker *w)
{
	struct reporter *r = w->reporter;
	struct item *item;

	if (!r)
		return;
	pthread_mutex_lock(&w->mutex);
	r->ending = true;
	r->until_ms = worker_now(w) + LEFT_MS;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&w->mutex);
	pthread_join(r->thread, NULL);
	while ((item = shift(r)) != NULL)
		item_free(item);
	pthread_cond_destroy(&r->changed);
	free(r);
}
