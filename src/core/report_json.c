#include "core/report_private.h"

#include <string.h>

#include "codec/json.h"
#include "core/report.h"

/* One step or note, and what closes a line that is cut. */
enum { ITEM_MAX = 16 << 20, LINE_END_MOST = 64 };

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

/* Null when it is not known: zeros. */
static void member_commit(struct json_writer *w, const char *key, const struct oid *id)
{
	char hex[OID_HEX_SIZE];

	json_member(w, key, oid_is_zero(id) ? NULL : oid_hex(id, hex));
}

static void member_strings(struct json_writer *w, const char *key,
			   const struct str_list *list)
{
	json_key(w, key);
	json_open(w, '[');
	for (size_t i = 0; i < list->len; i++)
		json_put_str(w, list->items[i]);
	json_close(w, ']');
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
	member_strings(w, "paths", &s->cover.patterns);
	json_member_int(w, "stale", (int64_t)s->stale);
	json_member_int(w, "evicted", (int64_t)s->evicted);
	member_strings(w, "evicted_first", &s->evicted_first);
	member_strings(w, "evicted_elsewhere", &s->evicted_elsewhere);
	if (s->everything)
		json_member(w, "everything", s->everything);
}

/* The object in S3 that the step writes: the site's, or the site's state. */
static void step_key(struct json_writer *w, const struct plan_site *site,
		     const struct step *s)
{
	CLEANUP(buf) struct buf key = BUF_INIT(8192);

	if (s->kind == STEP_INVALIDATE)
		return;
	buf_str(&key, site->site->prefix);
	buf_str(&key, s->path ? s->path : STATE_KEY);
	if (s->path)
		json_member(w, "path", s->path);
	json_member(w, "key", key.data);
	if (s->from)
		json_member(w, "if_match", s->from);
	if (s->from_absent)
		json_member(w, "if_none_match", "*");
}

static const char *backend_kind(const struct backend *b)
{
	return b->kind == BACKEND_FUNCTION ? "function" : "template";
}

static void put_resource(struct json_writer *w, const struct resource_change *c)
{
	json_open(w, '{');
	json_member(w, "action", c->action);
	json_member(w, "name", c->name);
	json_member(w, "resource_type", c->type);
	json_member(w, "replacement", c->replacement);
	json_close(w, '}');
}

/* As many as fit before end (0: any number). */
static void member_resources(struct json_writer *w, const struct resource_list *list,
			     size_t end)
{
	CLEANUP(buf) struct buf item = BUF_INIT(ITEM_MAX);
	size_t i = 0;

	json_key(w, "resources");
	json_open(w, '[');
	for (; i < list->len; i++) {
		struct json_writer one = JSON_WRITER_INIT(&item);

		buf_clear(&item);
		put_resource(&one, &list->items[i]);
		if (item.overflowed || (end && w->out->len + item.len > end))
			break;
		json_put_raw(w, item.data);
	}
	json_close(w, ']');
	if (i < list->len)
		json_member_int(w, "resources_left_out", (int64_t)(list->len - i));
}

static void put_backend(struct json_writer *w, const struct plan_backend *b, size_t end)
{
	static const char *const verdicts[] = {
		[BACKEND_SAME] = "unchanged",
		[BACKEND_DEPLOY] = "deploy",
		[BACKEND_LATER] = "later",
		[BACKEND_LEFT] = "left-alone",
	};

	json_open(w, '{');
	json_member(w, "name", b->backend->name);
	json_member(w, "kind", backend_kind(b->backend));
	json_member(w, "verdict", verdicts[b->verdict]);
	json_member(w, "target", b->target);
	json_member(w, "why", b->why);
	json_member_bool(w, "creates", b->creates);
	if (b->previewed)
		member_resources(w, &b->resources, end);
	json_close(w, '}');
}

