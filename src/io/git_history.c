#include "io/git_private.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/vec.h"

/* Both commits' ancestors are painted, youngest first. The answer is no as soon as nothing
 * waits that only b reaches: what a reaches, too, is older than a and cannot lead to it.
 * So dates decide only how fast the answer comes, not which. */

enum { FROM_A = 1, FROM_B = 2, NONE = UINT32_MAX };

struct node {
	struct oid id;
	int64_t time_s;   /* INT64_MIN: missing, and looked at last */
	uint32_t parents; /* where they begin in history.parents */
	uint32_t n_parents;
	bool missing;
	bool waiting; /* is in the heap */
	unsigned paint;
};

VEC_DEFINE(nodes, struct node);
VEC_DEFINE(oids, struct oid);
VEC_DEFINE(numbers, uint32_t);

struct history {
	struct repo *repo;
	struct nodes nodes;
	struct oids parents;
	struct numbers heap;  /* of nodes that wait; the youngest on top */
	struct numbers slots; /* hash table over nodes: open addressing, NONE is free */
	size_t waiting_b;     /* those that only b reaches */
};

static void history_release(struct history *h)
{
	nodes_release(&h->nodes);
	oids_release(&h->parents);
	numbers_release(&h->heap);
	numbers_release(&h->slots);
}

/* The slot of an id, or the free one where it belongs. Ids are as good as random. */
static uint32_t *slot_of(struct history *h, const struct oid *id)
{
	uint32_t at;

	memcpy(&at, id->bytes, sizeof(at));
	for (at &= (uint32_t)h->slots.len - 1;;
	     at = (at + 1) & ((uint32_t)h->slots.len - 1)) {
		uint32_t *slot = &h->slots.items[at];

		if (*slot == NONE || oid_equal(&h->nodes.items[*slot].id, id))
			return slot;
	}
}

static void grow_slots(struct history *h)
{
	size_t size = h->slots.len ? h->slots.len * 2 : 1024;

	numbers_release(&h->slots);
	for (size_t i = 0; i < size; i++)
		numbers_push(&h->slots, NONE);
	for (uint32_t i = 0; i < h->nodes.len; i++)
		*slot_of(h, &h->nodes.items[i].id) = i;
}

static void read_node(struct history *h, struct node *n)
{
	CLEANUP(object) struct object o = OBJECT_INIT;
	struct error ignored = ERROR_INIT;
	struct commit_view view;

	if (object_read(h->repo, &n->id, OBJECT_COMMIT, &o, &ignored) < 0 ||
	    commit_parse(o.bytes, o.len, &view, &ignored) < 0) {
		n->missing = true;
		n->time_s = INT64_MIN;
		return;
	}
	n->time_s = view.time_s;
	n->parents = (uint32_t)h->parents.len;
	n->n_parents = (uint32_t)view.n_parents;
	for (size_t i = 0; i < view.n_parents; i++)
		oids_push(&h->parents, commit_parent(&view, i));
}

static uint32_t node_of(struct history *h, const struct oid *id)
{
	struct node n = { .id = *id };
	uint32_t *slot;

	if (h->nodes.len * 2 >= h->slots.len)
		grow_slots(h);
	slot = slot_of(h, id);
	if (*slot != NONE)
		return *slot;
	read_node(h, &n);
	*slot = (uint32_t)h->nodes.len;
	nodes_push(&h->nodes, n);
	return *slot;
}

static bool younger(const struct history *h, uint32_t a, uint32_t b)
{
	return h->nodes.items[a].time_s > h->nodes.items[b].time_s;
}

static void heap_push(struct history *h, uint32_t number)
{
	uint32_t *items;
	size_t at = h->heap.len;

	numbers_push(&h->heap, number);
	for (items = h->heap.items; at && younger(h, number, items[(at - 1) / 2]);
	     at = (at - 1) / 2)
		items[at] = items[(at - 1) / 2];
	items[at] = number;
}

static uint32_t heap_pop(struct history *h)
{
	uint32_t *items = h->heap.items;
	uint32_t top = items[0];
	uint32_t last = items[--h->heap.len];
	size_t at = 0;
	size_t child;

	while ((child = 2 * at + 1) < h->heap.len) {
		if (child + 1 < h->heap.len && younger(h, items[child + 1], items[child]))
			child++;
		if (!younger(h, items[child], last))
			break;
		items[at] = items[child];
		at = child;
	}
	items[at] = last;
	return top;
}

static void paint(struct history *h, uint32_t number, unsigned colours)
{
	struct node *n = &h->nodes.items[number];
	bool was_b = n->waiting && n->paint == FROM_B;

	if ((n->paint | colours) == n->paint)
		return;
	n->paint |= colours;
	if (was_b)
		h->waiting_b--;
	if (n->paint == FROM_B)
		h->waiting_b++;
	if (!n->waiting)
		heap_push(h, number);
	n->waiting = true;
}

static void pass_on(struct history *h, uint32_t number)
{
	struct node n = h->nodes.items[number];

	h->nodes.items[number].waiting = false;
	h->waiting_b -= n.paint == FROM_B;
	for (uint32_t i = 0; i < n.n_parents; i++) {
		struct oid parent = h->parents.items[n.parents + i];

		paint(h, node_of(h, &parent), n.paint);
	}
}

/* Something that b reaches and a does not is not in the clone: a could lie behind it. */
static bool is_cut(const struct history *h)
{
	for (size_t i = 0; i < h->nodes.len; i++)
		if (h->nodes.items[i].missing && h->nodes.items[i].paint == FROM_B)
			return true;
	return false;
}

int repo_is_ancestor(struct repo *r, const struct oid *a, const struct oid *b)
{
	CLEANUP(history) struct history h = { .repo = r };
	uint32_t first = node_of(&h, a);
	uint32_t second = node_of(&h, b);

	if (first == second)
		return 1;
	if (h.nodes.items[first].missing || h.nodes.items[second].missing)
		return -1;
	paint(&h, first, FROM_A);
	paint(&h, second, FROM_B);
	while (h.waiting_b) {
		pass_on(&h, heap_pop(&h));
		if (h.nodes.items[first].paint & FROM_B)
			return 1;
	}
	return is_cut(&h) ? -1 : 0;
}
