#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake/fake_http.h"
#include "git_repo.h"
#include "run/tip.h"

#define ONES  "1111111111111111111111111111111111111111"
#define TWOS  "2222222222222222222222222222222222222222"
#define START "001e# service=git-upload-pack\n0000"

static struct oid oid(const char *hex)
{
	struct oid id;

	assert_true(oid_from_hex(hex, &id));
	return id;
}

/* ---- what a server says ---- */

/* With NULs within. */
#define TEXT(s) (s), sizeof(s) - 1

static void test_tip__refs(void **state)
{
	static const struct {
		const char *name, *text;
		size_t n;
		const char *id;
	} cases[] = {
		{ "the first of several",
		  TEXT(START "004b" ONES " refs/heads/main\0symref=HEAD:x\n"
			     "0041" TWOS " refs/heads/mainline\n0000"),
		  ONES },
		{ "a later one",
		  TEXT(START "0036" TWOS " HEAD\0a b\n"
			     "003d" ONES " refs/heads/main\n0000"),
		  ONES },
		{ "without a line's end", TEXT("003c" ONES " refs/heads/main"), ONES },
		{ "empty lines", TEXT("00040004003d" ONES " refs/heads/main\n"), ONES },
		{ "one that begins alike", TEXT("0041" ONES " refs/heads/mainline\n"),
		  NULL },
		{ "one that ends alike", TEXT("003f" ONES " x/refs/heads/main\n"), NULL },
		{ "a part of it", TEXT("0039" ONES " refs/heads/\n"), NULL },
		{ "a part of it at the end", TEXT("0038" ONES " refs/heads/"), NULL },
		{ "less than an id", TEXT("0008111"), NULL },
		{ "a peeled tag", TEXT("0040" ONES " refs/heads/main^{}\n"), NULL },
		{ "no hex",
		  TEXT("003dxy11111111111111111111111111111111111111 "
		       "refs/heads/main\n"),
		  NULL },
		{ "a longer id",
		  TEXT("0055" ONES "111111111111111111111111 refs/heads/main\n"), NULL },
		{ "no lines", TEXT("0000"), NULL },
		{ "nothing", TEXT(""), NULL },
		{ "only a length", TEXT("003d"), NULL },
		{ "more than there is", TEXT("003e" ONES " refs/heads/main\n"), NULL },
		{ "lengths that are none", TEXT("00010002003d" ONES " refs/heads/main\n"),
		  NULL },
		{ "no length", TEXT("-03d" ONES " refs/heads/main\n"), NULL },
		{ "HTML", TEXT("<html><body>Sign in</body></html>"), NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		/* A copy without a NUL behind it, for AddressSanitizer. */
		CLEANUP_PTR(mem) char *text = xmemdup(cases[i].text, cases[i].n);
		struct oid found;
		char hex[OID_HEX_SIZE] = "";
		bool result = tip_parse_refs(text, cases[i].n, "refs/heads/main", &found);

		if (result)
			oid_hex(&found, hex);
		if (result != (cases[i].id != NULL) ||
		    (result && strcmp(hex, cases[i].id) != 0))
			fail_msg("%s: %s", cases[i].name, hex);
	}
}

/* ---- asking ---- */

struct fixture {
	struct sandbox sandbox;
	struct clock_fake clock;
	struct fake_http fake;
	struct repo *repo;
	struct tip_options options;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	sandbox_start(&f->sandbox);
	run(&f->sandbox, "", NULL, "git init -q r");
	clock_fake_init(&f->clock, 0);
	fake_http_init(&f->fake, &f->clock);
	f->options = (struct tip_options){
		.http = &f->fake.http,
		.remote = "origin",
		.ref = "refs/heads/main",
	};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	bool good = fake_http_check(&f->fake);

	repo_free(f->repo);
	fake_http_release(&f->fake);
	sandbox_end(&f->sandbox);
	free(f);
	assert_true(good);
	return 0;
}

static enum order_fact ask(struct fixture *f, const char *id)
{
	struct oid commit = oid(id);
	struct error err = ERROR_INIT;

	repo_free(f->repo);
	f->repo = NULL;
	if (repo_open("r", NULL, &f->repo, &err) < 0)
		fail_msg("%s", err.msg);
	f->options.repo = f->repo;
	return tip_is(&f->options, &commit);
}

static void set_remote(struct fixture *f, const char *url)
{
	run(&f->sandbox, "r", NULL, "git config remote.origin.url '%s'", url);
}

static void expect(struct fixture *f, const char *url, int status, const char *body)
{
	fake_http_expect(&f->fake, "GET", url, status, NULL, body);
}

#define REFS START "003d" ONES " refs/heads/main\n0000"

static void assert_authorization(const struct fixture *f, const char *expected)
{
	const struct fake_seen *seen = &f->fake.seen.items[f->fake.seen.len - 1];
	char value[256];
	bool found = fake_seen_header(seen, "Authorization", value, sizeof(value));

	if (found != (expected != NULL) || (found && strcmp(value, expected) != 0))
		fail_msg("%s: %s", seen->url, found ? value : "none");
}

static void test_tip__over_https(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum order_fact fact;
	} cases[] = {
		{ 200, REFS, ORDER_YES },
		{ 200, START "003d" TWOS " refs/heads/main\n0000", ORDER_NO },
		{ 200, START "0000", ORDER_NO }, /* the branch is gone */
		{ 404, "", ORDER_UNKNOWN_FACT },
		{ 401, "", ORDER_UNKNOWN_FACT },
		{ 301, "", ORDER_UNKNOWN_FACT },
		{ 0, NULL, ORDER_UNKNOWN_FACT },
	};
	struct fixture *f = *state;

	set_remote(f, "https://github.com/me/site");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		expect(f, "https://github.com/me/site/info/refs?service=git-upload-pack",
		       cases[i].status, cases[i].body);
		if (ask(f, ONES) != cases[i].fact)
			fail_msg("case %zu", i);
		assert_authorization(f, NULL);
	}
	set_remote(f, "https://github.com/me/site.git//");
	expect(f, "https://github.com/me/site.git/info/refs?", 200, REFS);
	assert_int_equal(ask(f, ONES), ORDER_YES);
}

