#include "run/claim.h"

#include <string.h>

#include "aws/s3.h"
#include "base/mem.h"
#include "codec/encode.h"
#include "codec/gzip.h"
#include "codec/hash.h"
#include "io/random.h"

/* The lease must outlast every request that was started under it. */
enum { DEADLINE_MARGIN_MS = 5000 };

/* Last-Modified has whole seconds, which may make a state one second older than it is; clocks of
 * AWS agree to better than another. */
enum { SINCE_MARGIN_MS = 2000 };

/* A runner kills some 7 s after it has told a job to stop. */
enum { DROP_MS = 5000 };

void claim_release(struct claim *c)
{
	arena_release(&c->arena);
	*c = (struct claim)CLAIM_INIT;
}

void claim_init(struct claim *c, struct aws *aws, const char *bucket, const char *prefix)
{
	*c = (struct claim){ .aws = aws, .bucket = bucket };
	c->key = arena_printf(&c->arena, "%s%s", prefix, STATE_KEY);
}

static int new_nonce(struct claim *c, struct error *err)
{
	unsigned char bytes[(CLAIM_NONCE_SIZE - 1) / 2];

	if (random_bytes(bytes, sizeof(bytes), err) < 0)
		return -1;
	encode_hex(bytes, sizeof(bytes), c->nonce);
	c->next.nonce = c->nonce;
	return 0;
}

static int pack(const struct state *s, struct buf *out, struct error *err)
{
	CLEANUP(buf) struct buf text = BUF_INIT(STATE_TEXT_MAX);

	state_print(s, &text);
	if (buf_check(&text, "state", err) < 0)
		return -1;
	gzip_compress(text.data, text.len, out);
	return buf_check(out, "state", err);
}

static int send_state(struct claim *c, const struct buf *body, bool if_absent,
		      struct http_response *res, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	struct s3_write write = {
		.bucket = c->bucket,
		.key = c->key,
		.body = { .bytes = body->data, .len = (int64_t)body->len },
		.metadata = { .content_type = "application/json",
			      .content_encoding = "gzip",
			      .cache_control = "no-store" },
		.condition = { .if_match = if_absent ? NULL : c->etag,
			       .if_absent = if_absent },
	};

	s3_put_request(&req, &write);
	req.deadline_ms = c->deadline_ms;
	return aws_send(c->aws, &req, res, err);
}

enum whose { NOT_OURS, OURS, OURS_WITHOUT_LEASE, OURS_BEFORE_OTHERS };

/* After "condition failed": an earlier attempt of ours may have got through without its
 * answer reaching us. If the object holds our nonce, its ETag is ours; if what it calls
 * deployed has it, somebody has gone on from there. -1: it cannot be told. */
static int look_whose(struct claim *c, enum whose *out, struct error *err)
{
	CLEANUP(aws_call) struct aws_call call = AWS_CALL_INIT;
	CLEANUP(claim_read) struct claim_read now = { .exists = false };

	*out = NOT_OURS;
	s3_get_request(&call.request, c->bucket, c->key, NULL);
	call.request.max_response = STATE_TEXT_MAX;
	call.request.deadline_ms = c->deadline_ms;
	/* Its failure is in call.err, which the next one reads. */
	(void)aws_send(c->aws, &call.request, &call.response, &call.err);
	if (claim_read_result(&call, &now, err) < 0)
		return -1;
	if (now.exists && str_eq(now.state.nonce, c->nonce)) {
		c->etag = arena_strdup(&c->arena, now.etag);
		*out = now.state.lease.is_set ? OURS : OURS_WITHOUT_LEASE;
	} else if (now.exists && str_eq(now.state.deployed.nonce, c->nonce)) {
		*out = OURS_BEFORE_OTHERS;
	}
	return 0;
}

static int take_etag(struct claim *c, struct http_response *res, struct error *err)
{
	const char *etag = s3_etag(res, false);

	if (!etag)
		return error_set(err, ERR_SERVICE,
				 "state of %s: the store answers writes without an "
				 "ETag; crc needs one",
				 c->bucket);
	c->etag = arena_strdup(&c->arena, etag);
	return 0;
}

