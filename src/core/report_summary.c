#include "core/report_private.h"

#include <inttypes.h>
#include <string.h>

#include "core/report.h"

/* The runner drops a summary over 1 MiB whole. What is reserved closes what is open. */
enum { SUMMARY_MAX = 900 << 10, RESERVED = 32 << 10, ITEM_MAX = 64 << 10 };
/* Longer lists are folded; and nobody reads more than so many. */
enum { SHOWN_OPEN = 12, ROWS_MOST = 2000 };

/* Names */

/* What Markdown would read as markup goes as a character reference. */
static void plain(struct buf *out, const char *text, const char *after_at)
{
	CLEANUP(buf) struct buf safe = BUF_INIT(ITEM_MAX);

	report_name(&safe, text);
	for (const char *c = safe.data; *c; c++) {
		bool web = *c == '.' && c - safe.data >= 3 &&
			   memcmp(c - 3, "www", 3) == 0;

		if (web || strchr("&<>|`*_[]\\~@#:!$", *c))
			buf_printf(out, "&#%d;", *c);
		else
			buf_char(out, *c);
		if (*c == '@')
			buf_str(out, after_at);
	}
}

/* A name, as code: GitHub finds no mention, number or link in it. */
static void code(struct buf *out, const char *name)
{
	buf_str(out, "<code>");
	plain(out, name, "");
	buf_str(out, "</code>");
}

/* A sentence that may hold names. The comment keeps "@somebody" from being a mention. */
static void prose(struct buf *out, const char *text)
{
	plain(out, text, "<!-- -->");
}

/* Lists that may be too long */

struct list {
	struct buf *out;
	size_t end; /* of what it may fill */
	size_t shown;
	size_t left_out;
};

/* A list gets a quarter of what is left, so that there is always something for the next. */
static struct list list_open(struct buf *out)
{
	size_t room = out->max - RESERVED;

	return (struct list){
		.out = out,
		.end = out->len < room ? out->len + (room - out->len) / 4 : 0,
	};
}

static void list_add(struct list *l, const struct buf *item)
{
	if (l->left_out || l->shown == ROWS_MOST || item->overflowed ||
	    l->out->len + item->len > l->end) {
		l->left_out++;
		return;
	}
	buf_add(l->out, item->data, item->len);
	l->shown++;
}

static void list_close(const struct list *l)
{
	if (l->left_out)
		buf_printf(l->out, "\n... and %zu more.\n", l->left_out);
}

static void fold(struct buf *out, size_t n, const char *what)
{
	if (n > SHOWN_OPEN)
		buf_printf(out, "<details><summary>%zu %s</summary>\n\n", n, what);
}

static void fold_end(struct buf *out, size_t n)
{
	if (n > SHOWN_OPEN)
		buf_str(out, "\n</details>\n");
}

/* The parts */

static void headline(const struct outcome *o, struct buf *out)
{
	static const char *const words[] = {
		[VERDICT_PLANNED] = "planned",
		[VERDICT_DONE] = "deployed",
		[VERDICT_NOTHING] = "nothing to do",
		[VERDICT_SUPERSEDED] = "superseded by a newer commit",
		[VERDICT_UNVERIFIED] = "deployed, but not seen",
		[VERDICT_REFUSED] = "refused",
		[VERDICT_PARTIAL] = "partly done",
		[VERDICT_FAILED] = "failed",
	};

	buf_printf(out, "### crc: %s\n\n", words[o->verdict]);
	report_sentence(out, o);
	if (o->error.code || o->plan.refused) {
		buf_str(out, "\n> ");
		prose(out, o->error.code ? o->error.msg : o->plan.refusal);
		buf_char(out, '\n');
	}
}

/* "a..b", as a link where one is known. */
static void commits(const struct plan *p, const struct plan_site *s,
		    const char *compare_url, struct buf *out)
{
	char base[OID_HEX_SIZE];
	char head[OID_HEX_SIZE];
	bool linked = compare_url && s->has_base && !oid_equal(&s->base, &p->head);

	oid_hex(&s->base, base);
	oid_hex(&p->head, head);
	if (linked)
		buf_char(out, '[');
	if (s->has_base)
		buf_printf(out, "`%.10s..%.10s`", base, head);
	else
		buf_printf(out, "`%.10s`, compared with nothing", head);
	if (linked)
		buf_printf(out, "](%s%s...%s)", compare_url, base, head);
}

static void site_head(const struct plan *p, const struct plan_site *s,
		      const char *compare_url, struct buf *out)
{
	CLEANUP(buf) struct buf place = BUF_INIT(4096);

	report_place(&place, s);
	buf_str(out, "\n#### ");
	code(out, s->site->name);
	buf_str(out, " in ");
	code(out, place.data);
	buf_str(out, "\n\n");
	commits(p, s, compare_url, out);
	if (s->base_why) {
		buf_str(out, " (");
		prose(out, s->base_why);
		buf_char(out, ')');
	}
	if (s->takeover) {
		buf_str(out, "; finishes what the deploy of `");
		report_commit(out, &s->unfinished);
		buf_str(out, "` began");
	}
	buf_str(out, "; ");
	if (s->verdict == SITE_DEPLOY)
		report_counts(out, s);
	else
		buf_str(out, report_verdict(s->verdict));
	buf_str(out, ".\n");
}

