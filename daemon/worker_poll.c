#include "daemon/worker_private.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "io/process.h"
#include "io/random.h"

extern char **environ;

enum { LOOK_MOST_MS = 5000, PRINTED_MOST = 8192 };

/* When a site's branch is asked for next. */
struct due {
	char site[QUEUE_SITE_MAX];
	int64_t every_ms;
	int64_t next_ms; /* monotonic */
};
VEC_DEFINE(due_list, struct due);

/* Spread, so that after a restart not all are asked at once. */
static int64_t fraction(int64_t ms)
{
	struct error ignored = ERROR_INIT;
	unsigned value = 0;

	(void)random_bytes(&value, sizeof(value), &ignored);
	return ms / 1024 * (int64_t)(value % 1024);
}

static struct due *find_due(struct due_list *list, const struct site *site, int64_t now)
{
	struct due fresh = { .every_ms = site->poll_ms };

	for (size_t i = 0; i < list->len; i++) {
		struct due *due = &list->items[i];

		if (!str_eq(due->site, site->name))
			continue;
		if (due->every_ms != site->poll_ms) {
			due->every_ms = site->poll_ms;
			due->next_ms = now + fraction(site->poll_ms);
		}
		return due;
	}
	(void)str_copy(fresh.site, sizeof(fresh.site), site->name);
	fresh.next_ms = now + fraction(site->poll_ms);
	return due_list_push(list, fresh);
}

static bool must_stop(void *ctx)
{
	return worker_is_draining(ctx);
}

static int ask_tip(struct worker *w, const struct settings *s, const struct site *site,
		   char tip[QUEUE_COMMIT_MAX], struct error *err)
{
	const char *const argv[] = { w->needs.program, "job",     "--config", s->copy,
				     "--folder",       s->folder, "--site",   site->name,
				     "--tip",          NULL };
	CLEANUP(buf) struct buf out = BUF_INIT(PRINTED_MOST);
	CLEANUP(buf) struct buf errors = BUF_INIT(PRINTED_MOST);
	struct process process = {
		.argv = argv,
		.env = environ,
		.timeout_ms = w->times.tip,
		.stop = must_stop,
		.ctx = w,
		.out = &out,
		.errors = &errors,
	};

	if (process_run(&process, NULL, err) < 0)
		return -1;
	if (out.len != QUEUE_COMMIT_MAX)
		return error_set(err, ERR_DATA, "the tip was not told");
	memcpy(tip, out.data, QUEUE_COMMIT_MAX - 1);
	tip[QUEUE_COMMIT_MAX - 1] = '\0';
	return 0;
}

/* A deploy that waits or runs takes the tip itself. */
static bool has_work(struct worker *w, const struct site *site)
{
	CLEANUP(job_list) struct job_list jobs = { 0 };
	struct error ignored = ERROR_INIT;

	if (queue_list(w->needs.queue, site->name, 2, &jobs, &ignored) < 0)
		return true;
	for (size_t i = 0; i < jobs.len; i++)
		if (jobs.items[i].state == JOB_PENDING ||
		    jobs.items[i].state == JOB_RUNNING)
			return true;
	return false;
}

static int queue_tip(struct worker *w, const struct site *site, const char *tip,
		     const char *before, struct error *err)
{
	const struct queue_put put = {
		.site = site->name,
		.cause = CAUSE_POLL,
		.delivery = "",
		.before = before,
		.commit = tip,
		.now_ms = worker_wall(w),
	};
	enum queue_put_result result;

	/* In this order: what is killed between the two is deployed twice rather than never. */
	if (queue_put(w->needs.queue, &put, &result, err) < 0 ||
	    queue_set_seen(w->needs.queue, site->name, tip, err) < 0)
		return -1;
	log_write(w->needs.log, LOG_INFO,
		  "poll %s: the branch is at %.10s, which no push told", site->name, tip);
	worker_wake(w);
	return 0;
}

static int poll_site(struct worker *w, const struct settings *s, const struct site *site,
		     struct error *err)
{
	char tip[QUEUE_COMMIT_MAX];
	char seen[QUEUE_COMMIT_MAX];

	if (has_work(w, site))
		return 0;
	if (ask_tip(w, s, site, tip, err) < 0 ||
	    queue_seen(w->needs.queue, site->name, seen, err) < 0)
		return -1;
	/* A push may have come while the host was asked. */
	if (str_eq(seen, tip) || has_work(w, site))
		return 0;
	return queue_tip(w, site, tip, seen, err);
}

static void come_by(struct worker *w)
{
	pthread_mutex_lock(&w->mutex);
	w->poll_seen_ms = worker_now(w);
	pthread_mutex_unlock(&w->mutex);
}

/* Returns when the next site is due, monotonic. */
static int64_t poll_all(struct worker *w, struct due_list *list)
{
	__attribute__((cleanup(settings_dropp))) struct settings *s = settings_now(
		w->needs.settings);
	int64_t next = worker_now(w) + LOOK_MOST_MS;

	for (size_t i = 0; i < s->n_sites && !worker_is_draining(w); i++) {
		const struct site *site = &s->sites[i];
		struct error err = ERROR_INIT;
		struct due *due;

		come_by(w);
		if (site->poll_ms <= 0)
			continue;
		due = find_due(list, site, worker_now(w));
		if (worker_now(w) >= due->next_ms) {
			if (poll_site(w, s, site, &err) < 0 && err.code != ERR_CANCELLED)
				log_write(w->needs.log, LOG_WARN, "poll %s: %s",
					  site->name, err.msg);
			due->next_ms = worker_now(w) + site->poll_ms;
		}
		if (due->next_ms < next)
			next = due->next_ms;
	}
	return next;
}

void *worker_poll(void *ctx)
{
	struct worker *w = ctx;
	CLEANUP(due_list) struct due_list list = { 0 };

	while (!worker_is_draining(w)) {
		int64_t next = poll_all(w, &list);
		int64_t now;

		pthread_mutex_lock(&w->mutex);
		while (!w->draining && (now = worker_now(w)) < next)
			worker_wait(w, &w->ticked, next - now);
		pthread_mutex_unlock(&w->mutex);
		come_by(w);
	}
	return NULL;
}
