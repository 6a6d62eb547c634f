#include "codec/json.h"

#include <stdlib.h>
#include <string.h>

/* Some of jansson's names are ours as well. They step aside while its header is read;
 * the enumerators then go by the names given here, and its macros that use the others are
 * not to be used. */
#define json_type   jansson_type
#define JSON_OBJECT JANSSON_OBJECT
#define JSON_ARRAY  JANSSON_ARRAY
#define JSON_STRING JANSSON_STRING
#define JSON_REAL   JANSSON_REAL
#define JSON_NULL   JANSSON_NULL
#include <jansson.h>
#undef json_type
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_REAL
#undef JSON_NULL
#undef json_is_true

#include "base/str.h"

struct json_doc {
	json_t *root;
};

/* struct json is never defined: a pointer to one is a pointer of jansson's. */
static const struct json *ours(const json_t *v)
{
	return (const struct json *)v;
}

static const json_t *theirs(const struct json *v)
{
	return (const json_t *)v;
}

static const enum json_type types[] = {
	[JANSSON_OBJECT] = JSON_OBJECT, [JANSSON_ARRAY] = JSON_ARRAY,
	[JANSSON_STRING] = JSON_STRING, [JSON_INTEGER] = JSON_INT,
	[JANSSON_REAL] = JSON_REAL,     [JSON_TRUE] = JSON_BOOL,
	[JSON_FALSE] = JSON_BOOL,       [JANSSON_NULL] = JSON_NULL,
};

static const char *complaint(const json_error_t *e)
{
	static const char *const texts[] = {
		[json_error_invalid_utf8] = "not UTF-8",
		[json_error_premature_end_of_input] = "cut short",
		[json_error_end_of_input_expected] = "more than one value",
		[json_error_null_character] = "a NUL character",
		[json_error_null_byte_in_key] = "a NUL character",
		[json_error_duplicate_key] = "a key that is there twice",
		[json_error_numeric_overflow] = "a number too large",
	};
	size_t code = (size_t)json_error_code(e);

	if (code >= sizeof(texts) / sizeof(*texts) || !texts[code])
		return "a syntax error";
	return texts[code];
}

/* Where the string that begins before i ends: the index of its closing quote, n: it has none.
 * Most of what hosts send are strings, which memchr() passes over fast. */
static size_t string_end(const char *text, size_t i, size_t n)
{
	const char *begin = text + i;
	const char *quote = begin;

	while ((quote = memchr(quote, '"', n - (size_t)(quote - text)))) {
		const char *p = quote;

		while (p > begin && p[-1] == '\\')
			p--;
		if ((quote - p) % 2 == 0)
			return (size_t)(quote - text);
		quote++;
	}
	return n;
}

/* jansson recurses, and its own limit of 2,048 levels is hard on a thread's stack. */
static bool is_too_deep(const char *text, size_t n)
{
	size_t depth = 0;

	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		if (c == '"')
			i = string_end(text, i + 1, n);
		else if ((c == '[' || c == '{') && ++depth > JSON_PARSE_DEPTH_MAX)
			return true;
		else if ((c == ']' || c == '}') && depth > 0)
			depth--;
	}
	return false;
}

int json_parse(const char *text, size_t n, struct json_doc **out, struct error *err)
{
	json_error_t e;
	json_t *root;

	if (is_too_deep(text, n))
		return error_set(err, ERR_DATA, "JSON: more than %d levels",
				 JSON_PARSE_DEPTH_MAX);
	root = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
	if (!root)
		return error_set(err, ERR_DATA, "JSON: %s at line %d, column %d",
				 complaint(&e), e.line, e.column);
	*out = xmalloc(sizeof(**out));
	(*out)->root = root;
	return 0;
}

void json_doc_free(struct json_doc *doc)
{
	if (!doc)
		return;
	json_decref(doc->root);
	free(doc);
}

const struct json *json_root(const struct json_doc *doc)
{
	return ours(doc->root);
}

enum json_type json_type(const struct json *v)
{
	return v ? types[json_typeof(theirs(v))] : JSON_NONE;
}

const struct json *json_get(const struct json *v, const char *key)
{
	return json_type(v) == JSON_OBJECT ? ours(json_object_get(theirs(v), key)) : NULL;
}

const struct json *json_at(const struct json *v, size_t i)
{
	return json_type(v) == JSON_ARRAY ? ours(json_array_get(theirs(v), i)) : NULL;
}

size_t json_len(const struct json *v)
{
	/* Both answer 0 for values of another type. */
	return json_array_size(theirs(v)) + json_object_size(theirs(v));
}