/* Whether the table has to tell what was done. */
static bool ended_early(const struct outcome *o)
{
	return o->steps &&
	       (o->verdict == VERDICT_PARTIAL || o->verdict == VERDICT_FAILED ||
		o->verdict == VERDICT_REFUSED);
}

static const char *status_word(const struct outcome *o, size_t step)
{
	static const char *const words[] = {
		[STATUS_PENDING] = "not done",
		[STATUS_DONE] = "done",
		[STATUS_LEFT] = "left alone",
		[STATUS_FAILED] = "**failed**",
	};

	return words[o->steps[step].status];
}

static void row(const struct outcome *o, size_t i, struct buf *out)
{
	const struct step *s = &o->plan.steps.items[i];

	buf_printf(out, "| %s | %s | ", report_verb(s), report_why(s));
	code(out, s->path);
	if (ended_early(o))
		buf_printf(out, " | %s", status_word(o, i));
	buf_str(out, " |\n");
}

static bool is_change(const struct step *s, size_t site)
{
	return s->site == site && s->path;
}

static void site_table(const struct outcome *o, size_t site, struct buf *out)
{
	const struct step_list *steps = &o->plan.steps;
	struct list list;
	size_t n = 0;

	for (size_t i = 0; i < steps->len; i++)
		n += is_change(&steps->items[i], site);
	if (!n)
		return;
	buf_char(out, '\n');
	fold(out, n, "changes");
	buf_printf(out, "| | why | path |%s\n| --- | --- | --- |%s\n",
		   ended_early(o) ? " |" : "", ended_early(o) ? " --- |" : "");
	list = list_open(out);
	for (size_t i = 0; i < steps->len; i++) {
		CLEANUP(buf) struct buf item = BUF_INIT(ITEM_MAX);

		if (!is_change(&steps->items[i], site))
			continue;
		row(o, i, &item);
		list_add(&list, &item);
	}
	list_close(&list);
	fold_end(out, n);
}

static void invalidation(const struct outcome *o, size_t i, struct buf *out)
{
	CLEANUP(buf) struct buf what = BUF_INIT(ITEM_MAX);
	const struct step *s = &o->plan.steps.items[i];
	const struct str_list *patterns = &s->cover.patterns;
	struct list list;

	report_invalidation(&what, s);
	buf_str(out, "\nInvalidation ");
	if (o->steps && o->steps[i].invalidation) {
		code(out, o->steps[i].invalidation);
		buf_char(out, ' ');
	}
	buf_str(out, "of ");
	code(out, s->distribution);
	buf_str(out, ": ");
	prose(out, what.data);
	buf_printf(out, "%s.\n\n",
		   ended_early(o) && o->steps[i].status != STATUS_DONE ? " (not done)"
								       : "");
	fold(out, patterns->len, "paths");
	list = list_open(out);
	for (size_t k = 0; k < patterns->len; k++) {
		CLEANUP(buf) struct buf item = BUF_INIT(ITEM_MAX);

		buf_str(&item, "- ");
		code(&item, patterns->items[k]);
		buf_char(&item, '\n');
		list_add(&list, &item);
	}
	list_close(&list);
	fold_end(out, patterns->len);
}

static void site_invalidations(const struct outcome *o, size_t site, struct buf *out)
{
	for (size_t i = 0; i < o->plan.steps.len; i++) {
		const struct step *s = &o->plan.steps.items[i];

		if (s->site == site && s->kind == STEP_INVALIDATE)
			invalidation(o, i, out);
	}
}

/* CloudFront counts paths, and a wildcard as one of them: 1,000 a month are free for an
 * account, and each beyond costs half a cent. */
static void cost(const struct outcome *o, struct buf *out)
{
	struct outcome_totals t = outcome_count(o);
	size_t tenths = t.patterns * 5; /* of a cent */

	if (!t.patterns)
		return;
	buf_printf(
		out,
		"\n**Cost:** %zu of the 1,000 invalidation paths a month that are free "
		"for an AWS account; beyond these, $0.005 a path, $%zu.%02zu",
		t.patterns, tenths / 1000, tenths % 1000 / 10);
	if (tenths % 10)
		buf_printf(out, "%zu", tenths % 10);
	buf_str(out, " in all. A wildcard counts as one path.\n");
}

static void add_notes(struct list *list, const struct note_list *notes)
{
	for (size_t i = 0; i < notes->len; i++) {
		CLEANUP(buf) struct buf item = BUF_INIT(ITEM_MAX);
		const struct note *n = &notes->items[i];

		buf_str(&item, n->kind == NOTE_WARNING ? "- **Warning:** " : "- ");
		if (n->path) {
			code(&item, n->path);
			buf_char(&item, ' ');
		}
		prose(&item, n->text);
		buf_char(&item, '\n');
		list_add(list, &item);
	}
}

