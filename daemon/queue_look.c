#include "daemon/queue_rules.h"

int64_t queue_cell_number(const char *cell)
{
	int64_t n = 0;

	(void)str_to_i64(cell, INT64_MIN, INT64_MAX,
			 &n); /* the tables say that it is one */
	return n;
}

void queue_row_number(void *ctx, const char *const *cells)
{
	*(int64_t *)ctx = queue_cell_number(cells[0]);
}

void queue_row_job(void *ctx, const char *const *cells)
{
	struct job *job = ctx;
	const struct {
		char *out;
		size_t size;
		int cell;
	} texts[] = {
		{ job->site, sizeof(job->site), 1 },
		{ job->delivery, sizeof(job->delivery), 4 },
		{ job->before, sizeof(job->before), 5 },
		{ job->commit, sizeof(job->commit), 6 },
		{ job->deployed, sizeof(job->deployed), 7 },
		{ job->owner, sizeof(job->owner), 10 },
		{ job->message, sizeof(job->message), 16 },
	};

	*job = (struct job){
		.id = queue_cell_number(cells[0]),
		.state = (enum job_state)queue_cell_number(cells[2]),
		.cause = (enum job_cause)queue_cell_number(cells[3]),
		.attempt = (int)queue_cell_number(cells[8]),
		.fence = queue_cell_number(cells[9]),
		.created_ms = queue_cell_number(cells[11]),
		.not_before_ms = queue_cell_number(cells[12]),
		.started_ms = queue_cell_number(cells[13]),
		.ended_ms = queue_cell_number(cells[14]),
		.lease_ms = queue_cell_number(cells[15]),
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		(void)str_copy(texts[i].out, texts[i].size, cells[texts[i].cell]);
}

static void row_listed(void *ctx, const char *const *cells)
{
	struct job job;

	queue_row_job(&job, cells);
	job_list_push(ctx, job);
}

int queue_list_work(struct queue_db *db, void *ctx, struct error *err)
{
	const struct list_work *w = ctx;
	struct queue_value most = queue_int((int64_t)w->most);
	struct queue_call all = { .statement = SQL_JOBS,
				  .values = { most },
				  .row = row_listed,
				  .ctx = w->out };
	struct queue_call of = { .statement = SQL_JOBS_OF,
				 .values = { queue_text(w->site), most },
				 .row = row_listed,
				 .ctx = w->out };

	return queue_run(db, w->site ? &of : &all, err);
}

static int get_job(struct queue_db *db, int64_t id, struct job *job, struct error *err)
{
	struct queue_call get = { .statement = SQL_JOB,
				  .values = { queue_int(id) },
				  .row = queue_row_job,
				  .ctx = job };

	if (queue_run(db, &get, err) < 0)
		return -1;
	if (get.rows > 0)
		return 0;
	return error_set(err, ERR_NOT_FOUND, "there is no job %lld", (long long)id);
}

int queue_job_work(struct queue_db *db, void *ctx, struct error *err)
{
	const struct job_work *w = ctx;

	return get_job(db, w->id, w->job, err);
}

static void row_summary(void *ctx, const char *const *cells)
{
	buf_str(ctx, cells[0]);
}

int queue_summary_work(struct queue_db *db, void *ctx, struct error *err)
{
	const struct job_work *w = ctx;
	struct queue_call get = { .statement = SQL_SUMMARY,
				  .values = { queue_int(w->id) },
				  .row = row_summary,
				  .ctx = w->summary };

	if (queue_run(db, &get, err) < 0)
		return -1;
	if (get.rows == 0)
		return error_set(err, ERR_NOT_FOUND, "job %lld has no summary",
				 (long long)w->id);
	return buf_check(w->summary, "summary", err);
}

int queue_live_id(struct queue_db *db, const char *site, unsigned skip, int64_t *id,
		  struct error *err)
{
	struct queue_call find = { .statement = SQL_WENT_LIVE,
				   .values = { queue_text(site), queue_int(skip) },
				   .row = queue_row_number,
				   .ctx = id };

	*id = 0;
	return queue_run(db, &find, err);
}

int queue_live_work(struct queue_db *db, void *ctx, struct error *err)
{
	const struct live_work *w = ctx;
	int64_t id;

	if (queue_live_id(db, w->site, w->skip, &id, err) < 0)
		return -1;
	if (id == 0)
		return error_set(err, ERR_NOT_FOUND, "%s: nothing%s went live yet",
				 w->site, w->skip ? " else" : "");
	return get_job(db, id, w->job, err);
}

static void row_seen(void *ctx, const char *const *cells)
{
	(void)str_copy(ctx, QUEUE_COMMIT_MAX, cells[0]);
}

int queue_seen_work(struct queue_db *db, void *ctx, struct error *err)
{
	const struct seen_work *w = ctx;
	struct queue_call get = { .statement = SQL_SEEN,
				  .values = { queue_text(w->site) },
				  .row = row_seen,
				  .ctx = w->out };

	*w->out = '\0';
	return queue_run(db, &get, err);
}

static void row_numbers(void *ctx, const char *const *cells)
{
	*(struct queue_numbers *)ctx = (struct queue_numbers){
		.pending = queue_cell_number(cells[0]),
		.running = queue_cell_number(cells[1]),
		.dead = queue_cell_number(cells[2]),
		.oldest_pending_ms = queue_cell_number(cells[3]),
	};
}

int queue_count_work(struct queue_db *db, void *ctx, struct error *err)
{
	struct queue_call count = { .statement = SQL_COUNT,
				    .row = row_numbers,
				    .ctx = ctx };

	return queue_run(db, &count, err);
}
