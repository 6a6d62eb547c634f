#include "core/report.h"

#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "core/report_private.h"

/* Names */

/* Bytes of the next character of s (at most n); 0: not UTF-8. */
static size_t char_len(const char *s, size_t n)
{
	for (size_t len = 1; len <= 4 && len <= n; len++)
		if (str_is_utf8(s, len))
			return len;
	return 0;
}

/* U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069 and U+061C reorder what is read;
 * U+2028 and U+2029 end lines in some viewers; U+0080 to U+009F are control characters. */
static bool is_deceptive(const char *s, size_t len)
{
	const unsigned char *b = (const unsigned char *)s;

	if (len == 1)
		return b[0] < 0x20 || b[0] == 0x7F;
	if (len == 2)
		return (b[0] == 0xC2 && b[1] < 0xA0) || (b[0] == 0xD8 && b[1] == 0x9C);
	if (len == 3 && b[0] == 0xE2 && b[1] == 0x80)
		return b[2] == 0x8E || b[2] == 0x8F || (b[2] >= 0xA8 && b[2] <= 0xAE);
	return len == 3 && b[0] == 0xE2 && b[1] == 0x81 && b[2] >= 0xA6 && b[2] <= 0xA9;
}

void report_name(struct buf *out, const char *name)
{
	size_t n = strlen(name);
	bool started = false; /* something that is no kind of space, even in Unicode */

	while (n) {
		size_t len = char_len(name, n);
		size_t step = len ? len : 1;
		bool command = str_starts(name, "##[") ||
			       (!started && str_starts(name, "::"));

		if (len && !is_deceptive(name, len) && !command)
			buf_add(out, name, len);
		else
			for (size_t i = 0; i < step; i++)
				buf_printf(out, "\\x%02x", (unsigned char)name[i]);
		started |= command || (*name > ' ' && *name < 0x7F);
		name += step;
		n -= step;
	}
}

void report_size(struct buf *out, int64_t bytes)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB" };
	double n = (double)bytes;
	size_t unit = 0;

	if (bytes < 1000) {
		buf_printf(out, "%" PRId64 " B", bytes);
		return;
	}
	for (n /= 1000; n >= 999.5 && unit < 3; n /= 1000)
		unit++;
	buf_printf(out, n < 9.95 ? "%.1f %s" : "%.0f %s", n, units[unit]);
}

/* Pieces */

void report_place(struct buf *out, const struct plan_site *s)
{
	if (!s->bucket) {
		buf_str(out, s->site->bucket.kind == VALUE_OUTPUT ? "(known after deploy)"
								  : "(no bucket yet)");
		return;
	}
	buf_printf(out, "s3://%s/", s->bucket);
	report_name(out, s->site->prefix);
}

void report_commit(struct buf *out, const struct oid *id)
{
	char hex[OID_HEX_SIZE];

	buf_printf(out, "%.10s", oid_hex(id, hex));
}

static void put_names(struct buf *out, const struct str_list *names)
{
	for (size_t i = 0; i < names->len; i++) {
		if (i)
			buf_str(out, ", ");
		report_name(out, names->items[i]);
	}
}

void report_invalidation(struct buf *out, const struct step *s)
{
	size_t n = s->cover.patterns.len;

	buf_printf(out, "%zu path%s", n, n == 1 ? "" : "s");
	if (s->everything) {
		buf_printf(out, ", everything (%s)", s->everything);
		return;
	}
	if (!s->evicted && !s->evicted_elsewhere.len) {
		buf_str(out, ", nothing unchanged is evicted");
		return;
	}
	buf_str(out, ", evicting ");
	if (s->evicted) {
		buf_printf(out, "%zu unchanged path%s with %s: ", s->evicted,
			   s->evicted == 1 ? "" : "s", n == 1 ? "it" : "them");
		put_names(out, &s->evicted_first);
		if (s->evicted > s->evicted_first.len)
			buf_str(out, ", ...");
	}
	if (s->evicted_elsewhere.len) {
		buf_printf(out, "%swhat is kept of ", s->evicted ? "; and " : "");
		put_names(out, &s->evicted_elsewhere);
	}
}

static void put_span(struct buf *out, int64_t seconds)
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = {
		{ 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" }
	};
	size_t i = 0;

	while (seconds % units[i].seconds)
		i++;
	seconds /= units[i].seconds;
	buf_printf(out, "%" PRId64 " %s%s", seconds, units[i].name,
		   seconds == 1 ? "" : "s");
}

