/* error.h - what went wrong, carried by value in the caller's own struct.
 *
 * Every function that can fail takes a struct error as its last parameter (never NULL),
 * returns 0 or -1, and leaves the error untouched on success. The place that detects a
 * failure sets it; callers only prepend what they were doing. Callers branch on the code
 * and never on the message. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

enum error_code {
	ERR_NONE = 0,
	ERR_USAGE,       /* the command line */
	ERR_CONFIG,      /* crc.yml, or settings that contradict each other */
	ERR_CREDENTIALS, /* none found, or not accepted */
	ERR_FORBIDDEN,   /* known to the service, but not allowed to do this */
	ERR_NOT_FOUND,
	ERR_EXISTS,
	ERR_CONDITION, /* a conditional request did not hold: 412, 304 */
	ERR_CONFLICT,  /* 409: another operation is under way */
	ERR_THROTTLED,
	ERR_NETWORK, /* no answer, or not a whole one */
	ERR_TIMEOUT,
	ERR_SERVICE,     /* any other error that a service answers */
	ERR_IO,          /* files, processes */
	ERR_DATA,        /* malformed bytes from outside: state, payloads, templates */
	ERR_TOO_BIG,     /* over a cap of ours */
	ERR_UNSUPPORTED, /* understood, and not something crc does */
	ERR_LOCKED,      /* another deploy holds the site for too long */
	ERR_ORDER,       /* older, or not known to be newer, than what is deployed */
	ERR_LIMIT,       /* a safety limit of the plan */
	ERR_CANCELLED,   /* told to stop by a signal */
	ERR_PARTIAL,     /* some of the work is done; run again to finish */
	ERR_CODES
};

enum { ERROR_MSG_MAX = 1024, ERROR_SERVICE_CODE_MAX = 64 };

struct error {
	enum error_code code;
	int http_status; /* 0: no answer was had */
	bool retryable;  /* the same request may succeed later */
	char service_code
		[ERROR_SERVICE_CODE_MAX]; /* "NoSuchKey"; "" when there is none */
	char msg[ERROR_MSG_MAX];
};

#define ERROR_INIT               \
	{                        \
		.code = ERR_NONE \
	}

/* Sets the code and the message and clears all else. Returns -1, so that failing is one
 * line: return error_set(err, ERR_IO, "open %s: %s", path, strerror(errno)). */
int error_set(struct error *err, enum error_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Prepends "CONTEXT: " to the message, keeping code and flags. Returns -1. */
int error_wrap(struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

void error_clear(struct error *err);

/* "credentials", "network": a stable word for programs (JSON output). */
const char *error_code_name(enum error_code code);

/* The process exit status that stands for the code: 1 failed, 2 usage or configuration,
 * 3 credentials or permission, 4 partly done, 5 refused. */
int error_exit_status(enum error_code code);

#endif
