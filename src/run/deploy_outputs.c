/* Whether the outputs that are taken are declared by the templates that are about to deploy. One
 * that is not is never brought, however often they do. */
#include "run/deploy_private.h"

#include "base/mem.h"

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

static int refuse(const struct deploy *d, const struct template *t,
		  const struct taker *taker, const char *nearest, struct error *err)
{
	const struct value *v = taker->value;
	const char *file = d->options->config->file;

	if (nearest)
		error_set(err, ERR_CONFIG,
			  "%s: %s declares no output \"%s\": did you mean \"%s\"?",
			  taker->key, t->name, v->text, nearest);
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
