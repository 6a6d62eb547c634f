"""S3's object operations on the own store: put, get, head, copy, delete, batch delete."""
import base64
import hashlib
import zlib

from . import xmlio
from .clock import http_date, iso_date
from .errors import AwsError
from .http11 import Response
from .s3_conditions import check_read, check_write, no_such_key
from .s3_route import decode_text

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
XML = ("Content-Type", "application/xml")
MAX_KEY, MAX_METADATA, MAX_DELETE = 1024, 2048, 1000
_KEPT = ("content-type", "cache-control", "content-encoding", "content-disposition", "content-language", "expires",
         "x-amz-website-redirect-location", "x-amz-storage-class")
_WIRE_NAMES = {"content-type": "Content-Type", "cache-control": "Cache-Control", "content-encoding": "Content-Encoding",
               "content-disposition": "Content-Disposition", "content-language": "Content-Language", "expires": "Expires"}
_OVERRIDES = {f"response-{name}": _WIRE_NAMES[name] for name in _WIRE_NAMES}
_DIGESTS = {
    "sha256": lambda b: hashlib.sha256(b).digest(),
    "sha1": lambda b: hashlib.sha1(b).digest(),
    "crc32": lambda b: zlib.crc32(b).to_bytes(4, "big"),
}
_CHECKSUMS = ("sha256", "sha1", "crc32", "crc32c", "crc64nvme")


def stored_headers(request):
    """The headers that become part of the object, as a tuple that objects can share."""
    headers = request.headers
    kept, metadata = [], 0
    for name in _KEPT:
        value = headers.get(name)
        if name == "content-encoding" and value is not None:
            value = ",".join(e.strip() for e in value.split(",") if e.strip() != "aws-chunked")
        if value:
            kept.append((_WIRE_NAMES.get(name, name), value))
    for name, value in headers.items():
        if name.startswith("x-amz-meta-"):
            metadata += len(name) - len("x-amz-meta-") + len(value)
            kept.append((name, value))
    if metadata > MAX_METADATA:
        raise AwsError(400, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size",
                       {"Size": metadata, "MaxSizeAllowed": MAX_METADATA})
    if "content-type" not in headers:
        kept.insert(0, ("Content-Type", "binary/octet-stream"))
    return tuple(kept)


def check_digests(request, body, trailer=()):
    """Verify Content-MD5 and x-amz-checksum-*; returns the checksums to keep."""
    declared = request.headers.get("content-md5")
    if declared is not None:
        _check_md5(declared, body)
    kept = []
    given = {**request.headers, **dict(trailer)}
    for name in _CHECKSUMS:
        value = given.get("x-amz-checksum-" + name)
        if value is None:
            continue
        digest = _DIGESTS.get(name)
        if digest and _decode64(value) != digest(body):
            raise AwsError(400, "BadDigest", f"The {name.upper()} you specified did not match the calculated checksum.")
        kept.append((f"x-amz-checksum-{name}", value))
    return tuple(kept)


def _check_md5(declared, body):
    digest = _decode64(declared)
    if digest is None or len(digest) != 16:
        raise AwsError(400, "InvalidDigest", "The Content-MD5 you specified was invalid.", {"Content-MD5": declared})
    if digest != hashlib.md5(body).digest():
        raise AwsError(400, "BadDigest", "The Content-MD5 you specified did not match what we received.", {"ExpectedDigest": declared})


def _decode64(text):
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None


def object_headers(stored, request=None):
    """Response headers of GET and HEAD."""
    headers = [("ETag", stored.etag), ("Last-Modified", http_date(stored.modified)), ("Accept-Ranges", "bytes"),
               ("x-amz-server-side-encryption", "AES256"), *stored.headers]
    if request is not None and request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
        headers += stored.checksums
    return headers


