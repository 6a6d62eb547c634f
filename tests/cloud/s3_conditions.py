"""Conditional requests, exactly as S3 answers them."""
import math

from .clock import parse_http_date
from .errors import AwsError


def precondition_failed(condition):
    return AwsError(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", {"Condition": condition})


def no_such_key(key):
    return AwsError(404, "NoSuchKey", "The specified key does not exist.", {"Key": key})


def same_etag(condition, etag):
    """`condition` is an entity tag list, quoted or bare, or `*`."""
    return any(part.strip().removeprefix("W/").strip('"') in ("*", etag.strip('"')) for part in condition.split(","))


def check_write(headers, current, key):
    """PUT, DELETE, CopyObject and CompleteMultipartUpload: raise unless the write may go on."""
    wanted, unwanted = headers.get("if-match"), headers.get("if-none-match")
    if wanted is not None and unwanted is not None:
        raise AwsError(400, "InvalidRequest", "Multiple conditional request headers present in the request")
    if unwanted is not None:
        if unwanted.strip() != "*":
            raise AwsError(501, "NotImplemented", "A header you provided implies functionality that is not implemented", {"Header": "If-None-Match"})
        if current is not None:
            raise precondition_failed("If-None-Match")
    if wanted is not None:
        if current is None:
            raise no_such_key(key)
        if not same_etag(wanted, current.etag):
            raise precondition_failed("If-Match")


def check_read(headers, current, prefix=""):
    """GET and HEAD (prefix empty) and the source of a copy: raise 412 or 304."""
    changed_at = math.floor(current.modified)
    wanted, unwanted = headers.get(prefix + "if-match"), headers.get(prefix + "if-none-match")
    before, since = headers.get(prefix + "if-unmodified-since"), headers.get(prefix + "if-modified-since")
    if wanted is not None:
        if not same_etag(wanted, current.etag):
            raise precondition_failed("If-Match")
    elif before is not None and (parse_http_date(before) or changed_at) < changed_at:
        raise precondition_failed("If-Unmodified-Since")
    if unwanted is not None:
        stale = same_etag(unwanted, current.etag)
    else:
        stale = since is not None and changed_at <= (parse_http_date(since) or -1)
    if stale:
        if prefix:
            raise precondition_failed("If-None-Match")
        raise AwsError(304, "NotModified", "", headers=[("ETag", current.etag)])
