/* From the bytes of crc.yml to a config: one table of fields for each kind of mapping. */
#include "core/config_private.h"

#include <limits.h>
#include <string.h>

#include "codec/yaml.h"
#include "core/config_rules.h"

/* A key further than this from all known ones is not a slip of the fingers. */
enum { SLIP_MOST = 3 };

static bool is_slip(const char *key, unsigned distance)
{
	return distance <= SLIP_MOST && distance < strlen(key);
}

struct reader {
	struct config *config;
	struct error *err;
};

enum {
	REQUIRED = 1,
	NOT_LATER = 2 /* a value that cannot wait for a backend */
};

struct field;

typedef int (*field_read)(struct reader *r, const struct field *f, void *owner,
			  const struct yaml_node *node);

/* A key, how its value is read and where it goes. */
struct field {
	const char *key;
	field_read read;
	size_t offset;                        /* in the owner */
	const char *(*problem)(const char *); /* NULL: any text will do */
	unsigned flags;
};

struct fields {
	const struct field *items;
	size_t len;
	const char *what; /* "site", for messages */
};

#define FIELDS(array, name)                                     \
	{                                                       \
		(array), sizeof(array) / sizeof(*(array)), name \
	}

/* Complaints */

#define FAIL(r, node, ...) \
	config_fail_at((r)->config, (node)->line, (node)->column, (r)->err, __VA_ARGS__)

static const char *kind_name(const struct yaml_node *node)
{
	switch (node->kind) {
	case YAML_SEQUENCE:
		return "a list";
	case YAML_MAPPING:
		return "a mapping";
	case YAML_SCALAR:
		break;
	}
	return yaml_is_null(node) ? "nothing" : "a single value";
}

static int fail_kind(struct reader *r, const struct yaml_node *node, const char *key,
		     const char *wanted)
{
	return FAIL(r, node, "%s: %s is wanted here, not %s", key, wanted,
		    kind_name(node));
}

static int fail_unknown(struct reader *r, const struct yaml_node *key,
			const struct fields *fields)
{
	const char *nearest = NULL;
	unsigned least = UINT_MAX;

	for (size_t i = 0; i < fields->len; i++) {
		unsigned distance = str_distance(key->text, fields->items[i].key);

		if (distance < least) {
			least = distance;
			nearest = fields->items[i].key;
		}
	}
	if (!is_slip(key->text, least))
		return FAIL(r, key, "unknown key \"%s\" of a %s", key->text,
			    fields->what);
	return FAIL(r, key, "unknown key \"%s\" of a %s: did you mean \"%s\"?", key->text,
		    fields->what, nearest);
}

/* Tags */

static bool is_core_tag(const char *tag)
{
	return !*tag || str_eq(tag, "!") || str_starts(tag, "tag:yaml.org,2002:");
}

static int check_tag(struct reader *r, const struct yaml_node *node)
{
	if (is_core_tag(node->tag))
		return 0;
	return FAIL(r, node, "the tag %s cannot be used here", node->tag);
}

/* A single value's tag is for its reader; elsewhere none means anything. */
static int check_tags(struct reader *r, const struct yaml_node *node)
{
	if (node->kind == YAML_SCALAR)
		return 0;
	if (check_tag(r, node) < 0)
		return -1;
	for (size_t i = 0; i < node->len; i++) {
		const struct yaml_node *below = node->kind == YAML_MAPPING
							? node->pairs[i].value
							: node->items[i];

		if (node->kind == YAML_MAPPING && check_tag(r, node->pairs[i].key) < 0)
			return -1;
		if (check_tags(r, below) < 0)
			return -1;
	}
	return 0;
}

/* Mappings */

static const struct field *find_field(const struct fields *fields, const char *key)
{
	for (size_t i = 0; i < fields->len; i++)
		if (str_eq(fields->items[i].key, key))
			return &fields->items[i];
	return NULL;
}

static int read_mapping(struct reader *r, const struct fields *fields, void *owner,
			const struct yaml_node *node)
{
	for (size_t i = 0; i < node->len; i++) {
		const struct yaml_pair *pair = &node->pairs[i];
		const struct field *f = find_field(fields, pair->key->text);

		if (!f)
			return fail_unknown(r, pair->key, fields);
		if (f->read(r, f, owner, pair->value) < 0)
			return -1;
	}
	for (size_t i = 0; i < fields->len; i++)
		if ((fields->items[i].flags & REQUIRED) &&
		    !yaml_get(node, fields->items[i].key))
			return FAIL(r, node, "the %s lacks \"%s\"", fields->what,
				    fields->items[i].key);
	return 0;
}

