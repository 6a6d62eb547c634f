/* execute.h - walks a plan: does what each step says, in order, and writes down what came of
 * it. Decides nothing that the plan has decided.
 *
 * Under each site's claim, which is renewed while the work goes on; no request starts that
 * could outlive it. A failure stops the walk: claims are given up, journals stay, and the
 * next run finishes. When a backend fails nothing of a site was touched, and the journals are
 * as they were. */
#ifndef RUN_EXECUTE_H
#define RUN_EXECUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/client.h"
#include "core/outcome.h"
#include "run/claim.h"
#include "run/progress.h"
#include "run/source.h"
#include "run/watch.h"

/* What a site needs beside its plan; same index as in plan.sites. */
struct execute_site {
	const struct source *source;
	struct claim_read *read; /* what was found; its lists are borrowed */
	struct state_run run;
	int64_t now_s; /* when the deploy is said to have happened */
};

struct execute_options {
	struct aws *aws;
	struct execute_site *sites;
	const struct progress *progress;
	unsigned concurrency;
	bool wait; /* until invalidations are completed */
	int64_t wait_timeout_s;
	/* Both are needed when the plan has backends. */
	/* Deploys plan.backends[i]; what came of it goes into the outcome. ERR_CONDITION: the
	 * plan does not hold for it any more. */
	int (*deploy_backend)(void *ctx, size_t i, const struct watch *watch,
			      struct outcome *o, struct error *err);
	/* Asked after each: whether what the plan was made with is another now. */
	bool (*outputs_moved)(void *ctx);
	bool is_staged; /* more is planned once the backends have deployed: until then nothing
			 * of a site is sent */
	void *ctx;
};

/* Executes o->plan. 0: all is done. -1: ERR_CONDITION before anything of a site was touched
 * (another deploy was faster, or a stack puts out other values now: read and plan again),
 * ERR_PARTIAL when a later run has to finish (journalled), or what went wrong when nothing was
 * touched. *touched tells which. */
int execute(const struct execute_options *options, struct outcome *o, bool *touched,
	    struct error *err);

#endif
