#include "run/deploy.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "run/build.h"
#include "run/deploy_private.h"
#include "run/execute.h"
#include "run/source_notes.h"
#include "run/verify.h"

enum {
	MAX_WILDCARDS = 15,
	LEASE_POLL_MS = 2000,
	WAIT_TIMEOUT_S = 900,
	VERIFY_TIMEOUT_S = 300
};

/* Opening */

/* A dry run runs nothing, and plans with what an earlier build has left. */
static int build(struct deploy *d, const struct site *site, struct error *err)
{
	const struct deploy_options *o = d->options;
	struct build_options options = {
		.repo = o->repo,
		.what = arena_printf(&d->arena, "site %s", site->name),
		.command = site->build,
		.head = &o->head,
		.env = o->env,
		.cancelled = o->cancelled,
		.progress = o->progress,
	};

	if (!site->build)
		return 0;
	if (!o->dry_run && !o->offline)
		return build_run(&options, err);
	note_list_push(
		&d->opening_notes,
		(struct note){ NOTE_INFO, SIZE_MAX, NULL,
			       arena_printf(&d->arena,
					    "site %s: its build was not run: the plan is "
					    "made with what is in %s now",
					    site->name, site->path) });
	return 0;
}

static int open_site(struct deploy *d, struct deploy_site *s, struct error *err)
{
	const struct deploy_options *o = d->options;
	const struct source_options from = {
		.repo = o->repo,
		.config = o->config,
		.site = s->site,
		.commit = &o->head,
		.wanted = o->source,
	};

	s->bucket = value_text(&s->site->bucket);
	if (!s->bucket && s->site->bucket.kind != VALUE_OUTPUT && !o->offline)
		return error_set(
			err, ERR_CONFIG,
			"site %s has no bucket: give --bucket, or `bucket:` in crc.yml",
			s->site->name);
	if (build(d, s->site, err) < 0 || source_open(&s->source, &from, err) < 0)
		return -1;
	s->n_viewers = s->site->distributions.len;
	s->viewers = arena_alloc(&d->arena, s->n_viewers * sizeof(*s->viewers));
	s->distributions = arena_alloc(&d->arena,
				       s->n_viewers * sizeof(*s->distributions));
	if (source_snapshot(&s->source, &d->arena, &s->head, err) < 0)
		return -1;
	source_notes(&s->source, &s->head,
		     o->dry_run || o->offline ? EDITS_OF_FEW_FILES : EDITS_OF_ALL,
		     &d->arena, &d->opening_notes);
	return 0;
}

static bool is_wanted(const struct deploy_options *o, const struct site *site)
{
	if (o->only_site)
		return str_eq(o->only_site, site->name);
	return !o->only_backend;
}

static int fail_no_site(const struct deploy_options *o, struct error *err)
{
	CLEANUP(buf) struct buf names = BUF_INIT(512);
	const struct site_list *all = &o->config->sites;

	if (!o->only_site)
		return error_set(err, ERR_CONFIG, "there is no site to deploy");
	for (size_t i = 0; i < all->len; i++)
		buf_printf(&names, "%s%s", i ? ", " : "", all->items[i].name);
	return error_set(err, ERR_CONFIG, "there is no site \"%s\"; there are: %s",
			 o->only_site, names.data);
}

static int open_sites(struct deploy *d, struct error *err)
{
	const struct site_list *all = &d->options->config->sites;

	d->sites = arena_alloc(&d->arena, all->len * sizeof(*d->sites));
	for (size_t i = 0; i < all->len; i++)
		if (is_wanted(d->options, &all->items[i]))
			d->sites[d->n_sites++].site = &all->items[i];
	if (d->options->only_site && !d->n_sites)
		return fail_no_site(d->options, err);
	for (size_t i = 0; i < d->n_sites; i++)
		if (open_site(d, &d->sites[i], err) < 0)
			return -1;
	return 0;
}

/* Planning */

/* By the services' clock, so that retired assets grow as old as `keep` says whatever the
 * clocks of the machines are that deploy. */
static int64_t now_s(const struct deploy *d)
{
	int64_t skew_ms = d->options->aws ? aws_skew_ms(d->options->aws) : 0;

	return (clock_wall_ms(d->options->clock) + skew_ms) / 1000;
}

static void fill_input(const struct deploy *d, const struct deploy_site *s,
		       struct site_input *in)
{
	bool offline = d->options->offline;

