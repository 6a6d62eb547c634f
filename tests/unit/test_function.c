#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws_fixture.h"
#include "codec/json.h"
#include "run/function.h"

#define OLD "b2xkIGNvZGU="
#define NEW "bmV3IGNvZGU="
#define ARN "arn:aws:lambda:us-east-1:111122223333:function:mailer"

/* A function as Lambda holds it. Rules of fake_http come before it. */
struct cloud {
	struct arena arena;
	const char *sha;
	int revision;
	const char *status; /* LastUpdateStatus once it is settled */
	const char *reason;
	const char *package;
	int busy;           /* so many more reads find it InProgress */
	int takes;          /* what busy is after an update */
	const char *after;  /* status after an update; NULL: Successful */
	const char *sends;  /* the code that an update brings; NULL: NEW */
	const char *others; /* somebody puts this between our read and our update; once */
	const char *alias_sha; /* NULL: there is no alias */
	const char *alias_version;
	const char *published_sha; /* of version 7, the newest; NULL: none */
	int puts;
	int publishes;
	int moves;
};

struct fixture {
	struct aws_fixture aws;
	struct cloud cloud;
	struct arena arena;
	struct watch watch;
	struct progress progress;
	struct function_options options;
	struct function_code code;
	struct function_result result;
	volatile int cancelled;
	int cancel_after; /* so many things told */
	char told[2048];
};

static void on_waiting(void *ctx, const char *text)
{
	struct fixture *f = ctx;
	size_t n = strlen(f->told);

	snprintf(f->told + n, sizeof(f->told) - n, "%s\n", text);
	if (f->cancel_after && --f->cancel_after == 0)
		f->cancelled = 1;
}

static void answer(struct cloud *c, struct fake_reply *reply, int status,
		   const char *body)
{
	(void)c;
	reply->status = status;
	reply->body = body;
}

static void refuse(struct fake_reply *reply, int status, const char *code)
{
	reply->status = status;
	reply->headers = code;
	reply->body = "{\"Message\": \"no\"}";
}

static const char *configuration(struct cloud *c, const char *sha, const char *version)
{
	bool busy = c->busy > 0;

	return arena_printf(&c->arena,
			    "{\"FunctionArn\": \"" ARN "\", \"CodeSha256\": \"%s\", "
			    "\"RevisionId\": \"r%d\", \"PackageType\": \"%s\", "
			    "\"Version\": \"%s\", \"State\": \"Active\", "
			    "\"LastUpdateStatus\": \"%s\", "
			    "\"LastUpdateStatusReasonCode\": \"%s\", "
			    "\"LastUpdateStatusReason\": \"%s\"}",
			    sha, c->revision, c->package, version,
			    busy ? "InProgress" : c->status,
			    busy || !*c->reason ? "" : "InvalidZipFileException",
			    busy ? "" : c->reason);
}

static void serve_get(struct cloud *c, const struct fake_seen *seen,
		      struct fake_reply *reply)
{
	bool qualified = strstr(seen->url, "Qualifier=live");
	const char *text;

	if (qualified && !c->alias_sha) {
		refuse(reply, 404, "x-amzn-ErrorType: ResourceNotFoundException");
		return;
	}
	text = qualified ? configuration(c, c->alias_sha, c->alias_version)
			 : configuration(c, c->sha, "$LATEST");
	if (c->busy > 0)
		c->busy--;
	answer(c, reply, 200, arena_printf(&c->arena, "{\"Configuration\": %s}", text));
}

static bool has_revision(const struct cloud *c, const struct fake_seen *seen)
{
	char text[64];

	snprintf(text, sizeof(text), "\"RevisionId\":\"r%d\"", c->revision);
	return strstr(seen->body, text);
}

