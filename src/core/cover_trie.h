/* cover_trie.h - the compressed trie of encoded paths. Used by cover.c alone.
 *
 * A node is a set of paths that share a prefix; sets of two nodes are disjoint or nested, and
 * every useful wildcard is the prefix of one node. */
#ifndef CORE_COVER_TRIE_H
#define CORE_COVER_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cover.h"

enum { TRIE_NONE = -1 };

struct trie_node {
	const char *path; /* its first len bytes are the prefix; borrowed */
	size_t len;
	int parent, first_child, next_sibling;
	bool stale; /* a path that ends here is stale */
	bool stale_subtree;
	bool held;
	bool held_subtree;
	bool exactable; /* the path can be sent as it is: short enough, without '*' */
	size_t wildcard_len; /* of the prefix when sent as a wildcard; 0: cannot be one */
	uint32_t n_stale;    /* in the set */
	uint32_t n_forced;   /* of those, the ones that only a wildcard covers */
	uint32_t n_held;     /* in the set; a held subtree counts COVER_SUBTREE_HELD */
	uint32_t inherited;  /* held subtrees that the node is within, so counted */
};

VEC_DEFINE(trie_nodes, struct trie_node);
VEC_DEFINE(trie_order, int);

struct trie {
	struct trie_nodes nodes;
	struct trie_order order; /* children before parents; the root last */
};

/* Sorts paths in place. With no path, the trie is empty. */
void trie_build(struct trie *t, struct cover_paths *paths);
void trie_release(struct trie *t);

#endif
