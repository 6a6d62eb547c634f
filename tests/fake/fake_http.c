#include "fake/fake_http.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

enum { FAKE_PARALLEL = 64 };

struct flight {
	void *tag;
	struct fake_reply reply;
	size_t max_response;
	int64_t sent_ms;
	int64_t timeout_ms;
};

static char *read_body(const struct http_body *body)
{
	char *text = xcalloc(1, (size_t)body->len + 1);

	if (body->bytes && body->len)
		memcpy(text, body->bytes, (size_t)body->len);
	else if (body->len && pread(body->fd, text, (size_t)body->len, body->offset) < 0)
		text[0] = '\0';
	return text;
}

static void remember(struct fake_http *fake, const struct http_request *req)
{
	CLEANUP(buf) struct buf headers = BUF_INIT(1 << 20);

	for (size_t i = 0; i < req->n_headers; i++)
		buf_printf(&headers, "%s: %s\n", req->headers[i].name,
			   req->headers[i].value);
	fake_seen_list_push(&fake->seen,
			    (struct fake_seen){
				    .method = xstrdup(req->method),
				    .url = xstrdup(req->url),
				    .headers = buf_take(&headers),
				    .body = read_body(&req->body),
				    .body_len = (size_t)req->body.len,
				    .from_file = !req->body.bytes && req->body.len,
				    .at_ms = fake->clock->now_ms,
				    .timeout_ms = req->timeout_ms,
				    .no_proxy = req->no_proxy,
				    .fresh = req->fresh,
			    });
}

static struct fake_reply choose(struct fake_http *fake, const struct http_request *req)
{
	if (fake->seen.len == fake->fail_nth)
		return (struct fake_reply){ .fail = ERR_NETWORK };
	for (size_t i = 0; i < fake->rules.len; i++) {
		struct fake_rule *rule = &fake->rules.items[i];

		if (rule->times == 0 ||
		    (rule->method && strcmp(rule->method, req->method) != 0) ||
		    (rule->url_part && !strstr(req->url, rule->url_part)))
			continue;
		if (rule->times > 0)
			rule->times--;
		return rule->reply;
	}
	if (fake->serve) {
		/* A copy: a request within a request moves the list. */
		struct fake_seen seen = fake->seen.items[fake->seen.len - 1];
		struct fake_reply reply = { 0 };

		fake->serve(fake->serve_ctx, &seen, &reply);
		return reply;
	}
	fprintf(stderr, "unforeseen: %s %s\n", req->method, req->url);
	fake->unforeseen++;
	return (struct fake_reply){ .status = 418 };
}

static void fill_headers(struct http_response *res, const char *text)
{
	struct http_header *all = arena_alloc(&res->arena, 64 * sizeof(*all));
	char *copy = arena_strdup(&res->arena, text);

	res->headers = all;
	for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n")) {
		char *colon = strchr(line, ':');

		*colon = '\0';
		all[res->n_headers++] =
			(struct http_header){ line, colon + 1 + strspn(colon + 1, " ") };
	}
}

/* The body as far as the request wants it; false: it is longer. */
static bool fill_body(struct http_response *res, const struct flight *f)
{
	const struct fake_reply *r = &f->reply;
	size_t n = r->body_len || !r->body ? r->body_len : strlen(r->body);

	if (f->max_response && n > f->max_response)
		return false;
	if (f->max_response)
		res->body.max = f->max_response;
	buf_add(&res->body, r->body, n);
	return true;
}

static void fail(const struct fake_reply *reply, struct error *err)
{
	error_set(err, reply->fail, "scripted failure");
	err->retryable = reply->fail == ERR_NETWORK || reply->fail == ERR_TIMEOUT;
	if (reply->not_sent)
		strcpy(err->service_code, HTTP_NOT_SENT);
}

