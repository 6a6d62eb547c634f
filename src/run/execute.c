#include "run/execute.h"

#include <stdio.h>
#include <string.h>

#include "aws/s3.h"
#include "base/mem.h"
#include "codec/encode.h"
#include "io/random.h"
#include "run/execute_private.h"

/* Telling */

void execution_done(struct execution *x, size_t step)
{
	const struct progress *p = x->options->progress;
	struct step_outcome *out = &x->outcome->steps[step];

	if (out->status == STATUS_PENDING)
		out->status = STATUS_DONE;
	x->steps_done++;
	x->bytes_done += out->bytes;
	if (p && p->step)
		p->step(p->ctx, x->plan, step, out);
	if (p && p->sent)
		p->sent(p->ctx, x->bytes_done, x->bytes_total, x->steps_done,
			x->steps_total);
}

int execution_failed(struct execution *x, size_t step, struct error *err)
{
	const struct progress *p = x->options->progress;
	const struct step *s = &x->plan->steps.items[step];
	struct step_outcome *out = &x->outcome->steps[step];
	const char *what = s->path ? s->path : s->distribution;

	/* A backend's error names it already. */
	if (s->kind != STEP_BACKEND)
		error_wrap(err, "%s %s", step_kind_name(s->kind), what ? what : "state");
	out->status = STATUS_FAILED;
	out->error = arena_strdup(&x->outcome->arena, err->msg);
	if (p && p->step)
		p->step(p->ctx, x->plan, step, out);
	return -1;
}

/* Preparing: what will be sent is read once before anything is claimed, because the journal
 * has to name the ETags that this deploy will leave. */

static int prepare_put(struct execution *x, size_t i, struct error *err)
{
	CLEANUP(content) struct content content = CONTENT_INIT;
	const struct step *step = &x->plan->steps.items[i];
	struct entry e = { .path = step->path, .id = step->id };
	struct prepared *p = &x->prepared[i];
	char md5[33];

	if (source_read(x->options->sites[step->site].source, &e, &content, err) < 0)
		return -1;
	p->size = content.len;
	x->bytes_total += content.len;
	if (s3_is_large(content.len)) {
		if (parts_of(&content, step->path, &p->parts, err) < 0)
			return -1;
		return str_copy(p->etag, sizeof(p->etag), p->parts.etag) ? 0 : -1;
	}
	encode_hex(content.digest.md5, sizeof(content.digest.md5), md5);
	encode_hex(content.digest.sha256, sizeof(content.digest.sha256), p->sha256);
	snprintf(p->etag, sizeof(p->etag), "\"%s\"", md5);
	return 0;
}

static int prepare(struct execution *x, struct error *err)
{
	for (size_t i = 0; i < x->plan->steps.len; i++)
		if (x->plan->steps.items[i].kind == STEP_PUT &&
		    prepare_put(x, i, err) < 0)
			return -1;
	return 0;
}

static int draw_references(struct execution *x, size_t site, struct error *err)
{
	size_t n = x->plan->sites.items[site].distributions.len;

	for (size_t i = 0; i < n; i++) {
		unsigned char bytes[16];
		char hex[33];

		if (random_bytes(bytes, sizeof(bytes), err) < 0)
			return -1;
		encode_hex(bytes, sizeof(bytes), hex);
		str_list_push(&x->references[site],
			      arena_printf(&x->outcome->arena, "crc-%s", hex));
	}
	return 0;
}

/* Claims */

int execution_keep_claims(struct execution *x, struct error *err)
{
	for (size_t i = 0; i < x->plan->sites.len; i++)
		if (claim_is_due(&x->claims[i]) && claim_renew(&x->claims[i], err) < 0)
			return -1;
	return 0;
}

static const struct step *site_step(const struct execution *x, size_t site,
				    enum step_kind kind, size_t *index)
{
	for (size_t i = 0; i < x->plan->steps.len; i++) {
		const struct step *s = &x->plan->steps.items[i];

		if (s->site == site && s->kind == kind) {
			*index = i;
			return s;
		}
	}
	return NULL;
}

