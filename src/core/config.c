#include "core/config.h"

#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/config_private.h"
#include "core/config_rules.h"

enum { KEEP_DAYS = 7 };

static void site_free(struct site *s)
{
	for (size_t i = 0; i < s->headers.len; i++)
		header_list_release(&s->headers.items[i].set);
	header_rules_release(&s->headers);
	value_list_release(&s->distributions);
	glob_list_release(&s->exclude);
	glob_list_release(&s->include);
}

void config_release(struct config *c)
{
	for (size_t i = 0; i < c->sites.len; i++)
		site_free(&c->sites.items[i]);
	for (size_t i = 0; i < c->backends.len; i++) {
		parameter_list_release(&c->backends.items[i].parameters);
		str_list_release(&c->backends.items[i].capabilities);
	}
	site_list_release(&c->sites);
	backend_list_release(&c->backends);
	arena_release(&c->arena);
	*c = (struct config)CONFIG_INIT;
}

struct site *config_add_site(struct config *c, const char *name, const char *path)
{
	const struct site site = {
		.name = arena_strdup(&c->arena, name),
		.path = config_normal_path(&c->arena, path),
		.prefix = "",
		.index = "index.html",
		.query_strings = -1,
		.keep_s = (int64_t)KEEP_DAYS * 86400,
	};

	return site_list_push(&c->sites, site);
}

struct backend *config_add_backend(struct config *c, const char *name, const char *path)
{
	const struct backend backend = {
		.name = arena_strdup(&c->arena, name),
		.path = config_normal_path(&c->arena, path),
		.template_file = "template.yaml",
	};

	return backend_list_push(&c->backends, backend);
}

void config_set(struct config *c, struct value *v, const char *text)
{
	*v = (struct value){ .kind = VALUE_NONE };
	if (str_empty(text))
		return;
	v->kind = VALUE_LITERAL;
	v->text = arena_strdup(&c->arena, text);
}

int config_set_prefix(struct config *c, struct site *s, const char *text,
		      struct error *err)
{
	const char *prefix = config_normal_prefix(&c->arena, text);
	const char *problem = config_bad_prefix(prefix);

	if (problem)
		return error_set(err, ERR_CONFIG, "prefix \"%s\" %s", text, problem);
	s->prefix = prefix;
	return 0;
}

int config_fail_at(const struct config *c, unsigned line, unsigned column,
		   struct error *err, const char *fmt, ...)
{
	char message[ERROR_MSG_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	for (char *p = message; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7F)
			*p = '?';
	if (!line)
		return error_set(err, ERR_CONFIG, "%s", message);
	return error_set(err, ERR_CONFIG, "%s:%u:%u: %s", c->file ? c->file : "crc.yml",
			 line, column, message);
}

const char *value_text(const struct value *v)
{
	switch (v->kind) {
	case VALUE_LITERAL:
		return v->text;
	case VALUE_OUTPUT:
		return v->known;
	case VALUE_NONE:
	case VALUE_ENV:
		break;
	}
	return NULL;
}

const char *value_label(const struct value *v, struct arena *arena)
{
	const char *text = value_text(v);

	if (text || v->kind != VALUE_OUTPUT)
		return text;
	return arena_printf(arena, "!output %s.%s", v->backend, v->text);
}

/* A setting that may be a value, where it is kept, and what it may look like. */
struct setting {
	const char *key;
	size_t offset;
	const char *(*problem)(const char *text);
};

static const struct setting site_settings[] = {
	{ "bucket", offsetof(struct site, bucket), config_bad_bucket },
	{ "url", offsetof(struct site, url), config_bad_url },
};

static const struct setting backend_settings[] = {
	{ "stack", offsetof(struct backend, stack), config_bad_stack },
	{ "artifacts", offsetof(struct backend, artifacts), config_bad_bucket },
	{ "function", offsetof(struct backend, function), config_bad_function },
	{ "alias", offsetof(struct backend, alias), config_bad_alias },
};

#define LEN(array) (sizeof(array) / sizeof(*(array)))

/* What each_value calls; stops at and returns the first -1. */
typedef int (*value_visit)(struct config *c, struct value *v, const char *key,
			   const char *(*problem)(const char *text), void *ctx,
			   struct error *err);

struct value_visitor {
	value_visit visit;
	void *ctx;
};

static int each_of(struct config *c, void *owner, const struct setting *settings,
		   size_t n, const struct value_visitor *visitor, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		struct value *v = (struct value *)((char *)owner + settings[i].offset);

		if (visitor->visit(c, v, settings[i].key, settings[i].problem,
				   visitor->ctx, err) < 0)
			return -1;
	}
	return 0;
}