static void notes(const struct outcome *o, struct buf *out)
{
	size_t n = o->plan.notes.len + o->notes.len;
	struct list list;

	if (!n)
		return;
	buf_str(out, "\n**Notes**\n\n");
	fold(out, n, "notes");
	list = list_open(out);
	add_notes(&list, &o->plan.notes);
	add_notes(&list, &o->notes);
	list_close(&list);
	fold_end(out, n);
}

static void resource_rows(const struct resource_list *changes, struct buf *out)
{
	struct list list;

	if (!changes->len)
		return;
	buf_char(out, '\n');
	fold(out, changes->len, "resources");
	buf_str(out, "| | resource | type |\n| --- | --- | --- |\n");
	list = list_open(out);
	for (size_t i = 0; i < changes->len; i++) {
		CLEANUP(buf) struct buf item = BUF_INIT(ITEM_MAX);
		const char *word = report_action(&changes->items[i]);
		bool loud = str_starts(word, "REPLACE");

		buf_printf(&item, "| %s%s%s | ", loud ? "**" : "", word,
			   loud ? "**" : "");
		code(&item, changes->items[i].name);
		buf_str(&item, " | ");
		code(&item, changes->items[i].type);
		buf_str(&item, " |\n");
		list_add(&list, &item);
	}
	list_close(&list);
	fold_end(out, changes->len);
}

static void backend_head(const struct backend *backend, const char *target,
			 struct buf *out)
{
	buf_str(out, "\n#### backend ");
	code(out, backend->name);
	buf_str(out, backend->kind == BACKEND_FUNCTION ? ", function " : ", stack ");
	code(out, target ? target : "(not known)");
	buf_str(out, "\n\n");
}

/* A small letter at the start of a sentence. */
static char capital(char c)
{
	return (char)(c - 'a' + 'A');
}

static void backend_plan(const struct plan_backend *b, struct buf *out)
{
	const char *verdict = report_backend_verdict(b);

	buf_printf(out, "%c%s", capital(*verdict), verdict + 1);
	if (b->why) {
		buf_str(out, ": ");
		prose(out, b->why);
	}
	buf_char(out, '.');
	if (b->previewed && !b->resources.len)
		buf_str(out, " CloudFormation finds nothing to change.");
}

static void backend_end(const struct backend_outcome *b, struct buf *out)
{
	CLEANUP(buf) struct buf text = BUF_INIT(ITEM_MAX);
	double seconds = (double)b->duration_ms / 1000;

	if (b->status == BACKEND_FAILED) {
		buf_printf(out, "**Failed** after %.1f s%s", seconds,
			   b->changes.len ? ", on the way to this:" : ".");
		return;
	}
	report_backend_end(&text, b);
	text.data[0] = capital(text.data[0]);
	prose(out, text.data);
	buf_printf(out, b->status == BACKEND_CONFIRMED ? " (%.1f s)." : " in %.1f s.",
		   seconds);
}

/* What was planned and what became of it; either may be NULL. */
static void backend(const struct plan_backend *plan, const struct backend_outcome *end,
		    struct buf *out)
{
	/* It has deployed already when this plan was made. */
	bool is_past = end && plan && plan->verdict == BACKEND_SAME;

	if (plan)
		backend_head(plan->backend, plan->target, out);
	else
		backend_head(end->backend, end->target, out);
	if (plan && !is_past)
		backend_plan(plan, out);
	if (plan && !is_past && end)
		buf_char(out, ' ');
	if (end)
		backend_end(end, out);
	buf_char(out, '\n');
	resource_rows(end ? &end->changes : &plan->resources, out);
}

static const struct backend_outcome *end_of(const struct outcome *o,
					    const struct backend *b)
{
	for (size_t i = 0; i < o->backends.len; i++)
		if (o->backends.items[i].backend == b &&
		    o->backends.items[i].status != BACKEND_PENDING)
			return &o->backends.items[i];
	return NULL;
}

static bool is_planned(const struct plan *p, const struct backend *b)
{
	for (size_t i = 0; i < p->backends.len; i++)
		if (p->backends.items[i].backend == b)
			return true;
	return false;
}

static void backends(const struct outcome *o, struct buf *out)
{
	for (size_t i = 0; i < o->plan.backends.len; i++) {
		const struct plan_backend *b = &o->plan.backends.items[i];

		backend(b, end_of(o, b->backend), out);
	}
	/* Deployed before a plan that was never made. */
	for (size_t i = 0; i < o->backends.len; i++) {
		const struct backend_outcome *b = &o->backends.items[i];

		if (b->status != BACKEND_PENDING && !is_planned(&o->plan, b->backend))
			backend(NULL, b, out);
	}
}

void report_summary(const struct outcome *o, const char *compare_url, struct buf *out)
{
	CLEANUP(buf) struct buf text = BUF_INIT(SUMMARY_MAX);

	headline(o, &text);
	backends(o, &text);
	for (size_t i = 0; i < o->plan.sites.len; i++) {
		site_head(&o->plan, &o->plan.sites.items[i], compare_url, &text);
		site_table(o, i, &text);
		site_invalidations(o, i, &text);
	}
	cost(o, &text);
	notes(o, &text);
	buf_add(out, text.data, text.len);
}
