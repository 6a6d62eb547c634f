/* buf.h - a growing byte buffer with a cap.
 *
 * Invariants: data is never NULL and always ends in a NUL that len does not count. A buffer
 * declares its maximum at init; an append that would pass it is dropped and the buffer
 * stays overflowed, so that a series of appends is checked once, by buf_check(). */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct buf {
	char *data;
	size_t len;
	size_t cap; /* 0: data is a shared empty string */
	size_t max; /* most bytes len may reach */
	bool overflowed;
};

extern char buf_empty[1];

#define BUF_INIT(maximum)                           \
	{                                           \
		.data = buf_empty, .max = (maximum) \
	}

/* Frees the bytes; the buffer is empty and usable again, with the same maximum. */
void buf_release(struct buf *b);
/* Forgets the content and the overflow but keeps the memory. */
void buf_clear(struct buf *b);

void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Makes room for n more bytes; they may be written at data + len by the caller, who then
 * adds to len. False (and overflowed) when the maximum forbids it. */
bool buf_reserve(struct buf *b, size_t n);
/* Shortens to len bytes; no effect if it is shorter already. */
void buf_truncate(struct buf *b, size_t len);

/* 0, or -1 with ERR_TOO_BIG if any append was dropped; what names the content. */
int buf_check(const struct buf *b, const char *what, struct error *err);

/* The bytes, NUL-terminated, owned by the caller (free); the buffer is empty again. */
char *buf_take(struct buf *b);

#endif
