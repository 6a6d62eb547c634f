#include "codec/encode.h"

#include <stdint.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

void encode_hex(const void *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes = p;

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

bool decode_hex(const char *text, size_t n, unsigned char *out)
{
	for (size_t i = 0; i < n; i++) {
		int high = hex_digit(text[2 * i]);
		int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);

		if (low < 0)
			return false;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return text[2 * n] == '\0';
}

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void encode_base64(const void *p, size_t n, struct buf *out)
{
	const unsigned char *bytes = p;

	for (size_t i = 0; i < n; i += 3) {
		size_t have = n - i < 3 ? n - i : 3;
		uint32_t group = (uint32_t)bytes[i] << 16;
		char text[4];

		if (have > 1)
			group |= (uint32_t)bytes[i + 1] << 8;
		if (have > 2)
			group |= bytes[i + 2];
		for (size_t k = 0; k < 4; k++)
			text[k] = k > have ? '='
					   : base64_digits[group >> (18 - 6 * k) & 63];
		buf_add(out, text, 4);
	}
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four digits, of which the last pad are '='. The bits that padding leaves over must be
 * zero (RFC 4648, section 3.5), so that no two texts stand for the same bytes. */
static bool decode_group(const char *text, size_t pad, struct buf *out)
{
	uint32_t group = 0;
	char bytes[3];

	for (size_t k = 0; k < 4; k++) {
		int digit = k < 4 - pad ? base64_digit(text[k]) : 0;

		if (digit < 0)
			return false;
		group = group << 6 | (uint32_t)digit;
	}
	if (group & ((1u << 8 * pad) - 1))
		return false;
	bytes[0] = (char)(group >> 16);
	bytes[1] = (char)(group >> 8 & 0xFF);
	bytes[2] = (char)(group & 0xFF);
	buf_add(out, bytes, 3 - pad);
	return true;
}

bool decode_base64(const char *text, size_t n, struct buf *out)
{
	size_t before = out->len;

	if (n % 4)
		return false;
	for (size_t i = 0; i < n; i += 4) {
		size_t pad = 0;

		while (i + 4 == n && pad < 2 && text[n - 1 - pad] == '=')
			pad++;
		if (!decode_group(text + i, pad, out)) {
			buf_truncate(out, before);
			return false;
		}
	}
	return true;
}
