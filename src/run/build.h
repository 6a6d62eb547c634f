/* build.h - a site's own command that makes what is uploaded. */
#ifndef RUN_BUILD_H
#define RUN_BUILD_H

#include "core/config.h"
#include "io/git.h"
#include "run/progress.h"

/* All is borrowed. */
struct build_options {
	struct repo *repo;
	const struct site *site; /* with a build command */
	const struct oid *head;  /* the work tree must be at it */
	char *const *env;        /* ours; what is secret in it is held back */
	const volatile int *cancelled;
	const struct progress *progress; /* may be NULL */
};

/* Runs the command with the shell, from the top of the work tree, without the variables that
 * carry credentials or speak to the runner, and shows what it prints. ERR_CONFIG: there is no
 * work tree, or it is at another commit. ERR_IO: the command failed. ERR_CANCELLED. */
int build_run(const struct build_options *options, struct error *err);

#endif
