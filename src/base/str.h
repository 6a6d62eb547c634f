/* str.h - small questions about C strings, and numbers read strictly. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

VEC_DEFINE(str_list, const char *);

bool str_eq(const char *a, const char *b);        /* NULL equals only NULL */
bool str_eq_nocase(const char *a, const char *b); /* ASCII letters only */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* NULL or "". */
bool str_empty(const char *s);
/* Copies s, whole or not at all. False, and *out untouched: it does not fit. */
bool str_copy(char *out, size_t size, const char *s);

/* Decimal digits with an optional '-', nothing before or after, within [min, max].
 * True and *out on success; *out is untouched otherwise. */
bool str_to_i64(const char *s, int64_t min, int64_t max, int64_t *out);

/* Well-formed UTF-8 without surrogates and overlong forms (RFC 3629). */
bool str_is_utf8(const char *s, size_t n);

/* Edits (insert, delete, replace, swap of neighbours) from a to b; for "did you mean".
 * Strings over 64 bytes count as maximally distant. */
unsigned str_distance(const char *a, const char *b);

/* For qsort and bsearch over an array of const char *: bytewise. */
int str_compare_ptr(const void *a, const void *b);

#endif
