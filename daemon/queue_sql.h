/* queue_sql.h - the queue's statements and its tables, in the SQL that SQLite and PostgreSQL
 * have in common. Private to the queue. */
#ifndef DAEMON_QUEUE_SQL_H
#define DAEMON_QUEUE_SQL_H

enum queue_statement {
	SQL_LOCK_SITE,
	SQL_TRY_SITE,
	SQL_REMEMBER,
	SQL_KNOWN,
	SQL_SUPERSEDE_PENDING,
	SQL_SUPERSEDE_EXPIRED,
	SQL_INSERT_JOB,
	SQL_LIVE_JOBS,
	SQL_LIVE_JOBS_OF,
	SQL_NEXT_FENCE,
	SQL_TAKE,
	SQL_RENEW,
	SQL_FIND_PENDING,
	SQL_END,
	SQL_RETRY,
	SQL_JOB,
	SQL_JOBS,
	SQL_JOBS_OF,
	SQL_SUMMARY,
	SQL_WENT_LIVE,
	SQL_SEEN,
	SQL_SET_SEEN,
	SQL_COUNT,
	SQL_PROBE,
	SQL_SITES,
	SQL_KEPT_FROM,
	SQL_FORGET_JOBS,
	SQL_FORGET_DELIVERIES,
	QUEUE_STATEMENTS
};

/* The text, with $1, $2, ... in the order of their first use: SQLite numbers them so. */
const char *queue_sql(enum queue_statement s);

/* In PostgreSQL, stands at the end of a statement that skips rows somebody else has locked.
 * SQLite has one writer and needs none. */
extern const char queue_sql_skip_locked[];
/* Does this one? */
int queue_sql_skips(enum queue_statement s);

enum { QUEUE_SCHEMA = 1, QUEUE_APPLICATION_ID = 0x63726351 /* "crcQ" */ };

/* Statement list n makes version n + 1 of the tables from version n. */
extern const char *const queue_schema_sqlite[QUEUE_SCHEMA];
extern const char *const queue_schema_pg[QUEUE_SCHEMA];

#endif
