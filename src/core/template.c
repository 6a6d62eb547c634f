#include "core/template.h"

#include <stdlib.h>
#include <string.h>

#include "codec/yaml_json.h"
#include "core/template_code.h"

/* ---- references that are refused ---- */

/* The first local file that the way of a refusal leads to, or NULL. */
static const struct yaml_node *find_local(struct arena *arena,
					  const struct yaml_node *node, const char *path)
{
	size_t n = strcspn(path, ".");
	const char *rest = path + n + (path[n] == '.');
	const struct yaml_node *found = NULL;

	if (!node || !*path)
		return template_local(node);
	if (*path != '*')
		return find_local(arena, yaml_get(node, arena_strndup(arena, path, n)),
				  rest);
	for (size_t i = 0; node->kind == YAML_MAPPING && !found && i < node->len; i++)
		found = find_local(arena, node->pairs[i].value, rest);
	return found;
}

static int refuse_local(struct template_reader *r, const struct template_subject *s,
			const struct template_refusal *refusal)
{
	const struct yaml_node *node = find_local(&r->t->arena, s->properties,
						  refusal->path);

	if (!node)
		return 0;
	return template_fail(
		r, node,
		"%s: %s \"%s\" is a local file, and crc uploads the code of functions "
		"and layers only: put it into S3, or inline",
		s->id, refusal->path, node->text);
}

static int refuse_locals(struct template_reader *r, const struct template_subject *s,
			 const char *type)
{
	const struct template_refusal *refusal = NULL;

	while ((refusal = template_refusal_of(type, refusal)))
		if (refuse_local(r, s, refusal) < 0)
			return -1;
	return 0;
}

/* What SAM takes for all resources of a kind. */
static int refuse_globals(struct template_reader *r)
{
	const struct yaml_node *globals = yaml_get(r->root, "Globals");
	const struct template_subject s = { "Globals", globals, globals };

	return refuse_locals(r, &s, TEMPLATE_GLOBALS);
}

static int refuse_include(struct template_reader *r, const struct yaml_node *transform)
{
	const struct yaml_node *local = NULL;

	if (str_eq(template_literal(yaml_get(transform, "Name")), "AWS::Include"))
		local = template_local(
			yaml_get(yaml_get(transform, "Parameters"), "Location"));
	if (!local)
		return 0;
	return template_fail(r, local,
			     "AWS::Include of \"%s\" is a local file: put it into S3",
			     local->text);
}

/* One transform, or a list of them. */
static int refuse_included(struct template_reader *r, const struct yaml_node *transform)
{
	if (!transform)
		return 0;
	for (size_t i = 0; transform->kind == YAML_SEQUENCE && i < transform->len; i++)
		if (refuse_include(r, transform->items[i]) < 0)
			return -1;
	return refuse_include(r, transform);
}

/* Includes may stand anywhere: {"Fn::Transform": {"Name": "AWS::Include", ...}}. */
static int refuse_includes(struct template_reader *r, const struct yaml_node *node)
{
	if (refuse_included(r, yaml_get(node, "Fn::Transform")) < 0 ||
	    (str_eq(node->tag, "!Transform") && refuse_included(r, node) < 0))
		return -1;
	for (size_t i = 0; node->kind == YAML_SEQUENCE && i < node->len; i++)
		if (refuse_includes(r, node->items[i]) < 0)
			return -1;
	for (size_t i = 0; node->kind == YAML_MAPPING && i < node->len; i++)
		if (refuse_includes(r, node->pairs[i].value) < 0)
			return -1;
	return 0;
}

/* ---- resources ---- */

static int read_resource(struct template_reader *r, const char *id,
			 const struct yaml_node *node)
{
	const char *type = template_literal(yaml_get(node, "Type"));
	const struct template_subject s = { id, node, yaml_get(node, "Properties") };
	const struct template_rule *rule = type ? template_rule_of(type) : NULL;

	if (!type)
		return 0;
	if (rule && template_read_code(r, &s, rule) < 0)
		return -1;
	return refuse_locals(r, &s, type);
}

static int read_resources(struct template_reader *r, const struct yaml_node *resources);

/* "Fn::ForEach::NAME": [variable, collection, {id: resource}].
 * docs.aws.amazon.com/AWSCloudFormation, "Fn::ForEach" */
