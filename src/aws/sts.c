#include "aws/sts.h"

#include <stdio.h>
#include <string.h>

#include "aws/creds_providers.h"
#include "base/str.h"
#include "codec/url.h"
#include "codec/xml.h"

enum { FORM_BYTES = 256 << 10 };

static void form_add(struct buf *form, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(form, "&%s=", name);
	url_encode_query(value, strlen(value), form);
}

static void form_start(struct buf *form, const char *action)
{
	buf_printf(form, "Action=%s&Version=2011-06-15", action);
}

struct question {
	const char *operation;
	const struct buf *form;
	bool anonymous; /* not signed: the form holds a token */
};

/* Sends a form and parses the answer into res's arena. */
static int post(struct aws *aws, const struct question *q, struct http_response *res,
		const struct xml_node **root, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;

	if (buf_check(q->form, q->operation, err) < 0)
		return -1;
	req.service = AWS_STS;
	req.operation = q->operation;
	req.method = "POST";
	req.anonymous = q->anonymous;
	req.timeout_ms = 15000;
	req.max_response = 1 << 20;
	req.body.bytes = q->form->data;
	req.body.len = (int64_t)q->form->len;
	aws_request_header(&req, "Content-Type",
			   "application/x-www-form-urlencoded; charset=utf-8");
	if (aws_send(aws, &req, res, err) < 0)
		return -1;
	if (xml_parse(res->body.data, res->body.len, &res->arena, root, err) < 0)
		return error_wrap(err, "STS's answer");
	return 0;
}

static int take_keys(const struct xml_node *result, struct aws_keys *out,
		     struct error *err)
{
	const struct xml_node *keys = xml_child(result, "Credentials");
	const char *id = xml_get(keys, "AccessKeyId");
	const char *key = xml_get(keys, "SecretAccessKey");
	const char *token = xml_get(keys, "SessionToken");

	if (str_empty(id) || str_empty(key) || str_empty(token) ||
	    !creds_time_parse(xml_get(keys, "Expiration"), &out->expires_ms))
		return error_set(err, ERR_CREDENTIALS, "STS answers without whole keys");
	secret_set_str(&out->id, id);
	secret_set_str(&out->key, key);
	secret_set_str(&out->token, token);
	return 0;
}

static void role_form(const struct sts_role *role, const char *action, struct buf *form)
{
	char duration[24];

	form_start(form, action);
	form_add(form, "RoleArn", role->arn);
	form_add(form, "RoleSessionName", role->session);
	form_add(form, "ExternalId", role->external_id);
	snprintf(duration, sizeof(duration), "%lld", (long long)role->duration_s);
	form_add(form, "DurationSeconds", role->duration_s ? duration : NULL);
}

/* Denials are the answers that people meet first; what to look at depends on how. */
static int explain(const struct sts_role *role, const char *advice, struct error *err)
{
	char told[ERROR_MSG_MAX];

	if (err->code != ERR_FORBIDDEN && err->code != ERR_CREDENTIALS &&
	    !str_eq(err->service_code, "InvalidIdentityToken"))
		return -1;
	err->code = ERR_CREDENTIALS;
	if (advice && (str_eq(err->service_code, "AccessDenied") ||
		       str_eq(err->service_code, "InvalidIdentityToken"))) {
		memcpy(told, err->msg, sizeof(told));
		snprintf(err->msg, sizeof(err->msg), "%.400s; %s", told, advice);
	}
	return error_wrap(err, "assume %.200s", role->arn);
}

int sts_assume_role(struct aws *aws, const struct sts_role *role, struct aws_keys *out,
		    struct error *err)
{
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	CLEANUP(buf) struct buf form = BUF_INIT(FORM_BYTES);
	const struct question q = { .operation = "AssumeRole", .form = &form };
	const struct xml_node *root;

	role_form(role, q.operation, &form);
	if (post(aws, &q, &res, &root, err) < 0)
		return explain(role, NULL, err);
	if (take_keys(xml_child(root, "AssumeRoleResult"), out, err) < 0)
		return -1;
	creds_wipe_response(&res);
	return 0;
}

/* docs.github.com/actions/reference/security/oidc: the subject names the repository; since
 * 2026 also by the ids of owner and repository, so that a trust policy outlives neither. */
static const char subject_advice[] =
	"the role's trust policy must allow sts:AssumeRoleWithWebIdentity for the provider "
	"token.actions.githubusercontent.com with aud sts.amazonaws.com and this job's sub: "
	"repo:ORG/REPO:ref:refs/heads/main (or :environment:NAME for a job with an "
	"environment); repositories with immutable subjects send "
	"repo:ORG@ID/REPO@ID:ref:refs/heads/main instead";

int sts_assume_role_with_token(struct aws *aws, const struct sts_role *role,
			       const struct secret *token, struct aws_keys *out,
			       struct error *err)
{
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct buf form = BUF_INIT(FORM_BYTES);
	const struct question q = { .operation = "AssumeRoleWithWebIdentity",
				    .form = &form,
				    .anonymous = true };
	const struct xml_node *root;
	int result;

	role_form(role, q.operation, &form);
	form_add(&form, "WebIdentityToken", secret_bytes(token));
	result = post(aws, &q, &res, &root, err);
	secret_wipe(form.data, form.len);
	buf_release(&form);
	if (result < 0)
		return explain(role, subject_advice, err);
	if (take_keys(xml_child(root, "AssumeRoleWithWebIdentityResult"), out, err) < 0)
		return -1;
	creds_wipe_response(&res);
	return 0;
}

int sts_caller_identity(struct aws *aws, struct sts_identity *out, struct error *err)
{
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	CLEANUP(buf) struct buf form = BUF_INIT(FORM_BYTES);
	const struct question q = { .operation = "GetCallerIdentity", .form = &form };
	const struct xml_node *root;
	const char *account, *arn;

	form_start(&form, q.operation);
	if (post(aws, &q, &res, &root, err) < 0)
		return -1;
	root = xml_child(root, "GetCallerIdentityResult");
	account = xml_get(root, "Account");
	arn = xml_get(root, "Arn");
	if (str_empty(account) || str_empty(arn) ||
	    !str_copy(out->account, sizeof(out->account), account) ||
	    !str_copy(out->arn, sizeof(out->arn), arn))
		return error_set(err, ERR_DATA, "STS answers without an identity");
	return 0;
}
