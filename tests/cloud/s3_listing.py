"""ListObjectsV2, ListObjects and ListMultipartUploads."""
import base64
from urllib.parse import quote_plus

from . import xmlio
from .clock import iso_date
from .errors import AwsError
from .http11 import Response

from .s3_objects import NAMESPACE, XML


def _encoder(query):
    kind = query.get("encoding-type")
    if kind is None:
        return lambda text: text
    if kind != "url":
        raise AwsError(400, "InvalidArgument", "Invalid Encoding Method specified in Request", {"ArgumentName": "encoding-type"})
    return lambda text: quote_plus(text, safe="/*-._").replace("~", "%7E")


def _limit(query, name):
    text = query.get(name, "1000")
    if not text.isascii() or not text.isdigit():
        raise AwsError(400, "InvalidArgument", f"Provided {name} not an integer or within integer range", {"ArgumentName": name, "ArgumentValue": text})
    return min(int(text), 1000)


def _token_out(key):
    return base64.urlsafe_b64encode(b"1" + key.encode()).decode()


def _token_in(token):
    try:
        raw = base64.urlsafe_b64decode(token)
        if raw[:1] != b"1":
            raise ValueError
        return raw[1:].decode()
    except ValueError:
        raise AwsError(400, "InvalidArgument", "The continuation token provided is incorrect", {"ArgumentName": "continuation-token"}) from None


class Page:
    """One page of keys and common prefixes."""

    def __init__(self, shelf, prefix, delimiter, after, limit):
        self.keys, self.prefixes, self.truncated, self.last = [], [], False, None
        skip = None
        for key in shelf.starting(prefix, after) if limit else ():
            if skip is not None and key.startswith(skip):
                continue
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            group = key[:cut + len(delimiter)] if cut >= 0 else None
            if group is not None and after is not None and after.startswith(group):
                continue  # this group ended the page before
            if len(self.keys) + len(self.prefixes) == limit:
                self.truncated = True
                return
            skip = group
            (self.keys if group is None else self.prefixes).append(key if group is None else group)
            self.last = key if group is None else group


def list_v2(call, store):
    query = call.query
    encode, limit = _encoder(query), _limit(query, "max-keys")
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    token, start = query.get("continuation-token"), query.get("start-after")
    after = _token_in(token) if token is not None else start or None
    shelf = store.shelf(call.bucket)
    page = Page(shelf, prefix, delimiter, after, limit)
    inner = xmlio.tag("Name", call.bucket) + xmlio.tag("Prefix", encode(prefix)) + xmlio.tag("KeyCount", len(page.keys) + len(page.prefixes))
    inner += xmlio.tag("MaxKeys", limit) + _common(query, encode, delimiter, page)
    if token is not None:
        inner += xmlio.tag("ContinuationToken", token)
    if start is not None:
        inner += xmlio.tag("StartAfter", encode(start))
    if page.truncated:
        inner += xmlio.tag("NextContinuationToken", _token_out(page.last))
    owner = query.get("fetch-owner") == "true"
    return Response(200, [XML], xmlio.document("ListBucketResult", NAMESPACE, inner + _contents(page, shelf, encode, owner)))


def list_v1(call, store):
    query = call.query
    encode, limit = _encoder(query), _limit(query, "max-keys")
    prefix, delimiter, marker = query.get("prefix", ""), query.get("delimiter", ""), query.get("marker", "")
    shelf = store.shelf(call.bucket)
    page = Page(shelf, prefix, delimiter, marker or None, limit)
    inner = xmlio.tag("Name", call.bucket) + xmlio.tag("Prefix", encode(prefix)) + xmlio.tag("Marker", encode(marker))
    inner += xmlio.tag("MaxKeys", limit) + _common(query, encode, delimiter, page)
    if page.truncated and delimiter:
        inner += xmlio.tag("NextMarker", encode(page.last))
    return Response(200, [XML], xmlio.document("ListBucketResult", NAMESPACE, inner + _contents(page, shelf, encode, True)))


def _common(query, encode, delimiter, page):
    inner = xmlio.tag("EncodingType", "url") if "encoding-type" in query else ""
    if delimiter:
        inner += xmlio.tag("Delimiter", encode(delimiter))
    return inner + xmlio.tag("IsTruncated", "true" if page.truncated else "false")


def _contents(page, shelf, encode, owner):
    parts = []
    for key in page.keys:
        stored = shelf.objects[key]
        parts.append("<Contents>" + xmlio.tag("Key", encode(key)) + xmlio.tag("LastModified", iso_date(stored.modified))
                     + xmlio.tag("ETag", stored.etag) + xmlio.tag("Size", len(stored.data))
                     + ("<Owner><ID>local</ID></Owner>" if owner else "") + "<StorageClass>STANDARD</StorageClass></Contents>")
    parts += ["<CommonPrefixes>" + xmlio.tag("Prefix", encode(group)) + "</CommonPrefixes>" for group in page.prefixes]
    return "".join(parts)


def list_uploads(call, store):
    query = call.query
    encode, limit = _encoder(query), _limit(query, "max-uploads")
    prefix, marker = query.get("prefix", ""), (query.get("key-marker", ""), query.get("upload-id-marker", ""))
    uploads = [u for u in sorted(store.uploads_of(call.bucket), key=lambda u: (u.key, u.id))
               if u.key.startswith(prefix) and ((u.key, u.id) > marker if marker[1] else u.key > marker[0])]
    page = uploads[:limit]
    inner = xmlio.tag("Bucket", call.bucket) + xmlio.tag("KeyMarker", encode(marker[0])) + xmlio.tag("UploadIdMarker", marker[1])
    inner += xmlio.tag("Prefix", encode(prefix)) + xmlio.tag("MaxUploads", limit) + _common(query, encode, "", _Truncated(len(uploads) > limit))
    if len(uploads) > limit and page:
        inner += xmlio.tag("NextKeyMarker", encode(page[-1].key)) + xmlio.tag("NextUploadIdMarker", page[-1].id)
    for upload in page:
        inner += ("<Upload>" + xmlio.tag("Key", encode(upload.key)) + xmlio.tag("UploadId", upload.id)
                  + "<StorageClass>STANDARD</StorageClass>" + xmlio.tag("Initiated", iso_date(upload.initiated)) + "</Upload>")
    return Response(200, [XML], xmlio.document("ListMultipartUploadsResult", NAMESPACE, inner))


class _Truncated:
    def __init__(self, truncated):
        self.truncated = truncated
