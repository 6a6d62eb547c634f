#include "daemon/address.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* An address as 128 bits; IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2). */
struct address {
	unsigned char bytes[16];
};

enum { BITS_V4 = 96, BITS_ALL = 128 };

static bool parse(const char *text, struct address *out, bool *is_v4)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	*is_v4 = inet_pton(AF_INET, text, out->bytes + sizeof mapped) == 1;
	if (*is_v4) {
		memcpy(out->bytes, mapped, sizeof mapped);
		return true;
	}
	return inet_pton(AF_INET6, text, out->bytes) == 1;
}

static bool parse_network(const char *text, struct address *out, int64_t *bits)
{
	const char *slash = strchr(text, '/');
	char host[ADDRESS_MAX];
	bool is_v4;

	if (!slash)
		slash = text + strlen(text);
	if ((size_t)(slash - text) >= sizeof host)
		return false;
	snprintf(host, sizeof host, "%.*s", (int)(slash - text), text);
	if (!parse(host, out, &is_v4))
		return false;
	*bits = BITS_ALL;
	if (!*slash)
		return true;
	if (!str_to_i64(slash + 1, 0, is_v4 ? BITS_ALL - BITS_V4 : BITS_ALL, bits))
		return false;
	if (is_v4)
		*bits += BITS_V4;
	return true;
}

bool address_is_network(const char *text)
{
	struct address a;
	int64_t bits;

	return parse_network(text, &a, &bits);
}

bool address_begins_network(const char *text)
{
	struct address a;
	int64_t bits;

	if (!parse_network(text, &a, &bits))
		return false;
	for (int64_t i = bits; i < BITS_ALL; i++) {
		if (a.bytes[i / 8] & 0x80U >> i % 8)
			return false;
	}
	return true;
}

static bool same_bits(const struct address *a, const struct address *b, int64_t bits)
{
	size_t whole = (size_t)bits / 8;
	unsigned rest = (unsigned)bits % 8;

	if (memcmp(a->bytes, b->bytes, whole) != 0)
		return false;
	return rest == 0 || (a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest) == 0;
}

bool address_in(const char *address, const struct str_list *networks)
{
	struct address a, n;
	int64_t bits;
	bool is_v4;

	if (!parse(address, &a, &is_v4))
		return false;
	for (size_t i = 0; i < networks->len; i++) {
		if (parse_network(networks->items[i], &n, &bits) &&
		    same_bits(&a, &n, bits))
			return true;
	}
	return false;
}

/* The last element of the first n bytes of a list of addresses; *n becomes where it began.
 * False: there is none, or it is no address. */
static bool last_of(const char *list, size_t *n, char out[ADDRESS_MAX])
{
	struct address a;
	size_t end = *n, from;
	bool is_v4;

	while (end > 0 && (list[end - 1] == ' ' || list[end - 1] == '\t'))
		end--;
	for (from = end; from > 0 && list[from - 1] != ',';)
		from--;
	*n = from > 0 ? from - 1 : 0;
	while (from < end && (list[from] == ' ' || list[from] == '\t'))
		from++;
	if (end - from >= ADDRESS_MAX)
		return false;
	snprintf(out, ADDRESS_MAX, "%.*s", (int)(end - from), list + from);
	return parse(out, &a, &is_v4);
}

void address_of_client(const char *peer, const char *forwarded,
		       const struct str_list *trusted, char out[ADDRESS_MAX])
{
	size_t n = forwarded ? strlen(forwarded) : 0;
	char next[ADDRESS_MAX];

	snprintf(out, ADDRESS_MAX, "%s", peer);
	while (n > 0 && address_in(out, trusted)) {
		if (!last_of(forwarded, &n, next))
			return;
		memcpy(out, next, ADDRESS_MAX);
	}
}

void address_party(const char *address, char out[ADDRESS_MAX])
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct address a;
	bool is_v4;

	snprintf(out, ADDRESS_MAX, "%s", address);
	if (!parse(address, &a, &is_v4) || memcmp(a.bytes, mapped, sizeof mapped) == 0)
		return;
	memset(a.bytes + sizeof a.bytes / 2, 0, sizeof a.bytes / 2);
	inet_ntop(AF_INET6, a.bytes, out, ADDRESS_MAX);
}
