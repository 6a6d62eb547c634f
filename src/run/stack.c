#include "run/stack.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "run/stack_private.h"

/* How often somebody else may come between a change set and its execution. */
enum { ROUNDS = 5, ROUND_PAUSE_MS = 2000 };

void stack_result_release(struct stack_result *r)
{
	cfn_stack_release(&r->stack);
	str_list_release(&r->notes);
	*r = (struct stack_result)STACK_RESULT_INIT;
}

static void job_release(struct stack_job *j)
{
	cfn_stack_release(&j->stack);
	arena_release(&j->seen);
}

/* ---- change sets ---- */

static void list_changes(const struct cfn_changes *from, struct resource_list *out)
{
	for (size_t i = 0; i < from->len; i++) {
		const struct cfn_change *c = &from->items[i];

		resource_list_push(out, (struct resource_change){
						.action = c->action,
						.name = c->logical_id,
						.type = c->type,
						.replacement = c->replacement,
					});
	}
}

static void show(const struct stack_job *j, const struct cfn_changes *changes)
{
	CLEANUP(resource_list) struct resource_list list = { 0 };

	if (!j->options->changes)
		return;
	list_changes(changes, &list);
	j->options->changes(j->options->ctx, &list);
}

/* A set that is left behind is told, behind what was wrong before. */
static int fail(struct stack_job *j, struct error *err)
{
	struct error left = ERROR_INIT;
	size_t n = strlen(err->msg);

	if (stack_set_drop(j, &left) < 0)
		snprintf(err->msg + n, sizeof(err->msg) - n, " (%s)", left.msg);
	return -1;
}

static void drop_empty(struct stack_job *j)
{
	struct error left = ERROR_INIT;

	if (stack_set_drop(j, &left) < 0)
		str_list_push(j->notes, arena_strdup(j->arena, left.msg));
}

/* A set of what differs now. 1: made; 0: begin again. */
static int make_set(struct stack_job *j, struct cfn_change_set_status *out,
		    struct error *err)
{
	if (stack_settle(j, err) < 0)
		return -1;
	j->create = !j->exists || cfn_state_of(j->stack.status) == CFN_SHELL;
	return stack_set_make(j, out, err);
}

/* ---- deploying ---- */

/* Finds the stack's id if it was not told. A stack that must be as it was seen is looked at
 * once more: one that is executed makes all others worthless that are made, but perhaps not
 * those in the making. 0: the stack is gone. */
static int look_before(struct stack_job *j, struct poll *p, struct error *err)
{
	if (j->stack_id && !j->options->only_if)
		return 1;
	if (stack_look(j, NULL, p, POLL_ANYTHING, err) < 0)
		return error_wrap(err, "stack %s", j->options->name);
	if (!j->exists)
		return 0;
	j->stack_id = arena_strdup(j->arena, j->stack.id);
	return stack_check_seen(j, err) < 0 ? -1 : 1;
}

static int execute(struct stack_job *j, const struct cfn_changes *changes,
		   struct error *err)
{
	CLEANUP(stack_trace) struct stack_trace trace = { .stack_id = NULL };
	struct poll poll;
	int rc;

	poll_start(&poll, j->options->watch, (struct poll_pace){ 1000, 3000 },
		   j->options->timeout_s);
	rc = look_before(j, &poll, err);
	if (rc < 1)
		return rc;
	trace.stack_id = j->stack_id;
	show(j, changes);
	if (stack_trace_mark(&trace, &poll, err) < 0)
		return error_wrap(err, "stack %s", j->options->name);
	rc = stack_set_execute(j, err);
	if (rc < 1)
		return rc;
	return stack_follow(j, &trace, changes->len, err) < 0 ? -1 : 1;
}

static int deploy_once(struct stack_job *j, struct stack_result *out, struct error *err)
{
	struct cfn_change_set_status set = { .status = NULL };
	int rc = make_set(j, &set, err);

	if (rc == 1 && !cfn_change_set_is_empty(&set)) {
		out->created = j->create;
		out->changed = true;
		rc = execute(j, &set.changes, err);
	}
	cfn_change_set_status_release(&set);
	return rc;
}

