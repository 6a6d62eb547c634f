"""S3 objects, listings, uploads, regions, with boto3 as the independent client."""
import base64
import hashlib
import io
import zipfile
import zlib

import pytest
from botocore.exceptions import ClientError

from cloud.test_signature import code_of, send

ODD_KEYS = ["a b", "a+b", "a//b", "../x", "a%2Fb", "new\nline", "é/日本", "~t", "z\x01", "amp&<>\"'", "cr\rx", "a*b"]


def error_of(callable_, **arguments):
    with pytest.raises(ClientError) as caught:
        callable_(**arguments)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_headers_are_kept_and_served(cloud, bucket):
    cloud.s3.put_object(Bucket=bucket, Key="k", Body=b"data", ContentType="text/html; charset=utf-8", CacheControl="max-age=1", ContentEncoding="gzip",
                        ContentDisposition="inline", ContentLanguage="de", Metadata={"one": "1", "two": "zwei"})
    found = cloud.s3.get_object(Bucket=bucket, Key="k")
    assert found["ContentType"] == "text/html; charset=utf-8" and found["CacheControl"] == "max-age=1" and found["ContentEncoding"] == "gzip"
    assert found["ContentDisposition"] == "inline" and found["ContentLanguage"] == "de" and found["Metadata"] == {"one": "1", "two": "zwei"}
    assert found["ETag"] == f'"{hashlib.md5(b"data").hexdigest()}"'
    head = cloud.s3.head_object(Bucket=bucket, Key="k")
    assert head["ContentLength"] == 4 and head["LastModified"] == found["LastModified"]
    assert {"date", "x-amz-request-id"} <= set(head["ResponseMetadata"]["HTTPHeaders"])


def test_missing_things(cloud, bucket):
    assert error_of(cloud.s3.get_object, Bucket=bucket, Key="no") == (404, "NoSuchKey")
    assert error_of(cloud.s3.head_object, Bucket=bucket, Key="no") == (404, "404")
    assert error_of(cloud.s3.get_object, Bucket="no-such-bucket", Key="no") == (404, "NoSuchBucket")
    assert error_of(cloud.s3.head_bucket, Bucket="no-such-bucket") == (404, "404")
    cloud.s3.delete_object(Bucket=bucket, Key="no")


def test_ranges(cloud, bucket):
    cloud.put_objects(bucket, {"k": b"0123456789"})
    assert cloud.s3.get_object(Bucket=bucket, Key="k", Range="bytes=2-4")["Body"].read() == b"234"
    assert cloud.s3.get_object(Bucket=bucket, Key="k", Range="bytes=-3")["Body"].read() == b"789"
    assert error_of(cloud.s3.get_object, Bucket=bucket, Key="k", Range="bytes=10-") == (416, "InvalidRange")


def test_digests(cloud, bucket):
    good = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    cloud.s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentMD5=good)
    assert error_of(cloud.s3.put_object, Bucket=bucket, Key="k", Body=b"y", ContentMD5=good) == (400, "BadDigest")
    assert error_of(cloud.s3.put_object, Bucket=bucket, Key="k", Body=b"y", ContentMD5="zz") == (400, "InvalidDigest")
    sha = base64.b64encode(hashlib.sha256(b"x").digest()).decode()
    cloud.s3.put_object(Bucket=bucket, Key="k", Body=b"x", ChecksumSHA256=sha)
    assert cloud.s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["ChecksumSHA256"] == sha
    assert error_of(cloud.s3.put_object, Bucket=bucket, Key="k", Body=b"y", ChecksumSHA256=sha) == (400, "BadDigest")


def test_the_owner_can_be_demanded(cloud, bucket):
    cloud.s3.put_object(Bucket=bucket, Key="k", Body=b"x", ExpectedBucketOwner=cloud.account)
    assert error_of(cloud.s3.put_object, Bucket=bucket, Key="k", Body=b"y", ExpectedBucketOwner="210987654321") == (403, "AccessDenied")
    assert error_of(cloud.s3.head_object, Bucket=bucket, Key="k", ExpectedBucketOwner="210987654321") == (403, "403")
    assert cloud.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_limits(cloud, bucket):
    assert error_of(cloud.s3.put_object, Bucket=bucket, Key="k" * 1025, Body=b"") == (400, "KeyTooLongError")
    assert error_of(cloud.s3.put_object, Bucket=bucket, Key="k", Body=b"", Metadata={"a": "x" * 2100}) == (400, "MetadataTooLarge")


