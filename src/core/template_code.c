#include "core/template_code.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

int template_fail(struct template_reader *r, const struct yaml_node *at, const char *fmt,
		  ...)
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

/* ---- values ---- */

const char *template_literal(const struct yaml_node *node)
{
	const char *text = yaml_text(node);

	if (!node || !text || yaml_is_null(node))
		return NULL;
	/* "!" says that it is a text, as !!str does. */
	return !*node->tag || str_eq(node->tag, "!") ||
			       str_eq(node->tag, "tag:yaml.org,2002:str")
		       ? text
		       : NULL;
}

/* The list of Fn::If in either form: a condition and two values. Else NULL. */
static const struct yaml_node *choice(const struct yaml_node *node)
{
	const struct yaml_node *list = node;

	if (node && node->kind == YAML_MAPPING && node->len == 1)
		list = yaml_get(node, "Fn::If");
	else if (!node || !str_eq(node->tag, "!If"))
		return NULL;
	return list && list->kind == YAML_SEQUENCE && list->len == 3 ? list : NULL;
}

/* The text of Fn::Sub in either form, with or without variables of its own. */
static const struct yaml_node *substituted(const struct yaml_node *node)
{
	const struct yaml_node *sub = yaml_get(node, "Fn::Sub");

	if (!sub && node && str_eq(node->tag, "!Sub"))
		sub = node;
	if (sub && sub->kind == YAML_SEQUENCE)
		sub = sub->len ? sub->items[0] : NULL;
	return sub && sub->kind == YAML_SCALAR ? sub : NULL;
}

const struct yaml_node *template_local(const struct yaml_node *value)
{
	const char *text = template_literal(value);
	const struct yaml_node *list = choice(value);
	const struct yaml_node *local;

	if (text)
		return template_is_remote(text) ? NULL : value;
	if (!list)
		return NULL;
	local = template_local(list->items[1]);
	return local ? local : template_local(list->items[2]);
}

/* What a parameter is, as far as can be told without a look at the stack. */
static const char *parameter(const struct template_reader *r, const char *name)
{
	const struct template_settings *settings = r->t->settings;
	const struct yaml_node *parameters = yaml_get(r->root, "Parameters");

	for (size_t i = 0; settings && i < settings->len; i++)
		if (str_eq(settings->items[i].name, name))
			return settings->items[i].value;
	return template_literal(yaml_get(yaml_get(parameters, name), "Default"));
}

/* The parameter that a !Ref names, or the literal. */
static const char *resolved(const struct template_reader *r, const struct yaml_node *node)
{
	const char *name = template_literal(yaml_get(node, "Ref"));

	if (node && node->kind == YAML_SCALAR && str_eq(node->tag, "!Ref"))
		name = node->text;
	return name ? parameter(r, name) : template_literal(node);
}

static const struct yaml_node *property(const struct template_reader *r,
					const struct template_subject *s,
					const struct template_rule *rule,
					const char *name)
{
	const struct yaml_node *own = yaml_get(s->properties, name);

	return own || !rule->has_globals ? own : yaml_get(r->globals, name);
}

/* The only text of a list; NULL: there are others, or none. */
static const char *only(const struct template_reader *r, const struct yaml_node *list)
{
	if (!list || list->kind != YAML_SEQUENCE || list->len != 1)
		return NULL;
	return resolved(r, list->items[0]);
}

/* What the code has to run on. NULL for a runtime: not known. */
static void set_machine(const struct template_reader *r, const struct template_subject *s,
			const struct template_rule *rule, struct template_code *code)
{
	const struct yaml_node *metadata = yaml_get(s->node, "Metadata");
	const struct yaml_node *list;
	bool layer = rule->kind == TEMPLATE_LAYER;

	list = property(r, s, rule, layer ? "CompatibleArchitectures" : "Architectures");
	code->architecture = only(r, list);
	if (layer && !code->architecture)
		code->architecture = resolved(r, yaml_get(metadata, "BuildArchitecture"));
	if (!layer)
		code->runtime = resolved(r, property(r, s, rule, "Runtime"));
	else
		code->runtime = resolved(r, yaml_get(metadata, "BuildMethod"));
	if (layer && !code->runtime)
		code->runtime = only(r, yaml_get(s->properties, "CompatibleRuntimes"));
	/* For a machine that is not known nothing can be installed. */
	if (list && !code->architecture)
		code->runtime = NULL;
	if (!code->architecture)
		code->architecture = "x86_64";
}

