/* Who is shown the job's token when a remote is asked for its branches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake/fake_http.h"
#include "git_repo.h"
#include "run/tip.h"

/* base64 of "x-access-token:canary" */
#define TOKEN "Basic eC1hY2Nlc3MtdG9rZW46Y2FuYXJ5"

static const struct {
	const char *name;
	const char *remote;
	const char *server;
	const char *token;
	const char *shown; /* NULL: no Authorization */
} cases[] = {
	{ "to its own server", "https://github.com/o/r", "https://github.com", "canary",
	  TOKEN },
	{ "hosts have no case", "https://GitHub.com:443/o/r", "https://github.com",
	  "canary", TOKEN },
	{ "an Enterprise server", "https://git.example.com/o/r",
	  "https://git.example.com/", "canary", TOKEN },
	{ "to another host", "https://gitlab.com/o/r", "https://github.com", "canary",
	  NULL },
	{ "to one that only starts so", "https://github.com.example.com/o/r",
	  "https://github.com", "canary", NULL },
	{ "to one that only ends so", "https://notgithub.com/o/r", "https://github.com",
	  "canary", NULL },
	{ "to another port", "https://github.com:8443/o/r", "https://github.com",
	  "canary", NULL },
	{ "in the clear", "http://github.com/o/r", "https://github.com", "canary", NULL },
	{ "in the clear, twice", "http://github.com/o/r", "http://github.com", "canary",
	  NULL },
	{ "nobody's", "https://github.com/o/r", NULL, "canary", NULL },
	{ "none", "https://github.com/o/r", "https://github.com", NULL, NULL },
};

static void ask(struct sandbox *s, size_t i)
{
	CLEANUP_PTR(repo) struct repo *repo = NULL;
	struct clock_fake clock;
	struct fake_http fake;
	struct error err = ERROR_INIT;
	struct oid commit = { { 1 } };
	char shown[256] = "";

	run(s, "r", NULL, "git config remote.origin.url %s", cases[i].remote);
	assert_int_equal(repo_open("r", NULL, &repo, &err), 0);
	clock_fake_init(&clock, 0);
	fake_http_init(&fake, &clock);
	fake_http_expect(&fake, "GET", "/o/r/info/refs?service=git-upload-pack", 200,
			 NULL, "0000");
	struct tip_options options = {
		.repo = repo,
		.http = &fake.http,
		.remote = "origin",
		.ref = "refs/heads/main",
		.token = cases[i].token,
		.server = cases[i].server,
	};
	assert_int_equal(tip_is(&options, &commit), ORDER_NO);
	assert_true(fake_http_check(&fake));
	if (fake_seen_header(&fake.seen.items[0], "Authorization", shown,
			     sizeof(shown)) != (cases[i].shown != NULL) ||
	    strcmp(shown, cases[i].shown ? cases[i].shown : "") != 0)
		fail_msg("%s: \"%s\"", cases[i].name, shown);
	fake_http_release(&fake);
}

static void test_tip__shows_the_token_to_its_server_alone(void **state)
{
	struct sandbox s;

	(void)state;
	sandbox_start(&s);
	run(&s, ".", NULL, "git init -q r");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		ask(&s, i);
	sandbox_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tip__shows_the_token_to_its_server_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
