#include "core/plan_backend.h"

#include <string.h>

/* How CloudFormation answers for a parameter that must not be shown (NoEcho). */
static const char hidden[] = "****";

static const char *skip_returns(const char *s)
{
	while (s[0] == '\r' && s[1] == '\n')
		s++;
	return s;
}

static bool is_blank(const char *s)
{
	return s[strspn(s, " \t\r\n")] == '\0';
}

bool plan_same_template(const char *a, const char *b)
{
	for (;; a++, b++) {
		a = skip_returns(a);
		b = skip_returns(b);
		if (*a != *b || !*a)
			return is_blank(a) && is_blank(b);
	}
}

/* The first of several that have the same to be said of them. */
static const char *and_more(struct arena *arena, const char *text, size_t n)
{
	return n ? arena_printf(arena, "%s, and %zu more", text, n) : text;
}

static bool is_hidden(const struct backend_parameter *p)
{
	return p->live && str_eq(p->live, hidden);
}

/* Why the parameters differ, or NULL. One that is hidden may: CloudFormation alone can tell. */
static const char *parameters_why(const struct backend_input *in, struct arena *arena)
{
	const struct backend_parameter *first = NULL;
	const struct backend_parameter *hides = NULL;
	size_t n = 0;

	for (size_t i = 0; i < in->n_parameters; i++) {
		const struct backend_parameter *p = &in->parameters[i];

		if (is_hidden(p))
			hides = p;
		else if (!p->live || !str_eq(p->live, p->wanted))
			first = n++ ? first : p;
	}
	if (first)
		return and_more(arena,
				arena_printf(arena,
					     first->live
						     ? "parameter %s differs"
						     : "parameter %s is new to the stack",
					     first->name),
				n - 1);
	if (hides)
		return arena_printf(arena,
				    "parameter %s is hidden (NoEcho): "
				    "CloudFormation has to compare it",
				    hides->name);
	return NULL;
}

static const char *status_why(const struct backend_input *in, struct arena *arena)
{
	if (in->status_is_good)
		return NULL;
	return arena_printf(arena,
			    str_ends(in->status, "_IN_PROGRESS")
				    ? "somebody is changing the stack (%s)"
				    : "the stack's last change did not succeed (%s)",
			    in->status);
}

static const char *drift_why(const struct backend_input *in, struct arena *arena)
{
	if (!in->drifted || !in->drifted->len)
		return NULL;
	return and_more(arena,
			arena_printf(arena, "somebody changed the code of %s",
				     in->drifted->items[0]),
			in->drifted->len - 1);
}

/* Why a live stack has to deploy; NULL: it does not. */
static const char *stack_why(const struct backend_input *in, struct arena *arena)
{
	const char *why;

	if (!plan_same_template(in->text, in->live_text))
		return "its template or code differs from what is live";
	why = parameters_why(in, arena);
	if (!why)
		why = status_why(in, arena);
	if (!why)
		why = drift_why(in, arena);
	if (!why && in->n_left_sets)
		why = "an unfinished deploy has left a change set behind";
	return why;
}

static const char *function_why(const struct backend_input *in)
{
	if (!in->sha256)
		return "its code is compared once its requirements are installed, "
		       "which a dry run does not do";
	if (!str_eq(in->sha256, in->live_sha256))
		return "its code differs from what is live";
	if (in->latest_sha256 && !str_eq(in->sha256, in->latest_sha256))
		return "its code differs from what is not published yet";
	if (str_eq(in->update, "Failed"))
		return "its last update failed";
	if (str_eq(in->update, "InProgress"))
		return "an update of it is under way";
	return NULL;
}

static const char *paths_why(const struct backend_input *in, struct arena *arena)
{
	if (!in->has_base)
		return "there is no commit to compare with";
	if (!in->files_changed)
		return NULL;
	if (in->files_changed == 1)
		return arena_printf(arena, "%s changed", in->first_changed);
	return arena_printf(arena, "%zu files changed, %s among them", in->files_changed,
			    in->first_changed);
}

/* Sets why and the verdict. */
static void judge(const struct backend_input *in, struct arena *arena,
		  struct plan_backend *out)
{
	switch (in->knowledge) {
	case KNOW_LIVE:
		out->why = in->backend->kind == BACKEND_FUNCTION ? function_why(in)
								 : stack_why(in, arena);
		break;
	case KNOW_ABSENT:
		out->why = "there is no such stack yet";
		out->creates = true;
		break;
	case KNOW_PATHS:
		out->why = paths_why(in, arena);
		break;
	case KNOW_LATER:
		out->why = arena_printf(
			arena, "it takes an output of backend %s, which deploys first",
			in->waits_for);
		out->verdict = BACKEND_LATER;
		return;
	}
	out->verdict = out->why ? BACKEND_DEPLOY : BACKEND_SAME;
}

void plan_backend_compare(const struct backend_input *in, struct plan *plan)
{
	struct plan_backend b = { .backend = in->backend, .target = in->target };

	judge(in, &plan->arena, &b);
	if (in->superseded && b.verdict != BACKEND_SAME) {
		b.verdict = BACKEND_LEFT;
		b.why = "a newer commit is deployed";
	}
	if (b.verdict == BACKEND_DEPLOY)
		step_list_push(&plan->steps,
			       (struct step){ .kind = STEP_BACKEND,
					      .phase = PHASE_BACKENDS,
					      .site = SIZE_MAX,
					      .backend = plan->backends.len });
	plan_backend_list_push(&plan->backends, b);
}
