#include "daemon/queue_sql.h"

/* The columns of struct job, as queue_row_job() reads them. */
#define JOB                                                                              \
	"id, site, state, cause, delivery, base, head, deployed, attempt, fence, owner," \
	" created_ms, not_before_ms, started_ms, ended_ms, lease_ms, message"

#define LIVE "SELECT id, site, state, not_before_ms, lease_ms FROM crc_job WHERE "

/* A dead job that nothing newer has made pointless. States are numbers (enum job_state), since
 * an index of some rows is used only where its condition stands literally. */
#define DEAD_OPEN                                                                   \
	"d.state = 4 AND NOT EXISTS (SELECT 1 FROM crc_job n WHERE n.site = d.site" \
	" AND n.id > d.id AND n.state <> 3)"

static const struct {
	const char *text;
	int skips;
} statements[QUEUE_STATEMENTS] = {
	/* Makes the row and locks it: who changes a site's jobs holds it until the commit. */
	[SQL_LOCK_SITE] = { "INSERT INTO crc_site (name) VALUES ($1)"
			    " ON CONFLICT (name) DO UPDATE SET name = excluded.name",
			    0 },
	[SQL_TRY_SITE] = { "SELECT name FROM crc_site WHERE name = $1", 1 },
	[SQL_REMEMBER] = { "INSERT INTO crc_delivery (site, delivery, digest, at_ms)"
			   " VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
			   0 },
	/* How often a delivery's name is known, its digest, and whether the site's newest job
	 * asks for the same commit. */
	[SQL_KNOWN] = { "SELECT (SELECT count(*) FROM crc_delivery WHERE site = $1"
			" AND delivery = $2 AND delivery <> ''),"
			" (SELECT count(*) FROM crc_delivery WHERE site = $1"
			" AND digest = $3),"
			" (SELECT count(*) FROM crc_job WHERE head = $4 AND id ="
			" (SELECT max(id) FROM crc_job WHERE site = $1))",
			0 },
	[SQL_SUPERSEDE_PENDING] = { "UPDATE crc_job SET state = 3, ended_ms = $1,"
				    " message = CASE message WHEN '' THEN"
				    " 'a newer one took its place' ELSE message END"
				    " WHERE site = $2 AND state = 0",
				    0 },
	[SQL_SUPERSEDE_EXPIRED] = { "UPDATE crc_job SET state = 3, lease_ms = 0,"
				    " ended_ms = $1, message = 'its lease ended, and a"
				    " newer one was pending' WHERE id = $2",
				    0 },
	[SQL_INSERT_JOB] = { "INSERT INTO crc_job (site, cause, delivery, base, head,"
			     " created_ms) VALUES ($1, $2, $3, $4, $5, $6)",
			     0 },
	/* In two parts, each of which walks a small index of its own. */
	[SQL_LIVE_JOBS] = { LIVE "state = 0 UNION ALL " LIVE "state = 1", 0 },
	[SQL_LIVE_JOBS_OF] = { LIVE "state = 0 AND site = $1 UNION ALL " LIVE
				    "state = 1 AND site = $1",
			       0 },
	[SQL_NEXT_FENCE] = { "UPDATE crc_meta SET fence = fence + 1 RETURNING fence", 0 },
	[SQL_TAKE] = { "UPDATE crc_job SET state = 1, attempt = attempt + 1, fence = $1,"
		       " owner = $2, started_ms = $3, lease_ms = $4 WHERE id = $5"
		       " RETURNING " JOB,
		       0 },
	[SQL_RENEW] = { "UPDATE crc_job SET lease_ms = $1"
			" WHERE id = $2 AND fence = $3 AND state = 1",
			0 },
	[SQL_FIND_PENDING] = { "SELECT id FROM crc_job WHERE site = $1 AND state = 0",
			       0 },
	[SQL_END] = { "UPDATE crc_job SET state = $1, ended_ms = $2, not_before_ms = $3,"
		      " attempt = attempt - $4, deployed = $5, message = $6,"
		      " summary = COALESCE($7, summary), lease_ms = 0"
		      " WHERE id = $8 AND fence = $9 AND state = 1",
		      0 },
	[SQL_RETRY] = { "UPDATE crc_job SET state = 0, attempt = 0, not_before_ms = $1,"
			" ended_ms = 0 WHERE id = (SELECT max(d.id) FROM crc_job d"
			" WHERE d.site = $2 AND " DEAD_OPEN ")",
			0 },
	[SQL_JOB] = { "SELECT " JOB " FROM crc_job WHERE id = $1", 0 },
	[SQL_JOBS] = { "SELECT " JOB " FROM crc_job ORDER BY id DESC LIMIT $1", 0 },
	[SQL_JOBS_OF] = { "SELECT " JOB " FROM crc_job WHERE site = $1"
			  " ORDER BY id DESC LIMIT $2",
			  0 },
	[SQL_SUMMARY] = { "SELECT summary FROM crc_job"
			  " WHERE id = $1 AND summary IS NOT NULL",
			  0 },
	[SQL_WENT_LIVE] = { "SELECT max(id) AS last FROM crc_job"
			    " WHERE site = $1 AND state = 2 AND deployed <> ''"
			    " GROUP BY deployed ORDER BY last DESC LIMIT 1 OFFSET $2",
			    0 },
	[SQL_SEEN] = { "SELECT seen FROM crc_site WHERE name = $1", 0 },
	[SQL_SET_SEEN] = { "INSERT INTO crc_site (name, seen) VALUES ($1, $2)"
			   " ON CONFLICT (name) DO UPDATE SET seen = excluded.seen",
			   0 },
	[SQL_COUNT] = { "SELECT (SELECT count(*) FROM crc_job WHERE state = 0),"
			" (SELECT count(*) FROM crc_job WHERE state = 1),"
			" (SELECT count(*) FROM crc_job d WHERE " DEAD_OPEN "),"
			" (SELECT COALESCE(min(created_ms), 0) FROM crc_job"
			" WHERE state = 0)",
			0 },
	[SQL_PROBE] = { "UPDATE crc_meta SET probes = probes + 1", 0 },
	[SQL_SITES] = { "SELECT name FROM crc_site", 0 },
	[SQL_KEPT_FROM] = { "SELECT id FROM crc_job WHERE site = $1"
			    " ORDER BY id DESC LIMIT 1 OFFSET $2",
			    0 },
	[SQL_FORGET_JOBS] = { "DELETE FROM crc_job WHERE id IN (SELECT id FROM crc_job"
			      " WHERE site = $1 AND id < $2 AND state >= 2"
			      " AND ended_ms < $3 AND id <> $4 AND id <> $5"
			      " ORDER BY id LIMIT $6)",
			      0 },
	/* Looks at the oldest only: no index by time has to be kept for it. */
	[SQL_FORGET_DELIVERIES] = { "DELETE FROM crc_delivery WHERE id IN (SELECT o.id FROM"
				    " (SELECT id, at_ms FROM crc_delivery ORDER BY id"
				    " LIMIT $1) AS o WHERE o.at_ms < $2)",
				    0 },
};

