#include "aws/s3.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "aws/endpoint.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/encode.h"
#include "codec/hash.h"
#include "codec/url.h"
#include "codec/xml.h"

#define S3_XML_NAMESPACE "http://s3.amazonaws.com/doc/2006-03-01/"

enum {
	KEY_BYTES = 1024,
	DELETE_BYTES = 16 << 20, /* 1,000 keys of 1,024 bytes, each byte an entity */
	LIST_BYTES = 16 << 20,
};

/* ---- building requests ---- */

static void start(struct aws_request *req, const char *operation, const char *method,
		  const char *bucket, const char *key)
{
	req->service = AWS_S3;
	req->operation = operation;
	req->method = method;
	req->bucket = arena_strdup(&req->arena, bucket);
	req->path = arena_printf(&req->arena, "/%s", key);
}

static void add_if(struct aws_request *req, const char *name, const char *value)
{
	if (value)
		aws_request_header(req, name, value);
}

static void add_metadata(struct aws_request *req, const struct s3_metadata *m)
{
	add_if(req, "Content-Type", m->content_type);
	add_if(req, "Cache-Control", m->cache_control);
	add_if(req, "Content-Encoding", m->content_encoding);
	add_if(req, "Content-Disposition", m->content_disposition);
	add_if(req, "Content-Language", m->content_language);
	add_if(req, "x-amz-website-redirect-location", m->redirect);
	for (size_t i = 0; i < m->n_others; i++)
		aws_request_header(req, m->others[i].name, m->others[i].value);
}

static void add_condition(struct aws_request *req, const struct s3_condition *c)
{
	add_if(req, "If-Match", c->if_match);
	add_if(req, "If-None-Match", c->if_absent ? "*" : NULL);
}

static void set_body(struct aws_request *req, const struct http_body *body,
		     const char *sha256_hex)
{
	req->body = *body;
	if (sha256_hex)
		req->sha256_hex = arena_strdup(&req->arena, sha256_hex);
}

void s3_put_request(struct aws_request *req, const struct s3_write *write)
{
	start(req, "PutObject", "PUT", write->bucket, write->key);
	add_metadata(req, &write->metadata);
	add_condition(req, &write->condition);
	set_body(req, &write->body, write->sha256_hex);
}

void s3_copy_request(struct aws_request *req, const char *bucket, const char *key,
		     const struct s3_metadata *metadata, const char *if_match)
{
	CLEANUP(buf) struct buf source = BUF_INIT(8 << 10);

	start(req, "CopyObject", "PUT", bucket, key);
	/* The source is a header, but read as part of a URL. */
	buf_printf(&source, "/%s/", bucket);
	url_encode_s3_key(key, &source);
	aws_request_header(req, "x-amz-copy-source", source.data);
	aws_request_header(req, "x-amz-metadata-directive", "REPLACE");
	add_if(req, "x-amz-copy-source-if-match", if_match);
	add_metadata(req, metadata);
}

void s3_delete_request(struct aws_request *req, const char *bucket, const char *key,
		       const char *if_match)
{
	start(req, "DeleteObject", "DELETE", bucket, key);
	add_if(req, "If-Match", if_match);
}

void s3_get_request(struct aws_request *req, const char *bucket, const char *key,
		    const char *if_none_match)
{
	start(req, "GetObject", "GET", bucket, key);
	add_if(req, "If-None-Match", if_none_match);
}

void s3_head_request(struct aws_request *req, const char *bucket, const char *key)
{
	start(req, "HeadObject", "HEAD", bucket, key);
}

/* ---- reading answers ---- */

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static int parse(const struct http_response *res, struct arena *arena, const char *name,
		 const struct xml_node **root, struct error *err)
{
	const char *text = res->body.data;
	size_t blank = strspn(text, " \t\r\n");

	if (xml_parse(text + blank, res->body.len - blank, arena, root, err) < 0)
		return error_wrap(err, "S3's answer");
	if (str_eq(xml_name(*root), "Error"))
		return error_set(err, ERR_DATA, "S3 answers %d and then %.60s: %.200s",
				 res->status, or_empty(xml_get(*root, "Code")),
				 or_empty(xml_get(*root, "Message")));
	if (!str_eq(xml_name(*root), name))
		return error_set(err, ERR_DATA, "S3 answers <%.40s> where <%s> is due",
				 xml_name(*root), name);
	return 0;
}

