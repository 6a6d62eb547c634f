#include "action/github.h"

#include <inttypes.h>
#include <string.h>

#include "action/options.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/encode.h"
#include "core/report.h"
#include "io/fs.h"
#include "io/random.h"

/* A job's outputs may take 1 MiB together, in UTF-16; and what is handed on to a program in a
 * variable may take 128 KiB. Longer plans and lists are cut. */
enum { LONG_OUTPUT_MAX = 120000, OUTPUTS_MAX = 1 << 20 };
/* The runner shows ten warnings of a step, and cuts them at 4,096 characters. */
enum { WARNINGS_MOST = 10, WARNING_MAX = 8192 };

void github_init(struct github *g, const char *const *env)
{
	*g = (struct github){
		.is_runner = str_eq(options_env(env, "GITHUB_ACTIONS"), "true"),
		.output_file = options_env(env, "GITHUB_OUTPUT"),
		.summary_file = options_env(env, "GITHUB_STEP_SUMMARY"),
		.event_file = options_env(env, "GITHUB_EVENT_PATH"),
		.event_name = options_env(env, "GITHUB_EVENT_NAME"),
		.sha = options_env(env, "GITHUB_SHA"),
		.ref = options_env(env, "GITHUB_REF"),
		.workflow = options_env(env, "GITHUB_WORKFLOW_REF"),
		.run_id = options_env(env, "GITHUB_RUN_ID"),
		.run_number = options_env(env, "GITHUB_RUN_NUMBER"),
		.run_attempt = options_env(env, "GITHUB_RUN_ATTEMPT"),
		.token = options_env(env, "GITHUB_TOKEN"),
		.server = options_env(env, "GITHUB_SERVER_URL"),
		.repository = options_env(env, "GITHUB_REPOSITORY"),
		.debug = str_eq(options_env(env, "RUNNER_DEBUG"), "1"),
	};
	if (str_empty(g->server))
		g->server = "https://github.com";
	if (!g->workflow)
		g->workflow = options_env(env, "GITHUB_WORKFLOW");
}

static void escape(struct buf *out, const char *text, bool property)
{
	const char *special = property ? "%\r\n:," : "%\r\n";

	for (; *text; text++) {
		if (strchr(special, *text))
			buf_printf(out, "%%%02X", (unsigned char)*text);
		else
			buf_char(out, *text);
	}
}

void github_annotation(struct buf *out, const char *level, const char *title,
		       const char *text)
{
	buf_printf(out, "::%s title=", level);
	escape(out, title, true);
	buf_str(out, "::");
	escape(out, text, false);
	buf_char(out, '\n');
}

void github_mask(struct buf *out, const char *secret)
{
	buf_str(out, "::add-mask::");
	escape(out, secret, false);
	buf_char(out, '\n');
}

static void warn(struct buf *out, const struct note_list *notes, size_t *shown)
{
	for (size_t i = 0; i < notes->len && *shown < WARNINGS_MOST; i++) {
		CLEANUP(buf) struct buf text = BUF_INIT(WARNING_MAX);
		const struct note *n = &notes->items[i];

		if (n->kind != NOTE_WARNING)
			continue;
		if (n->path) {
			report_name(&text, n->path);
			buf_char(&text, ' ');
		}
		report_name(&text, n->text);
		github_annotation(out, "warning", "crc", text.data);
		(*shown)++;
	}
}

void github_warnings(struct buf *out, const struct outcome *o)
{
	size_t shown = 0;

	/* What was done counts for more, should there be too many. */
	warn(out, &o->notes, &shown);
	warn(out, &o->plan.notes, &shown);
}

int github_output(struct buf *out, const char *name, const char *value, struct error *err)
{
	unsigned char bytes[16];
	char hex[33];

	do {
		if (random_bytes(bytes, sizeof(bytes), err) < 0)
			return -1;
		encode_hex(bytes, sizeof(bytes), hex);
	} while (strstr(value, hex));
	buf_printf(out, "%s<<crc_%s\n", name, hex);
	buf_str(out, value);
	buf_printf(out, "\ncrc_%s\n", hex);
	return 0;
}

/* Values */

static void put_flag(struct buf *out, bool yes)
{
	buf_str(out, yes ? "true" : "false");
}

static void put_superseded(struct buf *out, const struct outcome *o)
{
	put_flag(out, o->verdict == VERDICT_SUPERSEDED);
}

static void put_changed(struct buf *out, const struct outcome *o)
{
	struct outcome_totals t = outcome_count(o);

	put_flag(out, outcome_changed(&t));
}