/* A service that CloudFormation asks has had too many requests. */
static int begin_later(struct stack_job *j, int round, struct error *err)
{
	j->throttled = false;
	if (round + 1 == ROUNDS)
		return error_set(
			err, ERR_THROTTLED,
			"stack %s: AWS throttles CloudFormation while it works out "
			"what changes (Rate exceeded), %d times now; run again later",
			j->options->name, ROUNDS);
	watch_tell(j->options->watch, "stack %s: AWS throttles CloudFormation: waiting",
		   j->options->name);
	error_clear(err);
	return watch_sleep(j->options->watch, (int64_t)ROUND_PAUSE_MS << round, err);
}

/* Somebody else's change has come between: what we made is worth nothing. */
static int begin_again(struct stack_job *j, int round, struct error *err)
{
	struct error ignored = ERROR_INIT; /* likely gone already */

	(void)stack_set_drop(j, &ignored);
	if (j->throttled)
		return begin_later(j, round, err);
	if (round + 1 == ROUNDS)
		return error_set(
			err, ERR_LOCKED,
			"stack %s: somebody else changes it again and again; run "
			"again when they have done",
			j->options->name);
	watch_tell(j->options->watch, "stack %s was changed meanwhile: beginning again",
		   j->options->name);
	error_clear(err);
	return watch_sleep(j->options->watch, ROUND_PAUSE_MS, err);
}

static void copy_pairs(struct arena *arena, const struct cfn_pairs *from,
		       struct cfn_pairs *to)
{
	for (size_t i = 0; i < from->len; i++)
		cfn_pairs_push(to, (struct cfn_pair){
					   arena_strdup(arena, from->items[i].key),
					   arena_strdup(arena, from->items[i].value) });
}

static void copy_stack(struct arena *arena, const struct cfn_stack *from,
		       struct cfn_stack *to)
{
	*to = (struct cfn_stack){
		.id = arena_strdup(arena, from->id),
		.name = arena_strdup(arena, from->name ? from->name : ""),
		.status = arena_strdup(arena, from->status),
		.reason = arena_strdup(arena, from->reason),
		.updated = arena_strdup(arena, from->updated),
	};
	copy_pairs(arena, &from->outputs, &to->outputs);
	copy_pairs(arena, &from->parameters, &to->parameters);
	copy_pairs(arena, &from->tags, &to->tags);
	for (size_t i = 0; i < from->capabilities.len; i++)
		str_list_push(&to->capabilities,
			      arena_strdup(arena, from->capabilities.items[i]));
}

static int deploy(struct stack_job *j, struct stack_result *out, struct error *err)
{
	int rc = 0;

	for (int round = 0; rc == 0; round++) {
		out->created = out->changed = false;
		rc = deploy_once(j, out, err);
		if (rc == 0 && begin_again(j, round, err) < 0)
			rc = -1;
	}
	if (rc < 0)
		return fail(j, err);
	if (!out->changed)
		drop_empty(j);
	copy_stack(j->arena, &j->stack, &out->stack);
	return 0;
}

int stack_deploy(const struct stack_options *options, const struct stack_wish *wish,
		 struct arena *arena, struct stack_result *out, struct error *err)
{
	struct stack_job job = {
		.options = options,
		.wish = wish,
		.arena = arena,
		.notes = &out->notes,
	};
	int rc;

	*out = (struct stack_result)STACK_RESULT_INIT;
	rc = deploy(&job, out, err);
	job_release(&job);
	if (rc < 0)
		stack_result_release(out);
	out->goes_on = job.goes_on;
	return rc;
}

/* ---- looking ahead ---- */

static int preview(struct stack_job *j, struct resource_list *changes, struct error *err)
{
	int rc = 0;

	for (int round = 0; rc == 0; round++) {
		struct cfn_change_set_status set = { .status = NULL };

		rc = make_set(j, &set, err);
		if (rc == 1)
			list_changes(&set.changes, changes);
		cfn_change_set_status_release(&set);
		if (rc == 0 && begin_again(j, round, err) < 0)
			rc = -1;
	}
	return rc < 0 ? fail(j, err) : stack_set_drop(j, err);
}

int stack_preview(const struct stack_options *options, const struct stack_wish *wish,
		  struct arena *arena, struct resource_list *changes, struct error *err)
{
	CLEANUP(str_list) struct str_list notes = { 0 };
	struct stack_job job = {
		.options = options,
		.wish = wish,
		.is_preview = true,
		.arena = arena,
		.notes = &notes,
	};
	int rc;

	*changes = (struct resource_list){ 0 };
	rc = preview(&job, changes, err);
	job_release(&job);
	if (rc < 0)
		resource_list_release(changes);
	return rc;
}
