/* Whatever is accepted is whole: no string is missing, and ids are not empty. */
#undef NDEBUG /* the checks are what a fuzz target is for */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aws/cloudformation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pairs(const struct cfn_pairs *pairs)
{
	for (size_t i = 0; i < pairs->len; i++)
		assert(pairs->items[i].key && pairs->items[i].value);
}

static void check_stack(const struct http_response *res, struct arena *arena)
{
	CLEANUP(cfn_stack) struct cfn_stack s = { .id = NULL };
	struct error err = ERROR_INIT;

	if (cfn_stack_decode(res, arena, &s, &err) < 0)
		return;
	assert(*s.id && *s.status && s.reason);
	check_pairs(&s.outputs);
	check_pairs(&s.parameters);
	check_pairs(&s.tags);
	for (size_t i = 0; i < s.capabilities.len; i++)
		assert(s.capabilities.items[i]);
	assert(cfn_state_of(s.status) <= CFN_GONE);
	assert(!cfn_is_success(s.status) || cfn_state_of(s.status) == CFN_STEADY ||
	       cfn_state_of(s.status) == CFN_BUSY);
}

static void check_change_set(const struct http_response *res, struct arena *arena)
{
	CLEANUP(cfn_change_set_status)
	struct cfn_change_set_status s = { .status = NULL };
	struct error err = ERROR_INIT;

	if (cfn_change_set_describe_decode(res, arena, &s, &err) < 0)
		return;
	assert(*s.status && s.reason && s.execution && (!s.next || *s.next));
	assert(!cfn_change_set_is_empty(&s) || str_eq(s.status, "FAILED"));
	for (size_t i = 0; i < s.changes.len; i++) {
		const struct cfn_change *c = &s.changes.items[i];

		assert(c->action && c->logical_id && c->physical_id && c->type &&
		       c->replacement);
	}
}

static void check_events(const struct http_response *res, struct arena *arena)
{
	CLEANUP(cfn_events) struct cfn_events events = { 0 };
	struct error err = ERROR_INIT;
	const char *next = "";

	if (cfn_events_decode(res, arena, &events, &next, &err) < 0)
		return;
	assert(!next || *next);
	for (size_t i = 0; i < events.len; i++) {
		const struct cfn_event *e = &events.items[i];

		assert(e->id && e->logical_id && e->physical_id && e->type && e->status &&
		       e->reason && e->time);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	struct error err = ERROR_INIT;
	const char *text = NULL;
	const char *id = NULL;

	res.status = 200;
	buf_add(&res.body, data, size);
	check_stack(&res, &arena);
	check_change_set(&res, &arena);
	check_events(&res, &arena);
	if (cfn_template_decode(&res, &arena, &text, &err) == 0)
		assert(text);
	if (cfn_change_set_create_decode(&res, &arena, &id, &text, &err) == 0)
		assert(*id && *text);
	return 0;
}
