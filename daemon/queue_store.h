/* queue_store.h - what a store must do so that the queue's rules can work on it. Private to
 * the queue.
 *
 * A rule (queue_rules.h) is a function that runs statements (queue_sql.h) on one connection, inside
 * a transaction that the store makes around it. The statements are the same for both stores, so
 * that there is one set of rules. */
#ifndef DAEMON_QUEUE_STORE_H
#define DAEMON_QUEUE_STORE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/secret.h"
#include "daemon/queue_sql.h"

enum queue_value_kind { QUEUE_NONE, QUEUE_NULL, QUEUE_INT, QUEUE_TEXT, QUEUE_BYTES };

struct queue_value {
	enum queue_value_kind kind; /* QUEUE_NONE ends a list */
	int64_t number;
	const void *bytes; /* borrowed; a text ends in NUL */
	size_t len;        /* of QUEUE_BYTES */
};

static inline struct queue_value queue_int(int64_t n)
{
	return (struct queue_value){ .kind = QUEUE_INT, .number = n };
}

/* NULL is SQL's. */
static inline struct queue_value queue_text(const char *s)
{
	return (struct queue_value){ .kind = s ? QUEUE_TEXT : QUEUE_NULL, .bytes = s };
}

static inline struct queue_value queue_bytes(const void *p, size_t n)
{
	return (struct queue_value){ .kind = p ? QUEUE_BYTES : QUEUE_NULL,
				     .bytes = p,
				     .len = n };
}

enum { QUEUE_VALUES_MOST = 12, QUEUE_CELLS_MOST = 20 };

/* One statement, run once. */
struct queue_call {
	enum queue_statement statement;
	struct queue_value values[QUEUE_VALUES_MOST + 1]; /* for $1, $2, ... */
	/* Gets each row as text; NULL is "". May be NULL. */
	void (*row)(void *ctx, const char *const *cells);
	void *ctx;
	int64_t rows; /* out: how many came or, of a statement without answer, were written */
};

/* A connection inside a transaction. */
struct queue_db {
	/* -1: the transaction is lost. */
	int (*run)(struct queue_db *db, struct queue_call *call, struct error *err);
};

static inline int queue_run(struct queue_db *db, struct queue_call *call,
			    struct error *err)
{
	return db->run(db, call, err);
}

/* Its -1 undoes what it wrote. May be called again after a -1 of queue_run(), so it sets what it
 * gives back from scratch. */
typedef int (*queue_work)(struct queue_db *db, void *ctx, struct error *err);

struct queue_store {
	/* 0: the work returned 0 and is on the disk. */
	int (*write)(struct queue_store *s, queue_work work, void *ctx,
		     struct error *err);
	/* All that the work reads is of one moment (SQLite) or committed (PostgreSQL). */
	int (*read)(struct queue_store *s, queue_work work, void *ctx, struct error *err);
	void (*free)(struct queue_store *s);
};

int queue_sqlite_open(const char *path, const struct log *log, struct queue_store **out,
		      struct error *err);
int queue_pg_open(const char *url, const struct secret *password, const struct log *log,
		  struct queue_store **out, struct error *err);

#endif
