#include "action/cmd.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "action/cloud.h"
#include "action/display.h"
#include "action/settings.h"
#include "base/mem.h"
#include "codec/json.h"
#include "core/report.h"
#include "run/claim.h"

static void when(struct buf *out, int64_t at_s)
{
	time_t t = (time_t)at_s;
	struct tm tm;
	char text[32];

	if (gmtime_r(&t, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%SZ", &tm))
		buf_str(out, text);
}

static void text_site(const struct site *site, const struct claim_read *r,
		      struct buf *out)
{
	char hex[OID_HEX_SIZE];
	const struct state *s = &r->state;

	buf_str(out, "site ");
	report_name(out, site->name);
	buf_printf(out, " in s3://%s/%s\n", site->bucket.text, site->prefix);
	if (!r->exists) {
		buf_str(out, "  nothing was deployed by crc\n");
		return;
	}
	if (s->deployed.is_set) {
		buf_printf(out, "  commit     %s, deployed ",
			   oid_hex(&s->deployed.commit, hex));
		when(out, s->deployed.at_s);
		buf_char(out, '\n');
	}
	buf_printf(out, "  objects    %zu, and %zu retired\n", s->objects.len,
		   s->retired.len);
	if (s->lease.is_set)
		buf_printf(out, "  lease      %s (dead in %" PRId64 " s at the latest)\n",
			   r->wait_s ? "held by a running deploy" : "dead", r->wait_s);
	if (s->journal.is_set)
		buf_printf(
			out,
			"  unfinished a deploy of %s touched %zu objects: the next one "
			"finishes\n",
			oid_hex(&s->journal.commit, hex), s->journal.touches.len);
}

static void json_site(const struct site *site, const struct claim_read *r,
		      struct buf *out)
{
	struct json_writer w = JSON_WRITER_INIT(out);
	char hex[OID_HEX_SIZE];
	const struct state *s = &r->state;

	json_open(&w, '{');
	json_member_int(&w, "v", 1);
	json_member(&w, "type", "status");
	json_member(&w, "site", site->name);
	json_member(&w, "bucket", site->bucket.text);
	json_member(&w, "prefix", site->prefix);
	json_member(&w, "commit",
		    s->deployed.is_set ? oid_hex(&s->deployed.commit, hex) : NULL);
	json_key(&w, "at");
	if (s->deployed.is_set)
		json_put_int(&w, s->deployed.at_s);
	else
		json_put_null(&w);
	json_member_int(&w, "objects", (int64_t)s->objects.len);
	json_member_int(&w, "retired", (int64_t)s->retired.len);
	json_member_bool(&w, "unfinished", s->journal.is_set);
	json_member_bool(&w, "running", s->lease.is_set && r->wait_s > 0);
	json_close(&w, '}');
	buf_char(out, '\n');
}

static int status_site(struct aws *aws, const struct site *site, bool json,
		       struct error *err)
{
	CLEANUP(aws_call) struct aws_call call = AWS_CALL_INIT;
	CLEANUP(claim_read) struct claim_read read = { .exists = false };
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 20);

	if (site->bucket.kind != VALUE_LITERAL)
		return error_set(err, ERR_CONFIG, "site %s has no bucket: give --bucket",
				 site->name);
	claim_read_request(&call.request, site->bucket.text, site->prefix);
	if (aws_send_all(aws, &call, 1, err) < 0 ||
	    claim_read_result(&call, &read, err) < 0)
		return -1;
	if (json)
		json_site(site, &read, &text);
	else
		text_site(site, &read, &text);
	return display_print(&text, err);
}

static int status_all(const struct cmd_context *c, struct repo *repo,
		      struct settings *settings, struct cloud *cloud, struct error *err)
{
	struct cloud_options options = {
		.env = c->env,
		.role_to_assume = c->options->role_to_assume,
		.mask = c->github->is_runner,
		.json = c->options->json,
		.cancelled = c->cancelled,
	};

	if (settings_load(settings, c->options, c->github, repo, c->env, err) < 0)
		return -1;
	options.region = settings->region;
	if (cloud_open(cloud, &options, err) < 0)
		return -1;
	for (size_t i = 0; i < settings->config.sites.len; i++) {
		const struct site *site = &settings->config.sites.items[i];

		if (c->options->site && !str_eq(c->options->site, site->name))
			continue;
		if (status_site(cloud->aws, site, c->options->json, err) < 0)
			return -1;
	}
	return 0;
}

int cmd_status(const struct cmd_context *c)
{
	CLEANUP_PTR(repo) struct repo *repo = NULL;
	struct settings settings = { .config = CONFIG_INIT };
	struct cloud cloud = { .http = NULL };
	struct error err = ERROR_INIT;
	int rc;

	rc = repo_open(c->options->repo ? c->options->repo : ".", NULL, &repo, &err);
	if (rc == 0)
		rc = status_all(c, repo, &settings, &cloud, &err);
	cloud_release(&cloud);
	settings_release(&settings);
	return rc < 0 ? cmd_give_up(c, &err) : 0;
}
