#include "run/execute_private.h"

#include "base/mem.h"

static int keep_claims(void *ctx, struct error *err)
{
	return execution_keep_claims(ctx, err);
}

int execute_backends(struct execution *x, size_t from, size_t to, struct error *err)
{
	const struct execute_options *o = x->options;
	const struct watch watch = {
		.aws = o->aws,
		.progress = o->progress,
		.tick = keep_claims,
		.ctx = x,
	};

	for (size_t i = from; i < to; i++) {
		size_t backend = x->plan->steps.items[i].backend;

		if (o->deploy_backend(o->ctx, backend, &watch, x->outcome, err) < 0)
			return err->code == ERR_CONDITION ? -1
							  : execution_failed(x, i, err);
		execution_done(x, i);
		/* The rest of the plan was made with what it put out before. */
		if (o->outputs_moved(o->ctx))
			return error_set(err, ERR_CONDITION,
					 "a stack's outputs are others than before");
	}
	if (o->is_staged)
		return error_set(err, ERR_CONDITION, "more can be planned now");
	return 0;
}
