/* display.h - what a user sees while a deploy runs: text, a progress line on a terminal, or
 * JSON lines. */
#ifndef ACTION_DISPLAY_H
#define ACTION_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "action/options.h"
#include "base/clock.h"
#include "base/log.h"
#include "run/progress.h"

/* Text and JSON go to stdout, and what passes to stderr. With JSON there is nothing on stdout
 * but its lines. */
struct display {
	const struct clock *clock;
	bool json;
	bool quiet;
	bool dry_run; /* its outcome is the plan */
	bool color;
	bool progress_line; /* stderr is a terminal */
	bool line_is_open;
	size_t max_rows;      /* of a plan; 0: all */
	char waited_for[256]; /* what was said last, so that a log has it once */
	int64_t waited_ms;    /* when that was */
	bool has_told;        /* how far it is, at last_ms */
	int64_t last_ms;
	struct progress progress; /* hand this to deploy_run */
	struct log log;
};

/* Asks the environment, and whether stdout and stderr are terminals. */
void display_init(struct display *d, const struct options *o, const char *const *env);
/* Ends the progress line, if one is open. */
void display_end_line(struct display *d);
/* Writes text or JSON to stdout; -1: ERR_IO (a full disk, a closed pipe). */
int display_print(const struct buf *text, struct error *err);

#endif
