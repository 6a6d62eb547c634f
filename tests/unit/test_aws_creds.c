#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "aws/creds.h"
#include "aws/creds_providers.h"
#include "aws/profile.h"
#include "base/str.h"
#include "fake/fake_http.h"

#define START_MS INT64_C(1780000000000) /* 2026-05-28T20:26:40Z */

enum { ENV_MOST = 24 };

struct fixture {
	struct clock_fake clock;
	struct fake_http fake;
	struct creds_options options;
	struct aws_creds *creds;
	const char *env[ENV_MOST + 1];
	size_t n_env;
	char folder[64];
	struct arena arena;
	struct buf masked;
	const struct aws_keys *keys;
	struct error err;
};

static void mask(void *ctx, const char *secret)
{
	buf_printf(ctx, "[%s]", secret);
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	clock_fake_init(&f->clock, START_MS);
	fake_http_init(&f->fake, &f->clock);
	f->masked = (struct buf)BUF_INIT(1 << 20);
	f->options = (struct creds_options){
		.http = &f->fake.http,
		.clock = &f->clock.clock,
		.env = f->env,
		.mask = mask,
		.mask_ctx = &f->masked,
	};
	strcpy(f->folder, "/tmp/crc-creds-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = { "config", "credentials", "token" };
	struct fixture *f = *state;
	bool good = fake_http_check(&f->fake);
	char path[128];

	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", f->folder, names[i]);
		unlink(path);
	}
	rmdir(f->folder);
	aws_creds_free(f->creds);
	fake_http_release(&f->fake);
	buf_release(&f->masked);
	arena_release(&f->arena);
	free(f);
	return good ? 0 : -1;
}

static void setenv_(struct fixture *f, const char *name, const char *value)
{
	assert_true(f->n_env < ENV_MOST);
	f->env[f->n_env++] = arena_printf(&f->arena, "%s=%s", name, value);
}

