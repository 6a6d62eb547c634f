#include "codec/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

enum { CHECKPOINT = 64 };

VEC_DEFINE(node_list, const struct yaml_node *);
VEC_DEFINE(pair_list, struct yaml_pair);
VEC_DEFINE(offset_list, size_t);

struct anchor {
	const char *name;
	const struct yaml_node
		*node; /* NULL: still open, an alias to it would be endless */
};

VEC_DEFINE(anchor_list, struct anchor);

struct reader {
	yaml_parser_t parser;
	struct arena *arena;
	const char *name;
	const char *text;
	size_t n;
	size_t skipped;             /* a byte order mark that libyaml is not shown */
	struct offset_list offsets; /* of each CHECKPOINT-th character */
	struct anchor_list anchors;
	struct error *err;
};

static void reader_release(struct reader *r)
{
	yaml_parser_delete(&r->parser);
	offset_list_release(&r->offsets);
	anchor_list_release(&r->anchors);
}

static void event_release(yaml_event_t *event)
{
	yaml_event_delete(event);
}

#define fail(r, code, mark, ...)                                                      \
	error_set_at((r)->err, (code), (r)->name, (mark).line + 1, (mark).column + 1, \
		     __VA_ARGS__)

static int error_set_at(struct error *err, enum error_code code, const char *name,
			size_t line, size_t column, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

static int error_set_at(struct error *err, enum error_code code, const char *name,
			size_t line, size_t column, const char *fmt, ...)
{
	char message[ERROR_MSG_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	/* Keys and anchors may hold anything. */
	for (char *c = message; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7F)
			*c = '?';
	return error_set(err, code, "%s:%zu:%zu: %s", name, line, column, message);
}

/* libyaml's marks count characters. */
static void index_offsets(struct reader *r)
{
	size_t characters = 0;

	for (size_t i = r->skipped; i < r->n; i++) {
		if (((unsigned char)r->text[i] & 0xC0) == 0x80)
			continue;
		if (characters++ % CHECKPOINT == 0)
			offset_list_push(&r->offsets, i);
	}
}

static size_t byte_offset(const struct reader *r, size_t character)
{
	size_t i;

	if (character / CHECKPOINT >= r->offsets.len)
		return r->n;
	i = r->offsets.items[character / CHECKPOINT];
	for (size_t left = character % CHECKPOINT; left && i < r->n; left--)
		do
			i++;
		while (i < r->n && ((unsigned char)r->text[i] & 0xC0) == 0x80);
	return i;
}

/* What libyaml's complaint is about more often than not. */
static const char *hint(const struct reader *r, size_t at)
{
	switch (at < r->n ? r->text[at] : '\0') {
	case '\t':
		return ": indent with spaces, not with tabs";
	case '*':
	case '&':
	case '!':
	case '@':
	case '`':
	case '%':
		return ": a value that starts with this character needs quotes";
	default:
		return "";
	}
}

/* A wrong byte is told by its offset, all else by a mark. */
static int parser_failed(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	yaml_mark_t mark = p->problem_mark;
	const char *problem = p->problem ? p->problem : "is not YAML";
	size_t at;

	if (p->error == YAML_READER_ERROR) {
		mark = (yaml_mark_t){ 0 };
		at = p->problem_offset + r->skipped;
		for (size_t i = r->skipped; i < at && i < r->n; i++) {
			mark.column += ((unsigned char)r->text[i] & 0xC0) != 0x80;
			if (r->text[i] == '\n')
				mark = (yaml_mark_t){ .line = mark.line + 1 };
		}
		return fail(r, ERR_DATA, mark, "%s (0x%02X)", problem,
			    (unsigned)p->problem_value);
	}
	at = byte_offset(r, mark.index);
	/* The scanner complains about what follows '*' or '&'. */
	if (p->context && strstr(p->context, "while scanning an a"))
		at = byte_offset(r, p->context_mark.index);
	return fail(r, ERR_DATA, mark, "%s%s", problem, hint(r, at));
}

static int next_event(struct reader *r, yaml_event_t *event)
{
	if (yaml_parser_parse(&r->parser, event))
		return 0;
	if (r->parser.error == YAML_MEMORY_ERROR)
		abort(); /* as all of ours does */
	return parser_failed(r);
}

static size_t skip_blank(const char *text, size_t at, size_t end)
{
	while (at < end && strchr(" \t\r\n#", text[at])) {
		if (text[at] == '#')
			while (at < end && text[at] != '\n')
				at++;
		else
			at++;
	}
	return at;
}

/* An anchor may end in front of a ':' that begins the value. */
static bool is_anchor_letter(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z') || c == '_' || c == '-';
}

/* libyaml counts tag and anchor to the node: where the value itself starts. */
static size_t skip_properties(const char *text, size_t at, size_t end)
{
	while (at < end && (text[at] == '!' || text[at] == '&')) {
		bool anchor = text[at++] == '&';

		while (at < end && (anchor ? is_anchor_letter(text[at])
					   : !strchr(" \t\r\n", text[at])))
			at++;
		at = skip_blank(text, at, end);
	}
	return at;
}

static struct yaml_node *new_node(struct reader *r, enum yaml_kind kind,
				  const yaml_event_t *event, const yaml_char_t *tag)
{
	struct yaml_node *node = arena_alloc(r->arena, sizeof(*node));

	*node = (struct yaml_node){
		.kind = kind,
		.tag = tag ? arena_strdup(r->arena, (const char *)tag) : "",
		.line = (unsigned)event->start_mark.line + 1,
		.column = (unsigned)event->start_mark.column + 1,
		.from = byte_offset(r, event->start_mark.index),
		.end = byte_offset(r, event->end_mark.index),
		.weight = 1,
	};
	node->start = node->from;
	return node;
}

/* Counts a part into its whole. */
static int add_weight(struct reader *r, struct yaml_node *node,
		      const struct yaml_node *part, yaml_mark_t mark)
{
	node->weight += part->weight;
	if (node->weight > YAML_NODES_MOST)
		return fail(r, ERR_TOO_BIG, mark, "over %d values, aliases unfolded",
			    YAML_NODES_MOST);
	return 0;
}

/* Keeps an anchor's place; its node is set when it is complete. -1: too many. */
static int open_anchor(struct reader *r, const yaml_char_t *name, yaml_mark_t mark)
{
	if (r->anchors.len == YAML_ANCHORS_MOST)
		return fail(r, ERR_TOO_BIG, mark, "over %d anchors", YAML_ANCHORS_MOST);
	anchor_list_push(
		&r->anchors,
		(struct anchor){ arena_strdup(r->arena, (const char *)name), NULL });
	return 0;
}

/* The latest anchor of a name counts. */
static int find_alias(struct reader *r, const yaml_event_t *event,
		      const struct yaml_node **out)
{
	const char *name = (const char *)event->data.alias.anchor;

	for (size_t i = r->anchors.len; i > 0; i--) {
		if (!str_eq(r->anchors.items[i - 1].name, name))
			continue;
		*out = r->anchors.items[i - 1].node;
		if (!*out)
			return fail(r, ERR_DATA, event->start_mark,
				    "alias *%s is inside of what it stands for", name);
		return 0;
	}
	return fail(
		r, ERR_DATA, event->start_mark,
		"no anchor &%s is before this alias; a value that starts with '*' needs "
		"quotes",
		name);
}

static int read_scalar(struct reader *r, const yaml_event_t *event,
		       const struct yaml_node **out)
{
	static const enum yaml_style styles[] = {
		[YAML_PLAIN_SCALAR_STYLE] = YAML_PLAIN,
		[YAML_SINGLE_QUOTED_SCALAR_STYLE] = YAML_SINGLE_QUOTED,
		[YAML_DOUBLE_QUOTED_SCALAR_STYLE] = YAML_DOUBLE_QUOTED,
		[YAML_LITERAL_SCALAR_STYLE] = YAML_LITERAL,
		[YAML_FOLDED_SCALAR_STYLE] = YAML_FOLDED,
	};
	const char *value = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	struct yaml_node *node = new_node(r, YAML_SCALAR, event, event->data.scalar.tag);

	if (strlen(value) != len)
		return fail(r, ERR_UNSUPPORTED, event->start_mark, "a NUL in a text");
	node->start = skip_properties(r->text, node->start, node->end);
	node->style = styles[event->data.scalar.style];
	node->text = arena_strndup(r->arena, value, len);
	*out = node;
	return 0;
}

static int read_node(struct reader *r, const yaml_event_t *event, unsigned depth,
		     const struct yaml_node **out);

static int read_sequence(struct reader *r, const yaml_event_t *start, unsigned depth,
			 const struct yaml_node **out)
{
	CLEANUP(node_list) struct node_list items = { 0 };
	struct yaml_node *node = new_node(r, YAML_SEQUENCE, start,
					  start->data.sequence_start.tag);

	for (;;) {
		CLEANUP(event) yaml_event_t event = { 0 };
		const struct yaml_node *item;

		if (next_event(r, &event) < 0)
			return -1;
		if (event.type == YAML_SEQUENCE_END_EVENT) {
			node->end = byte_offset(r, event.end_mark.index);
			break;
		}
		if (read_node(r, &event, depth + 1, &item) < 0 ||
		    add_weight(r, node, item, event.start_mark) < 0)
			return -1;
		node_list_push(&items, item);
	}
	node->items = arena_memdup(r->arena, items.items,
				   items.len * sizeof(*items.items));
	node->len = items.len;
	*out = node;
	return 0;
}

static bool is_merge_key(const struct yaml_node *key)
{
	return key->style == YAML_PLAIN && !*key->tag && str_eq(key->text, "<<");
}

/* By key; the pair that was put first comes first, so that it wins. Pointers into one array
 * tell the order of the pairs. */
static int compare_pairs(const void *a, const void *b)
{
	const struct yaml_pair *x = *(const struct yaml_pair *const *)a;
	const struct yaml_pair *y = *(const struct yaml_pair *const *)b;
	int order = strcmp(x->key->text, y->key->text);

	return order ? order : (x > y) - (x < y);
}

const struct yaml_pair **yaml_sort_pairs(struct arena *arena,
					 const struct yaml_pair *pairs, size_t n)
{
	const struct yaml_pair **sorted = arena_alloc(arena, n * sizeof(*sorted));

	for (size_t i = 0; i < n; i++)
		sorted[i] = &pairs[i];
	if (n)
		qsort(sorted, n, sizeof(*sorted), compare_pairs);
	return sorted;
}

static int check_duplicates(struct reader *r, const struct yaml_pair *pairs, size_t n)
{
	const struct yaml_pair **sorted = yaml_sort_pairs(r->arena, pairs, n);

	for (size_t i = 1; i < n; i++) {
		const struct yaml_node *first = sorted[i - 1]->key;
		const struct yaml_node *again = sorted[i]->key;

		if (str_eq(first->text, again->text))
			return error_set_at(r->err, ERR_DATA, r->name, again->line,
					    again->column,
					    "key \"%s\" is there twice, first in line %u",
					    again->text, first->line);
	}
	return 0;
}

static int merge_mapping(struct reader *r, struct yaml_node *node,
			 const struct yaml_node *source, const struct yaml_node *at,
			 struct pair_list *out)
{
	yaml_mark_t mark = { .line = at->line - 1, .column = at->column - 1 };

	if (source->kind != YAML_MAPPING)
		return fail(r, ERR_DATA, mark, "\"<<\" merges mappings only");
	for (size_t i = 0; i < source->len; i++) {
		struct yaml_pair pair = source->pairs[i];

		if (add_weight(r, node, pair.key, mark) < 0 ||
		    add_weight(r, node, pair.value, mark) < 0)
			return -1;
		pair.is_merged = true;
		pair_list_push(out, pair);
	}
	return 0;
}

/* Appends what a merge key brings in: a mapping, or several, of which the first wins. */
static int merge(struct reader *r, struct yaml_node *node, const struct yaml_pair *pair,
		 struct pair_list *out)
{
	const struct yaml_node *value = pair->value;

	if (value->kind != YAML_SEQUENCE)
		return merge_mapping(r, node, value, pair->key, out);
	for (size_t i = 0; i < value->len; i++)
		if (merge_mapping(r, node, value->items[i], pair->key, out) < 0)
			return -1;
	return 0;
}

/* Drops each pair whose key an earlier pair has, keeping the order. */
static size_t drop_shadowed(struct reader *r, struct yaml_pair *pairs, size_t n)
{
	const struct yaml_pair **sorted = yaml_sort_pairs(r->arena, pairs, n);
	bool *shadowed = arena_alloc(r->arena, n * sizeof(*shadowed));
	size_t kept = 0;

	for (size_t i = 1; i < n; i++)
		shadowed[sorted[i] - pairs] = str_eq(sorted[i]->key->text,
						     sorted[i - 1]->key->text);
	for (size_t i = 0; i < n; i++)
		if (!shadowed[i])
			pairs[kept++] = pairs[i];
	return kept;
}

/* Own pairs first, then the merged: so that own ones win. */
static int finish_mapping(struct reader *r, struct yaml_node *node,
			  const struct pair_list *read)
{
	CLEANUP(pair_list) struct pair_list all = { 0 };
	struct yaml_pair *pairs;
	size_t own;

	if (check_duplicates(r, read->items, read->len) < 0)
		return -1;
	for (size_t i = 0; i < read->len; i++)
		if (!is_merge_key(read->items[i].key))
			pair_list_push(&all, read->items[i]);
	own = all.len;
	for (size_t i = 0; i < read->len; i++)
		if (is_merge_key(read->items[i].key) &&
		    merge(r, node, &read->items[i], &all) < 0)
			return -1;
	if (all.len != own)
		all.len = drop_shadowed(r, all.items, all.len);
	pairs = arena_memdup(r->arena, all.items, all.len * sizeof(*all.items));
	node->pairs = pairs;
	node->sorted = yaml_sort_pairs(r->arena, pairs, all.len);
	node->len = all.len;
	return 0;
}

static int read_value(struct reader *r, struct yaml_node *node, struct yaml_pair *pair,
		      unsigned depth)
{
	CLEANUP(event) yaml_event_t event = { 0 };

	if (next_event(r, &event) < 0 ||
	    read_node(r, &event, depth + 1, &pair->value) < 0)
		return -1;
	if (event.type == YAML_ALIAS_EVENT) {
		pair->alias = byte_offset(r, event.start_mark.index);
		pair->alias_end = byte_offset(r, event.end_mark.index);
	}
	return add_weight(r, node, pair->value, event.start_mark);
}

static int read_mapping(struct reader *r, const yaml_event_t *start, unsigned depth,
			const struct yaml_node **out)
{
	CLEANUP(pair_list) struct pair_list pairs = { 0 };
	struct yaml_node *node = new_node(r, YAML_MAPPING, start,
					  start->data.mapping_start.tag);

	node->flow = start->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
	for (;;) {
		CLEANUP(event) yaml_event_t event = { 0 };
		struct yaml_pair pair = { 0 };

		if (next_event(r, &event) < 0)
			return -1;
		if (event.type == YAML_MAPPING_END_EVENT) {
			node->end = byte_offset(r, event.end_mark.index);
			break;
		}
		if (read_node(r, &event, depth + 1, &pair.key) < 0)
			return -1;
		pair.key_is_alias = event.type == YAML_ALIAS_EVENT;
		if (pair.key->kind != YAML_SCALAR)
			return fail(r, ERR_UNSUPPORTED, event.start_mark,
				    "a key must be a text");
		if (add_weight(r, node, pair.key, event.start_mark) < 0 ||
		    read_value(r, node, &pair, depth) < 0)
			return -1;
		pair_list_push(&pairs, pair);
	}
	*out = node;
	return finish_mapping(r, node, &pairs);
}

static const yaml_char_t *event_anchor(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor;
	default:
		return NULL;
	}
}

static int read_plainly(struct reader *r, const yaml_event_t *event, unsigned depth,
			const struct yaml_node **out)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(r, event, out);
	case YAML_SEQUENCE_START_EVENT:
		return read_sequence(r, event, depth, out);
	case YAML_MAPPING_START_EVENT:
		return read_mapping(r, event, depth, out);
	case YAML_ALIAS_EVENT:
		return find_alias(r, event, out);
	default:
		return fail(r, ERR_DATA, event->start_mark, "a value is missing");
	}
}