static void put_uploaded(struct buf *out, const struct outcome *o)
{
	buf_printf(out, "%zu", outcome_count(o).uploaded);
}

static void put_deleted(struct buf *out, const struct outcome *o)
{
	buf_printf(out, "%zu", outcome_count(o).deleted);
}

static void put_bytes(struct buf *out, const struct outcome *o)
{
	buf_printf(out, "%" PRId64, outcome_count(o).bytes);
}

static void put_invalidations(struct buf *out, const struct outcome *o)
{
	for (size_t i = 0; o->steps && i < o->plan.steps.len; i++)
		if (o->steps[i].invalidation)
			buf_printf(out, "%s%s", out->len ? "," : "",
				   o->steps[i].invalidation);
}

static void put_paths(struct buf *out, const struct outcome *o)
{
	(void)report_patterns_json(o, LONG_OUTPUT_MAX, out); /* those that fit */
}

static void put_commit(struct buf *out, const struct oid *id)
{
	char hex[OID_HEX_SIZE];

	if (!oid_is_zero(id))
		buf_str(out, oid_hex(id, hex));
}

/* Of several sites the first one's: they rarely differ. */
static void put_base(struct buf *out, const struct outcome *o)
{
	if (o->plan.sites.len)
		put_commit(out, &o->plan.sites.items[0].base);
	else if (o->superseded_by)
		buf_str(out, o->superseded_by);
}

static void put_head(struct buf *out, const struct outcome *o)
{
	put_commit(out, &o->plan.head);
}

static void put_plan(struct buf *out, const struct outcome *o)
{
	report_plan_json(&o->plan, LONG_OUTPUT_MAX, out);
	/* A line's end is not part of a value. */
	buf_truncate(out, out->len - 1);
}

static void put_stacks(struct buf *out, const struct outcome *o)
{
	(void)report_outputs_json(o, LONG_OUTPUT_MAX, out); /* those that fit */
}

static void put_backend(struct buf *out, const struct outcome *o)
{
	put_flag(out, outcome_count(o).backends > 0);
}

static const struct {
	const char *name;
	void (*put)(struct buf *out, const struct outcome *o);
} outputs[] = {
	{ "changed", put_changed },         { "superseded", put_superseded },
	{ "uploaded-count", put_uploaded }, { "deleted-count", put_deleted },
	{ "uploaded-bytes", put_bytes },    { "invalidation-ids", put_invalidations },
	{ "invalidated-paths", put_paths }, { "backend-deployed", put_backend },
	{ "stack-outputs", put_stacks },    { "base-sha", put_base },
	{ "head-sha", put_head },           { "plan", put_plan },
};

static int write_outputs(const struct github *g, const struct outcome *o,
			 const char *site_url, struct error *err)
{
	CLEANUP(buf) struct buf text = BUF_INIT(OUTPUTS_MAX);

	if (str_empty(g->output_file))
		return 0;
	for (size_t i = 0; i < sizeof(outputs) / sizeof(*outputs); i++) {
		CLEANUP(buf) struct buf value = BUF_INIT(OUTPUTS_MAX);

		outputs[i].put(&value, o);
		if (github_output(&text, outputs[i].name, value.data, err) < 0)
			return -1;
	}
	if (github_output(&text, "site-url", site_url ? site_url : "", err) < 0 ||
	    buf_check(&text, "outputs", err) < 0)
		return -1;
	return fs_append(g->output_file, text.data, text.len, err);
}

/* Where GitHub shows what lies between two commits. The variables are the runner's, but
 * they end up in Markdown. */
static bool put_compare_url(const struct github *g, struct buf *out)
{
	static const char usual[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-._/:";

	if (str_empty(g->server) || str_empty(g->repository) ||
	    !str_starts(g->server, "https://"))
		return false;
	buf_printf(out, "%s/%s/compare/", g->server, g->repository);
	return strspn(out->data, usual) == out->len;
}

static int write_summary(const struct github *g, const struct outcome *o,
			 struct error *err)
{
	CLEANUP(buf) struct buf text = BUF_INIT(OUTPUTS_MAX);
	CLEANUP(buf) struct buf url = BUF_INIT(4096);

	if (str_empty(g->summary_file))
		return 0;
	report_summary(o, put_compare_url(g, &url) ? url.data : NULL, &text);
	return fs_append(g->summary_file, text.data, text.len, err);
}

int github_report(const struct github *g, const struct outcome *o, const char *site_url,
		  struct error *err)
{
	if (write_outputs(g, o, site_url, err) < 0)
		return error_wrap(err, "outputs");
	if (write_summary(g, o, err) < 0)
		return error_wrap(err, "summary");
	return 0;
}
