"""The cloud's other services as CloudFormation uses them: botocore's clients without a wire, rules, signatures or log lines."""
import io
import threading
import time
from urllib.parse import urlsplit

import boto3
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError

from .errors import AwsError
from .http11 import Request


class _Raw(io.BytesIO):
    """What botocore reads an answer's body from."""

    def stream(self, **_):
        data = self.read()
        while data:
            yield data
            data = self.read()


class Inner:
    def __init__(self, dispatch):
        """`dispatch(request)` answers a request; it is called in the thread of CloudFormation."""
        self._dispatch, self._clients, self._lock = dispatch, {}, threading.Lock()
        self._session = boto3.session.Session("local", "local")

    def client(self, service, region):
        with self._lock:
            if (service, region) not in self._clients:
                made = self._session.client(service, region_name=region, endpoint_url="http://127.0.0.1",
                                            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}))
                made.meta.events.register("before-send.*.*", self._send)
                self._clients[service, region] = made
            return self._clients[service, region]

    def _send(self, request, **_):
        address = urlsplit(request.url)
        target = (address.path or "/") + ("?" + address.query if address.query else "")
        pairs = [(name.lower(), value.decode("latin-1") if isinstance(value, bytes) else str(value)) for name, value in request.headers.items()]
        body = request.body or b""
        body = body.read() if hasattr(body, "read") else body.encode() if isinstance(body, str) else bytes(body)
        pairs = [(n, v) for n, v in pairs if n not in ("host", "content-length")] + [("host", "127.0.0.1"), ("content-length", str(len(body)))]
        inner = Request(request.method, target, pairs, True, time.monotonic(), len(body))
        inner.body = body
        response = self._dispatch(inner)
        return AWSResponse(request.url, response.status, _headers(response.headers), _Raw(response.body))


def _headers(pairs):
    made = HeadersDict()
    for name, value in pairs:
        made[name] = value
    return made


class Aws:
    """The services of one region: `aws("lambda", "CreateFunction", FunctionName=..., ...)`."""

    def __init__(self, inner, region, account, cloud):
        self.inner, self.region, self.account, self.cloud = inner, region, account, cloud

    def __call__(self, service, operation, **values):
        """The answer; values are bent to what the operation's model wants. Errors are AwsError."""
        client = self.inner.client(service, self.region)
        model = client.meta.service_model.operation_model(operation)
        values = fit(model.input_shape, values) if model.input_shape else {}
        try:
            return client._make_api_call(operation, values)
        except ClientError as error:
            status, about = error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]
            raise AwsError(status, about.get("Code", "Unknown"), about.get("Message", "")) from None
        except ParamValidationError as error:
            raise AwsError(400, "ValidationException", "Properties validation failed: " + str(error).replace("\n", " ")) from None

    def finds(self, service, operation, **values):
        """Whether a Get or Describe finds something."""
        try:
            self(service, operation, **values)
        except AwsError as error:
            if error.status not in (400, 404):
                raise
            return False
        return True


def fit(shape, value):
    """A value as CloudFormation templates write it, as the API's model wants it: numbers from texts, {Quantity, Items} from lists,
    names in the API's spelling. A name that the model does not have is refused."""
    kind = shape.type_name
    if kind == "structure":
        members = {name.lower(): name for name in shape.members}
        if "quantity" in members and "items" in members and isinstance(value, list):
            value = {"Quantity": len(value), **({"Items": value} if value else {}), **({"Enabled": True} if "enabled" in members else {})}
        if "quantity" in members and isinstance(value, dict) and "Items" in value:
            value = {"Quantity": len(value["Items"]), **value}
        if not isinstance(value, dict):
            raise AwsError(400, "ValidationException", f"Properties validation failed: expected type: JSONObject, found: {type(value).__name__}")
        unknown = [name for name in value if name.lower() not in members]
        if unknown:
            raise AwsError(400, "InvalidRequest", f"Properties validation failed with message: #: extraneous key [{unknown[0]}] is not permitted")
        return {members[n.lower()]: fit(shape.members[members[n.lower()]], v) for n, v in value.items() if v is not None}
    if kind == "list":
        return [fit(shape.member, item) for item in (value if isinstance(value, list) else [value])]
    if kind == "map":
        return {key: fit(shape.value, item) for key, item in value.items()}
    if kind in ("integer", "long"):
        return int(value)
    if kind in ("float", "double"):
        return float(value)
    if kind == "boolean":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    if kind == "string" and not isinstance(value, str):
        return ("true" if value else "false") if isinstance(value, bool) else str(value)
    return value
