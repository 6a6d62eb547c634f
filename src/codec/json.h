/* json.h - JSON read into a tree, and written front to back.
 *
 * Reading: json_parse gives a document; values are borrowed from it until json_doc_free.
 * The accessors accept NULL and values of another type and answer "not there", so that
 * json_str(json_get(json_get(v, "a"), "b")) needs one check. Duplicate keys are an error.
 *
 * Writing goes into a struct buf; commas are put by themselves:
 *   struct json_writer w = JSON_WRITER_INIT(&buf);
 *   json_open(&w, '{'); json_key(&w, "v"); json_put_int(&w, 1); json_close(&w, '}'); */
#ifndef CODEC_JSON_H
#define CODEC_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct json_doc;
struct json; /* a value within a document */

enum { JSON_PARSE_DEPTH_MAX = 100 };

/* Parses n bytes of UTF-8, whose root may be any value. -1: ERR_DATA with line and
 * column; duplicate keys, NUL characters in strings, integers over 64 bits and more than
 * JSON_PARSE_DEPTH_MAX brackets within each other are errors. Messages quote nothing of
 * the text, which may hold secrets. The caller frees *out, soon if the text is long: a
 * tree takes four times its memory. */
int json_parse(const char *text, size_t n, struct json_doc **out, struct error *err);
void json_doc_free(struct json_doc *doc); /* NULL-safe */
const struct json *json_root(const struct json_doc *doc);

enum json_type {
	JSON_NONE,
	JSON_NULL,
	JSON_BOOL,
	JSON_INT,
	JSON_REAL,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

enum json_type json_type(const struct json *v);                     /* NULL: JSON_NONE */
const struct json *json_get(const struct json *v, const char *key); /* NULL: not there */
const struct json *json_at(const struct json *v, size_t i);         /* NULL: not there */
size_t json_len(const struct json *v);             /* array or object, else 0 */
const char *json_str(const struct json *v);        /* NULL: not a string */
bool json_int(const struct json *v, int64_t *out); /* false: not an integer */
bool json_is_true(const struct json *v);           /* true: the value true */

/* Calls visit for each member of an object, in the order of the text. Stops at and
 * returns the first value that is not 0. */
int json_each(const struct json *v,
	      int (*visit)(void *ctx, const char *key, const struct json *value),
	      void *ctx);

/* Of what is written; a deeper one is a mistake in the program. */
enum { JSON_DEPTH_MAX = 32 };

struct json_writer {
	struct buf *out;
	unsigned depth;
	bool has_items[JSON_DEPTH_MAX + 1]; /* of each open array or object */
	bool after_key;
};

#define JSON_WRITER_INIT(buf) \
	{                     \
		.out = (buf)  \
	}

void json_open(struct json_writer *w, char bracket);  /* '{' or '[' */
void json_close(struct json_writer *w, char bracket); /* '}' or ']' */
void json_key(struct json_writer *w, const char *key);
/* NULL writes null. Bytes that are not UTF-8 are written as U+FFFD; '<', '>', '&' and
 * U+2028/9 need no escaping for our readers; control characters are escaped. */
void json_put_str(struct json_writer *w, const char *s);
void json_put_strn(struct json_writer *w, const char *s, size_t n);
void json_put_int(struct json_writer *w, int64_t n);
void json_put_bool(struct json_writer *w, bool b);
void json_put_null(struct json_writer *w);
/* A value that is JSON already. */
void json_put_raw(struct json_writer *w, const char *json);

/* json_key and json_put_str in one. */
void json_member(struct json_writer *w, const char *key, const char *value);
void json_member_int(struct json_writer *w, const char *key, int64_t value);
void json_member_bool(struct json_writer *w, const char *key, bool value);

#include "base/mem.h"
MEM_DEFINE_FREEP(json_doc)

#endif
