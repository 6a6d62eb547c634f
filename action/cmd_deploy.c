#include "action/cmd.h"

#include <stdio.h>
#include <string.h>

#include "action/cloud.h"
#include "action/display.h"
#include "action/settings.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/event.h"
#include "core/report.h"
#include "io/fs.h"
#include "run/deploy.h"

enum { EVENT_MAX = 32 << 20, TEXT_MAX = 256 << 20 };

struct deploying {
	const struct cmd_context *cmd;
	struct display display;
	struct repo *repo;
	struct settings settings;
	struct cloud cloud;
	struct event event;
	bool has_event;
	struct oid base;
	struct deploy_options options;
};

static void deploying_release(struct deploying *d)
{
	cloud_release(&d->cloud);
	if (d->has_event)
		event_release(&d->event);
	settings_release(&d->settings);
	repo_free(d->repo);
}

static int read_event(struct deploying *d, struct error *err)
{
	const struct github *g = d->cmd->github;
	CLEANUP(buf) struct buf text = BUF_INIT(EVENT_MAX);
	struct event_runner runner = {
		.event_name = g->event_name,
		.ref = g->ref,
		.sha = g->sha,
		.workflow = g->workflow,
		.run_id = g->run_id,
		.run_number = g->run_number,
		.run_attempt = g->run_attempt,
	};

	if (!g->is_runner || str_empty(g->event_file))
		return 0;
	if (fs_read(g->event_file, &text, err) < 0 ||
	    event_parse(&d->event, text.data, text.len, &runner, err) < 0)
		return error_wrap(err, "event payload");
	d->has_event = true;
	return 0;
}

static void use_event(struct deploying *d)
{
	const struct event *e = &d->event;

	if (!d->has_event)
		return;
	if (!oid_is_zero(&e->before))
		d->options.before = &e->before;
	d->options.run = (struct state_run){
		.workflow = e->run.workflow,
		.id = e->run.id,
		.number = e->run.number,
		.attempt = e->run.attempt,
	};
}

static int source_kind(const char *text, enum source_kind *out, struct error *err)
{
	static const struct {
		const char *name;
		enum source_kind kind;
	} kinds[] = { { "auto", SOURCE_AUTO },
		      { "commit", SOURCE_COMMIT },
		      { "worktree", SOURCE_WORKTREE } };

	*out = SOURCE_AUTO;
	for (size_t i = 0; text && i < 3; i++) {
		if (str_eq(text, kinds[i].name)) {
			*out = kinds[i].kind;
			return 0;
		}
	}
	if (text)
		return error_set(err, ERR_USAGE, "--source %s: commit, worktree or auto",
				 text);
	return 0;
}

static int fill_options(struct deploying *d, struct error *err)
{
	const struct options *o = d->cmd->options;

	d->options = (struct deploy_options){
		.repo = d->repo,
		.config = &d->settings.config,
		.only_site = o->site,
		.only_backend = o->backend,
		.head = d->settings.head,
		.ref = d->settings.ref,
		.dry_run = o->dry_run,
		.offline = o->offline,
		.wait = o->wait,
		.verify = o->verify,
		.audit = o->audit,
		.change_set = o->change_set && o->dry_run,
		.recreate_stack = o->recreate_stack,
		.allow_rollback = o->allow_rollback,
		.max_delete = o->max_delete,
		.max_paths = (size_t)o->max_paths,
		.concurrency = (unsigned)o->concurrency,
		.lock_timeout_s = o->lock_timeout_s,
		.git_token = d->cmd->github->token,
		.git_server = d->cmd->github->server,
		.env = (char *const *)(uintptr_t)d->cmd->env,
		.cancelled = d->cmd->cancelled,
		.clock = clock_real(),
		.progress = &d->display.progress,
	};
	use_event(d);
	if (o->base) {
		if (repo_resolve(d->repo, o->base, &d->base, err) < 0)
			return error_wrap(err, "--base");
		d->options.base = &d->base;
	}
	return source_kind(o->source, &d->options.source, err);
}

