#include "daemon/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/encode.h"
#include "codec/hash.h"
#include "codec/json.h"
#include "io/random.h"

enum {
	URL_MAX = 1024,
	BODY_MOST = 8192,
	ID_BYTES = 16,
	KEY_MOST = 4096,
	SIGNATURE_MOST = 128,
	FIRST_PAUSE_MS = 500,
	MS_A_SECOND = 1000,
	NOTIFY_HEADERS = 4,
};

static bool may_succeed_later(int status)
{
	return status == 0 || status == 408 || status == 429 || status >= 500;
}

/* 0 once somebody has answered with 2xx. */
static int send_patiently(const struct report *x, const struct http_request *req,
			  struct error *err)
{
	int64_t pause = FIRST_PAUSE_MS;

	for (int i = 0; i < REPORT_TRIES; i++) {
		CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
		struct error why = ERROR_INIT;
		int status = 0;

		if (i > 0) {
			clock_sleep_ms(x->clock, pause);
			pause *= 4;
		}
		if (http_send(x->http, req, &res, &why) == 0)
			status = res.status;
		if (status >= 200 && status < 300)
			return 0;
		if (status)
			error_set(&why, ERR_SERVICE, "it answered %d", status);
		*err = why;
		if (why.code == ERR_CANCELLED || !may_succeed_later(status) ||
		    (x->stopping && atomic_load(x->stopping)))
			break;
	}
	return -1;
}

static const char *link_of(const struct report *x, const struct job *job,
			   char out[URL_MAX])
{
	if (!x->settings->public_url)
		return NULL;
	snprintf(out, URL_MAX, "%s/deploys/%" PRId64, x->settings->public_url, job->id);
	return out;
}

static void send_status(const struct report *x, const struct site *site,
			const struct job *job, const struct host_status *st)
{
	struct error err = ERROR_INIT;
	CLEANUP(host_status_message) struct host_status_message m;

	if (host_status_request(&site->status, st, &m, &err) == 0) {
		m.req.timeout_ms = REPORT_TIMEOUT_MS;
		if (send_patiently(x, &m.req, &err) == 0) {
			metrics_add(x->metrics, METRIC_STATUS_REPORTS, site->name, "sent",
				    1);
			return;
		}
	}
	metrics_add(x->metrics, METRIC_STATUS_REPORTS, site->name, "failed", 1);
	log_write(x->log, LOG_WARN,
		  "site %s: job %" PRId64 ": the commit status was not sent: %s",
		  site->name, job->id, err.msg);
}

static void put_notice(const struct job *job, const struct host_status *st,
		       struct buf *out)
{
	static const char *const states[] = { "pending", "running", "success", "failure",
					      "error" };
	struct json_writer w = JSON_WRITER_INIT(out);

	json_open(&w, '{');
	json_member_int(&w, "v", 1);
	json_member(&w, "type", "deploy");
	json_member(&w, "site", st->site);
	json_member_int(&w, "job", job->id);
	json_member(&w, "cause", job_cause_name(job->cause));
	json_member(&w, "state", states[st->state]);
	json_member(&w, "commit", *st->commit ? st->commit : NULL);
	json_member(&w, "message", st->description);
	json_member(&w, "url", st->url);
	json_close(&w, '}');
}

/* The key of a secret as Standard Webhooks writes them: base64 behind "whsec_", else the bytes as they
 * are. */
static void key_of(const struct secret *s, struct buf *key)
{
	static const char prefix[] = "whsec_";
	const char *text = secret_bytes(s);

	if (!str_starts(text, prefix) ||
	    !decode_base64(text + sizeof prefix - 1, strlen(text) - sizeof prefix + 1,
			   key))
		buf_add(key, text, secret_len(s));
}

/* standardwebhooks.com: "v1," and the base64 of HMAC-SHA256 over ID.TIMESTAMP.BODY. */
static void sign(const struct secret *s, const char *id, const char *at,
		 const struct buf *body, struct buf *out)
{
	struct buf key = BUF_INIT(KEY_MOST);
	CLEANUP(buf) struct buf text = BUF_INIT(BODY_MOST + KEY_MOST);
	unsigned char mac[HASH_SHA256_SIZE];

	key_of(s, &key);
	buf_printf(&text, "%s.%s.", id, at);
	buf_add(&text, body->data, body->len);
	hash_hmac_sha256(key.data, key.len, text.data, text.len, mac);
	buf_str(out, "v1,");
	encode_base64(mac, sizeof mac, out);
	secret_wipe(key.data, key.len);
	buf_release(&key);
}

static int send_notice(const struct report *x, const struct site *site,
		       const struct buf *body, struct error *err)
{
	unsigned char raw[ID_BYTES];
	char id[sizeof "msg_" + 2 * ID_BYTES] = "msg_", at[32];
	CLEANUP(buf) struct buf signature = BUF_INIT(SIGNATURE_MOST);
	struct http_header headers[NOTIFY_HEADERS] = { { "Content-Type",
							 "application/json" } };
	struct http_request req = { .method = "POST",
				    .url = site->notify,
				    .headers = headers,
				    .n_headers = 3,
				    .body = { .bytes = body->data,
					      .len = (int64_t)body->len },
				    .timeout_ms = REPORT_TIMEOUT_MS };

	if (random_bytes(raw, sizeof raw, err))
		return -1;
	encode_hex(raw, sizeof raw, id + strlen("msg_"));
	snprintf(at, sizeof at, "%" PRId64, clock_wall_ms(x->clock) / MS_A_SECOND);
	headers[1] = (struct http_header){ "webhook-id", id };
	headers[2] = (struct http_header){ "webhook-timestamp", at };
	if (secret_is_set(&site->notify_secret)) {
		sign(&site->notify_secret, id, at, body, &signature);
		headers[3] = (struct http_header){ "webhook-signature", signature.data };
		req.n_headers = NOTIFY_HEADERS;
	}
	return send_patiently(x, &req, err);
}

void report_send(const struct report *x, const struct site *site, const struct job *job,
		 const char *commit, enum host_state state, const char *message)
{
	char url[URL_MAX];
	struct error err = ERROR_INIT;
	CLEANUP(buf) struct buf body = BUF_INIT(BODY_MOST);
	const struct host_status st = { .site = site->name,
					.commit = commit,
					.state = state,
					.description = message,
					.url = link_of(x, job, url) };

	if (site->status.kind && *commit)
		send_status(x, site, job, &st);
	if (!site->notify)
		return;
	put_notice(job, &st, &body);
	if (send_notice(x, site, &body, &err))
		log_write(x->log, LOG_WARN,
			  "site %s: job %" PRId64 ": the notice was not sent: %s",
			  site->name, job->id, err.msg);
}