def test_copy(cloud, bucket):
    cloud.s3.put_object(Bucket=bucket, Key="a b+c", Body=b"x", ContentType="text/plain", Metadata={"m": "1"})
    cloud.s3.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a b+c"})
    assert cloud.s3.head_object(Bucket=bucket, Key="b")["Metadata"] == {"m": "1"}
    etag = cloud.s3.head_object(Bucket=bucket, Key="b")["ETag"]
    cloud.s3.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "b"}, MetadataDirective="REPLACE", ContentType="text/css", CopySourceIfMatch=etag)
    head = cloud.s3.head_object(Bucket=bucket, Key="b")
    assert (head["ContentType"], head["Metadata"]) == ("text/css", {})
    assert error_of(cloud.s3.copy_object, Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "b"}) == (400, "InvalidRequest")
    assert error_of(cloud.s3.copy_object, Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "no"}) == (404, "NoSuchKey")
    assert error_of(cloud.s3.copy_object, Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "b"}, CopySourceIfMatch='"zz"') == (412, "PreconditionFailed")


def test_listing_odd_keys(cloud, bucket):
    cloud.put_objects(bucket, {key: b"1" for key in ODD_KEYS})
    pages = cloud.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 5})
    listed = [o["Key"] for page in pages for o in page["Contents"]]
    assert listed == sorted(ODD_KEYS, key=str.encode)


def test_listing_prefix_delimiter_and_limits(cloud, bucket):
    cloud.put_objects(bucket, {k: b"1" for k in ("a/1", "a/2", "b/c/1", "b/2", "top", "zz")})
    grouped = cloud.s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [p["Prefix"] for p in grouped["CommonPrefixes"]] == ["a/", "b/"] and [o["Key"] for o in grouped["Contents"]] == ["top", "zz"]
    paged, token = [], {}
    while True:
        page = cloud.s3.list_objects_v2(Bucket=bucket, Delimiter="/", MaxKeys=1, **token)
        paged += [p["Prefix"] for p in page.get("CommonPrefixes", [])] + [o["Key"] for o in page.get("Contents", [])]
        if not page["IsTruncated"]:
            break
        token = {"ContinuationToken": page["NextContinuationToken"]}
    assert paged == ["a/", "b/", "top", "zz"]
    assert [o["Key"] for o in cloud.s3.list_objects_v2(Bucket=bucket, Prefix="b/")["Contents"]] == ["b/2", "b/c/1"]
    assert [o["Key"] for o in cloud.s3.list_objects_v2(Bucket=bucket, StartAfter="b/c/1")["Contents"]] == ["top", "zz"]
    assert cloud.s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["KeyCount"] == 0
    assert [o["Key"] for o in cloud.s3.list_objects(Bucket=bucket, Prefix="a/")["Contents"]] == ["a/1", "a/2"]
    cloud.s3.delete_object(Bucket=bucket, Key="a/1")
    assert [o["Key"] for o in cloud.s3.list_objects_v2(Bucket=bucket, Prefix="a/")["Contents"]] == ["a/2"]
    assert error_of(cloud.s3.list_objects_v2, Bucket=bucket, ContinuationToken="bad") == (400, "InvalidArgument")


def test_delete_objects(cloud, bucket):
    cloud.put_objects(bucket, {"a": b"1", "b": b"2", "c&<": b"3"})
    etag = cloud.objects(bucket)["a"]["etag"]
    answer = cloud.s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a", "ETag": etag}, {"Key": "b", "ETag": '"0"'}, {"Key": "c&<"}, {"Key": "no"}]})
    assert sorted(d["Key"] for d in answer["Deleted"]) == ["a", "c&<", "no"]
    assert [(e["Key"], e["Code"]) for e in answer["Errors"]] == [("b", "PreconditionFailed")]
    assert list(cloud.objects(bucket)) == ["b"]
    assert error_of(cloud.s3.delete_objects, Bucket=bucket, Delete={"Objects": [{"Key": str(n)} for n in range(1001)]}) == (400, "MalformedXML")