static int connect(struct deploying *d, struct error *err)
{
	const struct options *o = d->cmd->options;
	struct cloud_options cloud = {
		.env = d->cmd->env,
		.log = &d->display.log,
		.region = d->settings.region,
		.role_to_assume = o->role_to_assume,
		.no_metadata = o->dry_run,
		.mask = d->cmd->github->is_runner,
		.json = o->json,
		.cancelled = d->cmd->cancelled,
	};

	if (o->dry_run && (o->base || !cloud_is_configured(&cloud)))
		d->options.offline = true;
	if (o->base && !d->options.offline)
		return error_set(err, ERR_USAGE,
				 "--base is for dry runs: a deploy compares with what is "
				 "recorded as deployed");
	if (d->options.offline)
		return 0;
	if (cloud_open(&d->cloud, &cloud, err) < 0)
		return -1;
	d->options.aws = d->cloud.aws;
	d->options.http = d->cloud.http;
	return 0;
}

static int prepare(struct deploying *d, struct error *err)
{
	const struct cmd_context *c = d->cmd;
	const struct options *o = c->options;

	display_init(&d->display, o, c->env);
	if (repo_open(o->repo ? o->repo : ".", &d->display.log, &d->repo, err) < 0 ||
	    settings_load(&d->settings, o, c->github, d->repo, c->env, err) < 0 ||
	    read_event(d, err) < 0 || fill_options(d, err) < 0)
		return -1;
	return 0;
}

/* What the user should know of the settings before anything is done with them. */
static void say_settings(const struct deploying *d)
{
	if (d->cmd->options->quiet)
		return;
	if (d->settings.source_note)
		fprintf(stderr, "note: %s\n", d->settings.source_note);
	/* A workflow that makes a dry run of some events sets it for all. */
	if (d->cmd->options->change_set && !d->cmd->options->dry_run &&
	    !d->options.offline)
		fputs("note: --change-set is for dry runs, and left out: a deploy shows "
		      "what its own change set does\n",
		      stderr);
	if (d->options.offline && d->cmd->options->change_set)
		fputs("note: --change-set asks CloudFormation, which an offline dry run "
		      "cannot: none is made\n",
		      stderr);
}

static const char *site_url(const struct deploying *d)
{
	const struct site_list *sites = &d->settings.config.sites;

	return sites->len ? value_text(&sites->items[0].url) : NULL;
}

static int report(struct deploying *d, const struct outcome *o, struct error *err)
{
	CLEANUP(buf) struct buf text = BUF_INIT(TEXT_MAX);
	CLEANUP(buf) struct buf warnings = BUF_INIT(TEXT_MAX);
	struct report_style style = { d->display.color, 0 };

	display_end_line(&d->display);
	if (d->display.json)
		report_result_json(o, &text);
	else
		report_outcome_text(o, &style, &text);
	if (display_print(&text, err) < 0)
		return -1;
	if (d->cmd->github->is_runner)
		github_warnings(&warnings, o);
	fputs(warnings.data, stderr);
	return github_report(d->cmd->github, o, site_url(d), err);
}

/* Reports how it ended, whatever it was; gives the exit status. */
static int end(struct deploying *d, const struct outcome *o)
{
	struct error err = ERROR_INIT;
	int status = 0;

	display_end_line(&d->display);
	if (o->error.code)
		status = cmd_fail(d->cmd, &o->error);
	if (report(d, o, &err) < 0 && !status)
		status = cmd_fail(d->cmd, &err);
	return status;
}

static int run(struct deploying *d)
{
	struct error err = ERROR_INIT;
	struct outcome outcome;
	struct deploy deploy;
	int status;

	say_settings(d);
	/* What went wrong stands in the outcome too. */
	(void)deploy_run(&deploy, &d->options, &outcome, &err);
	status = end(d, &outcome);
	outcome_release(&outcome);
	deploy_release(&deploy);
	return status;
}

/* True: the event deploys nothing, which needs no credentials. */
static bool deploys_nothing(const struct deploying *d, struct outcome *early)
{
	if (!d->has_event || d->cmd->options->dry_run ||
	    !event_deploys_nothing(&d->event, &early->nothing_why))
		return false;
	early->verdict = VERDICT_NOTHING;
	return true;
}

int cmd_deploy(const struct cmd_context *c)
{
	struct deploying d = { .cmd = c };
	struct outcome early = { .verdict = VERDICT_FAILED };
	int status;

	if (prepare(&d, &early.error) < 0 || deploys_nothing(&d, &early) ||
	    connect(&d, &early.error) < 0) {
		early.plan.head = d.settings.head;
		status = end(&d, &early);
	} else {
		status = run(&d);
	}
	deploying_release(&d);
	return status;
}
