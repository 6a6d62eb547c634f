#include "core/order.h"

#include "base/str.h"

/* -1, 0, 1 as the runs are ordered; 0 also when they cannot be compared. */
static int compare_runs(const struct state_run *ours, const struct state_run *recorded)
{
	if (!ours || !recorded || !ours->workflow || !recorded->workflow ||
	    !str_eq(ours->workflow, recorded->workflow) || !ours->number ||
	    !recorded->number)
		return 0;
	return ours->number < recorded->number ? -1 : ours->number > recorded->number;
}

static enum order_verdict by_tip(const struct order_facts *f,
				 enum order_verdict otherwise, const char *why_otherwise,
				 const char **why)
{
	if (!f->tip_was_asked)
		return ORDER_ASK_TIP;
	if (f->head_is_tip == ORDER_YES) {
		*why = "the head is the tip of the branch at the remote";
		return ORDER_NEWER;
	}
	*why = why_otherwise;
	return otherwise;
}

enum order_verdict order_decide(const struct order_facts *f, const char **why)
{
	int runs = compare_runs(f->run, f->recorded_run);

	if (f->same_commit) {
		*why = "the head is the recorded commit";
		return ORDER_SAME;
	}
	if (f->recorded_is_ancestor == ORDER_YES) {
		*why = "the recorded commit is an ancestor of the head";
		return ORDER_NEWER;
	}
	/* A re-run of an old push names the same "before" as it did then; its run number
	 * gives it away. */
	if (f->before_is_recorded && runs >= 0) {
		*why = "this push moved the branch away from the recorded commit";
		return ORDER_NEWER;
	}
	if (f->head_is_ancestor == ORDER_YES)
		return by_tip(f, ORDER_OLDER,
			      "the head is an ancestor of the recorded commit", why);
	if (runs != 0) {
		*why = runs > 0
			       ? "this run of the workflow is later than the recorded one"
			       : "this run of the workflow is earlier than the recorded one";
		return runs > 0 ? ORDER_NEWER : ORDER_OLDER;
	}
	return by_tip(f, ORDER_UNKNOWN,
		      "neither history, event, run number nor the remote's branch tell",
		      why);
}
