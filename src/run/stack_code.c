/* What the functions of a stack run, against what its template says. CloudFormation compares
 * templates with templates: code that somebody put in by other means stays, however often the
 * stack is deployed. */
#include "run/stack.h"

#include <string.h>

#include "aws/lambda.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/yaml.h"
#include "run/function.h"
#include "run/poll.h"

enum { PAGES_MOST = 100, READ_MS = 30000, READ_TIMEOUT_S = 300 };

static const struct poll_pace pace = { .first_ms = 1000, .most_ms = 3000 };

/* A function whose code is one of ours. */
struct checked {
	const char *name; /* physical */
	const struct stack_code *code;
	bool is_published; /* it has versions */
};

VEC_DEFINE(checked_list, struct checked);

struct checking {
	const struct stack_check *check;
	struct arena *arena;
	struct stack_drift *out;
	struct poll poll;
	const struct yaml_node *resources; /* of the template */
	struct cfn_resources physical;
	struct checked_list list;
};

void stack_drift_release(struct stack_drift *d)
{
	str_list_release(&d->functions);
	str_list_release(&d->notes);
}

static void note(struct checking *c, const char *text)
{
	str_list_push(&c->out->notes, text);
}

/* ---- reading the stack ---- */

static int read_template(struct checking *c, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	const struct yaml_node *root;
	const char *text;

	cfn_processed_template_request(&req, c->check->stack);
	if (poll_send(&c->poll, &req, POLL_ANYTHING, &res, err) < 0 ||
	    cfn_template_decode(&res, c->arena, &text, err) < 0 ||
	    yaml_parse(c->arena, "processed template", text, strlen(text), &root, err) <
		    0)
		return -1;
	c->resources = yaml_get(root, "Resources");
	return 0;
}

