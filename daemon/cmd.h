/* cmd.h - the commands besides serving. Each returns the exit status, and tells people on
 * stdout and stderr. */
#ifndef DAEMON_CMD_H
#define DAEMON_CMD_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "daemon/options.h"

/* --check-config: reads the file and its secrets, and says what is wrong or doubtful. */
int cmd_check(const struct options *o);

/* On the queue (cmd_queue.c). */
int cmd_list(const struct options *o, const struct clock *clock);
int cmd_redeploy(const struct options *o, const struct clock *clock);
int cmd_rollback(const struct options *o, const struct clock *clock);
int cmd_retry(const struct options *o, const struct clock *clock);

/* "crc-daemon: MESSAGE" on stderr; gives the exit status. */
int cmd_fail(const struct error *err);
/* Writes text to stdout. -1: ERR_IO (a full disk, a closed pipe), ERR_TOO_BIG. */
int cmd_print(const struct buf *text, struct error *err);

#endif
