#include "daemon/provider_private.h"

#include <string.h>

#include "base/str.h"

enum { COMMIT_DIGITS = PUSH_COMMIT_MAX - 1, SHA256_DIGITS = 64 };

int provider_expect(struct push *out, size_t n, struct error *err)
{
	if (n > PUSH_CHANGES_MOST)
		return error_set(err, ERR_DATA, "more than %d changes in one push",
				 PUSH_CHANGES_MOST);
	out->kind = PUSH_CHANGES;
	out->changes = arena_alloc(&out->arena, n * sizeof(*out->changes));
	return 0;
}

static bool is_hex(const char *s, size_t n)
{
	return strlen(s) == n && strspn(s, "0123456789abcdefABCDEF") == n;
}

static int read_commit(const struct json *v, struct arena *arena, const char **out,
		       struct error *err)
{
	const char *text = json_str(v);
	char *lower;

	*out = "";
	if (json_type(v) == JSON_NULL)
		return 0;
	if (!text)
		return error_set(err, ERR_DATA, "it is missing");
	if (is_hex(text, SHA256_DIGITS))
		return error_set(err, ERR_DATA,
				 "repositories with SHA-256 are not supported");
	if (!is_hex(text, COMMIT_DIGITS))
		return error_set(err, ERR_DATA, "it is not %d hex digits", COMMIT_DIGITS);
	if (strspn(text, "0") == COMMIT_DIGITS)
		return 0;
	lower = arena_strdup(arena, text);
	for (char *c = lower; *c; c++)
		*c = (char)(*c | 0x20); /* digits have this bit already */
	*out = lower;
	return 0;
}

int provider_add(struct push *out, const struct provider_move *m, struct error *err)
{
	struct push_change *c = &out->changes[out->n_changes];
	const char *ref = json_str(m->ref);

	if (str_empty(ref))
		return error_set(err, ERR_DATA, "a change has no ref");
	c->ref = arena_concat(&out->arena, m->ref_prefix, ref);
	c->before = "";
	if ((m->before || !m->may_lack_before) &&
	    read_commit(m->before, &out->arena, &c->before, err) < 0)
		return error_wrap(err, "the commit before");
	if (read_commit(m->after, &out->arena, &c->after, err) < 0)
		return error_wrap(err, "the commit after");
	out->n_changes++;
	return 0;
}

int provider_set_delivery(struct push *out, const char *value, const char *from,
			  struct error *err)
{
	size_t n = strlen(value);

	if (n >= PUSH_DELIVERY_MAX)
		return error_set(err, ERR_DATA, "%s is longer than %d bytes", from,
				 PUSH_DELIVERY_MAX - 1);
	for (size_t i = 0; i < n; i++) {
		if (value[i] < ' ' || value[i] > '~')
			return error_set(err, ERR_DATA, "%s is not printable ASCII",
					 from);
	}
	out->delivery = arena_strdup(&out->arena, value);
	return 0;
}
