#include "daemon/page.h"

#include <string.h>

#include "base/str.h"
#include "daemon/assets.h"
#include "daemon/html.h"
#include "daemon/page_private.h"

enum { SHORT_COMMIT = 10, ID_MAX = 24 };

/* Nothing but our own style, script and icon, and nobody may frame the page. */
static const char policy[] =
	"Content-Security-Policy: default-src 'none'; style-src 'self'; script-src 'self'; "
	"connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
	"frame-ancestors 'none'\r\n"
	"X-Frame-Options: DENY\r\n"
	"Referrer-Policy: no-referrer\r\n"
	"Cross-Origin-Opener-Policy: same-origin\r\n"
	"Cross-Origin-Resource-Policy: same-origin\r\n";

void page_begin(struct buf *out, const char *title)
{
	buf_str(out,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<title>");
	html_text(out, title);
	buf_str(out,
		"</title>\n<link rel=\"icon\" href=\"/icon.svg\">\n"
		"<link rel=\"stylesheet\" href=\"/page.css\">\n"
		"<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>\n"
		"<script src=\"/page.js\" defer></script>\n</head>\n<body>\n<main>\n");
}

void page_end(struct buf *out)
{
	buf_str(out,
		"</main>\n<footer>crc-daemon " CRC_VERSION
		". This page only tells; <code>crc-daemon help</code> on the machine "
		"says how to act.</footer>\n</body>\n</html>\n");
}

void page_state(struct buf *out, const struct job *job)
{
	static const char *const words[] = {
		[JOB_PENDING] = "waiting", [JOB_RUNNING] = "deploying",
		[JOB_DONE] = "done",       [JOB_SUPERSEDED] = "superseded",
		[JOB_DEAD] = "given up",
	};

	buf_printf(out, "<span class=\"state state-%s\">%s</span>",
		   job_state_name(job->state),
		   job->state == JOB_PENDING && job->attempt > 0 ? "waiting to try again"
								 : words[job->state]);
}

void page_commit(struct buf *out, const char *commit)
{
	if (!*commit) {
		buf_str(out, "the branch's tip");
		return;
	}
	buf_str(out, "<code>");
	html_textn(out, commit,
		   strlen(commit) < SHORT_COMMIT ? strlen(commit) : SHORT_COMMIT);
	buf_str(out, "</code>");
}

static void become_page(struct answer *a)
{
	a->status = 200;
	a->content_type = "text/html; charset=utf-8";
	a->extra = policy;
}

static const char *type_of(const char *path)
{
	static const struct {
		const char *end, *type;
	} types[] = { { ".css", "text/css; charset=utf-8" },
		      { ".js", "text/javascript; charset=utf-8" },
		      { ".svg", "image/svg+xml" } };
	size_t i = 0;

	while (i + 1 < sizeof types / sizeof *types && !str_ends(path, types[i].end))
		i++;
	return types[i].type;
}

static bool answer_asset(const struct request *r, struct answer *a)
{
	for (size_t i = 0; i < n_assets; i++) {
		if (!str_eq(r->path, assets[i].path))
			continue;
		a->status = 200;
		a->content_type = type_of(assets[i].path);
		a->extra = policy;
		buf_add(&a->body, assets[i].bytes, assets[i].len);
		return true;
	}
	return false;
}

/* /deploys/ID and /deploys/ID/log.json */
static bool answer_deploy(const struct page *p, const struct request *r, struct answer *a)
{
	static const char prefix[] = "/deploys/";
	const char *rest = r->path + sizeof prefix - 1, *slash;
	char id_text[ID_MAX];
	int64_t id;
	size_t n;

	if (!str_starts(r->path, prefix))
		return false;
	slash = strchr(rest, '/');
	n = slash ? (size_t)(slash - rest) : strlen(rest);
	if (n >= sizeof id_text)
		return false;
	memcpy(id_text, rest, n);
	id_text[n] = '\0';
	if (!str_to_i64(id_text, 1, INT64_MAX, &id))
		return false;
	if (slash)
		return str_eq(slash, "/log.json") && page_log_json(p, id, r->query, a);
	become_page(a);
	return page_deploy(p, id, a);
}

bool page_answer(const struct page *p, const struct request *r, struct answer *a)
{
	if (str_eq(r->path, "/")) {
		become_page(a);
		page_overview(p, a);
		return true;
	}
	if (str_eq(r->path, "/status.json")) {
		page_status_json(p, a);
		return true;
	}
	return answer_asset(r, a) || answer_deploy(p, r, a);
}
