#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/template.h"

static const struct template_place places[] = {
	{ "b", "k0" }, { "b", "k1" }, { "b", "k2" }, { "b", "k3" }
};

/* Each '|' of the wanted text stands where bytes are replaced. */
static void expect(const char *text, const char *wanted)
{
	CLEANUP(template) struct template t = TEMPLATE_INIT;
	CLEANUP(buf) struct buf out = BUF_INIT(1 << 20);
	struct error err = ERROR_INIT;

	if (template_parse(&t, "t.yaml", text, strlen(text), &err) < 0)
		fail_msg("%s\n%s", err.msg, text);
	template_splice(&t, places, &out);
	assert_string_equal(out.data, wanted);
}

static void refuse(const char *text, const char *message)
{
	CLEANUP(template) struct template t = TEMPLATE_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(template_parse(&t, "t.yaml", text, strlen(text), &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	if (!strstr(err.msg, message))
		fail_msg("\"%s\" lacks \"%s\"", err.msg, message);
}

#define SAM(body) \
	"Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n" body

static void test_template__code_uri_in_every_style(void **state)
{
	(void)state;
	expect(SAM("      CodeUri: ./src\n      Timeout: 010\n"),
	       SAM("      CodeUri: s3://b/k0\n      Timeout: 010\n"));
	expect(SAM("      CodeUri: 'src'   # here\n"),
	       SAM("      CodeUri: 's3://b/k0'   # here\n"));
	expect(SAM("      CodeUri: \"s\\u0072c\"\n"),
	       SAM("      CodeUri: \"s3://b/k0\"\n"));
	expect(SAM("      CodeUri: >-\n        src\n      Timeout: 3\n"),
	       SAM("      CodeUri: s3://b/k0\n      Timeout: 3\n"));
	expect(SAM("      CodeUri: !!str src\n"),
	       SAM("      CodeUri: !!str s3://b/k0\n"));
	expect(SAM("      CodeUri: &c src\n"), SAM("      CodeUri: &c s3://b/k0\n"));
	/* The text ":x": an anchor may end where a ':' begins the value. */
	expect(SAM("      CodeUri: &c:x\n"), SAM("      CodeUri: &c s3://b/k0\n"));
}

static void test_template__unicode_and_crlf(void **state)
{
	(void)state;
	expect("Description: \xe2\x82\xac \xf0\x9f\x98\x80\r\n"
	       "Resources:\r\n  F:\r\n    Type: AWS::Serverless::Function\r\n"
	       "    Properties:\r\n      CodeUri: \xc3\xa4/src\r\n      X: yes\r\n",
	       "Description: \xe2\x82\xac \xf0\x9f\x98\x80\r\n"
	       "Resources:\r\n  F:\r\n    Type: AWS::Serverless::Function\r\n"
	       "    Properties:\r\n      CodeUri: s3://b/k0\r\n      X: yes\r\n");
}

static void test_template__json(void **state)
{
	(void)state;
	expect("{\"Resources\": {\"F\": {\"Type\": \"AWS::Lambda::Function\",\n"
	       "\t\"Properties\": {\"Code\": \"src\", \"Timeout\": 1.10}}}}",
	       "{\"Resources\": {\"F\": {\"Type\": \"AWS::Lambda::Function\",\n"
	       "\t\"Properties\": {\"Code\": {\"S3Bucket\": \"b\", \"S3Key\": \"k0\"}, "
	       "\"Timeout\": 1.10}}}}");
}

static void test_template__missing_code_is_the_folder(void **state)
{
	(void)state;
	expect(SAM("      Handler: app.handler\n"),
	       SAM("      CodeUri: s3://b/k0\n      Handler: app.handler\n"));
	expect("Resources: {F: {Type: 'AWS::Serverless::Function', Properties: {Handler: a.b}}}",
	       "Resources: {F: {Type: 'AWS::Serverless::Function', Properties: "
	       "{\"CodeUri\": \"s3://b/k0\", Handler: a.b}}}");
	refuse("Resources:\n  F:\n    Type: AWS::Serverless::Function\n",
	       "F has no CodeUri");
}

static void test_template__left_alone(void **state)
{
	static const char zipped[] =
		"Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties:\n"
		"      Code:\n        ZipFile: |\n          x\n";
	static const char *const texts[] = {
		SAM("      InlineCode: |\n        x\n"),
		SAM("      CodeUri: s3://other/key\n"),
		SAM("      CodeUri: {Bucket: a, Key: b}\n"),
		SAM("      CodeUri: !Ref Where\n"),
		SAM("      PackageType: Image\n      ImageUri: a\n"),
		zipped,
		"Resources:\n  B:\n    Type: AWS::S3::Bucket\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		expect(texts[i], texts[i]);
}

static void test_template__globals_anchors_and_loops(void **state)
{
	(void)state;
	expect("Globals: {Function: {CodeUri: src, Runtime: python3.12}}\n" SAM(
		       "      Handler: a.b\n"),
	       "Globals: {Function: {CodeUri: s3://b/k0, Runtime: python3.12}}\n" SAM(
		       "      Handler: a.b\n"));
	/* An alias is replaced where it stands, so that its anchor may mean other things. */
	expect(SAM("      CodeUri: &c src\n") "  G:\n    Type: AWS::Serverless::Function\n"
					      "    Properties: {CodeUri: *c}\n",
	       SAM("      CodeUri: &c s3://b/k0\n") "  G:\n"
						    "    Type: AWS::Serverless::Function\n"
						    "    Properties: {CodeUri: s3://b/k1}\n");
	expect("Description: &c src\n" SAM("      CodeUri: *c\n"),
	       "Description: &c src\n" SAM("      CodeUri: s3://b/k0\n"));
	refuse(SAM("      CodeUri: &c src\n      Description: *c\n"),
	       "t.yaml:5:16: F: the text of CodeUri is used elsewhere by an anchor");
	expect("Resources:\n  Fn::ForEach::L:\n    - N\n    - [A, B]\n    - F${N}:\n"
	       "        Type: AWS::Serverless::Function\n        Properties:\n"
	       "          CodeUri: src\n",
	       "Resources:\n  Fn::ForEach::L:\n    - N\n    - [A, B]\n    - F${N}:\n"
	       "        Type: AWS::Serverless::Function\n        Properties:\n"
	       "          CodeUri: s3://b/k0\n");
	refuse("Resources:\n  Fn::ForEach::L:\n    - N\n    - [A, B]\n    - F${N}:\n"
	       "        Type: AWS::Serverless::Function\n        Properties:\n"
	       "          CodeUri: src/${N}\n",
	       "loop variable");
}

static void test_template__several_in_the_order_of_the_text(void **state)
{
	CLEANUP(template) struct template t = TEMPLATE_INIT;
	const char *text = "Parameters:\n  R: {Type: String, Default: python3.11}\n"
			   "  N: {Type: String}\n"
			   "Resources:\n"
			   "  L:\n    Type: AWS::Serverless::LayerVersion\n"
			   "    Properties: {ContentUri: layer}\n"
			   "  F:\n    Type: AWS::Lambda::Function\n"
			   "    Properties:\n      Runtime: !Ref R\n"
			   "      Architectures: [arm64]\n      Code: ./f\n";
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(template_parse(&t, "t.yaml", text, strlen(text), &err), 0);
	assert_int_equal(t.codes.len, 2);
	assert_string_equal(t.codes.items[0].path, "layer");
	assert_int_equal(t.codes.items[0].kind, TEMPLATE_LAYER);
	assert_string_equal(t.codes.items[1].resource, "F");
	assert_string_equal(t.codes.items[1].runtime, "python3.11");
	assert_string_equal(t.codes.items[1].architecture, "arm64");
	assert_int_equal(t.codes.items[1].line, 13);
	assert_int_equal(t.parameters.len, 2);
	assert_true(t.parameters.items[0].has_default);
	assert_false(t.parameters.items[1].has_default);
}

static void test_template__refuses_by_name(void **state)
{
	(void)state;
	refuse("Resources:\n  S:\n    Type: AWS::CloudFormation::Stack\n"
	       "    Properties:\n      TemplateURL: nested.yaml\n",
	       "t.yaml:5:20: S: TemplateURL \"nested.yaml\" is a local file");
	refuse("Resources:\n  J:\n    Type: AWS::Glue::Job\n    Properties:\n"
	       "      Command: {ScriptLocation: job.py}\n",
	       "Command.ScriptLocation");
	refuse("Resources:\n  A:\n    Type: AWS::Serverless::Api\n    Properties:\n"
	       "      DefinitionBody:\n        Fn::Transform:\n"
	       "          Name: AWS::Include\n"
	       "          Parameters: {Location: api.yaml}\n",
	       "AWS::Include");
	refuse("Resources:\n  F:\n    Type: AWS::Serverless::Function\n"
	       "    Metadata: {BuildMethod: makefile}\n"
	       "    Properties: {CodeUri: src}\n",
	       "makefile");
	refuse("Outputs: {}\n", "Resources");
	refuse("Resources: [1\n", "t.yaml:");
	refuse("", "Resources");
}

static void test_template__what_outputs_name(void **state)
{
	static const char text[] =
		"Resources: {A: {Type: T}}\n"
		"Outputs:\n"
		"  Ref: {Value: !Ref Site}\n"
		"  Att: {Value: !GetAtt Site.Arn}\n"
		"  List: {Value: {'Fn::GetAtt': [Site, Arn]}}\n"
		"  Sub: {Value: !Sub 'https://${Site.DomainName}/x'}\n"
		"  Join: {Value: !Join ['', [a, !Ref Site]]}\n"
		"  Other: {Value: !Ref SiteBucket, Description: Site}\n"
		"  More: {Value: !Ref MySite, Export: {Name: Site}}\n"
		"  Null:\n";
	static const char *const yes[] = { "Ref", "Att", "List", "Sub", "Join" };
	static const char *const no[] = { "Other", "More", "Null", "Nope" };
	CLEANUP(template) struct template t = TEMPLATE_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(template_parse(&t, "t.yaml", text, strlen(text), &err), 0);
	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++)
		if (!template_output_names(&t, yes[i], "Site"))
			fail_msg("%s names it", yes[i]);
	for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++)
		if (template_output_names(&t, no[i], "Site"))
			fail_msg("%s does not name it", no[i]);
	/* What is no resource has no name. */
	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++)
		assert_false(template_output_names(&t, yes[i], ""));
	t.outputs = NULL;
	assert_false(template_output_names(&t, "Ref", "Site"));
}

