#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws_fixture.h"
#include "fake/fake_cfn.h"
#include "run/stack.h"

#define FUNCTION "AWS::Lambda::Function"
#define CHANGE                                                                        \
	"<member><ResourceChange><Action>Modify</Action><LogicalResourceId>Counter"   \
	"</LogicalResourceId><PhysicalResourceId>resume-Counter</PhysicalResourceId>" \
	"<ResourceType>" FUNCTION "</ResourceType><Replacement>False</Replacement>"   \
	"</ResourceChange></member>"
#define CHANGE_2                                                                \
	"<member><ResourceChange><Action>Add</Action><LogicalResourceId>Table"  \
	"</LogicalResourceId><ResourceType>AWS::DynamoDB::Table</ResourceType>" \
	"</ResourceChange></member>"
#define EMPTY \
	"The submitted information didn't contain changes. Submit different information."

struct fixture {
	struct aws_fixture aws;
	struct fake_cfn cfn;
	struct arena arena;
	struct watch watch;
	struct progress progress;
	struct stack_options options;
	struct stack_wish wish;
	struct template_parameters declared;
	struct stack_result result;
	volatile int cancelled;
	int64_t cancel_at_ms; /* 0: never */
	const char *lost;     /* the tick's error once there are events; NULL: none */
	char told[16384];
	char shown[512];
};

