#include "daemon/story.h"

#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "codec/json.h"
#include "daemon/joblog.h"

enum { CHUNK = 1 << 20 };

static const char *keep(struct story *s, const struct json *v, const char *key)
{
	const char *text = json_str(json_get(v, key));

	return text ? arena_strdup(&s->arena, text) : "";
}

static void add_line(struct story *s, int64_t at_ms, const char *text, bool is_error)
{
	s->lines[s->n_lines++ % STORY_LINES_MOST] =
		(struct story_line){ .at_ms = at_ms, .text = text, .is_error = is_error };
}

static void add_item(struct story *s, const char *what, const char *name,
		     const char *status)
{
	const struct story_item item = { what, name, status };

	if (s->items.len < STORY_ITEMS_MOST)
		story_items_push(&s->items, item);
	else
		s->items_left_out++;
}

static void on_phase(struct story *s, const struct json *e, int64_t at_ms)
{
	const struct story_phase phase = { .name = keep(s, e, "phase"), .at_ms = at_ms };

	story_phases_push(&s->phases, phase);
	add_line(s, at_ms, arena_concat(&s->arena, phase.name, " ..."), false);
}

static void on_commit(struct story *s, const struct json *e, int64_t at_ms)
{
	s->commit = keep(s, e, "commit");
	s->subject = keep(s, e, "summary");
	s->author = keep(s, e, "author");
	add_line(s, at_ms, arena_concat(&s->arena, "commit ", s->commit), false);
}

static const char *name_of_step(struct story *s, const struct json *e)
{
	static const char *const keys[] = { "path", "backend", "distribution", "key" };

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const char *name = keep(s, e, keys[i]);

		if (*name)
			return name;
	}
	return "";
}

static void on_step(struct story *s, const struct json *e, int64_t at_ms)
{
	const struct json *paths = json_get(e, "paths");
	const char *what = keep(s, e, "kind"), *status = keep(s, e, "status");
	const char *name = name_of_step(s, e);

	for (size_t i = 0; i < json_len(paths); i++) {
		const char *path = json_str(json_at(paths, i));

		if (path)
			add_item(s, what, arena_strdup(&s->arena, path), status);
	}
	/* What only keeps the books is not worth an item. */
	if (!paths && (json_get(e, "path") || json_get(e, "backend")))
		add_item(s, what, name, status);
	add_line(s, at_ms, arena_printf(&s->arena, "%s %s: %s", what, name, status),
		 str_eq(status, "failed"));
}

static void on_result(struct story *s, const struct json *e, int64_t at_ms)
{
	s->verdict = keep(s, e, "verdict");
	s->error = keep(s, e, "error");
	json_int(json_get(e, "uploaded"), &s->uploaded);
	json_int(json_get(e, "deleted"), &s->deleted);
	json_int(json_get(e, "bytes"), &s->bytes);
	json_int(json_get(e, "invalidation_paths"), &s->invalidated);
	add_line(s, at_ms,
		 *s->error ? arena_printf(&s->arena, "%s: %s", s->verdict, s->error)
			   : s->verdict,
		 *s->error != '\0');
}

static void on_progress(struct story *s, const struct json *e, int64_t at_ms)
{
	const char *waiting = keep(s, e, "waiting");

	if (*waiting)
		add_line(s, at_ms, arena_concat(&s->arena, "waiting: ", waiting), false);
}

static void on_event(struct story *s, const struct json *e, int64_t at_ms)
{
	static const struct {
		const char *type;
		void (*on)(struct story *, const struct json *, int64_t);
	} events[] = { { "phase", on_phase },
		       { "commit", on_commit },
		       { "step", on_step },
		       { "progress", on_progress },
		       { "result", on_result } };
	const char *type = json_str(json_get(e, "type"));

	for (size_t i = 0; type && i < sizeof events / sizeof *events; i++) {
		if (str_eq(events[i].type, type))
			events[i].on(s, e, at_ms);
	}
}

static void on_attempt(struct story *s, int64_t n, int64_t at_ms)
{
	s->phases.len = s->items.len = 0;
	s->items_left_out = 0;
	s->verdict = s->error = "";
	if (n > 1)
		add_line(s, at_ms, arena_printf(&s->arena, "attempt %lld", (long long)n),
			 false);
}

void story_add(struct story *s, const char *line, size_t len)
{
	struct error ignored = ERROR_INIT;
	CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;
	int64_t at_ms = 0, attempt;

	if (json_parse(line, len, &doc, &ignored))
		return;
	const struct json *v = json_root(doc);
	json_int(json_get(v, "at"), &at_ms);
	if (json_get(v, "event"))
		on_event(s, json_get(v, "event"), at_ms);
	else if (json_str(json_get(v, "line")))
		add_line(s, at_ms, keep(s, v, "line"), false);
	else if (json_int(json_get(v, "attempt"), &attempt))
		on_attempt(s, attempt, at_ms);
}

static void add_lines(struct story *s, const struct buf *text)
{
	const char *p = text->data, *end = text->data + text->len;

	while (p < end) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));

		if (!stop)
			stop = end;
		story_add(s, p, (size_t)(stop - p));
		p = stop + 1;
	}
}

/* Takes up to most bytes from *offset on. */
static int read_piece(const char *state, int64_t id, int64_t *offset, size_t most,
		      struct story *out, struct error *err)
{
	CLEANUP(buf) struct buf text = BUF_INIT(CHUNK);

	if (joblog_read(state, id, offset, most, &text, err) < 0)
		return -1;
	add_lines(out, &text);
	return 0;
}

static int end_reading(struct error *why, struct error *err)
{
	if (why->code == ERR_NONE || why->code == ERR_NOT_FOUND)
		return 0;
	*err = *why;
	return -1;
}

static void story_start(struct story *s)
{
	*s = (struct story){
		.commit = "", .subject = "", .author = "", .verdict = "", .error = ""
	};
}

int story_read(const char *state, int64_t id, struct story *out, struct error *err)
{
	struct error why = ERROR_INIT;
	int64_t begin = -1;
	int64_t offset = 0;

	story_start(out);
	while (offset > begin) {
		begin = offset;
		if (read_piece(state, id, &offset, CHUNK, out, &why) < 0)
			break;
	}
	return end_reading(&why, err);
}

int story_read_head(const char *state, int64_t id, struct story *out, struct error *err)
{
	struct error why = ERROR_INIT;
	int64_t offset = 0;

	story_start(out);
	(void)read_piece(state, id, &offset, STORY_HEAD_MOST, out, &why);
	return end_reading(&why, err);
}

void story_release(struct story *s)
{
	story_phases_release(&s->phases);
	story_items_release(&s->items);
	arena_release(&s->arena);
}

const struct story_line *story_line_at(const struct story *s, size_t i)
{
	size_t kept = s->n_lines < STORY_LINES_MOST ? s->n_lines : STORY_LINES_MOST;

	return i < kept ? &s->lines[(s->n_lines - kept + i) % STORY_LINES_MOST] : NULL;
}
