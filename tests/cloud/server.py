"""The pipeline: recognise, inject faults, check the signature, do it, log it."""
import argparse
import asyncio
import gc
import itertools
import json
import os
import re
import signal
import sys
import time
import traceback
from pathlib import Path

import botocore.session

from . import cloudfront as cloudfront_module
from . import s3_route, signature
from .cfn_engine import CloudFormation
from .clock import Clock, http_date
from .cloudfront import CloudFront
from .control import Control
from .credentials import Credentials
from .edge import Edge
from .errors import AwsError, render
from .faults import Faults
from .http11 import Connection, Request, Response, serialize
from .lambda_api import Lambda
from .lambda_edge import FunctionOrigins
from .lambda_runtime import Runtime
from .lambda_store import URL_HOST, Functions
from .lambda_url import Caller, FunctionUrls
from .log import RequestLog
from .moto_bridge import ACCOUNT, Moto
from .origin import Origins
from .s3_api import FORWARD, S3, digest_of
from .s3_store import Store
from .sts import Oidc, Sts, form_of

LARGE = 1 << 20
_CONDITIONS = ("if-match", "if-none-match")


class Cloud:
    """Everything there is one of."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.clock = Clock()
        self.log = RequestLog(self.directory / "requests.jsonl")
        self.faults = Faults()
        self.store = Store(self.clock)
        self.moto = Moto(self.clock, self.store)
        self.buckets = self.moto.buckets
        self.credentials = Credentials(ACCOUNT, self.clock)
        self.oidc = Oidc(self.clock)
        self.sts = Sts(self.credentials, self.oidc)
        self.s3 = S3(self.store, self.buckets)
        self.cloudfront = CloudFront(ACCOUNT, self.clock)
        self.origins = Origins(self.store, self.buckets)
        self.functions = Functions(ACCOUNT, self.clock, self.store, self.buckets)
        self.runtime = Runtime(self.directory, self.functions, self.credentials, self.clock)
        self.function_urls = FunctionUrls(self.functions, self.runtime, self.clock)
        self.aws_lambda = Lambda(self.functions, self.runtime)
        self.function_origins = FunctionOrigins(self.functions, self.function_urls, self.cloudfront.policies, ACCOUNT)
        self.edge = Edge(self.cloudfront, self.origins, self.function_origins, self.clock)
        self.cloudformation = CloudFormation(self)
        self.control = Control(self)
        self._ids = itertools.count(1)

    def request_id(self):
        return f"{next(self._ids):016X}"


class Call:
    """One AWS request on its way through."""

    __slots__ = ("service", "operation", "claim", "s3", "form", "path", "error")

    def __init__(self):
        self.service, self.operation, self.claim = "s3", "Unknown", None
        self.s3 = self.form = self.path = self.error = None


_URL_CALL = Call()
_URL_CALL.service, _URL_CALL.operation = "lambda", "InvokeFunctionUrl"


def recognise(request):
    """Service and operation. What is wrong with the request waits in `error`, so that it is logged like others."""
    call = Call()
    try:
        call.claim = signature.claim_of(request)
        call.service = _service_of(request, call)
        if call.service == "s3":
            call.s3 = s3_route.route(request)
            call.operation = call.s3.operation
        elif call.service == "cloudfront":
            call.operation = cloudfront_module.route(request.method, request.path)[0]
        else:
            call.operation = _other_operation(request, call)
    except AwsError as error:
        call.error = error
    return call


def _service_of(request, call):
    if call.claim is not None:
        return call.claim.service
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded") and request.path == "/"
    if (form or "Action=" in request.query) and form_of(request).get("Action") in Sts.UNSIGNED:
        return "sts"
    return "s3"


def _other_operation(request, call):
    """The operation of a query- or JSON-protocol service; for REST ones the method and path must do."""
    target = request.headers.get("x-amz-target")
    if target:
        return target.rsplit(".", 1)[-1]
    call.form = form_of(request) if request.path == "/" else {}
    return call.form.get("Action") or _rest_operation(call.service, request)


_MODELS = {}


def _rest_operation(service, request):
    """Lambda and its like: botocore's model knows which operation a method and path are."""
    if service not in _MODELS:
        try:
            model = botocore.session.get_session().get_service_model(service)
        except Exception:  # an unknown service has no operations
            _MODELS[service] = []
        else:
            routes = [(model.operation_model(n).http, n) for n in model.operation_names]
            _MODELS[service] = [(h["method"], re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(h["requestUri"].partition("?")[0])) + "/?"), n) for h, n in routes]
    return next((n for method, pattern, n in _MODELS[service] if method == request.method and pattern.fullmatch(request.path)), "Unknown")


