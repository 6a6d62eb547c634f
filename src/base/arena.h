/* arena.h - memory with one lifetime: allocated piecemeal, freed at once.
 *
 * For data that lives as long as a deployment (snapshots, changes, plan, outcome). Pieces
 * are aligned for any type and are not freed one by one. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block
		*block; /* the one that is being filled; older ones hang off it */
};

#define ARENA_INIT            \
	{                     \
		.block = NULL \
	}

/* Frees all; the arena is empty and usable again. */
void arena_release(struct arena *a);

/* size bytes of zeros. */
void *arena_alloc(struct arena *a, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_concat(struct arena *a, const char *s, const char *end);
void *arena_memdup(struct arena *a, const void *p, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
