/* The backends of a case: what is known of them, and what becomes of them. */
#include <string.h>

#include "fake/plan_case_private.h"

static const char *text_or_absent(const char *word)
{
	return strcmp(word, "absent") == 0 ? NULL : word;
}

/* What is known */

static const char *find_output(void *ctx, const struct value *v)
{
	const struct plan_case *c = ctx;

	for (size_t i = 0; i < c->n_backends; i++) {
		const struct stack_output_list *list = &c->backends[i].outputs;

		for (size_t k = 0; k < c->backends[i].n_known; k++)
			if (str_eq(c->backend_inputs[i].backend->name, v->backend) &&
			    str_eq(list->items[k].name, v->text))
				return list->items[k].value;
	}
	return NULL;
}

static struct backend_input *input_of(struct reader *r)
{
	return &r->c->backend_inputs[r->backend - r->c->backends];
}

static int read_backend(struct reader *r)
{
	const struct backend *b = config_backend(&r->c->config, r->words[1]);

	if (r->c->n_backends == CASE_BACKENDS)
		return plan_case_wrong(r, "too many");
	if (!b)
		return plan_case_wrong(r, "the configuration has no such backend");
	r->in = NULL;
	r->site = NULL;
	r->backend = &r->c->backends[r->c->n_backends++];
	*input_of(r) = (struct backend_input){
		.backend = b,
		.target = value_text(b->kind == BACKEND_FUNCTION ? &b->function
								 : &b->stack),
		.text = "Resources: {}\n",
		.live_text = "Resources: {}\n",
		.status = "UPDATE_COMPLETE",
		.status_is_good = true,
		.parameters = r->backend->parameters,
		.drifted = &r->backend->drifted,
		.sha256 = "same",
		.live_sha256 = "same",
		.latest_sha256 = "same",
		.has_base = true,
	};
	return 0;
}

static int read_knows(struct reader *r)
{
	static const char *const names[] = {
		[KNOW_LIVE] = "live",
		[KNOW_ABSENT] = "absent",
		[KNOW_PATHS] = "paths",
		[KNOW_LATER] = "later",
	};
	struct backend_input *in = input_of(r);

	for (enum backend_knowledge k = KNOW_LIVE; k <= KNOW_LATER; k++) {
		if (!str_eq(names[k], r->words[1]))
			continue;
		in->knowledge = k;
		if (k == KNOW_LATER && r->n < 3)
			return plan_case_wrong(r, "whose output?");
		in->waits_for = k == KNOW_LATER ? r->words[2] : NULL;
		return 0;
	}
	return plan_case_wrong(r, "live, absent, paths or later");
}

static int read_template(struct reader *r)
{
	input_of(r)->text = r->words[1];
	input_of(r)->live_text = r->words[2];
	return 0;
}

static int read_parameter(struct reader *r)
{
	struct backend_input *in = input_of(r);

	if (in->n_parameters == CASE_PARAMETERS)
		return plan_case_wrong(r, "too many");
	r->backend->parameters[in->n_parameters++] = (struct backend_parameter){
		r->words[1], r->words[2], text_or_absent(r->words[3])
	};
	return 0;
}

static int read_status(struct reader *r)
{
	input_of(r)->status = r->words[1];
	input_of(r)->status_is_good = false;
	return 0;
}

static int read_drifted(struct reader *r)
{
	str_list_push(&r->backend->drifted, r->words[1]);
	return 0;
}

static int read_code(struct reader *r)
{
	input_of(r)->sha256 = text_or_absent(r->words[1]);
	input_of(r)->live_sha256 = input_of(r)->latest_sha256 = r->words[2];
	return 0;
}

static int read_changed(struct reader *r)
{
	int64_t n = 0;

	if (plan_case_number(r, 1, &n) < 0)
		return -1;
	input_of(r)->files_changed = (size_t)n;
	input_of(r)->first_changed = r->words[2];
	return 0;
}

static int read_latest(struct reader *r)
{
	input_of(r)->latest_sha256 = r->words[1];
	input_of(r)->update = r->words[2];
	return 0;
}

static int read_left_set(struct reader *r)
{
	input_of(r)->n_left_sets++;
	return 0;
}

static int read_no_base(struct reader *r)
{
	input_of(r)->has_base = false;
	return 0;
}

static int read_newer(struct reader *r)
{
	input_of(r)->superseded = true;
	return 0;
}

static int read_output(struct reader *r)
{
	stack_output_list_push(&r->backend->outputs,
			       (struct stack_output){ r->words[1], r->words[2] });
	if (str_eq(r->words[0], "output")) {
		if (r->backend->n_known + 1 != r->backend->outputs.len)
			return plan_case_wrong(r, "before those that are new");
		r->backend->n_known++;
		config_resolve_outputs(&r->c->config, find_output, r->c);
	}
	return 0;
}

