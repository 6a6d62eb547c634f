/* store.h - the queue that the settings name, opened. */
#ifndef DAEMON_STORE_H
#define DAEMON_STORE_H

#include "base/log.h"
#include "daemon/queue.h"
#include "daemon/settings.h"

/* A file's folder is made. The owner is this machine, this process, and something random. The
 * caller frees *out. */
int store_open(const struct settings *s, const struct log *log, struct queue **out,
	       struct error *err);

#endif
