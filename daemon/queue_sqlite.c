#include "daemon/queue_store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/mem.h"
#include "base/str.h"
#include "daemon/queue_group.h"

/* The file has one writer at a time, in all processes: how long to wait for another's turn. */
enum { BUSY_MS = 5000 };

struct sqlite_db {
	struct queue_db db; /* first, so that a queue_db * of ours is one of these */
	sqlite3 *handle;
	sqlite3_stmt *kept[QUEUE_STATEMENTS];
	sqlite3_stmt *words[GROUP_WORDS]; /* the group's */
	const char *path;                 /* the store's */
};

struct sqlite_store {
	struct queue_store store; /* first */
	char *path;
	struct sqlite_db writer; /* the group's thread's, once that runs */
	struct sqlite_db reader;
	pthread_mutex_t reading; /* of the reader */
	struct queue_group *group;
};

static int fail(const struct sqlite_db *d, const char *what, struct error *err)
{
	int code = sqlite3_errcode(d->handle) & 0xff;
	enum error_code kind = ERR_IO;

	if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
		kind = ERR_TIMEOUT;
	else if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
		kind = ERR_DATA;
	error_set(err, kind, "queue %s: %s: %s", d->path, what,
		  sqlite3_errmsg(d->handle));
	err->retryable = kind != ERR_DATA;
	return -1;
}

static int exec(struct sqlite_db *d, const char *sql, struct error *err)
{
	return sqlite3_exec(d->handle, sql, NULL, NULL, NULL) == SQLITE_OK
		       ? 0
		       : fail(d, sql, err);
}

/* The kept statement, ready to run; NULL: -1. */
static sqlite3_stmt *statement(struct sqlite_db *d, enum queue_statement s,
			       struct error *err)
{
	sqlite3_stmt **kept = &d->kept[s];
	char name[16];

	if (*kept)
		return *kept;
	if (sqlite3_prepare_v3(d->handle, queue_sql(s), -1, SQLITE_PREPARE_PERSISTENT,
			       kept, NULL) != SQLITE_OK) {
		fail(d, queue_sql(s), err);
		return NULL;
	}
	/* SQLite takes $1 for a name and numbers names as they come. */
	for (int i = 1; i <= sqlite3_bind_parameter_count(*kept); i++) {
		snprintf(name, sizeof(name), "$%d", i);
		assert(str_eq(sqlite3_bind_parameter_name(*kept, i), name));
	}
	return *kept;
}

/* What is bound lives until the statement has run. */
static int bind(sqlite3_stmt *stmt, int at, const struct queue_value *v)
{
	switch (v->kind) {
	case QUEUE_INT:
		return sqlite3_bind_int64(stmt, at, v->number);
	case QUEUE_TEXT:
		return sqlite3_bind_text(stmt, at, v->bytes, -1, SQLITE_STATIC);
	case QUEUE_BYTES:
		return sqlite3_bind_blob(stmt, at, v->bytes, (int)v->len, SQLITE_STATIC);
	case QUEUE_NULL:
	case QUEUE_NONE:
		break;
	}
	return sqlite3_bind_null(stmt, at);
}

static void give_row(sqlite3_stmt *stmt, struct queue_call *call)
{
	const char *cells[QUEUE_CELLS_MOST];
	int n = sqlite3_column_count(stmt);

	assert(n <= QUEUE_CELLS_MOST);
	call->rows++;
	for (int i = 0; i < n; i++) {
		cells[i] = (const char *)sqlite3_column_text(stmt, i);
		if (!cells[i])
			cells[i] = "";
	}
	if (call->row)
		call->row(call->ctx, cells);
}

static int run_statement(struct sqlite_db *d, sqlite3_stmt *stmt, struct queue_call *call,
			 struct error *err)
{
	int rc;

	for (int i = 0; call->values[i].kind != QUEUE_NONE; i++)
		if (bind(stmt, i + 1, &call->values[i]) != SQLITE_OK)
			return fail(d, queue_sql(call->statement), err);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
		give_row(stmt, call);
	if (rc != SQLITE_DONE)
		return fail(d, queue_sql(call->statement), err);
	if (sqlite3_column_count(stmt) == 0)
		call->rows = sqlite3_changes(d->handle);
	return 0;
}