static int read_node(struct reader *r, const yaml_event_t *event, unsigned depth,
		     const struct yaml_node **out)
{
	const yaml_char_t *anchor = event_anchor(event);
	size_t place = r->anchors.len;

	if (depth > YAML_DEPTH_MOST)
		return fail(r, ERR_TOO_BIG, event->start_mark, "nested deeper than %d",
			    YAML_DEPTH_MOST);
	if (anchor && open_anchor(r, anchor, event->start_mark) < 0)
		return -1;
	if (read_plainly(r, event, depth, out) < 0)
		return -1;
	if (anchor)
		r->anchors.items[place].node = *out;
	return 0;
}

/* Expects an event that carries nothing. */
static int expect(struct reader *r, yaml_event_type_t type)
{
	CLEANUP(event) yaml_event_t event = { 0 };

	if (next_event(r, &event) < 0)
		return -1;
	if (event.type != type)
		return fail(r, ERR_UNSUPPORTED, event.start_mark,
			    "a second document: one is all that is read");
	return 0;
}

static int read_document(struct reader *r, const struct yaml_node **root)
{
	CLEANUP(event) yaml_event_t start = { 0 };
	CLEANUP(event) yaml_event_t event = { 0 };

	*root = NULL;
	if (expect(r, YAML_STREAM_START_EVENT) < 0 || next_event(r, &start) < 0)
		return -1;
	if (start.type == YAML_STREAM_END_EVENT)
		return 0;
	if (next_event(r, &event) < 0 || read_node(r, &event, 1, root) < 0 ||
	    expect(r, YAML_DOCUMENT_END_EVENT) < 0)
		return -1;
	return expect(r, YAML_STREAM_END_EVENT);
}

