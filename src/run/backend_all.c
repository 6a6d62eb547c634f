#include "run/backend.h"

#include "base/str.h"

size_t backends_calls(const struct backend_work *works, size_t n, struct aws_call *calls)
{
	size_t filled = 0;

	for (size_t i = 0; i < n; i++) {
		backend_calls(&works[i], &calls[filled]);
		filled += backend_n_calls(&works[i]);
	}
	return filled;
}

int backends_take(struct backend_work *works, size_t n, struct aws_call **calls,
		  struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		if (backend_take(&works[i], *calls, err) < 0)
			return -1;
		*calls += backend_n_calls(&works[i]);
	}
	return 0;
}

const char *backends_output(const struct backend_work *works, size_t n,
			    const struct value *v)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(works[i].backend->name, v->backend) && !works[i].hidden)
			return backend_output(&works[i], v->text);
	return NULL;
}
