#include "run/backend.h"

#include <string.h>

#include "aws/sts.h"
#include "base/mem.h"
#include "codec/encode.h"
#include "codec/hash.h"
#include "run/artifacts.h"
#include "run/backend_private.h"
#include "run/build.h"

enum { ARCHIVE_MOST = 256 << 20, TEMPLATE_MOST = 8 << 20 };

/* Opening */

static int run_build(const struct backend_work *b, struct error *err)
{
	const struct backend_options *o = b->options;
	const struct build_options build = {
		.repo = o->repo,
		.what = arena_printf((struct arena *)&b->arena, "backend %s",
				     b->backend->name),
		.command = b->backend->build,
		.head = o->commit,
		.env = o->env,
		.cancelled = o->cancelled,
		.progress = o->progress,
	};

	return build_run(&build, err);
}

static int open_package(struct backend_work *b, struct error *err)
{
	const struct backend_options *o = b->options;
	const struct package_options package = {
		.repo = o->repo,
		.commit = o->commit,
		.backend = b->backend,
		.config_file = o->config_file,
		.wanted = b->backend->build ? SOURCE_WORKTREE : o->source,
		.env = o->env,
		.cancelled = o->cancelled,
		.progress = o->progress,
	};

	b->has_package = true; /* also what was opened in vain is released */
	return package_open(&b->package, &package, err);
}

int backend_open(struct backend_work *b, const struct backend_options *options,
		 const struct backend *backend, bool wanted, struct error *err)
{
	*b = (struct backend_work){
		.options = options,
		.backend = backend,
		.wanted = wanted,
		.zip = BUF_INIT(ARCHIVE_MOST),
		.text = BUF_INIT(TEMPLATE_MOST),
	};
	if (!wanted)
		return 0;
	if (backend->build && !options->dry_run && run_build(b, err) < 0)
		return -1;
	return backend->kind == BACKEND_TEMPLATE ? open_package(b, err) : 0;
}

void backend_forget_reading(struct backend_work *b)
{
	cfn_stack_release(&b->stack);
	buf_clear(&b->text);
	str_list_release(&b->drifted);
	str_list_release(&b->left_sets);
	arena_release(&b->read_arena);
	b->asked_ms = 0;
	b->exists = false;
	b->is_busy = false;
	b->live_text = NULL;
	b->function = b->latest = (struct lambda_function){ .arn = NULL };
	b->artifacts = NULL;
	b->account = NULL;
	b->parameters = NULL;
}

void backend_release(struct backend_work *b)
{
	backend_forget_reading(b);
	if (b->has_package)
		package_release(&b->package);
	if (b->has_code)
		code_release(&b->code);
	buf_release(&b->zip);
	buf_release(&b->text);
	arena_release(&b->arena);
}

const char *backend_target(const struct backend_work *b)
{
	return value_text(b->backend->kind == BACKEND_FUNCTION ? &b->backend->function
							       : &b->backend->stack);
}

/* Reading */

static bool is_function(const struct backend_work *b)
{
	return b->backend->kind == BACKEND_FUNCTION;
}

/* The nth part of an ARN, from 0, in the arena; NULL: it has not as many. */
static const char *arn_part(const char *arn, int n, struct arena *arena)
{
	for (; n > 0 && arn; n--) {
		arn = strchr(arn, ':');
		arn += arn != NULL;
	}
	return arn ? arena_strndup(arena, arn, strcspn(arn, ":")) : NULL;
}

size_t backend_n_calls(const struct backend_work *b)
{
	if (is_function(b))
		return value_text(&b->backend->alias) ? 2 : 1;
	return b->wanted ? 2 : 1;
}

const char *backend_region(const struct backend_work *b)
{
	const char *target = backend_target(b);

	return is_function(b) && str_starts(target, "arn:")
		       ? arn_part(target, 3, (struct arena *)&b->arena)
		       : aws_region(b->options->aws);
}