/* Scalars */

static void *place(const struct field *f, void *owner)
{
	return (char *)owner + f->offset;
}

/* The text of a plain scalar that is something. NULL: the error is set. */
static const char *text_of(struct reader *r, const char *key,
			   const struct yaml_node *node)
{
	if (node->kind != YAML_SCALAR || yaml_is_null(node)) {
		fail_kind(r, node, key, "a single value");
		return NULL;
	}
	if (!is_core_tag(node->tag)) {
		FAIL(r, node, "%s: the tag %s cannot be used here", key, node->tag);
		return NULL;
	}
	return node->text;
}

static int check_text(struct reader *r, const struct field *f,
		      const struct yaml_node *node, const char *text)
{
	const char *wrong = f->problem ? f->problem(text) : NULL;

	if (!wrong)
		return 0;
	return FAIL(r, node, "%s \"%s\": %s", f->key, text, wrong);
}

static int read_text(struct reader *r, const struct field *f, void *owner,
		     const struct yaml_node *node)
{
	const char *text = text_of(r, f->key, node);

	if (!text || check_text(r, f, node, text) < 0)
		return -1;
	*(const char **)place(f, owner) = text;
	return 0;
}

static int read_path(struct reader *r, const struct field *f, void *owner,
		     const struct yaml_node *node)
{
	const char *text = text_of(r, f->key, node);

	if (!text)
		return -1;
	text = config_normal_path(&r->config->arena, text);
	if (check_text(r, f, node, text) < 0)
		return -1;
	*(const char **)place(f, owner) = text;
	return 0;
}

static int read_prefix(struct reader *r, const struct field *f, void *owner,
		       const struct yaml_node *node)
{
	const char *text = text_of(r, f->key, node);

	if (!text)
		return -1;
	text = config_normal_prefix(&r->config->arena, text);
	if (check_text(r, f, node, text) < 0)
		return -1;
	*(const char **)place(f, owner) = text;
	return 0;
}

static int read_switch(struct reader *r, const struct field *f, void *owner,
		       const struct yaml_node *node)
{
	const char *text = text_of(r, f->key, node);

	if (!text)
		return -1;
	if (!str_eq(text, "true") && !str_eq(text, "false"))
		return FAIL(r, node, "%s: true or false is wanted here, not \"%s\"",
			    f->key, text);
	*(int *)place(f, owner) = str_eq(text, "true");
	return 0;
}

static int read_duration(struct reader *r, const struct field *f, void *owner,
			 const struct yaml_node *node)
{
	const char *text = text_of(r, f->key, node);
	int64_t seconds;

	if (!text)
		return -1;
	seconds = config_duration_s(text);
	if (seconds < 0)
		return FAIL(r, node, "%s \"%s\": must be like 7d, 12h, 30m or 0", f->key,
			    text);
	*(int64_t *)place(f, owner) = seconds;
	return 0;
}

/* Values: literal, !env NAME, !output BACKEND.OUTPUT */

static int read_output(struct reader *r, const char *key, const struct yaml_node *node,
		       struct value *out)
{
	const char *dot = strchr(node->text, '.');
	const char *wrong;

	if (!dot || dot == node->text)
		return FAIL(r, node, "%s: !output is followed by BACKEND.OUTPUT", key);
	wrong = config_bad_output(dot + 1);
	if (wrong)
		return FAIL(r, node, "%s: !output \"%s\": %s", key, dot + 1, wrong);
	out->kind = VALUE_OUTPUT;
	out->backend = arena_strndup(&r->config->arena, node->text,
				     (size_t)(dot - node->text));
	out->text = dot + 1;
	return 0;
}

static int read_env(struct reader *r, const char *key, const struct yaml_node *node,
		    struct value *out)
{
	const char *wrong = config_bad_variable(node->text);

	if (wrong)
		return FAIL(r, node, "%s: !env \"%s\": %s", key, node->text, wrong);
	out->kind = VALUE_ENV;
	out->text = node->text;
	return 0;
}

