"""For tests: start a local cloud, talk to it, end it.

    with LocalCloud(tmp_path) as cloud:
        site = cloud.make_site("my-bucket")
        subprocess.run([...], env={**os.environ, **cloud.env()})
        assert cloud.stale() == []
"""
import base64
import http.client
import io
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import boto3
from botocore.config import Config

from .lambda_code import pack

_SESSION, _SESSION_LOCK = boto3.session.Session(), threading.Lock()
SCRIPT = Path(__file__).with_name("cloud.py")
CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_VIEWER, ALL_VIEWER_EXCEPT_HOST = "216adef6-5c7f-47e4-b989-5492eafa07d3", "b689b0a8-53d0-40ab-baf2-68738e2966ac"
SECURITY_HEADERS = "67f7725c-6f97-4210-82d7-5512b31e9d03"
ALL_METHODS = ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE")
QUERY_STRINGS = "4cc15a8a-d715-48a4-82b8-cc0b614638fe"


@dataclass
class Site:
    """A bucket and the distribution in front of it."""

    bucket: str
    distribution: str
    domain: str


@dataclass
class Function:
    """A function; `host` is its URL's, or None."""

    name: str
    arn: str
    host: str


@dataclass
class Reply:
    status: int
    headers: dict
    body: bytes
    pairs: list = ()   # headers as they came, names in lower case


