#include "codec/sigv4.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/vec.h"
#include "codec/encode.h"
#include "codec/hash.h"
#include "codec/url.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

/* What is built here is not much larger than the request it is built from. */
#define SIGV4_BUF BUF_INIT(SIZE_MAX)

VEC_DEFINE(pair_list, struct sigv4_pair);

/* --- time --------------------------------------------------------------------------- */

static int days_of(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 366 : 365;
}

/* By hand rather than by gmtime, which has a static result and, in its other form, ways
 * to fail. */
void sigv4_time(int64_t time_s, char out[SIGV4_TIME_SIZE])
{
	static const int months[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	static const int64_t last = 253402300799; /* 9999-12-31T23:59:59Z */
	int64_t t = time_s < 0 ? 0 : time_s > last ? last : time_s;
	unsigned second = (unsigned)(t % 86400);
	int day = (int)(t / 86400);
	int year = 1970;
	int month = 0;

	for (; day >= days_of(year); year++)
		day -= days_of(year);
	for (;; month++) {
		int days = months[month] + (month == 1 && days_of(year) == 366);

		if (day < days)
			break;
		day -= days;
	}
	snprintf(out, SIGV4_TIME_SIZE, "%04u%02u%02uT%02u%02u%02uZ",
		 (unsigned)year % 10000u, (unsigned)(month + 1) % 100u,
		 (unsigned)(day + 1) % 100u, second / 3600 % 100u, second / 60 % 60,
		 second % 60);
}

/* "20130524/us-east-1/s3/aws4_request" */
static void put_scope(const struct sigv4_scope *scope, struct buf *out)
{
	char now[SIGV4_TIME_SIZE];

	sigv4_time(scope->time_s, now);
	buf_printf(out, "%.8s/%s/%s/aws4_request", now, scope->region, scope->service);
}

/* --- query -------------------------------------------------------------------------- */

static int by_name_and_value(const void *a, const void *b)
{
	const struct sigv4_pair *x = a;
	const struct sigv4_pair *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : strcmp(x->value, y->value);
}

static const char *encoded(const char *s, struct arena *arena)
{
	CLEANUP(buf) struct buf b = SIGV4_BUF;

	url_encode_query(s, strlen(s), &b);
	return arena_strndup(arena, b.data, b.len);
}

/* The order is that of the encoded names, then values, and not that of "name=value": '-'
 * and '.' come before '='. */
void sigv4_query(const struct sigv4_pair *query, size_t n, struct buf *out)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(pair_list) struct pair_list list = { 0 };

	for (size_t i = 0; i < n; i++) {
		struct sigv4_pair pair = { encoded(query[i].name, &arena),
					   encoded(query[i].value, &arena) };

		pair_list_push(&list, pair);
	}
	if (n > 1)
		qsort(list.items, n, sizeof(*list.items), by_name_and_value);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_char(out, '&');
		buf_str(out, list.items[i].name);
		buf_char(out, '=');
		buf_str(out, list.items[i].value);
	}
}

/* --- path --------------------------------------------------------------------------- */

/* Takes the last segment off, with the slash before it. */
static void drop_segment(struct buf *path)
{
	size_t len = path->len;

	while (len > 0 && path->data[len - 1] != '/')
		len--;
	buf_truncate(path, len > 0 ? len - 1 : 0);
}

/* Without ".", ".." and empty segments. */
static void normalise(const char *path, struct buf *out)
{
	bool slash_ends = *path && path[strlen(path) - 1] == '/';

	while (*path) {
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len == 2 && memcmp(path, "..", 2) == 0) {
			drop_segment(out);
		} else if (len > 0 && !(len == 1 && *path == '.')) {
			buf_char(out, '/');
			buf_add(out, path, len);
		}
		path += len;
	}
	if (out->len == 0 || slash_ends)
		buf_char(out, '/');
}

static void put_path(const struct sigv4_request *req, struct buf *out)
{
	CLEANUP(buf) struct buf path = SIGV4_BUF;

	if (req->style == SIGV4_S3) {
		buf_str(out, *req->path ? req->path : "/");
		return;
	}
	normalise(req->path, &path);
	url_encode_s3_key(path.data, out);
}

/* --- headers ------------------------------------------------------------------------ */

/* A header among the signed ones. */
struct entry {
	const char *name;
	const char *value;
	size_t position;
};

VEC_DEFINE(entry_list, struct entry);

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int compare_names(const char *a, const char *b)
{
	for (; *a && lower(*a) == lower(*b); a++)
		b++;
	return (unsigned char)lower(*a) - (unsigned char)lower(*b);
}

static int by_name_and_position(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;
	int order = compare_names(x->name, y->name);

	return order ? order : x->position < y->position ? -1 : 1;
}

/* What changes on the way must not be signed: what is for the next hop only (RFC 9110,
 * section 7.6.1), and what proxies and tracers rewrite. */
