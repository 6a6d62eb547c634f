#include "fake/fake_store.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "codec/encode.h"
#include "codec/hash.h"
#include "codec/url.h"
#include "codec/xml.h"

/* A request, taken apart. */
struct call {
	struct fake_store *store;
	const struct fake_seen *seen;
	const char *key;   /* decoded; in the store's arena */
	const char *query; /* as it came */
	struct fake_reply *reply;
};

/* ---- the objects ---- */

static void object_release(struct fake_object *o)
{
	free(o->key);
	free(o->content_type);
	free(o->cache_control);
	buf_release(&o->body);
}

struct fake_object *fake_store_find(struct fake_store *s, const char *key)
{
	for (size_t i = 0; i < s->objects.len; i++)
		if (str_eq(s->objects.items[i].key, key))
			return &s->objects.items[i];
	return NULL;
}

void fake_store_remove(struct fake_store *s, const char *key)
{
	struct fake_object *o = fake_store_find(s, key);

	if (!o)
		return;
	object_release(o);
	*o = s->objects.items[--s->objects.len];
}

struct fake_object *fake_store_put(struct fake_store *s, const char *key,
				   const void *bytes, size_t n)
{
	struct fake_object new = {
		.key = xstrdup(key),
		.body = BUF_INIT(SIZE_MAX / 2),
		.content_type = xstrdup(""),
		.cache_control = xstrdup(""),
		.modified_ms = s->fake->clock->now_ms / 1000 * 1000,
	};
	unsigned char md5[HASH_MD5_SIZE];
	char hex[2 * HASH_MD5_SIZE + 1];

	buf_add(&new.body, bytes, n);
	hash_bytes(HASH_MD5, new.body.data, n, md5);
	encode_hex(md5, sizeof(md5), hex);
	snprintf(new.etag, sizeof(new.etag), "\"%s\"", hex);
	fake_store_remove(s, key);
	return fake_objects_push(&s->objects, new);
}

/* ---- answers ---- */

static const char *http_date(struct arena *arena, int64_t ms)
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;
	char text[40];

	gmtime_r(&s, &tm);
	strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	return arena_strdup(arena, text);
}

/* more is NULL or header lines without the last end of line. */
static void answer(struct call *c, int status, const char *more, const char *body)
{
	struct arena *arena = &c->store->arena;

	*c->reply = (struct fake_reply){
		.status = status,
		.headers = arena_printf(arena, "Date: %s%s%s",
					http_date(arena, c->store->fake->clock->now_ms),
					more ? "\n" : "", more ? more : ""),
		.body = body ? arena_strdup(arena, body) : NULL,
	};
}

static void refuse(struct call *c, int status, const char *code)
{
	answer(c, status, NULL,
	       arena_printf(&c->store->arena, "<Error><Code>%s</Code></Error>", code));
}

static void answer_etag(struct call *c, const struct fake_object *o)
{
	answer(c, 200,
	       c->store->without_etag
		       ? NULL
		       : arena_printf(&c->store->arena, "ETag: %s", o->etag),
	       NULL);
}

/* ---- S3 ---- */

static const char *header(const struct call *c, const char *name)
{
	char value[4096];

	return fake_seen_header(c->seen, name, value, sizeof(value))
		       ? arena_strdup(&c->store->arena, value)
		       : NULL;
}

/* The value of a parameter as it came; NULL: not there. */
static const char *param(const struct call *c, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = c->query; *p; p += strcspn(p, "&"), p += *p == '&')
		if (strncmp(p, name, n) == 0 && p[n] == '=')
			return arena_strndup(&c->store->arena, p + n + 1,
					     strcspn(p + n + 1, "&"));
	return NULL;
}

