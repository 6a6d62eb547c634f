/* fake_http.h - a struct http that follows a script, for tests of what lies above it.
 *
 * Time is the caller's fake clock: each answer takes latency_ms of it, and a feed that waits
 * makes it pass. Requests in flight are answered in the order in which they came. What was
 * asked is kept in seen[]; what the script did not foresee fails the test (in
 * fake_http_check). */
#ifndef FAKE_HTTP_H
#define FAKE_HTTP_H

#include "base/clock.h"
#include "base/vec.h"
#include "io/http.h"

/* How a request is answered. All strings are borrowed until the end. */
struct fake_reply {
	int status;          /* 0: no answer; fail says why */
	const char *headers; /* "Name: value\n..."; may be NULL */
	const char *body;    /* may be NULL */
	size_t body_len;     /* 0: up to the body's NUL */
	enum error_code fail;
	bool not_sent;      /* with fail: service_code HTTP_NOT_SENT */
	int64_t latency_ms; /* 0: the fake's */
};

struct fake_rule {
	const char *method;   /* NULL: any */
	const char *url_part; /* NULL: any */
	struct fake_reply reply;
	int times; /* left; -1: for ever */
};

struct fake_seen {
	char *method;
	char *url;
	char *headers; /* "Name: value\n..." */
	char *body;    /* with a NUL behind it */
	size_t body_len;
	bool from_file; /* the body: it was in no memory as a whole */
	int64_t at_ms;
	int64_t timeout_ms;
	bool no_proxy;
	bool fresh;
};

VEC_DEFINE(fake_rules, struct fake_rule);
VEC_DEFINE(fake_seen_list, struct fake_seen);

struct fake_http {
	struct http http; /* hand out &fake.http */
	struct clock_fake *clock;
	struct fake_rules rules;
	struct fake_seen_list seen;
	int64_t latency_ms;
	size_t fail_nth; /* from 1; that request gets no answer (ERR_NETWORK); 0: none */
	/* Answers what no rule does; NULL: nothing. What the reply points to is borrowed until
	 * the end. */
	void (*serve)(void *ctx, const struct fake_seen *seen, struct fake_reply *reply);
	void *serve_ctx;
	size_t most_in_flight;
	size_t unforeseen;
};

void fake_http_init(struct fake_http *fake, struct clock_fake *clock);
void fake_http_release(struct fake_http *fake);
/* Adds a rule that answers once; the first rule that fits and is not used up answers.
 * Returned for changes, until the next call. */
struct fake_rule *fake_http_expect(struct fake_http *fake, const char *method,
				   const char *url_part, int status, const char *headers,
				   const char *body);
/* All rules with a count were used up and nothing else was asked; says what was not. */
bool fake_http_check(const struct fake_http *fake);
/* The value of a header of a seen request into out; false: not there. */
bool fake_seen_header(const struct fake_seen *seen, const char *name, char *out,
		      size_t size);

#endif