static int each_of_site(struct config *c, struct site *s,
			const struct value_visitor *visitor, struct error *err)
{
	for (size_t i = 0; i < s->distributions.len; i++)
		if (visitor->visit(c, &s->distributions.items[i], "distribution",
				   config_bad_distribution, visitor->ctx, err) < 0)
			return -1;
	return each_of(c, s, site_settings, LEN(site_settings), visitor, err);
}

static int each_of_backend(struct config *c, struct backend *b,
			   const struct value_visitor *visitor, struct error *err)
{
	for (size_t i = 0; i < b->parameters.len; i++)
		if (visitor->visit(c, &b->parameters.items[i].value,
				   b->parameters.items[i].name, NULL, visitor->ctx,
				   err) < 0)
			return -1;
	return each_of(c, b, backend_settings, LEN(backend_settings), visitor, err);
}

static int each_value(struct config *c, const struct value_visitor *visitor,
		      struct error *err)
{
	if (visitor->visit(c, &c->region, "region", config_bad_region, visitor->ctx,
			   err) < 0)
		return -1;
	for (size_t i = 0; i < c->sites.len; i++)
		if (each_of_site(c, &c->sites.items[i], visitor, err) < 0)
			return -1;
	for (size_t i = 0; i < c->backends.len; i++)
		if (each_of_backend(c, &c->backends.items[i], visitor, err) < 0)
			return -1;
	return 0;
}

struct environment {
	const char *(*lookup)(void *ctx, const char *name);
	void *ctx;
};

static int resolve(struct config *c, struct value *v, const char *key,
		   const char *(*problem)(const char *text), void *ctx, struct error *err)
{
	const struct environment *environment = ctx;
	const char *text;

	(void)problem;
	if (v->kind != VALUE_ENV)
		return 0;
	text = environment->lookup(environment->ctx, v->text);
	if (str_empty(text))
		return config_fail_at(
			c, v->line, v->column, err,
			"%s: the environment variable %s is not set, or empty", key,
			v->text);
	v->kind = VALUE_LITERAL;
	v->text = arena_strdup(&c->arena, text);
	return 0;
}

int config_resolve_env(struct config *c,
		       const char *(*lookup)(void *ctx, const char *name), void *ctx,
		       struct error *err)
{
	struct environment environment = { lookup, ctx };
	const struct value_visitor visitor = { resolve, &environment };

	return each_value(c, &visitor, err);
}

struct outputs {
	const char *(*lookup)(void *ctx, const struct value *v);
	void *ctx;
};

static int resolve_output(struct config *c, struct value *v, const char *key,
			  const char *(*problem)(const char *text), void *ctx,
			  struct error *err)
{
	const struct outputs *outputs = ctx;

	(void)c;
	(void)key;
	(void)problem;
	(void)err;
	if (v->kind == VALUE_OUTPUT)
		v->known = outputs->lookup(outputs->ctx, v);
	return 0;
}

void config_resolve_outputs(struct config *c,
			    const char *(*lookup)(void *ctx, const struct value *v),
			    void *ctx)
{
	struct outputs outputs = { lookup, ctx };
	const struct value_visitor visitor = { resolve_output, &outputs };
	struct error none = ERROR_INIT;

	(void)each_value(c, &visitor, &none); /* resolve_output never fails */
}

const struct backend *config_backend(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->backends.len; i++)
		if (str_eq(c->backends.items[i].name, name))
			return &c->backends.items[i];
	return NULL;
}