static void test_template__outputs_that_are_declared(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		bool more;
	} cases[] = {
		{ "", 0, false },
		{ "Outputs: {A: {Value: 1}, B: {Value: 2}}\n", 2, false },
		{ "Transform: AWS::Serverless-2016-10-31\nOutputs: {A: {Value: 1}}\n", 1,
		  false },
		{ "Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]\n", 0,
		  false },
		{ "Transform: Ours\nOutputs: {A: {Value: 1}}\n", 1, true },
		{ "Transform: [AWS::LanguageExtensions, Ours]\n", 0, true },
		{ "Transform: {Name: AWS::Include, Parameters: {Location: 's3://a/b'}}\n",
		  0, true },
		{ "Outputs:\n  A: {Value: 1}\n  Fn::ForEach::X: [V, [a], {'O${V}': {}}]\n",
		  1, true },
		{ "Outputs:\n  Fn::Transform: {Name: Ours}\n", 0, true },
		{ "Outputs: !Transform {Name: Ours}\n", 1, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(template) struct template t = TEMPLATE_INIT;
		CLEANUP(buf) struct buf text = BUF_INIT(1000);
		struct error err = ERROR_INIT;

		buf_printf(&text, "Resources: {A: {Type: T}}\n%s", cases[i].text);
		if (template_parse(&t, "t.yaml", text.data, text.len, &err) < 0)
			fail_msg("case %zu: %s", i, err.msg);
		if (t.output_names.len != cases[i].n ||
		    t.has_more_outputs != cases[i].more)
			fail_msg("case %zu: %zu outputs, %d", i, t.output_names.len,
				 t.has_more_outputs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_template__code_uri_in_every_style),
		cmocka_unit_test(test_template__unicode_and_crlf),
		cmocka_unit_test(test_template__json),
		cmocka_unit_test(test_template__missing_code_is_the_folder),
		cmocka_unit_test(test_template__left_alone),
		cmocka_unit_test(test_template__globals_anchors_and_loops),
		cmocka_unit_test(test_template__several_in_the_order_of_the_text),
		cmocka_unit_test(test_template__outputs_that_are_declared),
		cmocka_unit_test(test_template__refuses_by_name),
		cmocka_unit_test(test_template__what_outputs_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