/* The members of a step; the object is open already. */
static void step_members(struct json_writer *w, const struct plan *p, size_t i)
{
	const struct step *s = &p->steps.items[i];
	const struct plan_site *site;

	json_member_int(w, "step", (int64_t)i);
	json_member(w, "kind", step_kind_name(s->kind));
	json_member(w, "phase", phase_name(s->phase));
	if (s->kind == STEP_BACKEND) {
		json_member(w, "backend", p->backends.items[s->backend].backend->name);
		json_member(w, "target", p->backends.items[s->backend].target);
		return;
	}
	site = &p->sites.items[s->site];
	json_member(w, "site", site->site->name);
	step_key(w, site, s);
	if (s->path)
		json_member(w, "why", step_why_name(s->why));
	if (s->kind == STEP_PUT || s->kind == STEP_COPY) {
		member_commit(w, "id", &s->id);
		step_headers(w, s);
	}
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
	member_commit(w, "base", &s->base);
	json_member(w, "base_why", s->base_why);
	member_strings(w, "distributions", &s->distributions);
	json_member_bool(w, "first", s->first);
	json_member_bool(w, "takeover", s->takeover);
	member_commit(w, "unfinished_commit", &s->unfinished);
	for (enum step_why why = WHY_ADDED; why < WHYS; why++)
		json_member_int(w, step_why_name(why), (int64_t)s->counts[why]);
	json_member_int(w, "retired", (int64_t)s->retired);
	json_member_int(w, "unchanged", (int64_t)s->unchanged);
	json_close(w, '}');
}

static void put_note(struct json_writer *w, const struct plan *p, const struct note *n)
{
	json_open(w, '{');
	json_member(w, "kind", n->kind == NOTE_WARNING ? "warning" : "note");
	if (n->site < p->sites.len)
		json_member(w, "site", p->sites.items[n->site].site->name);
	if (n->path)
		json_member(w, "path", n->path);
	json_member(w, "text", n->text);
	json_close(w, '}');
}

/* The nth item of a list, into a buffer of its own. */
typedef void (*put_item)(struct json_writer *w, const struct plan *p, size_t i);

static void put_nth_step(struct json_writer *w, const struct plan *p, size_t i)
{
	json_open(w, '{');
	step_members(w, p, i);
	json_close(w, '}');
}

static void put_nth_note(struct json_writer *w, const struct plan *p, size_t i)
{
	put_note(w, p, &p->notes.items[i]);
}

/* Items from..to of a list, as long as the line stays within so many bytes (0: any number).
 * Returns how many were left out. */
static size_t put_list(struct json_writer *w, const struct plan *p, put_item put,
		       size_t from, size_t to, size_t most)
{
	CLEANUP(buf) struct buf item = BUF_INIT(ITEM_MAX);

	json_open(w, '[');
	for (; from < to; from++) {
		struct json_writer one = JSON_WRITER_INIT(&item);

		buf_clear(&item);
		put(&one, p, from);
		if (item.overflowed || (most && w->out->len + item.len > most))
			break;
		json_put_raw(w, item.data);
	}
	json_close(w, ']');
	return to - from;
}

void report_plan_json(const struct plan *p, size_t max_bytes, struct buf *out)
{
	struct json_writer w = JSON_WRITER_INIT(out);
	size_t backends_end = max_bytes ? out->len + max_bytes / 4 : 0;
	size_t notes_end = max_bytes ? out->len + max_bytes / 2 : 0;
	size_t steps_end = max_bytes ? out->len + max_bytes - LINE_END_MOST : 0;
	size_t left;

	open_line(&w, "plan");
	member_commit(&w, "head", &p->head);
	json_member_bool(&w, "offline", p->offline);
	json_member(&w, "refused", p->refused ? p->refusal : NULL);
	json_key(&w, "backends");
	json_open(&w, '[');
	for (size_t i = 0; i < p->backends.len; i++)
		put_backend(&w, &p->backends.items[i], backends_end);
	json_close(&w, ']');
	json_key(&w, "sites");
	json_open(&w, '[');
	for (size_t i = 0; i < p->sites.len; i++)
		put_site(&w, &p->sites.items[i]);
	json_close(&w, ']');
	/* Notes come first, so that steps cannot crowd them out. */
	json_key(&w, "notes");
	left = put_list(&w, p, put_nth_note, 0, p->notes.len, notes_end);
	if (left)
		json_member_int(&w, "notes_left_out", (int64_t)left);
	json_key(&w, "steps");
	left = put_list(&w, p, put_nth_step, 0, p->steps.len, steps_end);
	if (left)
		json_member_int(&w, "steps_left_out", (int64_t)left);
	close_line(&w);
}

