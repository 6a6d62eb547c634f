/* report_private.h - what the kinds of report share. */
#ifndef CORE_REPORT_PRIVATE_H
#define CORE_REPORT_PRIVATE_H

#include "core/report.h"

/* "s3://bucket/prefix", or "(no bucket yet)". */
void report_place(struct buf *out, const struct plan_site *s);
/* The first ten digits of a commit. */
void report_commit(struct buf *out, const struct oid *id);
/* "3 paths, nothing unchanged is evicted" */
void report_invalidation(struct buf *out, const struct step *s);
/* "1 added, 7 unchanged" */
void report_counts(struct buf *out, const struct plan_site *s);
/* "stack resume-counter", "function mailer" */
void report_target(struct buf *out, const struct backend *backend, const char *target);
/* What is done about a backend: "create", "unchanged", ... */
const char *report_backend_verdict(const struct plan_backend *b);
/* What a change does, in the reader's word; REPLACE is loud, since it may lose data. */
const char *report_action(const struct resource_change *change);
/* "updated (3 resources)" */
void report_backend_end(struct buf *out, const struct backend_outcome *b);
/* What is done about a site without changes. */
const char *report_verdict(enum site_verdict verdict);
/* What a step does to its path, in the reader's words: "upload", "headers", ... */
const char *report_verb(const struct step *s);
/* And why; never "headers" again. */
const char *report_why(const struct step *s);
/* A sentence about how it ended, with its line's end. */
void report_sentence(struct buf *out, const struct outcome *o);

#endif