def test_delete_objects_needs_a_digest_and_xml(cloud, bucket):
    body = b"<Delete><Object><Key>a</Key></Object></Delete>"
    assert code_of(send(cloud, "POST", f"/{bucket}?delete=", body)) == "InvalidRequest"
    for broken in (b"<Delete><Object><Key>a&#x1;</Key></Object></Delete>", b"no xml", b"<Delete/>"):
        headers = {"Content-MD5": base64.b64encode(hashlib.md5(broken).digest()).decode()}
        assert code_of(send(cloud, "POST", f"/{bucket}?delete=", broken, headers=headers)) == "MalformedXML"


def test_multipart(cloud, bucket):
    part = b"p" * (5 << 20)
    upload = cloud.s3.create_multipart_upload(Bucket=bucket, Key="big", ContentType="video/mp4")["UploadId"]
    where = {"Bucket": bucket, "Key": "big", "UploadId": upload}
    etags = [cloud.s3.upload_part(**where, PartNumber=n, Body=b)["ETag"] for n, b in ((1, part), (3, b"end"))]
    assert cloud.uploads(bucket)[0]["parts"] == [1, 3]
    assert [u["Key"] for u in cloud.s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == ["big"]
    assert [p["PartNumber"] for p in cloud.s3.list_parts(**where)["Parts"]] == [1, 3]
    listed = [{"PartNumber": 1, "ETag": etags[0]}, {"PartNumber": 3, "ETag": etags[1]}]
    complete = cloud.s3.complete_multipart_upload
    assert error_of(complete, **where, MultipartUpload={"Parts": listed[::-1]}) == (400, "InvalidPartOrder")
    assert error_of(complete, **where, MultipartUpload={"Parts": [{"PartNumber": 2, "ETag": etags[0]}]}) == (400, "InvalidPart")
    assert error_of(complete, **where, MultipartUpload={"Parts": listed}, MpuObjectSize=7) == (400, "InvalidRequest")
    etag = complete(**where, MultipartUpload={"Parts": listed}, MpuObjectSize=len(part) + 3)["ETag"]
    assert etag.endswith('-2"')
    head = cloud.s3.head_object(Bucket=bucket, Key="big")
    assert (head["ContentLength"], head["ContentType"], head["ETag"]) == (len(part) + 3, "video/mp4", etag)
    assert error_of(complete, **where, MultipartUpload={"Parts": listed}) == (404, "NoSuchUpload")
    assert cloud.uploads(bucket) == []


def test_multipart_small_parts_and_abort(cloud, bucket):
    upload = cloud.s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    where = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    parts = [{"PartNumber": n, "ETag": cloud.s3.upload_part(**where, PartNumber=n, Body=b"small")["ETag"]} for n in (1, 2)]
    assert error_of(cloud.s3.complete_multipart_upload, **where, MultipartUpload={"Parts": parts}) == (400, "EntityTooSmall")
    cloud.s3.abort_multipart_upload(**where)
    assert error_of(cloud.s3.abort_multipart_upload, **where) == (404, "NoSuchUpload")
    assert cloud.uploads(bucket) == [] and cloud.objects(bucket) == {}


def test_wrong_region(cloud, bucket):
    cloud.make_bucket(bucket + "-eu", "eu-west-1")
    # botocore understands the hints and signs again: an independent judge of their form.
    cloud.client("s3", region="eu-west-1").put_object(Bucket=bucket, Key="k", Body=b"")
    cloud.client("s3", region="us-east-1").put_object(Bucket=bucket + "-eu", Key="k", Body=b"")
    assert [e["status"] for e in cloud.requests(operation="PutObject")] == [400, 200, 301, 200]
    reply = send(cloud, "GET", f"/{bucket}/k", region="eu-west-1")
    assert (reply.status, code_of(reply)) == (400, "AuthorizationHeaderMalformed") and b"<Region>us-east-1</Region>" in reply.body
    reply = send(cloud, "GET", f"/{bucket}-eu/k", region="us-east-1")
    assert (reply.status, code_of(reply), reply.headers["x-amz-bucket-region"]) == (301, "PermanentRedirect", "eu-west-1")
    head = send(cloud, "HEAD", f"/{bucket}-eu", region="us-east-1")
    assert (head.status, head.body, head.headers["x-amz-bucket-region"]) == (301, b"", "eu-west-1")


def test_full_buckets_stay(cloud, bucket):
    cloud.put_objects(bucket, {"a": b"1"})
    assert error_of(cloud.s3.delete_bucket, Bucket=bucket) == (409, "BucketNotEmpty")
    cloud.s3.delete_object(Bucket=bucket, Key="a")
    cloud.s3.delete_bucket(Bucket=bucket)
    assert error_of(cloud.s3.list_objects_v2, Bucket=bucket) == (404, "NoSuchBucket")


def test_large_object(cloud, bucket):
    body = bytes(range(256)) * 4096 * 12
    cloud.s3.put_object(Bucket=bucket, Key="large", Body=body)
    assert cloud.s3.get_object(Bucket=bucket, Key="large")["Body"].read() == body


def test_website_host(cloud, bucket):
    cloud.s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    cloud.put_objects(bucket, {"index.html": b"root", "d/index.html": b"sub"})
    host = {"Host": f"{bucket}.s3-website-us-east-1.amazonaws.com"}
    assert cloud.raw("GET", "/", host).body == b"root" and cloud.raw("GET", "/d/", host).body == b"sub"
    assert (cloud.raw("GET", "/d", host).status, cloud.raw("GET", "/d", host).headers["location"]) == (302, "/d/")
    assert cloud.raw("GET", "/none", host).status == 404


def test_boto_transfers(cloud, bucket):
    body = b"0123456789abcdef" * (1 << 20)
    cloud.s3.upload_fileobj(io.BytesIO(body), bucket, "transfer", ExtraArgs={"ContentType": "video/mp4"})
    assert {"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"} <= {e["operation"] for e in cloud.requests()}
    found = io.BytesIO()
    cloud.s3.download_fileobj(bucket, "transfer", found)
    assert found.getvalue() == body


def test_unsigned_chunks_with_a_trailer(cloud, bucket):
    crc = base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big"))
    for trailer, status in ((crc, 200), (b"AAAAAA==", 400)):
        body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:" + trailer + b"\r\n\r\n"
        headers = {"Content-Encoding": "aws-chunked", "x-amz-decoded-content-length": "5", "x-amz-trailer": "x-amz-checksum-crc32"}
        reply = send(cloud, "PUT", f"/{bucket}/k{status}", body, headers=headers, payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER")
        assert reply.status == status
    assert cloud.s3.get_object(Bucket=bucket, Key="k200")["Body"].read() == b"hello"
    assert list(cloud.objects(bucket)) == ["k200"] and "Content-Encoding" not in cloud.objects(bucket)["k200"]["headers"]


def test_what_is_missing_says_so(cloud, bucket):
    for call in (cloud.s3.list_object_versions, lambda **b: cloud.s3.get_object_tagging(Key="k", **b)):
        assert error_of(call, Bucket=bucket) == (501, "NotImplemented")


def test_lambda_reads_its_code_from_the_store(cloud, bucket):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("app.py", "def handler(event, context): return 1\n")
    cloud.put_objects(bucket, {"code.zip": archive.getvalue()})
    role = cloud.client("iam").create_role(RoleName=bucket, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    made = cloud.client("lambda").create_function(FunctionName=bucket, Runtime="python3.12", Role=role, Handler="app.handler", Code={"S3Bucket": bucket, "S3Key": "code.zip"})
    assert made["CodeSha256"] == base64.b64encode(hashlib.sha256(archive.getvalue()).digest()).decode()
    assert [(e["service"], e["operation"]) for e in cloud.requests()][-2:] == [("iam", "CreateRole"), ("lambda", "CreateFunction")]
