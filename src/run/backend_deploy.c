#include "run/backend.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "codec/encode.h"
#include "codec/hash.h"
#include "run/artifacts.h"
#include "run/backend_private.h"
#include "run/function.h"
#include "run/stack.h"

enum { ARCHIVE_MOST = 256 << 20, DEPLOY_TIMEOUT_S = 7200 };

enum { DROP_TRIES = 30, DROP_PAUSE_MS = 1000 };

/* One backend that is being deployed. */
struct deploying {
	struct backend_work *b;
	const struct watch *watch;
	struct outcome *outcome;
	struct artifacts artifacts;
	struct stack_seen seen; /* when it was read */
};

static struct artifacts artifacts_of(struct backend_work *b, const struct watch *watch)
{
	return (struct artifacts){
		.watch = watch,
		.bucket = b->artifacts,
		.region = aws_region(b->options->aws),
		.account = b->account,
		.is_default = b->backend->artifacts.kind == VALUE_NONE,
	};
}

/* Code */

static int send_code(struct deploying *d, size_t i, const char *key, const char **sha256,
		     struct error *err)
{
	CLEANUP(buf) struct buf zip = BUF_INIT(ARCHIVE_MOST);
	const struct code *code = &d->b->package.codes[i];

	watch_tell(d->watch, "packing %s", code->options.path);
	if (code_zip(code, &zip, err) < 0 || buf_check(&zip, "archive", err) < 0)
		return -1;
	if (artifacts_put(&d->artifacts, key, zip.data, zip.len, err) < 0)
		return -1;
	*sha256 = backend_sha256(&zip, &d->b->read_arena);
	return 0;
}

/* Sees to it that all code is in the bucket; codes[i] says where. */
static int send_codes(struct deploying *d, struct stack_code *codes, struct error *err)
{
	struct backend_work *b = d->b;

	for (size_t i = 0; i < b->package.n_codes; i++) {
		const char *key = package_key(&b->package, i, &b->read_arena);
		const char *sha256 = NULL;

		if (artifacts_find(&d->artifacts, key, &b->read_arena, &sha256, err) < 0)
			return -1;
		if (!sha256 && send_code(d, i, key, &sha256, err) < 0)
			return -1;
		codes[i] = (struct stack_code){ b->artifacts, key, sha256 };
	}
	return 0;
}

/* Templates */

static int send_template(struct deploying *d, struct stack_wish *wish, struct error *err)
{
	struct backend_work *b = d->b;
	unsigned char digest[HASH_SHA256_SIZE];
	char hex[2 * HASH_SHA256_SIZE + 1];
	const char *key;

	if (b->text.len <= CFN_TEMPLATE_BYTES_MOST) {
		wish->text = b->text.data;
		return 0;
	}
	if (!b->artifacts && backend_find_artifacts(b, err) < 0)
		return -1;
	d->artifacts = artifacts_of(b, d->watch);
	hash_bytes(HASH_SHA256, b->text.data, b->text.len, digest);
	encode_hex(digest, sizeof(digest), hex);
	key = arena_printf(&b->read_arena, "crc/%s.template", hex);
	if (artifacts_put(&d->artifacts, key, b->text.data, b->text.len, err) < 0)
		return -1;
	wish->url = artifacts_url(&d->artifacts, key, &b->read_arena);
	return 0;
}

static struct stack_wish wish_of(struct backend_work *b)
{
	const struct parameter_list *list = &b->backend->parameters;
	struct cfn_pair *pairs = arena_alloc(&b->read_arena,
					     (list->len + 1) * sizeof(*pairs));

	for (size_t i = 0; i < list->len; i++)
		pairs[i] = (struct cfn_pair){ b->parameters[i].name,
					      b->parameters[i].wanted };
	return (struct stack_wish){
		.parameters = pairs,
		.n_parameters = list->len,
		.declared = &b->package.template.parameters,
		.capabilities = b->backend->capabilities.items,
		.n_capabilities = b->backend->capabilities.len,
	};
}

