#include "daemon/request.h"

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

void answer_release(struct answer *a)
{
	buf_release(&a->body);
}
