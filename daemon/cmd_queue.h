/* cmd_queue.h - acting on the queue from the command line. Each returns the exit status, and
 * tells people on stdout and stderr. */
#ifndef DAEMON_CMD_QUEUE_H
#define DAEMON_CMD_QUEUE_H

#include "base/clock.h"
#include "base/error.h"
#include "daemon/options.h"

int cmd_list(const struct options *o, const struct clock *clock);
int cmd_redeploy(const struct options *o, const struct clock *clock);
int cmd_rollback(const struct options *o, const struct clock *clock);
int cmd_retry(const struct options *o, const struct clock *clock);

/* "crc-daemon: MESSAGE" on stderr; gives the exit status. */
int cmd_fail(const struct error *err);

#endif
