/* plan_site.h - the parts that plan.c puts together: what is to be done about each site's
 * objects, and how it is settled. Used by plan.c and plan_invalidate.c alone. */
#ifndef CORE_PLAN_SITE_H
#define CORE_PLAN_SITE_H

#include "core/plan.h"

/* What edges may hold of a path that is stale. */
enum stale_kind {
	STALE_ANYTHING, /* an object, or that there is none */
	STALE_CHANGED,  /* an object that is still there, with other bytes or headers */
	STALE_ADDED     /* that there is none */
};

/* A path that edges may hold an old version of. */
struct stale_path {
	const char *path;
	enum stale_kind kind;
};

VEC_DEFINE(stale_list, struct stale_path);

/* A site while its share of the plan is worked out. */
struct site_work {
	const struct site_input *in;
	size_t index; /* in plan.sites */
	struct stale_list stale;
	bool state_changed; /* the state differs though no object does */
};

void site_work_release(struct site_work *w);

/* Appends the site, and the steps (in no particular order) and notes about its objects. */
void plan_site_compare(const struct plan_options *options, const struct site_input *in,
		       struct plan *plan, struct site_work *out);

/* Settles the verdict once all else is planned: claims and commits, or records. */
void plan_site_conclude(const struct plan_options *options, const struct site_work *w,
			struct plan *plan);

#endif