/* What CloudFormation says */

static struct resource_change change_of(const struct reader *r)
{
	return (struct resource_change){
		.action = r->words[1],
		.name = r->words[2],
		.type = r->words[3],
		.replacement = r->n > 4 ? r->words[4] : "",
	};
}

static int read_preview(struct reader *r)
{
	r->backend->previewed = true;
	if (r->n == 1)
		return 0;
	if (r->n < 4)
		return plan_case_wrong(r, "ACTION NAME TYPE [REPLACEMENT], or nothing");
	resource_list_push(&r->backend->preview, change_of(r));
	return 0;
}

static int read_change(struct reader *r)
{
	resource_list_push(&r->backend->changes, change_of(r));
	return 0;
}

/* What became of it */

static int read_became(struct reader *r)
{
	for (enum backend_status s = BACKEND_CREATED; s <= BACKEND_FAILED; s++) {
		if (str_eq(backend_status_name(s), r->words[1])) {
			r->backend->became = s;
			return r->n < 3 ? 0
					: plan_case_number(r, 2, &r->backend->took_ms);
		}
	}
	return plan_case_wrong(r, "created, updated, confirmed or failed");
}

static int read_repaired(struct reader *r)
{
	return plan_case_number(r, 1, &r->backend->repaired);
}

static int read_version(struct reader *r)
{
	r->backend->version = r->words[1];
	return 0;
}

static int read_reason(struct reader *r)
{
	r->backend->error = plan_case_prose(r, 1);
	return 0;
}

const struct directive plan_case_backend_directives[] = {
	{ "backend", 1, OF_ALL, read_backend },
	{ "knows", 1, OF_BACKEND, read_knows },
	{ "template", 2, OF_BACKEND, read_template },
	{ "parameter", 3, OF_BACKEND, read_parameter },
	{ "status", 1, OF_BACKEND, read_status },
	{ "drifted", 1, OF_BACKEND, read_drifted },
	{ "code", 2, OF_BACKEND, read_code },
	{ "changed", 2, OF_BACKEND, read_changed },
	{ "latest", 2, OF_BACKEND, read_latest },
	{ "left-set", 0, OF_BACKEND, read_left_set },
	{ "no-base", 0, OF_BACKEND, read_no_base },
	{ "newer", 0, OF_BACKEND, read_newer },
	{ "output", 2, OF_BACKEND, read_output },
	{ "new-output", 2, OF_BACKEND, read_output },
	{ "preview", 0, OF_BACKEND, read_preview },
	{ "change", 3, OF_BACKEND, read_change },
	{ "became", 1, OF_BACKEND, read_became },
	{ "repaired", 1, OF_BACKEND, read_repaired },
	{ "version", 1, OF_BACKEND, read_version },
	{ "reason", 1, OF_BACKEND, read_reason },
};

const size_t plan_case_n_backend_directives = sizeof(plan_case_backend_directives) /
					      sizeof(*plan_case_backend_directives);

/* Building */

void plan_case_preview_backends(struct plan_case *c)
{
	for (size_t i = 0; i < c->n_backends; i++) {
		struct plan_backend *b = &c->outcome.plan.backends.items[i];
		const struct resource_list *preview = &c->backends[i].preview;

		b->previewed = c->backends[i].previewed;
		for (size_t k = 0; k < preview->len; k++)
			resource_list_push(&b->resources, preview->items[k]);
	}
}

/* As run/deploy does it: there is an outcome of each that was deployed, and of each stack
 * that was read. */
void plan_case_conclude_backends(struct plan_case *c)
{
	for (size_t i = 0; i < c->n_backends; i++) {
		const struct case_backend *from = &c->backends[i];
		const struct backend *backend = c->backend_inputs[i].backend;
		struct backend_outcome *to;

		if (from->became == BACKEND_PENDING && !from->n_known)
			continue;
		to = outcome_backend(&c->outcome, backend);
		to->target = c->backend_inputs[i].target;
		to->status = from->became;
		to->repaired = (size_t)from->repaired;
		to->version = from->version;
		to->duration_ms = from->took_ms;
		to->error = from->error;
		for (size_t k = 0; k < from->changes.len; k++)
			resource_list_push(&to->changes, from->changes.items[k]);
		for (size_t k = 0; k < from->outputs.len; k++)
			if (k < from->n_known || from->became != BACKEND_PENDING)
				stack_output_list_push(&to->outputs,
						       from->outputs.items[k]);
	}
}

void plan_case_release_backends(struct plan_case *c)
{
	for (size_t i = 0; i < c->n_backends; i++) {
		str_list_release(&c->backends[i].drifted);
		stack_output_list_release(&c->backends[i].outputs);
		resource_list_release(&c->backends[i].preview);
		resource_list_release(&c->backends[i].changes);
	}
}