static void test_tip__what_cannot_be_asked(void **state)
{
	static const char *const urls[] = {
		"git@github.com:me/site.git",
		"ssh://git@github.com/me/site.git",
		"git://github.com/me/site.git",
		"relative/path",
		"https://user:password@example.com/me/site.git",
		"https://",
	};
	struct fixture *f = *state;

	assert_int_equal(ask(f, ONES), ORDER_UNKNOWN_FACT); /* no remote */
	for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
		set_remote(f, urls[i]);
		if (ask(f, ONES) != ORDER_UNKNOWN_FACT)
			fail_msg("%s", urls[i]);
	}
	set_remote(f, "https://github.com/me/site");
	f->options.ref = NULL;
	assert_int_equal(ask(f, ONES), ORDER_UNKNOWN_FACT);
	f->options.ref = "";
	assert_int_equal(ask(f, ONES), ORDER_UNKNOWN_FACT);
	f->options.ref = "refs/heads/main";
	f->options.http = NULL;
	assert_int_equal(ask(f, ONES), ORDER_UNKNOWN_FACT);
}

/* What actions/checkout leaves behind comes first. */
static void test_tip__what_git_is_configured_with(void **state)
{
	struct fixture *f = *state;

	f->options.token = "tok";
	f->options.server = "https://github.com";
	set_remote(f, "https://github.com/me/site");
	run(&f->sandbox, "r", NULL,
	    "git config http.https://github.com/.extraheader "
	    "'AUTHORIZATION: basic c2VjcmV0'");
	expect(f, NULL, 200, REFS);
	assert_int_equal(ask(f, ONES), ORDER_YES);
	assert_authorization(f, "basic c2VjcmV0");
	/* It is for that server, too. */
	set_remote(f, "https://other.example/me/site");
	expect(f, NULL, 200, REFS);
	assert_int_equal(ask(f, ONES), ORDER_YES);
	assert_authorization(f, NULL);
	/* Another header is not taken for one that lets us in. */
	set_remote(f, "https://github.com/me/site");
	run(&f->sandbox, "r", NULL,
	    "git config http.https://github.com/.extraheader 'X-Trace: 1'");
	expect(f, NULL, 200, REFS);
	assert_int_equal(ask(f, ONES), ORDER_YES);
	assert_authorization(f, "Basic eC1hY2Nlc3MtdG9rZW46dG9r");
}

static void test_tip__a_repository_on_this_machine(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf) struct buf url = BUF_INIT(4096);
	struct oid head;
	char hex[OID_HEX_SIZE];

	run(&f->sandbox, "", NULL,
	    "git init -q there && cd there && git commit -q --allow-empty -m c");
	head = id_of(&f->sandbox, "there", "HEAD");
	f->options.http = NULL;
	for (int i = 0; i < 2; i++) {
		buf_clear(&url);
		buf_printf(&url, "%s%s/there", i ? "file://" : "", f->sandbox.path);
		set_remote(f, url.data);
		assert_int_equal(ask(f, oid_hex(&head, hex)), ORDER_YES);
		assert_int_equal(ask(f, ONES), ORDER_NO);
	}
	f->options.ref = "refs/heads/gone";
	assert_int_equal(ask(f, ONES), ORDER_NO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_tip__##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tip__refs),   TEST(over_https),
		TEST(what_cannot_be_asked),         TEST(what_git_is_configured_with),
		TEST(a_repository_on_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
