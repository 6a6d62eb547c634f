/* drive_backend - does one thing to a function, a stack or the bucket for code, for tests that
 * let run/stack, run/function and run/artifacts meet the local cloud. Pauses take no time: the
 * clock is put forward instead.
 *
 * stdin: one JSON object: do ("function", "stack", "preview", "check", "artifact"), name (of
 * an artifact: its key); region, account, is_default (of its bucket); zip (a file)
 * or bucket and key, sha256, alias; template (text) or url, parameters, declared (array of
 * [name, has a default]), capabilities, recreate; repair; timeout_s, busy_timeout_s;
 * cancel_when (what is told then contains it).
 * stdout: one JSON object: told, changes, and result or error. */
#include <stdio.h>
#include <string.h>

#include "aws/creds.h"
#include "base/mem.h"
#include "codec/json.h"
#include "core/template.h"
#include "io/http_curl.h"
#include "run/artifacts.h"
#include "run/function.h"
#include "run/stack.h"

enum { INPUT_MOST = 8 << 20, ZIP_MOST = 64 << 20, OUTPUT_MOST = 8 << 20 };

extern char **environ;

struct driver {
	const struct json *job;
	struct arena arena;
	struct clock clock;
	int64_t skipped_ms;
	volatile int cancelled;
	struct http *http;
	struct aws_creds *creds;
	struct aws *aws;
	struct progress progress;
	struct watch watch;
	struct str_list told;
	struct resource_list changes;
	struct json_writer *out;
};

/* ---- a clock without pauses ---- */

static int64_t wall_ms(void *ctx)
{
	(void)ctx;
	return clock_wall_ms(clock_real());
}

static int64_t monotonic_ms(void *ctx)
{
	const struct driver *d = ctx;

	return clock_monotonic_ms(clock_real()) + d->skipped_ms;
}

static void sleep_ms(void *ctx, int64_t ms)
{
	struct driver *d = ctx;

	d->skipped_ms += ms;
}

/* ---- the job ---- */

static const char *text(const struct driver *d, const char *key)
{
	return json_str(json_get(d->job, key));
}

static int64_t number(const struct driver *d, const char *key, int64_t otherwise)
{
	int64_t n = otherwise;

	(void)json_int(json_get(d->job, key), &n);
	return n;
}

static bool is_true(const struct driver *d, const char *key)
{
	return json_is_true(json_get(d->job, key));
}

static void on_waiting(void *ctx, const char *line)
{
	struct driver *d = ctx;
	const char *when = text(d, "cancel_when");

	str_list_push(&d->told, arena_strdup(&d->arena, line));
	if (when && strstr(line, when))
		d->cancelled = 1;
}

static void on_changes(void *ctx, const struct resource_list *changes)
{
	struct driver *d = ctx;

	d->changes.len = 0;
	for (size_t i = 0; i < changes->len; i++)
		resource_list_push(&d->changes, changes->items[i]);
}

static int open_cloud(struct driver *d, struct error *err)
{
	struct http_curl_options http = { .clock = &d->clock,
					  .cancelled = &d->cancelled };
	struct creds_options creds = { .env = (const char *const *)(uintptr_t)environ,
				       .clock = &d->clock,
				       .no_metadata = true };
	struct aws_options aws = { .env = creds.env, .clock = &d->clock, .seed = 1 };

	if (http_curl_new(&http, &d->http, err) < 0)
		return -1;
	creds.http = aws.http = d->http;
	if (aws_creds_new(&creds, &d->creds, err) < 0)
		return -1;
	aws.creds = d->creds;
	aws.region = "us-east-1";
	return aws_new(&aws, &d->aws, err);
}

/* ---- what is done ---- */

static int read_zip(const char *path, struct buf *out, struct error *err)
{
	FILE *file = path ? fopen(path, "rb") : NULL;
	size_t n;

	if (!path)
		return 0;
	if (!file || !buf_reserve(out, ZIP_MOST)) {
		if (file)
			fclose(file);
		return error_set(err, ERR_IO, "cannot read %s", path);
	}
	n = fread(out->data, 1, ZIP_MOST, file);
	fclose(file);
	out->len = n;
	return 0;
}

