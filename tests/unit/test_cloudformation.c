#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws/cloudformation.h"
#include "aws_fixture.h"

#define XMLNS              "http://cloudformation.amazonaws.com/doc/2010-05-15/"
#define FORM(action, rest) "Action=" action "&Version=2010-05-15" rest
#define ARN(what, rest)                                                    \
	"arn:aws:cloudformation:us-east-1:123456789012:" what "/" rest "/" \
	"0f6d3c40-5b6e-11ef-8f3e-0affd2a2c8f5"
#define ANSWER(action, result)                                                       \
	"<" action "Response xmlns=\"" XMLNS "\">\n  <" action "Result>\n" result    \
	"  </" action "Result>\n  <ResponseMetadata><RequestId>b9b4b068</RequestId>" \
	"</ResponseMetadata>\n</" action "Response>\n"
#define MEMBER(rest) "<member>" rest "</member>"

/* ---- requests ---- */

static void assert_form(const struct aws_request *req, const char *operation,
			const char *body)
{
	assert_int_equal(req->service, AWS_CLOUDFORMATION);
	assert_string_equal(req->operation, operation);
	assert_string_equal(req->method, "POST");
	assert_string_equal(req->path, "/");
	assert_int_equal(req->headers.len, 1);
	assert_string_equal(req->headers.items[0].name, "Content-Type");
	assert_string_equal(req->headers.items[0].value,
			    "application/x-www-form-urlencoded; charset=utf-8");
	if (req->body.len != (int64_t)strlen(body) ||
	    memcmp(req->body.bytes, body, strlen(body)) != 0)
		fail_msg("%.*s", (int)req->body.len, (const char *)req->body.bytes);
}

static void stack_request(struct aws_request *req)
{
	cfn_stack_request(req, "my stack/\xc3\xa4&=+*~");
}

static void template_request(struct aws_request *req)
{
	cfn_template_request(req, "s");
}

static void describe_request(struct aws_request *req)
{
	cfn_change_set_describe_request(req, ARN("changeSet", "c"), NULL);
}

static void describe_next_request(struct aws_request *req)
{
	cfn_change_set_describe_request(req, "c", "p+/=");
}

static void set_delete_request(struct aws_request *req)
{
	cfn_change_set_delete_request(req, "c");
}

static void delete_request(struct aws_request *req)
{
	cfn_stack_delete_request(req, "s");
}

static void events_request(struct aws_request *req)
{
	cfn_events_request(req, "s", NULL);
}

static void events_next_request(struct aws_request *req)
{
	cfn_events_request(req, "s", "n");
}

static void execute_request(struct aws_request *req)
{
	cfn_change_set_execute_request(req, "c", "t-1");
}

static void processed_request(struct aws_request *req)
{
	cfn_processed_template_request(req, "s");
}

static void resources_request(struct aws_request *req)
{
	cfn_resources_request(req, "s", "n");
}

static void sets_request(struct aws_request *req)
{
	cfn_change_sets_request(req, "s");
}

static void findings_request(struct aws_request *req)
{
	cfn_findings_request(req, "c");
}

static void test_cloudformation__requests(void **state)
{
	static const struct {
		void (*fill)(struct aws_request *req);
		const char *operation, *body;
	} cases[] = {
		{ stack_request, "DescribeStacks",
		  FORM("DescribeStacks", "&StackName=my%20stack%2F%C3%A4%26%3D%2B%2A~") },
		{ template_request, "GetTemplate",
		  FORM("GetTemplate", "&StackName=s&TemplateStage=Original") },
		{ processed_request, "GetTemplate",
		  FORM("GetTemplate", "&StackName=s&TemplateStage=Processed") },
		{ resources_request, "ListStackResources",
		  FORM("ListStackResources", "&StackName=s&NextToken=n") },
		{ findings_request, "DescribeEvents",
		  FORM("DescribeEvents", "&ChangeSetName=c&Filters.FailedEvents=true") },
		{ sets_request, "ListChangeSets",
		  FORM("ListChangeSets", "&StackName=s") },
		{ describe_request, "DescribeChangeSet",
		  FORM("DescribeChangeSet",
		       "&ChangeSetName=arn%3Aaws%3Acloudformation%3Aus-east-1%3A"
		       "123456789012%3AchangeSet%2Fc%2F"
		       "0f6d3c40-5b6e-11ef-8f3e-0affd2a2c8f5") },
		{ describe_next_request, "DescribeChangeSet",
		  FORM("DescribeChangeSet", "&ChangeSetName=c&NextToken=p%2B%2F%3D") },
		{ set_delete_request, "DeleteChangeSet",
		  FORM("DeleteChangeSet", "&ChangeSetName=c") },
		{ delete_request, "DeleteStack", FORM("DeleteStack", "&StackName=s") },
		{ events_request, "DescribeStackEvents",
		  FORM("DescribeStackEvents", "&StackName=s") },
		{ events_next_request, "DescribeStackEvents",
		  FORM("DescribeStackEvents", "&StackName=s&NextToken=n") },
		{ execute_request, "ExecuteChangeSet",
		  FORM("ExecuteChangeSet", "&ChangeSetName=c&ClientRequestToken=t-1"
					   "&DisableRollback=false") },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;

		cases[i].fill(&req);
		assert_form(&req, cases[i].operation, cases[i].body);
		assert_false(req.once);
	}
}

