/* log.h - lines for people who look for a fault.
 *
 * Library code logs at debug only: what matters to a user is an error, a note of the plan,
 * or progress. Secrets never get here: struct secret has no printing function. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log {
	enum log_level level; /* the most talkative level that is passed on */
	/* Gets one line without its end; control characters are replaced. NULL: silent. */
	void (*sink)(void *ctx, enum log_level level, const char *line);
	void *ctx;
};

/* log may be NULL: nothing is logged. Lines are cut at 2,000 bytes. */
void log_write(const struct log *log, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_debug(log, ...) log_write((log), LOG_DEBUG, __VA_ARGS__)

#endif