static void answer(struct fake_http *fake, const struct http_feed *feed, struct flight *f)
{
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	int64_t latency = f->reply.latency_ms ? f->reply.latency_ms : fake->latency_ms;
	struct error err = ERROR_INIT;

	if (f->timeout_ms > 0 && latency > f->timeout_ms) {
		clock_sleep_ms(&fake->clock->clock, f->timeout_ms);
		f->reply = (struct fake_reply){ .fail = ERR_TIMEOUT };
	} else {
		clock_sleep_ms(&fake->clock->clock, latency);
	}
	res.status = f->reply.status;
	res.sent_ms = f->sent_ms;
	res.received_ms = fake->clock->now_ms;
	if (f->reply.headers)
		fill_headers(&res, f->reply.headers);
	if (!fill_body(&res, f))
		f->reply = (struct fake_reply){ .fail = ERR_TOO_BIG };
	if (f->reply.fail)
		fail(&f->reply, &err);
	feed->done(feed->ctx, f->tag, f->reply.fail ? NULL : &res, &err);
}

static int fake_run(struct http *http, const struct http_feed *feed, unsigned parallel,
		    struct error *err)
{
	struct fake_http *fake = (struct fake_http *)http;
	struct flight flights[FAKE_PARALLEL];
	size_t n = 0;
	bool ended = false;

	for (;;) {
		int64_t wait_ms = -1;

		if (http->cancelled && *http->cancelled) {
			error_set(err, ERR_CANCELLED, "cancelled");
			while (n)
				feed->done(feed->ctx, flights[--n].tag, NULL, err);
			return -1;
		}
		while (!ended && n < parallel && n < FAKE_PARALLEL) {
			struct http_request req = { 0 };
			struct flight f = { 0 };
			enum http_feed_answer got;

			wait_ms = -1;
			got = feed->next(feed->ctx, &req, &f.tag, &wait_ms);
			ended = got == HTTP_FEED_END;
			if (got != HTTP_FEED_REQUEST)
				break;
			remember(fake, &req);
			f.sent_ms = fake->clock->now_ms;
			f.timeout_ms = req.timeout_ms;
			f.max_response = req.max_response;
			f.reply = choose(fake, &req);
			flights[n++] = f;
		}
		if (n > fake->most_in_flight)
			fake->most_in_flight = n;
		if (!n && ended)
			return 0;
		if (n) {
			struct flight first = flights[0];

			memmove(flights, flights + 1, --n * sizeof(*flights));
			answer(fake, feed, &first);
		} else if (wait_ms < 0) {
			return error_set(err, ERR_NETWORK, "the feed waits for nothing");
		} else {
			clock_sleep_ms(&fake->clock->clock, wait_ms ? wait_ms : 1);
		}
	}
}

static void fake_free(struct http *http)
{
	(void)http;
}

void fake_http_init(struct fake_http *fake, struct clock_fake *clock)
{
	*fake = (struct fake_http){
		.http = { .run = fake_run, .free = fake_free, .clock = &clock->clock },
		.clock = clock,
		.latency_ms = 10,
	};
}

void fake_http_release(struct fake_http *fake)
{
	for (size_t i = 0; i < fake->seen.len; i++) {
		free(fake->seen.items[i].method);
		free(fake->seen.items[i].url);
		free(fake->seen.items[i].headers);
		free(fake->seen.items[i].body);
	}
	fake_seen_list_release(&fake->seen);
	fake_rules_release(&fake->rules);
}

struct fake_rule *fake_http_expect(struct fake_http *fake, const char *method,
				   const char *url_part, int status, const char *headers,
				   const char *body)
{
	return fake_rules_push(
		&fake->rules,
		(struct fake_rule){
			.method = method,
			.url_part = url_part,
			.reply = { .status = status,
				   .headers = headers,
				   .body = body,
				   .fail = status ? ERR_NONE : ERR_NETWORK },
			.times = 1,
		});
}

bool fake_http_check(const struct fake_http *fake)
{
	bool good = fake->unforeseen == 0;

	for (size_t i = 0; i < fake->rules.len; i++) {
		const struct fake_rule *rule = &fake->rules.items[i];

		if (rule->times <= 0)
			continue;
		fprintf(stderr, "not asked: %s %s\n", rule->method ? rule->method : "*",
			rule->url_part ? rule->url_part : "*");
		good = false;
	}
	return good;
}

bool fake_seen_header(const struct fake_seen *seen, const char *name, char *out,
		      size_t size)
{
	CLEANUP_PTR(mem) char *copy = xstrdup(seen->headers);

	for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n")) {
		char *colon = strchr(line, ':');

		*colon = '\0';
		if (!str_eq_nocase(line, name))
			continue;
		snprintf(out, size, "%s", colon + 2);
		return true;
	}
	return false;
}