static void test_cloudformation__a_change_set_with_everything(void **state)
{
	static const struct cfn_pair parameters[] = { { "Origin", "https://a.b/?c=d&e" },
						      { "Kept", NULL },
						      { "Empty", "" } };
	static const struct cfn_pair tags[] = { { "team a", "x=y" }, { "empty", "" } };
	static const char *const capabilities[] = { "CAPABILITY_IAM",
						    "CAPABILITY_AUTO_EXPAND" };
	const struct cfn_change_set set = {
		.stack = "resume",
		.name = "crc-1",
		.token = "t-1",
		.template_body = "A: 'b'\r\n# \xf0\x9f\x98\x80\n",
		.parameters = parameters,
		.n_parameters = 3,
		.tags = tags,
		.n_tags = 2,
		.capabilities = capabilities,
		.n_capabilities = 2,
	};
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;

	(void)state;
	cfn_change_set_create_request(&req, &set);
	assert_form(&req, "CreateChangeSet",
		    FORM("CreateChangeSet",
			 "&StackName=resume&ChangeSetName=crc-1&ClientToken=t-1"
			 "&ChangeSetType=UPDATE"
			 "&TemplateBody=A%3A%20%27b%27%0D%0A%23%20%F0%9F%98%80%0A"
			 "&Parameters.member.1.ParameterKey=Origin"
			 "&Parameters.member.1.ParameterValue="
			 "https%3A%2F%2Fa.b%2F%3Fc%3Dd%26e"
			 "&Parameters.member.2.ParameterKey=Kept"
			 "&Parameters.member.2.UsePreviousValue=true"
			 "&Parameters.member.3.ParameterKey=Empty"
			 "&Parameters.member.3.ParameterValue="
			 "&Tags.member.1.Key=team%20a&Tags.member.1.Value=x%3Dy"
			 "&Tags.member.2.Key=empty&Tags.member.2.Value="
			 "&Capabilities.member.1=CAPABILITY_IAM"
			 "&Capabilities.member.2=CAPABILITY_AUTO_EXPAND"));
	assert_false(req.once);
}

static void test_cloudformation__a_change_set_with_little(void **state)
{
	const struct cfn_change_set set = {
		.stack = "s",
		.name = "c",
		.create = true,
		.template_url = "https://s3.us-east-1.amazonaws.com/b/k",
	};
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(aws_request) struct aws_request execute = AWS_REQUEST_INIT;

	(void)state;
	cfn_change_set_create_request(&req, &set);
	assert_form(&req, "CreateChangeSet",
		    FORM("CreateChangeSet",
			 "&StackName=s&ChangeSetName=c&ChangeSetType=CREATE&TemplateURL="
			 "https%3A%2F%2Fs3.us-east-1.amazonaws.com%2Fb%2Fk"));
	/* Nothing would tell a retry from a second wish. */
	assert_true(req.once);
	cfn_change_set_execute_request(&execute, "c", NULL);
	assert_form(&execute, "ExecuteChangeSet",
		    FORM("ExecuteChangeSet", "&ChangeSetName=c&DisableRollback=false"));
	assert_true(execute.once);
}

/* Everything at its largest, and each byte of it takes three. */
static void test_cloudformation__nothing_is_cut_off(void **state)
{
	enum { VALUES = 200, VALUE = 4096 };
	static char body[CFN_TEMPLATE_BYTES_MOST + 1];
	static char value[VALUE + 1];
	static struct cfn_pair parameters[VALUES];
	const struct cfn_change_set set = { .stack = "s",
					    .name = "c",
					    .template_body = body,
					    .parameters = parameters,
					    .n_parameters = VALUES };
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;

	(void)state;
	memset(body, '\n', sizeof(body) - 1);
	memset(value, '/', VALUE);
	for (size_t i = 0; i < VALUES; i++)
		parameters[i] = (struct cfn_pair){ "k", value };
	cfn_change_set_create_request(&req, &set);
	assert_true(req.body.len > 3 * CFN_TEMPLATE_BYTES_MOST + 3 * VALUES * VALUE);
	assert_memory_equal((const char *)req.body.bytes + req.body.len - 6, "%2F%2F", 6);
}

static void test_cloudformation__on_the_wire(void **state)
{
	struct aws_fixture *f = *state;
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	char value[600];

	fake_http_expect(&f->fake, "POST", NULL, 200, NULL, "<a/>");
	cfn_stack_request(&req, "s");
	assert_int_equal(aws_send(f->aws, &req, &res, &f->err), 0);
	assert_string_equal(aws_fixture_seen(f, 0)->url,
			    "https://cloudformation.us-east-1.amazonaws.com/");
	assert_string_equal(aws_fixture_seen(f, 0)->body,
			    FORM("DescribeStacks", "&StackName=s"));
	assert_true(fake_seen_header(aws_fixture_seen(f, 0), "Authorization", value,
				     sizeof(value)));
	assert_non_null(strstr(value, "/us-east-1/cloudformation/aws4_request"));
}

