#include "run/poll.h"

#include "aws/error.h"
#include "base/str.h"

/* With its retries. A lease lasts 120 s and is renewed when it is 45 s old. */
enum { REQUEST_MS = 30000, UPLOAD_BYTES_A_SECOND = 256 << 10 };

/* The shortest pause after a request that failed, whatever the pace: whoever is throttled, or
 * has met a service that is down, asks less often. */
enum { AFTER_FAILURE_MS = 1000 };

static int64_t now_ms(const struct poll *p)
{
	return clock_monotonic_ms(aws_clock(p->watch->aws));
}

void poll_start(struct poll *p, const struct watch *w, struct poll_pace pace,
		int64_t timeout_s)
{
	*p = (struct poll){ .watch = w,
			    .wait_ms = pace.first_ms,
			    .wait_most_ms = pace.most_ms };
	p->begun_ms = now_ms(p);
	p->end_ms = p->begun_ms + timeout_s * 1000;
}

bool poll_is_over(const struct poll *p)
{
	return now_ms(p) >= p->end_ms;
}

int64_t poll_elapsed_s(const struct poll *p)
{
	return (now_ms(p) - p->begun_ms) / 1000;
}

int poll_wait(struct poll *p, struct error *err)
{
	int64_t left = p->end_ms - now_ms(p);
	int64_t ms = left < p->wait_ms ? left : p->wait_ms;

	p->wait_ms += p->wait_ms / 2;
	if (p->wait_ms > p->wait_most_ms)
		p->wait_ms = p->wait_most_ms;
	return watch_sleep(p->watch, ms > 0 ? ms : 0, err);
}

static bool will_pass(const struct error *err, enum poll_patience patience)
{
	/* A quota ("too many stacks"), which is throttling by its name only. */
	if (str_eq(err->service_code, "LimitExceededException"))
		return false;
	/* Out of time between two tries it is ERR_TIMEOUT. */
	if (err->code == ERR_THROTTLED || aws_error_is_throttle(err->service_code))
		return true;
	return patience == POLL_ANYTHING &&
	       (err->retryable || err->code == ERR_NETWORK || err->code == ERR_TIMEOUT);
}

int poll_send(struct poll *p, struct aws_request *req, enum poll_patience patience,
	      struct http_response *res, struct error *err)
{
	int64_t most_ms = REQUEST_MS + req->body.len / UPLOAD_BYTES_A_SECOND * 1000;

	for (;;) {
		/* Not watch_send: a tick that fails ends the work, whatever its error. */
		if (watch_sleep(p->watch, 0, err) < 0)
			return -1;
		req->deadline_ms = now_ms(p) + most_ms;
		if (aws_send(p->watch->aws, req, res, err) == 0)
			return 0;
		if (!will_pass(err, patience) || poll_is_over(p))
			return -1;
		if (p->wait_ms < AFTER_FAILURE_MS)
			p->wait_ms = AFTER_FAILURE_MS;
		if (poll_wait(p, err) < 0)
			return -1;
		error_clear(err);
	}
}
