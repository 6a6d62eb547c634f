/* vec.h - a typed growing array: VEC_DEFINE(path_list, const char *) makes
 *
 *   struct path_list { const char **items; size_t len, cap; };   all zeros: empty
 *   path_list_push(&list, item)    amortised O(1); returns the place of the new item
 *   path_list_release(&list)       frees the array (not what its items own)
 *
 * Sort once with qsort(list.items, list.len, ...), then bisect. */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include <stddef.h>

#include "base/mem.h"

#define VEC_DEFINE(name, type)                                             \
	struct name {                                                      \
		type *items;                                               \
		size_t len;                                                \
		size_t cap;                                                \
	};                                                                 \
	static inline type *name##_push(struct name *v, type item)         \
	{                                                                  \
		if (v->len == v->cap) {                                    \
			v->cap = v->cap ? v->cap * 2 : 8;                  \
			v->items = (type *)xreallocarray(v->items, v->cap, \
							 sizeof(type));    \
		}                                                          \
		v->items[v->len] = item;                                   \
		return &v->items[v->len++];                                \
	}                                                                  \
	static inline void name##_release(struct name *v)                  \
	{                                                                  \
		free(v->items);                                            \
		*v = (struct name){ 0 };                                   \
	}                                                                  \
	struct name /* takes the semicolon */

#endif
