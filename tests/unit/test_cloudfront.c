#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws/cloudfront.h"
#include "aws_fixture.h"

#define CF_HOST "https://cloudfront.amazonaws.com/2020-05-31"
#define XMLNS   "http://cloudfront.amazonaws.com/doc/2020-05-31/"

/* ---- distributions ---- */

/* What GetDistribution answers for a site, an API and old downloads behind one domain. */
static const char whole[] =
	"<?xml version=\"1.0\"?>\n"
	"<Distribution xmlns=\"" XMLNS "\"><Id>E1A2B3C4D5E6F7</Id>"
	"<ARN>arn:aws:cloudfront::123456789012:distribution/E1A2B3C4D5E6F7</ARN>"
	"<Status>Deployed</Status><LastModifiedTime>2026-05-01T10:00:00.000Z"
	"</LastModifiedTime><InProgressInvalidationBatches>0"
	"</InProgressInvalidationBatches><DomainName>d111111abcdef8.cloudfront.net"
	"</DomainName><ActiveTrustedSigners><Enabled>false</Enabled><Quantity>0</Quantity>"
	"</ActiveTrustedSigners><DistributionConfig>"
	"<CallerReference>2024-01-01</CallerReference>"
	"<Aliases><Quantity>2</Quantity><Items><CNAME>example.com</CNAME>"
	"<CNAME>www.example.com</CNAME></Items></Aliases>"
	"<DefaultRootObject>index.html</DefaultRootObject>"
	"<Origins><Quantity>3</Quantity><Items>"
	"<Origin><Id>site</Id><DomainName>my-resume.s3.eu-west-1.amazonaws.com"
	"</DomainName><OriginPath/><CustomHeaders><Quantity>0</Quantity></CustomHeaders>"
	"<S3OriginConfig><OriginAccessIdentity/></S3OriginConfig>"
	"<OriginAccessControlId>E9</OriginAccessControlId></Origin>"
	"<Origin><Id>api</Id><DomainName>abc.execute-api.eu-west-1.amazonaws.com"
	"</DomainName><OriginPath>/prod</OriginPath><CustomOriginConfig><HTTPPort>80"
	"</HTTPPort></CustomOriginConfig></Origin>"
	"<Origin><Id>copy &amp; co</Id><DomainName>my-copy.s3.us-east-1.amazonaws.com"
	"</DomainName><OriginPath>/old</OriginPath></Origin>"
	"</Items></Origins>"
	"<OriginGroups><Quantity>1</Quantity><Items><OriginGroup><Id>both</Id>"
	"<FailoverCriteria><StatusCodes><Quantity>1</Quantity><Items><StatusCode>503"
	"</StatusCode></Items></StatusCodes></FailoverCriteria><Members><Quantity>2"
	"</Quantity><Items><OriginGroupMember><OriginId>site</OriginId>"
	"</OriginGroupMember><OriginGroupMember><OriginId>copy &amp; co</OriginId>"
	"</OriginGroupMember></Items></Members></OriginGroup></Items></OriginGroups>"
	"<DefaultCacheBehavior><TargetOriginId>both</TargetOriginId>"
	"<TrustedKeyGroups><Enabled>false</Enabled><Quantity>0</Quantity>"
	"</TrustedKeyGroups><ViewerProtocolPolicy>redirect-to-https"
	"</ViewerProtocolPolicy><AllowedMethods><Quantity>2</Quantity><Items><Method>HEAD"
	"</Method><Method>GET</Method></Items></AllowedMethods><Compress>true</Compress>"
	"<LambdaFunctionAssociations><Quantity>0</Quantity></LambdaFunctionAssociations>"
	"<FunctionAssociations><Quantity>2</Quantity><Items><FunctionAssociation>"
	"<FunctionARN>arn:aws:cloudfront::1:function/h</FunctionARN><EventType>"
	"viewer-response</EventType></FunctionAssociation><FunctionAssociation>"
	"<FunctionARN>arn:aws:cloudfront::1:function/i</FunctionARN><EventType>"
	"viewer-request</EventType></FunctionAssociation></Items></FunctionAssociations>"
	"<CachePolicyId>658327ea-f89d-4fab-a63d-7e88639e58f6</CachePolicyId>"
	"</DefaultCacheBehavior>"
	"<CacheBehaviors><Quantity>3</Quantity><Items>"
	"<CacheBehavior><PathPattern>/api/*</PathPattern><TargetOriginId>api"
	"</TargetOriginId><FunctionAssociations><Quantity>1</Quantity><Items>"
	"<FunctionAssociation><EventType>viewer-response</EventType>"
	"</FunctionAssociation></Items></FunctionAssociations><CachePolicyId>"
	"4135ea2d-6df8-44a3-9df3-4b5a84be39ad</CachePolicyId></CacheBehavior>"
	"<CacheBehavior><PathPattern>*.pdf</PathPattern><TargetOriginId>site"
	"</TargetOriginId><LambdaFunctionAssociations><Quantity>1</Quantity><Items>"
	"<LambdaFunctionAssociation><EventType>origin-request</EventType>"
	"</LambdaFunctionAssociation></Items></LambdaFunctionAssociations><CachePolicyId>"
	"11111111-2222-3333-4444-555555555555</CachePolicyId></CacheBehavior>"
	"<CacheBehavior><PathPattern>old/*</PathPattern><TargetOriginId>copy &amp; co"
	"</TargetOriginId><ForwardedValues><QueryString>true</QueryString><Cookies>"
	"<Forward>none</Forward></Cookies></ForwardedValues></CacheBehavior>"
	"</Items></CacheBehaviors>"
	"<CustomErrorResponses><Quantity>3</Quantity><Items>"
	"<CustomErrorResponse><ErrorCode>404</ErrorCode><ResponsePagePath>/404.html"
	"</ResponsePagePath><ResponseCode>404</ResponseCode><ErrorCachingMinTTL>300"
	"</ErrorCachingMinTTL></CustomErrorResponse>"
	"<CustomErrorResponse><ErrorCode>403</ErrorCode><ResponsePagePath/>"
	"<ResponseCode/><ErrorCachingMinTTL>0</ErrorCachingMinTTL></CustomErrorResponse>"
	"<CustomErrorResponse><ErrorCode>500</ErrorCode></CustomErrorResponse>"
	"</Items></CustomErrorResponses>"
	"<Comment/><Enabled>true</Enabled></DistributionConfig></Distribution>";

