#include "aws/client.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "aws/creds.h"
#include "aws/endpoint.h"
#include "aws/error.h"
#include "aws/profile.h"
#include "aws/retry.h"
#include "aws/sign.h"
#include "base/str.h"

enum {
	SEND_PARALLEL = 16, /* of aws_send_all */
	TIMEOUT_MS = 60000,
	BYTES_A_SECOND = 256 << 10, /* slower than any line that a deploy is run from */
	SKEW_MATTERS_MS = 4 * 60 * 1000,
};

/* A bucket that turned out to be elsewhere. */
struct bucket_region {
	char *bucket;
	char *region;
};

VEC_DEFINE(bucket_regions, struct bucket_region);

struct aws {
	struct aws_options options;
	struct profiles profiles; /* settings points into it */
	struct endpoint_settings settings;
	char *region;
	uint64_t random;
	int64_t skew_ms;
	bool skew_used; /* a service has told us that we are off */
	struct bucket_regions buckets;
	double allowed;    /* requests at once; 0: as many as asked for */
	int64_t slowed_ms; /* when that was last lowered */
};

/* ---- requests and calls ---- */

void aws_request_release(struct aws_request *req)
{
	aws_params_release(&req->query);
	http_headers_release(&req->headers);
	arena_release(&req->arena);
	*req = (struct aws_request)AWS_REQUEST_INIT;
}

void aws_request_header(struct aws_request *req, const char *name, const char *value)
{
	struct http_header header = { arena_strdup(&req->arena, name),
				      arena_strdup(&req->arena, value) };

	http_headers_push(&req->headers, header);
}

void aws_request_param(struct aws_request *req, const char *name, const char *value)
{
	struct aws_param param = { arena_strdup(&req->arena, name),
				   arena_strdup(&req->arena, value) };

	aws_params_push(&req->query, param);
}

void aws_call_release(struct aws_call *call)
{
	aws_request_release(&call->request);
	http_response_release(&call->response);
	*call = (struct aws_call)AWS_CALL_INIT;
}

/* ---- the client ---- */

int aws_new(const struct aws_options *options, struct aws **out, struct error *err)
{
	struct aws *aws = xcalloc(1, sizeof(*aws));

	aws->options = *options;
	aws->profiles = (struct profiles)PROFILES_INIT;
	aws->random = options->seed;
	if (!aws->options.max_attempts)
		aws->options.max_attempts = RETRY_ATTEMPTS;
	if (profiles_load(&aws->profiles, options->env, err) < 0) {
		aws_free(aws);
		return -1;
	}
	aws->region = xstrdup(options->region ? options->region : "");
	endpoint_settings_read(options->env, profiles_endpoint, &aws->profiles,
			       &aws->settings);
	*out = aws;
	return 0;
}

bool aws_is_cancelled(const struct aws *aws)
{
	const volatile int *cancelled = aws->options.http->cancelled;

	return cancelled && *cancelled;
}

const volatile int *aws_uncancel(struct aws *aws)
{
	const volatile int *cancelled = aws->options.http->cancelled;

	aws->options.http->cancelled = NULL;
	return cancelled;
}

void aws_recancel(struct aws *aws, const volatile int *cancelled)
{
	aws->options.http->cancelled = cancelled;
}

void aws_free(struct aws *aws)
{
	if (!aws)
		return;
	for (size_t i = 0; i < aws->buckets.len; i++) {
		free(aws->buckets.items[i].bucket);
		free(aws->buckets.items[i].region);
	}
	bucket_regions_release(&aws->buckets);
	profiles_release(&aws->profiles);
	free(aws->region);
	free(aws);
}

const char *aws_region(const struct aws *aws)
{
	return aws->region;
}

const struct clock *aws_clock(const struct aws *aws)
{
	return aws->options.clock;
}

int64_t aws_skew_ms(const struct aws *aws)
{
	return aws->skew_ms;
}

/* ---- what is learnt on the way ---- */

static struct bucket_region *find_bucket(const struct aws *aws, const char *bucket)
{
	for (size_t i = 0; i < aws->buckets.len; i++)
		if (str_eq(aws->buckets.items[i].bucket, bucket))
			return &aws->buckets.items[i];
	return NULL;
}

