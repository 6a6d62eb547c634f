/* plan_site.h - one site's share of a plan. Used by plan.c alone. */
#ifndef CORE_PLAN_SITE_H
#define CORE_PLAN_SITE_H

#include "core/plan.h"

/* Appends the site and its steps (in no particular order) and notes to the plan. */
void plan_site_build(const struct plan_options *options, const struct site_input *in,
		     struct plan *plan);

#endif
