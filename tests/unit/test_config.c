#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "core/config.h"

static int parse_bytes(struct config *c, const char *text, size_t n, struct error *err)
{
	*c = (struct config)CONFIG_INIT;
	return config_parse(c, "crc.yml", text, n, err);
}

static void parse(struct config *c, const char *text)
{
	struct error err = ERROR_INIT;

	if (parse_bytes(c, text, strlen(text), &err) < 0)
		fail_msg("%s\n%s", err.msg, text);
}

static void assert_value(const struct value *v, enum value_kind kind, const char *text,
			 const char *backend)
{
	assert_int_equal(v->kind, kind);
	if (!str_eq(v->text, text) || !str_eq(v->backend, backend))
		fail_msg("%s.%s is not %s.%s", v->backend, v->text, backend, text);
}

static void assert_at(const struct value *v, unsigned line, unsigned column)
{
	assert_int_equal(v->line, line);
	assert_int_equal(v->column, column);
}

static void assert_text(const char *is, const char *wanted)
{
	if (!str_eq(is, wanted))
		fail_msg("\"%s\" is not \"%s\"", is, wanted);
}

static const char every_key[] =
	"region: us-east-1\n"                                          /* 1 */
	"sites:\n"                                                     /* 2 */
	"  resume:\n"                                                  /* 3 */
	"    path: ./website/\n"                                       /* 4 */
	"    build: npm run build\n"                                   /* 5 */
	"    bucket: !output counter.SiteBucket\n"                     /* 6 */
	"    prefix: /v2\n"                                            /* 7 */
	"    distribution: !output counter.DistributionId\n"           /* 8 */
	"    url: https://example.com\n"                               /* 9 */
	"    index: home.html\n"                                       /* 10 */
	"    exclude: [\"**/*.psd\", \"drafts/\", !!str x]\n"          /* 11 */
	"    include: \".htaccess\"\n"                                 /* 12 */
	"    query-strings: true\n"                                    /* 13 */
	"    keep: 12h\n"                                              /* 14 */
	"    headers:\n"                                               /* 15 */
	"      - match: \"*.pdf\"\n"                                   /* 16 */
	"        Content-Disposition: inline\n"                        /* 17 */
	"        x-amz-meta-owner: 'me'\n"                             /* 18 */
	"      - match: old/\n"                                        /* 19 */
	"        cache-control:\n"                                     /* 20 */
	"  blog:\n"                                                    /* 21 */
	"    path: .\n"                                                /* 22 */
	"    bucket: !env BLOG_BUCKET\n"                               /* 23 */
	"    distribution: [E1A2B3C4D5E6F7, !env BLOG_DIST]\n"         /* 24 */
	"    url: !env BLOG_URL\n"                                     /* 25 */
	"    query-strings: false\n"                                   /* 26 */
	"backends:\n"                                                  /* 27 */
	"  counter:\n"                                                 /* 28 */
	"    path: backend\n"                                          /* 29 */
	"    build: make\n"                                            /* 30 */
	"    template: sam/template.json\n"                            /* 31 */
	"    stack: resume-counter\n"                                  /* 32 */
	"    artifacts: my-artifacts\n"                                /* 33 */
	"    parameters:\n"                                            /* 34 */
	"      AllowedOrigin: \"https://example.com\"\n"               /* 35 */
	"      Days: 0123\n"                                           /* 36 */
	"      Key: !env KEY\n"                                        /* 37 */
	"      Table: !output data.Table\n"                            /* 38 */
	"      Empty: ''\n"                                            /* 39 */
	"    capabilities: [CAPABILITY_IAM, CAPABILITY_AUTO_EXPAND]\n" /* 40 */
	"  data:\n"                                                    /* 41 */
	"    path: lambda/data\n"                                      /* 42 */
	"    stack: !env DATA_STACK\n"                                 /* 43 */
	"  mailer:\n"                                                  /* 44 */
	"    path: lambda/mailer\n"                                    /* 45 */
	"    function: !env MAILER_FUNCTION\n"                         /* 46 */
	"    alias: live\n";                                           /* 47 */

static void test_config__every_key_of_a_site(void **state)
{
	CLEANUP(config) struct config c = CONFIG_INIT;
	const struct site *s;

	(void)state;
	parse(&c, every_key);
	assert_value(&c.region, VALUE_LITERAL, "us-east-1", NULL);
	assert_int_equal(c.sites.len, 2);
	s = &c.sites.items[0];
	assert_text(s->name, "resume");
	assert_text(s->path, "website");
	assert_text(s->build, "npm run build");
	assert_value(&s->bucket, VALUE_OUTPUT, "SiteBucket", "counter");
	assert_at(&s->bucket, 6, 13);
	assert_text(s->prefix, "v2/");
	assert_int_equal(s->distributions.len, 1);
	assert_value(&s->distributions.items[0], VALUE_OUTPUT, "DistributionId",
		     "counter");
	assert_value(&s->url, VALUE_LITERAL, "https://example.com", NULL);
	assert_text(s->index, "home.html");
	assert_int_equal(s->exclude.len, 3);
	assert_true(glob_matches(&s->exclude.items[0], "a/b.psd", false));
	assert_true(s->exclude.items[1].folders_only);
	assert_int_equal(s->include.len, 1);
	assert_text(s->include.items[0].text, ".htaccess");
	assert_int_equal(s->query_strings, 1);
	assert_int_equal(s->keep_s, 12 * 3600);
	assert_int_equal(s->line, 3);
}

