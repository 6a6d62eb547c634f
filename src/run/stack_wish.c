/* What a change set is made of: the wish, and what the stack has already. */
#include "run/stack_private.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum { NAMES_BYTES = 600 };

void stack_set_lists_release(struct stack_set_lists *lists)
{
	cfn_pairs_release(&lists->parameters);
	cfn_pairs_release(&lists->tags);
	str_list_release(&lists->capabilities);
}

static bool has_pair(const struct cfn_pair *pairs, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(pairs[i].key, key))
			return true;
	return false;
}

static void add_name(struct buf *names, const char *name)
{
	buf_printf(names, "%s%s", names->len ? ", " : "", name);
}

/* Values that are configured; those that the stack has are kept; of the others the template
 * has defaults, or nobody knows them. */
static int fill_parameters(const struct stack_job *j, struct cfn_pairs *out,
			   struct error *err)
{
	const struct stack_wish *wish = j->wish;
	const struct cfn_pairs *had = &j->stack.parameters;
	CLEANUP(buf) struct buf missing = BUF_INIT(NAMES_BYTES);

	for (size_t i = 0; i < wish->n_parameters; i++)
		cfn_pairs_push(out, wish->parameters[i]);
	for (size_t i = 0; wish->declared && i < wish->declared->len; i++) {
		const struct template_parameter *p = &wish->declared->items[i];

		if (has_pair(wish->parameters, wish->n_parameters, p->name))
			continue;
		if (!j->create && has_pair(had->items, had->len, p->name))
			cfn_pairs_push(out, (struct cfn_pair){ p->name, NULL });
		else if (!p->has_default)
			add_name(&missing, p->name);
	}
	if (missing.len || missing.overflowed)
		return error_set(
			err, ERR_CONFIG,
			"stack %s: no value for what the template declares "
			"without a default: %s; set it under `parameters` of the "
			"backend",
			j->options->name, missing.data);
	return 0;
}

/* Sending none would take the stack's away from it. Those of AWS cannot be sent. */
static void fill_tags(const struct stack_job *j, struct cfn_pairs *out)
{
	const struct cfn_pairs *had = &j->stack.tags;

	for (size_t i = 0; !j->create && i < had->len; i++)
		if (!str_starts(had->items[i].key, "aws:"))
			cfn_pairs_push(out, had->items[i]);
}

static bool has_string(const struct str_list *list, const char *s)
{
	for (size_t i = 0; i < list->len; i++)
		if (str_eq(list->items[i], s))
			return true;
	return false;
}

/* What is configured is all that is granted. Otherwise a stack keeps what it was granted when
 * it was made by another tool, or it could not be updated without being configured anew. */
static void fill_capabilities(struct stack_job *j, struct str_list *out)
{
	const struct str_list *had = &j->stack.capabilities;
	CLEANUP(buf) struct buf kept = BUF_INIT(NAMES_BYTES);

	for (size_t i = 0; i < j->wish->n_capabilities; i++)
		str_list_push(out, j->wish->capabilities[i]);
	if (out->len)
		return;
	str_list_push(out, "CAPABILITY_IAM");
	for (size_t i = 0; !j->create && i < had->len; i++) {
		if (has_string(out, had->items[i]))
			continue;
		str_list_push(out, had->items[i]);
		add_name(&kept, had->items[i]);
	}
	if (kept.len)
		str_list_push(j->notes,
			      arena_printf(j->arena,
					   "stack %s keeps %s, which it was granted "
					   "before; `capabilities` of the backend would "
					   "say so",
					   j->options->name, kept.data));
}

int stack_set_fill(struct stack_job *j, struct stack_set_lists *lists,
		   struct cfn_change_set *out, struct error *err)
{
	const struct stack_wish *wish = j->wish;

	if (wish->text && strlen(wish->text) > CFN_TEMPLATE_BYTES_MOST)
		return error_set(err, ERR_TOO_BIG,
				 "stack %s: a template of %zu bytes does not fit into a "
				 "request (%d): it has to go by S3",
				 j->options->name, strlen(wish->text),
				 CFN_TEMPLATE_BYTES_MOST);
	if (fill_parameters(j, &lists->parameters, err) < 0)
		return -1;
	fill_tags(j, &lists->tags);
	fill_capabilities(j, &lists->capabilities);
	*out = (struct cfn_change_set){
		.stack = j->options->name,
		.name = j->set,
		.token = j->set,
		.create = j->create,
		.template_body = wish->text,
		.template_url = wish->text ? NULL : wish->url,
		.parameters = lists->parameters.items,
		.n_parameters = lists->parameters.len,
		.tags = lists->tags.items,
		.n_tags = lists->tags.len,
		.capabilities = lists->capabilities.items,
		.n_capabilities = lists->capabilities.len,
	};
	return 0;
}
