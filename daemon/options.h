/* options.h - the command line of crc-daemon: one table drives parsing and --help. */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

#define OPTIONS_CONFIG "/etc/crc/daemon.yml"

enum { OPTIONS_WORDS_MOST = 2 };

/* Strings are borrowed from argv. */
struct options {
	const char *command; /* "serve", "redeploy", ... */
	const char *config;
	const char *site;   /* of a command; NULL: not given */
	const char *commit; /* NULL: not given */
	int64_t last;       /* how many jobs are listed */
	bool check_config;
	bool json;
	bool help;
	bool version;
};

/* -1: ERR_USAGE, naming the option or the command and the nearest known one. */
int options_parse(struct options *o, int argc, char **argv, struct error *err);
void options_help(struct buf *out);

#endif
