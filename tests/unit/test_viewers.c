#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws_fixture.h"
#include "run/viewers.h"

/* A distribution that is made up piece by piece, and what comes of it. */
struct fixture {
	struct aws_fixture aws;
	struct arena arena;
	struct site site;
	struct note_list notes;
	struct cf_distribution d;
	struct viewer viewer;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	aws_fixture_start(&f->aws);
	f->site.query_strings = -1;
	f->d.id = "E1";
	f->d.root = "index.html";
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	viewer_release(&f->viewer);
	cf_distribution_release(&f->d);
	note_list_release(&f->notes);
	arena_release(&f->arena);
	aws_fixture_end(&f->aws);
	free(f);
	return 0;
}

static void add_origin(struct fixture *f, const char *id, const char *domain,
		       const char *path)
{
	cf_origins_push(&f->d.origins, (struct cf_origin){ id, domain, path });
}

static struct cf_behavior *add_behavior(struct fixture *f, const char *pattern,
					const char *origin)
{
	return cf_behaviors_push(&f->d.behaviors, (struct cf_behavior){
							  .pattern = pattern,
							  .origin_id = origin,
						  });
}

static void view(struct fixture *f)
{
	const struct viewers_options options = {
		.aws = f->aws.aws,
		.site = &f->site,
		.bucket = "my-bucket",
		.arena = &f->arena,
		.notes = &f->notes,
	};

	viewer_release(&f->viewer);
	f->notes.len = 0;
	viewers_from_distribution(&options, &f->d, &f->viewer);
	assert_int_equal(f->viewer.behaviors.len, f->d.behaviors.len);
}

static const struct viewer_behavior *behavior(const struct fixture *f, size_t i)
{
	assert_true(i < f->viewer.behaviors.len);
	return &f->viewer.behaviors.items[i];
}

