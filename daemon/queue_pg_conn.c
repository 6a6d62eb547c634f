#include "daemon/queue_pg_conn.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include <libpq-fe.h>

#include "base/clock.h"
#include "base/str.h"

/* The server gives up before we do, so that a slow statement costs no connection. */
static const char session[] =
	"SET statement_timeout = 10000; SET lock_timeout = 5000;"
	" SET idle_in_transaction_session_timeout = 20000; SET synchronous_commit = on;"
	" SET client_min_messages = warning; SET standard_conforming_strings = on;"
	" SET default_transaction_isolation = 'read committed'";

enum { ANSWER_MS = 15000 };

struct pg_conn {
	struct queue_db db; /* first */
	PGconn *handle;
	bool prepared[QUEUE_STATEMENTS];
	bool again;
	const char *url;
	const struct secret *password;
};

static int fail(struct pg_conn *c, enum error_code kind, const char *what,
		const char *message, struct error *err)
{
	int length = (int)strcspn(message, "\n");

	error_set(err, kind, "queue (PostgreSQL): %.60s: %.*s", what, length, message);
	err->retryable = true;
	if (!c->handle || PQstatus(c->handle) != CONNECTION_OK)
		c->again = true;
	return -1;
}

static void quiet(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

void pg_conn_drop(struct pg_conn *c)
{
	PQfinish(c->handle);
	c->handle = NULL;
	memset(c->prepared, 0, sizeof(c->prepared));
}

/* Waits until an answer can be read without waiting, or for too long. */
static int wait_answer(struct pg_conn *c, int64_t until_ms)
{
	struct pollfd fd = { .fd = PQsocket(c->handle), .events = POLLIN };
	int64_t left_ms;
	int flush;

	while ((flush = PQflush(c->handle)) > 0 || PQisBusy(c->handle)) {
		left_ms = until_ms - clock_monotonic_ms(clock_real());
		fd.events = flush > 0 ? POLLIN | POLLOUT : POLLIN;
		if (left_ms <= 0 || flush < 0)
			return -1;
		if (poll(&fd, 1, (int)left_ms) < 0 && errno != EINTR)
			return -1;
		if (fd.revents & (POLLIN | POLLERR | POLLHUP) &&
		    !PQconsumeInput(c->handle))
			return -1;
	}
	return flush;
}

/* The last answer to what was sent; NULL: the connection broke or did not answer in time, and is
 * of no use. */
static PGresult *answer(struct pg_conn *c)
{
	int64_t until_ms = clock_monotonic_ms(clock_real()) + ANSWER_MS;
	PGresult *last = NULL;
	PGresult *next;

	while (wait_answer(c, until_ms) == 0 && (next = PQgetResult(c->handle))) {
		PQclear(last);
		last = next;
		if (PQresultStatus(last) == PGRES_FATAL_ERROR &&
		    PQstatus(c->handle) != CONNECTION_OK)
			break;
	}
	if (PQstatus(c->handle) == CONNECTION_OK && !PQisBusy(c->handle))
		return last;
	PQclear(last);
	return NULL;
}

static bool is_state(const char *state, const char *const *states)
{
	for (; *states; states++)
		if (str_eq(state, *states))
			return true;
	return false;
}

/* An answer that is not an error. sent: what PQsend... said. */
static int take_answer(struct pg_conn *c, int sent, const char *what, PGresult **out,
		       struct error *err)
{
	/* serialization_failure, deadlock_detected; a server that is being shut down, has
	 * crashed, or starts */
	static const char *const again[] = { "40001", "40P01", "57P01",
					     "57P02", "57P03", NULL };
	/* query_canceled (by the timeout), lock_not_available */
	static const char *const late[] = { "57014", "55P03", NULL };
	PGresult *r = sent ? answer(c) : NULL;
	const char *state = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
	ExecStatusType status = r ? PQresultStatus(r) : PGRES_FATAL_ERROR;

	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
		*out = r;
		return 0;
	}
	c->again = is_state(state, again);
	if (r) {
		fail(c, is_state(state, late) ? ERR_TIMEOUT : ERR_IO, what,
		     PQresultErrorMessage(r), err);
		PQclear(r);
		return -1;
	}
	fail(c, ERR_IO, what, PQerrorMessage(c->handle), err);
	if (PQstatus(c->handle) == CONNECTION_OK)
		error_set(err, ERR_TIMEOUT, "queue (PostgreSQL): no answer within %d s",
			  ANSWER_MS / 1000);
	c->again = PQstatus(c->handle) != CONNECTION_OK;
	pg_conn_drop(c);
	return -1;
}

