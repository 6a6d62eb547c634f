#include "daemon/provider_private.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "codec/url.h"

static const char form_type[] = "application/x-www-form-urlencoded";
static const char field[] = "payload=";

bool provider_is_form(const struct request *r)
{
	const char *type = request_header(r, "Content-Type");
	char bare[sizeof(form_type)] = "";

	/* Parameters (";charset=utf-8") do not matter. */
	if (!type || strcspn(type, " \t;") != sizeof(form_type) - 1)
		return false;
	memcpy(bare, type, sizeof(form_type) - 1);
	return str_eq_nocase(bare, form_type);
}

static int decode(const char *value, size_t n, struct buf *out, struct error *err)
{
	CLEANUP_PTR(mem) char *spaced = xmemdup(value, n); /* it may hold NULs */

	for (size_t i = 0; i < n; i++) {
		if (spaced[i] == '+')
			spaced[i] = ' ';
	}
	if (!url_decode(spaced, n, out))
		return error_set(err, ERR_DATA, "the form's payload is badly encoded");
	return buf_check(out, "the form's payload", err);
}

int provider_form_payload(const struct request *r, struct buf *out, struct error *err)
{
	const char *end = r->body + r->body_len;
	const char *at = r->body;
	const char *value = NULL;
	size_t value_len = 0;

	while (at < end) {
		const char *and = memchr(at, '&', (size_t)(end - at));
		size_t n = (size_t)((and? and : end) - at);

		if (n >= sizeof(field) - 1 && memcmp(at, field, sizeof(field) - 1) == 0) {
			if (value)
				return error_set(err, ERR_DATA,
						 "the form has two payloads");
			value = at + sizeof(field) - 1;
			value_len = n - (sizeof(field) - 1);
		}
		at += and? n + 1 : n;
	}
	if (!value)
		return error_set(err, ERR_DATA, "the form has no payload");
	return decode(value, value_len, out, err);
}