class Front:
    """The AWS port."""

    def __init__(self, cloud):
        self.cloud = cloud
        cloud.cloudformation.attach(self._inner)

    async def _inner(self, request):
        """A request of CloudFormation to another service: no fault, no signature, no line in the log."""
        call = recognise(request)
        try:
            if call.error is not None:
                raise call.error
            return await self._dispatch(request, call, {}, self.cloud.credentials.root)
        except AwsError as error:
            return render(call.service, error, self.cloud.request_id(), request.path, request.method == "HEAD")

    async def handle(self, request, connection):
        if request.path.startswith("/_cloud/"):
            return await self._control(request, connection)
        if URL_HOST.fullmatch(request.headers.get("host", "")):
            return await self._function_url(request, connection)
        if request.headers and s3_route.website_of_host(request.headers.get("host", "")) and request.method in ("GET", "HEAD"):
            return await self._website(request, connection)
        cloud, call, request_id = self.cloud, recognise(request), self.cloud.request_id()
        fault = cloud.faults.pick(call.service, call.operation, request.method, request.target)
        about = {"service": call.service, "operation": call.operation, "method": request.method, "path": request.target}
        response, sent = None, 0
        try:
            response = await self._answer(request, call, fault, request_id, about)
            sent = await self._deliver(request, connection, response, call, fault, request_id, about)
        finally:
            # A dropped answer has no status: nobody saw one.
            self._note(request, about, response.status if response is not None and sent else 0, sent)

    async def _control(self, request, connection):
        await self.cloud.cloudformation.settle()
        response = self.cloud.control.handle(request)
        response = await response if asyncio.iscoroutine(response) else response
        head, body = serialize(response, request.method == "HEAD")
        await connection.send(head + body)
        if request.path.startswith("/_cloud/oidc"):
            about = {"service": "oidc", "operation": "GetToken", "method": request.method, "path": request.target}
            self._note(request, about, response.status, len(head) + len(body))

    async def _website(self, request, connection):
        bucket = s3_route.website_of_host(request.headers["host"])
        try:
            self.cloud.buckets.require(bucket)
            answer = self.cloud.origins.website(bucket, s3_route.decode_text(request.path[1:], "URI"))
        except AwsError as error:
            answer = render("s3", error, "")
        response = Response(answer.status, [*answer.headers, ("Date", http_date(self.cloud.clock.now()))], answer.body)
        head, body = serialize(response, request.method == "HEAD")
        await connection.send(head + body)
        about = {"service": "s3-website", "operation": "GetObject", "method": request.method, "path": request.target}
        self._note(request, about, response.status, len(head) + len(body))

    async def _function_url(self, request, connection):
        cloud, about = self.cloud, {"service": "lambda-url", "operation": "InvokeFunctionUrl", "method": request.method, "path": request.target}
        fault = cloud.faults.pick("lambda-url", "InvokeFunctionUrl", request.method, request.target)
        response, sent = None, 0
        try:
            response = await self._url_answer(request, fault, about)
            sent = await self._deliver(request, connection, response, _URL_CALL, fault, cloud.request_id(), about)
        finally:
            self._note(request, about, response.status if response is not None and sent else 0, sent)

    async def _url_answer(self, request, fault, about):
        if fault.get("at", "before") == "before" and "stall_s" in fault:
            await self.cloud.faults.stall(fault["stall_s"], about)
        if fault.get("drop") == "before":
            return None
        if "status" in fault:
            return _injected(fault, _URL_CALL, "")
        try:
            return await self._url_response(request, fault)
        except AwsError as error:
            return render("lambda", error, "")

    async def _url_response(self, request, fault):
        cloud = self.cloud
        await cloud.cloudformation.settle()
        url = cloud.functions.url_of_host(request.headers["host"])
        caller = Caller(request.headers.get("x-cloud-viewer", "127.0.0.1"))
        if url is not None and url.config.get("AuthType") == "AWS_IAM":
            claim = signature.claim_of(request)
            if claim is not None:
                caller.identity = signature.verify(request, claim, cloud.credentials, cloud.clock, fault.get("date_offset_s", 0))
        return await cloud.function_urls.serve(request, url, caller)

    async def _answer(self, request, call, fault, request_id, about):
        """The response, or None when the connection is to be dropped before any effect."""
        cloud = self.cloud
        try:
            if call.error is not None:
                raise call.error
            identity = await self._authorise(request, call, fault)
            if fault.get("at", "before") == "before" and "stall_s" in fault:
                await cloud.faults.stall(fault["stall_s"], about)
            if fault.get("drop") == "before":
                return None
            if "status" in fault:
                return _injected(fault, call, request_id)
            if fault.get("ignore_conditions"):
                request = _unconditional(request)
            await cloud.cloudformation.settle()
            return await self._dispatch(request, call, fault, identity)
        except AwsError as error:
            return render(call.service, error, request_id, request.path, request.method == "HEAD")
        except Exception as error:  # a defect of ours answers 500 and shows on stderr
            traceback.print_exc()
            return render(call.service, AwsError(500, "InternalError", f"the local cloud failed: {type(error).__name__}"), request_id, request.path)

    async def _authorise(self, request, call, fault):
        claim = call.claim
        if claim is None:
            if call.service == "sts":
                return None
            raise AwsError(403, "AccessDenied", "Access Denied")
        identity = signature.verify(request, claim, self.cloud.credentials, self.cloud.clock, fault.get("date_offset_s", 0))
        if call.service == "s3":
            body = request.body
            if len(body) > LARGE:
                digest = await asyncio.get_running_loop().run_in_executor(None, digest_of, body)
            else:
                digest = lambda: digest_of(body)  # noqa: E731
            signature.check_payload(request, claim, digest)
        elif request.headers.get("x-amz-content-sha256", digest_of(request.body)) != digest_of(request.body):
            raise AwsError(403, "SignatureDoesNotMatch", "The payload is not what was signed.")
        return identity

    async def _dispatch(self, request, call, fault, identity):
        cloud = self.cloud
        if call.service == "s3":
            response = cloud.s3.handle(call.s3, request, call.claim.region)
            if response is not FORWARD:
                return response
            path = f"/{call.s3.bucket}{request.path}" if call.s3.virtual_host else request.path
            return await cloud.moto.call(asyncio.get_running_loop(), request, path)
        if call.service == "cloudfront":
            return cloud.cloudfront.handle(request, fault)
        if call.service == "sts":
            return cloud.sts.handle(form_of(request), identity)
        if call.service == "cloudformation":
            return await cloud.cloudformation.handle(form_of(request), call.claim.region, cloud.request_id())
        if call.service == "lambda":
            cloud.functions.ready()
            cloud.runtime.started()
            if cloud.aws_lambda.serves(request):
                return await cloud.aws_lambda.handle(request, call.claim.region)
        return await cloud.moto.call(asyncio.get_running_loop(), request)

    async def _deliver(self, request, connection, response, call, fault, request_id, about):
        """Send the response as the fault wants it; returns the bytes that were sent."""
        if response is None:
            connection.abort()
            return 0
        if fault.get("at") == "after" and "stall_s" in fault:
            await self.cloud.faults.stall(fault["stall_s"], about)
        if fault.get("drop") == "after":
            connection.abort()
            return 0
        if "after_effect_status" in fault:
            lost = AwsError(fault["after_effect_status"], fault.get("code", "InternalError"), fault.get("message", "We encountered an internal error. Please try again."))
            response = render(call.service, lost, request_id, request.path, request.method == "HEAD")
            about["effect"] = True
        _stamp(response, self.cloud.clock.now() + fault.get("date_offset_s", 0), request_id)
        head, body = serialize(response, request.method == "HEAD")
        about["sent_status"] = response.status
        return await _transmit(connection, head, body, fault)

    def _note(self, request, about, status, sent):
        about = dict(about)
        status = about.pop("sent_status", status)
        self.cloud.log.add({
            "n": 0, "time": round(self.cloud.clock.now(), 6), **about, "status": status, "started": request.started,
            "ended": time.monotonic(), "bytes_in": request.bytes_in, "bytes_out": sent, "edge": False})

    def malformed(self, message):
        """The answer to bytes that are no request."""
        self.cloud.log.add({"n": 0, "time": round(self.cloud.clock.now(), 6), "service": "s3", "operation": "Unknown", "method": "", "path": "",
                            "status": 400, "started": time.monotonic(), "ended": time.monotonic(), "bytes_in": 0, "bytes_out": 0, "edge": False})
        response = render("s3", AwsError(400, "BadRequest", f"An error occurred when parsing the HTTP request: {message}"), self.cloud.request_id())
        response.headers.append(("Connection", "close"))
        return response

    def aborted(self, request):
        """The client went away in the middle of a body: no effect, but worth a line."""
        call = recognise(request)
        self._note(request, {"service": call.service, "operation": call.operation, "method": request.method, "path": request.target, "aborted": True}, 0, 0)