static int connect_now(struct pg_conn *c, struct error *err)
{
	const char *password = c->password ? secret_bytes(c->password) : "";
	/* Those before dbname are ours unless the URL has others, and those after it go before the
	 * URL's. */
	const char *const names[] = { "connect_timeout",
				      "keepalives_idle",
				      "keepalives_interval",
				      "keepalives_count",
				      "tcp_user_timeout",
				      "fallback_application_name",
				      "dbname",
				      "client_encoding",
				      *password ? "password" : NULL,
				      NULL };
	const char *const values[] = { "5",          "5",    "3",    "3",      "15000",
				       "crc-daemon", c->url, "UTF8", password, NULL };

	c->handle = PQconnectdbParams(names, values, 1);
	if (!c->handle || PQstatus(c->handle) != CONNECTION_OK)
		return fail(c, ERR_IO, "connect",
			    c->handle ? PQerrorMessage(c->handle) : "no memory", err);
	PQsetNoticeProcessor(c->handle, quiet, NULL);
	if (PQsetnonblocking(c->handle, 1) < 0)
		return fail(c, ERR_IO, "connect", PQerrorMessage(c->handle), err);
	return pg_conn_exec(c, session, NULL, err);
}

int pg_conn_ready(struct pg_conn *c, struct error *err)
{
	c->again = false;
	if (c->handle && PQstatus(c->handle) == CONNECTION_OK)
		return 0;
	pg_conn_drop(c);
	if (connect_now(c, err) == 0)
		return 0;
	pg_conn_drop(c);
	return -1;
}

int pg_conn_exec(struct pg_conn *c, const char *sql, int64_t *number, struct error *err)
{
	PGresult *r;

	if (!c->handle)
		return error_set(err, ERR_IO, "queue (PostgreSQL): not connected");
	if (take_answer(c, PQsendQuery(c->handle, sql), sql, &r, err) < 0)
		return -1;
	if (number && PQntuples(r) > 0)
		(void)str_to_i64(PQgetvalue(r, 0, 0), INT64_MIN, INT64_MAX, number);
	PQclear(r);
	return 0;
}

/* Rules. */

static int prepare(struct pg_conn *c, enum queue_statement s, const char *name,
		   struct error *err)
{
	char sql[1024];
	PGresult *r;
	int sent;

	if (c->prepared[s])
		return 0;
	snprintf(sql, sizeof(sql), "%s%s", queue_sql(s),
		 queue_sql_skips(s) ? queue_sql_skip_locked : "");
	sent = PQsendPrepare(c->handle, name, sql, 0, NULL);
	if (take_answer(c, sent, sql, &r, err) < 0)
		return -1;
	PQclear(r);
	c->prepared[s] = true;
	return 0;
}

static int send_call(struct pg_conn *c, const char *name, const struct queue_call *call)
{
	const char *values[QUEUE_VALUES_MOST];
	int lengths[QUEUE_VALUES_MOST];
	int formats[QUEUE_VALUES_MOST];
	char numbers[QUEUE_VALUES_MOST][24];
	int n = 0;

	for (const struct queue_value *v = call->values; v->kind != QUEUE_NONE;
	     v++, n++) {
		values[n] = v->kind == QUEUE_NULL ? NULL : v->bytes;
		lengths[n] = (int)v->len;
		formats[n] = v->kind == QUEUE_BYTES;
		if (v->kind != QUEUE_INT)
			continue;
		snprintf(numbers[n], sizeof(numbers[n]), "%lld", (long long)v->number);
		values[n] = numbers[n];
	}
	return PQsendQueryPrepared(c->handle, name, n, values, lengths, formats, 0);
}

static void give_rows(const PGresult *r, struct queue_call *call)
{
	const char *cells[QUEUE_CELLS_MOST];
	int columns = PQnfields(r);

	assert(columns <= QUEUE_CELLS_MOST);
	call->rows = PQntuples(r);
	for (int i = 0; call->row && i < PQntuples(r); i++) {
		for (int j = 0; j < columns; j++)
			cells[j] = PQgetvalue(r, i, j); /* "" for NULL */
		call->row(call->ctx, cells);
	}
}

static int pg_run(struct queue_db *db, struct queue_call *call, struct error *err)
{
	struct pg_conn *c = (struct pg_conn *)db;
	const char *sql = queue_sql(call->statement);
	char name[16];
	PGresult *r;

	call->rows = 0;
	if (!c->handle)
		return error_set(err, ERR_IO, "queue (PostgreSQL): not connected");
	snprintf(name, sizeof(name), "crc_%d", (int)call->statement);
	if (prepare(c, call->statement, name, err) < 0 ||
	    take_answer(c, send_call(c, name, call), sql, &r, err) < 0)
		return -1;
	if (PQresultStatus(r) == PGRES_TUPLES_OK)
		give_rows(r, call);
	else
		(void)str_to_i64(PQcmdTuples(r), 0, INT64_MAX, &call->rows);
	PQclear(r);
	return 0;
}

struct queue_db *pg_conn_db(struct pg_conn *c)
{
	return &c->db;
}

bool pg_conn_again(const struct pg_conn *c)
{
	return c->again;
}

struct pg_conn *pg_conn_new(const char *url, const struct secret *password)
{
	struct pg_conn *c = xcalloc(1, sizeof(*c));

	c->db.run = pg_run;
	c->url = url;
	c->password = password;
	return c;
}

void pg_conn_free(struct pg_conn *c)
{
	if (!c)
		return;
	PQfinish(c->handle);
	free(c);
}