static const char *region_of(const struct aws *aws, const struct aws_request *req)
{
	const struct bucket_region *known = req->service == AWS_S3 && req->bucket
						    ? find_bucket(aws, req->bucket)
						    : NULL;

	if (known)
		return known->region;
	return req->region ? req->region : aws->region;
}

static void learn_region(struct aws *aws, const char *bucket, const char *region)
{
	struct bucket_region *known = find_bucket(aws, bucket);

	if (!known) {
		known = bucket_regions_push(&aws->buckets, (struct bucket_region){ 0 });
		known->bucket = xstrdup(bucket);
	}
	free(known->region);
	known->region = xstrdup(region);
}

/* The server's clock minus ours, both as they are: a corrected clock must not correct
 * itself. An answer from a cache carries an old Date. */
static void learn_skew(struct aws *aws, const struct http_response *res)
{
	const char *date = http_response_header(res, "Date");
	int64_t server_ms;

	if (!date || http_response_header(res, "Age") ||
	    !http_date_parse(date, &server_ms))
		return;
	aws->skew_ms = server_ms - (res->sent_ms + (res->received_ms - res->sent_ms) / 2);
}

/* ---- one call on its way ---- */

struct flight {
	struct aws_call *call;
	struct attempt attempt;
	char payload_hash[65]; /* "": not known yet */
	char region[64];       /* that the latest attempt was signed for */
	int64_t due_ms;        /* monotonic; when it waits */
	int64_t started_ms;    /* monotonic; of the latest attempt */
	unsigned tries;        /* failures that were nobody's mistake in addressing */
	bool moved, renewed, reset; /* re-sent for its region, keys, clock: once each */
};

VEC_DEFINE(flights, struct flight *);

struct stream {
	struct aws *aws;
	const struct aws_feed *feed;
	unsigned parallel;
	struct flights waiting; /* a heap, the next one due on top */
	size_t in_flight;
	bool ended;
};

static void flight_free(struct flight *f)
{
	attempt_release(&f->attempt);
	free(f);
}

/* ---- the heap ---- */

static void swap(struct flight **a, struct flight **b)
{
	struct flight *t = *a;

	*a = *b;
	*b = t;
}

static void heap_push(struct flights *heap, struct flight *f)
{
	size_t i = heap->len;

	flights_push(heap, f);
	for (; i && heap->items[i]->due_ms < heap->items[(i - 1) / 2]->due_ms;
	     i = (i - 1) / 2)
		swap(&heap->items[i], &heap->items[(i - 1) / 2]);
}

static struct flight *heap_pop(struct flights *heap)
{
	struct flight *top = heap->items[0];
	size_t i = 0;

	heap->items[0] = heap->items[--heap->len];
	for (;;) {
		size_t least = i;

		for (size_t c = 2 * i + 1; c <= 2 * i + 2 && c < heap->len; c++)
			if (heap->items[c]->due_ms < heap->items[least]->due_ms)
				least = c;
		if (least == i)
			return top;
		swap(&heap->items[i], &heap->items[least]);
		i = least;
	}
}

/* ---- before an attempt ---- */

static int64_t now_ms(const struct aws *aws)
{
	return clock_monotonic_ms(aws->options.clock);
}

static int64_t timeout_of(const struct aws *aws, const struct aws_request *req)
{
	int64_t timeout = req->timeout_ms;
	int64_t left = req->deadline_ms - now_ms(aws);

	if (timeout <= 0)
		timeout = TIMEOUT_MS + req->body.len / BYTES_A_SECOND * 1000;
	if (!req->deadline_ms || left >= timeout)
		return timeout;
	return left > 0 ? left : 1; /* 0 would stand for the engine's default */
}

static int hash_payload(struct flight *f, struct error *err)
{
	const struct aws_request *req = &f->call->request;

	if (f->payload_hash[0])
		return 0;
	if (!req->sha256_hex)
		return attempt_hash_body(&req->body, f->payload_hash, err);
	if (strlen(req->sha256_hex) != 64 ||
	    !str_copy(f->payload_hash, sizeof(f->payload_hash), req->sha256_hex))
		return error_set(err, ERR_DATA, "the body's hash is no SHA-256");
	return 0;
}

