/* A git server's list of refs: an id that is found stands in the text, before the ref's name
 * and a line's end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "run/tip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool stands_at(const char *at, size_t left, const struct oid *id, const char *ref)
{
	size_t n = strlen(ref);
	struct oid there;
	char hex[OID_HEX_SIZE] = "";

	if (left < 41 + n || at[40] != ' ' || memcmp(at + 41, ref, n) != 0)
		return false;
	memcpy(hex, at, 40);
	return oid_from_hex(hex, &there) && oid_equal(&there, id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char ref[] = "refs/heads/m";
	/* In memory of its own, so that reading past the end is seen. */
	CLEANUP_PTR(mem) char *text = xmemdup(data, size);
	struct oid id;

	if (!tip_parse_refs(text, size, ref, &id))
		return 0;
	for (size_t i = 0; i < size; i++)
		if (stands_at(text + i, size - i, &id, ref))
			return 0;
	abort();
}
