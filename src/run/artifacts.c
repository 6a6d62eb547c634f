#include "run/artifacts.h"

#include <string.h>

#include "aws/endpoint.h"
#include "aws/s3.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/encode.h"
#include "codec/hash.h"
#include "codec/url.h"

/* A bucket that was just made is not known everywhere at once. */
enum { TRIES = 10, PAUSE_MS = 2000, TIDY_DAYS = 1 };

/* The SHA-256 of an object that was sent in parts, which S3 makes another checksum of. */
#define META_SHA256 "x-amz-meta-sha256"

const char *artifacts_default_bucket(struct arena *arena, const char *account,
				     const char *region)
{
	return arena_printf(arena, "crc-artifacts-%s-%s", account, region);
}

const char *artifacts_url(const struct artifacts *a, const char *key, struct arena *arena)
{
	CLEANUP(buf) struct buf encoded = BUF_INIT(8192);

	url_encode_s3_key(key, &encoded);
	return arena_printf(arena, "https://s3.%s.%s/%s/%s", a->region,
			    endpoint_suffix(a->region), a->bucket, encoded.data);
}

/* Errors */

/* What a request needs. Either may be NULL. */
struct right {
	const char *what; /* it was to do */
	const char *of_bucket, *of_objects;
};

static int fail_forbidden(const struct artifacts *a, const struct right *right,
			  struct error *err)
{
	CLEANUP(buf) struct buf needs = BUF_INIT(600);
	const char *partition = endpoint_partition(a->region);
	/* Who may not look is not told whose it is. */
	bool may_be_foreign = a->account && right->of_objects;
	struct error why = *err;

	if (right->of_bucket)
		buf_printf(&needs, "%s on arn:%s:s3:::%s", right->of_bucket, partition,
			   a->bucket);
	if (right->of_objects)
		buf_printf(&needs, "%s%s on arn:%s:s3:::%s/*", needs.len ? " and " : "",
			   right->of_objects, partition, a->bucket);
	error_set(
		err, ERR_FORBIDDEN,
		"not allowed to %s the bucket %s for code and templates: the role needs "
		"%s%s%s%s (%.200s)",
		right->what, a->bucket, needs.data,
		may_be_foreign ? "; if the bucket is not of account " : "",
		may_be_foreign ? a->account : "",
		may_be_foreign ? ", name one that is with `artifacts:` in crc.yml"
			       : ", or `artifacts:` in crc.yml names another bucket",
		why.msg);
	err->http_status = why.http_status;
	return -1;
}

static bool lacks_bucket(const struct error *err)
{
	return str_eq(err->service_code, "NoSuchBucket");
}

static int explain(const struct artifacts *a, struct error *err)
{
	static const struct right right = { "write to", NULL, "s3:PutObject" };

	if (err->code == ERR_FORBIDDEN)
		return fail_forbidden(a, &right, err);
	if (lacks_bucket(err) && !a->is_default)
		return error_set(
			err, ERR_CONFIG,
			"there is no bucket %s: make it, correct `artifacts:` in "
			"crc.yml, or leave that out to have one made",
			a->bucket);
	return error_wrap(err, "the bucket %s for code and templates", a->bucket);
}

/* Sending */

static void add_owner(const struct artifacts *a, struct aws_request *req)
{
	if (a->account)
		aws_request_header(req, "x-amz-expected-bucket-owner", a->account);
}

static int send(const struct artifacts *a, struct aws_request *req,
		struct http_response *res, struct error *err)
{
	add_owner(a, req);
	return watch_send(a->watch, req, res, err);
}

/* Sends and forgets the answer. */
static int send_only(const struct artifacts *a, struct aws_request *req,
		     struct error *err)
{
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;

	return send(a, req, &res, err);
}

/* Looking */

/* S3 makes a checksum of checksums for what came in parts: "...-3". */
static const char *sha256_of(const struct http_response *res)
{
	const char *checksum = http_response_header(res, "x-amz-checksum-sha256");
	const char *meta = http_response_header(res, META_SHA256);

	if (checksum && !strchr(checksum, '-'))
		return checksum;
	return meta ? meta : "";
}

