/* stdin_jobs.h - the loop of a helper that answers one JSON object a line with another. */
#ifndef TESTS_STDIN_JOBS_H
#define TESTS_STDIN_JOBS_H

#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "codec/json.h"

enum { JOB_ANSWER_MOST = 256 << 20 };

/* Answers until the end of the input. What main returns: 1, with the reason on stderr, for a
 * line that is not JSON. */
static inline int answer_stdin(const char *program,
			       void (*answer)(const struct json *job, struct buf *out))
{
	CLEANUP_PTR(mem) char *line = NULL;
	size_t size = 0;
	ssize_t len;

	while ((len = getline(&line, &size, stdin)) > 0) {
		CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;
		CLEANUP(buf) struct buf out = BUF_INIT(JOB_ANSWER_MOST);
		struct error err = ERROR_INIT;

		if (json_parse(line, (size_t)len, &doc, &err) < 0) {
			fprintf(stderr, "%s: %s\n", program, err.msg);
			return 1;
		}
		answer(json_root(doc), &out);
		if (printf("%s\n", out.data) < 0 || fflush(stdout) != 0)
			return 1;
	}
	return 0;
}

#endif
