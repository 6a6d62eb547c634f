/* limits.h - how often somebody may ask: a token bucket a name (an address, a site), in a
 * table of fixed size. Any thread. */
#ifndef DAEMON_LIMITS_H
#define DAEMON_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

struct limits;

struct limits *limits_new(void);
void limits_free(struct limits *l); /* NULL-safe */

/* Takes one token of the name's bucket, which holds per_minute and is filled evenly. False:
 * it is empty; *retry_s is then in how many seconds there will be one. per_minute <= 0: no
 * limit. The table forgets who has not asked for the longest time when it has no room. */
bool limits_take(struct limits *l, const char *name, int64_t per_minute, int64_t now_ms,
		 int *retry_s);

#endif
