"""What stacks make: a whole site with its backend, and every kind of resource made, changed and removed."""
import itertools
import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from cloud.client import CACHING_DISABLED, CACHING_OPTIMIZED
from cloud.lambda_code import pack

_numbers = itertools.count(1)
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
SITE = """
Transform: AWS::Serverless-2016-10-31
Parameters: {Code: {Type: String}, Root: {Type: String, Default: index.html}}
Resources:
  Site:
    Type: AWS::S3::Bucket
    Properties:
      PublicAccessBlockConfiguration: {BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true}
      BucketEncryption: {ServerSideEncryptionConfiguration: [{ServerSideEncryptionByDefault: {SSEAlgorithm: AES256}}]}
  Access:
    Type: AWS::CloudFront::OriginAccessControl
    Properties: {OriginAccessControlConfig: {Name: !Ref "AWS::StackName", OriginAccessControlOriginType: s3, SigningBehavior: always, SigningProtocol: sigv4}}
  Headers:
    Type: AWS::CloudFront::ResponseHeadersPolicy
    Properties: {ResponseHeadersPolicyConfig: {Name: !Sub "${AWS::StackName}-headers", SecurityHeadersConfig: {ContentTypeOptions: {Override: true}}}}
  Index:
    Type: AWS::CloudFront::Function
    Properties:
      Name: !Sub "${AWS::StackName}-index"
      AutoPublish: true
      FunctionConfig: {Comment: index documents, Runtime: cloudfront-js-2.0}
      FunctionCode: "function handler(event) { return event.request; }"
  Front:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        DefaultRootObject: !Ref Root
        HttpVersion: http2and3
        Origins:
          - {Id: site, DomainName: !GetAtt Site.RegionalDomainName, OriginAccessControlId: !GetAtt Access.Id, S3OriginConfig: {}}
          - {Id: api, DomainName: !Select [2, !Split ["/", !GetAtt VisitUrl.FunctionUrl]], CustomOriginConfig: {OriginProtocolPolicy: https-only}}
        DefaultCacheBehavior:
          TargetOriginId: site
          ViewerProtocolPolicy: redirect-to-https
          CachePolicyId: OPTIMIZED
          ResponseHeadersPolicyId: !Ref Headers
          FunctionAssociations: [{EventType: viewer-request, FunctionARN: !GetAtt Index.FunctionMetadata.FunctionARN}]
        CacheBehaviors:
          - {PathPattern: /api/*, TargetOriginId: api, ViewerProtocolPolicy: https-only, CachePolicyId: DISABLED, AllowedMethods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]}
        CustomErrorResponses: [{ErrorCode: 403, ResponseCode: 404, ResponsePagePath: /404.html}]
        Restrictions: {GeoRestriction: {RestrictionType: none}}
        ViewerCertificate: {CloudFrontDefaultCertificate: true}
  Policy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Site
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: {Service: cloudfront.amazonaws.com}
            Action: s3:GetObject
            Resource: !Sub "${Site.Arn}/*"
            Condition: {StringEquals: {"AWS:SourceArn": !Sub "arn:aws:cloudfront::${AWS::AccountId}:distribution/${Front}"}}
  Counter:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
  Visit:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: {Bucket: art, Key: !Ref Code}
      Handler: app.handler
      Runtime: python3.12
      AutoPublishAlias: live
      Policies: [{DynamoDBCrudPolicy: {TableName: !Ref Counter}}]
      FunctionUrlConfig: {AuthType: NONE, Cors: {AllowOrigins: ["*"], AllowMethods: [GET]}}
Outputs:
  Bucket: {Value: !Ref Site}
  Distribution: {Value: !Ref Front}
  Address: {Value: !Sub "https://${Front.DomainName}/"}
  Api: {Value: !GetAtt VisitUrl.FunctionUrl}
  Table: {Value: !Ref Counter}
""".replace("OPTIMIZED", CACHING_OPTIMIZED).replace("DISABLED", CACHING_DISABLED)


@pytest.fixture
def stack(cloud):
    cloud.settings(stack_ms=0, set_ms=0, stack_polls=0)
    return f"kinds-{next(_numbers)}"


