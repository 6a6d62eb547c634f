#include "aws/cloudformation.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "codec/url.h"
#include "codec/xml.h"

/* More than all that can be put in triples to when it is encoded: a template and settings of
 * 1 MiB each, and the tags of an answer of 64 MiB. */
enum { FORM_BYTES = 256 << 20 };

/* Requests: the query protocol, a form with an action in it. */

static void form_add(struct buf *form, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(form, "%s%s=", form->len ? "&" : "", name);
	url_encode_query(value, strlen(value), form);
}

static void form_add_at(struct buf *form, const char *list, size_t i, const char *member,
			const char *value)
{
	CLEANUP(buf) struct buf name = BUF_INIT(256);

	buf_printf(&name, "%s.member.%zu%s%s", list, i + 1, member ? "." : "",
		   member ? member : "");
	form_add(form, name.data, value);
}

static void start(struct buf *form, const char *action)
{
	form_add(form, "Action", action);
	form_add(form, "Version", "2010-05-15");
}

static void finish(struct aws_request *req, const char *action, const struct buf *form)
{
	assert(!form->overflowed);
	req->service = AWS_CLOUDFORMATION;
	req->operation = action;
	req->method = "POST";
	req->body.bytes = arena_memdup(&req->arena, form->data, form->len);
	req->body.len = (int64_t)form->len;
	aws_request_header(req, "Content-Type",
			   "application/x-www-form-urlencoded; charset=utf-8");
}

/* An action with up to two parameters; a NULL value is left out. */
static void simple(struct aws_request *req, const char *action, struct cfn_pair first,
		   struct cfn_pair second)
{
	CLEANUP(buf) struct buf form = BUF_INIT(FORM_BYTES);

	start(&form, action);
	form_add(&form, first.key, first.value);
	form_add(&form, second.key, second.value);
	finish(req, action, &form);
}

#define PAIR(name, text) ((struct cfn_pair){ name, text })
#define NO_PAIR          PAIR("", NULL)

void cfn_stack_request(struct aws_request *req, const char *name)
{
	simple(req, "DescribeStacks", PAIR("StackName", name), NO_PAIR);
}

void cfn_template_request(struct aws_request *req, const char *stack)
{
	simple(req, "GetTemplate", PAIR("StackName", stack),
	       PAIR("TemplateStage", "Original"));
}

void cfn_processed_template_request(struct aws_request *req, const char *stack)
{
	simple(req, "GetTemplate", PAIR("StackName", stack),
	       PAIR("TemplateStage", "Processed"));
}

void cfn_resources_request(struct aws_request *req, const char *stack, const char *next)
{
	simple(req, "ListStackResources", PAIR("StackName", stack),
	       PAIR("NextToken", next));
}

void cfn_change_set_describe_request(struct aws_request *req, const char *id,
				     const char *next)
{
	simple(req, "DescribeChangeSet", PAIR("ChangeSetName", id),
	       PAIR("NextToken", next));
}

void cfn_change_set_delete_request(struct aws_request *req, const char *id)
{
	simple(req, "DeleteChangeSet", PAIR("ChangeSetName", id), NO_PAIR);
}

void cfn_stack_delete_request(struct aws_request *req, const char *stack)
{
	simple(req, "DeleteStack", PAIR("StackName", stack), NO_PAIR);
}

void cfn_events_request(struct aws_request *req, const char *stack, const char *next)
{
	simple(req, "DescribeStackEvents", PAIR("StackName", stack),
	       PAIR("NextToken", next));
}

void cfn_change_sets_request(struct aws_request *req, const char *stack)
{
	simple(req, "ListChangeSets", PAIR("StackName", stack), NO_PAIR);
}

void cfn_findings_request(struct aws_request *req, const char *id)
{
	simple(req, "DescribeEvents", PAIR("ChangeSetName", id),
	       PAIR("Filters.FailedEvents", "true"));
}

void cfn_change_set_of(struct aws_request *req, const char *stack)
{
	CLEANUP(buf) struct buf form = BUF_INIT(FORM_BYTES);

	buf_add(&form, req->body.bytes, (size_t)req->body.len);
	form_add(&form, "StackName", stack);
	req->body.bytes = arena_memdup(&req->arena, form.data, form.len);
	req->body.len = (int64_t)form.len;
}