void report_counts(struct buf *out, const struct plan_site *s)
{
	static const char *const words[WHYS] = {
		[WHY_ADDED] = "added",
		[WHY_MODIFIED] = "modified",
		[WHY_HEADERS] = "with other headers",
		[WHY_DELETED] = "deleted",
		[WHY_EXPIRED] = "expired",
		[WHY_UNFINISHED] = "left unfinished",
		[WHY_DRIFT] = "changed by others",
		[WHY_ADOPTED] = "adopted",
	};

	for (enum step_why why = WHY_ADDED; why < WHYS; why++)
		if (s->counts[why])
			buf_printf(out, "%zu %s, ", s->counts[why], words[why]);
	buf_printf(out, "%zu unchanged", s->unchanged);
	if (s->retired) {
		buf_printf(out, ", %zu retired (kept for ", s->retired);
		put_span(out, s->site->keep_s);
		buf_char(out, ')');
	}
}

void report_target(struct buf *out, const struct backend *backend, const char *target)
{
	buf_str(out, backend->kind == BACKEND_FUNCTION ? "function " : "stack ");
	report_name(out, target ? target : "(not known)");
}

const char *report_backend_verdict(const struct plan_backend *b)
{
	static const char *const verdicts[] = {
		[BACKEND_SAME] = "unchanged",
		[BACKEND_DEPLOY] = "deploy",
		[BACKEND_LATER] = "later",
		[BACKEND_LEFT] = "left alone",
	};

	if (b->verdict == BACKEND_DEPLOY && b->creates)
		return "create";
	return verdicts[b->verdict];
}

const char *report_action(const struct resource_change *change)
{
	static const struct {
		const char *action;
		const char *word;
	} words[] = {
		{ "Add", "add" },       { "Modify", "modify" },   { "Remove", "remove" },
		{ "Import", "import" }, { "Dynamic", "perhaps" },
	};

	if (str_eq(change->replacement, "True"))
		return "REPLACE";
	if (str_eq(change->replacement, "Conditional"))
		return "REPLACE?";
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (str_eq(words[i].action, change->action))
			return words[i].word;
	return "change";
}

static const char *end_word(const struct backend_outcome *b)
{
	switch (b->status) {
	case BACKEND_PENDING:
		return "not deployed";
	case BACKEND_CREATED:
		return "created";
	case BACKEND_UPDATED:
		return "updated";
	case BACKEND_FAILED:
		return "failed";
	case BACKEND_CONFIRMED:
		break;
	}
	return b->backend->kind == BACKEND_FUNCTION
		       ? "unchanged: this code is live already"
		       : "unchanged: CloudFormation found nothing to do";
}

void report_backend_end(struct buf *out, const struct backend_outcome *b)
{
	size_t n = b->status == BACKEND_FAILED ? 0 : b->changes.len;

	buf_str(out, end_word(b));
	if (b->version) {
		buf_str(out, " to version ");
		report_name(out, b->version);
	}
	if (n)
		buf_printf(out, " (%zu resource%s", n, n == 1 ? "" : "s");
	if (b->repaired)
		buf_printf(out, "%scode of %zu function%s repaired", n ? ", " : " (",
			   b->repaired, b->repaired == 1 ? "" : "s");
	if (n || b->repaired)
		buf_char(out, ')');
}

const char *report_verdict(enum site_verdict verdict)
{
	static const char *const verdicts[] = {
		[SITE_UP_TO_DATE] = "nothing to do: this commit is deployed",
		[SITE_RECORD] =
			"the content is deployed already: only the commit is recorded",
		[SITE_DEPLOY] = "",
	};

	return verdicts[verdict];
}

const char *report_verb(const struct step *s)
{
	static const char *const verbs[STEP_KINDS] = {
		[STEP_ABORT] = "clean up", [STEP_BACKEND] = "deploy",
		[STEP_PUT] = "upload",     [STEP_COPY] = "headers",
		[STEP_DELETE] = "delete",
	};

	return verbs[s->kind];
}

const char *report_why(const struct step *s)
{
	return s->why == WHY_HEADERS ? "changed" : step_why_name(s->why);
}

static void put_files(struct buf *out, const struct outcome_totals *t)
{
	buf_printf(out, "%zu uploaded", t->uploaded);
	if (t->bytes) {
		buf_str(out, " (");
		report_size(out, t->bytes);
		buf_char(out, ')');
	}
	if (t->copied)
		buf_printf(out, ", %zu given other headers", t->copied);
	buf_printf(out, ", %zu deleted, %zu invalidation path%s", t->deleted, t->patterns,
		   t->patterns == 1 ? "" : "s");
}

static bool sites_changed(const struct outcome_totals *t)
{
	return t->uploaded || t->copied || t->deleted || t->patterns;
}