/* Stacks */

static void keep_changes(void *ctx, const struct resource_list *changes)
{
	struct deploying *d = ctx;
	const struct progress *p = d->watch->progress;
	struct backend_outcome *out = outcome_backend(d->outcome, d->b->backend);
	struct arena *arena = &d->outcome->arena;

	out->changes.len = 0;
	for (size_t i = 0; i < changes->len; i++) {
		const struct resource_change *c = &changes->items[i];

		resource_list_push(&out->changes,
				   (struct resource_change){
					   arena_strdup(arena, c->action),
					   arena_strdup(arena, c->name),
					   arena_strdup(arena, c->type),
					   arena_strdup(arena, c->replacement),
				   });
	}
	if (p && p->resources)
		p->resources(p->ctx, d->b->backend, changes);
}

static struct stack_options options_of(struct deploying *d)
{
	return (struct stack_options){
		.watch = d->watch,
		.name = backend_target(d->b),
		.only_if = d->b->only_as_read ? &d->seen : NULL,
		.recreate = d->b->options->recreate,
		.busy_timeout_s = d->b->options->busy_timeout_s,
		.timeout_s = DEPLOY_TIMEOUT_S,
		.changes = keep_changes,
		.ctx = d,
	};
}

void backend_keep_outputs(const struct backend_work *b, struct outcome *o)
{
	struct backend_outcome *out = outcome_backend(o, b->backend);

	out->target = arena_strdup(&o->arena, backend_target(b));
	out->outputs.len = 0;
	for (size_t i = 0; i < b->stack.outputs.len; i++)
		stack_output_list_push(
			&out->outputs,
			(struct stack_output){
				arena_strdup(&o->arena, b->stack.outputs.items[i].key),
				arena_strdup(&o->arena, b->stack.outputs.items[i].value),
			});
}

static void keep_notes(struct deploying *d, const struct str_list *notes)
{
	for (size_t i = 0; i < notes->len; i++)
		outcome_note(d->outcome, NOTE_WARNING, SIZE_MAX, NULL, notes->items[i]);
}

/* It may be in several plans of one run: what an early one has done is not undone by a later one
 * that found nothing to do. */
static void settle_status(struct backend_outcome *out, enum backend_status status)
{
	bool done = out->status == BACKEND_CREATED || out->status == BACKEND_UPDATED;

	if (!done)
		out->status = status;
}

/* What functions run is compared even where CloudFormation found nothing to do: it does not
 * notice code that somebody else has put there. */
static int check_code(struct deploying *d, const struct stack_code *codes,
		      struct error *err)
{
	struct backend_work *b = d->b;
	struct backend_outcome *out = outcome_backend(d->outcome, b->backend);
	CLEANUP(stack_drift) struct stack_drift drift = { .functions = { 0 } };
	const struct stack_check check = {
		.watch = d->watch,
		.stack = backend_target(b),
		.codes = codes,
		.n = b->package.n_codes,
		.repair = true,
		.timeout_s = DEPLOY_TIMEOUT_S,
	};

	if (stack_check_code(&check, &d->outcome->arena, &drift, err) < 0)
		return -1;
	keep_notes(d, &drift.notes);
	out->repaired += drift.functions.len;
	if (drift.functions.len && out->status == BACKEND_CONFIRMED)
		out->status = BACKEND_UPDATED;
	return 0;
}

/* 1: it cannot be deleted yet. */
static int drop_left_set(struct deploying *d, const char *name, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct backend_work *b = d->b;

	cfn_change_set_delete_request(&req, name);
	cfn_change_set_of(&req, b->stack.id);
	if (watch_send(d->watch, &req, &res, err) == 0)
		return 0;
	error_wrap(err, "stack %s: change set %s of a deploy that died",
		   backend_target(b), name);
	return str_eq(err->service_code, "InvalidChangeSetStatus") ? 1 : -1;
}

