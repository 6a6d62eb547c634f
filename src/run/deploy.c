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

	s->bucket = s->site->bucket.kind == VALUE_LITERAL ? s->site->bucket.text : NULL;
	if (!s->bucket && !o->offline)
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
	return !o->only_site || str_eq(o->only_site, site->name);
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
	if (!d->n_sites)
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

static void build_plan(struct deploy *d, struct plan *plan)
{
	struct site_input *inputs = xcalloc(d->n_sites, sizeof(*inputs));
	struct plan_options options = {
		.head = d->options->head,
		.offline = d->options->offline,
		.now_s = now_s(d),
		.cover = { d->options->max_paths, MAX_WILDCARDS },
		.max_delete = d->options->max_delete,
	};
	size_t n = 0;

	for (size_t i = 0; i < d->n_sites; i++)
		if (!d->sites[i].superseded)
			fill_input(d, &d->sites[i], &inputs[n++]);
	plan_build(&options, inputs, n, plan);
	add_notes(&plan->notes, &d->opening_notes);
	add_notes(&plan->notes, &d->notes);
	free(inputs);
}

/* Executing */

static int run_plan(struct deploy *d, struct outcome *o, bool *touched, struct error *err)
{
	struct execute_site *sites = xcalloc(d->n_sites, sizeof(*sites));
	struct execute_options options = {
		.aws = d->options->aws,
		.sites = sites,
		.progress = d->options->progress,
		.concurrency = d->options->concurrency,
		.wait = d->options->wait || d->options->verify,
		.wait_timeout_s = WAIT_TIMEOUT_S,
	};
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < d->n_sites; i++) {
		struct deploy_site *s = &d->sites[i];

		if (!s->superseded)
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

static bool all_superseded(const struct deploy *d, struct outcome *o)
{
	for (size_t i = 0; i < d->n_sites; i++) {
		const struct deploy_site *s = &d->sites[i];
		char hex[OID_HEX_SIZE];
		const struct state *state = &s->read.state;

		if (!s->superseded)
			return false;
		o->superseded_by = arena_strdup(&o->arena,
						oid_hex(state->journal.is_set
								? &state->journal.commit
								: &state->deployed.commit,
							hex));
		o->superseded_why = s->order_why;
		o->superseded_is_begun = state->journal.is_set;
	}
	return true;
}

static int conclude(struct outcome *o, enum verdict v)
{
	o->verdict = v;
	return 0;
}

/* All is deployed and recorded; that it is not served (yet) is a failure of its own. */
static int verify_all(struct deploy *d, struct outcome *o, struct error *err)
{
	const struct source **sources = xcalloc(d->n_sites, sizeof(*sources));
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

/* One round: read, decide, plan, execute. *again: somebody else was faster. */
static int round_trip(struct deploy *d, struct outcome *o, bool *again, struct error *err)
{
	const struct progress *p = d->options->progress;
	bool touched = false;

	outcome_forget_plan(o);
	if (!d->options->offline &&
	    (deploy_read(d, err) < 0 || deploy_decide_order(d, err) < 0))
		return -1;
	if (!d->options->offline && all_superseded(d, o))
		return conclude(o, VERDICT_SUPERSEDED);
	if (!d->options->offline && deploy_look(d, err) < 0)
		return -1;
	build_plan(d, &o->plan);
	if (p && p->planned)
		p->planned(p->ctx, &o->plan);
	if (d->options->dry_run || d->options->offline)
		return conclude(o, VERDICT_PLANNED);
	if (o->plan.refused) {
		o->verdict = VERDICT_REFUSED;
		return error_set(err, o->plan.refused, "%s", o->plan.refusal);
	}
	if (plan_is_empty(&o->plan))
		return conclude(o, VERDICT_NOTHING);
	if (run_plan(d, o, &touched, err) == 0)
		return d->options->verify ? verify_all(d, o, err)
					  : conclude(o, VERDICT_DONE);
	*again = !touched && err->code == ERR_CONDITION;
	if (touched && err->code != ERR_ORDER)
		o->verdict = VERDICT_PARTIAL;
	return -1;
}

static int run_rounds(struct deploy *d, struct outcome *o, struct error *err)
{
	int64_t until_ms = clock_monotonic_ms(d->options->clock) +
			   d->options->lock_timeout_s * INT64_C(1000);

	for (;;) {
		bool again = false;

		if (round_trip(d, o, &again, err) == 0)
			return 0;
		if (!again)
			return -1;
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
	if (rc == 0) {
		deploy_find_neighbours(d);
		rc = options->offline ? deploy_find_base(d, err) : 0;
	}
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
	for (size_t i = 0; i < d->n_others; i++) {
		source_release(&d->others[i].source);
		snapshot_release(&d->others[i].objects);
	}
	note_list_release(&d->opening_notes);
	note_list_release(&d->notes);
	arena_release(&d->arena);
	*d = (struct deploy){ .options = NULL };
}