def _injected(fault, call, request_id):
    if "body" in fault:
        body = fault["body"]
        headers = [("Content-Type", fault.get("content_type", "text/plain")), *fault.get("headers", {}).items()]
        return Response(fault["status"], headers, body.encode() if isinstance(body, str) else b"")
    error = AwsError(fault["status"], fault.get("code", "InternalError"), fault.get("message", "Injected by a rule."), headers=list(fault.get("headers", {}).items()))
    return render(call.service, error, request_id)


def _unconditional(request):
    """The request without its conditions: a store that ignores them."""
    pairs = [(n, v) for n, v in request.pairs if n not in _CONDITIONS]
    bare = Request(request.method, request.target, pairs, request.keep_alive, request.started, request.bytes_in)
    bare.body = request.body
    return bare


def _stamp(response, now, request_id):
    names = {name.lower() for name, _ in response.headers}
    response.headers.append(("Date", http_date(now)))
    if "x-amz-request-id" not in names:
        response.headers.append(("x-amz-request-id", request_id))
    if "x-amzn-requestid" not in names:
        response.headers.append(("x-amzn-RequestId", request_id))


async def _transmit(connection, head, body, fault):
    if "truncate" in fault:
        data = (head + body)[:fault["truncate"]]
        await connection.send(data)
        connection.close()
        return len(data)
    if "drip_ms" in fault:
        data = head + body
        for position in range(len(data)):
            await connection.send(data[position:position + 1])
            await asyncio.sleep(fault["drip_ms"] / 1000)
        return len(data)
    if len(body) < LARGE:
        await connection.send(head + body)
    else:
        await connection.send(head, body)
    return len(head) + len(body)