/* Writes a file and has a variable name it. */
static void put_file(struct fixture *f, const char *variable, const char *name,
		     const char *text)
{
	const char *path = arena_printf(&f->arena, "%s/%s", f->folder, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	setenv_(f, variable, path);
}

static void put_config(struct fixture *f, const char *text)
{
	put_file(f, "AWS_CONFIG_FILE", "config", text);
}

static int get(struct fixture *f)
{
	if (!f->creds && aws_creds_new(&f->options, &f->creds, &f->err) < 0)
		return -1;
	return aws_creds_get(f->creds, &f->keys, &f->err);
}

static void assert_keys(struct fixture *f, const char *id, const char *key,
			const char *token)
{
	if (get(f) < 0)
		fail_msg("%s", f->err.msg);
	assert_string_equal(secret_bytes(&f->keys->id), id);
	assert_string_equal(secret_bytes(&f->keys->key), key);
	assert_string_equal(secret_bytes(&f->keys->token), token);
}

static void assert_fails(struct fixture *f, enum error_code code, const char *part)
{
	assert_int_equal(get(f), -1);
	if (f->err.code != code || !strstr(f->err.msg, part))
		fail_msg("%s: %s", error_code_name(f->err.code), f->err.msg);
}

#define STS_KEYS(operation, id, expires)                                                      \
	"<" operation                                                                         \
	"Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><" operation            \
	"Result><Credentials><AccessKeyId>" id "</AccessKeyId><SecretAccessKey>"              \
	"sts-key</SecretAccessKey><SessionToken>sts-token</SessionToken><Expiration>" expires \
	"</Expiration></Credentials></" operation "Result></" operation "Response>"

#define JSON_KEYS(id, expires)                        \
	"{\"Code\":\"Success\",\"AccessKeyId\":\"" id \
	"\",\"SecretAccessKey\":\"json-key\","        \
	"\"Token\":\"json-token\",\"Expiration\":\"" expires "\"}"

/* ---- environment ---- */

static void test_aws_creds__environment(void **state)
{
	struct fixture *f = *state;

	setenv_(f, "AWS_ACCESS_KEY_ID", "ID");
	setenv_(f, "AWS_SECRET_ACCESS_KEY", "KEY");
	setenv_(f, "AWS_SESSION_TOKEN", "TOKEN");
	put_config(f, "[default]\naws_access_key_id=file\naws_secret_access_key=x\n");
	assert_keys(f, "ID", "KEY", "TOKEN");
	assert_string_equal(f->masked.data, "[ID][KEY][TOKEN]");
	assert_true(creds_configured(&f->options));
}

static void test_aws_creds__half_an_environment(void **state)
{
	struct fixture *f = *state;

	setenv_(f, "AWS_ACCESS_KEY_ID", "ID");
	assert_fails(f, ERR_CREDENTIALS, "AWS_SECRET_ACCESS_KEY is not");
}

static void test_aws_creds__nothing(void **state)
{
	struct fixture *f = *state;

	f->options.no_metadata = true;
	assert_false(creds_configured(&f->options));
	assert_fails(f, ERR_CREDENTIALS, "no credentials");
}

/* ---- profiles ---- */

static void test_aws_creds__profile_files(void **state)
{
	struct fixture *f = *state;

	put_config(f, "# one\n[profile work]\nregion = eu-west-1 # here\n"
		      "aws_access_key_id = config-id\naws_secret_access_key = k\n"
		      "s3 =\n  endpoint_url = http://nested\n  x = y\n"
		      "[default]\nregion=us-west-2\n");
	put_file(f, "AWS_SHARED_CREDENTIALS_FILE", "credentials",
		 "\xef\xbb\xbf[work]\r\naws_access_key_id=shared-id\r\n"
		 "aws_secret_access_key = a#b;c/+=\r\naws_session_token=t\r\n");
	setenv_(f, "AWS_PROFILE", "work");
	assert_keys(f, "shared-id", "a#b;c/+=", "t");
}

static void test_aws_creds__region(void **state)
{
	struct fixture *f = *state;
	char region[64];

	assert_false(creds_region(f->env, region, sizeof(region)));
	put_config(f, "[default]\nregion=us-west-2\n[profile a]\nregion=eu-west-1\n");
	assert_true(creds_region(f->env, region, sizeof(region)));
	assert_string_equal(region, "us-west-2");
	setenv_(f, "AWS_PROFILE", "a");
	assert_true(creds_region(f->env, region, sizeof(region)));
	assert_string_equal(region, "eu-west-1");
	setenv_(f, "AWS_DEFAULT_REGION", "ap-east-1");
	setenv_(f, "AWS_REGION", "sa-east-1");
	assert_true(creds_region(f->env, region, sizeof(region)));
	assert_string_equal(region, "sa-east-1");
}

static void test_aws_creds__a_named_profile_must_exist(void **state)
{
	struct fixture *f = *state;

	put_config(f, "[profile a]\nregion=x\n");
	setenv_(f, "AWS_PROFILE", "b");
	assert_true(creds_configured(&f->options));
	assert_fails(f, ERR_CREDENTIALS, "profile \"b\" is in neither");
}

static void test_aws_creds__malformed_files_are_not_quoted(void **state)
{
	struct fixture *f = *state;

	put_config(f, "[default]\ncanary-secret\n");
	assert_fails(f, ERR_CONFIG, ":2: neither");
	assert_null(strstr(f->err.msg, "canary"));
	assert_true(creds_configured(&f->options));
}

static void test_aws_creds__profile_role(void **state)
{
	struct fixture *f = *state;

	put_config(f, "[profile base]\naws_access_key_id=BASE\naws_secret_access_key=k\n"
		      "[default]\nrole_arn=arn:aws:iam::1:role/r\nsource_profile=base\n"
		      "external_id=x y\nrole_session_name=me\nregion=eu-west-1\n");
	fake_http_expect(&f->fake, "POST", "https://sts.eu-west-1.amazonaws.com/", 200,
			 NULL, STS_KEYS("AssumeRole", "ROLE", "2026-05-28T21:26:40Z"));
	assert_keys(f, "ROLE", "sts-key", "sts-token");
	assert_string_equal(
		f->fake.seen.items[0].body,
		"Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A"
		"%3A1%3Arole%2Fr&RoleSessionName=me&ExternalId=x%20y");
	assert_non_null(strstr(f->fake.seen.items[0].headers, "Credential=BASE/"));
	assert_string_equal(f->masked.data, "[ROLE][sts-key][sts-token]");
}

static void test_aws_creds__profile_role_chain_and_circle(void **state)
{
	struct fixture *f = *state;

	put_config(f, "[profile a]\nrole_arn=arn:a\nsource_profile=b\n"
		      "[profile b]\nrole_arn=arn:b\nsource_profile=a\n");
	setenv_(f, "AWS_PROFILE", "a");
	assert_fails(f, ERR_CREDENTIALS, "circle");
}

static void test_aws_creds__people_profiles(void **state)
{
	static const char *const texts[] = {
		"[default]\nsso_session=x\nsso_account_id=1\nsso_role_name=r\n",
		"[default]\nlogin_session=arn:x\n",
	};

	for (size_t i = 0; i < 2; i++) {
		struct fixture *f = *state;

		put_config(f, texts[i]);
		assert_fails(f, ERR_CREDENTIALS, "aws configure export-credentials");
		teardown(state);
		setup(state);
	}
}

static int run_process(void *ctx, const char *command, struct buf *out, struct error *err)
{
	(void)err;
	assert_string_equal(command, "get-keys \"a b\"");
	buf_str(out, ctx);
	return 0;
}

static void test_aws_creds__process(void **state)
{
	static char good[] =
		"{\"Version\":1,\"AccessKeyId\":\"P\",\"SecretAccessKey\":\"k\","
		"\"SessionToken\":\"t\",\"Expiration\":\"2026-05-29T00:00:00+02:00\"}";
	static char old[] =
		"{\"Version\":2,\"AccessKeyId\":\"P\",\"SecretAccessKey\":\"k\"}";
	struct fixture *f = *state;

	put_config(f, "[default]\ncredential_process = get-keys \"a b\"\n");
	assert_fails(f, ERR_UNSUPPORTED, "credential_process");
	aws_creds_free(f->creds);
	f->creds = NULL;
	f->options.process = run_process;
	f->options.process_ctx = old;
	assert_fails(f, ERR_CREDENTIALS, "Version 1");
	aws_creds_free(f->creds);
	f->creds = NULL;
	f->options.process_ctx = good;
	assert_keys(f, "P", "k", "t");
	assert_true(f->keys->expires_ms == INT64_C(1780005600000));
}

/* ---- web identity ---- */

static void test_aws_creds__token_file(void **state)
{
	struct fixture *f = *state;

	put_file(f, "AWS_WEB_IDENTITY_TOKEN_FILE", "token", "  jwt.one\n");
	setenv_(f, "AWS_ROLE_ARN", "arn:aws:iam::1:role/r");
	setenv_(f, "AWS_ROLE_SESSION_NAME", "s");
	fake_http_expect(
		&f->fake, "POST", "sts.us-east-1", 200, NULL,
		STS_KEYS("AssumeRoleWithWebIdentity", "W1", "2026-05-28T20:36:40Z"));
	assert_keys(f, "W1", "sts-key", "sts-token");
	assert_null(strstr(f->fake.seen.items[0].headers, "Authorization"));
	assert_non_null(strstr(f->fake.seen.items[0].body, "&WebIdentityToken=jwt.one"));
	/* Kept while it lasts; fetched anew five minutes before the end, with the file read
	 * again. */
	f->clock.now_ms += 4 * 60 * 1000;
	assert_keys(f, "W1", "sts-key", "sts-token");
	f->clock.now_ms += 2 * 60 * 1000;
	put_file(f, "IGNORED", "token", "jwt.two");
	fake_http_expect(
		&f->fake, "POST", "sts.us-east-1", 200, NULL,
		STS_KEYS("AssumeRoleWithWebIdentity", "W2", "2026-05-28T21:36:40Z"));
	assert_keys(f, "W2", "sts-key", "sts-token");
	assert_non_null(strstr(f->fake.seen.items[1].body, "&WebIdentityToken=jwt.two"));
	/* A service says that they have expired before their time. */
	aws_creds_expire(f->creds);
	fake_http_expect(
		&f->fake, "POST", "sts.us-east-1", 200, NULL,
		STS_KEYS("AssumeRoleWithWebIdentity", "W3", "2026-05-28T21:36:40Z"));
	assert_keys(f, "W3", "sts-key", "sts-token");
}

static void test_aws_creds__a_failed_refresh_keeps_what_is_good(void **state)
{
	struct fixture *f = *state;

	put_file(f, "AWS_WEB_IDENTITY_TOKEN_FILE", "token", "jwt");
	setenv_(f, "AWS_ROLE_ARN", "arn:r");
	fake_http_expect(
		&f->fake, NULL, NULL, 200, NULL,
		STS_KEYS("AssumeRoleWithWebIdentity", "W1", "2026-05-28T20:30:40Z"));
	assert_keys(f, "W1", "sts-key", "sts-token");
	fake_http_expect(&f->fake, NULL, NULL, 400, NULL, "<ErrorResponse/>");
	assert_keys(f, "W1", "sts-key", "sts-token");
	f->clock.now_ms += 4 * 60 * 1000;
	fake_http_expect(&f->fake, NULL, NULL, 400, NULL, "<ErrorResponse/>");
	assert_int_equal(get(f), -1);
}

static void set_job(struct fixture *f)
{
	f->options.role_to_assume = "arn:aws:iam::1:role/deploy";
	setenv_(f, "GITHUB_ACTIONS", "true");
	setenv_(f, "GITHUB_RUN_ID", "42");
	setenv_(f, "ACTIONS_ID_TOKEN_REQUEST_URL", "https://token.example/x?v=1");
	setenv_(f, "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "canary-bearer");
}

static void test_aws_creds__job_token(void **state)
{
	struct fixture *f = *state;

	set_job(f);
	fake_http_expect(&f->fake, "GET",
			 "https://token.example/x?v=1&audience=sts.amazonaws.com", 200,
			 NULL, "{\"value\":\"job.jwt\"}");
	fake_http_expect(
		&f->fake, "POST", "sts.us-east-1", 200, NULL,
		STS_KEYS("AssumeRoleWithWebIdentity", "J", "2026-05-28T21:26:40Z"));
	assert_keys(f, "J", "sts-key", "sts-token");
	assert_non_null(strstr(f->fake.seen.items[0].headers, "Bearer canary-bearer"));
	assert_non_null(
		strstr(f->fake.seen.items[1].body, "RoleSessionName=crc-run-42&"));
	assert_string_equal(f->masked.data, "[job.jwt][J][sts-key][sts-token]");
}

static void test_aws_creds__denied_job_is_told_of_the_subject(void **state)
{
	struct fixture *f = *state;

	set_job(f);
	fake_http_expect(&f->fake, "GET", "token.example", 200, NULL,
			 "{\"value\":\"jwt\"}");
	fake_http_expect(
		&f->fake, "POST", "sts", 403, NULL,
		"<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not authorized "
		"to perform sts:AssumeRoleWithWebIdentity</Message></Error>"
		"</ErrorResponse>");
	assert_fails(f, ERR_CREDENTIALS, "repo:ORG/REPO:ref:refs/heads/main");
	assert_non_null(strstr(f->err.msg, "repo:ORG@ID/REPO@ID:ref:refs/heads/main"));
	assert_non_null(strstr(f->err.msg, "arn:aws:iam::1:role/deploy"));
}

static void test_aws_creds__job_without_permission(void **state)
{
	struct fixture *f = *state;

	f->options.role_to_assume = "arn:r";
	setenv_(f, "GITHUB_ACTIONS", "true");
	assert_fails(f, ERR_CREDENTIALS, "id-token: write");
	assert_true(creds_configured(&f->options));
}

static void test_aws_creds__role_to_assume_with_keys(void **state)
{
	struct fixture *f = *state;

	f->options.role_to_assume = "arn:aws:iam::1:role/deploy";
	setenv_(f, "AWS_ACCESS_KEY_ID", "ID");
	setenv_(f, "AWS_SECRET_ACCESS_KEY", "KEY");
	fake_http_expect(&f->fake, "POST", "sts.us-east-1", 200, NULL,
			 STS_KEYS("AssumeRole", "R", "2026-05-28T21:26:40Z"));
	assert_keys(f, "R", "sts-key", "sts-token");
}

/* ---- container and instance ---- */

static void test_aws_creds__container(void **state)
{
	struct fixture *f = *state;
	struct fake_seen *seen;

	setenv_(f, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/role");
	setenv_(f, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://other.example/");
	put_file(f, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "token", "Basic abc\n");
	fake_http_expect(&f->fake, "GET", "http://169.254.170.2/role", 200, NULL,
			 JSON_KEYS("C", "2026-05-28T21:26:40Z"));
	assert_keys(f, "C", "json-key", "json-token");
	seen = &f->fake.seen.items[0];
	assert_true(seen->no_proxy);
	assert_string_equal(seen->headers, "Authorization: Basic abc\n");
	assert_true(creds_configured(&f->options));
}

static void test_aws_creds__container_hosts(void **state)
{
	static const struct {
		const char *url;
		bool good;
	} cases[] = {
		{ "http://127.0.0.1:51679/x", true },
		{ "http://[::1]/x", true },
		{ "http://169.254.170.23/v1/credentials", true },
		{ "http://[fd00:ec2::23]/v1/credentials", true },
		{ "https://anything.example/x", true },
		{ "http://169.254.170.3/x", false },
		{ "http://evil.example/x", false },
		{ "http://169.254.170.2.evil.example/x", false },
		{ "http://127.0.0.1@evil.example/x", false },
		{ "file:///etc/passwd", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fixture *f = *state;

		setenv_(f, "AWS_CONTAINER_CREDENTIALS_FULL_URI", cases[i].url);
		if (cases[i].good)
			fake_http_expect(&f->fake, "GET", cases[i].url, 200, NULL,
					 JSON_KEYS("C", "2026-05-28T21:26:40Z"));
		if ((get(f) == 0) != cases[i].good)
			fail_msg("%s: %s", cases[i].url, f->err.msg);
		assert_int_equal(teardown(state), 0);
		setup(state);
	}
}

static void test_aws_creds__container_token_is_one_line(void **state)
{
	struct fixture *f = *state;

	setenv_(f, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/role");
	setenv_(f, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "a\r\nX-Evil: b");
	assert_fails(f, ERR_CREDENTIALS, "line break");
}

#define ROLES "/latest/meta-data/iam/security-credentials/"

static void test_aws_creds__instance(void **state)
{
	struct fixture *f = *state;

	fake_http_expect(&f->fake, "PUT", "http://169.254.169.254/latest/api/token", 200,
			 NULL, "imds-token");
	fake_http_expect(&f->fake, "GET", ROLES "my-role", 200, NULL,
			 JSON_KEYS("I", "2026-05-28T21:26:40Z"))
		->times = 0;
	fake_http_expect(&f->fake, "GET", ROLES, 200, NULL, "my-role\n");
	fake_http_expect(&f->fake, "GET", ROLES "my-role", 200, NULL,
			 JSON_KEYS("I", "2026-05-28T21:26:40Z"));
	assert_keys(f, "I", "json-key", "json-token");
	assert_int_equal(f->fake.seen.items[0].timeout_ms, 1000);
	assert_string_equal(f->fake.seen.items[2].headers,
			    "X-aws-ec2-metadata-token: imds-token\n");
	assert_false(creds_configured(&f->options));
}

static void test_aws_creds__instance_is_not_asked_when_forbidden(void **state)
{
	struct fixture *f = *state;

	setenv_(f, "AWS_EC2_METADATA_DISABLED", "True");
	assert_fails(f, ERR_CREDENTIALS, "no credentials");
	assert_int_equal(f->fake.seen.len, 0);
}

static void test_aws_creds__no_instance_is_no_credentials(void **state)
{
	struct fixture *f = *state;

	fake_http_expect(&f->fake, "PUT", "169.254.169.254", 0, NULL, NULL);
	assert_fails(f, ERR_CREDENTIALS, "no credentials: give role-to-assume");
}

static void test_aws_creds__times(void **state)
{
	static const struct {
		const char *text;
		bool valid;
		int64_t ms;
	} cases[] = {
		{ "2026-05-28T20:26:40Z", true, START_MS },
		{ "2026-05-28T20:26:40.123456Z", true, START_MS },
		{ "2026-05-28T22:26:40+02:00", true, START_MS },
		{ "2026-05-28T20:26:40", false, 0 },
		{ "2026-13-28T20:26:40Z", false, 0 },
		{ "2026-00-28T20:26:40Z", false, 0 },
		{ "28 May 2026", false, 0 },
		{ "", false, 0 },
	};
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(creds_time_parse(cases[i].text, &ms), cases[i].valid);
		if (cases[i].valid)
			assert_true(ms == cases[i].ms);
	}
	assert_false(creds_time_parse(NULL, &ms));
}

static void test_aws_creds__profile_endpoints(void **state)
{
	static const char text[] =
		"[profile a]\nendpoint_url = http://all\nservices = mine\n"
		"[services mine]\ns3 =\n  endpoint_url = http://s3\n\nsts =\n"
		"  endpoint_url=http://sts\n";
	CLEANUP(profiles) struct profiles p = PROFILES_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(profiles_parse(&p, text, strlen(text), false, "f", &err), 0);
	p.name = "a";
	assert_string_equal(profiles_endpoint(&p, NULL), "http://all");
	assert_string_equal(profiles_endpoint(&p, "s3"), "http://s3");
	assert_string_equal(profiles_endpoint(&p, "sts"), "http://sts");
	assert_null(profiles_endpoint(&p, "lambda"));
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(test_aws_creds__##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(environment),
		TEST(half_an_environment),
		TEST(nothing),
		TEST(profile_files),
		TEST(region),
		TEST(a_named_profile_must_exist),
		TEST(malformed_files_are_not_quoted),
		TEST(profile_role),
		TEST(profile_role_chain_and_circle),
		TEST(people_profiles),
		TEST(process),
		TEST(token_file),
		TEST(a_failed_refresh_keeps_what_is_good),
		TEST(job_token),
		TEST(denied_job_is_told_of_the_subject),
		TEST(job_without_permission),
		TEST(role_to_assume_with_keys),
		TEST(container),
		TEST(container_hosts),
		TEST(container_token_is_one_line),
		TEST(instance),
		TEST(instance_is_not_asked_when_forbidden),
		TEST(no_instance_is_no_credentials),
		TEST(times),
		TEST(profile_endpoints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
