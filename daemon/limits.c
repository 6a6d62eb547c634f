#include "daemon/limits.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "codec/hash.h"

enum {
	SETS = 2048,
	WAYS = 4,
	MS_A_MINUTE = 60000,
	MS_A_SECOND = 1000,
	KEY_SIZE = 16, /* of a digest of the name: names may be long */
};

struct bucket {
	unsigned char key[KEY_SIZE];
	int64_t asked_ms; /* 0: nobody's */
	double tokens;
};

struct limits {
	pthread_mutex_t mutex;
	struct bucket buckets[SETS][WAYS];
};

struct limits *limits_new(void)
{
	struct limits *l = xcalloc(1, sizeof *l);

	pthread_mutex_init(&l->mutex, NULL);
	return l;
}

void limits_free(struct limits *l)
{
	if (!l)
		return;
	pthread_mutex_destroy(&l->mutex);
	free(l);
}

/* The bucket of a key, else the one of its set that was asked for the longest ago. */
static struct bucket *find(struct limits *l, const unsigned char *key)
{
	struct bucket *set = l->buckets[(key[0] | key[1] << 8) % SETS];
	struct bucket *oldest = &set[0];

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].asked_ms && memcmp(set[i].key, key, KEY_SIZE) == 0)
			return &set[i];
		if (set[i].asked_ms < oldest->asked_ms)
			oldest = &set[i];
	}
	oldest->asked_ms = 0;
	memcpy(oldest->key, key, KEY_SIZE);
	return oldest;
}

static void fill(struct bucket *b, double per_minute, int64_t now_ms)
{
	if (!b->asked_ms)
		b->tokens = per_minute;
	else if (now_ms > b->asked_ms)
		b->tokens += per_minute * (double)(now_ms - b->asked_ms) / MS_A_MINUTE;
	if (b->tokens > per_minute)
		b->tokens = per_minute;
	b->asked_ms = now_ms;
}

bool limits_take(struct limits *l, const char *name, int64_t per_minute, int64_t now_ms,
		 int *retry_s)
{
	unsigned char key[HASH_SHA256_SIZE];
	double missing;
	bool ok;

	if (per_minute <= 0)
		return true;
	hash_bytes(HASH_SHA256, name, strlen(name), key);
	pthread_mutex_lock(&l->mutex);
	struct bucket *b = find(l, key);
	fill(b, (double)per_minute, now_ms);
	ok = b->tokens >= 1;
	if (ok)
		b->tokens -= 1;
	missing = 1 - b->tokens;
	pthread_mutex_unlock(&l->mutex);
	if (!ok)
		*retry_s = 1 + (int)(missing * MS_A_MINUTE / (double)per_minute /
				     MS_A_SECOND);
	return ok;
}
