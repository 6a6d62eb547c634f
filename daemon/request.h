/* request.h - a request and its answer as plain data: what server.c hands in and sends out, so
 * that everything between can be tested without a socket. */
#ifndef DAEMON_REQUEST_H
#define DAEMON_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct request_header {
	const char *name; /* as it came; compare without case */
	const char *value;
};

/* All pointers are borrowed for as long as the request is answered. */
struct request {
	const char *method;
	const char *path;  /* as it came, not decoded, without the query */
	const char *query; /* "" when there is none */
	const struct request_header *headers;
	size_t n_headers;
	const char *body; /* raw bytes; NUL-terminated beyond len */
	size_t body_len;
	const char
		*peer; /* the address it came from, after trusted proxies: "192.0.2.1" */
};

/* The value of the first header of that name; NULL: not there. */
const char *request_header(const struct request *r, const char *name);
/* How many headers have that name: those that decide something must come once. */
size_t request_header_count(const struct request *r, const char *name);
/* Whether two parties could understand the body's length differently (RFC 9112 section 6.3): then what
 * follows on the connection may be a part of it. */
bool request_is_framed_oddly(const struct request *r);
/* The values of all headers of that name as one list, in their order (RFC 9110 section 5.3): a
 * proxy may add a line of its own behind what was sent to it. NULL: there is none; else out's. */
const char *request_header_list(const struct request *r, const char *name,
				struct buf *out);

enum { ANSWER_BODY_MOST = 8 << 20 };

struct answer {
	int status;
	const char *content_type; /* static */
	const char *extra; /* static, may be NULL: more header lines, each with CRLF */
	int retry_after_s; /* 0: not told */
	struct buf body;
};

#define ANSWER_INIT                                                         \
	{                                                                   \
		.status = 500, .content_type = "text/plain; charset=utf-8", \
		.body = BUF_INIT(ANSWER_BODY_MOST)                          \
	}

void answer_release(struct answer *a);

#endif
