/* problems.h - paths that cannot be deployed, and why: all are counted, the first few named. */
#ifndef RUN_PROBLEMS_H
#define RUN_PROBLEMS_H

#include "base/buf.h"
#include "base/error.h"

struct problems {
	struct buf text; /* of the first few, a line each */
	size_t n;
};

enum { PROBLEMS_BYTES = 4096 };

#define PROBLEMS_INIT                             \
	{                                         \
		.text = BUF_INIT(PROBLEMS_BYTES), \
	}

void problems_release(struct problems *p);

/* The path may hold any bytes. */
void problems_add(struct problems *p, const char *path, const char *what);
/* 0: there are none; else -1 with ERR_DATA: "2 paths cannot be deployed: ...". done is
 * "deployed". */
int problems_check(const struct problems *p, const char *done, struct error *err);

#endif
