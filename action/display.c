#include "action/display.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/report.h"

enum {
	TEXT_MAX = 256 << 20,
	ROWS = 40, /* of a plan, without --verbose */
	REDRAW_MS = 100,
	TELL_MS = 1000, /* in JSON */
	LOG_MS = 10000  /* in a log, of what is waited for */
};

int display_print(const struct buf *text, struct error *err)
{
	if (fwrite(text->data, 1, text->len, stdout) != text->len || fflush(stdout) != 0)
		return error_set(err, ERR_IO, "write to stdout: %s", strerror(errno));
	return 0;
}

void display_end_line(struct display *d)
{
	if (d->line_is_open)
		fputs("\r\033[K", stderr);
	d->line_is_open = false;
}

static void print(const struct buf *text)
{
	struct error ignored = ERROR_INIT;

	/* A lost line of progress must not stop a deploy; the result is checked. */
	display_print(text, &ignored);
}

static void planned(void *ctx, const struct plan *plan)
{
	struct display *d = ctx;
	CLEANUP(buf) struct buf text = BUF_INIT(TEXT_MAX);
	struct report_style style = { d->color, d->max_rows };

	if (d->json)
		report_plan_json(plan, 0, &text);
	else if (!d->quiet)
		report_plan_text(plan, &style, &text);
	else if (d->dry_run)
		report_plan_line(plan, &text);
	display_end_line(d);
	print(&text);
}

static void resources(void *ctx, const struct backend *backend,
		      const struct resource_list *changes)
{
	struct display *d = ctx;
	CLEANUP(buf) struct buf text = BUF_INIT(TEXT_MAX);
	struct report_style style = { d->color, d->max_rows };

	if (d->json)
		report_resources_json(backend, changes, &text);
	else if (!d->quiet)
		report_resources_text(backend, changes, &style, &text);
	display_end_line(d);
	print(&text);
}

static void step(void *ctx, const struct plan *plan, size_t i,
		 const struct step_outcome *outcome)
{
	struct display *d = ctx;
	CLEANUP(buf) struct buf text = BUF_INIT(TEXT_MAX);

	if (!d->json)
		return;
	report_step_json(plan, i, outcome, &text);
	print(&text);
}

static void draw(struct display *d, const struct report_progress *p)
{
	CLEANUP(buf) struct buf line = BUF_INIT(256);

	buf_printf(&line, "\r\033[K  %zu of %zu, ", p->steps, p->steps_total);
	report_size(&line, p->bytes);
	buf_str(&line, " of ");
	report_size(&line, p->bytes_total);
	fputs(line.data, stderr);
	d->line_is_open = true;
}

static void tell(const struct report_progress *p)
{
	CLEANUP(buf) struct buf line = BUF_INIT(4096);

	report_progress_json(p, &line);
	print(&line);
}

/* The first and the last are always told. */
static bool is_due(struct display *d, bool last)
{
	int64_t now_ms = clock_monotonic_ms(d->clock);

	if (d->has_told && !last && now_ms - d->last_ms < (d->json ? TELL_MS : REDRAW_MS))
		return false;
	d->has_told = true;
	d->last_ms = now_ms;
	return true;
}

static void sent(void *ctx, int64_t bytes, int64_t bytes_total, size_t steps,
		 size_t steps_total)
{
	struct display *d = ctx;
	const struct report_progress p = { bytes, bytes_total, steps, steps_total, NULL };

	if ((!d->json && !d->progress_line) || d->quiet ||
	    !is_due(d, steps == steps_total))
		return;
	if (d->json)
		tell(&p);
	else
		draw(d, &p);
}

/* A log has what is waited for once, and how that goes on now and then. */
static bool is_said_already(const struct display *d, const char *text, int64_t now_ms)
{
	size_t n = strcspn(text, ":");
	bool same_matter = text[n] && strncmp(text, d->waited_for, n + 1) == 0;

	if (str_eq(d->waited_for, text))
		return true;
	return same_matter && now_ms - d->waited_ms < (d->json ? TELL_MS : LOG_MS);
}

static void waiting(void *ctx, const char *text)
{
	struct display *d = ctx;
	CLEANUP(buf) struct buf line = BUF_INIT(1024);

	const struct report_progress p = { .waiting = text };
	int64_t now_ms = clock_monotonic_ms(d->clock);

	report_name(&line, text);
	if (d->quiet || (!d->progress_line && is_said_already(d, text, now_ms)))
		return;
	d->waited_ms = now_ms;
	if (!str_copy(d->waited_for, sizeof(d->waited_for), text))
		d->waited_for[0] = '\0';
	if (d->json) {
		tell(&p);
		return;
	}
	display_end_line(d);
	fprintf(stderr, d->progress_line ? "\r\033[K  %s" : "  %s\n", line.data);
	d->line_is_open = d->progress_line;
}

/* To stderr, so that --json stays pure; indented, so that no line is a workflow command. */
static void output(void *ctx, const char *line)
{
	struct display *d = ctx;
	CLEANUP(buf) struct buf text = BUF_INIT(65536);

	if (d->quiet)
		return;
	report_name(&text, line);
	display_end_line(d);
	fprintf(stderr, "  | %s\n", text.data);
}

static void log_line(void *ctx, enum log_level level, const char *line)
{
	CLEANUP(buf) struct buf text = BUF_INIT(16384);
	struct display *d = ctx;

	(void)level;
	report_name(&text, line);
	display_end_line(d);
	fprintf(stderr, "  . %s\n", text.data);
}

/* no-color.org: present and not empty. */
static bool wants_color(const struct options *o, const char *const *env)
{
	if (str_eq(o->color, "always"))
		return true;
	if (str_eq(o->color, "never") || !str_empty(options_env(env, "NO_COLOR")))
		return false;
	return isatty(STDOUT_FILENO) && !str_eq(options_env(env, "TERM"), "dumb");
}

void display_init(struct display *d, const struct options *o, const char *const *env)
{
	*d = (struct display){
		.clock = clock_real(),
		.json = o->json,
		.quiet = o->quiet,
		.dry_run = o->dry_run || o->offline,
		.color = wants_color(o, env),
		.max_rows = o->verbose ? 0 : ROWS,
		.progress_line = !o->quiet && !o->json && isatty(STDERR_FILENO),
	};
	d->progress = (struct progress){
		d, planned, resources, step, sent, waiting, output,
	};
	d->log = (struct log){ o->verbose || str_eq(options_env(env, "RUNNER_DEBUG"), "1")
				       ? LOG_DEBUG
				       : LOG_WARN,
			       log_line, d };
}
