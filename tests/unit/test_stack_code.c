#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws_fixture.h"
#include "run/stack.h"

#define OLD  "b2xkIGNvZGU="
#define NEW  "bmV3IGNvZGU="
#define CODE "\"Code\":{\"S3Bucket\":\"b\",\"S3Key\":\"k\"}"

/* As after a transform. */
#define PROCESSED                                                                         \
	"{\"Resources\":{\"Counter\":{\"Type\":\"AWS::Lambda::Function\",\"Properties\":" \
	"{" CODE "}},\"Off\":{\"Type\":\"AWS::Lambda::Function\",\"Properties\":{" CODE   \
	"}},\"Inline\":{\"Type\":\"AWS::Lambda::Function\",\"Properties\":{\"Code\":"     \
	"{\"ZipFile\":\"x\"}}},\"Theirs\":{\"Type\":\"AWS::Lambda::Function\","           \
	"\"Properties\":{\"Code\":{\"S3Bucket\":{\"Ref\":\"B\"},\"S3Key\":\"k\"}}},"      \
	"\"Layer\":{\"Type\":\"AWS::Lambda::LayerVersion\",\"Properties\":{" CODE         \
	"}},\"Table\":{\"Type\":\"AWS::DynamoDB::Table\"}}}"

#define MEMBER(logical, physical)                                                   \
	"<member><LogicalResourceId>" logical                                       \
	"</LogicalResourceId><PhysicalResourceId>" physical "</PhysicalResourceId>" \
	"</member>"

struct fixture {
	struct aws_fixture aws;
	struct arena arena;
	struct watch watch;
	struct stack_code codes[2];
	struct stack_check check;
	struct stack_drift drift;
	/* the cloud */
	const char *template;
	const char *resources;
	const char *sha;
	int puts;
	int status; /* of reading the function; 0: it can be read */
	const char *code;
};

static void answer_form(struct fixture *f, const struct fake_seen *seen,
			struct fake_reply *reply)
{
	bool second = strstr(seen->body, "NextToken=2");

	reply->status = 200;
	if (strstr(seen->body, "Action=GetTemplate&"))
		reply->body = arena_printf(
			&f->arena,
			"<GetTemplateResponse><GetTemplateResult><TemplateBody>%s"
			"</TemplateBody></GetTemplateResult></GetTemplateResponse>",
			f->template);
	else
		reply->body = arena_printf(
			&f->arena,
			"<ListStackResourcesResponse><ListStackResourcesResult>"
			"<StackResourceSummaries>%s</StackResourceSummaries>%s"
			"</ListStackResourcesResult></ListStackResourcesResponse>",
			second ? f->resources
			       : MEMBER("Inline", "x-Inline") MEMBER("Layer", "x-Layer")
					 MEMBER("Theirs", "x-Theirs") MEMBER("Off", ""),
			second ? "" : "<NextToken>2</NextToken>");
}

static const char *configuration(struct fixture *f)
{
	return arena_printf(&f->arena,
			    "{\"FunctionArn\": \"x\", \"CodeSha256\": \"%s\", "
			    "\"RevisionId\": \"r%d\", \"LastUpdateStatus\": "
			    "\"Successful\", \"State\": \"Active\"}",
			    f->sha, f->puts);
}

static void serve(void *ctx, const struct fake_seen *seen, struct fake_reply *reply)
{
	struct fixture *f = ctx;

	if (strcmp(seen->method, "POST") == 0) {
		answer_form(f, seen, reply);
		return;
	}
	reply->status = 200;
	if (strcmp(seen->method, "PUT") == 0) {
		f->puts++;
		f->sha = NEW;
		reply->body = configuration(f);
	} else if (f->status) {
		reply->status = f->status;
		reply->headers = f->code;
		reply->body = "{\"Message\": \"lambda:GetFunction\"}";
	} else {
		reply->body = arena_printf(&f->arena, "{\"Configuration\": %s}",
					   configuration(f));
	}
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	aws_fixture_start(&f->aws);
	f->aws.fake.serve = serve;
	f->aws.fake.serve_ctx = f;
	f->watch = (struct watch){ .aws = f->aws.aws };
	f->codes[0] = (struct stack_code){ "b", "other", "eA==" };
	f->codes[1] = (struct stack_code){ "b", "k", NEW };
	f->check = (struct stack_check){ .watch = &f->watch,
					 .stack = "resume",
					 .codes = f->codes,
					 .n = 2,
					 .repair = true,
					 .timeout_s = 60 };
	f->template = PROCESSED;
	f->resources = MEMBER("Counter", "x-Counter");
	f->sha = NEW;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	stack_drift_release(&f->drift);
	aws_fixture_end(&f->aws);
	arena_release(&f->arena);
	free(f);
	return 0;
}

static int check(struct fixture *f)
{
	error_clear(&f->aws.err);
	stack_drift_release(&f->drift);
	return stack_check_code(&f->check, &f->arena, &f->drift, &f->aws.err);
}

static void check_well(struct fixture *f)
{
	if (check(f) < 0)
		fail_msg("%s", f->aws.err.msg);
}

