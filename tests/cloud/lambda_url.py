"""Function URLs: who may call, the event a request becomes, and the response an answer becomes.

The caller is anonymous, an identity (a verified signature) or a distribution whose access control signs for it.
"""
import base64
import binascii
import fnmatch
import hashlib
import json
import re
import time
import uuid
from urllib.parse import parse_qsl

from .errors import AwsError
from .http11 import Response
from .lambda_store import facts_of

FORBIDDEN = "Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
_TEXT = re.compile(r"text/.*|application/(json|xml|javascript)(;.*)?|[^;]*\+(json|xml)(;.*)?", re.I)
# The connection's own, and those that the front puts in itself.
_NOT_PASSED = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "proxy-authorization", "x-cloud-viewer", "x-cloud-distribution", "expect"}
_OWN_HEADERS = {"content-length", "transfer-encoding", "connection", "date", "x-amzn-requestid"}
_METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]


class Caller:
    """identity: who signed; distribution: the ARN of the one that signs for the edge."""

    __slots__ = ("address", "identity", "distribution")

    def __init__(self, address="127.0.0.1", identity=None, distribution=None):
        self.address, self.identity, self.distribution = address, identity, distribution


def forbidden():
    return _message(403, FORBIDDEN, "AccessDeniedException")


def digest_matches(request):
    """Whether a signature that CloudFront makes can hold: it signs the viewer's hash of the body, having none of its own."""
    return not request.body or request.headers.get("x-amz-content-sha256") == hashlib.sha256(request.body).hexdigest()


def mismatch():
    return _message(403, "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. "
                    "Consult the service documentation for details.", "InvalidSignatureException", "message")


def _message(status, text, kind, key="Message"):
    return Response(status, [("Content-Type", "application/json"), ("x-amzn-ErrorType", kind)], json.dumps({key: text}).encode())