static void ask_for_function(const struct backend_work *b, const char *name,
			     struct aws_call *call)
{
	lambda_get_request(&call->request, name);
	call->request.region = arena_strdup(&call->request.arena, backend_region(b));
}

/* With an alias, its version is what runs. What would be published is asked for too: a deploy
 * that died between the two has left other code there. */
static void ask_for_functions(const struct backend_work *b, struct aws_call *calls)
{
	const char *alias = value_text(&b->backend->alias);
	const char *target = backend_target(b);

	ask_for_function(b, target, &calls[0]);
	if (alias)
		ask_for_function(
			b,
			arena_printf((struct arena *)&b->arena, "%s:%s", target, alias),
			&calls[1]);
}

void backend_calls(const struct backend_work *b, struct aws_call *calls)
{
	const char *target = backend_target(b);

	for (size_t i = 0; i < backend_n_calls(b); i++)
		calls[i] = (struct aws_call)AWS_CALL_INIT;
	if (is_function(b)) {
		ask_for_functions(b, calls);
		return;
	}
	cfn_stack_request(&calls[0].request, target);
	if (b->wanted)
		cfn_template_request(&calls[1].request, target);
}

static int fail_no_function(const struct backend_work *b, const char *alias,
			    struct error *err)
{
	return error_set(err, ERR_NOT_FOUND,
			 "backend %s: there is no function %s%s%s in region %s: check "
			 "`function`%s in crc.yml, or make it first with the tool "
			 "that owns it",
			 b->backend->name, backend_target(b), alias ? " with alias " : "",
			 alias ? alias : "", backend_region(b),
			 alias ? " and `alias`" : "");
}

static int take_function(struct backend_work *b, struct aws_call *call, const char *alias,
			 struct lambda_function *out, struct error *err)
{
	if (call->err.code == ERR_NOT_FOUND)
		return fail_no_function(b, alias, err);
	if (call->err.code) {
		*err = call->err;
		return error_wrap(err, "function %s", backend_target(b));
	}
	if (lambda_get_decode(&call->response, &b->read_arena, out, err) < 0)
		return error_wrap(err, "function %s", backend_target(b));
	return 0;
}

static int take_functions(struct backend_work *b, struct aws_call *calls,
			  struct error *err)
{
	const char *alias = value_text(&b->backend->alias);

	if (take_function(b, &calls[0], NULL, &b->latest, err) < 0)
		return -1;
	b->function = b->latest;
	if (alias && take_function(b, &calls[1], alias, &b->function, err) < 0)
		return -1;
	b->exists = true;
	b->account = arn_part(b->function.arn, 4, &b->read_arena);
	return 0;
}

static int take_template(struct backend_work *b, struct aws_call *call, struct error *err)
{
	/* Asked for side by side with the stack, which somebody has made or removed just
	 * between the two answers: to be read again. */
	if (call->err.code && cfn_stack_is_absent(&call->err)) {
		b->exists = false;
		b->is_busy = true;
		return 0;
	}
	if (call->err.code) {
		*err = call->err;
		return error_wrap(err, "template of stack %s", backend_target(b));
	}
	return cfn_template_decode(&call->response, &b->read_arena, &b->live_text, err);
}

static int take_stack(struct backend_work *b, struct aws_call *calls, struct error *err)
{
	enum cfn_state state;

	/* Strings of an earlier answer stay, which others have borrowed. */
	cfn_stack_release(&b->stack);
	b->exists = b->is_busy = false;
	b->live_text = NULL;
	if (calls[0].err.code && cfn_stack_is_absent(&calls[0].err))
		return 0;
	if (calls[0].err.code) {
		*err = calls[0].err;
		return error_wrap(err, "stack %s", backend_target(b));
	}
	if (cfn_stack_decode(&calls[0].response, &b->read_arena, &b->stack, err) < 0)
		return error_wrap(err, "stack %s", backend_target(b));
	state = cfn_state_of(b->stack.status);
	b->account = arn_part(b->stack.id, 4, &b->read_arena);
	/* A stack of which only a change set was made is none yet. */
	b->exists = state != CFN_SHELL;
	b->is_busy = state == CFN_BUSY;
	return b->wanted && b->exists ? take_template(b, &calls[1], err) : 0;
}

