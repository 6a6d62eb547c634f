/* report_private.h - what the kinds of report share. */
#ifndef CORE_REPORT_PRIVATE_H
#define CORE_REPORT_PRIVATE_H

#include "core/report.h"

/* "s3://bucket/prefix", or "(no bucket yet)". */
void report_place(struct buf *out, const struct plan_site *s);
/* The first ten digits of a commit. */
void report_commit(struct buf *out, const struct oid *id);
/* A sentence about what is invalidated and what that costs. */
void report_invalidation(struct buf *out, const struct step *s);
/* "3 uploaded, 1 deleted, ..." of what is done, or of the plan. */
void report_totals(struct buf *out, const struct outcome *o, bool planned);

#endif
