#include "run/function.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "run/function_private.h"

enum {
	ROUNDS = 5, /* how often it is compared and sent while others change it, too */
	COLONS_NAME = 0,
	COLONS_PARTIAL = 2, /* ACCOUNT:function:NAME */
	COLONS_ARN = 6      /* arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME */
};

static const struct poll_pace pace = { .first_ms = 200, .most_ms = 3000 };

/* ---- asking ---- */

int function_pause(struct function_job *j, const char *why, struct error *err)
{
	if (poll_is_over(&j->poll))
		return error_set(err, ERR_TIMEOUT,
				 "function %s: %s, for %" PRId64
				 " s now; run again later",
				 j->options->name, why, poll_elapsed_s(&j->poll));
	watch_tell(j->options->watch, "function %s: %s", j->options->name, why);
	return poll_wait(&j->poll, err);
}

static const char *region_of(const struct function_job *j)
{
	return *j->region ? j->region : NULL;
}

int function_send(struct function_job *j, struct aws_request *req,
		  struct http_response *res, struct error *err)
{
	req->region = region_of(j);
	for (;;) {
		if (poll_send(&j->poll, req, j->sent ? POLL_ANYTHING : POLL_THROTTLED,
			      res, err) == 0)
			return 0;
		if (!lambda_is_busy_error(err))
			return -1;
		if (function_pause(j, "somebody else is changing it: waiting", err) < 0)
			return -1;
		error_clear(err);
	}
}

static int read_once(struct function_job *j, const char *qualifier,
		     struct lambda_function *now, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;

	lambda_get_request(&req, j->options->name);
	if (qualifier)
		aws_request_param(&req, "Qualifier", qualifier);
	if (function_send(j, &req, &res, err) < 0)
		return -1;
	return lambda_get_decode(&res, j->arena, now, err);
}

static bool is_busy(const struct lambda_function *f)
{
	return str_eq(f->state, "Pending") || str_eq(f->update, "InProgress");
}

int function_read(struct function_job *j, const char *qualifier,
		  struct lambda_function *now, struct error *err)
{
	for (;;) {
		if (read_once(j, qualifier, now, err) < 0)
			return -1;
		if (!is_busy(now))
			return 0;
		if (function_pause(j,
				   j->sent ? "Lambda is taking the new code in"
					   : "somebody else is changing it: waiting",
				   err) < 0)
			return -1;
	}
}

static int read_function(struct function_job *j, struct lambda_function *now,
			 struct error *err)
{
	if (function_read(j, NULL, now, err) == 0)
		return 0;
	if (err->code != ERR_NOT_FOUND)
		return error_wrap(err, "function %s", j->options->name);
	return error_set(err, ERR_NOT_FOUND,
			 "function %s is not in region %s: check `function` in crc.yml, "
			 "or create it first with the tool that owns it",
			 j->options->name, j->region);
}

/* ---- its code ---- */

static bool has_code(const struct function_job *j, const struct lambda_function *f)
{
	return str_eq(f->code_sha256, j->code->sha256);
}

/* Lambda's words about code that it cannot use. */
static bool is_bad_code(const struct error *err)
{
	return err->code == ERR_TOO_BIG ||
	       (str_eq(err->service_code, "InvalidParameterValueException") &&
		(strstr(err->msg, "unzip") || strstr(err->msg, "Unzipped size")));
}

/* Whether an update that was refused or lost is to be judged by what is there now. */
static bool is_undecided(const struct error *err)
{
	return err->code == ERR_CONDITION || err->code == ERR_NETWORK ||
	       err->code == ERR_TIMEOUT || err->http_status >= 500;
}

static int take_answer(struct function_job *j, const struct http_response *res,
		       struct error *err)
{
	struct lambda_function told;

	if (lambda_configuration_decode(res, j->arena, &told, err) < 0)
		return -1;
	if (!has_code(j, &told))
		return error_set(err, ERR_DATA, "other code has arrived than was sent");
	return 0;
}

/* 1: Lambda has taken it; 0: it is to be seen what came of it, and *err says why. */
static int send_code(struct function_job *j, const struct lambda_function *seen,
		     struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	const struct lambda_code code = {
		.zip = j->code->zip,
		.len = j->code->len,
		.bucket = j->code->bucket,
		.key = j->code->key,
		.revision = *seen->revision ? seen->revision : NULL,
	};

	if (lambda_update_request(&req, j->options->name, &code, err) < 0)
		return -1;
	req.region = region_of(j);
	j->sent = true;
	if (poll_send(&j->poll, &req, POLL_THROTTLED, &res, err) == 0) {
		/* Others have been waited for; now it is for the update. */
		poll_start(&j->poll, j->options->watch, pace, j->options->timeout_s);
		return take_answer(j, &res, err) < 0 ? -1 : 1;
	}
	if (is_bad_code(err))
		err->code = ERR_CONFIG;
	return is_undecided(err) || lambda_is_busy_error(err) ? 0 : -1;
}