const char *s3_etag(struct http_response *res, bool copied)
{
	const struct xml_node *root;
	struct error err = ERROR_INIT;

	if (!copied)
		return http_response_header(res, "ETag");
	if (parse(res, &res->arena, "CopyObjectResult", &root, &err) < 0)
		return NULL;
	return xml_get(root, "ETag");
}

/* ---- many deletes ---- */

/* Content-MD5 is what every store that speaks S3 accepts here; the newer checksums are not.
 * docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html */
static void add_content_md5(struct aws_request *req, const char *p, size_t n)
{
	CLEANUP(buf) struct buf text = BUF_INIT(64);
	unsigned char digest[HASH_MD5_SIZE];

	hash_bytes(HASH_MD5, p, n, digest);
	encode_base64(digest, sizeof(digest), &text);
	aws_request_header(req, "Content-MD5", text.data);
}

int s3_delete_many_request(struct aws_request *req, const char *bucket,
			   const char *const *keys, const char *const *etags, size_t n,
			   struct error *err)
{
	CLEANUP(buf) struct buf body = BUF_INIT(DELETE_BYTES);

	if (n > S3_DELETE_MOST)
		return error_set(err, ERR_TOO_BIG, "%zu keys for one DeleteObjects", n);
	xml_open(&body, "Delete", S3_XML_NAMESPACE);
	for (size_t i = 0; i < n; i++) {
		/* A carriage return would survive only as an entity, which some stores
		 * take for a line feed: another key. */
		if (!xml_can_carry(keys[i]) || strpbrk(keys[i], "\r\n\t"))
			return error_set(err, ERR_DATA,
					 "a key with control characters "
					 "cannot be deleted with others");
		xml_open(&body, "Object", NULL);
		xml_element(&body, "Key", keys[i]);
		if (etags && etags[i])
			xml_element(&body, "ETag", etags[i]);
		xml_close(&body, "Object");
	}
	xml_element(&body, "Quiet", "true");
	xml_close(&body, "Delete");
	if (buf_check(&body, "DeleteObjects", err) < 0)
		return -1;
	start(req, "DeleteObjects", "POST", bucket, "");
	aws_request_param(req, "delete", "");
	aws_request_header(req, "Content-Type", "application/xml");
	add_content_md5(req, body.data, body.len);
	req->body = (struct http_body){
		.bytes = arena_memdup(&req->arena, body.data, body.len),
		.len = (int64_t)body.len,
	};
	return 0;
}

int s3_delete_many_result(const struct http_response *res,
			  void (*failed)(void *ctx, const char *key, const char *code,
					 const char *message),
			  void *ctx, struct error *err)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	const struct xml_node *root, *e;

	if (parse(res, &arena, "DeleteResult", &root, err) < 0)
		return -1;
	for (e = xml_child(root, "Error"); e; e = xml_next(e)) {
		const char *key = xml_get(e, "Key");
		const char *code = xml_get(e, "Code");
		const char *message = xml_get(e, "Message");

		if (!key)
			return error_set(err, ERR_DATA, "S3 names no key that failed");
		failed(ctx, key, or_empty(code), or_empty(message));
	}
	return 0;
}

/* ---- lists ---- */

/* With encoding-type=url a space may come back as '+', and '+' itself always as %2B. A
 * store that does not know the parameter does not answer with it either. */
static const char *decode_key(const struct xml_node *root, struct arena *arena,
			      const char *text)
{
	CLEANUP(buf) struct buf key = BUF_INIT(4 * KEY_BYTES);
	char *plain = text ? arena_strdup(arena, text) : NULL;

	if (!str_eq(xml_get(root, "EncodingType"), "url"))
		return text;
	for (char *c = plain; c && *c; c++)
		if (*c == '+')
			*c = ' ';
	if (!plain || !url_decode(plain, strlen(plain), &key) || key.overflowed)
		return NULL;
	return arena_strndup(arena, key.data, key.len);
}

/* One page of a list: a request built and an answer read. */
struct page {
	struct aws_request req;
	struct http_response res;
	struct arena arena;
	const struct xml_node *root;
};