static void serve_code(struct cloud *c, const struct fake_seen *seen,
		       struct fake_reply *reply)
{
	if (c->others) {
		c->sha = c->others;
		c->others = NULL;
		c->revision++;
	}
	if (c->busy > 0) {
		refuse(reply, 409, "x-amzn-ErrorType: ResourceConflictException");
	} else if (!has_revision(c, seen)) {
		refuse(reply, 412, "x-amzn-ErrorType: PreconditionFailedException");
	} else {
		c->puts++;
		c->revision++;
		c->sha = c->sends ? c->sends : NEW;
		c->status = c->after ? c->after : "Successful";
		c->busy = c->takes;
		answer(c, reply, 200, configuration(c, c->sha, "$LATEST"));
	}
}

static void serve_publish(struct cloud *c, const struct fake_seen *seen,
			  struct fake_reply *reply)
{
	if (!strstr(seen->body, c->sha)) {
		reply->status = 400;
		reply->headers = "x-amzn-ErrorType: InvalidParameterValueException";
		reply->body = "{\"message\": \"CodeSHA256 (x) is different from current "
			      "CodeSHA256 in $LATEST (y).\"}";
		return;
	}
	c->publishes++;
	if (!str_eq(c->published_sha, c->sha)) {
		c->published_sha = c->sha;
		c->revision++;
	}
	answer(c, reply, 201, configuration(c, c->sha, "7"));
}

static void serve(void *ctx, const struct fake_seen *seen, struct fake_reply *reply)
{
	struct cloud *c = ctx;

	if (!strstr(seen->url, "/functions/mailer") &&
	    !strstr(seen->url, "%3Afunction%3Amailer"))
		refuse(reply, 404, "x-amzn-ErrorType: ResourceNotFoundException");
	else if (strcmp(seen->method, "GET") == 0)
		serve_get(c, seen, reply);
	else if (strstr(seen->url, "/code"))
		serve_code(c, seen, reply);
	else if (strstr(seen->url, "/versions"))
		serve_publish(c, seen, reply);
	else if (strstr(seen->url, "/aliases/live")) {
		c->moves++;
		c->alias_sha = c->published_sha;
		c->alias_version = "7";
		answer(c, reply, 200, "{\"FunctionVersion\": \"7\"}");
	} else {
		reply->status = 418;
	}
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	aws_fixture_start(&f->aws);
	f->aws.fake.serve = serve;
	f->aws.fake.serve_ctx = &f->cloud;
	f->aws.fake.http.cancelled = &f->cancelled;
	f->cloud = (struct cloud){
		.sha = OLD, .status = "Successful", .reason = "", .package = "Zip"
	};
	f->progress = (struct progress){ .ctx = f, .waiting = on_waiting };
	f->watch = (struct watch){ .aws = f->aws.aws, .progress = &f->progress };
	f->options = (struct function_options){ .watch = &f->watch,
						.name = "mailer",
						.timeout_s = 60 };
	f->code = (struct function_code){ .zip = "PK..", .len = 4, .sha256 = NEW };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	aws_fixture_end(&f->aws);
	arena_release(&f->cloud.arena);
	arena_release(&f->arena);
	free(f);
	return 0;
}

static int deploy(struct fixture *f)
{
	error_clear(&f->aws.err);
	return function_deploy(&f->options, &f->code, &f->arena, &f->result, &f->aws.err);
}

static void deploy_well(struct fixture *f)
{
	if (deploy(f) < 0)
		fail_msg("%s", f->aws.err.msg);
}

static void deploy_badly(struct fixture *f, enum error_code code, const char *part)
{
	assert_int_equal(deploy(f), -1);
	if (f->aws.err.code != code || !strstr(f->aws.err.msg, part))
		fail_msg("%s: %s", error_code_name(f->aws.err.code), f->aws.err.msg);
}

static size_t count(const struct fixture *f, const char *method, const char *part)
{
	size_t n = 0;

	for (size_t i = 0; i < f->aws.fake.seen.len; i++)
		n += strcmp(f->aws.fake.seen.items[i].method, method) == 0 &&
		     strstr(f->aws.fake.seen.items[i].url, part);
	return n;
}

static struct fake_rule *expect(struct fixture *f, const char *method, const char *part,
				int status, const char *headers, const char *body)
{
	return fake_http_expect(&f->aws.fake, method, part, status, headers, body);
}

/* ---- code ---- */

