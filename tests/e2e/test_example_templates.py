"""The templates of examples/resume: valid, private, bounded, and in step with crc and its files."""

import ast
import hashlib
import itertools
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from cfnlint.api import ManualArgs, lint_file
from cfn_reader import ACCOUNT, REGION, Stack, allowed, expand, many, read, statements

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "resume"
APPLICATION = EXAMPLE / "backend" / "template.yaml"
BOOTSTRAP = EXAMPLE / "infrastructure" / "bootstrap.yaml"
SAM = ROOT / "build/sam/venv/bin/sam"

DOMAIN = {"DomainName": "runa.example.com", "HostedZoneId": "Z0123456789"}
ORIGIN = {"AllowedOrigin": "http://localhost:8000"}
CLOUDFRONT = "cloudfront.amazonaws.com"
CLOUDFORMATION = "cloudformation.amazonaws.com"


@pytest.fixture(scope="module")
def expanded():
    return expand(read(APPLICATION))


@pytest.fixture(params=list(itertools.product([{}, DOMAIN], [{}, ORIGIN])),
                ids=["plain", "origin", "domain", "domain-origin"])
def stack(request, expanded):
    """The application in each of its shapes."""
    domain, origin = request.param
    return Stack(expanded, "resume", **domain, **origin)


@pytest.fixture
def plain(expanded):
    return Stack(expanded, "resume", PermissionsBoundary="resume-boundary")


def bootstrap(**parameters):
    return Stack(read(BOOTSTRAP), "resume-bootstrap", Repository="runa/resume", **parameters)


@pytest.fixture
def role():
    """All that the deploy role may do, with a domain."""
    made = bootstrap(**DOMAIN)
    return [*made.resources["DeployRole"]["Policies"], made.resources["DomainRights"]]


def one(resources):
    [(_, properties)] = resources.items()
    return properties


# Valid


@pytest.fixture
def complaints():
    """What cfn-lint says of a file."""
    def lint(file):
        return [str(match) for match in lint_file(file, config=ManualArgs(regions=[REGION]))]
    return lint


@pytest.mark.parametrize("file", [APPLICATION, BOOTSTRAP], ids=lambda f: f.name)
def test_cfn_lint_accepts_them(complaints, file):
    assert complaints(file) == []


def test_cfn_lint_accepts_what_sam_makes_of_it(complaints, expanded, tmp_path):
    file = tmp_path / "expanded.json"
    file.write_text(json.dumps(expanded))
    assert complaints(file) == []
    spoilt = file.read_text().replace('"RetentionInDays": 30', '"RetentionInDays": 31')
    file.write_text(spoilt)
    assert complaints(file)


@pytest.mark.slow
@pytest.mark.skipif(not SAM.exists(), reason="aws-sam-cli is not installed in build/sam")
@pytest.mark.parametrize("file", [APPLICATION, BOOTSTRAP], ids=lambda f: f.name)
def test_sam_accepts_them(file, tmp_path):
    done = subprocess.run(
        [SAM, "validate", "--lint", "--region", REGION, "--template-file", file], text=True,
        capture_output=True, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path),
                                  "SAM_CLI_TELEMETRY": "0"})
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", [APPLICATION, BOOTSTRAP], ids=lambda f: f.name)
def test_only_yaml_that_cloudformation_takes(file):
    """It documents no aliases and no merge keys, whatever it may take."""
    assert not re.search(r"(?m)(:|-) [&*]\w|<<:", file.read_text())


@pytest.mark.parametrize(("parameters", "broken"), [
    ({}, []), (DOMAIN, []), ({"DomainName": "a.example"}, ["DomainAndZone"]),
    ({"HostedZoneId": "Z1"}, ["DomainAndZone"]),
])
def test_rules(expanded, parameters, broken):
    assert Stack(expanded, "resume", **parameters).rules() == broken


# Private


def test_nothing_is_allowed_at_large(stack):
    """No wildcard of actions, and no resource that means all there are."""
    for policy in [*stack.resources.values(), *bootstrap(**DOMAIN).resources.values()]:
        for statement in statements(policy):
            if statement["Effect"] == "Allow":
                assert not [a for a in many(statement["Action"]) if "*" in a]
                assert "*" not in many(statement.get("Resource", []))
                assert statement.get("Principal") not in ("*", {"AWS": "*"})