static int read_resources(struct checking *c, struct error *err)
{
	const char *next = NULL;

	for (int page = 0; page == 0 || (next && page < PAGES_MOST); page++) {
		CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
		CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;

		cfn_resources_request(&req, c->check->stack, next);
		if (poll_send(&c->poll, &req, POLL_ANYTHING, &res, err) < 0 ||
		    cfn_resources_decode(&res, c->arena, &c->physical, &next, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- which functions ---- */

static const struct stack_code *code_of(const struct checking *c,
					const struct yaml_node *properties)
{
	const struct yaml_node *code = yaml_get(properties, "Code");
	const char *bucket = yaml_text(yaml_get(code, "S3Bucket"));
	const char *key = yaml_text(yaml_get(code, "S3Key"));

	for (size_t i = 0; bucket && key && i < c->check->n; i++)
		if (str_eq(c->check->codes[i].bucket, bucket) &&
		    str_eq(c->check->codes[i].key, key))
			return &c->check->codes[i];
	return NULL;
}

/* NULL: the stack does not have it, by a condition. */
static const char *physical_name(const struct checking *c, const char *logical_id)
{
	for (size_t i = 0; i < c->physical.len; i++)
		if (str_eq(c->physical.items[i].logical_id, logical_id))
			return *c->physical.items[i].physical_id
				       ? c->physical.items[i].physical_id
				       : NULL;
	return NULL;
}

static bool has_versions(const struct checking *c, const char *logical_id)
{
	for (size_t i = 0; i < c->resources->len; i++) {
		const struct yaml_node *r = c->resources->pairs[i].value;
		const struct yaml_node *of = yaml_get(yaml_get(r, "Properties"),
						      "FunctionName");

		if (str_eq(yaml_text(yaml_get(r, "Type")), "AWS::Lambda::Version") &&
		    str_eq(yaml_text(yaml_get(of, "Ref")), logical_id))
			return true;
	}
	return false;
}

static void find_functions(struct checking *c)
{
	if (!c->resources || c->resources->kind != YAML_MAPPING)
		return;
	for (size_t i = 0; i < c->resources->len; i++) {
		const struct yaml_node *r = c->resources->pairs[i].value;
		const char *id = yaml_text(c->resources->pairs[i].key);
		const struct stack_code *code = code_of(c, yaml_get(r, "Properties"));
		const char *name = physical_name(c, id);

		if (code && name &&
		    str_eq(yaml_text(yaml_get(r, "Type")), "AWS::Lambda::Function"))
			checked_list_push(&c->list,
					  (struct checked){
						  .name = name,
						  .code = code,
						  .is_published = has_versions(c, id),
					  });
	}
}

/* ---- comparing ---- */

static int put_right(struct checking *c, const struct checked *f, struct error *err)
{
	const struct function_options options = {
		.watch = c->check->watch,
		.name = f->name,
		.timeout_s = c->check->timeout_s,
	};
	const struct function_code code = {
		.bucket = f->code->bucket,
		.key = f->code->key,
		.sha256 = f->code->sha256,
	};
	struct function_result result;

	if (function_deploy(&options, &code, c->arena, &result, err) < 0)
		return error_wrap(err, "put the code of stack %s right", c->check->stack);
	if (f->is_published)
		note(c,
		     arena_printf(c->arena,
				  "function %s: the code of $LATEST was put right; its "
				  "versions and aliases were not looked at",
				  f->name));
	return 0;
}

static int compare(struct checking *c, const struct checked *f, struct aws_call *call,
		   struct error *err)
{
	struct lambda_function now = { .code_sha256 = "" };

	if (call->err.code == ERR_FORBIDDEN) {
		note(c, arena_printf(c->arena,
				     "function %s may not be read, so that its code was "
				     "not compared: %s",
				     f->name, call->err.msg));
		return 0;
	}
	if (call->err.code == ERR_NOT_FOUND && c->check->repair)
		return error_set(
			err, ERR_NOT_FOUND,
			"function %s of stack %s is gone: somebody has deleted it "
			"behind CloudFormation's back",
			f->name, c->check->stack);
	if (call->err.code && call->err.code != ERR_NOT_FOUND) {
		*err = call->err;
		return error_wrap(err, "function %s", f->name);
	}
	if (call->err.code == ERR_NONE &&
	    lambda_get_decode(&call->response, c->arena, &now, err) < 0)
		return -1;
	if (str_eq(now.code_sha256, f->code->sha256))
		return 0;
	str_list_push(&c->out->functions, f->name);
	return c->check->repair ? put_right(c, f, err) : 0;
}

static bool is_known(struct checking *c, const struct checked *f)
{
	if (*f->code->sha256)
		return true;
	note(c, arena_printf(c->arena,
			     "function %s was not compared: what is in s3://%s/%s is not "
			     "known",
			     f->name, f->code->bucket, f->code->key));
	return false;
}

static int compare_all(struct checking *c, struct aws_call *calls, struct error *err)
{
	struct aws *aws = c->check->watch->aws;
	int64_t until_ms = clock_monotonic_ms(aws_clock(aws)) + READ_MS;

	for (size_t i = 0; i < c->list.len; i++) {
		calls[i] = (struct aws_call)AWS_CALL_INIT;
		lambda_get_request(&calls[i].request, c->list.items[i].name);
		calls[i].request.deadline_ms = until_ms;
	}
	if (watch_sleep(c->check->watch, 0, err) < 0 ||
	    aws_send_all(aws, calls, c->list.len, err) < 0)
		return -1;
	for (size_t i = 0; i < c->list.len; i++)
		if (is_known(c, &c->list.items[i]) &&
		    compare(c, &c->list.items[i], &calls[i], err) < 0)
			return -1;
	return 0;
}

/* ---- all of it ---- */

static int check_code(struct checking *c, struct error *err)
{
	struct aws_call *calls;
	int rc;

	if (read_template(c, err) < 0 || read_resources(c, err) < 0)
		return error_wrap(err, "compare the code of stack %s", c->check->stack);
	find_functions(c);
	calls = xcalloc(c->list.len, sizeof(*calls));
	rc = compare_all(c, calls, err);
	for (size_t i = 0; i < c->list.len; i++)
		aws_call_release(&calls[i]);
	free(calls);
	return rc;
}

int stack_check_code(const struct stack_check *check, struct arena *arena,
		     struct stack_drift *out, struct error *err)
{
	struct checking c = { .check = check, .arena = arena, .out = out };
	int rc;

	*out = (struct stack_drift){ .functions = { 0 } };
	poll_start(&c.poll, check->watch, pace, READ_TIMEOUT_S);
	rc = check_code(&c, err);
	cfn_resources_release(&c.physical);
	checked_list_release(&c.list);
	if (rc < 0)
		stack_drift_release(out);
	return rc;
}
