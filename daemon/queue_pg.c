#include "daemon/queue_store.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"
#include "daemon/queue_pg_conn.h"

enum {
	CONNECTIONS = 8, /* at most; more threads wait for one */
	WAIT_S = 20,
	TRIES = 3,
	SETUP_LOCK = QUEUE_APPLICATION_ID /* an advisory lock's number */
};

struct pg_store {
	struct queue_store store; /* first */
	char *url;
	struct secret password;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t given_back;
	/* Those that nobody uses; the one used last is taken first, so that a quiet daemon has one. */
	struct pg_conn *idle[CONNECTIONS];
	unsigned n_idle;
};

static struct pg_conn *borrow(struct pg_store *store, struct error *err)
{
	struct pg_conn *c = NULL;
	struct timespec until;
	int late = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	pthread_mutex_lock(&store->lock);
	while (store->n_idle == 0 && !late)
		late = pthread_cond_timedwait(&store->given_back, &store->lock, &until);
	if (store->n_idle > 0)
		c = store->idle[--store->n_idle];
	pthread_mutex_unlock(&store->lock);
	if (!c)
		error_set(err, ERR_TIMEOUT,
			  "queue (PostgreSQL): no connection became free in %d s",
			  WAIT_S);
	return c;
}

static void give_back(struct pg_store *store, struct pg_conn *c)
{
	pthread_mutex_lock(&store->lock);
	store->idle[store->n_idle++] = c;
	pthread_cond_signal(&store->given_back);
	pthread_mutex_unlock(&store->lock);
}

/* Leaves no transaction open. */
static void undo(struct pg_conn *c)
{
	struct error ignored = ERROR_INIT;

	if (pg_conn_exec(c, "ROLLBACK", NULL, &ignored) < 0)
		pg_conn_drop(c);
}

/* Whether a COMMIT that got no answer happened is not known, and is not tried again: the put of
 * an unknown end is answered with an error, and the host sends it again. */
static int transact(struct pg_conn *c, queue_work work, void *ctx, bool *again,
		    struct error *err)
{
	*again = false;
	if (pg_conn_ready(c, err) < 0)
		return -1;
	if (pg_conn_exec(c, "BEGIN", NULL, err) < 0 ||
	    work(pg_conn_db(c), ctx, err) < 0) {
		*again = pg_conn_again(c);
		undo(c);
		return -1;
	}
	if (pg_conn_exec(c, "COMMIT", NULL, err) == 0)
		return 0;
	undo(c);
	return -1;
}

static int pg_do(struct queue_store *s, queue_work work, void *ctx, struct error *err)
{
	struct pg_store *store = (struct pg_store *)s;
	struct pg_conn *c = borrow(store, err);
	bool again = true;
	int result = -1;

	if (!c)
		return -1;
	for (int i = 0; result < 0 && again && i < TRIES; i++)
		result = transact(c, work, ctx, &again, err);
	give_back(store, c);
	return result;
}

static void pg_free(struct queue_store *s)
{
	struct pg_store *store = (struct pg_store *)s;

	for (unsigned i = 0; i < store->n_idle; i++)
		pg_conn_free(store->idle[i]);
	pthread_cond_destroy(&store->given_back);
	pthread_mutex_destroy(&store->lock);
	secret_release(&store->password);
	free(store->url);
	free(store);
}

/* 0: no tables yet. */
static int find_version(struct pg_conn *c, int64_t *version, struct error *err)
{
	int64_t there = 0;

	*version = 0;
	if (pg_conn_exec(c, "SELECT count(to_regclass('crc_version'))", &there, err) < 0)
		return -1;
	if (!there)
		return 0;
	return pg_conn_exec(c, "SELECT version FROM crc_version", version, err);
}

static int make_tables(struct pg_conn *c, struct error *err)
{
	char sql[96];
	int64_t version;

	/* One daemon at a time, until the commit. */
	snprintf(sql, sizeof(sql), "SELECT pg_advisory_xact_lock(%d)", SETUP_LOCK);
	if (pg_conn_exec(c, sql, NULL, err) < 0 || find_version(c, &version, err) < 0)
		return -1;
	if (version > QUEUE_SCHEMA)
		return error_set(
			err, ERR_DATA,
			"the queue's tables are of version %lld, made by a newer "
			"crc-daemon; this one knows version %d",
			(long long)version, QUEUE_SCHEMA);
	if (version == QUEUE_SCHEMA)
		return 0;
	if (version == 0 &&
	    pg_conn_exec(c,
			 "CREATE TABLE crc_version (version BIGINT NOT NULL);"
			 " INSERT INTO crc_version VALUES (0)",
			 NULL, err) < 0)
		return -1;
	for (; version < QUEUE_SCHEMA; version++)
		if (pg_conn_exec(c, queue_schema_pg[version], NULL, err) < 0)
			return error_wrap(err, "make the queue's tables");
	snprintf(sql, sizeof(sql), "UPDATE crc_version SET version = %d", QUEUE_SCHEMA);
	return pg_conn_exec(c, sql, NULL, err);
}

static int set_up(struct pg_store *store, struct error *err)
{
	struct pg_conn *c = store->idle[store->n_idle - 1];

	if (pg_conn_ready(c, err) < 0)
		return -1;
	if (pg_conn_exec(c, "BEGIN", NULL, err) == 0 && make_tables(c, err) == 0 &&
	    pg_conn_exec(c, "COMMIT", NULL, err) == 0)
		return 0;
	undo(c);
	return -1;
}

int queue_pg_open(const char *url, const struct secret *password, const struct log *log,
		  struct queue_store **out, struct error *err)
{
	struct pg_store *store = xcalloc(1, sizeof(*store));

	store->store = (struct queue_store){ pg_do, pg_do, pg_free };
	store->url = xstrdup(url);
	if (password)
		secret_copy(&store->password, password);
	pthread_mutex_init(&store->lock, NULL);
	pthread_cond_init(&store->given_back, NULL);
	while (store->n_idle < CONNECTIONS)
		store->idle[store->n_idle++] = pg_conn_new(store->url, &store->password);
	if (set_up(store, err) < 0) {
		pg_free(&store->store);
		return -1;
	}
	log_debug(log, "queue: PostgreSQL");
	*out = &store->store;
	return 0;
}
