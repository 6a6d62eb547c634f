"""Function URLs, and the edge before them: who may call, what the handler sees, what the browser gets."""
import base64
import hashlib
import json
import threading

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from cloud.client import ALL_VIEWER, CACHING_OPTIMIZED, SECURITY_HEADERS, api_behavior

ECHO = {"app.py": "def handler(event, context):\n    return event\n"}
FORBIDDEN = b"Forbidden. For troubleshooting Function URL authorization issues"


@pytest.fixture
def echo(cloud, name):
    return cloud.make_function(name, ECHO, url="NONE")


def answering(cloud, name, answer, **arguments):
    """A function whose answer is this Python expression."""
    return cloud.make_function(name, {"app.py": f"def handler(event, context):\n    return {answer}\n"}, url="NONE", **arguments)


# The event

def test_event(cloud, echo):
    reply = cloud.call_url(echo.host, "/a%20b/c?x=1&x=2&y=%2B", "POST", {"Content-Type": "application/json", "X-Mixed-Case": "One", "Cookie": "a=1; b=2", "User-Agent": "test"},
                           '{"k": 1}', viewer="203.0.113.9")
    event = json.loads(reply.body)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert (event["version"], event["rawPath"], event["rawQueryString"]) == ("2.0", "/a%20b/c", "x=1&x=2&y=%2B")
    assert event["queryStringParameters"] == {"x": "1,2", "y": "+"} and event["cookies"] == ["a=1", "b=2"]
    assert (event["body"], event["isBase64Encoded"]) == ('{"k": 1}', False)
    assert event["requestContext"]["http"] == {"method": "POST", "path": "/a%20b/c", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9", "userAgent": "test"}
    assert event["requestContext"]["accountId"] == "anonymous" and event["requestContext"]["domainName"] == echo.host
    assert event["headers"]["x-mixed-case"] == "One" and event["headers"]["host"] == echo.host and "x-cloud-viewer" not in event["headers"]


@pytest.mark.parametrize("kind,body,encoded", [("application/octet-stream", b"\x00\xff", True), ("application/x-www-form-urlencoded", b"a=1", True),
                                               ("text/plain; charset=utf-8", "é".encode(), False), ("text/plain", b"\xff", True)])
def test_bodies(cloud, echo, kind, body, encoded):
    event = json.loads(cloud.call_url(echo.host, "/", "POST", {"Content-Type": kind}, body).body)
    assert event["isBase64Encoded"] == encoded
    assert (base64.b64decode(event["body"]) if encoded else event["body"].encode()) == body


def test_who_says_where_a_viewer_is(cloud, echo):
    """A client may send X-Forwarded-For; what it cannot change is sourceIp, and that its address is appended."""
    event = json.loads(cloud.call_url(echo.host, headers={"X-Forwarded-For": "198.51.100.1"}, viewer="203.0.113.9").body)
    assert event["headers"]["x-forwarded-for"] == "198.51.100.1, 203.0.113.9" and event["requestContext"]["http"]["sourceIp"] == "203.0.113.9"


# The answer

@pytest.mark.parametrize("answer,status,kind,body", [
    ("'hello'", 200, "application/json", b"hello"), ("{'a': 1}", 200, "application/json", b'{"a":1}'), ("7", 200, "application/json", b"7"),
    ("{'statusCode': 201, 'headers': {'Content-Type': 'text/plain'}, 'body': 'made'}", 201, "text/plain", b"made"),
    ("{'statusCode': 200, 'body': 'AAEC', 'isBase64Encoded': True}", 200, "application/json", b"\0\1\2"), ("{'statusCode': '404'}", 404, "application/json", b""),
    ("{'statusCode': 200, 'body': {'a': 1}}", 502, "application/json", b"Internal Server Error"), ("{'statusCode': 'no'}", 502, "application/json", b"Internal Server Error"),
    ("{'statusCode': 200, 'body': '?', 'isBase64Encoded': True}", 502, "application/json", b"Internal Server Error"),
    ("1 / 0", 502, "application/json", b"Internal Server Error"),
])
def test_answers(cloud, name, answer, status, kind, body):
    reply = cloud.call_url(answering(cloud, name, answer).host)
    assert (reply.status, reply.headers["content-type"], reply.body) == (status, kind, body)


def test_cookies_and_headers(cloud, name):
    made = answering(cloud, name, "{'statusCode': 200, 'headers': {'X-Count': 3, 'Content-Length': '99'}, 'cookies': ['a=1', 'b=2; Secure'], 'body': 'x'}")
    reply = cloud.call_url(made.host)
    assert reply.headers["x-count"] == "3" and reply.headers["content-length"] == "1"
    assert [v for n, v in reply.pairs if n == "set-cookie"] == ["a=1", "b=2; Secure"]


def test_throttled(cloud, echo):
    cloud.functions.put_function_concurrency(FunctionName=echo.name, ReservedConcurrentExecutions=0)
    assert cloud.call_url(echo.host).status == 429


def test_many_at_once(cloud, name):
    made = answering(cloud, name, "'ok'")
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(cloud.call_url(made.host).body)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [b"ok"] * 4


def test_faults_of_a_url(cloud, echo):
    cloud.rules({"when": {"service": "lambda-url", "nth": 1}, "do": {"status": 503}}, {"when": {"service": "lambda-url", "nth": 2}, "do": {"after_effect_status": 500}})
    assert [cloud.call_url(echo.host).status for _ in range(3)] == [503, 500, 200]
    assert [(e["operation"], e["status"]) for e in cloud.requests(service="lambda-url")] == [("InvokeFunctionUrl", s) for s in (503, 500, 200)]


# Who may call

def test_public_needs_both_statements(cloud, name):
    made = cloud.make_function(name, ECHO, url="NONE", public=False)
    assert cloud.call_url(made.host).status == 403
    cloud.functions.add_permission(FunctionName=name, StatementId="one", Action="lambda:InvokeFunctionUrl", Principal="*", FunctionUrlAuthType="NONE")
    reply = cloud.call_url(made.host)
    assert (reply.status, reply.headers["x-amzn-errortype"]) == (403, "AccessDeniedException") and FORBIDDEN in reply.body
    cloud.functions.add_permission(FunctionName=name, StatementId="two", Action="lambda:InvokeFunction", Principal="*", InvokedViaFunctionUrl=True)
    assert cloud.call_url(made.host).status == 200
    cloud.functions.remove_permission(FunctionName=name, StatementId="one")
    assert cloud.call_url(made.host).status == 403


def test_statement_for_another_auth_type(cloud, name):
    made = cloud.make_function(name, ECHO, url="NONE", public=False)
    cloud.functions.add_permission(FunctionName=name, StatementId="one", Action="lambda:InvokeFunctionUrl", Principal="*", FunctionUrlAuthType="AWS_IAM")
    cloud.functions.add_permission(FunctionName=name, StatementId="two", Action="lambda:InvokeFunction", Principal="*")
    assert cloud.call_url(made.host).status == 403


def test_iam_url(cloud, name):
    made = cloud.make_function(name, ECHO, url="AWS_IAM")
    assert cloud.call_url(made.host).status == 403
    signed = AWSRequest("GET", f"https://{made.host}/x?a=1")
    SigV4Auth(Credentials(cloud.access_key_id, cloud.secret_access_key), "lambda", "us-east-1").add_auth(signed)
    event = json.loads(cloud.call_url(made.host, "/x?a=1", headers=dict(signed.headers)).body)
    assert event["requestContext"]["authorizer"]["iam"]["accessKey"] == cloud.access_key_id
    wrong = cloud.call_url(made.host, "/y?a=1", headers=dict(signed.headers))
    assert (wrong.status, wrong.headers["x-amzn-errortype"]) == (403, "InvalidSignatureException")


def test_unknown_url(cloud, echo):
    assert cloud.call_url("0" * 32 + ".lambda-url.us-east-1.on.aws").status == 403
    assert cloud.call_url(echo.host.replace("us-east-1", "eu-west-1")).status == 403


def test_configuration_of_urls(cloud, echo):
    functions = cloud.functions
    found = functions.get_function_url_config(FunctionName=echo.name)
    assert found["FunctionUrl"] == f"https://{echo.host}/" and (found["AuthType"], found["InvokeMode"]) == ("NONE", "BUFFERED")
    with pytest.raises(ClientError, match="ResourceConflictException"):
        functions.create_function_url_config(FunctionName=echo.name, AuthType="NONE")
    functions.update_function_url_config(FunctionName=echo.name, AuthType="AWS_IAM")
    assert cloud.call_url(echo.host).status == 403
    assert [c["AuthType"] for c in functions.list_function_url_configs(FunctionName=echo.name)["FunctionUrlConfigs"]] == ["AWS_IAM"]
    functions.delete_function_url_config(FunctionName=echo.name)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        functions.get_function_url_config(FunctionName=echo.name)


def test_url_of_an_alias(cloud, name):
    cloud.make_function(name, {"app.py": "def handler(e, c): return c.invoked_function_arn"})
    cloud.functions.publish_version(FunctionName=name)
    cloud.functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    host = cloud.functions.create_function_url_config(FunctionName=name, Qualifier="live", AuthType="NONE")["FunctionUrl"].split("/")[2]
    cloud.allow_url(name)
    assert cloud.call_url(host).status == 403
    cloud.allow_url(name, qualifier="live")
    assert cloud.call_url(host).body.endswith(f"function:{name}:live".encode())


# CORS

CORS = {"AllowOrigins": ["https://example.com"], "AllowMethods": ["GET", "POST"], "AllowHeaders": ["content-type"], "MaxAge": 300}


def allowed(reply):
    return [v for n, v in reply.pairs if n == "access-control-allow-origin"]


def test_cors_is_the_urls(cloud, name):
    made = cloud.make_function(name, {"app.py": "calls = 0\ndef handler(e, c):\n    global calls\n    calls += 1\n    return str(calls)"}, url="NONE", cors=CORS)
    ask = {"Origin": "https://example.com", "Access-Control-Request-Method": "POST"}
    reply = cloud.call_url(made.host, method="OPTIONS", headers=ask)
    assert (reply.status, allowed(reply), reply.headers["access-control-allow-methods"], reply.headers["access-control-max-age"]) == (200, ["https://example.com"], "GET,POST", "300")
    assert "access-control-allow-origin" not in cloud.call_url(made.host, method="OPTIONS", headers={**ask, "Origin": "https://evil.example"}).headers
    assert "access-control-allow-methods" not in cloud.call_url(made.host, method="OPTIONS", headers={**ask, "Access-Control-Request-Method": "PUT"}).headers
    reply = cloud.call_url(made.host, headers={"Origin": "https://example.com"})
    assert (allowed(reply), reply.headers["vary"], reply.body) == (["https://example.com"], "Origin", b"1")
    assert allowed(cloud.call_url(made.host)) == []


def test_cors_of_both_is_doubled(cloud, name):
    """As on AWS, where browsers refuse the answer: one of the two has to leave it to the other."""
    answer = "{'statusCode': 200, 'headers': {'Access-Control-Allow-Origin': '*'}, 'body': ''}"
    made = answering(cloud, name, answer, cors=CORS)
    assert allowed(cloud.call_url(made.host, headers={"Origin": "https://example.com"})) == ["*", "https://example.com"]


def test_without_cors_the_function_answers_preflights(cloud, echo):
    event = json.loads(cloud.call_url(echo.host, method="OPTIONS", headers={"Origin": "https://example.com", "Access-Control-Request-Method": "POST"}).body)
    assert event["requestContext"]["http"]["method"] == "OPTIONS"


# Behind the edge

def make_site(cloud, name, function, **options):
    site = cloud.make_site(name, behaviors=[api_behavior("/api/*", function.host, **options)])
    cloud.put_objects(name, {"index.html": b"page"})
    return site


def test_api_behind_the_edge(cloud, echo):
    site = make_site(cloud, echo.name, echo)
    event = json.loads(cloud.view("/api/count?a=1", site.distribution, "POST", {"Content-Type": "application/json", "X-Own": "1", "CloudFront-Viewer-Address": "1.2.3.4:5"},
                                  b"{}", viewer="203.0.113.9").body)
    assert (event["rawPath"], event["rawQueryString"], event["body"]) == ("/api/count", "a=1", "{}")
    headers = event["headers"]
    assert (headers["host"], headers["x-own"], headers["content-type"]) == (echo.host, "1", "application/json")
    assert headers["cloudfront-viewer-address"] == "203.0.113.9:46532"
    assert headers["x-forwarded-for"].split(", ")[0] == "203.0.113.9" and event["requestContext"]["http"]["sourceIp"] != "203.0.113.9"
    assert "x-cloud-distribution" not in headers
    assert cloud.view("/", site.distribution).body == b"page" and cloud.view("/x", site.distribution, "POST").status == 403


def test_address_of_an_ipv6_viewer(cloud, echo):
    site = make_site(cloud, echo.name, echo)
    assert json.loads(cloud.view("/api/", site.distribution, viewer="2001:db8::9").body)["headers"]["cloudfront-viewer-address"] == "2001:db8::9:46532"


def test_nothing_is_forwarded_by_default(cloud, echo):
    site = make_site(cloud, echo.name, echo, request_policy=None)
    event = json.loads(cloud.view("/api/x?a=1", site.distribution, headers={"X-Own": "1", "Cookie": "a=1", "Authorization": "x"}).body)
    assert event["rawQueryString"] == "" and "cookies" not in event and event["headers"]["user-agent"] == "Amazon CloudFront"
    assert not {"x-own", "authorization", "cloudfront-viewer-address"} & set(event["headers"])


def test_own_request_policy(cloud, echo):
    config = {"Name": echo.name, "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": {"Quantity": 2, "Items": ["CloudFront-Viewer-Address", "X-Own"]}},
              "CookiesConfig": {"CookieBehavior": "none"}, "QueryStringsConfig": {"QueryStringBehavior": "whitelist", "QueryStrings": {"Quantity": 1, "Items": ["a"]}}}
    policy = cloud.cloudfront.create_origin_request_policy(OriginRequestPolicyConfig=config)["OriginRequestPolicy"]["Id"]
    site = make_site(cloud, echo.name, echo, request_policy=policy)
    event = json.loads(cloud.view("/api/x?b=2&a=1", site.distribution, headers={"X-Own": "1", "X-Other": "2", "Cookie": "c=1"}, viewer="203.0.113.9").body)
    assert event["rawQueryString"] == "a=1" and "cookies" not in event
    assert {"x-own", "x-other", "cloudfront-viewer-address"} & set(event["headers"]) == {"x-own", "cloudfront-viewer-address"}