static const struct fake_step updates[] = {
	{ NULL, NULL, "UPDATE_IN_PROGRESS", "User Initiated" },
	{ "Counter", FUNCTION, "UPDATE_IN_PROGRESS", NULL },
	{ "Counter", FUNCTION, "UPDATE_COMPLETE", NULL },
	{ NULL, NULL, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", NULL },
	{ NULL, NULL, "UPDATE_COMPLETE", NULL },
};

static const struct fake_step creates[] = {
	{ NULL, NULL, "CREATE_IN_PROGRESS", "User Initiated" },
	{ "Counter", FUNCTION, "CREATE_IN_PROGRESS", NULL },
	{ "Counter", FUNCTION, "CREATE_COMPLETE", NULL },
	{ NULL, NULL, "CREATE_COMPLETE", NULL },
};

static const struct fake_step fails_to_update[] = {
	{ NULL, NULL, "UPDATE_IN_PROGRESS", "User Initiated" },
	{ "Table", "AWS::DynamoDB::Table", "UPDATE_IN_PROGRESS", NULL },
	{ "Counter", FUNCTION, "UPDATE_IN_PROGRESS", NULL },
	{ "Table", "AWS::DynamoDB::Table", "UPDATE_FAILED", "Resource update cancelled" },
	{ "Counter", FUNCTION, "UPDATE_FAILED", "The handler is missing" },
	{ NULL, NULL, "UPDATE_ROLLBACK_IN_PROGRESS",
	  "The following resource(s) failed to update: [Counter]." },
	{ "Counter", FUNCTION, "UPDATE_FAILED", "cannot be put back" },
	{ NULL, NULL, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", NULL },
	{ NULL, NULL, "UPDATE_ROLLBACK_COMPLETE", NULL },
};

static const struct fake_step fails_to_create[] = {
	{ NULL, NULL, "CREATE_IN_PROGRESS", "User Initiated" },
	{ "Counter", FUNCTION, "CREATE_IN_PROGRESS", NULL },
	{ "Counter", FUNCTION, "CREATE_FAILED", "No such key" },
	{ NULL, NULL, "ROLLBACK_IN_PROGRESS", "[Counter] failed" },
	{ "Counter", FUNCTION, "DELETE_COMPLETE", NULL },
	{ NULL, NULL, "ROLLBACK_COMPLETE", NULL },
};

#define SCRIPT(f, list) \
	((f)->cfn.steps = (list), (f)->cfn.n_steps = sizeof(list) / sizeof(*(list)))

static void on_waiting(void *ctx, const char *text)
{
	struct fixture *f = ctx;
	size_t n = strlen(f->told);

	snprintf(f->told + n, sizeof(f->told) - n, "%s\n", text);
}

static void on_changes(void *ctx, const struct resource_list *changes)
{
	struct fixture *f = ctx;

	f->shown[0] = '\0';
	for (size_t i = 0; i < changes->len; i++) {
		const struct resource_change *c = &changes->items[i];
		size_t n = strlen(f->shown);

		snprintf(f->shown + n, sizeof(f->shown) - n, "%s %s %s %s;", c->action,
			 c->name, c->type, c->replacement);
	}
}

static int on_tick(void *ctx, struct error *err)
{
	struct fixture *f = ctx;

	if (f->cancel_at_ms && f->aws.clock.now_ms >= FIXTURE_MS + f->cancel_at_ms)
		f->cancelled = 1;
	if (f->lost && f->cfn.executed)
		return error_set(err, ERR_CONDITION, "%s", f->lost);
	return 0;
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	aws_fixture_start(&f->aws);
	fake_cfn_init(&f->cfn, &f->aws.fake);
	f->aws.fake.http.cancelled = &f->cancelled;
	f->progress = (struct progress){ .ctx = f, .waiting = on_waiting };
	f->watch = (struct watch){ f->aws.aws, &f->progress, on_tick, f };
	f->options = (struct stack_options){ .watch = &f->watch,
					     .name = FAKE_CFN_NAME,
					     .busy_timeout_s = 600,
					     .timeout_s = 3600,
					     .changes = on_changes,
					     .ctx = f };
	f->wish = (struct stack_wish){ .text = "Resources: {}",
				       .declared = &f->declared };
	f->cfn.changes = CHANGE;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	stack_result_release(&f->result);
	template_parameters_release(&f->declared);
	aws_fixture_end(&f->aws);
	fake_cfn_release(&f->cfn);
	arena_release(&f->arena);
	free(f);
	return 0;
}

/* A stack that was deployed before. */
static void given_stack(struct fixture *f, const char *status)
{
	static const struct fake_step old[] = {
		{ NULL, NULL, "CREATE_IN_PROGRESS", NULL },
		{ "Counter", FUNCTION, "CREATE_FAILED", "an old failure" },
		{ NULL, NULL, "CREATE_COMPLETE", NULL },
	};

	f->cfn.exists = true;
	f->cfn.id = "arn:stack/" FAKE_CFN_NAME "/0";
	f->cfn.status = status;
	for (size_t i = 0; i < sizeof(old) / sizeof(*old); i++)
		fake_steps_push(&f->cfn.events, old[i]);
	SCRIPT(f, updates);
}

static int deploy(struct fixture *f)
{
	error_clear(&f->aws.err);
	stack_result_release(&f->result);
	return stack_deploy(&f->options, &f->wish, &f->arena, &f->result, &f->aws.err);
}

static void deploy_well(struct fixture *f)
{
	if (deploy(f) < 0)
		fail_msg("%s: %s", error_code_name(f->aws.err.code), f->aws.err.msg);
	assert_int_equal(f->aws.err.code, ERR_NONE);
}

static void assert_error(const struct fixture *f, enum error_code code, const char *part)
{
	if (f->aws.err.code != code || !strstr(f->aws.err.msg, part))
		fail_msg("%s: %s", error_code_name(f->aws.err.code), f->aws.err.msg);
}

static void deploy_badly(struct fixture *f, enum error_code code, const char *part)
{
	assert_int_equal(deploy(f), -1);
	assert_error(f, code, part);
}

static void assert_body(const struct fixture *f, const char *action, const char *part)
{
	const char *body = fake_cfn_body(&f->cfn, action, 0);

	if (!body || !strstr(body, part))
		fail_msg("%s: %s", action, body ? body : "not sent");
}

static void assert_not_in_body(const struct fixture *f, const char *action,
			       const char *part)
{
	if (strstr(fake_cfn_body(&f->cfn, action, 0), part))
		fail_msg("%s in %s", part, fake_cfn_body(&f->cfn, action, 0));
}

static void assert_told(const struct fixture *f, const char *part)
{
	if (!strstr(f->told, part))
		fail_msg("%s", f->told);
}

/* No change set and no shell of ours is there any more. */
static void assert_nothing_left(const struct fixture *f)
{
	assert_false(f->cfn.has_set && str_eq(f->cfn.execution, "AVAILABLE"));
	assert_false(f->cfn.exists && str_eq(f->cfn.status, "REVIEW_IN_PROGRESS"));
}

/* ---- updates and creations ---- */

static void an_update_is_shown_executed_and_followed(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	f->cfn.outputs = "<member><OutputKey>Url</OutputKey><OutputValue>https://x/"
			 "</OutputValue></member>";
	f->cfn.set_looks = 2;
	deploy_well(f);
	assert_true(f->result.changed);
	assert_false(f->result.created);
	assert_string_equal(f->result.stack.outputs.items[0].value, "https://x/");
	assert_string_equal(f->shown, "Modify Counter " FUNCTION " False;");
	assert_body(f, "CreateChangeSet", "ChangeSetType=UPDATE&");
	assert_body(f, "CreateChangeSet", "&ChangeSetName=crc-");
	assert_body(f, "ExecuteChangeSet", "&DisableRollback=false");
	assert_body(f, "ExecuteChangeSet", "&ClientRequestToken=crc-");
	assert_told(f, "stack resume: 0 of 1 resources, now Counter (UPDATE_IN_PROGRESS");
	assert_told(f, "stack resume: 1 of 1 resources\n");
	assert_int_equal(f->result.notes.len, 0);
	assert_int_equal(f->cfn.executed, 1);
	/* Once before, once at the end: it is not asked all the time. */
	assert_int_equal(fake_cfn_count(&f->cfn, "DescribeStacks"), 2);
	/* What is cleaned up changes nothing any more, and is not waited for. */
	assert_string_equal(f->result.stack.status,
			    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS");
}

static void a_new_stack_is_created(void **state)
{
	struct fixture *f = *state;

	SCRIPT(f, creates);
	deploy_well(f);
	assert_true(f->result.changed && f->result.created);
	assert_string_equal(f->result.stack.status, "CREATE_COMPLETE");
	assert_body(f, "CreateChangeSet", "ChangeSetType=CREATE&");
	assert_int_equal(f->cfn.stack_deleted, 0);
}

static void somebody_elses_shell_is_filled(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "REVIEW_IN_PROGRESS");
	SCRIPT(f, creates);
	deploy_well(f);
	assert_true(f->result.created);
	assert_body(f, "CreateChangeSet", "ChangeSetType=CREATE&");
}

static void an_empty_set_is_success_and_deleted(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	f->cfn.set_status = "FAILED";
	f->cfn.set_reason = EMPTY;
	deploy_well(f);
	assert_false(f->result.changed);
	assert_string_equal(f->result.stack.status, "UPDATE_COMPLETE");
	assert_int_equal(f->cfn.set_deleted, 1);
	assert_int_equal(f->cfn.executed, 0);
	assert_string_equal(f->shown, "");
}

static void changes_come_in_pages(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	f->cfn.changes_2 = CHANGE_2;
	deploy_well(f);
	assert_string_equal(f->shown, "Modify Counter " FUNCTION
				      " False;Add Table AWS::DynamoDB::Table ;");
	assert_told(f, "0 of 2 resources");
}

static void events_come_in_pages(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	SCRIPT(f, fails_to_update);
	f->cfn.per_page = 1;
	deploy_badly(f, ERR_SERVICE, "The handler is missing");
	/* Pages that were read are not read again: each look reads on to what is known. */
	assert_true(fake_cfn_count(&f->cfn, "DescribeStackEvents") < 24);
}

/* ---- what a set is made of ---- */

static void parameters_are_set_kept_or_left_to_the_template(void **state)
{
	static const struct cfn_pair configured[] = { { "Origin", "https://x" } };
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	f->wish.parameters = configured;
	f->wish.n_parameters = 1;
	template_parameters_push(&f->declared,
				 (struct template_parameter){ "Origin", false });
	template_parameters_push(&f->declared,
				 (struct template_parameter){ "Secret", false });
	template_parameters_push(&f->declared,
				 (struct template_parameter){ "Size", true });
	f->cfn.parameters = "<member><ParameterKey>Secret</ParameterKey>"
			    "<ParameterValue>****</ParameterValue></member>"
			    "<member><ParameterKey>Retired</ParameterKey>"
			    "<ParameterValue>1</ParameterValue></member>";
	deploy_well(f);
	assert_body(f, "CreateChangeSet",
		    "&Parameters.member.1.ParameterKey=Origin&Parameters.member.1."
		    "ParameterValue=https%3A%2F%2Fx&");
	assert_body(f, "CreateChangeSet",
		    "&Parameters.member.2.ParameterKey=Secret&Parameters.member.2."
		    "UsePreviousValue=true&");
	assert_not_in_body(f, "CreateChangeSet", "member.3.Param");
}

static void a_parameter_without_a_value_is_told_before_anything_is_sent(void **state)
{
	struct fixture *f = *state;

	template_parameters_push(&f->declared,
				 (struct template_parameter){ "Origin", false });
	template_parameters_push(&f->declared,
				 (struct template_parameter){ "Zone", false });
	/* That of a shell is no value. */
	given_stack(f, "REVIEW_IN_PROGRESS");
	f->cfn.parameters = "<member><ParameterKey>Zone</ParameterKey>"
			    "<ParameterValue>1</ParameterValue></member>";
	deploy_badly(f, ERR_CONFIG,
		     "without a default: Origin, Zone; set it under "
		     "`parameters`");
	assert_int_equal(fake_cfn_count(&f->cfn, "CreateChangeSet"), 0);
}

static void tags_are_kept(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	f->cfn.tags = "<member><Key>aws:x</Key><Value>1</Value></member>"
		      "<member><Key>team</Key><Value>blue</Value></member>";
	deploy_well(f);
	assert_body(f, "CreateChangeSet",
		    "&Tags.member.1.Key=team&Tags.member.1.Value=blue");
	assert_not_in_body(f, "CreateChangeSet", "Tags.member.2");
}

static void capabilities_are_kept_unless_some_are_configured(void **state)
{
	static const char *const wished[] = { "CAPABILITY_AUTO_EXPAND" };
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	f->cfn.capabilities = "<member>CAPABILITY_IAM</member>"
			      "<member>CAPABILITY_NAMED_IAM</member>";
	deploy_well(f);
	assert_body(f, "CreateChangeSet",
		    "&Capabilities.member.1=CAPABILITY_IAM&Capabilities.member.2="
		    "CAPABILITY_NAMED_IAM");
	assert_int_equal(f->result.notes.len, 1);
	assert_non_null(strstr(f->result.notes.items[0], "keeps CAPABILITY_NAMED_IAM"));
	f->wish.capabilities = wished;
	f->wish.n_capabilities = 1;
	f->cfn.status = "UPDATE_COMPLETE";
	deploy_well(f);
	assert_non_null(strstr(fake_cfn_body(&f->cfn, "CreateChangeSet", 1),
			       "&Capabilities.member.1=CAPABILITY_AUTO_EXPAND"));
	assert_null(strstr(fake_cfn_body(&f->cfn, "CreateChangeSet", 1), "NAMED_IAM"));
	assert_int_equal(f->result.notes.len, 0);
}

static void a_large_template_goes_by_its_url(void **state)
{
	struct fixture *f = *state;
	CLEANUP_PTR(mem) char *large = xcalloc(1, CFN_TEMPLATE_BYTES_MOST + 2);

	given_stack(f, "UPDATE_COMPLETE");
	memset(large, 'x', CFN_TEMPLATE_BYTES_MOST + 1);
	f->wish.text = large;
	deploy_badly(f, ERR_TOO_BIG, "51201 bytes");
	assert_int_equal(fake_cfn_count(&f->cfn, "CreateChangeSet"), 0);
	f->wish.text = NULL;
	f->wish.url = "https://s3/t";
	deploy_well(f);
	assert_body(f, "CreateChangeSet", "&TemplateURL=https%3A%2F%2Fs3%2Ft&");
}

/* ---- refusals ---- */

static void missing_capabilities_are_quoted(void **state)
{
	static const char *const words = "Requires capabilities : [CAPABILITY_NAMED_IAM]";
	static const char *const told =
		"write `capabilities: [CAPABILITY_NAMED_IAM]` to the backend in crc.yml";
	struct fixture *f = *state;

	fake_cfn_fail(&f->cfn, "CreateChangeSet", 1, 400,
		      "InsufficientCapabilitiesException", words);
	deploy_badly(f, ERR_CONFIG, told);
	f->cfn.set_status = "FAILED";
	f->cfn.set_reason = words;
	deploy_badly(f, ERR_CONFIG, told);
	assert_nothing_left(f);
	f->cfn.set_status = "CREATE_COMPLETE";
	f->cfn.set_reason = NULL;
	fake_cfn_fail(&f->cfn, "ExecuteChangeSet", 1, 400,
		      "InsufficientCapabilitiesException", words);
	deploy_badly(f, ERR_CONFIG, told);
	assert_nothing_left(f);
	assert_int_equal(f->cfn.executed, 0);
}

static void a_template_that_is_refused_is_the_users_to_mend(void **state)
{
	struct fixture *f = *state;

	fake_cfn_fail(&f->cfn, "CreateChangeSet", 1, 400, "ValidationError",
		      "Template format error: YAML not well-formed. (line 3, column 1)");
	deploy_badly(
		f, ERR_CONFIG,
		"stack resume: CreateChangeSet: 400 ValidationError: Template format "
		"error: YAML not well-formed. (line 3, column 1)");
	assert_nothing_left(f);
}

static void a_failed_set_is_told_and_deleted_with_its_shell(void **state)
{
	static const struct {
		const char *reason;
		enum error_code code;
	} cases[] = {
		{ "Transform AWS::Serverless-2016-10-31 failed with: Invalid",
		  ERR_CONFIG },
		{ "User: x is not authorized to perform: iam:CreateRole", ERR_FORBIDDEN },
		{ "Internal Failure", ERR_SERVICE },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		f->cfn.set_status = "FAILED";
		f->cfn.set_reason = cases[i].reason;
		deploy_badly(f, cases[i].code, cases[i].reason);
		assert_int_equal(f->cfn.set_deleted, (int)i + 1);
		assert_int_equal(f->cfn.stack_deleted, (int)i + 1);
		assert_nothing_left(f);
	}
}

static void findings_of_early_validation_are_told(void **state)
{
	static const char *const reason =
		"The following hook(s)/validation failed: "
		"[AWS::EarlyValidation::PropertyValidation]. To troubleshoot Early "
		"Validation errors, use the DescribeEvents API for detailed failure "
		"information.";
	struct fixture *f = *state;

	f->cfn.set_status = "FAILED";
	f->cfn.set_reason = reason;
	f->cfn.findings =
		"<OperationEvents><member><LogicalResourceId>Counter</LogicalResourceId>"
		"<ValidationStatusReason>Timeout is no number</ValidationStatusReason>"
		"<ValidationPath>/Resources/Counter/Properties/Timeout</ValidationPath>"
		"</member><member><HookStatusReason>too open</HookStatusReason></member>"
		"</OperationEvents>";
	deploy_badly(f, ERR_CONFIG,
		     "information.; Counter: Timeout is no number, at "
		     "/Resources/Counter/Properties/Timeout; too open");
	fake_cfn_fail(&f->cfn, "DescribeEvents", 1, 403, "AccessDenied", "not allowed");
	deploy_badly(f, ERR_CONFIG, reason);
	assert_nothing_left(f);
}

static void a_shell_with_somebody_elses_set_stays(void **state)
{
	struct fixture *f = *state;

	f->cfn.set_status = "FAILED";
	f->cfn.set_reason = "no";
	f->cfn.other_set = "theirs";
	deploy_badly(f, ERR_CONFIG, "no");
	assert_int_equal(f->cfn.set_deleted, 1);
	assert_int_equal(f->cfn.stack_deleted, 0);
}

static void what_was_there_before_is_no_shell_of_ours(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "REVIEW_IN_PROGRESS");
	f->cfn.set_status = "FAILED";
	f->cfn.set_reason = "no";
	deploy_badly(f, ERR_CONFIG, "no");
	assert_int_equal(f->cfn.set_deleted, 1);
	assert_int_equal(f->cfn.stack_deleted, 0);
}

static void a_shell_that_somebody_else_fills_meanwhile_stays(void **state)
{
	struct fixture *f = *state;

	f->cfn.set_status = "FAILED";
	f->cfn.set_reason = "no";
	f->cfn.overtaken = "CREATE_IN_PROGRESS";
	deploy_badly(f, ERR_CONFIG, "no");
	assert_int_equal(f->cfn.set_deleted, 1);
	assert_int_equal(f->cfn.stack_deleted, 0);
}

static void a_set_that_cannot_be_deleted_is_told(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	f->cfn.set_status = "FAILED";
	f->cfn.set_reason = "no such parameter";
	fake_cfn_fail(&f->cfn, "DeleteChangeSet", -1, 403, "AccessDenied", "not allowed");
	deploy_badly(f, ERR_CONFIG, "no such parameter");
	assert_error(f, ERR_CONFIG, "of stack resume was left behind: DeleteChangeSet");
	f->cfn.set_reason = EMPTY;
	deploy_well(f);
	assert_int_equal(f->result.notes.len, 1);
	assert_non_null(strstr(f->result.notes.items[0], "was left behind"));
}

/* ---- failures ---- */

static void the_first_true_failure_of_an_update_is_told(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	SCRIPT(f, fails_to_update);
	deploy_badly(f, ERR_SERVICE,
		     "stack resume: Counter (" FUNCTION "): The handler is missing; the "
		     "update was rolled back");
	assert_told(f, "stack resume: rolling back, since Counter (" FUNCTION
		       "): The handler is missing");
	assert_string_equal(f->cfn.status, "UPDATE_ROLLBACK_COMPLETE");
}

static void a_failed_creation_says_how_to_go_on(void **state)
{
	struct fixture *f = *state;

	SCRIPT(f, fails_to_create);
	deploy_badly(f, ERR_SERVICE,
		     "stack resume: Counter (" FUNCTION
		     "): No such key; the creation was "
		     "rolled back: run again with --recreate-stack");
	/* What is left of it is no shell. */
	assert_int_equal(f->cfn.stack_deleted, 0);
}

static void a_rollback_that_fails_is_told(void **state)
{
	static const struct fake_step steps[] = {
		{ NULL, NULL, "UPDATE_IN_PROGRESS", NULL },
		{ NULL, NULL, "UPDATE_ROLLBACK_IN_PROGRESS", NULL },
		{ NULL, NULL, "UPDATE_ROLLBACK_FAILED", "Table cannot go back" },
	};
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	SCRIPT(f, steps);
	deploy_badly(f, ERR_SERVICE,
		     "Table cannot go back; the update was to be rolled "
		     "back, and that failed, too: continue the rollback");
}

static void a_stack_that_is_deleted_meanwhile_is_told(void **state)
{
	static const struct fake_step steps[] = {
		{ NULL, NULL, "UPDATE_IN_PROGRESS", NULL },
		{ NULL, NULL, "DELETE_COMPLETE", NULL },
	};
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	SCRIPT(f, steps);
	deploy_badly(f, ERR_SERVICE, "was deleted meanwhile");
}

/* ---- dead ends ---- */

static void given_dead(struct fixture *f)
{
	SCRIPT(f, fails_to_create);
	deploy_badly(f, ERR_SERVICE, "No such key");
	assert_string_equal(f->cfn.status, "ROLLBACK_COMPLETE");
	SCRIPT(f, creates);
	f->cfn.executed = 0;
}

static void a_dead_end_is_told_with_its_cause_and_the_way_out(void **state)
{
	struct fixture *f = *state;

	given_dead(f);
	deploy_badly(f, ERR_LIMIT,
		     "stack resume is in ROLLBACK_COMPLETE and can only be deleted: its "
		     "creation failed: Counter (" FUNCTION
		     "): No such key; run again with "
		     "--recreate-stack");
	assert_int_equal(f->cfn.stack_deleted, 0);
	f->cfn.status = "DELETE_FAILED";
	f->cfn.reason = "[Bucket] is not empty";
	deploy_badly(f, ERR_LIMIT, "its deletion failed: [Bucket] is not empty; run");
}

static void a_dead_end_is_left_on_request(void **state)
{
	struct fixture *f = *state;

	given_dead(f);
	f->options.recreate = true;
	deploy_well(f);
	assert_true(f->result.created);
	assert_int_equal(f->cfn.stack_deleted, 1);
	assert_int_equal(f->cfn.executed, 1);
	assert_non_null(strstr(f->result.notes.items[0], "deleted, and created anew"));
	/* One that is well is not deleted, whatever was wished for. */
	SCRIPT(f, updates);
	deploy_well(f);
	assert_int_equal(f->cfn.stack_deleted, 1);
}

static void a_dead_end_that_cannot_be_deleted_is_told(void **state)
{
	struct fixture *f = *state;

	given_dead(f);
	f->options.recreate = true;
	f->cfn.reason = "[Bucket] is not empty";
	f->cfn.deleted = "DELETE_FAILED";
	deploy_badly(f, ERR_SERVICE,
		     "stack resume cannot be deleted (DELETE_FAILED): [Bucket] is not");
}

static void a_stuck_stack_needs_a_person(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_ROLLBACK_FAILED");
	f->options.recreate = true;
	deploy_badly(f, ERR_LIMIT, "continue the rollback in CloudFormation's console");
	assert_int_equal(f->cfn.stack_deleted, 0);
}

/* ---- others ---- */

static void a_busy_stack_is_waited_for(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_IN_PROGRESS");
	f->cfn.busy_looks = 5;
	f->cfn.rests = "UPDATE_COMPLETE";
	deploy_well(f);
	assert_told(f, "stack resume is UPDATE_IN_PROGRESS: waiting, for ");
}

static void one_that_is_being_deleted_is_created_afterwards(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "DELETE_IN_PROGRESS");
	f->cfn.busy_looks = 3;
	SCRIPT(f, creates);
	deploy_well(f);
	assert_true(f->result.created);
}