/* Answers 412 or 404 and says false when a condition does not hold. */
static bool conditions_hold(struct call *c)
{
	const struct fake_object *o = fake_store_find(c->store, c->key);
	const char *match = header(c, "If-Match");
	const char *source = header(c, "x-amz-copy-source-if-match");

	if (c->store->unfenced)
		return true;
	if (match && !o)
		refuse(c, 404, "NoSuchKey");
	else if ((match && !str_eq(match, o->etag)) ||
		 (o && header(c, "If-None-Match")) ||
		 (o && source && !str_eq(source, o->etag)))
		refuse(c, 412, "PreconditionFailed");
	else
		return true;
	return false;
}

static void set_metadata(const struct call *c, char **content_type, char **cache_control)
{
	const char *type = header(c, "Content-Type");
	const char *control = header(c, "Cache-Control");

	free(*content_type);
	free(*cache_control);
	*content_type = xstrdup(type ? type : "");
	*cache_control = xstrdup(control ? control : "");
}

static void put(struct call *c)
{
	struct fake_object *o;

	if (!conditions_hold(c))
		return;
	o = fake_store_put(c->store, c->key, c->seen->body, c->seen->body_len);
	set_metadata(c, &o->content_type, &o->cache_control);
	answer_etag(c, o);
}

static void copy(struct call *c)
{
	struct fake_object *o = fake_store_find(c->store, c->key);

	if (!o) {
		refuse(c, 404, "NoSuchKey");
		return;
	}
	if (!conditions_hold(c))
		return;
	set_metadata(c, &o->content_type, &o->cache_control);
	answer(c, 200, NULL,
	       arena_printf(&c->store->arena,
			    "<CopyObjectResult><ETag>%s</ETag></CopyObjectResult>",
			    o->etag));
}

static void get(struct call *c)
{
	const struct fake_object *o = fake_store_find(c->store, c->key);
	bool head = str_eq(c->seen->method, "HEAD");

	if (!o) {
		if (head)
			answer(c, 404, NULL, NULL);
		else
			refuse(c, 404, "NoSuchKey");
		return;
	}
	answer(c, 200,
	       arena_printf(&c->store->arena, "ETag: %s\nLast-Modified: %s", o->etag,
			    http_date(&c->store->arena, o->modified_ms)),
	       NULL);
	if (head)
		return;
	c->reply->body = arena_memdup(&c->store->arena, o->body.data, o->body.len);
	c->reply->body_len = o->body.len;
}

static void delete (struct call *c)
{
	if (!conditions_hold(c))
		return;
	fake_store_remove(c->store, c->key);
	answer(c, 204, NULL, NULL);
}

static void list(struct call *c)
{
	CLEANUP(buf) struct buf out = BUF_INIT(SIZE_MAX / 2);
	const char *prefix = param(c, "prefix");

	buf_str(&out, "<ListBucketResult><IsTruncated>false</IsTruncated>");
	for (size_t i = 0; i < c->store->objects.len; i++) {
		const struct fake_object *o = &c->store->objects.items[i];

		if (prefix && !str_starts(o->key, prefix))
			continue;
		buf_str(&out, "<Contents>");
		xml_element(&out, "Key", o->key);
		xml_element(&out, "ETag", o->etag);
		buf_printf(&out, "<Size>%zu</Size></Contents>", o->body.len);
	}
	buf_str(&out, "</ListBucketResult>");
	answer(c, 200, NULL, out.data);
}

/* ---- uploads in parts ---- */

static void upload_release(struct fake_upload *u)
{
	free(u->id);
	free(u->key);
	free(u->content_type);
	free(u->cache_control);
	buf_release(&u->body);
	buf_release(&u->md5s);
}

static struct fake_upload *find_upload(struct call *c)
{
	const char *id = param(c, "uploadId");

	for (size_t i = 0; i < c->store->uploads.len; i++)
		if (str_eq(c->store->uploads.items[i].id, id))
			return &c->store->uploads.items[i];
	refuse(c, 404, "NoSuchUpload");
	return NULL;
}

