#include "daemon/settings.h"

#include <pthread.h>

#include "base/mem.h"

struct settings_box {
	pthread_mutex_t lock;
	struct settings *now;
};

struct settings_box *settings_box_new(struct settings *first)
{
	struct settings_box *b = xcalloc(1, sizeof(*b));

	pthread_mutex_init(&b->lock, NULL);
	b->now = first;
	return b;
}

void settings_box_free(struct settings_box *b)
{
	if (!b)
		return;
	settings_drop(b->now);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

struct settings *settings_now(struct settings_box *b)
{
	struct settings *s;

	/* Between the look and the hold nobody may drop the last count. */
	pthread_mutex_lock(&b->lock);
	s = settings_hold(b->now);
	pthread_mutex_unlock(&b->lock);
	return s;
}

void settings_swap(struct settings_box *b, struct settings *next)
{
	struct settings *former;

	pthread_mutex_lock(&b->lock);
	former = b->now;
	b->now = next;
	pthread_mutex_unlock(&b->lock);
	settings_drop(former);
}