static int read_loop(struct template_reader *r, const struct yaml_node *loop)
{
	if (loop->kind != YAML_SEQUENCE || loop->len != 3 ||
	    loop->items[2]->kind != YAML_MAPPING)
		return template_fail(r, loop, "Fn::ForEach is a list of three");
	return read_resources(r, loop->items[2]);
}

static int read_resources(struct template_reader *r, const struct yaml_node *resources)
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

static void read_parameters(struct template_reader *r)
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

/* AWS's own transforms add no outputs, but for what they include. */
static bool adds_outputs(const struct yaml_node *transform)
{
	const char *name = template_literal(transform);

	return !name || !str_starts(name, "AWS::") || str_eq(name, "AWS::Include");
}

static bool any_adds_outputs(const struct yaml_node *transform)
{
	if (!transform)
		return false;
	if (transform->kind != YAML_SEQUENCE)
		return adds_outputs(transform);
	for (size_t i = 0; i < transform->len; i++)
		if (adds_outputs(transform->items[i]))
			return true;
	return false;
}

static void read_outputs(struct template_reader *r)
{
	const struct yaml_node *outputs = yaml_get(r->root, "Outputs");
	struct template *t = r->t;

	t->has_more_outputs = any_adds_outputs(yaml_get(r->root, "Transform")) ||
			      yaml_get(r->root, "Fn::Transform") ||
			      (outputs && (outputs->kind != YAML_MAPPING ||
					   str_eq(outputs->tag, "!Transform")));
	for (size_t i = 0; outputs && outputs->kind == YAML_MAPPING && i < outputs->len;
	     i++) {
		const char *name = outputs->pairs[i].key->text;

		if (str_starts(name, "Fn::"))
			t->has_more_outputs = true;
		else
			str_list_push(&t->output_names, name);
	}
}

static int compare_codes(const void *a, const void *b)
{
	const struct template_code *x = a;
	const struct template_code *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static int read_tree(struct template_reader *r)
{
	struct template *t = r->t;
	int json = yaml_json_parse(&t->arena, t->name, t->text, t->len, &r->root, r->err);

	r->is_json = json > 0;
	if (json > 0 || (json == 0 && yaml_parse(&t->arena, t->name, t->text, t->len,
						 &r->root, r->err) == 0))
		return 0;
	r->err->code = ERR_CONFIG;
	return -1;
}

int template_parse(struct template *t, const char *name, const char *text, size_t n,
		   struct error *err)
{
	struct template_reader r = { .t = t, .err = err };
	const struct yaml_node *resources;

	t->name = arena_strdup(&t->arena, name);
	t->text = text;
	t->len = n;
	if (read_tree(&r) < 0)
		return -1;
	resources = yaml_get(r.root, "Resources");
	if (!resources || resources->kind != YAML_MAPPING)
		return error_set(err, ERR_CONFIG,
				 "%s: a template has a mapping \"Resources\"", t->name);
	r.globals = yaml_get(yaml_get(r.root, "Globals"), "Function");
	read_parameters(&r);
	t->outputs = yaml_get(r.root, "Outputs");
	if (read_resources(&r, resources) < 0 || refuse_globals(&r) < 0 ||
	    refuse_included(&r, yaml_get(r.root, "Transform")) < 0 ||
	    refuse_includes(&r, r.root) < 0)
		return -1;
	read_outputs(&r);
	if (t->codes.len)
		qsort(t->codes.items, t->codes.len, sizeof(*t->codes.items),
		      compare_codes);
	return template_check_shared(&r);
}

void template_release(struct template *t)
{
	str_list_release(&t->output_names);
	template_codes_release(&t->codes);
	template_parameters_release(&t->parameters);
	arena_release(&t->arena);
	*t = (struct template)TEMPLATE_INIT;
}

/* ---- outputs ---- */

static bool is_of_a_name(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
		if ((at == text || !is_of_a_name(at[-1])) && !is_of_a_name(at[n]))
			return true;
	return false;
}

static bool names(const struct yaml_node *node, const char *resource)
{
	if (!node)
		return false;
	if (node->kind == YAML_SCALAR)
		return has_word(node->text, resource);
	for (size_t i = 0; i < node->len; i++)
		if (names(node->kind == YAML_SEQUENCE ? node->items[i]
						      : node->pairs[i].value,
			  resource))
			return true;
	return false;
}

bool template_output_names(const struct template *t, const char *output,
			   const char *resource)
{
	return *resource &&
	       names(yaml_get(yaml_get(t->outputs, output), "Value"), resource);
}

/* ---- splicing ---- */

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
