#include "core/template.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "codec/yaml.h"
#include "core/template_rules.h"

struct reader {
	struct template *t;
	const struct yaml_node *root;
	const struct yaml_node *globals; /* of functions, or NULL */
	struct error *err;
};

/* A resource, or the globals of a kind of resource. */
struct subject {
	const char *id;
	const struct yaml_node *node;
	const struct yaml_node *properties; /* may be NULL */
};

static int fail(struct reader *r, const struct yaml_node *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(struct reader *r, const struct yaml_node *at, const char *fmt, ...)
{
	char message[ERROR_MSG_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	for (char *p = message; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7F)
			*p = '?';
	return error_set(r->err, ERR_CONFIG, "%s:%u:%u: %s", r->t->name, at->line,
			 at->column, message);
}

/* Literals */

/* A text without a tag that makes it a function of CloudFormation's. */
static const char *literal(const struct yaml_node *node)
{
	const char *text = yaml_text(node);

	if (!node || !text || yaml_is_null(node))
		return NULL;
	return !*node->tag || str_starts(node->tag, "tag:yaml.org,2002:") ? text : NULL;
}

/* The default of the parameter that a !Ref names, or the literal. */
static const char *resolved(const struct reader *r, const struct yaml_node *node)
{
	const struct yaml_node *ref = yaml_get(node, "Ref");
	const char *name = NULL;

	if (node && node->kind == YAML_SCALAR && str_eq(node->tag, "!Ref"))
		name = node->text;
	else if (ref)
		name = literal(ref);
	if (!name)
		return literal(node);
	return literal(
		yaml_get(yaml_get(yaml_get(r->root, "Parameters"), name), "Default"));
}

static const struct yaml_node *property(const struct reader *r, const struct subject *s,
					const char *name)
{
	const struct yaml_node *own = yaml_get(s->properties, name);

	return own ? own : yaml_get(r->globals, name);
}

static const char *architecture_of(const struct reader *r, const struct subject *s)
{
	const struct yaml_node *list = property(r, s, "Architectures");
	const char *text = NULL;

	if (list && list->kind == YAML_SEQUENCE && list->len)
		text = resolved(r, list->items[0]);
	return text ? text : "x86_64";
}

/* How often a node is met in the tree: an anchor's is met at each of its aliases. */
static size_t count_uses(const struct yaml_node *tree, const struct yaml_node *node)
{
	size_t n = tree == node;

	for (size_t i = 0; tree->kind == YAML_SEQUENCE && i < tree->len; i++)
		n += count_uses(tree->items[i], node);
	for (size_t i = 0; tree->kind == YAML_MAPPING && i < tree->len; i++)
		n += count_uses(tree->pairs[i].value, node);
	return n;
}

/* Code */

/* The same bytes may be met again by an alias or a merge key. */
static struct template_code *find_code(struct template *t, size_t start)
{
	for (size_t i = 0; i < t->codes.len; i++)
		if (t->codes.items[i].start == start)
			return &t->codes.items[i];
	return NULL;
}

static int add_again(struct reader *r, const struct template_code *have,
		     const struct template_code *code, const struct yaml_node *at)
{
	if (have->kind == code->kind && have->form == code->form &&
	    str_eq(have->runtime, code->runtime) &&
	    str_eq(have->architecture, code->architecture))
		return 0;
	return fail(r, at,
		    "%s and %s share one %s and differ in kind, runtime or architecture: "
		    "write it twice",
		    have->resource, code->resource, code->property);
}

static void set_quotes(struct template_code *code, const struct yaml_node *node,
		       const char *text)
{
	switch (node->style) {
	case YAML_SINGLE_QUOTED:
		code->quote = '\'';
		break;
	case YAML_DOUBLE_QUOTED:
		code->quote = '"';
		break;
	case YAML_LITERAL:
	case YAML_FOLDED:
		/* The line's end belongs to a block's text, and must stay. */
		if (code->end > code->start && text[code->end - 1] == '\n')
			code->end--;
		if (code->end > code->start && text[code->end - 1] == '\r')
			code->end--;
		break;
	case YAML_PLAIN:
		break;
	}
}

static struct template_code code_of(const struct reader *r, const struct subject *s,
				    const struct template_rule *rule)
{
	return (struct template_code){
		.resource = s->id,
		.property = rule->property,
		.kind = rule->kind,
		.form = rule->form,
		.runtime = resolved(r, property(r, s, "Runtime")),
		.architecture = architecture_of(r, s),
		.before = "",
		.after = "",
	};
}

static int add_code(struct reader *r, const struct template_code *code,
		    const struct yaml_node *at)
{
	const struct template_code *have = find_code(r->t, code->start);

	if (have)
		return add_again(r, have, code, at);
	template_codes_push(&r->t->codes, *code);
	return 0;
}

static int replace_code(struct reader *r, const struct subject *s,
			const struct template_rule *rule, const struct yaml_node *node)
{
	struct template_code code = code_of(r, s, rule);

	code.path = literal(node);
	code.line = node->line;
	code.start = node->start;
	code.end = node->end;
	set_quotes(&code, node, r->t->text);
	return add_code(r, &code, node);
}

/* The end of the line that a byte is in, as the template ends its lines. */
static const char *line_end(const struct template *t, size_t at)
{
	const char *end = memchr(t->text + at, '\n', t->len - at);

	return end && end > t->text && end[-1] == '\r' ? "\r\n" : "\n";
}

/* SAM takes a function without CodeUri to be the template's folder. The property is written
 * in front of the first one. */
static int insert_code(struct reader *r, const struct subject *s,
		       const struct template_rule *rule)
{
	struct template_code code = code_of(r, s, rule);
	const struct yaml_node *first;

	if (!s->properties || !s->properties->len || s->properties->pairs[0].is_merged)
		return fail(r, s->node, "%s has no %s: write it (\"%s: .\")", s->id,
			    rule->property, rule->property);
	first = s->properties->pairs[0].key;
	code.path = ".";
	code.line = first->line;
	code.start = code.end = first->start;
	if (s->properties->flow) {
		code.before = arena_printf(&r->t->arena, "\"%s\": ", rule->property);
		code.after = ", ";
		code.quote = '"';
	} else {
		code.before = arena_printf(&r->t->arena, "%s: ", rule->property);
		code.after = arena_printf(&r->t->arena, "%s%*s",
					  line_end(r->t, first->start),
					  (int)first->column - 1, "");
	}
	return add_code(r, &code, first);
}

static bool is_inline(const struct subject *s)
{
	return yaml_get(s->properties, "InlineCode") ||
	       yaml_get(s->properties, "ImageUri") ||
	       str_eq(literal(yaml_get(s->properties, "PackageType")), "Image");
}

static int check_build_method(struct reader *r, const struct subject *s)
{
	const struct yaml_node *method = yaml_get(yaml_get(s->node, "Metadata"),
						  "BuildMethod");
	const char *text = literal(method);

	if (!text || str_starts(text, "python"))
		return 0;
	return fail(r, method,
		    "%s: the build method \"%s\" is not done here: make the folder with "
		    "`build:` in crc.yml",
		    s->id, text);
}

static int read_code(struct reader *r, const struct subject *s,
		     const struct template_rule *rule)
{
	const struct yaml_node *node = yaml_get(s->properties, rule->property);
	const char *text = literal(node);

	if (is_inline(s))
		return 0;
	if (check_build_method(r, s) < 0)
		return -1;
	if (!node && rule->folder_is_default && !yaml_get(r->globals, rule->property))
		return insert_code(r, s, rule);
	/* A mapping or a function of CloudFormation's says where in S3. */
	if (!node || !text || template_is_remote(text))
		return 0;
	if (strstr(text, "${") || strstr(text, "&{"))
		return fail(r, node,
			    "%s: %s \"%s\" depends on a loop variable: write the "
			    "resources out",
			    s->id, rule->property, text);
	return replace_code(r, s, rule, node);
}

/* Resources */

static int refuse_local(struct reader *r, const struct subject *s,
			const struct template_refusal *refusal)
{
	const struct yaml_node *node = s->properties;
	const char *path = refusal->path;

	while (node && *path) {
		size_t n = strcspn(path, ".");
		char *name = arena_strndup(&r->t->arena, path, n);

		node = yaml_get(node, name);
		path += n + (path[n] == '.');
	}
	if (!literal(node) || template_is_remote(literal(node)))
		return 0;
	return fail(
		r, node,
		"%s: %s \"%s\" is a local file, and crc uploads the code of functions "
		"and layers only: put it into S3, or inline",
		s->id, refusal->path, literal(node));
}

static int read_resource(struct reader *r, const char *id, const struct yaml_node *node)
{
	const char *type = literal(yaml_get(node, "Type"));
	struct subject s = { id, node, yaml_get(node, "Properties") };
	const struct template_rule *rule = type ? template_rule_of(type) : NULL;
	const struct template_refusal *refusal = NULL;

	if (!type)
		return 0;
	if (rule && read_code(r, &s, rule) < 0)
		return -1;
	while ((refusal = template_refusal_of(type, refusal)))
		if (refuse_local(r, &s, refusal) < 0)
			return -1;
	return 0;
}

static int read_resources(struct reader *r, const struct yaml_node *resources);

/* "Fn::ForEach::NAME": [variable, collection, {id: resource}].
 * docs.aws.amazon.com/AWSCloudFormation, "Fn::ForEach" */
static int read_loop(struct reader *r, const struct yaml_node *loop)
{
	if (loop->kind != YAML_SEQUENCE || loop->len != 3 ||
	    loop->items[2]->kind != YAML_MAPPING)
		return fail(r, loop, "Fn::ForEach is a list of three");
	return read_resources(r, loop->items[2]);
}

static int read_resources(struct reader *r, const struct yaml_node *resources)
{
	for (size_t i = 0; i < resources->len; i++) {
		const struct yaml_pair *pair = &resources->pairs[i];
		bool loop = str_starts(pair->key->text, "Fn::ForEach::");

		if (loop ? read_loop(r, pair->value) < 0
			 : read_resource(r, pair->key->text, pair->value) < 0)
			return -1;
	}
	return 0;
}

/* Code that all functions have in common, unless they say otherwise. */
static int read_globals(struct reader *r)
{
	const struct yaml_node *globals = yaml_get(r->root, "Globals");
	const struct yaml_node *function = yaml_get(globals, "Function");
	struct subject s = { "Globals", function, function };
	const struct template_rule *rule = template_rule_of("AWS::Serverless::Function");
	const struct yaml_node *node = yaml_get(function, rule->property);

	r->globals = function;
	if (!literal(node) || template_is_remote(literal(node)))
		return 0;
	return replace_code(r, &s, rule, node);
}

/* Includes may stand anywhere: {"Fn::Transform": {"Name": "AWS::Include", ...}}. */
static int refuse_includes(struct reader *r, const struct yaml_node *node)
{
	const struct yaml_node *transform = yaml_get(node, "Fn::Transform");
	const struct yaml_node *location = yaml_get(yaml_get(transform, "Parameters"),
						    "Location");

	if (literal(location) && !template_is_remote(literal(location)))
		return fail(r, location,
			    "AWS::Include of \"%s\" is a local file: put it into S3",
			    literal(location));
	for (size_t i = 0; node->kind == YAML_SEQUENCE && i < node->len; i++)
		if (refuse_includes(r, node->items[i]) < 0)
			return -1;
	for (size_t i = 0; node->kind == YAML_MAPPING && i < node->len; i++)
		if (refuse_includes(r, node->pairs[i].value) < 0)
			return -1;
	return 0;
}

static void read_parameters(struct reader *r)
{
	const struct yaml_node *parameters = yaml_get(r->root, "Parameters");

	for (size_t i = 0;
	     parameters && parameters->kind == YAML_MAPPING && i < parameters->len; i++) {
		const struct yaml_pair *pair = &parameters->pairs[i];

		template_parameters_push(&r->t->parameters,
					 (struct template_parameter){
						 pair->key->text,
						 yaml_get(pair->value, "Default") != NULL,
					 });
	}
}

static int compare_codes(const void *a, const void *b)
{
	const struct template_code *x = a;
	const struct template_code *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* An anchor's text may be used for something that is no code. */
static const struct yaml_node *node_at(const struct yaml_node *tree, size_t start)
{
	const struct yaml_node *found = NULL;

	if (tree->kind == YAML_SCALAR)
		return tree->start == start ? tree : NULL;
	for (size_t i = 0; tree->kind == YAML_SEQUENCE && !found && i < tree->len; i++)
		found = node_at(tree->items[i], start);
	for (size_t i = 0; tree->kind == YAML_MAPPING && !found && i < tree->len; i++)
		found = node_at(tree->pairs[i].value, start);
	return found;
}

static size_t count_code_uses(const struct yaml_node *resources,
			      const struct yaml_node *node)
{
	size_t n = 0;

	for (size_t i = 0; resources && i < resources->len; i++) {
		const struct yaml_node *resource = resources->pairs[i].value;
		const char *type = literal(yaml_get(resource, "Type"));
		const struct template_rule *rule = type ? template_rule_of(type) : NULL;

		n += rule &&
		     yaml_get(yaml_get(resource, "Properties"), rule->property) == node;
	}
	return n;
}

static int check_shared(struct reader *r)
{
	const struct yaml_node *resources = yaml_get(r->root, "Resources");

	for (size_t i = 0; i < r->t->codes.len; i++) {
		const struct template_code *code = &r->t->codes.items[i];
		const struct yaml_node *node = code->end > code->start
						       ? node_at(r->root, code->start)
						       : NULL;
		size_t uses = node ? count_uses(r->root, node) : 1;

		if (uses > 1 && uses != count_code_uses(resources, node))
			return fail(r, node,
				    "%s: the text of %s is used elsewhere by an anchor: "
				    "write it out",
				    code->resource, code->property);
	}
	return 0;
}

int template_parse(struct template *t, const char *name, const char *text, size_t n,
		   struct error *err)
{
	struct reader r = { .t = t, .err = err };
	const struct yaml_node *resources;

	t->name = arena_strdup(&t->arena, name);
	t->text = text;
	t->len = n;
	if (yaml_parse(&t->arena, t->name, text, n, &r.root, err) < 0) {
		err->code = ERR_CONFIG;
		return -1;
	}
	resources = yaml_get(r.root, "Resources");
	if (!resources || resources->kind != YAML_MAPPING)
		return error_set(err, ERR_CONFIG,
				 "%s: a template has a mapping \"Resources\"", t->name);
	read_parameters(&r);
	if (read_globals(&r) < 0 || read_resources(&r, resources) < 0 ||
	    refuse_includes(&r, r.root) < 0)
		return -1;
	if (t->codes.len)
		qsort(t->codes.items, t->codes.len, sizeof(*t->codes.items),
		      compare_codes);
	return check_shared(&r);
}

void template_release(struct template *t)
{
	template_codes_release(&t->codes);
	template_parameters_release(&t->parameters);
	arena_release(&t->arena);
	*t = (struct template)TEMPLATE_INIT;
}

/* Splicing */

static void write_place(const struct template_code *code,
			const struct template_place *place, struct buf *out)
{
	char quote[2] = { code->quote, '\0' };

	if (code->form == FORM_URI)
		buf_printf(out, "%ss3://%s/%s%s", quote, place->bucket, place->key,
			   quote);
	else
		buf_printf(out, "{\"S3Bucket\": \"%s\", \"S3Key\": \"%s\"}",
			   place->bucket, place->key);
}

void template_splice(const struct template *t, const struct template_place *places,
		     struct buf *out)
{
	size_t at = 0;

	for (size_t i = 0; i < t->codes.len; i++) {
		const struct template_code *code = &t->codes.items[i];

		buf_add(out, t->text + at, code->start - at);
		buf_str(out, code->before);
		write_place(code, &places[i], out);
		buf_str(out, code->after);
		at = code->end;
	}
	buf_add(out, t->text + at, t->len - at);
}