int artifacts_find(const struct artifacts *a, const char *key, struct arena *arena,
		   const char **sha256, struct error *err)
{
	static const struct right right = { "look into", "s3:ListBucket",
					    "s3:GetObject" };
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;

	*sha256 = NULL;
	s3_head_request(&req, a->bucket, key);
	aws_request_header(&req, "x-amz-checksum-mode", "ENABLED");
	if (send(a, &req, &res, err) == 0) {
		*sha256 = arena_strdup(arena, sha256_of(&res));
		return 0;
	}
	if (err->code == ERR_NOT_FOUND) {
		error_clear(err);
		return 0;
	}
	/* Without the right to list, S3 does not say that there is nothing. */
	if (err->code == ERR_FORBIDDEN)
		return fail_forbidden(a, &right, err);
	return explain(a, err);
}

/* The default bucket */

static int create_bucket(const struct artifacts *a, struct error *err)
{
	static const struct right right = { "make", "s3:CreateBucket", NULL };
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;

	s3_bucket_create_request(&req, a->bucket, a->region);
	if (watch_send(a->watch, &req, &res, err) == 0)
		return 0;
	/* Another run was faster. */
	if (str_eq(err->service_code, "BucketAlreadyOwnedByYou")) {
		error_clear(err);
		return 0;
	}
	if (str_eq(err->service_code, "BucketAlreadyExists"))
		return error_set(err, ERR_CONFIG,
				 "somebody else has a bucket named %s: name one of yours "
				 "with `artifacts:` in crc.yml",
				 a->bucket);
	if (err->code == ERR_FORBIDDEN)
		return fail_forbidden(a, &right, err);
	return explain(a, err);
}

enum setting { SETTING_PRIVATE, SETTING_TLS, SETTING_TIDY, SETTINGS };

static void setting_request(const struct artifacts *a, enum setting setting,
			    struct aws_request *req)
{
	switch (setting) {
	case SETTING_PRIVATE:
		s3_bucket_private_request(req, a->bucket);
		break;
	case SETTING_TLS:
		s3_bucket_tls_request(req, a->bucket, a->region);
		break;
	case SETTING_TIDY:
	case SETTINGS:
		s3_bucket_tidy_request(req, a->bucket, TIDY_DAYS);
		break;
	}
}

static int set_up(const struct artifacts *a, enum setting setting, struct error *err)
{
	static const struct right rights[] = {
		[SETTING_PRIVATE] = { "set up", "s3:PutBucketPublicAccessBlock", NULL },
		[SETTING_TLS] = { "set up", "s3:PutBucketPolicy", NULL },
		[SETTING_TIDY] = { "set up", "s3:PutLifecycleConfiguration", NULL },
	};

	for (int i = 1;; i++) {
		CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;

		setting_request(a, setting, &req);
		if (send_only(a, &req, err) == 0)
			return 0;
		if (!lacks_bucket(err) || i == TRIES)
			break;
		error_clear(err);
		if (watch_sleep(a->watch, PAUSE_MS, err) < 0)
			return -1;
	}
	if (err->code == ERR_FORBIDDEN)
		return fail_forbidden(a, &rights[setting], err);
	return explain(a, err);
}

/* A bucket that is half set up would be taken for a whole one by the next run. S3 keeps it if
 * another run has put something into it meanwhile. */
static void give_up_bucket(const struct artifacts *a)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct error ignored = ERROR_INIT;

	s3_bucket_delete_request(&req, a->bucket);
	add_owner(a, &req);
	(void)aws_send(a->watch->aws, &req, &res, &ignored);
}

static int make_bucket(const struct artifacts *a, struct error *err)
{
	watch_tell(a->watch,
		   "making the bucket %s for code and templates: private, encrypted, TLS "
		   "only",
		   a->bucket);
	if (create_bucket(a, err) < 0)
		return -1;
	for (int i = 0; i < SETTINGS; i++) {
		if (set_up(a, (enum setting)i, err) < 0) {
			give_up_bucket(a);
			return -1;
		}
	}
	return 0;
}

/* Writing */

struct object {
	const char *key;
	const char *bytes;
	size_t len;
	char sha256_hex[2 * HASH_SHA256_SIZE + 1];
	struct buf sha256; /* in base64 */
};

static void object_release(struct object *o)
{
	buf_release(&o->sha256);
}

static struct object object_of(const char *key, const void *p, size_t n)
{
	struct object o = { .key = key, .bytes = p, .len = n, .sha256 = BUF_INIT(64) };
	unsigned char digest[HASH_SHA256_SIZE];

	hash_bytes(HASH_SHA256, p, n, digest);
	encode_hex(digest, sizeof(digest), o.sha256_hex);
	encode_base64(digest, sizeof(digest), &o.sha256);
	return o;
}

