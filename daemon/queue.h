/* queue.h - what has been accepted and not yet been deployed, on a disk.
 *
 * One row of work ("job") a push that is to be deployed. Of a site at most one job is running and at
 * most one is pending: a newer push takes the place of a pending one, which is then
 * superseded, even if that one was to be tried again. A job that somebody asked for (redeploy,
 * rollback) counts like a push. A running job is held by a lease; who takes over an expired one
 * gets a higher fence, and what the former holder still says is refused. Deliveries are
 * remembered, so that a replay makes no job.
 *
 * Two stores have the same rules: an SQLite file (queue_sqlite.c; the default), where all writes
 * go through one thread that commits what waits together, and PostgreSQL (queue_pg.c),
 * shared by several daemons, whose clocks should agree to well within a lease. Other processes
 * of this machine may have the same file open. All functions but queue_free() may be called from
 * any thread; each waits for seconds at most, unless the disk hangs. Times are wall clock, ms since
 * 1970, and arguments.
 *
 * ERR_IO: the store failed or could not be reached. ERR_TIMEOUT: somebody else kept it busy for too
 * long. After either a write may have happened or not. */
#ifndef DAEMON_QUEUE_H
#define DAEMON_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/vec.h"

struct queue;

enum {
	QUEUE_SITE_MAX = 64,
	QUEUE_DELIVERY_MAX = 128,
	QUEUE_COMMIT_MAX = 41,
	QUEUE_OWNER_MAX = 64,
	QUEUE_MESSAGE_MAX = 512,
	QUEUE_SUMMARY_MOST = 1 << 20
};

enum job_state {
	JOB_PENDING, /* waits, or waits for its next attempt */
	JOB_RUNNING,
	JOB_DONE,
	JOB_SUPERSEDED, /* never finished: a newer one took its place */
	JOB_DEAD        /* given up; can be queued again */
};

enum job_cause { CAUSE_PUSH, CAUSE_POLL, CAUSE_REDEPLOY, CAUSE_ROLLBACK };

struct job {
	int64_t id;
	char site[QUEUE_SITE_MAX];
	enum job_state state;
	enum job_cause cause;
	char delivery[QUEUE_DELIVERY_MAX]; /* the host's; "" for none */
	char before[QUEUE_COMMIT_MAX];     /* as pushed; "" not told */
	char commit[QUEUE_COMMIT_MAX];   /* asked for; "": whatever the branch's tip is */
	char deployed[QUEUE_COMMIT_MAX]; /* what went live; "" nothing yet */
	int attempt;                     /* 0 before the first */
	int64_t fence;               /* grows with each claim of any job of the queue */
	char owner[QUEUE_OWNER_MAX]; /* who runs it, or ran it last */
	int64_t created_ms;
	int64_t not_before_ms;
	int64_t started_ms;              /* of the last attempt; 0: none */
	int64_t ended_ms;                /* 0: not yet */
	int64_t lease_ms;                /* until when; 0 when it is not running */
	char message[QUEUE_MESSAGE_MAX]; /* what came of it, for people */
};
VEC_DEFINE(job_list, struct job);

const char *job_state_name(enum job_state s); /* "pending" */
const char *job_cause_name(enum job_cause c);

/* url: "postgresql://..." or a path of a file, made when it is not there. password, if it is
 * set, is PostgreSQL's, and goes before one in the URL; it may be NULL. owner names this daemon among
 * others. ERR_DATA: a file or tables of a newer or foreign kind; they are left as they are. */
int queue_open(const char *url, const struct secret *password, const char *owner,
	       const struct log *log, struct queue **out, struct error *err);
/* The calls of other threads must have returned, so that all of them are committed. NULL-safe. */
void queue_free(struct queue *q);

struct queue_put {
	const char *site;
	enum job_cause cause;
	/* May be "". One that is too long or not printable ASCII counts as none: the digest
	 * knows a replay, and a cut name might be taken for another's. */
	const char *delivery;
	const unsigned char
		*digest; /* SHA-256 of the body, 32 bytes; NULL: no delivery */
	const char *before;
	const char *commit;
	int64_t now_ms;
};

enum queue_put_result {
	QUEUE_QUEUED,
	QUEUE_COALESCED, /* queued; a pending job was superseded by it */
	/* The site has had this delivery: its name and its digest, or one of them for the commit
	 * that the newest job asks for. */
	QUEUE_DUPLICATE
};

