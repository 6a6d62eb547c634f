/* daemon_provider_stdin - judges the deliveries that it reads, for tests that sign them as
 * the hosts do.
 *
 * stdin: one JSON object a line: provider, secrets (array), now, headers (array of
 * [name, value]), body (base64), branch; for the generic row also auth, header, changes, ref,
 * before, after, delivery.
 * stdout: one JSON object a line: check and auth (what is wrong, "" when nothing is); if auth is
 * "", also parse, and if that is "", kind, delivery, changes (array of [ref, before, after]) and
 * tip: where branch went, null when the push does not move it. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/vec.h"
#include "codec/encode.h"
#include "codec/json.h"
#include "daemon/provider.h"

VEC_DEFINE(header_list, struct request_header);

static const char *text(const struct json *job, const char *key)
{
	return json_str(json_get(job, key));
}

static void read_headers(const struct json *array, struct header_list *out)
{
	for (size_t i = 0; i < json_len(array); i++) {
		const struct json *item = json_at(array, i);
		struct request_header header = { json_str(json_at(item, 0)),
						 json_str(json_at(item, 1)) };

		if (header.name && header.value)
			header_list_push(out, header);
	}
}

static void read_keys(const struct json *job, struct provider_keys *out)
{
	const struct json *secrets = json_get(job, "secrets");

	*out = (struct provider_keys){ .generic = { .auth = text(job, "auth"),
						    .header = text(job, "header"),
						    .changes = text(job, "changes"),
						    .ref = text(job, "ref"),
						    .before = text(job, "before"),
						    .after = text(job, "after"),
						    .delivery = text(job, "delivery") } };
	for (; out->n_secrets < json_len(secrets); out->n_secrets++) {
		if (out->n_secrets == PROVIDER_SECRETS_MOST)
			break;
		secret_set_str(&out->secrets[out->n_secrets],
			       json_str(json_at(secrets, out->n_secrets)));
	}
}

static void put_push(const struct push *push, const char *branch, struct json_writer *w)
{
	static const char *const kinds[] = { "changes", "ping", "other" };
	const struct push_change *tip = branch ? push_change_of(push, branch) : NULL;

	json_member(w, "kind", kinds[push->kind]);
	json_member(w, "delivery", push->delivery);
	json_key(w, "changes");
	json_open(w, '[');
	for (size_t i = 0; i < push->n_changes; i++) {
		json_open(w, '[');
		json_put_str(w, push->changes[i].ref);
		json_put_str(w, push->changes[i].before);
		json_put_str(w, push->changes[i].after);
		json_close(w, ']');
	}
	json_close(w, ']');
	json_member(w, "tip", tip ? tip->after : NULL);
}

static void judge(const struct json *job, const struct provider_keys *keys,
		  const struct request *r, struct json_writer *w)
{
	const struct provider *p = provider_find(text(job, "provider"));
	CLEANUP(push) struct push push = { .arena = ARENA_INIT };
	struct error check = ERROR_INIT;
	struct error auth = ERROR_INIT;
	struct error parse = ERROR_INIT;
	int64_t now = 0;

	json_int(json_get(job, "now"), &now);
	provider_check(p, keys, &check);
	json_member(w, "check", check.msg);
	provider_authenticate(p, keys, r, now, &auth);
	json_member(w, "auth", auth.msg);
	if (auth.code != ERR_NONE)
		return;
	provider_parse(p, keys, r, &push, &parse);
	json_member(w, "parse", parse.msg);
	if (parse.code == ERR_NONE)
		put_push(&push, text(job, "branch"), w);
}

static int answer(const struct json *job, struct buf *out)
{
	CLEANUP(header_list) struct header_list headers = { 0 };
	CLEANUP(buf) struct buf body = BUF_INIT(1 << 24);
	struct json_writer w = JSON_WRITER_INIT(out);
	const char *encoded = text(job, "body");
	struct provider_keys keys;
	struct request r = {
		.method = "POST", .path = "/hook/site", .query = "", .peer = "192.0.2.1"
	};

	if (!provider_find(text(job, "provider")) || !encoded ||
	    !decode_base64(encoded, strlen(encoded), &body))
		return -1;
	read_headers(json_get(job, "headers"), &headers);
	read_keys(job, &keys);
	r.headers = headers.items;
	r.n_headers = headers.len;
	r.body = body.data;
	r.body_len = body.len;
	json_open(&w, '{');
	judge(job, &keys, &r, &w);
	json_close(&w, '}');
	for (size_t i = 0; i < keys.n_secrets; i++)
		secret_release(&keys.secrets[i]);
	return 0;
}

int main(void)
{
	CLEANUP_PTR(mem) char *line = NULL;
	size_t size = 0;
	ssize_t len;

	while ((len = getline(&line, &size, stdin)) > 0) {
		CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;
		CLEANUP(buf) struct buf out = BUF_INIT(1 << 24);
		struct error err = ERROR_INIT;

		if (json_parse(line, (size_t)len, &doc, &err) < 0 ||
		    answer(json_root(doc), &out) < 0) {
			fprintf(stderr, "daemon_provider_stdin: not a job: %s\n",
				err.msg);
			return 1;
		}
		if (printf("%s\n", out.data) < 0 || fflush(stdout) != 0)
			return 1;
	}
	return 0;
}
