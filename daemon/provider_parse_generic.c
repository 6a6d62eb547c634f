#include "daemon/provider_private.h"

#include <inttypes.h>

#include "base/str.h"
#include "codec/json_pointer.h"

static const char *or_default(const char *pointer, const char *otherwise)
{
	return pointer ? pointer : otherwise;
}

static int set_delivery(const struct provider_payload *p, struct push *out,
			struct error *err)
{
	const char *pointer = p->keys->generic.delivery;
	const struct json *v = pointer ? json_pointer_get(p->root, pointer) : NULL;
	int64_t n;

	if (!pointer)
		return 0; /* it is in a header */
	if (json_int(v, &n))
		return provider_set_delivery(
			out, arena_printf(&out->arena, "%" PRId64, n), pointer, err);
	if (!json_str(v))
		return error_set(err, ERR_DATA, "delivery: nothing is at %s", pointer);
	return provider_set_delivery(out, json_str(v), pointer, err);
}

static int add_generic(const struct provider_payload *p, const struct json *change,
		       struct push *out, struct error *err)
{
	const struct provider_generic *g = &p->keys->generic;
	struct provider_move m = {
		.ref = json_pointer_get(change, or_default(g->ref, "/ref")),
		.before = json_pointer_get(change, or_default(g->before, "/before")),
		.after = json_pointer_get(change, or_default(g->after, "/after")),
		.may_lack_before = true /* EventBridge has none of a new ref */
	};
	const char *ref = json_str(m.ref);

	m.ref_prefix = ref && str_starts(ref, "refs/") ? "" : "refs/heads/";
	return provider_add(out, &m, err);
}

/* The array of changes; NULL: the payload is one change. */
static const struct json *changes_of(const struct provider_payload *p)
{
	const struct provider_generic *g = &p->keys->generic;

	if (!g->changes && json_pointer_get(p->root, or_default(g->ref, "/ref")))
		return NULL;
	return json_pointer_get(p->root, or_default(g->changes, "/changes"));
}

int provider_parse_generic(const struct provider_payload *p, struct push *out,
			   struct error *err)
{
	const struct json *changes = changes_of(p);

	if (set_delivery(p, out, err) < 0)
		return -1;
	if (p->keys->generic.changes && json_type(changes) != JSON_ARRAY)
		return error_set(err, ERR_DATA, "changes: no array is at %s",
				 p->keys->generic.changes);
	if (json_type(changes) != JSON_ARRAY)
		return provider_expect(out, 1, err) < 0
			       ? -1
			       : add_generic(p, p->root, out, err);
	if (provider_expect(out, json_len(changes), err) < 0)
		return -1;
	for (size_t i = 0; i < json_len(changes); i++) {
		if (add_generic(p, json_at(changes, i), out, err) < 0)
			return -1;
	}
	return 0;
}
