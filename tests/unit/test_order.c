#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "core/order.h"

#define YES     ORDER_YES
#define NO      ORDER_NO
#define UNKNOWN ORDER_UNKNOWN_FACT

/* Whether the recorded commit is an ancestor of the head, and the other way round. */
#define HISTORY(recorded, head) \
	.recorded_is_ancestor = (recorded), .head_is_ancestor = (head)

static const char *const verdict_names[] = {
	[ORDER_SAME] = "same",   [ORDER_NEWER] = "newer",     [ORDER_OLDER] = "older",
	[ORDER_ASK_TIP] = "ask", [ORDER_UNKNOWN] = "unknown",
};

static const struct state_run run_4 = { "deploy.yml", 104, 4, 1 };
static const struct state_run run_5 = { "deploy.yml", 105, 5, 1 };
static const struct state_run run_5_again = { "deploy.yml", 105, 5, 2 };
static const struct state_run other_6 = { "other.yml", 106, 6, 1 };
static const struct state_run nameless = { NULL, 107, 7, 1 };
static const struct state_run numberless = { "deploy.yml", 0, 0, 0 };

struct named {
	const char *label;
	struct order_facts facts;
	enum order_verdict verdict;
	const char *why; /* how the phrase begins */
};

static const struct named cases[] = {
	{ "the same commit again",
	  { .same_commit = true, .run = &run_4, .recorded_run = &run_5 },
	  ORDER_SAME,
	  "the head is the recorded commit" },
	{ "a push on top",
	  { HISTORY(YES, NO), .before_is_recorded = true, .run = &run_5,
	    .recorded_run = &run_4 },
	  ORDER_NEWER,
	  "the recorded commit is an ancestor" },
	{ "several pushes, of which some were not deployed",
	  { HISTORY(YES, NO), .run = &run_5, .recorded_run = &run_4 },
	  ORDER_NEWER,
	  "the recorded commit is an ancestor" },
	{ "a push on top, without history",
	  { HISTORY(UNKNOWN, UNKNOWN), .before_is_recorded = true },
	  ORDER_NEWER,
	  "this push moved the branch away" },
	{ "a force push to an older commit",
	  { HISTORY(NO, YES), .before_is_recorded = true, .run = &run_5,
	    .recorded_run = &run_4 },
	  ORDER_NEWER,
	  "this push moved the branch away" },
	{ "a force push to another history",
	  { HISTORY(NO, NO), .before_is_recorded = true },
	  ORDER_NEWER,
	  "this push moved the branch away" },
	{ "an old job run again, after a newer one",
	  { HISTORY(NO, YES), .run = &run_4, .recorded_run = &run_5, .head_is_tip = NO,
	    .tip_was_asked = true },
	  ORDER_OLDER,
	  "the head is an ancestor" },
	{ "an old force push run again, without history",
	  { HISTORY(UNKNOWN, UNKNOWN), .before_is_recorded = true, .run = &run_4,
	    .recorded_run = &run_5 },
	  ORDER_OLDER,
	  "this run of the workflow is earlier" },
	{ "an older commit, by hand, which is the tip by now",
	  { HISTORY(NO, YES), .run = &run_5, .recorded_run = &run_4, .head_is_tip = YES,
	    .tip_was_asked = true },
	  ORDER_NEWER,
	  "the head is the tip" },
	{ "an older commit, by hand, which is no tip",
	  { HISTORY(NO, YES), .run = &run_5, .recorded_run = &run_4, .head_is_tip = NO,
	    .tip_was_asked = true },
	  ORDER_OLDER,
	  "the head is an ancestor" },
	{ "an older commit whose remote does not answer",
	  { HISTORY(NO, YES), .head_is_tip = UNKNOWN, .tip_was_asked = true },
	  ORDER_OLDER,
	  "the head is an ancestor" },
	{ "an older commit: is it the tip?", { HISTORY(NO, YES) }, ORDER_ASK_TIP, NULL },
	{ "a later run, without history",
	  { HISTORY(UNKNOWN, UNKNOWN), .run = &run_5, .recorded_run = &run_4 },
	  ORDER_NEWER,
	  "this run of the workflow is later" },
	{ "an earlier run, without history",
	  { HISTORY(UNKNOWN, UNKNOWN), .run = &run_4, .recorded_run = &run_5 },
	  ORDER_OLDER,
	  "this run of the workflow is earlier" },
	{ "the same run again says nothing",
	  { HISTORY(UNKNOWN, UNKNOWN), .run = &run_5_again, .recorded_run = &run_5 },
	  ORDER_ASK_TIP,
	  NULL },
	{ "runs of other workflows cannot be compared",
	  { HISTORY(UNKNOWN, UNKNOWN), .run = &other_6, .recorded_run = &run_5 },
	  ORDER_ASK_TIP,
	  NULL },
	{ "nor can runs without a workflow",
	  { HISTORY(UNKNOWN, UNKNOWN), .run = &nameless, .recorded_run = &nameless },
	  ORDER_ASK_TIP,
	  NULL },
	{ "nor can runs without a number",
	  { HISTORY(UNKNOWN, UNKNOWN), .run = &run_5, .recorded_run = &numberless },
	  ORDER_ASK_TIP,
	  NULL },
	{ "nor can our run without a number",
	  { HISTORY(UNKNOWN, UNKNOWN), .run = &numberless, .recorded_run = &run_5 },
	  ORDER_ASK_TIP,
	  NULL },
	{ "nor can a run with none",
	  { HISTORY(UNKNOWN, UNKNOWN), .run = &run_5 },
	  ORDER_ASK_TIP,
	  NULL },
	{ "another history that is the tip",
	  { HISTORY(NO, NO), .head_is_tip = YES, .tip_was_asked = true },
	  ORDER_NEWER,
	  "the head is the tip" },
	{ "another history that is no tip",
	  { HISTORY(NO, NO), .head_is_tip = NO, .tip_was_asked = true },
	  ORDER_UNKNOWN,
	  "neither history, event, run number nor the remote's branch tell" },
	{ "nothing known, and nobody to ask",
	  { HISTORY(UNKNOWN, UNKNOWN), .head_is_tip = UNKNOWN, .tip_was_asked = true },
	  ORDER_UNKNOWN,
	  "neither history, event, run number nor the remote's branch tell" },
};

