/* A byte that chooses the way of authentication, then lines: the header that authenticates,
 * an id, a timestamp; then a body. In the header, byte 1 stands for what is right there. What
 * is let in must be what a plainer reading of the rules lets in. */
#undef NDEBUG /* the checks are what a fuzz target is for */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "codec/encode.h"
#include "codec/hash.h"
#include "daemon/provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1764000000 };

/* "whsec_" and base64 of "secret". */
static const char whsec[] = "whsec_c2VjcmV0";

struct input {
	const char *value;
	const char *id;
	const char *timestamp;
	const char *body;
	size_t body_len;
};

static char *copy_line(const char **rest, const char *end)
{
	size_t left = (size_t)(end - *rest);
	const char *newline = left ? memchr(*rest, '\n', left) : NULL;
	char *line = xstrndup(*rest, newline ? (size_t)(newline - *rest) : left);

	*rest = newline ? newline + 1 : end;
	return line;
}

static void right_hex(const struct input *in, struct buf *out)
{
	unsigned char mac[HASH_SHA256_SIZE];
	char hex[2 * HASH_SHA256_SIZE + 1];

	hash_hmac_sha256("secret", 6, in->body, in->body_len, mac);
	encode_hex(mac, sizeof(mac), hex);
	buf_str(out, hex);
}

static void right_prefixed(const struct input *in, struct buf *out)
{
	buf_str(out, "sha256=");
	right_hex(in, out);
}

static void right_standard(const struct input *in, struct buf *out)
{
	CLEANUP(buf) struct buf content = BUF_INIT(1 << 24);
	unsigned char mac[HASH_SHA256_SIZE];

	buf_printf(&content, "%s.%s.", in->id, in->timestamp);
	buf_add(&content, in->body, in->body_len);
	hash_hmac_sha256("secret", 6, content.data, content.len, mac);
	buf_str(out, "v1,");
	encode_base64(mac, sizeof(mac), out);
}

static void right_token(const struct input *in, struct buf *out)
{
	(void)in;
	buf_str(out, "secret");
}

static void right_basic(const struct input *in, struct buf *out)
{
	CLEANUP(buf) struct buf pair = BUF_INIT(1 << 24);

	buf_printf(&pair, "%.*s:secret", (int)strcspn(in->id, ":"), in->id);
	encode_base64(pair.data, pair.len, out);
}

static bool is_same(const struct input *in, const char *value, const char *right)
{
	(void)in;
	return str_eq(value, right);
}

/* Hex digits may be of either case, the prefix may not. */
static bool is_same_hex(const struct input *in, const char *value, const char *right)
{
	(void)in;
	return str_eq_nocase(value, right) &&
	       (right[0] != 's' || str_starts(value, "sha256="));
}

static bool is_in_list(const struct input *in, const char *value, const char *right)
{
	CLEANUP(buf) struct buf padded = BUF_INIT(1 << 24);
	CLEANUP(buf) struct buf piece = BUF_INIT(1 << 24);
	size_t digits = strspn(in->timestamp, "0123456789");
	int64_t then = strtoll(in->timestamp, NULL, 10);

	buf_printf(&padded, " %s ", value);
	buf_printf(&piece, " %s ", right);
	return digits > 0 && digits < 19 && !in->timestamp[digits] &&
	       llabs(then - NOW) <= PROVIDER_TOLERANCE_S &&
	       strstr(padded.data, piece.data);
}

/* Any user will do, so what was let in is taken apart instead. */
static bool is_basic(const struct input *in, const char *value, const char *right)
{
	CLEANUP(buf) struct buf pair = BUF_INIT(1 << 24);
	const char *space = strchr(value, ' ');
	const char *colon;

	(void)in;
	(void)right;
	if (!space || space - value != 5 || strlen(value) < 6)
		return false;
	space += strspn(space, " ");
	if (!decode_base64(space, strlen(space), &pair))
		return false;
	colon = memchr(pair.data, ':', pair.len);
	return colon && pair.len - (size_t)(colon - pair.data) == 7 &&
	       memcmp(colon, ":secret", 7) == 0 && (value[0] | 0x20) == 'b' &&
	       (value[1] | 0x20) == 'a' && (value[2] | 0x20) == 's' &&
	       (value[3] | 0x20) == 'i' && (value[4] | 0x20) == 'c';
}

static const struct way {
	const char *provider;
	const char *header;
	const char *secret;
	const char *auth; /* of the generic row */
	void (*right)(const struct input *in, struct buf *out);
	bool (*accepts)(const struct input *in, const char *value, const char *right);
} ways[] = {
	{ "github", "X-Hub-Signature-256", "secret", NULL, right_prefixed, is_same_hex },
	{ "gitea", "X-Gitea-Signature", "secret", NULL, right_hex, is_same_hex },
	{ "gitlab", "X-Gitlab-Token", "secret", NULL, right_token, is_same },
	{ "gitlab", "webhook-signature", whsec, NULL, right_standard, is_in_list },
	{ "azure-devops", "Authorization", "secret", NULL, right_basic, is_basic },
	{ "generic", "webhook-signature", whsec, NULL, right_standard, is_in_list },
	{ "generic", "X-Key", "secret", "token", right_token, is_same },
};

static void run(const struct way *way, const struct input *in, const char *value,
		const char *right)
{
	const struct request_header headers[] = { { way->header, value },
						  { "webhook-id", in->id },
						  { "webhook-timestamp",
						    in->timestamp } };
	const struct request r = { .method = "POST",
				   .path = "/",
				   .query = "",
				   .headers = headers,
				   .n_headers = 3,
				   .body = in->body,
				   .body_len = in->body_len,
				   .peer = "" };
	struct provider_keys keys = {
		.n_secrets = 1, .generic = { .auth = way->auth, .header = way->header }
	};
	struct error err = ERROR_INIT;
	bool is_let_in;

	secret_set_str(&keys.secrets[0], way->secret);
	is_let_in = provider_authenticate(provider_find(way->provider), &keys, &r, NOW,
					  &err) == 0;
	secret_release(&keys.secrets[0]);
	assert(is_let_in == way->accepts(in, value, right));
	assert(is_let_in || err.code == ERR_CREDENTIALS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *rest = (const char *)data + 1;
	const char *end = (const char *)data + size;
	CLEANUP(buf) struct buf right = BUF_INIT(1 << 24);
	CLEANUP(buf) struct buf value = BUF_INIT(1 << 28);
	CLEANUP_PTR(mem) char *template = NULL;
	CLEANUP_PTR(mem) char *id = NULL;
	CLEANUP_PTR(mem) char *timestamp = NULL;
	CLEANUP_PTR(mem) char *body = NULL;
	struct input in;

	if (size < 1 || size > 1 << 12 || data[0] >= sizeof(ways) / sizeof(*ways))
		return 0;
	template = copy_line(&rest, end);
	id = copy_line(&rest, end);
	timestamp = copy_line(&rest, end);
	body = xstrndup(rest, (size_t)(end - rest));
	in = (struct input){ template, id, timestamp, body, strlen(body) };
	ways[data[0]].right(&in, &right);
	for (const char *c = template; *c; c++) {
		if (*c == '\1')
			buf_str(&value, right.data);
		else
			buf_char(&value, *c);
	}
	run(&ways[data[0]], &in, value.data, right.data);
	return 0;
}
