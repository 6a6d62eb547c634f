#include "run/deploy_private.h"

#include <string.h>

#include "base/mem.h"

/* Opening */

static bool is_wanted(const struct deploy_options *o, const struct backend *b)
{
	if (o->only_backend)
		return str_eq(o->only_backend, b->name);
	return !o->only_site;
}

/* Whether a value is an output of a backend: the one that is named, or any. */
static bool is_output(const struct value *v, const char *backend, const char *name)
{
	return v->kind == VALUE_OUTPUT && str_eq(v->backend, backend) &&
	       (!name || str_eq(v->text, name));
}

static bool site_takes(const struct site *s, const char *backend, const char *name)
{
	for (size_t i = 0; i < s->distributions.len; i++)
		if (is_output(&s->distributions.items[i], backend, name))
			return true;
	return is_output(&s->bucket, backend, name) || is_output(&s->url, backend, name);
}

bool deploy_takes(const struct backend *b, const char *backend, const char *name)
{
	for (size_t i = 0; i < b->parameters.len; i++)
		if (is_output(&b->parameters.items[i].value, backend, name))
			return true;
	return false;
}

static bool is_place(const struct deploy *d, const struct backend *b)
{
	for (size_t i = 0; i < d->n_sites; i++)
		if (site_takes(d->sites[i].site, b->name, NULL))
			return true;
	return false;
}

/* Whether somebody who is deployed takes an output of it. */
static bool is_needed(const struct deploy *d, const struct backend *b)
{
	const struct backend_list *all = &d->options->config->backends;

	for (size_t i = 0; i < all->len; i++)
		if (is_wanted(d->options, &all->items[i]) &&
		    deploy_takes(&all->items[i], b->name, NULL))
			return true;
	for (size_t i = 0; i < d->n_records; i++)
		if (is_output(&d->records[i].site->bucket, b->name, NULL))
			return true;
	return is_place(d, b);
}

static void fill_options(struct deploy *d)
{
	const struct deploy_options *o = d->options;

	d->backend_options = (struct backend_options){
		.repo = o->repo,
		.commit = &o->head,
		.config_file = o->config->file,
		.source = o->source,
		.dry_run = o->dry_run || o->offline,
		.audit = o->audit,
		.recreate = o->recreate_stack,
		.busy_timeout_s = o->lock_timeout_s,
		.aws = o->offline ? NULL : o->aws,
		.env = o->env,
		.cancelled = o->cancelled,
		.progress = o->progress,
	};
}

static int check_name(const struct deploy_options *o, struct error *err)
{
	CLEANUP(buf) struct buf names = BUF_INIT(512);
	const struct backend_list *all = &o->config->backends;

	if (!o->only_backend || config_backend(o->config, o->only_backend))
		return 0;
	for (size_t i = 0; i < all->len; i++)
		buf_printf(&names, "%s%s", i ? ", " : "", all->items[i].name);
	return error_set(err, ERR_CONFIG, "there is no backend \"%s\"%s%s",
			 o->only_backend, all->len ? "; there are: " : "", names.data);
}

static int open_one(struct deploy *d, const struct backend *b, bool leads_to_site,
		    struct error *err)
{
	bool wanted = is_wanted(d->options, b);

	struct backend_work *work = &d->backends[d->n_backends];

	if (!wanted && !is_needed(d, b))
		return 0;
	d->n_backends++;
	if (backend_open(work, &d->backend_options, b, wanted, err) < 0)
		return -1;
	work->is_place = is_place(d, b);
	work->leads_to_site = leads_to_site;
	return 0;
}

/* Finds those that sites wait for, directly or not; order has each behind those whose outputs
 * it takes. */
static void find_leading(const struct deploy *d, const size_t *order, bool *leads)
{
	const struct backend_list *all = &d->options->config->backends;

	for (size_t i = all->len; i-- > 0;) {
		const struct backend *b = &all->items[order[i]];

		leads[order[i]] = is_place(d, b);
		for (size_t k = i + 1; k < all->len; k++)
			leads[order[i]] |= leads[order[k]] &&
					   deploy_takes(&all->items[order[k]], b->name,
							NULL);
	}
}

