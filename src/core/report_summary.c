#include "core/report_private.h"

#include <string.h>

#include "core/report.h"

/* The runner drops a summary over 1 MiB whole. */
enum { SUMMARY_MAX = 900 << 10, ROWS_MOST = 2000 };

/* A name in a table's cell, as code: Markdown and HTML in it stay text. */
static void cell(struct buf *out, const char *name)
{
	CLEANUP(buf) struct buf plain = BUF_INIT(16384);

	report_name(&plain, name);
	buf_str(out, "<code>");
	for (const char *c = plain.data; *c; c++) {
		/* What Markdown would read as markup goes as a character reference. */
		if (strchr("&<>|`*_[]\\~@#:!", *c))
			buf_printf(out, "&#%d;", *c);
		else
			buf_char(out, *c);
	}
	buf_str(out, "</code>");
}

static void headline(const struct outcome *o, struct buf *out)
{
	CLEANUP(buf) struct buf line = BUF_INIT(4096);
	struct report_style plain = { false, 0 };

	report_outcome_text(o, &plain, &line);
	buf_printf(out, "### crc: %s\n", line.data);
	if (o->error.code) {
		buf_str(out, "\n> ");
		cell(out, o->error.msg);
		buf_char(out, '\n');
	}
}

static void site_head(const struct plan *p, const struct plan_site *s, struct buf *out)
{
	CLEANUP(buf) struct buf place = BUF_INIT(4096);

	report_place(&place, s);
	buf_str(out, "\n**");
	cell(out, s->site->name);
	buf_str(out, "** to ");
	cell(out, place.data);
	buf_str(out, ": ");
	if (s->has_base)
		report_commit(out, &s->base);
	else
		buf_str(out, "nothing");
	buf_str(out, " to ");
	report_commit(out, &p->head);
	buf_printf(out, " (%s)\n\n", s->base_why ? s->base_why : "");
}

static size_t add_rows(const struct plan *p, size_t site, struct buf *out)
{
	size_t rows = 0;

	for (size_t i = 0; i < p->steps.len; i++) {
		const struct step *s = &p->steps.items[i];

		if (s->site != site || !s->path)
			continue;
		if (rows++ >= ROWS_MOST)
			continue;
		buf_printf(out, "| %s | %s | ", step_kind_name(s->kind),
			   step_why_name(s->why));
		cell(out, s->path);
		buf_str(out, " |\n");
	}
	return rows;
}

static void site_table(const struct plan *p, size_t site, struct buf *out)
{
	CLEANUP(buf) struct buf table = BUF_INIT(SUMMARY_MAX / 2);
	size_t rows = add_rows(p, site, &table);

	if (!rows)
		return;
	buf_printf(out, "<details><summary>%zu change%s</summary>\n\n", rows,
		   rows == 1 ? "" : "s");
	buf_str(out, "| step | why | path |\n| --- | --- | --- |\n");
	buf_add(out, table.data, table.len);
	if (rows > ROWS_MOST || table.overflowed)
		buf_str(out, "\nOnly the first changes are listed.\n");
	buf_str(out, "\n</details>\n");
}

static void site_invalidations(const struct plan *p, size_t site, struct buf *out)
{
	for (size_t i = 0; i < p->steps.len; i++) {
		const struct step *s = &p->steps.items[i];

		if (s->site != site || s->kind != STEP_INVALIDATE)
			continue;
		buf_str(out, "\nInvalidation of ");
		cell(out, s->distribution);
		buf_str(out, ": ");
		report_invalidation(out, s);
		buf_str(out,
			". The first 1,000 paths of a month are free, then each costs "
			"$0.005; a wildcard counts as one.\n\n");
		for (size_t k = 0; k < s->cover.patterns.len && k < 100; k++) {
			buf_str(out, "- ");
			cell(out, s->cover.patterns.items[k]);
			buf_char(out, '\n');
		}
	}
}

static void add_notes(const struct plan *p, struct buf *out)
{
	for (size_t i = 0; i < p->notes.len; i++) {
		const struct note *n = &p->notes.items[i];

		buf_printf(out, "\n- %s ",
			   n->kind == NOTE_WARNING ? "**warning**" : "note");
		if (n->path)
			cell(out, n->path);
		buf_char(out, ' ');
		cell(out, n->text);
	}
	if (p->notes.len)
		buf_char(out, '\n');
}

void report_summary(const struct outcome *o, struct buf *out)
{
	CLEANUP(buf) struct buf text = BUF_INIT(SUMMARY_MAX);

	headline(o, &text);
	for (size_t i = 0; i < o->plan.sites.len; i++) {
		site_head(&o->plan, &o->plan.sites.items[i], &text);
		site_table(&o->plan, i, &text);
		site_invalidations(&o->plan, i, &text);
	}
	add_notes(&o->plan, &text);
	buf_add(out, text.data, text.len);
}
