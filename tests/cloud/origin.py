"""What an origin answers a cache: S3's REST endpoint, S3's website endpoint, or somebody else's server."""
import json
import re
from urllib.parse import quote

from . import xmlio
from .clock import http_date
from .errors import AwsError
from .s3_route import WEBSITE_HOST, decode_text

_REST_HOST = re.compile(r"(?P<bucket>.+)\.s3[.-](?:dualstack\.)?(?:[a-z0-9-]+\.)?(?:amazonaws\.com|localhost)")


class Answer:
    """Status, headers and body, as a cache would store them."""

    __slots__ = ("status", "headers", "body")

    def __init__(self, status, headers, body=b""):
        self.status, self.headers, self.body = status, headers, body


def _many(value):
    return value if isinstance(value, list) else [] if value is None else [value]


def _is_cloudfront(principal):
    named = _many(principal.get("Service") or principal.get("AWS")) if isinstance(principal, dict) else [principal]
    return bool({"*", "cloudfront.amazonaws.com"} & set(named))


def _like(text, pattern):
    """IAM's wildcards: * and ?, nothing else."""
    return re.fullmatch("".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern), text, re.S) is not None


def bucket_of_domain(domain):
    """(bucket, is a website endpoint) of an origin's domain, or (None, False)."""
    domain = domain.lower()
    for pattern, website in ((WEBSITE_HOST, True), (_REST_HOST, False)):
        match = pattern.fullmatch(domain)
        if match:
            return match["bucket"], website
    return None, False


class Origins:
    def __init__(self, store, buckets):
        self.store, self.buckets = store, buckets

    def fetch(self, origin, path):
        """The answer to GET `path`, which already has the origin path in front."""
        bucket, website = bucket_of_domain(origin.domain)
        if bucket is None:
            # Not ours to serve. A fixed page, so that other behaviours have something worth keeping.
            return Answer(200, [("Content-Type", "text/plain")], f"{origin.domain}{path}\n".encode())
        if self.buckets.find(bucket) is None:
            return _error_page(404, "NoSuchBucket")
        try:
            key = decode_text(path[1:], "URI")
        except AwsError as error:
            return _error_page(error.status, error.code)
        return self.website(bucket, key) if website else self._rest(bucket, key)

    def _rest(self, bucket, key):
        stored = self.store.get(bucket, key) if key else None
        if key and self._refuses(bucket, key):
            return _error_page(403, "AccessDenied")
        if stored is not None:
            return _found(stored)
        if key and self._may_list(bucket):
            return _error_page(404, "NoSuchKey")
        return _error_page(403, "AccessDenied")

    def _may_list(self, bucket):
        """Without ListBucket, S3 hides whether a key exists: 403 instead of 404."""
        return any(s.get("Effect") == "Allow" and {"s3:ListBucket", "s3:*", "*"} & set(_many(s.get("Action"))) for s in self._statements(bucket))

    def _refuses(self, bucket, key):
        """Whether the bucket's policy denies CloudFront this object, whatever the circumstances."""
        resource = f"arn:aws:s3:::{bucket}/{key}"
        return any(s.get("Effect") == "Deny" and "Condition" not in s and _is_cloudfront(s.get("Principal"))
                   and any(_like("s3:GetObject", a) for a in _many(s.get("Action"))) and any(_like(resource, r) for r in _many(s.get("Resource")))
                   for s in self._statements(bucket))

    def _statements(self, bucket):
        policy = self.buckets.find(bucket).policy
        try:
            return _many(json.loads(policy).get("Statement")) if policy else []
        except (ValueError, AttributeError):
            return []

    def website_config(self, bucket):
        """(index suffix, error key), or None without a website configuration."""
        found = self.buckets.find(bucket)
        raw = found.website_configuration if found is not None else None
        if not raw:
            return None
        if isinstance(raw, dict):  # as CloudFormation stores it
            return raw.get("IndexDocument"), raw.get("ErrorDocument")
        root = xmlio.parse(raw)
        return xmlio.text(root, "IndexDocument/Suffix"), xmlio.text(root, "ErrorDocument/Key")

    def website(self, bucket, key):
        """The website endpoint: index documents, folder redirects, the error document."""
        config = self.website_config(bucket)
        if config is None:
            return _error_page(404, "NoSuchWebsiteConfiguration")
        index, error_key = config
        if not key or key.endswith("/"):
            stored = self.store.get(bucket, key + index)
        else:
            stored = self.store.get(bucket, key)
            if stored is None and self.store.get(bucket, f"{key}/{index}") is not None:
                return Answer(302, [("Location", "/" + quote(key, safe="/~") + "/")])
        if stored is not None:
            return _found(stored)
        page = self.store.get(bucket, error_key) if error_key else None
        return _error_page(404, "NoSuchKey") if page is None else Answer(404, _found(page).headers, page.data)


def _found(stored):
    location = next((v for n, v in stored.headers if n == "x-amz-website-redirect-location"), None)
    headers = [("ETag", stored.etag), ("Last-Modified", http_date(stored.modified)), *stored.headers]
    if location:
        return Answer(301, [("Location", location)])
    return Answer(200, headers, stored.data)


def _error_page(status, code):
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code></Error>'.encode()
    return Answer(status, [("Content-Type", "application/xml")], body)