int deploy_open_backends(struct deploy *d, struct error *err)
{
	const struct backend_list *all = &d->options->config->backends;
	size_t *order = arena_alloc(&d->arena, (all->len + 1) * sizeof(*order));
	bool *leads = arena_alloc(&d->arena, (all->len + 1) * sizeof(*leads));

	if (check_name(d->options, err) < 0)
		return -1;
	fill_options(d);
	config_backend_order(d->options->config, order);
	find_leading(d, order, leads);
	d->backends = arena_alloc(&d->arena, (all->len + 1) * sizeof(*d->backends));
	/* What leads to sites goes first: others deploy under the sites' claims. */
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < all->len; i++)
			if (leads[order[i]] == (pass == 0) &&
			    open_one(d, &all->items[order[i]], pass == 0, err) < 0)
				return -1;
	return deploy_check_declared(d, err);
}

bool deploy_has_wanted_backends(const struct deploy *d)
{
	for (size_t i = 0; i < d->n_backends; i++)
		if (d->backends[i].wanted)
			return true;
	return false;
}

/* Outputs */

static const char *nothing_is_known(void *ctx, const struct value *v)
{
	(void)ctx;
	(void)v;
	return NULL;
}

/* Values of outputs are borrowed from readings. */
void deploy_forget_backends(struct deploy *d)
{
	config_resolve_outputs(d->options->config, nothing_is_known, NULL);
	for (size_t i = 0; i < d->n_backends; i++)
		backend_forget_reading(&d->backends[i]);
}

static const char *find_output(void *ctx, const struct value *v)
{
	const struct deploy *d = ctx;

	return backends_output(d->backends, d->n_backends, v);
}

int deploy_resolve_outputs(struct deploy *d, struct error *err)
{
	config_resolve_outputs(d->options->config, find_output, d);
	return config_check(d->options->config, err);
}

struct moving {
	const struct deploy *d;
	bool moved;
};

/* Whether something that is deployed takes that output. */
static bool is_taken(const struct deploy *d, const struct value *v)
{
	for (size_t i = 0; i < d->n_sites; i++)
		if (site_takes(d->sites[i].site, v->backend, v->text))
			return true;
	for (size_t i = 0; i < d->n_backends; i++)
		if (d->backends[i].wanted &&
		    deploy_takes(d->backends[i].backend, v->backend, v->text))
			return true;
	return false;
}

static const char *compare_output(void *ctx, const struct value *v)
{
	struct moving *m = ctx;
	const char *now = find_output((void *)(uintptr_t)m->d, v);

	/* What was not known is not part of the plan. */
	m->moved |= v->known && !str_eq(v->known, now) && is_taken(m->d, v);
	return now;
}

/* The stack's former reading must be there still: what is known is borrowed from it. */
bool deploy_outputs_moved(struct deploy *d)
{
	struct moving m = { d, false };

	config_resolve_outputs(d->options->config, compare_output, &m);
	return m.moved;
}

static bool has_moved(const struct deploy *d, const struct value *v)
{
	return v->kind == VALUE_OUTPUT &&
	       !str_eq(v->known, find_output((void *)(uintptr_t)d, v));
}

bool deploy_places_moved(const struct deploy *d)
{
	for (size_t i = 0; i < d->n_sites; i++) {
		const struct site *s = d->sites[i].site;

		for (size_t k = 0; k < s->distributions.len; k++)
			if (has_moved(d, &s->distributions.items[k]))
				return true;
		if (has_moved(d, &s->bucket))
			return true;
	}
	for (size_t i = 0; i < d->n_records; i++)
		if (has_moved(d, &d->records[i].site->bucket))
			return true;
	return false;
}

bool deploy_waits(const struct deploy *d)
{
	for (size_t i = 0; i < d->n_sites; i++)
		if (d->sites[i].waits && !d->sites[i].superseded)
			return true;
	return false;
}

bool deploy_is_due(const struct deploy *d, const struct backend_work *b)
{
	for (size_t i = 0; i < d->n_sites; i++)
		if (d->sites[i].waits && !d->sites[i].superseded &&
		    !deploy_site_is_known(&d->sites[i]))
			return b->leads_to_site;
	return !deploy_waits(d);
}

