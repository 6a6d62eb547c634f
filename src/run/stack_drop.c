/* Putting away a change set that was not executed. */
#include "run/stack_private.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum {
	DROP_MS = 5000, /* a runner kills some 7 s after it has told a job to stop */
	DROP_PAUSE_MS = 500
};

/* Sends what only puts away; not under claims, which may be lost. */
static int send_last(struct stack_job *j, struct aws_request *req, int64_t deadline_ms,
		     struct http_response *res, struct error *err)
{
	req->deadline_ms = deadline_ms;
	return aws_send(j->options->watch->aws, req, res, err);
}

static int delete_set(struct stack_job *j, int64_t deadline_ms, struct error *err)
{
	const struct clock *clock = aws_clock(j->options->watch->aws);

	for (;;) {
		CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
		CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;

		cfn_change_set_delete_request(&req, j->set);
		cfn_change_set_of(&req, j->stack_id ? j->stack_id : j->options->name);
		if (send_last(j, &req, deadline_ms, &res, err) == 0 ||
		    stack_is_missing(err))
			return 0;
		/* It cannot be deleted before it is made. */
		if (!str_eq(err->service_code, "InvalidChangeSetStatus") ||
		    clock_monotonic_ms(clock) + DROP_PAUSE_MS >= deadline_ms)
			return -1;
		clock_sleep_ms(clock, DROP_PAUSE_MS);
	}
}

/* 1: nobody else's set is in the shell. */
static int is_ours_alone(struct stack_job *j, int64_t deadline_ms, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	CLEANUP(str_list) struct str_list sets = { 0 };

	cfn_change_sets_request(&req, j->stack_id ? j->stack_id : j->options->name);
	if (send_last(j, &req, deadline_ms, &res, err) < 0)
		return stack_is_missing(err) ? 0 : -1;
	if (cfn_change_sets_decode(&res, j->arena, &sets, err) < 0)
		return -1;
	for (size_t i = 0; i < sets.len; i++)
		if (!str_eq(sets.items[i], j->set))
			return 0;
	return 1;
}

/* What the stack is; its id and status are empty when it is gone. */
static int find_shell(struct stack_job *j, int64_t deadline_ms, const char **id,
		      const char **status, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct cfn_stack stack = { .id = NULL };
	int rc;

	*id = *status = "";
	cfn_stack_request(&req, j->stack_id ? j->stack_id : j->options->name);
	if (send_last(j, &req, deadline_ms, &res, err) < 0)
		return stack_is_missing(err) ? 0 : -1;
	rc = cfn_stack_decode(&res, j->arena, &stack, err);
	if (rc == 0) {
		*id = stack.id;
		*status = stack.status;
	}
	cfn_stack_release(&stack);
	return rc;
}

/* A moment, usually: whoever looks after us is to find nothing. One that takes longer is left
 * to itself. */
static int await_no_shell(struct stack_job *j, const char *id, int64_t deadline_ms,
			  struct error *err)
{
	const struct clock *clock = aws_clock(j->options->watch->aws);
	const char *status = "";

	j->stack_id = id;
	for (;;) {
		if (find_shell(j, deadline_ms, &id, &status, err) < 0)
			return -1;
		if (!str_eq(status, "DELETE_IN_PROGRESS") ||
		    clock_monotonic_ms(clock) + DROP_PAUSE_MS >= deadline_ms)
			return 0;
		clock_sleep_ms(clock, DROP_PAUSE_MS);
	}
}

static int delete_shell(struct stack_job *j, int64_t deadline_ms, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	const char *id, *status;
	int alone = is_ours_alone(j, deadline_ms, err);

	if (alone <= 0)
		return alone;
	if (find_shell(j, deadline_ms, &id, &status, err) < 0)
		return -1;
	if (cfn_state_of(status) != CFN_SHELL)
		return 0;
	cfn_stack_delete_request(&req, id);
	if (send_last(j, &req, deadline_ms, &res, err) < 0)
		return -1;
	return await_no_shell(j, id, deadline_ms, err);
}

static int drop(struct stack_job *j, bool had_shell, struct error *err)
{
	const struct clock *clock = aws_clock(j->options->watch->aws);
	int64_t deadline_ms = clock_monotonic_ms(clock) + DROP_MS;

	if (delete_set(j, deadline_ms, err) < 0)
		return -1;
	return had_shell ? delete_shell(j, deadline_ms, err) : 0;
}

int stack_set_drop(struct stack_job *j, struct error *err)
{
	struct aws *aws = j->options->watch->aws;
	bool had_shell = j->has_shell;
	const volatile int *cancelled;
	int rc;

	if (!j->has_set)
		return 0;
	j->has_set = j->has_shell = false;
	/* The work that follows an empty set stops for a signal all the same. */
	cancelled = aws_uncancel(aws);
	rc = drop(j, had_shell, err);
	aws_recancel(aws, cancelled);
	if (rc < 0)
		return error_wrap(err, "change set %s of stack %s was left behind",
				  j->set, j->options->name);
	error_clear(err); /* of what was gone already */
	return 0;
}