static int read_any_value(struct reader *r, const struct field *f,
			  const struct yaml_node *node, struct value *out)
{
	*out = (struct value){ .line = node->line, .column = node->column };
	if (node->kind == YAML_SCALAR && str_eq(node->tag, "!env"))
		return read_env(r, f->key, node, out);
	if (node->kind == YAML_SCALAR && str_eq(node->tag, "!output") &&
	    !(f->flags & NOT_LATER))
		return read_output(r, f->key, node, out);
	out->kind = VALUE_LITERAL;
	out->text = text_of(r, f->key, node);
	if (!out->text)
		return -1;
	return check_text(r, f, node, out->text);
}

static int read_value(struct reader *r, const struct field *f, void *owner,
		      const struct yaml_node *node)
{
	return read_any_value(r, f, node, place(f, owner));
}

/* Lists: a single item stands for a list of one. */

static int each_item(struct reader *r, const struct field *f, void *owner,
		     const struct yaml_node *node, field_read read)
{
	if (node->kind != YAML_SEQUENCE)
		return read(r, f, owner, node);
	for (size_t i = 0; i < node->len; i++)
		if (read(r, f, owner, node->items[i]) < 0)
			return -1;
	return 0;
}

static int add_value(struct reader *r, const struct field *f, void *owner,
		     const struct yaml_node *node)
{
	struct value v;

	if (read_any_value(r, f, node, &v) < 0)
		return -1;
	value_list_push(place(f, owner), v);
	return 0;
}

static int read_values(struct reader *r, const struct field *f, void *owner,
		       const struct yaml_node *node)
{
	return each_item(r, f, owner, node, add_value);
}

static int add_pattern(struct reader *r, const struct field *f, void *owner,
		       const struct yaml_node *node)
{
	const char *text = text_of(r, f->key, node);
	struct glob glob;

	if (!text)
		return -1;
	if (!glob_parse(text, &glob))
		return FAIL(r, node, "%s \"%s\": no pattern that can match anything",
			    f->key, text);
	glob_list_push(place(f, owner), glob);
	return 0;
}

static int read_patterns(struct reader *r, const struct field *f, void *owner,
			 const struct yaml_node *node)
{
	return each_item(r, f, owner, node, add_pattern);
}

static int add_text(struct reader *r, const struct field *f, void *owner,
		    const struct yaml_node *node)
{
	const char *text = text_of(r, f->key, node);

	if (!text || check_text(r, f, node, text) < 0)
		return -1;
	str_list_push(place(f, owner), text);
	return 0;
}

static int read_texts(struct reader *r, const struct field *f, void *owner,
		      const struct yaml_node *node)
{
	return each_item(r, f, owner, node, add_text);
}

/* Header rules */

