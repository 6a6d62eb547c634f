/* client.h - requests to AWS: endpoint, signature, retries, errors. Services above it build
 * requests and read responses; they know no transport, clock or key.
 *
 * A request is plain data whose strings live in its arena. One is sent by aws_send, several
 * side by side by aws_send_all, a stream of them by aws_run. All retry what can be retried
 * (docs/aws.md has the rules): throttling, 5xx, lost connections, clock skew, a bucket in
 * another region, expired credentials; with jittered exponential waiting, during which
 * the other requests go on. Each attempt is signed anew. */
#ifndef AWS_CLIENT_H
#define AWS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/vec.h"
#include "io/http.h"

enum aws_service {
	AWS_S3,
	AWS_CLOUDFRONT,
	AWS_STS,
	AWS_CLOUDFORMATION,
	AWS_LAMBDA,
	AWS_SERVICES
};

struct aws;       /* endpoints, credentials, learnt skew and bucket regions */
struct aws_creds; /* creds.h */

struct aws_param {
	const char *name;
	const char *value; /* "" for a parameter without a value */
};

VEC_DEFINE(aws_params, struct aws_param);
VEC_DEFINE(http_headers, struct http_header);

struct aws_request {
	struct arena arena; /* owns all strings below */
	enum aws_service service;
	const char *operation; /* "PutObject": for messages and logs */
	const char *method;
	const char *bucket;      /* S3: becomes host or path as the endpoint demands */
	const char *path;        /* not encoded, starts with '/'; for S3 "/" + key */
	struct aws_params query; /* not encoded */
	struct http_headers headers; /* without Host, Authorization, x-amz-date, token */
	struct http_body
		body; /* what it points to is borrowed until the call has ended */
	const char *sha256_hex; /* of the body; NULL: computed from body.bytes */
	const char *region;     /* NULL: the client's (CloudFront: always us-east-1) */
	bool anonymous;         /* not signed (STS with a web identity) */
	bool once;              /* never retried after it may have taken effect */
	int64_t timeout_ms;  /* of one attempt; 0: 60 s plus a second a 256 KiB of body */
	int64_t deadline_ms; /* monotonic; no attempt starts or lasts beyond; 0: none */
	size_t max_response; /* 0: 64 MiB */
};

#define AWS_REQUEST_INIT                     \
	{                                    \
		.method = "GET", .path = "/" \
	}

void aws_request_release(struct aws_request *req);
/* Appends a header or parameter; the strings are copied. */
void aws_request_header(struct aws_request *req, const char *name, const char *value);
void aws_request_param(struct aws_request *req, const char *name, const char *value);

struct aws_options {
	struct http *http;         /* borrowed */
	struct aws_creds *creds;   /* borrowed; NULL: only anonymous requests */
	const struct clock *clock; /* borrowed */
	const struct log *log;     /* borrowed; may be NULL */
	const char *region;
	const char *const
		*env;  /* NAME=VALUE..., NULL-terminated, for AWS_ENDPOINT_URL[_S3]
	                             * and the like; borrowed */
	uint64_t seed; /* of the jitter */
	unsigned max_attempts; /* 0: 5 */
};

int aws_new(const struct aws_options *options, struct aws **out, struct error *err);
void aws_free(struct aws *aws); /* NULL-safe */
const struct clock *aws_clock(const struct aws *aws);
const char *aws_region(const struct aws *aws); /* "" when none is set */
/* Whether a signal told the run to stop; no request is sent then. */
bool aws_is_cancelled(const struct aws *aws);
/* Requests are sent again although the run was cancelled: for those that put away what would
 * stand in the way of the next run. They should have a short deadline. Returns what
 * aws_recancel takes. */
const volatile int *aws_uncancel(struct aws *aws);
/* A signal counts again: one that came before aws_uncancel, and one that came since. */
void aws_recancel(struct aws *aws, const volatile int *cancelled);

/* The server's time minus ours in ms, as last seen; 0 before the first answer. */
int64_t aws_skew_ms(const struct aws *aws);

/* One request. 0: *res is an answer with a 2xx status. -1: the error is decoded: code,
 * http_status, service_code and message; *res then holds headers of the last answer, if one
 * was had. Codes worth branching on: ERR_NOT_FOUND (404), ERR_CONDITION (412, 304),
 * ERR_CONFLICT (409), ERR_FORBIDDEN, ERR_CREDENTIALS, ERR_NETWORK, ERR_TIMEOUT (the
 * deadline is over), ERR_CANCELLED. */
int aws_send(struct aws *aws, const struct aws_request *req, struct http_response *res,
	     struct error *err);

/* Several at once. Each call's err.code is ERR_NONE on success. Returns -1 only when the
 * run itself was cut short. */
struct aws_call {
	struct aws_request request;
	struct http_response response;
	struct error err;
	unsigned attempts;
};

#define AWS_CALL_INIT                                                       \
	{                                                                   \
		.request = AWS_REQUEST_INIT, .response = HTTP_RESPONSE_INIT \
	}

void aws_call_release(struct aws_call *call);
int aws_send_all(struct aws *aws, struct aws_call *calls, size_t n, struct error *err);

/* A stream of calls, pulled as there is room. */
struct aws_feed {
	void *ctx;
	/* *call is borrowed until done(); answers as http_feed's next(). */
	enum http_feed_answer (*next)(void *ctx, struct aws_call **call,
				      int64_t *wait_ms);
	void (*done)(void *ctx, struct aws_call *call);
	void (*progress)(void *ctx, struct aws_call *call, int64_t sent, int64_t total);
};

int aws_run(struct aws *aws, const struct aws_feed *feed, unsigned parallel,
	    struct error *err);

MEM_DEFINE_FREEP(aws)

#endif