void cfn_change_set_execute_request(struct aws_request *req, const char *id,
				    const char *token)
{
	CLEANUP(buf) struct buf form = BUF_INIT(FORM_BYTES);

	start(&form, "ExecuteChangeSet");
	form_add(&form, "ChangeSetName", id);
	form_add(&form, "ClientRequestToken", token);
	form_add(&form, "DisableRollback", "false");
	finish(req, "ExecuteChangeSet", &form);
	req->once = !token;
}

void cfn_change_set_create_request(struct aws_request *req,
				   const struct cfn_change_set *set)
{
	CLEANUP(buf) struct buf form = BUF_INIT(FORM_BYTES);

	start(&form, "CreateChangeSet");
	form_add(&form, "StackName", set->stack);
	form_add(&form, "ChangeSetName", set->name);
	form_add(&form, "ClientToken", set->token);
	form_add(&form, "ChangeSetType", set->create ? "CREATE" : "UPDATE");
	form_add(&form, "TemplateBody", set->template_body);
	form_add(&form, "TemplateURL", set->template_url);
	for (size_t i = 0; i < set->n_parameters; i++) {
		const struct cfn_pair *p = &set->parameters[i];

		form_add_at(&form, "Parameters", i, "ParameterKey", p->key);
		form_add_at(&form, "Parameters", i, "ParameterValue", p->value);
		form_add_at(&form, "Parameters", i, "UsePreviousValue",
			    p->value ? NULL : "true");
	}
	for (size_t i = 0; i < set->n_tags; i++) {
		form_add_at(&form, "Tags", i, "Key", set->tags[i].key);
		form_add_at(&form, "Tags", i, "Value", set->tags[i].value);
	}
	for (size_t i = 0; i < set->n_capabilities; i++)
		form_add_at(&form, "Capabilities", i, NULL, set->capabilities[i]);
	finish(req, "CreateChangeSet", &form);
	/* Without a token, a retry is told that the set exists already. */
	req->once = !set->token;
}

/* Answers */

/* The element that holds an action's result: <XResponse><XResult>. */
static int result_of(const struct http_response *res, struct arena *arena,
		     const char *action, const struct xml_node **out, struct error *err)
{
	CLEANUP(buf) struct buf name = BUF_INIT(128);
	const struct xml_node *root;

	*out = NULL;
	if (xml_parse(res->body.data, res->body.len, arena, &root, err) < 0)
		return error_wrap(err, "%s", action);
	buf_printf(&name, "%sResult", action);
	*out = xml_child(root, name.data);
	if (!*out)
		return error_set(err, ERR_DATA, "%s: the answer has no result", action);
	return 0;
}

static const char *text_or(const struct xml_node *node, const char *name,
			   const char *otherwise)
{
	const char *text = xml_get(node, name);

	return text ? text : otherwise;
}

static void take_pairs(const struct xml_node *list, const char *key, const char *value,
		       struct cfn_pairs *out)
{
	for (const struct xml_node *n = xml_child(list, "member"); n; n = xml_next(n))
		if (xml_get(n, key))
			cfn_pairs_push(out, PAIR(xml_get(n, key), text_or(n, value, "")));
}

void cfn_stack_release(struct cfn_stack *s)
{
	cfn_pairs_release(&s->outputs);
	cfn_pairs_release(&s->parameters);
	cfn_pairs_release(&s->tags);
	str_list_release(&s->capabilities);
	*s = (struct cfn_stack){ .id = NULL };
}

int cfn_stack_decode(const struct http_response *res, struct arena *arena,
		     struct cfn_stack *out, struct error *err)
{
	const struct xml_node *result, *stack, *c;