/* What was done: of backends, and of files unless there is nothing but backends to tell of. */
static void put_totals(struct buf *out, const struct outcome *o,
		       const struct outcome_totals *t)
{
	size_t start = out->len;

	for (size_t i = 0; i < o->backends.len; i++) {
		const struct backend_outcome *b = &o->backends.items[i];

		if (b->status != BACKEND_CREATED && b->status != BACKEND_UPDATED)
			continue;
		buf_str(out, out->len > start ? ", backend " : "backend ");
		report_name(out, b->backend->name);
		buf_char(out, ' ');
		report_backend_end(out, b);
	}
	if (out->len > start && !sites_changed(t))
		return;
	if (out->len > start)
		buf_str(out, ", ");
	put_files(out, t);
}

static void put_end(struct buf *out, const struct outcome *o,
		    const struct outcome_totals *t)
{
	double seconds = (double)o->duration_ms / 1000;

	if (outcome_changed(t)) {
		buf_str(out, "Deployed: ");
		put_totals(out, o, t);
		buf_printf(out, ", in %.1f s.\n", seconds);
	} else if (o->plan.sites.len) {
		buf_printf(out,
			   "Recorded the commit: its content was deployed already "
			   "(%.1f s).\n",
			   seconds);
	} else {
		buf_printf(out,
			   "Nothing had to change: the commit was deployed already "
			   "(%.1f s).\n",
			   seconds);
	}
}

/* What has not stopped though we have; true: there is something. */
static bool put_going_on(struct buf *out, const struct outcome *o)
{
	bool any = false;

	for (size_t i = 0; i < o->backends.len; i++) {
		const struct backend_outcome *b = &o->backends.items[i];

		if (!b->goes_on)
			continue;
		buf_printf(out, "%s%s ", any ? ", " : "",
			   b->backend->kind == BACKEND_FUNCTION
				   ? "Lambda goes on taking in the code of function"
				   : "CloudFormation goes on changing stack");
		report_name(out, b->target);
		any = true;
	}
	return any;
}

static void put_stop(struct buf *out, const struct outcome *o,
		     const struct outcome_totals *t)
{
	CLEANUP(buf) struct buf going_on = BUF_INIT(ERROR_MSG_MAX);
	bool goes_on = put_going_on(&going_on, o);

	if (!outcome_changed(t) && !goes_on) {
		buf_str(out, "Nothing was deployed.\n");
		return;
	}
	buf_str(out, "Stopped on the way: ");
	if (outcome_changed(t))
		put_totals(out, o, t);
	buf_printf(out, "%s%s", outcome_changed(t) && goes_on ? ", " : "", going_on.data);
	if (!sites_changed(t) && o->plan.sites.len)
		buf_str(out, ", no site was touched");
	buf_str(out, ".\n");
}

void report_sentence(struct buf *out, const struct outcome *o)
{
	struct outcome_totals t = outcome_count(o);

	switch (o->verdict) {
	case VERDICT_PLANNED:
		buf_printf(out, "Dry run: nothing was written anywhere%s.\n",
			   o->plan.refused ? ", and a deploy would be refused" : "");
		break;
	case VERDICT_NOTHING:
		if (o->nothing_why)
			buf_printf(out, "Nothing is deployed: %s.\n", o->nothing_why);
		else
			buf_str(out, "Nothing to do: the commit is deployed.\n");
		break;
	case VERDICT_SUPERSEDED:
		buf_printf(out, "Superseded: the newer commit %.10s %s (%s).\n",
			   o->superseded_by,
			   o->superseded_is_begun
				   ? "was begun and has not ended: run its deploy again"
				   : "is deployed",
			   o->superseded_why);
		break;
	case VERDICT_DONE:
		put_end(out, o, &t);
		break;
	case VERDICT_UNVERIFIED:
		buf_str(out, "Deployed and recorded, but not seen where visitors look: ");
		put_totals(out, o, &t);
		buf_str(out, ".\n");
		break;
	case VERDICT_PARTIAL:
		buf_str(out, "Partly done: ");
		put_totals(out, o, &t);
		buf_str(out, ". Run again to finish: what is left is journalled.\n");
		break;
	case VERDICT_REFUSED:
	case VERDICT_FAILED:
		put_stop(out, o, &t);
		break;
	}
}

/* A plan in a line */

static size_t count_backends(const struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->backends.len; i++)
		n += p->backends.items[i].verdict == BACKEND_DEPLOY ||
		     p->backends.items[i].verdict == BACKEND_LATER;
	return n;
}