def test_no_policies_but_our_own(expanded):
    """SAM attaches one of AWS's to a function that has no role; it allows logs everywhere."""
    assert "ManagedPolicyArns" not in json.dumps(expanded)


def test_the_bucket_is_private(stack):
    bucket = one(stack.of_type("AWS::S3::Bucket"))
    assert bucket["PublicAccessBlockConfiguration"] == dict.fromkeys(
        ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"], True)
    assert "AccessControl" not in bucket and "WebsiteConfiguration" not in bucket
    assert bucket["BucketEncryption"] and bucket["OwnershipControls"]


def test_who_reads_what_in_the_bucket(stack):
    policy, bucket = one(stack.of_type("AWS::S3::BucketPolicy")), stack.arn("SiteBucket")

    def reads(key, action="s3:GetObject", principal=CLOUDFRONT, tls=True, account=ACCOUNT,
              distribution=stack.physical("Distribution")):
        return allowed(policy, action, f"{bucket}/{key}", principal,
                       AWS__SourceArn=f"arn:aws:cloudfront::{account}:distribution/{distribution}",
                       aws__SecureTransport=str(tls).lower())

    assert reads("index.html") and reads("404.html") and reads("a/.crc.html")
    assert not reads(".crc/state.json")
    assert not reads("index.html", tls=False)
    assert not reads("index.html", distribution="EOTHER")
    assert not reads("index.html", account="999999999999")
    assert not reads("index.html", principal="lambda.amazonaws.com")
    assert not reads("index.html", action="s3:PutObject")


def test_cloudfront_signs_what_it_asks_of_both_origins(stack):
    config = one(stack.of_type("AWS::CloudFront::Distribution"))["DistributionConfig"]
    controls = {stack.physical(n): p["OriginAccessControlConfig"]
                for n, p in stack.of_type("AWS::CloudFront::OriginAccessControl").items()}
    kinds = {o["Id"]: controls[o["OriginAccessControlId"]] for o in config["Origins"]}
    assert {i: k["OriginAccessControlOriginType"] for i, k in kinds.items()} == \
        {"site": "s3", "counter": "lambda"}
    assert {(k["SigningBehavior"], k["SigningProtocol"]) for k in kinds.values()} == \
        {("always", "sigv4")}
    assert {o["Id"]: o["DomainName"] for o in config["Origins"]} == {
        "site": f"{stack.physical('SiteBucket')}.s3.{REGION}.amazonaws.com",
        "counter": f"abc123.lambda-url.{REGION}.on.aws"}


def test_only_cloudfront_calls_the_function(stack):
    assert one(stack.of_type("AWS::Lambda::Url"))["AuthType"] == "AWS_IAM"
    permissions = stack.of_type("AWS::Lambda::Permission").values()
    assert {p["Action"] for p in permissions} == \
        {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}
    distribution = stack.physical("Distribution")
    for permission in permissions:
        assert permission["Principal"] == CLOUDFRONT
        assert permission["SourceArn"] == \
            f"arn:aws:cloudfront::{ACCOUNT}:distribution/{distribution}"
        assert permission["FunctionName"] == stack.physical("Counter")


def test_what_the_function_may_do_is_what_it_does(stack):
    source = (EXAMPLE / "backend/counter/app.py").read_text()
    calls = {node.func.attr for node in ast.walk(ast.parse(source))
             if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
             and isinstance(node.func.value, ast.Name) and node.func.value.id == "dynamodb"}
    assert calls == {"get_item", "put_item", "transact_write_items"}
    assert '{"Put": {' in source and '{"Update": {' in source    # what the transaction is made of
    role = one(stack.of_type("AWS::IAM::Role"))
    table, logs = statements(role["Policies"])
    assert sorted(table["Action"]) == \
        ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
    assert table["Resource"] == stack.arn("Visits")
    assert logs["Resource"] == stack.arn("CounterLog")
    function = one(stack.of_type("AWS::Lambda::Function"))
    assert function["Role"] == stack.arn("CounterRole")
    assert function["Environment"]["Variables"] == {"TABLE": stack.physical("Visits")}


# Kept, and capped


def test_the_table(stack, expanded):
    table = one(stack.of_type("AWS::DynamoDB::Table"))
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert table["SSESpecification"]["SSEEnabled"] is True
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["OnDemandThroughput"].keys() == {"MaxReadRequestUnits", "MaxWriteRequestUnits"}
    assert "TableName" not in table    # a name would make a replacement impossible
    visits = expanded["Resources"]["Visits"]
    assert visits["DeletionPolicy"] == "RetainExceptOnCreate"
    assert visits["UpdateReplacePolicy"] == "Retain"


def test_the_log_does_not_grow_for_ever(stack):
    assert one(stack.of_type("AWS::Logs::LogGroup"))["RetentionInDays"] == 30
    function = one(stack.of_type("AWS::Lambda::Function"))
    assert function["LoggingConfig"]["LogGroup"] == stack.physical("CounterLog")


def test_concurrency_is_reserved_only_on_request(expanded):
    """A new account has 10, of which none can be reserved: the first deploy would fail."""
    def reserved(**parameters):
        made = Stack(expanded, "resume", **parameters)
        return one(made.of_type("AWS::Lambda::Function")).get("ReservedConcurrentExecutions")
    assert reserved() is None
    assert reserved(ReservedConcurrency="5") == "5"


# The edge


def behavior(stack, pattern=None):
    config = one(stack.of_type("AWS::CloudFront::Distribution"))["DistributionConfig"]
    if pattern is None:
        return config["DefaultCacheBehavior"]
    return next(b for b in config["CacheBehaviors"] if b["PathPattern"] == pattern)


def test_the_distribution(stack):
    config = one(stack.of_type("AWS::CloudFront::Distribution"))["DistributionConfig"]
    assert (config["HttpVersion"], config["IPV6Enabled"]) == ("http2and3", True)
    assert {e["ErrorCode"]: (e["ResponseCode"], e["ResponsePagePath"])
            for e in config["CustomErrorResponses"]} == {
                403: (404, "/404.html"), 404: (404, "/404.html")}
    # crc calls errors that are kept for more than a minute stale.
    assert max(e["ErrorCachingMinTTL"] for e in config["CustomErrorResponses"]) <= 60
    site, api = behavior(stack), behavior(stack, "/api/*")
    assert site["ViewerProtocolPolicy"] == "redirect-to-https" and site["Compress"] is True
    assert api["ViewerProtocolPolicy"] == "https-only" and "POST" in api["AllowedMethods"]
    # AWS's own: CachingOptimized and CachingDisabled.
    assert site["CachePolicyId"] == "658327ea-f89d-4fab-a63d-7e88639e58f6"
    assert api["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"


def test_security_headers(stack):
    headers = one(stack.of_type("AWS::CloudFront::ResponseHeadersPolicy"))
    made = headers["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
    assert made["ContentSecurityPolicy"]["ContentSecurityPolicy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'")
    assert made["StrictTransportSecurity"]["AccessControlMaxAgeSec"] >= 31536000
    assert made["FrameOptions"]["FrameOption"] == "DENY"
    assert {"ContentTypeOptions", "ReferrerPolicy"} < made.keys()
    for pattern in (None, "/api/*"):
        assert behavior(stack, pattern)["ResponseHeadersPolicyId"] == \
            stack.physical("SiteHeaders")


def test_the_function_learns_no_more_than_it_needs(stack):
    policy = one(stack.of_type("AWS::CloudFront::OriginRequestPolicy"))
    config = policy["OriginRequestPolicyConfig"]
    assert config["CookiesConfig"] == {"CookieBehavior": "none"}
    assert config["QueryStringsConfig"] == {"QueryStringBehavior": "none"}
    sent = {h.lower() for h in config["HeadersConfig"]["Headers"]}
    source = (EXAMPLE / "backend/counter/app.py").read_text()
    read_by_it = set(re.findall(r'headers(?:"\])?\.get\("([a-z-]+)"', source))
    signed = {"x-amz-content-sha256"}
    cors = {"origin", "access-control-request-headers", "access-control-request-method"}
    assert sent == read_by_it | signed | (cors if stack.values["AllowedOrigin"] else set())
    assert "authorization" not in sent    # else the viewer's would take the signature's place


def test_the_page_says_what_cloudfront_signs():
    """AWS's signature of a POST covers the body's hash, which must come from whoever posts."""
    script = (EXAMPLE / "website/visits.js").read_text()
    assert re.findall(r'"([0-9a-f]{64})"', script) == [hashlib.sha256(b"").hexdigest()]
    assert '"x-amz-content-sha256": EMPTY' in script and "body:" not in script


def test_cors_is_set_in_one_place_or_nowhere(stack):
    url = one(stack.of_type("AWS::Lambda::Url"))
    if stack.values["AllowedOrigin"]:
        assert url["Cors"] == {
            "AllowOrigins": [ORIGIN["AllowedOrigin"]], "AllowMethods": ["GET", "POST"],
            "AllowHeaders": ["x-amz-content-sha256"], "MaxAge": 600}
    else:
        assert "Cors" not in url
    assert "CorsConfig" not in json.dumps(stack.of_type("AWS::CloudFront::ResponseHeadersPolicy"))


def test_the_domain(stack):
    config = one(stack.of_type("AWS::CloudFront::Distribution"))["DistributionConfig"]
    records = stack.of_type("AWS::Route53::RecordSet").values()
    certificates = stack.of_type("AWS::CertificateManager::Certificate")
    if not stack.values["DomainName"]:
        assert not records and not certificates and "Aliases" not in config
        assert config["ViewerCertificate"] == {"CloudFrontDefaultCertificate": True}
        assert stack.outputs["SiteUrl"] == "https://d111111abcdef8.cloudfront.net"
        return
    name = DOMAIN["DomainName"]
    assert sorted(r["Type"] for r in records) == ["A", "AAAA"]
    for record in records:
        assert (record["Name"], record["HostedZoneId"]) == (name, DOMAIN["HostedZoneId"])
        assert record["AliasTarget"] == {"DNSName": "d111111abcdef8.cloudfront.net",
                                         "HostedZoneId": "Z2FDTNDATAQYW2"}
    assert one(certificates)["ValidationMethod"] == "DNS"
    assert config["Aliases"] == [name]
    assert config["ViewerCertificate"] == {
        "AcmCertificateArn": stack.physical("Certificate"), "SslSupportMethod": "sni-only",
        "MinimumProtocolVersion": "TLSv1.2_2021"}
    assert stack.outputs["SiteUrl"] == f"https://{name}"
    assert stack.outputs["CounterUrl"] == f"https://{name}/api/visits"


# The role of the workflow


def test_who_may_take_on_the_role():
    made = bootstrap(Branch="live")
    [trust] = statements(made.resources["DeployRole"]["AssumeRolePolicyDocument"])
    provider = "token.actions.githubusercontent.com"
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert trust["Principal"] == \
        {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{provider}"}
    assert trust["Condition"] == {"StringEquals": {
        f"{provider}:aud": "sts.amazonaws.com",
        f"{provider}:sub": "repo:runa/resume:ref:refs/heads/live"}}
    assert made.resources["DeployRole"]["MaxSessionDuration"] == 3600


@pytest.mark.parametrize(("parameters", "made"), [
    ({}, {"Provider"}), ({"CreateProvider": "false"}, set()),
    ({"BudgetEmail": "runa@example.com"}, {"Provider", "Budget"}),
    ({**DOMAIN, "CreateProvider": "false"}, {"DomainRights"}),
])
def test_what_bootstrap_makes(parameters, made):
    assert bootstrap(**parameters).resources.keys() == {"Boundary", "DeployRole"} | made


def test_iam_takes_the_role():
    """Its limit for all policies in a role, white space not counted."""
    made = bootstrap(**DOMAIN).resources
    policies = [p["PolicyDocument"] for p in made["DeployRole"]["Policies"]]
    text = json.dumps([*policies, made["DomainRights"]["PolicyDocument"]])
    assert len(re.sub(r"\s", "", text)) < 10240


BUCKET = "arn:aws:s3:::resume-sitebucket-1a2b3c4d5e6f"
ARTIFACTS = f"arn:aws:s3:::crc-artifacts-{ACCOUNT}-{REGION}"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:resume-Counter-1A2B3C4D5E6F"
STACK = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/resume/1a2b3c4d"
DISTRIBUTION = f"arn:aws:cloudfront::{ACCOUNT}:distribution/E123"

# Each operation that crc knows, and what IAM asks for it.
SENT = {
    "s3": {
        "GetObject": [("s3:GetObject", BUCKET + "/index.html")],
        "HeadObject": [("s3:GetObject", ARTIFACTS + "/code")],
        "PutObject": [("s3:PutObject", BUCKET + "/.crc/state.json"),
                      ("s3:PutObject", ARTIFACTS + "/code")],
        "CopyObject": [("s3:GetObject", BUCKET + "/a"), ("s3:PutObject", BUCKET + "/a")],
        "DeleteObject": [("s3:DeleteObject", BUCKET + "/a")],
        "DeleteObjects": [("s3:DeleteObject", BUCKET + "/a")],
        "ListObjectsV2": [("s3:ListBucket", BUCKET)],
        "CreateMultipartUpload": [("s3:PutObject", BUCKET + "/a")],
        "UploadPart": [("s3:PutObject", BUCKET + "/a")],
        "CompleteMultipartUpload": [("s3:PutObject", BUCKET + "/a")],
        "AbortMultipartUpload": [("s3:AbortMultipartUpload", BUCKET + "/a")],
        "ListMultipartUploads": [("s3:ListBucketMultipartUploads", BUCKET)],
        "CreateBucket": [("s3:CreateBucket", ARTIFACTS)],
        "DeleteBucket": [("s3:DeleteBucket", ARTIFACTS)],
        "PutPublicAccessBlock": [("s3:PutBucketPublicAccessBlock", ARTIFACTS)],
        "PutBucketPolicy": [("s3:PutBucketPolicy", ARTIFACTS)],
        "PutBucketLifecycleConfiguration": [("s3:PutLifecycleConfiguration", ARTIFACTS)],
    },
    "cloudfront": {
        "GetDistribution": [("cloudfront:GetDistribution", DISTRIBUTION)],
        "GetCachePolicy": [("cloudfront:GetCachePolicy",
                            f"arn:aws:cloudfront::{ACCOUNT}:cache-policy/1")],
        "CreateInvalidation": [("cloudfront:CreateInvalidation", DISTRIBUTION)],
        "GetInvalidation": [("cloudfront:GetInvalidation", DISTRIBUTION)],
        "ListInvalidations": [("cloudfront:ListInvalidations", DISTRIBUTION)],
    },
    "cloudformation": {
        name: [(f"cloudformation:{name}", STACK)]
        for name in ("DescribeStacks", "GetTemplate", "CreateChangeSet", "DescribeChangeSet",
                     "ExecuteChangeSet", "DeleteChangeSet", "ListChangeSets", "DeleteStack",
                     "DescribeStackEvents", "DescribeEvents", "ListStackResources")
    },
    "lambda": {
        "GetFunction": [("lambda:GetFunction", FUNCTION)],
        "UpdateFunctionCode": [("lambda:UpdateFunctionCode", FUNCTION)],
        # Of functions that others own.
        "PublishVersion": [], "GetAlias": [], "UpdateAlias": [],
    },
}
# Elements of XML that look like operations.
NO_OPERATION = re.compile(r"Result$|^AbortIncompleteMultipartUpload$|^CreateBucketConfiguration$"
                          r"|^UploadId$")


@pytest.mark.parametrize("file", SENT)
def test_the_role_may_do_what_crc_asks_for(role, file):
    """Of each operation in the sources; one that is new there must get its row here."""
    text = (ROOT / f"src/aws/{file}.c").read_text()
    verbs = "Abort|Complete|Copy|Create|Delete|Describe|Execute|Get|Head|List|Publish|Put|Update" \
        "|Upload"
    said = set(re.findall(rf'"((?:{verbs})[A-Z]\w+)"', text))
    known = SENT[file]
    assert {s for s in said if not NO_OPERATION.search(s)} <= known.keys()
    assert known.keys() <= said
    for action, resource in itertools.chain.from_iterable(known.values()):
        assert allowed(role, action, resource), action


def test_the_role_may_do_by_itself_nothing_else(role):
    """What crc does not ask for, and is not CloudFormation's to do, is no right of the role."""
    asked = {action for known in SENT.values() for needs in known.values() for action, _ in needs}
    by_itself = {a for statement in statements(role[0]) for a in many(statement["Action"])}
    assert by_itself == asked


@pytest.mark.parametrize(("action", "resource"), [
    ("s3:GetObject", "arn:aws:s3:::other/secret"),
    ("s3:PutBucketPolicy", BUCKET),    # the bucket's own policy: through CloudFormation only
    ("s3:DeleteObject", ARTIFACTS + "/code"),
    ("cloudformation:CreateChangeSet", STACK.replace("/resume/", "/resume-bootstrap/")),
    ("cloudformation:DeleteStack", STACK.replace("/resume/", "/other/")),
    ("lambda:UpdateFunctionCode", FUNCTION.replace("resume-", "other-")),
    ("lambda:UpdateFunctionConfiguration", FUNCTION),
    ("lambda:InvokeFunction", FUNCTION),
    ("dynamodb:DeleteTable",
     f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/resume-Visits-1A2B3C4D5E6F"),
    ("cloudfront:UpdateDistribution", DISTRIBUTION),
    ("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/resume-CounterRole-1A2B3C4D5E6F"),
    ("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/resume-deploy"),
])
def test_the_role_may_not_by_itself(role, action, resource):
    assert not allowed(role, action, resource)


# What CloudFormation asks first of all when it makes a resource of this kind.
MAKES = {
    "AWS::S3::Bucket": "s3:CreateBucket", "AWS::S3::BucketPolicy": "s3:PutBucketPolicy",
    "AWS::CloudFront::Distribution": "cloudfront:CreateDistribution",
    "AWS::CloudFront::OriginAccessControl": "cloudfront:CreateOriginAccessControl",
    "AWS::CloudFront::OriginRequestPolicy": "cloudfront:CreateOriginRequestPolicy",
    "AWS::CloudFront::ResponseHeadersPolicy": "cloudfront:CreateResponseHeadersPolicy",
    "AWS::CertificateManager::Certificate": "acm:RequestCertificate",
    "AWS::Route53::RecordSet": "route53:ChangeResourceRecordSets",
    "AWS::DynamoDB::Table": "dynamodb:CreateTable", "AWS::Lambda::Function": "lambda:CreateFunction",
    "AWS::Lambda::Permission": "lambda:AddPermission",
    "AWS::Lambda::Url": "lambda:CreateFunctionUrlConfig", "AWS::IAM::Role": "iam:CreateRole",
    "AWS::Logs::LogGroup": "logs:CreateLogGroup",
}
KINDS = {    # of those that have no ARN by name
    "AWS::CloudFront::Distribution": "cloudfront::{}:distribution/E1",
    "AWS::CloudFront::OriginAccessControl": "cloudfront::{}:origin-access-control/E1",
    "AWS::CloudFront::OriginRequestPolicy": "cloudfront::{}:origin-request-policy/1",
    "AWS::CloudFront::ResponseHeadersPolicy": "cloudfront::{}:response-headers-policy/1",
    "AWS::CertificateManager::Certificate": f"acm:{REGION}:{{}}:certificate/1",
    "AWS::Route53::RecordSet": f"route53:::hostedzone/{DOMAIN['HostedZoneId']}",
}


def test_the_role_may_make_the_stack_through_cloudformation(role, expanded):
    made = Stack(expanded, "resume", **DOMAIN)
    owners = {"AWS::S3::BucketPolicy": "SiteBucket", "AWS::Lambda::Permission": "Counter",
              "AWS::Lambda::Url": "Counter"}
    for name in made.resources:
        kind = expanded["Resources"][name]["Type"]
        arn = "arn:aws:" + KINDS[kind].format(ACCOUNT) if kind in KINDS else \
            made.arn(owners.get(kind, name)).removesuffix(":*")
        context = {"aws__CalledVia": [CLOUDFORMATION],
                   "iam__PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/resume-boundary",
                   "route53__ChangeResourceRecordSetsNormalizedRecordNames": [DOMAIN["DomainName"]]}
        assert allowed(role, MAKES[kind], arn, **context), (name, arn)


def test_the_role_makes_no_role_out_of_bounds(role):
    arn = f"arn:aws:iam::{ACCOUNT}:role/resume-CounterRole-1A2B3C4D5E6F"
    for boundary in ([], ["arn:aws:iam::aws:policy/AdministratorAccess"]):
        for action in ("iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"):
            assert not allowed(role, action, arn, aws__CalledVia=[CLOUDFORMATION],
                               iam__PermissionsBoundary=boundary)
    for action in ("iam:DeleteRolePermissionsBoundary", "iam:AttachRolePolicy"):
        assert not allowed(role, action, arn, aws__CalledVia=[CLOUDFORMATION])
    assert allowed(role, "iam:PassRole", arn, iam__PassedToService="lambda.amazonaws.com")
    assert not allowed(role, "iam:PassRole", arn, iam__PassedToService="ec2.amazonaws.com")


def test_the_role_changes_no_record_but_the_sites(role):
    for name, may in [(DOMAIN["DomainName"], True), ("_x." + DOMAIN["DomainName"], True),
                      ("example.com", False), ("mail.example.com", False)]:
        key = "route53__ChangeResourceRecordSetsNormalizedRecordNames"
        assert allowed(role, "route53:ChangeResourceRecordSets",
                       f"arn:aws:route53:::hostedzone/{DOMAIN['HostedZoneId']}",
                       aws__CalledVia=[CLOUDFORMATION], **{key: [name]}) is may


def test_the_bounds_are_those_of_the_functions_role(plain):
    """The role fits into the boundary, and the boundary has no room besides."""
    boundary = bootstrap().resources["Boundary"]
    asked = {(a, r) for s in statements(one(plain.of_type("AWS::IAM::Role"))["Policies"])
             for a in s["Action"] for r in many(s["Resource"])}
    assert all(allowed(boundary, action, resource) for action, resource in asked)
    assert {a for s in statements(boundary) for a in s["Action"]} == {a for a, _ in asked}
    assert one(plain.of_type("AWS::IAM::Role"))["PermissionsBoundary"] == \
        f"arn:aws:iam::{ACCOUNT}:policy/{bootstrap().outputs['BoundaryName']}"


# crc.yml


def test_the_configuration_fits_the_templates(expanded):
    text = (EXAMPLE / "crc.yml").read_text()
    made = bootstrap()
    assert re.search(r"^    stack: (\S+)$", text, re.M)[1] == made.values["Stack"]
    assert re.search(r"PermissionsBoundary: (\S+)", text)[1] == made.outputs["BoundaryName"]
    assert re.search(r"^region: (\S+)$", text, re.M)[1] == REGION
    outputs = set(re.findall(r"!output counter\.(\w+)", text))
    assert {"SiteBucket", "DistributionId"} <= outputs <= expanded["Outputs"].keys()
    parameters = set(re.findall(r"^      #? ?(\w+): ", text, re.M))
    assert {"PermissionsBoundary", "DomainName"} <= parameters <= expanded["Parameters"].keys()


def test_the_program_takes_the_configuration(tmp_path, program):
    """In a repository that is a copy of the folder, as its README has it."""
    repository = tmp_path / "resume"
    subprocess.run(["cp", "-r", EXAMPLE, repository], check=True)
    git = ["git", "-C", repository, "-c", "user.name=n", "-c", "user.email=n@example.com"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "m"]):
        subprocess.run([*git, *command], check=True)
    done = subprocess.run([program, "--dry-run", "--offline"], cwd=repository, text=True,
                          capture_output=True)
    assert done.returncode == 0, done.stderr
    assert "index.html" in done.stdout
    # No file of the backend, of the tests or of the infrastructure is part of the site.
    assert "app.py" not in done.stdout and "bootstrap" not in done.stdout


# The README


README = (EXAMPLE / "README.md").read_text()


def test_what_the_readme_names_is_there(expanded):
    """Files, resources and parameters in backticks, and the parameters of its commands."""
    files = {p.relative_to(EXAMPLE).as_posix() for p in EXAMPLE.rglob("*")}
    named = set(re.findall(r"`([\w./-]+/[\w./-]+|[\w-]+\.(?:py|yaml|yml|html|js|css|svg))`", README))
    elsewhere = {"./dev", "/api/visits", ".crc/state.json"}
    for name in named - elsewhere:
        assert any(f == name.rstrip("/") or f.endswith("/" + name) for f in files), name
    words = expanded["Resources"].keys() | expanded["Parameters"].keys() \
        | expanded["Outputs"].keys() | read(BOOTSTRAP)["Resources"].keys() \
        | read(BOOTSTRAP)["Parameters"].keys()
    foreign = {"CloudFront", "EntityAlreadyExists", "AccessDenied", "ConcurrentExecutions"}
    for word in set(re.findall(r"`([A-Z][A-Za-z0-9]+[A-Z]\w+)[`=]", README)) - foreign:
        assert word in words or word.isupper() or "_" in word, word


def test_the_readmes_bootstrap_is_a_stack():
    [command] = re.findall(r"aws cloudformation deploy (?:.+\\\n)+.+", README)
    given = dict(re.findall(r"(\w+)=(\S+)", command.split("--parameter-overrides")[1]))
    made = Stack(read(BOOTSTRAP), "resume-bootstrap", **given)
    assert {"Budget", "DeployRole", "Provider"} <= made.resources.keys()
    assert "CAPABILITY_NAMED_IAM" in command
    assert made.resources["DeployRole"]["RoleName"] in README


def test_the_sixteen_steps():
    rows = re.findall(r"^\| (\d+) ", README, re.M)
    assert rows == [str(n) for n in range(1, 17)]
