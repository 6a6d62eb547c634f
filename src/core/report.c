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

	while (n) {
		size_t len = char_len(name, n);
		size_t step = len ? len : 1;

		if (len && !is_deceptive(name, len))
			buf_add(out, name, len);
		else
			for (size_t i = 0; i < step; i++)
				buf_printf(out, "\\x%02x", (unsigned char)name[i]);
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
		buf_str(out, "(no bucket yet)");
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

void report_invalidation(struct buf *out, const struct step *s)
{
	size_t n = s->cover.patterns.len;

	buf_printf(out, "%zu path%s", n, n == 1 ? "" : "s");
	if (s->everything)
		buf_printf(out, " (%s)", s->everything);
	else if (s->cover.evicted)
		buf_printf(out, ", evicting %zu unchanged object path%s with them",
			   s->cover.evicted, s->cover.evicted == 1 ? "" : "s");
	else
		buf_str(out, ", nothing unchanged is evicted");
}

void report_totals(struct buf *out, const struct outcome *o, bool planned)
{
	struct outcome_totals t = outcome_count(o, planned);

	buf_printf(out, "%zu uploaded", t.uploaded);
	if (t.bytes) {
		buf_str(out, " (");
		report_size(out, t.bytes);
		buf_char(out, ')');
	}
	buf_printf(out, ", %zu deleted, %zu invalidation path%s", t.deleted, t.patterns,
		   t.patterns == 1 ? "" : "s");
}

/* Text */

static const char *const colors[] = {
	[WHY_ADDED] = "\033[32m",
	[WHY_MODIFIED] = "\033[33m",
	[WHY_HEADERS] = "\033[36m",
	[WHY_DELETED] = "\033[31m",
	[WHY_EXPIRED] = "\033[31m",
	[WHY_UNFINISHED] = "\033[35m",
	[WHY_DRIFT] = "\033[35m",
	[WHY_ADOPTED] = "\033[36m",
	[WHY_NONE] = "",
};

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
	if (s->takeover)
		buf_str(out, "    finishes a deploy that did not end\n");
}

static void text_row(const struct step *s, const struct report_style *style,
		     struct buf *out)
{
	static const char *const verbs[STEP_KINDS] = {
		[STEP_ABORT] = "abort",
		[STEP_PUT] = "upload",
		[STEP_COPY] = "headers",
		[STEP_DELETE] = "delete",
	};

	buf_printf(out, "    %s%-8s%s %-10s ", style->color ? colors[s->why] : "",
		   verbs[s->kind], style->color ? "\033[0m" : "", step_why_name(s->why));
	report_name(out, s->path);
	buf_char(out, '\n');
}

static void text_invalidation(const struct step *s, size_t max_rows, struct buf *out)
{
	buf_printf(out, "    invalidate ");
	report_name(out, s->distribution);
	buf_str(out, ": ");
	report_invalidation(out, s);
	buf_char(out, '\n');
	for (size_t i = 0; i < s->cover.patterns.len; i++) {
		if (max_rows && i == max_rows) {
			buf_printf(out, "      ... and %zu more\n",
				   s->cover.patterns.len - i);
			return;
		}
		buf_printf(out, "      %s\n", s->cover.patterns.items[i]);
	}
}

static void text_steps(const struct plan *p, size_t site,
		       const struct report_style *style, struct buf *out)
{
	size_t rows = 0;

	for (size_t i = 0; i < p->steps.len; i++) {
		const struct step *s = &p->steps.items[i];

		if (s->site != site)
			continue;
		if (s->kind == STEP_INVALIDATE)
			text_invalidation(s, style->max_rows, out);
		else if (s->path && (!style->max_rows || rows++ < style->max_rows))
			text_row(s, style, out);
		else if (s->path && rows == style->max_rows + 1)
			buf_str(out, "    ...\n");
	}
}

static void text_site(const struct plan *p, size_t i, const struct report_style *style,
		      struct buf *out)
{
	static const char *const verdicts[] = {
		[SITE_UP_TO_DATE] = "nothing to do: this commit is deployed",
		[SITE_RECORD] =
			"the content is deployed already: only the commit is recorded",
	};
	const struct plan_site *s = &p->sites.items[i];
	size_t changes = 0;

	for (int why = 0; why < WHYS; why++)
		changes += s->counts[why];
	buf_str(out, "  site ");
	report_name(out, s->site->name);
	buf_str(out, " -> ");
	report_place(out, s);
	buf_char(out, '\n');
	text_base(s, out);
	if (s->verdict != SITE_DEPLOY) {
		buf_printf(out, "    %s\n", verdicts[s->verdict]);
		return;
	}
	text_steps(p, i, style, out);
	buf_printf(out, "    %zu to change, %zu unchanged", changes, s->unchanged);
	if (s->retired)
		buf_printf(out, ", %zu retired (kept for a while)", s->retired);
	buf_char(out, '\n');
}

static void text_notes(const struct plan *p, const struct report_style *style,
		       struct buf *out)
{
	for (size_t i = 0; i < p->notes.len; i++) {
		const struct note *n = &p->notes.items[i];
		bool warning = n->kind == NOTE_WARNING;

		buf_printf(out, "  %s%s%s ", style->color && warning ? "\033[33m" : "",
			   warning ? "warning:" : "note:",
			   style->color && warning ? "\033[0m" : "");
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
	for (size_t i = 0; i < p->sites.len; i++)
		text_site(p, i, style, out);
	text_notes(p, style, out);
	if (p->refused) {
		buf_str(out, "  refused: ");
		report_name(out, p->refusal);
		buf_char(out, '\n');
	}
}

void report_outcome_text(const struct outcome *o, const struct report_style *style,
			 struct buf *out)
{
	(void)style;
	switch (o->verdict) {
	case VERDICT_PLANNED:
		buf_str(out, "Dry run: nothing was written anywhere.\n");
		break;
	case VERDICT_NOTHING:
		buf_str(out, "Nothing to do: the commit is deployed.\n");
		break;
	case VERDICT_SUPERSEDED:
		buf_printf(out, "Superseded: the newer commit %.10s is deployed (%s).\n",
			   o->superseded_by, o->superseded_why);
		break;
	case VERDICT_DONE:
		buf_str(out, "Deployed: ");
		report_totals(out, o, false);
		buf_printf(out, ", in %.1f s.\n", (double)o->duration_ms / 1000);
		break;
	case VERDICT_UNVERIFIED:
		buf_str(out, "Deployed and recorded, but not seen where visitors look: ");
		report_totals(out, o, false);
		buf_str(out, ".\n");
		break;
	case VERDICT_PARTIAL:
		buf_str(out, "Partly done: ");
		report_totals(out, o, false);
		buf_str(out, ". Run again to finish: what is left is journalled.\n");
		break;
	case VERDICT_REFUSED:
	case VERDICT_FAILED:
		buf_str(out, "Nothing was deployed.\n");
		break;
	}
}
