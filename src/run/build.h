/* build.h - a site's or a backend's own command that makes what is deployed. */
#ifndef RUN_BUILD_H
#define RUN_BUILD_H

#include "base/error.h"
#include "core/snapshot.h"
#include "io/git.h"
#include "run/progress.h"

/* All is borrowed. */
struct build_options {
	struct repo *repo;
	const char *what;       /* for messages: "site resume" */
	const char *command;    /* for the shell */
	const struct oid *head; /* the work tree must be at it */
	char *const *env;       /* ours; what is secret in it is held back */
	const volatile int *cancelled;
	const struct progress *progress; /* may be NULL */
};

/* Runs the command with the shell, from the top of the work tree, without the variables that
 * carry credentials or speak to the runner, and shows what it prints. ERR_CONFIG: there is no
 * work tree, or it is at another commit. ERR_IO: the command failed. ERR_CANCELLED. */
int build_run(const struct build_options *options, struct error *err);

#endif
