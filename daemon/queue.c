#include "daemon/queue.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "daemon/queue_rules.h"

/* Prunes this many pieces at a time: what is left goes the next time. */
enum { PIECES_MOST = 2000 };

struct queue {
	struct queue_store *store;
	char owner[QUEUE_OWNER_MAX];
	pthread_rwlock_t waking; /* of wake and its ctx; held while it is called */
	void (*wake)(void *ctx);
	void *ctx;
};

const char *job_state_name(enum job_state s)
{
	static const char *const names[] = {
		[JOB_PENDING] = "pending", [JOB_RUNNING] = "running",
		[JOB_DONE] = "done",       [JOB_SUPERSEDED] = "superseded",
		[JOB_DEAD] = "dead",
	};

	return (size_t)s < sizeof(names) / sizeof(*names) ? names[s] : "unknown";
}

const char *job_cause_name(enum job_cause c)
{
	static const char *const names[] = {
		[CAUSE_PUSH] = "push",
		[CAUSE_POLL] = "poll",
		[CAUSE_REDEPLOY] = "redeploy",
		[CAUSE_ROLLBACK] = "rollback",
	};

	return (size_t)c < sizeof(names) / sizeof(*names) ? names[c] : "unknown";
}

int queue_open(const char *url, const struct secret *password, const char *owner,
	       const struct log *log, struct queue **out, struct error *err)
{
	struct queue_store *store = NULL;
	bool pg = str_starts(url, "postgresql://") || str_starts(url, "postgres://");

	/* To SQLite these are databases of its own, which nobody else sees. */
	if (str_empty(url) || *url == ':')
		return error_set(err, ERR_CONFIG, "queue \"%s\": not a path of a file",
				 url);
	if (pg ? queue_pg_open(url, password, log, &store, err) < 0
	       : queue_sqlite_open(url, log, &store, err) < 0)
		return -1;
	*out = xcalloc(1, sizeof(**out));
	(*out)->store = store;
	snprintf((*out)->owner, sizeof((*out)->owner), "%s", owner);
	pthread_rwlock_init(&(*out)->waking, NULL);
	return 0;
}

void queue_free(struct queue *q)
{
	if (!q)
		return;
	q->store->free(q->store);
	pthread_rwlock_destroy(&q->waking);
	free(q);
}

void queue_on_change(struct queue *q, void (*wake)(void *ctx), void *ctx)
{
	pthread_rwlock_wrlock(&q->waking);
	q->wake = wake;
	q->ctx = ctx;
	pthread_rwlock_unlock(&q->waking);
}

static void changed(struct queue *q)
{
	pthread_rwlock_rdlock(&q->waking);
	if (q->wake)
		q->wake(q->ctx);
	pthread_rwlock_unlock(&q->waking);
}

static int write_store(struct queue *q, queue_work work, void *ctx, struct error *err)
{
	return q->store->write(q->store, work, ctx, err);
}

static int read_store(struct queue *q, queue_work work, void *ctx, struct error *err)
{
	return q->store->read(q->store, work, ctx, err);
}

/* What comes in. */

static bool is_plain(const char *s, size_t size)
{
	size_t n = 0;

	for (; s[n] > ' ' && s[n] < 0x7F; n++)
		;
	return s[n] == '\0' && n < size;
}

static int check_name(const char *site, struct error *err)
{
	if (!str_empty(site) && is_plain(site, QUEUE_SITE_MAX))
		return 0;
	return error_set(err, ERR_USAGE, "not a name of a site");
}

static int check_commit(const char *commit, struct error *err)
{
	if (is_plain(commit, QUEUE_COMMIT_MAX))
		return 0;
	return error_set(err, ERR_USAGE, "not a commit");
}

/* The longest part that fits and does not end inside a character. What is not UTF-8 is
 * shown as '?': PostgreSQL would refuse the whole. */
static void fit(char *out, size_t size, const char *s)
{
	size_t n = strlen(s);

	if (n >= size)
		for (n = size - 1; n > 0 && ((unsigned char)s[n] & 0xC0) == 0x80; n--)
			;
	memcpy(out, s, n);
	out[n] = '\0';
	if (str_is_utf8(out, n))
		return;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)out[i] >= 0x80)
			out[i] = '?';
}

static int put(struct queue *q, const struct queue_put *p, bool note,
	       enum queue_put_result *result, struct error *err)
{
	struct queue_put fitting = *p;
	struct put_work w = { .put = &fitting, .note = note };

	if (check_name(p->site, err) < 0 || check_commit(p->before, err) < 0 ||
	    check_commit(p->commit, err) < 0)
		return -1;
	if (!is_plain(p->delivery, QUEUE_DELIVERY_MAX))
		fitting.delivery = "";
	if (write_store(q, queue_put_work, &w, err) < 0)
		return -1;
	*result = w.result;
	return 0;
}

int queue_put(struct queue *q, const struct queue_put *p, enum queue_put_result *result,
	      struct error *err)
{
	if (put(q, p, false, result, err) < 0)
		return -1;
	if (*result != QUEUE_DUPLICATE)
		changed(q);
	return 0;
}