/* One that is in the making is waited for; it does nothing by itself, should it stay so. */
static int drop_left_sets(struct deploying *d, struct error *err)
{
	struct backend_work *b = d->b;

	for (size_t i = 0; i < b->left_sets.len; i++) {
		int rc = drop_left_set(d, b->left_sets.items[i], err);

		for (int tries = 1; rc == 1 && tries < DROP_TRIES; tries++) {
			error_clear(err);
			if (watch_sleep(d->watch, DROP_PAUSE_MS, err) < 0)
				return -1;
			rc = drop_left_set(d, b->left_sets.items[i], err);
		}
		if (rc < 0)
			return -1;
		if (rc == 1)
			outcome_note(d->outcome, NOTE_WARNING, SIZE_MAX, NULL, err->msg);
		error_clear(err);
	}
	return 0;
}

static int deploy_stack(struct deploying *d, struct error *err)
{
	struct backend_work *b = d->b;
	struct stack_wish wish = wish_of(b);
	struct stack_options options = options_of(d);
	struct stack_code *codes = arena_alloc(&b->read_arena,
					       (b->package.n_codes + 1) * sizeof(*codes));
	struct stack_result result = STACK_RESULT_INIT;
	struct backend_outcome *out;

	if (drop_left_sets(d, err) < 0 || send_codes(d, codes, err) < 0 ||
	    send_template(d, &wish, err) < 0)
		return -1;
	if (stack_deploy(&options, &wish, &b->read_arena, &result, err) < 0) {
		outcome_backend(d->outcome, b->backend)->goes_on = result.goes_on;
		return -1;
	}
	keep_notes(d, &result.notes);
	cfn_stack_release(&b->stack);
	b->stack = result.stack;
	result.stack = (struct cfn_stack){ .id = NULL };
	b->exists = true;
	backend_keep_outputs(b, d->outcome);
	out = outcome_backend(d->outcome, b->backend);
	settle_status(out, result.created   ? BACKEND_CREATED
			   : result.changed ? BACKEND_UPDATED
					    : BACKEND_CONFIRMED);
	stack_result_release(&result);
	return b->package.n_codes ? check_code(d, codes, err) : 0;
}

/* Functions */

static int place_archive(struct deploying *d, struct function_code *code,
			 struct error *err)
{
	struct backend_work *b = d->b;

	code->sha256 = b->sha256;
	if (b->zip.len <= LAMBDA_ZIP_BYTES_MOST) {
		code->zip = b->zip.data;
		code->len = b->zip.len;
		return 0;
	}
	if (backend_find_artifacts(b, err) < 0)
		return -1;
	d->artifacts = artifacts_of(b, d->watch);
	code->bucket = b->artifacts;
	code->key = arena_printf(&b->read_arena, "crc/%s.zip", b->code.key);
	return artifacts_put(&d->artifacts, code->key, b->zip.data, b->zip.len, err);
}

static int deploy_function(struct deploying *d, struct error *err)
{
	struct backend_work *b = d->b;
	const struct function_options options = {
		.watch = d->watch,
		.name = backend_target(b),
		.alias = value_text(&b->backend->alias),
		.timeout_s = b->options->busy_timeout_s,
	};
	struct function_code code = { .zip = NULL };
	struct function_result result = { .changed = false };
	struct backend_outcome *out;

	if (place_archive(d, &code, err) < 0)
		return -1;
	if (function_deploy(&options, &code, &b->read_arena, &result, err) < 0) {
		outcome_backend(d->outcome, b->backend)->goes_on = result.goes_on;
		return -1;
	}
	out = outcome_backend(d->outcome, b->backend);
	out->target = arena_strdup(&d->outcome->arena, options.name);
	settle_status(out, result.changed || result.moved ? BACKEND_UPDATED
							  : BACKEND_CONFIRMED);
	out->version = result.version ? arena_strdup(&d->outcome->arena, result.version)
				      : NULL;
	return 0;
}