static int do_function(struct driver *d, struct error *err)
{
	CLEANUP(buf) struct buf zip = BUF_INIT(ZIP_MOST + 1);
	struct function_options options = { .watch = &d->watch,
					    .name = text(d, "name"),
					    .alias = text(d, "alias"),
					    .timeout_s = number(d, "timeout_s", 600) };
	struct function_code code = { .bucket = text(d, "bucket"),
				      .key = text(d, "key"),
				      .sha256 = text(d, "sha256") };
	struct function_result result;

	if (read_zip(text(d, "zip"), &zip, err) < 0)
		return -1;
	if (text(d, "zip")) {
		code.zip = zip.data;
		code.len = zip.len;
	}
	if (function_deploy(&options, &code, &d->arena, &result, err) < 0)
		return -1;
	json_member_bool(d->out, "changed", result.changed);
	json_member_bool(d->out, "moved", result.moved);
	json_member(d->out, "version", result.version);
	json_member(d->out, "sha256", result.now.code_sha256);
	return 0;
}

struct wish_lists {
	struct cfn_pairs parameters;
	struct template_parameters declared;
	struct str_list capabilities;
};

static int add_parameter(void *ctx, const char *key, const struct json *value)
{
	struct wish_lists *lists = ctx;

	cfn_pairs_push(&lists->parameters, (struct cfn_pair){ key, json_str(value) });
	return 0;
}

static void read_wish(const struct driver *d, struct wish_lists *lists,
		      struct stack_wish *out)
{
	const struct json *declared = json_get(d->job, "declared");
	const struct json *capabilities = json_get(d->job, "capabilities");

	json_each(json_get(d->job, "parameters"), add_parameter, lists);
	for (size_t i = 0; i < json_len(declared); i++) {
		const struct json *pair = json_at(declared, i);

		template_parameters_push(
			&lists->declared,
			(struct template_parameter){ json_str(json_at(pair, 0)),
						     json_is_true(json_at(pair, 1)) });
	}
	for (size_t i = 0; i < json_len(capabilities); i++)
		str_list_push(&lists->capabilities, json_str(json_at(capabilities, i)));
	*out = (struct stack_wish){
		.text = text(d, "template"),
		.url = text(d, "url"),
		.parameters = lists->parameters.items,
		.n_parameters = lists->parameters.len,
		.declared = &lists->declared,
		.capabilities = lists->capabilities.items,
		.n_capabilities = lists->capabilities.len,
	};
}

static void print_list(struct driver *d, const char *key, const struct str_list *list)
{
	json_key(d->out, key);
	json_open(d->out, '[');
	for (size_t i = 0; i < list->len; i++)
		json_put_str(d->out, list->items[i]);
	json_close(d->out, ']');
}

static int deploy_stack(struct driver *d, const struct stack_options *options,
			const struct stack_wish *wish, struct error *err)
{
	struct stack_result result;

	if (stack_deploy(options, wish, &d->arena, &result, err) < 0)
		return -1;
	json_member_bool(d->out, "created", result.created);
	json_member_bool(d->out, "changed", result.changed);
	json_member(d->out, "status", result.stack.status);
	json_key(d->out, "outputs");
	json_open(d->out, '{');
	for (size_t i = 0; i < result.stack.outputs.len; i++)
		json_member(d->out, result.stack.outputs.items[i].key,
			    result.stack.outputs.items[i].value);
	json_close(d->out, '}');
	print_list(d, "notes", &result.notes);
	stack_result_release(&result);
	return 0;
}

static int do_stack(struct driver *d, struct error *err)
{
	struct stack_options options = {
		.watch = &d->watch,
		.name = text(d, "name"),
		.recreate = is_true(d, "recreate"),
		.busy_timeout_s = number(d, "busy_timeout_s", 600),
		.timeout_s = number(d, "timeout_s", 3600),
		.changes = on_changes,
		.ctx = d,
	};
	struct wish_lists lists = { .parameters = { 0 } };
	struct stack_wish wish;
	int rc;

	read_wish(d, &lists, &wish);
	if (str_eq(text(d, "do"), "preview"))
		rc = stack_preview(&options, &wish, &d->arena, &d->changes, err);
	else
		rc = deploy_stack(d, &options, &wish, err);
	cfn_pairs_release(&lists.parameters);
	template_parameters_release(&lists.declared);
	str_list_release(&lists.capabilities);
	return rc;
}

