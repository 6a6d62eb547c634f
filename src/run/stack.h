/* stack.h - bringing a CloudFormation stack to what a template says: change set, execution,
 * events, and what went wrong first. */
#ifndef RUN_STACK_H
#define RUN_STACK_H

#include <stdbool.h>

#include "aws/cloudformation.h"
#include "base/arena.h"
#include "core/outcome.h"
#include "core/template.h"
#include "run/watch.h"

/* A stack as somebody has seen it. */
struct stack_seen {
	const char *id; /* NULL: it was not there, or a shell */
	const char *updated;
};

/* All is borrowed. */
struct stack_options {
	const struct watch *watch;
	const char *name;
	/* It is deployed only if nobody has made or changed it since; NULL: whatever it is. */
	const struct stack_seen *only_if;
	bool recreate; /* delete a stack that can only be deleted, and make it anew */
	int64_t busy_timeout_s; /* how long to wait while somebody else changes it */
	int64_t timeout_s;      /* how long its own change may take */
	/* Called once the change set is known and before it is executed; again if somebody
	 * else's change came between. May be NULL. */
	void (*changes)(void *ctx, const struct resource_list *changes);
	void *ctx;
};

struct stack_wish {
	const char *text; /* the template; NULL: at url */
	const char *url;
	const struct cfn_pair *parameters; /* those that are configured */
	size_t n_parameters;
	const struct template_parameters *declared; /* of the template */
	const char *const *capabilities;            /* none: CAPABILITY_IAM */
	size_t n_capabilities;
};

struct stack_result {
	bool created;
	bool changed; /* false: CloudFormation found nothing to do */
	bool goes_on; /* also told when it failed: the update was left to itself */
	struct cfn_stack stack; /* as it is now; strings in the arena */
	struct str_list notes;  /* what people should know; strings in the arena */
};

#define STACK_RESULT_INIT        \
	{                        \
		.created = false \
	}

void stack_result_release(struct stack_result *r);

/* Waits while somebody changes the stack, then makes a change set, shows it, executes it and
 * follows the events. Parameters that are not configured keep their values; so do tags, and
 * capabilities if none are wished for. An empty change set is success and is deleted. Failing:
 * the first resource that failed by itself is named with its reason; ERR_CONDITION: only_if says
 * no; ERR_CONFIG for a template,
 * parameter or capability that is refused; ERR_LIMIT for a stack in a dead end, with what to
 * do; ERR_LOCKED: somebody else changes it for too long; ERR_TIMEOUT; ERR_CANCELLED (an update
 * that has begun goes on by itself, and the next run waits for it). Whatever was made and not
 * executed is deleted again. */
int stack_deploy(const struct stack_options *options, const struct stack_wish *wish,
		 struct arena *arena, struct stack_result *out, struct error *err);

/* The changes that a change set would make; the set is deleted again, and so is the shell of a
 * stack that did not exist. *changes gets strings of the arena; released by the caller. */
int stack_preview(const struct stack_options *options, const struct stack_wish *wish,
		  struct arena *arena, struct resource_list *changes, struct error *err);

/* Where a piece of code is, and what Lambda must say of it. */
struct stack_code {
	const char *bucket;
	const char *key;
	const char *sha256; /* base64; "": not known */
};

/* All is borrowed. */
struct stack_check {
	const struct watch *watch;
	const char *stack;
	const struct stack_code *codes;
	size_t n;
	bool repair;
	int64_t timeout_s; /* of one function's repair */
};

/* Strings are in the arena that was given. */
struct stack_drift {
	struct str_list functions; /* whose code differed; with repair: no longer */
	struct str_list notes; /* what people should know: what could not be compared */
};

void stack_drift_release(struct stack_drift *d);

/* Compares what each function of the stack runs with what its template says, and puts it
 * right where somebody changed it behind CloudFormation's back (which never notices). A
 * function that may not be read is a note; one that is gone, or that cannot be put right, an
 * error. */
int stack_check_code(const struct stack_check *check, struct arena *arena,
		     struct stack_drift *out, struct error *err);

#endif