/* If-Match on an object that is not there is answered with 404. */
static bool is_refused(const struct error *err)
{
	return err->code == ERR_CONDITION ||
	       (err->code == ERR_NOT_FOUND && !str_eq(err->service_code, "NoSuchBucket"));
}

static int put_state(struct claim *c, bool if_absent, struct error *err)
{
	CLEANUP(buf) struct buf body = BUF_INIT(STATE_TEXT_MAX);
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	int64_t before_ms = clock_monotonic_ms(aws_clock(c->aws));

	if (pack(&c->next, &body, err) < 0)
		return -1;
	c->unsure = true;
	if (send_state(c, &body, if_absent, &res, err) < 0) {
		if (is_refused(err))
			err->code = ERR_CONDITION;
		return error_wrap(err, "state of %s", c->bucket);
	}
	if (take_etag(c, &res, err) < 0)
		return -1;
	c->unsure = false;
	c->taken_ms = before_ms;
	return 0;
}

static int write_state(struct claim *c, bool if_absent, struct error *err)
{
	int64_t before_ms = clock_monotonic_ms(aws_clock(c->aws));
	struct error unsure = ERROR_INIT;
	enum whose whose;

	if (put_state(c, if_absent, err) == 0)
		return 0;
	if (err->code != ERR_CONDITION)
		return -1;
	if (look_whose(c, &whose, &unsure) < 0) {
		*err = unsure;
		return -1;
	}
	c->unsure = false;
	if (whose == NOT_OURS)
		return -1;
	c->taken_ms = before_ms;
	return 0;
}

/* A store that ignores conditions takes "create" for a key that is there. */
static int probe_fencing(struct claim *c, struct error *err)
{
	struct error probe = ERROR_INIT;

	if (new_nonce(c, err) < 0)
		return -1;
	c->next.lease.holder = c->nonce;
	if (put_state(c, true, &probe) == 0) {
		c->unfenced = true;
		return 0;
	}
	if (probe.code == ERR_CONDITION) {
		c->unsure = false;
		return 0;
	}
	*err = probe;
	return -1;
}

int claim_take(struct claim *c, struct error *err)
{
	bool first = !c->etag;

	if (new_nonce(c, err) < 0)
		return -1;
	c->next.lease = (struct state_lease){ true, c->nonce, STATE_LEASE_S };
	if (write_state(c, first, err) < 0)
		return -1;
	c->held = true;
	return first ? probe_fencing(c, err) : 0;
}

bool claim_is_due(const struct claim *c)
{
	return c->held && clock_monotonic_ms(aws_clock(c->aws)) - c->taken_ms >=
				  CLAIM_RENEW_AFTER_MS;
}

int64_t claim_deadline_ms(const struct claim *c)
{
	return c->taken_ms + STATE_LEASE_S * INT64_C(1000) - DEADLINE_MARGIN_MS;
}

static int rewrite(struct claim *c, struct error *err)
{
	if (new_nonce(c, err) < 0)
		return -1;
	if (c->next.lease.is_set)
		c->next.lease.holder = c->nonce;
	return write_state(c, false, err);
}

int claim_renew(struct claim *c, struct error *err)
{
	if (rewrite(c, err) < 0) {
		c->held = c->held && err->code != ERR_CONDITION;
		return error_wrap(err, "renew the lease");
	}
	return 0;
}

int claim_drop(struct claim *c, struct error *err)
{
	enum whose whose = NOT_OURS;
	bool held = c->held;

	if (!held && !c->unsure)
		return 0;
	c->held = false;
	c->deadline_ms = clock_monotonic_ms(aws_clock(c->aws)) + DROP_MS;
	if (c->unsure && look_whose(c, &whose, err) < 0)
		return -1;
	/* A commit that got through: what is deployed must not become unfinished again. */
	if (whose == OURS_WITHOUT_LEASE || whose == OURS_BEFORE_OTHERS)
		return 0;
	if (!held && whose == NOT_OURS)
		return 0;
	c->next.lease.is_set = false;
	return rewrite(c, err);
}

