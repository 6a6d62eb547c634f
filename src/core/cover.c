#include "core/cover.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "core/cover_trie.h"

void cover_release(struct cover *c)
{
	str_list_release(&c->patterns);
	*c = (struct cover){ .wildcards = 0 };
}

bool cover_matches(const char *pattern, const char *path)
{
	size_t n = strlen(pattern);

	if (n && pattern[n - 1] == '*')
		return strncmp(pattern, path, n - 1) == 0;
	return strcmp(pattern, path) == 0;
}

struct covering {
	struct trie trie;
	struct cover_limits limits;
	struct arena *arena;
	struct cover *out;
};

static const struct trie_node *node_at(const struct covering *c, int i)
{
	assert(i >= 0 && (size_t)i < c->trie.nodes.len);
	return &c->trie.nodes.items[i];
}

static uint32_t evicts(const struct trie_node *n)
{
	return n->n_held + n->inherited;
}

static void emit_exact(struct covering *c, const struct trie_node *n)
{
	str_list_push(&c->out->patterns, arena_strndup(c->arena, n->path, n->len));
}

static void emit_wildcard(struct covering *c, const struct trie_node *n)
{
	str_list_push(&c->out->patterns,
		      arena_printf(c->arena, "%.*s*", (int)n->wildcard_len, n->path));
	c->out->wildcards++;
	c->out->evicted += evicts(n);
}

/* Emits every stale path of a set by itself. */
static void emit_all_exact(struct covering *c, int root)
{
	int at = root;

	for (;;) {
		const struct trie_node *n = node_at(c, at);

		if (n->stale)
			emit_exact(c, n);
		if (n->first_child != TRIE_NONE) {
			at = n->first_child;
			continue;
		}
		while (at != root && node_at(c, at)->next_sibling == TRIE_NONE)
			at = node_at(c, at)->parent;
		if (at == root)
			return;
		at = node_at(c, at)->next_sibling;
	}
}

/* Without evicting anything: the largest sets without a held path are disjoint, and each is
 * one wildcard or as many exact paths as it has stale ones. */

struct free_set {
	int node;
	bool alone; /* only the path that ends at the node, whose set holds held ones */
	bool forced;
	uint32_t n_stale;
	bool wildcard;
};

VEC_DEFINE(free_sets, struct free_set);

static bool is_free(const struct trie_node *n)
{
	return evicts(n) == 0;
}

/* False: a path that only a wildcard covers has held ones in every set it is in. */
static bool find_free_sets(const struct covering *c, struct free_sets *out)
{
	for (size_t i = 0; i < c->trie.order.len; i++) {
		int at = c->trie.order.items[i];
		const struct trie_node *n = node_at(c, at);
		bool free = is_free(n);
		bool inner = free && n->parent != TRIE_NONE &&
			     is_free(node_at(c, n->parent));

		if (inner || (free && !n->n_stale) || (!free && !n->stale))
			continue;
		if (!free && (n->stale_subtree || !n->exactable))
			return false;
		if (free && n->n_forced && !n->wildcard_len)
			return false;
		free_sets_push(out, (struct free_set){
					    .node = at,
					    .alone = !free,
					    .forced = free && n->n_forced,
					    .n_stale = free ? n->n_stale : 1,
				    });
	}
	return true;
}

/* Forced ones first, then those that save most; then in the order of the paths. */
static int compare_sets(const void *a, const void *b)
{
	const struct free_set *x = a;
	const struct free_set *y = b;

	if (x->forced != y->forced)
		return x->forced ? -1 : 1;
	if (x->n_stale != y->n_stale)
		return x->n_stale > y->n_stale ? -1 : 1;
	return x->node < y->node ? -1 : x->node > y->node;
}

static bool choose_wildcards(const struct covering *c, struct free_sets *sets)
{
	size_t wildcards = 0;
	size_t patterns = 0;

	if (sets->len)
		qsort(sets->items, sets->len, sizeof(*sets->items), compare_sets);
	for (size_t i = 0; i < sets->len; i++) {
		struct free_set *s = &sets->items[i];
		bool worth = s->forced || (s->n_stale > 1 && !s->alone &&
					   node_at(c, s->node)->wildcard_len);

		s->wildcard = worth && wildcards < c->limits.max_wildcards;
		if (s->forced && !s->wildcard)
			return false;
		wildcards += s->wildcard;
		patterns += s->wildcard ? 1 : s->n_stale;
	}
	return patterns <= c->limits.max_paths;
}

static bool cover_freely(struct covering *c)
{
	CLEANUP(free_sets) struct free_sets sets = { 0 };

	if (!find_free_sets(c, &sets) || !choose_wildcards(c, &sets))
		return false;
	for (size_t i = 0; i < sets.len; i++) {
		const struct free_set *s = &sets.items[i];

		if (s->wildcard)
			emit_wildcard(c, node_at(c, s->node));
		else if (s->alone)
			emit_exact(c, node_at(c, s->node));
		else
			emit_all_exact(c, s->node);
	}
	return true;
}

