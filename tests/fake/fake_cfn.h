/* fake_cfn.h - a CloudFormation with one stack in it, behind a fake_http, for tests of what
 * talks to it. Each look at the events of a running operation lets the next step happen. */
#ifndef FAKE_CFN_H
#define FAKE_CFN_H

#include "base/arena.h"
#include "fake/fake_http.h"

#define FAKE_CFN_NAME "resume"
#define FAKE_CFN_TYPE "AWS::CloudFormation::Stack"

struct fake_step {
	const char *name; /* NULL: the stack itself */
	const char *type;
	const char *status;
	const char *reason; /* NULL: none */
};

/* What befalls the next requests of one action. */
struct fake_cfn_fault {
	const char *action;
	int times;         /* left; -1: for ever */
	int skip;          /* so many go well before */
	int status;        /* 0: no answer comes */
	bool takes_effect; /* with status 0: the request has got through */
	const char *code;
	const char *message;
};

VEC_DEFINE(fake_cfn_faults, struct fake_cfn_fault);
VEC_DEFINE(fake_steps, struct fake_step);

struct fake_cfn {
	struct fake_http *http;
	struct arena arena;
	struct fake_cfn_faults faults;
	/* the stack */
	bool exists;
	const char *status;
	const char *reason;
	const char *id;
	const char *updated;       /* when; NULL: never */
	const char *updated_later; /* once our set is made; NULL: the same */
	int generation;
	const char *parameters; /* XML */
	const char *tags;
	const char *capabilities;
	const char *outputs;
	int busy_looks;     /* after so many the status becomes `rests` */
	const char *rests;  /* NULL: the stack is gone then */
	int stale_looks;    /* after an execution so many still see UPDATE_COMPLETE */
	int shell_looks;    /* after an execution so many still see REVIEW_IN_PROGRESS */
	const char *unsaid; /* the status after all steps, which no event tells */
	/* its events, the oldest first */
	struct fake_steps events;
	size_t per_page; /* 0: all */
	/* the change set */
	bool has_set;
	char set[64];
	bool creates;
	const char *execution;
	int set_looks; /* before it is made */
	const char *set_status;
	const char *set_reason;
	const char *findings; /* XML, of DescribeEvents */
	const char *changes;  /* XML, of each page */
	const char *changes_2;
	const char *other_set; /* somebody else's, in the same stack */
	const char
		*overtaken; /* the stack's status once our set is deleted; NULL: same */
	/* what an execution does */
	const struct fake_step *steps;
	size_t n_steps;
	size_t at;
	bool running;
	int shell_stays; /* a shell is seen to be deleted so often */
	/* what a deletion ends in; NULL: it is gone */
	const char *deleted;
	/* how often what took effect */
	int made, executed, set_deleted, stack_deleted;
};

void fake_cfn_init(struct fake_cfn *c, struct fake_http *http);
void fake_cfn_release(struct fake_cfn *c);
/* Returned for changes, until the next call. status 0: no answer. */
struct fake_cfn_fault *fake_cfn_fail(struct fake_cfn *c, const char *action, int times,
				     int status, const char *code, const char *message);
/* How many requests of an action came. */
size_t fake_cfn_count(const struct fake_cfn *c, const char *action);
/* The body of the nth request (from 0) of an action; NULL: there is none. */
const char *fake_cfn_body(const struct fake_cfn *c, const char *action, size_t nth);

#endif