static bool is_signed(const char *name)
{
	static const char *const never[] = {
		"authorization",
		"connection",
		"expect",
		"keep-alive",
		"proxy-authenticate",
		"proxy-authorization",
		"te",
		"trailer",
		"transfer-encoding",
		"upgrade",
		"user-agent",
		"x-amzn-trace-id",
	};

	for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++)
		if (str_eq_nocase(name, never[i]))
			return false;
	return true;
}

static void gather_headers(const struct sigv4_request *req, struct entry_list *list)
{
	struct entry host = { .name = "host", .value = req->host };

	entry_list_push(list, host);
	for (size_t i = 0; i < req->n_headers; i++) {
		struct entry entry = { req->headers[i].name, req->headers[i].value,
				       i + 1 };

		if (is_signed(entry.name))
			entry_list_push(list, entry);
	}
	qsort(list->items, list->len, sizeof(*list->items), by_name_and_position);
}

/* Whether the header has the name of the one before it: one line takes both values. */
static bool repeats(const struct entry_list *list, size_t i)
{
	return i > 0 && compare_names(list->items[i - 1].name, list->items[i].name) == 0;
}

static void put_lower(const char *s, struct buf *out)
{
	for (; *s; s++)
		buf_char(out, lower(*s));
}

/* Without white space around it, and with one space for each inside. */
static void put_collapsed(const char *value, struct buf *out)
{
	static const char white[] = " \t\n\v\f\r";

	value += strspn(value, white);
	while (*value) {
		size_t word = strcspn(value, white);

		buf_add(out, value, word);
		value += word;
		value += strspn(value, white);
		if (*value)
			buf_char(out, ' ');
	}
}

static void put_header_names(const struct entry_list *list, struct buf *out)
{
	for (size_t i = 0; i < list->len; i++) {
		if (repeats(list, i))
			continue;
		if (i > 0)
			buf_char(out, ';');
		put_lower(list->items[i].name, out);
	}
}

static void put_headers(const struct entry_list *list, struct buf *out)
{
	for (size_t i = 0; i < list->len; i++) {
		if (repeats(list, i)) {
			buf_char(out, ',');
		} else {
			buf_str(out, i > 0 ? "\n" : "");
			put_lower(list->items[i].name, out);
			buf_char(out, ':');
		}
		put_collapsed(list->items[i].value, out);
	}
	buf_char(out, '\n');
}

void sigv4_signed_headers(const struct sigv4_request *req, struct buf *out)
{
	CLEANUP(entry_list) struct entry_list list = { 0 };

	gather_headers(req, &list);
	put_header_names(&list, out);
}

/* --- stages ------------------------------------------------------------------------- */

void sigv4_canonical_request(const struct sigv4_request *req, struct buf *out)
{
	CLEANUP(entry_list) struct entry_list headers = { 0 };

	gather_headers(req, &headers);
	buf_str(out, req->method);
	buf_char(out, '\n');
	put_path(req, out);
	buf_char(out, '\n');
	sigv4_query(req->query, req->n_query, out);
	buf_char(out, '\n');
	put_headers(&headers, out);
	buf_char(out, '\n');
	put_header_names(&headers, out);
	buf_char(out, '\n');
	buf_str(out, req->payload_hash);
}

void sigv4_string_to_sign(const struct sigv4_scope *scope, const char *canonical,
			  size_t canonical_len, struct buf *out)
{
	unsigned char digest[HASH_SHA256_SIZE];
	char hex[2 * HASH_SHA256_SIZE + 1];
	char now[SIGV4_TIME_SIZE];

	hash_bytes(HASH_SHA256, canonical, canonical_len, digest);
	encode_hex(digest, sizeof(digest), hex);
	sigv4_time(scope->time_s, now);
	buf_printf(out, ALGORITHM "\n%s\n", now);
	put_scope(scope, out);
	buf_printf(out, "\n%s", hex);
}

static void derive(unsigned char key[HASH_SHA256_SIZE], const char *text, size_t len)
{
	hash_hmac_sha256(key, HASH_SHA256_SIZE, text, len, key);
}

void sigv4_signing_key(const struct secret *secret_key, const struct sigv4_scope *scope,
		       struct secret *out)
{
	static const char prefix[] = "AWS4";
	size_t prefix_len = sizeof(prefix) - 1;
	size_t len = prefix_len + secret_len(secret_key);
	char *start = xmalloc(len);
	unsigned char key[HASH_SHA256_SIZE];
	char now[SIGV4_TIME_SIZE];

	sigv4_time(scope->time_s, now);
	memcpy(start, prefix, prefix_len);
	memcpy(start + prefix_len, secret_bytes(secret_key), secret_len(secret_key));
	hash_hmac_sha256(start, len, now, 8, key);
	secret_wipe(start, len);
	free(start);
	derive(key, scope->region, strlen(scope->region));
	derive(key, scope->service, strlen(scope->service));
	derive(key, "aws4_request", strlen("aws4_request"));
	secret_set(out, key, sizeof(key));
	secret_wipe(key, sizeof(key));
}