static void test_config__header_rules_in_their_order(void **state)
{
	CLEANUP(config) struct config c = CONFIG_INIT;
	const struct header_rule *rules;

	(void)state;
	parse(&c, every_key);
	assert_int_equal(c.sites.items[0].headers.len, 2);
	rules = c.sites.items[0].headers.items;
	assert_text(rules[0].match.text, "*.pdf");
	assert_int_equal(rules[0].set.len, 2);
	assert_text(rules[0].set.items[0].name, "content-disposition");
	assert_text(rules[0].set.items[0].value, "inline");
	assert_text(rules[0].set.items[1].name, "x-amz-meta-owner");
	assert_text(rules[0].set.items[1].value, "me");
	assert_true(rules[1].match.folders_only);
	assert_int_equal(rules[1].set.len, 1);
	assert_text(rules[1].set.items[0].name, "cache-control");
	assert_text(rules[1].set.items[0].value, "");
}

/* An alias is the very node of its anchor. */
static void test_config__header_with_the_text_of_its_match(void **state)
{
	CLEANUP(config) struct config c = CONFIG_INIT;
	const struct header_rule *rule;

	(void)state;
	parse(&c, "sites: {a: {path: a, headers: [{match: &m x, x-amz-meta-m: *m}]}}");
	rule = &c.sites.items[0].headers.items[0];
	assert_int_equal(rule->set.len, 1);
	assert_text(rule->set.items[0].value, "x");
}

static void test_config__defaults_and_lists_of_a_site(void **state)
{
	CLEANUP(config) struct config c = CONFIG_INIT;
	const struct site *s;

	(void)state;
	parse(&c, every_key);
	s = &c.sites.items[1];
	assert_text(s->path, "");
	assert_null(s->build);
	assert_value(&s->bucket, VALUE_ENV, "BLOG_BUCKET", NULL);
	assert_text(s->prefix, "");
	assert_int_equal(s->distributions.len, 2);
	assert_value(&s->distributions.items[0], VALUE_LITERAL, "E1A2B3C4D5E6F7", NULL);
	assert_value(&s->distributions.items[1], VALUE_ENV, "BLOG_DIST", NULL);
	assert_at(&s->distributions.items[1], 24, 36);
	assert_value(&s->url, VALUE_ENV, "BLOG_URL", NULL);
	assert_text(s->index, "index.html");
	assert_int_equal(s->exclude.len + s->include.len + s->headers.len, 0);
	assert_int_equal(s->query_strings, 0);
	assert_int_equal(s->keep_s, 7 * 86400);
	config_release(&c);

	parse(&c, "sites: {a: {path: a}}");
	s = &c.sites.items[0];
	assert_int_equal(c.region.kind, VALUE_NONE);
	assert_int_equal(s->bucket.kind, VALUE_NONE);
	assert_int_equal(s->url.kind, VALUE_NONE);
	assert_int_equal(s->distributions.len, 0);
	assert_int_equal(s->query_strings, -1);
}

static void test_config__every_key_of_a_backend(void **state)
{
	CLEANUP(config) struct config c = CONFIG_INIT;
	const struct backend *b;

	(void)state;
	parse(&c, every_key);
	assert_int_equal(c.backends.len, 3);
	b = &c.backends.items[0];
	assert_text(b->name, "counter");
	assert_int_equal(b->kind, BACKEND_TEMPLATE);
	assert_text(b->path, "backend");
	assert_text(b->build, "make");
	assert_text(b->template_file, "sam/template.json");
	assert_value(&b->stack, VALUE_LITERAL, "resume-counter", NULL);
	assert_value(&b->artifacts, VALUE_LITERAL, "my-artifacts", NULL);
	assert_int_equal(b->parameters.len, 5);
	assert_text(b->parameters.items[0].name, "AllowedOrigin");
	assert_value(&b->parameters.items[0].value, VALUE_LITERAL, "https://example.com",
		     NULL);
	assert_value(&b->parameters.items[1].value, VALUE_LITERAL, "0123", NULL);
	assert_value(&b->parameters.items[2].value, VALUE_ENV, "KEY", NULL);
	assert_value(&b->parameters.items[3].value, VALUE_OUTPUT, "Table", "data");
	assert_value(&b->parameters.items[4].value, VALUE_LITERAL, "", NULL);
	assert_int_equal(b->capabilities.len, 2);
	assert_text(b->capabilities.items[1], "CAPABILITY_AUTO_EXPAND");
	assert_int_equal(b->function.kind, VALUE_NONE);
	assert_int_equal(b->line, 28);

	b = &c.backends.items[1];
	assert_int_equal(b->kind, BACKEND_TEMPLATE);
	assert_text(b->template_file, "template.yaml");
	assert_null(b->build);
	assert_value(&b->stack, VALUE_ENV, "DATA_STACK", NULL);
	assert_int_equal(b->artifacts.kind, VALUE_NONE);
	assert_int_equal(b->parameters.len + b->capabilities.len, 0);

	b = &c.backends.items[2];
	assert_int_equal(b->kind, BACKEND_FUNCTION);
	assert_value(&b->function, VALUE_ENV, "MAILER_FUNCTION", NULL);
	assert_value(&b->alias, VALUE_LITERAL, "live", NULL);
}

