/* Keys as metadata services tell them, and the times at which they end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aws/creds_providers.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What lies between the years 0 and 9999, give or take a zone. */
static void check_time(const char *text)
{
	int64_t ms = 0;

	if (!creds_time_parse(text, &ms))
		return;
	if (ms < INT64_C(-62167305600000) || ms > INT64_C(253402387200000))
		abort();
	if (strlen(text) < strlen("2026-01-02T03:04:05Z") || text[10] != 'T')
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_PTR(mem) char *text = xstrndup((const char *)data, size);
	struct aws_keys keys = AWS_KEYS_INIT;
	struct error err = ERROR_INIT;

	check_time(text);
	if (creds_decode((const char *)data, size, "Token", &keys, &err) == 0) {
		if (!secret_len(&keys.id) || !secret_len(&keys.key))
			abort();
	} else if (err.code != ERR_CREDENTIALS || !*err.msg) {
		abort();
	}
	aws_keys_release(&keys);
	return 0;
}
