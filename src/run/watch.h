/* watch.h - what a long piece of work at AWS owes to whoever started it. */
#ifndef RUN_WATCH_H
#define RUN_WATCH_H

#include "aws/client.h"
#include "base/error.h"
#include "run/progress.h"

/* All is borrowed. */
struct watch {
	struct aws *aws;
	const struct progress *progress; /* may be NULL */
	/* Called before each request and each wait, at least every few seconds: renews the
	 * claims under which the work is done. Its -1 ends the work. May be NULL. */
	int (*tick)(void *ctx, struct error *err);
	void *ctx;
};

/* Calls the tick, then waits so long by the client's clock. -1: the tick's error, or
 * ERR_CANCELLED. */
int watch_sleep(const struct watch *w, int64_t ms, struct error *err);
/* Calls the tick, then sends. As aws_send. */
int watch_send(const struct watch *w, const struct aws_request *req,
	       struct http_response *res, struct error *err);
/* Tells people what is waited for. */
void watch_tell(const struct watch *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