/* ---- retries ---- */

static int send_set(struct aws_fixture *f, const char *token)
{
	const struct cfn_change_set set = {
		.stack = "s", .name = "c", .token = token, .template_body = "{}"
	};
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;

	cfn_change_set_create_request(&req, &set);
	return aws_send(f->aws, &req, &res, &f->err);
}

static void test_cloudformation__a_retry_is_the_same_wish(void **state)
{
	struct aws_fixture *f = *state;

	fake_http_expect(&f->fake, "POST", NULL, 503, NULL, "");
	fake_http_expect(&f->fake, "POST", NULL, 0, NULL, "")->reply.fail = ERR_NETWORK;
	fake_http_expect(&f->fake, "POST", NULL, 200, NULL, "<a/>");
	assert_int_equal(send_set(f, "t-1"), 0);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(aws_fixture_seen(f, i)->body,
				    aws_fixture_seen(f, 0)->body);
	assert_non_null(strstr(aws_fixture_seen(f, 2)->body, "ClientToken=t-1"));
}

static void test_cloudformation__without_a_token_nothing_is_sent_twice(void **state)
{
	struct aws_fixture *f = *state;

	fake_http_expect(&f->fake, "POST", NULL, 0, NULL, "")->reply.fail = ERR_NETWORK;
	assert_int_equal(send_set(f, NULL), -1);
	assert_int_equal(f->err.code, ERR_NETWORK);
}

/* ---- errors ---- */

#define ERROR_BODY(type, code, message)                                              \
	"<ErrorResponse xmlns=\"" XMLNS "\"><Error><Type>" type "</Type><Code>" code \
	"</Code><Message>" message "</Message></Error><RequestId>8a2f</RequestId>"   \
	"</ErrorResponse>"

static const struct error_case {
	int status;
	const char *body;
	enum error_code code;
	const char *service_code;
	bool retried, absent;
} error_cases[] = {
	{ 400, ERROR_BODY("Sender", "Throttling", "Rate exceeded"), ERR_THROTTLED,
	  "Throttling", true, false },
	{ 400, ERROR_BODY("Sender", "ThrottlingException", "Rate exceeded"),
	  ERR_THROTTLED, "ThrottlingException", true, false },
	{ 400, ERROR_BODY("Sender", "RequestLimitExceeded", ""), ERR_THROTTLED,
	  "RequestLimitExceeded", true, false },
	{ 503, ERROR_BODY("Receiver", "ServiceUnavailable", ""), ERR_SERVICE,
	  "ServiceUnavailable", true, false },
	{ 500, ERROR_BODY("Receiver", "InternalFailure", ""), ERR_SERVICE,
	  "InternalFailure", true, false },
	{ 502, "<html>bad gateway</html>", ERR_SERVICE, "", true, false },
	{ 400,
	  ERROR_BODY("Sender", "ValidationError", "Stack with id resume does not exist"),
	  ERR_SERVICE, "ValidationError", false, true },
	{ 400, ERROR_BODY("Sender", "ValidationError", "Stack [resume] does not exist"),
	  ERR_SERVICE, "ValidationError", false, true },
	{ 400,
	  ERROR_BODY("Sender", "ValidationError",
		     "Template format error: unsupported structure."),
	  ERR_SERVICE, "ValidationError", false, false },
	{ 400,
	  ERROR_BODY("Sender", "ValidationError",
		     "Stack:arn:x is in ROLLBACK_COMPLETE state and can not be updated."),
	  ERR_SERVICE, "ValidationError", false, false },
	{ 404, ERROR_BODY("Sender", "ChangeSetNotFound", "ChangeSet [c] does not exist"),
	  ERR_NOT_FOUND, "ChangeSetNotFound", false, false },
	{ 400,
	  ERROR_BODY("Sender", "InsufficientCapabilitiesException",
		     "Requires capabilities : [CAPABILITY_NAMED_IAM]"),
	  ERR_SERVICE, "InsufficientCapabilitiesException", false, false },
	{ 400, ERROR_BODY("Sender", "AlreadyExistsException", "ChangeSet c exists"),
	  ERR_SERVICE, "AlreadyExistsException", false, false },
	{ 400, ERROR_BODY("Sender", "InvalidChangeSetStatus", "not AVAILABLE"),
	  ERR_SERVICE, "InvalidChangeSetStatus", false, false },
	{ 403,
	  ERROR_BODY("Sender", "AccessDenied",
		     "User: arn:x is not authorized to perform: "
		     "cloudformation:DescribeStacks, for a stack that does not exist"),
	  ERR_FORBIDDEN, "AccessDenied", false, false },
	{ 403, ERROR_BODY("Sender", "InvalidClientTokenId", "The token is invalid"),
	  ERR_CREDENTIALS, "InvalidClientTokenId", false, false },
};

