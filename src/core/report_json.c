#include "core/report_private.h"

#include "codec/json.h"
#include "core/report.h"

static void open_line(struct json_writer *w, const char *type)
{
	json_open(w, '{');
	json_member_int(w, "v", 1);
	json_member(w, "type", type);
}

static void close_line(struct json_writer *w)
{
	json_close(w, '}');
	buf_char(w->out, '\n');
}

static void member_commit(struct json_writer *w, const char *key, const struct oid *id)
{
	char hex[OID_HEX_SIZE];

	json_member(w, key, oid_hex(id, hex));
}

static void put_patterns(struct json_writer *w, const struct step *s)
{
	for (size_t i = 0; i < s->cover.patterns.len; i++)
		json_put_str(w, s->cover.patterns.items[i]);
}

static void step_headers(struct json_writer *w, const struct step *s)
{
	json_key(w, "headers");
	json_open(w, '{');
	for (size_t i = 0; s->headers && i < s->headers->len; i++)
		json_member(w, s->headers->items[i].name, s->headers->items[i].value);
	json_close(w, '}');
}

static void step_invalidation(struct json_writer *w, const struct step *s)
{
	json_member(w, "distribution", s->distribution);
	json_key(w, "paths");
	json_open(w, '[');
	put_patterns(w, s);
	json_close(w, ']');
	json_member_int(w, "stale", (int64_t)s->stale);
	json_member_int(w, "evicted", (int64_t)s->cover.evicted);
	if (s->everything)
		json_member(w, "everything", s->everything);
}

/* The members of a step; the object is open already. */
static void step_members(struct json_writer *w, const struct plan *p, size_t i)
{
	const struct step *s = &p->steps.items[i];
	const struct plan_site *site = &p->sites.items[s->site];

	json_member_int(w, "step", (int64_t)i);
	json_member(w, "kind", step_kind_name(s->kind));
	json_member(w, "phase", phase_name(s->phase));
	json_member(w, "site", site->site->name);
	if (s->path) {
		CLEANUP(buf) struct buf key = BUF_INIT(8192);

		buf_printf(&key, "%s%s", site->site->prefix, s->path);
		json_member(w, "path", s->path);
		json_member(w, "key", key.data);
		json_member(w, "why", step_why_name(s->why));
	}
	if (s->kind == STEP_PUT || s->kind == STEP_COPY)
		step_headers(w, s);
	if (s->kind == STEP_INVALIDATE)
		step_invalidation(w, s);
}

static void put_site(struct json_writer *w, const struct plan_site *s)
{
	static const char *const verdicts[] = {
		[SITE_UP_TO_DATE] = "up-to-date",
		[SITE_RECORD] = "record",
		[SITE_DEPLOY] = "deploy",
	};

	json_open(w, '{');
	json_member(w, "name", s->site->name);
	json_member(w, "verdict", verdicts[s->verdict]);
	json_member(w, "bucket", s->bucket);
	json_member(w, "prefix", s->site->prefix);
	json_key(w, "base");
	if (s->has_base) {
		char hex[OID_HEX_SIZE];

		json_put_str(w, oid_hex(&s->base, hex));
	} else {
		json_put_null(w);
	}
	json_member(w, "base_why", s->base_why);
	json_member_bool(w, "first", s->first);
	json_member_bool(w, "takeover", s->takeover);
	for (enum step_why why = WHY_ADDED; why < WHYS; why++)
		json_member_int(w, step_why_name(why), (int64_t)s->counts[why]);
	json_member_int(w, "retired", (int64_t)s->retired);
	json_member_int(w, "unchanged", (int64_t)s->unchanged);
	json_close(w, '}');
}

static void put_notes(struct json_writer *w, const struct plan *p)
{
	json_key(w, "notes");
	json_open(w, '[');
	for (size_t i = 0; i < p->notes.len; i++) {
		const struct note *n = &p->notes.items[i];

		json_open(w, '{');
		json_member(w, "kind", n->kind == NOTE_WARNING ? "warning" : "note");
		if (n->path)
			json_member(w, "path", n->path);
		json_member(w, "text", n->text);
		json_close(w, '}');
	}
	json_close(w, ']');
}

void report_plan_json(const struct plan *p, struct buf *out)
{
	struct json_writer w = JSON_WRITER_INIT(out);

	open_line(&w, "plan");
	member_commit(&w, "head", &p->head);
	json_member_bool(&w, "offline", p->offline);
	json_member(&w, "refused", p->refused ? p->refusal : NULL);
	json_key(&w, "sites");
	json_open(&w, '[');
	for (size_t i = 0; i < p->sites.len; i++)
		put_site(&w, &p->sites.items[i]);
	json_close(&w, ']');
	json_key(&w, "steps");
	json_open(&w, '[');
	for (size_t i = 0; i < p->steps.len; i++) {
		json_open(&w, '{');
		step_members(&w, p, i);
		json_close(&w, '}');
	}
	json_close(&w, ']');
	put_notes(&w, p);
	close_line(&w);
}

void report_step_json(const struct plan *p, size_t step,
		      const struct step_outcome *outcome, struct buf *out)
{
	struct json_writer w = JSON_WRITER_INIT(out);

	open_line(&w, "step");
	step_members(&w, p, step);
	json_member(&w, "status", outcome->status == STATUS_DONE ? "done" : "failed");
	json_member_int(&w, "bytes", outcome->bytes);
	if (outcome->invalidation)
		json_member(&w, "invalidation", outcome->invalidation);
	if (outcome->error)
		json_member(&w, "error", outcome->error);
	close_line(&w);
}

void report_result_json(const struct outcome *o, struct buf *out)
{
	struct json_writer w = JSON_WRITER_INIT(out);
	struct outcome_totals t = outcome_count(o, o->verdict == VERDICT_PLANNED);

	open_line(&w, "result");
	json_member(&w, "verdict", verdict_name(o->verdict));
	member_commit(&w, "head", &o->plan.head);
	json_member_int(&w, "uploaded", (int64_t)t.uploaded);
	json_member_int(&w, "deleted", (int64_t)t.deleted);
	json_member_int(&w, "bytes", t.bytes);
	json_member_int(&w, "invalidation_paths", (int64_t)t.patterns);
	json_member_int(&w, "duration_ms", o->duration_ms);
	if (o->superseded_by)
		json_member(&w, "superseded_by", o->superseded_by);
	if (o->error.code) {
		json_member(&w, "error_code", error_code_name(o->error.code));
		json_member(&w, "error", o->error.msg);
	}
	json_member_int(&w, "exit", error_exit_status(o->error.code));
	close_line(&w);
}

void report_patterns_json(const struct plan *p, struct buf *out)
{
	struct json_writer w = JSON_WRITER_INIT(out);

	json_open(&w, '[');
	for (size_t i = 0; i < p->steps.len; i++)
		if (p->steps.items[i].kind == STEP_INVALIDATE)
			put_patterns(&w, &p->steps.items[i]);
	json_close(&w, ']');
}
