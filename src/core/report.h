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
 * characters that change the direction of text become \xNN; a leading ':' or "##[" cannot
 * start a workflow command because names never start a line. */
void report_name(struct buf *out, const char *name);

struct report_style {
	bool color;
	size_t max_rows; /* of paths a site; 0: all */
};

void report_plan_text(const struct plan *p, const struct report_style *style,
		      struct buf *out);
/* One line or a few: what was done, or why not. */
void report_outcome_text(const struct outcome *o, const struct report_style *style,
			 struct buf *out);

/* One JSON line each, with "v": 1 and "type". */
void report_plan_json(const struct plan *p, struct buf *out);
void report_step_json(const struct plan *p, size_t step,
		      const struct step_outcome *outcome, struct buf *out);
void report_result_json(const struct outcome *o, struct buf *out);

/* The patterns of all invalidations as a JSON array. */
void report_patterns_json(const struct plan *p, struct buf *out);

/* GitHub's job summary; cut at a size that the runner accepts. */
void report_summary(const struct outcome *o, struct buf *out);

/* 1,234,567 bytes as "1.2 MB". */
void report_size(struct buf *out, int64_t bytes);

#endif
