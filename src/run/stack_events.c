/* A stack's events: what is new, and what it amounts to. */
#include "run/stack_private.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* A page is up to 1 MB. */
enum { PAGES_MOST = 50 };

void stack_trace_release(struct stack_trace *t)
{
	stack_resources_release(&t->resources);
	arena_release(&t->arena);
}

/* ---- reading ---- */

static int read_page(const struct stack_trace *t, struct poll *p, struct arena *arena,
		     struct cfn_events *out, const char **next, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;

	cfn_events_request(&req, t->stack_id, *next);
	if (poll_send(p, &req, POLL_ANYTHING, &res, err) < 0)
		return -1;
	return cfn_events_decode(&res, arena, out, next, err);
}

static bool is_known(const struct stack_trace *t, const struct cfn_event *e)
{
	return t->newest && str_eq(e->id, t->newest);
}

/* ---- understanding ---- */

/* Others that were stopped because one has failed. */
static bool was_cancelled(const struct cfn_event *e)
{
	return str_starts(e->reason, "Resource ") && strstr(e->reason, " cancelled");
}

static struct stack_resource *resource_of(struct stack_trace *t, const char *name)
{
	for (size_t i = 0; i < t->resources.len; i++)
		if (str_eq(t->resources.items[i].name, name))
			return &t->resources.items[i];
	return stack_resources_push(
		&t->resources,
		(struct stack_resource){ .name = arena_strdup(&t->arena, name) });
}

static void take_stack(struct stack_trace *t, const struct cfn_event *e)
{
	t->begun = true;
	t->ended = cfn_is_success(e->status) || !str_ends(e->status, "_IN_PROGRESS");
	if (strstr(e->status, "ROLLBACK"))
		t->rolls_back = true;
}

static void take_resource(struct stack_trace *t, const struct cfn_event *e,
			  int64_t now_ms)
{
	struct stack_resource *r = resource_of(t, e->logical_id);

	r->status = arena_strdup(&t->arena, e->status);
	r->since_ms = now_ms;
	if (!t->failure && str_ends(e->status, "_FAILED") && !was_cancelled(e))
		t->failure = arena_printf(&t->arena, "%s (%s): %s", e->logical_id,
					  e->type, *e->reason ? e->reason : e->status);
}

static void take_event(struct stack_trace *t, const struct cfn_event *e, int64_t now_ms)
{
	if (str_eq(e->physical_id, t->stack_id))
		take_stack(t, e);
	else
		take_resource(t, e, now_ms);
}

/* ---- both ---- */

int stack_trace_mark(struct stack_trace *t, struct poll *p, struct error *err)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	struct cfn_events events = { 0 };
	const char *next = NULL;
	int rc = read_page(t, p, &arena, &events, &next, err);

	if (rc == 0 && events.len)
		t->newest = arena_strdup(&t->arena, events.items[0].id);
	cfn_events_release(&events);
	return rc;
}

/* Into *out the events that are not known, the newest first. */
static int read_new(const struct stack_trace *t, struct poll *p, struct arena *arena,
		    struct cfn_events *out, struct error *err)
{
	const char *next = NULL;
	size_t i = 0;

	for (int page = 0; page < PAGES_MOST; page++) {
		if (read_page(t, p, arena, out, &next, err) < 0)
			return -1;
		for (; i < out->len; i++) {
			if (!is_known(t, &out->items[i]))
				continue;
			out->len = i;
			return 0;
		}
		if (!next)
			return 0;
	}
	return 0;
}

int stack_trace_read(struct stack_trace *t, struct poll *p, struct error *err)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	int64_t now_ms = clock_monotonic_ms(aws_clock(p->watch->aws));
	struct cfn_events events = { 0 };
	int rc = read_new(t, p, &arena, &events, err);

	for (size_t i = events.len; rc == 0 && i > 0; i--)
		take_event(t, &events.items[i - 1], now_ms);
	if (rc == 0 && events.len)
		t->newest = arena_strdup(&t->arena, events.items[0].id);
	cfn_events_release(&events);
	return rc;
}
