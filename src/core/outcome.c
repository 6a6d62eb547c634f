#include "core/outcome.h"

static const char *const verdict_names[] = {
	[VERDICT_PLANNED] = "planned",       [VERDICT_DONE] = "done",
	[VERDICT_NOTHING] = "nothing-to-do", [VERDICT_SUPERSEDED] = "superseded",
	[VERDICT_UNVERIFIED] = "unverified", [VERDICT_REFUSED] = "refused",
	[VERDICT_PARTIAL] = "partial",       [VERDICT_FAILED] = "failed",
};

const char *verdict_name(enum verdict v)
{
	return verdict_names[v];
}

void outcome_release(struct outcome *o)
{
	plan_release(&o->plan);
	arena_release(&o->arena);
	*o = (struct outcome){ .steps = NULL };
}

void outcome_begin(struct outcome *o)
{
	o->steps = arena_alloc(&o->arena, o->plan.steps.len * sizeof(*o->steps));
}

static void count_step(const struct step *s, const struct step_outcome *out,
		       struct outcome_totals *t)
{
	t->uploaded += s->kind == STEP_PUT || s->kind == STEP_COPY;
	t->deleted += s->kind == STEP_DELETE;
	if (s->kind == STEP_INVALIDATE)
		t->patterns += s->cover.patterns.len;
	if (out)
		t->bytes += out->bytes;
}

struct outcome_totals outcome_count(const struct outcome *o, bool planned)
{
	struct outcome_totals t = { 0 };

	for (size_t i = 0; i < o->plan.steps.len; i++) {
		const struct step_outcome *out = o->steps ? &o->steps[i] : NULL;

		if (planned || (out && out->status == STATUS_DONE))
			count_step(&o->plan.steps.items[i], out, &t);
	}
	return t;
}
