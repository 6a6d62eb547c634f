#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws/sts.h"
#include "aws_fixture.h"

#define KEYS(operation, expires)                                                         \
	"<?xml version=\"1.0\"?><" operation                                             \
	"Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><" operation       \
	"Result><Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>"          \
	"s+/=</SecretAccessKey><SessionToken>t&amp;1</SessionToken><Expiration>" expires \
	"</Expiration></Credentials></" operation "Result></" operation "Response>"
#define DENIED                                                           \
	"<ErrorResponse><Error><Code>AccessDenied</Code><Message>User: " \
	"x is not authorized</Message></Error></ErrorResponse>"

static const struct sts_role role = {
	.arn = "arn:aws:iam::123456789012:role/deploy",
	.session = "crc-run-7",
	.external_id = "a b&c=d",
	.duration_s = 900,
};

static void assert_keys(const struct aws_keys *keys)
{
	assert_string_equal(secret_bytes(&keys->id), "ASIA1");
	assert_string_equal(secret_bytes(&keys->key), "s+/=");
	assert_string_equal(secret_bytes(&keys->token), "t&1");
	assert_int_equal(keys->expires_ms, FIXTURE_MS);
}

static void test_sts__assume_role(void **state)
{
	struct aws_fixture *f = *state;
	struct aws_keys keys = AWS_KEYS_INIT;
	struct sts_role plain = { .arn = role.arn, .session = "s" };

	fake_http_expect(&f->fake, "POST", "https://sts.us-east-1.amazonaws.com/", 200,
			 NULL, KEYS("AssumeRole", "2026-05-28T20:26:40Z"))
		->times = 2;
	if (sts_assume_role(f->aws, &role, &keys, &f->err) < 0)
		fail_msg("%s", f->err.msg);
	assert_keys(&keys);
	assert_string_equal(aws_fixture_seen(f, 0)->body,
			    "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam"
			    "%3A%3A123456789012%3Arole%2Fdeploy&RoleSessionName=crc-run-7"
			    "&ExternalId=a%20b%26c%3Dd&DurationSeconds=900");
	assert_seen_header(aws_fixture_seen(f, 0), "Content-Type",
			   "application/x-www-form-urlencoded; charset=utf-8");
	aws_keys_release(&keys);
	/* What is not set is not sent. */
	assert_int_equal(sts_assume_role(f->aws, &plain, &keys, &f->err), 0);
	assert_string_equal(aws_fixture_seen(f, 1)->body,
			    "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam"
			    "%3A%3A123456789012%3Arole%2Fdeploy&RoleSessionName=s");
	aws_keys_release(&keys);
}

static void test_sts__a_token_is_sent_unsigned(void **state)
{
	struct aws_fixture *f = *state;
	struct aws_keys keys = AWS_KEYS_INIT;
	struct secret token = SECRET_INIT;

	secret_set_str(&token, "ey.J/+=");
	fake_http_expect(&f->fake, "POST", NULL, 200, NULL,
			 KEYS("AssumeRoleWithWebIdentity", "2026-05-28T20:26:40Z"));
	assert_int_equal(
		sts_assume_role_with_token(f->aws, &role, &token, &keys, &f->err), 0);
	assert_keys(&keys);
	assert_seen_header(aws_fixture_seen(f, 0), "Authorization", NULL);
	assert_non_null(
		strstr(aws_fixture_seen(f, 0)->body, "&WebIdentityToken=ey.J%2F%2B%3D"));
	aws_keys_release(&keys);
	secret_release(&token);
}

/* Each is refused as a matter of credentials, and names the role. */
static void test_sts__denials(void **state)
{
	static const struct {
		int status;
		const char *body, *says;
	} cases[] = {
		{ 403, DENIED, "403 AccessDenied: User: x is not authorized" },
		{ 403,
		  "<ErrorResponse><Error><Code>InvalidClientTokenId</Code></Error>"
		  "</ErrorResponse>",
		  "InvalidClientTokenId" },
		{ 403,
		  "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error>"
		  "</ErrorResponse>",
		  "SignatureDoesNotMatch" },
		{ 403, "", "403 forbidden" },
	};
	struct aws_fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct aws_keys keys = AWS_KEYS_INIT;

		fake_http_expect(&f->fake, "POST", NULL, cases[i].status, NULL,
				 cases[i].body);
		assert_int_equal(sts_assume_role(f->aws, &role, &keys, &f->err), -1);
		if (f->err.code != ERR_CREDENTIALS ||
		    !str_starts(f->err.msg, "assume arn:aws:iam::123456789012:role/") ||
		    !strstr(f->err.msg, cases[i].says) || secret_len(&keys.key))
			fail_msg("case %zu: %s", i, f->err.msg);
	}
}

static void test_sts__denied_tokens_come_with_advice(void **state)
{
	static const char *const bodies[] = {
		DENIED,
		"<ErrorResponse><Error><Code>InvalidIdentityToken</Code></Error>"
		"</ErrorResponse>",
	};
	struct aws_fixture *f = *state;
	struct secret token = SECRET_INIT;

	secret_set_str(&token, "canary-token");
	for (size_t i = 0; i < 2; i++) {
		struct aws_keys keys = AWS_KEYS_INIT;

		fake_http_expect(&f->fake, "POST", NULL, 400, NULL, bodies[i]);
		assert_int_equal(
			sts_assume_role_with_token(f->aws, &role, &token, &keys, &f->err),
			-1);
		assert_int_equal(f->err.code, ERR_CREDENTIALS);
		assert_non_null(strstr(f->err.msg, "trust policy"));
		assert_null(strstr(f->err.msg, "canary"));
	}
	secret_release(&token);
}