static struct s3_write write_of(const struct artifacts *a, const struct object *o)
{
	return (struct s3_write){
		.bucket = a->bucket,
		.key = o->key,
		.body = { .bytes = o->bytes, .len = (int64_t)o->len },
		.sha256_hex = o->sha256_hex,
		.metadata = { .content_type = str_ends(o->key, ".zip")
						      ? "application/zip"
						      : "text/plain; charset=utf-8" },
		.condition = { .if_absent = true },
	};
}

static int put_whole(const struct artifacts *a, const struct object *o, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	const struct s3_write write = write_of(a, o);

	s3_put_request(&req, &write);
	aws_request_header(&req, "x-amz-checksum-sha256", o->sha256.data);
	return send_only(a, &req, err);
}

VEC_DEFINE(etags, const char *);

/* A large object goes in parts, so that claims are renewed in between. */
struct upload {
	const struct artifacts *a;
	const struct object *object;
	struct s3_write write;
	struct arena arena;
	const char *id;
	struct etags etags;
};

static void upload_release(struct upload *u)
{
	etags_release(&u->etags);
	arena_release(&u->arena);
}

static int start_upload(struct upload *u, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	const char *id = NULL;

	s3_multipart_create_request(&req, &u->write);
	aws_request_header(&req, META_SHA256, u->object->sha256.data);
	if (send(u->a, &req, &res, err) < 0 || s3_multipart_id(&res, &id, err) < 0)
		return -1;
	u->id = arena_strdup(&u->arena, id);
	return 0;
}

static int send_part(struct upload *u, size_t at, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	size_t left = u->object->len - at;
	size_t n = left < S3_PART_BYTES ? left : S3_PART_BYTES;
	const struct http_body body = { .bytes = u->object->bytes + at,
					.len = (int64_t)n };
	unsigned char digest[HASH_SHA256_SIZE];
	char hex[2 * HASH_SHA256_SIZE + 1];
	const char *etag;

	hash_bytes(HASH_SHA256, body.bytes, n, digest);
	encode_hex(digest, sizeof(digest), hex);
	s3_multipart_part_request(&req, &u->write, u->id, (int)u->etags.len + 1, &body,
				  hex);
	if (send(u->a, &req, &res, err) < 0)
		return -1;
	etag = s3_etag(&res, false);
	if (!etag)
		return error_set(err, ERR_DATA, "S3 gives a part no ETag");
	etags_push(&u->etags, arena_strdup(&u->arena, etag));
	return 0;
}

static int send_parts(struct upload *u, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;

	for (size_t at = 0; at < u->object->len; at += S3_PART_BYTES)
		if (send_part(u, at, err) < 0)
			return -1;
	s3_multipart_complete_request(&req, &u->write, u->id, u->etags.items,
				      u->etags.len);
	return send_only(u->a, &req, err);
}

static void abort_upload(const struct upload *u)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct error ignored = ERROR_INIT;

	s3_multipart_abort_request(&req, u->a->bucket, u->object->key, u->id);
	add_owner(u->a, &req);
	(void)aws_send(u->a->watch->aws, &req, &res, &ignored);
}

static int put_parts(const struct artifacts *a, const struct object *o, struct error *err)
{
	CLEANUP(upload)
	struct upload u = { .a = a, .object = o, .write = write_of(a, o) };

	if (start_upload(&u, err) < 0)
		return -1;
	if (send_parts(&u, err) == 0)
		return 0;
	abort_upload(&u);
	return -1;
}

static int put_once(const struct artifacts *a, const struct object *o, struct error *err)
{
	int rc = s3_is_large((int64_t)o->len) ? put_parts(a, o, err)
					      : put_whole(a, o, err);

	/* It is there: its name says what it is made of. */
	if (rc < 0 && err->code == ERR_CONDITION) {
		error_clear(err);
		return 0;
	}
	return rc;
}

int artifacts_put(const struct artifacts *a, const char *key, const void *p, size_t n,
		  struct error *err)
{
	CLEANUP(object) struct object o = object_of(key, p, n);

	for (int i = 0;; i++) {
		if (put_once(a, &o, err) == 0)
			return 0;
		if (!a->is_default || !lacks_bucket(err) || i == TRIES)
			return explain(a, err);
		error_clear(err);
		if (i == 0 ? make_bucket(a, err) < 0
			   : watch_sleep(a->watch, PAUSE_MS, err) < 0)
			return -1;
	}
}