class LocalCloud:
    def __init__(self, directory, port=0, edge_port=0, start_timeout=60):
        self.directory = Path(directory)
        self._arguments = ["--dir", str(directory), "--port", str(port), "--edge-port", str(edge_port), "--with-parent"]
        self._timeout, self._process, self._clients, self._roles = start_timeout, None, {}, {}
        self.endpoint = self.edge = self.access_key_id = self.secret_access_key = self.region = self.account = self.log = self.pid = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        with open(self.directory / "cloud.stderr", "wb") as errors:
            self._process = subprocess.Popen([sys.executable, str(SCRIPT), *self._arguments], stdout=subprocess.PIPE, stderr=errors)
        ready, _, _ = select.select([self._process.stdout], [], [], self._timeout)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            self.stop()
            raise RuntimeError("the local cloud did not start:\n" + (self.directory / "cloud.stderr").read_text())
        for name, value in json.loads(line).items():
            setattr(self, name, value)
        return self

    def stop(self):
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process.stdout.close()
        self._process = None

    def errors(self):
        """What the server wrote to stderr; a traceback here is a defect of the cloud."""
        return (self.directory / "cloud.stderr").read_text()

    def env(self, **extra):
        """Environment for a program under test. Profile files and metadata of the machine stay out of it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint, "AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region, "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, **extra}

    def client(self, service, *, region=None, key=None, secret=None, token=None, retries=False, **config):
        """A boto3 client. It does not retry unless asked to: tests count requests."""
        settings = {"s3": {"addressing_style": "path"}, "retries": {"total_max_attempts": 4 if retries else 1}, **config}
        with _SESSION_LOCK:  # making clients is not thread-safe, and a session of its own for each one is slow
            return _SESSION.client(service, endpoint_url=self.endpoint, region_name=region or self.region, aws_access_key_id=key or self.access_key_id,
                                   aws_secret_access_key=secret or self.secret_access_key, aws_session_token=token, config=Config(**settings))

    def cached_client(self, service):
        if service not in self._clients:
            self._clients[service] = self.client(service)
        return self._clients[service]

    @property
    def s3(self):
        return self.cached_client("s3")

    @property
    def cloudfront(self):
        return self.cached_client("cloudfront")

    # Control

    def control(self, method, path, body=None, headers=None, **query):
        """One control request; the decoded answer, or RuntimeError."""
        reply = self.raw(method, "/_cloud/" + path + ("?" + urlencode(query) if query else ""), headers, json.dumps(body) if body is not None else None)
        if reply.status != 200:
            raise RuntimeError(f"{method} {path}: {reply.status} {reply.body!r}")
        return json.loads(reply.body)

    def rules(self, *rules):
        """Install fault rules: cloud.rules({"when": {...}, "do": {...}})."""
        return self.control("POST", "rules", list(rules))["ids"]

    def clear_rules(self):
        self.control("DELETE", "rules")

    def rule_counts(self):
        return {r["id"]: r["fired"] for r in self.control("GET", "rules")}

    def advance(self, seconds, check_skew=None):
        body = {"advance_s": seconds} | ({} if check_skew is None else {"check_skew": check_skew})
        return self.control("POST", "clock", body)

    def now(self):
        return self.control("GET", "clock")["now"]

    def settings(self, **values):
        return self.control("POST", "settings", values)

    def requests(self, since=0, **wanted):
        """Log entries, only those whose fields equal `wanted` (operation="PutObject")."""
        return [e for e in self.control("GET", "log", since=since) if all(e.get(k) == v for k, v in wanted.items())]

    def reset_log(self):
        self.control("POST", "reset-log")

    def waiting(self):
        return self.control("GET", "waiting")

    def wait_for_stalled(self, count=1, timeout=20):
        """Until `count` requests are held by rules; returns them."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            held = self.waiting()
            if len(held) >= count:
                return held
            time.sleep(0.02)
        raise TimeoutError(f"only {len(held)} of {count} requests are stalled")

    def release(self, number=None):
        return self.control("POST", "release", {} if number is None else {"id": number})["released"]

    def objects(self, bucket):
        return self.control("GET", "objects", bucket=bucket)

    def uploads(self, bucket):
        return self.control("GET", "uploads", bucket=bucket)

    def edge_entries(self, distribution=None):
        return self.control("GET", "edge", **({"distribution": distribution} if distribution else {}))

    def stale(self, distribution=None):
        return self.control("GET", "stale", **({"distribution": distribution} if distribution else {}))

    def evicted(self):
        return self.control("GET", "evicted")

    def evicted_in_vain(self):
        return [path for batch in self.evicted() for path in batch["in_vain"]]

    def invalidations(self, distribution):
        return self.control("GET", "invalidations", distribution=distribution)

    def warm(self, distribution=None, paths=None):
        """Fill the cache; returns {status: count}."""
        return self.control("POST", "edge/warm", {"distribution": distribution, "paths": paths})

    def oidc_url(self):
        """ACTIONS_ID_TOKEN_REQUEST_URL of a runner; the client appends &audience=..."""
        return self.endpoint + "/_cloud/oidc?runner=1"

    # Stacks

    @property
    def cloudformation(self):
        return self.cached_client("cloudformation")

    def stacks(self):
        """{name: id, status, reason, region, resources} of every stack that is not deleted."""
        return self.control("POST", "stacks", {})

    def stack(self, name):
        """What DescribeStacks says, or None when there is no such stack."""
        try:
            return self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        except self.cloudformation.exceptions.ClientError as error:
            if "does not exist" in str(error):
                return None
            raise

    def outputs(self, name):
        return {o["OutputKey"]: o["OutputValue"] for o in self.stack(name).get("Outputs", [])}

    def stack_events(self, name):
        """(logical id, status, reason) of every event, the oldest first."""
        pages = self.cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
        found = [e for page in pages for e in page["StackEvents"]]
        return [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason", "")) for e in reversed(found)]

    def make_change_set(self, name, template, parameters=None, **arguments):
        """A change set for a stack that exists or not, done being made: what DescribeChangeSet says."""
        live = self.stack(name)
        made = self.cloudformation.create_change_set(**{
            "StackName": name, "ChangeSetName": "set-" + os.urandom(4).hex(), "TemplateBody": template if isinstance(template, str) else json.dumps(template),
            "ChangeSetType": "CREATE" if live is None or live["StackStatus"] == "REVIEW_IN_PROGRESS" else "UPDATE",
            "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in (parameters or {}).items()],
            "Capabilities": ["CAPABILITY_NAMED_IAM"], **arguments})
        return self._await(lambda: self.cloudformation.describe_change_set(ChangeSetName=made["Id"]), lambda s: s["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"))

    def deploy_stack(self, name, template, parameters=None, **arguments):
        """Make a stack what a template says: the stack as it is afterwards, whatever became of it."""
        made = self.make_change_set(name, template, parameters, **arguments)
        if made["Status"] == "FAILED":
            raise RuntimeError(made["StatusReason"])
        self.cloudformation.execute_change_set(ChangeSetName=made["ChangeSetId"])
        return self.await_stack(made["StackId"])

    def delete_stack(self, name):
        """Gone, or what DescribeStacks says of one that did not go."""
        identifier = self.stack(name)["StackId"]
        self.cloudformation.delete_stack(StackName=name)
        return self.await_stack(identifier)

    def await_stack(self, name):
        """Look at a stack until nothing is under way."""
        return self._await(lambda: self.stack(name), lambda s: not s["StackStatus"].endswith("_IN_PROGRESS"))

    @staticmethod
    def _await(look, done, timeout=30):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            seen = look()
            if done(seen):
                return seen
            time.sleep(0.005)
        raise TimeoutError(f"still {seen}")

    def fail_next(self, stack="*", resource="*", reason="Internal Failure", times=1, on="change"):
        """The next time that a stack works on a resource (logical id or type), it fails. `on`: create, update, delete, change (the
        first two), or rollback (whatever is done on the way back)."""
        self.control("POST", "stacks", {"fail": {"stack": stack, "resource": resource, "reason": reason, "times": times, "on": on}})

    def find_next(self, stack="*", resource="", reason="Unsupported property [Colour]", path=""):
        """The next change set of a stack fails early validation: its reason sends the reader to DescribeEvents."""
        self.control("POST", "stacks", {"find": {"stack": stack, "resource": resource, "reason": reason, "path": path}})

    def make_busy(self, stack, polls=None, ms=None, then="UPDATE_COMPLETE"):
        """Somebody else updates the stack, for so many looks at it or so long."""
        self.control("POST", "stacks", {"busy": {"stack": stack, "polls": polls, "ms": ms, "then": then}})

    def set_stack_status(self, stack, status):
        self.control("POST", "stacks", {"status": {stack: status}})

    # Plain HTTP

    def raw(self, method, target, headers=None, body=None, edge=False):
        """A request whose target is sent as it is, without a signature."""
        address = urlsplit(self.edge if edge else self.endpoint)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True, skip_host="Host" in (headers or {}))
            data = body.encode() if isinstance(body, str) else body
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if data is not None:
                connection.putheader("Content-Length", str(len(data)))
            connection.endheaders(data)
            response = connection.getresponse()
            pairs = [(k.lower(), v) for k, v in response.getheaders()]
            return Reply(response.status, dict(pairs), response.read(), pairs)
        finally:
            connection.close()

    def view(self, path, distribution=None, method="GET", headers=None, body=None, viewer=None):
        """What a viewer (of that address) sees at the edge."""
        extra = {"X-Cloud-Distribution": distribution} if distribution else {}
        extra |= {"X-Cloud-Viewer": viewer} if viewer else {}
        return self.raw(method, path, {**extra, **(headers or {})}, body, edge=True)

    # Sites

    def make_bucket(self, bucket, region="us-east-1"):
        location = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self.client("s3", region=region).create_bucket(Bucket=bucket, **location)

    def make_site(self, bucket, *, region="us-east-1", website=False, **distribution):
        """A private bucket (with `website`: a website endpoint) and a distribution; options of make_distribution."""
        self.make_bucket(bucket, region)
        if website:
            self.client("s3", region=region).put_bucket_website(Bucket=bucket, WebsiteConfiguration={
                "IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"}})
        return self.make_distribution(bucket, region=region, website=website, **distribution)

    def make_distribution(self, bucket, *, region="us-east-1", website=False, origin_path="", root="index.html", errors=(), list_bucket=False,
                          policy=CACHING_OPTIMIZED, behaviors=(), viewer_function=False, forwarded=None, headers_policy=None):
        """A distribution before an existing bucket.

        errors: {"ErrorCode", "ResponsePagePath"?, "ResponseCode"?, "ErrorCachingMinTTL"?}; behaviors: (pattern, domain or
        None for the bucket, cache policy id) or the arguments of api_behavior; list_bucket lets the origin tell 404 from 403; forwarded: ForwardedValues
        instead of a cache policy; viewer_function attaches the usual index-rewriting function; headers_policy is a response headers policy's id.
        """
        domain = f"{bucket}.s3-website-{region}.amazonaws.com" if website else f"{bucket}.s3.{region}.amazonaws.com"
        wanted = [b if isinstance(b, dict) else {"pattern": b[0], "domain": b[1], "policy": b[2]} for b in behaviors]
        extra = [_origin(f"extra{n}", b["domain"], b.get("path", ""), True, b.get("access_control")) for n, b in enumerate(wanted) if b["domain"]]
        config = {
            "CallerReference": os.urandom(8).hex(), "Comment": "", "Enabled": True, "DefaultRootObject": "" if website else root,
            "Origins": _items([_origin("bucket", domain, origin_path, website), *extra]),
            "DefaultCacheBehavior": {**_behavior("bucket", policy, viewer_function, forwarded), **({"ResponseHeadersPolicyId": headers_policy} if headers_policy else {})},
            "CacheBehaviors": _items([{"PathPattern": b["pattern"], **_behavior(f"extra{n}" if b["domain"] else "bucket", b["policy"], False, b.get("forwarded")),
                                       **_options(b)} for n, b in enumerate(wanted)]),
            "CustomErrorResponses": _items([{k: str(v) if k == "ResponseCode" else v for k, v in e.items()} for e in errors]),
        }
        made = self.cloudfront.create_distribution(DistributionConfig=config)["Distribution"]
        actions = ["s3:GetObject", *(["s3:ListBucket"] if list_bucket else [])]
        self.client("s3", region=region).put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "cloudfront.amazonaws.com"}, "Action": actions,
            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
            "Condition": {"StringEquals": {"AWS:SourceArn": made["ARN"]}}}]}))
        return Site(bucket, made["Id"], made["DomainName"])

    # Functions

    @property
    def functions(self):
        return self.cached_client("lambda")

    def make_role(self, name="function-role"):
        """The ARN of a role that Lambda may assume."""
        if name not in self._roles:
            trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
            self._roles[name] = self.cached_client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        return self._roles[name]

    def make_function(self, name, files, *, url=None, cors=None, public=True, handler="app.handler", runtime="python3.12", active=True, **arguments):
        """A function of {file: text}, active. With `url` (NONE or AWS_IAM) a Function URL too, which everybody may call if it is NONE and public."""
        made = self.functions.create_function(FunctionName=name, Runtime=runtime, Handler=handler, Role=self.make_role(), Code={"ZipFile": pack(files)}, **arguments)
        if active:
            self.await_function(name)
        if url is None:
            return Function(name, made["FunctionArn"], None)
        answer = self.functions.create_function_url_config(FunctionName=name, AuthType=url, **({"Cors": cors} if cors else {}))
        if url == "NONE" and public:
            self.allow_url(name)
        return Function(name, made["FunctionArn"], urlsplit(answer["FunctionUrl"]).hostname)

    def allow_url(self, name, principal="*", source=None, qualifier=None):
        """Both statements that a caller of a URL needs."""
        common = {"FunctionName": name, "Principal": principal, **({"SourceArn": source} if source else {}), **({"Qualifier": qualifier} if qualifier else {})}
        kind = {} if source else {"FunctionUrlAuthType": "NONE"}
        self.functions.add_permission(StatementId="url", Action="lambda:InvokeFunctionUrl", **kind, **common)
        self.functions.add_permission(StatementId="invoke", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True, **common)

    def await_function(self, name):
        """Look until the function is neither being created nor updated; its configuration."""
        for _ in range(100):
            found = self.functions.get_function_configuration(FunctionName=name)
            if found["State"] != "Pending" and found.get("LastUpdateStatus") != "InProgress":
                return found
        raise TimeoutError(f"{name} is still busy")

    def invoke(self, name, event=None, **arguments):
        """(decoded answer, error or None)."""
        reply = self.functions.invoke(FunctionName=name, Payload=json.dumps(event if event is not None else {}), **arguments)
        return json.loads(reply["Payload"].read()), reply.get("FunctionError")

    def call_url(self, host, path="/", method="GET", headers=None, body=None, viewer=None):
        """A request to a Function URL, as if its name led here."""
        extra = {"X-Cloud-Viewer": viewer} if viewer else {}
        return self.raw(method, path, {"Host": host, **extra, **(headers or {})}, body)

    def change_function(self, name=None, **change):
        """Make it busy, let it fail, let somebody else change it: see the README."""
        return self.control("POST", "functions", {**({"name": name} if name else {}), **change})

    def function_state(self, name):
        return self.control("GET", "functions", name=name)

    def function_code(self, name):
        """The archive that was sent last: {path: (bytes, whether it may be executed)}."""
        data = base64.b64decode(self.control("GET", "function-code", name=name)["zip"])
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {i.filename: (archive.read(i), bool(i.external_attr >> 16 & 0o111)) for i in archive.infolist()}

    def function_log(self, name):
        return self.control("GET", "function-log", name=name)["log"]

    def put_objects(self, bucket, objects, **arguments):
        """Store {key: bytes}."""
        for key, body in objects.items():
            self.s3.put_object(Bucket=bucket, Key=key, Body=body, **arguments)