static void forget_upload(struct fake_store *s, struct fake_upload *u)
{
	upload_release(u);
	*u = s->uploads.items[--s->uploads.len];
}

static void create_upload(struct call *c)
{
	struct fake_upload u = { .key = xstrdup(c->key),
				 .body = BUF_INIT(SIZE_MAX / 2),
				 .md5s = BUF_INIT(SIZE_MAX / 2) };
	char id[32];

	snprintf(id, sizeof(id), "upload-%u", ++c->store->ids);
	u.id = xstrdup(id);
	set_metadata(c, &u.content_type, &u.cache_control);
	fake_uploads_push(&c->store->uploads, u);
	answer(c, 200, NULL,
	       arena_printf(&c->store->arena,
			    "<InitiateMultipartUploadResult><UploadId>%s</UploadId>"
			    "</InitiateMultipartUploadResult>",
			    id));
}

static void put_part(struct call *c)
{
	struct fake_upload *u = find_upload(c);
	unsigned char md5[HASH_MD5_SIZE];

	if (!u)
		return;
	hash_bytes(HASH_MD5, c->seen->body, c->seen->body_len, md5);
	buf_add(&u->md5s, md5, sizeof(md5));
	buf_add(&u->body, c->seen->body, c->seen->body_len);
	answer(c, 200, "ETag: \"part\"", NULL);
}

static void complete_upload(struct call *c)
{
	struct fake_upload *u = find_upload(c);
	unsigned char md5[HASH_MD5_SIZE];
	char hex[2 * HASH_MD5_SIZE + 1];
	struct fake_object *o;

	if (!u || !conditions_hold(c))
		return;
	o = fake_store_put(c->store, c->key, u->body.data, u->body.len);
	hash_bytes(HASH_MD5, u->md5s.data, u->md5s.len, md5);
	encode_hex(md5, sizeof(md5), hex);
	snprintf(o->etag, sizeof(o->etag), "\"%s-%zu\"", hex, u->md5s.len / sizeof(md5));
	free(o->content_type);
	free(o->cache_control);
	o->content_type = xstrdup(u->content_type);
	o->cache_control = xstrdup(u->cache_control);
	forget_upload(c->store, u);
	answer(c, 200, NULL,
	       arena_printf(&c->store->arena,
			    "<CompleteMultipartUploadResult><ETag>%s</ETag>"
			    "</CompleteMultipartUploadResult>",
			    o->etag));
}

static void abort_upload(struct call *c)
{
	struct fake_upload *u = find_upload(c);

	if (!u)
		return;
	forget_upload(c->store, u);
	answer(c, 204, NULL, NULL);
}

static void list_uploads(struct call *c)
{
	CLEANUP(buf) struct buf out = BUF_INIT(SIZE_MAX / 2);

	buf_str(&out, "<ListMultipartUploadsResult>");
	for (size_t i = 0; i < c->store->uploads.len; i++) {
		buf_str(&out, "<Upload>");
		xml_element(&out, "Key", c->store->uploads.items[i].key);
		xml_element(&out, "UploadId", c->store->uploads.items[i].id);
		buf_str(&out, "</Upload>");
	}
	buf_str(&out, "</ListMultipartUploadsResult>");
	answer(c, 200, NULL, out.data);
}

/* The first row that fits serves. */
static const struct {
	const char *method;
	const char *param;  /* that must be there; NULL: any */
	const char *header; /* likewise */
	void (*serve)(struct call *c);
} operations[] = {
	{ "GET", "list-type", NULL, list },
	{ "GET", "uploads", NULL, list_uploads },
	{ "GET", NULL, NULL, get },
	{ "HEAD", NULL, NULL, get },
	{ "PUT", "partNumber", NULL, put_part },
	{ "PUT", NULL, "x-amz-copy-source", copy },
	{ "PUT", NULL, NULL, put },
	{ "POST", "uploads", NULL, create_upload },
	{ "POST", "uploadId", NULL, complete_upload },
	{ "DELETE", "uploadId", NULL, abort_upload },
	{ "DELETE", NULL, NULL, delete },
};