/* Whatever a file holds, its texts may be written in any of YAML's ways. */
static void test_config__other_ways_to_write_the_same(void **state)
{
	static const char *const texts[] = {
		"{sites: {a: {path: w, bucket: my-bucket, keep: 1d}}}",
		"sites:\r\n  a:\r\n    path: w\r\n    bucket: my-bucket\r\n    keep: 1d\r\n",
		"\xEF\xBB\xBFsites:\n  a: {path: w, bucket: my-bucket, keep: 1d}",
		"---\nsites:\n  a: {path: \"w\", 'bucket': 'my-bucket', keep: !!str 1d}\n",
		"sites:\n  a: {path: !!str w, bucket: ! my-bucket, keep: 1d}\n...\n",
		"{\"sites\": {\"a\": {\"path\": \"w\", \"bucket\": \"my-bucket\", "
		"\"keep\": \"24h\"}}}",
		"sites:\n  a:\n    path: w//./\n    bucket: >-\n      my-bucket\n    keep: "
		"1440m",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		CLEANUP(config) struct config c = CONFIG_INIT;

		parse(&c, texts[i]);
		assert_text(c.sites.items[0].path, "w");
		assert_value(&c.sites.items[0].bucket, VALUE_LITERAL, "my-bucket", NULL);
		assert_int_equal(c.sites.items[0].keep_s, 86400);
	}
}

static void test_config__anchors_and_merges(void **state)
{
	static const char text[] = "sites:\n"
				   "  a: &site\n"
				   "    path: a\n"
				   "    bucket: my-bucket\n"
				   "    prefix: a\n"
				   "    exclude: &no [x, y]\n"
				   "  b:\n"
				   "    <<: *site\n"
				   "    path: b\n"
				   "    prefix: b\n"
				   "    include: *no\n";
	CLEANUP(config) struct config c = CONFIG_INIT;
	const struct site *b;

	(void)state;
	parse(&c, text);
	b = &c.sites.items[1];
	assert_text(b->path, "b");
	assert_text(b->prefix, "b/");
	assert_value(&b->bucket, VALUE_LITERAL, "my-bucket", NULL);
	assert_int_equal(b->exclude.len, 2);
	assert_int_equal(b->include.len, 2);
}

struct refusal {
	const char *text;
	const char *message;
};

static void assert_refusals(const struct refusal *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		CLEANUP(config) struct config c = CONFIG_INIT;
		struct error err = ERROR_INIT;

		if (parse_bytes(&c, cases[i].text, strlen(cases[i].text), &err) == 0)
			fail_msg("is taken: %s", cases[i].text);
		assert_string_equal(err.msg, cases[i].message);
		assert_int_equal(err.code, ERR_CONFIG);
	}
}

#define ASSERT_REFUSALS(cases) assert_refusals(cases, sizeof(cases) / sizeof(*(cases)))

static void test_config__refuses_files_of_another_shape(void **state)
{
	static const struct refusal cases[] = {
		{ "", "crc.yml:1:1: a mapping with \"sites\" or \"backends\" is wanted" },
		{ "# nothing\n",
		  "crc.yml:1:1: a mapping with \"sites\" or \"backends\" is wanted" },
		{ "- sites\n",
		  "crc.yml:1:1: a mapping with \"sites\" or \"backends\" is wanted" },
		{ "sites",
		  "crc.yml:1:1: a mapping with \"sites\" or \"backends\" is wanted" },
		{ "region: us-east-1\n",
		  "crc.yml:1:1: neither \"sites\" nor \"backends\"" },
		{ "{}", "crc.yml:1:1: neither \"sites\" nor \"backends\"" },
		{ "sites: {}\n", "crc.yml:1:1: neither \"sites\" nor \"backends\"" },
		{ "sites:\n",
		  "crc.yml:1:7: sites: a mapping of names is wanted here, not nothing" },
		{ "sites:\n  - path: x\n",
		  "crc.yml:2:3: sites: a mapping of names is wanted here, not a list" },
		{ "sites:\n  a:\nbackends: {}\n",
		  "crc.yml:2:5: a: a mapping is wanted here, not nothing" },
		{ "sites:\n  a: website\n",
		  "crc.yml:2:6: a: a mapping is wanted here, not a single value" },
		{ "sites:\n  a: {}\n", "crc.yml:2:6: the site lacks \"path\"" },
		{ "backends:\n  a: {stack: b}\n",
		  "crc.yml:2:6: the backend lacks \"path\"" },
		{ "sites: {a: {path: x}}\n---\nsites: {}\n",
		  "crc.yml:2:1: a second document: one is all that is read" },
		{ "sites:\n\ta: {path: x}\n",
		  "crc.yml:2:1: found character that cannot start any token: indent with "
		  "spaces, not with tabs" },
		{ "sites: {a: {path: \xFF}}\n",
		  "crc.yml:1:19: invalid leading UTF-8 octet (0xFF)" },
		{ "\xFF\xFEs\n", "crc.yml:1:1: invalid leading UTF-8 octet (0xFF)" },
		{ "sites: {a: {path: \x01}}\n",
		  "crc.yml:1:19: control characters are not allowed (0x01)" },
	};

	(void)state;
	ASSERT_REFUSALS(cases);
}

