/* story.h - what a deploy's log tells, put together for a reader. */
#ifndef DAEMON_STORY_H
#define DAEMON_STORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/vec.h"

enum { STORY_ITEMS_MOST = 200, STORY_LINES_MOST = 300, STORY_HEAD_MOST = 64 << 10 };

struct story_phase {
	const char *name;
	int64_t at_ms;
};
VEC_DEFINE(story_phases, struct story_phase);

/* An object or a path that was dealt with. */
struct story_item {
	const char *what; /* "put", "copy", "delete", "invalidate", "backend" */
	const char *name;
	const char *status; /* "done", "failed", "left-alone" */
};
VEC_DEFINE(story_items, struct story_item);

struct story_line {
	int64_t at_ms;
	const char *text;
	bool is_error;
};

struct story {
	struct arena arena; /* owns all strings */
	const char *commit; /* "" for what is not known */
	const char *subject;
	const char *author;
	const char *verdict;
	const char *error;
	struct story_phases phases; /* of the last attempt */
	struct story_items items;   /* likewise, at most STORY_ITEMS_MOST */
	size_t items_left_out;
	int64_t uploaded, deleted, bytes, invalidated; /* of its result */
	struct story_line lines[STORY_LINES_MOST];     /* the last ones: a ring */
	size_t n_lines; /* of all; the oldest are overwritten */
};

/* Reads the log of a job. A job without one has an empty story. Released by the caller
 * either way. */
int story_read(const char *state, int64_t id, struct story *out, struct error *err);
/* The same of the log's begin only, where the commit is told, for those who need no more: a log
 * may be long. At most STORY_HEAD_MOST bytes are read. */
int story_read_head(const char *state, int64_t id, struct story *out, struct error *err);
void story_release(struct story *s);

/* The i-th line that is kept; NULL behind the last. */
const struct story_line *story_line_at(const struct story *s, size_t i);

/* Understands one line of the log. */
void story_add(struct story *s, const char *line, size_t len);

#endif
