/* http.h - requests and responses, and the one thing an engine does with them: run a feed.
 *
 * A feed is pulled: whenever the engine has room for another request it calls next(), and
 * when a request has ended, done(). Both are called on the caller's thread, from within
 * http_run(). Retries, signing and order live above, in whoever feeds. Redirects are never
 * followed; bodies are never decoded; a URL goes to the wire as it is written. */
#ifndef IO_HTTP_H
#define IO_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"

struct http_header {
	const char *name;
	const char *value;
};

/* What a request sends: bytes in memory, or a range of an open file. */
struct http_body {
	const void
		*bytes; /* borrowed until done(); NULL with fd set: read from the file */
	int fd;         /* used when bytes is NULL and len > 0; read with pread */
	int64_t offset;
	int64_t len;
};

/* All pointers are borrowed until done() has been called for the request. */
struct http_request {
	const char *method;
	const char *url; /* encoded, absolute */
	const struct http_header *headers;
	size_t n_headers;
	struct http_body body;
	int64_t timeout_ms;  /* for the whole request; <= 0: the engine's default */
	size_t max_response; /* cap of the body; 0: the engine's default (64 MiB) */
	bool no_proxy;       /* metadata endpoints must not go through a proxy */
	bool fresh;          /* on a new connection: an engine may send again by itself
	                           * what a kept one has lost, and some may be sent once only */
};

/* The service_code of an error from before any byte of the request had left: whatever it
 * asked for has not happened. */
#define HTTP_NOT_SENT "NotSent"

struct http_response {
	int status;
	struct http_header
		*headers; /* in arena; names as they came, compare without case */
	size_t n_headers;
	struct buf body;
	struct arena arena;
	int64_t sent_ms;     /* wall clock when the request was handed to the transport */
	int64_t received_ms; /* and when the response had ended */
};

#define HTTP_RESPONSE_INIT                         \
	{                                          \
		.body = BUF_INIT((size_t)64 << 20) \
	}

void http_response_release(struct http_response *res);
/* The value of the first header of that name, in any case; NULL: not there. */
const char *http_response_header(const struct http_response *res, const char *name);
/* Moves a response; *from is left empty. */
void http_response_move(struct http_response *to, struct http_response *from);
/* A moment by the server's clock, in ms since 1970, at which the request had not been sent yet:
 * what the answer tells was so then, or has become so since. It is the answer's Date less the
 * time that the answer took. 0: there is no Date that can be read, or a cache has answered. */
int64_t http_response_asked_ms(const struct http_response *res);

/* Reads "Tue, 15 Nov 1994 08:12:31 GMT" (RFC 9110 section 5.6.7, the one form that is still
 * written) as ms since 1970. False: not such a date. */
bool http_date_parse(const char *text, int64_t *out_ms);

enum http_feed_answer {
	HTTP_FEED_REQUEST, /* *req is filled */
	HTTP_FEED_WAIT, /* ask again when a request has ended, or in *wait_ms (-1: only then) */
	HTTP_FEED_END /* nothing more will come; run returns when all in flight have ended */
};

struct http_feed {
	void *ctx;
	/* *tag is handed back to done(). Must not answer WAIT with -1 while nothing is in
	 * flight. */
	enum http_feed_answer (*next)(void *ctx, struct http_request *req, void **tag,
				      int64_t *wait_ms);
	/* res is NULL when there was no whole answer; err then says why (ERR_NETWORK,
	 * ERR_TIMEOUT, ERR_TOO_BIG, ERR_IO when the body's file failed, ERR_CANCELLED).
	 * res is borrowed; it may be kept by moving it out (http_response_move). A body's
	 * bytes and file are not touched any more. Both functions may run the engine again,
	 * for a request of their own (credentials); the outer run goes on afterwards. */
	void (*done)(void *ctx, void *tag, struct http_response *res,
		     const struct error *err);
	/* May be NULL. Bytes of a request's body sent so far, for progress. */
	void (*progress)(void *ctx, void *tag, int64_t sent, int64_t total);
};

/* An engine: libcurl (http_curl.h), or a scripted one in tests. */
struct http {
	/* Runs a feed to its end with at most parallel requests in flight. Returns 0 once the
	 * feed has ended, whatever became of its requests; -1 only for what is wrong with the
	 * engine itself, or ERR_CANCELLED once *cancelled is set: requests in flight are then
	 * dropped, after done() was called for them. */
	int (*run)(struct http *http, const struct http_feed *feed, unsigned parallel,
		   struct error *err);
	void (*free)(struct http *http);
	const struct clock *clock;
	const volatile int *cancelled; /* may be NULL; set by a signal handler */
};

static inline int http_run(struct http *http, const struct http_feed *feed,
			   unsigned parallel, struct error *err)
{
	return http->run(http, feed, parallel, err);
}

/* NULL-safe. */
void http_free(struct http *http);

/* One request. 0 when a whole answer came, whatever its status. */
int http_send(struct http *http, const struct http_request *req,
	      struct http_response *res, struct error *err);

#include "base/mem.h"
MEM_DEFINE_FREEP(http)

#endif