static void test_config__refuses_keys_it_does_not_know(void **state)
{
	static const struct refusal cases[] = {
		{ "site: {}\n",
		  "crc.yml:1:1: unknown key \"site\" of a configuration: did "
		  "you mean \"sites\"?" },
		{ "sites:\n  a:\n    path: x\n    bukcet: y\n",
		  "crc.yml:4:5: unknown key \"bukcet\" of a site: did you mean \"bucket\"?" },
		{ "sites: {a: {path: x, query_strings: true}}",
		  "crc.yml:1:22: unknown key \"query_strings\" of a site: did you mean "
		  "\"query-strings\"?" },
		{ "sites: {a: {path: x, Bucket: y}}",
		  "crc.yml:1:22: unknown key \"Bucket\" of a site: did you mean "
		  "\"bucket\"?" },
		{ "sites: {a: {path: x, cloudfront: y}}",
		  "crc.yml:1:22: unknown key \"cloudfront\" of a site" },
		{ "backends: {a: {path: x, stak: y}}",
		  "crc.yml:1:25: unknown key \"stak\" of a backend: did you mean "
		  "\"stack\"?" },
		{ "sites: {a: {path: x, \"\": y}}",
		  "crc.yml:1:22: unknown key \"\" of a site" },
		{ "sites: {a: {path: x, \"u\\nrl\": y}}",
		  "crc.yml:1:22: unknown key \"u?rl\" of a site: did you mean \"url\"?" },
		{ "sites: {a: {path: x, path: y}}",
		  "crc.yml:1:22: key \"path\" is there twice, first in line 1" },
		{ "sites: {a: {path: x}}\nsites: {}\n",
		  "crc.yml:2:1: key \"sites\" is there twice, first in line 1" },
		{ "sites:\n  a: {path: x}\n  a: {path: y}\n",
		  "crc.yml:3:3: key \"a\" is there twice, first in line 2" },
		{ "sites:\n  a b: {path: x}\n",
		  "crc.yml:2:3: sites: \"a b\": a name is 1 to 64 letters, digits, '-' and "
		  "'_'" },
		{ "backends:\n  '': {path: x}\n",
		  "crc.yml:2:3: backends: \"\": a name is 1 to 64 letters, digits, '-' and "
		  "'_'" },
	};

	(void)state;
	ASSERT_REFUSALS(cases);
}

#define SITE(line) "sites:\n  a:\n    path: x\n    " line "\n"

static void test_config__refuses_values_of_another_type(void **state)
{
	static const struct refusal cases[] = {
		{ "region: [us-east-1]\n",
		  "crc.yml:1:9: region: a single value is wanted here, not a list" },
		{ "sites: {a: {path: }}",
		  "crc.yml:1:19: path: a single value is wanted here, not nothing" },
		{ "sites: {a: {path: ~}}",
		  "crc.yml:1:19: path: a single value is wanted here, not nothing" },
		{ SITE("bucket: {name: y}"),
		  "crc.yml:4:13: bucket: a single value is wanted here, not a mapping" },
		{ SITE("bucket:"),
		  "crc.yml:4:12: bucket: a single value is wanted here, not nothing" },
		{ SITE("distribution: [[E1]]"),
		  "crc.yml:4:20: distribution: a single value is wanted here, not a list" },
		{ SITE("distribution: [E1, null]"),
		  "crc.yml:4:24: distribution: a single value is wanted here, not nothing" },
		{ SITE("exclude: {a: b}"),
		  "crc.yml:4:14: exclude: a single value is wanted here, not a mapping" },
		{ SITE("exclude: ['']"),
		  "crc.yml:4:15: exclude \"\": no pattern that can match anything" },
		{ SITE("include: '!'"),
		  "crc.yml:4:14: include \"!\": no pattern that can match anything" },
		{ SITE("query-strings: yes"),
		  "crc.yml:4:20: query-strings: true or false is wanted here, not \"yes\"" },
		{ SITE("query-strings: []"),
		  "crc.yml:4:20: query-strings: a single value is wanted here, not a list" },
		{ SITE("keep: 7 days"),
		  "crc.yml:4:11: keep \"7 days\": must be like 7d, 12h, 30m or 0" },
		{ SITE("keep: [7d]"),
		  "crc.yml:4:11: keep: a single value is wanted here, not a list" },
		{ SITE("build: []"),
		  "crc.yml:4:12: build: a single value is wanted here, not a list" },
		{ SITE("build: ''"), "crc.yml:4:12: build \"\": is empty" },
		{ "backends: {a: {path: x, stack: y, parameters: [z]}}",
		  "crc.yml:1:47: parameters: a mapping of names to values is wanted here, "
		  "not a list" },
		{ "backends: {a: {path: x, stack: y, parameters: {P: [z]}}}",
		  "crc.yml:1:51: P: a single value is wanted here, not a list" },
		{ "backends: {a: {path: x, stack: y, parameters: {P: }}}",
		  "crc.yml:1:51: P: a single value is wanted here, not nothing" },
		{ "backends: {a: {path: x, stack: y, parameters: {a-b: c}}}",
		  "crc.yml:1:48: parameter \"a-b\": CloudFormation allows letters and digits "
		  "only" },
		{ "backends: {a: {path: x, stack: y, capabilities: [CAPABILITY_ALL]}}",
		  "crc.yml:1:50: capabilities \"CAPABILITY_ALL\": must be CAPABILITY_IAM, "
		  "CAPABILITY_NAMED_IAM or CAPABILITY_AUTO_EXPAND" },
	};

	(void)state;
	ASSERT_REFUSALS(cases);
}

