"""SigV4 as the server sees it: rebuild the request from what arrived, sign it with botocore, compare.

botocore is the oracle on purpose: a signer written here could share a misreading with the client under test.
"""
import hashlib
import hmac
import re
from urllib.parse import quote, unquote_to_bytes

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials as BotoCredentials

from .clock import amz_date, iso_date, parse_amz_date
from .errors import AwsError

S3_SKEW, OTHER_SKEW = 15 * 60, 5 * 60
MAX_PRESIGNED = 7 * 86400
UNSIGNED = "UNSIGNED-PAYLOAD"
STREAMING_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_AUTH = re.compile(r"AWS4-HMAC-SHA256\s+(.*)")
_HEX64 = re.compile(r"[0-9a-f]{64}")


class Claim:
    """What a request says about its signature."""

    __slots__ = ("access_key", "day", "region", "service", "signed", "signature", "date", "expires", "token", "presigned")


class _Rebuilt:
    """botocore's signer, told exactly which headers were signed and how the query reads."""

    def headers_to_sign(self, request):
        return request.headers

    def canonical_query_string(self, request):
        return request.context["query"]


class _S3Signer(_Rebuilt, S3SigV4Auth):
    pass


class _Signer(_Rebuilt, SigV4Auth):
    pass


def claim_of(request):
    """The claim, None for an anonymous request; a malformed claim raises."""
    header = request.headers.get("authorization")
    if header is not None:
        return _header_claim(request, header)
    if "X-Amz-Signature=" in request.query or "X-Amz-Algorithm=" in request.query:
        return _query_claim(request)
    return None


def _header_claim(request, header):
    match = _AUTH.fullmatch(header)
    if not match:
        raise AwsError(400, "InvalidArgument", "Unsupported Authorization Type")
    fields = dict(part.strip().partition("=")[::2] for part in match[1].split(","))
    claim = Claim()
    try:
        _scope(claim, fields["Credential"])
        claim.signed, claim.signature = fields["SignedHeaders"].split(";"), fields["Signature"]
    except (KeyError, ValueError):
        raise AwsError(400, "AuthorizationHeaderMalformed", "The authorization header is malformed.") from None
    claim.date = request.headers.get("x-amz-date", "")
    claim.token = request.headers.get("x-amz-security-token")
    claim.expires, claim.presigned = None, False
    return claim


def _query_claim(request):
    values = {k.decode("latin-1"): v.decode("latin-1") for k, v in query_pairs(request.query)}
    claim = Claim()
    try:
        if values["X-Amz-Algorithm"] != "AWS4-HMAC-SHA256":
            raise ValueError
        _scope(claim, values["X-Amz-Credential"])
        claim.signed, claim.signature = values["X-Amz-SignedHeaders"].split(";"), values["X-Amz-Signature"]
        claim.date, claim.expires = values["X-Amz-Date"], int(values["X-Amz-Expires"])
    except (KeyError, ValueError):
        raise AwsError(400, "AuthorizationQueryParametersError", "Query-string authentication requires all X-Amz parameters") from None
    if not 0 < claim.expires <= MAX_PRESIGNED:
        raise AwsError(400, "AuthorizationQueryParametersError", "X-Amz-Expires must be less than a week (in seconds); that is, less than 604800")
    claim.token, claim.presigned = values.get("X-Amz-Security-Token"), True
    return claim


def _scope(claim, text):
    claim.access_key, claim.day, claim.region, claim.service, last = text.rsplit("/", 4)
    if last != "aws4_request":
        raise ValueError(text)


def query_pairs(query):
    """Decoded (name, value) byte pairs; `+` is itself, as in SigV4."""
    pairs = []
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((unquote_to_bytes(name.encode("latin-1")), unquote_to_bytes(value.encode("latin-1"))))
    return pairs