class FunctionUrls:
    def __init__(self, functions, runtime, clock):
        self.functions, self.runtime, self.clock = functions, runtime, clock

    async def serve(self, request, url, caller):
        """The answer of a URL (from `functions.url_of_host`; None where no such URL exists)."""
        if url is None:
            return Response(403, [("Content-Type", "application/json"), ("x-amzn-ErrorType", "AccessDeniedException")], b'{"Message":null}')
        cors = url.config.get("Cors") or {}
        if cors and request.method == "OPTIONS" and "origin" in request.headers and "access-control-request-method" in request.headers:
            return Response(200, _preflight(cors, request))
        try:
            response = await self._allowed(request, url, caller)
        except AwsError as error:
            response = _message(error.status, error.message, error.code)
        if cors:
            # As the service does: beside what the function says, even if that makes two of one.
            response.headers += _cors(cors, request)
        return response

    async def _allowed(self, request, url, caller):
        if not self._may(url, caller):
            return forbidden()
        fn = self.functions.find(url.function.region, url.function.function_name, url.qualifier)
        facts = facts_of(fn)
        if facts.state == "Pending" and self.functions.look(fn) or facts.state == "Failed":
            return _message(409, "The operation cannot be performed at this time. The function is currently in the following state: " + facts.state,
                            "ResourceConflictException")
        if len(request.body) > 6 * 1024 * 1024:
            return _message(413, "Request Entity Too Large", "RequestTooLargeException", "message")
        identifier = str(uuid.uuid4())
        event = event_of(request, url, caller, identifier, self.clock.now())
        arn = self.functions.arn(fn.region, fn.function_name, url.qualifier)
        done = await self.runtime.invoke(fn, json.dumps(event).encode(), None, arn)
        response = None if done.error else response_of(done.payload)
        return response or Response(502, [("Content-Type", "application/json"), ("x-amzn-ErrorType", "InternalServerErrorException")], b"Internal Server Error")

    def _may(self, url, caller):
        """Both permissions are asked for, as of every URL made since October 2025."""
        kind = url.config.get("AuthType")
        if kind == "AWS_IAM" and caller.identity is not None:
            return True   # no identity policies here: who signs may do everything
        if kind == "AWS_IAM" and caller.distribution is None:
            return False
        policy = self.functions.policy(url.function, url.qualifier)
        asked = {"lambda:FunctionUrlAuthType": kind, "lambda:InvokedViaFunctionUrl": "true"}
        if caller.distribution:
            asked |= {"AWS:SourceArn": caller.distribution, "AWS:SourceAccount": self.functions.account}
        return all(any(_allows(s, action, caller, asked) for s in (policy.statements if policy else ()))
                   for action in ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"))


def _allows(statement, action, caller, asked):
    principal = statement["Principal"]
    if principal == "*" or principal == {"AWS": "*"}:
        meant = True
    else:
        meant = isinstance(principal, dict) and caller.distribution is not None and principal.get("Service") == "cloudfront.amazonaws.com"
    if statement["Effect"] != "Allow" or not meant or not fnmatch.fnmatchcase(action.lower(), statement["Action"].lower()):
        return False
    return all(_holds(operator, key, value, asked) for operator, pairs in statement.get("Condition", {}).items() for key, value in pairs.items())


def _holds(operator, key, value, asked):
    actual = next((v for k, v in asked.items() if k.lower() == key.lower()), None)
    if actual is None:
        return False
    wanted = value if isinstance(value, list) else [value]
    if operator in ("StringLike", "ArnLike", "ArnEquals"):
        return any(fnmatch.fnmatchcase(actual, w) for w in wanted)
    return operator in ("StringEquals", "Bool") and actual in wanted


# CORS

def _listed(values, value):
    return any(v == "*" or v.lower() == value.lower() for v in values or ())


def _cors(cors, request):
    """The headers that every answer to an allowed origin carries."""
    origin = request.headers.get("origin")
    if origin is None or not _listed(cors.get("AllowOrigins"), origin):
        return []
    every = "*" in cors["AllowOrigins"] and not cors.get("AllowCredentials")
    found = [("Access-Control-Allow-Origin", "*" if every else origin)] + ([] if every else [("Vary", "Origin")])
    if cors.get("ExposeHeaders"):
        found.append(("Access-Control-Expose-Headers", ",".join(cors["ExposeHeaders"])))
    if cors.get("AllowCredentials"):
        found.append(("Access-Control-Allow-Credentials", "true"))
    return found


def _preflight(cors, request):
    wanted = request.headers["access-control-request-method"]
    found = _cors(cors, request)
    if not found or not _listed(cors.get("AllowMethods") or ["*"], wanted):
        return []
    methods = cors.get("AllowMethods") or ["*"]
    found.append(("Access-Control-Allow-Methods", ",".join(_METHODS if "*" in methods else methods)))
    if cors.get("AllowHeaders"):
        found.append(("Access-Control-Allow-Headers", ",".join(cors["AllowHeaders"]).lower()))
    if cors.get("MaxAge"):
        found.append(("Access-Control-Max-Age", str(cors["MaxAge"])))
    return found


# Events and answers, payload format 2.0

def event_of(request, url, caller, identifier, now):
    headers = {n: v for n, v in request.headers.items() if n not in _NOT_PASSED}
    forwarded = headers.get("x-forwarded-for")
    headers |= {"x-forwarded-for": f"{forwarded}, {caller.address}" if forwarded else caller.address, "x-forwarded-proto": "https", "x-forwarded-port": "443",
                "x-amzn-trace-id": f"Root=1-{int(now):08x}-{identifier.replace('-', '')[:24]}", "host": f"{url.id}.lambda-url.{url.function.region}.on.aws"}
    cookies = [c.strip() for c in headers.get("cookie", "").split(";") if c.strip()]
    signed = caller.identity is not None and url.config.get("AuthType") == "AWS_IAM"
    event = {
        "version": "2.0", "routeKey": "$default", "rawPath": request.path, "rawQueryString": request.query, "headers": headers,
        "requestContext": {
            "accountId": caller.identity.arn.split(":")[4] if signed else "anonymous", "apiId": url.id, "domainName": headers["host"], "domainPrefix": url.id,
            "http": {"method": request.method, "path": request.path, "protocol": "HTTP/1.1", "sourceIp": caller.address, "userAgent": headers.get("user-agent", "")},
            "requestId": identifier, "routeKey": "$default", "stage": "$default", "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000)},
        "isBase64Encoded": False,
    }
    if signed:
        event["requestContext"]["authorizer"] = {"iam": {"accessKey": caller.identity.access_key, "accountId": event["requestContext"]["accountId"],
                                                         "callerId": caller.identity.user_id, "cognitoIdentity": None, "principalOrgId": None,
                                                         "userArn": caller.identity.arn, "userId": caller.identity.user_id}}
    if cookies:
        event["cookies"] = cookies
    if request.query:
        event["queryStringParameters"] = _query(request.query)
    if request.body:
        event |= _body(request.body, headers.get("content-type", ""))
    return event


def _query(text):
    found = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _body(data, kind):
    if _TEXT.fullmatch(kind):
        try:
            return {"body": data.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass
    return {"body": base64.b64encode(data).decode(), "isBase64Encoded": True}


def response_of(payload):
    """The HTTP response that a handler's answer means; None for one that cannot be understood."""
    try:
        answer = json.loads(payload)
    except ValueError:
        return None
    if not isinstance(answer, dict) or "statusCode" not in answer:
        body = answer if isinstance(answer, str) else json.dumps(answer, separators=(",", ":"))
        return Response(200, [("Content-Type", "application/json")], body.encode())
    try:
        return _explicit(answer)
    except (ValueError, TypeError, AttributeError, binascii.Error):
        return None


def _explicit(answer):
    status, body = int(answer["statusCode"]), answer.get("body")
    if not 100 <= status <= 599 or not isinstance(body, (str, type(None))):
        raise ValueError(status)
    headers = []
    for name, value in (answer.get("headers") or {}).items():
        if not isinstance(value, (str, int, float, bool)):
            raise TypeError(name)
        if name.lower() not in _OWN_HEADERS:
            headers.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
    headers += [("Set-Cookie", cookie) for cookie in answer.get("cookies") or []]
    if not any(n.lower() == "content-type" for n, _ in headers):
        headers.append(("Content-Type", "application/json"))
    data = base64.b64decode(body or "", validate=True) if answer.get("isBase64Encoded") else (body or "").encode()
    return Response(status, headers, data)
