#include "codec/fold.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/str.h"
#include "codec/fold_table.h"

enum { PARTS_MOST = 8 };

/* Hangul syllables are computed (The Unicode Standard, section 3.12). */
enum {
	HANGUL_FIRST = 0xAC00,
	HANGUL_SYLLABLES = 11172,
	HANGUL_LEAD = 0x1100,
	HANGUL_VOWEL = 0x1161,
	HANGUL_TAIL = 0x11A7,
	HANGUL_VOWELS = 21,
	HANGUL_TAILS = 28,
};

/* Where folded bytes go. */
struct sink {
	void (*add)(void *to, const char *bytes, size_t n);
	void *to;
};

/* Bytes of the character at s, which ends at a NUL; 0: not UTF-8. */
static size_t decode(const char *s, uint32_t *code)
{
	static const unsigned char heads[] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
	size_t n = 1;

	while (n <= 4 && !str_is_utf8(s, n)) {
		if (!s[n])
			return 0;
		n++;
	}
	if (n > 4)
		return 0;
	*code = (unsigned char)s[0] & heads[n];
	for (size_t i = 1; i < n; i++)
		*code = *code << 6 | ((unsigned char)s[i] & 0x3F);
	return n;
}

static void encode(uint32_t code, const struct sink *sink)
{
	char bytes[4];
	size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const unsigned char heads[] = { 0, 0, 0xC0, 0xE0, 0xF0 };

	for (size_t i = n - 1; i > 0; i--) {
		bytes[i] = (char)(0x80 | (code & 0x3F));
		code >>= 6;
	}
	bytes[0] = (char)(heads[n] | code);
	sink->add(sink->to, bytes, n);
}

static uint32_t small(uint32_t code)
{
	for (size_t i = 0; i < sizeof(capitals) / sizeof(*capitals); i++) {
		if (code < capitals[i].first)
			return code;
		if (code <= capitals[i].last &&
		    (code - capitals[i].first) % capitals[i].step == 0)
			return (uint32_t)((int32_t)code + capitals[i].distance);
	}
	return code;
}

/* NULL: it does not come apart. */
static const uint16_t *find_parts(uint32_t code)
{
	size_t low = 0;
	size_t high = sizeof(decompositions) / sizeof(*decompositions);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (decompositions[middle][0] == code)
			return decompositions[middle];
		if (decompositions[middle][0] < code)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static size_t take_hangul_apart(uint32_t syllable, uint32_t *parts)
{
	uint32_t tail = syllable % HANGUL_TAILS;

	parts[0] = HANGUL_LEAD + syllable / (HANGUL_VOWELS * HANGUL_TAILS);
	parts[1] = HANGUL_VOWEL + syllable / HANGUL_TAILS % HANGUL_VOWELS;
	parts[2] = HANGUL_TAIL + tail;
	return tail ? 3 : 2;
}

/* Fills parts from the end, since what comes first may come apart again. Returns how many
 * there are, at the start. */
static size_t take_apart(uint32_t code, uint32_t parts[PARTS_MOST])
{
	size_t at = PARTS_MOST;
	const uint16_t *pair;

	if (code >= HANGUL_FIRST && code < HANGUL_FIRST + HANGUL_SYLLABLES)
		return take_hangul_apart(code - HANGUL_FIRST, parts);
	while (at > 1 && (pair = find_parts(code)) != NULL) {
		if (pair[2])
			parts[--at] = pair[2];
		code = pair[1];
	}
	parts[--at] = code;
	memmove(parts, parts + at, (PARTS_MOST - at) * sizeof(*parts));
	return PARTS_MOST - at;
}

static void fold_char(uint32_t code, enum fold_kind kind, const struct sink *sink)
{
	uint32_t parts[PARTS_MOST];
	size_t n = take_apart(code, parts);

	for (size_t i = 0; i < n; i++)
		encode(kind == FOLD_CASE ? small(parts[i]) : parts[i], sink);
}

static void fold(const char *text, enum fold_kind kind, const struct sink *sink)
{
	while (*text) {
		uint32_t code = (unsigned char)*text;
		size_t n = 1;

		if (code >= 0x80)
			n = decode(text, &code);
		if (n)
			fold_char(code, kind, sink);
		else
			sink->add(sink->to, text, 1);
		text += n ? n : 1;
	}
}

static void add_to_buf(void *to, const char *bytes, size_t n)
{
	buf_add(to, bytes, n);
}

void fold_text(const char *text, enum fold_kind kind, struct buf *out)
{
	const struct sink sink = { add_to_buf, out };

	fold(text, kind, &sink);
}

/* FNV-1a, 64 bits. */
static const uint64_t hash_start = 14695981039346656037U;

static uint64_t hash_byte(uint64_t hash, unsigned char byte)
{
	return (hash ^ byte) * 1099511628211U;
}

static void add_to_hash(void *to, const char *bytes, size_t n)
{
	uint64_t *hash = to;

	for (size_t i = 0; i < n; i++)
		*hash = hash_byte(*hash, (unsigned char)bytes[i]);
}

uint64_t fold_hash(const char *text, enum fold_kind kind)
{
	uint64_t hash = hash_start;
	const struct sink sink = { add_to_hash, &hash };

	/* Most names are ASCII, and there are thousands. */
	for (; *text && (unsigned char)*text < 0x80; text++) {
		bool capital = kind == FOLD_CASE && *text >= 'A' && *text <= 'Z';

		hash = hash_byte(hash,
				 (unsigned char)(*text + (capital ? 'a' - 'A' : 0)));
	}
	fold(text, kind, &sink);
	return hash;
}
