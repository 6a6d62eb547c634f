#include "daemon/queue_rules.h"

/* A site has at most two jobs that are not over: all that a claim has to look at is twice the
 * number of sites, however long the history is. */

enum { FAR_MS = 86400000 };

struct live {
	int64_t id;
	char site[QUEUE_SITE_MAX];
	int64_t not_before_ms;
	int64_t lease_ms;
	bool running;
};
VEC_DEFINE(live_list, struct live);

/* What there is to do for a site. */
struct choice {
	char site[QUEUE_SITE_MAX];
	int64_t take;      /* id of the job that may run now; 0: none */
	int64_t supersede; /* id of an expired one that a newer follows; 0: none */
	bool again;        /* take is an expired one */
};
VEC_DEFINE(choice_list, struct choice);

static void row_live(void *ctx, const char *const *cells)
{
	struct live live = { .id = queue_cell_number(cells[0]),
			     .running = queue_cell_number(cells[2]) == JOB_RUNNING,
			     .not_before_ms = queue_cell_number(cells[3]),
			     .lease_ms = queue_cell_number(cells[4]) };

	if (str_copy(live.site, sizeof(live.site), cells[1]))
		live_list_push(ctx, live);
}

static int compare_site(const void *a, const void *b)
{
	const struct live *left = a;
	const struct live *right = b;
	int order = strcmp(left->site, right->site);

	return order ? order : (int)right->running - (int)left->running;
}

static int compare_choice(const void *a, const void *b)
{
	const struct choice *left = a;
	const struct choice *right = b;

	if (left->again != right->again)
		return left->again ? -1 : 1;
	return (left->take > right->take) - (left->take < right->take);
}

/* Nobody holds a job, or waits, for that long: the clock that said so was wrong, and has been
 * set back since. Taken at its word, the site would stand still for as long. */
static bool is_ahead(int64_t at_ms, int64_t now_ms)
{
	return at_ms > now_ms && at_ms - now_ms <= FAR_MS;
}

static void no_later(int64_t *next_ms, int64_t ms)
{
	if (ms < *next_ms)
		*next_ms = ms;
}

/* Judges one site's jobs: the running one, if any, stands first. What becomes due later goes into
 * *next_ms. */
static struct choice judge(const struct live *jobs, size_t n, int64_t now_ms,
			   int64_t *next_ms)
{
	const struct live *running = jobs[0].running ? &jobs[0] : NULL;
	const struct live *pending = jobs[n - 1].running ? NULL : &jobs[n - 1];
	struct choice c = { .take = 0 };

	memcpy(c.site, jobs[0].site, sizeof(c.site));
	if (running && is_ahead(running->lease_ms, now_ms)) {
		no_later(next_ms, running->lease_ms);
	} else if (pending && is_ahead(pending->not_before_ms, now_ms)) {
		no_later(next_ms, pending->not_before_ms);
	} else if (pending) {
		c.take = pending->id;
		c.supersede = running ? running->id : 0;
	} else if (running) {
		c.take = running->id;
		c.again = true;
	}
	return c;
}

static bool is_known(const struct claim_work *w, const char *site)
{
	return w->names.len > 0 && bsearch(&site, w->names.items, w->names.len,
					   sizeof(*w->names.items), str_compare_ptr);
}

/* All that may run now, in the order in which it should. */
static int choices(struct queue_db *db, struct claim_work *w, struct choice_list *out,
		   struct error *err)
{
	CLEANUP(live_list) struct live_list live = { 0 };
	struct queue_call find = { .statement = SQL_LIVE_JOBS,
				   .row = row_live,
				   .ctx = &live };
	struct choice c;
	size_t n;

	w->next_ms = INT64_MAX;
	if (queue_run(db, &find, err) < 0)
		return -1;
	if (live.len > 0)
		qsort(live.items, live.len, sizeof(*live.items), compare_site);
	for (size_t i = 0; i < live.len; i += n) {
		for (n = 1; i + n < live.len; n++)
			if (strcmp(live.items[i].site, live.items[i + n].site) != 0)
				break;
		if (!is_known(w, live.items[i].site))
			continue;
		c = judge(&live.items[i], n, w->now_ms, &w->next_ms);
		if (c.take)
			choice_list_push(out, c);
	}
	if (out->len > 0)
		qsort(out->items, out->len, sizeof(*out->items), compare_choice);
	return 0;
}

static int nothing(struct error *err)
{
	return error_set(err, ERR_NOT_FOUND, "no job may run now");
}

int queue_claim_look(struct queue_db *db, void *ctx, struct error *err)
{
	CLEANUP(choice_list) struct choice_list found = { 0 };

	if (choices(db, ctx, &found, err) < 0)
		return -1;
	return found.len > 0 ? 0 : nothing(err);
}

/* Locks the site, unless another daemon has it, and judges again: what was found may be old. */
static int settle(struct queue_db *db, struct claim_work *w, struct choice *c,
		  struct error *err)
{
	CLEANUP(live_list) struct live_list live = { 0 };
	struct queue_call lock = { .statement = SQL_TRY_SITE,
				   .values = { queue_text(c->site) } };
	struct queue_call find = { .statement = SQL_LIVE_JOBS_OF,
				   .values = { queue_text(c->site) },
				   .row = row_live,
				   .ctx = &live };

	c->take = 0;
	if (queue_run(db, &lock, err) < 0)
		return -1;
	if (lock.rows == 0) {
		no_later(&w->next_ms, w->now_ms + 1000);
		return 0;
	}
	if (queue_run(db, &find, err) < 0)
		return -1;
	if (live.len == 0)
		return 0;
	qsort(live.items, live.len, sizeof(*live.items), compare_site);
	*c = judge(live.items, live.len, w->now_ms, &w->next_ms);
	return 0;
}

static int take_job(struct queue_db *db, struct claim_work *w, const struct choice *c,
		    struct error *err)
{
	int64_t fence = 0;
	struct queue_call supersede = { .statement = SQL_SUPERSEDE_EXPIRED,
					.values = { queue_int(w->now_ms),
						    queue_int(c->supersede) } };
	struct queue_call next = { .statement = SQL_NEXT_FENCE,
				   .row = queue_row_number,
				   .ctx = &fence };
	struct queue_call claim = { .statement = SQL_TAKE,
				    .row = queue_row_job,
				    .ctx = w->job };

	if (c->supersede && queue_run(db, &supersede, err) < 0)
		return -1;
	if (queue_run(db, &next, err) < 0)
		return -1;
	claim.values[0] = queue_int(fence);
	claim.values[1] = queue_text(w->owner);
	claim.values[2] = queue_int(w->now_ms);
	claim.values[3] = queue_int(w->lease_ms);
	claim.values[4] = queue_int(c->take);
	return queue_run(db, &claim, err);
}

int queue_claim_work(struct queue_db *db, void *ctx, struct error *err)
{
	CLEANUP(choice_list) struct choice_list found = { 0 };
	struct claim_work *w = ctx;

	if (choices(db, w, &found, err) < 0)
		return -1;
	for (size_t i = 0; i < found.len; i++) {
		if (settle(db, w, &found.items[i], err) < 0)
			return -1;
		if (found.items[i].take)
			return take_job(db, w, &found.items[i], err);
	}
	return nothing(err);
}