static void put_planned_files(struct buf *out, const struct outcome_totals *t)
{
	buf_printf(out, "%zu to upload", t->uploaded);
	if (t->copied)
		buf_printf(out, ", %zu to be given other headers", t->copied);
	buf_printf(out, ", %zu to delete, %zu invalidation path%s", t->deleted,
		   t->patterns, t->patterns == 1 ? "" : "s");
}

void report_plan_line(const struct plan *p, struct buf *out)
{
	const struct outcome all = { .plan = *p, .verdict = VERDICT_PLANNED };
	struct outcome_totals t = outcome_count(&all);
	size_t backends = count_backends(p);

	buf_str(out, "Plan for commit ");
	report_commit(out, &p->head);
	buf_str(out, ": ");
	if (plan_is_empty(p) && !backends)
		buf_str(out, "nothing to do");
	if (backends)
		buf_printf(out, "%zu backend%s to deploy", backends,
			   backends == 1 ? "" : "s");
	if (backends && sites_changed(&t))
		buf_str(out, ", ");
	if (sites_changed(&t))
		put_planned_files(out, &t);
	else if (!backends && !plan_is_empty(p))
		buf_str(out, "only the commit to record");
	if (p->refused) {
		buf_str(out, "; refused: ");
		report_name(out, p->refusal);
	}
	buf_char(out, '\n');
}

/* Text */

#define RED       "\033[31m"
#define GREEN     "\033[32m"
#define YELLOW    "\033[33m"
#define MAGENTA   "\033[35m"
#define CYAN      "\033[36m"
#define COLOR_END "\033[0m"

static const char *const colors[WHYS] = {
	[WHY_NONE] = "",
	[WHY_ADDED] = GREEN,
	[WHY_MODIFIED] = YELLOW,
	[WHY_HEADERS] = CYAN,
	[WHY_DELETED] = RED,
	[WHY_EXPIRED] = RED,
	[WHY_UNFINISHED] = MAGENTA,
	[WHY_DRIFT] = MAGENTA,
	[WHY_ADOPTED] = CYAN,
};

static const char *paint(const struct report_style *style, const char *color)
{
	return style->color ? color : "";
}

static void text_base(const struct plan_site *s, struct buf *out)
{
	buf_str(out, "    base    ");
	if (s->has_base)
		report_commit(out, &s->base);
	else
		buf_str(out, "none");
	if (!str_empty(s->base_why))
		buf_printf(out, " (%s)", s->base_why);
	buf_char(out, '\n');
	if (s->takeover) {
		buf_str(out, "    finishes what the deploy of ");
		report_commit(out, &s->unfinished);
		buf_str(out, " began\n");
	}
}

static void text_row(const struct step *s, const struct report_style *style,
		     struct buf *out)
{
	buf_printf(out, "    %s%-8s%s %-10s ", paint(style, colors[s->why]),
		   report_verb(s), paint(style, COLOR_END), report_why(s));
	report_name(out, s->path);
	buf_char(out, '\n');
}

static void text_left_out(size_t rows, const struct report_style *style, struct buf *out)
{
	if (style->max_rows && rows > style->max_rows)
		buf_printf(out, "    ... and %zu more\n", rows - style->max_rows);
}

static void text_changes(const struct plan *p, size_t site,
			 const struct report_style *style, struct buf *out)
{
	size_t rows = 0;

	for (size_t i = 0; i < p->steps.len; i++) {
		const struct step *s = &p->steps.items[i];

		if (s->site == site && s->path &&
		    (rows++ < style->max_rows || !style->max_rows))
			text_row(s, style, out);
	}
	text_left_out(rows, style, out);
}

static void text_invalidation(const struct step *s, const struct report_style *style,
			      struct buf *out)
{
	buf_printf(out, "    invalidate ");
	report_name(out, s->distribution);
	buf_str(out, ": ");
	report_invalidation(out, s);
	buf_char(out, '\n');
	for (size_t i = 0; i < s->cover.patterns.len; i++) {
		if (style->max_rows && i == style->max_rows)
			break;
		buf_str(out, "      ");
		report_name(out, s->cover.patterns.items[i]);
		buf_char(out, '\n');
	}
	text_left_out(s->cover.patterns.len, style, out);
}

static void text_invalidations(const struct plan *p, size_t site,
			       const struct report_style *style, struct buf *out)
{
	for (size_t i = 0; i < p->steps.len; i++)
		if (p->steps.items[i].site == site &&
		    p->steps.items[i].kind == STEP_INVALIDATE)
			text_invalidation(&p->steps.items[i], style, out);
}

static void text_site(const struct plan *p, size_t i, const struct report_style *style,
		      struct buf *out)
{
	const struct plan_site *s = &p->sites.items[i];

