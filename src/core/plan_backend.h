/* plan_backend.h - whether a backend is what the commit holds. Used by plan.c alone. */
#ifndef CORE_PLAN_BACKEND_H
#define CORE_PLAN_BACKEND_H

#include "core/plan.h"

/* Appends the backend, and its step if it has to deploy. */
void plan_backend_compare(const struct backend_input *in, struct plan *plan);

/* Whether two templates are the same to CloudFormation: line ends, and blanks at the end of
 * the text, may have changed on the way there and back. */
bool plan_same_template(const char *a, const char *b);

#endif
