/* daemon_queue_put - puts into a queue from many threads, for tests that kill it and for measuring.
 *
 * daemon_queue_put URL THREADS MS [SITES]: prints the name of each delivery as soon as it is
 * acknowledged, one a line; names are PID-THREAD-NUMBER. With QUIET=1 in the environment, only the
 * number of puts and how long they took. QUEUE_PASSWORD is PostgreSQL's. A put that fails is
 * told on stderr and tried again. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "daemon/queue.h"

enum { THREADS_MOST = 256, TIMES_MOST = 1 << 20 };

struct putter {
	struct queue *queue;
	int64_t until_ms;
	int sites;
	int index;
	bool quiet;
	uint32_t *times_us;
	size_t done;
	size_t failed;
	pthread_t thread;
};

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int put_one(struct putter *p, const char *name, size_t number)
{
	static const char commit[] = "0123456789abcdef0123456789abcdef01234567";
	char digest[33] = "";
	enum queue_put_result result;
	struct error err = ERROR_INIT;
	char site[32];
	struct queue_put put = { .site = site,
				 .delivery = name,
				 .digest = (const unsigned char *)digest,
				 .before = commit,
				 .commit = commit,
				 .now_ms = clock_wall_ms(clock_real()) };

	snprintf(site, sizeof(site), "site-%zu",
		 (number + (size_t)p->index) % (size_t)p->sites);
	snprintf(digest, sizeof(digest), "%s", name);
	if (queue_put(p->queue, &put, &result, &err) == 0)
		return 0;
	fprintf(stderr, "%s\n", err.msg);
	clock_sleep_ms(clock_real(), 50);
	return -1;
}

static void *putter_thread(void *arg)
{
	struct putter *p = arg;
	char line[64];
	char name[48];
	int64_t start_us;

	while (clock_monotonic_ms(clock_real()) < p->until_ms && p->done < TIMES_MOST) {
		snprintf(name, sizeof(name), "%d-%d-%zu", (int)getpid(), p->index,
			 p->done);
		start_us = now_us();
		if (put_one(p, name, p->done) < 0) {
			p->failed++;
			continue;
		}
		p->times_us[p->done++] = (uint32_t)(now_us() - start_us);
		snprintf(line, sizeof(line), "%s\n", name);
		if (!p->quiet && write(STDOUT_FILENO, line, strlen(line)) < 0)
			break;
	}
	return NULL;
}

static int compare_times(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a;
	uint32_t right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static void tell(struct putter *putters, int n, int64_t took_us)
{
	uint32_t *all;
	uint32_t p50;
	uint32_t p99;
	size_t done = 0;

	for (int i = 0; i < n; i++)
		done += putters[i].done;
	all = xcalloc(done + 1, sizeof(*all));
	done = 0;
	for (int i = 0; i < n; i++) {
		memcpy(all + done, putters[i].times_us, putters[i].done * sizeof(*all));
		done += putters[i].done;
	}
	qsort(all, done, sizeof(*all), compare_times);
	p50 = all[done / 2];
	p99 = all[done * 99 / 100];
	printf("%zu puts in %.2f s: %.0f/s, p50 %.2f ms, p99 %.2f ms\n", done,
	       (double)took_us / 1e6, (double)done * 1e6 / (double)took_us,
	       (double)p50 / 1e3, (double)p99 / 1e3);
	free(all);
}

static int run(struct queue *queue, int threads, int64_t ms, int sites)
{
	static struct putter putters[THREADS_MOST];
	bool quiet = getenv("QUIET") != NULL;
	int64_t start_us = now_us();
	size_t done = 0;

	for (int i = 0; i < threads; i++) {
		putters[i] = (struct putter){
			.queue = queue,
			.until_ms = clock_monotonic_ms(clock_real()) + ms,
			.sites = sites,
			.index = i,
			.quiet = quiet,
			.times_us = xcalloc(TIMES_MOST, sizeof(uint32_t)),
		};
		if (pthread_create(&putters[i].thread, NULL, putter_thread,
				   &putters[i]) != 0)
			return 1;
	}
	for (int i = 0; i < threads; i++)
		pthread_join(putters[i].thread, NULL);
	if (quiet)
		tell(putters, threads, now_us() - start_us);
	for (int i = 0; i < threads; i++) {
		done += putters[i].done;
		free(putters[i].times_us);
	}
	return done > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	CLEANUP_PTR(queue) struct queue *queue = NULL;
	CLEANUP(secret) struct secret password = SECRET_INIT;
	struct error err = ERROR_INIT;
	int64_t threads;
	int64_t ms;
	int64_t sites = 50;

	if (argc < 4 || !str_to_i64(argv[2], 1, THREADS_MOST, &threads) ||
	    !str_to_i64(argv[3], 1, 600000, &ms) ||
	    (argc > 4 && !str_to_i64(argv[4], 1, 1000000, &sites)))
		return 2;
	if (getenv("QUEUE_PASSWORD"))
		secret_set_str(&password, getenv("QUEUE_PASSWORD"));
	if (queue_open(argv[1], &password, "put", NULL, &queue, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	return run(queue, (int)threads, ms, (int)sites);
}