static void test_cloudformation__errors(void **state)
{
	struct aws_fixture *f = *state;

	for (size_t i = 0; i < sizeof(error_cases) / sizeof(*error_cases); i++) {
		const struct error_case *c = &error_cases[i];
		CLEANUP(aws_call) struct aws_call call = AWS_CALL_INIT;
		struct error err = ERROR_INIT;

		fake_http_expect(&f->fake, "POST", NULL, c->status, NULL, c->body)
			->times = -1;
		cfn_stack_request(&call.request, "resume");
		assert_int_equal(aws_send_all(f->aws, &call, 1, &err), 0);
		if (call.err.code != c->code || call.err.http_status != c->status ||
		    !str_eq(call.err.service_code, c->service_code) ||
		    (call.attempts > 1) != c->retried ||
		    cfn_stack_is_absent(&call.err) != c->absent)
			fail_msg("%zu: %d %s after %u", i, call.err.code, call.err.msg,
				 call.attempts);
		f->fake.rules.len = 0;
	}
}

/* ---- stacks ---- */

static const char whole_stack[] = ANSWER(
	"DescribeStacks",
	"<Stacks>\n" MEMBER("<StackId>" ARN(
		"stack",
		"resume") "</StackId>"
			  "<StackName>resume</StackName><Description>a &lt;b&gt;</Description>"
			  "<Parameters>" MEMBER(
				  "<ParameterKey>Origin</ParameterKey>"
				  "<ParameterValue>https://a.b/?c=d&amp;e</ParameterValue>")
				    MEMBER("<ParameterKey>Empty</ParameterKey><ParameterValue/>") MEMBER(
					    "<ParameterKey>Secret</ParameterKey>"
					    "<ParameterValue>****</ParameterValue>"
					    "<ResolvedValue>r</ResolvedValue>") "</Parameters><CreationTime>2026-05-28T20:26:40.123Z</CreationTime>"
										"<LastUpdatedTime>2026-05-29T20:26:40.123Z</LastUpdatedTime>"
										"<StackStatus>UPDATE_ROLLBACK_COMPLETE</StackStatus>"
										"<StackStatusReason>No &#x21;</StackStatusReason>"
										"<DisableRollback>false</DisableRollback><NotificationARNs/>"
										"<Capabilities>" MEMBER(
											"CAPABILITY_IAM")
											MEMBER("CAPABILITY_AUTO_EXPAND") "</Capabilities><Outputs>" MEMBER(
												"<OutputKey>SiteBucket</OutputKey>"
												"<OutputValue>b-\xc3\xa4</OutputValue><Description>d</Description>"
												"<ExportName>x</ExportName>") "</Outputs><Tags>" MEMBER("<Key>team</Key><Value>web</Value>") "</Tags><DriftInformation><StackDriftStatus>NOT_CHECKED"
																							     "</StackDriftStatus></DriftInformation>") "</Stacks>");

static void assert_pair(const struct cfn_pair *pair, const char *key, const char *value)
{
	assert_string_equal(pair->key, key);
	assert_string_equal(pair->value, value);
}

static void test_cloudformation__a_whole_stack(void **state)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	CLEANUP(cfn_stack) struct cfn_stack s = { .id = NULL };
	struct error err = ERROR_INIT;

	(void)state;
	set_answer(&res, whole_stack);
	if (cfn_stack_decode(&res, &arena, &s, &err) < 0)
		fail_msg("%s", err.msg);
	/* What was decoded does not need the answer any more. */
	http_response_release(&res);
	assert_string_equal(s.id, ARN("stack", "resume"));
	assert_string_equal(s.name, "resume");
	assert_string_equal(s.status, "UPDATE_ROLLBACK_COMPLETE");
	assert_string_equal(s.reason, "No !");
	assert_string_equal(s.updated, "2026-05-29T20:26:40.123Z");
	assert_int_equal(s.parameters.len, 3);
	assert_pair(&s.parameters.items[0], "Origin", "https://a.b/?c=d&e");
	assert_pair(&s.parameters.items[1], "Empty", "");
	assert_pair(&s.parameters.items[2], "Secret", "****");
	assert_int_equal(s.outputs.len, 1);
	assert_pair(&s.outputs.items[0], "SiteBucket", "b-\xc3\xa4");
	assert_int_equal(s.tags.len, 1);
	assert_pair(&s.tags.items[0], "team", "web");
	assert_int_equal(s.capabilities.len, 2);
	assert_string_equal(s.capabilities.items[1], "CAPABILITY_AUTO_EXPAND");
	cfn_stack_release(&s);
	cfn_stack_release(&s);
	assert_int_equal(s.outputs.len, 0);
}

