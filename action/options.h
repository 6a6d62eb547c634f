/* options.h - the command line and the action's inputs: one table drives parsing, --help,
 * environment names, and the test that action.yml agrees.
 *
 * A value comes from the command line, else from INPUT_NAME (hyphens as underscores, which
 * action.yml sets; white space around it does not count, and an empty one is none), else it
 * is the default. */
#ifndef ACTION_OPTIONS_H
#define ACTION_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

struct options {
	struct arena arena;
	const char *command; /* "deploy", "status" */
	/* Strings are borrowed from argv and the environment, or the arena's; NULL: not
	 * given. "" takes away what a configuration file says. */
	const char *config;
	const char *repo;
	const char *head;
	const char *base;
	const char *name;
	const char *site_path;
	const char *bucket;
	const char *prefix;
	const char *backend_path;
	const char *template_file;
	const char *stack_name;
	const char *function_name;
	const char *distribution_id;
	const char *url;
	const char *source;
	const char *site;
	const char *backend;
	const char *region;
	const char *role_to_assume;
	const char *color; /* "auto", "always", "never" */
	bool dry_run;
	bool offline;
	bool wait;
	bool verify;
	bool audit;
	bool allow_rollback;
	bool change_set;
	bool recreate_stack;
	bool json;
	bool quiet;
	bool verbose;
	bool help;
	bool version;
	bool print_inputs;
	int64_t max_delete; /* -1: the default */
	int64_t max_paths;
	int64_t concurrency;
	int64_t lock_timeout_s;
};

/* env: NAME=VALUE..., NULL-terminated. -1: ERR_USAGE, naming the option or the input and the
 * nearest known one; json is as it was asked for. Released either way. */
int options_parse(struct options *o, int argc, char **argv, const char *const *env,
		  struct error *err);

void options_release(struct options *o);

void options_help(struct buf *out);

/* The value of a variable of the environment; NULL: not set. */
const char *options_env(const char *const *env, const char *name);

/* The inputs that action.yml has and their defaults, "name<TAB>default" a line: what
 * --print-inputs shows, for the test that they agree. */
void options_inputs(struct buf *out);

#endif