static const char *const status_names[] = {
	[STATUS_PENDING] = "pending",
	[STATUS_DONE] = "done",
	[STATUS_LEFT] = "left-alone",
	[STATUS_FAILED] = "failed",
};

void report_step_json(const struct plan *p, size_t step,
		      const struct step_outcome *outcome, struct buf *out)
{
	struct json_writer w = JSON_WRITER_INIT(out);

	open_line(&w, "step");
	step_members(&w, p, step);
	json_member(&w, "status", status_names[outcome->status]);
	json_member_int(&w, "bytes", outcome->bytes);
	if (outcome->etag)
		json_member(&w, "etag", outcome->etag);
	if (outcome->invalidation)
		json_member(&w, "invalidation", outcome->invalidation);
	if (outcome->error)
		json_member(&w, "error", outcome->error);
	close_line(&w);
}

void report_progress_json(const struct report_progress *p, struct buf *out)
{
	struct json_writer w = JSON_WRITER_INIT(out);

	open_line(&w, "progress");
	if (p->waiting) {
		json_member(&w, "waiting", p->waiting);
	} else {
		json_member_int(&w, "bytes", p->bytes);
		json_member_int(&w, "bytes_total", p->bytes_total);
		json_member_int(&w, "steps", (int64_t)p->steps);
		json_member_int(&w, "steps_total", (int64_t)p->steps_total);
	}
	close_line(&w);
}

void report_resources_json(const struct backend *backend,
			   const struct resource_list *changes, struct buf *out)
{
	struct json_writer w = JSON_WRITER_INIT(out);

	open_line(&w, "progress");
	json_member(&w, "backend", backend->name);
	member_resources(&w, changes, 0);
	close_line(&w);
}

static void member_outputs(struct json_writer *w, const char *key,
			   const struct stack_output_list *list)
{
	json_key(w, key);
	json_open(w, '{');
	for (size_t i = 0; i < list->len; i++)
		json_member(w, list->items[i].name, list->items[i].value);
	json_close(w, '}');
}

static void put_backend_outcome(struct json_writer *w, const struct backend_outcome *b)
{
	json_open(w, '{');
	json_member(w, "name", b->backend->name);
	json_member(w, "kind", backend_kind(b->backend));
	json_member(w, "target", b->target);
	json_member(w, "status", backend_status_name(b->status));
	member_resources(w, &b->changes, 0);
	member_outputs(w, "outputs", &b->outputs);
	json_member_int(w, "repaired", (int64_t)b->repaired);
	if (b->version)
		json_member(w, "version", b->version);
	json_member_int(w, "duration_ms", b->duration_ms);
	if (b->error)
		json_member(w, "error", b->error);
	if (b->goes_on)
		json_member_bool(w, "goes_on", true);
	json_close(w, '}');
}

static void put_backends(struct json_writer *w, const struct outcome *o)
{
	json_key(w, "backends");
	json_open(w, '[');
	for (size_t i = 0; i < o->backends.len; i++)
		put_backend_outcome(w, &o->backends.items[i]);
	json_close(w, ']');
}

/* Those that fit before end; returns how many do not. */
static size_t put_outputs(struct json_writer *w, const struct stack_output_list *list,
			  size_t end)
{
	CLEANUP(buf) struct buf item = BUF_INIT(ITEM_MAX);
	size_t left = 0;

	json_open(w, '{');
	for (size_t i = 0; i < list->len; i++) {
		struct json_writer one = JSON_WRITER_INIT(&item);

		buf_clear(&item);
		json_put_str(&one, list->items[i].name);
		json_put_str(&one, list->items[i].value);
		/* A comma and a colon, and what closes both objects. */
		if (item.overflowed || w->out->len + item.len + 4 > end)
			left++;
		else
			json_member(w, list->items[i].name, list->items[i].value);
	}
	json_close(w, '}');
	return left;
}

