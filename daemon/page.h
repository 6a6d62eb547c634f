/* page.h - the status page: what is configured, what runs, what went live, and what failed. It only
 * tells: nothing on it changes anything.
 *
 *   /                     all sites
 *   /deploys/ID           one deploy, with its log as it grows
 *   /page.css, /page.js   its own assets; there are no others
 *   /status.json          what / shows
 *   /deploys/ID/log.json?from=N   the log from a byte on */
#ifndef DAEMON_PAGE_H
#define DAEMON_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/queue.h"
#include "daemon/request.h"
#include "daemon/settings.h"

struct page {
	const struct settings *settings;
	struct queue *queue;
	int64_t now_ms;
};

/* True when the path is one of the page's, and *a the answer (404 for a deploy that is not
 * known). */
bool page_answer(const struct page *p, const struct request *r, struct answer *a);

#endif
