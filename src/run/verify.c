#include "run/verify.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "codec/hash.h"
#include "codec/url.h"

enum { PARALLEL = 8, POLL_FIRST_MS = 500, POLL_MOST_MS = 8000, TIMEOUT_MS = 20000 };
#define BODY_MOST ((size_t)512 << 20)

/* A path that is fetched, and what must come. */
struct target {
	const char *url;
	unsigned char sha256[HASH_SHA256_SIZE];
	bool good;
	int status;          /* of the last answer; 0: none */
	const char *x_cache; /* what the edge said of it, or "" */
};

VEC_DEFINE(target_list, struct target);

struct verification {
	const struct verify_options *options;
	struct outcome *outcome;
	struct arena arena;
	struct target_list targets;
	size_t next;
};

static void verification_release(struct verification *v)
{
	target_list_release(&v->targets);
	arena_release(&v->arena);
}

int verify_check(const struct config *config, const char *only_site, struct error *err)
{
	for (size_t i = 0; i < config->sites.len; i++) {
		const struct site *s = &config->sites.items[i];

		if ((!only_site || str_eq(only_site, s->name)) &&
		    s->url.kind == VALUE_NONE)
			return error_set(
				err, ERR_CONFIG,
				"site %s: --verify fetches from the site's `url`: give "
				"--url, or `url:` in crc.yml",
				s->name);
	}
	return 0;
}

/* What to fetch */

static const char *url_of(struct verification *v, const struct step *step)
{
	const struct site *site = v->outcome->plan.sites.items[step->site].site;
	CLEANUP(buf) struct buf url = BUF_INIT(16384);
	const char *base = value_text(&site->url);
	size_t n = base ? strlen(base) : 0;

	while (n && base[n - 1] == '/')
		n--;
	buf_add(&url, base ? base : "", n);
	buf_char(&url, '/');
	url_encode_s3_key(step->path, &url);
	return arena_strdup(&v->arena, url.data);
}

static int add_target(struct verification *v, const struct step *step, struct error *err)
{
	CLEANUP(content) struct content content = CONTENT_INIT;
	struct entry e = { .path = step->path, .id = step->id };
	struct target t = { .url = url_of(v, step), .x_cache = "" };

	if (!value_text(&v->outcome->plan.sites.items[step->site].site->url))
		return error_set(err, ERR_CONFIG,
				 "its `url` is an output that the stack "
				 "does not have: check crc.yml");
	if (source_read(v->options->sources[step->site], &e, &content, err) < 0)
		return -1;
	memcpy(t.sha256, content.digest.sha256, sizeof(t.sha256));
	target_list_push(&v->targets, t);
	return 0;
}

static int gather(struct verification *v, struct error *err)
{
	const struct plan *p = &v->outcome->plan;
	size_t puts = 0;

	for (size_t i = 0; i < p->steps.len; i++) {
		if (p->steps.items[i].kind != STEP_PUT || puts++ >= VERIFY_PATHS_MOST)
			continue;
		if (add_target(v, &p->steps.items[i], err) < 0)
			return -1;
	}
	if (puts > VERIFY_PATHS_MOST)
		outcome_note(v->outcome, NOTE_INFO, SIZE_MAX, NULL,
			     arena_printf(&v->outcome->arena,
					  "%d of %zu changed paths were fetched "
					  "to verify them",
					  VERIFY_PATHS_MOST, puts));
	return 0;
}

/* Fetching */

static enum http_feed_answer next_fetch(void *ctx, struct http_request *req, void **tag,
					int64_t *wait_ms)
{
	struct verification *v = ctx;

	*wait_ms = -1;
	while (v->next < v->targets.len && v->targets.items[v->next].good)
		v->next++;
	if (v->next == v->targets.len)
		return HTTP_FEED_END;
	*tag = &v->targets.items[v->next];
	*req = (struct http_request){
		.method = "GET",
		.url = v->targets.items[v->next++].url,
		.timeout_ms = TIMEOUT_MS,
		.max_response = BODY_MOST,
	};
	return HTTP_FEED_REQUEST;
}

static void fetched(void *ctx, void *tag, struct http_response *res,
		    const struct error *err)
{
	struct verification *v = ctx;
	struct target *t = tag;
	unsigned char sha256[HASH_SHA256_SIZE];
	const char *x_cache;

	(void)err;
	t->status = res ? res->status : 0;
	if (!res)
		return;
	x_cache = http_response_header(res, "x-cache");
	t->x_cache = x_cache ? arena_strdup(&v->arena, x_cache) : "";
	hash_bytes(HASH_SHA256, res->body.data, res->body.len, sha256);
	t->good = res->status == 200 && hash_equal(sha256, t->sha256, sizeof(sha256));
}

static const struct target *first_bad(const struct verification *v)
{
	for (size_t i = 0; i < v->targets.len; i++)
		if (!v->targets.items[i].good)
			return &v->targets.items[i];
	return NULL;
}

static int fail(const struct verification *v, const struct target *t, struct error *err)
{
	if (!t->status)
		return error_set(err, ERR_TIMEOUT, "verify: %s does not answer", t->url);
	return error_set(
		err, ERR_TIMEOUT,
		"verify: after %" PRId64 " s %s still serves something else than "
		"the commit (status %d%s%s): is this the url of the distribution "
		"that was invalidated?",
		v->options->timeout_s, t->url, t->status,
		*t->x_cache ? ", x-cache: " : "", t->x_cache);
}

static int fetch_until_good(struct verification *v, struct error *err)
{
	const struct verify_options *o = v->options;
	struct http_feed feed = { .ctx = v, .next = next_fetch, .done = fetched };
	int64_t until_ms = clock_monotonic_ms(o->clock) + o->timeout_s * INT64_C(1000);
	int64_t ms = POLL_FIRST_MS;
	const struct target *bad;

	for (;;) {
		v->next = 0;
		if (http_run(o->http, &feed, PARALLEL, err) < 0)
			return -1;
		bad = first_bad(v);
		if (!bad)
			return 0;
		if (clock_monotonic_ms(o->clock) >= until_ms)
			return fail(v, bad, err);
		if (o->progress && o->progress->waiting)
			o->progress->waiting(
				o->progress->ctx,
				"waiting until the site serves the new bytes");
		clock_sleep_ms(o->clock, ms);
		ms = ms * 2 > POLL_MOST_MS ? POLL_MOST_MS : ms * 2;
	}
}

int verify(const struct verify_options *options, struct outcome *o, struct error *err)
{
	CLEANUP(verification)
	struct verification v = { .options = options, .outcome = o };

	if (gather(&v, err) < 0)
		return -1;
	return fetch_until_good(&v, err);
}
