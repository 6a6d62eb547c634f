"""Multipart uploads."""
import hashlib

from . import xmlio
from .clock import iso_date
from .errors import AwsError
from .http11 import Response
from .s3_conditions import check_read, check_write
from .s3_objects import NAMESPACE, XML, check_digests, malformed_xml, stored_headers

MIN_PART = 5 * 1024 * 1024
MAX_PARTS = 10000


class Multipart:
    def __init__(self, store, objects):
        self.store, self.objects = store, objects

    def _find(self, call):
        upload = self.store.uploads.get(call.query.get("uploadId", ""))
        if upload is None or (upload.bucket, upload.key) != (call.bucket, call.key):
            raise AwsError(404, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, "
                           "or the upload may have been aborted or completed.", {"UploadId": call.query.get("uploadId", "")})
        return upload

    def create(self, call, request):
        upload = self.store.start_upload(call.bucket, call.key, stored_headers(request))
        inner = xmlio.tag("Bucket", call.bucket) + xmlio.tag("Key", call.key) + xmlio.tag("UploadId", upload.id)
        return Response(200, [XML], xmlio.document("InitiateMultipartUploadResult", NAMESPACE, inner))

    def put_part(self, call, request, body, trailer):
        upload, number = self._find(call), self._number(call)
        checksums = check_digests(request, body, trailer)
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        upload.parts[number] = (etag, body, self.store.clock.now())
        return Response(200, [("ETag", etag), *checksums])

    def copy_part(self, call, request):
        upload, number = self._find(call), self._number(call)
        source = self.objects.copy_source(request)
        check_read(request.headers, source, "x-amz-copy-source-")
        data = source.data
        if "x-amz-copy-source-range" in request.headers:
            first, _, last = request.headers["x-amz-copy-source-range"].removeprefix("bytes=").partition("-")
            if not (first.isdigit() and last.isdigit()) or int(last) >= len(data):
                raise AwsError(400, "InvalidArgument", "The x-amz-copy-source-range value must be of the form bytes=first-last")
            data = data[int(first):int(last) + 1]
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        upload.parts[number] = (etag, data, self.store.clock.now())
        inner = xmlio.tag("ETag", etag) + xmlio.tag("LastModified", iso_date(self.store.clock.now()))
        return Response(200, [XML], xmlio.document("CopyPartResult", NAMESPACE, inner))

    @staticmethod
    def _number(call):
        text = call.query.get("partNumber", "")
        if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= MAX_PARTS:
            raise AwsError(400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive",
                           {"ArgumentName": "partNumber", "ArgumentValue": text})
        return int(text)

    def list_parts(self, call):
        upload = self._find(call)
        inner = xmlio.tag("Bucket", call.bucket) + xmlio.tag("Key", call.key) + xmlio.tag("UploadId", upload.id)
        inner += "<MaxParts>1000</MaxParts><IsTruncated>false</IsTruncated>"
        for number, (etag, data, at) in sorted(upload.parts.items()):
            inner += ("<Part>" + xmlio.tag("PartNumber", number) + xmlio.tag("LastModified", iso_date(at))
                      + xmlio.tag("ETag", etag) + xmlio.tag("Size", len(data)) + "</Part>")
        return Response(200, [XML], xmlio.document("ListPartsResult", NAMESPACE, inner))

    def abort(self, call):
        del self.store.uploads[self._find(call).id]
        return Response(204)

    def complete(self, call, request, body):
        upload = self._find(call)
        chosen = self._chosen(upload, body)
        size = sum(len(data) for _, data in chosen)
        declared = request.headers.get("x-amz-mp-object-size")
        if declared is not None and declared != str(size):
            raise AwsError(400, "InvalidRequest", "The provided 'x-amz-mp-object-size' header does not match what was computed.")
        check_write(request.headers, self.store.get(call.bucket, call.key), call.key)
        digests = b"".join(bytes.fromhex(etag.strip('"')) for etag, _ in chosen)
        etag = f'"{hashlib.md5(digests).hexdigest()}-{len(chosen)}"'
        self.store.put(call.bucket, call.key, b"".join(data for _, data in chosen), upload.headers, (), etag)
        del self.store.uploads[upload.id]
        inner = xmlio.tag("Location", f"http://s3.amazonaws.com/{call.bucket}/{call.key}") + xmlio.tag("Bucket", call.bucket)
        inner += xmlio.tag("Key", call.key) + xmlio.tag("ETag", etag)
        return Response(200, [XML], xmlio.document("CompleteMultipartUploadResult", NAMESPACE, inner))

    @staticmethod
    def _chosen(upload, body):
        """(etag, bytes) of the parts that the request lists, checked as S3 checks them."""
        root = xmlio.parse(body)
        parts = root.findall("Part") if root is not None else []
        try:
            listed = [(int(xmlio.text(p, "PartNumber", "")), xmlio.text(p, "ETag", "").strip('"')) for p in parts]
        except ValueError:
            raise malformed_xml() from None
        if not listed:
            raise malformed_xml()
        numbers = [number for number, _ in listed]
        if any(a >= b for a, b in zip(numbers, numbers[1:])):
            raise AwsError(400, "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.")
        chosen = []
        for number, etag in listed:
            if number not in upload.parts or upload.parts[number][0].strip('"') != etag:
                raise AwsError(400, "InvalidPart", "One or more of the specified parts could not be found. The part may not have been uploaded, "
                               "or the specified entity tag may not match the part's entity tag.", {"PartNumber": number, "ETag": etag})
            chosen.append(upload.parts[number][:2])
        if any(len(data) < MIN_PART for _, data in chosen[:-1]):
            raise AwsError(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", {"MinSizeAllowed": MIN_PART})
        return chosen
