#include "aws/retry.h"

#include <stddef.h>

#include "base/str.h"
#include "io/http.h"

/* Whether the failed attempt has surely changed nothing. A throttled request was turned
 * away before it was looked at. */
static bool had_no_effect(const struct retry_facts *facts)
{
	return facts->not_sent || facts->err->code == ERR_THROTTLED;
}

int64_t retry_wait_ms(const struct retry_facts *facts)
{
	int64_t ceiling = facts->err->code == ERR_THROTTLED ? RETRY_THROTTLE_BASE_MS
							    : RETRY_BASE_MS;
	int64_t wait;

	if (!facts->err->retryable || facts->attempts >= facts->max_attempts)
		return -1;
	if (facts->once && !had_no_effect(facts))
		return -1;
	for (unsigned i = 1; i < facts->attempts && ceiling < RETRY_CAP_MS; i++)
		ceiling *= 2;
	if (ceiling > RETRY_CAP_MS)
		ceiling = RETRY_CAP_MS;
	/* Full jitter: clients that failed together come back apart. */
	wait = (int64_t)(facts->random % (uint64_t)(ceiling + 1));
	if (facts->retry_after_ms < 0)
		return wait;
	/* The server's word is a lower bound; a day's wait is not waited for. */
	if (facts->retry_after_ms > RETRY_CAP_MS)
		return RETRY_CAP_MS;
	return facts->retry_after_ms > wait ? facts->retry_after_ms : wait;
}

uint64_t retry_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

int64_t retry_after_ms(const char *value, int64_t now_ms)
{
	int64_t seconds, date_ms;

	if (!value)
		return -1;
	if (str_to_i64(value, 0, INT32_MAX, &seconds))
		return seconds * 1000;
	if (!http_date_parse(value, &date_ms))
		return -1;
	return date_ms > now_ms ? date_ms - now_ms : 0;
}
