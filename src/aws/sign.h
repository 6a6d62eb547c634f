/* sign.h - one attempt at an AWS request, as it goes to the transport: URL and headers,
 * signed for a moment. Private to src/aws. */
#ifndef AWS_SIGN_H
#define AWS_SIGN_H

#include "aws/client.h"
#include "aws/creds.h"
#include "aws/endpoint.h"

/* An attempt. All that http points to lives in the arena, the request or the keys. */
struct attempt {
	struct arena arena;
	struct http_request http;
	struct secret
		token; /* the session token is a header's value: wiped with the rest */
};

void attempt_release(struct attempt *attempt);

/* What one attempt adds to its request. */
struct attempt_options {
	const struct endpoint *endpoint;
	const struct aws_keys *keys; /* NULL: an anonymous request */
	const char *payload_hash;    /* of the body, in hex */
	int64_t time_ms;             /* the service's clock, as far as it is known */
};

/* Replaces *attempt. -1: ERR_DATA for what cannot be sent. */
int attempt_sign(struct attempt *attempt, const struct aws_request *req,
		 const struct attempt_options *options, struct error *err);

/* The SHA-256 of a body in hex, read from memory or file. */
int attempt_hash_body(const struct http_body *body, char out[65], struct error *err);

#endif
