/* Puts, copies and deletes: many in flight, bounded memory.
 *
 * Each slot carries one step from its first request to its end. A slot's requests follow each
 * other; slots go side by side. */
#include "run/execute_private.h"

#include <assert.h>
#include <string.h>

#include "aws/s3.h"
#include "base/mem.h"

enum { LOOKS_MOST = 3 };
/* Contents that are in memory or on the wire at once; a larger one goes alone. */
#define IN_FLIGHT_MAX ((int64_t)48 << 20)

enum slot_stage { SLOT_FREE, SLOT_READY, SLOT_FLYING };
enum slot_request {
	REQUEST_SEND,
	REQUEST_LOOK,
	REQUEST_CREATE, /* and the next two: in the place of SEND for what goes in parts */
	REQUEST_PART,
	REQUEST_COMPLETE
};

struct slot {
	enum slot_stage stage;
	enum slot_request request;
	struct aws_call call;
	struct content content;
	size_t step;
	unsigned looks;
	const char *from; /* the condition of the next send */
	bool from_absent;
	char *seen_etag; /* owned; what a look found */
	struct upload upload;
};

struct sender {
	struct execution *x;
	struct slot *slots;
	unsigned n_slots;
	size_t next; /* the first step that no slot has had */
	size_t to;
	int64_t in_flight;
	struct error err; /* the first that ends the run */
};

/* Requests of a step */

static struct s3_metadata metadata_of(const struct header_list *headers,
				      struct http_headers *others)
{
	struct s3_metadata m = { .content_type = NULL };
	const struct {
		const char *name;
		const char **member;
	} known[] = {
		{ "content-type", &m.content_type },
		{ "cache-control", &m.cache_control },
		{ "content-encoding", &m.content_encoding },
		{ "content-disposition", &m.content_disposition },
		{ "content-language", &m.content_language },
		{ "x-amz-website-redirect-location", &m.redirect },
	};

	for (size_t i = 0; i < headers->len; i++) {
		const struct header *h = &headers->items[i];
		size_t k = 0;

		while (k < sizeof(known) / sizeof(*known) &&
		       !str_eq(known[k].name, h->name))
			k++;
		if (k < sizeof(known) / sizeof(*known))
			*known[k].member = h->value;
		else
			http_headers_push(others,
					  (struct http_header){ h->name, h->value });
	}
	m.others = others->items;
	m.n_others = others->len;
	return m;
}

static const char *bucket_of(const struct sender *s, const struct step *step)
{
	return s->x->plan->sites.items[step->site].bucket;
}

static void key_of(const struct sender *s, const struct step *step, struct buf *out)
{
	buf_str(out, s->x->plan->sites.items[step->site].site->prefix);
	buf_str(out, step->path);
}

static void build_write(const struct slot *slot, const struct prepared *p,
			const struct s3_write *write, struct aws_request *req)
{
	const struct upload *u = &slot->upload;
	struct http_body part;

	switch (slot->request) {
	case REQUEST_CREATE:
		s3_multipart_create_request(req, write);
		break;
	case REQUEST_PART:
		part = parts_body(&slot->content, u->next);
		s3_multipart_part_request(req, write, u->id, (int)u->next + 1, &part,
					  p->parts.sha256[u->next]);
		break;
	case REQUEST_COMPLETE:
		s3_multipart_complete_request(req, write, u->id,
					      (const char *const *)u->etags, u->next);
		break;
	case REQUEST_SEND:
	case REQUEST_LOOK:
		s3_put_request(req, write);
		break;
	}
}

static void build_request(struct sender *s, struct slot *slot)
{
	const struct step *step = &s->x->plan->steps.items[slot->step];
	const struct prepared *p = &s->x->prepared[slot->step];
	CLEANUP(http_headers) struct http_headers others = { 0 };
	CLEANUP(buf) struct buf key = BUF_INIT(4096);
	struct aws_request *req = &slot->call.request;
	struct s3_write write = {
		.bucket = bucket_of(s, step),
		.sha256_hex = p->sha256,
		.condition = { .if_match = slot->from, .if_absent = slot->from_absent },
	};

	key_of(s, step, &key);
	write.key = key.data;
	if (slot->request == REQUEST_LOOK) {
		s3_head_request(req, write.bucket, write.key);
		return;
	}
	if (step->kind == STEP_DELETE) {
		s3_delete_request(req, write.bucket, write.key, slot->from);
		return;
	}
	write.metadata = metadata_of(step->headers, &others);
	if (step->kind == STEP_COPY) {
		s3_copy_request(req, write.bucket, write.key, &write.metadata,
				slot->from);
		return;
	}
	write.body = parts_whole(&slot->content);
	build_write(slot, p, &write, req);
}

/* The next request of a slot. */
static void go_on(struct sender *s, struct slot *slot, enum slot_request request)
{
	const struct step *step = &s->x->plan->steps.items[slot->step];

	aws_call_release(&slot->call);
	slot->call = (struct aws_call)AWS_CALL_INIT;
	slot->call.request.deadline_ms = claim_deadline_ms(&s->x->claims[step->site]);
	slot->request = request;
	slot->stage = SLOT_READY;
	build_request(s, slot);
}