static void test_viewers__which_origins_are_the_bucket(void **state)
{
	static const struct {
		const char *domain, *path;
		bool ours, website;
		const char *origin_path;
	} cases[] = {
		{ "my-bucket.s3.amazonaws.com", "", true, false, "" },
		{ "my-bucket.s3.eu-west-1.amazonaws.com", "/site", true, false, "/site" },
		{ "my-bucket.s3.dualstack.eu-west-1.amazonaws.com", "", true, false, "" },
		{ "my-bucket.s3-website-us-east-1.amazonaws.com", "", true, true, "" },
		{ "my-bucket.s3-website.eu-central-1.amazonaws.com", "/a/b", true, true,
		  "/a/b" },
		{ "my-bucket.s3-eu-west-1.amazonaws.com", "", true, false, "" },
		{ "my-bucket.s3", "", true, false, "" },
		/* path-style: the bucket is no part of the key */
		{ "s3.eu-west-1.amazonaws.com", "/my-bucket", true, false, "" },
		{ "s3.amazonaws.com", "/my-bucket/site", true, false, "/site" },
		{ "s3-us-west-2.amazonaws.com", "/my-bucket", true, false, "" },
		{ "s3.amazonaws.com", "/my-bucket-2", false, false, "/my-bucket-2" },
		{ "s3.amazonaws.com", "", false, false, "" },
		/* others */
		{ "my-bucket-2.s3.amazonaws.com", "", false, false, "" },
		{ "not-my-bucket.s3.amazonaws.com", "", false, false, "" },
		{ "my-bucket.example.com", "/x", false, false, "/x" },
		{ "my-bucket", "", false, false, "" },
		{ "api.example.com", "/my-bucket", false, false, "/my-bucket" },
		{ "", "", false, false, "" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		f->d.origins.len = f->d.behaviors.len = 0;
		add_origin(f, "main", "my-bucket.s3.amazonaws.com", "");
		add_origin(f, "o", cases[i].domain, cases[i].path);
		add_behavior(f, "x/*", "o");
		add_behavior(f, NULL, "main");
		view(f);
		if (behavior(f, 0)->ours != cases[i].ours ||
		    behavior(f, 0)->website != cases[i].website ||
		    !str_eq(behavior(f, 0)->origin_path, cases[i].origin_path))
			fail_msg("%s%s: %d %d %s", cases[i].domain, cases[i].path,
				 behavior(f, 0)->ours, behavior(f, 0)->website,
				 behavior(f, 0)->origin_path);
		assert_true(behavior(f, 1)->ours);
		assert_int_equal(f->notes.len, 0);
	}
}

static void test_viewers__what_is_copied(void **state)
{
	struct fixture *f = *state;

	add_origin(f, "o", "my-bucket.s3.amazonaws.com", "/site");
	add_origin(f, "api", "api.example.com", "");
	add_behavior(f, "/api/*", "api")->rewrites = true;
	add_behavior(f, NULL, "o");
	cf_error_pages_push(&f->d.error_pages,
			    (struct cf_error_page){ 404, "/404.html", 300 });
	view(f);
	assert_string_equal(f->viewer.id, "E1");
	assert_string_equal(f->viewer.root, "index.html");
	assert_true(f->viewer.known);
	assert_string_equal(behavior(f, 0)->pattern, "/api/*");
	assert_true(behavior(f, 0)->rewrites);
	assert_false(behavior(f, 0)->ours);
	assert_null(behavior(f, 1)->pattern);
	assert_string_equal(behavior(f, 1)->origin_path, "/site");
	assert_int_equal(f->viewer.error_pages.items[0].status, 404);
	assert_string_equal(f->viewer.error_pages.items[0].page, "/404.html");
	assert_int_equal(f->viewer.error_pages.items[0].caching_s, 300);
}

/* What is served by a group is served by our bucket, if that is in it. */
static void test_viewers__origin_groups(void **state)
{
	struct fixture *f = *state;

	add_origin(f, "copy", "copy.s3.amazonaws.com", "/copy");
	add_origin(f, "site", "my-bucket.s3.amazonaws.com", "/site");
	add_origin(f, "api", "api.example.com", "");
	cf_members_push(&f->d.members, (struct cf_member){ "both", "copy" });
	cf_members_push(&f->d.members, (struct cf_member){ "both", "site" });
	cf_members_push(&f->d.members, (struct cf_member){ "others", "api" });
	cf_members_push(&f->d.members, (struct cf_member){ "others", "copy" });
	add_behavior(f, "a/*", "both");
	add_behavior(f, "b/*", "others");
	add_behavior(f, "c/*", "nobody knows");
	add_behavior(f, NULL, "site");
	view(f);
	assert_true(behavior(f, 0)->ours);
	assert_string_equal(behavior(f, 0)->origin_path, "/site");
	assert_false(behavior(f, 1)->ours);
	/* Better evicted than stale. */
	assert_true(behavior(f, 2)->ours);
	assert_string_equal(behavior(f, 2)->origin_path, "");
	assert_true(behavior(f, 3)->ours);
	assert_int_equal(f->notes.len, 0);
}

static void test_viewers__a_bucket_that_no_origin_names(void **state)
{
	struct fixture *f = *state;

	add_origin(f, "o", "origin.example.com", "/v2");
	add_origin(f, "p", "x.s3-website.eu-west-1.amazonaws.com", "");
	add_behavior(f, "a/*", "p");
	add_behavior(f, NULL, "o");
	view(f);
	assert_true(behavior(f, 0)->ours && behavior(f, 1)->ours);
	assert_true(behavior(f, 0)->website);
	assert_string_equal(behavior(f, 1)->origin_path, "/v2");
	assert_int_equal(f->notes.len, 1);
	assert_int_equal(f->notes.items[0].kind, NOTE_WARNING);
	assert_non_null(strstr(f->notes.items[0].text, "E1"));
	assert_non_null(strstr(f->notes.items[0].text, "my-bucket"));
}

static void add_policy(struct fixture *f, const char *pattern, const char *origin,
		       const char *policy)
{
	struct cf_behavior *b = add_behavior(f, pattern, origin);

	b->policy_id = policy;
	b->query = policy ? cf_managed_policy(policy) : CF_QUERY_NO;
}

#define POLICY(behavior)                                                             \
	"<CachePolicy><CachePolicyConfig><ParametersInCacheKeyAndForwardedToOrigin>" \
	"<QueryStringsConfig><QueryStringBehavior>" behavior                         \
	"</QueryStringBehavior></QueryStringsConfig>"                                \
	"</ParametersInCacheKeyAndForwardedToOrigin></CachePolicyConfig></CachePolicy>"

static void test_viewers__query_strings(void **state)
{
	struct fixture *f = *state;

	add_origin(f, "o", "my-bucket.s3.amazonaws.com", "");
	add_origin(f, "api", "api.example.com", "");
	add_policy(f, "0", "o", "658327ea-f89d-4fab-a63d-7e88639e58f6");
	add_policy(f, "1", "o", "4cc15a8a-d715-48a4-82b8-cc0b614638fe");
	add_policy(f, "2", "o", "custom-yes");
	add_policy(f, "3", "o", "custom-no");
	add_policy(f, "4", "o", "custom-yes");
	add_policy(f, "5", "api", "custom-of-others"); /* nobody's business here */
	add_policy(f, "6", "o", NULL);
	add_behavior(f, NULL, "o")->query = CF_QUERY_YES;
	/* Each policy is asked for once. */
	fake_http_expect(&f->aws.fake, "GET", "/cache-policy/custom-yes", 200, NULL,
			 POLICY("all"));
	fake_http_expect(&f->aws.fake, "GET", "/cache-policy/custom-no", 200, NULL,
			 POLICY("none"));
	view(f);
	for (size_t i = 0; i < 8; i++)
		if (behavior(f, i)->query_strings != (strchr("1247", (int)i + '0') != 0))
			fail_msg("behaviour %zu", i);
	assert_int_equal(f->notes.len, 0);
	/* The user's word ends all asking. */
	f->site.query_strings = 0;
	view(f);
	for (size_t i = 0; i < 8; i++)
		assert_false(behavior(f, i)->query_strings);
	f->site.query_strings = 1;
	view(f);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(behavior(f, i)->query_strings, i != 5);
}

static void test_viewers__a_policy_that_cannot_be_read(void **state)
{
	static const struct {
		int status;
		const char *body, *says;
	} cases[] = {
		{ 403,
		  "<ErrorResponse><Error><Code>AccessDenied</Code></Error>"
		  "</ErrorResponse>",
		  "403 AccessDenied" },
		{ 404,
		  "<ErrorResponse><Error><Code>NoSuchCachePolicy</Code></Error>"
		  "</ErrorResponse>",
		  "NoSuchCachePolicy" },
		{ 200, "<CachePolicy/>", "query strings" },
		{ 200, "", "XML" },
	};
	struct fixture *f = *state;

	add_origin(f, "o", "my-bucket.s3.amazonaws.com", "");
	add_policy(f, "a/*", "o", "custom");
	add_policy(f, NULL, "o", "custom");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fake_http_expect(&f->aws.fake, "GET", "/cache-policy/custom",
				 cases[i].status, NULL, cases[i].body);
		view(f);
		assert_true(behavior(f, 0)->query_strings);
		assert_true(behavior(f, 1)->query_strings);
		assert_int_equal(f->notes.len, 1);
		if (!strstr(f->notes.items[0].text, cases[i].says) ||
		    !strstr(f->notes.items[0].text, "cloudfront:GetCachePolicy"))
			fail_msg("case %zu: %s", i, f->notes.items[0].text);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_viewers__##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(which_origins_are_the_bucket),
		TEST(what_is_copied),
		TEST(origin_groups),
		TEST(a_bucket_that_no_origin_names),
		TEST(query_strings),
		TEST(a_policy_that_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