static void test_order__named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *why = NULL;
		enum order_verdict verdict = order_decide(&cases[i].facts, &why);

		if (verdict != cases[i].verdict)
			fail_msg("%s: %s", cases[i].label, verdict_names[verdict]);
		if (cases[i].why && (!why || !str_starts(why, cases[i].why)))
			fail_msg("%s: %s", cases[i].label, why);
	}
}

enum { FACTS = 3 * 3 * 2 * 2 * 3 * 4 };

static const enum order_fact facts_of[] = { NO, YES, UNKNOWN };
static const struct state_run *const runs[][2] = {
	{ NULL, NULL }, { &run_4, &run_5 }, { &run_5, &run_4 }, { &run_5_again, &run_5 }
};

/* The nth of all that can be known. */
static struct order_facts nth(unsigned n)
{
	struct order_facts f = { .tip_was_asked = true };

	f.recorded_is_ancestor = facts_of[n % 3];
	n /= 3;
	f.head_is_ancestor = facts_of[n % 3];
	n /= 3;
	f.same_commit = n % 2;
	n /= 2;
	f.before_is_recorded = n % 2;
	n /= 2;
	f.head_is_tip = facts_of[n % 3];
	n /= 3;
	f.run = runs[n][0];
	f.recorded_run = runs[n][1];
	return f;
}

static bool is_earlier(const struct order_facts *f)
{
	return f->run == &run_4;
}

/* What may be said only when something allows it. */
static bool is_allowed(const struct order_facts *f, enum order_verdict verdict)
{
	bool later = f->run == &run_5;

	switch (verdict) {
	case ORDER_SAME:
		return f->same_commit;
	case ORDER_NEWER:
		return f->recorded_is_ancestor == YES || f->before_is_recorded || later ||
		       f->head_is_tip == YES;
	case ORDER_OLDER:
		return f->head_is_ancestor == YES || is_earlier(f);
	case ORDER_UNKNOWN:
		return f->recorded_is_ancestor != YES && f->head_is_ancestor != YES &&
		       !f->before_is_recorded && !later && !is_earlier(f) &&
		       f->head_is_tip != YES;
	case ORDER_ASK_TIP:
		break;
	}
	return false;
}

/* Nothing that is known is left unused, nothing is said without a reason, and asking the
 * remote decides only what was open. */
static void test_order__all_facts(void **state)
{
	(void)state;
	for (unsigned n = 0; n < FACTS; n++) {
		struct order_facts f = nth(n);
		const char *why = NULL;
		enum order_verdict asked = order_decide(&f, &why);
		enum order_verdict before;

		if (!is_allowed(&f, asked) || str_empty(why))
			fail_msg("%u: %s (%s)", n, verdict_names[asked], why);
		assert_int_equal(asked == ORDER_SAME, f.same_commit);
		if (f.recorded_is_ancestor == YES && !f.same_commit)
			assert_int_equal(asked, ORDER_NEWER);
		/* What the tip says is not asked where it would not count. */
		f.tip_was_asked = false;
		before = order_decide(&f, &why);
		if (before != ORDER_ASK_TIP)
			assert_int_equal(before, asked);
		f.head_is_tip = YES;
		f.tip_was_asked = true;
		assert_int_equal(order_decide(&f, &why),
				 before == ORDER_ASK_TIP ? ORDER_NEWER : before);
	}
}

/* An earlier run never goes over a later one but by history or the remote's word. */
static void test_order__earlier_runs(void **state)
{
	(void)state;
	for (unsigned n = 0; n < FACTS; n++) {
		struct order_facts f = nth(n);
		const char *why;

		if (is_earlier(&f) && !f.same_commit && f.recorded_is_ancestor != YES &&
		    f.head_is_tip != YES)
			assert_int_equal(order_decide(&f, &why), ORDER_OLDER);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order__named),
		cmocka_unit_test(test_order__all_facts),
		cmocka_unit_test(test_order__earlier_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
