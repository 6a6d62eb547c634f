/* stack_private.h - what the parts of stack share. */
#ifndef RUN_STACK_PRIVATE_H
#define RUN_STACK_PRIVATE_H

#include "run/poll.h"
#include "run/stack.h"

enum { STACK_SET_SIZE = 4 + 32 + 1 };

/* One deploy of a stack. */
struct stack_job {
	const struct stack_options *options;
	const struct stack_wish *wish;
	bool is_preview; /* nothing that is there may be changed */
	struct arena *arena;
	struct str_list *notes;

	/* As last read */
	struct arena seen;
	struct cfn_stack stack; /* in seen */
	bool exists;

	/* Of the change set that is being worked on */
	bool create;
	char set[STACK_SET_SIZE]; /* its name, and the token of its requests */
	const char *stack_id;     /* NULL: not told */
	bool has_set;             /* it may exist, and nobody has executed it */
	bool has_shell;           /* the stack may exist for its sake alone */
	bool throttled;           /* what had to be begun again was so for that */
	bool goes_on;             /* it was executed, and not followed to its end */
};

/* ---- stack_state.c ---- */

/* The error says that the stack, or the set that was asked for, is not there. */
bool stack_is_missing(const struct error *err);
/* Reads the stack; by its id if that is not NULL. */
int stack_look(struct stack_job *j, const char *id, struct poll *p,
	       enum poll_patience patience, struct error *err);
/* -1: ERR_CONDITION, the stack as last read is not what options.only_if says. */
int stack_check_seen(const struct stack_job *j, struct error *err);
/* Reads it until nobody changes it. It then is absent, a shell, or can be updated; whatever
 * else it is, is an error, or was deleted. ERR_CONDITION: it is not as it was seen. */
int stack_settle(struct stack_job *j, struct error *err);

/* ---- stack_set.c ---- */

/* Each answers 1; or 0: the stack was changed by somebody else meanwhile, and all is to be
 * begun again. */
int stack_set_make(struct stack_job *j, struct cfn_change_set_status *out,
		   struct error *err);
int stack_set_execute(struct stack_job *j, struct error *err);

/* ---- stack_drop.c ---- */

/* Deletes a set that was not executed, and the shell that was made for it, unless somebody
 * else's set is in it. Soon done, or failed; also after the run was cancelled. */
int stack_set_drop(struct stack_job *j, struct error *err);

/* ---- stack_wish.c ---- */

/* What the set is to be made of; strings and lists are borrowed from the job and its wish,
 * or in *lists. */
struct stack_set_lists {
	struct cfn_pairs parameters;
	struct cfn_pairs tags;
	struct str_list capabilities;
};

void stack_set_lists_release(struct stack_set_lists *lists);
int stack_set_fill(struct stack_job *j, struct stack_set_lists *lists,
		   struct cfn_change_set *out, struct error *err);

/* ---- stack_events.c ---- */

struct stack_resource {
	const char *name;
	const char *status;
	int64_t since_ms; /* monotonic: when we heard of it */
};

VEC_DEFINE(stack_resources, struct stack_resource);

/* What has happened to a stack since some event. */
struct stack_trace {
	struct arena arena;
	const char *stack_id; /* borrowed */
	const char *newest;   /* the newest event that is known; NULL: none */
	bool begun;           /* the stack itself has changed its state */
	bool ended;           /* and come to rest, as far as the events go */
	bool rolls_back;
	const char *failure; /* what failed first: "Name (Type): reason"; NULL: nothing */
	struct stack_resources resources;
};

void stack_trace_release(struct stack_trace *t);
/* Everything up to now is known. */
int stack_trace_mark(struct stack_trace *t, struct poll *p, struct error *err);
/* Reads what is new. */
int stack_trace_read(struct stack_trace *t, struct poll *p, struct error *err);

/* ---- stack_follow.c ---- */

/* Follows the execution of a set with so many changes to its end. */
int stack_follow(struct stack_job *j, struct stack_trace *t, size_t n_changes,
		 struct error *err);

#endif
