/* A change set: making it, and executing it. */
#include "run/stack_private.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "codec/encode.h"
#include "io/random.h"

static const struct poll_pace pace = { .first_ms = 200, .most_ms = 2000 };

enum {
	EXECUTE_TRIES = 5,
	APPEARS_S = 5, /* a set that was made may not be found at once */
	PAGES_MOST = 100
};

/* ---- what errors mean ---- */

/* The stack is not what it was when we looked. */
static bool has_moved(const struct error *err)
{
	static const char *const signs[] = { "state and can not be", "does not exist",
					     "already exists and cannot be created" };

	if (!str_eq(err->service_code, "ValidationError") || !strstr(err->msg, "Stack"))
		return false;
	for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++)
		if (strstr(err->msg, signs[i]))
			return true;
	return false;
}

/* "Requires capabilities : [CAPABILITY_NAMED_IAM]" */
static int tell_capabilities(const struct stack_job *j, const char *words,
			     struct error *err)
{
	const char *from = strchr(words, '[');
	const char *to = from ? strchr(from, ']') : NULL;

	if (!to)
		return error_set(err, ERR_CONFIG,
				 "stack %s: %s: name them under `capabilities` of the "
				 "backend in crc.yml",
				 j->options->name, words);
	return error_set(err, ERR_CONFIG,
			 "stack %s: the template needs to be allowed more: write "
			 "`capabilities: %.*s` to the backend in crc.yml",
			 j->options->name, (int)(to - from + 1), from);
}

static int tell_refusal(const struct stack_job *j, struct error *err)
{
	struct error told = *err;

	if (str_eq(err->service_code, "InsufficientCapabilitiesException"))
		return tell_capabilities(j, told.msg, err);
	if (str_eq(err->service_code, "ValidationError"))
		err->code = ERR_CONFIG;
	return error_wrap(err, "stack %s", j->options->name);
}

/* ---- making ---- */

static int new_name(struct stack_job *j, struct error *err)
{
	unsigned char bytes[(STACK_SET_SIZE - 5) / 2];

	if (random_bytes(bytes, sizeof(bytes), err) < 0)
		return -1;
	memcpy(j->set, "crc-", 4);
	encode_hex(bytes, sizeof(bytes), j->set + 4);
	return 0;
}

static int send_create(struct stack_job *j, struct poll *p, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	CLEANUP(stack_set_lists) struct stack_set_lists lists = { 0 };
	struct cfn_change_set set;
	const char *id;

	if (stack_set_fill(j, &lists, &set, err) < 0)
		return -1;
	cfn_change_set_create_request(&req, &set);
	j->has_set = true;
	j->has_shell = j->create && !j->exists;
	if (poll_send(p, &req, POLL_THROTTLED, &res, err) == 0)
		return cfn_change_set_create_decode(&res, j->arena, &id, &j->stack_id,
						    err) < 0
			       ? error_wrap(err, "stack %s", j->options->name)
			       : 1;
	/* Nobody else has such a name: an answer was lost. */
	if (str_eq(err->service_code, "AlreadyExistsException")) {
		error_clear(err);
		return 1;
	}
	return has_moved(err) ? 0 : tell_refusal(j, err);
}

static int describe(struct stack_job *j, struct poll *p,
		    struct cfn_change_set_status *out, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;

	cfn_change_set_describe_request(&req, j->set, out->next);
	cfn_change_set_of(&req, j->stack_id ? j->stack_id : j->options->name);
	if (poll_send(p, &req, POLL_ANYTHING, &res, err) < 0)
		return -1;
	return cfn_change_set_describe_decode(&res, j->arena, out, err);
}

static bool is_in_the_making(const struct cfn_change_set_status *s)
{
	return str_ends(s->status, "_PENDING") || str_ends(s->status, "_IN_PROGRESS");
}

/* 0: somebody has deleted it, as the execution of another set does. */
static int await_set(struct stack_job *j, struct poll *p,
		     struct cfn_change_set_status *out, struct error *err)
{
	for (;;) {
		if (describe(j, p, out, err) == 0) {
			if (!is_in_the_making(out))
				return 1;
			cfn_change_set_status_release(out);
		} else if (!stack_is_missing(err)) {
			return error_wrap(err, "stack %s", j->options->name);
		} else if (poll_elapsed_s(p) >= APPEARS_S) {
			return 0;
		}
		error_clear(err);
		if (poll_is_over(p))
			return error_set(err, ERR_TIMEOUT,
					 "stack %s: its change set is not made after "
					 "%" PRId64 " s",
					 j->options->name, poll_elapsed_s(p));
		watch_tell(j->options->watch,
			   "stack %s: CloudFormation works out what changes",
			   j->options->name);
		if (poll_wait(p, err) < 0)
			return -1;
	}
}

static int read_pages(struct stack_job *j, struct poll *p,
		      struct cfn_change_set_status *out, struct error *err)
{
	for (int i = 0; out->next && i < PAGES_MOST; i++)
		if (describe(j, p, out, err) < 0)
			return error_wrap(err, "stack %s", j->options->name);
	return 1;
}

/* Words of a failed set that are not about what the user wrote. */
static const struct {
	const char *words;
	enum error_code code;
} blames[] = {
	{ "not authorized", ERR_FORBIDDEN }, { "Access Denied", ERR_FORBIDDEN },
	{ "AccessDenied", ERR_FORBIDDEN },   { "Internal Failure", ERR_SERVICE },
	{ "Internal error", ERR_SERVICE },
};

