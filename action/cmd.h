/* cmd.h - the commands. Each returns the process's exit status. */
#ifndef ACTION_CMD_H
#define ACTION_CMD_H

#include "action/github.h"
#include "action/options.h"

struct cmd_context {
	const struct options *options;
	const struct github *github;
	const char *const *env;
	const volatile int *cancelled; /* set by TERM and INT */
};

int cmd_deploy(const struct cmd_context *c);
int cmd_status(const struct cmd_context *c);

/* Prints an error for people, and as an annotation on a runner, to stderr; gives the exit
 * status. */
int cmd_fail(const struct cmd_context *c, const struct error *err);
/* The same for what has no outcome to report: with --json the result line too. */
int cmd_give_up(const struct cmd_context *c, const struct error *err);

#endif