static void what_is_right_is_left_alone(void **state)
{
	struct fixture *f = *state;

	check_well(f);
	assert_int_equal(f->drift.functions.len, 0);
	assert_int_equal(f->drift.notes.len, 0);
	assert_int_equal(f->puts, 0);
	/* The template, two pages of resources, and the one function that is ours. */
	assert_int_equal(f->aws.fake.seen.len, 4);
	assert_non_null(
		strstr(aws_fixture_seen(&f->aws, 0)->body, "TemplateStage=Processed"));
	assert_non_null(strstr(aws_fixture_seen(&f->aws, 3)->url, "/x-Counter"));
}

static void other_code_is_put_right(void **state)
{
	struct fixture *f = *state;

	f->sha = OLD;
	check_well(f);
	assert_int_equal(f->puts, 1);
	assert_int_equal(f->drift.functions.len, 1);
	assert_string_equal(f->drift.functions.items[0], "x-Counter");
	assert_non_null(strstr(aws_fixture_seen(&f->aws, 5)->body,
			       "\"S3Bucket\":\"b\",\"S3Key\":\"k\""));
	check_well(f);
	assert_int_equal(f->drift.functions.len, 0);
}

static void other_code_is_only_told(void **state)
{
	struct fixture *f = *state;

	f->sha = OLD;
	f->check.repair = false;
	check_well(f);
	assert_int_equal(f->puts, 0);
	assert_string_equal(f->drift.functions.items[0], "x-Counter");
}

static void a_template_without_transforms_is_yaml(void **state)
{
	struct fixture *f = *state;

	f->template = "Resources:\n"
		      "  Counter:\n"
		      "    Type: AWS::Lambda::Function\n"
		      "    Properties:\n"
		      "      Code: {S3Bucket: b, S3Key: k}\n"
		      "      Role: !GetAtt Role.Arn\n";
	f->sha = OLD;
	check_well(f);
	assert_int_equal(f->puts, 1);
}

static void published_versions_are_spoken_of(void **state)
{
	struct fixture *f = *state;

	f->template = "Resources:\n"
		      "  Counter:\n"
		      "    Type: AWS::Lambda::Function\n"
		      "    Properties: {Code: {S3Bucket: b, S3Key: k}}\n"
		      "  CounterVersion:\n"
		      "    Type: AWS::Lambda::Version\n"
		      "    Properties: {FunctionName: {Ref: Counter}}\n";
	f->sha = OLD;
	check_well(f);
	assert_int_equal(f->drift.notes.len, 1);
	assert_non_null(strstr(f->drift.notes.items[0], "its versions and aliases were"));
}

static void a_function_that_may_not_be_read_is_a_note(void **state)
{
	struct fixture *f = *state;

	f->status = 403;
	f->code = "x-amzn-ErrorType: AccessDeniedException";
	check_well(f);
	assert_int_equal(f->drift.functions.len, 0);
	assert_int_equal(f->drift.notes.len, 1);
	assert_non_null(strstr(f->drift.notes.items[0],
			       "function x-Counter may not be read, so that its code was "
			       "not compared: GetFunction: 403"));
}

static void a_function_that_is_gone_is_an_error(void **state)
{
	struct fixture *f = *state;

	f->status = 404;
	f->code = "x-amzn-ErrorType: ResourceNotFoundException";
	assert_int_equal(check(f), -1);
	assert_int_equal(f->aws.err.code, ERR_NOT_FOUND);
	assert_non_null(strstr(f->aws.err.msg, "function x-Counter of stack resume is "
					       "gone"));
	f->check.repair = false;
	check_well(f);
	assert_int_equal(f->drift.functions.len, 1);
}

static void what_cannot_be_compared_is_noted(void **state)
{
	struct fixture *f = *state;

	f->codes[1].sha256 = "";
	check_well(f);
	assert_int_equal(f->drift.functions.len, 0);
	assert_int_equal(f->drift.notes.len, 1);
	assert_non_null(strstr(f->drift.notes.items[0], "s3://b/k is not known"));
}

static void failures_are_told(void **state)
{
	struct fixture *f = *state;

	f->sha = OLD;
	fake_http_expect(&f->aws.fake, "PUT", NULL, 400,
			 "x-amzn-ErrorType: InvalidParameterValueException",
			 "{\"message\": \"Error occurred while GetObject. S3 Error Code: "
			 "NoSuchKey.\"}");
	assert_int_equal(check(f), -1);
	assert_non_null(strstr(f->aws.err.msg, "put the code of stack resume right: "
					       "function x-Counter: UpdateFunctionCode"));
	f->template = "Resources: [";
	assert_int_equal(check(f), -1);
	assert_non_null(strstr(f->aws.err.msg, "compare the code of stack resume: "
					       "processed template:2:1: "));
}

static void nothing_of_ours_is_nothing_to_ask(void **state)
{
	static const char *const templates[] = { "", "{}", "Resources: 3", "- 1" };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(templates) / sizeof(*templates); i++) {
		f->template = templates[i];
		check_well(f);
		assert_int_equal(f->aws.fake.seen.len, 3 * (i + 1));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_right_is_left_alone),
		TEST(other_code_is_put_right),
		TEST(other_code_is_only_told),
		TEST(a_template_without_transforms_is_yaml),
		TEST(published_versions_are_spoken_of),
		TEST(a_function_that_may_not_be_read_is_a_note),
		TEST(a_function_that_is_gone_is_an_error),
		TEST(what_cannot_be_compared_is_noted),
		TEST(failures_are_told),
		TEST(nothing_of_ours_is_nothing_to_ask),
	};

	return cmocka_run_group_tests_name("stack code", tests, NULL, NULL);
}