static void test_cloudformation__a_stack_with_little(void **state)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	CLEANUP(cfn_stack) struct cfn_stack s = { .id = NULL };
	struct error err = ERROR_INIT;

	(void)state;
	set_answer(
		&res,
		ANSWER("DescribeStacks",
		       "<Stacks>" MEMBER(
			       "<StackId>i</StackId><StackStatus>REVIEW_IN_PROGRESS"
			       "</StackStatus><Outputs/><Tags>" MEMBER(
				       "<Value>a tag without a key</Value>") "</Tags>") "</Stacks>"));
	assert_int_equal(cfn_stack_decode(&res, &arena, &s, &err), 0);
	assert_string_equal(s.reason, "");
	assert_int_equal(
		s.outputs.len + s.parameters.len + s.tags.len + s.capabilities.len, 0);
}

/* ---- the other answers ---- */

static void test_cloudformation__templates(void **state)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct error err = ERROR_INIT;
	const char *text = NULL;

	(void)state;
	set_answer(&res,
		   ANSWER("GetTemplate",
			  "<TemplateBody>A: &quot;b&quot;\n# &lt;\xf0\x9f\x98\x80&#13;\n"
			  "</TemplateBody><StagesAvailable>" MEMBER(
				  "Original") "</StagesAvailable>"));
	assert_int_equal(cfn_template_decode(&res, &arena, &text, &err), 0);
	assert_string_equal(text, "A: \"b\"\n# <\xf0\x9f\x98\x80\r\n");
}

static void test_cloudformation__a_change_set_that_was_made(void **state)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct error err = ERROR_INIT;
	const char *id = NULL;
	const char *stack_id = NULL;

	(void)state;
	set_answer(&res, ANSWER("CreateChangeSet",
				"<Id>" ARN("changeSet", "c") "</Id><StackId>" ARN(
					"stack", "s") "</StackId>"));
	assert_int_equal(cfn_change_set_create_decode(&res, &arena, &id, &stack_id, &err),
			 0);
	assert_string_equal(id, ARN("changeSet", "c"));
	assert_string_equal(stack_id, ARN("stack", "s"));
}

#define CHANGE(rest) \
	MEMBER("<Type>Resource</Type><ResourceChange>" rest "</ResourceChange>")

static void assert_change(const struct cfn_change *c, const struct cfn_change *expected)
{
	assert_string_equal(c->action, expected->action);
	assert_string_equal(c->logical_id, expected->logical_id);
	assert_string_equal(c->physical_id, expected->physical_id);
	assert_string_equal(c->type, expected->type);
	assert_string_equal(c->replacement, expected->replacement);
}

static const char first_page[] = ANSWER(
	"DescribeChangeSet",
	"<ChangeSetName>c</ChangeSetName><ExecutionStatus>AVAILABLE</ExecutionStatus>"
	"<Status>CREATE_COMPLETE</Status><NextToken>n&amp;1</NextToken><Changes>" CHANGE(
		"<Action>Modify</Action><LogicalResourceId>Table</LogicalResourceId>"
		"<PhysicalResourceId>t-1</PhysicalResourceId><ResourceType>"
		"AWS::DynamoDB::Table</ResourceType><Replacement>True</Replacement>"
		"<Scope>" MEMBER("Properties") "</Scope><Details>" MEMBER(
			"<Target><Attribute>Properties</Attribute><Name>Action</Name>"
			"</Target>") "</Details>")
		CHANGE("<Action>Add</Action><LogicalResourceId>Fn</LogicalResourceId>"
		       "<ResourceType>AWS::Lambda::Function</ResourceType>")
			MEMBER("<Type>Hook</Type>") "</Changes>");
static const char second_page[] = ANSWER(
	"DescribeChangeSet",
	"<Status>CREATE_COMPLETE</Status><NextToken/><Changes>" CHANGE(
		"<Action>Remove</Action><LogicalResourceId>Old</LogicalResourceId>"
		"<PhysicalResourceId>o</PhysicalResourceId>"
		"<ResourceType>AWS::S3::Bucket</ResourceType>") "</Changes>");

static void test_cloudformation__changes_from_page_to_page(void **state)
{
	static const struct cfn_change changes[] = {
		{ "Modify", "Table", "t-1", "AWS::DynamoDB::Table", "True" },
		{ "Add", "Fn", "", "AWS::Lambda::Function", "" },
		{ "Remove", "Old", "o", "AWS::S3::Bucket", "" },
	};
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	CLEANUP(cfn_change_set_status)
	struct cfn_change_set_status s = { .status = NULL };
	struct error err = ERROR_INIT;

	(void)state;
	set_answer(&res, first_page);
	assert_int_equal(cfn_change_set_describe_decode(&res, &arena, &s, &err), 0);
	assert_string_equal(s.status, "CREATE_COMPLETE");
	assert_string_equal(s.execution, "AVAILABLE");
	assert_string_equal(s.reason, "");
	assert_string_equal(s.next, "n&1");
	assert_false(cfn_change_set_is_empty(&s));
	set_answer(&res, second_page);
	assert_int_equal(cfn_change_set_describe_decode(&res, &arena, &s, &err), 0);
	assert_null(s.next);
	assert_int_equal(s.changes.len, 3);
	for (size_t i = 0; i < 3; i++)
		assert_change(&s.changes.items[i], &changes[i]);
}