	*in = (struct site_input){
		.config = d->options->config,
		.site = s->site,
		.bucket = s->bucket,
		.head = s->head,
		.knowledge = offline          ? KNOW_GIT
			     : s->read.exists ? KNOW_STATE
					      : KNOW_NOTHING,
		.state = !offline && s->read.exists ? &s->read.state : NULL,
		.state_etag = !offline ? s->read.etag : NULL,
		.base = s->base,
		.base_commit = d->has_base_commit ? &d->base_commit : NULL,
		.base_why = offline ? d->base_why : s->order_why,
		.live = s->live,
		.live_is_complete = s->live_is_complete,
		.audit = d->options->audit,
		.viewers = s->viewers,
		.n_viewers = s->n_viewers,
		.neighbours = s->neighbours,
		.n_neighbours = s->n_neighbours,
	};
}

static void add_notes(struct note_list *to, const struct note_list *from)
{
	for (size_t i = 0; i < from->len; i++)
		note_list_push(to, from->items[i]);
}

/* Whether the site has a part in the plan. One that waits is shown by a dry run, and has its
 * turn in the next plan otherwise. */
static bool is_planned(const struct deploy *d, const struct deploy_site *s)
{
	return !s->superseded && (!s->waits || d->options->dry_run);
}

static void note_waiting(struct deploy *d)
{
	for (size_t i = 0; i < d->n_sites; i++) {
		const struct site *site = d->sites[i].site;

		if (!d->sites[i].waits || d->options->dry_run)
			continue;
		note_list_push(
			&d->notes,
			(struct note){
				NOTE_INFO, SIZE_MAX, NULL,
				arena_printf(&d->arena,
					     "site %s is planned once the backends have "
					     "deployed: where it goes is %s",
					     site->name,
					     value_label(&site->bucket, &d->arena)) });
	}
}

static int build_plan(struct deploy *d, struct plan *plan, struct error *err)
{
	struct site_input *sites = xcalloc(d->n_sites + 1, sizeof(*sites));
	struct backend_input *backends = xcalloc(d->n_backends + 1, sizeof(*backends));
	struct plan_input input = { .backends = backends, .sites = sites };
	int rc = deploy_describe_backends(d, backends, &input.n_backends, err);
	struct plan_options options = {
		.head = d->options->head,
		.offline = d->options->offline,
		.now_s = now_s(d),
		.cover = { d->options->max_paths, MAX_WILDCARDS },
		.max_delete = d->options->max_delete,
	};

	for (size_t i = 0; i < d->n_sites; i++)
		if (is_planned(d, &d->sites[i]))
			fill_input(d, &d->sites[i], &sites[input.n_sites++]);
	if (rc == 0) {
		plan_build(&options, &input, plan);
		note_waiting(d);
		deploy_note_order(d, plan);
		add_notes(&plan->notes, &d->opening_notes);
		add_notes(&plan->notes, &d->notes);
	}
	free(sites);
	free(backends);
	return rc;
}

/* Executing */

static int deploy_backend(void *ctx, size_t i, const struct watch *watch,
			  struct outcome *o, struct error *err)
{
	struct deploy *d = ctx;
	struct backend_work *b = deploy_backend_of(d, &o->plan.backends.items[i]);

	if (!deploy_is_due(d, b))
		return error_set(err, ERR_CONDITION,
				 "where a site goes is known now: the rest deploys under "
				 "its claim");
	b->only_as_read = deploy_waits(d);
	if (backend_deploy(b, watch, o, err) < 0)
		return -1;
	b->deployed = true;
	return 0;
}

static bool outputs_moved(void *ctx)
{
	return deploy_outputs_moved(ctx);
}

/* Whether backends that deploy let others be planned, or sites. */
static bool is_staged(const struct deploy *d, const struct plan *plan)
{
	for (size_t i = 0; i < plan->backends.len; i++)
		if (plan->backends.items[i].verdict == BACKEND_LEFT)
			return false;
	if (d->bad_outputs.code || deploy_waits(d))
		return true;
	for (size_t i = 0; i < plan->backends.len; i++)
		if (plan->backends.items[i].verdict == BACKEND_LATER)
			return true;
	return false;
}

static int run_plan(struct deploy *d, struct outcome *o, bool *touched, struct error *err)
{
	struct execute_site *sites = xcalloc(d->n_sites + 1, sizeof(*sites));
	struct execute_options options = {
		.aws = d->options->aws,
		.sites = sites,
		.progress = d->options->progress,
		.concurrency = d->options->concurrency,
		.wait = d->options->wait || d->options->verify,
		.wait_timeout_s = WAIT_TIMEOUT_S,
		.deploy_backend = deploy_backend,
		.outputs_moved = outputs_moved,
		.is_staged = is_staged(d, &o->plan),
		.ctx = d,
	};
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < d->n_sites; i++) {
		struct deploy_site *s = &d->sites[i];

		if (is_planned(d, s))
			sites[n++] = (struct execute_site){
				.source = &s->source,
				.read = &s->read,
				.run = d->options->run,
				.now_s = now_s(d),
			};
	}
	rc = execute(&options, o, touched, err);
	free(sites);
	return rc;
}

