#include "daemon/page.h"

#include <inttypes.h>

#include "base/str.h"
#include "codec/json.h"
#include "daemon/html.h"
#include "daemon/page_private.h"
#include "daemon/story.h"

enum { JOBS_A_SITE = 6, SHOWN_ON_STATUS = 20 };

/* The commit's first line, which only the log of a deploy knows. */
static void put_subject(const struct page *p, const struct job *job, struct buf *out)
{
	struct error ignored = ERROR_INIT;
	CLEANUP(story) struct story s;

	/* A later attempt may have found another commit. */
	if (story_read_head(p->settings->state, job->id, &s, &ignored) == 0 &&
	    *s.subject && str_eq(s.commit, job->deployed)) {
		buf_char(out, ' ');
		html_foreign(out, s.subject);
	}
}

static int64_t time_of(const struct job *job)
{
	if (job->ended_ms)
		return job->ended_ms;
	return job->started_ms ? job->started_ms : job->created_ms;
}

static void put_job(const struct page *p, const struct job *job, struct buf *out)
{
	buf_printf(out, "<li><a href=\"/deploys/%" PRId64 "\">deploy %" PRId64 "</a> ",
		   job->id, job->id);
	page_state(out, job);
	buf_printf(out, ", by %s, ", job_cause_name(job->cause));
	page_commit(out, *job->deployed ? job->deployed : job->commit);
	buf_str(out, ", ");
	html_time(out, time_of(job), p->now_ms);
	if (*job->message) {
		buf_str(out, "<br><span class=\"soft\">");
		html_foreign(out, job->message);
		buf_str(out, "</span>");
	}
	buf_str(out, "</li>\n");
}

static void put_live(const struct page *p, const struct site *site, struct buf *out)
{
	struct error ignored = ERROR_INIT;
	struct job live;

	if (queue_live(p->queue, site->name, 0, &live, &ignored)) {
		buf_str(out, "nothing yet");
		return;
	}
	page_commit(out, live.deployed);
	put_subject(p, &live, out);
	buf_str(out, ", ");
	html_time(out, live.ended_ms, p->now_ms);
}

static void put_site(const struct page *p, size_t i, struct buf *out)
{
	const struct site *site = &p->settings->sites[i];
	struct error ignored = ERROR_INIT;
	CLEANUP(job_list) struct job_list jobs = { 0 };

	buf_printf(out, "<section class=\"site\" id=\"site-%zu\" data-live aria-label=\"",
		   i);
	html_text(out, site->name);
	buf_str(out, "\">\n<h2>");
	html_text(out, site->name);
	buf_str(out, "</h2>\n<dl><dt>branch</dt><dd>");
	html_foreign(out, site->branch);
	buf_str(out, "</dd><dt>live</dt><dd>");
	put_live(p, site, out);
	buf_str(out, "</dd></dl>\n");
	if (queue_list(p->queue, site->name, JOBS_A_SITE, &jobs, &ignored))
		buf_str(out, "<p class=\"state-dead\">The queue cannot be read.</p>\n");
	else if (jobs.len == 0)
		buf_str(out, "<p class=\"soft\">No push has come yet.</p>\n");
	buf_str(out, "<ul class=\"jobs\">\n");
	for (size_t j = 0; j < jobs.len; j++)
		put_job(p, &jobs.items[j], out);
	buf_str(out, "</ul>\n</section>\n");
}

static void put_numbers(const struct page *p, struct buf *out)
{
	struct error ignored = ERROR_INIT;
	struct queue_numbers n = { 0 };

	buf_str(out, "<p id=\"numbers\" data-live aria-live=\"polite\">");
	if (queue_count(p->queue, &n, &ignored))
		buf_str(out,
			"<span class=\"state-dead\">The queue cannot be read.</span>");
	else
		buf_printf(out,
			   "%" PRId64 " deploying, %" PRId64 " waiting, %" PRId64
			   " given up.",
			   n.running, n.pending, n.dead);
	buf_str(out, "</p>\n");
}

void page_overview(const struct page *p, struct answer *a)
{
	page_begin(&a->body, "Deploys");
	buf_str(&a->body, "<h1>Deploys</h1>\n");
	put_numbers(p, &a->body);
	for (size_t i = 0; i < p->settings->n_sites; i++)
		put_site(p, i, &a->body);
	page_end(&a->body);
}

static void write_job(const struct job *job, struct json_writer *w)
{
	json_open(w, '{');
	json_member_int(w, "id", job->id);
	json_member(w, "site", job->site);
	json_member(w, "state", job_state_name(job->state));
	json_member(w, "cause", job_cause_name(job->cause));
	json_member(w, "commit", *job->commit ? job->commit : NULL);
	json_member(w, "deployed", *job->deployed ? job->deployed : NULL);
	json_member_int(w, "attempt", job->attempt);
	json_member_int(w, "created_ms", job->created_ms);
	json_member_int(w, "started_ms", job->started_ms);
	json_member_int(w, "ended_ms", job->ended_ms);
	json_member(w, "message", job->message);
	json_close(w, '}');
}

static void write_site(const struct page *p, const struct site *site,
		       struct json_writer *w)
{
	struct error ignored = ERROR_INIT;
	CLEANUP(job_list) struct job_list jobs = { 0 };
	struct job live;

	json_open(w, '{');
	json_member(w, "name", site->name);
	json_member(w, "branch", site->branch);
	json_member(w, "live",
		    queue_live(p->queue, site->name, 0, &live, &ignored) ? NULL
									 : live.deployed);
	json_key(w, "jobs");
	json_open(w, '[');
	(void)queue_list(p->queue, site->name, SHOWN_ON_STATUS, &jobs, &ignored);
	for (size_t i = 0; i < jobs.len; i++)
		write_job(&jobs.items[i], w);
	json_close(w, ']');
	json_close(w, '}');
}

void page_status_json(const struct page *p, struct answer *a)
{
	struct json_writer w = JSON_WRITER_INIT(&a->body);

	a->status = 200;
	a->content_type = "application/json";
	json_open(&w, '{');
	json_member_int(&w, "v", 1);
	json_key(&w, "sites");
	json_open(&w, '[');
	for (size_t i = 0; i < p->settings->n_sites; i++)
		write_site(p, &p->settings->sites[i], &w);
	json_close(&w, ']');
	json_close(&w, '}');
	buf_char(&a->body, '\n');
}