static void test_cloudformation__sets_without_changes(void **state)
{
	static const struct {
		const char *status, *reason;
		bool empty;
	} cases[] = {
		{ "FAILED",
		  "The submitted information didn&apos;t contain changes. Submit different "
		  "information to create a change set.",
		  true },
		{ "FAILED", "No updates are to be performed.", true },
		{ "FAILED",
		  "Transform AWS::Serverless-2016-10-31 failed with: Invalid "
		  "Serverless Application Specification document.",
		  false },
		{ "FAILED", "", false },
		{ "CREATE_COMPLETE", "No updates are to be performed.", false },
		{ "CREATE_IN_PROGRESS", "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(arena) struct arena arena = ARENA_INIT;
		CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
		CLEANUP(cfn_change_set_status)
		struct cfn_change_set_status s = { .status = NULL };
		struct error err = ERROR_INIT;
		char body[1024];

		snprintf(body, sizeof(body),
			 ANSWER("DescribeChangeSet", "<Status>%s</Status><StatusReason>%s"
						     "</StatusReason><Changes/>"),
			 cases[i].status, cases[i].reason);
		set_answer(&res, body);
		assert_int_equal(cfn_change_set_describe_decode(&res, &arena, &s, &err),
				 0);
		if (cfn_change_set_is_empty(&s) != cases[i].empty)
			fail_msg("%s %s", cases[i].status, cases[i].reason);
	}
}

static const char some_events[] = ANSWER(
	"DescribeStackEvents",
	"<StackEvents>" MEMBER(
		"<StackId>i</StackId><EventId>e-2</EventId><StackName>s</StackName>"
		"<LogicalResourceId>Fn</LogicalResourceId><PhysicalResourceId/>"
		"<ResourceType>AWS::Lambda::Function</ResourceType>"
		"<Timestamp>2026-05-28T20:26:41.005Z</Timestamp>"
		"<ResourceStatus>CREATE_FAILED</ResourceStatus><ResourceStatusReason>"
		"Resource handler returned message: &quot;no&quot;</ResourceStatusReason>"
		"<ResourceProperties>{}</ResourceProperties>")
		MEMBER("<EventId>e-1</EventId>") "</StackEvents><NextToken>n</NextToken>");

static void test_cloudformation__resources(void **state)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct cfn_resources resources = { 0 };
	struct error err = ERROR_INIT;
	const char *next = "before";

	(void)state;
	set_answer(
		&res,
		ANSWER("ListStackResources",
		       "<NextToken>2</NextToken><StackResourceSummaries>" MEMBER(
			       "<LogicalResourceId>Counter</LogicalResourceId>"
			       "<PhysicalResourceId>x-Counter</PhysicalResourceId>"
			       "<ResourceType>AWS::Lambda::Function</ResourceType>")
			       MEMBER("<LogicalResourceId>Table</LogicalResourceId>") "</StackResourceSummaries>"));
	assert_int_equal(cfn_resources_decode(&res, &arena, &resources, &next, &err), 0);
	assert_string_equal(next, "2");
	set_answer(&res, ANSWER("ListStackResources", "<StackResourceSummaries/>"));
	assert_int_equal(cfn_resources_decode(&res, &arena, &resources, &next, &err), 0);
	assert_null(next);
	assert_int_equal(resources.len, 2);
	assert_string_equal(resources.items[0].logical_id, "Counter");
	assert_string_equal(resources.items[0].physical_id, "x-Counter");
	assert_string_equal(resources.items[0].type, "AWS::Lambda::Function");
	assert_string_equal(resources.items[1].physical_id, "");
	cfn_resources_release(&resources);
}

static void test_cloudformation__the_sets_of_a_stack(void **state)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(str_list) struct str_list names = { 0 };
	struct error err = ERROR_INIT;

	(void)state;
	set_answer(&res,
		   ANSWER("ListChangeSets",
			  "<Summaries>" MEMBER("<ChangeSetName>a</ChangeSetName>") MEMBER(
				  "<ChangeSetName>was</ChangeSetName>"
				  "<ExecutionStatus>EXECUTE_COMPLETE"
				  "</ExecutionStatus>")
				  MEMBER("<ChangeSetName>too-late</ChangeSetName>"
					 "<ExecutionStatus>OBSOLETE</ExecutionStatus>")
					  MEMBER("<ChangeSetName>b</ChangeSetName>"
						 "<ExecutionStatus>UNAVAILABLE"
						 "</ExecutionStatus>") "</Summaries>"));
	assert_int_equal(cfn_change_sets_decode(&res, &arena, &names, &err), 0);
	assert_int_equal(names.len, 2);
	assert_string_equal(names.items[1], "b");
	cfn_change_set_delete_request(&req, "crc-1");
	cfn_change_set_of(&req, "my stack");
	assert_form(&req, "DeleteChangeSet",
		    FORM("DeleteChangeSet", "&ChangeSetName=crc-1&StackName=my%20stack"));
}