static void write_journal(struct execution *x, size_t site, struct state_journal *out)
{
	size_t n = x->plan->steps.len;
	const char **expected = xcalloc(n, sizeof(*expected));
	bool *in_parts = xcalloc(n, sizeof(*in_parts));
	struct str_list *references = &x->references[site];

	for (size_t i = 0; i < n; i++) {
		const struct step *s = &x->plan->steps.items[i];

		expected[i] = s->kind == STEP_PUT ? x->prepared[i].etag : s->from;
		in_parts[i] = x->prepared[i].parts.n > 0;
	}
	plan_journal(x->plan, site, expected, in_parts, out);
	free(expected);
	free(in_parts);
	out->run = x->options->sites[site].run;
	for (size_t i = 0; i < references->len; i++)
		str_list_push(&out->references, references->items[i]);
}

static void start_claim(struct execution *x, size_t site)
{
	const struct plan_site *ps = &x->plan->sites.items[site];
	const struct execute_site *es = &x->options->sites[site];
	struct claim *c = &x->claims[site];

	claim_init(c, x->options->aws, ps->bucket, ps->site->prefix);
	if (es->read->exists) {
		c->next = es->read->state;
		c->next.arena = (struct arena)ARENA_INIT;
		c->etag = es->read->etag;
	}
	c->next.prefix = ps->site->prefix;
}

/* The new state; the ETags of what was sent are those that the store answered. */
static void set_after(struct execution *x, size_t site, struct state *after)
{
	struct plan_site *ps = &x->outcome->plan.sites.items[site];
	const struct execute_site *es = &x->options->sites[site];

	for (size_t i = 0; i < x->plan->steps.len; i++) {
		const struct step *s = &x->plan->steps.items[i];

		if (s->site == site && (s->kind == STEP_PUT || s->kind == STEP_COPY))
			ps->after.items[s->after].etag = x->outcome->steps[i].etag;
	}
	after->objects = ps->after;
	after->retired = ps->retired_after;
	after->mutable_paths = ps->mutable_after;
	after->distributions = ps->distributions;
	after->deployed = (struct state_deployed){
		.is_set = true,
		.commit = x->plan->head,
		.run = es->run,
		.at_s = es->now_s,
	};
}

static int claim_site(struct execution *x, size_t site, struct error *err)
{
	struct claim *c = &x->claims[site];
	size_t step;

	start_claim(x, site);
	if (!site_step(x, site, STEP_CLAIM, &step))
		return 0;
	if (draw_references(x, site, err) < 0)
		return -1;
	write_journal(x, site, &x->journals[site]);
	c->next.journal = x->journals[site];
	if (claim_take(c, err) < 0) {
		if (err->code != ERR_CONDITION)
			return execution_failed(x, step, err);
		return -1;
	}
	execution_done(x, step);
	return 0;
}

static int commit_site(struct execution *x, size_t site, struct error *err)
{
	struct state after = x->claims[site].next;
	size_t step;

	if (!site_step(x, site, STEP_COMMIT, &step) &&
	    !site_step(x, site, STEP_RECORD, &step))
		return 0;
	set_after(x, site, &after);
	if (claim_commit(&x->claims[site], &after, err) < 0) {
		if (err->code == ERR_CONDITION &&
		    x->plan->steps.items[step].kind == STEP_COMMIT)
			err->code = ERR_ORDER;
		return execution_failed(x, step, err);
	}
	execution_done(x, step);
	return 0;
}

static bool holds_claims(const struct execution *x)
{
	for (size_t i = 0; i < x->plan->sites.len; i++)
		if (x->claims[i].held)
			return true;
	return false;
}

/* Also, and most of all, when a signal has ended the run: else the next one would wait for
 * the leases to end. Afterwards signals count again: the run may go on with another plan. */
static void drop_claims(struct execution *x)
{
	const volatile int *cancelled = aws_uncancel(x->options->aws);

	for (size_t i = 0; i < x->plan->sites.len; i++) {
		const struct claim_read *read = x->options->sites[i].read;
		struct error ignored = ERROR_INIT;

		/* What the journal says of this deploy has not begun. A state that was not
		 * there before keeps it: it says that nothing is known yet. */
		if (x->sites_are_untouched && read->exists)
			x->claims[i].next.journal = read->state.journal;
		(void)claim_drop(&x->claims[i], &ignored); /* it ends by itself */
	}
	aws_recancel(x->options->aws, cancelled);
}