static void one_that_stays_busy_is_given_up(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_IN_PROGRESS");
	deploy_badly(f, ERR_LOCKED,
		     "stack resume is UPDATE_IN_PROGRESS since before 600 s "
		     "ago: somebody else changes it");
	assert_in_range(fake_cfn_count(&f->cfn, "DescribeStacks"), 60, 80);
}

static void one_that_became_busy_between_looks_is_waited_for(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	fake_cfn_fail(
		&f->cfn, "CreateChangeSet", 1, 400, "ValidationError",
		"Stack:arn:stack/resume/0 is in UPDATE_IN_PROGRESS state and can not "
		"be updated.");
	deploy_well(f);
	assert_told(f, "stack resume was changed meanwhile: beginning again");
	assert_int_equal(f->cfn.executed, 1);
}

static void a_set_that_became_obsolete_is_made_anew(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	fake_cfn_fail(&f->cfn, "ExecuteChangeSet", 1, 400, "InvalidChangeSetStatus",
		      "ChangeSet cannot be executed in its current status of [OBSOLETE]");
	fake_cfn_fail(&f->cfn, "DescribeChangeSet", 1, 404, "ChangeSetNotFound", "gone")
		->skip = 1;
	deploy_well(f);
	assert_int_equal(f->cfn.made, 2);
	assert_int_equal(f->cfn.executed, 1);
}