static void new_code_is_sent_and_awaited(void **state)
{
	struct fixture *f = *state;

	f->cloud.takes = 2;
	deploy_well(f);
	assert_true(f->result.changed);
	assert_false(f->result.moved);
	assert_null(f->result.version);
	assert_string_equal(f->result.now.code_sha256, NEW);
	assert_string_equal(f->result.now.update, "Successful");
	assert_int_equal(f->cloud.puts, 1);
	assert_int_equal(count(f, "GET", "mailer"), 4);
	assert_non_null(strstr(f->told, "Lambda is taking the new code in"));
}

static void the_same_code_costs_one_request(void **state)
{
	struct fixture *f = *state;

	f->cloud.sha = NEW;
	deploy_well(f);
	assert_false(f->result.changed);
	assert_int_equal(f->aws.fake.seen.len, 1);
}

static void large_code_is_named_by_its_object(void **state)
{
	struct fixture *f = *state;

	f->code = (struct function_code){ .bucket = "b", .key = "k", .sha256 = NEW };
	deploy_well(f);
	assert_non_null(strstr(aws_fixture_seen(&f->aws, 1)->body,
			       "\"S3Bucket\":\"b\",\"S3Key\":\"k\""));
}

static void an_object_with_other_code_is_told(void **state)
{
	struct fixture *f = *state;

	f->cloud.sends = "b3RoZXI=";
	deploy_badly(f, ERR_DATA, "other code has arrived than was sent");
}

static void a_missing_function_is_told_with_what_to_do(void **state)
{
	struct fixture *f = *state;

	f->options.name = "postman";
	deploy_badly(f, ERR_NOT_FOUND,
		     "function postman is not in region us-east-1: check `function` in "
		     "crc.yml, or create it first with the tool that owns it");
}

static void an_image_is_refused(void **state)
{
	struct fixture *f = *state;

	f->cloud.package = "Image";
	deploy_badly(f, ERR_CONFIG, "runs a container image");
	assert_int_equal(count(f, "PUT", ""), 0);
}

static void a_failed_update_fails(void **state)
{
	struct fixture *f = *state;

	f->cloud.after = "Failed";
	f->cloud.reason = "the zip has no handler in it";
	f->cloud.takes = 1;
	deploy_badly(
		f, ERR_SERVICE,
		"function mailer: the update failed, InvalidZipFileException: the zip "
		"has no handler in it (it goes on running the code from before)");
	assert_int_equal(f->cloud.puts, 1);
}

/* What runs is then the code from before the failed update. */
static void an_old_failure_with_our_code_is_sent_again(void **state)
{
	struct fixture *f = *state;

	f->cloud.sha = NEW;
	f->cloud.status = "Failed";
	deploy_well(f);
	assert_true(f->result.changed);
	assert_int_equal(f->cloud.puts, 1);
}

static void code_that_cannot_be_unpacked_is_a_mistake_of_the_users(void **state)
{
	struct fixture *f = *state;

	expect(f, "PUT", "/code", 400, "x-amzn-ErrorType: InvalidParameterValueException",
	       "{\"message\": \"Could not unzip uploaded file. Please check your file, "
	       "then try to upload again.\"}");
	deploy_badly(f, ERR_CONFIG,
		     "function mailer: UpdateFunctionCode: 400 "
		     "InvalidParameterValueException: Could not unzip");
}

static void a_refusal_for_other_reasons_is_told(void **state)
{
	struct fixture *f = *state;

	expect(f, "PUT", "/code", 400, "x-amzn-ErrorType: InvalidParameterValueException",
	       "{\"message\": \"Error occurred while GetObject. S3 Error Code: "
	       "NoSuchKey.\"}");
	deploy_badly(f, ERR_SERVICE, "NoSuchKey");
	expect(f, "PUT", "/code", 403, "x-amzn-ErrorType: AccessDeniedException",
	       "{\"Message\": \"User: x is not authorized to perform: "
	       "lambda:UpdateFunctionCode\"}");
	deploy_badly(f, ERR_FORBIDDEN, "lambda:UpdateFunctionCode");
}

