#include "codec/url.h"

#include <string.h>

#include "codec/encode.h"

static bool is_alnum(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* RFC 3986, section 2.3. */
static bool is_unreserved(char c)
{
	return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static bool goes_in_key(char c)
{
	return is_unreserved(c) || c == '/';
}

/* RFC 1738, section 2.2: the unsafe ones. */
static bool goes_in_cloudfront(char c)
{
	return c > ' ' && c < 0x7F && !strchr("<>\"#%{}|\\^~[]`?", c);
}

static void percent_encode(const char *s, size_t n, bool (*goes)(char c), struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t i = 0;

	while (i < n) {
		size_t from = i;

		while (i < n && goes(s[i]))
			i++;
		buf_add(out, s + from, i - from);
		if (i < n) {
			unsigned char c = (unsigned char)s[i++];
			char code[3] = { '%', digits[c >> 4], digits[c & 15] };

			buf_add(out, code, sizeof(code));
		}
	}
}

void url_encode_s3_key(const char *key, struct buf *out)
{
	percent_encode(key, strlen(key), goes_in_key, out);
}

void url_encode_query(const char *s, size_t n, struct buf *out)
{
	percent_encode(s, n, is_unreserved, out);
}

void url_encode_cloudfront(const char *path, size_t n, struct buf *out)
{
	percent_encode(path, n, goes_in_cloudfront, out);
}

/* The byte that the escape at s (three bytes or more) stands for; 0: none we take. */
static unsigned char unescape(const char *s)
{
	char text[3] = { s[1], s[2], '\0' };
	unsigned char byte;

	return decode_hex(text, 1, &byte) ? byte : 0;
}

bool url_decode(const char *s, size_t n, struct buf *out)
{
	size_t before = out->len;
	size_t i = 0;

	while (i < n) {
		bool escaped = s[i] == '%';
		char c = s[i];

		if (escaped)
			c = n - i < 3 ? '\0' : (char)unescape(s + i);
		if (c == '\0') {
			buf_truncate(out, before);
			return false;
		}
		buf_char(out, c);
		i += escaped ? 3 : 1;
	}
	return true;
}

static const struct {
	const char *prefix;
	size_t name_len;
	int port;
} schemes[] = {
	{ "http://", 4, 80 },
	{ "https://", 5, 443 },
};

static bool starts_nocase(const char *s, const char *prefix)
{
	for (; *prefix; s++, prefix++) {
		char c = *s >= 'A' && *s <= 'Z' ? (char)(*s - 'A' + 'a') : *s;

		if (c != *prefix)
			return false;
	}
	return true;
}

static bool take_scheme(const char **s, struct url *u)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
		if (!starts_nocase(*s, schemes[i].prefix))
			continue;
		u->scheme = *s;
		u->scheme_len = schemes[i].name_len;
		u->port = schemes[i].port;
		*s += strlen(schemes[i].prefix);
		return true;
	}
	return false;
}

/* Takes the host, in brackets if it is an IPv6 address. */
static bool take_host(const char **s, struct url *u)
{
	bool bracketed = **s == '[';

	*s += bracketed;
	u->host = *s;
	u->host_len = bracketed ? strspn(*s, "0123456789abcdefABCDEF:.") : 0;
	while (!bracketed && (is_alnum((*s)[u->host_len]) ||
			      ((*s)[u->host_len] && strchr("-._", (*s)[u->host_len]))))
		u->host_len++;
	*s += u->host_len;
	if (u->host_len == 0 || (bracketed && **s != ']'))
		return false;
	*s += bracketed;
	return true;
}

static bool take_port(const char **s, struct url *u)
{
	size_t len;
	int port = 0;

	if (**s != ':')
		return true;
	++*s;
	len = strspn(*s, "0123456789");
	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++)
		port = port * 10 + ((*s)[i] - '0');
	*s += len;
	u->port = port;
	return port >= 1 && port <= 65535;
}

/* Spaces, control characters, bytes beyond ASCII and fragments do not go on the wire. */
static bool is_plain(const char *s)
{
	for (; *s; s++)
		if (*s <= ' ' || *s >= 0x7F || *s == '#')
			return false;
	return true;
}

bool url_parse(const char *text, struct url *out)
{
	struct url u = { 0 };
	const char *s = text;

	if (!is_plain(text) || !take_scheme(&s, &u))
		return false;
	u.authority = s;
	if (!take_host(&s, &u) || !take_port(&s, &u) || (*s && *s != '/' && *s != '?'))
		return false;
	u.authority_len = (size_t)(s - u.authority);
	u.path = s;
	u.path_len = strcspn(s, "?");
	s += u.path_len;
	u.query = *s ? s + 1 : s;
	*out = u;
	return true;
}

/* Four decimal numbers: 127.1 and 127.0.0.1.example.com are not meant. */
static bool is_ipv4_loopback(const char *s, size_t n)
{
	const char *end = s + n;
	unsigned numbers = 0;

	if (n < 4 || memcmp(s, "127.", 4) != 0)
		return false;
	for (;; s++) {
		unsigned value = 0;
		const char *from = s;

		for (; s < end && *s >= '0' && *s <= '9' && s - from < 3; s++)
			value = value * 10 + (unsigned)(*s - '0');
		if (s == from || value > 255)
			return false;
		numbers++;
		if (s == end || *s != '.')
			return s == end && numbers == 4;
	}
}

bool url_is_loopback(const struct url *u)
{
	static const char name[] = "localhost";

	if (u->host_len == strlen(name) && starts_nocase(u->host, name))
		return true;
	if (u->host_len == 3 && memcmp(u->host, "::1", 3) == 0)
		return true;
	return is_ipv4_loopback(u->host, u->host_len);
}