int yaml_parse(struct arena *arena, const char *name, const char *text, size_t n,
	       const struct yaml_node **root, struct error *err)
{
	CLEANUP(reader)
	struct reader r = {
		.arena = arena, .name = name, .text = text, .n = n, .err = err
	};

	if (n > YAML_BYTES_MOST)
		return error_set(err, ERR_TOO_BIG, "%s:1:1: over %d bytes", name,
				 YAML_BYTES_MOST);
	if (n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
		r.skipped = 3;
	if (!yaml_parser_initialize(&r.parser))
		abort();
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text + r.skipped,
				     n - r.skipped);
	index_offsets(&r);
	return read_document(&r, root);
}

static int compare_key(const void *key, const void *pair)
{
	return strcmp(key, (*(const struct yaml_pair *const *)pair)->key->text);
}

const struct yaml_pair *yaml_find(const struct yaml_node *map, const char *key)
{
	const struct yaml_pair *const *found;

	if (!map || map->kind != YAML_MAPPING || !map->len)
		return NULL;
	found = bsearch(key, map->sorted, map->len, sizeof(*map->sorted), compare_key);
	return found ? *found : NULL;
}

const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
	const struct yaml_pair *pair = yaml_find(map, key);

	return pair ? pair->value : NULL;
}

const char *yaml_text(const struct yaml_node *node)
{
	return node ? node->text : NULL;
}

bool yaml_is_null(const struct yaml_node *node)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };

	if (!node || node->kind != YAML_SCALAR || node->style != YAML_PLAIN || *node->tag)
		return false;
	for (size_t i = 0; i < sizeof(nulls) / sizeof(*nulls); i++)
		if (str_eq(node->text, nulls[i]))
			return true;
	return false;
}
