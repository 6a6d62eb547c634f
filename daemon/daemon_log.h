/* daemon_log.h - the daemon's log: one line an event on stderr, as JSON or as text.
 *
 *   {"time":"2026-11-28T17:30:37.123Z","level":"info","message":"site a: ...","site":"a"}
 *   2026-11-28T17:30:37.123Z info site a: ...
 *
 * A message may begin with "site NAME: ", "job ID: " (or "job ID of NAME: ") and "delivery ID: ", in
 * any order; in JSON these are members too, so that a log can be asked for them. What came from outside cannot
 * end a line or hide a part of it. Any thread. */
#ifndef DAEMON_DAEMON_LOG_H
#define DAEMON_DAEMON_LOG_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

struct daemon_log {
	struct log log; /* hand this to others */
	const struct clock *clock;
	atomic_bool json;
	int fd;
};

/* l must stay where it is. Text to stderr until daemon_log_format() says otherwise. */
void daemon_log_init(struct daemon_log *l, const struct clock *clock);
void daemon_log_format(struct daemon_log *l, bool json);

/* One line with its end. */
void daemon_log_line(struct buf *out, bool json, int64_t wall_ms, enum log_level level,
		     const char *message);
/* Appends text for a terminal: what is not UTF-8, control characters, and what turns the
 * direction of writing become '?'. */
void daemon_log_clean(struct buf *out, const char *text);
/* Appends "2026-11-28T17:30:37.123Z". */
void daemon_log_time(struct buf *out, int64_t wall_ms);

#endif