/* Whether a value is not known, though whoever makes it has nothing to deploy. */
static int check_known(const struct deploy *d, const struct plan *plan,
		       const struct value *v, const char *what, struct error *err)
{
	CLEANUP(buf) struct buf names = BUF_INIT(512);
	const struct backend_work *work = NULL;

	if (v->kind != VALUE_OUTPUT || value_text(v))
		return 0;
	for (size_t i = 0; i < d->n_backends; i++)
		if (str_eq(d->backends[i].backend->name, v->backend))
			work = &d->backends[i];
	/* It is there, and has been judged. */
	if (work && work->hidden)
		return 0;
	/* One with hidden parameters has a step in every plan. */
	for (size_t i = 0; !(work && work->deployed) && i < plan->backends.len; i++)
		if (str_eq(plan->backends.items[i].backend->name, v->backend) &&
		    plan->backends.items[i].verdict != BACKEND_SAME)
			return 0;
	if (!work || !work->exists)
		return error_set(
			err, ERR_CONFIG,
			"%s: the stack of backend %s, whose output it takes, does "
			"not exist: deploy that backend first",
			what, v->backend);
	for (size_t i = 0; i < work->stack.outputs.len; i++)
		buf_printf(&names, "%s%s", i ? ", " : "",
			   work->stack.outputs.items[i].key);
	return error_set(err, ERR_CONFIG, "%s: stack %s has no output %s%s%s", what,
			 backend_target(work), v->text,
			 names.len ? "; it has: " : " (it has none)", names.data);
}

int deploy_check_known(const struct deploy *d, const struct plan *plan, struct error *err)
{
	for (size_t i = 0; i < d->n_sites; i++) {
		const struct site *s = d->sites[i].site;
		const char *what = arena_printf((struct arena *)(uintptr_t)&d->arena,
						"site %s", s->name);

		if (check_known(d, plan, &s->bucket, what, err) < 0)
			return -1;
		for (size_t k = 0; k < s->distributions.len; k++)
			if (check_known(d, plan, &s->distributions.items[k], what, err) <
			    0)
				return -1;
	}
	for (size_t i = 0; i < d->n_backends; i++) {
		const struct parameter_list *list = &d->backends[i].backend->parameters;

		for (size_t k = 0; d->backends[i].wanted && k < list->len; k++)
			if (check_known(d, plan, &list->items[k].value,
					list->items[k].name, err) < 0)
				return -1;
	}
	return 0;
}

/* Planning */

/* Nothing was recorded yet of a site in a bucket that a stack has made: the deploy that made
 * it was not the only one, perhaps, and none had a journal. */
static bool is_first_in_stack(const struct deploy_site *s)
{
	return !s->read.exists && !s->waits && s->site->bucket.kind == VALUE_OUTPUT;
}

static bool any_unfinished(const struct deploy *d)
{
	for (size_t i = 0; i < d->n_sites; i++) {
		const struct deploy_site *s = &d->sites[i];

		if ((s->read.exists && s->read.state.journal.is_set) ||
		    is_first_in_stack(s))
			return true;
	}
	return false;
}

int deploy_find_left_sets(struct deploy *d, struct error *err)
{
	for (size_t i = 0; any_unfinished(d) && i < d->n_backends; i++) {
		if (backend_find_left_sets(&d->backends[i], err) == 0)
			continue;
		if (err->code == ERR_CANCELLED)
			return -1;
		/* What is left does nothing by itself. */
		note_list_push(&d->notes,
			       (struct note){ NOTE_WARNING, SIZE_MAX, NULL,
					      arena_strdup(&d->arena, err->msg) });
		error_clear(err);
	}
	return 0;
}

static bool any_superseded(const struct deploy *d)
{
	for (size_t i = 0; i < d->n_sites; i++)
		if (d->sites[i].superseded)
			return true;
	for (size_t i = 0; i < d->n_records; i++)
		if (d->records[i].superseded)
			return true;
	return false;
}

int deploy_describe_backends(struct deploy *d, struct backend_input *out, size_t *n,
			     struct error *err)
{
	const struct oid *base = d->has_base_commit ? &d->base_commit : NULL;
	bool superseded = any_superseded(d);