static int prepare(struct aws *aws, struct flight *f, struct error *err)
{
	const struct aws_request *req = &f->call->request;
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	const struct endpoint_target target = {
		.service = req->service,
		.region = region_of(aws, req),
		.bucket = req->bucket,
	};
	struct endpoint endpoint;
	struct attempt_options options = { .endpoint = &endpoint };

	if (!req->anonymous && !aws->options.creds)
		return error_set(err, ERR_CREDENTIALS, "no credentials");
	if (!req->anonymous && aws_creds_get(aws->options.creds, &options.keys, err) < 0)
		return -1;
	if (endpoint_resolve(&aws->settings, &target, &arena, &endpoint, err) < 0 ||
	    hash_payload(f, err) < 0)
		return -1;
	/* After what may have taken its time: fetching keys, reading the body. */
	if (req->deadline_ms && now_ms(aws) >= req->deadline_ms)
		return error_set(err, ERR_TIMEOUT, "no time is left to send it");
	options.payload_hash = f->payload_hash;
	options.time_ms = clock_wall_ms(aws->options.clock) +
			  (aws->skew_used ? aws->skew_ms : 0);
	if (attempt_sign(&f->attempt, req, &options, err) < 0)
		return -1;
	f->attempt.http.timeout_ms = timeout_of(aws, req);
	snprintf(f->region, sizeof(f->region), "%s", endpoint.region);
	f->started_ms = now_ms(aws);
	f->call->attempts++;
	return 0;
}

/* ---- after an attempt ---- */

/* Operations that answer 200 first and find out afterwards.
 * docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html, "Response and special
 * errors". */
static const struct {
	const char *operation;
	const char *root;
} late_errors[] = {
	{ "CopyObject", "CopyObjectResult" },
	{ "UploadPartCopy", "CopyPartResult" },
	{ "CompleteMultipartUpload", "CompleteMultipartUploadResult" },
};

static bool succeeded(const struct aws_request *req, const struct http_response *res)
{
	if (res->status / 100 != 2)
		return false;
	for (size_t i = 0; i < sizeof(late_errors) / sizeof(*late_errors); i++)
		if (req->service == AWS_S3 &&
		    str_eq(req->operation, late_errors[i].operation))
			return aws_is_result(res, late_errors[i].root);
	return true;
}

/* Whether the clocks, the region or the keys were the trouble, and no longer are: then the
 * same request is sent again at once. A service turns such requests away unread. */
static bool mended(struct aws *aws, struct flight *f, const struct aws_fault *fault)
{
	const struct aws_request *req = &f->call->request;
	const struct error *err = &f->call->err;
	int64_t off = aws->skew_ms < 0 ? -aws->skew_ms : aws->skew_ms;
	bool sure;

	if (req->service == AWS_S3 && req->bucket && !f->moved && *fault->region &&
	    !str_eq(fault->region, f->region) &&
	    aws_error_is_elsewhere(err->service_code, err->http_status)) {
		learn_region(aws, req->bucket, fault->region);
		return f->moved = true;
	}
	if (req->anonymous)
		return false;
	if (!f->renewed && aws_error_is_expired(err->service_code)) {
		aws_creds_expire(aws->options.creds);
		return f->renewed = true;
	}
	if (!f->reset && aws_error_is_skew(err->service_code, &sure) &&
	    (sure ? off > 0 : off > SKEW_MATTERS_MS))
		return f->reset = aws->skew_used = true;
	return false;
}

/* As many requests at once as the service bears: half after it said "slower" (once for all
 * that were under way then), one more after each round that went well. */
static void adapt(struct stream *s, const struct flight *f, bool slower)
{
	struct aws *aws = s->aws;

	if (!aws->allowed || aws->allowed > s->parallel)
		aws->allowed = s->parallel;
	if (slower && f->started_ms >= aws->slowed_ms) {
		aws->allowed = aws->allowed > 2 ? aws->allowed / 2 : 1;
		aws->slowed_ms = now_ms(aws) + 1;
	} else if (!slower && !f->call->err.code) {
		aws->allowed += 1 / aws->allowed;
	}
}

static void name_call(const struct aws_request *req, struct error *err)
{
	error_wrap(err, req->bucket ? "%s %s" : "%s%.0s",
		   req->operation ? req->operation : req->method,
		   req->bucket ? req->bucket : "");
}

static void finish(struct stream *s, struct flight *f)
{
	struct aws_call *call = f->call;

	if (call->err.code)
		name_call(&call->request, &call->err);
	flight_free(f);
	s->feed->done(s->feed->ctx, call);
}