static void print_findings(const struct cfn_findings *findings, struct buf *out)
{
	for (size_t i = 0; i < findings->len; i++) {
		const struct cfn_finding *f = &findings->items[i];

		buf_printf(out, "; %s%s%.300s%s%.200s", f->logical_id,
			   *f->logical_id ? ": " : "", f->reason, *f->path ? ", at " : "",
			   f->path);
	}
}

/* Validations before a set is made say what they found only in its events. */
static void add_findings(struct stack_job *j, struct poll *p,
			 const struct cfn_change_set_status *s, struct buf *out)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	CLEANUP(cfn_findings) struct cfn_findings findings = { 0 };
	struct error ignored = ERROR_INIT; /* the set's reason says that it failed */

	if (!strstr(s->reason, "DescribeEvents"))
		return;
	cfn_findings_request(&req, j->set);
	cfn_change_set_of(&req, j->stack_id ? j->stack_id : j->options->name);
	if (poll_send(p, &req, POLL_THROTTLED, &res, &ignored) == 0 &&
	    cfn_findings_decode(&res, j->arena, &findings, &ignored) == 0)
		print_findings(&findings, out);
}

/* 0: it failed for nobody's fault. */
static int judge_failure(struct stack_job *j, struct poll *p,
			 const struct cfn_change_set_status *s, struct error *err)
{
	CLEANUP(buf) struct buf findings = BUF_INIT(ERROR_MSG_MAX);
	enum error_code code = ERR_CONFIG;

	if (strstr(s->reason, "Rate exceeded")) {
		j->throttled = true;
		return 0;
	}
	if (strstr(s->reason, "Requires capabilities"))
		return tell_capabilities(j, s->reason, err);
	for (size_t i = 0; i < sizeof(blames) / sizeof(*blames); i++)
		if (strstr(s->reason, blames[i].words))
			code = blames[i].code;
	add_findings(j, p, s, &findings);
	return error_set(err, code, "stack %s: the change set failed: %s%s",
			 j->options->name,
			 *s->reason ? s->reason : "CloudFormation does not say why",
			 findings.data);
}

int stack_set_make(struct stack_job *j, struct cfn_change_set_status *out,
		   struct error *err)
{
	struct poll poll;
	int rc;

	if (new_name(j, err) < 0)
		return -1;
	poll_start(&poll, j->options->watch, pace, j->options->timeout_s);
	j->stack_id = NULL;
	rc = send_create(j, &poll, err);
	if (rc == 1)
		rc = await_set(j, &poll, out, err);
	if (rc < 1 || cfn_change_set_is_empty(out))
		return rc;
	if (!str_eq(out->status, "CREATE_COMPLETE"))
		return judge_failure(j, &poll, out, err);
	return read_pages(j, &poll, out, err);
}

/* ---- executing ---- */

static int send_execute(struct stack_job *j, struct poll *p, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;

	cfn_change_set_execute_request(&req, j->set, j->set);
	cfn_change_set_of(&req, j->stack_id ? j->stack_id : j->options->name);
	return poll_send(p, &req, POLL_THROTTLED, &res, err);
}

enum fate {
	FATE_EXECUTED,
	FATE_READY, /* the request was lost */
	FATE_STALE  /* it cannot be executed any more */
};

static int look_at_fate(struct stack_job *j, struct poll *p, enum fate *out,
			struct error *err)
{
	struct cfn_change_set_status s = { .status = NULL };
	int rc = describe(j, p, &s, err);

	*out = FATE_STALE;
	if (rc < 0 && stack_is_missing(err))
		rc = 0;
	else if (rc == 0 && str_starts(s.execution, "EXECUTE_"))
		*out = FATE_EXECUTED;
	else if (rc == 0 && str_eq(s.execution, "AVAILABLE"))
		*out = FATE_READY;
	cfn_change_set_status_release(&s);
	return rc;
}

/* Whether it is to be seen what came of an execution that was refused or not answered. */
static bool is_undecided(const struct error *err)
{
	return err->code == ERR_NETWORK || err->code == ERR_TIMEOUT ||
	       err->http_status >= 500 || stack_is_missing(err) || has_moved(err) ||
	       str_eq(err->service_code, "InvalidChangeSetStatus");
}

static int execute_once(struct stack_job *j, struct poll *p, enum fate *fate,
			struct error *err)
{
	bool refused;

	*fate = FATE_EXECUTED;
	if (send_execute(j, p, err) == 0 ||
	    str_eq(err->service_code, "TokenAlreadyExistsException"))
		return 0;
	if (!is_undecided(err))
		return tell_refusal(j, err);
	refused = err->http_status / 100 == 4;
	if (look_at_fate(j, p, fate, err) < 0)
		return error_wrap(err, "stack %s", j->options->name);
	/* It could be executed, but not now: another change has come between. */
	if (*fate == FATE_READY && refused)
		*fate = FATE_STALE;
	return 0;
}

int stack_set_execute(struct stack_job *j, struct error *err)
{
	enum fate fate = FATE_READY;
	struct poll poll;

	poll_start(&poll, j->options->watch, pace, j->options->timeout_s);
	for (int i = 0; fate == FATE_READY; i++) {
		if (i == EXECUTE_TRIES)
			return error_wrap(err, "stack %s", j->options->name);
		if (i > 0 && poll_wait(&poll, err) < 0)
			return -1;
		if (execute_once(j, &poll, &fate, err) < 0)
			return -1;
	}
	error_clear(err);
	if (fate == FATE_STALE)
		return 0;
	j->has_set = j->has_shell = false;
	return 1;
}
