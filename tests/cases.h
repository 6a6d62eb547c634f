/* cases.h - how many random cases a property test makes, and a source of chance that is the
 * same each time and on every machine. */
#ifndef TESTS_CASES_H
#define TESTS_CASES_H

#include <stdint.h>
#include <stdlib.h>

#include "base/str.h"

#define CASES_SEED UINT64_C(88172645463325252)

/* CRC_PROPERTY_CASES, or what is enough otherwise. */
static inline unsigned cases_count(unsigned otherwise)
{
	const char *text = getenv("CRC_PROPERTY_CASES");
	int64_t n = otherwise;

	if (text && !str_to_i64(text, 1, 1000000000, &n))
		abort(); /* a test that runs no cases must not pass */
	return (unsigned)n;
}

/* 0 to n - 1, by xorshift. */
static inline unsigned below(uint64_t *seed, unsigned n)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (unsigned)((*seed >> 16) % n);
}

#endif