size_t report_outputs_json(const struct outcome *o, size_t max_bytes, struct buf *out)
{
	struct json_writer w = JSON_WRITER_INIT(out);
	size_t end = out->len + max_bytes;
	size_t left = 0;

	json_open(&w, '{');
	for (size_t i = 0; i < o->backends.len; i++) {
		const struct backend_outcome *b = &o->backends.items[i];

		if (!b->outputs.len)
			continue;
		if (out->len + strlen(b->backend->name) + strlen(",\"\":{}}") > end) {
			left += b->outputs.len;
			continue;
		}
		json_key(&w, b->backend->name);
		left += put_outputs(&w, &b->outputs, end);
	}
	json_close(&w, '}');
	return left;
}

static void put_invalidations(struct json_writer *w, const struct outcome *o)
{
	json_key(w, "invalidations");
	json_open(w, '[');
	for (size_t i = 0; o->steps && i < o->plan.steps.len; i++) {
		if (!o->steps[i].invalidation)
			continue;
		json_open(w, '{');
		json_member(w, "distribution", o->plan.steps.items[i].distribution);
		json_member(w, "id", o->steps[i].invalidation);
		json_member_bool(w, "completed", o->steps[i].completed);
		json_close(w, '}');
	}
	json_close(w, ']');
}

static void put_end(struct json_writer *w, const struct outcome *o)
{
	if (o->superseded_by) {
		json_member(w, "superseded_by", o->superseded_by);
		json_member(w, "superseded_why", o->superseded_why);
	}
	if (o->nothing_why)
		json_member(w, "nothing_why", o->nothing_why);
	if (o->error.code) {
		json_member(w, "error_code", error_code_name(o->error.code));
		json_member(w, "error", o->error.msg);
	}
	json_member_int(w, "exit", error_exit_status(o->error.code));
}

void report_result_json(const struct outcome *o, struct buf *out)
{
	struct json_writer w = JSON_WRITER_INIT(out);
	struct outcome_totals t = outcome_count(o);

	open_line(&w, "result");
	json_member(&w, "verdict", verdict_name(o->verdict));
	member_commit(&w, "head", &o->plan.head);
	json_member_bool(&w, "changed", outcome_changed(&t));
	json_member_int(&w, "uploaded", (int64_t)t.uploaded);
	json_member_int(&w, "copied", (int64_t)t.copied);
	json_member_int(&w, "deleted", (int64_t)t.deleted);
	json_member_int(&w, "bytes", t.bytes);
	json_member_int(&w, "invalidation_paths", (int64_t)t.patterns);
	put_invalidations(&w, o);
	put_backends(&w, o);
	json_key(&w, "notes");
	json_open(&w, '[');
	for (size_t i = 0; i < o->notes.len; i++)
		put_note(&w, &o->plan, &o->notes.items[i]);
	json_close(&w, ']');
	json_member_int(&w, "duration_ms", o->duration_ms);
	put_end(&w, o);
	close_line(&w);
}

size_t report_patterns_json(const struct outcome *o, size_t max_bytes, struct buf *out)
{
	struct json_writer w = JSON_WRITER_INIT(out);
	size_t end = out->len + max_bytes;
	size_t left = 0;

	json_open(&w, '[');
	for (size_t i = 0; i < o->plan.steps.len; i++) {
		const struct str_list *patterns = &o->plan.steps.items[i].cover.patterns;

		for (size_t k = 0; outcome_counts(o, i) && k < patterns->len; k++) {
			/* Encoded, they hold nothing that JSON has to escape. */
			if (left || out->len + strlen(patterns->items[k]) + 4 > end)
				left++;
			else
				json_put_str(&w, patterns->items[k]);
		}
	}
	json_close(&w, ']');
	return left;
}