/* Nothing keeps two deploys apart but that a stack is as it was when it was read. */
static void only_a_stack_as_it_was_seen_is_deployed(void **state)
{
	struct fixture *f = *state;
	struct stack_seen seen = { NULL, "" };

	given_stack(f, "UPDATE_COMPLETE");
	f->cfn.updated = "monday";
	f->options.only_if = &seen;
	deploy_badly(f, ERR_CONDITION, "resume was made or changed by somebody else");
	seen.id = f->cfn.id;
	deploy_badly(f, ERR_CONDITION, "by somebody else");
	seen.updated = "sunday";
	deploy_badly(f, ERR_CONDITION, "by somebody else");
	f->cfn.status = "UPDATE_IN_PROGRESS"; /* it is not waited for */
	deploy_badly(f, ERR_CONDITION, "by somebody else");
	assert_int_equal(f->cfn.made, 0);
	f->cfn.status = "UPDATE_COMPLETE";
	seen.updated = "monday";
	deploy_well(f);
	assert_int_equal(f->cfn.executed, 1);
}

/* A set that was in the making while another one was executed can be executed still. */
static void one_that_changes_after_the_set_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct stack_seen seen = { NULL, "sunday" };

	given_stack(f, "UPDATE_COMPLETE");
	seen.id = f->cfn.id;
	f->cfn.updated = "sunday";
	f->cfn.updated_later = "monday";
	f->options.only_if = &seen;
	deploy_badly(f, ERR_CONDITION, "by somebody else");
	assert_int_equal(f->cfn.made, 1);
	assert_int_equal(f->cfn.executed, 0);
	assert_int_equal(f->cfn.set_deleted, 1);
}

