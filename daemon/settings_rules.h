/* settings_rules.h - what the single values of daemon.yml may look like.
 *
 * settings_bad_X: NULL when the text will do as X, else what is wrong with it, to be read
 * behind the setting's name. Static. */
#ifndef DAEMON_SETTINGS_RULES_H
#define DAEMON_SETTINGS_RULES_H

#include <stdbool.h>
#include <stdint.h>

const char *settings_bad_name(const char *text);    /* a site's */
const char *settings_bad_address(const char *text); /* "127.0.0.1:8700", "[::1]:8700" */
const char *settings_bad_network(const char *text); /* "10.0.0.0/8", "::1/128", "::1" */
const char *settings_bad_repository(const char *text);
const char *settings_bad_branch(const char *text);
const char *settings_bad_url(const char *text);        /* http or https, no user */
const char *settings_bad_public_url(const char *text); /* the same, no query either */
const char *settings_bad_text(const char *text); /* empty, too long, control characters */
const char *settings_bad_user(const char *text); /* of HTTP's Basic: no ':' */
const char *settings_bad_command(const char *text);  /* may have several lines */
const char *settings_bad_argument(const char *text); /* of crc-action */
const char *settings_bad_variable(const char *name); /* of crc-action's environment */
const char *settings_bad_host_key(const char *text);
const char *settings_bad_queue(const char *text);
const char *settings_bad_secret(const char *text); /* where one is found */

enum settings_transport {
	TRANSPORT_PATH,
	TRANSPORT_HTTPS,
	TRANSPORT_HTTP, /* to this machine or to another */
	TRANSPORT_SSH,
	TRANSPORT_GIT
};
/* Of a repository that settings_bad_repository() accepts. */
enum settings_transport settings_transport(const char *repository);

/* Begins as the tokens of some host or cloud do. */
bool settings_looks_secret(const char *text);

/* Numbers with units. -1: not like that, or out of all bounds. */
int64_t settings_size(const char *text); /* "0", "25M", "4096": bytes */
int64_t settings_duration_ms(
	const char *text);               /* "0", "250ms", "10s", "5m", "12h", "7d" */
int64_t settings_rate(const char *text); /* "0", "120/min", "2/s": a minute's */

#endif