int backend_deploy(struct backend_work *b, const struct watch *watch, struct outcome *o,
		   struct error *err)
{
	struct deploying d = {
		.b = b,
		.watch = watch,
		.outcome = o,
		.artifacts = artifacts_of(b, watch),
		.seen = { b->exists ? b->stack.id : NULL, b->stack.updated },
	};
	int64_t start_ms = clock_monotonic_ms(aws_clock(watch->aws));
	bool is_function = b->backend->kind == BACKEND_FUNCTION;
	int rc = is_function ? deploy_function(&d, err) : deploy_stack(&d, err);
	struct backend_outcome *out = outcome_backend(o, b->backend);

	out->target = arena_strdup(&o->arena, backend_target(b));
	out->duration_ms += clock_monotonic_ms(aws_clock(watch->aws)) - start_ms;
	/* It has not failed then: it is planned anew. */
	if (rc == 0 || err->code == ERR_CONDITION)
		return rc;
	out->status = BACKEND_FAILED;
	error_wrap(err, "backend %s", b->backend->name);
	out->error = arena_strdup(&o->arena, err->msg);
	return -1;
}

int backend_audit(struct backend_work *b, struct error *err)
{
	const struct watch watch = { .aws = b->options->aws,
				     .progress = b->options->progress };
	struct artifacts artifacts = artifacts_of(b, &watch);
	CLEANUP(stack_drift) struct stack_drift drift = { .functions = { 0 } };
	struct stack_code *codes = arena_alloc(&b->read_arena,
					       (b->package.n_codes + 1) * sizeof(*codes));
	const struct stack_check check = {
		.watch = &watch,
		.stack = backend_target(b),
		.codes = codes,
		.n = b->package.n_codes,
	};

	if (!b->wanted || !b->exists || b->backend->kind == BACKEND_FUNCTION || !check.n)
		return 0;
	for (size_t i = 0; i < check.n; i++) {
		const char *key = package_key(&b->package, i, &b->read_arena);
		const char *sha256 = NULL;

		if (artifacts_find(&artifacts, key, &b->read_arena, &sha256, err) < 0)
			return -1;
		codes[i] = (struct stack_code){ b->artifacts, key, sha256 ? sha256 : "" };
	}
	if (stack_check_code(&check, &b->read_arena, &drift, err) < 0)
		return error_wrap(err, "backend %s", b->backend->name);
	for (size_t i = 0; i < drift.functions.len; i++)
		str_list_push(&b->drifted, drift.functions.items[i]);
	return 0;
}

/* Whether the name is one that a deploy of ours has given. */
static bool is_name_of_ours(const char *name)
{
	return str_starts(name, "crc-") && strspn(name + 4, "0123456789abcdef") == 32 &&
	       strlen(name) == 36;
}

int backend_find_left_sets(struct backend_work *b, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	CLEANUP(str_list) struct str_list names = { 0 };

	if (!b->wanted || !b->exists || b->backend->kind == BACKEND_FUNCTION)
		return 0;
	cfn_change_sets_request(&req, b->stack.id);
	if (aws_send(b->options->aws, &req, &res, err) < 0 ||
	    cfn_change_sets_decode(&res, &b->read_arena, &names, err) < 0)
		return error_wrap(err, "change sets of stack %s", backend_target(b));
	for (size_t i = 0; i < names.len; i++)
		if (is_name_of_ours(names.items[i]))
			str_list_push(&b->left_sets, names.items[i]);
	return 0;
}

int backend_preview(struct backend_work *b, struct plan_backend *out, struct arena *arena,
		    struct error *err)
{
	const struct watch watch = { .aws = b->options->aws,
				     .progress = b->options->progress };
	struct stack_options options = {
		.watch = &watch,
		.name = backend_target(b),
		.busy_timeout_s = b->options->busy_timeout_s,
		.timeout_s = DEPLOY_TIMEOUT_S,
	};
	struct stack_wish wish = wish_of(b);

	wish.text = b->text.data;
	if (stack_preview(&options, &wish, arena, &out->resources, err) < 0)
		return error_wrap(err, "backend %s", b->backend->name);
	out->previewed = true;
	return 0;
}
