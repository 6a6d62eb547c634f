/* cloud.h - the engine, the credentials and the client, put together for a command. */
#ifndef ACTION_CLOUD_H
#define ACTION_CLOUD_H

#include <stdbool.h>

#include "action/options.h"
#include "aws/client.h"
#include "aws/creds.h"
#include "base/log.h"
#include "io/http.h"

struct cloud_options {
	const char *const *env;
	const struct log *log;
	const char *region; /* NULL: as the environment and the profile have it */
	const char *role_to_assume;
	bool no_metadata;
	bool mask; /* print masks for keys that are fetched */
	bool json; /* and not to stdout, which is for JSON alone */
	const volatile int *cancelled;
};

struct cloud {
	struct cloud_options options; /* credentials refer to them */
	struct http *http;
	struct aws_creds *creds;
	struct aws *aws;
};

/* Whether credentials are configured anywhere but in instance metadata. */
bool cloud_is_configured(const struct cloud_options *options);
/* Fetches credentials. c must stay where it is until it is released, also after a failure. */
int cloud_open(struct cloud *c, const struct cloud_options *options, struct error *err);
void cloud_release(struct cloud *c);

#endif