def verify(request, claim, credentials, clock, date_offset=0.0):
    """The caller's identity; raises what AWS would answer otherwise."""
    s3 = claim.service == "s3"
    identity = credentials.find(claim.access_key)
    if identity is None or (identity.token and claim.token is None):
        if s3:
            raise AwsError(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.",
                           {"AWSAccessKeyId": claim.access_key})
        raise AwsError(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
    now = clock.now() + date_offset
    _check_date(claim, now, clock.check_skew, s3)
    _check_signed_headers(request, claim, s3)
    expected, canonical, to_sign = _expected(request, claim, identity, s3)
    if not hmac.compare_digest(expected.encode(), claim.signature.encode("latin-1", "replace")):
        raise AwsError(
            403, "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
            {"AWSAccessKeyId": claim.access_key, "StringToSign": to_sign, "SignatureProvided": claim.signature, "CanonicalRequest": canonical})
    _check_token(claim, identity, clock.now(), s3)
    return identity


def _check_date(claim, now, check_skew, s3):
    sent = parse_amz_date(claim.date)
    if sent is None or not claim.date.startswith(claim.day):
        raise AwsError(403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
    if claim.presigned and s3:
        if now > sent + claim.expires:
            raise AwsError(403, "AccessDenied", "Request has expired", {
                "X-Amz-Expires": claim.expires, "Expires": iso_date(sent + claim.expires, False), "ServerTime": iso_date(now, False)})
        if sent > now + S3_SKEW:
            raise AwsError(403, "AccessDenied", "Request is not yet valid")
        return
    if not check_skew or abs(now - sent) <= (S3_SKEW if s3 else OTHER_SKEW):
        return
    if s3:
        raise AwsError(403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", {
            "RequestTime": claim.date, "ServerTime": iso_date(now, False), "MaxAllowedSkewMilliseconds": S3_SKEW * 1000})
    raise AwsError(403, "SignatureDoesNotMatch", f"Signature expired: {claim.date} is now earlier than {amz_date(now - OTHER_SKEW)} ({amz_date(now)} - 5 min.)"
                   if sent < now else f"Signature not yet current: {claim.date} is still later than {amz_date(now + OTHER_SKEW)} ({amz_date(now)} + 5 min.)")


def _check_signed_headers(request, claim, s3):
    signed = set(claim.signed)
    if "host" not in signed:
        raise AwsError(403, "SignatureDoesNotMatch", "'Host' must be a 'SignedHeader' in the AWS Authorization.")
    missing = [name for name in request.headers if name.startswith("x-amz-") and name not in signed]
    if missing and s3:
        raise AwsError(403, "AccessDenied", "There were headers present in the request which were not signed",
                       {"HeadersNotSigned": ", ".join(sorted(missing))})


def _expected(request, claim, identity, s3):
    """(signature, canonical request, string to sign) by botocore over what arrived."""
    headers = HTTPHeaders()
    wanted = set(claim.signed)
    for name, value in request.pairs:
        if name in wanted:
            headers.add_header(name, value.encode("latin-1").decode("utf-8", "replace"))
    decoded = unquote_to_bytes(request.path.encode("latin-1"))
    rebuilt = AWSRequest(method=request.method, url="http://host" + quote(decoded, safe="/~"), headers=headers)
    rebuilt.context["timestamp"] = claim.date
    rebuilt.context["query"] = _canonical_query(request.query, claim.presigned) if request.query else ""
    signer = (_S3Signer if s3 else _Signer)(BotoCredentials(identity.access_key, identity.secret), claim.service, claim.region)
    signer.payload = lambda _: _payload_of(request, claim, s3)
    canonical = signer.canonical_request(rebuilt)
    to_sign = signer.string_to_sign(rebuilt, canonical)
    return signer.signature(to_sign, rebuilt), canonical, to_sign


def _payload_of(request, claim, s3):
    """The payload line when no signed x-amz-content-sha256 gives it."""
    if s3 and claim.presigned:
        return request.headers.get("x-amz-content-sha256", UNSIGNED)
    return hashlib.sha256(request.body).hexdigest()


def _canonical_query(query, presigned):
    pairs = [(quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in query_pairs(query)]
    return "&".join(f"{k}={v}" for k, v in sorted(pairs) if not (presigned and k == "X-Amz-Signature"))


def _check_token(claim, identity, now, s3):
    if (identity.token or None) != (claim.token or None):
        if s3:
            raise AwsError(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
        raise AwsError(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
    if identity.expires is not None and now >= identity.expires:
        if s3:
            raise AwsError(400, "ExpiredToken", "The provided token has expired.")
        raise AwsError(403, "ExpiredToken", "The security token included in the request is expired")


def check_payload(request, claim, digest):
    """S3 demands the header and holds the body to it; `digest` is the body's real SHA-256 (or a callable)."""
    declared = request.headers.get("x-amz-content-sha256")
    if declared is None:
        if claim.presigned:
            return
        raise AwsError(400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    if declared in (UNSIGNED, STREAMING_TRAILER):
        return
    if declared.startswith("STREAMING-"):
        raise AwsError(501, "NotImplemented", "Signed chunks are not implemented by the local cloud")
    if not _HEX64.fullmatch(declared):
        raise AwsError(400, "InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, or a valid sha256 value.")
    actual = digest() if callable(digest) else digest
    if declared != actual:
        raise AwsError(400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.",
                       {"ClientComputedContentSHA256": declared, "S3ComputedContentSHA256": actual})