static void test_config__refuses_texts_that_cannot_be(void **state)
{
	static const struct refusal cases[] = {
		{ "region: US East\nsites: {a: {path: x}}\n",
		  "crc.yml:1:9: region \"US East\": must be like us-east-1" },
		{ "sites: {a: {path: /srv}}",
		  "crc.yml:1:19: path \"/srv\": must be relative to the repository's root" },
		{ "sites: {a: {path: x/../../y}}",
		  "crc.yml:1:19: path \"x/../../y\": leads out of the repository" },
		{ "sites: {a: {path: ./.git/x}}",
		  "crc.yml:1:19: path \".git/x\": is git's own folder" },
		{ SITE("bucket: s3://my-bucket/x"),
		  "crc.yml:4:13: bucket \"s3://my-bucket/x\": write the bucket's name alone, "
		  "and a folder in it as prefix" },
		{ SITE("bucket: My_Bucket"),
		  "crc.yml:4:13: bucket \"My_Bucket\": a bucket's name holds a-z, 0-9, '.' "
		  "and '-' only" },
		{ SITE("prefix: a//b"),
		  "crc.yml:4:13: prefix \"a//b/\": has an empty segment (\"//\")" },
		{ SITE("prefix: a/.crc"),
		  "crc.yml:4:13: prefix \"a/.crc/\": has a segment \".crc\", where crc keeps "
		  "its state" },
		{ SITE("distribution: d111.cloudfront.net"),
		  "crc.yml:4:19: distribution \"d111.cloudfront.net\": write the "
		  "distribution's id (such as E1A2B3C4D5E6F7), not its domain or ARN" },
		{ SITE("distribution: [E1, E2, E1]"),
		  "crc.yml:4:28: site \"a\": distribution \"E1\" twice" },
		{ SITE("url: example.com"),
		  "crc.yml:4:10: url \"example.com\": must be like https://example.com, "
		  "without query and fragment" },
		{ SITE("index: a/index.html"),
		  "crc.yml:4:12: index \"a/index.html\": must be the name of a file, without "
		  "folders" },
		{ "backends: {a: {path: x, stack: 1st}}",
		  "crc.yml:1:32: stack \"1st\": a stack's name is letters, digits and '-', "
		  "starting with a letter" },
		{ "backends: {a: {path: x, stack: y, template: .}}",
		  "crc.yml:1:45: template \"\": must name a file" },
		{ "backends: {a: {path: x, function: f/g}}",
		  "crc.yml:1:35: function \"f/g\": must be a function's name or ARN" },
		{ "backends: {a: {path: x, function: f, alias: 7}}",
		  "crc.yml:1:45: alias \"7\": an alias is letters, digits, '-' and '_', and "
		  "no mere number" },
	};

	(void)state;
	ASSERT_REFUSALS(cases);
}

static void test_config__refuses_tags_where_they_mean_nothing(void **state)
{
	static const struct refusal cases[] = {
		{ "sites: {a: {path: !env X}}",
		  "crc.yml:1:19: path: the tag !env cannot be used here" },
		{ SITE("prefix: !env X"),
		  "crc.yml:4:13: prefix: the tag !env cannot be used here" },
		{ SITE("exclude: [!env X]"),
		  "crc.yml:4:15: exclude: the tag !env cannot be used here" },
		{ SITE("bucket: !Ref X"),
		  "crc.yml:4:13: bucket: the tag !Ref cannot be used here" },
		{ "region: !output a.B\nsites: {a: {path: x}}\n",
		  "crc.yml:1:9: region: the tag !output cannot be used here" },
		{ "backends: {a: {path: x, stack: !output a.B}}",
		  "crc.yml:1:32: stack: the tag !output cannot be used here" },
		{ SITE("bucket: !output SiteBucket"),
		  "crc.yml:4:13: bucket: !output is followed by BACKEND.OUTPUT" },
		{ SITE("bucket: !output .SiteBucket"),
		  "crc.yml:4:13: bucket: !output is followed by BACKEND.OUTPUT" },
		{ SITE("bucket: !output a.b.c"),
		  "crc.yml:4:13: bucket: !output \"b.c\": CloudFormation allows letters and "
		  "digits only" },
		{ SITE("bucket: !env"),
		  "crc.yml:4:13: bucket: !env \"\": must be the name of an environment "
		  "variable" },
		{ SITE("bucket: !env 1X"),
		  "crc.yml:4:13: bucket: !env \"1X\": must be the name of an environment "
		  "variable" },
		{ SITE("bucket: !env ${X}"),
		  "crc.yml:4:13: bucket: !env \"${X}\": must be the name of an environment "
		  "variable" },
		{ SITE("distribution: !env [X, Y]"),
		  "crc.yml:4:19: the tag !env cannot be used here" },
		{ "sites: !output {a: {path: x}}",
		  "crc.yml:1:8: the tag !output cannot be used here" },
		{ "sites: {a: {!env path: x}}",
		  "crc.yml:1:13: the tag !env cannot be used here" },
		{ "!env {sites: {a: {path: x}}}",
		  "crc.yml:1:1: the tag !env cannot be used here" },
	};

	(void)state;
	ASSERT_REFUSALS(cases);
}

#define RULE(line) SITE("headers:\n    - match: '*.pdf'\n      " line)

