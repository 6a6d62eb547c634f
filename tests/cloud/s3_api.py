"""The S3 service: region rules, payload rules, and which code answers an operation."""
import hashlib

from . import signature
from .errors import AwsError
from .http11 import Response
from .moto_bridge import ACCOUNT
from .s3_listing import list_uploads, list_v1, list_v2
from .s3_multipart import Multipart
from .s3_objects import Objects

FORWARD = object()
# Regions opened after March 2019 answer 400 where the older ones redirect.
_NEW_REGIONS = {"ap-east-1", "me-south-1", "eu-south-1", "af-south-1", "ap-southeast-3", "me-central-1", "eu-central-2",
                "eu-south-2", "ap-south-2", "ap-southeast-4", "il-central-1", "ca-west-1", "ap-southeast-5", "mx-central-1"}

# The store keeps one version; saying otherwise would be a lie that a test could believe.
_UNVERSIONED = {"ListObjectVersions", "PutBucketVersioning", "PostObject"}


class S3:
    def __init__(self, store, buckets):
        self.store, self.buckets = store, buckets
        self.objects = Objects(store, buckets)
        self.multipart = Multipart(store, self.objects)

    def handle(self, call, request, region):
        """The response, or FORWARD when moto is to answer."""
        operation = call.operation
        if operation == "Unknown":
            raise AwsError(405, "MethodNotAllowed", "The specified method is not allowed against this resource.", {"Method": request.method})
        if operation in ("CreateBucket", "ListBuckets"):
            return FORWARD
        if operation in ("PutObject", "UploadPart"):
            _check_framing(request.headers)
        bucket = self.buckets.require(call.bucket)
        if request.headers.get("x-amz-expected-bucket-owner", ACCOUNT) != ACCOUNT:
            raise AwsError(403, "AccessDenied", "Access Denied")
        self._check_region(call, bucket.region_name, region)
        handler = getattr(self, "_" + operation, None)
        if handler is not None:
            return handler(call, request)
        if call.key or operation in _UNVERSIONED:
            raise AwsError(501, "NotImplemented", f"{operation} is not implemented by the local cloud")
        return FORWARD

    @staticmethod
    def _check_region(call, home, region):
        if region == home or call.operation == "GetBucketLocation":
            return
        where = [("x-amz-bucket-region", home)]
        if home == "us-east-1" or home in _NEW_REGIONS:
            raise AwsError(400, "AuthorizationHeaderMalformed",
                           f"The authorization header is malformed; the region '{region}' is wrong; expecting '{home}'", {"Region": home}, where)
        raise AwsError(301, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint. "
                       "Please send all future requests to this endpoint.", {"Endpoint": f"{call.bucket}.s3.{home}.amazonaws.com", "Bucket": call.bucket}, where)

    def _HeadBucket(self, call, request):
        return Response(200, [("x-amz-bucket-region", self.buckets.require(call.bucket).region_name)])

    def _ListObjectsV2(self, call, request):
        return list_v2(call, self.store)

    def _ListObjects(self, call, request):
        return list_v1(call, self.store)

    def _ListMultipartUploads(self, call, request):
        return list_uploads(call, self.store)

    def _DeleteObjects(self, call, request):
        return self.objects.delete_many(call, request, request.body)

    def _PutObject(self, call, request):
        body, trailer = decoded_body(request)
        return self.objects.put(call, request, body, trailer)

    def _GetObject(self, call, request):
        return self.objects.get(call, request)

    _HeadObject = _GetObject

    def _CopyObject(self, call, request):
        return self.objects.copy(call, request)

    def _DeleteObject(self, call, request):
        return self.objects.delete(call, request)

    def _CreateMultipartUpload(self, call, request):
        return self.multipart.create(call, request)

    def _UploadPart(self, call, request):
        body, trailer = decoded_body(request)
        return self.multipart.put_part(call, request, body, trailer)

    def _UploadPartCopy(self, call, request):
        return self.multipart.copy_part(call, request)

    def _ListParts(self, call, request):
        return self.multipart.list_parts(call)

    def _CompleteMultipartUpload(self, call, request):
        return self.multipart.complete(call, request, request.body)

    def _AbortMultipartUpload(self, call, request):
        return self.multipart.abort(call)


def _check_framing(headers):
    """S3 wants to know the length of an upload; plain chunks are not for it."""
    if "transfer-encoding" in headers and "x-amz-decoded-content-length" not in headers:
        raise AwsError(501, "NotImplemented", "A header you provided implies functionality that is not implemented", {"Header": "Transfer-Encoding"})
    if "content-length" not in headers and "transfer-encoding" not in headers:
        raise AwsError(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")


def decoded_body(request):
    """(bytes, trailing headers): undo aws-chunked."""
    if request.headers.get("x-amz-content-sha256") != signature.STREAMING_TRAILER:
        return request.body, ()
    data, position, out = request.body, 0, []
    try:
        while True:
            end = data.index(b"\r\n", position)
            size = int(data[position:end].split(b";")[0], 16)
            if size == 0:
                lines = data[end + 2:].decode("latin-1").split("\r\n")
                trailer = [(n.strip().lower(), v.strip()) for n, _, v in (line.partition(":") for line in lines if line)]
                break
            out.append(data[end + 2:end + 2 + size])
            position = end + 2 + size + 2
    except ValueError:
        raise AwsError(400, "IncompleteBody", "The request body terminated unexpectedly") from None
    body = b"".join(out)
    declared = request.headers.get("x-amz-decoded-content-length")
    if declared is not None and declared != str(len(body)):
        raise AwsError(400, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
    return body, trailer


def digest_of(body):
    return hashlib.sha256(body).hexdigest()