/* The earliest; 0 if one does not tell. */
static int64_t asked_ms(const struct aws_call *calls, size_t n)
{
	int64_t first = http_response_asked_ms(&calls[0].response);

	for (size_t i = 1; i < n; i++) {
		int64_t ms = http_response_asked_ms(&calls[i].response);

		if (ms < first)
			first = ms;
	}
	return first;
}

int backend_take(struct backend_work *b, struct aws_call *calls, struct error *err)
{
	b->asked_ms = asked_ms(calls, backend_n_calls(b));
	return is_function(b) ? take_functions(b, calls, err) : take_stack(b, calls, err);
}

const char *backend_output(const struct backend_work *b, const char *name)
{
	for (size_t i = 0; i < b->stack.outputs.len; i++)
		if (str_eq(b->stack.outputs.items[i].key, name))
			return b->stack.outputs.items[i].value;
	return NULL;
}

/* Preparing */

static int find_account(struct backend_work *b, struct error *err)
{
	struct sts_identity identity;

	if (b->account)
		return 0;
	if (sts_caller_identity(b->options->aws, &identity, err) < 0)
		return error_wrap(err, "which account this is");
	b->account = arena_strdup(&b->read_arena, identity.account);
	return 0;
}

int backend_find_artifacts(struct backend_work *b, struct error *err)
{
	b->artifacts = value_text(&b->backend->artifacts);
	if (b->artifacts)
		return 0;
	if (find_account(b, err) < 0)
		return -1;
	b->artifacts = artifacts_default_bucket(&b->read_arena, b->account,
						aws_region(b->options->aws));
	return 0;
}

static const char *live_parameter(const struct backend_work *b, const char *name)
{
	for (size_t i = 0; i < b->stack.parameters.len; i++)
		if (str_eq(b->stack.parameters.items[i].key, name))
			return b->stack.parameters.items[i].value;
	return NULL;
}

static void compare_parameters(struct backend_work *b, const char **waits_for)
{
	const struct parameter_list *list = &b->backend->parameters;

	b->parameters = arena_alloc(&b->read_arena,
				    (list->len + 1) * sizeof(*b->parameters));
	for (size_t i = 0; i < list->len; i++) {
		const struct parameter *p = &list->items[i];

		b->parameters[i] = (struct backend_parameter){
			.name = p->name,
			.wanted = value_text(&p->value),
			.live = live_parameter(b, p->name),
		};
		if (!b->parameters[i].wanted && p->value.kind == VALUE_OUTPUT)
			*waits_for = p->value.backend;
		if (!b->parameters[i].wanted)
			b->parameters[i].wanted = "";
	}
}

static int prepare_stack(struct backend_work *b, const char **waits_for,
			 struct error *err)
{
	compare_parameters(b, waits_for);
	/* A template without code is the same whatever the bucket is. */
	if (b->package.n_codes && backend_find_artifacts(b, err) < 0)
		return -1;
	buf_clear(&b->text);
	package_splice(&b->package, b->artifacts ? b->artifacts : "", &b->text);
	return buf_check(&b->text, "template", err);
}

static int open_code(struct backend_work *b, struct error *err)
{
	const struct backend_options *o = b->options;
	const struct code_options code = {
		.repo = o->repo,
		.commit = o->commit,
		.wanted = b->backend->build ? SOURCE_WORKTREE : o->source,
		.path = b->backend->path,
		.what = arena_printf(&b->arena, "backend %s", b->backend->name),
		.runtime = arena_strdup(&b->arena, b->latest.runtime),
		.architecture = arena_strdup(&b->arena, b->latest.architecture),
		.is_built = b->backend->build != NULL,
		.env = o->env,
		.cancelled = o->cancelled,
		.progress = o->progress,
	};

	b->has_code = true; /* also what was opened in vain is released */
	return code_open(&b->code, &code, err);
}

