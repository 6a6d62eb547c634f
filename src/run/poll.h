/* poll.h - asking AWS again and again until something has happened, or time is up.
 *
 * The client tries each request five times. What lasts for minutes or hours must outlive more
 * than that: throttling goes on for as long as others cause it, and a connection may be lost
 * for a while. */
#ifndef RUN_POLL_H
#define RUN_POLL_H

#include <stdbool.h>
#include <stdint.h>

#include "run/watch.h"

struct poll {
	const struct watch *watch; /* borrowed */
	int64_t begun_ms;          /* monotonic */
	int64_t end_ms;
	int64_t wait_ms; /* the next pause; it grows by half each time */
	int64_t wait_most_ms;
};

/* What is quick, like new code for a function, is seen soon when the first pauses are short; what
 * takes minutes is asked for no more often than the longest one says. */
struct poll_pace {
	int64_t first_ms;
	int64_t most_ms;
};

void poll_start(struct poll *p, const struct watch *w, struct poll_pace pace,
		int64_t timeout_s);
bool poll_is_over(const struct poll *p);
int64_t poll_elapsed_s(const struct poll *p);
/* Pauses. -1: as watch_sleep. */
int poll_wait(struct poll *p, struct error *err);

enum poll_patience {
	POLL_THROTTLED, /* throttling is waited out: for what has not begun yet */
	POLL_ANYTHING   /* so are lost connections and errors of the service itself */
};

/* As watch_send, but tried again until the poll is over, for what it is patient with; the
 * error is then the last one. Each try gets 30 s, which no lease outruns; a large body gets
 * longer. */
int poll_send(struct poll *p, struct aws_request *req, enum poll_patience patience,
	      struct http_response *res, struct error *err);

#endif
