#include "daemon/front.h"

#include <string.h>
#include <sys/statvfs.h>

#include "base/buf.h"
#include "base/str.h"
#include "codec/encode.h"
#include "codec/hash.h"
#include "daemon/accept.h"
#include "daemon/page.h"

enum {
	ALIVE_MS = 60000,      /* the worker's threads come by more often */
	ROOM_BYTES = 16 << 20, /* on the queue's disk */
	PROBE_MS = 1000,       /* at most one write of ours in that time */
	DRAIN_RETRY_S = 5,
	CREDENTIALS_MOST = 512,
};

static const char hooks_prefix[] = "/hooks/";

/* What a request is to. */
enum place {
	PLACE_NONE,
	PLACE_HOOK,
	PLACE_HEALTH,
	PLACE_READY,
	PLACE_METRICS,
	PLACE_PAGE
};

static enum place place_of(const struct request *r)
{
	static const struct {
		const char *path;
		enum place place;
	} exact[] = { { "/healthz", PLACE_HEALTH },
		      { "/readyz", PLACE_READY },
		      { "/metrics", PLACE_METRICS } };

	for (size_t i = 0; i < sizeof exact / sizeof *exact; i++) {
		if (str_eq(r->path, exact[i].path))
			return exact[i].place;
	}
	return str_starts(r->path, hooks_prefix) ? PLACE_HOOK : PLACE_PAGE;
}

static bool is_behind(enum place place, enum front_door door)
{
	static const bool behind[][3] = {
		/*                   ALL   HOOKS  ADMIN */
		[PLACE_NONE] = { false, false, false },
		[PLACE_HOOK] = { true, true, false },
		[PLACE_HEALTH] = { true, true, true },
		[PLACE_READY] = { true, true, true },
		[PLACE_METRICS] = { true, false, true },
		[PLACE_PAGE] = { true, false, true },
	};

	return behind[place][door];
}

static void answer_text(struct answer *a, int status, const char *text)
{
	a->status = status;
	a->content_type = "text/plain; charset=utf-8";
	buf_clear(&a->body);
	buf_printf(&a->body, "%s\n", text);
}

static struct accept accept_of(const struct front *f)
{
	return (struct accept){ .queue = f->queue,
				.addresses = f->addresses,
				.sites = f->sites,
				.metrics = f->metrics,
				.clock = f->clock,
				.log = f->log };
}

static const struct site *site_of(const struct settings *s, const struct request *r)
{
	return settings_site(s, r->path + sizeof hooks_prefix - 1);
}

bool front_takes_body(struct front *f, enum front_door door, const struct request *r,
		      long long length, int64_t *ms, struct answer *a)
{
	enum place place = place_of(r);
	struct accept x = accept_of(f);

	if (place != PLACE_HOOK || !is_behind(place, door)) {
		front_answer(f, door, r, a);
		return false;
	}
	if (!str_eq(r->method, "POST")) {
		answer_text(a, 405, "deliveries are sent with POST");
		a->extra = "Allow: POST\r\n";
		return false;
	}
	if (atomic_load(&f->draining)) {
		answer_text(a, 503, "stopping");
		a->retry_after_s = DRAIN_RETRY_S;
		return false;
	}
	__attribute__((cleanup(settings_dropp))) struct settings *s = settings_now(
		f->settings);
	*ms = s->body_ms;
	return accept_admits(&x, s, site_of(s, r), r, length, a);
}

static void answer_health(struct front *f, struct answer *a)
{
	struct worker *worker = atomic_load(&f->worker);
	int64_t silent = worker ? clock_monotonic_ms(f->clock) - worker_alive_ms(worker)
				: 0;

	if (silent > ALIVE_MS)
		answer_text(a, 503,
			    "the threads that deploy have not come by for a minute");
	else
		answer_text(a, 200, "ok");
}

static bool disk_has_room(const char *folder)
{
	struct statvfs st;

	return statvfs(folder, &st) != 0 ||
	       (uint64_t)st.f_bavail * st.f_frsize > (uint64_t)ROOM_BYTES;
}

/* A write goes to the disk, and anybody may ask: who asks often gets an answer that is as old. */
static bool takes_writes(struct front *f)
{
	struct error ignored = ERROR_INIT;
	int64_t now = clock_monotonic_ms(f->clock);
	int64_t last = atomic_load(&f->probed_ms);

	if ((!last || now - last >= PROBE_MS) &&
	    atomic_compare_exchange_strong(&f->probed_ms, &last, now))
		atomic_store(&f->is_stuck, queue_probe(f->queue, &ignored) < 0);
	return !atomic_load(&f->is_stuck);
}

