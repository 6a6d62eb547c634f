/* queue_pg_conn.h - one connection to PostgreSQL, which never waits for ever. Private to the
 * queue. */
#ifndef DAEMON_QUEUE_PG_CONN_H
#define DAEMON_QUEUE_PG_CONN_H

#include <stdbool.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/secret.h"
#include "daemon/queue_store.h"

struct pg_conn;

/* Does not connect. url and password are borrowed. */
struct pg_conn *pg_conn_new(const char *url, const struct secret *password);
void pg_conn_free(struct pg_conn *c); /* NULL-safe */

/* Connects, unless it is connected. ERR_IO, retryable; ERR_CREDENTIALS is not told apart, since libpq
 * does not. */
int pg_conn_ready(struct pg_conn *c, struct error *err);
/* Runs SQL without values. number, if not NULL, gets the first number of the answer. */
int pg_conn_exec(struct pg_conn *c, const char *sql, int64_t *number, struct error *err);
/* For rules. */
struct queue_db *pg_conn_db(struct pg_conn *c);
/* Whether running the whole transaction once more makes sense: what failed last was that the connection
 * broke, or a deadlock, or a serialization failure. */
bool pg_conn_again(const struct pg_conn *c);
/* Breaks the connection; the server forgets what was not committed. */
void pg_conn_drop(struct pg_conn *c);

MEM_DEFINE_FREEP(pg_conn)

#endif