static void test_sts__others_keep_their_code(void **state)
{
	struct aws_fixture *f = *state;
	struct aws_keys keys = AWS_KEYS_INIT;

	fake_http_expect(&f->fake, "POST", NULL, 0, NULL, NULL)->times = 5;
	assert_int_equal(sts_assume_role(f->aws, &role, &keys, &f->err), -1);
	assert_int_equal(f->err.code, ERR_NETWORK);
	fake_http_expect(&f->fake, "POST", NULL, 400, NULL,
			 "<ErrorResponse><Error><Code>ValidationError</Code></Error>"
			 "</ErrorResponse>");
	assert_int_equal(sts_assume_role(f->aws, &role, &keys, &f->err), -1);
	assert_int_equal(f->err.code, ERR_SERVICE);
}

#define PARTS(id, key, token, expires)                                             \
	"<AssumeRoleResponse><AssumeRoleResult><Credentials>" id key token expires \
	"</Credentials></AssumeRoleResult></AssumeRoleResponse>"
#define ID      "<AccessKeyId>a</AccessKeyId>"
#define KEY     "<SecretAccessKey>k</SecretAccessKey>"
#define TOKEN   "<SessionToken>t</SessionToken>"
#define EXPIRES "<Expiration>2026-05-28T20:26:40Z</Expiration>"

static void test_sts__answers_that_hold_no_keys(void **state)
{
	static const char *const bodies[] = {
		PARTS("", KEY, TOKEN, EXPIRES),
		PARTS(ID, "", TOKEN, EXPIRES),
		PARTS(ID, KEY, "", EXPIRES),
		PARTS(ID, KEY, TOKEN, ""),
		PARTS("<AccessKeyId/>", KEY, TOKEN, EXPIRES),
		PARTS(ID, KEY, TOKEN, "<Expiration>tomorrow</Expiration>"),
		PARTS(ID, KEY, TOKEN, "<Expiration>2026-13-28T20:26:40Z</Expiration>"),
		KEYS("AssumeRoleWithWebIdentity", "2026-05-28T20:26:40Z"),
		"<AssumeRoleResponse/>",
		"",
		"<AssumeRoleResponse>",
		"<!DOCTYPE a [<!ENTITY b \"c\">]>" PARTS(ID, KEY, TOKEN, EXPIRES),
	};
	struct aws_fixture *f = *state;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		struct aws_keys keys = AWS_KEYS_INIT;

		fake_http_expect(&f->fake, "POST", NULL, 200, NULL, bodies[i]);
		if (sts_assume_role(f->aws, &role, &keys, &f->err) == 0 ||
		    secret_len(&keys.key))
			fail_msg("case %zu", i);
		assert_non_null(strstr(f->err.msg, "STS"));
	}
}

static void test_sts__caller_identity(void **state)
{
	static const struct {
		const char *body;
		bool good;
	} cases[] = {
		{ "<GetCallerIdentityResponse><GetCallerIdentityResult>"
		  "<Arn>arn:aws:sts::1:assumed-role/a/b</Arn><UserId>u</UserId>"
		  "<Account>123456789012</Account></GetCallerIdentityResult>"
		  "</GetCallerIdentityResponse>",
		  true },
		{ "<GetCallerIdentityResponse><GetCallerIdentityResult>"
		  "<Account>123456789012</Account></GetCallerIdentityResult>"
		  "</GetCallerIdentityResponse>",
		  false },
		{ "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>a</Arn>"
		  "<Account>1234567890123456789012345678901234567890</Account>"
		  "</GetCallerIdentityResult></GetCallerIdentityResponse>",
		  false },
		{ "<GetCallerIdentityResponse/>", false },
	};
	struct aws_fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sts_identity who;
		int result;

		fake_http_expect(&f->fake, "POST", NULL, 200, NULL, cases[i].body);
		result = sts_caller_identity(f->aws, &who, &f->err);
		assert_int_equal(result, cases[i].good ? 0 : -1);
		if (cases[i].good) {
			assert_string_equal(who.account, "123456789012");
			assert_string_equal(who.arn, "arn:aws:sts::1:assumed-role/a/b");
		} else {
			assert_int_equal(f->err.code, ERR_DATA);
		}
	}
	assert_string_equal(aws_fixture_seen(f, 0)->body,
			    "Action=GetCallerIdentity&Version=2011-06-15");
}

#define TEST(name)                                                           \
	cmocka_unit_test_setup_teardown(test_sts__##name, aws_fixture_setup, \
					aws_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(assume_role),
		TEST(a_token_is_sent_unsigned),
		TEST(denials),
		TEST(denied_tokens_come_with_advice),
		TEST(others_keep_their_code),
		TEST(answers_that_hold_no_keys),
		TEST(caller_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