static void what_is_gone_or_a_shell_is_created(void **state)
{
	struct fixture *f = *state;
	struct stack_seen seen = { NULL, "" };

	SCRIPT(f, creates);
	f->options.only_if = &seen;
	deploy_well(f);
	assert_true(f->result.created);
	f->cfn.exists = false; /* deleted since it was seen */
	seen.id = "arn:another";
	deploy_well(f);
	assert_true(f->result.created);
	given_stack(f, "REVIEW_IN_PROGRESS");
	seen.id = NULL;
	deploy_well(f);
	assert_true(f->result.created);
}

static void endless_contests_end(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	fake_cfn_fail(&f->cfn, "ExecuteChangeSet", -1, 400, "InvalidChangeSetStatus",
		      "ChangeSet cannot be executed in its current status of [OBSOLETE]");
	deploy_badly(f, ERR_LOCKED, "somebody else changes it again and again");
	assert_int_equal(f->cfn.made, 5);
	assert_int_equal(f->cfn.set_deleted, 5);
}

static void a_set_that_failed_for_throttling_is_made_anew(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	f->cfn.set_status = "FAILED";
	f->cfn.set_reason = "Rate exceeded";
	deploy_badly(f, ERR_THROTTLED,
		     "AWS throttles CloudFormation while it works out what changes (Rate "
		     "exceeded), 5 times now");
	assert_true(f->aws.clock.now_ms - FIXTURE_MS >= 30000);
	assert_int_equal(f->cfn.made, 5);
	assert_nothing_left(f);
}

