/* progress.h - what a deploy tells while it runs. Any member may be NULL. */
#ifndef RUN_PROGRESS_H
#define RUN_PROGRESS_H

#include <stdint.h>

#include "core/outcome.h"
#include "core/plan.h"

struct progress {
	void *ctx;
	/* The plan is settled and about to be executed. */
	void (*planned)(void *ctx, const struct plan *plan);
	/* CloudFormation has said what it is about to do for a backend. */
	void (*resources)(void *ctx, const struct backend *backend,
			  const struct resource_list *changes);
	/* A step has ended. */
	void (*step)(void *ctx, const struct plan *plan, size_t step,
		     const struct step_outcome *outcome);
	/* So much of the objects' bytes and steps is done. */
	void (*sent)(void *ctx, int64_t bytes, int64_t bytes_total, size_t steps,
		     size_t steps_total);
	/* It waits for something; the text says for what and how long. */
	void (*waiting)(void *ctx, const char *text);
	/* A line that a command of the user's printed: raw, without its end. */
	void (*output)(void *ctx, const char *line);
};

#endif