def test_viewers_host_finds_no_url(cloud, echo):
    """The usual mistake with AllViewer: Lambda is asked for a host that it does not know."""
    site = make_site(cloud, echo.name, echo, request_policy=ALL_VIEWER)
    assert cloud.view("/api/", site.distribution).status == 403


def test_origin_path(cloud, echo):
    site = make_site(cloud, echo.name, echo, path="/v1")
    assert json.loads(cloud.view("/api/x", site.distribution).body)["rawPath"] == "/v1/api/x"


COUNT = {"app.py": "calls = 0\ndef handler(e, c):\n    global calls\n    calls += 1\n    return {'statusCode': 200, 'body': str(calls)}"}


def test_disabled_cache_keeps_nothing(cloud, name):
    site = make_site(cloud, name, cloud.make_function(name, COUNT, url="NONE"))
    assert [cloud.view("/api/c", site.distribution).body for _ in range(3)] == [b"1", b"2", b"3"]
    assert cloud.edge_entries(site.distribution) == [] and cloud.stale(site.distribution) == []


def test_api_behind_a_caching_policy_is_cached(cloud, name):
    site = make_site(cloud, name, cloud.make_function(name, COUNT, url="NONE"), policy=CACHING_OPTIMIZED)
    assert [cloud.view("/api/c", site.distribution).body for _ in range(2)] == [b"1", b"1"]
    assert cloud.view("/api/c", site.distribution, "POST").body == b"2"
    assert cloud.stale(site.distribution) == [] and [e["path"] for e in cloud.edge_entries(site.distribution)] == ["/api/c"]
    cloud.cloudfront.create_invalidation(DistributionId=site.distribution, InvalidationBatch={"CallerReference": "1", "Paths": {"Quantity": 1, "Items": ["/api/*"]}})
    assert cloud.view("/api/c", site.distribution).body == b"3"


