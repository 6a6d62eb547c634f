/* clock.h - time as a value that is handed in, so that tests own it. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* A source of time. The functions get ctx. */
struct clock {
	int64_t (*wall_ms)(void *ctx); /* since 1970-01-01 UTC; may jump */
	int64_t (*monotonic_ms)(
		void *ctx); /* never goes back; only differences mean anything */
	void (*sleep_ms)(void *ctx, int64_t ms); /* returns early on a signal */
	void *ctx;
};

/* The machine's clock. */
const struct clock *clock_real(void);

/* A clock that moves only when it is told to, or slept on. */
struct clock_fake {
	struct clock clock;
	int64_t now_ms;
};

/* Starts the fake at now_ms; fake->clock then points into *fake, which must stay put. */
void clock_fake_init(struct clock_fake *fake, int64_t now_ms);

static inline int64_t clock_wall_ms(const struct clock *c)
{
	return c->wall_ms(c->ctx);
}

static inline int64_t clock_monotonic_ms(const struct clock *c)
{
	return c->monotonic_ms(c->ctx);
}

static inline void clock_sleep_ms(const struct clock *c, int64_t ms)
{
	c->sleep_ms(c->ctx, ms);
}

#endif
