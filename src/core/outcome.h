/* outcome.h - what each step of a plan did: the input of every report. */
#ifndef CORE_OUTCOME_H
#define CORE_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "core/plan.h"

enum step_status {
	STATUS_PENDING,
	STATUS_DONE,
	STATUS_LEFT, /* a delete that was not done: somebody else's object is there */
	STATUS_FAILED
};

struct step_outcome {
	enum step_status status;
	int64_t bytes;            /* of a put */
	const char *etag;         /* of a put or copy, as the store answered */
	const char *invalidation; /* the id that CloudFront gave */
	bool completed;           /* an invalidation that was waited for */
	const char *error;        /* STATUS_FAILED */
};

enum backend_status {
	BACKEND_PENDING,   /* not begun, or not in need of it */
	BACKEND_CREATED,   /* the stack */
	BACKEND_UPDATED,   /* the stack, or the function's code or alias */
	BACKEND_CONFIRMED, /* AWS was asked and found nothing to do */
	BACKEND_FAILED
};

struct stack_output {
	const char *name;
	const char *value;
};

VEC_DEFINE(stack_output_list, struct stack_output);

/* What became of a backend, whichever plan it was part of. */
struct backend_outcome {
	const struct backend *backend;
	const char *target;
	enum backend_status status;
	struct resource_list changes;     /* that CloudFormation made, or began */
	struct stack_output_list outputs; /* as they are now */
	size_t repaired;                  /* functions whose code somebody had changed */
	const char *version;              /* that the alias points to, or NULL */
	int64_t duration_ms;
	const char *error;
	bool goes_on; /* FAILED: what was begun at AWS does, by itself */
};

VEC_DEFINE(backend_outcome_list, struct backend_outcome);

enum verdict {
	VERDICT_PLANNED, /* a dry run */
	VERDICT_DONE,
	VERDICT_NOTHING,    /* nothing to do */
	VERDICT_SUPERSEDED, /* a newer commit is deployed */
	VERDICT_UNVERIFIED, /* all is done, and the site was not seen to serve it */
	VERDICT_REFUSED,
	VERDICT_PARTIAL, /* some of it is done, and journalled */
	VERDICT_FAILED
};

struct outcome {
	struct arena arena;
	struct plan plan;
	struct step_outcome *steps; /* one for each step of the plan; in the arena */
	struct backend_outcome_list backends; /* strings in the arena */
	enum verdict verdict;
	struct error error;        /* of REFUSED, PARTIAL and FAILED */
	const char *superseded_by; /* the commit, hex */
	const char *superseded_why;
	bool superseded_is_begun; /* its deploy did not end (yet) */
	const char *nothing_why;  /* NOTHING: why; NULL: the commit is deployed */
	struct note_list
		notes; /* that came up while plans were executed; strings in the arena */
	int64_t duration_ms;
};

void outcome_release(struct outcome *o);
/* Forgets the plan and what became of its steps: another is about to be made. What backends
 * have done, and the notes, stay. */
void outcome_forget_plan(struct outcome *o);
/* The entry of a backend, which is made if there is none; borrowed until the next is. */
struct backend_outcome *outcome_backend(struct outcome *o, const struct backend *backend);
/* Makes room for the plan's steps, whose execution begins. */
void outcome_begin(struct outcome *o);
/* Adds what came up while the plan is executed. Path may be NULL; both are copied. */
void outcome_note(struct outcome *o, enum note_kind kind, size_t site, const char *path,
		  const char *text);

/* "planned", "done", ... */
const char *verdict_name(enum verdict v);

/* "created", "updated", ... */
const char *backend_status_name(enum backend_status status);

struct outcome_totals {
	size_t backends; /* created or updated */
	size_t uploaded;
	size_t copied; /* got other headers */
	size_t deleted;
	size_t patterns; /* invalidation paths that were accepted */
	int64_t bytes;
};

/* Of the steps that are done; of all that are planned when nothing was to be executed. */
struct outcome_totals outcome_count(const struct outcome *o);
/* Whether a step counts for that. */
bool outcome_counts(const struct outcome *o, size_t step);
/* Whether anything that viewers could see was changed, or would be. */
bool outcome_changed(const struct outcome_totals *t);

#endif
