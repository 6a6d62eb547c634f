#include "codec/yaml_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/vec.h"
#include "codec/json.h"

VEC_DEFINE(item_list, const struct yaml_node *);
VEC_DEFINE(pair_list, struct yaml_pair);

/* Walks a text that is known to be JSON. */
struct walker {
	struct arena *arena;
	const char *name;
	const char *text;
	size_t n;
	size_t at;
	unsigned line, column;
	struct error *err;
};

static char peek(const struct walker *w)
{
	return w->at < w->n ? w->text[w->at] : '\0';
}

static void advance(struct walker *w)
{
	unsigned char c = (unsigned char)w->text[w->at++];

	if (c == '\n') {
		w->line++;
		w->column = 1;
	} else if ((c & 0xC0) != 0x80) {
		w->column++;
	}
}

/* White space, and the one mark that must stand here. */
static void skip(struct walker *w, const char *marks)
{
	while (peek(w) && strchr(marks, peek(w)))
		advance(w);
}

static struct yaml_node *new_node(struct walker *w, enum yaml_kind kind)
{
	struct yaml_node *node = arena_alloc(w->arena, sizeof(*node));

	*node = (struct yaml_node){
		.kind = kind,
		.tag = "",
		.line = w->line,
		.column = w->column,
		.from = w->at,
		.start = w->at,
		.weight = 1,
	};
	return node;
}

static int add_weight(struct walker *w, struct yaml_node *node,
		      const struct yaml_node *part)
{
	node->weight += part->weight;
	if (node->weight > YAML_NODES_MOST)
		return error_set(w->err, ERR_TOO_BIG, "%s:%u:%u: over %d values", w->name,
				 w->line, w->column, YAML_NODES_MOST);
	return 0;
}

/* ---- scalars ---- */

static unsigned long hex4(const char *p)
{
	char digits[5] = { p[0], p[1], p[2], p[3], '\0' };

	return strtoul(digits, NULL, 16);
}

static char *put_utf8(char *out, unsigned long c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xC0 | c >> 6);
		*out++ = (char)(0x80 | (c & 0x3F));
	} else if (c < 0x10000) {
		*out++ = (char)(0xE0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3F));
		*out++ = (char)(0x80 | (c & 0x3F));
	} else {
		*out++ = (char)(0xF0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 0x3F));
		*out++ = (char)(0x80 | (c >> 6 & 0x3F));
		*out++ = (char)(0x80 | (c & 0x3F));
	}
	return out;
}

/* RFC 8259, section 7. *p is behind the backslash, and is moved behind the escape. */
static char *put_escape(char *out, const char **p)
{
	static const char letters[] = "bfnrt";
	static const char meant[] = "\b\f\n\r\t";
	const char *letter = strchr(letters, **p);
	unsigned long c;

	if (**p != 'u') {
		*out++ = letter ? meant[letter - letters] : **p;
		(*p)++;
		return out;
	}
	c = hex4(*p + 1);
	*p += 5;
	if (c >= 0xD800 && c < 0xDC00) {
		c = 0x10000 + ((c - 0xD800) << 10) + (hex4(*p + 2) - 0xDC00);
		*p += 6;
	}
	return put_utf8(out, c);
}

/* No escape is shorter than what it stands for. */
static const char *unescape(struct walker *w, size_t start, size_t end)
{
	char *text = arena_alloc(w->arena, end - start + 1);
	char *out = text;
	const char *p = w->text + start;

	while (p < w->text + end) {
		if (*p != '\\') {
			*out++ = *p++;
			continue;
		}
		p++;
		out = put_escape(out, &p);
	}
	return text;
}

static const struct yaml_node *walk_string(struct walker *w)
{
	struct yaml_node *node = new_node(w, YAML_SCALAR);

	advance(w);
	while (peek(w) != '"') {
		if (peek(w) == '\\')
			advance(w);
		advance(w);
	}
	advance(w);
	node->end = w->at;
	node->style = YAML_DOUBLE_QUOTED;
	node->text = unescape(w, node->start + 1, node->end - 1);
	return node;
}