void sigv4_signature(const struct secret *signing_key, const char *string_to_sign,
		     size_t len, char out[SIGV4_SIGNATURE_SIZE])
{
	unsigned char mac[HASH_SHA256_SIZE];

	hash_hmac_sha256(secret_bytes(signing_key), secret_len(signing_key),
			 string_to_sign, len, mac);
	encode_hex(mac, sizeof(mac), out);
}

void sigv4_authorization(const char *access_key_id, const struct sigv4_scope *scope,
			 const char *signed_headers, const char *signature,
			 struct buf *out)
{
	buf_printf(out, ALGORITHM " Credential=%s/", access_key_id);
	put_scope(scope, out);
	buf_printf(out, ", SignedHeaders=%s, Signature=%s", signed_headers, signature);
}

/* All stages from the request to its signature. */
static void sign(const struct sigv4_request *req, const struct sigv4_key *key,
		 const struct sigv4_scope *scope, char out[SIGV4_SIGNATURE_SIZE])
{
	CLEANUP(buf) struct buf canonical = SIGV4_BUF;
	CLEANUP(buf) struct buf string = SIGV4_BUF;
	CLEANUP(secret) struct secret signing_key = SECRET_INIT;

	sigv4_canonical_request(req, &canonical);
	sigv4_string_to_sign(scope, canonical.data, canonical.len, &string);
	sigv4_signing_key(key->secret_key, scope, &signing_key);
	sigv4_signature(&signing_key, string.data, string.len, out);
}

static void push(struct pair_list *list, const char *name, const char *value)
{
	struct sigv4_pair pair = { name, value };

	pair_list_push(list, pair);
}

/* A list that starts with these pairs. */
static struct pair_list list_of(const struct sigv4_pair *pairs, size_t n)
{
	struct pair_list list = { 0 };

	for (size_t i = 0; i < n; i++)
		pair_list_push(&list, pairs[i]);
	return list;
}

static const char *token_of(const struct sigv4_key *key)
{
	if (!key->session_token || !secret_is_set(key->session_token))
		return NULL;
	return secret_bytes(key->session_token);
}

size_t sigv4_sign(const struct sigv4_request *req, const struct sigv4_key *key,
		  const struct sigv4_scope *scope, struct arena *arena,
		  struct sigv4_pair added[SIGV4_ADDED_MOST])
{
	CLEANUP(pair_list)
	struct pair_list headers = list_of(req->headers, req->n_headers);
	CLEANUP(buf) struct buf names = SIGV4_BUF;
	CLEANUP(buf) struct buf authorization = SIGV4_BUF;
	struct sigv4_request whole = *req;
	char signature[SIGV4_SIGNATURE_SIZE];
	char now[SIGV4_TIME_SIZE];
	size_t n;

	sigv4_time(scope->time_s, now);
	push(&headers, "X-Amz-Date", arena_strdup(arena, now));
	if (token_of(key))
		push(&headers, "X-Amz-Security-Token", token_of(key));
	if (req->style == SIGV4_S3)
		push(&headers, "X-Amz-Content-SHA256",
		     arena_strdup(arena, req->payload_hash));
	whole.headers = headers.items;
	whole.n_headers = headers.len;
	sign(&whole, key, scope, signature);
	sigv4_signed_headers(&whole, &names);
	sigv4_authorization(key->access_key_id, scope, names.data, signature,
			    &authorization);
	push(&headers, "Authorization", arena_strdup(arena, authorization.data));
	n = headers.len - req->n_headers;
	memcpy(added, headers.items + req->n_headers, n * sizeof(*added));
	return n;
}

void sigv4_presign(const struct sigv4_request *req, const struct sigv4_key *key,
		   const struct sigv4_scope *scope, int64_t expires_s, struct buf *out)
{
	CLEANUP(pair_list) struct pair_list query = list_of(req->query, req->n_query);
	CLEANUP(buf) struct buf names = SIGV4_BUF;
	CLEANUP(buf) struct buf credential = SIGV4_BUF;
	struct sigv4_request whole = *req;
	char signature[SIGV4_SIGNATURE_SIZE];
	char now[SIGV4_TIME_SIZE];
	char expires[24];

	sigv4_time(scope->time_s, now);
	snprintf(expires, sizeof(expires), "%lld", (long long)expires_s);
	buf_printf(&credential, "%s/", key->access_key_id);
	put_scope(scope, &credential);
	sigv4_signed_headers(req, &names);
	push(&query, "X-Amz-Algorithm", ALGORITHM);
	push(&query, "X-Amz-Credential", credential.data);
	push(&query, "X-Amz-Date", now);
	push(&query, "X-Amz-Expires", expires);
	push(&query, "X-Amz-SignedHeaders", names.data);
	if (token_of(key))
		push(&query, "X-Amz-Security-Token", token_of(key));
	whole.query = query.items;
	whole.n_query = query.len;
	sign(&whole, key, scope, signature);
	sigv4_query(query.items, query.len, out);
	buf_printf(out, "&X-Amz-Signature=%s", signature);
}