static void test_config__refuses_header_rules(void **state)
{
	static const struct refusal cases[] = {
		{ SITE("headers: {match: x}"),
		  "crc.yml:4:14: headers: a list of rules (\"- match: ...\") is wanted here, "
		  "not a mapping" },
		{ SITE("headers: [x]"),
		  "crc.yml:4:15: headers: a mapping with \"match\" is wanted here, not a "
		  "single value" },
		{ SITE("headers: [{expires: x}]"),
		  "crc.yml:4:15: headers: the rule lacks \"match\", the files it is for" },
		{ SITE("headers: [{match: }]"),
		  "crc.yml:4:23: match: a single value is wanted here, not nothing" },
		{ SITE("headers: [{match: ''}]"),
		  "crc.yml:4:23: match \"\": no pattern that can match anything" },
		{ SITE("headers: [{match: '!*.pdf'}]"),
		  "crc.yml:4:23: match \"!*.pdf\": a rule says which files it is for, not "
		  "which it is not for" },
		{ RULE("content-security-policy: x"),
		  "crc.yml:6:7: header \"content-security-policy\" is no header that S3 "
		  "stores; set it by a response headers policy of the distribution" },
		{ RULE("x-amz-meta-: x"),
		  "crc.yml:6:7: header \"x-amz-meta-\" is no header that S3 stores; set it by "
		  "a response headers policy of the distribution" },
		{ RULE("Content-Dispositon: x"),
		  "crc.yml:6:7: unknown header \"Content-Dispositon\": did you mean "
		  "\"content-disposition\"?" },
		{ RULE("Expires: x\n      expires: y"),
		  "crc.yml:7:7: header \"expires\" twice in one rule" },
		{ RULE("expires: [x]"),
		  "crc.yml:6:16: expires: a single value is wanted here, not a list" },
		{ RULE("expires: !env X"),
		  "crc.yml:6:16: expires: the tag !env cannot be used here" },
		{ RULE("cache-control: \"a\\r\\nb: c\""),
		  "crc.yml:6:22: header cache-control: the value \"a??b: c\" holds what is not "
		  "printable ASCII" },
		{ RULE("x-amz-storage-class: GLACIER"),
		  "crc.yml:6:28: header x-amz-storage-class: the value \"GLACIER\" is no "
		  "storage class that a site can be served from" },
	};

	(void)state;
	ASSERT_REFUSALS(cases);
}

static void test_config__refuses_parts_that_contradict(void **state)
{
	static const struct refusal cases[] = {
		{ "sites:\n"
		  "  a: {path: x, bucket: my-bucket, prefix: p}\n"
		  "  b: {path: y, bucket: my-bucket, prefix: /p/}\n",
		  "crc.yml:3:24: site \"b\": bucket and prefix are those of site \"a\": give "
		  "one of them a prefix" },
		{ "sites:\n"
		  "  a: {path: x, bucket: !env B}\n"
		  "  b: {path: y, bucket: !env B}\n",
		  "crc.yml:3:24: site \"b\": bucket and prefix are those of site \"a\": give "
		  "one of them a prefix" },
		{ "sites: {a: {path: x, bucket: !output b.C}}",
		  "crc.yml:1:30: bucket: no backend \"b\": there are no backends" },
		{ "sites: {a: {path: x, bucket: !output countr.C}}\n"
		  "backends: {counter: {path: y, stack: s}}\n",
		  "crc.yml:1:30: bucket: no backend \"countr\": did you mean \"counter\"?" },
		{ "sites: {a: {path: x, url: !output f.C}}\n"
		  "backends: {f: {path: y, function: s}}\n",
		  "crc.yml:1:27: url: backend \"f\" is a function and has no outputs" },
		{ "backends: {a: {path: y}}\n",
		  "crc.yml:1:12: backend \"a\" lacks \"stack\" (to deploy a template) or "
		  "\"function\" (to update an existing function)" },
		{ "backends: {a: {path: y, alias: live}}\n",
		  "crc.yml:1:12: backend \"a\" lacks \"stack\" (to deploy a template) or "
		  "\"function\" (to update an existing function)" },
		{ "backends: {a: {path: y, stack: s, alias: live}}\n",
		  "crc.yml:1:42: alias: only a \"function\" backend has one" },
		{ "backends: {a: {path: y, stack: s, function: f}}\n",
		  "crc.yml:1:32: stack: backend \"a\" is an existing function, and its "
		  "settings belong to whoever made it" },
		{ "backends: {a: {path: y, function: f, parameters: {}}}\n",
		  "crc.yml:1:50: parameters: backend \"a\" is an existing function, and its "
		  "settings belong to whoever made it" },
	};

	(void)state;
	ASSERT_REFUSALS(cases);
}

/* The same bucket is fine with another prefix, and so is no bucket at all. */
static void test_config__sites_beside_one_another(void **state)
{
	static const char *const texts[] = {
		"sites: {a: {path: x, bucket: abc}, b: {path: y, bucket: abc, prefix: p}}",
		"sites: {a: {path: x, bucket: my-bucket}, b: {path: y, bucket: my-other}}",
		"sites: {a: {path: x}, b: {path: x}}",
		"sites: {a: {path: x, bucket: !env A}, b: {path: y, bucket: !env B}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		CLEANUP(config) struct config c = CONFIG_INIT;

		parse(&c, texts[i]);
		assert_int_equal(c.sites.len, 2);
	}
}

