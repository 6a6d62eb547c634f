/* mem.h - allocation that cannot fail, and release that cannot be forgotten.
 *
 * Out of memory aborts, in one place: all outside input is capped, so that a failing
 * allocation means that the machine is out of memory and not that somebody sent us a large
 * number. Resources are released by scope: CLEANUP(buf) struct buf b = ...; and leave it
 * by take(). */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdlib.h>

/* Never NULL; size 0 gives a unique pointer. The caller frees. */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t size);
/* count * size bytes; aborts when the product overflows. */
void *xreallocarray(void *p, size_t count, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
void *xmemdup(const void *p, size_t n);

/* Runs NAME_release(&variable) when the variable leaves its scope. */
#define CLEANUP(name) __attribute__((cleanup(name##_release)))

/* The same for a pointer: runs NAME_freep(&pointer). For plain malloc: CLEANUP_PTR(mem). */
#define CLEANUP_PTR(name) __attribute__((cleanup(name##_freep)))

static inline void mem_freep(void *p)
{
	free(*(void **)p);
}

/* Defines NAME_freep for a struct NAME that is freed by NAME_free. */
#define MEM_DEFINE_FREEP(name)                           \
	static inline void name##_freep(struct name **p) \
	{                                                \
		name##_free(*p);                         \
	}

/* Moves a pointer out of a variable that its scope would free: return take(&p). */
#define take(p)                                 \
	({                                      \
		__typeof__(*(p)) taken_ = *(p); \
		*(p) = NULL;                    \
		taken_;                         \
	})

#endif
