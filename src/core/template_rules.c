#include "core/template_rules.h"

#define LEN(array) (sizeof(array) / sizeof(*(array)))

static const struct template_rule rules[] = {
	{ "AWS::Serverless::Function", "CodeUri", TEMPLATE_FUNCTION, FORM_URI, true,
	  true },
	{ "AWS::Serverless::LayerVersion", "ContentUri", TEMPLATE_LAYER, FORM_URI, false,
	  false },
	{ "AWS::Lambda::Function", "Code", TEMPLATE_FUNCTION, FORM_OBJECT, false, false },
	{ "AWS::Lambda::LayerVersion", "Content", TEMPLATE_LAYER, FORM_OBJECT, false,
	  false },
};

/* What `aws cloudformation package` and `sam package` would upload besides. */
static const struct template_refusal refusals[] = {
	{ "AWS::Serverless::Api", "DefinitionUri" },
	{ "AWS::Serverless::HttpApi", "DefinitionUri" },
	{ "AWS::Serverless::StateMachine", "DefinitionUri" },
	{ "AWS::Serverless::Application", "Location" },
	{ "AWS::Serverless::GraphQLApi", "SchemaUri" },
	{ "AWS::Serverless::GraphQLApi", "Functions.*.CodeUri" },
	{ "AWS::Serverless::GraphQLApi", "Resolvers.*.*.CodeUri" },
	{ TEMPLATE_GLOBALS, "Api.DefinitionUri" },
	{ "AWS::CloudFormation::Stack", "TemplateURL" },
	{ "AWS::CloudFormation::StackSet", "TemplateURL" },
	{ "AWS::CloudFormation::ModuleVersion", "ModulePackage" },
	{ "AWS::CloudFormation::ResourceVersion", "SchemaHandlerPackage" },
	{ "AWS::ApiGateway::RestApi", "BodyS3Location" },
	{ "AWS::ApiGatewayV2::Api", "BodyS3Location" },
	{ "AWS::AppSync::GraphQLSchema", "DefinitionS3Location" },
	{ "AWS::AppSync::Resolver", "RequestMappingTemplateS3Location" },
	{ "AWS::AppSync::Resolver", "ResponseMappingTemplateS3Location" },
	{ "AWS::AppSync::Resolver", "CodeS3Location" },
	{ "AWS::AppSync::FunctionConfiguration", "RequestMappingTemplateS3Location" },
	{ "AWS::AppSync::FunctionConfiguration", "ResponseMappingTemplateS3Location" },
	{ "AWS::AppSync::FunctionConfiguration", "CodeS3Location" },
	{ "AWS::StepFunctions::StateMachine", "DefinitionS3Location" },
	{ "AWS::ElasticBeanstalk::ApplicationVersion", "SourceBundle" },
	{ "AWS::Glue::Job", "Command.ScriptLocation" },
	{ "AWS::CodeCommit::Repository", "Code.S3" },
};

const struct template_rule *template_rule_of(const char *type)
{
	for (size_t i = 0; i < LEN(rules); i++)
		if (str_eq(rules[i].type, type))
			return &rules[i];
	return NULL;
}

const struct template_refusal *template_refusal_of(
	const char *type, const struct template_refusal *previous)
{
	size_t from = previous ? (size_t)(previous - refusals) + 1 : 0;

	for (size_t i = from; i < LEN(refusals); i++)
		if (str_eq(refusals[i].type, type))
			return &refusals[i];
	return NULL;
}

bool template_is_remote(const char *text)
{
	return str_starts(text, "s3://") || str_starts(text, "https://") ||
	       str_starts(text, "http://");
}