static void assert_too_big(const struct buf *text, const char *message)
{
	CLEANUP(config) struct config c = CONFIG_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(parse_bytes(&c, text->data, text->len, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_string_equal(err.msg, message);
}

static void test_config__huge_files(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT(4 << 20);
	CLEANUP(config) struct config c = CONFIG_INIT;

	(void)state;
	buf_str(&text, "sites:\n");
	for (unsigned i = 0; i < 2000; i++)
		buf_printf(&text, "  s%u: {path: x, bucket: my-bucket, prefix: p%u}\n", i,
			   i);
	parse(&c, text.data);
	assert_int_equal(c.sites.len, 2000);

	while (text.len <= 1 << 20)
		buf_str(&text, "# ------------------------------------------------\n");
	assert_too_big(&text, "crc.yml:1:1: over 1048576 bytes");
	buf_clear(&text);
	buf_str(&text, "sites: ");
	for (unsigned i = 0; i < 100; i++)
		buf_str(&text, "[");
	assert_too_big(&text, "crc.yml:1:71: nested deeper than 64");
}

/* A text that does not fit into a message is cut, and never breaks it. */
static void test_config__long_texts_in_messages(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 20);
	CLEANUP(config) struct config c = CONFIG_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	buf_str(&text, "sites: {a: {path: x, bucket: ");
	for (unsigned i = 0; i < 100000; i++)
		buf_str(&text, "B");
	buf_str(&text, "}}");
	assert_int_equal(parse_bytes(&c, text.data, text.len, &err), -1);
	assert_true(str_starts(err.msg, "crc.yml:1:30: bucket \"BBBB"));
	assert_true(strlen(err.msg) < ERROR_MSG_MAX);
}

/* Wherever the file ends, it is read or refused, and all that it made is released. */
static void test_config__cut_anywhere(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(every_key); n++) {
		CLEANUP(config) struct config c = CONFIG_INIT;
		char *text = xmemdup(every_key, n ? n : 1); /* nothing behind its end */
		struct error err = ERROR_INIT;

		if (parse_bytes(&c, text, n, &err) < 0) {
			assert_int_equal(err.code, ERR_CONFIG);
			assert_true(str_starts(err.msg, "crc.yml:"));
		}
		free(text);
	}
}

/* Values from the environment */

static const char *lookup(void *ctx, const char *name)
{
	static const char *const variables[][2] = {
		{ "BUCKET", "my-bucket" }, { "DIST", "E1" },
		{ "FUNC", "mailer" },      { "EMPTY", "" },
		{ "BAD", "Not A Bucket" },
	};
	unsigned *calls = ctx;

	++*calls;
	for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++)
		if (str_eq(name, variables[i][0]))
			return variables[i][1];
	return NULL;
}

static void test_config__resolves_the_environment(void **state)
{
	CLEANUP(config) struct config c = CONFIG_INIT;
	struct error err = ERROR_INIT;
	unsigned calls = 0;

	(void)state;
	parse(&c,
	      "region: !env DIST\n"
	      "sites: {a: {path: x, bucket: !env BUCKET, distribution: [!env DIST, E2],"
	      "            url: !env BUCKET}}\n"
	      "backends:\n"
	      "  t: {path: x, stack: !env FUNC, artifacts: !env BUCKET,"
	      "      parameters: {A: !env DIST, B: c, C: !output u.D}}\n"
	      "  f: {path: x, function: !env FUNC, alias: !env FUNC}\n"
	      "  u: {path: x, stack: other}\n");
	assert_int_equal(config_resolve_env(&c, lookup, &calls, &err), 0);
	assert_int_equal(calls, 9);
	assert_value(&c.region, VALUE_LITERAL, "E1", NULL);
	assert_value(&c.sites.items[0].bucket, VALUE_LITERAL, "my-bucket", NULL);
	assert_value(&c.sites.items[0].distributions.items[0], VALUE_LITERAL, "E1", NULL);
	assert_value(&c.backends.items[0].stack, VALUE_LITERAL, "mailer", NULL);
	assert_value(&c.backends.items[0].parameters.items[0].value, VALUE_LITERAL, "E1",
		     NULL);
	assert_value(&c.backends.items[0].parameters.items[2].value, VALUE_OUTPUT, "D",
		     "u");
	assert_value(&c.backends.items[1].function, VALUE_LITERAL, "mailer", NULL);
	assert_value(&c.backends.items[1].alias, VALUE_LITERAL, "mailer", NULL);
}

