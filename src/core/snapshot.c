#include "core/snapshot.h"

#include <string.h>

#include "codec/encode.h"

char *oid_hex(const struct oid *id, char out[OID_HEX_SIZE])
{
	encode_hex(id->bytes, sizeof(id->bytes), out);
	return out;
}

bool oid_from_hex(const char *hex, struct oid *out)
{
	return decode_hex(hex, sizeof(out->bytes), out->bytes);
}

bool oid_equal(const struct oid *a, const struct oid *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool oid_is_zero(const struct oid *id)
{
	static const struct oid zero;

	return oid_equal(id, &zero);
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

void snapshot_sort(struct snapshot *s)
{
	for (size_t i = 1; i < s->len; i++) {
		if (compare_entries(&s->items[i - 1], &s->items[i]) > 0) {
			qsort(s->items, s->len, sizeof(*s->items), compare_entries);
			return;
		}
	}
}

const struct entry *snapshot_find(const struct snapshot *s, const char *path)
{
	struct entry key = { .path = path };

	if (!s->len)
		return NULL;
	return bsearch(&key, s->items, s->len, sizeof(*s->items), compare_entries);
}