class EdgeFront:
    """The viewers' port."""

    def __init__(self, cloud):
        self.cloud = cloud

    async def handle(self, request, connection):
        cloud = self.cloud
        about = {"service": "edge", "operation": "ViewerRequest", "method": request.method, "path": request.target}
        fault = cloud.faults.pick("edge", "ViewerRequest", request.method, request.target)
        if "stall_s" in fault:
            await cloud.faults.stall(fault["stall_s"], about)
        if "drop" in fault:
            connection.abort()
            return self._note(request, about, 0, 0)
        if "status" in fault:
            response, about["x_cache"] = Response(fault["status"], [("Content-Type", fault.get("content_type", "text/html"))], fault.get("body", "").encode()), "Error from cloudfront"
        else:
            await cloud.cloudformation.settle()
            response, about["x_cache"] = await cloud.edge.serve(request)
        response.headers.append(("Date", http_date(cloud.clock.now() + fault.get("date_offset_s", 0))))
        head, body = serialize(response, request.method == "HEAD")
        sent = await _transmit(connection, head, body, fault)
        return self._note(request, about, response.status, sent)

    def _note(self, request, about, status, sent):
        self.cloud.log.add({
            "n": 0, "time": round(self.cloud.clock.now(), 6), **about, "status": status, "started": request.started,
            "ended": time.monotonic(), "bytes_in": request.bytes_in, "bytes_out": sent, "edge": True})

    def malformed(self, message):
        return Response(400, [("Content-Type", "text/plain"), ("Connection", "close")], b"Bad request\n")

    def aborted(self, request):
        pass


async def _end_with_parent(parent, stop):
    """A test runner that was killed must not leave clouds behind."""
    while os.getppid() == parent:
        await asyncio.sleep(0.5)
    stop.set()


async def serve(options):
    loop = asyncio.get_running_loop()
    cloud = Cloud(options.dir)
    stop = asyncio.Event()
    parent = os.getppid()    # before the ready line: after it, the parent may be gone already
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    front, edge = Front(cloud), EdgeFront(cloud)
    aws_server = await loop.create_server(lambda: Connection(front), "127.0.0.1", options.port, backlog=1024)
    edge_server = await loop.create_server(lambda: Connection(edge), "127.0.0.1", options.edge_port, backlog=1024)
    # Whatever moto made at import lives as long as the process: the collector need not walk it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    root = cloud.credentials.root
    cloud.runtime.endpoint = f"http://127.0.0.1:{aws_server.sockets[0].getsockname()[1]}"
    print(json.dumps({
        "endpoint": f"http://127.0.0.1:{aws_server.sockets[0].getsockname()[1]}", "edge": f"http://127.0.0.1:{edge_server.sockets[0].getsockname()[1]}",
        "access_key_id": root.access_key, "secret_access_key": root.secret, "region": "us-east-1", "account": ACCOUNT,
        "log": cloud.log.path, "pid": os.getpid()}), flush=True)
    watcher = loop.create_task(_end_with_parent(parent, stop)) if options.with_parent else None
    await stop.wait()
    if watcher is not None:
        watcher.cancel()
    aws_server.close()
    edge_server.close()
    await cloud.runtime.close()


def main():
    parser = argparse.ArgumentParser(description="A stand-in for AWS on loopback.")
    parser.add_argument("--dir", required=True, help="folder for the request log; made if missing")
    parser.add_argument("--port", type=int, default=0, help="port of the AWS endpoint (0: any free one)")
    parser.add_argument("--edge-port", type=int, default=0, help="port of the edge (0: any free one)")
    parser.add_argument("--with-parent", action="store_true", help="end when the process that started it ends")
    asyncio.run(serve(parser.parse_args()))
    sys.stdout.flush()
    # Threads that still wait inside moto must not keep a stopped cloud alive.
    os._exit(0)
