#include "run/tip.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "codec/encode.h"
#include "codec/url.h"

enum { REFS_MAX = 64 << 20, TIMEOUT_MS = 20000 };

/* The length that four hex digits of a packet line give; -1: malformed. */
static int packet_len(const char *at, size_t left)
{
	unsigned char bytes[2];
	char digits[5] = "";

	if (left < 4)
		return -1;
	memcpy(digits, at, 4);
	if (!decode_hex(digits, 2, bytes))
		return -1;
	return bytes[0] << 8 | bytes[1];
}

/* "ID NAME", then a NUL and capabilities in the first line, or the line's end. */
static bool line_is_ref(const char *line, size_t n, const char *ref, struct oid *out)
{
	char hex[OID_HEX_SIZE] = "";
	size_t m = strlen(ref);

	if (n < 41 + m || line[40] != ' ' || strncmp(line + 41, ref, m) != 0)
		return false;
	if (n > 41 + m && line[41 + m] != '\0' && line[41 + m] != '\n')
		return false;
	memcpy(hex, line, 40);
	return oid_from_hex(hex, out);
}

bool tip_parse_refs(const char *text, size_t n, const char *ref, struct oid *out)
{
	size_t at = 0;

	while (at < n) {
		int len = packet_len(text + at, n - at);

		if (len < 0 || (len && len < 4) || (size_t)len > n - at)
			return false;
		if (len > 4 && line_is_ref(text + at + 4, (size_t)len - 4, ref, out))
			return true;
		at += len ? (size_t)len : 4;
	}
	return false;
}

static bool is_server(const struct url *u, const char *server)
{
	struct url s;

	return server && url_parse(server, &s) && s.scheme_len == strlen("https") &&
	       s.scheme_len == u->scheme_len && s.port == u->port &&
	       s.host_len == u->host_len &&
	       strncasecmp(s.host, u->host, u->host_len) == 0;
}

/* A buffer that holds a secret. */
static void wiped_release(struct buf *b)
{
	secret_wipe(b->data, b->len);
	buf_release(b);
}

/* checkout leaves the job's token as "AUTHORIZATION: basic ..." in the configuration. */
static bool add_configured(const struct tip_options *o, const struct url *u,
			   struct buf *value)
{
	static const char name[] = "authorization:";
	CLEANUP(buf) struct buf key = BUF_INIT(1024);
	CLEANUP(wiped) struct buf header = BUF_INIT(8192);
	struct error ignored = ERROR_INIT;
	const char *text;

	buf_printf(&key, "http.%.*s://%.*s/.extraheader", (int)u->scheme_len, u->scheme,
		   (int)u->authority_len, u->authority);
	if (repo_config_value(o->repo, key.data, &header, &ignored) < 0 ||
	    strncasecmp(header.data, name, strlen(name)) != 0)
		return false;
	text = header.data + strlen(name);
	buf_str(value, text + strspn(text, " \t"));
	return true;
}

static void add_token(const struct tip_options *o, const struct url *u, struct buf *value)
{
	CLEANUP(wiped) struct buf pair = BUF_INIT(8192);

	if (str_empty(o->token) || !is_server(u, o->server))
		return;
	buf_printf(&pair, "x-access-token:%s", o->token);
	buf_str(value, "Basic ");
	encode_base64(pair.data, pair.len, value);
}

static enum order_fact ask_http(const struct tip_options *o, const char *remote_url,
				const struct oid *commit)
{
	CLEANUP(buf) struct buf url = BUF_INIT(8192);
	CLEANUP(wiped) struct buf authorization = BUF_INIT(16384);
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct http_header headers[] = { { "Authorization", NULL } };
	size_t n = strlen(remote_url);
	struct error ignored = ERROR_INIT;
	struct url u;
	struct oid found;

	if (!o->http || !url_parse(remote_url, &u))
		return ORDER_UNKNOWN_FACT;
	while (remote_url[n - 1] == '/')
		n--;
	buf_printf(&url, "%.*s/info/refs?service=git-upload-pack", (int)n, remote_url);
	if (!add_configured(o, &u, &authorization))
		add_token(o, &u, &authorization);
	headers[0].value = authorization.data;
	struct http_request req = {
		.method = "GET",
		.url = url.data,
		.headers = headers,
		.n_headers = authorization.len ? 1 : 0,
		.timeout_ms = TIMEOUT_MS,
		.max_response = REFS_MAX,
	};
	if (http_send(o->http, &req, &res, &ignored) < 0 || res.status != 200)
		return ORDER_UNKNOWN_FACT;
	if (!tip_parse_refs(res.body.data, res.body.len, o->ref, &found))
		return ORDER_NO;
	return oid_equal(&found, commit) ? ORDER_YES : ORDER_NO;
}

enum order_fact tip_is(const struct tip_options *options, const struct oid *commit)
{
	CLEANUP(buf) struct buf url = BUF_INIT(4096);
	struct error err = ERROR_INIT;
	const char *path;
	struct oid found;

	if (str_empty(options->ref) ||
	    repo_remote_url(options->repo, options->remote, &url, &err) < 0)
		return ORDER_UNKNOWN_FACT;
	if (str_starts(url.data, "http://") || str_starts(url.data, "https://"))
		return ask_http(options, url.data, commit);
	path = str_starts(url.data, "file://") ? url.data + strlen("file://") : url.data;
	if (*path != '/')
		return ORDER_UNKNOWN_FACT;
	if (repo_local_ref(path, options->ref, &found, &err) < 0)
		return err.code == ERR_NOT_FOUND ? ORDER_NO : ORDER_UNKNOWN_FACT;
	return oid_equal(&found, commit) ? ORDER_YES : ORDER_NO;
}