def test_error_pages_cover_the_api(cloud, name):
    made = answering(cloud, name, "{'statusCode': 404, 'body': 'json'}")
    site = cloud.make_site(name, behaviors=[api_behavior("/api/*", made.host)], errors=[{"ErrorCode": 404, "ResponsePagePath": "/404.html", "ResponseCode": 404}])
    cloud.put_objects(name, {"404.html": b"page"})
    assert cloud.view("/api/x", site.distribution).body == b"page"


def control_of(cloud, name, behavior="always"):
    config = {"Name": name, "SigningProtocol": "sigv4", "SigningBehavior": behavior, "OriginAccessControlOriginType": "lambda"}
    return cloud.cloudfront.create_origin_access_control(OriginAccessControlConfig=config)["OriginAccessControl"]["Id"]


def test_access_control_signs(cloud, name):
    made = cloud.make_function(name, ECHO, url="AWS_IAM")
    site = make_site(cloud, name, made, access_control=control_of(cloud, name))
    assert cloud.view("/api/", site.distribution).status == 403
    arn = f"arn:aws:cloudfront::{cloud.account}:distribution/{site.distribution}"
    cloud.allow_url(name, "cloudfront.amazonaws.com", arn)
    assert cloud.view("/api/", site.distribution).status == 200 and cloud.call_url(made.host).status == 403
    bare = cloud.view("/api/", site.distribution, "POST", body=b"data")
    assert (bare.status, bare.headers["x-amzn-errortype"]) == (403, "InvalidSignatureException")
    hashed = {"X-Amz-Content-Sha256": hashlib.sha256(b"data").hexdigest()}
    assert cloud.view("/api/", site.distribution, "POST", hashed, b"data").status == 200
    assert cloud.view("/api/", site.distribution, "POST", hashed, b"other").status == 403