static bool takes_output_of(const struct backend *b, const char *name)
{
	for (size_t i = 0; i < b->parameters.len; i++)
		if (b->parameters.items[i].value.kind == VALUE_OUTPUT &&
		    str_eq(b->parameters.items[i].value.backend, name))
			return true;
	return false;
}

static bool is_among(const struct config *c, const size_t *order, size_t n,
		     const struct backend *b)
{
	for (size_t i = 0; i < n; i++)
		if (&c->backends.items[order[i]] == b)
			return true;
	return false;
}

/* Whether all whose outputs b takes are among the first n. */
static bool is_ready(const struct config *c, const size_t *order, size_t n,
		     const struct backend *b)
{
	for (size_t i = 0; i < c->backends.len; i++) {
		const struct backend *other = &c->backends.items[i];

		if (takes_output_of(b, other->name) && !is_among(c, order, n, other))
			return false;
	}
	return true;
}

/* How many could be put in order: fewer than there are if some wait for each other. */
static size_t order_backends(const struct config *c, size_t *order)
{
	size_t n = 0;
	size_t before;

	do {
		before = n;
		for (size_t i = 0; i < c->backends.len; i++) {
			const struct backend *b = &c->backends.items[i];

			if (is_among(c, order, n, b) || !is_ready(c, order, n, b))
				continue;
			order[n++] = i;
			break;
		}
	} while (n > before);
	return n;
}

void config_backend_order(const struct config *c, size_t *order)
{
	size_t n = order_backends(c, order);

	assert(n == c->backends.len); /* config_check has seen to it */
	(void)n;
}

static int check_output(const struct config *c, const struct value *v, const char *key,
			struct error *err)
{
	const struct backend *nearest = NULL;
	unsigned least = UINT_MAX;

	for (size_t i = 0; i < c->backends.len; i++) {
		const struct backend *b = &c->backends.items[i];
		unsigned distance = str_distance(b->name, v->backend);

		if (!distance && b->kind == BACKEND_TEMPLATE)
			return 0;
		if (!distance)
			return config_fail_at(
				c, v->line, v->column, err,
				"%s: backend \"%s\" is a function and has no outputs",
				key, b->name);
		if (distance < least) {
			least = distance;
			nearest = b;
		}
	}
	if (!nearest)
		return config_fail_at(c, v->line, v->column, err,
				      "%s: no backend \"%s\": there are no backends", key,
				      v->backend);
	return config_fail_at(c, v->line, v->column, err,
			      "%s: no backend \"%s\": did you mean \"%s\"?", key,
			      v->backend, nearest->name);
}

static int check_value(struct config *c, struct value *v, const char *key,
		       const char *(*problem)(const char *text), void *ctx,
		       struct error *err)
{
	const char *text = value_text(v);
	const char *wrong;

	(void)ctx;
	if (v->kind == VALUE_OUTPUT && check_output(c, v, key, err) < 0)
		return -1;
	if (!text || !problem)
		return 0;
	wrong = problem(text);
	if (!wrong)
		return 0;
	if (v->kind == VALUE_OUTPUT)
		return config_fail_at(c, v->line, v->column, err,
				      "%s: the output %s.%s is \"%s\": %s", key,
				      v->backend, v->text, text, wrong);
	return config_fail_at(c, v->line, v->column, err, "%s \"%s\": %s", key, text,
			      wrong);
}

bool value_same(const struct value *a, const struct value *b)
{
	if (value_text(a) && value_text(b))
		return str_eq(value_text(a), value_text(b));
	return a->kind != VALUE_NONE && a->kind == b->kind && str_eq(a->text, b->text) &&
	       str_eq(a->backend, b->backend);
}

static int check_distributions(const struct config *c, const struct site *s,
			       struct error *err)
{
	const struct value_list *list = &s->distributions;

	for (size_t i = 1; i < list->len; i++) {
		const struct value *v = &list->items[i];
		const char *text = value_text(v);

		for (size_t k = 0; k < i; k++)
			if (value_same(v, &list->items[k]))
				return config_fail_at(
					c, v->line, v->column, err,
					"site \"%s\": distribution \"%s\" twice", s->name,
					text ? text : v->text);
	}
	return 0;
}