static void test_cloudformation__events(void **state)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	CLEANUP(cfn_events) struct cfn_events events = { 0 };
	struct error err = ERROR_INIT;
	const char *next = NULL;

	(void)state;
	set_answer(&res, some_events);
	assert_int_equal(cfn_events_decode(&res, &arena, &events, &next, &err), 0);
	assert_string_equal(next, "n");
	assert_int_equal(events.len, 2);
	assert_string_equal(events.items[0].id, "e-2");
	assert_string_equal(events.items[0].logical_id, "Fn");
	assert_string_equal(events.items[0].physical_id, "");
	assert_string_equal(events.items[0].type, "AWS::Lambda::Function");
	assert_string_equal(events.items[0].status, "CREATE_FAILED");
	assert_string_equal(events.items[0].reason,
			    "Resource handler returned message: \"no\"");
	assert_string_equal(events.items[0].time, "2026-05-28T20:26:41.005Z");
	assert_string_equal(events.items[1].status, "");
	set_answer(&res, ANSWER("DescribeStackEvents", "<StackEvents/>"));
	assert_int_equal(cfn_events_decode(&res, &arena, &events, &next, &err), 0);
	assert_int_equal(events.len, 2);
	assert_null(next);
}

/* ---- what is no answer ---- */

static int decode_stack(const struct http_response *res, struct error *err)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(cfn_stack) struct cfn_stack s = { .id = NULL };

	return cfn_stack_decode(res, &arena, &s, err);
}

static int decode_template(const struct http_response *res, struct error *err)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	const char *text = NULL;

	return cfn_template_decode(res, &arena, &text, err);
}

static int decode_set(const struct http_response *res, struct error *err)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	const char *id = NULL;
	const char *stack = NULL;

	return cfn_change_set_create_decode(res, &arena, &id, &stack, err);
}

static int decode_changes(const struct http_response *res, struct error *err)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(cfn_change_set_status)
	struct cfn_change_set_status s = { .status = NULL };

	return cfn_change_set_describe_decode(res, &arena, &s, err);
}

static int decode_events(const struct http_response *res, struct error *err)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(cfn_events) struct cfn_events events = { 0 };
	const char *next = NULL;

	return cfn_events_decode(res, &arena, &events, &next, err);
}

static const struct {
	int (*decode)(const struct http_response *res, struct error *err);
	const char *lacking; /* an answer of the right kind, with something left out */
} decoders[] = {
	{ decode_stack, ANSWER("DescribeStacks", "<Stacks/>") },
	{ decode_stack, ANSWER("DescribeStacks",
			       "<Stacks>" MEMBER("<StackId>i</StackId>") "</Stacks>") },
	{ decode_stack, ANSWER("DescribeStacks",
			       "<Stacks>" MEMBER("<StackId/><StackStatus>CREATE_COMPLETE"
						 "</StackStatus>") "</Stacks>") },
	{ decode_template, ANSWER("GetTemplate", "<StagesAvailable/>") },
	{ decode_set, ANSWER("CreateChangeSet", "<Id>i</Id>") },
	{ decode_set, ANSWER("CreateChangeSet", "<Id/><StackId>s</StackId>") },
	{ decode_changes, ANSWER("DescribeChangeSet", "<Changes/>") },
	{ decode_events, ANSWER("DescribeStacks", "<StackEvents/>") },
};

static void test_cloudformation__what_is_no_answer(void **state)
{
	static const char *const bodies[] = {
		"",
		"{}",
		"<html><body>proxy</body></html>",
		"<DescribeStacksResponse/>",
		"<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
		"<a>\xff\xfe</a>",
		ERROR_BODY("Sender", "Throttling", ""),
	};
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(decoders) / sizeof(*decoders); i++) {
		for (size_t k = 0; k < sizeof(bodies) / sizeof(*bodies); k++) {
			set_answer(&res, bodies[k]);
			if (decoders[i].decode(&res, &err) == 0 || err.code != ERR_DATA)
				fail_msg("%zu: %s", i, bodies[k]);
		}
		set_answer(&res, decoders[i].lacking);
		if (decoders[i].decode(&res, &err) == 0 || err.code != ERR_DATA)
			fail_msg("%zu: %s", i, decoders[i].lacking);
	}
}

/* No part of an answer passes for the whole of it. */
static void test_cloudformation__cut_anywhere(void **state)
{
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t n = 0; n < strlen(whole_stack) - 1; n++) {
		http_response_release(&res);
		buf_add(&res.body, whole_stack, n);
		assert_int_equal(decode_stack(&res, &err), -1);
	}
	for (size_t n = 0; n < strlen(first_page) - 1; n++) {
		http_response_release(&res);
		buf_add(&res.body, first_page, n);
		assert_int_equal(decode_changes(&res, &err), -1);
	}
	for (size_t n = 0; n < strlen(some_events) - 1; n++) {
		http_response_release(&res);
		buf_add(&res.body, some_events, n);
		assert_int_equal(decode_events(&res, &err), -1);
	}
}

