/* process.h - running other programs: no shell unless argv names one, an environment that
 * is spelled out, a deadline, and nothing left behind.
 *
 * A child gets /dev/null to read from, no descriptor of ours but its output, default
 * signals, and a process group of its own. Whatever of that group is alive when the child
 * has ended or run out of time is killed. */
#ifndef IO_PROCESS_H
#define IO_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum process_stream { PROCESS_STDOUT, PROCESS_STDERR };

/* All pointers are borrowed. */
struct process {
	/* Ends in NULL. argv[0] without a slash is looked for on the PATH of env. */
	const char *const *argv;
	char *const *env;              /* "NAME=value", ends in NULL; NULL: none at all */
	const char *folder;            /* where it runs; NULL: where we are */
	int64_t timeout_ms;            /* <= 0: none */
	const volatile int *cancelled; /* may be NULL; set by a signal handler */
	/* May be NULL. Asked often while it runs, on the caller's thread; true stops it. */
	bool (*stop)(void *ctx);
	/* What it prints is appended here; what passes a buffer's maximum is dropped and
	 * leaves that buffer overflowed. NULL: goes to line, else nowhere. */
	struct buf *out;
	struct buf *errors;
	/* May be NULL. Gets each line without its end, raw but NUL-terminated; lines over
	 * line_most bytes come in pieces. */
	void (*line)(void *ctx, enum process_stream stream, const char *line, size_t len);
	void *ctx;
	size_t line_most; /* 0: 8,000 */
	int64_t grace_ms; /* between TERM and KILL; 0: 5 s */
	bool guarded;     /* its group is killed when we are, be it by SIGKILL */
	int *ended_by;    /* may be NULL; gets the signal that ended it, 0: none did */
};

/* Runs the program to its end. 0 when it exits with 0, else -1: ERR_NOT_FOUND (no such
 * program), ERR_TIMEOUT, ERR_CANCELLED, ERR_IO (any other exit status, or a signal; the
 * message has the last line that went to stderr, when errors is set). exit_status may be
 * NULL; it is set to 0..255 when the program ended by itself, else to -1. */
int process_run(const struct process *p, int *exit_status, struct error *err);

/* A copy of an environment without the variables that the patterns name: "HOME", or "AWS_*"
 * for all that begin so. Both lists end in NULL. Free with process_env_free(). */
char **process_env_without(char *const *env, const char *const *patterns);
/* Adds or replaces one variable; returns the list, which may have moved. */
char **process_env_set(char **env, const char *name, const char *value);
void process_env_free(char **env); /* NULL-safe */
/* The value of a variable of a list; NULL: not there. Borrowed. */
const char *process_env_get(char *const *env, const char *name);

/* What a command of the user's must not see: credentials, the job's tokens, and our own
 * settings. For process_env_without(). */
extern const char *const process_env_private[];

#endif
