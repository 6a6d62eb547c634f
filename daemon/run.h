/* run.h - the daemon's life: start, work, read the settings anew, end in good order.
 *
 *   SIGHUP        reads the file; if it is wrong, what was before stays, and the log says why
 *   SIGTERM, INT  no more deliveries and no new deploys; running ones get a minute; a second
 *                 signal gives them none, and a third ends the process there and then
 *
 * systemd is told (notify.h); its watchdog is fed while the worker's threads come by and the queue's
 * writer answers. */
#ifndef DAEMON_RUN_H
#define DAEMON_RUN_H

#include "daemon/options.h"

/* Returns the exit status. For a process that has one thread. */
int run_daemon(const struct options *o);

#endif