static void assert_behavior(const struct cf_behavior *b,
			    const struct cf_behavior *expected)
{
	if (!str_eq(b->pattern, expected->pattern) ||
	    !str_eq(b->origin_id, expected->origin_id) ||
	    !str_eq(b->policy_id, expected->policy_id) || b->query != expected->query ||
	    b->rewrites != expected->rewrites)
		fail_msg("%s: %s %s %d %d", b->pattern ? b->pattern : "default",
			 b->origin_id, b->policy_id ? b->policy_id : "-", (int)b->query,
			 b->rewrites);
}

static void test_cloudfront__a_whole_distribution(void **state)
{
	static const struct cf_behavior behaviors[] = {
		{ "/api/*", "api", "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", CF_QUERY_NO,
		  false },
		{ "*.pdf", "site", "11111111-2222-3333-4444-555555555555",
		  CF_QUERY_POLICY, true },
		{ "old/*", "copy & co", NULL, CF_QUERY_YES, false },
		{ NULL, "both", "658327ea-f89d-4fab-a63d-7e88639e58f6", CF_QUERY_NO,
		  true },
	};
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	CLEANUP(cf_distribution) struct cf_distribution d = { 0 };
	struct error err = ERROR_INIT;

	(void)state;
	set_answer(&res, whole);
	if (cf_distribution_decode(&res, &d, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(d.id, "E1A2B3C4D5E6F7");
	assert_string_equal(d.domain, "d111111abcdef8.cloudfront.net");
	assert_string_equal(d.root, "index.html");
	assert_int_equal(d.origins.len, 3);
	assert_string_equal(d.origins.items[0].domain,
			    "my-resume.s3.eu-west-1.amazonaws.com");
	assert_string_equal(d.origins.items[0].path, "");
	assert_string_equal(d.origins.items[1].path, "/prod");
	assert_string_equal(d.origins.items[2].id, "copy & co");
	assert_int_equal(d.members.len, 2);
	assert_string_equal(d.members.items[0].group_id, "both");
	assert_string_equal(d.members.items[0].origin_id, "site");
	assert_string_equal(d.members.items[1].origin_id, "copy & co");
	assert_int_equal(d.behaviors.len, 4);
	for (size_t i = 0; i < 4; i++)
		assert_behavior(&d.behaviors.items[i], &behaviors[i]);
	assert_int_equal(d.error_pages.len, 3);
	assert_int_equal(d.error_pages.items[0].status, 404);
	assert_string_equal(d.error_pages.items[0].page, "/404.html");
	assert_int_equal(d.error_pages.items[0].caching_s, 300);
	assert_string_equal(d.error_pages.items[1].page, "");
	assert_int_equal(d.error_pages.items[1].caching_s, 0);
	assert_int_equal(d.error_pages.items[2].caching_s, 10);
	assert_int_equal(d.aliases.len, 2);
	assert_string_equal(d.aliases.items[1], "www.example.com");
}

#define CONFIG(rest) \
	"<Distribution><DistributionConfig>" rest "</DistributionConfig></Distribution>"
#define ORIGIN                                                                  \
	"<Origins><Items><Origin><Id>o</Id><DomainName>d</DomainName></Origin>" \
	"</Items></Origins>"
#define STANDARD(rest) "<DefaultCacheBehavior>" rest "</DefaultCacheBehavior>"
#define ERROR_PAGE(rest)                                          \
	"<CustomErrorResponses><Items><CustomErrorResponse>" rest \
	"</CustomErrorResponse></Items></CustomErrorResponses>"

static void test_cloudfront__what_is_missing(void **state)
{
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	CLEANUP(cf_distribution) struct cf_distribution d = { 0 };
	struct error err = ERROR_INIT;

	(void)state;
	set_answer(&res, CONFIG(ORIGIN STANDARD("")));
	assert_int_equal(cf_distribution_decode(&res, &d, &err), 0);
	assert_string_equal(d.id, "");
	assert_string_equal(d.root, "");
	assert_string_equal(d.origins.items[0].path, "");
	assert_int_equal(d.behaviors.len, 1);
	assert_behavior(&d.behaviors.items[0],
			&(struct cf_behavior){ NULL, "", NULL, CF_QUERY_NO, false });
	assert_int_equal(d.members.len + d.error_pages.len + d.aliases.len, 0);
	/* A release leaves nothing, and may come twice. */
	cf_distribution_release(&d);
	cf_distribution_release(&d);
	assert_int_equal(d.behaviors.len, 0);
}

static void test_cloudfront__what_is_no_distribution(void **state)
{
	static const char *const bodies[] = {
		"",
		"<html/>",
		"<Distribution/>",
		"<Distribution>",
		CONFIG(STANDARD("")),
		CONFIG(ORIGIN),
		CONFIG(ORIGIN STANDARD("") ERROR_PAGE("")),
		CONFIG(ORIGIN STANDARD("") ERROR_PAGE("<ErrorCode>x</ErrorCode>")),
		CONFIG(ORIGIN STANDARD("") ERROR_PAGE("<ErrorCode>99</ErrorCode>")),
		CONFIG(ORIGIN STANDARD("")
			       ERROR_PAGE("<ErrorCode>404</ErrorCode>"
					  "<ErrorCachingMinTTL>-1</ErrorCachingMinTTL>")),
		CONFIG(ORIGIN STANDARD("")
			       ERROR_PAGE("<ErrorCode>404</ErrorCode>"
					  "<ErrorCachingMinTTL>9223372036854775807"
					  "</ErrorCachingMinTTL>")),
		"<!DOCTYPE a [<!ENTITY b \"c\">]>" CONFIG(ORIGIN STANDARD("&b;")),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
		struct cf_distribution d = { 0 };
		struct error err = ERROR_INIT;

		set_answer(&res, bodies[i]);
		if (cf_distribution_decode(&res, &d, &err) == 0 || err.code != ERR_DATA ||
		    d.origins.items)
			fail_msg("case %zu: %s", i, err.msg);
	}
}

/* ---- cache policies ---- */

static void test_cloudfront__policies(void **state)
{
	static const struct {
		const char *behavior;
		int result;
		enum cf_query query;
	} cases[] = {
		{ "none", 0, CF_QUERY_NO },           { "whitelist", 0, CF_QUERY_YES },
		{ "allExcept", 0, CF_QUERY_YES },     { "all", 0, CF_QUERY_YES },
		{ "something new", 0, CF_QUERY_YES }, { NULL, -1, CF_QUERY_NO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
		CLEANUP(buf) struct buf body = BUF_INIT(4096);
		struct error err = ERROR_INIT;
		enum cf_query query = CF_QUERY_POLICY;

		buf_str(&body, "<CachePolicy><Id>p</Id><CachePolicyConfig><Name>n</Name>"
			       "<ParametersInCacheKeyAndForwardedToOrigin>"
			       "<HeadersConfig><HeaderBehavior>none</HeaderBehavior>"
			       "</HeadersConfig><QueryStringsConfig>");
		if (cases[i].behavior)
			buf_printf(&body, "<QueryStringBehavior>%s</QueryStringBehavior>",
				   cases[i].behavior);
		buf_str(&body, "</QueryStringsConfig>"
			       "</ParametersInCacheKeyAndForwardedToOrigin>"
			       "</CachePolicyConfig></CachePolicy>");
		set_answer(&res, body.data);
		assert_int_equal(cf_policy_decode(&res, &query, &err), cases[i].result);
		if (!cases[i].result)
			assert_int_equal(query, cases[i].query);
	}
	assert_int_equal(cf_managed_policy("83da9c7e-98b4-4e11-a168-04f0df8e2c65"),
			 CF_QUERY_NO);
	assert_int_equal(cf_managed_policy("4cc15a8a-d715-48a4-82b8-cc0b614638fe"),
			 CF_QUERY_YES);
	assert_int_equal(cf_managed_policy("658327EA-f89d-4fab-a63d-7e88639e58f6"),
			 CF_QUERY_POLICY);
	assert_int_equal(cf_managed_policy(""), CF_QUERY_POLICY);
}

/* ---- requests ---- */

static void test_cloudfront__requests(void **state)
{
	static const char *const paths[] = { "/a%20b&c", "/x/*" };
	static const struct {
		const char *method, *url;
	} expected[] = {
		{ "GET", CF_HOST "/distribution/E1" },
		{ "GET", CF_HOST "/cache-policy/p-1" },
		{ "POST", CF_HOST "/distribution/E1/invalidation" },
		{ "GET", CF_HOST "/distribution/E1/invalidation/I1" },
	};
	struct aws_fixture *f = *state;
	struct aws_call calls[4] = { AWS_CALL_INIT, AWS_CALL_INIT, AWS_CALL_INIT,
				     AWS_CALL_INIT };
	char value[300];

	fake_http_expect(&f->fake, NULL, NULL, 200, NULL, "")->times = 4;
	cf_distribution_request(&calls[0].request, "E1");
	cf_policy_request(&calls[1].request, "p-1");
	cf_invalidate_request(&calls[2].request, "E1", "crc-\"&", paths, 2);
	cf_invalidation_request(&calls[3].request, "E1", "I1");
	assert_int_equal(aws_send_all(f->aws, calls, 4, &f->err), 0);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(calls[i].err.code, ERR_NONE);
		assert_string_equal(aws_fixture_seen(f, i)->method, expected[i].method);
		assert_string_equal(aws_fixture_seen(f, i)->url, expected[i].url);
		aws_call_release(&calls[i]);
	}
	assert_true(fake_seen_header(aws_fixture_seen(f, 0), "Authorization", value,
				     sizeof(value)));
	assert_non_null(strstr(value, "/us-east-1/cloudfront/"));
	assert_seen_header(aws_fixture_seen(f, 2), "Content-Type", "text/xml");
	assert_string_equal(aws_fixture_seen(f, 2)->body,
			    "<InvalidationBatch xmlns=\"" XMLNS "\"><Paths>"
			    "<Quantity>2</Quantity><Items><Path>/a%20b&amp;c</Path>"
			    "<Path>/x/*</Path></Items></Paths><CallerReference>"
			    "crc-&quot;&amp;</CallerReference></InvalidationBatch>");
}

/* ---- invalidations ---- */

#define INVALIDATION(id, status, reference)                                              \
	"<?xml version=\"1.0\"?><Invalidation xmlns=\"" XMLNS "\"><Id>" id "</Id>"       \
	"<Status>" status "</Status><CreateTime>2026-05-28T20:26:40Z</CreateTime>"       \
	"<InvalidationBatch><Paths><Quantity>1</Quantity><Items><Path>/*</Path></Items>" \
	"</Paths><CallerReference>" reference "</CallerReference></InvalidationBatch>"   \
	"</Invalidation>"

static int decode_invalidation(const char *body, struct cf_invalidation *out,
			       struct error *err)
{
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;

	set_answer(&res, body);
	return cf_invalidation_decode(&res, out, err);
}

static void test_cloudfront__invalidations(void **state)
{
	static const char *const bad[] = {
		"",
		"<Invalidation/>",
		INVALIDATION("", "InProgress", "r"),
		INVALIDATION("a-name-of-over-sixty-four-characters-is-more-than-what-"
			     "CloudFront-makes-up",
			     "InProgress", "r"),
		"<ErrorResponse/>",
	};
	struct cf_invalidation inv = { .completed = true };
	struct error err = ERROR_INIT;
	char body[1024];
	char reference[200];

	(void)state;
	assert_int_equal(decode_invalidation(INVALIDATION("I1", "InProgress", "crc-1"),
					     &inv, &err),
			 0);
	assert_string_equal(inv.id, "I1");
	assert_string_equal(inv.reference, "crc-1");
	assert_false(inv.completed);
	assert_int_equal(
		decode_invalidation(INVALIDATION("I1", "Completed", "crc-1"), &inv, &err),
		0);
	assert_true(inv.completed);
	/* Other people's references may be of any length, and are never ours. */
	memset(reference, 'r', sizeof(reference) - 1);
	reference[sizeof(reference) - 1] = '\0';
	snprintf(body, sizeof(body), INVALIDATION("I2", "Completed", "%s"), reference);
	assert_int_equal(decode_invalidation(body, &inv, &err), 0);
	assert_string_equal(inv.reference, "");
	assert_int_equal(decode_invalidation("<Invalidation><Id>I3</Id></Invalidation>",
					     &inv, &err),
			 0);
	assert_string_equal(inv.reference, "");
	assert_false(inv.completed);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (decode_invalidation(bad[i], &inv, &err) == 0 || err.code != ERR_DATA)
			fail_msg("case %zu", i);
}

static void test_cloudfront__a_reference_that_was_used(void **state)
{
	static const struct {
		int status;
		const char *code, *message;
		bool used;
	} cases[] = {
		{ 400, "InvalidationBatchAlreadyExists", "", true },
		/* what the service has been seen to say */
		{ 400, "InvalidArgument",
		  "Your request contains a caller reference that was used for a previous "
		  "invalidation batch for the same distribution.",
		  true },
		{ 400, "InvalidArgument",
		  "Your request contains one or more invalid "
		  "invalidation paths.",
		  false },
		{ 400, "TooManyInvalidationsInProgress", "caller reference", false },
		{ 403, "AccessDenied", "", false },
	};
	struct aws_fixture *f = *state;
	const char *const path = "/*";

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
		CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
		char body[512];

		snprintf(body, sizeof(body),
			 "<ErrorResponse><Error><Code>%s</Code><Message>%s</Message>"
			 "</Error></ErrorResponse>",
			 cases[i].code, cases[i].message);
		fake_http_expect(&f->fake, "POST", NULL, cases[i].status, NULL, body)
			->times = -1;
		cf_invalidate_request(&req, "E1", "r", &path, 1);
		assert_int_equal(aws_send(f->aws, &req, &res, &f->err), -1);
		if (cf_reference_was_used(&f->err) != cases[i].used)
			fail_msg("%s %s", cases[i].code, cases[i].message);
		f->fake.rules.len = 0;
	}
}

/* ---- finding one ---- */

#define SUMMARY(id)                                                          \
	"<InvalidationSummary><CreateTime>2026-05-28T20:26:40Z</CreateTime>" \
	"<Id>" id "</Id><Status>InProgress</Status></InvalidationSummary>"
#define LIST(rest, summaries)                                                          \
	"<InvalidationList xmlns=\"" XMLNS "\"><Marker/><MaxItems>100</MaxItems>" rest \
	"<Items>" summaries "</Items></InvalidationList>"
#define MORE(marker) "<NextMarker>" marker "</NextMarker><IsTruncated>true</IsTruncated>"
#define LAST         "<IsTruncated>false</IsTruncated>"

static void expect_list(struct aws_fixture *f, const char *part, const char *body)
{
	fake_http_expect(&f->fake, "GET", part, 200, NULL, body);
}

static void test_cloudfront__find_goes_from_page_to_page(void **state)
{
	struct aws_fixture *f = *state;
	struct cf_invalidation inv;

	expect_list(f, "/distribution/E1/invalidation?MaxItems=100",
		    LIST(MORE("m&amp;1"), SUMMARY("I1") SUMMARY("I2")));
	expect_list(f, "/invalidation/I1", INVALIDATION("I1", "Completed", "other"));
	expect_list(f, "/invalidation/I2", INVALIDATION("I2", "Completed", "crc-"));
	expect_list(f, "/invalidation?Marker=m%261&MaxItems=100",
		    LIST(LAST, SUMMARY("I3") SUMMARY("I4")));
	expect_list(f, "/invalidation/I3", INVALIDATION("I3", "InProgress", "crc-1"));
	assert_int_equal(cf_find_invalidation(f->aws, "E1", "crc-1", 10, &inv, &f->err),
			 0);
	assert_string_equal(inv.id, "I3");
	assert_false(inv.completed);
}

static void test_cloudfront__find_gives_up(void **state)
{
	static const struct {
		const char *name, *list;
		unsigned looks;
		enum error_code code;
	} cases[] = {
		{ "none", LIST(LAST, ""), 0, ERR_NOT_FOUND },
		{ "others", LIST(LAST, SUMMARY("I1") SUMMARY("I1")), 2, ERR_NOT_FOUND },
		{ "too many", LIST(MORE("m"), SUMMARY("I1") SUMMARY("I1") SUMMARY("I1")),
		  2, ERR_NOT_FOUND },
		{ "more, but nothing", LIST(MORE("m"), ""), 0, ERR_NOT_FOUND },
		{ "more, but where",
		  LIST("<IsTruncated>true</IsTruncated>", SUMMARY("I1")), 1,
		  ERR_NOT_FOUND },
		{ "no id", LIST(LAST, "<InvalidationSummary/>"), 0, ERR_DATA },
		{ "no list", "<Distribution/>", 0, ERR_DATA },
		{ "nothing", "", 0, ERR_DATA },
	};
	struct aws_fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct cf_invalidation inv;

		error_clear(&f->err);
		expect_list(f, "?MaxItems=100", cases[i].list);
		for (unsigned j = 0; j < cases[i].looks; j++)
			expect_list(f, "/I1", INVALIDATION("I1", "Completed", "other"));
		if (cf_find_invalidation(f->aws, "E1", "crc-1", 2, &inv, &f->err) == 0 ||
		    f->err.code != cases[i].code)
			fail_msg("%s: %s", cases[i].name, f->err.msg);
		assert_true(fake_http_check(&f->fake));
	}
}