#define PAGE_INIT                                                  \
	{                                                          \
		.req = AWS_REQUEST_INIT, .res = HTTP_RESPONSE_INIT \
	}

static void page_release(struct page *page)
{
	aws_request_release(&page->req);
	http_response_release(&page->res);
	arena_release(&page->arena);
}

static void page_start(struct page *page, const char *operation, const char *bucket,
		       const char *prefix)
{
	start(&page->req, operation, "GET", bucket, "");
	page->req.max_response = LIST_BYTES;
	aws_request_param(&page->req, "encoding-type", "url");
	if (!str_empty(prefix))
		aws_request_param(&page->req, "prefix", prefix);
}

static int page_send(struct page *page, struct aws *aws, const char *root,
		     struct error *err)
{
	if (aws_send(aws, &page->req, &page->res, err) < 0)
		return -1;
	return parse(&page->res, &page->arena, root, &page->root, err);
}

struct list {
	struct aws *aws;
	const char *bucket;
	const char *prefix;
	int (*visit)(void *ctx, const struct s3_object *object, struct error *err);
	void *ctx;
	struct buf token; /* of the next page; empty: there is none */
};

static int list_visit(struct list *list, struct page *page, struct error *err)
{
	const struct xml_node *c;

	for (c = xml_child(page->root, "Contents"); c; c = xml_next(c)) {
		const char *size = xml_get(c, "Size");
		struct s3_object object = {
			.key = decode_key(page->root, &page->arena, xml_get(c, "Key")),
			.etag = xml_get(c, "ETag"),
		};

		/* Callers cut the prefix off, and compare ETags. */
		if (!object.key || !str_starts(object.key, or_empty(list->prefix)) ||
		    !object.etag || !size ||
		    !str_to_i64(size, 0, INT64_MAX, &object.size))
			return error_set(err, ERR_DATA, "S3 lists what is not an object");
		if (list->visit(list->ctx, &object, err) < 0)
			return -1;
	}
	return 0;
}

static int list_page(struct list *list, struct error *err)
{
	CLEANUP(page) struct page page = PAGE_INIT;
	const char *more, *token;

	page_start(&page, "ListObjectsV2", list->bucket, list->prefix);
	aws_request_param(&page.req, "list-type", "2");
	if (list->token.len)
		aws_request_param(&page.req, "continuation-token", list->token.data);
	if (page_send(&page, list->aws, "ListBucketResult", err) < 0 ||
	    list_visit(list, &page, err) < 0)
		return -1;
	more = xml_get(page.root, "IsTruncated");
	token = xml_get(page.root, "NextContinuationToken");
	if (!str_eq(more, "true")) {
		buf_clear(&list->token);
		return 0;
	}
	/* A list that goes on where it has been would go on for ever. */
	if (str_empty(token) || str_eq(token, list->token.data))
		return error_set(err, ERR_DATA, "S3's list does not say how it goes on");
	buf_clear(&list->token);
	buf_str(&list->token, token);
	return buf_check(&list->token, "continuation token", err);
}

int s3_list(struct aws *aws, const char *bucket, const char *prefix,
	    int (*visit)(void *ctx, const struct s3_object *object, struct error *err),
	    void *ctx, struct error *err)
{
	struct list list = { .aws = aws,
			     .bucket = bucket,
			     .prefix = prefix,
			     .visit = visit,
			     .ctx = ctx,
			     .token = BUF_INIT(64 << 10) };
	int result;

	do
		result = list_page(&list, err);
	while (result == 0 && list.token.len);
	buf_release(&list.token);
	return result;
}

/* ---- multipart ---- */

bool s3_is_large(int64_t len)
{
	return len > 2 * (int64_t)S3_PART_BYTES;
}

void s3_multipart_create_request(struct aws_request *req, const struct s3_write *write)
{
	start(req, "CreateMultipartUpload", "POST", write->bucket, write->key);
	aws_request_param(req, "uploads", "");
	add_metadata(req, &write->metadata);
}

int s3_multipart_id(struct http_response *res, const char **out, struct error *err)
{
	const struct xml_node *root;

	if (parse(res, &res->arena, "InitiateMultipartUploadResult", &root, err) < 0)
		return -1;
	*out = xml_get(root, "UploadId");
	if (str_empty(*out))
		return error_set(err, ERR_DATA, "S3 names no upload");
	return 0;
}