/* ---- code ---- */

/* The same bytes may be met again by an alias or a merge key. */
static struct template_code *find_code(struct template *t, size_t start)
{
	for (size_t i = 0; i < t->codes.len; i++)
		if (t->codes.items[i].start == start)
			return &t->codes.items[i];
	return NULL;
}

static int add_code(struct template_reader *r, const struct template_code *code,
		    const struct yaml_node *at)
{
	struct template_code *have = find_code(r->t, code->start);

	if (!have) {
		template_codes_push(&r->t->codes, *code);
		return 0;
	}
	if (have->kind != code->kind || have->form != code->form)
		return template_fail(
			r, at, "%s and %s share one text for %s and %s: write it twice",
			have->resource, code->resource, have->property, code->property);
	have->uses += code->uses;
	if (!str_eq(have->runtime, code->runtime) ||
	    !str_eq(have->architecture, code->architecture))
		have->runtime = NULL;
	return 0;
}

static struct template_code code_of(const struct template_reader *r,
				    const struct template_subject *s,
				    const struct template_rule *rule)
{
	struct template_code code = {
		.resource = s->id,
		.property = rule->property,
		.kind = rule->kind,
		.form = rule->form,
		.before = "",
		.after = "",
		.uses = 1,
	};

	set_machine(r, s, rule, &code);
	return code;
}

/* ---- code that is written ---- */

/* Where a property's value stands: a node, or an alias of it. */
struct place {
	const struct yaml_node *node;
	size_t alias, alias_end; /* 0: none */
	bool is_global;          /* and not the resource's own */
};

/* A block's text ends where its last line does: line ends and empty lines behind it stay. */
static size_t trim_block(const char *text, size_t start, size_t end)
{
	while (end > start && strchr(" \t\r\n", text[end - 1]))
		end--;
	return end;
}

static void set_span(struct template_code *code, const struct place *place,
		     const char *text)
{
	const struct yaml_node *node = place->node;

	code->start = node->start;
	code->end = node->end;
	if (place->alias) {
		code->start = place->alias;
		code->end = place->alias_end;
		return;
	}
	/* "&a:b" is the text ":b" with an anchor, which ours would become a part of. */
	if (node->start > node->from && !strchr(" \t\r\n", text[node->start - 1]))
		code->before = " ";
	switch (node->style) {
	case YAML_SINGLE_QUOTED:
		code->quote = '\'';
		break;
	case YAML_DOUBLE_QUOTED:
		code->quote = '"';
		break;
	case YAML_LITERAL:
	case YAML_FOLDED:
		code->end = trim_block(text, code->start, code->end);
		break;
	case YAML_PLAIN:
		break;
	}
}

/* The folder: without the line end that a block has, and the template's own for none. */
static const char *path_of(struct template_reader *r, const struct yaml_node *node)
{
	size_t n = strlen(node->text);

	if (yaml_is_null(node))
		return ".";
	while (n && (node->style == YAML_LITERAL || node->style == YAML_FOLDED) &&
	       node->text[n - 1] == '\n')
		n--;
	return n ? arena_strndup(&r->t->arena, node->text, n) : ".";
}

/* What SAM makes of a folder before it is uploaded: of a layer's always something else, as its
 * files go below python/, nodejs/, ... Archives and what is in S3 it takes as they are. */
static int check_build_method(struct template_reader *r, const struct template_subject *s,
			      const struct template_code *code)
{
	const struct yaml_node *method = yaml_get(yaml_get(s->node, "Metadata"),
						  "BuildMethod");
	const char *text = template_literal(method);
	bool layer = code->kind == TEMPLATE_LAYER;

	if (r->t->is_built || !text || str_ends(code->path, ".zip") ||
	    (!layer && str_starts(text, "python")))
		return 0;
	return template_fail(r, method,
			     "%s: the build method \"%s\"%s is not done here: make the "
			     "folder with `build:` in crc.yml%s",
			     s->id, text, layer ? " of a layer" : "",
			     layer ? ", or leave BuildMethod out if it is ready" : "");
}

