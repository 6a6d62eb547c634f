#define _DEFAULT_SOURCE /* explicit_bzero */

#include "base/secret.h"

#include <string.h>

#include "base/mem.h"

void secret_wipe(void *p, size_t n)
{
	if (n)
		explicit_bzero(p, n);
}

void secret_release(struct secret *s)
{
	if (s->bytes_)
		secret_wipe(s->bytes_, s->len_);
	free(s->bytes_);
	*s = (struct secret)SECRET_INIT;
}

void secret_set(struct secret *s, const void *p, size_t n)
{
	char *copy = xmalloc(n + 1);

	if (n)
		memcpy(copy, p, n);
	copy[n] = '\0';
	secret_release(s);
	*s = (struct secret){ .bytes_ = copy, .len_ = n };
}

void secret_set_str(struct secret *s, const char *str)
{
	secret_set(s, str, strlen(str));
}

void secret_copy(struct secret *s, const struct secret *from)
{
	secret_set(s, secret_bytes(from), from->len_);
}

void secret_move(struct secret *s, struct secret *from)
{
	struct secret moved = *from;

	*from = (struct secret)SECRET_INIT;
	secret_release(s);
	*s = moved;
}

bool secret_is_set(const struct secret *s)
{
	return s->len_ > 0;
}

const char *secret_bytes(const struct secret *s)
{
	return s->bytes_ ? s->bytes_ : "";
}

size_t secret_len(const struct secret *s)
{
	return s->len_;
}
