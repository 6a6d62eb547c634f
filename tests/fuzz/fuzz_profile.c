/* Profile files: what is taken is found again under its section and key, and messages name a
 * line and never quote it. The first byte chooses which of the two files it is. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aws/profile.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(const struct profiles *p, const struct profile_entry *e)
{
	static const char *const kinds[] = { "profile", "sso-session", "services" };
	size_t known = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		size_t n = strlen(kinds[i]);

		if (!str_starts(e->section, kinds[i]) || e->section[n] != ' ')
			continue;
		known++;
		if (!profiles_has(p, kinds[i], e->section + n + 1))
			abort();
		if (e->key && *e->value &&
		    !profiles_get(p, kinds[i], e->section + n + 1, e->key))
			abort();
	}
	if (known != 1 || !e->key != !e->value || (e->value && strchr(e->value, '\n')))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(profiles) struct profiles p = PROFILES_INIT;
	struct error err = ERROR_INIT;

	if (!size)
		return 0;
	if (profiles_parse(&p, (const char *)data + 1, size - 1, data[0] & 1, "f", &err) <
	    0) {
		if (err.code != ERR_CONFIG || !str_starts(err.msg, "f:"))
			abort();
	}
	for (size_t i = 0; i < p.entries.len; i++)
		check_entry(&p, &p.entries.items[i]);
	profiles_endpoint(&p, NULL);
	profiles_endpoint(&p, "s3");
	return 0;
}