/* Beyond the limits: least[w][e] is the fewest held paths evicted by w wildcards and e exact
 * paths that cover all stale ones of a set. Sets side by side combine by (min, +). */

enum part_kind { PART_EXACT, PART_FREE, PART_MERGE, PART_NODE };

#define NEVER UINT32_MAX

struct part {
	enum part_kind kind;
	int node; /* all but MERGE */
	int left,
		right; /* MERGE: both; NODE: left is what is within, TRIE_NONE: nothing */
	size_t w_max, e_max;
	uint32_t *least; /* (w_max + 1) * (e_max + 1) */
};

VEC_DEFINE(part_list, struct part);

struct program {
	struct covering *c;
	struct part_list parts;
	int *part_of; /* of each node; TRIE_NONE: nothing stale in it */
};

static struct part *part_at(const struct program *p, int i)
{
	assert(i >= 0 && (size_t)i < p->parts.len);
	return &p->parts.items[i];
}

static uint32_t *cell(const struct part *p, size_t w, size_t e)
{
	return &p->least[w * (p->e_max + 1) + e];
}

static uint32_t value(const struct part *p, size_t w, size_t e)
{
	return w > p->w_max || e > p->e_max ? NEVER : *cell(p, w, e);
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int add_part(struct program *p, struct part part)
{
	size_t n = (part.w_max + 1) * (part.e_max + 1);

	part.least = xmalloc(n * sizeof(*part.least));
	memset(part.least, 0xff, n * sizeof(*part.least));
	part_list_push(&p->parts, part);
	return (int)p->parts.len - 1;
}

static void merge_row(uint32_t *restrict out, const uint32_t *restrict row, size_t n,
		      uint32_t add)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t sum = row[i] == NEVER ? NEVER : row[i] + add;

		out[i] = sum < out[i] ? sum : out[i];
	}
}

static int merge(struct program *p, int left, int right)
{
	const struct part *a = part_at(p, left);
	const struct part *b = part_at(p, right);
	size_t w_max = smaller(a->w_max + b->w_max, p->c->limits.max_wildcards);
	size_t e_max = smaller(a->e_max + b->e_max, p->c->limits.max_paths);
	int merged = add_part(p, (struct part){ PART_MERGE, TRIE_NONE, left, right, w_max,
						e_max, NULL });
	struct part *m = part_at(p, merged);

	a = part_at(p, left);
	b = part_at(p, right);
	for (size_t w = 0; w <= a->w_max; w++) {
		for (size_t e = 0; e <= a->e_max; e++) {
			uint32_t add = *cell(a, w, e);

			if (add == NEVER || e > e_max)
				continue;
			for (size_t v = 0; v <= b->w_max && w + v <= w_max; v++)
				merge_row(cell(m, w + v, e), cell(b, v, 0),
					  smaller(b->e_max, e_max - e) + 1, add);
		}
	}
	return merged;
}

/* In halves, so that most tables stay small. */
static int merge_all(struct program *p, struct trie_order *list)
{
	while (list->len > 1) {
		size_t n = 0;

		for (size_t i = 0; i < list->len; i += 2)
			list->items[n++] = i + 1 < list->len ? merge(p, list->items[i],
								     list->items[i + 1])
							     : list->items[i];
		list->len = n;
	}
	return list->len ? list->items[0] : TRIE_NONE;
}

static int free_part(struct program *p, int at)
{
	const struct trie_node *n = node_at(p->c, at);
	bool exacts = !n->n_forced && n->n_stale <= p->c->limits.max_paths;
	int i = add_part(p, (struct part){ PART_FREE, at, TRIE_NONE, TRIE_NONE, 1,
					   exacts ? n->n_stale : 0, NULL });

	if (exacts)
		*cell(part_at(p, i), 0, n->n_stale) = 0;
	if (n->wildcard_len)
		*cell(part_at(p, i), 1, 0) = 0;
	return i;
}

/* A set with held paths: what its parts within do, or its own wildcard. */
static int node_part(struct program *p, int at, int within)
{
	const struct trie_node *n = node_at(p->c, at);
	struct part part = { PART_NODE, at, within, TRIE_NONE, 1, 0, NULL };
	int i;

	if (within != TRIE_NONE) {
		if (part_at(p, within)->w_max)
			part.w_max = part_at(p, within)->w_max;
		part.e_max = part_at(p, within)->e_max;
	}
	i = add_part(p, part);
	if (within != TRIE_NONE) {
		const struct part *w = part_at(p, within);

		memcpy(part_at(p, i)->least, w->least,
		       (w->w_max + 1) * (w->e_max + 1) * sizeof(*w->least));
	}
	if (n->wildcard_len && evicts(n) < *cell(part_at(p, i), 1, 0))
		*cell(part_at(p, i), 1, 0) = evicts(n);
	return i;
}