/* ---- answers that are lost, and throttling ---- */

static void lost_answers_of_a_creation_make_one_set(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	fake_cfn_fail(&f->cfn, "CreateChangeSet", 2, 0, NULL, NULL)->takes_effect = true;
	deploy_well(f);
	assert_int_equal(f->cfn.made, 1);
	assert_nothing_left(f);
	f->cfn.status = "UPDATE_COMPLETE";
	fake_cfn_fail(&f->cfn, "CreateChangeSet", 1, 0, NULL, NULL)->takes_effect = true;
	fake_cfn_fail(&f->cfn, "CreateChangeSet", 1, 400, "AlreadyExistsException", "x");
	deploy_well(f);
	assert_int_equal(f->cfn.made, 2);
	assert_int_equal(f->cfn.executed, 2);
}

static void a_set_may_appear_late(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	fake_cfn_fail(&f->cfn, "DescribeChangeSet", 2, 404, "ChangeSetNotFound", "no");
	deploy_well(f);
	assert_int_equal(f->cfn.made, 1);
}

static void a_creation_without_any_answer_leaves_nothing(void **state)
{
	struct fixture *f = *state;

	fake_cfn_fail(&f->cfn, "CreateChangeSet", 5, 0, NULL, NULL)->takes_effect = true;
	deploy_badly(f, ERR_NETWORK, "stack resume: CreateChangeSet");
	assert_int_equal(f->cfn.made, 1);
	assert_int_equal(f->cfn.set_deleted, 1);
	assert_int_equal(f->cfn.stack_deleted, 1);
	assert_nothing_left(f);
}

/* The client's attempts: the first gets through, the second is told that it is executed. */
static void a_lost_answer_of_an_execution_is_looked_after(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	fake_cfn_fail(&f->cfn, "ExecuteChangeSet", 1, 0, NULL, NULL)->takes_effect = true;
	deploy_well(f);
	assert_int_equal(f->cfn.executed, 1);
	assert_int_equal(f->cfn.made, 1);
}

static void an_execution_without_any_answer_is_looked_after(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	fake_cfn_fail(&f->cfn, "ExecuteChangeSet", 5, 0, NULL, NULL)->takes_effect = true;
	deploy_well(f);
	assert_int_equal(f->cfn.executed, 1);
	/* And one that never arrived is sent again. */
	f->cfn.status = "UPDATE_COMPLETE";
	fake_cfn_fail(&f->cfn, "ExecuteChangeSet", 5, 0, NULL, NULL);
	deploy_well(f);
	assert_int_equal(f->cfn.executed, 2);
	assert_int_equal(f->cfn.made, 2);
}

static void a_known_token_is_our_own(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	fake_cfn_fail(&f->cfn, "ExecuteChangeSet", 1, 0, NULL, NULL)->takes_effect = true;
	fake_cfn_fail(&f->cfn, "ExecuteChangeSet", 1, 400, "TokenAlreadyExistsException",
		      "known");
	deploy_well(f);
	assert_int_equal(f->cfn.executed, 1);
}

static void long_throttling_is_ridden_out(void **state)
{
	static const char *const actions[] = { "DescribeStacks", "CreateChangeSet",
					       "DescribeChangeSet", "DescribeStackEvents",
					       "ExecuteChangeSet" };
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		fake_cfn_fail(&f->cfn, actions[i], 12, 400, "Throttling",
			      "Rate exceeded");
	deploy_well(f);
	assert_int_equal(f->cfn.made, 1);
	assert_int_equal(f->cfn.executed, 1);
}

static void an_outage_is_ridden_out_while_an_update_goes_on(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	fake_cfn_fail(&f->cfn, "DescribeStackEvents", 30, 0, NULL, NULL)->skip = 1;
	fake_cfn_fail(&f->cfn, "DescribeStacks", 30, 503, "ServiceUnavailable", "x")
		->skip = 1;
	deploy_well(f);
	assert_int_equal(f->cfn.executed, 1);
}

static void an_outage_is_ridden_out_while_others_are_waited_for(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_IN_PROGRESS");
	f->cfn.busy_looks = 3;
	f->cfn.rests = "UPDATE_COMPLETE";
	fake_cfn_fail(&f->cfn, "DescribeStacks", 12, 0, NULL, NULL)->skip = 1;
	deploy_well(f);
	/* But not when nothing has begun. */
	fake_cfn_fail(&f->cfn, "DescribeStacks", 5, 0, NULL, NULL);
	deploy_badly(f, ERR_NETWORK, "stack resume: DescribeStacks");
}