static int do_check(struct driver *d, struct error *err)
{
	struct stack_code code = { text(d, "bucket"), text(d, "key"), text(d, "sha256") };
	struct stack_check check = { .watch = &d->watch,
				     .stack = text(d, "name"),
				     .codes = &code,
				     .n = 1,
				     .repair = is_true(d, "repair"),
				     .timeout_s = 600 };
	struct stack_drift drift;

	if (stack_check_code(&check, &d->arena, &drift, err) < 0)
		return -1;
	print_list(d, "functions", &drift.functions);
	print_list(d, "notes", &drift.notes);
	stack_drift_release(&drift);
	return 0;
}

/* Looks, writes unless it is there, looks again. */
static int do_artifact(struct driver *d, struct error *err)
{
	const struct artifacts a = { .watch = &d->watch,
				     .bucket = text(d, "bucket"),
				     .region = text(d, "region"),
				     .account = text(d, "account"),
				     .is_default = is_true(d, "is_default") };
	CLEANUP(buf) struct buf zip = BUF_INIT(ZIP_MOST);
	const char *sha256;

	if (read_zip(text(d, "zip"), &zip, err) < 0 ||
	    artifacts_find(&a, text(d, "name"), &d->arena, &sha256, err) < 0)
		return -1;
	json_member(d->out, "before", sha256);
	if (artifacts_put(&a, text(d, "name"), zip.data, zip.len, err) < 0 ||
	    artifacts_find(&a, text(d, "name"), &d->arena, &sha256, err) < 0)
		return -1;
	json_member(d->out, "after", sha256);
	json_member(d->out, "url", artifacts_url(&a, text(d, "name"), &d->arena));
	return 0;
}

static int work(struct driver *d, struct error *err)
{
	const char *what = text(d, "do");

	if (open_cloud(d, err) < 0)
		return -1;
	d->progress = (struct progress){ .ctx = d, .waiting = on_waiting };
	d->watch = (struct watch){ .aws = d->aws, .progress = &d->progress };
	if (str_eq(what, "function"))
		return do_function(d, err);
	if (str_eq(what, "check"))
		return do_check(d, err);
	if (str_eq(what, "artifact"))
		return do_artifact(d, err);
	return do_stack(d, err);
}

static void print_changes(struct driver *d)
{
	json_key(d->out, "changes");
	json_open(d->out, '[');
	for (size_t i = 0; i < d->changes.len; i++) {
		const struct resource_change *c = &d->changes.items[i];

		json_open(d->out, '{');
		json_member(d->out, "action", c->action);
		json_member(d->out, "name", c->name);
		json_member(d->out, "type", c->type);
		json_member(d->out, "replacement", c->replacement);
		json_close(d->out, '}');
	}
	json_close(d->out, ']');
}

static void drive(struct driver *d)
{
	CLEANUP(buf) struct buf text_out = BUF_INIT(OUTPUT_MOST);
	struct json_writer out = JSON_WRITER_INIT(&text_out);
	struct error err = ERROR_INIT;

	d->out = &out;
	d->clock = (struct clock){ wall_ms, monotonic_ms, sleep_ms, d };
	json_open(&out, '{');
	if (work(d, &err) < 0) {
		json_member(&out, "error", error_code_name(err.code));
		json_member(&out, "message", err.msg);
	}
	print_changes(d);
	print_list(d, "told", &d->told);
	json_member_int(&out, "skipped_ms", d->skipped_ms);
	json_close(&out, '}');
	puts(text_out.data);
	aws_free(d->aws);
	aws_creds_free(d->creds);
	http_free(d->http);
	str_list_release(&d->told);
	resource_list_release(&d->changes);
	arena_release(&d->arena);
}

int main(void)
{
	CLEANUP(buf) struct buf input = BUF_INIT(INPUT_MOST);
	CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;
	struct error err = ERROR_INIT;
	struct driver d = { .job = NULL };
	char chunk[4096];
	size_t n;

	while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
		buf_add(&input, chunk, n);
	if (json_parse(input.data, input.len, &doc, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return 2;
	}
	d.job = json_root(doc);
	drive(&d);
	return 0;
}