static void serve_s3(struct call *c, const char *path)
{
	CLEANUP(buf) struct buf key = BUF_INIT(8192);
	size_t n = strlen(c->store->bucket);

	if (strncmp(path, c->store->bucket, n) != 0 || (path[n] && path[n] != '/')) {
		refuse(c, 404, "NoSuchBucket");
		return;
	}
	path += n + (path[n] == '/');
	url_decode(path, strlen(path), &key);
	c->key = arena_strdup(&c->store->arena, key.data);
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		if (!str_eq(operations[i].method, c->seen->method) ||
		    (operations[i].param && !param(c, operations[i].param)) ||
		    (operations[i].header && !header(c, operations[i].header)))
			continue;
		operations[i].serve(c);
		return;
	}
	refuse(c, 405, "MethodNotAllowed");
}

/* ---- CloudFront ---- */

static void answer_invalidation(struct call *c, int status, size_t i)
{
	CLEANUP(buf) struct buf out = BUF_INIT(65536);

	buf_printf(&out, "<Invalidation><Id>I%zu</Id><Status>Completed</Status>", i + 1);
	buf_str(&out, "<InvalidationBatch>");
	xml_element(&out, "CallerReference", c->store->invalidations.items[i].reference);
	buf_str(&out, "</InvalidationBatch></Invalidation>");
	answer(c, status, NULL, out.data);
}

static char *read_paths(const struct xml_node *batch)
{
	struct buf paths = BUF_INIT(SIZE_MAX / 2);
	const struct xml_node *p = xml_child(xml_child(batch, "Paths"), "Items");

	for (p = xml_child(p, "Path"); p; p = xml_next(p))
		buf_printf(&paths, "%s\n", xml_text(p));
	return buf_take(&paths);
}

static void invalidate(struct call *c, const char *distribution)
{
	struct fake_invalidations *all = &c->store->invalidations;
	struct fake_invalidation new = { .distribution = xstrdup(distribution) };
	const struct xml_node *batch = NULL;
	struct error err = ERROR_INIT;

	(void)!xml_parse(c->seen->body, c->seen->body_len, &c->store->arena, &batch,
			 &err);
	new.paths = read_paths(batch);
	new.reference = xstrdup(batch ? xml_get(batch, "CallerReference") : "");
	for (size_t i = 0; i < all->len; i++) {
		if (!str_eq(all->items[i].reference, new.reference))
			continue;
		/* What the service does, not what its page says: the same paths or not. */
		free(new.distribution);
		free(new.paths);
		free(new.reference);
		answer(c, 400, NULL,
		       "<ErrorResponse><Error><Code>InvalidArgument</Code><Message>Your "
		       "request contains a caller reference that was used for a previous "
		       "invalidation batch for the same distribution.</Message></Error>"
		       "</ErrorResponse>");
		return;
	}
	fake_invalidations_push(all, new);
	answer_invalidation(c, 201, all->len - 1);
}

static void list_invalidations(struct call *c)
{
	CLEANUP(buf) struct buf out = BUF_INIT(65536);

	buf_str(&out, "<InvalidationList><IsTruncated>false</IsTruncated><Items>");
	for (size_t i = c->store->invalidations.len; i > 0; i--)
		buf_printf(&out,
			   "<InvalidationSummary><Id>I%zu</Id></InvalidationSummary>", i);
	buf_str(&out, "</Items></InvalidationList>");
	answer(c, 200, NULL, out.data);
}

