/* report.h - plans and outcomes as text for people, JSON lines for programs, and Markdown for
 * a job's summary. Pure: all go into buffers.
 *
 * File names and commit messages are hostile: whatever comes from a repository is escaped for
 * the place it is printed in. */
#ifndef CORE_REPORT_H
#define CORE_REPORT_H

#include <stdbool.h>

#include "base/buf.h"
#include "core/outcome.h"

/* Appends a name for a terminal or a log: control characters, bytes that are not UTF-8 and
 * characters that change the direction of text become \xNN; so do the first ones of "::" at
 * the start and of "##[" anywhere, which the GitHub runner would take for a command. */
void report_name(struct buf *out, const char *name);

struct report_style {
	bool color;
	size_t max_rows; /* of changes a site, and of paths an invalidation; 0: all */
};

void report_plan_text(const struct plan *p, const struct report_style *style,
		      struct buf *out);
/* How much of what it would do, and whether it would be refused: in one line. */
void report_plan_line(const struct plan *p, struct buf *out);
/* What CloudFormation is about to do to a backend's stack. */
void report_resources_text(const struct backend *backend,
			   const struct resource_list *changes,
			   const struct report_style *style, struct buf *out);
/* One line or a few: what was done, or why not; and the notes that came up meanwhile. */
void report_outcome_text(const struct outcome *o, const struct report_style *style,
			 struct buf *out);

/* One JSON line each, with "v": 1 and "type"; docs/json.md tells programs about them. */

/* A plan of more than max_bytes (0: no limit) goes without its last steps, notes and changes of
 * resources, and says how many there were. */
void report_plan_json(const struct plan *p, size_t max_bytes, struct buf *out);
void report_step_json(const struct plan *p, size_t step,
		      const struct step_outcome *outcome, struct buf *out);

/* How far a deploy is, or what it waits for. */
struct report_progress {
	int64_t bytes, bytes_total;
	size_t steps, steps_total;
	const char *waiting; /* NULL: it works */
};

void report_progress_json(const struct report_progress *p, struct buf *out);
void report_resources_json(const struct backend *backend,
			   const struct resource_list *changes, struct buf *out);
void report_result_json(const struct outcome *o, struct buf *out);

/* The patterns of all invalidations that were accepted (planned, in a dry run) as a JSON
 * array. Returns how many were left out for max_bytes. */
size_t report_patterns_json(const struct outcome *o, size_t max_bytes, struct buf *out);

/* The outputs of all stacks, as a JSON object: {"backend": {"Output": "value"}}. Returns how
 * many were left out for max_bytes. */
size_t report_outputs_json(const struct outcome *o, size_t max_bytes, struct buf *out);

/* GitHub's job summary; cut at a size that the runner accepts. compare_url is what a pair
 * of commits ("a...b") is appended to; NULL: no links. */
void report_summary(const struct outcome *o, const char *compare_url, struct buf *out);

/* 1,234,567 bytes as "1.2 MB". */
void report_size(struct buf *out, int64_t bytes);

#endif