static int sqlite_run(struct queue_db *db, struct queue_call *call, struct error *err)
{
	struct sqlite_db *d = (struct sqlite_db *)db;
	sqlite3_stmt *stmt = statement(d, call->statement, err);
	int result;

	call->rows = 0;
	if (!stmt)
		return -1;
	result = run_statement(d, stmt, call, err);
	sqlite3_reset(stmt); /* says again what step said */
	sqlite3_clear_bindings(stmt);
	return result;
}

/* Opening. */

static void close_db(struct sqlite_db *d)
{
	for (int i = 0; i < QUEUE_STATEMENTS; i++)
		sqlite3_finalize(d->kept[i]);
	for (int i = 0; i < GROUP_WORDS; i++)
		sqlite3_finalize(d->words[i]);
	sqlite3_close(d->handle);
}

/* The first number of an answer. */
static int ask(struct sqlite_db *d, const char *sql, int64_t *out, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(d->handle, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(stmt, 0);
	else
		fail(d, sql, err);
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? 0 : -1;
}

/* Whose file is it? *version 0: a new one. Nothing is written before this is known. */
static int check_kind(struct sqlite_db *d, int64_t *version, struct error *err)
{
	int64_t application;
	int64_t tables;

	if (ask(d, "PRAGMA application_id", &application, err) < 0 ||
	    ask(d, "PRAGMA user_version", version, err) < 0 ||
	    ask(d, "SELECT count(*) FROM sqlite_master", &tables, err) < 0)
		return -1;
	if (application == 0 && *version == 0 && tables == 0)
		return 0;
	if (application != QUEUE_APPLICATION_ID)
		return error_set(err, ERR_DATA,
				 "%s is a database, but not a queue of crc-daemon's",
				 d->path);
	if (*version > QUEUE_SCHEMA)
		return error_set(
			err, ERR_DATA,
			"queue %s is of version %lld, made by a newer crc-daemon; "
			"this one knows version %d",
			d->path, (long long)*version, QUEUE_SCHEMA);
	return 0;
}

static int make_tables(struct sqlite_db *d, struct error *err)
{
	char pragmas[96];
	int64_t version;

	/* Looks again: another process may have been first. */
	if (check_kind(d, &version, err) < 0)
		return -1;
	for (; version < QUEUE_SCHEMA; version++)
		if (exec(d, queue_schema_sqlite[version], err) < 0)
			return -1;
	snprintf(pragmas, sizeof(pragmas),
		 "PRAGMA application_id = %d; PRAGMA user_version = %d",
		 QUEUE_APPLICATION_ID, QUEUE_SCHEMA);
	return exec(d, pragmas, err);
}

/* When many open a new file at once, who meets another that is switching it to WAL is told so at
 * once, whatever the busy timeout (seen with twelve). */
static int use_wal(struct sqlite_db *d, struct error *err)
{
	static const char wal[] = "PRAGMA journal_mode = WAL";
	int rc = sqlite3_exec(d->handle, wal, NULL, NULL, NULL);

	for (int waited = 0; rc == SQLITE_BUSY && waited < BUSY_MS; waited += 20) {
		sqlite3_sleep(20);
		rc = sqlite3_exec(d->handle, wal, NULL, NULL, NULL);
	}
	return rc == SQLITE_OK ? 0 : fail(d, wal, err);
}

static int set_up(struct sqlite_db *d, struct error *err)
{
	struct error ignored = ERROR_INIT;
	int64_t version;

	/* One moment's answers: another process may be making the tables right now. */
	if (exec(d, "BEGIN", err) < 0 || check_kind(d, &version, err) < 0 ||
	    exec(d, "COMMIT", err) < 0 || use_wal(d, err) < 0)
		return -1;
	/* FULL: each commit is on the disk before it returns. What a flood left of the log file
	 * is given back. */
	if (exec(d, "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 16777216",
		 err) < 0)
		return -1;
	if (version == QUEUE_SCHEMA)
		return 0;
	if (exec(d, "BEGIN IMMEDIATE", err) < 0)
		return -1;
	if (make_tables(d, err) == 0 && exec(d, "COMMIT", err) == 0)
		return 0;
	(void)exec(d, "ROLLBACK", &ignored);
	return -1;
}

/* For nobody else's eyes. Only ever opens a file that it makes: closing a descriptor of one that
 * SQLite has open in this process would drop SQLite's locks (POSIX). */
static int make_file(const char *path, struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	else if (errno != EEXIST)
		return error_set(err, ERR_IO, "queue %s: %s", path, strerror(errno));
	return 0;
}

static int open_db(struct sqlite_db *d, const char *path, struct error *err)
{
	d->db.run = sqlite_run;
	d->path = path;
	/* Each connection is used by one thread at a time, which we see to. */
	if (sqlite3_open_v2(path, &d->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		return d->handle ? fail(d, "open", err)
				 : error_set(err, ERR_IO, "queue %s: no memory", path);
	sqlite3_extended_result_codes(d->handle, 1);
	sqlite3_busy_timeout(d->handle, BUSY_MS);
	return 0;
}

/* The store. */

static const char *const group_words[GROUP_WORDS] = {
	[GROUP_BEGIN] = "BEGIN IMMEDIATE", [GROUP_MARK] = "SAVEPOINT one",
	[GROUP_KEEP] = "RELEASE one",      [GROUP_UNDO] = "ROLLBACK TO one",
	[GROUP_COMMIT] = "COMMIT",         [GROUP_ABANDON] = "ROLLBACK",
};

/* Kept prepared, since two of them are said for each put. */
static int run_word(struct sqlite_db *d, enum group_word word, struct error *err)
{
	sqlite3_stmt **stmt = &d->words[word];
	int result = 0;

	if (!*stmt &&
	    sqlite3_prepare_v3(d->handle, group_words[word], -1,
			       SQLITE_PREPARE_PERSISTENT, stmt, NULL) != SQLITE_OK)
		return fail(d, group_words[word], err);
	if (sqlite3_step(*stmt) != SQLITE_DONE)
		result = fail(d, group_words[word], err);
	sqlite3_reset(*stmt);
	return result;
}

static int group_say(void *ctx, enum group_word word, struct error *err)
{
	if (run_word(ctx, word, err) < 0)
		return -1;
	/* What was undone is still open, as nothing. */
	return word == GROUP_UNDO ? run_word(ctx, GROUP_KEEP, err) : 0;
}

static int sqlite_write(struct queue_store *s, queue_work work, void *ctx,
			struct error *err)
{
	return queue_group_do(((struct sqlite_store *)s)->group, work, ctx, err);
}

static int sqlite_read(struct queue_store *s, queue_work work, void *ctx,
		       struct error *err)
{
	struct sqlite_store *store = (struct sqlite_store *)s;
	struct error ignored = ERROR_INIT;
	int result;

	pthread_mutex_lock(&store->reading);
	result = exec(&store->reader, "BEGIN", err);
	if (result == 0) {
		result = work(&store->reader.db, ctx, err);
		/* Nothing was written: how it ends is all the same. */
		(void)exec(&store->reader, "COMMIT", &ignored);
	}
	pthread_mutex_unlock(&store->reading);
	return result;
}

static void sqlite_free(struct queue_store *s)
{
	struct sqlite_store *store = (struct sqlite_store *)s;

	queue_group_free(store->group);
	close_db(&store->reader);
	close_db(&store->writer);
	pthread_mutex_destroy(&store->reading);
	free(store->path);
	free(store);
}

static int start(struct sqlite_store *store, struct error *err)
{
	struct group_db group = { &store->writer.db, group_say, &store->writer };

	if (make_file(store->path, err) < 0 ||
	    open_db(&store->writer, store->path, err) < 0 ||
	    set_up(&store->writer, err) < 0 ||
	    open_db(&store->reader, store->path, err) < 0 ||
	    exec(&store->reader, "PRAGMA query_only = ON", err) < 0)
		return -1;
	return queue_group_start(&group, &store->group, err);
}

int queue_sqlite_open(const char *path, const struct log *log, struct queue_store **out,
		      struct error *err)
{
	struct sqlite_store *store = xcalloc(1, sizeof(*store));

	store->store = (struct queue_store){ sqlite_write, sqlite_read, sqlite_free };
	store->path = xstrdup(path);
	pthread_mutex_init(&store->reading, NULL);
	if (start(store, err) < 0) {
		sqlite_free(&store->store);
		return -1;
	}
	log_debug(log, "queue %s: SQLite %s", path, sqlite3_libversion());
	*out = &store->store;
	return 0;
}