def test_access_control_of_another_distribution(cloud, name):
    made = cloud.make_function(name, ECHO, url="AWS_IAM")
    control = control_of(cloud, name)
    site = make_site(cloud, name, made, access_control=control)
    cloud.allow_url(name, "cloudfront.amazonaws.com", f"arn:aws:cloudfront::{cloud.account}:distribution/E000")
    assert cloud.view("/api/", site.distribution).status == 403
    plain = cloud.make_function(name + "-iam", ECHO, url="AWS_IAM")
    unsigned = cloud.make_distribution(name, behaviors=[api_behavior("/api/*", plain.host)])
    assert cloud.view("/api/", unsigned.distribution).status == 403
    with pytest.raises(ClientError, match="InvalidOriginAccessControl"):
        cloud.make_distribution(name, behaviors=[api_behavior("/api/*", plain.host, access_control="E000")])


# Response headers policies

def test_managed_security_headers(cloud, name):
    site = cloud.make_site(name, headers_policy=SECURITY_HEADERS)
    cloud.put_objects(name, {"a": b"a"})
    for reply in (cloud.view("/a", site.distribution), cloud.view("/a", site.distribution)):
        assert reply.headers["strict-transport-security"] == "max-age=31536000" and reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["x-frame-options"] == "SAMEORIGIN" and reply.headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert cloud.view("/none", site.distribution).headers["x-content-type-options"] == "nosniff"
    assert cloud.stale(site.distribution) == []