/* Two that write to the same keys would undo each other's work. */
static int check_place(const struct config *c, size_t at, struct error *err)
{
	const struct site *s = &c->sites.items[at];

	for (size_t i = 0; i < at; i++) {
		const struct site *other = &c->sites.items[i];

		if (str_eq(s->name, other->name))
			return config_fail_at(c, s->line, 1, err, "two sites \"%s\"",
					      s->name);
		if (value_same(&s->bucket, &other->bucket) &&
		    str_eq(s->prefix, other->prefix))
			return config_fail_at(
				c, s->bucket.line, s->bucket.column, err,
				"site \"%s\": bucket and prefix are those of site "
				"\"%s\": give one of them a prefix",
				s->name, other->name);
	}
	return 0;
}

/* What no value is and no file says a column for: it comes from options or detection. */
static int check_plain(const struct config *c, const char *what, const char *name,
		       const char *text, const char *wrong, struct error *err)
{
	if (!wrong)
		return 0;
	return config_fail_at(c, 0, 0, err, "%s \"%s\": \"%s\" %s", what, name, text,
			      wrong);
}

static int check_site(const struct config *c, size_t at, struct error *err)
{
	const struct site *s = &c->sites.items[at];

	if (check_plain(c, "site", s->name, s->name, config_bad_name(s->name), err) < 0 ||
	    check_plain(c, "site", s->name, s->path, config_bad_path(s->path), err) < 0 ||
	    check_plain(c, "site", s->name, s->prefix, config_bad_prefix(s->prefix),
			err) < 0)
		return -1;
	if (check_distributions(c, s, err) < 0)
		return -1;
	return check_place(c, at, err);
}

/* Two that deploy to one place would undo each other's work. */
static int check_target(const struct config *c, size_t at, struct error *err)
{
	const struct backend *b = &c->backends.items[at];
	bool function = b->kind == BACKEND_FUNCTION;
	const struct value *target = function ? &b->function : &b->stack;

	for (size_t i = 0; i < at; i++) {
		const struct backend *other = &c->backends.items[i];

		if (str_eq(b->name, other->name))
			return config_fail_at(c, b->line, 1, err, "two backends \"%s\"",
					      b->name);
		if (b->kind == other->kind &&
		    value_same(target, function ? &other->function : &other->stack))
			return config_fail_at(
				c, target->line, target->column, err,
				"backend \"%s\": its %s is that of backend \"%s\"",
				b->name, function ? "function" : "stack", other->name);
	}
	return 0;
}

static int check_backend_order(const struct config *c, struct error *err)
{
	size_t *order = xcalloc(c->backends.len, sizeof(*order));
	const struct backend *stuck = NULL;
	size_t n = order_backends(c, order);

	for (size_t i = 0; i < c->backends.len && !stuck; i++)
		if (!is_among(c, order, n, &c->backends.items[i]))
			stuck = &c->backends.items[i];
	free(order);
	if (!stuck)
		return 0;
	return config_fail_at(
		c, stuck->line, 1, err,
		"backend \"%s\": its parameters take outputs of backends that wait for its "
		"own: one must come first",
		stuck->name);
}

static int check_backend(const struct config *c, size_t at, struct error *err)
{
	const struct backend *b = &c->backends.items[at];

	if (check_target(c, at, err) < 0)
		return -1;
	if (check_plain(c, "backend", b->name, b->name, config_bad_name(b->name), err) <
		    0 ||
	    check_plain(c, "backend", b->name, b->path, config_bad_path(b->path), err) <
		    0)
		return -1;
	return check_plain(c, "backend", b->name, b->template_file,
			   config_bad_file(b->template_file), err);
}

int config_check(const struct config *c, struct error *err)
{
	const struct value_visitor visitor = { check_value, NULL };

	/* check_value changes nothing. */
	if (each_value((struct config *)c, &visitor, err) < 0)
		return -1;
	for (size_t i = 0; i < c->sites.len; i++)
		if (check_site(c, i, err) < 0)
			return -1;
	for (size_t i = 0; i < c->backends.len; i++)
		if (check_backend(c, i, err) < 0)
			return -1;
	return check_backend_order(c, err);
}
