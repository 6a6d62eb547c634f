/* event.h - what made this run start: GitHub's event payload and the runner's variables, as
 * plain data.
 *
 * docs.github.com/webhooks, "push"; docs.github.com/actions, "Events that trigger
 * workflows". A payload is only a hint: what is deployed is read from the repository. */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "core/snapshot.h"
#include "core/state.h"

/* The runner's variables; any may be NULL. */
struct event_runner {
	const char *event_name;
	const char *ref;
	const char *sha;
	const char *workflow;
	const char *run_id;
	const char *run_number;
	const char *run_attempt;
};

struct event {
	struct arena arena; /* owns all strings */
	const char *name;   /* "push"; "" when not known */
	const char *ref;
	struct oid before; /* of a push; zero: there was none, or it is no push */
	struct oid after;
	bool deleted; /* by a push: the branch or tag is gone */
	bool forced;
	bool is_fork; /* a pull request not known to be from the same repository */
	struct state_run run;
};

/* -1: ERR_DATA when the payload is not a JSON object. Members that are absent or of another
 * type are as if they were not there. */
int event_parse(struct event *e, const char *text, size_t n,
		const struct event_runner *runner, struct error *err);
void event_release(struct event *e);

/* True for an event by which nothing may be deployed: a deleted branch or tag, a pull request
 * (its code is a proposal, and with pull_request_target it would run with our secrets), a
 * merge queue's commit (which may never be merged). *why says it. */
bool event_deploys_nothing(const struct event *e, const char **why);

#endif