	if (result_of(res, arena, "DescribeStacks", &result, err) < 0)
		return -1;
	stack = xml_child(xml_child(result, "Stacks"), "member");
	*out = (struct cfn_stack){
		.id = xml_get(stack, "StackId"),
		.name = xml_get(stack, "StackName"),
		.status = xml_get(stack, "StackStatus"),
		.reason = text_or(stack, "StackStatusReason", ""),
		.updated = text_or(stack, "LastUpdatedTime", ""),
	};
	if (str_empty(out->id) || str_empty(out->status))
		return error_set(err, ERR_DATA, "DescribeStacks: no stack in the answer");
	take_pairs(xml_child(stack, "Outputs"), "OutputKey", "OutputValue",
		   &out->outputs);
	take_pairs(xml_child(stack, "Parameters"), "ParameterKey", "ParameterValue",
		   &out->parameters);
	take_pairs(xml_child(stack, "Tags"), "Key", "Value", &out->tags);
	for (c = xml_child(xml_child(stack, "Capabilities"), "member"); c;
	     c = xml_next(c))
		str_list_push(&out->capabilities, xml_text(c));
	return 0;
}

bool cfn_stack_is_absent(const struct error *err)
{
	return str_eq(err->service_code, "ValidationError") &&
	       strstr(err->msg, "does not exist");
}

int cfn_template_decode(const struct http_response *res, struct arena *arena,
			const char **out, struct error *err)
{
	const struct xml_node *result;

	*out = NULL;
	if (result_of(res, arena, "GetTemplate", &result, err) < 0)
		return -1;
	*out = xml_get(result, "TemplateBody");
	if (!*out)
		return error_set(err, ERR_DATA, "GetTemplate: no template in the answer");
	return 0;
}

int cfn_change_set_create_decode(const struct http_response *res, struct arena *arena,
				 const char **id, const char **stack_id,
				 struct error *err)
{
	const struct xml_node *result;

	*id = *stack_id = NULL;
	if (result_of(res, arena, "CreateChangeSet", &result, err) < 0)
		return -1;
	*id = xml_get(result, "Id");
	*stack_id = xml_get(result, "StackId");
	if (str_empty(*id) || str_empty(*stack_id))
		return error_set(err, ERR_DATA, "CreateChangeSet: the set has no id");
	return 0;
}

void cfn_change_set_status_release(struct cfn_change_set_status *s)
{
	cfn_changes_release(&s->changes);
	*s = (struct cfn_change_set_status){ .status = NULL };
}

int cfn_change_set_describe_decode(const struct http_response *res, struct arena *arena,
				   struct cfn_change_set_status *out, struct error *err)
{
	const struct xml_node *result, *n;
	const char *next;

	if (result_of(res, arena, "DescribeChangeSet", &result, err) < 0)
		return -1;
	out->status = text_or(result, "Status", "");
	if (!*out->status)
		return error_set(err, ERR_DATA,
				 "DescribeChangeSet: no set in the answer");
	out->reason = text_or(result, "StatusReason", "");
	out->execution = text_or(result, "ExecutionStatus", "");
	next = xml_get(result, "NextToken");
	out->next = str_empty(next) ? NULL : next;
	for (n = xml_child(xml_child(result, "Changes"), "member"); n; n = xml_next(n)) {
		const struct xml_node *c = xml_child(n, "ResourceChange");

		if (!c)
			continue;
		cfn_changes_push(
			&out->changes,
			(struct cfn_change){
				.action = text_or(c, "Action", ""),
				.logical_id = text_or(c, "LogicalResourceId", ""),
				.physical_id = text_or(c, "PhysicalResourceId", ""),
				.type = text_or(c, "ResourceType", ""),
				.replacement = text_or(c, "Replacement", ""),
			});
	}
	return 0;
}

bool cfn_change_set_is_empty(const struct cfn_change_set_status *s)
{
	return str_eq(s->status, "FAILED") &&
	       (strstr(s->reason, "didn't contain changes") ||
		strstr(s->reason, "No updates are to be performed"));
}

/* Validations, hooks and resources have a field each. */
static const char *finding_reason(const struct xml_node *event)
{
	static const char *const names[] = { "ValidationStatusReason", "HookStatusReason",
					     "ResourceStatusReason" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!str_empty(xml_get(event, names[i])))
			return xml_get(event, names[i]);
	return NULL;
}

int cfn_findings_decode(const struct http_response *res, struct arena *arena,
			struct cfn_findings *out, struct error *err)
{
	const struct xml_node *result, *n;

