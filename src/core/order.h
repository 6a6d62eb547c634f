/* order.h - is the head newer than what is deployed?
 *
 * Pure: who asks has gathered what git, the event and the remote tell. An older commit must
 * never overwrite a newer one, and a newer one must never be refused for long. */
#ifndef CORE_ORDER_H
#define CORE_ORDER_H

#include <stdbool.h>

#include "core/snapshot.h"
#include "core/state.h"

enum order_fact { ORDER_NO = 0, ORDER_YES = 1, ORDER_UNKNOWN_FACT = -1 };

/* What is known about the head against one recorded commit. */
struct order_facts {
	enum order_fact recorded_is_ancestor; /* of the head */
	enum order_fact head_is_ancestor;     /* of the recorded commit */
	bool same_commit;
	bool before_is_recorded;     /* the push event moved the branch from it */
	const struct state_run *run; /* ours; NULL or without workflow: none */
	const struct state_run *recorded_run;
	enum order_fact head_is_tip; /* of the branch at the remote */
	bool tip_was_asked;          /* else the verdict may be ORDER_ASK_TIP */
};

enum order_verdict {
	ORDER_SAME,
	ORDER_NEWER,
	ORDER_OLDER,
	ORDER_ASK_TIP, /* ask the remote, then decide again */
	ORDER_UNKNOWN
};

/* *why gets a phrase for people ("the deployed commit is an ancestor of the head"). */
enum order_verdict order_decide(const struct order_facts *facts, const char **why);

#endif
