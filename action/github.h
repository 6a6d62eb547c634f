/* github.h - what the GitHub runner gives a step and wants from it: file commands for outputs
 * and the summary, and workflow commands for annotations and masks.
 * docs.github.com/actions, "Workflow commands" */
#ifndef ACTION_GITHUB_H
#define ACTION_GITHUB_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "core/outcome.h"

struct github {
	bool is_runner;          /* GITHUB_ACTIONS=true */
	const char *output_file; /* NULL: none; borrowed from the environment */
	const char *summary_file;
	const char *event_file;
	const char *event_name;
	const char *sha;
	const char *ref;
	const char *workflow;
	const char *run_id;
	const char *run_number;
	const char *run_attempt;
	const char *token;
	const char *server;     /* https://github.com: what the token is for */
	const char *repository; /* OWNER/NAME */
	bool debug;             /* RUNNER_DEBUG=1 */
};

void github_init(struct github *g, const char *const *env);

/* "::error::..." with data escaped, so that no text can end the command or start one. */
void github_annotation(struct buf *out, const char *level, const char *title,
		       const char *text);
/* "::add-mask::..." */
void github_mask(struct buf *out, const char *secret);

/* Appends an annotation for each warning, of its execution first, as many as the runner shows. */
void github_warnings(struct buf *out, const struct outcome *o);

/* Appends what the output file has to get for one output: the value between random
 * delimiters that it does not hold. -1: no randomness. */
int github_output(struct buf *out, const char *name, const char *value,
		  struct error *err);

/* Writes all outputs and the summary of a run to the files that the runner has named. */
int github_report(const struct github *g, const struct outcome *o, const char *site_url,
		  struct error *err);

#endif
