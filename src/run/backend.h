/* backend.h - one backend of a deploy: what the commit holds of it, what is live, and bringing
 * the one to the other. */
#ifndef RUN_BACKEND_H
#define RUN_BACKEND_H

#include <stdbool.h>

#include "aws/client.h"
#include "aws/cloudformation.h"
#include "aws/lambda.h"
#include "core/outcome.h"
#include "run/code.h"
#include "run/package.h"
#include "run/watch.h"

/* All is borrowed and must outlive the backend. */
struct backend_options {
	struct repo *repo;
	const struct oid *commit;
	const char *config_file; /* for messages; may be NULL */
	enum source_kind source;
	bool dry_run;  /* nothing is run or written */
	bool audit;    /* what functions run is compared too */
	bool recreate; /* a stack that can only be deleted is */
	int64_t busy_timeout_s;
	struct aws *aws; /* NULL: offline */
	char *const *env;
	const volatile int *cancelled;
	const struct progress *progress; /* may be NULL */
};

struct backend_work {
	const struct backend_options *options;
	const struct backend *backend;
	bool wanted;        /* it is deployed; else only its outputs are asked for */
	bool is_place;      /* its outputs say where a site goes */
	bool leads_to_site; /* they do, or those of stacks that take them */
	bool only_as_read; /* no claim keeps others away: what is there must be what was read */
	struct arena arena;
	struct package package; /* of a template */
	bool has_package;
	struct code code; /* of a function */
	bool has_code;
	struct buf zip;     /* of a function; empty: not made */
	const char *sha256; /* of it, base64; NULL: not made */
	bool deployed;      /* in this run: what it puts out now is all */
	/* What one reading found */
	bool hidden; /* what it puts out will not do, and is as if it were not known */
	struct arena read_arena;
	int64_t asked_ms; /* when it was so, by AWS's clock (http_response_asked_ms) */
	bool exists;
	bool is_busy;
	struct cfn_stack stack;
	const char *live_text;
	struct lambda_function function; /* what runs: with an alias, its version */
	struct lambda_function latest;   /* what would be published, and its settings */
	struct buf text;                 /* the template as it would be sent */
	const char *artifacts;           /* the bucket; NULL: not known */
	const char *account;
	struct backend_parameter *parameters;
	struct str_list drifted;
	struct str_list left_sets; /* of a deploy that died */
};

/* Runs its build command (but in a dry run), and reads and checks its template. */
int backend_open(struct backend_work *b, const struct backend_options *options,
		 const struct backend *backend, bool wanted, struct error *err);
void backend_release(struct backend_work *b);
void backend_forget_reading(struct backend_work *b);

/* The stack or function that it is deployed to. */
const char *backend_target(const struct backend_work *b);

/* The requests that tell what is live, side by side with others: one, or two. */
enum { BACKEND_CALLS_MOST = 2 };
size_t backend_n_calls(const struct backend_work *b);
void backend_calls(const struct backend_work *b, struct aws_call *calls);
/* Takes as many answers, in the place of earlier ones. ERR_NOT_FOUND: no such function. */
int backend_take(struct backend_work *b, struct aws_call *calls, struct error *err);
/* The value of an output of the stack, or NULL; borrowed until the next reading. */
const char *backend_output(const struct backend_work *b, const char *name);

/* The same for many: fills the requests of all and returns how many they are (at most
 * BACKEND_CALLS_MOST each); takes their answers and moves *calls behind them; finds the output
 * that v names. */
size_t backends_calls(const struct backend_work *works, size_t n, struct aws_call *calls);
int backends_take(struct backend_work *works, size_t n, struct aws_call **calls,
		  struct error *err);
const char *backends_output(const struct backend_work *works, size_t n,
			    const struct value *v);

/* Works out what has to be compared, once all outputs that are known are in the
 * configuration. *waits_for: the backend whose output must come first, or NULL. */
int backend_prepare(struct backend_work *b, const char **waits_for, struct error *err);
/* Finds the functions of a stack that run other code than its template says. */
int backend_audit(struct backend_work *b, struct error *err);
/* Finds the change sets that a deploy which died has left: they could be executed still. */
int backend_find_left_sets(struct backend_work *b, struct error *err);
/* Everything for the plan; borrowed from b. Offline, base may be NULL. */
int backend_describe(struct backend_work *b, const struct oid *base,
		     const char *waits_for, struct backend_input *out, struct error *err);

/* Writes the stack's outputs, as last read, into the outcome. */
void backend_keep_outputs(const struct backend_work *b, struct outcome *o);

/* What a change set would do, shown in the plan and forgotten by AWS. */
int backend_preview(struct backend_work *b, struct plan_backend *out, struct arena *arena,
		    struct error *err);
/* Deploys it and writes into the outcome what came of that. ERR_CONDITION: it is not as it was
 * read (only_as_read), or a claim was lost: read and plan again. */
int backend_deploy(struct backend_work *b, const struct watch *watch, struct outcome *o,
		   struct error *err);

#endif
