/* Splicing changes the codes of a template and nothing else, and leaves none behind. */
#undef NDEBUG /* the checks are what a fuzz target is for */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

VEC_DEFINE(places, struct template_place);

static void check_message(const struct error *err)
{
	assert(err->code == ERR_CONFIG);
	assert(str_starts(err->msg, "f.yml:"));
	for (const char *p = err->msg; *p; p++)
		assert((unsigned char)*p >= 0x20 && *p != 0x7F);
}

static void check_code(const struct template *t, const struct template_code *code,
		       size_t from)
{
	assert(from <= code->start && code->start <= code->end && code->end <= t->len);
	assert(code->resource && code->property && *code->path && code->architecture);
	assert(code->line && code->column && code->uses);
}

/* What is between the codes stands in the result, in the same order. */
static void check_rest(const struct template *t, const struct buf *out)
{
	const char *at = out->data;
	const char *end = out->data + out->len;
	size_t from = 0;

	for (size_t i = 0; i <= t->codes.len; i++) {
		const struct template_code *code = i < t->codes.len ? &t->codes.items[i]
								    : NULL;
		size_t n = (code ? code->start : t->len) - from;

		assert((size_t)(end - at) >= n && memcmp(at, t->text + from, n) == 0);
		at += n;
		if (!code)
			break;
		check_code(t, code, from);
		from = code->end;
		/* The key ends in '!', which no other part of a place has. */
		at = memchr(at, '!', (size_t)(end - at));
		assert(at);
		at += 1 + (code->form == FORM_OBJECT ? 2 : code->quote != 0);
		at += strlen(code->after);
	}
	assert(at == end);
}

/* All codes are in S3 by now. */
static void check_again(const struct buf *spliced)
{
	CLEANUP(template) struct template t = TEMPLATE_INIT;
	struct error err = ERROR_INIT;

	/* It may have grown over the caps. */
	if (template_parse(&t, "f.yml", spliced->data, spliced->len, &err) < 0)
		assert(strstr(err.msg, "over "));
	else
		assert(t.codes.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(template) struct template t = TEMPLATE_INIT;
	CLEANUP(places) struct places places = { 0 };
	CLEANUP(buf) struct buf out = BUF_INIT((size_t)256 << 20);
	struct error err = ERROR_INIT;

	if (template_parse(&t, "f.yml", (const char *)data, size, &err) < 0) {
		check_message(&err);
		return 0;
	}
	for (size_t i = 0; i < t.codes.len; i++)
		places_push(&places, (struct template_place){ "b", "k!" });
	template_splice(&t, places.items, &out);
	check_rest(&t, &out);
	check_again(&out);
	return 0;
}