static void answer_ready(struct front *f, const struct settings *s, struct answer *a)
{
	if (atomic_load(&f->draining))
		answer_text(a, 503, "stopping");
	else if (!disk_has_room(s->state))
		answer_text(a, 503, "the disk of the state folder is full");
	else if (!takes_writes(f))
		answer_text(a, 503, "the queue does not take writes");
	else
		answer_text(a, 200, "ok");
}

static void answer_metrics(struct front *f, struct answer *a)
{
	struct error err = ERROR_INIT;
	struct queue_numbers n = { 0 };

	if (queue_count(f->queue, &n, &err)) {
		answer_text(a, 503, "the queue cannot be read");
		return;
	}
	a->status = 200;
	a->content_type = "text/plain; version=0.0.4; charset=utf-8";
	metrics_write(f->metrics, &n, clock_wall_ms(f->clock), &a->body);
}

/* Digests are compared: their time tells nothing of how much was right. */
static bool equal_by_digest(const void *a, size_t na, const void *b, size_t nb)
{
	unsigned char da[HASH_SHA256_SIZE], db[HASH_SHA256_SIZE];

	hash_bytes(HASH_SHA256, a, na, da);
	hash_bytes(HASH_SHA256, b, nb, db);
	return hash_equal(da, db, sizeof da);
}

/* RFC 7617. */
static bool is_allowed(const struct settings *s, const struct request *r)
{
	static const char scheme[] = "Basic ";
	const char *given = request_header(r, "Authorization");
	struct buf sent = BUF_INIT(CREDENTIALS_MOST), wanted = BUF_INIT(CREDENTIALS_MOST);
	bool ok = false;

	if (!s->page_user)
		return true;
	buf_printf(&wanted, "%s:", s->page_user);
	buf_add(&wanted, secret_bytes(&s->page_password), secret_len(&s->page_password));
	if (given && strlen(given) < CREDENTIALS_MOST && str_starts(given, scheme) &&
	    decode_base64(given + sizeof scheme - 1, strlen(given) - sizeof scheme + 1,
			  &sent))
		ok = !wanted.overflowed &&
		     equal_by_digest(sent.data, sent.len, wanted.data, wanted.len);
	secret_wipe(wanted.data, wanted.len);
	secret_wipe(sent.data, sent.len);
	buf_release(&wanted);
	buf_release(&sent);
	return ok;
}

static void answer_page(struct front *f, const struct settings *s,
			const struct request *r, struct answer *a)
{
	struct page p = { .settings = s,
			  .queue = f->queue,
			  .now_ms = clock_wall_ms(f->clock) };

	if (!is_allowed(s, r)) {
		answer_text(a, 401, "user and password, please");
		a->extra = "WWW-Authenticate: Basic realm=\"crc\", charset=\"UTF-8\"\r\n";
	} else if (!page_answer(&p, r, a)) {
		answer_text(a, 404, "nothing is here");
	}
}

static bool is_read(const struct request *r)
{
	return str_eq(r->method, "GET") || str_eq(r->method, "HEAD");
}

static void answer_read(struct front *f, enum place place, const struct settings *s,
			const struct request *r, struct answer *a)
{
	switch (place) {
	case PLACE_HEALTH:
		answer_health(f, a);
		break;
	case PLACE_READY:
		answer_ready(f, s, a);
		break;
	case PLACE_METRICS:
		answer_metrics(f, a);
		break;
	default:
		answer_page(f, s, r, a);
	}
}

void front_answer(struct front *f, enum front_door door, const struct request *r,
		  struct answer *a)
{
	__attribute__((cleanup(settings_dropp))) struct settings *s = settings_now(
		f->settings);
	enum place place = place_of(r);
	const struct site *site = place == PLACE_HOOK ? site_of(s, r) : NULL;
	struct accept x = accept_of(f);

	if (!is_behind(place, door)) {
		answer_text(a, 404, "nothing is here");
	} else if (place == PLACE_HOOK) {
		/* The settings may have been swapped since its body was admitted. */
		if (site)
			accept_delivery(&x, site, s, r, a);
		else
			answer_text(a, 404, "no site of this name is configured");
	} else if (!is_read(r)) {
		answer_text(a, 405, "this is only for reading");
		a->extra = "Allow: GET, HEAD\r\n";
	} else {
		answer_read(f, place, s, r, a);
	}
}