static void tell_superseding(const struct deploy_site *s, struct outcome *o)
{
	char hex[OID_HEX_SIZE];
	const struct state *state = &s->read.state;

	o->superseded_by = arena_strdup(
		&o->arena, oid_hex(state->journal.is_set ? &state->journal.commit
							 : &state->deployed.commit,
				   hex));
	o->superseded_why = s->order_why;
	o->superseded_is_begun = state->journal.is_set;
}

/* Backends alone: one site that is ahead is enough, as it is for them in any deploy. */
static bool any_record_superseded(const struct deploy *d, struct outcome *o)
{
	for (size_t i = 0; i < d->n_records; i++) {
		if (!d->records[i].superseded)
			continue;
		tell_superseding(&d->records[i], o);
		return true;
	}
	return false;
}

/* A site that waits has nobody to wait for where another is ahead: no backend deploys then. */
static bool all_superseded(const struct deploy *d, struct outcome *o)
{
	bool any = false;

	if (!d->n_sites)
		return any_record_superseded(d, o);
	for (size_t i = 0; i < d->n_sites; i++) {
		const struct deploy_site *s = &d->sites[i];

		if (!s->superseded && !s->waits)
			return false;
		any |= s->superseded;
		if (s->superseded)
			tell_superseding(s, o);
	}
	return any;
}

static int conclude(struct outcome *o, enum verdict v)
{
	o->verdict = v;
	return 0;
}

/* All is deployed and recorded; that it is not served (yet) is a failure of its own. */
static int verify_all(struct deploy *d, struct outcome *o, struct error *err)
{
	const struct source **sources = xcalloc(d->n_sites + 1, sizeof(*sources));
	struct verify_options options = {
		.http = d->options->http,
		.clock = d->options->clock,
		.progress = d->options->progress,
		.sources = sources,
		.timeout_s = VERIFY_TIMEOUT_S,
	};
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < d->n_sites; i++)
		if (!d->sites[i].superseded)
			sources[n++] = &d->sites[i].source;
	rc = verify(&options, o, err);
	free(sources);
	o->verdict = rc < 0 ? VERDICT_UNVERIFIED : VERDICT_DONE;
	return rc;
}

/* A round that had nothing left to do may follow one that had. */
static enum verdict end_of(const struct outcome *o)
{
	struct outcome_totals t = outcome_count(o);

	return plan_is_empty(&o->plan) && !t.backends ? VERDICT_NOTHING : VERDICT_DONE;
}

static int finish_round(struct deploy *d, struct outcome *o, bool *again,
			struct error *err)
{
	if (is_staged(d, &o->plan)) {
		*again = true;
		return error_set(err, ERR_CONDITION, "more can be planned now");
	}
	if (end_of(o) == VERDICT_NOTHING)
		return conclude(o, VERDICT_NOTHING);
	return d->options->verify ? verify_all(d, o, err) : conclude(o, VERDICT_DONE);
}

/* Plans, and tells of it. 1: that is all, for a dry run. */
static int make_plan(struct deploy *d, struct outcome *o, struct error *err)
{
	const struct progress *p = d->options->progress;
	bool online = !d->options->offline;

	if (build_plan(d, &o->plan, err) < 0)
		return -1;
	if (online && deploy_judge_outputs(d, &o->plan, err) < 0)
		return -1;
	if (online && deploy_check_known(d, &o->plan, err) < 0)
		return -1;
	if (online && d->options->change_set && deploy_preview(d, &o->plan, err) < 0)
		return -1;
	if (p && p->planned)
		p->planned(p->ctx, &o->plan);
	return d->options->dry_run || d->options->offline;
}

/* One round: read, decide, plan, execute. *again: somebody else was faster, or backends have
 * deployed and there is more to plan. */