def headers_policy(name, csp, override):
    return {"Name": name, "SecurityHeadersConfig": {
        "ContentSecurityPolicy": {"Override": override, "ContentSecurityPolicy": csp},
        "StrictTransportSecurity": {"Override": True, "AccessControlMaxAgeSec": 60, "IncludeSubdomains": True, "Preload": True}},
        "CorsConfig": {"AccessControlAllowOrigins": {"Quantity": 1, "Items": ["https://*.example.com"]}, "AccessControlAllowHeaders": {"Quantity": 1, "Items": ["*"]},
                       "AccessControlAllowMethods": {"Quantity": 1, "Items": ["GET"]}, "AccessControlAllowCredentials": False, "OriginOverride": True},
        "CustomHeadersConfig": {"Quantity": 1, "Items": [{"Header": "X-Own", "Value": "1", "Override": True}]},
        "RemoveHeadersConfig": {"Quantity": 1, "Items": [{"Header": "x-secret"}]}}


@pytest.mark.parametrize("override,wins", [(True, "default-src 'self'"), (False, "theirs")])
def test_own_headers_policy(cloud, name, override, wins):
    answer = "{'statusCode': 200, 'headers': {'Content-Security-Policy': 'theirs', 'X-Secret': '1', 'Access-Control-Allow-Origin': '*'}, 'body': ''}"
    made = answering(cloud, name, answer)
    policy = cloud.cloudfront.create_response_headers_policy(ResponseHeadersPolicyConfig=headers_policy(name, "default-src 'self'", override))["ResponseHeadersPolicy"]["Id"]
    site = make_site(cloud, name, made, headers_policy=policy)
    reply = cloud.view("/api/", site.distribution, headers={"Origin": "https://www.example.com"})
    assert reply.headers["content-security-policy"] == wins and reply.headers["x-own"] == "1" and "x-secret" not in reply.headers
    assert reply.headers["strict-transport-security"] == "max-age=60; includeSubDomains; preload" and allowed(reply) == ["https://www.example.com"]
    assert "content-security-policy" not in cloud.view("/", site.distribution).headers


