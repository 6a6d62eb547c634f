#include "daemon/queue_rules.h"

int queue_lock_site(struct queue_db *db, const char *site, struct error *err)
{
	struct queue_call lock = { .statement = SQL_LOCK_SITE,
				   .values = { queue_text(site) } };

	return queue_run(db, &lock, err);
}

/* 1: remembered; 0: known already. */
static int remember(struct queue_db *db, const struct queue_put *put,
		    const char *delivery, const unsigned char *digest, struct error *err)
{
	struct queue_call insert = {
		.statement = SQL_REMEMBER,
		.values = { queue_text(put->site), queue_text(delivery),
			    queue_bytes(digest, 32), queue_int(put->now_ms) }
	};

	if (!*delivery && !digest)
		return 1;
	if (queue_run(db, &insert, err) < 0)
		return -1;
	return insert.rows > 0;
}

struct known {
	bool name, digest;
	bool is_newest; /* the site's newest job asks for the same commit */
};

static void row_known(void *ctx, const char *const *cells)
{
	*(struct known *)ctx = (struct known){
		.name = queue_cell_number(cells[0]) > 0,
		.digest = queue_cell_number(cells[1]) > 0,
		.is_newest = queue_cell_number(cells[2]) > 0,
	};
}

/* Of a delivery of which something is known: 1 when it is a push all the same. A branch that is
 * moved to a commit, back, and there again is told by the same bytes each time by hosts that put
 * no time into them, and names are not signed: one of the two alone counts only as long as
 * nothing else has been asked for since. At worst the branch's tip is deployed once more. */
static int remember_rest(struct queue_db *db, const struct queue_put *put,
			 struct error *err)
{
	struct known known = { .name = false };
	struct queue_call look = {
		.statement = SQL_KNOWN,
		.values = { queue_text(put->site), queue_text(put->delivery),
			    queue_bytes(put->digest, 32), queue_text(put->commit) },
		.row = row_known,
		.ctx = &known,
	};

	if (queue_run(db, &look, err) < 0)
		return -1;
	if (!put->digest || (known.name && known.digest) || known.is_newest)
		return 0;
	if (remember(db, put, known.name ? "" : put->delivery,
		     known.digest ? NULL : put->digest, err) < 0)
		return -1;
	return 1;
}

static int insert_job(struct queue_db *db, struct put_work *w, struct error *err)
{
	const struct queue_put *put = w->put;
	struct queue_call supersede = { .statement = SQL_SUPERSEDE_PENDING,
					.values = { queue_int(put->now_ms),
						    queue_text(put->site) } };
	struct queue_call insert = {
		.statement = SQL_INSERT_JOB,
		.values = { queue_text(put->site), queue_int(put->cause),
			    queue_text(put->delivery), queue_text(put->before),
			    queue_text(put->commit), queue_int(put->now_ms) },
	};

	if (queue_run(db, &supersede, err) < 0 || queue_run(db, &insert, err) < 0)
		return -1;
	w->result = supersede.rows > 0 ? QUEUE_COALESCED : QUEUE_QUEUED;
	return 0;
}

int queue_put_work(struct queue_db *db, void *ctx, struct error *err)
{
	struct put_work *w = ctx;
	int fresh;

	w->result = QUEUE_QUEUED;
	if (queue_lock_site(db, w->put->site, err) < 0)
		return -1;
	fresh = remember(db, w->put, w->put->delivery, w->put->digest, err);
	if (fresh == 0 && !w->note)
		fresh = remember_rest(db, w->put, err);
	if (fresh < 0)
		return -1;
	if (!fresh)
		w->result = QUEUE_DUPLICATE;
	return fresh && !w->note ? insert_job(db, w, err) : 0;
}

static int not_ours(const struct job *job, struct error *err)
{
	return error_set(err, ERR_CONDITION,
			 "job %lld of %s is not ours any more: its lease had ended",
			 (long long)job->id, job->site);
}

int queue_renew_work(struct queue_db *db, void *ctx, struct error *err)
{
	const struct renew_work *w = ctx;
	struct queue_call renew = { .statement = SQL_RENEW,
				    .values = { queue_int(w->lease_ms),
						queue_int(w->job->id),
						queue_int(w->job->fence) } };

	if (queue_run(db, &renew, err) < 0)
		return -1;
	return renew.rows > 0 ? 0 : not_ours(w->job, err);
}

/* What becomes of a job that is to be tried again: a newer one takes its place. */
static int state_after(struct queue_db *db, const struct end_work *w,
		       enum job_state *state, struct error *err)
{
	struct queue_call find = { .statement = SQL_FIND_PENDING,
				   .values = { queue_text(w->job->site) } };

	*state = w->end->state;
	if (*state != JOB_PENDING)
		return 0;
	if (queue_run(db, &find, err) < 0)
		return -1;
	if (find.rows > 0)
		*state = JOB_SUPERSEDED;
	return 0;
}

int queue_end_work(struct queue_db *db, void *ctx, struct error *err)
{
	const struct end_work *w = ctx;
	const struct queue_end *end = w->end;
	enum job_state state;
	bool again;
	struct queue_call call = { .statement = SQL_END };

	if (queue_lock_site(db, w->job->site, err) < 0 ||
	    state_after(db, w, &state, err) < 0)
		return -1;
	again = state == JOB_PENDING;
	call.values[0] = queue_int(state);
	call.values[1] = queue_int(again ? 0 : end->now_ms);
	call.values[2] = queue_int(again ? end->not_before_ms : 0);
	call.values[3] = queue_int(again && end->keep_attempt);
	call.values[4] = queue_text(end->deployed);
	call.values[5] = queue_text(w->message);
	call.values[6] = queue_text(end->summary);
	call.values[7] = queue_int(w->job->id);
	call.values[8] = queue_int(w->job->fence);
	if (queue_run(db, &call, err) < 0)
		return -1;
	return call.rows > 0 ? 0 : not_ours(w->job, err);
}

int queue_retry_work(struct queue_db *db, void *ctx, struct error *err)
{
	const struct retry_work *w = ctx;
	struct queue_call retry = { .statement = SQL_RETRY,
				    .values = { queue_int(w->now_ms),
						queue_text(w->site) } };

	if (queue_lock_site(db, w->site, err) < 0 || queue_run(db, &retry, err) < 0)
		return -1;
	if (retry.rows > 0)
		return 0;
	return error_set(err, ERR_NOT_FOUND,
			 "%s has no dead job, or a newer one was queued since", w->site);
}

int queue_set_seen_work(struct queue_db *db, void *ctx, struct error *err)
{
	const struct seen_work *w = ctx;
	struct queue_call set = { .statement = SQL_SET_SEEN,
				  .values = { queue_text(w->site),
					      queue_text(w->commit) } };

	return queue_run(db, &set, err);
}

int queue_probe_work(struct queue_db *db, void *ctx, struct error *err)
{
	struct queue_call probe = { .statement = SQL_PROBE };

	(void)ctx;
	return queue_run(db, &probe, err);
}