/* ---- others, and the network ---- */

static void a_busy_function_is_waited_for(void **state)
{
	struct fixture *f = *state;

	f->cloud.busy = 3;
	deploy_well(f);
	assert_int_equal(f->cloud.puts, 1);
	assert_non_null(strstr(f->told,
			       "function mailer: somebody else is changing it: waiting"));
}

static void a_pending_function_is_waited_for(void **state)
{
	struct fixture *f = *state;

	expect(f, "GET", "mailer", 200, NULL,
	       "{\"Configuration\": {\"FunctionArn\": \"" ARN
	       "\", \"State\": \"Pending\"}}");
	deploy_well(f);
	assert_int_equal(f->cloud.puts, 1);
	assert_string_equal(aws_fixture_seen(&f->aws, 1)->method, "GET");
}

static void a_function_that_stays_busy_is_given_up(void **state)
{
	struct fixture *f = *state;

	f->cloud.busy = 1000;
	deploy_badly(f, ERR_TIMEOUT, "somebody else is changing it: waiting, for 60 s");
	assert_int_equal(count(f, "PUT", ""), 0);
	/* Not asked in a hurry. */
	assert_in_range(count(f, "GET", ""), 15, 40);
}

static void one_that_becomes_busy_meanwhile_is_waited_for(void **state)
{
	struct fixture *f = *state;

	expect(f, "PUT", "/code", 409, "x-amzn-ErrorType: ResourceConflictException",
	       "{\"Message\": \"The operation cannot be performed at this time. An "
	       "update is in progress\"}");
	deploy_well(f);
	assert_int_equal(f->cloud.puts, 1);
}

static void somebody_elses_change_is_compared_with_again(void **state)
{
	struct fixture *f = *state;

	f->cloud.others = "dGhlaXJz";
	deploy_well(f);
	assert_int_equal(f->cloud.puts, 1);
	assert_int_equal(count(f, "PUT", "/code"), 2);
	assert_string_equal(f->result.now.code_sha256, NEW);
}

static void somebody_else_may_have_sent_the_same(void **state)
{
	struct fixture *f = *state;

	f->cloud.others = NEW;
	deploy_well(f);
	assert_int_equal(f->cloud.puts, 0);
	assert_int_equal(count(f, "PUT", "/code"), 1);
}

static void endless_contests_end(void **state)
{
	struct fixture *f = *state;

	expect(f, "PUT", "/code", 412, "x-amzn-ErrorType: PreconditionFailedException",
	       "{\"Message\": \"no\"}")
		->times = -1;
	deploy_badly(f, ERR_CONFLICT, "somebody else changes it");
	assert_int_equal(count(f, "PUT", "/code"), 5);
}

static void a_lost_answer_is_looked_after(void **state)
{
	struct fixture *f = *state;

	/* All attempts of the client: the first has got through. */
	expect(f, "PUT", "/code", 0, NULL, NULL)->times = 5;
	expect(f, "GET", "mailer", 200, NULL,
	       "{\"Configuration\": {\"FunctionArn\": \"" ARN "\", \"CodeSha256\": \"" OLD
	       "\", \"RevisionId\": \"r0\"}}");
	expect(f, "GET", "mailer", 200, NULL,
	       "{\"Configuration\": {\"FunctionArn\": \"" ARN "\", \"CodeSha256\": \"" NEW
	       "\", \"RevisionId\": \"r1\"}}");
	deploy_well(f);
	assert_true(f->result.changed);
	assert_int_equal(f->cloud.puts, 0);
}

static void a_lost_request_is_sent_again(void **state)
{
	struct fixture *f = *state;

	expect(f, "PUT", "/code", 0, NULL, NULL)->times = 5;
	deploy_well(f);
	assert_int_equal(f->cloud.puts, 1);
}

static void a_network_that_stays_away_is_told(void **state)
{
	struct fixture *f = *state;

	expect(f, "PUT", "/code", 0, NULL, NULL)->times = -1;
	deploy_badly(f, ERR_NETWORK, "function mailer: UpdateFunctionCode");
}