static void a_quota_is_told_at_once(void **state)
{
	struct fixture *f = *state;

	fake_cfn_fail(&f->cfn, "CreateChangeSet", -1, 400, "LimitExceededException",
		      "Limit for stack has been exceeded");
	deploy_badly(f, ERR_THROTTLED, "Limit for stack has been exceeded");
	assert_int_equal(fake_cfn_count(&f->cfn, "CreateChangeSet"), 5);
}

/* ---- states that lag behind ---- */

/* The events come late, and until then the stack says what it said before. */
static void what_the_stack_said_before_is_not_its_end(void **state)
{
	struct fake_step steps[24];
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	for (size_t i = 0; i < 24; i++)
		steps[i] = (struct fake_step){ "Counter", FUNCTION, "UPDATE_IN_PROGRESS",
					       NULL };
	steps[18] = (struct fake_step){ NULL, NULL, "UPDATE_IN_PROGRESS", NULL };
	steps[22] = (struct fake_step){ "Counter", FUNCTION, "UPDATE_FAILED", "late" };
	steps[23] = (struct fake_step){ NULL, NULL, "UPDATE_ROLLBACK_COMPLETE", NULL };
	SCRIPT(f, steps);
	f->cfn.stale_looks = 2;
	deploy_badly(f, ERR_SERVICE, "late; the update was rolled back");
}

/* Its events say that it has begun, and what it says itself is from before. */
static void a_stack_that_lags_behind_its_events_is_asked_again(void **state)
{
	struct fake_step steps[12];
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	for (size_t i = 0; i < 12; i++)
		steps[i] = (struct fake_step){ "Counter", FUNCTION, "UPDATE_IN_PROGRESS",
					       NULL };
	steps[0] = (struct fake_step){ NULL, NULL, "UPDATE_IN_PROGRESS", NULL };
	steps[10] = (struct fake_step){ "Counter", FUNCTION, "UPDATE_FAILED", "late" };
	steps[11] = (struct fake_step){ NULL, NULL, "UPDATE_ROLLBACK_COMPLETE", NULL };
	SCRIPT(f, steps);
	f->cfn.stale_looks = 1;
	deploy_badly(f, ERR_SERVICE, "late; the update was rolled back");
}

/* The event of its end does not come: the stack itself knows. */
static void an_end_without_an_event_is_seen(void **state)
{
	static const struct fake_step steps[] = {
		{ NULL, NULL, "UPDATE_IN_PROGRESS", NULL },
		{ "Counter", FUNCTION, "UPDATE_COMPLETE", NULL },
	};
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	SCRIPT(f, steps);
	f->cfn.unsaid = "UPDATE_COMPLETE";
	deploy_well(f);
	assert_true(f->result.changed);
	assert_true(f->aws.clock.now_ms - FIXTURE_MS < 60000);
}

/* The events of a creation are there before the stack calls itself more than a shell. */
static void a_shell_is_not_at_rest(void **state)
{
	struct fixture *f = *state;

	SCRIPT(f, creates);
	f->cfn.shell_looks = 1;
	deploy_well(f);
	assert_string_equal(f->result.stack.status, "CREATE_COMPLETE");
}

/* ---- stopping ---- */

static void told_to_stop_before_the_execution_leaves_nothing(void **state)
{
	struct fixture *f = *state;

	f->cfn.set_looks = 3;
	f->cancel_at_ms = 500;
	deploy_badly(f, ERR_CANCELLED, "cancelled");
	assert_int_equal(f->cfn.made, 1);
	assert_int_equal(f->cfn.set_deleted, 1);
	assert_int_equal(f->cfn.stack_deleted, 1);
	assert_nothing_left(f);
	assert_true(f->aws.clock.now_ms - FIXTURE_MS < 7000);
	assert_true(aws_is_cancelled(f->aws.aws));
}

static void told_to_stop_does_not_take_long(void **state)
{
	struct fixture *f = *state;

	f->cfn.set_looks = 1000;
	f->cancel_at_ms = 1000;
	deploy_badly(f, ERR_CANCELLED, "was left behind");
	assert_true(f->aws.clock.now_ms - FIXTURE_MS < 9000);
}

static void told_to_stop_during_the_update_says_that_it_goes_on(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	f->cancel_at_ms = 500;
	deploy_badly(f, ERR_CANCELLED,
		     "stack resume: its update goes on by itself, and the "
		     "next run waits for it: cancelled");
	assert_int_equal(f->cfn.executed, 1);
	assert_int_equal(fake_cfn_count(&f->cfn, "DeleteChangeSet"), 0);
}

static void a_lost_claim_ends_the_following(void **state)
{
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	f->lost = "the claim was lost";
	deploy_badly(f, ERR_CONDITION,
		     "goes on by itself, and the next run waits for it: "
		     "the claim was lost");
}

static void an_update_that_takes_too_long_is_told(void **state)
{
	static const struct fake_step steps[] = {
		{ NULL, NULL, "UPDATE_IN_PROGRESS", NULL },
	};
	struct fixture *f = *state;

	given_stack(f, "UPDATE_COMPLETE");
	SCRIPT(f, steps);
	f->options.timeout_s = 300;
	deploy_badly(f, ERR_TIMEOUT,
		     "goes on by itself, and the next run waits for it: it "
		     "is not done after 30");
}

/* ---- previews ---- */

static int preview(struct fixture *f, struct resource_list *out)
{
	error_clear(&f->aws.err);
	return stack_preview(&f->options, &f->wish, &f->arena, out, &f->aws.err);
}

static void a_preview_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct resource_list changes = { 0 };

	for (int i = 0; i < 2; i++) {
		if (i)
			given_stack(f, "UPDATE_COMPLETE");
		assert_int_equal(preview(f, &changes), 0);
		assert_int_equal(f->aws.err.code, ERR_NONE);
		assert_int_equal(changes.len, 1);
		assert_string_equal(changes.items[0].name, "Counter");
		resource_list_release(&changes);
		assert_nothing_left(f);
		assert_int_equal(f->cfn.set_deleted, i + 1);
	}
	assert_int_equal(f->cfn.executed, 0);
	assert_int_equal(f->cfn.stack_deleted, 1);
}