/* From the start, also after something stood in the way. */
static void send(struct sender *s, struct slot *slot)
{
	bool in_parts = s->x->prepared[slot->step].parts.n > 0;

	upload_drop(s->x, slot->step, &slot->upload);
	go_on(s, slot, in_parts ? REQUEST_CREATE : REQUEST_SEND);
}

/* Starting a step */

/* What a content takes of the memory: all of what git gave, of a file what is on the wire. */
static int64_t weight(const struct content *c)
{
	return c->file.fd >= 0 && c->len > S3_PART_BYTES ? S3_PART_BYTES : c->len;
}

static int start_slot(struct sender *s, struct slot *slot, size_t i)
{
	const struct step *step = &s->x->plan->steps.items[i];
	struct entry e = { .path = step->path, .id = step->id };

	slot->step = i;
	slot->looks = 0;
	slot->from = step->from;
	slot->from_absent = step->from_absent;
	slot->content = (struct content)CONTENT_INIT;
	if (step->kind == STEP_PUT && source_read(s->x->options->sites[step->site].source,
						  &e, &slot->content, &s->err) < 0)
		return execution_failed(s->x, i, &s->err);
	s->in_flight += weight(&slot->content);
	send(s, slot);
	return 0;
}

static void free_slot(struct sender *s, struct slot *slot)
{
	s->in_flight -= weight(&slot->content);
	upload_drop(s->x, slot->step, &slot->upload);
	content_release(&slot->content);
	slot->content = (struct content)CONTENT_INIT;
	aws_call_release(&slot->call);
	slot->call = (struct aws_call)AWS_CALL_INIT;
	free(slot->seen_etag);
	slot->seen_etag = NULL;
	slot->stage = SLOT_FREE;
}

static struct slot *slot_in(const struct sender *s, enum slot_stage stage)
{
	for (unsigned i = 0; i < s->n_slots; i++)
		if (s->slots[i].stage == stage)
			return &s->slots[i];
	return NULL;
}

static bool may_start(const struct sender *s)
{
	const struct step *step = &s->x->plan->steps.items[s->next];
	int64_t size = step->kind == STEP_PUT ? s->x->prepared[s->next].size : 0;

	return s->in_flight == 0 || s->in_flight + size <= IN_FLIGHT_MAX;
}

static enum http_feed_answer next_call(void *ctx, struct aws_call **call,
				       int64_t *wait_ms)
{
	struct sender *s = ctx;
	struct slot *ready = slot_in(s, SLOT_READY);
	struct slot *room = slot_in(s, SLOT_FREE);

	*wait_ms = -1;
	if (!s->err.code && execution_keep_claims(s->x, &s->err) < 0)
		ready = NULL;
	if (!ready && !s->err.code && s->next < s->to && room && may_start(s) &&
	    start_slot(s, room, s->next++) == 0)
		ready = room;
	if (ready && !s->err.code) {
		ready->stage = SLOT_FLYING;
		*call = &ready->call;
		return HTTP_FEED_REQUEST;
	}
	if (slot_in(s, SLOT_FLYING))
		return HTTP_FEED_WAIT;
	return HTTP_FEED_END;
}

/* Ending a request */

static const char *answered_etag(struct slot *slot, const struct step *step)
{
	if (slot->request == REQUEST_COMPLETE)
		return s3_multipart_etag(&slot->call.response);
	return s3_etag(&slot->call.response, step->kind == STEP_COPY);
}

static void fail(struct sender *s, struct slot *slot, const struct error *why)
{
	struct error err = *why;

	execution_failed(s->x, slot->step, &err);
	if (!s->err.code)
		s->err = err;
	free_slot(s, slot);
}

static void finish_step(struct sender *s, struct slot *slot)
{
	upload_forget(&slot->upload);
	execution_done(s->x, slot->step);
	free_slot(s, slot);
}

/* What no store answers has changed nothing: some proxies have a page for every request. */
static int check_answer(const struct step *step, const struct http_response *res,
			const char *etag, struct error *err)
{
	if (step->kind == STEP_DELETE && res->status == 200 && res->body.len)
		return error_set(err, ERR_SERVICE,
				 "answered with a page: this is not S3, or something "
				 "between us and it has answered");
	if (step->kind != STEP_DELETE && !etag)
		return error_set(err, ERR_SERVICE, "answered without an ETag");
	return 0;
}

static void succeed(struct sender *s, struct slot *slot)
{
	const struct step *step = &s->x->plan->steps.items[slot->step];
	struct step_outcome *out = &s->x->outcome->steps[slot->step];
	const char *etag = step->kind == STEP_DELETE ? NULL : answered_etag(slot, step);
	struct error err = ERROR_INIT;

	if (check_answer(step, &slot->call.response, etag, &err) < 0) {
		fail(s, slot, &err);
		return;
	}
	out->etag = etag ? arena_strdup(&s->x->outcome->arena, etag) : NULL;
	out->bytes = slot->content.len;
	finish_step(s, slot);
}

