"""Which S3 operation a request is: from host, path and query, with the key's bytes decoded once."""
import re
from urllib.parse import unquote_to_bytes

from .errors import AwsError

_AMAZON_HOST = re.compile(r"(?:(?P<bucket>.+)\.)?s3[.-](?:dualstack\.)?(?:[a-z0-9-]+\.)?amazonaws\.com")
WEBSITE_HOST = re.compile(r"(?P<bucket>.+)\.s3-website[.-](?P<region>[a-z0-9-]+)\.(?:amazonaws\.com|localhost)")

_BUCKET_SUBRESOURCES = {
    "accelerate": "BucketAccelerateConfiguration", "acl": "BucketAcl", "analytics": "BucketAnalyticsConfiguration",
    "cors": "BucketCors", "encryption": "BucketEncryption", "inventory": "BucketInventoryConfiguration",
    "lifecycle": "BucketLifecycleConfiguration", "location": "BucketLocation", "logging": "BucketLogging",
    "metrics": "BucketMetricsConfiguration", "notification": "BucketNotificationConfiguration",
    "object-lock": "ObjectLockConfiguration", "ownershipControls": "BucketOwnershipControls", "policy": "BucketPolicy",
    "policyStatus": "BucketPolicyStatus", "publicAccessBlock": "PublicAccessBlock", "replication": "BucketReplication",
    "requestPayment": "BucketRequestPayment", "tagging": "BucketTagging", "versioning": "BucketVersioning",
    "website": "BucketWebsite",
}
_KEY_SUBRESOURCES = {
    "acl": "ObjectAcl", "tagging": "ObjectTagging", "attributes": "ObjectAttributes", "retention": "ObjectRetention",
    "legal-hold": "ObjectLegalHold", "torrent": "ObjectTorrent",
}
_VERBS = {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}


class S3Call:
    __slots__ = ("operation", "bucket", "key", "query", "virtual_host")

    def __init__(self, operation, bucket, key, query, virtual_host):
        self.operation, self.bucket, self.key = operation, bucket, key
        self.query, self.virtual_host = query, virtual_host


def bucket_of_host(host):
    """The bucket of a virtual-hosted request, else None."""
    name = host.rsplit(":", 1)[0] if not host.startswith("[") else host
    name = name.lower()
    match = _AMAZON_HOST.fullmatch(name)
    if match:
        return match["bucket"]
    if not name.endswith(".localhost"):
        return None
    labels = name[:-len(".localhost")]
    return re.sub(r"(^|\.)s3(\.[a-z0-9-]+)?$", "", labels) or None


def website_of_host(host):
    match = WEBSITE_HOST.fullmatch(host.rsplit(":", 1)[0].lower())
    return match["bucket"] if match else None


def decode_text(raw, what):
    """Percent-decoded UTF-8; S3 keys are nothing else."""
    try:
        return unquote_to_bytes(raw.encode("latin-1")).decode("utf-8")
    except UnicodeDecodeError:
        raise AwsError(400, "InvalidURI", f"Couldn't parse the specified {what}.", {"URI": raw}) from None


def parse_query(query):
    """Name to value, the last one wins; `+` is a space here, as S3's front end reads it."""
    values = {}
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        values[decode_text(name, "query")] = decode_text(value.replace("+", " "), "query")
    return values


def route(request):
    """The call a request makes. Raises only for text that is not UTF-8."""
    bucket = bucket_of_host(request.headers.get("host", ""))
    virtual = bucket is not None
    path = request.path[1:]
    if not virtual:
        bucket, _, path = path.partition("/")
        bucket = decode_text(bucket, "URI")
    key = decode_text(path, "URI")
    query = parse_query(request.query)
    return S3Call(_operation(request, bucket, key, query), bucket, key, query, virtual)


def _operation(request, bucket, key, query):
    if not bucket:
        return "ListBuckets" if request.method == "GET" else "Unknown"
    return _key_operation(request, query) if key else _bucket_operation(request.method, query)


def _bucket_operation(method, query):
    if method == "POST":
        return "DeleteObjects" if "delete" in query else "PostObject"
    if method == "HEAD":
        return "HeadBucket"
    for name, noun in _BUCKET_SUBRESOURCES.items():
        if name in query and method in _VERBS:
            return _VERBS[method] + noun
    if method == "GET":
        if "uploads" in query:
            return "ListMultipartUploads"
        if "versions" in query:
            return "ListObjectVersions"
        return "ListObjectsV2" if query.get("list-type") == "2" else "ListObjects"
    return {"PUT": "CreateBucket", "DELETE": "DeleteBucket"}.get(method, "Unknown")


def _key_operation(request, query):
    method = request.method
    for name, noun in _KEY_SUBRESOURCES.items():
        if name in query and method in _VERBS:
            return _VERBS[method] + noun
    if method == "PUT":
        copy = "x-amz-copy-source" in request.headers
        if "uploadId" in query:
            return "UploadPartCopy" if copy else "UploadPart"
        return "CopyObject" if copy else "PutObject"
    if method == "POST":
        return "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload" if "uploadId" in query else "Unknown"
    if method == "DELETE":
        return "AbortMultipartUpload" if "uploadId" in query else "DeleteObject"
    if method == "GET":
        return "ListParts" if "uploadId" in query else "GetObject"
    return "HeadObject" if method == "HEAD" else "Unknown"