static int check_kind(const struct function_job *j, const struct lambda_function *f,
		      struct error *err)
{
	if (str_eq(f->package_type, "Image"))
		return error_set(err, ERR_CONFIG,
				 "function %s runs a container image; crc deploys zip "
				 "archives only",
				 j->options->name);
	return 0;
}

static int tell_failure(const struct function_job *j, const struct lambda_function *f,
			struct error *err)
{
	const char *code = f->update_reason_code;

	return error_set(
		err, ERR_SERVICE,
		"function %s: the update failed%s%s: %s (it goes on running the code "
		"from before)",
		j->options->name, *code ? ", " : "", code,
		*f->update_reason ? f->update_reason : "Lambda does not say why");
}

static int tell_contest(const struct function_job *j, struct error *err)
{
	if (err->code == ERR_NONE || err->code == ERR_CONDITION ||
	    lambda_is_busy_error(err))
		return error_set(err, ERR_CONFLICT,
				 "function %s: somebody else changes it as often as its "
				 "code is sent; run again when they have done",
				 j->options->name);
	return error_wrap(err, "function %s", j->options->name);
}

/* Compares and sends until it is there. */
static int put_code(struct function_job *j, struct lambda_function *now,
		    struct error *err)
{
	bool accepted = false;

	for (int round = 0;; round++) {
		bool failed = str_eq(now->update, "Failed");
		int taken;

		if (failed && accepted)
			return tell_failure(j, now, err);
		if (has_code(j, now) && !failed)
			break;
		if (round == ROUNDS)
			return tell_contest(j, err);
		error_clear(err);
		j->out->changed = true;
		taken = send_code(j, now, err);
		if (taken < 0)
			return error_wrap(err, "function %s", j->options->name);
		accepted = taken == 1;
		j->out->goes_on = accepted;
		if (read_function(j, now, err) < 0)
			return -1;
		j->out->goes_on = false;
	}
	error_clear(err);
	return 0;
}

/* ---- all of it ---- */

static size_t count_colons(const char *name)
{
	size_t n = 0;

	for (; *name; name++)
		n += *name == ':';
	return n;
}

/* The region of an ARN; otherwise the client's. A qualifier is refused: only what is not
 * published has code that can change. */
static int read_name(struct function_job *j, struct error *err)
{
	const char *name = j->options->name;
	size_t colons = count_colons(name);
	const char *region = name;

	j->region = aws_region(j->options->watch->aws);
	if (colons == COLONS_NAME || colons == COLONS_PARTIAL)
		return 0;
	if (colons != COLONS_ARN || !str_starts(name, "arn:"))
		return error_set(err, ERR_CONFIG,
				 "%s is no function's name or ARN (a version or an alias "
				 "behind it cannot get code: name it under `alias`)",
				 name);
	for (int i = 0; i < 3; i++)
		region = strchr(region, ':') + 1;
	j->region = arena_strndup(j->arena, region, strcspn(region, ":"));
	return 0;
}

static int deploy(struct function_job *j, struct error *err)
{
	struct lambda_function *now = &j->out->now;
	struct function_target target = { .version = NULL };

	if (read_name(j, err) < 0 || read_function(j, now, err) < 0 ||
	    check_kind(j, now, err) < 0)
		return -1;
	/* Before anything is changed: one that is missing is found out now. */
	if (j->options->alias && function_alias_look(j, &target, err) < 0)
		return -1;
	if (put_code(j, now, err) < 0)
		return -1;
	j->out->version = target.version;
	if (!j->options->alias || target.is_current)
		return 0;
	return function_alias_move(j, &target, err);
}

int function_deploy(const struct function_options *options,
		    const struct function_code *code, struct arena *arena,
		    struct function_result *out, struct error *err)
{
	struct function_job job = {
		.options = options,
		.code = code,
		.arena = arena,
		.out = out,
	};

	*out = (struct function_result){ .changed = false };
	poll_start(&job.poll, options->watch, pace, options->timeout_s);
	return deploy(&job, err);
}