class Objects:
    def __init__(self, store, buckets):
        self.store, self.buckets = store, buckets

    def put(self, call, request, body, trailer):
        checksums = check_digests(request, body, trailer)
        headers = stored_headers(request)
        if len(call.key.encode()) > MAX_KEY:
            raise AwsError(400, "KeyTooLongError", "Your key is too long", {"Size": len(call.key.encode()), "MaxSizeAllowed": MAX_KEY})
        check_write(request.headers, self.store.get(call.bucket, call.key), call.key)
        stored = self.store.put(call.bucket, call.key, body, headers, checksums)
        return Response(200, [("ETag", stored.etag), ("x-amz-server-side-encryption", "AES256"), *checksums])

    def get(self, call, request):
        stored = self.store.get(call.bucket, call.key)
        if stored is None:
            raise no_such_key(call.key)
        check_read(request.headers, stored)
        headers = object_headers(stored, request)
        if "range" in request.headers:
            # A checksum is over the whole object: it would not fit a part of it.
            return self._range(stored, object_headers(stored), request.headers["range"])
        overrides = [(wire, call.query[name]) for name, wire in _OVERRIDES.items() if name in call.query]
        if overrides:
            replaced = {wire.lower() for wire, _ in overrides}
            headers = [h for h in headers if h[0].lower() not in replaced] + overrides
        return Response(200, headers, stored.data)

    @staticmethod
    def _range(stored, headers, text):
        size = len(stored.data)
        unit, _, spec = text.partition("=")
        first, dash, last = spec.partition("-")
        if unit.strip() != "bytes" or not dash or "," in spec or not (first + last).strip().isdigit():
            return Response(200, headers, stored.data)
        start, end = (int(first), min(int(last or size), size - 1)) if first else (max(0, size - int(last)), size - 1)
        if start >= size or start > end:
            raise AwsError(416, "InvalidRange", "The requested range is not satisfiable", {"RangeRequested": text, "ActualObjectSize": size},
                           [("Content-Range", f"bytes */{size}")])
        return Response(206, headers + [("Content-Range", f"bytes {start}-{end}/{size}")], stored.data[start:end + 1])

    def copy(self, call, request):
        source = self.copy_source(request)
        check_read(request.headers, source, "x-amz-copy-source-")
        directive = request.headers.get("x-amz-metadata-directive", "COPY").upper()
        same = self.store.get(call.bucket, call.key) is source
        if directive not in ("COPY", "REPLACE"):
            raise AwsError(400, "InvalidArgument", "Unknown metadata directive.")
        if same and directive == "COPY":
            raise AwsError(400, "InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself without changing "
                           "the object's metadata, storage class, website redirect location or encryption attributes.")
        headers = stored_headers(request) if directive == "REPLACE" else source.headers
        check_write(request.headers, self.store.get(call.bucket, call.key), call.key)
        # A copy is one part: S3 gives it the MD5 of its bytes, even if the source was uploaded in parts.
        stored = self.store.put(call.bucket, call.key, source.data, headers, source.checksums)
        inner = xmlio.tag("ETag", stored.etag) + xmlio.tag("LastModified", iso_date(stored.modified))
        return Response(200, [XML], xmlio.document("CopyObjectResult", NAMESPACE, inner))

    def copy_source(self, request):
        """The object that x-amz-copy-source names."""
        raw = request.headers["x-amz-copy-source"].partition("?versionId=")[0]
        bucket, slash, key = decode_text(raw.removeprefix("/"), "copy source").partition("/")
        if not slash or not key:
            raise AwsError(400, "InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
        self.buckets.require(bucket)
        stored = self.store.get(bucket, key)
        if stored is None:
            raise no_such_key(key)
        return stored

    def delete(self, call, request):
        if "if-match" in request.headers:
            check_write(request.headers, self.store.get(call.bucket, call.key), call.key)
        self.store.delete(call.bucket, call.key)
        return Response(204)

    def delete_many(self, call, request, body):
        if not check_digests(request, body) and "content-md5" not in request.headers:
            raise AwsError(400, "InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
        root = xmlio.parse(body)
        if root is None or root.tag != "Delete":
            raise malformed_xml()
        entries = root.findall("Object")
        if not 1 <= len(entries) <= MAX_DELETE or any(xmlio.text(e, "Key") is None for e in entries):
            raise malformed_xml()
        quiet = xmlio.text(root, "Quiet", "").lower() == "true"
        inner = "".join(self._delete_one(call.bucket, entry, quiet) for entry in entries)
        return Response(200, [XML], xmlio.document("DeleteResult", NAMESPACE, inner))

    def _delete_one(self, bucket, entry, quiet):
        key, etag = xmlio.text(entry, "Key"), xmlio.text(entry, "ETag")
        try:
            if etag is not None:
                check_write({"if-match": etag}, self.store.get(bucket, key), key)
        except AwsError as error:
            return ("<Error>" + xmlio.tag("Key", key) + xmlio.tag("Code", error.code) + xmlio.tag("Message", error.message) + "</Error>")
        self.store.delete(bucket, key)
        return "" if quiet else "<Deleted>" + xmlio.tag("Key", key) + "</Deleted>"


def malformed_xml():
    return AwsError(400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
