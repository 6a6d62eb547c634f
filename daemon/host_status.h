/* host_status.h - telling the host what became of a commit: commit statuses, one row a kind
 * of host. Making the request is pure; sending is the caller's. */
#ifndef DAEMON_HOST_STATUS_H
#define DAEMON_HOST_STATUS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/secret.h"
#include "io/http.h"

struct host_status_kind; /* a row: github, gitlab, gitea, bitbucket-cloud, bitbucket-server, azure */

const struct host_status_kind *host_status_find(const char *name); /* NULL: no such */

struct host_status_settings {
	const struct host_status_kind *kind; /* NULL: nothing is reported */
	const char *
		api; /* "https://api.github.com"; NULL: the row's default, if it has one */
	const char *
		project; /* "owner/name"; GitLab's id or path; Azure's ORG/PROJECT/REPOSITORY */
	const char *user; /* NULL: a bearer token; else basic */
	struct secret token;
	const char *context; /* default "crc/SITE" */
};

/* Hosts that know no running are told pending. */
enum host_state { HOST_PENDING, HOST_RUNNING, HOST_SUCCESS, HOST_FAILURE, HOST_ERROR };

struct host_status {
	const char *site;
	const char *commit;
	enum host_state state;
	const char *description; /* for people; cut to what the host takes */
	const char *url;         /* of the deploy on our page; NULL: none */
};

enum { HOST_STATUS_HEADERS = 4 };

/* A status as a request. Strings are the arena's, the credentials are wiped on release. */
struct host_status_message {
	struct arena arena;
	struct secret authorization;
	struct http_header headers[HOST_STATUS_HEADERS];
	struct http_request req;
};

/* -1: ERR_CONFIG (a link is missing that the host insists on), ERR_USAGE (no such commit id).
 * Released by the caller either way; req points into *out, which must stay put. */
int host_status_request(const struct host_status_settings *s,
			const struct host_status *st, struct host_status_message *out,
			struct error *err);
void host_status_message_release(struct host_status_message *m);

/* Whether settings are enough for the row. ERR_CONFIG. */
int host_status_check(const struct host_status_settings *s, struct error *err);
/* Whether the host takes no status without a link: public-url must be configured. */
bool host_status_needs_url(const struct host_status_kind *k);

#endif