@pytest.fixture(scope="module")
def _code(shared_cloud):
    shared_cloud.make_bucket("art")
    shared_cloud.put_objects("art", {"a.zip": pack({"app.py": "def handler(event, context): return 1"}), "b.zip": pack({"app.py": "def handler(event, context): return 2"})})


def why(cloud, stack):
    """What failed, but for what was cancelled because of that."""
    return "\n".join(f"{name}: {reason}" for name, status, reason in cloud.stack_events(stack) if status.endswith(("_FAILED", "ROLLBACK_IN_PROGRESS")) and "cancelled" not in reason)


def test_a_whole_site(cloud, stack, _code):
    made = cloud.deploy_stack(stack, SITE, {"Code": "a.zip"})
    assert made["StackStatus"] == "CREATE_COMPLETE", why(cloud, stack)
    out = cloud.outputs(stack)
    distribution = cloud.cloudfront.get_distribution(Id=out["Distribution"])
    assert out["Address"] == f"https://{distribution['Distribution']['DomainName']}/" and out["Api"].endswith("/")
    # What is put into its bucket is served by its distribution.
    cloud.put_objects(out["Bucket"], {"index.html": b"home", "docs/index.html": b"docs"})
    assert cloud.view("/", out["Distribution"]).body == b"home" and cloud.view("/docs/", out["Distribution"]).body == b"docs"
    assert cloud.view("/none", out["Distribution"]).status == 403
    host = distribution["Distribution"]["DomainName"]
    assert cloud.raw("GET", "/", {"Host": host}, edge=True).body == b"home"
    config = distribution["Distribution"]["DistributionConfig"]
    assert config["Origins"]["Items"][0]["OriginAccessControlId"] == cloud.stacks()[stack]["resources"]["Access"]
    assert config["Origins"]["Items"][1]["DomainName"] in out["Api"] and len(config["CacheBehaviors"]["Items"][0]["AllowedMethods"]["Items"]) == 7
    assert cloud.s3.get_bucket_policy(Bucket=out["Bucket"])["Policy"].count(out["Distribution"]) == 1

    # A change of the distribution is a change, not another one.
    changes = cloud.make_change_set(stack, SITE, {"Code": "a.zip", "Root": "docs/index.html"})["Changes"]
    assert [(c["ResourceChange"]["LogicalResourceId"], c["ResourceChange"]["Replacement"]) for c in changes if c["ResourceChange"]["Details"][0]["Evaluation"] == "Static"] == [("Front", "False")]
    cloud.deploy_stack(stack, SITE, {"Code": "a.zip", "Root": "docs/index.html"})
    after = cloud.cloudfront.get_distribution(Id=out["Distribution"])
    assert cloud.outputs(stack) == out and after["ETag"] != distribution["ETag"]
    assert after["Distribution"]["DistributionConfig"]["DefaultRootObject"] == "docs/index.html"

    # New code: another version, to which the alias moves.
    functions = cloud.client("lambda")
    name = cloud.stacks()[stack]["resources"]["Visit"]
    first = functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
    assert cloud.deploy_stack(stack, SITE, {"Code": "b.zip", "Root": "docs/index.html"})["StackStatus"] == "UPDATE_COMPLETE", why(cloud, stack)
    assert functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"] != first

    cloud.s3.delete_objects(Bucket=out["Bucket"], Delete={"Objects": [{"Key": "index.html"}, {"Key": "docs/index.html"}]})
    assert cloud.delete_stack(stack)["StackStatus"] == "DELETE_COMPLETE", why(cloud, made["StackId"])
    assert out["Distribution"] not in [d["Id"] for d in cloud.cloudfront.list_distributions()["DistributionList"].get("Items", [])]
    assert out["Table"] in cloud.client("dynamodb").list_tables()["TableNames"]
    assert out["Bucket"] not in [b["Name"] for b in cloud.s3.list_buckets()["Buckets"]]


