/* error.h - what an AWS service answered, as a struct error.
 *
 * Four shapes are known: S3's <Error>, the <ErrorResponse><Error> of REST-XML and query
 * services, JSON (x-amzn-ErrorType or __type), and what is none of them: HTML from a proxy,
 * nothing, or half of a document. The status decides where no code is found. */
#ifndef AWS_ERROR_H
#define AWS_ERROR_H

#include "io/http.h"

/* What an answer says about an error beyond struct error. */
struct aws_fault {
	char region[64]; /* where the bucket is; "" when not said */
};

/* Decodes an answer that is an error by its status (or, S3, a 200 with an error's body).
 * Always sets *err: code, http_status, retryable, service_code, msg ("403 AccessDenied:
 * Access Denied"). */
void aws_error_decode(const struct http_response *res, struct aws_fault *fault,
		      struct error *err);

/* For the operations that answer 200 before they are done (CopyObject,
 * CompleteMultipartUpload): whether the body is the result after all, and not an error, cut
 * short or empty. root is the result's element. */
bool aws_is_result(const struct http_response *res, const char *root);

/* Questions about service codes. */
bool aws_error_is_throttle(const char *code);
bool aws_error_is_expired(const char *code); /* the keys, not the request */
/* Says that the clocks differ, or may say that (then *sure is false). */
bool aws_error_is_skew(const char *code, bool *sure);
bool aws_error_is_elsewhere(const char *code,
			    int status); /* the bucket's region differs */

#endif