/* Somebody else wrote here since it was seen. What the commit holds is the truth for its
 * keys, so look, and overwrite what is there; what the commit does not hold is left alone. */
static void look(struct sender *s, struct slot *slot)
{
	slot->looks++;
	go_on(s, slot, REQUEST_LOOK);
}

static void looked(struct sender *s, struct slot *slot)
{
	const char *etag = http_response_header(&slot->call.response, "etag");

	free(slot->seen_etag);
	slot->seen_etag = etag ? xstrdup(etag) : NULL;
	slot->from = slot->seen_etag;
	slot->from_absent = !etag;
	send(s, slot);
}

/* A copy whose source has other bytes by now has to become a put. */
static void put_instead(struct sender *s, struct slot *slot)
{
	struct error err = ERROR_INIT;

	error_set(
		&err, ERR_CONFLICT,
		"the object was changed by somebody else while this deploy ran: run again");
	fail(s, slot, &err);
}

static void leave_alone(struct sender *s, struct slot *slot)
{
	const struct step *step = &s->x->plan->steps.items[slot->step];

	outcome_note(s->x->outcome, NOTE_WARNING, step->site, step->path,
		     "was changed by somebody else and is not in the commit: left alone");
	s->x->outcome->steps[slot->step].status = STATUS_LEFT;
	finish_step(s, slot);
}

static void refused_by_condition(struct sender *s, struct slot *slot)
{
	const struct step *step = &s->x->plan->steps.items[slot->step];

	if (step->kind == STEP_DELETE)
		leave_alone(s, slot);
	else if (step->kind == STEP_COPY)
		put_instead(s, slot);
	else if (slot->looks < LOOKS_MOST)
		look(s, slot);
	else
		fail(s, slot, &slot->call.err);
}

/* A request has done what it should: is it the step's last? */
static void answered(struct sender *s, struct slot *slot)
{
	struct error err = ERROR_INIT;
	size_t n_parts = s->x->prepared[slot->step].parts.n;
	int rc;

	if (slot->request != REQUEST_CREATE && slot->request != REQUEST_PART) {
		succeed(s, slot);
		return;
	}
	rc = slot->request == REQUEST_CREATE
		     ? upload_begin(&slot->upload, &slot->call.response, n_parts, &err)
		     : upload_add(&slot->upload, &slot->call.response, &err);
	if (rc < 0)
		fail(s, slot, &err);
	else
		go_on(s, slot,
		      slot->upload.next < n_parts ? REQUEST_PART : REQUEST_COMPLETE);
}

static void call_done(void *ctx, struct aws_call *call)
{
	struct sender *s = ctx;
	struct slot *slot = NULL;
	enum error_code code = call->err.code;
	const struct step *step;
	bool bucket_gone = str_eq(call->err.service_code, "NoSuchBucket");

	for (unsigned i = 0; i < s->n_slots; i++)
		if (&s->slots[i].call == call)
			slot = &s->slots[i];
	assert(slot); /* calls come from slots only */
	step = &s->x->plan->steps.items[slot->step];
	if (slot->request == REQUEST_LOOK && (!code || code == ERR_NOT_FOUND))
		looked(s, slot);
	else if (!code)
		answered(s, slot);
	else if (code == ERR_NOT_FOUND && step->kind == STEP_DELETE && !bucket_gone)
		finish_step(s, slot);
	else if (code == ERR_CONDITION || (code == ERR_NOT_FOUND && !bucket_gone))
		refused_by_condition(s, slot);
	else
		fail(s, slot, &call->err);
}

static int run_slots(struct execution *x, size_t from, size_t to, struct error *err)
{
	struct sender s = {
		.x = x,
		.n_slots = x->options->concurrency,
		.next = from,
		.to = to,
	};
	struct aws_feed feed = { .ctx = &s, .next = next_call, .done = call_done };
	int rc;

	s.slots = xcalloc(s.n_slots, sizeof(*s.slots));
	for (unsigned i = 0; i < s.n_slots; i++) {
		s.slots[i].call = (struct aws_call)AWS_CALL_INIT;
		s.slots[i].content = (struct content)CONTENT_INIT;
	}
	rc = aws_run(x->options->aws, &feed, s.n_slots, err);
	for (unsigned i = 0; i < s.n_slots; i++)
		free_slot(&s, &s.slots[i]);
	free(s.slots);
	if (rc == 0 && s.err.code) {
		*err = s.err;
		rc = -1;
	}
	return rc;
}

int execute_sends(struct execution *x, size_t from, size_t to, struct error *err)
{
	return run_slots(x, from, to, err);
}

int execute_deletes(struct execution *x, size_t from, size_t to, struct error *err)
{
	return run_slots(x, from, to, err);
}
