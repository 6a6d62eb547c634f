/* queue_group.h - one thread that does what many ask for, and commits it together.
 *
 * What a synchronous commit costs is waiting for the disk, whatever is in it. So while the thread
 * commits, requests gather; it takes all of them, does each in a savepoint of one transaction, commits
 * once, and wakes everybody with their own result. Private to the queue. */
#ifndef DAEMON_QUEUE_GROUP_H
#define DAEMON_QUEUE_GROUP_H

#include "base/error.h"
#include "base/mem.h"
#include "daemon/queue_store.h"

enum group_word {
	GROUP_BEGIN,
	GROUP_MARK, /* a savepoint */
	GROUP_KEEP, /* what was done since the mark */
	GROUP_UNDO,
	GROUP_COMMIT,
	GROUP_ABANDON, /* the whole transaction; may fail, if it is gone already */
	GROUP_WORDS
};

/* The connection; used by the thread alone. */
struct group_db {
	struct queue_db *db;
	int (*say)(void *ctx, enum group_word word, struct error *err);
	void *ctx;
};

struct queue_group;

int queue_group_start(const struct group_db *db, struct queue_group **out,
		      struct error *err);
/* Does all that has been asked for, and ends the thread. NULL-safe. */
void queue_group_free(struct queue_group *g);

/* Returns once the work is committed (0), or undone, or when the transaction failed. */
int queue_group_do(struct queue_group *g, queue_work work, void *ctx, struct error *err);

MEM_DEFINE_FREEP(queue_group)

#endif
