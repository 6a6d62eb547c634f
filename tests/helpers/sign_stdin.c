/* sign_stdin - signs what it reads, for tests that hold our signer against another.
 *
 * stdin: one JSON object a line: style ("s3" or another), method, host, path (plain),
 * query and headers (arrays of [name, value]), payload_hash, access_key, secret_key,
 * token, service, region, time; with expires, the request is presigned.
 * stdout: one JSON object a line: path (encoded), canonical, authorization, or query. */
#include <string.h>

#include "base/vec.h"
#include "codec/sigv4.h"
#include "codec/url.h"
#include "helpers/stdin_jobs.h"

VEC_DEFINE(pair_list, struct sigv4_pair);

static const char *text(const struct json *job, const char *key)
{
	const char *s = json_str(json_get(job, key));

	return s ? s : "";
}

static int64_t number(const struct json *job, const char *key)
{
	int64_t n = 0;

	json_int(json_get(job, key), &n);
	return n;
}

static void read_pairs(const struct json *array, struct pair_list *out)
{
	for (size_t i = 0; i < json_len(array); i++) {
		const struct json *item = json_at(array, i);
		struct sigv4_pair pair = { json_str(json_at(item, 0)),
					   json_str(json_at(item, 1)) };

		if (pair.name && pair.value)
			pair_list_push(out, pair);
	}
}

/* Signs with headers, and shows the canonical request that was signed. */
static void sign(struct sigv4_request *req, const struct sigv4_key *key,
		 const struct sigv4_scope *scope, struct json_writer *w)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(buf) struct buf canonical = BUF_INIT(1 << 20);
	CLEANUP(pair_list) struct pair_list headers = { 0 };
	struct sigv4_pair added[SIGV4_ADDED_MOST];
	size_t n = sigv4_sign(req, key, scope, &arena, added);

	for (size_t i = 0; i < req->n_headers; i++)
		pair_list_push(&headers, req->headers[i]);
	for (size_t i = 0; i < n; i++)
		pair_list_push(&headers, added[i]);
	req->headers = headers.items;
	req->n_headers = headers.len;
	sigv4_canonical_request(req, &canonical);
	json_member(w, "canonical", canonical.data);
	json_member(w, "authorization", added[n - 1].value);
}

static void answer(const struct json *job, struct buf *out)
{
	CLEANUP(pair_list) struct pair_list query = { 0 };
	CLEANUP(pair_list) struct pair_list headers = { 0 };
	CLEANUP(buf) struct buf path = BUF_INIT(1 << 20);
	CLEANUP(buf) struct buf presigned = BUF_INIT(1 << 20);
	CLEANUP(secret) struct secret secret_key = SECRET_INIT;
	CLEANUP(secret) struct secret token = SECRET_INIT;
	struct sigv4_key key = { text(job, "access_key"), &secret_key, &token };
	struct sigv4_scope scope = { text(job, "region"), text(job, "service"),
				     number(job, "time") };
	struct sigv4_request req = { .method = text(job, "method"),
				     .host = text(job, "host"),
				     .payload_hash = text(job, "payload_hash") };
	struct json_writer w = JSON_WRITER_INIT(out);

	if (strcmp(text(job, "style"), "s3") == 0)
		req.style = SIGV4_S3;
	secret_set_str(&secret_key, text(job, "secret_key"));
	secret_set_str(&token, text(job, "token"));
	url_encode_s3_key(text(job, "path"), &path);
	req.path = path.data;
	read_pairs(json_get(job, "query"), &query);
	req.query = query.items;
	req.n_query = query.len;
	read_pairs(json_get(job, "headers"), &headers);
	req.headers = headers.items;
	req.n_headers = headers.len;
	json_open(&w, '{');
	json_member(&w, "path", path.data);
	if (json_get(job, "expires")) {
		sigv4_presign(&req, &key, &scope, number(job, "expires"), &presigned);
		json_member(&w, "query", presigned.data);
	} else {
		sign(&req, &key, &scope, &w);
	}
	json_close(&w, '}');
}

int main(void)
{
	return answer_stdin("sign_stdin", answer);
}
