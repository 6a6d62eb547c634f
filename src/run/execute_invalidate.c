/* Invalidations: asked for once, however often the answer is lost. */
#include "run/execute_private.h"

#include <inttypes.h>
#include <string.h>

#include "aws/cloudfront.h"
#include "base/mem.h"

enum {
	QUOTA_WAIT_MS =
		10000, /* between tries while other invalidations are in progress */
	QUOTA_TRIES = 60,
	POLL_FIRST_MS = 1000, /* while waiting for one to be completed */
	POLL_MOST_MS = 10000,
	FIND_AMONG = 100
};

static const char *reference_of(const struct execution *x, const struct step *step)
{
	const struct plan_site *ps = &x->plan->sites.items[step->site];

	for (size_t i = 0; i < ps->distributions.len; i++)
		if (str_eq(ps->distributions.items[i], step->distribution))
			return x->references[step->site].items[i];
	return NULL;
}

static void tell_waiting(const struct execution *x, const char *text)
{
	const struct progress *p = x->options->progress;

	if (p && p->waiting)
		p->waiting(p->ctx, text);
}

/* Sleeps without letting a claim run out. */
static int pause_ms(struct execution *x, int64_t ms, struct error *err)
{
	clock_sleep_ms(aws_clock(x->options->aws), ms);
	return execution_keep_claims(x, err);
}

static int ask(struct execution *x, const struct step *step, struct cf_invalidation *out,
	       struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	const char *reference = reference_of(x, step);

	cf_invalidate_request(&req, step->distribution, reference,
			      step->cover.patterns.items, step->cover.patterns.len);
	req.deadline_ms = claim_deadline_ms(&x->claims[step->site]);
	if (aws_send(x->options->aws, &req, &res, err) == 0)
		return cf_invalidation_decode(&res, out, err);
	if (cf_reference_was_used(err))
		return cf_find_invalidation(x->options->aws, step->distribution,
					    reference, FIND_AMONG, out, err);
	return -1;
}

static int ask_until_there_is_room(struct execution *x, const struct step *step,
				   struct cf_invalidation *out, struct error *err)
{
	for (int i = 0; i < QUOTA_TRIES; i++) {
		if (ask(x, step, out, err) == 0)
			return 0;
		if (!str_eq(err->service_code, "TooManyInvalidationsInProgress"))
			return -1;
		tell_waiting(
			x,
			"CloudFront has as many invalidations in progress as it allows: "
			"waiting for some to complete");
		if (pause_ms(x, QUOTA_WAIT_MS, err) < 0)
			return -1;
	}
	return -1;
}

static int wait_completed(struct execution *x, size_t i, struct cf_invalidation *inv,
			  struct error *err)
{
	const struct step *step = &x->plan->steps.items[i];
	const struct clock *clock = aws_clock(x->options->aws);
	int64_t until_ms = clock_monotonic_ms(clock) +
			   x->options->wait_timeout_s * INT64_C(1000);
	int64_t ms = POLL_FIRST_MS;

	while (!inv->completed) {
		CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
		CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;

		if (clock_monotonic_ms(clock) >= until_ms)
			return error_set(err, ERR_TIMEOUT,
					 "invalidation %s is not completed after %" PRId64
					 " s",
					 inv->id, x->options->wait_timeout_s);
		tell_waiting(x, "waiting for CloudFront to complete the invalidation");
		if (pause_ms(x, ms, err) < 0)
			return -1;
		ms = ms * 2 > POLL_MOST_MS ? POLL_MOST_MS : ms * 2;
		cf_invalidation_request(&req, step->distribution, inv->id);
		if (aws_send(x->options->aws, &req, &res, err) < 0 ||
		    cf_invalidation_decode(&res, inv, err) < 0)
			return -1;
	}
	x->outcome->steps[i].completed = true;
	return 0;
}

static int invalidate(struct execution *x, size_t i, struct cf_invalidation *inv,
		      struct error *err)
{
	const struct step *step = &x->plan->steps.items[i];

	if (ask_until_there_is_room(x, step, inv, err) < 0)
		return execution_failed(x, i, err);
	x->outcome->steps[i].invalidation = arena_strdup(&x->outcome->arena, inv->id);
	x->outcome->steps[i].completed = inv->completed;
	execution_done(x, i);
	return 0;
}

int execute_invalidations(struct execution *x, size_t from, size_t to, struct error *err)
{
	struct cf_invalidation *invs = xcalloc(to - from, sizeof(*invs));
	int rc = 0;

	for (size_t i = from; rc == 0 && i < to; i++)
		rc = invalidate(x, i, &invs[i - from], err);
	for (size_t i = from; rc == 0 && x->options->wait && i < to; i++)
		if (wait_completed(x, i, &invs[i - from], err) < 0)
			rc = error_wrap(err, "invalidate %s: wait for %s",
					x->plan->steps.items[i].distribution,
					invs[i - from].id);
	free(invs);
	return rc;
}