void s3_multipart_part_request(struct aws_request *req, const struct s3_write *write,
			       const char *upload_id, int part,
			       const struct http_body *body, const char *sha256_hex)
{
	char number[12];

	start(req, "UploadPart", "PUT", write->bucket, write->key);
	snprintf(number, sizeof(number), "%d", part);
	aws_request_param(req, "partNumber", number);
	aws_request_param(req, "uploadId", upload_id);
	set_body(req, body, sha256_hex);
}

void s3_multipart_complete_request(struct aws_request *req, const struct s3_write *write,
				   const char *upload_id, const char *const *etags,
				   size_t n_parts)
{
	CLEANUP(buf) struct buf body = BUF_INIT(SIZE_MAX);
	char number[24];

	start(req, "CompleteMultipartUpload", "POST", write->bucket, write->key);
	aws_request_param(req, "uploadId", upload_id);
	aws_request_header(req, "Content-Type", "application/xml");
	add_condition(req, &write->condition);
	xml_open(&body, "CompleteMultipartUpload", S3_XML_NAMESPACE);
	for (size_t i = 0; i < n_parts; i++) {
		snprintf(number, sizeof(number), "%zu", i + 1);
		xml_open(&body, "Part", NULL);
		xml_element(&body, "PartNumber", number);
		xml_element(&body, "ETag", etags[i]);
		xml_close(&body, "Part");
	}
	xml_close(&body, "CompleteMultipartUpload");
	req->body = (struct http_body){
		.bytes = arena_memdup(&req->arena, body.data, body.len),
		.len = (int64_t)body.len,
	};
}

const char *s3_multipart_etag(struct http_response *res)
{
	const struct xml_node *root;
	struct error err = ERROR_INIT;

	if (parse(res, &res->arena, "CompleteMultipartUploadResult", &root, &err) < 0)
		return NULL;
	return xml_get(root, "ETag");
}

void s3_multipart_abort_request(struct aws_request *req, const char *bucket,
				const char *key, const char *upload_id)
{
	start(req, "AbortMultipartUpload", "DELETE", bucket, key);
	aws_request_param(req, "uploadId", upload_id);
}

/* Where the next page of uploads begins. */
struct marker {
	struct buf key;
	struct buf id;
};

static void marker_release(struct marker *m)
{
	buf_release(&m->key);
	buf_release(&m->id);
}

static int uploads_next(const struct page *page, struct arena *arena, struct marker *m,
			bool *more, struct error *err)
{
	const char *key = decode_key(page->root, arena,
				     xml_get(page->root, "NextKeyMarker"));
	const char *id = xml_get(page->root, "NextUploadIdMarker");

	*more = str_eq(xml_get(page->root, "IsTruncated"), "true");
	if (!*more)
		return 0;
	if (str_empty(key) || (str_eq(key, m->key.data) && str_eq(id, m->id.data)))
		return error_set(err, ERR_DATA, "S3's list does not say how it goes on");
	buf_clear(&m->key);
	buf_clear(&m->id);
	buf_str(&m->key, key);
	buf_str(&m->id, or_empty(id));
	return buf_check(&m->id, "upload id marker", err);
}

static int uploads_page(struct aws *aws, const char *bucket, const char *prefix,
			struct page *page, struct marker *m, struct error *err)
{
	page_start(page, "ListMultipartUploads", bucket, prefix);
	aws_request_param(&page->req, "uploads", "");
	if (m->key.len)
		aws_request_param(&page->req, "key-marker", m->key.data);
	if (m->id.len)
		aws_request_param(&page->req, "upload-id-marker", m->id.data);
	return page_send(page, aws, "ListMultipartUploadsResult", err);
}

