/* report.h - telling others what becomes of a deploy: the host, by commit statuses, and
 * whoever is configured, by an outgoing webhook.
 *
 * A report that cannot be delivered is tried a few times and then let go: it never decides
 * over a deploy. */
#ifndef DAEMON_REPORT_H
#define DAEMON_REPORT_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/host_status.h"
#include "daemon/metrics.h"
#include "daemon/queue.h"
#include "daemon/settings.h"
#include "io/http.h"

/* All borrowed. */
struct report {
	const struct settings *settings;
	struct metrics *metrics;
	const struct clock *clock;
	const struct log *log;
	struct http *http;
	/* Not 0: the daemon is to end, and what fails is not tried again. May be NULL. */
	const atomic_int *stopping;
};

/* Sends both, where they are configured; takes REPORT_TRIES tries of REPORT_TIMEOUT_MS at
 * most, each. commit: "" when none is known yet; then there is no status. */
enum { REPORT_TRIES = 3, REPORT_TIMEOUT_MS = 10000 };
void report_send(const struct report *x, const struct site *site, const struct job *job,
		 const char *commit, enum host_state state, const char *message);

#endif
