/* The parts of an accepted URL lie within it and hold nothing that could break a request
 * line; what is encoded comes back; what is decoded can be encoded. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_parts(const char *text)
{
	const char *end = text + strlen(text);
	struct url u;

	if (!url_parse(text, &u))
		return;
	if (u.scheme != text || u.host_len == 0 || u.host < u.authority ||
	    u.host + u.host_len > u.authority + u.authority_len ||
	    u.authority + u.authority_len != u.path || u.path + u.path_len > end ||
	    u.query < u.path + u.path_len || u.query > end || u.port < 1 ||
	    u.port > 65535)
		abort();
	for (const char *c = text; c < end; c++)
		if (*c <= ' ' || *c > '~')
			abort();
	if (memchr(u.authority, '@', u.authority_len) || (u.path_len && *u.path != '/'))
		abort();
	url_is_loopback(&u);
}

static void check_round_trip(const char *s, size_t n,
			     void (*encode)(const char *, size_t, struct buf *))
{
	CLEANUP(buf) struct buf text = BUF_INIT(SIZE_MAX);
	CLEANUP(buf) struct buf back = BUF_INIT(SIZE_MAX);
	bool decoded;

	encode(s, n, &text);
	decoded = url_decode(text.data, text.len, &back);
	if (decoded != !(n && memchr(s, 0, n)))
		abort();
	if (decoded && (back.len != n || (n && memcmp(back.data, s, n) != 0)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_PTR(mem) char *text = xstrndup((const char *)data, size);
	CLEANUP(buf) struct buf decoded = BUF_INIT(size);

	check_parts(text);
	check_round_trip((const char *)data, size, url_encode_query);
	check_round_trip((const char *)data, size, url_encode_cloudfront);
	url_decode((const char *)data, size, &decoded);
	return 0;
}