int s3_multipart_list(struct aws *aws, const char *bucket, const char *prefix,
		      int (*visit)(void *ctx, const char *key, const char *upload_id,
				   struct error *err),
		      void *ctx, struct error *err)
{
	CLEANUP(marker) struct marker marker = { BUF_INIT(8 << 10), BUF_INIT(8 << 10) };
	bool more = true;

	while (more) {
		CLEANUP(page) struct page page = PAGE_INIT;
		const struct xml_node *u;

		if (uploads_page(aws, bucket, prefix, &page, &marker, err) < 0)
			return -1;
		for (u = xml_child(page.root, "Upload"); u; u = xml_next(u)) {
			const char *key = decode_key(page.root, &page.arena,
						     xml_get(u, "Key"));
			const char *id = xml_get(u, "UploadId");

			if (!key || str_empty(id))
				return error_set(err, ERR_DATA, "S3 lists no upload");
			if (visit(ctx, key, id, err) < 0)
				return -1;
		}
		if (uploads_next(&page, &page.arena, &marker, &more, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- buckets ---- */

static void start_setting(struct aws_request *req, const char *operation,
			  const char *bucket, const char *name, const struct buf *body)
{
	start(req, operation, "PUT", bucket, "");
	aws_request_param(req, name, "");
	aws_request_header(req, "Content-Type",
			   *body->data == '{' ? "application/json" : "application/xml");
	add_content_md5(req, body->data, body->len);
	req->body = (struct http_body){
		.bytes = arena_memdup(&req->arena, body->data, body->len),
		.len = (int64_t)body->len,
	};
}

void s3_bucket_create_request(struct aws_request *req, const char *bucket,
			      const char *region)
{
	CLEANUP(buf) struct buf body = BUF_INIT(4096);

	start(req, "CreateBucket", "PUT", bucket, "");
	req->region = arena_strdup(&req->arena, region);
	/* The oldest region is the one that has no name here. */
	if (str_eq(region, "us-east-1"))
		return;
	xml_open(&body, "CreateBucketConfiguration", S3_XML_NAMESPACE);
	xml_element(&body, "LocationConstraint", region);
	xml_close(&body, "CreateBucketConfiguration");
	aws_request_header(req, "Content-Type", "application/xml");
	req->body = (struct http_body){
		.bytes = arena_memdup(&req->arena, body.data, body.len),
		.len = (int64_t)body.len,
	};
}

void s3_bucket_delete_request(struct aws_request *req, const char *bucket)
{
	start(req, "DeleteBucket", "DELETE", bucket, "");
}

void s3_bucket_private_request(struct aws_request *req, const char *bucket)
{
	static const char *const all[] = { "BlockPublicAcls", "IgnorePublicAcls",
					   "BlockPublicPolicy", "RestrictPublicBuckets" };
	CLEANUP(buf) struct buf body = BUF_INIT(4096);

	xml_open(&body, "PublicAccessBlockConfiguration", S3_XML_NAMESPACE);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		xml_element(&body, all[i], "true");
	xml_close(&body, "PublicAccessBlockConfiguration");
	start_setting(req, "PutPublicAccessBlock", bucket, "publicAccessBlock", &body);
}

void s3_bucket_tls_request(struct aws_request *req, const char *bucket,
			   const char *region)
{
	CLEANUP(buf) struct buf body = BUF_INIT(4096);
	const char *partition = endpoint_partition(region);

	buf_printf(&body,
		   "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"TlsOnly\","
		   "\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"s3:*\","
		   "\"Resource\":[\"arn:%s:s3:::%s\",\"arn:%s:s3:::%s/*\"],"
		   "\"Condition\":{\"Bool\":{\"aws:SecureTransport\":\"false\"}}}]}",
		   partition, bucket, partition, bucket);
	start_setting(req, "PutBucketPolicy", bucket, "policy", &body);
}

void s3_bucket_tidy_request(struct aws_request *req, const char *bucket, int days)
{
	CLEANUP(buf) struct buf body = BUF_INIT(4096);
	char number[12];

	snprintf(number, sizeof(number), "%d", days);
	xml_open(&body, "LifecycleConfiguration", S3_XML_NAMESPACE);
	xml_open(&body, "Rule", NULL);
	xml_element(&body, "ID", "abort-unfinished-uploads");
	xml_open(&body, "Filter", NULL);
	xml_element(&body, "Prefix", "");
	xml_close(&body, "Filter");
	xml_element(&body, "Status", "Enabled");
	xml_open(&body, "AbortIncompleteMultipartUpload", NULL);
	xml_element(&body, "DaysAfterInitiation", number);
	xml_close(&body, "AbortIncompleteMultipartUpload");
	xml_close(&body, "Rule");
	xml_close(&body, "LifecycleConfiguration");
	start_setting(req, "PutBucketLifecycleConfiguration", bucket, "lifecycle", &body);
}
