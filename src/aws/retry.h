/* retry.h - whether to send a request again, and after how long: a pure function of what
 * happened. docs/aws.md, "Retries". */
#ifndef AWS_RETRY_H
#define AWS_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum {
	RETRY_ATTEMPTS = 5,
	RETRY_BASE_MS = 200,
	RETRY_THROTTLE_BASE_MS = 1000, /* a service that says "slower" means it */
	RETRY_CAP_MS = 20000,
};

/* What is known after an attempt has failed. */
struct retry_facts {
	const struct error *err;
	unsigned attempts; /* made so far, from 1 */
	unsigned max_attempts;
	bool once;              /* must not take effect twice */
	bool not_sent;          /* no byte of it left */
	int64_t retry_after_ms; /* what the server asked for; -1: nothing */
	uint64_t random;        /* a fresh random number */
};

/* How long to wait before the next attempt, in ms; -1: there is to be none. */
int64_t retry_wait_ms(const struct retry_facts *facts);

/* The next number of a sequence that *state (any value) stands for. Good enough to spread
 * waiting clients apart, and for nothing else (SplitMix64). */
uint64_t retry_random(uint64_t *state);

/* A Retry-After value (RFC 9110 section 10.2.3) in ms: seconds, or a date that is compared
 * with now_ms (the server's clock). -1: NULL or neither. */
int64_t retry_after_ms(const char *value, int64_t now_ms);

#endif
