/* In which state a stack is, and waiting for another one. */
#include "run/stack_private.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static const struct poll_pace pace = { .first_ms = 200, .most_ms = 10000 };

bool stack_is_missing(const struct error *err)
{
	return err->code == ERR_NOT_FOUND || cfn_stack_is_absent(err);
}

static void forget(struct stack_job *j)
{
	cfn_stack_release(&j->stack);
	arena_release(&j->seen);
	j->exists = false;
}

int stack_look(struct stack_job *j, const char *id, struct poll *p,
	       enum poll_patience patience, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;

	/* First, since id may be a string of what is forgotten. */
	cfn_stack_request(&req, id ? id : j->options->name);
	forget(j);
	if (poll_send(p, &req, patience, &res, err) == 0) {
		if (cfn_stack_decode(&res, &j->seen, &j->stack, err) < 0)
			return -1;
		j->exists = !str_eq(j->stack.status, "DELETE_COMPLETE");
		return 0;
	}
	if (!cfn_stack_is_absent(err))
		return -1;
	error_clear(err);
	return 0;
}

/* ---- dead ends ---- */

/* Why its creation failed: the first of its events that says so. */
static const char *why_dead(struct stack_job *j, struct poll *p)
{
	CLEANUP(stack_trace) struct stack_trace trace = { .stack_id = j->stack.id };
	struct error ignored = ERROR_INIT; /* the status alone says enough, too */

	if (!str_eq(j->stack.status, "DELETE_FAILED") &&
	    stack_trace_read(&trace, p, &ignored) == 0 && trace.failure)
		return arena_strdup(j->arena, trace.failure);
	return *j->stack.reason ? j->stack.reason : "CloudFormation does not say why";
}

static int tell_dead(struct stack_job *j, struct poll *p, struct error *err)
{
	bool deleting = str_eq(j->stack.status, "DELETE_FAILED");

	return error_set(
		err, ERR_LIMIT,
		"stack %s is in %s and can only be deleted: its %s failed: %s; run "
		"again with --recreate-stack to delete it and create it anew "
		"(resources with a DeletionPolicy of Retain stay)",
		j->options->name, j->stack.status, deleting ? "deletion" : "creation",
		why_dead(j, p));
}

static int tell_stuck(const struct stack_job *j, struct error *err)
{
	return error_set(
		err, ERR_LIMIT,
		"stack %s is in %s%s%s: continue the rollback in CloudFormation's "
		"console first, then run again",
		j->options->name, j->stack.status, *j->stack.reason ? ": " : "",
		j->stack.reason);
}

static int await_deletion(struct stack_job *j, const char *id, struct error *err)
{
	struct poll poll;

	poll_start(&poll, j->options->watch, pace, j->options->timeout_s);
	for (;;) {
		watch_tell(j->options->watch,
			   "stack %s: being deleted, to be created anew, for %" PRId64
			   " s",
			   j->options->name, poll_elapsed_s(&poll));
		if (poll_wait(&poll, err) < 0 ||
		    stack_look(j, id, &poll, POLL_ANYTHING, err) < 0)
			return error_wrap(err, "stack %s", j->options->name);
		if (!j->exists)
			return 0;
		if (cfn_state_of(j->stack.status) != CFN_BUSY)
			return error_set(
				err, ERR_SERVICE, "stack %s cannot be deleted (%s): %s",
				j->options->name, j->stack.status, j->stack.reason);
		if (poll_is_over(&poll))
			return error_set(err, ERR_TIMEOUT,
					 "stack %s: still being deleted after %" PRId64
					 " s; run again to wait for it",
					 j->options->name, poll_elapsed_s(&poll));
	}
}

static int delete_stack(struct stack_job *j, struct poll *p, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	const char *id = arena_strdup(j->arena, j->stack.id);

	str_list_push(j->notes,
		      arena_printf(j->arena,
				   "stack %s was in %s: deleted, and created anew",
				   j->options->name, j->stack.status));
	cfn_stack_delete_request(&req, id);
	if (poll_send(p, &req, POLL_ANYTHING, &res, err) < 0)
		return error_wrap(err, "stack %s", j->options->name);
	return await_deletion(j, id, err);
}

/* ---- waiting ---- */

static int wait_for_others(struct stack_job *j, struct poll *p, struct error *err)
{
	if (poll_is_over(p))
		return error_set(err, ERR_LOCKED,
				 "stack %s is %s since before %" PRId64
				 " s ago: somebody else changes it; run again when they "
				 "have done",
				 j->options->name, j->stack.status, poll_elapsed_s(p));
	watch_tell(j->options->watch, "stack %s is %s: waiting, for %" PRId64 " s now",
		   j->options->name, j->stack.status, poll_elapsed_s(p));
	return poll_wait(p, err);
}

/* One that is gone meanwhile can only be made anew, which nobody else can do at the same
 * time. */
int stack_check_seen(const struct stack_job *j, struct error *err)
{
	const struct stack_seen *seen = j->options->only_if;

	if (!seen || !j->exists || cfn_state_of(j->stack.status) == CFN_SHELL)
		return 0;
	if (str_eq(seen->id, j->stack.id) && str_eq(seen->updated, j->stack.updated))
		return 0;
	return error_set(err, ERR_CONDITION,
			 "stack %s was made or changed by somebody else meanwhile",
			 j->options->name);
}

int stack_settle(struct stack_job *j, struct error *err)
{
	enum poll_patience patience = POLL_THROTTLED;
	struct poll poll;

	poll_start(&poll, j->options->watch, pace, j->options->busy_timeout_s);
	for (;;) {
		enum cfn_state state;

		if (stack_look(j, NULL, &poll, patience, err) < 0)
			return error_wrap(err, "stack %s", j->options->name);
		if (!j->exists)
			return 0;
		if (stack_check_seen(j, err) < 0)
			return -1;
		state = cfn_state_of(j->stack.status);
		if (state == CFN_STUCK)
			return tell_stuck(j, err);
		if (state == CFN_DEAD_CREATE && j->options->recreate && !j->is_preview)
			return delete_stack(j, &poll, err);
		if (state == CFN_DEAD_CREATE)
			return tell_dead(j, &poll, err);
		if (state != CFN_BUSY)
			return 0;
		if (wait_for_others(j, &poll, err) < 0)
			return -1;
		patience = POLL_ANYTHING;
	}
}
