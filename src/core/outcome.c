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

static const char *const backend_status_names[] = {
	[BACKEND_PENDING] = "pending", [BACKEND_CREATED] = "created",
	[BACKEND_UPDATED] = "updated", [BACKEND_CONFIRMED] = "confirmed",
	[BACKEND_FAILED] = "failed",
};

const char *backend_status_name(enum backend_status status)
{
	return backend_status_names[status];
}

void outcome_release(struct outcome *o)
{
	for (size_t i = 0; i < o->backends.len; i++) {
		resource_list_release(&o->backends.items[i].changes);
		stack_output_list_release(&o->backends.items[i].outputs);
	}
	backend_outcome_list_release(&o->backends);
	note_list_release(&o->notes);
	plan_release(&o->plan);
	arena_release(&o->arena);
	*o = (struct outcome){ .steps = NULL };
}

void outcome_forget_plan(struct outcome *o)
{
	struct oid head = o->plan.head;

	plan_release(&o->plan);
	o->plan.head = head;
	o->steps = NULL;
	/* The next plan numbers its sites anew. */
	for (size_t i = 0; i < o->notes.len; i++)
		o->notes.items[i].site = SIZE_MAX;
}

struct backend_outcome *outcome_backend(struct outcome *o, const struct backend *backend)
{
	for (size_t i = 0; i < o->backends.len; i++)
		if (o->backends.items[i].backend == backend)
			return &o->backends.items[i];
	return backend_outcome_list_push(&o->backends,
					 (struct backend_outcome){ .backend = backend });
}

void outcome_begin(struct outcome *o)
{
	o->steps = arena_alloc(&o->arena, o->plan.steps.len * sizeof(*o->steps));
}

void outcome_note(struct outcome *o, enum note_kind kind, size_t site, const char *path,
		  const char *text)
{
	note_list_push(&o->notes,
		       (struct note){ kind, site,
				      path ? arena_strdup(&o->arena, path) : NULL,
				      arena_strdup(&o->arena, text) });
}

static void count_step(const struct step *s, const struct step_outcome *out,
		       struct outcome_totals *t)
{
	t->backends += s->kind == STEP_BACKEND && !out;
	t->uploaded += s->kind == STEP_PUT;
	t->copied += s->kind == STEP_COPY;
	t->deleted += s->kind == STEP_DELETE;
	if (s->kind == STEP_INVALIDATE)
		t->patterns += s->cover.patterns.len;
	if (out)
		t->bytes += out->bytes;
}

bool outcome_counts(const struct outcome *o, size_t step)
{
	if (o->verdict == VERDICT_PLANNED)
		return true;
	return o->steps && o->steps[step].status == STATUS_DONE;
}

struct outcome_totals outcome_count(const struct outcome *o)
{
	struct outcome_totals t = { 0 };

	for (size_t i = 0; i < o->backends.len; i++)
		t.backends += o->backends.items[i].status == BACKEND_CREATED ||
			      o->backends.items[i].status == BACKEND_UPDATED;
	for (size_t i = 0; i < o->plan.steps.len; i++)
		if (outcome_counts(o, i))
			count_step(&o->plan.steps.items[i],
				   o->steps ? &o->steps[i] : NULL, &t);
	return t;
}

bool outcome_changed(const struct outcome_totals *t)
{
	return t->backends || t->uploaded || t->copied || t->deleted || t->patterns;
}