static void get_distribution(struct call *c, const char *id)
{
	answer(c, 200, NULL,
	       arena_printf(&c->store->arena,
			    "<Distribution><Id>%s</Id><DistributionConfig>"
			    "<DefaultRootObject>index.html</DefaultRootObject>"
			    "<Origins><Items><Origin><Id>o</Id><DomainName>%s.s3.test"
			    "</DomainName></Origin></Items></Origins>"
			    "<DefaultCacheBehavior><TargetOriginId>o</TargetOriginId>"
			    "<CachePolicyId>658327ea-f89d-4fab-a63d-7e88639e58f6"
			    "</CachePolicyId></DefaultCacheBehavior>"
			    "</DistributionConfig></Distribution>",
			    id, c->store->bucket));
}

static void serve_cloudfront(struct call *c, const char *path)
{
	size_t n = strcspn(path, "/");
	const char *id = arena_strndup(&c->store->arena, path, n);
	unsigned long i;

	if (!path[n])
		get_distribution(c, id);
	else if (str_eq(c->seen->method, "POST"))
		invalidate(c, id);
	else if (str_eq(path + n, "/invalidation"))
		list_invalidations(c);
	else if (sscanf(path + n, "/invalidation/I%lu", &i) == 1 && i > 0 &&
		 i <= c->store->invalidations.len)
		answer_invalidation(c, 200, i - 1);
	else
		refuse(c, 404, "NoSuchInvalidation");
}

/* ---- faults ---- */

static void serve_well(struct call *c)
{
	static const char cloudfront[] = "/2020-05-31/distribution/";
	const char *path = c->seen->url + strlen(FAKE_STORE_URL);
	size_t n = strcspn(path, "?");

	c->query = path[n] ? path + n + 1 : "";
	path = arena_strndup(&c->store->arena, path, n);
	if (str_starts(path, cloudfront))
		serve_cloudfront(c, path + strlen(cloudfront));
	else
		serve_s3(c, path + 1);
}

static void serve_badly(struct call *c)
{
	switch (c->store->fault) {
	case FAKE_LOST:
		serve_well(c);
		*c->reply = (struct fake_reply){ .fail = ERR_NETWORK };
		break;
	case FAKE_UNREACHED:
		*c->reply = (struct fake_reply){ .fail = ERR_NETWORK, .not_sent = true };
		break;
	case FAKE_500:
		refuse(c, 500, "InternalError");
		break;
	case FAKE_403:
		refuse(c, 403, "AccessDenied");
		break;
	case FAKE_412:
		refuse(c, 412, "PreconditionFailed");
		break;
	case FAKE_GARBAGE:
		answer(c, 200, "Content-Type: text/html",
		       "<html><body>Welcome. Sign in to use this network.</body></html>");
		break;
	case FAKE_CANCELLED:
		*c->store->cancelled = 1;
		*c->reply = (struct fake_reply){ .fail = ERR_CANCELLED };
		break;
	case FAKE_FAULTS:
		break;
	}
}

static void serve(void *ctx, const struct fake_seen *seen, struct fake_reply *reply)
{
	struct fake_store *s = ctx;
	struct call c = { .store = s, .seen = seen, .query = "", .reply = reply };

	if (s->before)
		s->before(s, seen);
	if (++s->requests == s->fault_at)
		serve_badly(&c);
	else
		serve_well(&c);
}

void fake_store_init(struct fake_store *s, struct fake_http *fake, const char *bucket)
{
	*s = (struct fake_store){ .fake = fake, .bucket = bucket };
	fake->serve = serve;
	fake->serve_ctx = s;
}

void fake_store_release(struct fake_store *s)
{
	for (size_t i = 0; i < s->objects.len; i++)
		object_release(&s->objects.items[i]);
	for (size_t i = 0; i < s->uploads.len; i++)
		upload_release(&s->uploads.items[i]);
	for (size_t i = 0; i < s->invalidations.len; i++) {
		free(s->invalidations.items[i].distribution);
		free(s->invalidations.items[i].reference);
		free(s->invalidations.items[i].paths);
	}
	fake_objects_release(&s->objects);
	fake_uploads_release(&s->uploads);
	fake_invalidations_release(&s->invalidations);
	arena_release(&s->arena);
}
