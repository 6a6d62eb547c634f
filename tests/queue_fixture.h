/* queue_fixture.h - an empty queue for a test: a file in a folder of its own, or a schema of its own
 * in the PostgreSQL that CRC_TEST_POSTGRES names.
 *
 * Include after cmocka.h. */
#ifndef TESTS_QUEUE_FIXTURE_H
#define TESTS_QUEUE_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "base/buf.h"
#include "daemon/queue.h"
#include "io/fs.h"

struct queue_fixture {
	struct buf folder; /* "": PostgreSQL */
	char url[4096];
	struct queue *q;
	struct error err;
};

static inline const char *queue_fixture_pg(void)
{
	return getenv("CRC_TEST_POSTGRES");
}

/* A connection of the test's own, to the same schema. */
static inline PGconn *queue_fixture_connect(void)
{
	PGconn *c = PQconnectdb(queue_fixture_pg());
	char sql[128];

	snprintf(sql, sizeof(sql),
		 "SET client_min_messages = warning; SET search_path = t%d",
		 (int)getpid());
	PQclear(PQexec(c, sql));
	return c;
}

static inline void queue_fixture_ask_on(PGconn *c, const char *sql)
{
	PGresult *r = PQexec(c, sql);

	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s", PQerrorMessage(c));
	PQclear(r);
}

static inline void queue_fixture_ask(const char *sql)
{
	PGconn *c = queue_fixture_connect();

	queue_fixture_ask_on(c, sql);
	PQfinish(c);
}

/* Makes the schema that this program uses anew. */
static inline void queue_fixture_schema(struct queue_fixture *f)
{
	const char *url = queue_fixture_pg();
	char sql[128];

	snprintf(sql, sizeof(sql), "DROP SCHEMA IF EXISTS t%d CASCADE; CREATE SCHEMA t%d",
		 (int)getpid(), (int)getpid());
	queue_fixture_ask(sql);
	snprintf(f->url, sizeof(f->url), "%s%coptions=-csearch_path%%3Dt%d", url,
		 strchr(url, '?') ? '&' : '?', (int)getpid());
}

static inline struct queue *queue_fixture_open(struct queue_fixture *f, const char *owner)
{
	struct queue *q = NULL;

	if (queue_open(f->url, NULL, owner, NULL, &q, &f->err) < 0)
		fail_msg("%s", f->err.msg);
	return q;
}

static inline void queue_fixture_start(struct queue_fixture *f, bool pg)
{
	*f = (struct queue_fixture){ .folder = BUF_INIT(4096) };
	if (pg) {
		queue_fixture_schema(f);
	} else {
		/* In memory: how long a disk takes is not what these tests are about. */
		bool memory = access("/dev/shm", W_OK) == 0;

		assert_int_equal(
			fs_make_temp(memory ? "/dev/shm" : "/tmp", &f->folder, &f->err),
			0);
		snprintf(f->url, sizeof(f->url), "%s/queue.db", f->folder.data);
	}
	f->q = queue_fixture_open(f, "me");
}

static inline void queue_fixture_end(struct queue_fixture *f)
{
	queue_free(f->q);
	if (f->folder.len > 0)
		assert_int_equal(fs_remove_tree(f->folder.data, &f->err), 0);
	buf_release(&f->folder);
}

#endif
