/* sigv4.h - AWS Signature Version 4, in stages that can be looked at one by one.
 *
 * A request is described as it goes on the wire: its path is the encoded one of the
 * request line (url_encode_s3_key makes it, for every service). SIGV4_S3 signs these very
 * bytes: encoded once, nothing normalised, as S3 wants it. SIGV4_GENERAL takes "." and
 * ".." segments and repeated slashes out and encodes the encoded path once more, as all
 * other services want it; what is sent stays as it was. The query is given plain, because
 * its canonical form (sigv4_query) may be sent as it is.
 *
 * Left to the caller: to keep line breaks out of what is sent as a header (here they
 * count as white space), and to sign each attempt anew, with the time of that attempt.
 *
 * docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
#ifndef CODEC_SIGV4_H
#define CODEC_SIGV4_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/secret.h"

#define SIGV4_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"
/* The SHA-256 of no bytes. */
#define SIGV4_EMPTY_PAYLOAD \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

enum sigv4_style { SIGV4_GENERAL, SIGV4_S3 };

struct sigv4_pair {
	const char *name;
	const char *value;
};

struct sigv4_request {
	enum sigv4_style style;
	const char *method;
	const char *host; /* as sent: with a port that is not the scheme's own */
	const char *path; /* encoded; "" counts as "/" */
	const struct sigv4_pair *query; /* plain; names may repeat; value "" if none */
	size_t n_query;
	/* Without Host and what sigv4_sign adds. Hop-by-hop headers, Expect and
	 * User-Agent, which proxies may change, are left out of the signature by
	 * themselves. */
	const struct sigv4_pair *headers;
	size_t n_headers;
	const char *payload_hash; /* SHA-256 in hex, or SIGV4_UNSIGNED_PAYLOAD */
};

/* Whose signature. */
struct sigv4_key {
	const char *access_key_id;
	const struct secret *secret_key;
	const struct secret *session_token; /* NULL or empty: none */
};

/* Where and when the signature holds. */
struct sigv4_scope {
	const char *region;
	const char *service; /* "s3", "cloudfront" */
	int64_t time_s;      /* since 1970-01-01 UTC */
};

/* The headers that make the request a signed one, to be sent besides its own:
 * X-Amz-Date, X-Amz-Security-Token, X-Amz-Content-SHA256 (S3), Authorization. Returns how
 * many. The values live in the arena, the token's in the key. */
enum { SIGV4_ADDED_MOST = 4 };
size_t sigv4_sign(const struct sigv4_request *req, const struct sigv4_key *key,
		  const struct sigv4_scope *scope, struct arena *arena,
		  struct sigv4_pair added[SIGV4_ADDED_MOST]);

/* Appends a query string (without '?') that carries the signature for expires_s seconds:
 * nothing is added to the headers, and those of the request must be sent with it. For S3
 * the payload must be unsigned. */
void sigv4_presign(const struct sigv4_request *req, const struct sigv4_key *key,
		   const struct sigv4_scope *scope, int64_t expires_s, struct buf *out);

/* The stages. Each appends. */

/* "20130524T000000Z"; the first 8 are the date. Times outside of the years 1970 to 9999
 * become the nearest inside. */
enum { SIGV4_TIME_SIZE = 17 };
void sigv4_time(int64_t time_s, char out[SIGV4_TIME_SIZE]);

/* name=value&name=value, encoded, in the order of the encoded bytes. */
void sigv4_query(const struct sigv4_pair *query, size_t n, struct buf *out);
/* host;x-amz-date */
void sigv4_signed_headers(const struct sigv4_request *req, struct buf *out);
/* Takes the request as it stands: sigv4_sign's headers must be in it already. */
void sigv4_canonical_request(const struct sigv4_request *req, struct buf *out);
void sigv4_string_to_sign(const struct sigv4_scope *scope, const char *canonical,
			  size_t canonical_len, struct buf *out);
/* Replaces out. */
void sigv4_signing_key(const struct secret *secret_key, const struct sigv4_scope *scope,
		       struct secret *out);
/* In hex. */
enum { SIGV4_SIGNATURE_SIZE = 65 };
void sigv4_signature(const struct secret *signing_key, const char *string_to_sign,
		     size_t len, char out[SIGV4_SIGNATURE_SIZE]);
void sigv4_authorization(const char *access_key_id, const struct sigv4_scope *scope,
			 const char *signed_headers, const char *signature,
			 struct buf *out);

#endif
