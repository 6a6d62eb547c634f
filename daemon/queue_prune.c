#include "daemon/queue_rules.h"

/* The id below which a site's jobs are not of its last ones. */
static int kept_from(struct queue_db *db, const struct prune_work *w, int64_t *id,
		     struct error *err)
{
	struct queue_call find = { .statement = SQL_KEPT_FROM,
				   .values = { queue_text(w->site),
					       queue_int((int64_t)w->keep - 1) },
				   .row = queue_row_number,
				   .ctx = id };

	*id = w->keep > 0 ? 0 : INT64_MAX;
	return w->keep > 0 ? queue_run(db, &find, err) : 0;
}

int queue_prune_jobs(struct queue_db *db, void *ctx, struct error *err)
{
	struct prune_work *w = ctx;
	struct queue_call forget = { .statement = SQL_FORGET_JOBS };
	int64_t from;
	int64_t live;
	int64_t former;

	if (kept_from(db, w, &from, err) < 0 ||
	    queue_live_id(db, w->site, 0, &live, err) < 0 ||
	    queue_live_id(db, w->site, 1, &former, err) < 0)
		return -1;
	forget.values[0] = queue_text(w->site);
	forget.values[1] = queue_int(from);
	forget.values[2] = queue_int(w->before_ms);
	forget.values[3] = queue_int(live);
	forget.values[4] = queue_int(former);
	forget.values[5] = queue_int(QUEUE_PRUNE_PIECE);
	if (queue_run(db, &forget, err) < 0)
		return -1;
	w->forgotten = forget.rows;
	return 0;
}

int queue_prune_deliveries(struct queue_db *db, void *ctx, struct error *err)
{
	struct prune_work *w = ctx;
	struct queue_call forget = { .statement = SQL_FORGET_DELIVERIES,
				     .values = { queue_int(QUEUE_PRUNE_PIECE),
						 queue_int(w->before_ms) } };

	if (queue_run(db, &forget, err) < 0)
		return -1;
	w->forgotten = forget.rows;
	return 0;
}

static void row_site(void *ctx, const char *const *cells)
{
	struct site_name site;

	if (str_copy(site.name, sizeof(site.name), cells[0]))
		site_names_push(ctx, site);
}

int queue_sites_work(struct queue_db *db, void *ctx, struct error *err)
{
	struct queue_call find = { .statement = SQL_SITES, .row = row_site, .ctx = ctx };

	return queue_run(db, &find, err);
}