	buf_str(out, "  site ");
	report_name(out, s->site->name);
	buf_str(out, " -> ");
	report_place(out, s);
	buf_char(out, '\n');
	text_base(s, out);
	text_changes(p, i, style, out);
	text_invalidations(p, i, style, out);
	buf_str(out, "    ");
	if (s->verdict == SITE_DEPLOY)
		report_counts(out, s);
	else
		buf_str(out, report_verdict(s->verdict));
	buf_char(out, '\n');
}

static void text_resources(const struct resource_list *changes,
			   const struct report_style *style, struct buf *out)
{
	for (size_t i = 0; i < changes->len; i++) {
		const struct resource_change *c = &changes->items[i];
		const char *word = report_action(c);
		bool loud = str_starts(word, "REPLACE") || str_eq(word, "remove");

		if (style->max_rows && i == style->max_rows)
			break;
		buf_printf(out, "      %s%-8s%s ", paint(style, loud ? RED : YELLOW),
			   word, paint(style, COLOR_END));
		report_name(out, c->name);
		buf_str(out, " (");
		report_name(out, c->type);
		buf_str(out, ")\n");
	}
	text_left_out(changes->len, style, out);
}

void report_resources_text(const struct backend *backend,
			   const struct resource_list *changes,
			   const struct report_style *style, struct buf *out)
{
	buf_str(out, "  backend ");
	report_name(out, backend->name);
	buf_printf(out, ": %zu resource%s\n", changes->len, changes->len == 1 ? "" : "s");
	text_resources(changes, style, out);
}

static void text_backend(const struct plan_backend *b, const struct report_style *style,
			 struct buf *out)
{
	const char *color = paint(style, b->why ? YELLOW : "");

	buf_str(out, "  backend ");
	report_name(out, b->backend->name);
	buf_str(out, " -> ");
	report_target(out, b->backend, b->target);
	buf_printf(out, "\n    %s%s%s", color, report_backend_verdict(b),
		   *color ? COLOR_END : "");
	if (b->why) {
		buf_str(out, ": ");
		report_name(out, b->why);
	}
	buf_char(out, '\n');
	if (b->previewed && !b->resources.len)
		buf_str(out, "      CloudFormation finds nothing to change\n");
	text_resources(&b->resources, style, out);
}

static void text_notes(const struct note_list *notes, const struct report_style *style,
		       struct buf *out)
{
	for (size_t i = 0; i < notes->len; i++) {
		const struct note *n = &notes->items[i];
		bool warning = n->kind == NOTE_WARNING;

		buf_printf(out, "  %s%s%s ", paint(style, warning ? YELLOW : ""),
			   warning ? "warning:" : "note:",
			   paint(style, warning ? COLOR_END : ""));
		if (n->path) {
			report_name(out, n->path);
			buf_char(out, ' ');
		}
		report_name(out, n->text);
		buf_char(out, '\n');
	}
}

void report_plan_text(const struct plan *p, const struct report_style *style,
		      struct buf *out)
{
	buf_str(out, "Plan for commit ");
	report_commit(out, &p->head);
	buf_printf(out, "%s\n", p->offline ? " (offline: compared in git alone)" : "");
	for (size_t i = 0; i < p->backends.len; i++)
		text_backend(&p->backends.items[i], style, out);
	for (size_t i = 0; i < p->sites.len; i++)
		text_site(p, i, style, out);
	text_notes(&p->notes, style, out);
	if (p->refused) {
		buf_printf(out, "  %srefused:%s ", paint(style, RED),
			   paint(style, COLOR_END));
		report_name(out, p->refusal);
		buf_char(out, '\n');
	}
}

void report_outcome_text(const struct outcome *o, const struct report_style *style,
			 struct buf *out)
{
	static const char *const verdict_colors[] = {
		[VERDICT_PLANNED] = "",    [VERDICT_DONE] = GREEN,
		[VERDICT_NOTHING] = GREEN, [VERDICT_SUPERSEDED] = YELLOW,
		[VERDICT_REFUSED] = RED,   [VERDICT_PARTIAL] = YELLOW,
		[VERDICT_FAILED] = RED,    [VERDICT_UNVERIFIED] = RED,
	};
	CLEANUP(buf) struct buf sentence = BUF_INIT(4096);
	const char *color = paint(style, verdict_colors[o->verdict]);
	size_t word;

	text_notes(&o->notes, style, out);
	report_sentence(&sentence, o);
	word = strcspn(sentence.data, ":.");
	buf_printf(out, "%s%.*s%s%s", color, (int)word, sentence.data,
		   *color ? COLOR_END : "", sentence.data + word);
}
