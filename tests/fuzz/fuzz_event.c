/* An event's name in the first line, a ref in the second, then a payload. */
#undef NDEBUG /* the checks are what a fuzz target is for */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "core/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The text up to the end of a line, as a string. */
static char *take_line(const char **rest, const char *end)
{
	size_t left = (size_t)(end - *rest);
	const char *newline = left ? memchr(*rest, '\n', left) : NULL;
	char *line = xstrndup(*rest, newline ? (size_t)(newline - *rest) : left);

	*rest = newline ? newline + 1 : end;
	return line;
}

static void check(const struct event *e, const char *name)
{
	const char *why = NULL;
	bool push = str_empty(name) || str_eq(name, "push");

	assert(e->name && e->ref);
	assert(event_deploys_nothing(e, &why) == (why != NULL));
	if (!push)
		assert(oid_is_zero(&e->before) && oid_is_zero(&e->after) && !e->deleted);
	if (e->deleted || str_starts(name, "pull_request"))
		assert(why);
	assert(e->run.id >= 0 && e->run.number >= 0 && e->run.attempt >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *rest = (const char *)data;
	const char *end = rest + size;
	CLEANUP_PTR(mem) char *name = take_line(&rest, end);
	CLEANUP_PTR(mem) char *ref = take_line(&rest, end);
	const struct event_runner runner = { .event_name = name,
					     .ref = ref,
					     .workflow = ref,
					     .run_id = name,
					     .run_number = ref,
					     .run_attempt = NULL };
	struct error err = ERROR_INIT;
	struct event e;

	if (event_parse(&e, rest, (size_t)(end - rest), &runner, &err) == 0)
		check(&e, name);
	else
		assert(err.code == ERR_DATA);
	event_release(&e);
	return 0;
}