static void a_preview_waits_for_its_shell_to_go(void **state)
{
	struct fixture *f = *state;
	struct resource_list changes = { 0 };

	f->cfn.shell_stays = 3;
	assert_int_equal(preview(f, &changes), 0);
	assert_false(f->cfn.exists);
	resource_list_release(&changes);
	/* But not for ever. */
	f->cfn.shell_stays = 1000;
	assert_int_equal(preview(f, &changes), 0);
	assert_true(f->aws.clock.now_ms - FIXTURE_MS < 10000);
	resource_list_release(&changes);
}

static void a_preview_of_nothing_is_empty(void **state)
{
	struct fixture *f = *state;
	struct resource_list changes = { 0 };

	given_stack(f, "UPDATE_COMPLETE");
	f->cfn.set_status = "FAILED";
	f->cfn.set_reason = EMPTY;
	f->cfn.changes = "";
	assert_int_equal(preview(f, &changes), 0);
	assert_int_equal(changes.len, 0);
	assert_nothing_left(f);
}

static void a_preview_that_fails_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct resource_list changes = { 0 };

	f->cfn.set_status = "FAILED";
	f->cfn.set_reason = "no such parameter";
	assert_int_equal(preview(f, &changes), -1);
	assert_error(f, ERR_CONFIG, "no such parameter");
	assert_nothing_left(f);
}

static void a_preview_that_leaves_something_fails(void **state)
{
	struct fixture *f = *state;
	struct resource_list changes = { 0 };

	fake_cfn_fail(&f->cfn, "DeleteStack", -1, 403, "AccessDenied", "not allowed");
	assert_int_equal(preview(f, &changes), -1);
	assert_error(f, ERR_FORBIDDEN, "was left behind: DeleteStack");
}

static void a_preview_deletes_no_dead_end(void **state)
{
	struct fixture *f = *state;
	struct resource_list changes = { 0 };

	given_dead(f);
	f->options.recreate = true;
	assert_int_equal(preview(f, &changes), -1);
	assert_error(f, ERR_LIMIT, "ROLLBACK_COMPLETE");
	assert_int_equal(f->cfn.stack_deleted, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest tests[] = {
	TEST(an_update_is_shown_executed_and_followed),
	TEST(a_new_stack_is_created),
	TEST(somebody_elses_shell_is_filled),
	TEST(an_empty_set_is_success_and_deleted),
	TEST(changes_come_in_pages),
	TEST(events_come_in_pages),
	TEST(parameters_are_set_kept_or_left_to_the_template),
	TEST(a_parameter_without_a_value_is_told_before_anything_is_sent),
	TEST(tags_are_kept),
	TEST(capabilities_are_kept_unless_some_are_configured),
	TEST(a_large_template_goes_by_its_url),
	TEST(missing_capabilities_are_quoted),
	TEST(a_template_that_is_refused_is_the_users_to_mend),
	TEST(a_failed_set_is_told_and_deleted_with_its_shell),
	TEST(findings_of_early_validation_are_told),
	TEST(a_shell_with_somebody_elses_set_stays),
	TEST(what_was_there_before_is_no_shell_of_ours),
	TEST(a_shell_that_somebody_else_fills_meanwhile_stays),
	TEST(a_set_that_cannot_be_deleted_is_told),
	TEST(the_first_true_failure_of_an_update_is_told),
	TEST(a_failed_creation_says_how_to_go_on),
	TEST(a_rollback_that_fails_is_told),
	TEST(a_stack_that_is_deleted_meanwhile_is_told),
	TEST(a_dead_end_is_told_with_its_cause_and_the_way_out),
	TEST(a_dead_end_is_left_on_request),
	TEST(a_dead_end_that_cannot_be_deleted_is_told),
	TEST(a_stuck_stack_needs_a_person),
	TEST(a_busy_stack_is_waited_for),
	TEST(one_that_is_being_deleted_is_created_afterwards),
	TEST(one_that_stays_busy_is_given_up),
	TEST(one_that_became_busy_between_looks_is_waited_for),
	TEST(a_set_that_became_obsolete_is_made_anew),
	TEST(only_a_stack_as_it_was_seen_is_deployed),
	TEST(one_that_changes_after_the_set_is_left_alone),
	TEST(what_is_gone_or_a_shell_is_created),
	TEST(endless_contests_end),
	TEST(a_set_that_failed_for_throttling_is_made_anew),
	TEST(lost_answers_of_a_creation_make_one_set),
	TEST(a_set_may_appear_late),
	TEST(a_creation_without_any_answer_leaves_nothing),
	TEST(a_lost_answer_of_an_execution_is_looked_after),
	TEST(an_execution_without_any_answer_is_looked_after),
	TEST(a_known_token_is_our_own),
	TEST(long_throttling_is_ridden_out),
	TEST(an_outage_is_ridden_out_while_an_update_goes_on),
	TEST(an_outage_is_ridden_out_while_others_are_waited_for),
	TEST(a_quota_is_told_at_once),
	TEST(what_the_stack_said_before_is_not_its_end),
	TEST(a_stack_that_lags_behind_its_events_is_asked_again),
	TEST(an_end_without_an_event_is_seen),
	TEST(a_shell_is_not_at_rest),
	TEST(told_to_stop_before_the_execution_leaves_nothing),
	TEST(told_to_stop_does_not_take_long),
	TEST(told_to_stop_during_the_update_says_that_it_goes_on),
	TEST(a_lost_claim_ends_the_following),
	TEST(an_update_that_takes_too_long_is_told),
	TEST(a_preview_leaves_nothing),
	TEST(a_preview_waits_for_its_shell_to_go),
	TEST(a_preview_of_nothing_is_empty),
	TEST(a_preview_that_fails_leaves_nothing),
	TEST(a_preview_that_leaves_something_fails),
	TEST(a_preview_deletes_no_dead_end),
};

int main(void)
{
	return cmocka_run_group_tests_name("stack", tests, NULL, NULL);
}
