"""AWS errors, and how each protocol spells them."""
import json

from .http11 import Response
from .xmlio import escape


class AwsError(Exception):
    """An answer that is an error; `extra` becomes elements (S3) and `headers` go on the wire."""

    def __init__(self, status, code, message, extra=None, headers=None):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message
        self.extra = extra or {}
        self.headers = headers or []


NAMESPACES = {
    "cloudfront": "http://cloudfront.amazonaws.com/doc/2020-05-31/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
    "cloudformation": "http://cloudformation.amazonaws.com/doc/2010-05-15/",
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
}
STATUS_WITHOUT_BODY = (304,)


def render(service, error, request_id, resource="", head=False):
    """The response for `error` in the dialect of `service`."""
    if error.status in STATUS_WITHOUT_BODY or (head and service == "s3"):
        return Response(error.status, list(error.headers), b"")
    if service == "s3" or service is None:
        return _s3(error, request_id, resource)
    if service in NAMESPACES:
        return _wrapped(service, error, request_id)
    return _rest_json(error) if service == "lambda" else _json(error)


def _s3(error, request_id, resource):
    extra = "".join(f"<{k}>{escape(str(v))}</{k}>" for k, v in error.extra.items())
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message>{extra}"
        f"<Resource>{escape(resource)}</Resource><RequestId>{request_id}</RequestId><HostId>local</HostId></Error>"
    )
    return Response(error.status, [("Content-Type", "application/xml"), *error.headers], body.encode())


def _wrapped(service, error, request_id):
    kind = "Receiver" if error.status >= 500 else "Sender"
    body = (
        f'<?xml version="1.0"?>\n<ErrorResponse xmlns="{NAMESPACES[service]}"><Error><Type>{kind}</Type>'
        f"<Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return Response(error.status, [("Content-Type", "text/xml"), *error.headers], body.encode())


def _json(error):
    body = json.dumps({"__type": error.code, "message": error.message, "Message": error.message})
    headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", error.code), *error.headers]
    return Response(error.status, headers, body.encode())


# How Lambda calls what is wrong with a signature, and the two shapes that spell their message with a capital.
_LAMBDA_CODES = {"InvalidClientTokenId": "UnrecognizedClientException", "SignatureDoesNotMatch": "InvalidSignatureException",
                 "ExpiredToken": "ExpiredTokenException", "InternalError": "ServiceException"}
_CAPITAL = {"ResourceNotFoundException", "ServiceException", "AccessDeniedException"}


def _rest_json(error):
    code = _LAMBDA_CODES.get(error.code, error.code)
    body = {"Type": "User" if error.status < 500 else "Service", "Message" if code in _CAPITAL else "message": error.message, **error.extra}
    headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", code), *error.headers]
    return Response(error.status, headers, json.dumps(body).encode())
