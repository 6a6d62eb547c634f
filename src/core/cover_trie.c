#include "core/cover_trie.h"

#include <string.h>

/* Bytes of the encoded character at s: "%C3%A9" is one character, as are "a" and "%20". */
static size_t char_bytes(const char *s)
{
	static const char digits[] = "0123456789ABCDEF";
	static const size_t lens[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4 };
	const char *digit;
	size_t more;
	size_t n = 3;

	if (s[0] != '%' || !s[1] || !s[2])
		return 1;
	digit = strchr(digits, s[1]);
	more = digit ? lens[digit - digits] - 1 : 0;
	while (more-- && s[n] == '%' && s[n + 1] && s[n + 2])
		n += 3;
	return n;
}

/* The longest prefix of s, in whole characters, of at most n bytes. */
static size_t whole_chars(const char *s, size_t n)
{
	size_t at = 0;

	while (s[at]) {
		size_t len = char_bytes(s + at);

		if (at + len > n)
			break;
		at += len;
	}
	return at;
}

static size_t common_prefix(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return whole_chars(a, n);
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct cover_path *)a)->path,
		      ((const struct cover_path *)b)->path);
}

/* The prefix as a wildcard: before the first literal '*', and short enough with its own. */
static size_t wildcard_prefix(const char *path, size_t len)
{
	const char *star = memchr(path, '*', len);
	size_t n = star ? (size_t)(star - path) : len;

	return n < COVER_PATTERN_MOST ? n : whole_chars(path, COVER_PATTERN_MOST - 1);
}

static int add_node(struct trie *t, const char *path, size_t len)
{
	trie_nodes_push(&t->nodes, (struct trie_node){
					   .path = path,
					   .len = len,
					   .parent = TRIE_NONE,
					   .first_child = TRIE_NONE,
					   .next_sibling = TRIE_NONE,
				   });
	return (int)t->nodes.len - 1;
}

static void mark(struct trie_node *n, const struct cover_path *p)
{
	n->stale |= p->stale;
	n->stale_subtree |= p->stale && p->subtree;
	n->held |= !p->stale;
	n->held_subtree |= !p->stale && p->subtree;
	n->exactable = n->len <= COVER_PATTERN_MOST && !memchr(n->path, '*', n->len);
}

static void adopt(struct trie *t, int parent, int child)
{
	t->nodes.items[child].parent = parent;
	t->nodes.items[child].next_sibling = t->nodes.items[parent].first_child;
	t->nodes.items[parent].first_child = child;
}

/* Closes the open nodes that are deeper than len; a new one is opened at len when none is
 * there. */
static void close_to(struct trie *t, struct trie_order *open, size_t len)
{
	while (open->len && t->nodes.items[open->items[open->len - 1]].len > len) {
		int child = open->items[--open->len];
		int top = open->len ? open->items[open->len - 1] : TRIE_NONE;

		trie_order_push(&t->order, child);
		if (top == TRIE_NONE || t->nodes.items[top].len < len) {
			top = add_node(t, t->nodes.items[child].path, len);
			trie_order_push(open, top);
		}
		adopt(t, top, child);
	}
}

static void close_all(struct trie *t, struct trie_order *open)
{
	while (open->len > 1) {
		int child = open->items[--open->len];

		trie_order_push(&t->order, child);
		adopt(t, open->items[open->len - 1], child);
	}
	if (open->len)
		trie_order_push(&t->order, open->items[0]);
	trie_order_release(open);
}

static void count(struct trie *t)
{
	for (size_t i = 0; i < t->order.len; i++) {
		struct trie_node *n = &t->nodes.items[t->order.items[i]];
		bool held = n->held && !n->stale;

		n->n_stale += n->stale;
		n->n_forced += n->stale && (n->stale_subtree || !n->exactable);
		n->n_held += n->held_subtree ? COVER_SUBTREE_HELD : held;
		if (n->parent != TRIE_NONE) {
			struct trie_node *up = &t->nodes.items[n->parent];

			up->n_stale += n->n_stale;
			up->n_forced += n->n_forced;
			up->n_held += n->n_held;
		}
	}
	for (size_t i = t->order.len; i-- > 0;) {
		struct trie_node *n = &t->nodes.items[t->order.items[i]];
		const struct trie_node *up = n->parent == TRIE_NONE
						     ? NULL
						     : &t->nodes.items[n->parent];
		size_t len = wildcard_prefix(n->path, n->len);

		if (up)
			n->inherited = up->inherited +
				       (up->held_subtree ? COVER_SUBTREE_HELD : 0);
		/* A prefix that is as short as the parent's stands for the parent's set. */
		n->wildcard_len = !up || len > up->len ? len : 0;
	}
}

void trie_build(struct trie *t, struct cover_paths *paths)
{
	struct trie_order open = { 0 };
	const char *last = NULL;

	*t = (struct trie){ 0 };
	if (paths->len)
		qsort(paths->items, paths->len, sizeof(*paths->items), compare_paths);
	for (size_t i = 0; i < paths->len; i++) {
		const struct cover_path *p = &paths->items[i];

		if (!last || strcmp(last, p->path) != 0) {
			if (last)
				close_to(t, &open, common_prefix(last, p->path));
			trie_order_push(&open, add_node(t, p->path, strlen(p->path)));
		}
		last = p->path;
		mark(&t->nodes.items[open.items[open.len - 1]], p);
	}
	close_all(t, &open);
	count(t);
}

void trie_release(struct trie *t)
{
	trie_nodes_release(&t->nodes);
	trie_order_release(&t->order);
}
