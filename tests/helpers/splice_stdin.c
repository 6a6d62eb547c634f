/* splice_stdin - finds and replaces the code of templates, for tests that hold the result
 * against another reader of YAML.
 *
 * stdin: one JSON object a line: name, and text (base64).
 * stdout: one JSON object a line: error; or codes (resource, property, kind, form, path,
 * runtime, architecture, line, start, end) and text (base64), in which each code is in the
 * bucket "b" under "k-" and its path in hex. */
#include <string.h>

#include "codec/encode.h"
#include "core/template.h"
#include "helpers/stdin_jobs.h"

VEC_DEFINE(places, struct template_place);

static void put_code(const struct template_code *code, struct json_writer *w)
{
	json_open(w, '{');
	json_member(w, "resource", code->resource);
	json_member(w, "property", code->property);
	json_member(w, "kind", code->kind == TEMPLATE_LAYER ? "layer" : "function");
	json_member(w, "form", code->form == FORM_OBJECT ? "object" : "uri");
	json_member(w, "path", code->path);
	json_member(w, "runtime", code->runtime);
	json_member(w, "architecture", code->architecture);
	json_member_int(w, "line", code->line);
	json_member_int(w, "start", (int64_t)code->start);
	json_member_int(w, "end", (int64_t)code->end);
	json_close(w, '}');
}

static const char *key_of(const char *path, struct arena *arena)
{
	size_t n = strlen(path);
	char *hex = arena_alloc(arena, 2 * n + 1);

	encode_hex(path, n, hex);
	return arena_printf(arena, "k-%s", hex);
}

static void put_template(const struct template *t, struct json_writer *w)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(places) struct places places = { 0 };
	CLEANUP(buf) struct buf spliced = BUF_INIT(64 << 20);
	CLEANUP(buf) struct buf base64 = BUF_INIT(128 << 20);

	json_key(w, "codes");
	json_open(w, '[');
	for (size_t i = 0; i < t->codes.len; i++) {
		put_code(&t->codes.items[i], w);
		places_push(&places,
			    (struct template_place){
				    "b", key_of(t->codes.items[i].path, &arena) });
	}
	json_close(w, ']');
	template_splice(t, places.items, &spliced);
	encode_base64(spliced.data, spliced.len, &base64);
	json_member(w, "text", base64.data);
}

static void answer(const struct json *job, struct buf *out)
{
	CLEANUP(template) struct template t = TEMPLATE_INIT;
	CLEANUP(buf) struct buf text = BUF_INIT(64 << 20);
	const char *name = json_str(json_get(job, "name"));
	const char *base64 = json_str(json_get(job, "text"));
	struct json_writer w = JSON_WRITER_INIT(out);
	struct error err = ERROR_INIT;

	json_open(&w, '{');
	if (!name || !base64 || !decode_base64(base64, strlen(base64), &text))
		json_member(&w, "error", "not a job");
	else if (template_parse(&t, name, text.data, text.len, &err) < 0)
		json_member(&w, "error", err.msg);
	else
		put_template(&t, &w);
	json_close(&w, '}');
}

int main(void)
{
	return answer_stdin("splice_stdin", answer);
}