static void long_throttling_is_ridden_out(void **state)
{
	static const char *const throttled = "x-amzn-ErrorType: TooManyRequestsException";
	struct fixture *f = *state;

	f->options.timeout_s = 600;
	expect(f, "GET", "mailer", 429, throttled, "{\"Reason\": \"x\"}")->times = 12;
	expect(f, "PUT", "/code", 429, throttled, "{\"Reason\": \"x\"}")->times = 12;
	deploy_well(f);
	assert_int_equal(f->cloud.puts, 1);
}

static void told_to_stop_while_waiting(void **state)
{
	struct fixture *f = *state;

	f->cloud.busy = 1000;
	f->cancel_after = 2;
	deploy_badly(f, ERR_CANCELLED, "");
}

/* ---- names ---- */

static void an_arn_is_asked_in_its_region(void **state)
{
	struct fixture *f = *state;

	f->options.name = "arn:aws:lambda:eu-west-1:111122223333:function:mailer";
	deploy_well(f);
	for (size_t i = 0; i < f->aws.fake.seen.len; i++)
		assert_non_null(
			strstr(aws_fixture_seen(&f->aws, i)->url, "//lambda.eu-west-1."));
	f->options.name = "arn:aws:lambda:eu-west-1:111122223333:function:postman";
	deploy_badly(f, ERR_NOT_FOUND, "is not in region eu-west-1");
}

static void names_that_cannot_get_code_are_refused(void **state)
{
	static const char *const names[] = {
		"mailer:live",
		"111122223333:function:mailer:3",
		"arn:aws:lambda:us-east-1:111122223333:function:mailer:live",
		"a:b:c:d:e:f:g",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		f->options.name = names[i];
		deploy_badly(f, ERR_CONFIG, "is no function's name or ARN");
	}
	assert_int_equal(f->aws.fake.seen.len, 0);
	f->options.name = "111122223333:function:mailer";
	deploy_well(f);
}

/* ---- aliases ---- */

static void the_alias_is_moved_to_what_was_deployed(void **state)
{
	struct fixture *f = *state;

	f->options.alias = "live";
	f->cloud.alias_sha = OLD;
	f->cloud.alias_version = "6";
	f->cloud.takes = 1;
	deploy_well(f);
	assert_true(f->result.changed && f->result.moved);
	assert_string_equal(f->result.version, "7");
	assert_int_equal(f->cloud.publishes, 1);
	assert_int_equal(f->cloud.moves, 1);
}

static void an_alias_that_is_right_is_left_alone(void **state)
{
	struct fixture *f = *state;

	f->options.alias = "live";
	f->cloud.sha = f->cloud.alias_sha = NEW;
	f->cloud.alias_version = "6";
	deploy_well(f);
	assert_false(f->result.changed || f->result.moved);
	assert_string_equal(f->result.version, "6");
	assert_int_equal(f->aws.fake.seen.len, 2);
}

/* A deploy died between the code and the alias. */
static void an_alias_that_lags_behind_is_moved(void **state)
{
	struct fixture *f = *state;

	f->options.alias = "live";
	f->cloud.sha = f->cloud.published_sha = NEW;
	f->cloud.alias_sha = OLD;
	f->cloud.alias_version = "6";
	deploy_well(f);
	assert_false(f->result.changed);
	assert_true(f->result.moved);
	assert_string_equal(f->result.version, "7");
}

static void a_missing_alias_is_found_out_before_anything_is_changed(void **state)
{
	struct fixture *f = *state;

	f->options.alias = "live";
	deploy_badly(f, ERR_NOT_FOUND,
		     "function mailer has no alias live: check `alias`");
	assert_int_equal(f->cloud.puts, 0);
}

static void somebody_elses_code_is_not_published(void **state)
{
	struct fixture *f = *state;

	f->options.alias = "live";
	f->cloud.alias_sha = OLD;
	f->cloud.alias_version = "6";
	expect(f, "POST", "/versions", 400,
	       "x-amzn-ErrorType: InvalidParameterValueException",
	       "{\"message\": \"CodeSHA256 (x) is different from current CodeSHA256 in "
	       "$LATEST (y).\"}");
	deploy_badly(f, ERR_CONFLICT, "function mailer, alias live: PublishVersion");
	assert_int_equal(f->cloud.moves, 0);
}