def _items(values):
    return {"Quantity": len(values), **({"Items": values} if values else {})}


def api_behavior(pattern, domain, **options):
    """A behaviour before a function's URL, as an API wants it: nothing cached, every method, the viewer's headers but Host.

    Options: policy, methods, request_policy, headers_policy (ids), access_control (an id), path (of the origin), forwarded.
    """
    return {"pattern": pattern, "domain": domain, "policy": CACHING_DISABLED, "methods": ALL_METHODS, "request_policy": ALL_VIEWER_EXCEPT_HOST, **options}


def _options(behavior):
    found = {}
    if behavior.get("methods"):
        found["AllowedMethods"] = {**_items(list(behavior["methods"])), "CachedMethods": _items(["HEAD", "GET"])}
    for name, key in (("request_policy", "OriginRequestPolicyId"), ("headers_policy", "ResponseHeadersPolicyId")):
        if behavior.get(name):
            found[key] = behavior[name]
    return found


def _origin(identifier, domain, path, custom, access_control=None):
    kind = {"CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}} if custom else \
        {"S3OriginConfig": {"OriginAccessIdentity": ""}, "OriginAccessControlId": "E0LOCALACCESS"}
    return {"Id": identifier, "DomainName": domain, "OriginPath": path, **kind, **({"OriginAccessControlId": access_control} if access_control else {})}


def _behavior(origin, policy, function, forwarded):
    made = {"TargetOriginId": origin, "ViewerProtocolPolicy": "redirect-to-https"}
    if forwarded is not None:
        made["ForwardedValues"] = {"Cookies": {"Forward": "none"}, **forwarded}
        made["MinTTL"] = 0
    else:
        made["CachePolicyId"] = policy
    if function:
        made["FunctionAssociations"] = _items([{"FunctionARN": "arn:aws:cloudfront::123456789012:function/index", "EventType": "viewer-request"}])
    return made


def object_target(bucket, key):
    """The raw request target of an object, path style."""
    return f"/{bucket}/" + quote(key, safe="/~")
