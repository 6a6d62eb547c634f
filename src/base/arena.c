#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { BLOCK_FIRST = 4096, BLOCK_MOST = 1 << 20 };

struct arena_block {
	struct arena_block *older;
	size_t used;
	size_t size;
	alignas(max_align_t) unsigned char bytes[];
};

void arena_release(struct arena *a)
{
	while (a->block) {
		struct arena_block *older = a->block->older;

		free(a->block);
		a->block = older;
	}
}

static void grow(struct arena *a, size_t need)
{
	size_t size = a->block ? a->block->size * 2 : BLOCK_FIRST;
	struct arena_block *block;

	if (size > BLOCK_MOST)
		size = BLOCK_MOST;
	if (size < need)
		size = need;
	block = xmalloc(sizeof(*block) + size);
	*block = (struct arena_block){ .older = a->block, .size = size };
	a->block = block;
}

/* Strings need no alignment, and a site has many: they are packed. */
static void *alloc(struct arena *a, size_t size, size_t align)
{
	size_t at = a->block ? (a->block->used + align - 1) & ~(align - 1) : 0;

	if (size > SIZE_MAX / 2)
		abort();
	if (!a->block || at > a->block->size || a->block->size - at < size) {
		grow(a, size);
		at = 0;
	}
	a->block->used = at + size;
	return a->block->bytes + at;
}

void *arena_alloc(struct arena *a, size_t size)
{
	return memset(alloc(a, size, alignof(max_align_t)), 0, size);
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *copy = alloc(a, n + 1, 1);

	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

char *arena_concat(struct arena *a, const char *s, const char *end)
{
	size_t n = strlen(s);
	size_t m = strlen(end);
	char *copy = alloc(a, n + m + 1, 1);

	memcpy(copy, s, n);
	memcpy(copy + n, end, m);
	copy[n + m] = '\0';
	return copy;
}

void *arena_memdup(struct arena *a, const void *p, size_t n)
{
	void *copy = arena_alloc(a, n);

	if (n)
		memcpy(copy, p, n);
	return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list args;
	char *s;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0)
		abort();
	s = alloc(a, (size_t)n + 1, 1);
	va_start(args, fmt);
	vsnprintf(s, (size_t)n + 1, fmt, args);
	va_end(args);
	return s;
}
