/* Whatever is accepted can be walked, and its strings can be written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_string(const char *s)
{
	CLEANUP(buf) struct buf out = BUF_INIT(SIZE_MAX);
	CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;
	struct json_writer w = JSON_WRITER_INIT(&out);
	struct error err = ERROR_INIT;

	json_put_str(&w, s);
	if (json_parse(out.data, out.len, &doc, &err) < 0 ||
	    strcmp(json_str(json_root(doc)), s) != 0)
		abort();
}

static void walk(const struct json *v);

static int member(void *ctx, const char *key, const struct json *value)
{
	if (json_get(ctx, key) != value)
		abort();
	check_string(key);
	walk(value);
	return 0;
}

static void walk(const struct json *v)
{
	int64_t n;

	if (json_type(v) == JSON_NONE)
		abort();
	if (json_str(v))
		check_string(json_str(v));
	json_int(v, &n);
	json_each(v, member, (void *)v);
	for (size_t i = 0; json_type(v) == JSON_ARRAY && i < json_len(v); i++)
		walk(json_at(v, i));
}

/* The writer takes any bytes, and what it writes is JSON. */
static void check_writer(const uint8_t *data, size_t size)
{
	CLEANUP(buf) struct buf out = BUF_INIT(SIZE_MAX);
	CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;
	struct json_writer w = JSON_WRITER_INIT(&out);
	struct error err = ERROR_INIT;

	json_put_strn(&w, (const char *)data, size);
	/* jansson refuses the NUL that JSON allows. */
	if (!memchr(data, 0, size) && json_parse(out.data, out.len, &doc, &err) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;
	struct error err = ERROR_INIT;

	if (json_parse((const char *)data, size, &doc, &err) == 0)
		walk(json_root(doc));
	else if (err.code != ERR_DATA)
		abort();
	if (size > 0)
		check_writer(data, size);
	return 0;
}
