#include "daemon/bodies.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "daemon/address.h"

enum { SLICE_MS = 100, QUIET_SLICES = 20, NS_A_MS = 1000000, FD_MOST = 1 << 20 };

struct slot {
	bool is_taken;
	bool is_late;
	int64_t began_ms, deadline_ms;
	size_t bytes;
	char address[ADDRESS_MAX];
	int port, local_port;
};

struct bodies {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	pthread_t thread;
	const struct clock *clock;
	bool stopping;
	bool asleep; /* the reaper, until it is told that there is a body */
	size_t n, taken;
	atomic_size_t held; /* threads */
	struct slot slots[];
};

union end {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage room;
};

static int port_of(const union end *e)
{
	if (e->any.sa_family == AF_INET)
		return ntohs(e->v4.sin_port);
	return e->any.sa_family == AF_INET6 ? ntohs(e->v6.sin6_port) : -1;
}

static bool has_address(const union end *e, const char *address)
{
	char text[ADDRESS_MAX];
	const void *bytes = e->any.sa_family == AF_INET ? (const void *)&e->v4.sin_addr
							: (const void *)&e->v6.sin6_addr;

	return inet_ntop(e->any.sa_family, bytes, text, sizeof text) &&
	       str_eq(text, address);
}

static bool is_connection(int fd, const char *address, int port, int local_port)
{
	union end peer, own;
	socklen_t n_peer = sizeof peer, n_own = sizeof own;

	return getpeername(fd, &peer.any, &n_peer) == 0 && port_of(&peer) == port &&
	       getsockname(fd, &own.any, &n_own) == 0 && port_of(&own) == local_port &&
	       has_address(&peer, address);
}

static void shut(const char *address, int port, int local_port)
{
	DIR *folder = opendir("/dev/fd");
	const struct dirent *entry;
	int64_t fd;

	if (!folder)
		return;
	while ((entry = readdir(folder))) {
		if (str_to_i64(entry->d_name, 0, FD_MOST, &fd) &&
		    is_connection((int)fd, address, port, local_port))
			shutdown((int)fd, SHUT_RD);
	}
	closedir(folder);
}

void bodies_stop_reading(const struct bodies_connection *c)
{
	shut(c->address, c->port, c->local_port);
}

static bool is_late(const struct slot *s, bool pressed, int64_t now_ms)
{
	int64_t passed = now_ms - s->began_ms;

	if (now_ms >= s->deadline_ms)
		return true;
	return pressed && passed >= BODIES_GRACE_MS &&
	       (passed >= BODIES_PRESSED_MS ||
		(int64_t)s->bytes < passed * BODIES_BYTES_A_MS);
}

static void cut_late(struct bodies *b, int64_t now_ms)
{
	bool pressed = bodies_are_pressed(b);

	for (size_t i = 0; i < b->n; i++) {
		struct slot *s = &b->slots[i];

		if (!s->is_taken || s->is_late || !is_late(s, pressed, now_ms))
			continue;
		s->is_late = true;
		shut(s->address, s->port, s->local_port);
	}
}

static void wait_slice(struct bodies *b)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)SLICE_MS * NS_A_MS;
	if (until.tv_nsec >= 1000L * NS_A_MS) {
		until.tv_sec++;
		until.tv_nsec -= 1000L * NS_A_MS;
	}
	pthread_cond_timedwait(&b->changed, &b->mutex, &until);
}

/* Until a body comes. */
static void sleep_on(struct bodies *b)
{
	b->asleep = true;
	while (b->taken == 0 && !b->stopping)
		pthread_cond_wait(&b->changed, &b->mutex);
	b->asleep = false;
}

/* Goes to sleep when there has been nothing to do for a while: under load, bodies come and
 * go without waking anybody. */
static void *reap(void *arg)
{
	struct bodies *b = arg;
	unsigned quiet = 0;

	pthread_mutex_lock(&b->mutex);
	while (!b->stopping) {
		quiet = b->taken == 0 ? quiet + 1 : 0;
		if (quiet > QUIET_SLICES)
			sleep_on(b);
		else
			wait_slice(b);
		cut_late(b, clock_monotonic_ms(b->clock));
	}
	pthread_mutex_unlock(&b->mutex);
	return NULL;
}

struct bodies *bodies_new(size_t threads, const struct clock *clock)
{
	struct bodies *b = xcalloc(1, sizeof *b + threads * sizeof *b->slots);
	pthread_condattr_t attr;

	b->n = threads;
	atomic_init(&b->held, 0);
	b->clock = clock;
	pthread_mutex_init(&b->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&b->thread, NULL, reap, b) != 0)
		abort();
	return b;
}

void bodies_free(struct bodies *b)
{
	if (!b)
		return;
	pthread_mutex_lock(&b->mutex);
	b->stopping = true;
	pthread_cond_signal(&b->changed);
	pthread_mutex_unlock(&b->mutex);
	pthread_join(b->thread, NULL);
	pthread_cond_destroy(&b->changed);
	pthread_mutex_destroy(&b->mutex);
	free(b);
}

void bodies_hold(struct bodies *b)
{
	atomic_fetch_add(&b->held, 1);
}

void bodies_let_go(struct bodies *b)
{
	atomic_fetch_sub(&b->held, 1);
}

bool bodies_are_pressed(const struct bodies *b)
{
	return atomic_load(&b->held) * 4 >= b->n * 3;
}

static size_t free_slot(const struct bodies *b)
{
	size_t i = 0;

	while (i < b->n && b->slots[i].is_taken)
		i++;
	return i;
}

size_t bodies_enter(struct bodies *b, const struct bodies_connection *c, int64_t now_ms,
		    int64_t ms)
{
	size_t i;

	pthread_mutex_lock(&b->mutex);
	i = free_slot(b);
	if (i < b->n) {
		b->slots[i] = (struct slot){ .is_taken = true,
					     .began_ms = now_ms,
					     .deadline_ms = now_ms + ms,
					     .port = c->port,
					     .local_port = c->local_port };
		snprintf(b->slots[i].address, sizeof b->slots[i].address, "%s",
			 c->address);
		b->taken++;
	}
	if (b->asleep)
		pthread_cond_signal(&b->changed);
	pthread_mutex_unlock(&b->mutex);
	return i;
}

void bodies_got(struct bodies *b, size_t slot, size_t bytes)
{
	if (slot >= b->n)
		return;
	pthread_mutex_lock(&b->mutex);
	b->slots[slot].bytes = bytes;
	pthread_mutex_unlock(&b->mutex);
}

bool bodies_leave(struct bodies *b, size_t slot)
{
	bool late;

	if (slot >= b->n)
		return false;
	pthread_mutex_lock(&b->mutex);
	late = b->slots[slot].is_late;
	b->slots[slot].is_taken = false;
	b->taken--;
	pthread_mutex_unlock(&b->mutex);
	return late;
}
