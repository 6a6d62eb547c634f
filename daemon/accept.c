#include "daemon/accept.h"

#include <string.h>

#include "base/str.h"
#include "codec/hash.h"
#include "codec/json.h"
#include "daemon/address.h"
#include "daemon/provider.h"
#include "daemon/push.h"

enum { MS_A_SECOND = 1000, RETRY_QUEUE_S = 5 };

/* What came of a request: the label of its counter, the status, and a word for the host. */
enum result {
	QUEUED,
	COALESCED,
	DUPLICATE,
	PING,
	IGNORED,
	NO_SITE,
	NO_LENGTH,
	TOO_BIG,
	BAD_FRAMING,
	LIMITED,
	UNSIGNED,
	MALFORMED,
	NO_QUEUE,
};

static const struct {
	const char *name;
	int status;
} results[] = {
	[QUEUED] = { "queued", 202 },         [COALESCED] = { "coalesced", 202 },
	[DUPLICATE] = { "duplicate", 200 },   [PING] = { "pong", 200 },
	[IGNORED] = { "ignored", 200 },       [NO_SITE] = { "no-site", 404 },
	[NO_LENGTH] = { "no-length", 411 },   [TOO_BIG] = { "too-big", 413 },
	[BAD_FRAMING] = { "malformed", 400 }, [LIMITED] = { "limited", 429 },
	[UNSIGNED] = { "unauthorized", 401 }, [MALFORMED] = { "malformed", 400 },
	[NO_QUEUE] = { "queue-failed", 503 },
};

static void answer_with(const struct accept *x, const struct site *site, struct answer *a,
			enum result what, const char *why)
{
	struct json_writer w = JSON_WRITER_INIT(&a->body);

	a->status = results[what].status;
	a->content_type = "application/json";
	if (what == NO_QUEUE)
		a->retry_after_s = RETRY_QUEUE_S;
	buf_clear(&a->body);
	json_open(&w, '{');
	json_member(&w, "result", results[what].name);
	if (why)
		json_member(&w, "why", why);
	json_close(&w, '}');
	buf_char(&a->body, '\n');
	metrics_add(x->metrics, METRIC_RECEIVED,
		    site ? provider_name(site->provider) : "", results[what].name, 1);
}

bool accept_admits(const struct accept *x, const struct settings *s,
		   const struct site *site, const struct request *r, long long length,
		   struct answer *a)
{
	int64_t now = clock_monotonic_ms(x->clock);
	char party[ADDRESS_MAX];

	address_party(r->peer, party);
	if (!limits_take(x->addresses, party, s->address_per_min, now, &a->retry_after_s))
		answer_with(x, site, a, LIMITED, "too many requests from this address");
	else if (!site)
		answer_with(x, NULL, a, NO_SITE, "no site of this name is configured");
	else if (request_is_framed_oddly(r))
		answer_with(
			x, site, a, BAD_FRAMING,
			"send one Content-Length, in digits, and no Transfer-Encoding");
	else if (length < 0)
		answer_with(x, site, a, NO_LENGTH, "send a Content-Length");
	else if (length > s->body_most)
		answer_with(x, site, a, TOO_BIG, "the body is larger than limits.body");
	else
		return true;
	return false;
}

/* What makes a delivery the same as another. Where the host's id is signed, it is part of it:
 * the same bytes under another id are another push. */
static void digest_of(const struct push *p, const struct request *r,
		      unsigned char out[HASH_SHA256_SIZE])
{
	CLEANUP_PTR(hash) struct hash *h = hash_new(HASH_SHA256);

	if (p->delivery_is_signed)
		hash_add(h, p->delivery, strlen(p->delivery) + 1);
	hash_add(h, r->body, r->body_len);
	hash_end(h, out);
}

static void put(const struct accept *x, const struct site *site, const struct request *r,
		const struct push *push, const struct push_change *change,
		struct answer *a)
{
	static const enum result of[] = {
		[QUEUE_QUEUED] = QUEUED,
		[QUEUE_COALESCED] = COALESCED,
		[QUEUE_DUPLICATE] = DUPLICATE,
	};
	struct error err = ERROR_INIT;
	unsigned char digest[HASH_SHA256_SIZE];
	enum queue_put_result result;
	struct queue_put p = { .site = site->name,
			       .cause = CAUSE_PUSH,
			       .delivery = push->delivery,
			       .digest = digest,
			       .before = change->before,
			       .commit = change->after,
			       .now_ms = clock_wall_ms(x->clock) };

	digest_of(push, r, digest);
	if (queue_put(x->queue, &p, &result, &err)) {
		log_write(x->log, LOG_ERROR, "site %s: delivery %s: the queue: %s",
			  site->name, push->delivery, err.msg);
		answer_with(x, site, a, NO_QUEUE,
			    "the push could not be recorded; send it again");
		return;
	}
	log_write(x->log, LOG_INFO, "site %s: delivery %s: %s, commit %s", site->name,
		  push->delivery, results[of[result]].name, change->after);
	if (result == QUEUE_COALESCED)
		metrics_add(x->metrics, METRIC_COALESCED, site->name, NULL, 1);
	answer_with(x, site, a, of[result], NULL);
}

static void act_on(const struct accept *x, const struct site *site,
		   const struct request *r, const struct push *push, struct answer *a)
{
	const struct push_change *change = push_change_of(push, site->branch);

	if (push->kind == PUSH_PING)
		answer_with(x, site, a, PING, NULL);
	else if (push->kind == PUSH_OTHER)
		answer_with(x, site, a, IGNORED, "this event is no push");
	else if (!change)
		answer_with(x, site, a, IGNORED,
			    "the push does not move the site's branch");
	else if (!*change->after)
		answer_with(x, site, a, IGNORED, "the site's branch was deleted");
	else
		put(x, site, r, push, change, a);
}

static void authenticate_and_act(const struct accept *x, const struct site *site,
				 const struct settings *s, const struct request *r,
				 struct answer *a)
{
	struct error err = ERROR_INIT;
	CLEANUP(push) struct push push = { .arena = ARENA_INIT };
	int64_t now_s = clock_wall_ms(x->clock) / MS_A_SECOND;

	if (provider_authenticate(site->provider, &site->keys, r, now_s, &err)) {
		log_write(x->log, LOG_WARN, "site %s: refused a delivery from %s: %s",
			  site->name, r->peer, err.msg);
		answer_with(x, site, a, UNSIGNED, err.msg);
		return;
	}
	if (!limits_take(x->sites, site->name, s->site_per_min,
			 clock_monotonic_ms(x->clock), &a->retry_after_s)) {
		answer_with(x, site, a, LIMITED, "too many deliveries for this site");
		return;
	}
	if (provider_parse(site->provider, &site->keys, r, &push, &err)) {
		log_write(x->log, LOG_WARN, "site %s: a delivery from %s: %s", site->name,
			  r->peer, err.msg);
		answer_with(x, site, a, MALFORMED, err.msg);
		return;
	}
	act_on(x, site, r, &push, a);
}

void accept_delivery(const struct accept *x, const struct site *site,
		     const struct settings *s, const struct request *r, struct answer *a)
{
	int64_t began = clock_monotonic_ms(x->clock);

	metrics_observe(x->metrics, METRIC_PAYLOAD_BYTES, NULL, (double)r->body_len);
	authenticate_and_act(x, site, s, r, a);
	metrics_observe(x->metrics, METRIC_ACCEPT_SECONDS, NULL,
			(double)(clock_monotonic_ms(x->clock) - began) / MS_A_SECOND);
}
