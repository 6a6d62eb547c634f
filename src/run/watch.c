#include "run/watch.h"

#include <stdarg.h>
#include <stdio.h>

/* A lease is renewed, and a signal heeded, within so long. */
enum { SLICE_MS = 2000, TEXT_BYTES = 1024 };

static int tick(const struct watch *w, struct error *err)
{
	return w->tick ? w->tick(w->ctx, err) : 0;
}

int watch_sleep(const struct watch *w, int64_t ms, struct error *err)
{
	const struct clock *clock = aws_clock(w->aws);
	int64_t end = clock_monotonic_ms(clock) + ms;

	for (;;) {
		int64_t left;

		if (aws_is_cancelled(w->aws))
			return error_set(err, ERR_CANCELLED, "cancelled");
		if (tick(w, err) < 0)
			return -1;
		left = end - clock_monotonic_ms(clock);
		if (left <= 0)
			return 0;
		clock_sleep_ms(clock, left < SLICE_MS ? left : SLICE_MS);
	}
}

int watch_send(const struct watch *w, const struct aws_request *req,
	       struct http_response *res, struct error *err)
{
	return tick(w, err) < 0 ? -1 : aws_send(w->aws, req, res, err);
}

void watch_tell(const struct watch *w, const char *fmt, ...)
{
	const struct progress *p = w->progress;
	char text[TEXT_BYTES];
	va_list args;

	if (!p || !p->waiting)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	p->waiting(p->ctx, text);
}