static int replace_code(struct template_reader *r, const struct template_subject *s,
			const struct template_rule *rule, const struct place *place)
{
	struct template_code code = code_of(r, s, rule);
	const struct yaml_node *node = place->node;

	code.path = path_of(r, node);
	if (check_build_method(r, s, &code) < 0)
		return -1;
	code.line = node->line;
	code.column = node->column;
	set_span(&code, place, r->t->text);
	if (r->is_json)
		code.quote = '"'; /* instead of null, too */
	if (place->is_global) {
		code.resource = "Globals";
		code.uses = !r->globals_used;
		r->globals_used = true;
	}
	/* The value becomes a mapping: a tag that says "text" cannot stay. */
	if (rule->form == FORM_OBJECT && *node->tag && !place->alias) {
		code.start = node->from;
		if (memchr(r->t->text + node->from, '&', node->start - node->from))
			return template_fail(r, node,
					     "%s: %s has a tag and an anchor: "
					     "take one away",
					     s->id, rule->property);
	}
	return add_code(r, &code, node);
}

static int read_value(struct template_reader *r, const struct template_subject *s,
		      const struct template_rule *rule, const struct place *place);

/* Fn::If: either value may name a folder. */
static int read_choice(struct template_reader *r, const struct template_subject *s,
		       const struct template_rule *rule, const struct yaml_node *value)
{
	const struct yaml_node *list = choice(value);

	if (rule->form == FORM_URI && template_local(value))
		return template_fail(
			r, value,
			"%s: SAM takes no Fn::If for %s: write two resources, "
			"each with its Condition",
			s->id, rule->property);
	for (size_t i = 1; i < 3; i++) {
		const struct place branch = { .node = list->items[i] };

		if (read_value(r, s, rule, &branch) < 0)
			return -1;
	}
	return 0;
}

static int read_null(struct template_reader *r, const struct template_subject *s,
		     const struct template_rule *rule, const struct place *place)
{
	if (!rule->folder_is_default)
		return 0;
	if (place->node->start == place->node->end && !place->alias)
		return template_fail(r, place->node, "%s: %s is empty: write \".\"",
				     s->id, rule->property);
	return replace_code(r, s, rule, place);
}

static int read_value(struct template_reader *r, const struct template_subject *s,
		      const struct template_rule *rule, const struct place *place)
{
	const struct yaml_node *node = place->node;
	const struct yaml_node *sub = substituted(node);
	const char *text = template_literal(node);

	if (yaml_is_null(node))
		return read_null(r, s, rule, place);
	if (choice(node))
		return read_choice(r, s, rule, node);
	if (sub && *sub->text && !str_starts(sub->text, "${") &&
	    !template_is_remote(sub->text))
		return template_fail(r, node,
				     "%s: %s \"%s\" is made by Fn::Sub: write the folder",
				     s->id, rule->property, sub->text);
	/* A mapping or another function of CloudFormation's says where in S3. */
	if (!text || template_is_remote(text))
		return 0;
	if (strstr(text, "${") || strstr(text, "&{"))
		return template_fail(
			r, node,
			"%s: %s \"%s\" depends on a loop variable: write the "
			"resources out",
			s->id, rule->property, text);
	return replace_code(r, s, rule, place);
}

/* ---- code that is not written ---- */

/* The end of the line that a byte is in, as the template ends its lines. */
static const char *line_end(const struct template *t, size_t at)
{
	const char *end = memchr(t->text + at, '\n', t->len - at);

	return end && end > t->text && end[-1] == '\r' ? "\r\n" : "\n";
}

/* Whether a '?' in front says that it is a key. */
static bool is_explicit(const struct template *t, const struct yaml_node *key)
{
	size_t at = key->from;

	while (at && (t->text[at - 1] == ' ' || t->text[at - 1] == '\t'))
		at--;
	return at && at < key->from && t->text[at - 1] == '?';
}

/* The key that a property can be written in front of, or NULL. */
static const struct yaml_node *first_key(const struct template *t,
					 const struct yaml_node *properties)
{
	const struct yaml_pair *first;

	if (!properties || properties->kind != YAML_MAPPING || !properties->len)
		return NULL;
	first = properties->pairs;
	if (first->is_merged || first->key_is_alias ||
	    (!properties->flow && is_explicit(t, first->key)))
		return NULL;
	return first->key;
}

/* SAM takes a function without CodeUri to be the template's folder. The property is written
 * in front of the first one. */