static void a_version_that_is_being_prepared_is_waited_for(void **state)
{
	static const char *const pending = "{\"FunctionArn\": \"" ARN
					   "\", \"Version\": \"7\", \"State\": "
					   "\"Pending\"}";
	static const char *const failed =
		"{\"Configuration\": {\"FunctionArn\": \"" ARN
		"\", \"Version\": \"7\", \"State\": \"Failed\", \"StateReason\": "
		"\"no snapshot\"}}";
	struct fixture *f = *state;

	f->options.alias = "live";
	f->cloud.alias_sha = OLD;
	f->cloud.alias_version = "6";
	expect(f, "POST", "/versions", 201, NULL, pending);
	deploy_well(f);
	assert_true(f->result.moved);
	assert_int_equal(count(f, "GET", "Qualifier=7"), 1);
	f->cloud.alias_sha = OLD;
	f->cloud.alias_version = "6";
	expect(f, "POST", "/versions", 201, NULL, pending);
	expect(f, "GET", "Qualifier=7", 200, NULL, failed);
	deploy_badly(f, ERR_SERVICE, "version 7 failed: no snapshot");
}

static void conflicts_and_lost_answers_of_an_alias_are_outlived(void **state)
{
	static const char *const conflict = "x-amzn-ErrorType: ResourceConflictException";
	struct fixture *f = *state;

	f->options.alias = "live";
	f->cloud.alias_sha = OLD;
	f->cloud.alias_version = "6";
	expect(f, "POST", "/versions", 409, conflict, "{\"Message\": \"no\"}");
	expect(f, "POST", "/versions", 0, NULL, NULL)->times = 7;
	expect(f, "PUT", "/aliases/live", 409, conflict, "{\"Message\": \"no\"}");
	expect(f, "PUT", "/aliases/live", 0, NULL, NULL)->times = 7;
	f->options.timeout_s = 600;
	deploy_well(f);
	assert_true(f->result.moved);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(new_code_is_sent_and_awaited),
		TEST(the_same_code_costs_one_request),
		TEST(large_code_is_named_by_its_object),
		TEST(an_object_with_other_code_is_told),
		TEST(a_missing_function_is_told_with_what_to_do),
		TEST(an_image_is_refused),
		TEST(a_failed_update_fails),
		TEST(an_old_failure_with_our_code_is_sent_again),
		TEST(code_that_cannot_be_unpacked_is_a_mistake_of_the_users),
		TEST(a_refusal_for_other_reasons_is_told),
		TEST(a_busy_function_is_waited_for),
		TEST(a_pending_function_is_waited_for),
		TEST(a_function_that_stays_busy_is_given_up),
		TEST(one_that_becomes_busy_meanwhile_is_waited_for),
		TEST(somebody_elses_change_is_compared_with_again),
		TEST(somebody_else_may_have_sent_the_same),
		TEST(endless_contests_end),
		TEST(a_lost_answer_is_looked_after),
		TEST(a_lost_request_is_sent_again),
		TEST(a_network_that_stays_away_is_told),
		TEST(long_throttling_is_ridden_out),
		TEST(told_to_stop_while_waiting),
		TEST(an_arn_is_asked_in_its_region),
		TEST(names_that_cannot_get_code_are_refused),
		TEST(the_alias_is_moved_to_what_was_deployed),
		TEST(an_alias_that_is_right_is_left_alone),
		TEST(an_alias_that_lags_behind_is_moved),
		TEST(a_missing_alias_is_found_out_before_anything_is_changed),
		TEST(somebody_elses_code_is_not_published),
		TEST(a_version_that_is_being_prepared_is_waited_for),
		TEST(conflicts_and_lost_answers_of_an_alias_are_outlived),
	};

	return cmocka_run_group_tests_name("function", tests, NULL, NULL);
}
