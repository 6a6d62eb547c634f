#include "daemon/push.h"

#include "base/str.h"

static const char branch_prefix[] = "refs/heads/";

void push_release(struct push *p)
{
	arena_release(&p->arena);
	*p = (struct push){ .arena = ARENA_INIT };
}

const struct push_change *push_change_of(const struct push *p, const char *branch)
{
	for (size_t i = p->n_changes; i-- > 0;) {
		const struct push_change *c = &p->changes[i];

		if (str_starts(c->ref, branch_prefix) &&
		    str_eq(c->ref + sizeof branch_prefix - 1, branch))
			return c;
	}
	return NULL;
}
