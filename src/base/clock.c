#include "base/clock.h"

#include <stddef.h>
#include <time.h>

static int64_t read_ms(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t real_wall(void *ctx)
{
	(void)ctx;
	return read_ms(CLOCK_REALTIME);
}

static int64_t real_monotonic(void *ctx)
{
	(void)ctx;
	return read_ms(CLOCK_MONOTONIC);
}

static void real_sleep(void *ctx, int64_t ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	(void)ctx;
	if (ms > 0)
		nanosleep(&t, NULL);
}

const struct clock *clock_real(void)
{
	static const struct clock real = {
		.wall_ms = real_wall,
		.monotonic_ms = real_monotonic,
		.sleep_ms = real_sleep,
	};

	return &real;
}

static int64_t fake_now(void *ctx)
{
	return ((struct clock_fake *)ctx)->now_ms;
}

static void fake_sleep(void *ctx, int64_t ms)
{
	if (ms > 0)
		((struct clock_fake *)ctx)->now_ms += ms;
}

void clock_fake_init(struct clock_fake *fake, int64_t now_ms)
{
	*fake = (struct clock_fake){
		.clock = { .wall_ms = fake_now,
			   .monotonic_ms = fake_now,
			   .sleep_ms = fake_sleep,
			   .ctx = fake },
		.now_ms = now_ms,
	};
}
