/* Outputs that cannot be taken: those that no template declares, and those that are not what the
 * settings may be. */
#include "run/deploy_private.h"

#include "base/mem.h"

enum { OUTPUTS_TOLD = 10 };

/* A setting that takes an output. */
struct taker {
	const char *key;
	const struct value *value;
};

static const struct template *template_of(const struct deploy *d, const char *backend)
{
	for (size_t i = 0; i < d->n_backends; i++)
		if (d->backends[i].has_package &&
		    str_eq(d->backends[i].backend->name, backend))
			return &d->backends[i].package.template;
	return NULL;
}

/* NULL: there is none. */
static const char *nearest_output(const struct template *t, const char *name)
{
	const char *nearest = NULL;

	for (size_t i = 0; i < t->output_names.len; i++) {
		const char *other = t->output_names.items[i];

		if (!nearest || str_distance(name, other) < str_distance(name, nearest))
			nearest = other;
	}
	return nearest;
}

/* "A, B and others" */
static void list_outputs(const struct template *t, struct buf *out)
{
	size_t n = t->output_names.len;

	for (size_t i = 0; i < n && i < OUTPUTS_TOLD; i++)
		buf_printf(out, "%s%s", i ? ", " : "", t->output_names.items[i]);
	if (n > OUTPUTS_TOLD)
		buf_str(out, " and others");
}

static int refuse(const struct deploy *d, const struct template *t,
		  const struct taker *taker, const char *nearest, struct error *err)
{
	const struct value *v = taker->value;
	const char *file = d->options->config->file;
	CLEANUP(buf) struct buf names = BUF_INIT(ERROR_MSG_MAX);

	list_outputs(t, &names);
	if (nearest)
		error_set(err, ERR_CONFIG,
			  "%s: %s declares no output \"%s\": did you mean \"%s\"? (it "
			  "declares %s)",
			  taker->key, t->name, v->text, nearest, names.data);
	else
		error_set(err, ERR_CONFIG,
			  "%s: %s declares no outputs, and \"%s\" is taken", taker->key,
			  t->name, v->text);
	if (v->line)
		return error_wrap(err, "%s:%u:%u", file ? file : "crc.yml", v->line,
				  v->column);
	return -1;
}

static int check(const struct deploy *d, const char *key, const struct value *v,
		 struct error *err)
{
	const struct taker taker = { key, v };
	const struct template *t;
	const char *nearest;

	if (v->kind != VALUE_OUTPUT)
		return 0;
	t = template_of(d, v->backend);
	if (!t || t->has_more_outputs)
		return 0;
	nearest = nearest_output(t, v->text);
	if (nearest && str_eq(nearest, v->text))
		return 0;
	return refuse(d, t, &taker, nearest, err);
}

static int check_site(const struct deploy *d, const struct site *s, struct error *err)
{
	for (size_t i = 0; i < s->distributions.len; i++)
		if (check(d, "distribution", &s->distributions.items[i], err) < 0)
			return -1;
	return check(d, "bucket", &s->bucket, err) < 0 ? -1
						       : check(d, "url", &s->url, err);
}

int deploy_check_declared(const struct deploy *d, struct error *err)
{
	for (size_t i = 0; i < d->n_sites; i++)
		if (check_site(d, d->sites[i].site, err) < 0)
			return -1;
	for (size_t i = 0; i < d->n_backends; i++) {
		const struct parameter_list *list = &d->backends[i].backend->parameters;

		for (size_t k = 0; d->backends[i].wanted && k < list->len; k++)
			if (check(d, list->items[k].name, &list->items[k].value, err) < 0)
				return -1;
	}
	return 0;
}

/* Values that will not do */

static int hide(struct deploy *d, size_t i, struct error *err)
{
	d->backends[i].hidden = true;
	return deploy_resolve_outputs(d, err);
}

/* An output of it names what is not there. */
static bool has_lost(const struct deploy *d, size_t backend)
{
	for (size_t i = 0; i < d->n_sites; i++)
		if (d->sites[i].lost.code &&
		    str_eq(d->sites[i].lost_by, d->backends[backend].backend->name))
			return true;
	return false;
}

/* Hides each backend without whose outputs all would be well; all of them, if it takes more than
 * one. */
static void hide_suspects(struct deploy *d)
{
	bool *suspects = arena_alloc(&d->arena, (d->n_backends + 1) * sizeof(*suspects));
	struct error ignored = ERROR_INIT; /* the first was kept */
	bool any = false;

	for (size_t i = 0; i < d->n_backends; i++) {
		suspects[i] = hide(d, i, &ignored) == 0;
		any |= suspects[i];
		d->backends[i].hidden = has_lost(d, i);
	}
	for (size_t i = 0; i < d->n_backends; i++)
		d->backends[i].hidden |= !any || suspects[i];
}

int deploy_take_outputs(struct deploy *d, struct error *err)
{
	for (size_t i = 0; i < d->n_backends; i++)
		d->backends[i].hidden = has_lost(d, i);
	error_clear(&d->bad_outputs);
	for (size_t i = 0; i < d->n_sites && !d->bad_outputs.code; i++)
		d->bad_outputs = d->sites[i].lost;
	if (deploy_resolve_outputs(d, &d->bad_outputs) == 0)
		return 0;
	hide_suspects(d);
	return deploy_resolve_outputs(d, err);
}

/* Finds the backends whose deploy may make outputs others that will not do: their own, or those of
 * backends that take theirs. These are behind them. */
static void find_menders(const struct deploy *d, bool *mends)
{
	for (size_t i = d->n_backends; i-- > 0;) {
		mends[i] = d->backends[i].hidden;
		for (size_t k = i + 1; k < d->n_backends; k++)
			mends[i] |= mends[k] &&
				    deploy_takes(d->backends[k].backend,
						 d->backends[i].backend->name, NULL);
	}
}

int deploy_judge_outputs(const struct deploy *d, const struct plan *plan,
			 struct error *err)
{
	bool *menders = xcalloc(d->n_backends + 1, sizeof(*menders));
	bool deploys = false;
	bool mends = false;

	find_menders(d, menders);
	for (size_t i = 0; i < plan->backends.len; i++) {
		const struct plan_backend *b = &plan->backends.items[i];
		const struct backend_work *work = deploy_backend_of(d, b);

		if (work->deployed)
			continue;
		deploys |= b->verdict == BACKEND_DEPLOY;
		mends |= menders[work - d->backends] &&
			 (b->verdict == BACKEND_DEPLOY || b->verdict == BACKEND_LATER);
	}
	free(menders);
	if (!d->bad_outputs.code || (deploys && mends))
		return 0;
	*err = d->bad_outputs;
	return -1;
}