# Every kind once: (type, properties, properties of an update, attributes to read). "@" is the stack's name.
ROLE_ARN = {"Fn::GetAtt": ["Role", "Arn"]}
CODE = {"ZipFile": "def handler(event, context):\n    return 1\n"}
KINDS = {
    "Role": ("AWS::IAM::Role", {"AssumeRolePolicyDocument": TRUST, "ManagedPolicyArns": ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"],
                                "Policies": [{"PolicyName": "p", "PolicyDocument": {"Statement": [ALLOW]}}]}, {"Description": "changed", "Policies": []}, ["Arn", "RoleId"]),
    "Policy": ("AWS::IAM::Policy", {"PolicyName": "more", "Roles": [{"Ref": "Role"}], "PolicyDocument": {"Version": "2012-10-17", "Statement": [ALLOW]}},
               {"PolicyDocument": {"Version": "2012-10-17", "Statement": [ALLOW, ALLOW]}}, []),
    "Managed": ("AWS::IAM::ManagedPolicy", {"Roles": [{"Ref": "Role"}], "PolicyDocument": {"Version": "2012-10-17", "Statement": [ALLOW]}},
                {"PolicyDocument": {"Version": "2012-10-17", "Statement": [ALLOW, ALLOW]}}, []),
    "Bucket": ("AWS::S3::Bucket", {"WebsiteConfiguration": {"IndexDocument": "index.html", "ErrorDocument": "404.html"},
                                   "CorsConfiguration": {"CorsRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "MaxAge": 60}]},
                                   "LifecycleConfiguration": {"Rules": [{"Id": "old", "Status": "Enabled", "ExpirationInDays": 30}]},
                                   "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}},
               {"WebsiteConfiguration": {"IndexDocument": "home.html"}, "CorsConfiguration": None}, ["Arn", "DomainName", "RegionalDomainName", "WebsiteURL", "DualStackDomainName"]),
    "Table": ("AWS::DynamoDB::Table", {"BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                                       "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}], "StreamSpecification": {"StreamViewType": "NEW_IMAGE"}},
              {"TimeToLiveSpecification": {"AttributeName": "ttl", "Enabled": "true"}, "DeletionProtectionEnabled": False}, ["Arn", "StreamArn"]),
    "Logs": ("AWS::Logs::LogGroup", {"RetentionInDays": "7"}, {"RetentionInDays": None}, ["Arn"]),
    "Topic": ("AWS::SNS::Topic", {"DisplayName": "alarms"}, {"DisplayName": "changed"}, ["TopicArn"]),
    "Queue": ("AWS::SQS::Queue", {"VisibilityTimeout": 30}, {"VisibilityTimeout": 60}, ["Arn", "QueueName"]),
    "Parameter": ("AWS::SSM::Parameter", {"Name": "/@/p", "Type": "String", "Value": "1"}, {"Value": "2"}, ["Value"]),
    "Function": ("AWS::Lambda::Function", {"Role": ROLE_ARN, "Handler": "index.handler", "Runtime": "python3.12", "Code": CODE, "Timeout": "5"},
                 {"Timeout": 10, "Environment": {"Variables": {"A": "b"}}, "Code": {"ZipFile": "def handler(event, context):\n    return 2\n"}}, ["Arn"]),
    "Version": ("AWS::Lambda::Version", {"FunctionName": {"Ref": "Function"}}, None, ["Version", "FunctionArn"]),
    "Alias": ("AWS::Lambda::Alias", {"FunctionName": {"Ref": "Function"}, "Name": "live", "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]}}, {"Description": "changed"}, []),
    "Url": ("AWS::Lambda::Url", {"TargetFunctionArn": {"Ref": "Function"}, "AuthType": "NONE"}, {"Cors": {"AllowOrigins": ["*"]}}, ["FunctionUrl", "FunctionArn"]),
    "Permission": ("AWS::Lambda::Permission", {"FunctionName": {"Ref": "Function"}, "Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"}, None, []),
    "Access": ("AWS::CloudFront::OriginAccessControl", {"OriginAccessControlConfig": {
        "Name": "@", "OriginAccessControlOriginType": "s3", "SigningBehavior": "always", "SigningProtocol": "sigv4"}},
        {"OriginAccessControlConfig": {"Name": "@", "Description": "changed", "OriginAccessControlOriginType": "s3", "SigningBehavior": "always", "SigningProtocol": "sigv4"}}, ["Id"]),
    "Identity": ("AWS::CloudFront::CloudFrontOriginAccessIdentity", {"CloudFrontOriginAccessIdentityConfig": {"Comment": ""}}, None, ["Id", "S3CanonicalUserId"]),
    "Cache": ("AWS::CloudFront::CachePolicy", {"CachePolicyConfig": {"Name": "@", "DefaultTTL": 1, "MaxTTL": 2, "MinTTL": 0, "ParametersInCacheKeyAndForwardedToOrigin": {
        "EnableAcceptEncodingGzip": True, "HeadersConfig": {"HeaderBehavior": "none"}, "CookiesConfig": {"CookieBehavior": "none"},
        "QueryStringsConfig": {"QueryStringBehavior": "whitelist", "QueryStrings": ["v"]}}}}, None, ["Id"]),
    "Forward": ("AWS::CloudFront::OriginRequestPolicy", {"OriginRequestPolicyConfig": {"Name": "@", "HeadersConfig": {"HeaderBehavior": "none"}, "CookiesConfig": {"CookieBehavior": "none"},
                                                                                    "QueryStringsConfig": {"QueryStringBehavior": "all"}}}, None, ["Id"]),
    "Headers": ("AWS::CloudFront::ResponseHeadersPolicy", {"ResponseHeadersPolicyConfig": {"Name": "@", "CorsConfig": {
        "AccessControlAllowCredentials": False, "AccessControlAllowHeaders": {"Items": ["*"]}, "AccessControlAllowMethods": {"Items": ["GET"]},
        "AccessControlAllowOrigins": {"Items": ["*"]}, "OriginOverride": True}, "CustomHeadersConfig": {"Items": [{"Header": "x", "Value": "y", "Override": True}]}}},
        {"ResponseHeadersPolicyConfig": {"Name": "@", "Comment": "changed"}}, ["Id"]),
    "Rewrite": ("AWS::CloudFront::Function", {"Name": "@-f", "AutoPublish": "true", "FunctionConfig": {"Comment": "", "Runtime": "cloudfront-js-2.0"}, "FunctionCode": "one"},
                {"FunctionCode": "two"}, ["FunctionARN", "FunctionMetadata.FunctionARN"]),
    "Certificate": ("AWS::CertificateManager::Certificate", {"DomainName": "example.com", "ValidationMethod": "DNS"}, None, []),
    "Zone": ("AWS::Route53::HostedZone", {"Name": "@.example.com"}, None, ["Id", "NameServers"]),
    "Record": ("AWS::Route53::RecordSet", {"HostedZoneId": {"Ref": "Zone"}, "Name": "a.@.example.com", "Type": "A", "AliasTarget": {
        "DNSName": "x.cloudfront.net", "HostedZoneId": "Z2FDTNDATAQYW2"}}, {"AliasTarget": {"DNSName": "y.cloudfront.net", "HostedZoneId": "Z2FDTNDATAQYW2"}}, []),
    "Records": ("AWS::Route53::RecordSetGroup", {"HostedZoneName": "@.example.com.", "RecordSets": [
        {"Name": f"{n}.@.example.com.", "Type": "TXT", "TTL": "60", "ResourceRecords": ['"x"']} for n in "bc"]},
        {"RecordSets": [{"Name": "c.@.example.com.", "Type": "TXT", "TTL": "60", "ResourceRecords": ['"z"']}]}, []),
    "Alarm": ("AWS::CloudWatch::Alarm", {"Namespace": "AWS/Lambda", "MetricName": "Errors", "Statistic": "Sum", "Period": "60", "EvaluationPeriods": 1, "Threshold": "1",
                                         "ComparisonOperator": "GreaterThanThreshold", "AlarmActions": [{"Ref": "Topic"}]}, {"Threshold": 2}, ["Arn"]),
    "Budget": ("AWS::Budgets::Budget", {"Budget": {"BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": {"Amount": 5, "Unit": "USD"}}},
               {"Budget": {"BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": {"Amount": 7, "Unit": "USD"}}}, []),
    "Api": ("AWS::ApiGatewayV2::Api", {"Name": "@", "ProtocolType": "HTTP"}, {"Description": "changed"}, ["ApiEndpoint", "ApiId"]),
    "Stage": ("AWS::ApiGatewayV2::Stage", {"ApiId": {"Ref": "Api"}, "StageName": "$default", "AutoDeploy": True}, {"Description": "changed"}, []),
    "Insights": ("AWS::ApplicationInsights::Application", {"ResourceGroupName": "x", "AutoConfigurationEnabled": "true"}, {"AutoConfigurationEnabled": "false"}, []),
}
LATER = {"Records": "Zone"}


def whole(stack, changed):
    """A template of every kind, as it is made or as it is changed."""
    resources, outputs = {}, {}
    for name, (kind, first, second, attributes) in KINDS.items():
        properties = {n: v for n, v in {**first, **((second or {}) if changed else {})}.items() if v is not None}
        resources[name] = {"Type": kind, "Properties": properties, **({"DependsOn": LATER[name]} if name in LATER else {})}
        outputs[name] = {"Value": {"Ref": name}}
        outputs.update({name + "".join(filter(str.isalnum, a)): {"Value": {"Fn::GetAtt": [name, a]}} for a in attributes})
    return json.dumps({"Resources": resources, "Outputs": outputs}).replace("@", stack)


def test_every_kind(cloud, stack):
    made = cloud.deploy_stack(stack, whole(stack, False))
    assert made["StackStatus"] == "CREATE_COMPLETE", why(cloud, stack)
    first, out = cloud.stacks()[stack]["resources"], cloud.outputs(stack)
    assert all(out.values()) and set(first) == set(KINDS) and all(first.values())
    assert cloud.make_change_set(stack, whole(stack, False))["Status"] == "FAILED"

    changes = cloud.make_change_set(stack, whole(stack, True))["Changes"]
    direct = {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"]["Replacement"] for c in changes if any(d["Evaluation"] == "Static" for d in c["ResourceChange"]["Details"])}
    assert direct == {name: "False" for name, row in KINDS.items() if row[2]}
    made = cloud.deploy_stack(stack, whole(stack, True))
    assert made["StackStatus"] == "UPDATE_COMPLETE", why(cloud, stack)
    assert cloud.stacks()[stack]["resources"] == first
    check_changes(cloud, first)

    made = cloud.delete_stack(stack)
    assert made["StackStatus"] == "DELETE_COMPLETE", why(cloud, made["StackId"])
    assert_all_gone(cloud, first)


def check_changes(cloud, ids):
    """The services themselves know of the changes."""
    function = cloud.client("lambda").get_function_configuration(FunctionName=ids["Function"])
    assert function["Timeout"] == 10 and function["Environment"]["Variables"] == {"A": "b"}
    assert cloud.client("lambda").get_function_url_config(FunctionName=ids["Function"])["Cors"]["AllowOrigins"] == ["*"]
    assert cloud.s3.get_bucket_website(Bucket=ids["Bucket"])["IndexDocument"] == {"Suffix": "home.html"}
    assert cloud.client("iam").get_role(RoleName=ids["Role"])["Role"]["Description"] == "changed"
    assert cloud.cloudfront.get_origin_access_control(Id=ids["Access"])["OriginAccessControl"]["OriginAccessControlConfig"]["Description"] == "changed"
    assert cloud.cloudfront.get_response_headers_policy(Id=ids["Headers"])["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"]["Comment"] == "changed"
    assert cloud.client("cloudwatch").describe_alarms(AlarmNames=[ids["Alarm"]])["MetricAlarms"][0]["Threshold"] == 2
    assert cloud.client("sqs").get_queue_attributes(QueueUrl=ids["Queue"], AttributeNames=["VisibilityTimeout"])["Attributes"]["VisibilityTimeout"] == "60"
    records = cloud.client("route53").list_resource_record_sets(HostedZoneId=ids["Zone"])["ResourceRecordSets"]
    assert {r["Name"].split(".")[0]: r.get("AliasTarget", {}).get("DNSName") or r["ResourceRecords"][0]["Value"] for r in records if r["Type"] in ("A", "TXT")} == {
        "a": "y.cloudfront.net", "c": '"z"'}


def assert_all_gone(cloud, ids):
    assert ids["Function"] not in [f["FunctionName"] for f in cloud.client("lambda").list_functions()["Functions"]]
    assert ids["Role"] not in [r["RoleName"] for r in cloud.client("iam").list_roles()["Roles"]]
    assert ids["Bucket"] not in [b["Name"] for b in cloud.s3.list_buckets()["Buckets"]]
    assert ids["Table"] not in cloud.client("dynamodb").list_tables()["TableNames"]
    assert ids["Topic"] not in [t["TopicArn"] for t in cloud.client("sns").list_topics()["Topics"]]
    assert cloud.cloudfront.list_origin_access_controls()["OriginAccessControlList"].get("Items", []) == []
    assert ids["Cache"] not in [p["CachePolicy"]["Id"] for p in cloud.cloudfront.list_cache_policies()["CachePolicyList"]["Items"]]
    assert cloud.client("cloudwatch").describe_alarms(AlarmNames=[ids["Alarm"]])["MetricAlarms"] == []


# The example that this repository ships

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "resume"


def example(name):
    """A template of the example. Zones of moto have ids that do not start with a Z."""
    return (EXAMPLE / name).read_text().replace("CodeUri: counter/", "CodeUri: s3://art/counter.zip").replace("^$|^Z[A-Z0-9]+$", "^[A-Z0-9]*$")


@pytest.fixture
def zone(cloud, stack):
    made = cloud.client("route53").create_hosted_zone(Name=f"{stack}.com", CallerReference=stack)
    return made["HostedZone"]["Id"].rpartition("/")[2]


def test_the_example_can_be_deployed(cloud, stack, zone, _code):
    cloud.put_objects("art", {"counter.zip": pack({"app.py": (EXAMPLE / "backend" / "counter" / "app.py").read_text()})})
    text = example("backend/template.yaml")
    made = cloud.deploy_stack(stack, text)
    assert made["StackStatus"] == "CREATE_COMPLETE", why(cloud, stack)
    out = cloud.outputs(stack)
    cloud.put_objects(out["SiteBucket"], {"index.html": b"me"})
    assert cloud.view("/", out["DistributionId"]).body == b"me"
    ids = cloud.stacks()[stack]["resources"]
    assert cloud.make_change_set(stack, text)["Status"] == "FAILED"
    count = lambda method, viewer: json.loads(cloud.view("/api/visits", out["DistributionId"], method, viewer=viewer).body)  # noqa: E731
    assert [count("POST", v) for v in ("192.0.2.1", "192.0.2.2", "192.0.2.1")] == [{"count": 1}, {"count": 2}, {"count": 2}] and count("GET", "192.0.2.9") == {"count": 2}

    with pytest.raises(ClientError, match="DomainName and HostedZoneId go together"):
        cloud.make_change_set(stack, text, {"DomainName": stack + ".com"})
    made = cloud.deploy_stack(stack, text, {"DomainName": stack + ".com", "HostedZoneId": zone, "AllowedOrigin": "http://localhost:8000", "ReservedConcurrency": "2"})
    assert made["StackStatus"] == "UPDATE_COMPLETE", why(cloud, stack)
    assert cloud.outputs(stack)["SiteUrl"] == f"https://{stack}.com"
    after = cloud.stacks()[stack]["resources"]
    assert {k: after[k] for k in ids} == ids and set(after) - set(ids) == {"Certificate", "AliasIPv4", "AliasIPv6"}
    records = cloud.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    assert {r["Type"] for r in records if "AliasTarget" in r} == {"A", "AAAA"}
    assert cloud.client("lambda").get_function(FunctionName=ids["Counter"])["Concurrency"]["ReservedConcurrentExecutions"] == 2


def test_the_example_can_be_prepared(cloud, stack, zone):
    text = example("infrastructure/bootstrap.yaml")
    given = {"Repository": "me/site", "Stack": stack, "DomainName": stack + ".com", "HostedZoneId": zone, "BudgetEmail": "me@example.com"}
    made = cloud.deploy_stack(stack + "-boot", text, given)
    assert made["StackStatus"] == "CREATE_COMPLETE", why(cloud, stack + "-boot")
    role = cloud.client("iam").get_role(RoleName=cloud.outputs(stack + "-boot")["RoleArn"].rpartition("/")[2])["Role"]
    assert "repo:me/site:ref:refs/heads/main" in json.dumps(role["AssumeRolePolicyDocument"])
    with pytest.raises(ClientError, match="CAPABILITY_NAMED_IAM"):
        cloud.make_change_set(stack + "-more", text, given, Capabilities=["CAPABILITY_IAM"])
    assert cloud.delete_stack(stack + "-boot")["StackStatus"] == "DELETE_COMPLETE"
