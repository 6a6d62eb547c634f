/* secret.h - bytes that must not be seen: wiped when released, with no printing function.
 *
 * The bytes are reached only by secret_bytes(), so that a search for that name finds every
 * place that handles them. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

struct secret {
	char *bytes_; /* private; NUL-terminated beyond len_ */
	size_t len_;
};

#define SECRET_INIT            \
	{                      \
		.bytes_ = NULL \
	}

/* Wipes and frees; the secret is empty and usable again. */
void secret_release(struct secret *s);
/* Replaces the content by a copy of n bytes. */
void secret_set(struct secret *s, const void *p, size_t n);
void secret_set_str(struct secret *s, const char *str);
/* Replaces the content by a copy of another's. */
void secret_copy(struct secret *s, const struct secret *from);
/* Moves the content out of from, which is left empty. */
void secret_move(struct secret *s, struct secret *from);

bool secret_is_set(const struct secret *s);
/* NUL-terminated, "" when empty; borrowed until the secret changes. */
const char *secret_bytes(const struct secret *s);
size_t secret_len(const struct secret *s);

/* Overwrites memory in a way that the compiler may not remove. */
void secret_wipe(void *p, size_t n);

#endif
