/* verify.h - the last word is the world's: fetch what was deployed from where visitors do. */
#ifndef RUN_VERIFY_H
#define RUN_VERIFY_H

#include <stdint.h>

#include "core/outcome.h"
#include "io/http.h"
#include "run/progress.h"
#include "run/source.h"

enum { VERIFY_PATHS_MOST = 200 };

/* All is borrowed. */
struct verify_options {
	struct http *http;
	const struct clock *clock;
	const struct progress *progress;     /* may be NULL */
	const struct source *const *sources; /* one a site of the plan */
	int64_t timeout_s;
};

/* Fetches the paths whose bytes the plan's steps have changed from their site's url until
 * they serve the commit's bytes; of a large change the first VERIFY_PATHS_MOST, with a note
 * in the outcome. ERR_CONFIG: a site has no url. ERR_TIMEOUT: a path still serves something
 * else; the message names it and says what it serves. */
int verify(const struct verify_options *options, struct outcome *o, struct error *err);

/* ERR_CONFIG when a site of the plan has no url to verify with. */
int verify_check(const struct config *config, const char *only_site, struct error *err);

#endif
