#include "action/github.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "action/options.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/encode.h"
#include "core/report.h"
#include "io/fs.h"
#include "io/random.h"

enum { VALUE_MAX = 64 << 20 };

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
		.debug = str_eq(options_env(env, "RUNNER_DEBUG"), "1"),
	};
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

int github_output(const struct github *g, const char *name, const char *value,
		  struct error *err)
{
	CLEANUP(buf) struct buf text = BUF_INIT(VALUE_MAX);
	unsigned char bytes[16];
	char hex[33];

	if (str_empty(g->output_file))
		return 0;
	do {
		if (random_bytes(bytes, sizeof(bytes), err) < 0)
			return -1;
		encode_hex(bytes, sizeof(bytes), hex);
	} while (strstr(value, hex));
	buf_printf(&text, "%s<<crc_%s\n", name, hex);
	buf_str(&text, value);
	buf_printf(&text, "\ncrc_%s\n", hex);
	if (buf_check(&text, name, err) < 0)
		return -1;
	return fs_append(g->output_file, text.data, text.len, err);
}

static int output_number(const struct github *g, const char *name, int64_t n,
			 struct error *err)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, n);
	return github_output(g, name, text, err);
}

static void invalidation_ids(const struct outcome *o, struct buf *out)
{
	for (size_t i = 0; o->steps && i < o->plan.steps.len; i++)
		if (o->steps[i].invalidation)
			buf_printf(out, "%s%s", out->len ? "," : "",
				   o->steps[i].invalidation);
}

static int output_commits(const struct github *g, const struct plan *p, struct error *err)
{
	char hex[OID_HEX_SIZE];
	const struct plan_site *first = p->sites.len ? &p->sites.items[0] : NULL;

	if (github_output(g, "base-sha",
			  first && first->has_base ? oid_hex(&first->base, hex) : "",
			  err) < 0)
		return -1;
	return github_output(g, "head-sha", oid_hex(&p->head, hex), err);
}

int github_report(const struct github *g, const struct outcome *o, const char *site_url,
		  struct error *err)
{
	CLEANUP(buf) struct buf ids = BUF_INIT(VALUE_MAX);
	CLEANUP(buf) struct buf paths = BUF_INIT(VALUE_MAX);
	CLEANUP(buf) struct buf plan = BUF_INIT(VALUE_MAX);
	CLEANUP(buf) struct buf summary = BUF_INIT(1 << 20);
	struct outcome_totals t = outcome_count(o, o->verdict == VERDICT_PLANNED);
	bool changed = t.uploaded || t.deleted || t.patterns;

	invalidation_ids(o, &ids);
	report_patterns_json(&o->plan, &paths);
	report_plan_json(&o->plan, &plan);
	report_summary(o, &summary);
	if (github_output(g, "changed", changed ? "true" : "false", err) < 0 ||
	    github_output(g, "superseded",
			  o->verdict == VERDICT_SUPERSEDED ? "true" : "false", err) < 0 ||
	    output_number(g, "uploaded-count", (int64_t)t.uploaded, err) < 0 ||
	    output_number(g, "deleted-count", (int64_t)t.deleted, err) < 0 ||
	    output_number(g, "uploaded-bytes", t.bytes, err) < 0 ||
	    github_output(g, "invalidation-ids", ids.data, err) < 0 ||
	    github_output(g, "invalidated-paths", paths.data, err) < 0 ||
	    output_commits(g, &o->plan, err) < 0 ||
	    github_output(g, "plan", plan.data, err) < 0 ||
	    github_output(g, "site-url", site_url ? site_url : "", err) < 0)
		return -1;
	if (str_empty(g->summary_file))
		return 0;
	return fs_append(g->summary_file, summary.data, summary.len, err);
}
