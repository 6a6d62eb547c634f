#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws/profile.h"
#include "base/str.h"

static void read_config(struct profiles *p, const char *text)
{
	struct error err = ERROR_INIT;

	if (profiles_parse(p, text, strlen(text), false, "config", &err) < 0)
		fail_msg("%s", err.msg);
}

/* Each asks for one key of [profile p]. */
static void test_profile__values(void **state)
{
	static const struct {
		const char *name, *text, *value;
	} cases[] = {
		{ "plain", "[profile p]\nkey = v\n", "v" },
		{ "no blanks", "[profile p]\nkey=v", "v" },
		{ "an equals sign", "[profile p]\nkey = a=b==\n", "a=b==" },
		{ "blanks within", "[profile p]\nkey =  a  b  \n", "a  b" },
		{ "tabs and returns", "[profile\tp]\r\nkey\t=\tv\r\n", "v" },
		{ "a byte order mark", "\xef\xbb\xbf[profile p]\nkey = v\n", "v" },
		{ "a comment behind it", "[profile p]\nkey = v # no\n", "v" },
		{ "another", "[profile p]\nkey = v\t; no\n", "v" },
		{ "no comment", "[profile p]\nkey = a#b;c\n", "a#b;c" },
		{ "only a comment", "[profile p]\nkey = # no\n", NULL },
		{ "comment lines", "# a\n[profile p]\n; key = no\n#\nkey = v\n", "v" },
		{ "in capitals", "[profile p]\nKEY = v\n", "v" },
		{ "the later one", "[profile p]\nkey = a\nkey = b\n", "b" },
		{ "of two sections",
		  "[profile p]\nkey = a\n[profile q]\nkey = c\n[profile p]\nkey = b\n",
		  "b" },
		{ "an empty one leaves the earlier", "[profile p]\nkey = a\nkey =\n",
		  "a" },
		{ "quoted names", "[profile \"p\"]\nkey = v\n", "v" },
		{ "quoted otherwise", "[profile 'p']\nkey = v\n", "v" },
		{ "half a quote", "[profile \"p]\nkey = v\n", NULL },
		{ "blanks in brackets", "[  profile   p  ]\nkey = v\n", "v" },
		{ "a comment behind the section", "[profile p] # c\nkey = v\n", "v" },
		{ "of another profile", "[profile pp]\nkey = v\n", NULL },
		{ "without the word", "[p]\nkey = v\n", NULL },
		{ "the word as part of another", "[profilep]\nkey = v\n", NULL },
		{ "before any section", "key = v\n[profile p]\n", NULL },
		{ "in a section of others", "[plugins]\nkey = v\n", NULL },
		{ "continued", "[profile p]\nkey = v\n  and more\n", "v" },
		{ "nested under another", "[profile p]\ns3 =\n  key = v\n", NULL },
		{ "an indented section is none",
		  "[profile q]\na = b\n [profile p]\n"
		  " key = v\n",
		  NULL },
		{ "nothing", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(profiles) struct profiles p = PROFILES_INIT;

		read_config(&p, cases[i].text);
		if (!str_eq(profiles_get(&p, "profile", "p", "key"), cases[i].value))
			fail_msg("%s: %s", cases[i].name,
				 profiles_get(&p, "profile", "p", "key"));
	}
}

static void test_profile__kinds_and_defaults(void **state)
{
	static const char config[] = "[default]\nregion = r1\n"
				     "[profile default]\nregion = r2\n"
				     "[sso-session s]\nsso_region = r3\n"
				     "[services x]\ns3 =\n  endpoint_url = http://s3/\n"
				     "[profile empty]\n";
	CLEANUP(profiles) struct profiles p = PROFILES_INIT;

	(void)state;
	read_config(&p, config);
	assert_string_equal(profiles_get(&p, "profile", "default", "region"), "r2");
	assert_string_equal(profiles_get(&p, "sso-session", "s", "sso_region"), "r3");
	assert_null(profiles_get(&p, "profile", "s", "sso_region"));
	assert_string_equal(profiles_get(&p, "services", "x", "s3.endpoint_url"),
			    "http://s3/");
	assert_true(profiles_has(&p, "profile", "empty"));
	assert_true(profiles_has(&p, "sso-session", "s"));
	assert_false(profiles_has(&p, "profile", "s"));
	assert_false(profiles_has(&p, "profile", "emp"));
	assert_false(profiles_has(&p, "prof", "ile empty"));
}

static void test_profile__a_credentials_file(void **state)
{
	static const char text[] = "[p]\nkey = shared\n[profile q]\nkey = odd\n"
				   "[sso-session s]\nkey = bare\n";
	CLEANUP(profiles) struct profiles p = PROFILES_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	read_config(&p, "[profile p]\nkey = config\nother = c\n");
	assert_int_equal(
		profiles_parse(&p, text, strlen(text), true, "credentials", &err), 0);
	/* The later file wins; either can be asked by itself. */
	assert_string_equal(profiles_get(&p, "profile", "p", "key"), "shared");
	assert_string_equal(profiles_get(&p, "profile", "p", "other"), "c");
	assert_string_equal(profiles_get_from(&p, false, "p", "key"), "config");
	assert_string_equal(profiles_get_from(&p, true, "p", "key"), "shared");
	assert_null(profiles_get_from(&p, true, "p", "other"));
	/* Its sections are bare names, whatever they look like. */
	assert_string_equal(profiles_get(&p, "profile", "profile q", "key"), "odd");
	assert_string_equal(profiles_get(&p, "profile", "sso-session s", "key"), "bare");
}

static void test_profile__endpoints(void **state)
{
	static const char config[] =
		"[profile p]\nservices = mine\nendpoint_url = http://all/\n"
		"[profile q]\nservices = nobody\n[profile r]\n"
		"[services mine]\ns3 =\n  endpoint_url = http://s3/\ncloudfront = \n"
		"\tendpoint_url = http://cf/\n";
	CLEANUP(profiles) struct profiles p = PROFILES_INIT;

	(void)state;
	read_config(&p, config);
	p.name = "p";
	assert_string_equal(profiles_endpoint(&p, NULL), "http://all/");
	assert_string_equal(profiles_endpoint(&p, "s3"), "http://s3/");
	assert_string_equal(profiles_endpoint(&p, "cloudfront"), "http://cf/");
	assert_null(profiles_endpoint(&p, "sts"));
	p.name = "q";
	assert_null(profiles_endpoint(&p, NULL));
	assert_null(profiles_endpoint(&p, "s3"));
	p.name = "r";
	assert_null(profiles_endpoint(&p, "s3"));
}

/* Said with file and line, and never with the text: it may be a key. */
static void test_profile__malformed(void **state)
{
	static const struct {
		const char *text, *where;
	} cases[] = {
		{ "[profile p]\ncanary\n", "config:2:" },
		{ "[profile p\n", "config:1:" },
		{ "# c\n\n[profile p]\n= canary\n", "config:4:" },
		{ "[profile p]\ns3 =\n  canary\n", "config:3:" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(profiles) struct profiles p = PROFILES_INIT;
		struct error err = ERROR_INIT;

		assert_int_equal(profiles_parse(&p, cases[i].text, strlen(cases[i].text),
						false, "config", &err),
				 -1);
		assert_int_equal(err.code, ERR_CONFIG);
		if (!str_starts(err.msg, cases[i].where) || strstr(err.msg, "canary"))
			fail_msg("case %zu: %s", i, err.msg);
	}
}

static void test_profile__not_text(void **state)
{
	static const char bytes[] = "[profile p]\nkey = a\0b\n";
	CLEANUP(profiles) struct profiles p = PROFILES_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(
		profiles_parse(&p, bytes, sizeof(bytes) - 1, false, "config", &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_int_equal(profiles_parse(&p, NULL, 0, false, "config", &err), 0);
	assert_int_equal(profiles_parse(&p, "\xef\xbb\xbf", 3, false, "config", &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_profile__values),
		cmocka_unit_test(test_profile__kinds_and_defaults),
		cmocka_unit_test(test_profile__a_credentials_file),
		cmocka_unit_test(test_profile__endpoints),
		cmocka_unit_test(test_profile__malformed),
		cmocka_unit_test(test_profile__not_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