static void test_config__checks_what_the_environment_said(void **state)
{
	static const struct refusal cases[] = {
		{ "sites:\n  a: {path: x, bucket: !env NOT_THERE}\n",
		  "crc.yml:2:24: bucket: the environment variable NOT_THERE is not set, or "
		  "empty" },
		{ "sites:\n  a: {path: x, distribution: !env EMPTY}\n",
		  "crc.yml:2:30: distribution: the environment variable EMPTY is not set, or "
		  "empty" },
		{ "sites:\n  a: {path: x, bucket: !env BAD}\n",
		  "crc.yml:2:24: bucket \"Not A Bucket\": a bucket's name holds a-z, 0-9, '.' "
		  "and '-' only" },
		{ "sites:\n  a: {path: x, bucket: my-bucket}\n  b: {path: y, bucket: !env "
		  "BUCKET}\n",
		  "crc.yml:3:24: site \"b\": bucket and prefix are those of site \"a\": give "
		  "one of them a prefix" },
		{ "sites:\n  a: {path: x, distribution: [E1, !env DIST]}\n",
		  "crc.yml:2:35: site \"a\": distribution \"E1\" twice" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(config) struct config c = CONFIG_INIT;
		struct error err = ERROR_INIT;
		unsigned calls = 0;

		parse(&c, cases[i].text);
		if (config_resolve_env(&c, lookup, &calls, &err) == 0)
			assert_int_equal(config_check(&c, &err), -1);
		assert_string_equal(err.msg, cases[i].message);
		assert_int_equal(err.code, ERR_CONFIG);
	}
}

/* Settings that come from options or detection */

static void test_config__made_without_a_file(void **state)
{
	CLEANUP(config) struct config c = CONFIG_INIT;
	struct error err = ERROR_INIT;
	struct site *s = config_add_site(&c, "site", ".//website/./sub/");
	struct backend *b;

	(void)state;
	assert_text(s->path, "website/sub");
	config_set(&c, &s->bucket, "my-bucket");
	config_set(&c, &s->url, "");
	assert_int_equal(config_set_prefix(&c, s, "//v1", &err), 0);
	assert_value(&s->bucket, VALUE_LITERAL, "my-bucket", NULL);
	assert_int_equal(s->url.kind, VALUE_NONE);
	assert_text(s->prefix, "v1/");
	config_set(&c, &s->bucket, NULL);
	assert_int_equal(s->bucket.kind, VALUE_NONE);
	b = config_add_backend(&c, "backend", "api/");
	assert_text(b->path, "api");
	assert_text(b->template_file, "template.yaml");
	assert_int_equal(config_check(&c, &err), 0);

	assert_int_equal(config_set_prefix(&c, s, "a/../b", &err), -1);
	assert_string_equal(err.msg, "prefix \"a/../b\" has a segment \".\" or \"..\", "
				     "which browsers and S3 disagree on");
	assert_int_equal(err.code, ERR_CONFIG);
	assert_text(s->prefix, "v1/");
}

struct made {
	const char *name;
	const char *path;
	const char *bucket;
	const char *message;
};

static void test_config__checks_what_options_said(void **state)
{
	static const struct made cases[] = {
		{ "a b", "x", NULL,
		  "site \"a b\": \"a b\" a name is 1 to 64 letters, digits, '-' and '_'" },
		{ "a", "/x", NULL,
		  "site \"a\": \"/x\" must be relative to the repository's root" },
		{ "a", "x/..", NULL, "site \"a\": \"x/..\" leads out of the repository" },
		{ "a", "x", "B", "bucket \"B\": a bucket's name has 3 to 63 characters" },
		{ "first", "x", NULL, "two sites \"first\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(config) struct config c = CONFIG_INIT;
		struct error err = ERROR_INIT;
		struct site *s;

		config_add_site(&c, "first", "first");
		s = config_add_site(&c, cases[i].name, cases[i].path);
		config_set(&c, &s->bucket, cases[i].bucket);
		assert_int_equal(config_check(&c, &err), -1);
		assert_string_equal(err.msg, cases[i].message);
	}
}

static void test_config__checks_backends_that_options_made(void **state)
{
	static const struct made cases[] = {
		{ "first", "x", NULL, "two backends \"first\"" },
		{ "a/b", "x", NULL,
		  "backend \"a/b\": \"a/b\" a name is 1 to 64 letters, digits, '-' and '_'" },
		{ "a", "..", NULL, "backend \"a\": \"..\" leads out of the repository" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(config) struct config c = CONFIG_INIT;
		struct error err = ERROR_INIT;

		config_add_backend(&c, "first", "first");
		config_add_backend(&c, cases[i].name, cases[i].path);
		assert_int_equal(config_check(&c, &err), -1);
		assert_string_equal(err.msg, cases[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config__every_key_of_a_site),
		cmocka_unit_test(test_config__header_rules_in_their_order),
		cmocka_unit_test(test_config__header_with_the_text_of_its_match),
		cmocka_unit_test(test_config__defaults_and_lists_of_a_site),
		cmocka_unit_test(test_config__every_key_of_a_backend),
		cmocka_unit_test(test_config__other_ways_to_write_the_same),
		cmocka_unit_test(test_config__anchors_and_merges),
		cmocka_unit_test(test_config__refuses_files_of_another_shape),
		cmocka_unit_test(test_config__refuses_keys_it_does_not_know),
		cmocka_unit_test(test_config__refuses_values_of_another_type),
		cmocka_unit_test(test_config__refuses_texts_that_cannot_be),
		cmocka_unit_test(test_config__refuses_tags_where_they_mean_nothing),
		cmocka_unit_test(test_config__refuses_header_rules),
		cmocka_unit_test(test_config__refuses_parts_that_contradict),
		cmocka_unit_test(test_config__sites_beside_one_another),
		cmocka_unit_test(test_config__huge_files),
		cmocka_unit_test(test_config__long_texts_in_messages),
		cmocka_unit_test(test_config__cut_anywhere),
		cmocka_unit_test(test_config__resolves_the_environment),
		cmocka_unit_test(test_config__checks_what_the_environment_said),
		cmocka_unit_test(test_config__made_without_a_file),
		cmocka_unit_test(test_config__checks_what_options_said),
		cmocka_unit_test(test_config__checks_backends_that_options_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
