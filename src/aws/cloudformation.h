/* cloudformation.h - stacks, change sets and their events (API 2010-05-15). Knows requests
 * and replies, not plans.
 *
 * X_request functions fill a request that aws_send or aws_send_all sends; X_decode reads the
 * answer into plain data, whose strings live in an arena that the caller gives. */
#ifndef AWS_CLOUDFORMATION_H
#define AWS_CLOUDFORMATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aws/client.h"
#include "base/str.h"

enum { CFN_TEMPLATE_BYTES_MOST = 51200 }; /* in a request; a larger one goes by S3 */

struct cfn_pair {
	const char *key;
	const char *value;
};

VEC_DEFINE(cfn_pairs, struct cfn_pair);

struct cfn_stack {
	const char *id;
	const char *name;
	const char *status; /* "UPDATE_COMPLETE" */
	const char *reason; /* "" when none is given */
	const char *
		updated; /* when its last update began, as written; "": it has had none */
	struct cfn_pairs outputs;
	struct cfn_pairs parameters;
	struct cfn_pairs tags;
	struct str_list capabilities;
};

void cfn_stack_release(struct cfn_stack *s);

/* name is a stack's name or id. */
void cfn_stack_request(struct aws_request *req, const char *name);
int cfn_stack_decode(const struct http_response *res, struct arena *arena,
		     struct cfn_stack *out, struct error *err);
/* True for the error by which CloudFormation says that there is no such stack: it has no
 * code of its own, only a message. */
bool cfn_stack_is_absent(const struct error *err);

/* The template as it was sent, before transforms. */
void cfn_template_request(struct aws_request *req, const char *stack);
/* And after them: JSON if there were any. */
void cfn_processed_template_request(struct aws_request *req, const char *stack);
/* In the arena. */
int cfn_template_decode(const struct http_response *res, struct arena *arena,
			const char **out, struct error *err);

/* What a change set is made of. All is borrowed. */
struct cfn_change_set {
	const char *stack;
	const char *name;
	const char *token;         /* the same for a retry; NULL: never sent twice */
	bool create;               /* the stack does not exist */
	const char *template_body; /* one of the two */
	const char *template_url;
	const struct cfn_pair *parameters; /* value NULL: the previous one */
	size_t n_parameters;
	const struct cfn_pair *tags;
	size_t n_tags;
	const char *const *capabilities;
	size_t n_capabilities;
};

void cfn_change_set_create_request(struct aws_request *req,
				   const struct cfn_change_set *set);
/* The ids of the set and of its stack, in the arena. */
int cfn_change_set_create_decode(const struct http_response *res, struct arena *arena,
				 const char **id, const char **stack_id,
				 struct error *err);

struct cfn_change {
	const char *action; /* "Add", "Modify", "Remove", "Import", "Dynamic" */
	const char *logical_id;
	const char *physical_id; /* "" for what is not there yet */
	const char *type;
	const char *replacement; /* "True", "False", "Conditional", or "" */
};

VEC_DEFINE(cfn_changes, struct cfn_change);

struct cfn_change_set_status {
	const char *status; /* "CREATE_COMPLETE", "FAILED", ... */
	const char *reason;
	const char *execution; /* "AVAILABLE", ... */
	struct cfn_changes changes;
	const char *next; /* the next page's token, or NULL */
};

void cfn_change_set_status_release(struct cfn_change_set_status *s);

/* Says which stack's set is meant by a request that was given a set's name, not its id. */
void cfn_change_set_of(struct aws_request *req, const char *stack);

/* next: NULL, or the token of a page. */
void cfn_change_set_describe_request(struct aws_request *req, const char *id,
				     const char *next);
/* Appends to out->changes. */
int cfn_change_set_describe_decode(const struct http_response *res, struct arena *arena,
				   struct cfn_change_set_status *out, struct error *err);
/* True when the set failed because there is nothing to change. */
bool cfn_change_set_is_empty(const struct cfn_change_set_status *s);

/* What was found wrong with a set that failed, where its reason only says that something was. */
struct cfn_finding {
	const char *logical_id; /* "" for the template as a whole */
	const char *reason;
	const char *path; /* within the template; "" when not said */
};

VEC_DEFINE(cfn_findings, struct cfn_finding);

void cfn_findings_request(struct aws_request *req, const char *id);
/* Appends to *out. */
int cfn_findings_decode(const struct http_response *res, struct arena *arena,
			struct cfn_findings *out, struct error *err);

/* Rollback is asked for in so many words: the API's default is not what its name says.
 * token as in cfn_change_set: letters, digits and '-'. */
void cfn_change_set_execute_request(struct aws_request *req, const char *id,
				    const char *token);
void cfn_change_set_delete_request(struct aws_request *req, const char *id);
void cfn_stack_delete_request(struct aws_request *req, const char *stack);

/* The names of a stack's change sets that were not executed and may be, or be in the making,
 * in the arena; a page is enough to know of others. */
void cfn_change_sets_request(struct aws_request *req, const char *stack);
int cfn_change_sets_decode(const struct http_response *res, struct arena *arena,
			   struct str_list *names, struct error *err);

struct cfn_resource {
	const char *logical_id;
	const char *physical_id; /* "" for what is not there yet */
	const char *type;
};

VEC_DEFINE(cfn_resources, struct cfn_resource);

/* A page at a time. */
void cfn_resources_request(struct aws_request *req, const char *stack, const char *next);
/* Appends to *out; *next is the next page's token, or NULL. */
int cfn_resources_decode(const struct http_response *res, struct arena *arena,
			 struct cfn_resources *out, const char **next, struct error *err);

struct cfn_event {
	const char *id;
	const char *logical_id;
	const char *physical_id;
	const char *type;
	const char *status;
	const char *reason;
	const char *time; /* as written: ISO 8601 */
};

VEC_DEFINE(cfn_events, struct cfn_event);

/* The newest first, a page at a time. */
void cfn_events_request(struct aws_request *req, const char *stack, const char *next);
/* Appends to *out; *next is the next page's token, or NULL. */
int cfn_events_decode(const struct http_response *res, struct arena *arena,
		      struct cfn_events *out, const char **next, struct error *err);

/* What a stack's status means for whoever wants to change it. */
enum cfn_state {
	CFN_STEADY, /* it can be updated */
	CFN_BUSY,   /* something is under way: wait */
	CFN_SHELL,  /* REVIEW_IN_PROGRESS: a change set was made and never executed */
	CFN_DEAD_CREATE, /* ROLLBACK_COMPLETE and the like: delete it first */
	CFN_STUCK,       /* a rollback failed, or was not wanted: a person has to look */
	CFN_GONE         /* DELETE_COMPLETE, which is seen by the stack's id only */
};

enum cfn_state cfn_state_of(const char *status);
/* Whether the status says that the last thing that was wanted has been done. */
bool cfn_is_success(const char *status);

#endif
