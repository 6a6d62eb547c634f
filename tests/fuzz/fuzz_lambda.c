/* Whatever is accepted is whole: no string is missing, and it has a name. */
#undef NDEBUG /* the checks are what a fuzz target is for */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aws/lambda.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct lambda_function *f)
{
	assert(*f->arn && *f->architecture);
	assert(f->code_sha256 && f->revision && f->runtime && f->handler &&
	       f->package_type && f->version && f->state && f->state_reason &&
	       f->update && f->update_reason && f->update_reason_code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	struct lambda_function f = { .arn = NULL };
	struct error err = ERROR_INIT;
	const char *version = NULL;

	res.status = 200;
	buf_add(&res.body, data, size);
	if (lambda_get_decode(&res, &arena, &f, &err) == 0)
		check(&f);
	if (lambda_configuration_decode(&res, &arena, &f, &err) == 0)
		check(&f);
	if (lambda_alias_decode(&res, &arena, &version, &err) == 0)
		assert(*version);
	return 0;
}