const char *backend_sha256(const struct buf *zip, struct arena *arena)
{
	CLEANUP(buf) struct buf text = BUF_INIT(64);
	unsigned char digest[HASH_SHA256_SIZE];

	hash_bytes(HASH_SHA256, zip->data, zip->len, digest);
	encode_base64(digest, sizeof(digest), &text);
	return arena_strdup(arena, text.data);
}

static int check_kind(const struct backend_work *b, struct error *err)
{
	if (!str_eq(b->latest.package_type, "Image"))
		return 0;
	return error_set(
		err, ERR_CONFIG,
		"backend %s: function %s runs a container image; crc deploys zip "
		"archives only",
		b->backend->name, backend_target(b));
}

static int make_archive(struct backend_work *b, struct error *err)
{
	if (!b->has_code && open_code(b, err) < 0)
		return -1;
	/* A dry run installs nothing. */
	if (b->sha256 || (b->options->dry_run && b->code.has_requirements))
		return 0;
	if (code_zip(&b->code, &b->zip, err) < 0)
		return -1;
	if (buf_check(&b->zip, "archive", err) < 0)
		return error_wrap(err, "backend %s", b->backend->name);
	b->sha256 = backend_sha256(&b->zip, &b->arena);
	return 0;
}

/* Lambda reads a large archive from a bucket of the function's region alone. */
static int check_place(const struct backend_work *b, struct error *err)
{
	const char *region = backend_region(b);

	if (b->zip.len <= LAMBDA_ZIP_BYTES_MOST ||
	    str_eq(region, aws_region(b->options->aws)))
		return 0;
	return error_set(
		err, ERR_CONFIG,
		"backend %s: function %s is in region %s, and an archive of over 50 MB "
		"goes by a bucket of that region: deploy it by itself (--backend %s) with "
		"--region %s",
		b->backend->name, backend_target(b), region, b->backend->name, region);
}

/* Code that is there already is nobody's mistake of today. */
static int check_function(const struct backend_work *b, struct error *err)
{
	if (!b->sha256 || str_eq(b->sha256, b->latest.code_sha256))
		return 0;
	if (check_place(b, err) < 0)
		return -1;
	return backend_check_handler(b, err);
}

int backend_prepare(struct backend_work *b, const char **waits_for, struct error *err)
{
	*waits_for = NULL;
	if (!b->wanted)
		return 0;
	if (!is_function(b))
		return prepare_stack(b, waits_for, err);
	if (check_kind(b, err) < 0 || make_archive(b, err) < 0)
		return -1;
	return check_function(b, err);
}

/* Describing */

/* What is live is what the last change that succeeded has made of it: one that was rolled back
 * has left what was before. */
static bool is_good(const char *status)
{
	return status && (cfn_is_success(status) || cfn_state_of(status) == CFN_STEADY);
}

int backend_describe(struct backend_work *b, const struct oid *base,
		     const char *waits_for, struct backend_input *out, struct error *err)
{
	bool offline = !b->options->aws;

	*out = (struct backend_input){
		.backend = b->backend,
		.target = backend_target(b),
		.knowledge = offline     ? KNOW_PATHS
			     : waits_for ? KNOW_LATER
			     : b->exists ? KNOW_LIVE
					 : KNOW_ABSENT,
		.waits_for = waits_for,
		.text = b->text.data,
		.live_text = b->live_text ? b->live_text : "",
		.status = b->stack.status,
		.status_is_good = is_good(b->stack.status),
		.parameters = b->parameters,
		.n_parameters = b->parameters ? b->backend->parameters.len : 0,
		.drifted = &b->drifted,
		.n_left_sets = b->left_sets.len,
		.sha256 = b->sha256,
		.live_sha256 = b->function.code_sha256,
		.latest_sha256 = b->latest.code_sha256,
		.update = b->latest.update,
		.has_base = base != NULL,
	};
	if (!offline || !base)
		return 0;
	return backend_count_changes(b, base, out, err);
}