def test_policies_are_kept_and_changed(cloud, name):
    api = cloud.cloudfront
    made = api.create_response_headers_policy(ResponseHeadersPolicyConfig=headers_policy(name, "a", True))
    identifier, site = made["ResponseHeadersPolicy"]["Id"], None
    with pytest.raises(ClientError, match="ResponseHeadersPolicyAlreadyExists"):
        api.create_response_headers_policy(ResponseHeadersPolicyConfig=headers_policy(name, "a", True))
    site = cloud.make_site(name, headers_policy=identifier)
    cloud.put_objects(name, {"a": b"a"})
    found = api.get_response_headers_policy(Id=identifier)
    assert found["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"]["CustomHeadersConfig"]["Items"] == [{"Header": "X-Own", "Value": "1", "Override": True}]
    with pytest.raises(ClientError, match="PreconditionFailed"):
        api.update_response_headers_policy(Id=identifier, IfMatch="E0", ResponseHeadersPolicyConfig=headers_policy(name, "b", True))
    api.update_response_headers_policy(Id=identifier, IfMatch=found["ETag"], ResponseHeadersPolicyConfig=headers_policy(name, "b", True))
    assert cloud.view("/a", site.distribution).headers["content-security-policy"] == "b"
    with pytest.raises(ClientError, match="ResponseHeadersPolicyInUse"):
        api.delete_response_headers_policy(Id=identifier, IfMatch=api.get_response_headers_policy(Id=identifier)["ETag"])
    with pytest.raises(ClientError, match="NoSuchResponseHeadersPolicy"):
        cloud.make_distribution(name, headers_policy="none")


def test_every_kind_of_policy(cloud, name):
    api = cloud.cloudfront
    control = control_of(cloud, name)
    assert api.get_origin_access_control_config(Id=control)["OriginAccessControlConfig"]["OriginAccessControlOriginType"] == "lambda"
    assert control in [c["Id"] for c in api.list_origin_access_controls()["OriginAccessControlList"]["Items"]]
    api.delete_origin_access_control(Id=control, IfMatch=api.get_origin_access_control(Id=control)["ETag"])
    with pytest.raises(ClientError, match="NoSuchOriginAccessControl"):
        api.get_origin_access_control(Id=control)
    assert "Managed-AllViewerExceptHostHeader" in [p["OriginRequestPolicy"]["OriginRequestPolicyConfig"]["Name"]
                                                   for p in api.list_origin_request_policies(Type="managed")["OriginRequestPolicyList"]["Items"]]
    managed = api.get_cache_policy(Id=CACHING_OPTIMIZED)
    assert managed["CachePolicy"]["CachePolicyConfig"]["MaxTTL"] == 31536000
    with pytest.raises(ClientError, match="IllegalDelete"):
        api.delete_cache_policy(Id=CACHING_OPTIMIZED, IfMatch=managed["ETag"])