static int insert_code(struct template_reader *r, const struct template_subject *s,
		       const struct template_rule *rule)
{
	struct template_code code = code_of(r, s, rule);
	const struct yaml_node *first = first_key(r->t, s->properties);

	if (!first)
		return template_fail(r, s->node, "%s has no %s: write it (\"%s: .\")",
				     s->id, rule->property, rule->property);
	code.path = ".";
	if (check_build_method(r, s, &code) < 0)
		return -1;
	code.line = first->line;
	code.column = first->column;
	code.start = code.end = first->from;
	if (s->properties->flow) {
		code.before = arena_printf(&r->t->arena, "\"%s\": ", rule->property);
		code.after = ", ";
		code.quote = '"';
	} else {
		code.before = arena_printf(&r->t->arena, "%s: ", rule->property);
		code.after = arena_printf(&r->t->arena, "%s%*s",
					  line_end(r->t, first->from),
					  (int)first->column - 1, "");
	}
	return add_code(r, &code, first);
}

/* ---- resources ---- */

static bool is_image(const struct template_subject *s)
{
	return str_eq(template_literal(yaml_get(s->properties, "PackageType")), "Image");
}

static bool is_inline(const struct template_subject *s)
{
	return yaml_get(s->properties, "InlineCode") ||
	       yaml_get(s->properties, "ImageUri") || is_image(s);
}

/* Without its name, SAM would build and push what the Metadata tell of. */
static int check_image(struct template_reader *r, const struct template_subject *s,
		       const struct template_rule *rule)
{
	if (rule->form != FORM_URI || !is_image(s) ||
	    yaml_get(s->properties, "ImageUri") ||
	    yaml_get(s->properties, "Fn::Transform"))
		return 0;
	return template_fail(
		r, s->properties,
		"%s: images are not built here: push one to ECR, and name it "
		"by ImageUri",
		s->id);
}

int template_read_code(struct template_reader *r, const struct template_subject *s,
		       const struct template_rule *rule)
{
	const struct yaml_pair *own = yaml_find(s->properties, rule->property);
	const struct yaml_pair *pair = own;
	struct place place;

	if (check_image(r, s, rule) < 0)
		return -1;
	/* What is included may bring code in. */
	if (is_inline(s) || (!own && yaml_get(s->properties, "Fn::Transform")))
		return 0;
	if (!own && rule->has_globals)
		pair = yaml_find(r->globals, rule->property);
	if (!pair)
		return rule->folder_is_default ? insert_code(r, s, rule) : 0;
	place = (struct place){ pair->value, pair->alias, pair->alias_end, !own };
	return read_value(r, s, rule, &place);
}

/* ---- what anchors share ---- */

struct walk {
	const struct template_codes *codes; /* sorted */
	unsigned *seen;                     /* how often each is met in the tree */
};

/* Codes are sorted by where they start, and no two start alike. */
static bool see(struct walk *w, size_t start, bool inserted)
{
	size_t low = 0;
	size_t high = w->codes->len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (w->codes->items[mid].start < start)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == w->codes->len || w->codes->items[low].start != start ||
	    (w->codes->items[low].end == start) != inserted)
		return false;
	w->seen[low]++;
	return true;
}

static void see_all(struct walk *w, const struct yaml_node *node)
{
	if (node->kind == YAML_SCALAR && !see(w, node->start, false))
		see(w, node->from, false); /* replaced together with its tag */
	for (size_t i = 0; node->kind == YAML_SEQUENCE && i < node->len; i++)
		see_all(w, node->items[i]);
	for (size_t i = 0; node->kind == YAML_MAPPING && i < node->len; i++) {
		const struct yaml_pair *pair = &node->pairs[i];

		if (!pair->key_is_alias)
			see(w, pair->key->from, true);
		if (!pair->alias || !see(w, pair->alias, false))
			see_all(w, pair->value);
	}
}

int template_check_shared(struct template_reader *r)
{
	CLEANUP_PTR(mem) unsigned *seen = xcalloc(r->t->codes.len + 1, sizeof(*seen));
	struct walk w = { &r->t->codes, seen };

	for (size_t i = 0; i < r->root->len; i++)
		if (!str_eq(r->root->pairs[i].key->text, "Metadata"))
			see_all(&w, r->root->pairs[i].value);
	for (size_t i = 0; i < r->t->codes.len; i++) {
		const struct template_code *code = &r->t->codes.items[i];

		if (seen[i] != code->uses)
			return error_set(r->err, ERR_CONFIG,
					 "%s:%u:%u: %s: the text of %s is used elsewhere "
					 "by an anchor: write it out",
					 r->t->name, code->line, code->column,
					 code->resource, code->property);
	}
	return 0;
}
