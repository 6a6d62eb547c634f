/* From the execution of a change set to its end. */
#include "run/stack_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static const struct poll_pace pace = { .first_ms = 200, .most_ms = 3000 };

/* The stack itself is asked when its events say that it is done, and now and then. */
enum { LOOK_EVERY = 8 };

static const char *work_of(const struct stack_job *j)
{
	return j->create ? "creation" : "update";
}

/* ---- progress ---- */

static bool is_running(const struct stack_resource *r)
{
	return str_ends(r->status, "_IN_PROGRESS");
}

/* What has been waited for longest; NULL: nothing. */
static const struct stack_resource *slowest(const struct stack_trace *t)
{
	const struct stack_resource *found = NULL;

	for (size_t i = 0; i < t->resources.len; i++) {
		const struct stack_resource *r = &t->resources.items[i];

		if (is_running(r) && (!found || r->since_ms < found->since_ms))
			found = r;
	}
	return found;
}

static size_t count_done(const struct stack_trace *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->resources.len; i++)
		n += !is_running(&t->resources.items[i]);
	return n;
}

static void tell(const struct stack_job *j, const struct stack_trace *t, size_t n_changes)
{
	const struct watch *w = j->options->watch;
	const struct stack_resource *r = slowest(t);
	int64_t now_ms = clock_monotonic_ms(aws_clock(w->aws));
	char now[512] = "";

	if (r)
		snprintf(now, sizeof(now), ", now %s (%s, %" PRId64 " s)", r->name,
			 r->status, (now_ms - r->since_ms) / 1000);
	if (t->rolls_back && t->failure)
		watch_tell(w, "stack %s: rolling back, since %.300s%s", j->options->name,
			   t->failure, now);
	else if (t->rolls_back)
		watch_tell(w, "stack %s: rolling back%s", j->options->name, now);
	else
		watch_tell(w, "stack %s: %zu of %zu resources%s", j->options->name,
			   count_done(t),
			   n_changes > t->resources.len ? n_changes : t->resources.len,
			   now);
}

/* ---- the end ---- */

static const struct {
	const char *status;
	const char *meaning; /* after "the creation" or "the update" */
} ends[] = {
	{ "ROLLBACK_COMPLETE", " was rolled back: run again with --recreate-stack to "
			       "delete what is left and create it anew" },
	{ "UPDATE_ROLLBACK_COMPLETE", " was rolled back" },
	{ "ROLLBACK_FAILED", " was to be rolled back, and that failed, too" },
	{ "UPDATE_ROLLBACK_FAILED",
	  " was to be rolled back, and that failed, too: continue the rollback in "
	  "CloudFormation's console" },
};

static int tell_failure(const struct stack_job *j, const struct stack_trace *t,
			struct error *err)
{
	const char *why = t->failure ? t->failure : j->stack.reason;
	char end[256];

	snprintf(end, sizeof(end), "the stack is in %s", j->stack.status);
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (str_eq(ends[i].status, j->stack.status))
			snprintf(end, sizeof(end), "the %s%s", work_of(j),
				 ends[i].meaning);
	return error_set(err, ERR_SERVICE, "stack %s: %.600s; %s", j->options->name,
			 *why ? why : "CloudFormation does not say why", end);
}

static bool is_at_rest(const struct stack_job *j)
{
	enum cfn_state state;

	/* Cleaning up after a success changes nothing any more. */
	if (!j->exists || cfn_is_success(j->stack.status))
		return true;
	state = cfn_state_of(j->stack.status);
	return state != CFN_BUSY && state != CFN_SHELL;
}

/* 1: at its end. What the stack says of itself counts; but just after the beginning it may
 * say what it said before, so that its events must agree, or it must say so twice. */
static int look_whether_ended(struct stack_job *j, const struct stack_trace *t,
			      struct poll *p, int *rested, struct error *err)
{
	if (stack_look(j, t->stack_id, p, POLL_ANYTHING, err) < 0)
		return -1;
	if (!t->begun || !is_at_rest(j))
		return 0;
	return t->ended || ++*rested > 1;
}

static int follow(struct stack_job *j, struct stack_trace *t, size_t n_changes,
		  struct error *err)
{
	struct poll poll;
	int rested = 0;

	poll_start(&poll, j->options->watch, pace, j->options->timeout_s);
	for (int round = 1;; round++) {
		int ended = 0;

		tell(j, t, n_changes);
		if (poll_wait(&poll, err) < 0 || stack_trace_read(t, &poll, err) < 0)
			return -1;
		if (t->ended || round % LOOK_EVERY == 0)
			ended = look_whether_ended(j, t, &poll, &rested, err);
		if (ended)
			return ended < 0 ? -1 : 0;
		if (poll_is_over(&poll))
			return error_set(err, ERR_TIMEOUT,
					 "it is not done after %" PRId64 " s",
					 poll_elapsed_s(&poll));
	}
}

int stack_follow(struct stack_job *j, struct stack_trace *t, size_t n_changes,
		 struct error *err)
{
	j->goes_on = true;
	if (follow(j, t, n_changes, err) < 0)
		return error_wrap(err,
				  "stack %s: its %s goes on by itself, and the next run "
				  "waits for it",
				  j->options->name, work_of(j));
	j->goes_on = false;
	if (!j->exists)
		return error_set(err, ERR_SERVICE, "stack %s was deleted meanwhile",
				 j->options->name);
	return cfn_is_success(j->stack.status) ? 0 : tell_failure(j, t, err);
}