/* A number, true, false or null. */
static const struct yaml_node *walk_word(struct walker *w)
{
	struct yaml_node *node = new_node(w, YAML_SCALAR);

	while (peek(w) && !strchr(",]} \t\r\n", peek(w)))
		advance(w);
	node->end = w->at;
	node->text = arena_strndup(w->arena, w->text + node->start,
				   node->end - node->start);
	return node;
}

/* ---- trees ---- */

static int walk_value(struct walker *w, unsigned depth, const struct yaml_node **out);

static int walk_array(struct walker *w, unsigned depth, const struct yaml_node **out)
{
	CLEANUP(item_list) struct item_list items = { 0 };
	struct yaml_node *node = new_node(w, YAML_SEQUENCE);
	const struct yaml_node *item;

	advance(w);
	for (skip(w, " \t\r\n"); peek(w) != ']'; skip(w, " \t\r\n,")) {
		if (walk_value(w, depth + 1, &item) < 0 || add_weight(w, node, item) < 0)
			return -1;
		item_list_push(&items, item);
	}
	advance(w);
	node->end = w->at;
	node->items = arena_memdup(w->arena, items.items,
				   items.len * sizeof(*items.items));
	node->len = items.len;
	*out = node;
	return 0;
}

static int walk_object(struct walker *w, unsigned depth, const struct yaml_node **out)
{
	CLEANUP(pair_list) struct pair_list pairs = { 0 };
	struct yaml_node *node = new_node(w, YAML_MAPPING);

	node->flow = true;
	advance(w);
	for (skip(w, " \t\r\n"); peek(w) != '}'; skip(w, " \t\r\n,")) {
		struct yaml_pair pair = { .key = walk_string(w) };

		skip(w, " \t\r\n:");
		if (walk_value(w, depth + 1, &pair.value) < 0 ||
		    add_weight(w, node, pair.key) < 0 ||
		    add_weight(w, node, pair.value) < 0)
			return -1;
		pair_list_push(&pairs, pair);
	}
	advance(w);
	node->end = w->at;
	node->pairs = arena_memdup(w->arena, pairs.items,
				   pairs.len * sizeof(*pairs.items));
	node->sorted = yaml_sort_pairs(w->arena, node->pairs, pairs.len);
	node->len = pairs.len;
	*out = node;
	return 0;
}

static int walk_value(struct walker *w, unsigned depth, const struct yaml_node **out)
{
	*out = NULL;
	if (depth > YAML_DEPTH_MOST)
		return error_set(w->err, ERR_TOO_BIG, "%s:%u:%u: nested deeper than %d",
				 w->name, w->line, w->column, YAML_DEPTH_MOST);
	if (peek(w) == '{')
		return walk_object(w, depth, out);
	if (peek(w) == '[')
		return walk_array(w, depth, out);
	*out = peek(w) == '"' ? walk_string(w) : walk_word(w);
	return 0;
}

int yaml_json_parse(struct arena *arena, const char *name, const char *text, size_t n,
		    const struct yaml_node **root, struct error *err)
{
	CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;
	struct walker w = { .arena = arena,
			    .name = name,
			    .text = text,
			    .n = n,
			    .line = 1,
			    .column = 1,
			    .err = err };
	struct error ignored = ERROR_INIT;

	*root = NULL;
	if (n > YAML_BYTES_MOST)
		return 0;
	if (n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
		w.at = 3;
	/* That it is JSON is jansson's to judge; where its parts are it does not tell. */
	if (json_parse(text + w.at, n - w.at, &doc, &ignored) < 0)
		return 0;
	skip(&w, " \t\r\n");
	return walk_value(&w, 1, root) < 0 ? -1 : 1;
}