	*n = 0;
	for (size_t i = 0; i < d->n_backends; i++) {
		struct backend_work *b = &d->backends[i];
		const char *waits_for = NULL;

		if (!b->wanted)
			continue;
		if (!d->options->offline && backend_prepare(b, &waits_for, err) < 0)
			return -1;
		if (!d->options->offline && d->options->audit && !waits_for &&
		    backend_audit(b, err) < 0)
			return -1;
		if (backend_describe(b, base, waits_for, &out[*n], err) < 0)
			return -1;
		out[(*n)++].superseded = superseded;
	}
	return 0;
}

struct backend_work *deploy_backend_of(const struct deploy *d,
				       const struct plan_backend *b)
{
	for (size_t i = 0; i < d->n_backends; i++)
		if (d->backends[i].backend == b->backend)
			return &d->backends[i];
	return NULL;
}

void deploy_keep_outputs(const struct deploy *d, struct outcome *o)
{
	for (size_t i = 0; i < d->n_backends; i++)
		if (d->backends[i].exists)
			backend_keep_outputs(&d->backends[i], o);
}

static void note_large(struct plan *plan, const struct plan_backend *b)
{
	note_list_push(
		&plan->notes,
		(struct note){ NOTE_INFO, SIZE_MAX, NULL,
			       arena_printf(&plan->arena,
					    "backend %s: the template is larger than "
					    "%d bytes, and a dry run uploads nothing: "
					    "no change set was made",
					    b->backend->name, CFN_TEMPLATE_BYTES_MOST) });
}

/* The first resource of which an output will be another one, or NULL. */
static const struct resource_change *moves(const struct backend_work *work,
					   const struct resource_list *changes,
					   const char *output)
{
	for (size_t i = 0; i < changes->len; i++) {
		const struct resource_change *c = &changes->items[i];

		if ((str_eq(c->action, "Add") || str_eq(c->replacement, "True") ||
		     str_eq(c->replacement, "Conditional")) &&
		    template_output_names(&work->package.template, output, c->name))
			return c;
	}
	return NULL;
}

static void list_takers(const struct deploy *d, const char *backend, const char *name,
			struct buf *out)
{
	for (size_t i = 0; i < d->n_backends; i++) {
		const struct backend_work *other = &d->backends[i];

		if (other->wanted && deploy_takes(other->backend, backend, name))
			buf_printf(out, "%sbackend %s", out->len ? ", " : "",
				   other->backend->name);
	}
	for (size_t i = 0; i < d->n_sites; i++)
		if (site_takes(d->sites[i].site, backend, name))
			buf_printf(out, "%ssite %s", out->len ? ", " : "",
				   d->sites[i].site->name);
}

/* A dry run plans the rest with the outputs of now. */
static void note_moving(const struct deploy *d, const struct plan_backend *planned,
			const char *output, struct plan *plan)
{
	CLEANUP(buf) struct buf takers = BUF_INIT(1024);
	const struct backend *b = planned->backend;
	const struct resource_change *c = moves(deploy_backend_of(d, planned),
						&planned->resources, output);

	if (c)
		list_takers(d, b->name, output, &takers);
	if (!takers.len)
		return;
	note_list_push(
		&plan->notes,
		(struct note){
			NOTE_WARNING, SIZE_MAX, NULL,
			arena_printf(
				&plan->arena,
				"backend %s: its output %s %s be another, as %s is %s: "
				"planned here with that of now: %s",
				b->name, output,
				str_eq(c->replacement, "Conditional") ? "may" : "will",
				c->name, *c->replacement ? "replaced" : "added",
				takers.data) });
}

int deploy_preview(struct deploy *d, struct plan *plan, struct error *err)
{
	for (size_t i = 0; i < plan->backends.len; i++) {
		struct plan_backend *b = &plan->backends.items[i];
		struct backend_work *work = deploy_backend_of(d, b);

		if (b->verdict != BACKEND_DEPLOY || b->backend->kind == BACKEND_FUNCTION)
			continue;
		if (work->text.len > CFN_TEMPLATE_BYTES_MOST)
			note_large(plan, b);
		else if (backend_preview(work, b, &plan->arena, err) < 0)
			return -1;
		for (size_t k = 0; k < work->stack.outputs.len; k++)
			note_moving(d, b, work->stack.outputs.items[k].key, plan);
	}
	return 0;
}
