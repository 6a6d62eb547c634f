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
#include "run/backend.h"
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
	buf_printf(out, " in s3://%s/%s\n", value_text(&site->bucket), site->prefix);
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
	json_member(&w, "bucket", value_text(&site->bucket));
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

	const char *bucket = value_text(&site->bucket);

	if (!bucket && site->bucket.kind == VALUE_OUTPUT)
		return error_set(
			err, ERR_CONFIG,
			"site %s: its bucket is the output %s of backend %s, which "
			"is not there: deploy first",
			site->name, site->bucket.text, site->bucket.backend);
	if (!bucket)
		return error_set(err, ERR_CONFIG, "site %s has no bucket: give --bucket",
				 site->name);
	claim_read_request(&call.request, bucket, site->prefix);
	if (aws_send_all(aws, &call, 1, err) < 0 ||
	    claim_read_result(&call, &read, err) < 0)
		return -1;
	if (json)
		json_site(site, &read, &text);
	else
		text_site(site, &read, &text);
	return display_print(&text, err);
}

/* Backends: what is live, and what it puts out. */

struct backends {
	struct backend_options options;
	struct backend_work *works; /* owned */
	size_t n;
};

static void backends_release(struct backends *b)
{
	for (size_t i = 0; i < b->n; i++)
		backend_release(&b->works[i]);
	free(b->works);
}

static const char *find_output(void *ctx, const struct value *v)
{
	const struct backends *b = ctx;

	return backends_output(b->works, b->n, v);
}

static int read_backends(struct backends *b, struct aws *aws, struct config *config,
			 struct error *err)
{
	size_t all = config->backends.len;
	struct aws_call *calls = xcalloc(all * BACKEND_CALLS_MOST + 1, sizeof(*calls));
	struct aws_call *answers = calls;
	size_t n;
	int rc;

	b->options.aws = aws;
	b->works = xcalloc(all + 1, sizeof(*b->works));
	for (b->n = 0; b->n < all; b->n++)
		/* Opens nothing, and so does not fail. */
		(void)backend_open(&b->works[b->n], &b->options,
				   &config->backends.items[b->n], false, err);
	n = backends_calls(b->works, b->n, calls);
	rc = n ? aws_send_all(aws, calls, n, err) : 0;
	if (rc == 0)
		rc = backends_take(b->works, b->n, &answers, err);
	for (size_t i = 0; i < n; i++)
		aws_call_release(&calls[i]);
	free(calls);
	if (rc == 0)
		config_resolve_outputs(config, find_output, b);
	return rc;
}

static const char *live_status(const struct backend_work *b)
{
	if (!b->exists)
		return "not deployed";
	return b->backend->kind == BACKEND_FUNCTION ? b->function.state : b->stack.status;
}

static void json_backend(const struct backend_work *b, struct buf *out)
{
	struct json_writer w = JSON_WRITER_INIT(out);
	bool function = b->backend->kind == BACKEND_FUNCTION;

	json_open(&w, '{');
	json_member_int(&w, "v", 1);
	json_member(&w, "type", "status");
	json_member(&w, "backend", b->backend->name);
	json_member(&w, function ? "function" : "stack", backend_target(b));
	json_member(&w, "status", b->exists ? live_status(b) : NULL);
	json_close(&w, '}');
	buf_char(out, '\n');
}

static int status_backend(const struct backend_work *b, bool json, struct error *err)
{
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 20);
	bool function = b->backend->kind == BACKEND_FUNCTION;

	if (json) {
		json_backend(b, &text);
		return display_print(&text, err);
	}
	buf_str(&text, "backend ");
	report_name(&text, b->backend->name);
	buf_str(&text, function ? " in function " : " in stack ");
	report_name(&text, backend_target(b));
	buf_str(&text, "\n  status     ");
	report_name(&text, live_status(b));
	buf_char(&text, '\n');
	return display_print(&text, err);
}

static bool is_asked_for(const struct options *o, const char *only, const char *name)
{
	if (!o->site && !o->backend)
		return true;
	return only && str_eq(only, name);
}

/* What is asked for must be in the file: nothing said of it would pass for all being well. */
static int check_asked(const struct options *o, const struct config *config,
		       struct error *err)
{
	CLEANUP(buf) struct buf sites = BUF_INIT(512);
	CLEANUP(buf) struct buf backends = BUF_INIT(512);
	bool site = !o->site, backend = !o->backend;

	for (size_t i = 0; i < config->sites.len; i++) {
		const char *name = config->sites.items[i].name;

		buf_printf(&sites, "%s%s", i ? ", " : "; there are: ", name);
		site = site || str_eq(name, o->site);
	}
	for (size_t i = 0; i < config->backends.len; i++) {
		const char *name = config->backends.items[i].name;

		buf_printf(&backends, "%s%s", i ? ", " : "; there are: ", name);
		backend = backend || str_eq(name, o->backend);
	}
	if (!site)
		return error_set(err, ERR_CONFIG, "there is no site \"%s\"%s", o->site,
				 sites.data);
	if (!backend)
		return error_set(err, ERR_CONFIG, "there is no backend \"%s\"%s",
				 o->backend, backends.data);
	return 0;
}

static int status_of(const struct cmd_context *c, const struct config *config,
		     const struct backends *b, struct error *err)
{
	const struct options *o = c->options;
	struct aws *aws = b->options.aws;

	for (size_t i = 0; i < b->n; i++)
		if (is_asked_for(o, o->backend, b->works[i].backend->name) &&
		    status_backend(&b->works[i], o->json, err) < 0)
			return -1;
	for (size_t i = 0; i < config->sites.len; i++)
		if (is_asked_for(o, o->site, config->sites.items[i].name) &&
		    status_site(aws, &config->sites.items[i], o->json, err) < 0)
			return -1;
	return 0;
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

	struct backends backends = { .works = NULL };
	int rc = -1;

	if (settings_load(settings, c->options, c->github, repo, c->env, err) < 0 ||
	    check_asked(c->options, &settings->config, err) < 0)
		return -1;
	options.region = settings->region;
	if (cloud_open(cloud, &options, err) < 0)
		return -1;
	if (read_backends(&backends, cloud->aws, &settings->config, err) == 0)
		rc = status_of(c, &settings->config, &backends, err);
	backends_release(&backends);
	return rc;
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
