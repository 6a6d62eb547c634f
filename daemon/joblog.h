/* joblog.h - what a deploy says while it runs: STATE/logs/ID.jsonl, one JSON object a line.
 *
 *   {"at":1764000000000,"event":{"v":1,"type":"step",...}}    a line of crc-action's --json, or of job's own
 *   {"at":1764000000000,"line":"npm WARN ...","stream":"err"} anything else that was printed
 *   {"at":1764000000000,"attempt":2}                          an attempt begins
 *
 * Job's own events are {"v":1,"type":"phase","phase":"fetch"|"checkout"|"build"|"deploy"} and
 * {"v":1,"type":"commit","commit":HEX,"summary":...,"author":...}. An event of more than JOBLOG_EVENT_MOST
 * bytes (a plan of many files) becomes {"v":1,"type":TYPE,"left_out":BYTES}. Text is what the
 * build printed, and hostile. */
#ifndef DAEMON_JOBLOG_H
#define DAEMON_JOBLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct joblog;

enum { JOBLOG_LINE_MOST = 8000, JOBLOG_EVENT_MOST = (1 << 20) - 1024 };

/* Appends to the log of a job. Over most bytes, one line says that the rest is left out; a
 * result is written still. */
int joblog_open(const char *state, int64_t id, int64_t most, struct joblog **out,
		struct error *err);
void joblog_free(struct joblog *l); /* NULL-safe */
void joblog_attempt(struct joblog *l, int64_t now_ms, int attempt);
/* line: raw, of either stream; a JSON object with "v" and "type" on stdout becomes an event. A log
 * that cannot be written loses lines, and says nothing: the deploy goes on. */
void joblog_line(struct joblog *l, int64_t now_ms, bool is_stderr, const char *line,
		 size_t len);
/* Appends whole lines from *offset on, at most most bytes, and moves *offset behind them. A line of more
 * than most bytes is passed over; what is not yet a whole line waits for the next call.
 * ERR_NOT_FOUND. */
int joblog_read(const char *state, int64_t id, int64_t *offset, size_t most,
		struct buf *out, struct error *err);
/* Removes logs that nothing was written to since before_ms (wall clock). */
int joblog_prune(const char *state, int64_t before_ms, struct error *err);

#include "base/mem.h"
MEM_DEFINE_FREEP(joblog)

#endif