/* Again in wait_ms, if there is time for it. */
static void wait_for(struct stream *s, struct flight *f, int64_t wait_ms)
{
	const struct aws_request *req = &f->call->request;
	struct error *err = &f->call->err;

	f->due_ms = now_ms(s->aws) + wait_ms;
	if (!req->deadline_ms || f->due_ms < req->deadline_ms) {
		heap_push(&s->waiting, f);
		return;
	}
	err->code = ERR_TIMEOUT;
	error_wrap(err, "no time is left to try again");
	finish(s, f);
}

/* A HEAD has no body that would give away who answers: a proxy's page looks like an object. */
static void check_head(struct aws_call *call)
{
	struct error *err = &call->err;

	if (call->request.service != AWS_S3 ||
	    !str_eq(call->request.operation, "HeadObject") ||
	    http_response_header(&call->response, "ETag"))
		return;
	error_set(err, ERR_NETWORK, "%d without an ETag: not the store's answer",
		  call->response.status);
	err->http_status = call->response.status;
	err->retryable = true;
}

static int64_t decide(struct stream *s, struct flight *f, const char *retry_after,
		      bool not_sent)
{
	const struct aws *aws = s->aws;
	struct retry_facts facts = {
		.err = &f->call->err,
		.attempts = ++f->tries,
		.max_attempts = aws->options.max_attempts,
		.once = f->call->request.once,
		.not_sent = not_sent,
		.retry_after_ms = retry_after_ms(
			retry_after, clock_wall_ms(aws->options.clock) + aws->skew_ms),
		.random = retry_random(&s->aws->random),
	};

	return retry_wait_ms(&facts);
}

static void read_answer(struct stream *s, struct flight *f, struct http_response *res,
			struct aws_fault *fault)
{
	struct aws_call *call = f->call;

	http_response_move(&call->response, res);
	learn_skew(s->aws, &call->response);
	error_clear(&call->err);
	if (!succeeded(&call->request, &call->response))
		aws_error_decode(&call->response, fault, &call->err);
	else
		check_head(call);
	adapt(s, f, call->err.code == ERR_THROTTLED || call->err.http_status == 503);
}

static void read_failure(struct stream *s, struct flight *f, const struct error *err)
{
	const struct aws_request *req = &f->call->request;
	bool is_over = req->deadline_ms && now_ms(s->aws) >= req->deadline_ms;

	f->call->err = *err;
	/* ERR_TIMEOUT is for the caller's own deadline. */
	if (err->code == ERR_TIMEOUT && !is_over)
		f->call->err.code = ERR_NETWORK;
}

static void on_done(void *ctx, void *tag, struct http_response *res,
		    const struct error *err)
{
	struct stream *s = ctx;
	struct flight *f = tag;
	struct aws_call *call = f->call;
	struct aws_fault fault = { .region = "" };
	int64_t wait_ms;

	s->in_flight--;
	if (res)
		read_answer(s, f, res, &fault);
	else
		read_failure(s, f, err);
	log_debug(s->aws->options.log, "%s %s: %d %s, attempt %u, %lld ms",
		  call->request.operation ? call->request.operation : "-",
		  call->request.path, res ? call->response.status : 0,
		  call->err.code ? call->err.msg : "", call->attempts,
		  (long long)(now_ms(s->aws) - f->started_ms));
	if (!call->err.code) {
		finish(s, f);
		return;
	}
	if (res && mended(s->aws, f, &fault))
		wait_ms = 0;
	else
		wait_ms = decide(
			s, f,
			res ? http_response_header(&call->response, "Retry-After") : NULL,
			!res && str_eq(err->service_code, HTTP_NOT_SENT));
	if (wait_ms < 0)
		finish(s, f);
	else
		wait_for(s, f, wait_ms);
}

/* ---- the stream ---- */

static bool is_full(const struct stream *s)
{
	double allowed = s->aws->allowed;

	return s->in_flight && allowed && s->in_flight >= (size_t)allowed;
}

/* What is due, or what the feed has; NULL with *answer when there is nothing for now. Not
 * many more than can be sent are taken from the feed, lest a service that refuses them all
 * uses up the attempts of calls that could have waited. */