	if (result_of(res, arena, "DescribeEvents", &result, err) < 0)
		return -1;
	for (n = xml_child(xml_child(result, "OperationEvents"), "member"); n;
	     n = xml_next(n))
		if (finding_reason(n))
			cfn_findings_push(
				out,
				(struct cfn_finding){
					.logical_id = text_or(n, "LogicalResourceId", ""),
					.reason = finding_reason(n),
					.path = text_or(n, "ValidationPath", ""),
				});
	return 0;
}

int cfn_change_sets_decode(const struct http_response *res, struct arena *arena,
			   struct str_list *names, struct error *err)
{
	const struct xml_node *result, *n;

	if (result_of(res, arena, "ListChangeSets", &result, err) < 0)
		return -1;
	for (n = xml_child(xml_child(result, "Summaries"), "member"); n;
	     n = xml_next(n)) {
		const char *execution = text_or(n, "ExecutionStatus", "");

		if (!str_starts(execution, "EXECUTE_") && !str_eq(execution, "OBSOLETE"))
			str_list_push(names, text_or(n, "ChangeSetName", ""));
	}
	return 0;
}

int cfn_resources_decode(const struct http_response *res, struct arena *arena,
			 struct cfn_resources *out, const char **next, struct error *err)
{
	const struct xml_node *result, *n;
	const char *token;

	*next = NULL;
	if (result_of(res, arena, "ListStackResources", &result, err) < 0)
		return -1;
	token = xml_get(result, "NextToken");
	*next = str_empty(token) ? NULL : token;
	for (n = xml_child(xml_child(result, "StackResourceSummaries"), "member"); n;
	     n = xml_next(n))
		cfn_resources_push(
			out, (struct cfn_resource){
				     .logical_id = text_or(n, "LogicalResourceId", ""),
				     .physical_id = text_or(n, "PhysicalResourceId", ""),
				     .type = text_or(n, "ResourceType", ""),
			     });
	return 0;
}

int cfn_events_decode(const struct http_response *res, struct arena *arena,
		      struct cfn_events *out, const char **next, struct error *err)
{
	const struct xml_node *result, *n;
	const char *token;

	*next = NULL;
	if (result_of(res, arena, "DescribeStackEvents", &result, err) < 0)
		return -1;
	token = xml_get(result, "NextToken");
	*next = str_empty(token) ? NULL : token;
	for (n = xml_child(xml_child(result, "StackEvents"), "member"); n;
	     n = xml_next(n))
		cfn_events_push(
			out, (struct cfn_event){
				     .id = text_or(n, "EventId", ""),
				     .logical_id = text_or(n, "LogicalResourceId", ""),
				     .physical_id = text_or(n, "PhysicalResourceId", ""),
				     .type = text_or(n, "ResourceType", ""),
				     .status = text_or(n, "ResourceStatus", ""),
				     .reason = text_or(n, "ResourceStatusReason", ""),
				     .time = text_or(n, "Timestamp", ""),
			     });
	return 0;
}

/* docs.aws.amazon.com/AWSCloudFormation, "Stack status codes". What is not here is judged
 * by how it ends. */
static const struct {
	const char *status;
	enum cfn_state state;
} states[] = {
	{ "REVIEW_IN_PROGRESS", CFN_SHELL },
	/* Only a failed creation ends in these. */
	{ "CREATE_FAILED", CFN_DEAD_CREATE },
	{ "ROLLBACK_COMPLETE", CFN_DEAD_CREATE },
	{ "ROLLBACK_FAILED", CFN_DEAD_CREATE },
	{ "DELETE_FAILED", CFN_DEAD_CREATE },
	{ "DELETE_COMPLETE", CFN_GONE },
};

enum cfn_state cfn_state_of(const char *status)
{
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
		if (str_eq(states[i].status, status))
			return states[i].state;
	/* Cleaning up is under way, too, though the new state is in force. */
	if (str_ends(status, "_IN_PROGRESS"))
		return CFN_BUSY;
	/* UPDATE_FAILED was left without a rollback, and is updated only without one. */
	if (str_ends(status, "_FAILED"))
		return CFN_STUCK;
	return CFN_STEADY;
}

bool cfn_is_success(const char *status)
{
	return str_eq(status, "CREATE_COMPLETE") || str_eq(status, "UPDATE_COMPLETE") ||
	       str_eq(status, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS") ||
	       str_eq(status, "IMPORT_COMPLETE");
}