int queue_note(struct queue *q, const struct queue_put *p, enum queue_put_result *result,
	       struct error *err)
{
	return put(q, p, true, result, err);
}

/* Running jobs. */

int queue_claim(struct queue *q, const struct queue_claim *c, struct job *out,
		int64_t *next_ms, struct error *err)
{
	CLEANUP(str_list) struct str_list names = { 0 };
	struct claim_work w = { .owner = q->owner,
				.now_ms = c->now_ms,
				.lease_ms = c->now_ms + c->lease_ms,
				.job = out };
	int result;

	for (size_t i = 0; c->sites[i]; i++)
		str_list_push(&names, c->sites[i]);
	if (names.len > 0)
		qsort(names.items, names.len, sizeof(*names.items), str_compare_ptr);
	w.names = names;
	result = read_store(q, queue_claim_look, &w, err);
	if (result == 0)
		result = write_store(q, queue_claim_work, &w, err);
	*next_ms = w.next_ms;
	return result;
}

int queue_renew(struct queue *q, const struct job *job, int64_t now_ms, int64_t lease_ms,
		struct error *err)
{
	struct renew_work w = { .job = job, .lease_ms = now_ms + lease_ms };

	return write_store(q, queue_renew_work, &w, err);
}

int queue_end(struct queue *q, const struct job *job, const struct queue_end *end,
	      struct error *err)
{
	char message[QUEUE_MESSAGE_MAX];
	struct queue_end fitting = *end;
	struct end_work w = { .job = job, .end = &fitting, .message = message };
	size_t length = end->summary ? strlen(end->summary) : 0;

	assert(end->state != JOB_RUNNING);
	if (check_commit(end->deployed, err) < 0)
		return -1;
	fit(message, sizeof(message), end->message);
	if (end->summary &&
	    (length > QUEUE_SUMMARY_MOST || !str_is_utf8(end->summary, length)))
		fitting.summary = NULL;
	if (write_store(q, queue_end_work, &w, err) < 0)
		return -1;
	changed(q);
	return 0;
}

int queue_retry(struct queue *q, const char *site, int64_t now_ms, struct error *err)
{
	struct retry_work w = { .site = site, .now_ms = now_ms };

	if (check_name(site, err) < 0 || write_store(q, queue_retry_work, &w, err) < 0)
		return -1;
	changed(q);
	return 0;
}

/* Looking. */

int queue_list(struct queue *q, const char *site, size_t most, struct job_list *out,
	       struct error *err)
{
	struct list_work w = { .site = site, .most = most, .out = out };

	return read_store(q, queue_list_work, &w, err);
}

int queue_job(struct queue *q, int64_t id, struct job *out, struct error *err)
{
	struct job_work w = { .id = id, .job = out };

	return read_store(q, queue_job_work, &w, err);
}

int queue_summary(struct queue *q, int64_t id, struct buf *out, struct error *err)
{
	struct job_work w = { .id = id, .summary = out };

	return read_store(q, queue_summary_work, &w, err);
}

int queue_live(struct queue *q, const char *site, unsigned skip, struct job *out,
	       struct error *err)
{
	struct live_work w = { .site = site, .skip = skip, .job = out };

	return read_store(q, queue_live_work, &w, err);
}

int queue_seen(struct queue *q, const char *site, char out[QUEUE_COMMIT_MAX],
	       struct error *err)
{
	struct seen_work w = { .site = site, .out = out };

	return read_store(q, queue_seen_work, &w, err);
}

int queue_set_seen(struct queue *q, const char *site, const char *commit,
		   struct error *err)
{
	struct seen_work w = { .site = site, .commit = commit };

	if (check_name(site, err) < 0 || check_commit(commit, err) < 0)
		return -1;
	return write_store(q, queue_set_seen_work, &w, err);
}

int queue_count(struct queue *q, struct queue_numbers *out, struct error *err)
{
	return read_store(q, queue_count_work, out, err);
}

int queue_probe(struct queue *q, struct error *err)
{
	return write_store(q, queue_probe_work, NULL, err);
}

/* Forgetting. */

static int prune(struct queue *q, queue_work work, struct prune_work *w,
		 struct error *err)
{
	for (int i = 0; i < PIECES_MOST; i++) {
		if (write_store(q, work, w, err) < 0)
			return -1;
		if (w->forgotten < QUEUE_PRUNE_PIECE)
			break;
	}
	return 0;
}

int queue_prune(struct queue *q, int64_t before_ms, size_t keep, struct error *err)
{
	CLEANUP(site_names) struct site_names sites = { 0 };
	struct prune_work w = { .before_ms = before_ms, .keep = keep };

	if (read_store(q, queue_sites_work, &sites, err) < 0)
		return -1;
	for (size_t i = 0; i < sites.len; i++) {
		memcpy(w.site, sites.items[i].name, sizeof(w.site));
		if (prune(q, queue_prune_jobs, &w, err) < 0)
			return -1;
	}
	return prune(q, queue_prune_deliveries, &w, err);
}
