#include "daemon/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "daemon/html.h"
#include "daemon/joblog.h"
#include "daemon/page_private.h"
#include "daemon/story.h"

enum { LOG_MOST = 1 << 20, TITLE_MAX = 128 };

static void put_term(struct buf *out, const char *term)
{
	buf_printf(out, "<dt>%s</dt><dd>", term);
}

static void put_moment(struct buf *out, const char *term, int64_t at_ms, int64_t now_ms)
{
	if (!at_ms)
		return;
	put_term(out, term);
	html_time(out, at_ms, now_ms);
	buf_str(out, "</dd>");
}

static void put_commit(const struct job *job, const struct story *s, struct buf *out)
{
	put_term(out, "commit");
	page_commit(out, *job->deployed ? job->deployed
			 : *s->commit   ? s->commit
					: job->commit);
	if (*s->subject) {
		buf_char(out, ' ');
		html_foreign(out, s->subject);
	}
	if (*s->author) {
		buf_str(out, " <span class=\"soft\">by ");
		html_foreign(out, s->author);
		buf_str(out, "</span>");
	}
	buf_str(out, "</dd>");
}

static void put_facts(const struct page *p, const struct job *job, const struct story *s,
		      struct buf *out)
{
	buf_str(out,
		"<div class=\"panel\" id=\"facts\" data-live aria-live=\"polite\"><dl>");
	put_term(out, "state");
	page_state(out, job);
	if (job->attempt > 1)
		buf_printf(out, ", attempt %d", job->attempt);
	buf_str(out, "</dd>");
	put_commit(job, s, out);
	put_term(out, "cause");
	buf_printf(out, "%s</dd>", job_cause_name(job->cause));
	put_moment(out, "asked for", job->created_ms, p->now_ms);
	put_moment(out, "began", job->started_ms, p->now_ms);
	put_moment(out, "ended", job->ended_ms, p->now_ms);
	if (job->state == JOB_PENDING && job->not_before_ms > p->now_ms) {
		put_term(out, "next try in");
		html_duration(out, job->not_before_ms - p->now_ms);
		buf_str(out, "</dd>");
	}
	if (*job->message) {
		put_term(out, "said");
		html_foreign(out, job->message);
		buf_str(out, "</dd>");
	}
	buf_str(out, "</dl></div>\n");
}

/* Each phase lasts until the next one begins; the last, until the deploy ended or now. */
static void put_phases(const struct page *p, const struct job *job, const struct story *s,
		       struct buf *out)
{
	int64_t end = job->ended_ms ? job->ended_ms : p->now_ms;

	buf_str(out,
		"<section id=\"phases\" data-live aria-label=\"Phases\"><h2>Phases</h2>"
		"<ol class=\"plain\">");
	for (size_t i = 0; i < s->phases.len; i++) {
		const struct story_phase *phase = &s->phases.items[i];
		int64_t until = i + 1 < s->phases.len ? phase[1].at_ms : end;

		buf_str(out, "<li>");
		html_text(out, phase->name);
		buf_str(out, ": ");
		html_duration(out, until - phase->at_ms);
		buf_str(out, "</li>");
	}
	buf_str(out, s->phases.len ? "</ol></section>\n"
				   : "</ol><p class=\"soft\">None yet.</p></section>\n");
}

static void put_items(const struct story *s, struct buf *out)
{
	buf_str(out, "<section id=\"items\" data-live aria-label=\"What changed\">"
		     "<h2>What changed</h2><p>");
	buf_printf(out, "%" PRId64 " uploaded (", s->uploaded);
	html_bytes(out, s->bytes);
	buf_printf(out, "), %" PRId64 " deleted, %" PRId64 " paths invalidated.</p>",
		   s->deleted, s->invalidated);
	buf_str(out, "<ul class=\"plain\">");
	for (size_t i = 0; i < s->items.len; i++) {
		const struct story_item *item = &s->items.items[i];

		buf_str(out, "<li>");
		html_text(out, item->what);
		buf_str(out, " <code>");
		html_foreign(out, item->name);
		buf_str(out, "</code>");
		if (!str_eq(item->status, "done")) {
			buf_str(out, " <span class=\"state-dead\">");
			html_text(out, item->status);
			buf_str(out, "</span>");
		}
		buf_str(out, "</li>");
	}
	buf_str(out, "</ul>");
	if (s->items_left_out)
		buf_printf(out, "<p class=\"soft\">and %zu more</p>", s->items_left_out);
	buf_str(out, "</section>\n");
}

static void put_log(const struct job *job, const struct story *s, struct buf *out)
{
	const struct story_line *line;

	buf_str(out, "<section id=\"log\" data-live aria-label=\"Log\"><h2>Log</h2>");
	if (s->n_lines > STORY_LINES_MOST)
		buf_printf(out, "<p class=\"soft\">The last %d of %zu lines.</p>",
			   STORY_LINES_MOST, s->n_lines);
	buf_str(out, "<pre tabindex=\"0\" aria-label=\"Log\">");
	for (size_t i = 0; (line = story_line_at(s, i)); i++) {
		buf_str(out, line->is_error ? "<bdi class=\"state-dead\">" : "<bdi>");
		html_text(out, line->text);
		buf_str(out, "</bdi>\n");
	}
	buf_printf(out,
		   "</pre><p><a href=\"/deploys/%" PRId64 "/log.json\">the whole log</a> "
		   "(JSON lines)</p></section>\n",
		   job->id);
}

bool page_deploy(const struct page *p, int64_t id, struct answer *a)
{
	struct error err = ERROR_INIT;
	CLEANUP(story) struct story s;
	struct job job;
	char title[TITLE_MAX];
	int rc = story_read(p->settings->state, id, &s, &err);

	if (queue_job(p->queue, id, &job, &err))
		return false;
	snprintf(title, sizeof title, "%s: deploy %" PRId64, job.site, id);
	page_begin(&a->body, title);
	buf_str(&a->body, "<p><a href=\"/\">All sites</a></p>\n<h1>");
	html_text(&a->body, title);
	buf_str(&a->body, "</h1>\n");
	put_facts(p, &job, &s, &a->body);
	if (rc)
		buf_str(&a->body,
			"<p class=\"state-dead\">The log cannot be read.</p>\n");
	put_phases(p, &job, &s, &a->body);
	put_items(&s, &a->body);
	put_log(&job, &s, &a->body);
	page_end(&a->body);
	return true;
}

bool page_log_json(const struct page *p, int64_t id, const char *query, struct answer *a)
{
	static const char from[] = "from=";
	struct error err = ERROR_INIT;
	int64_t offset = 0;

	if (str_starts(query, from) &&
	    !str_to_i64(query + sizeof from - 1, 0, INT64_MAX, &offset))
		return false;
	a->status = 200;
	a->content_type = "application/x-ndjson";
	a->extra = "Content-Security-Policy: default-src 'none'\r\n";
	return joblog_read(p->settings->state, id, &offset, LOG_MOST, &a->body, &err) ==
	       0;
}