/* The walk */

/* The end of the run of steps that are executed together: same phase, and same kind of
 * request. */
static size_t run_end(const struct plan *p, size_t from)
{
	size_t to = from;

	while (to < p->steps.len &&
	       p->steps.items[to].phase == p->steps.items[from].phase)
		to++;
	return to;
}

typedef int (*phase_fn)(struct execution *, size_t, size_t, struct error *);

/* Walks the phases from first to last, and no others. */
static int walk(struct execution *x, enum phase first, enum phase last, struct error *err)
{
	static const phase_fn phases[PHASES] = {
		[PHASE_CLAIM] = execute_aborts,
		[PHASE_BACKENDS] = execute_backends,
		[PHASE_ASSETS] = execute_sends,
		[PHASE_ENTRIES] = execute_sends,
		[PHASE_DELETES] = execute_deletes,
		[PHASE_INVALIDATE] = execute_invalidations,
	};
	size_t to;

	for (size_t i = 0; i < x->plan->steps.len; i = to) {
		enum phase phase = x->plan->steps.items[i].phase;
		phase_fn run = phase >= first && phase <= last ? phases[phase] : NULL;

		to = run_end(x->plan, i);
		if (run && (execution_keep_claims(x, err) < 0 || run(x, i, to, err) < 0))
			return -1;
	}
	return 0;
}

static int claim_all(struct execution *x, struct error *err)
{
	for (size_t i = 0; i < x->plan->sites.len; i++) {
		if (claim_site(x, i, err) < 0)
			return -1;
		if (x->claims[i].unfenced)
			outcome_note(x->outcome, NOTE_WARNING, i, NULL,
				     "the store ignores conditional writes: "
				     "two deploys at once are not kept apart");
	}
	return 0;
}

static int run_all(struct execution *x, bool *touched, struct error *err)
{
	if (prepare(x, err) < 0 || claim_all(x, err) < 0)
		return -1;
	x->sites_are_untouched = true;
	if (walk(x, PHASE_BACKENDS, PHASE_BACKENDS, err) < 0)
		return -1;
	x->sites_are_untouched = false;
	*touched = holds_claims(x);
	if (walk(x, PHASE_CLAIM, PHASE_CLAIM, err) < 0 ||
	    walk(x, PHASE_ASSETS, PHASE_INVALIDATE, err) < 0)
		return -1;
	for (size_t i = 0; i < x->plan->sites.len; i++)
		if (commit_site(x, i, err) < 0)
			return -1;
	return 0;
}

static size_t count_objects(const struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->steps.len; i++)
		n += p->steps.items[i].path != NULL;
	return n;
}

static void finish(struct execution *x)
{
	for (size_t i = 0; i < x->plan->sites.len; i++) {
		struct state_journal *j = &x->journals[i];

		str_list_release(&j->distributions);
		str_list_release(&j->references);
		state_touch_list_release(&j->touches);
		claim_release(&x->claims[i]);
		str_list_release(&x->references[i]);
	}
	for (size_t i = 0; i < x->plan->steps.len; i++)
		parts_release(&x->prepared[i].parts);
	free(x->claims);
	free(x->journals);
	free(x->prepared);
	free(x->references);
}

int execute(const struct execute_options *options, struct outcome *o, bool *touched,
	    struct error *err)
{
	struct execution x = {
		.options = options,
		.outcome = o,
		.plan = &o->plan,
		.claims = xcalloc(o->plan.sites.len, sizeof(*x.claims)),
		.journals = xcalloc(o->plan.sites.len, sizeof(*x.journals)),
		.prepared = xcalloc(o->plan.steps.len, sizeof(*x.prepared)),
		.references = xcalloc(o->plan.sites.len, sizeof(*x.references)),
		.steps_total = count_objects(&o->plan),
	};
	int rc;

	*touched = false;
	outcome_begin(o);
	rc = run_all(&x, touched, err);
	if (rc < 0)
		drop_claims(&x);
	finish(&x);
	return rc;
}