const char *json_str(const struct json *v)
{
	return json_string_value(theirs(v));
}

bool json_int(const struct json *v, int64_t *out)
{
	if (json_type(v) != JSON_INT)
		return false;
	*out = json_integer_value(theirs(v));
	return true;
}

bool json_is_true(const struct json *v)
{
	return v && json_typeof(theirs(v)) == JSON_TRUE;
}

int json_each(const struct json *v,
	      int (*visit)(void *ctx, const char *key, const struct json *value),
	      void *ctx)
{
	/* Iterating changes nothing; jansson's interface lacks the const. */
	json_t *object = json_type(v) == JSON_OBJECT ? (json_t *)theirs(v) : NULL;

	for (void *at = json_object_iter(object); at;
	     at = json_object_iter_next(object, at)) {
		int result = visit(ctx, json_object_iter_key(at),
				   ours(json_object_iter_value(at)));

		if (result != 0)
			return result;
	}
	return 0;
}

/* Puts the comma that goes before a value or key here. */
static void separate(struct json_writer *w)
{
	if (!w->after_key && w->has_items[w->depth])
		buf_char(w->out, ',');
	w->has_items[w->depth] = true;
	w->after_key = false;
}

void json_open(struct json_writer *w, char bracket)
{
	separate(w);
	if (w->depth == JSON_DEPTH_MAX)
		abort();
	w->depth++;
	w->has_items[w->depth] = false;
	buf_char(w->out, bracket);
}

void json_close(struct json_writer *w, char bracket)
{
	if (w->depth == 0)
		abort();
	w->depth--;
	buf_char(w->out, bracket);
}

/* Bytes of the character at s, or 0 if it is not UTF-8. */
static size_t character(const char *s, size_t n)
{
	unsigned char lead = (unsigned char)*s;
	size_t len = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;

	return len <= n && str_is_utf8(s, len) ? len : 0;
}

static bool is_verbatim(char c)
{
	return (unsigned char)c >= 0x20 && (unsigned char)c < 0x7F && c != '"' &&
	       c != '\\';
}

static void put_escaped(struct buf *out, char c)
{
	static const char letters[][2] = { { '\b', 'b' }, { '\f', 'f' }, { '\n', 'n' },
					   { '\r', 'r' }, { '\t', 't' }, { '"', '"' },
					   { '\\', '\\' } };

	for (size_t i = 0; i < sizeof(letters) / sizeof(*letters); i++) {
		if (c == letters[i][0]) {
			buf_printf(out, "\\%c", letters[i][1]);
			return;
		}
	}
	buf_printf(out, "\\u%04x", (unsigned)c);
}

static void put_quoted(struct buf *out, const char *s, size_t n)
{
	size_t i = 0;

	buf_char(out, '"');
	while (i < n) {
		size_t from = i;
		size_t len;

		while (i < n && is_verbatim(s[i]))
			i++;
		buf_add(out, s + from, i - from);
		if (i == n)
			break;
		len = character(s + i, n - i);
		if (len == 0)
			buf_str(out, "\xEF\xBF\xBD"); /* U+FFFD */
		else if (len == 1)
			put_escaped(out, s[i]);
		else
			buf_add(out, s + i, len);
		i += len ? len : 1;
	}
	buf_char(out, '"');
}

void json_key(struct json_writer *w, const char *key)
{
	separate(w);
	put_quoted(w->out, key, strlen(key));
	buf_char(w->out, ':');
	w->after_key = true;
}

void json_put_str(struct json_writer *w, const char *s)
{
	if (s)
		json_put_strn(w, s, strlen(s));
	else
		json_put_null(w);
}

void json_put_strn(struct json_writer *w, const char *s, size_t n)
{
	separate(w);
	put_quoted(w->out, s, n);
}

void json_put_int(struct json_writer *w, int64_t n)
{
	separate(w);
	buf_printf(w->out, "%lld", (long long)n);
}

void json_put_bool(struct json_writer *w, bool b)
{
	json_put_raw(w, b ? "true" : "false");
}

void json_put_null(struct json_writer *w)
{
	json_put_raw(w, "null");
}

void json_put_raw(struct json_writer *w, const char *json)
{
	separate(w);
	buf_str(w->out, json);
}

void json_member(struct json_writer *w, const char *key, const char *value)
{
	json_key(w, key);
	json_put_str(w, value);
}

void json_member_int(struct json_writer *w, const char *key, int64_t value)
{
	json_key(w, key);
	json_put_int(w, value);
}

void json_member_bool(struct json_writer *w, const char *key, bool value)
{
	json_key(w, key);
	json_put_bool(w, value);
}
