/* queue_rules.h - what the queue's calls do, as work for a store (queue_store.h), each with the
 * struct that goes in and out as its ctx. Private to the queue. */
#ifndef DAEMON_QUEUE_RULES_H
#define DAEMON_QUEUE_RULES_H

#include "base/str.h"
#include "daemon/queue.h"
#include "daemon/queue_store.h"

/* queue_write.c: the life of a job. */

struct put_work {
	const struct queue_put *put;
	bool note; /* no job */
	enum queue_put_result result;
};
int queue_put_work(struct queue_db *db, void *ctx, struct error *err);

struct renew_work {
	const struct job *job;
	int64_t lease_ms; /* until when */
};
int queue_renew_work(struct queue_db *db, void *ctx, struct error *err);

struct end_work {
	const struct job *job;
	const struct queue_end *end;
	const char *message; /* end's, fit to be kept */
};
int queue_end_work(struct queue_db *db, void *ctx, struct error *err);

struct retry_work {
	const char *site;
	int64_t now_ms;
};
int queue_retry_work(struct queue_db *db, void *ctx, struct error *err);

struct seen_work {
	const char *site;
	const char *commit; /* to set */
	char *out;          /* QUEUE_COMMIT_MAX bytes, to get */
};
int queue_set_seen_work(struct queue_db *db, void *ctx, struct error *err);
int queue_seen_work(struct queue_db *db, void *ctx, struct error *err);

int queue_probe_work(struct queue_db *db, void *ctx, struct error *err);

/* Makes the site's row and holds it until the transaction ends. */
int queue_lock_site(struct queue_db *db, const char *site, struct error *err);

/* queue_claim.c */

struct claim_work {
	struct str_list names; /* sorted */
	const char *owner;
	int64_t now_ms;
	int64_t lease_ms; /* until when */
	struct job *job;  /* out, of queue_claim_work */
	int64_t next_ms;  /* out */
};
/* Is there something to take? ERR_NOT_FOUND. Only reads. */
int queue_claim_look(struct queue_db *db, void *ctx, struct error *err);
int queue_claim_work(struct queue_db *db, void *ctx, struct error *err);

/* queue_look.c: what only reads. */

struct list_work {
	const char *site;
	size_t most;
	struct job_list *out;
};
int queue_list_work(struct queue_db *db, void *ctx, struct error *err);

struct job_work {
	int64_t id;
	struct job *job;
	struct buf *summary;
};
int queue_job_work(struct queue_db *db, void *ctx, struct error *err);
int queue_summary_work(struct queue_db *db, void *ctx, struct error *err);

struct live_work {
	const char *site;
	unsigned skip;
	struct job *job;
};
int queue_live_work(struct queue_db *db, void *ctx, struct error *err);
/* Its id, 0: there is none. */
int queue_live_id(struct queue_db *db, const char *site, unsigned skip, int64_t *id,
		  struct error *err);

int queue_count_work(struct queue_db *db, void *ctx,
		     struct error *err); /* queue_numbers */

/* For the rows of statements that answer with struct job's columns; ctx is the job. */
void queue_row_job(void *ctx, const char *const *cells);
/* For those of one number; ctx is an int64_t. */
void queue_row_number(void *ctx, const char *const *cells);
int64_t queue_cell_number(const char *cell);

/* queue_prune.c */

enum { QUEUE_PRUNE_PIECE = 2000 };

struct prune_work {
	char site[QUEUE_SITE_MAX];
	int64_t before_ms;
	size_t keep;
	int64_t forgotten; /* out: QUEUE_PRUNE_PIECE when there may be more */
};
int queue_prune_jobs(struct queue_db *db, void *ctx, struct error *err);
int queue_prune_deliveries(struct queue_db *db, void *ctx, struct error *err);

struct site_name {
	char name[QUEUE_SITE_MAX];
};
VEC_DEFINE(site_names, struct site_name);
int queue_sites_work(struct queue_db *db, void *ctx, struct error *err); /* site_names */

#endif