static void test_cloudfront__find_keeps_markers_whole(void **state)
{
	CLEANUP(buf) struct buf list = BUF_INIT(4096);
	struct aws_fixture *f = *state;
	struct cf_invalidation inv;

	buf_str(&list, "<InvalidationList><IsTruncated>true</IsTruncated><NextMarker>");
	for (int i = 0; i < 300; i++)
		buf_char(&list, 'm');
	buf_str(&list,
		"</NextMarker><Items>" SUMMARY("I1") "</Items></InvalidationList>");
	expect_list(f, "?MaxItems", list.data);
	expect_list(f, "/I1", INVALIDATION("I1", "Completed", "other"));
	assert_int_equal(cf_find_invalidation(f->aws, "E1", "crc-1", 9, &inv, &f->err),
			 -1);
	assert_int_equal(f->err.code, ERR_DATA);
}

#define TEST(name)                                                                  \
	cmocka_unit_test_setup_teardown(test_cloudfront__##name, aws_fixture_setup, \
					aws_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cloudfront__a_whole_distribution),
		cmocka_unit_test(test_cloudfront__what_is_missing),
		cmocka_unit_test(test_cloudfront__what_is_no_distribution),
		cmocka_unit_test(test_cloudfront__policies),
		TEST(requests),
		cmocka_unit_test(test_cloudfront__invalidations),
		TEST(a_reference_that_was_used),
		TEST(find_goes_from_page_to_page),
		TEST(find_gives_up),
		TEST(find_keeps_markers_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