/* ---- states ---- */

static void test_cloudformation__states(void **state)
{
	static const struct {
		const char *status;
		enum cfn_state state;
		bool success;
	} cases[] = {
		{ "CREATE_IN_PROGRESS", CFN_BUSY, false },
		{ "CREATE_FAILED", CFN_DEAD_CREATE, false },
		{ "CREATE_COMPLETE", CFN_STEADY, true },
		{ "ROLLBACK_IN_PROGRESS", CFN_BUSY, false },
		{ "ROLLBACK_FAILED", CFN_DEAD_CREATE, false },
		{ "ROLLBACK_COMPLETE", CFN_DEAD_CREATE, false },
		{ "DELETE_IN_PROGRESS", CFN_BUSY, false },
		{ "DELETE_FAILED", CFN_DEAD_CREATE, false },
		{ "DELETE_COMPLETE", CFN_GONE, false },
		{ "UPDATE_IN_PROGRESS", CFN_BUSY, false },
		{ "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", CFN_BUSY, true },
		{ "UPDATE_COMPLETE", CFN_STEADY, true },
		{ "UPDATE_FAILED", CFN_STUCK, false },
		{ "UPDATE_ROLLBACK_IN_PROGRESS", CFN_BUSY, false },
		{ "UPDATE_ROLLBACK_FAILED", CFN_STUCK, false },
		{ "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", CFN_BUSY, false },
		{ "UPDATE_ROLLBACK_COMPLETE", CFN_STEADY, false },
		{ "REVIEW_IN_PROGRESS", CFN_SHELL, false },
		{ "IMPORT_IN_PROGRESS", CFN_BUSY, false },
		{ "IMPORT_COMPLETE", CFN_STEADY, true },
		{ "IMPORT_ROLLBACK_IN_PROGRESS", CFN_BUSY, false },
		{ "IMPORT_ROLLBACK_FAILED", CFN_STUCK, false },
		{ "IMPORT_ROLLBACK_COMPLETE", CFN_STEADY, false },
		/* what may come one day */
		{ "REFACTOR_IN_PROGRESS", CFN_BUSY, false },
		{ "REFACTOR_FAILED", CFN_STUCK, false },
		{ "REFACTOR_COMPLETE", CFN_STEADY, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (cfn_state_of(cases[i].status) != cases[i].state ||
		    cfn_is_success(cases[i].status) != cases[i].success)
			fail_msg("%s: %d %d", cases[i].status,
				 (int)cfn_state_of(cases[i].status),
				 cfn_is_success(cases[i].status));
}

/* ---- secrets ---- */

static void test_cloudformation__logs_no_parameters(void **state)
{
	static const struct cfn_pair parameter = { "Password", "canary-value" };
	const struct cfn_change_set set = { .stack = "s",
					    .name = "c",
					    .token = "t",
					    .template_body = "# canary-template",
					    .parameters = &parameter,
					    .n_parameters = 1 };
	struct aws_fixture *f = *state;
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;

	aws_fixture_log(f);
	fake_http_expect(&f->fake, NULL, NULL, 400, NULL,
			 ERROR_BODY("Sender", "ValidationError", "no such parameter"));
	cfn_change_set_create_request(&req, &set);
	assert_int_equal(aws_send(f->aws, &req, &res, &f->err), -1);
	assert_non_null(strstr(f->logged.data, "CreateChangeSet"));
	assert_null(strstr(f->logged.data, "canary"));
	assert_null(strstr(f->err.msg, "canary"));
}

#define TEST(name)                                                                      \
	cmocka_unit_test_setup_teardown(test_cloudformation__##name, aws_fixture_setup, \
					aws_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cloudformation__requests),
		cmocka_unit_test(test_cloudformation__a_change_set_with_everything),
		cmocka_unit_test(test_cloudformation__a_change_set_with_little),
		cmocka_unit_test(test_cloudformation__nothing_is_cut_off),
		TEST(on_the_wire),
		TEST(a_retry_is_the_same_wish),
		TEST(without_a_token_nothing_is_sent_twice),
		TEST(errors),
		cmocka_unit_test(test_cloudformation__a_whole_stack),
		cmocka_unit_test(test_cloudformation__a_stack_with_little),
		cmocka_unit_test(test_cloudformation__templates),
		cmocka_unit_test(test_cloudformation__a_change_set_that_was_made),
		cmocka_unit_test(test_cloudformation__changes_from_page_to_page),
		cmocka_unit_test(test_cloudformation__sets_without_changes),
		cmocka_unit_test(test_cloudformation__resources),
		cmocka_unit_test(test_cloudformation__the_sets_of_a_stack),
		cmocka_unit_test(test_cloudformation__events),
		cmocka_unit_test(test_cloudformation__what_is_no_answer),
		cmocka_unit_test(test_cloudformation__cut_anywhere),
		cmocka_unit_test(test_cloudformation__states),
		TEST(logs_no_parameters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
