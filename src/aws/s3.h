/* s3.h - objects in buckets. Knows requests and replies, not plans.
 *
 * X_request functions fill a request that aws_send, aws_send_all or aws_run sends; the
 * caller releases it. Functions without the suffix send and read the answer.
 * Keys are bytes without a leading slash, at most 1,024. ETags are as S3 writes them, with
 * their quotes. */
#ifndef AWS_S3_H
#define AWS_S3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aws/client.h"

/* What an object is stored with. NULL: not set. */
struct s3_metadata {
	const char *content_type;
	const char *cache_control;
	const char *content_encoding;
	const char *content_disposition;
	const char *content_language;
	const char *redirect;             /* x-amz-website-redirect-location */
	const struct http_header *others; /* x-amz-meta-*, storage class, ... */
	size_t n_others;
};

/* A write's condition. Both NULL: none. */
struct s3_condition {
	const char *if_match; /* an ETag */
	bool if_absent;       /* If-None-Match: * */
};

struct s3_write {
	const char *bucket;
	const char *key;
	struct http_body body;
	const char *sha256_hex; /* of the body */
	struct s3_metadata metadata;
	struct s3_condition condition;
};

void s3_put_request(struct aws_request *req, const struct s3_write *write);
/* Rewrites the metadata of an object in place (CopyObject onto itself, REPLACE); only if its
 * ETag is if_match when that is not NULL (x-amz-copy-source-if-match). */
void s3_copy_request(struct aws_request *req, const char *bucket, const char *key,
		     const struct s3_metadata *metadata, const char *if_match);
void s3_delete_request(struct aws_request *req, const char *bucket, const char *key,
		       const char *if_match);
/* if_none_match: NULL, or an ETag (answer 304, ERR_CONDITION, if it is still that). */
void s3_get_request(struct aws_request *req, const char *bucket, const char *key,
		    const char *if_none_match);
void s3_head_request(struct aws_request *req, const char *bucket, const char *key);

/* The new ETag from a put's or a copy's answer, in the response's arena; NULL: none. A copy
 * may answer 200 with an error in its body: that is -1 from aws_send already. */
const char *s3_etag(struct http_response *res, bool copied);

/* One request for up to 1,000 keys. etags[i] may be NULL. Keys with control characters must
 * go by s3_delete_request: XML cannot carry them. */
enum { S3_DELETE_MOST = 1000 };
int s3_delete_many_request(struct aws_request *req, const char *bucket,
			   const char *const *keys, const char *const *etags, size_t n,
			   struct error *err);
/* Calls failed for each key that was not deleted, with S3's code ("AccessDenied",
 * "PreconditionFailed") and message. */
int s3_delete_many_result(const struct http_response *res,
			  void (*failed)(void *ctx, const char *key, const char *code,
					 const char *message),
			  void *ctx, struct error *err);

struct s3_object {
	const char *key;
	const char *etag;
	int64_t size;
};

/* Calls visit for each object under the prefix, in the order in which S3 tells them; page by
 * page, so memory stays bounded. The object is borrowed for the call: its key begins with
 * the prefix, and it has an ETag. visit's -1 ends it. */
int s3_list(struct aws *aws, const char *bucket, const char *prefix,
	    int (*visit)(void *ctx, const struct s3_object *object, struct error *err),
	    void *ctx, struct error *err);

/* Multipart: bodies too large for one request (s3_is_large), part by part. */
enum { S3_PART_BYTES = 16 << 20 };
bool s3_is_large(int64_t len); /* more than two parts */

void s3_multipart_create_request(struct aws_request *req, const struct s3_write *write);
/* The upload id in the response's arena. */
int s3_multipart_id(struct http_response *res, const char **out, struct error *err);
/* part counts from 1; body is the part's range and sha256_hex its hash. */
void s3_multipart_part_request(struct aws_request *req, const struct s3_write *write,
			       const char *upload_id, int part,
			       const struct http_body *body, const char *sha256_hex);
/* etags[i] of part i + 1. Carries the write's condition. The answer may be 200 with an
 * error in the body: that is -1 from aws_send already. */
void s3_multipart_complete_request(struct aws_request *req, const struct s3_write *write,
				   const char *upload_id, const char *const *etags,
				   size_t n_parts);
/* The whole object's ETag from that answer, in the response's arena; NULL: none. */
const char *s3_multipart_etag(struct http_response *res);
void s3_multipart_abort_request(struct aws_request *req, const char *bucket,
				const char *key, const char *upload_id);
/* Unfinished uploads under a prefix. */
int s3_multipart_list(struct aws *aws, const char *bucket, const char *prefix,
		      int (*visit)(void *ctx, const char *key, const char *upload_id,
				   struct error *err),
		      void *ctx, struct error *err);

/* Buckets. A new one is private and its objects are encrypted, which is S3's default. */

/* ERR_CONFLICT with the service_code BucketAlreadyOwnedByYou, or BucketAlreadyExists. */
void s3_bucket_create_request(struct aws_request *req, const char *bucket,
			      const char *region);
/* Only when it is empty. */
void s3_bucket_delete_request(struct aws_request *req, const char *bucket);
/* No policy or ACL can make it public from then on. */
void s3_bucket_private_request(struct aws_request *req, const char *bucket);
/* Requests without TLS are denied. region tells how ARNs begin. */
void s3_bucket_tls_request(struct aws_request *req, const char *bucket,
			   const char *region);
/* Unfinished uploads are aborted after so many days. */
void s3_bucket_tidy_request(struct aws_request *req, const char *bucket, int days);

#endif