const char queue_sql_skip_locked[] = " FOR UPDATE SKIP LOCKED";

const char *queue_sql(enum queue_statement s)
{
	return statements[s].text;
}

int queue_sql_skips(enum queue_statement s)
{
	return statements[s].skips;
}

/* Ids are never used twice and grow within a site: newer is higher. That one job of a site is
 * pending and one running is a promise of the tables, whatever the rules do. */
#define SCHEMA_1(ID, BYTES)                                                          \
	"CREATE TABLE crc_meta (fence BIGINT NOT NULL, probes BIGINT NOT NULL);"     \
	"INSERT INTO crc_meta VALUES (0, 0);"                                        \
	"CREATE TABLE crc_site (name TEXT PRIMARY KEY NOT NULL,"                     \
	" seen TEXT NOT NULL DEFAULT '');"                                           \
	"CREATE TABLE crc_delivery (id " ID ", site TEXT NOT NULL,"                  \
	" delivery TEXT NOT NULL, digest " BYTES ", at_ms BIGINT NOT NULL);"         \
	"CREATE UNIQUE INDEX crc_delivery_name ON crc_delivery (site, delivery)"     \
	" WHERE delivery <> '';"                                                     \
	"CREATE UNIQUE INDEX crc_delivery_digest ON crc_delivery (site, digest)"     \
	" WHERE digest IS NOT NULL;"                                                 \
	"CREATE TABLE crc_job (id " ID ", site TEXT NOT NULL,"                       \
	" state BIGINT NOT NULL DEFAULT 0, cause BIGINT NOT NULL,"                   \
	" delivery TEXT NOT NULL, base TEXT NOT NULL, head TEXT NOT NULL,"           \
	" deployed TEXT NOT NULL DEFAULT '', attempt BIGINT NOT NULL DEFAULT 0,"     \
	" fence BIGINT NOT NULL DEFAULT 0, owner TEXT NOT NULL DEFAULT '',"          \
	" created_ms BIGINT NOT NULL, not_before_ms BIGINT NOT NULL DEFAULT 0,"      \
	" started_ms BIGINT NOT NULL DEFAULT 0, ended_ms BIGINT NOT NULL DEFAULT 0," \
	" lease_ms BIGINT NOT NULL DEFAULT 0, message TEXT NOT NULL DEFAULT '',"     \
	" summary TEXT);"                                                            \
	"CREATE UNIQUE INDEX crc_job_pending ON crc_job (site) WHERE state = 0;"     \
	"CREATE UNIQUE INDEX crc_job_running ON crc_job (site) WHERE state = 1;"     \
	"CREATE INDEX crc_job_live ON crc_job (site, deployed, id)"                  \
	" WHERE state = 2 AND deployed <> '';"                                       \
	"CREATE INDEX crc_job_dead ON crc_job (site, id) WHERE state = 4;"           \
	"CREATE INDEX crc_job_site ON crc_job (site, id);"

const char *const queue_schema_sqlite[QUEUE_SCHEMA] = {
	SCHEMA_1("INTEGER PRIMARY KEY AUTOINCREMENT", "BLOB"),
};

const char *const queue_schema_pg[QUEUE_SCHEMA] = {
	SCHEMA_1("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "BYTEA"),
};