static struct flight *pull(struct stream *s, enum http_feed_answer *answer,
			   int64_t *wait_ms)
{
	bool is_due = s->waiting.len && s->waiting.items[0]->due_ms <= now_ms(s->aws);
	struct aws_call *call = NULL;
	struct flight *f;

	*answer = HTTP_FEED_WAIT;
	*wait_ms = -1;
	if (is_due)
		return heap_pop(&s->waiting);
	if (s->ended || s->waiting.len >= s->parallel)
		return NULL;
	*answer = s->feed->next(s->feed->ctx, &call, wait_ms);
	if (*answer == HTTP_FEED_END)
		s->ended = true;
	if (*answer != HTTP_FEED_REQUEST)
		return NULL;
	f = xcalloc(1, sizeof(*f));
	f->call = call;
	call->attempts = 0;
	error_clear(&call->err);
	return f;
}

static enum http_feed_answer pause_stream(struct stream *s, int64_t *wait_ms)
{
	int64_t due;

	if (s->waiting.len) {
		due = s->waiting.items[0]->due_ms - now_ms(s->aws);
		due = due > 0 ? due : 0;
		*wait_ms = *wait_ms >= 0 && *wait_ms < due ? *wait_ms : due;
		return HTTP_FEED_WAIT;
	}
	return s->ended && !s->in_flight ? HTTP_FEED_END : HTTP_FEED_WAIT;
}

static enum http_feed_answer on_next(void *ctx, struct http_request *req, void **tag,
				     int64_t *wait_ms)
{
	struct stream *s = ctx;
	enum http_feed_answer answer;
	struct flight *f;

	*wait_ms = -1;
	if (is_full(s))
		return HTTP_FEED_WAIT;
	while ((f = pull(s, &answer, wait_ms))) {
		struct error err = ERROR_INIT;

		if (prepare(s->aws, f, &err) == 0) {
			s->in_flight++;
			*req = f->attempt.http;
			*tag = f;
			return HTTP_FEED_REQUEST;
		}
		f->call->err = err;
		finish(s, f);
	}
	return pause_stream(s, wait_ms);
}

static void on_progress(void *ctx, void *tag, int64_t sent, int64_t total)
{
	struct stream *s = ctx;
	struct flight *f = tag;

	if (s->feed->progress)
		s->feed->progress(s->feed->ctx, f->call, sent, total);
}

int aws_run(struct aws *aws, const struct aws_feed *feed, unsigned parallel,
	    struct error *err)
{
	struct stream s = { .aws = aws,
			    .feed = feed,
			    .parallel = parallel ? parallel : 1 };
	struct http_feed http_feed = {
		.ctx = &s,
		.next = on_next,
		.done = on_done,
		.progress = feed->progress ? on_progress : NULL,
	};
	int result = http_run(aws->options.http, &http_feed, s.parallel, err);

	/* Cut short: what was waiting for its next attempt has ended too. */
	while (s.waiting.len) {
		struct flight *f = heap_pop(&s.waiting);

		f->call->err = *err;
		finish(&s, f);
	}
	flights_release(&s.waiting);
	return result;
}

/* ---- several, one ---- */

struct batch {
	struct aws_call *calls;
	size_t n;
	size_t next;
};

static enum http_feed_answer batch_next(void *ctx, struct aws_call **call,
					int64_t *wait_ms)
{
	struct batch *b = ctx;

	(void)wait_ms;
	if (b->next == b->n)
		return HTTP_FEED_END;
	*call = &b->calls[b->next++];
	return HTTP_FEED_REQUEST;
}

static void batch_done(void *ctx, struct aws_call *call)
{
	(void)ctx;
	(void)call;
}

int aws_send_all(struct aws *aws, struct aws_call *calls, size_t n, struct error *err)
{
	struct batch batch = { .calls = calls, .n = n };
	struct aws_feed feed = { .ctx = &batch, .next = batch_next, .done = batch_done };
	int result = aws_run(aws, &feed, SEND_PARALLEL, err);

	for (; batch.next < n; batch.next++)
		calls[batch.next].err = *err;
	return result;
}

int aws_send(struct aws *aws, const struct aws_request *req, struct http_response *res,
	     struct error *err)
{
	struct aws_call call = AWS_CALL_INIT;
	int result;

	/* Shares the caller's memory; only the response is the call's own. */
	call.request = *req;
	call.response.body.max = res->body.max;
	result = aws_send_all(aws, &call, 1, err);
	http_response_move(res, &call.response);
	if (result == 0 && call.err.code) {
		*err = call.err;
		return -1;
	}
	return result;
}
