/* Commit statuses as each kind of host takes them: host_status.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "daemon/host_status.h"

#define SHA  "0123456789abcdef0123456789abcdef01234567"
#define LINK "https://deploy.example.com/deploys/7"

static const struct status_case {
	const char *kind, *api, *project, *user;
	enum host_state state;
	const char *url, *header, *value, *body;
} cases[] = {
	{ "github", NULL, "me/resume", NULL, HOST_RUNNING,
	  "https://api.github.com/repos/me/resume/statuses/" SHA, "Authorization",
	  "Bearer s3cret",
	  "{\"state\":\"pending\",\"context\":\"crc/resume\",\"description\":\"12 files\","
	  "\"target_url\":\"" LINK "\"}" },
	{ "github", "https://github.example.com/api/v3/", "me/resume", NULL, HOST_ERROR,
	  "https://github.example.com/api/v3/repos/me/resume/statuses/" SHA,
	  "Authorization", "Bearer s3cret", NULL },
	{ "gitlab", NULL, "me/group/resume", NULL, HOST_RUNNING,
	  "https://gitlab.com/api/v4/projects/me%2Fgroup%2Fresume/statuses/" SHA,
	  "PRIVATE-TOKEN", "s3cret",
	  "{\"state\":\"running\",\"name\":\"crc/resume\",\"description\":\"12 files\","
	  "\"target_url\":\"" LINK "\"}" },
	{ "forgejo", "https://git.example.com/api/v1", "me/resume", NULL, HOST_FAILURE,
	  "https://git.example.com/api/v1/repos/me/resume/statuses/" SHA, "Authorization",
	  "token s3cret",
	  "{\"state\":\"failure\",\"context\":\"crc/resume\",\"description\":\"12 files\","
	  "\"target_url\":\"" LINK "\"}" },
	{ "gitea", "http://127.0.0.1:3000/api/v1", "me/resume", NULL, HOST_SUCCESS,
	  "http://127.0.0.1:3000/api/v1/repos/me/resume/statuses/" SHA, "Authorization",
	  "token s3cret", NULL },
	{ "bitbucket-cloud", NULL, "team/resume", NULL, HOST_SUCCESS,
	  "https://api.bitbucket.org/2.0/repositories/team/resume/commit/" SHA
	  "/statuses/build",
	  "Authorization", "Bearer s3cret",
	  "{\"state\":\"SUCCESSFUL\",\"key\":\"crc/resume\",\"description\":\"12 files\","
	  "\"url\":\"" LINK "\"}" },
	{ "bitbucket-server", "https://bb.example.com", NULL, "bot", HOST_PENDING,
	  "https://bb.example.com/rest/build-status/1.0/commits/" SHA, "Authorization",
	  "Basic Ym90OnMzY3JldA==",
	  "{\"state\":\"INPROGRESS\",\"key\":\"crc/resume\",\"description\":\"12 files\","
	  "\"url\":\"" LINK "\"}" },
	{ "azure-devops", NULL, "org/My Project/resume", NULL, HOST_SUCCESS,
	  "https://dev.azure.com/org/My%20Project/_apis/git/repositories/resume/commits/" SHA
	  "/statuses?api-version=7.1",
	  "Authorization", "Basic OnMzY3JldA==",
	  "{\"state\":\"succeeded\",\"context\":{\"genre\":\"crc\",\"name\":\"crc/resume\"},"
	  "\"description\":\"12 files\",\"targetUrl\":\"" LINK "\"}" },
};

static void settings_of(const struct status_case *c, struct host_status_settings *s)
{
	*s = (struct host_status_settings){ .kind = host_status_find(c->kind),
					    .api = c->api,
					    .project = c->project,
					    .user = c->user };
	secret_set_str(&s->token, "s3cret");
	assert_non_null(s->kind);
}

static void test_host_status__request(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct error err = ERROR_INIT;
		struct host_status_settings s;
		const struct host_status st = { .site = "resume",
						.commit = SHA,
						.state = cases[i].state,
						.description = "12 files",
						.url = LINK };
		CLEANUP(host_status_message) struct host_status_message m;

		settings_of(&cases[i], &s);
		assert_int_equal(host_status_check(&s, &err), 0);
		assert_int_equal(host_status_request(&s, &st, &m, &err), 0);
		assert_string_equal(m.req.url, cases[i].url);
		assert_string_equal(m.headers[2].name, cases[i].header);
		assert_string_equal(m.headers[2].value, cases[i].value);
		if (cases[i].body) {
			assert_int_equal(m.req.body.len, strlen(cases[i].body));
			assert_memory_equal(m.req.body.bytes, cases[i].body,
					    strlen(cases[i].body));
		}
		secret_release(&s.token);
	}
}

static void test_host_status__long_text_is_cut(void **state)
{
	struct error err = ERROR_INIT;
	struct host_status_settings s;
	static const char accent[] = "\xc3\xa9"
				     "tail";
	char text[400], wanted[141];
	CLEANUP(host_status_message) struct host_status_message m;

	(void)state;
	/* The 140th byte is the first of a character of two. */
	memset(text, 'a', 139);
	memcpy(text + 139, accent, sizeof accent);
	snprintf(wanted, sizeof wanted, "%.139s\"", text);
	settings_of(&cases[0], &s);
	const struct host_status st = { .site = "resume",
					.commit = SHA,
					.description = text };
	assert_int_equal(host_status_request(&s, &st, &m, &err), 0);
	assert_non_null(strstr(m.req.body.bytes, wanted));
	secret_release(&s.token);
}

static void test_host_status__check(void **state)
{
	static const struct {
		const char *kind, *api, *project, *token, *message;
	} bad[] = {
		{ "gitea", NULL, "me/x", "t", "needs api" },
		{ "github", "ftp://x", "me/x", "t", "no http" },
		{ "gitea", "http://git.example.com/api/v1", "me/x", "t", "needs https" },
		{ "github", NULL, NULL, "t", "needs project" },
		{ "github", NULL, "me/x", "", "needs a token" },
		{ "azure-devops", NULL, "org/x", "t", "ORGANISATION" },
		{ "azure-devops", NULL, "org//x", "t", "ORGANISATION" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct error err = ERROR_INIT;
		struct host_status_settings s = { .kind = host_status_find(bad[i].kind),
						  .api = bad[i].api,
						  .project = bad[i].project };

		secret_set_str(&s.token, bad[i].token);
		assert_int_equal(host_status_check(&s, &err), -1);
		assert_int_equal(err.code, ERR_CONFIG);
		assert_non_null(strstr(err.msg, bad[i].message));
		secret_release(&s.token);
	}
}

static void test_host_status__refused(void **state)
{
	struct error err = ERROR_INIT;
	struct host_status_settings s;
	struct host_status st = { .site = "resume", .commit = SHA };
	CLEANUP(host_status_message) struct host_status_message m;
	CLEANUP(host_status_message) struct host_status_message n;

	(void)state;
	settings_of(&cases[5], &s);
	assert_int_equal(host_status_request(&s, &st, &m, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_true(host_status_needs_url(s.kind));
	st.url = LINK;
	st.commit = "../../x";
	assert_int_equal(host_status_request(&s, &st, &n, &err), -1);
	assert_int_equal(err.code, ERR_USAGE);
	secret_release(&s.token);
	assert_null(host_status_find("sourcehut"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host_status__request),
		cmocka_unit_test(test_host_status__long_text_is_cut),
		cmocka_unit_test(test_host_status__check),
		cmocka_unit_test(test_host_status__refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