/* 0 only once the job is on the disk. ERR_USAGE: a name or a commit that cannot be one. A put
 * without delivery and digest (a poll, a person) is never a duplicate. */
int queue_put(struct queue *q, const struct queue_put *p, enum queue_put_result *result,
	      struct error *err);
/* Remembers a delivery from which nothing follows. Same result. */
int queue_note(struct queue *q, const struct queue_put *p, enum queue_put_result *result,
	       struct error *err);

struct queue_claim {
	const char *const
		*sites; /* NULL-terminated: what this daemon knows; jobs of others stay */
	int64_t now_ms;
	int64_t lease_ms; /* for how long */
};

/* Takes the oldest job that may run, of sites where none is running or whose lease has ended;
 * its attempt is one higher, and its fence is higher than any before. A running job whose lease
 * has ended is taken before all others if no newer is pending, else it is superseded.
 * ERR_NOT_FOUND: there is none; *next_ms is then when to look again at the latest (INT64_MAX:
 * when something is put). That answer costs a read only, so that a worker can ask each second for
 * what other processes have put. */
int queue_claim(struct queue *q, const struct queue_claim *c, struct job *out,
		int64_t *next_ms, struct error *err);
/* Prolongs the lease. ERR_CONDITION: it is somebody else's by now; stop what it runs. */
int queue_renew(struct queue *q, const struct job *job, int64_t now_ms, int64_t lease_ms,
		struct error *err);

struct queue_end {
	enum job_state
		state; /* DONE, DEAD, SUPERSEDED; or PENDING: once more, not before */
	int64_t not_before_ms; /* for PENDING */
	bool keep_attempt;     /* for PENDING: this attempt does not count (a drain) */
	const char *deployed;  /* may be "" */
	const char *message;   /* cut to fit */
	/* What crc-action's result says, JSON. NULL, or more than QUEUE_SUMMARY_MOST bytes: that of
	 * the attempt before stays. */
	const char *summary;
	int64_t now_ms;
};
/* Ends an attempt. PENDING with a newer job pending makes it SUPERSEDED. ERR_CONDITION: as
 * queue_renew; nothing was written. */
int queue_end(struct queue *q, const struct job *job, const struct queue_end *end,
	      struct error *err);

/* The dead job of a site, queued again (cause and commit as they were, attempt 0). ERR_NOT_FOUND:
 * there is none, or a newer job of the site is done, runs or will run, which it must not undo. */
int queue_retry(struct queue *q, const char *site, int64_t now_ms, struct error *err);

/* The last jobs, newest first; site NULL: of all. Appends to *out. */
int queue_list(struct queue *q, const char *site, size_t most, struct job_list *out,
	       struct error *err);
int queue_job(struct queue *q, int64_t id, struct job *out, struct error *err);
/* ERR_NOT_FOUND: it has none. */
int queue_summary(struct queue *q, int64_t id, struct buf *out, struct error *err);
/* The last job that went live (state DONE, deployed set), leaving out the newest skip different commits:
 * 0 what is live now, 1 what was before it. ERR_NOT_FOUND. */
int queue_live(struct queue *q, const char *site, unsigned skip, struct job *out,
	       struct error *err);

/* The tip that the poll saw last; "" at first. */
int queue_seen(struct queue *q, const char *site, char out[QUEUE_COMMIT_MAX],
	       struct error *err);
int queue_set_seen(struct queue *q, const char *site, const char *commit,
		   struct error *err);

struct queue_numbers {
	int64_t pending, running;
	int64_t dead;              /* that queue_retry() would take */
	int64_t oldest_pending_ms; /* when it was made; 0: none */
};
int queue_count(struct queue *q, struct queue_numbers *out, struct error *err);
/* 0: it can be written to. A real write. */
int queue_probe(struct queue *q, struct error *err);
/* Forgets jobs that ended before (but the last keep of each site, what is live and what was live
 * before that, for a rollback) and deliveries from before. In pieces, so that others get their turn. */
int queue_prune(struct queue *q, int64_t before_ms, size_t keep, struct error *err);
/* Calls wake whenever a job was put, ended or queued again through this queue, from the thread that
 * did it. What other processes do is not seen: look every second. NULL: no more, and when this
 * returns, no call is under way. wake must not call queue_on_change(). */
void queue_on_change(struct queue *q, void (*wake)(void *ctx), void *ctx);

#include "base/mem.h"
MEM_DEFINE_FREEP(queue)

#endif
