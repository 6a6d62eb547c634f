/* verdict.h - what follows from how a deploy's child ended: done, once more and when, or given
 * up; and the sentence for people. Pure. */
#ifndef DAEMON_VERDICT_H
#define DAEMON_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "daemon/host_status.h"
#include "daemon/queue.h"

enum verdict_stop {
	STOP_NONE,  /* nobody stopped it */
	STOP_DRAIN, /* the daemon ends: the attempt does not count */
	STOP_LEASE, /* somebody else has the job by now: nothing is to be written */
};

/* How the child ended. */
struct verdict_facts {
	int exit_status;       /* 0..255; -1: it did not end by itself */
	int signal;            /* which ended it; 0: none */
	enum error_code ended; /* process_run's: ERR_NONE, ERR_IO, ERR_TIMEOUT, ... */
	const char *problem;   /* process_run's message; "" */
	enum verdict_stop stop;
	/* What was fetched is what the branch was at before the push that asked for the deploy. */
	bool is_behind;
	const char *result; /* the line of type result, JSON; NULL: there was none */
	int attempt;        /* this one's number, from 1 */
	int attempts_most;
	int64_t deadline_ms; /* how long it could have taken */
	int64_t now_ms;      /* wall clock */
	unsigned jitter;     /* any number, for spreading waits */
};

struct verdict {
	enum job_state
		state; /* JOB_DONE, JOB_SUPERSEDED, JOB_PENDING (once more), JOB_DEAD */
	const char
		*word; /* static, for metrics: "done", "superseded", "retried", "failed",
	                   * "drained", "lost" */
	int64_t not_before_ms;
	bool keep_attempt;
	enum host_state host;
	char deployed[QUEUE_COMMIT_MAX]; /* "" nothing is known to have gone live */
	char message[QUEUE_MESSAGE_MAX];
};

/* The waits between attempts double from 10 s to 15 min, what is only to be finished or was locked
 * comes sooner; each wait is cut by up to a half by the jitter. */
void verdict_judge(const struct verdict_facts *facts, struct verdict *out);

#endif
