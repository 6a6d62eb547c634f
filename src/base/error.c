#include "base/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int exit_status;
} codes[ERR_CODES] = {
	[ERR_NONE] = { "none", 0 },
	[ERR_USAGE] = { "usage", 2 },
	[ERR_CONFIG] = { "config", 2 },
	[ERR_CREDENTIALS] = { "credentials", 3 },
	[ERR_FORBIDDEN] = { "forbidden", 3 },
	[ERR_NOT_FOUND] = { "not-found", 1 },
	[ERR_EXISTS] = { "exists", 1 },
	[ERR_CONDITION] = { "condition", 1 },
	[ERR_CONFLICT] = { "conflict", 1 },
	[ERR_THROTTLED] = { "throttled", 1 },
	[ERR_NETWORK] = { "network", 1 },
	[ERR_TIMEOUT] = { "timeout", 1 },
	[ERR_SERVICE] = { "service", 1 },
	[ERR_IO] = { "io", 1 },
	[ERR_DATA] = { "data", 1 },
	[ERR_TOO_BIG] = { "too-big", 1 },
	[ERR_UNSUPPORTED] = { "unsupported", 1 },
	[ERR_LOCKED] = { "locked", 5 },
	[ERR_ORDER] = { "order", 5 },
	[ERR_LIMIT] = { "limit", 5 },
	[ERR_CANCELLED] = { "cancelled", 4 },
	[ERR_PARTIAL] = { "partial", 4 },
};

int error_set(struct error *err, enum error_code code, const char *fmt, ...)
{
	va_list args;

	assert(code > ERR_NONE && code < ERR_CODES);
	error_clear(err);
	err->code = code;
	va_start(args, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, args);
	va_end(args);
	return -1;
}

int error_wrap(struct error *err, const char *fmt, ...)
{
	char old[ERROR_MSG_MAX];
	size_t used;
	va_list args;
	int n;

	memcpy(old, err->msg, sizeof(old));
	va_start(args, fmt);
	n = vsnprintf(err->msg, sizeof(err->msg), fmt, args);
	va_end(args);
	used = n < 0 ? 0 : (size_t)n;
	if (used + 2 < sizeof(err->msg))
		snprintf(err->msg + used, sizeof(err->msg) - used, ": %.*s",
			 (int)(sizeof(err->msg) - used - 3), old);
	return -1;
}

void error_clear(struct error *err)
{
	memset(err, 0, sizeof(*err));
}

const char *error_code_name(enum error_code code)
{
	return code < ERR_CODES ? codes[code].name : "unknown";
}

int error_exit_status(enum error_code code)
{
	return code < ERR_CODES ? codes[code].exit_status : 1;
}