static const char *lower(struct arena *arena, const char *text)
{
	char *out = arena_strdup(arena, text);

	for (char *c = out; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return out;
}

static bool has_header(const struct header_list *set, const char *name)
{
	for (size_t i = 0; i < set->len; i++)
		if (str_eq(set->items[i].name, name))
			return true;
	return false;
}

static int fail_header(struct reader *r, const struct yaml_node *key, const char *name,
		       const char *wrong)
{
	const char *nearest = config_nearest_header(name);

	if (is_slip(name, str_distance(name, nearest)))
		return FAIL(r, key, "unknown header \"%s\": did you mean \"%s\"?",
			    key->text, nearest);
	return FAIL(r, key, "header \"%s\" %s", key->text, wrong);
}

static int add_header(struct reader *r, const struct yaml_pair *pair,
		      struct header_list *set)
{
	const char *name = lower(&r->config->arena, pair->key->text);
	const char *wrong = config_bad_header(name);
	const char *value = "";

	if (wrong)
		return fail_header(r, pair->key, name, wrong);
	if (has_header(set, name))
		return FAIL(r, pair->key, "header \"%s\" twice in one rule", name);
	/* Nothing takes a header away, as "" does. */
	if (!yaml_is_null(pair->value))
		value = text_of(r, name, pair->value);
	if (!value)
		return -1;
	wrong = config_bad_header_value(name, value);
	if (wrong)
		return FAIL(r, pair->value, "header %s: the value \"%s\" %s", name, value,
			    wrong);
	header_list_push(set, (struct header){ name, value });
	return 0;
}

static int add_rule(struct reader *r, const struct field *f, void *owner,
		    const struct yaml_node *node)
{
	const struct yaml_node *match = yaml_get(node, "match");
	struct header_rule *rule;
	const char *text;

	if (node->kind != YAML_MAPPING)
		return fail_kind(r, node, f->key, "a mapping with \"match\"");
	if (!match)
		return FAIL(r, node,
			    "headers: the rule lacks \"match\", the files it is for");
	text = text_of(r, "match", match);
	if (!text)
		return -1;
	rule = header_rules_push(place(f, owner), (struct header_rule){ .set = { 0 } });
	if (!glob_parse(text, &rule->match))
		return FAIL(r, match, "match \"%s\": no pattern that can match anything",
			    text);
	if (rule->match.negated)
		return FAIL(r, match,
			    "match \"%s\": a rule says which files it is for, not which "
			    "it is not for",
			    text);
	for (size_t i = 0; i < node->len; i++)
		if (!str_eq(node->pairs[i].key->text, "match") &&
		    add_header(r, &node->pairs[i], &rule->set) < 0)
			return -1;
	return 0;
}

static int read_rules(struct reader *r, const struct field *f, void *owner,
		      const struct yaml_node *node)
{
	if (node->kind != YAML_SEQUENCE)
		return fail_kind(r, node, f->key, "a list of rules (\"- match: ...\")");
	return each_item(r, f, owner, node, add_rule);
}

/* Parameters */

static int read_parameters(struct reader *r, const struct field *f, void *owner,
			   const struct yaml_node *node)
{
	if (node->kind != YAML_MAPPING)
		return fail_kind(r, node, f->key, "a mapping of names to values");
	for (size_t i = 0; i < node->len; i++) {
		const struct yaml_pair *pair = &node->pairs[i];
		const struct field value = { .key = pair->key->text };
		const char *wrong = config_bad_output(pair->key->text);
		struct parameter p = { .name = pair->key->text };

		if (wrong)
			return FAIL(r, pair->key, "parameter \"%s\": %s", p.name, wrong);
		if (read_any_value(r, &value, pair->value, &p.value) < 0)
			return -1;
		parameter_list_push(place(f, owner), p);
	}
	return 0;
}

/* Sites and backends */

#define SITE(member) offsetof(struct site, member)

static const struct field site_fields[] = {
	{ "path", read_path, SITE(path), config_bad_path, REQUIRED },
	{ "build", read_text, SITE(build), config_bad_command, 0 },
	{ "bucket", read_value, SITE(bucket), config_bad_bucket, 0 },
	{ "prefix", read_prefix, SITE(prefix), config_bad_prefix, 0 },
	{ "distribution", read_values, SITE(distributions), config_bad_distribution, 0 },
	{ "url", read_value, SITE(url), config_bad_url, 0 },
	{ "index", read_text, SITE(index), config_bad_file_name, 0 },
	{ "exclude", read_patterns, SITE(exclude), NULL, 0 },
	{ "include", read_patterns, SITE(include), NULL, 0 },
	{ "query-strings", read_switch, SITE(query_strings), NULL, 0 },
	{ "keep", read_duration, SITE(keep_s), NULL, 0 },
	{ "headers", read_rules, SITE(headers), NULL, 0 },
};

#define BACKEND(member) offsetof(struct backend, member)

static const struct field backend_fields[] = {
	{ "path", read_path, BACKEND(path), config_bad_path, REQUIRED },
	{ "build", read_text, BACKEND(build), config_bad_command, 0 },
	{ "template", read_path, BACKEND(template_file), config_bad_file, 0 },
	{ "stack", read_value, BACKEND(stack), config_bad_stack, NOT_LATER },
	{ "artifacts", read_value, BACKEND(artifacts), config_bad_bucket, NOT_LATER },
	{ "parameters", read_parameters, BACKEND(parameters), NULL, 0 },
	{ "capabilities", read_texts, BACKEND(capabilities), config_bad_capability, 0 },
	{ "function", read_value, BACKEND(function), config_bad_function, NOT_LATER },
	{ "alias", read_value, BACKEND(alias), config_bad_alias, NOT_LATER },
};

static int read_site(struct reader *r, const struct yaml_pair *pair)
{
	static const struct fields fields = FIELDS(site_fields, "site");
	struct site *site = config_add_site(r->config, pair->key->text, "");

	site->line = pair->key->line;
	return read_mapping(r, &fields, site, pair->value);
}

/* Which kind of backend it is decides which keys it may have. */
static int settle_backend(struct reader *r, const struct yaml_pair *pair,
			  struct backend *backend)
{
	static const char *const of_template[] = { "template", "stack", "parameters",
						   "capabilities" };
	const struct yaml_node *function = yaml_get(pair->value, "function");
	const struct yaml_node *stack = yaml_get(pair->value, "stack");
	const struct yaml_node *alias = yaml_get(pair->value, "alias");

	if (!function && !stack)
		return FAIL(r, pair->key,
			    "backend \"%s\" lacks \"stack\" (to deploy a template) or "
			    "\"function\" (to update an existing function)",
			    backend->name);
	if (!function && alias)
		return FAIL(r, alias, "alias: only a \"function\" backend has one");
	backend->kind = function ? BACKEND_FUNCTION : BACKEND_TEMPLATE;
	for (size_t i = 0; function && i < sizeof(of_template) / sizeof(*of_template);
	     i++) {
		const struct yaml_node *wrong = yaml_get(pair->value, of_template[i]);

		if (wrong)
			return FAIL(r, wrong,
				    "%s: backend \"%s\" is an existing function, and its "
				    "settings belong to whoever made it",
				    of_template[i], backend->name);
	}
	return 0;
}

static int read_backend(struct reader *r, const struct yaml_pair *pair)
{
	static const struct fields fields = FIELDS(backend_fields, "backend");
	struct backend *backend = config_add_backend(r->config, pair->key->text, "");

	backend->line = pair->key->line;
	if (read_mapping(r, &fields, backend, pair->value) < 0)
		return -1;
	return settle_backend(r, pair, backend);
}

typedef int (*entry_read)(struct reader *r, const struct yaml_pair *pair);

static int read_named(struct reader *r, const struct field *f,
		      const struct yaml_node *node, entry_read read)
{
	if (node->kind != YAML_MAPPING)
		return fail_kind(r, node, f->key, "a mapping of names");
	for (size_t i = 0; i < node->len; i++) {
		const struct yaml_pair *pair = &node->pairs[i];
		const char *wrong = config_bad_name(pair->key->text);

		if (wrong)
			return FAIL(r, pair->key, "%s: \"%s\": %s", f->key,
				    pair->key->text, wrong);
		if (pair->value->kind != YAML_MAPPING)
			return fail_kind(r, pair->value, pair->key->text, "a mapping");
		if (read(r, pair) < 0)
			return -1;
	}
	return 0;
}

static int read_sites(struct reader *r, const struct field *f, void *owner,
		      const struct yaml_node *node)
{
	(void)owner;
	return read_named(r, f, node, read_site);
}

static int read_backends(struct reader *r, const struct field *f, void *owner,
			 const struct yaml_node *node)
{
	(void)owner;
	return read_named(r, f, node, read_backend);
}

/* The file */

static const struct field file_fields[] = {
	{ "region", read_value, offsetof(struct config, region), config_bad_region,
	  NOT_LATER },
	{ "sites", read_sites, 0, NULL, 0 },
	{ "backends", read_backends, 0, NULL, 0 },
};

int config_parse(struct config *c, const char *file, const char *text, size_t n,
		 struct error *err)
{
	static const struct fields fields = FIELDS(file_fields, "configuration");
	struct reader r = { c, err };
	const struct yaml_node *root;

	/* As paths of the repository are, so that it is known among the site's files. */
	c->file = config_normal_path(&c->arena, file);
	/* The tree stays with the config, which borrows its texts. */
	if (yaml_parse(&c->arena, c->file, text, n, &root, err) < 0) {
		err->code = ERR_CONFIG;
		return -1;
	}
	if (!root || root->kind != YAML_MAPPING)
		return config_fail_at(
			c, 1, 1, err,
			"a mapping with \"sites\" or \"backends\" is wanted");
	if (check_tags(&r, root) < 0 || read_mapping(&r, &fields, c, root) < 0)
		return -1;
	if (!c->sites.len && !c->backends.len)
		return config_fail_at(c, 1, 1, err, "neither \"sites\" nor \"backends\"");
	return config_check(c, err);
}
