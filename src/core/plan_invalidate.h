/* plan_invalidate.h - what the edges are told to forget. Used by plan.c alone.
 *
 * The budget is the deploy's: sites and distributions share its paths, and the sites on one
 * distribution the wildcards that this may have in progress. */
#ifndef CORE_PLAN_INVALIDATE_H
#define CORE_PLAN_INVALIDATE_H

#include "core/plan_site.h"

/* Appends the invalidations of all sites. */
void plan_invalidate(const struct plan_options *options, const struct site_work *works,
		     size_t n_works, struct plan *plan);

#endif