static int round_trip(struct deploy *d, struct outcome *o, bool *again, struct error *err)
{
	bool touched = false;
	int rc;

	outcome_forget_plan(o);
	if (!d->options->offline &&
	    (deploy_read(d, err) < 0 || deploy_decide_order(d, err) < 0))
		return -1;
	deploy_find_neighbours(d);
	if (!d->options->offline && all_superseded(d, o))
		return conclude(o, VERDICT_SUPERSEDED);
	if (!d->options->offline && deploy_look(d, err) < 0)
		return -1;
	if (!d->options->offline && deploy_find_left_sets(d, err) < 0)
		return -1;
	rc = make_plan(d, o, err);
	deploy_keep_outputs(d, o);
	if (rc)
		return rc < 0 ? -1 : conclude(o, VERDICT_PLANNED);
	if (o->plan.refused) {
		o->verdict = VERDICT_REFUSED;
		return error_set(err, o->plan.refused, "%s", o->plan.refusal);
	}
	if (plan_is_empty(&o->plan) || run_plan(d, o, &touched, err) == 0)
		return finish_round(d, o, again, err);
	*again = !touched && err->code == ERR_CONDITION;
	if (touched && err->code != ERR_ORDER)
		o->verdict = VERDICT_PARTIAL;
	return -1;
}

static bool has_backend_steps(const struct plan *plan)
{
	for (size_t i = 0; i < plan->steps.len; i++)
		if (plan->steps.items[i].kind == STEP_BACKEND)
			return true;
	return false;
}

/* After so many rounds with backends in them, what takes time is others all the same: each
 * backend may wait for another, and the sites for all. */
static size_t rounds_most(const struct deploy *d)
{
	return 4 + 2 * d->n_backends;
}

static int run_rounds(struct deploy *d, struct outcome *o, struct error *err)
{
	size_t rounds = 0;
	int64_t until_ms = clock_monotonic_ms(d->options->clock) +
			   d->options->lock_timeout_s * INT64_C(1000);

	for (;;) {
		bool again = false;

		if (round_trip(d, o, &again, err) == 0)
			return 0;
		if (!again)
			return -1;
		/* Before time is spent on waiting for the next round. */
		if (d->options->cancelled && *d->options->cancelled)
			return error_set(err, ERR_CANCELLED, "cancelled");
		/* What backends took is not time that others were faster. */
		if (has_backend_steps(&o->plan) && rounds++ < rounds_most(d))
			until_ms = clock_monotonic_ms(d->options->clock) +
				   d->options->lock_timeout_s * INT64_C(1000);
		if (clock_monotonic_ms(d->options->clock) >= until_ms)
			return error_set(err, ERR_LOCKED,
					 "other deploys were faster for %" PRId64 " s",
					 d->options->lock_timeout_s);
		error_clear(err);
		clock_sleep_ms(d->options->clock, LEASE_POLL_MS / 4);
	}
}

int deploy_run(struct deploy *d, const struct deploy_options *options, struct outcome *o,
	       struct error *err)
{
	int64_t start_ms = clock_monotonic_ms(options->clock);
	int rc;

	*d = (struct deploy){ .options = options };
	*o = (struct outcome){ .verdict = VERDICT_FAILED, .plan.head = options->head };
	rc = options->verify ? verify_check(options->config, options->only_site, err) : 0;
	if (rc == 0)
		rc = open_sites(d, err);
	deploy_open_records(d);
	if (rc == 0)
		rc = deploy_open_backends(d, err);
	if (rc == 0 && !d->n_sites && !deploy_has_wanted_backends(d))
		rc = error_set(err, ERR_CONFIG, "there is nothing to deploy");
	if (rc == 0 && options->offline)
		rc = deploy_find_base(d, err);
	if (rc == 0)
		rc = run_rounds(d, o, err);
	o->duration_ms = clock_monotonic_ms(options->clock) - start_ms;
	if (rc == 0)
		return 0;
	if (o->verdict == VERDICT_PARTIAL && error_exit_status(err->code) != 3 &&
	    err->code != ERR_CANCELLED)
		err->code = ERR_PARTIAL;
	if (o->verdict == VERDICT_FAILED && error_exit_status(err->code) == 5)
		o->verdict = VERDICT_REFUSED;
	o->error = *err;
	return -1;
}

void deploy_release(struct deploy *d)
{
	for (size_t i = 0; i < d->n_sites; i++) {
		struct deploy_site *s = &d->sites[i];

		deploy_forget_reading(s);
		source_release(&s->source);
		snapshot_release(&s->head);
		snapshot_release(&s->base);
	}
	deploy_forget_records(d);
	deploy_forget_backends(d);
	for (size_t i = 0; i < d->n_backends; i++)
		backend_release(&d->backends[i]);
	for (size_t i = 0; i < d->n_others; i++) {
		source_release(&d->others[i].source);
		snapshot_release(&d->others[i].objects);
	}
	note_list_release(&d->opening_notes);
	note_list_release(&d->notes);
	arena_release(&d->arena);
	*d = (struct deploy){ .options = NULL };
}
