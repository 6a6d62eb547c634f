#include "daemon/request.h"

#include <string.h>

#include "base/str.h"

const char *request_header(const struct request *r, const char *name)
{
	for (size_t i = 0; i < r->n_headers; i++) {
		if (str_eq_nocase(r->headers[i].name, name))
			return r->headers[i].value;
	}
	return NULL;
}

size_t request_header_count(const struct request *r, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_headers; i++)
		n += str_eq_nocase(r->headers[i].name, name);
	return n;
}

/* CivetWeb's strtoll() also takes "+2", "2, 2" and "0x2". Blanks behind it are none of it. */
static bool is_number(const char *text)
{
	size_t n = strspn(text, "0123456789");

	return n > 0 && !text[n + strspn(text + n, " \t")];
}

bool request_is_framed_oddly(const struct request *r)
{
	const char *length = request_header(r, "Content-Length");

	return request_header(r, "Transfer-Encoding") ||
	       request_header_count(r, "Content-Length") > 1 ||
	       (length && !is_number(length));
}

const char *request_header_list(const struct request *r, const char *name,
				struct buf *out)
{
	size_t n = 0;

	buf_clear(out);
	for (size_t i = 0; i < r->n_headers; i++)
		if (str_eq_nocase(r->headers[i].name, name))
			buf_printf(out, "%s%s", n++ ? "," : "", r->headers[i].value);
	return n ? out->data : NULL;
}

void answer_release(struct answer *a)
{
	buf_release(&a->body);
}
