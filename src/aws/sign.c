#include "aws/sign.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "codec/encode.h"
#include "codec/hash.h"
#include "codec/sigv4.h"
#include "codec/url.h"

enum { PATH_BYTES = 16 << 10, QUERY_BYTES = 64 << 10 };

void attempt_release(struct attempt *attempt)
{
	secret_release(&attempt->token);
	arena_release(&attempt->arena);
	*attempt = (struct attempt){ 0 };
}

int attempt_hash_body(const struct http_body *body, char out[65], struct error *err)
{
	CLEANUP_PTR(hash) struct hash *hash = hash_new(HASH_SHA256);
	unsigned char digest[HASH_SHA256_SIZE];
	char chunk[16 << 10];
	int64_t done = 0;

	if (body->bytes && body->len)
		hash_add(hash, body->bytes, (size_t)body->len);
	while (!body->bytes && done < body->len) {
		int64_t left = body->len - done;
		size_t want = left < (int64_t)sizeof(chunk) ? (size_t)left
							    : sizeof(chunk);
		ssize_t n = pread(body->fd, chunk, want, (off_t)(body->offset + done));

		if (n <= 0)
			return error_set(err, ERR_IO, "the file to send: %s",
					 n < 0 ? strerror(errno) : "shorter than it was");
		hash_add(hash, chunk, (size_t)n);
		done += n;
	}
	hash_end(hash, digest);
	encode_hex(digest, sizeof(digest), out);
	return 0;
}

/* Path and query as they go on the wire. */
static int put_path(const struct aws_request *req, const struct endpoint *endpoint,
		    struct buf *path, struct error *err)
{
	buf_str(path, endpoint->base_path);
	/* A bucket by itself is "/bucket"; the key "/" would be "/bucket//". */
	if (!req->bucket || !*endpoint->base_path || !str_eq(req->path, "/"))
		url_encode_s3_key(req->path, path);
	return buf_check(path, "path", err);
}

static struct sigv4_pair *copy_pairs(struct arena *arena, const struct aws_request *req,
				     size_t *n_headers, struct sigv4_pair **query)
{
	struct sigv4_pair *headers = arena_alloc(arena, (req->headers.len + 1) *
								sizeof(*headers));

	*query = arena_alloc(arena, (req->query.len + 1) * sizeof(**query));
	for (size_t i = 0; i < req->query.len; i++)
		(*query)[i] = (struct sigv4_pair){ req->query.items[i].name,
						   req->query.items[i].value };
	for (size_t i = 0; i < req->headers.len; i++)
		headers[i] = (struct sigv4_pair){ req->headers.items[i].name,
						  req->headers.items[i].value };
	*n_headers = req->headers.len;
	return headers;
}

/* A line break in a value would start a header of its own. */
static int check_headers(const struct aws_request *req, struct error *err)
{
	for (size_t i = 0; i < req->headers.len; i++)
		if (strpbrk(req->headers.items[i].value, "\r\n"))
			return error_set(err, ERR_DATA,
					 "the value of %s has a line break",
					 req->headers.items[i].name);
	return 0;
}

static size_t add_signature(struct attempt *attempt, const struct sigv4_request *plain,
			    const struct attempt_options *options,
			    struct sigv4_pair added[SIGV4_ADDED_MOST])
{
	const struct aws_keys *keys = options->keys;
	struct sigv4_scope scope = {
		.region = options->endpoint->region,
		.service = options->endpoint->service,
		.time_s = options->time_ms / 1000,
	};
	struct sigv4_key key = {
		.access_key_id = secret_bytes(&keys->id),
		.secret_key = &keys->key,
		.session_token = &attempt->token,
	};

	/* A copy: the keys may be renewed while this attempt is on its way. */
	secret_copy(&attempt->token, &keys->token);
	return sigv4_sign(plain, &key, &scope, &attempt->arena, added);
}

static void put_headers(struct attempt *attempt, const struct sigv4_request *plain,
			const struct sigv4_pair *added, size_t n_added)
{
	size_t most = plain->n_headers + n_added + 1;
	struct http_header *all = arena_alloc(&attempt->arena, most * sizeof(*all));
	size_t n = 0;

	/* Said by ourselves, so that what is sent is what was signed. */
	all[n++] = (struct http_header){ "Host", plain->host };
	for (size_t i = 0; i < plain->n_headers; i++)
		all[n++] = (struct http_header){ plain->headers[i].name,
						 plain->headers[i].value };
	for (size_t i = 0; i < n_added; i++)
		all[n++] = (struct http_header){ added[i].name, added[i].value };
	attempt->http.headers = all;
	attempt->http.n_headers = n;
}

int attempt_sign(struct attempt *attempt, const struct aws_request *req,
		 const struct attempt_options *options, struct error *err)
{
	const struct endpoint *endpoint = options->endpoint;
	CLEANUP(buf) struct buf path = BUF_INIT(PATH_BYTES);
	CLEANUP(buf) struct buf query = BUF_INIT(QUERY_BYTES);
	struct sigv4_pair added[SIGV4_ADDED_MOST], *pairs;
	struct sigv4_request plain = { .method = req->method };
	size_t n_added = 0;

	attempt_release(attempt);
	if (check_headers(req, err) < 0 || put_path(req, endpoint, &path, err) < 0)
		return -1;
	plain.host = arena_strdup(&attempt->arena, endpoint->host);
	plain.style = req->service == AWS_S3 ? SIGV4_S3 : SIGV4_GENERAL;
	plain.path = path.data;
	plain.headers = copy_pairs(&attempt->arena, req, &plain.n_headers, &pairs);
	plain.query = pairs;
	plain.n_query = req->query.len;
	plain.payload_hash = options->payload_hash;
	sigv4_query(plain.query, plain.n_query, &query);
	if (buf_check(&query, "query", err) < 0)
		return -1;
	if (options->keys)
		n_added = add_signature(attempt, &plain, options, added);
	put_headers(attempt, &plain, added, n_added);
	attempt->http.method = req->method;
	attempt->http.body = req->body;
	attempt->http.fresh = req->once;
	attempt->http.max_response = req->max_response;
	attempt->http.url = arena_printf(&attempt->arena, "%s://%s%s%s%s",
					 endpoint->scheme, endpoint->host, path.data,
					 query.len ? "?" : "", query.data);
	return 0;
}