int claim_commit(struct claim *c, const struct state *after, struct error *err)
{
	const struct state before = c->next;

	if (new_nonce(c, err) < 0)
		return -1;
	c->next = *after;
	c->next.nonce = c->next.deployed.nonce = c->nonce;
	c->next.lease.is_set = false;
	c->next.journal = (struct state_journal){ .is_set = false };
	if (write_state(c, !c->etag, err) == 0) {
		c->held = false;
		return 0;
	}
	c->next = before;
	c->held = c->held && err->code != ERR_CONDITION;
	return error_wrap(err, "record the deploy");
}

/* Reading */

void claim_read_release(struct claim_read *r)
{
	state_release(&r->state);
	*r = (struct claim_read){ .exists = false };
}

void claim_read_request(struct aws_request *req, const char *bucket, const char *prefix)
{
	CLEANUP(buf) struct buf key = BUF_INIT(2048);

	buf_str(&key, prefix);
	buf_str(&key, STATE_KEY);
	s3_get_request(req, bucket, key.data, NULL);
	req->max_response = STATE_TEXT_MAX;
}

/* 0: it is not there, or no time. */
static int64_t header_ms(const struct http_response *res, const char *name)
{
	const char *text = http_response_header(res, name);
	int64_t ms;

	return text && http_date_parse(text, &ms) ? ms : 0;
}

/* By the store's clock alone; one that does not tell the time has its leases waited for
 * whole. */
static int64_t lease_wait_s(const struct http_response *res,
			    const struct state_lease *lease)
{
	int64_t now_ms = header_ms(res, "Date");
	int64_t modified_ms = header_ms(res, "Last-Modified");

	if (!now_ms || !modified_ms)
		now_ms = modified_ms = 0;
	return state_lease_wait_s(lease, now_ms / 1000, modified_ms / 1000);
}

static int unpack(const struct http_response *res, struct claim_read *out,
		  struct error *err)
{
	CLEANUP(buf) struct buf text = BUF_INIT(STATE_TEXT_MAX);
	const struct buf *body = &res->body;
	bool packed = body->len > 2 && memcmp(body->data, "\x1f\x8b", 2) == 0;

	if (packed && gzip_decompress(body->data, body->len, &text, err) < 0)
		return -1;
	if (!packed)
		return state_parse(&out->state, body->data, body->len, err);
	return state_parse(&out->state, text.data, text.len, err);
}

static const char *advice_about(const struct error *err)
{
	return err->code == ERR_UNSUPPORTED
		       ? ""
		       : " (delete it to start anew: nothing else is lost, and the next "
			 "deploy sends what differs)";
}

int claim_read_result(struct aws_call *call, struct claim_read *out, struct error *err)
{
	const struct http_response *res = &call->response;
	const char *etag = http_response_header(res, "etag");

	if (call->err.code == ERR_NOT_FOUND &&
	    !str_eq(call->err.service_code, "NoSuchBucket"))
		return 0;
	if (call->err.code) {
		*err = call->err;
		return error_wrap(err, "read the state in bucket %s",
				  call->request.bucket);
	}
	if (!etag)
		return error_set(err, ERR_SERVICE,
				 "the state in bucket %s came without an ETag",
				 call->request.bucket);
	if (unpack(res, out, err) < 0)
		return error_wrap(err, "state s3://%s%s%s", call->request.bucket,
				  call->request.path, advice_about(err));
	out->exists = true;
	out->etag = arena_strdup(&out->state.arena, etag);
	out->wait_s = lease_wait_s(res, &out->state.lease);
	out->written_ms = header_ms(res, "Last-Modified");
	return 0;
}

bool claim_read_may_be_since(int64_t written_ms, int64_t asked_ms)
{
	return !written_ms || !asked_ms || written_ms + SINCE_MARGIN_MS >= asked_ms;
}
