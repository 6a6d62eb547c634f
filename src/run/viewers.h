/* viewers.h - a distribution's settings, as CloudFront tells them, in the domain's words. */
#ifndef RUN_VIEWERS_H
#define RUN_VIEWERS_H

#include "aws/client.h"
#include "aws/cloudfront.h"
#include "core/config.h"
#include "core/plan.h"
#include "core/viewer.h"

struct viewers_options {
	struct aws *aws;
	const struct site *site;
	const char *bucket;
	struct arena *arena;     /* what the viewer borrows besides the distribution */
	struct note_list *notes; /* what could not be known */
};

/* Fills *out, which borrows from d. Asks for cache policies that are not managed ones; one
 * that may not be read counts as having query strings, with a note. */
void viewers_from_distribution(const struct viewers_options *options,
			       const struct cf_distribution *d, struct viewer *out);

#endif
