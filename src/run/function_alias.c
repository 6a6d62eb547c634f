/* Versions and aliases: what was deployed is published, and an alias moved to it. */
#include "run/function_private.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static int wrap_alias(const struct function_job *j, struct error *err)
{
	return error_wrap(err, "function %s, alias %s", j->options->name,
			  j->options->alias);
}

int function_alias_look(struct function_job *j, struct function_target *out,
			struct error *err)
{
	struct lambda_function at;

	*out = (struct function_target){ .version = NULL };
	if (function_read(j, j->options->alias, &at, err) == 0) {
		*out = (struct function_target){
			.version = at.version,
			.is_current = str_eq(at.code_sha256, j->code->sha256),
		};
		return 0;
	}
	if (err->code != ERR_NOT_FOUND)
		return wrap_alias(j, err);
	return error_set(
		err, ERR_NOT_FOUND,
		"function %s has no alias %s: check `alias` in crc.yml, or create "
		"it first with the tool that owns the function",
		j->options->name, j->options->alias);
}

/* The same code in the same settings is not published again: Lambda answers with the version
 * that there is. */
static int publish(struct function_job *j, struct lambda_function *out, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	const char *version;

	lambda_publish_request(&req, j->options->name, j->code->sha256);
	if (function_send(j, &req, &res, err) < 0) {
		if (strstr(err->msg, "CodeSHA256"))
			err->code = ERR_CONFLICT; /* not ours any more */
		return -1;
	}
	if (lambda_configuration_decode(&res, j->arena, out, err) < 0)
		return -1;
	version = out->version;
	/* A snapshot of a version (SnapStart) takes minutes; until then it does not run. */
	if (str_eq(out->state, "Pending") && function_read(j, version, out, err) < 0)
		return -1;
	if (str_eq(out->state, "Failed"))
		return error_set(err, ERR_SERVICE, "version %s failed: %s", version,
				 out->state_reason);
	return 0;
}

static int point(struct function_job *j, const char *version, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;

	lambda_alias_update_request(&req, j->options->name, j->options->alias, version);
	return function_send(j, &req, &res, err);
}

int function_alias_move(struct function_job *j, const struct function_target *from,
			struct error *err)
{
	struct lambda_function version;

	j->sent = true;
	if (publish(j, &version, err) < 0)
		return wrap_alias(j, err);
	j->out->version = version.version;
	if (str_eq(version.version, from->version))
		return 0;
	if (point(j, version.version, err) < 0)
		return wrap_alias(j, err);
	j->out->moved = true;
	return 0;
}