static int mixed_part(struct program *p, int at)
{
	CLEANUP(trie_order) struct trie_order within = { 0 };
	const struct trie_node *n = node_at(p->c, at);
	bool forced = n->stale && (n->stale_subtree || !n->exactable);

	for (int k = n->first_child; k != TRIE_NONE; k = node_at(p->c, k)->next_sibling)
		if (p->part_of[k] != TRIE_NONE)
			trie_order_push(&within, p->part_of[k]);
	if (n->stale && !forced) {
		int i = add_part(p, (struct part){ PART_EXACT, at, TRIE_NONE, TRIE_NONE,
						   0, 1, NULL });

		*cell(part_at(p, i), 0, 1) = 0;
		trie_order_push(&within, i);
	}
	return node_part(p, at, forced ? TRIE_NONE : merge_all(p, &within));
}

static void fill(struct program *p)
{
	for (size_t i = 0; i < p->c->trie.order.len; i++) {
		int at = p->c->trie.order.items[i];
		const struct trie_node *n = node_at(p->c, at);
		bool inner = is_free(n) && n->parent != TRIE_NONE &&
			     is_free(node_at(p->c, n->parent));

		p->part_of[at] = !n->n_stale || inner ? TRIE_NONE
				 : is_free(n)         ? free_part(p, at)
						      : mixed_part(p, at);
	}
}

/* A choice that is still to be traced to its patterns. */
struct choice {
	int part;
	size_t w, e;
};

VEC_DEFINE(choice_list, struct choice);

static void split(const struct program *p, struct choice at, struct choice_list *todo)
{
	const struct part *m = part_at(p, at.part);
	const struct part *a = part_at(p, m->left);
	const struct part *b = part_at(p, m->right);
	uint32_t want = value(m, at.w, at.e);

	for (size_t w = 0; w <= at.w; w++) {
		for (size_t e = 0; e <= at.e; e++) {
			uint32_t x = value(a, w, e);
			uint32_t y = value(b, at.w - w, at.e - e);

			if (x == NEVER || y == NEVER || x + y != want)
				continue;
			choice_list_push(todo, (struct choice){ m->left, w, e });
			choice_list_push(todo,
					 (struct choice){ m->right, at.w - w, at.e - e });
			return;
		}
	}
}

static void trace(struct program *p, struct choice at, struct choice_list *todo)
{
	const struct part *part = part_at(p, at.part);
	bool within;

	switch (part->kind) {
	case PART_EXACT:
		emit_exact(p->c, node_at(p->c, part->node));
		break;
	case PART_FREE:
		if (at.w)
			emit_wildcard(p->c, node_at(p->c, part->node));
		else
			emit_all_exact(p->c, part->node);
		break;
	case PART_MERGE:
		split(p, at, todo);
		break;
	case PART_NODE:
		within = part->left != TRIE_NONE &&
			 value(part_at(p, part->left), at.w, at.e) ==
				 value(part, at.w, at.e);
		if (within)
			choice_list_push(todo, (struct choice){ part->left, at.w, at.e });
		else
			emit_wildcard(p->c, node_at(p->c, part->node));
		break;
	}
}

/* The fewest evicted, then the fewest patterns, then the fewest wildcards. */
static struct choice best(const struct program *p, int root)
{
	const struct part *r = part_at(p, root);
	struct choice found = { root, 0, 0 };
	size_t most = smaller(p->c->limits.max_paths, r->w_max + r->e_max);
	uint32_t least = NEVER;

	for (size_t n = 1; n <= most; n++) {
		for (size_t w = 0; w <= smaller(n, r->w_max); w++) {
			uint32_t v = value(r, w, n - w);

			if (v < least) {
				least = v;
				found = (struct choice){ root, w, n - w };
			}
		}
	}
	return found;
}

static void cover_by_program(struct covering *c)
{
	CLEANUP(choice_list) struct choice_list todo = { 0 };
	struct program p = {
		.c = c,
		.part_of = xcalloc(c->trie.nodes.len, sizeof(int)),
	};
	int root = c->trie.order.items[c->trie.order.len - 1];

	fill(&p);
	choice_list_push(&todo, best(&p, p.part_of[root]));
	while (todo.len)
		trace(&p, todo.items[--todo.len], &todo);
	for (size_t i = 0; i < p.parts.len; i++)
		free(p.parts.items[i].least);
	part_list_release(&p.parts);
	free(p.part_of);
}

void cover_build(struct cover_paths *paths, const struct cover_limits *limits,
		 struct arena *arena, struct cover *out)
{
	struct covering c = { .limits = *limits, .arena = arena, .out = out };
	int root;

	/* Without a pattern, or a wildcard, there need not be a cover. */
	if (!c.limits.max_paths)
		c.limits.max_paths = 1;
	if (!c.limits.max_wildcards)
		c.limits.max_wildcards = 1;
	*out = (struct cover){ .wildcards = 0 };
	trie_build(&c.trie, paths);
	root = c.trie.order.len ? c.trie.order.items[c.trie.order.len - 1] : TRIE_NONE;
	if (root != TRIE_NONE && c.trie.nodes.items[root].n_stale && !cover_freely(&c))
		cover_by_program(&c);
	if (out->patterns.len)
		qsort(out->patterns.items, out->patterns.len,
		      sizeof(*out->patterns.items), str_compare_ptr);
	trie_release(&c.trie);
}
