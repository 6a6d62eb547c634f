"""Conditional requests, alone and against each other."""
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from cloud.test_s3 import error_of

FAILED, MISSING = (412, "PreconditionFailed"), (404, "NoSuchKey")


def test_create_once(cloud, bucket):
    cloud.s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")
    assert error_of(cloud.s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*") == FAILED
    assert error_of(cloud.s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfNoneMatch='"abc"') == (501, "NotImplemented")


def test_replace_what_was_seen(cloud, bucket):
    etag = cloud.s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    cloud.s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=etag)
    assert error_of(cloud.s3.put_object, Bucket=bucket, Key="k", Body=b"3", IfMatch=etag) == FAILED
    assert error_of(cloud.s3.put_object, Bucket=bucket, Key="none", Body=b"3", IfMatch=etag) == MISSING
    assert cloud.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2"


def test_delete_what_was_seen(cloud, bucket):
    etag = cloud.s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    assert error_of(cloud.s3.delete_object, Bucket=bucket, Key="k", IfMatch='"0"') == FAILED
    cloud.s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag)
    assert error_of(cloud.s3.delete_object, Bucket=bucket, Key="k", IfMatch=etag) == MISSING


def test_complete_conditionally(cloud, bucket):
    def upload():
        where = {"Bucket": bucket, "Key": "k", "UploadId": cloud.s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]}
        etag = cloud.s3.upload_part(**where, PartNumber=1, Body=b"part")["ETag"]
        return {**where, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": etag}]}}

    first, second = upload(), upload()
    assert error_of(cloud.s3.complete_multipart_upload, **first, IfMatch='"0"') == MISSING
    etag = cloud.s3.complete_multipart_upload(**first, IfNoneMatch="*")["ETag"]
    assert error_of(cloud.s3.complete_multipart_upload, **second, IfNoneMatch="*") == FAILED
    cloud.s3.complete_multipart_upload(**second, IfMatch=etag)


def test_read_conditions(cloud, bucket):
    etag = cloud.s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    assert error_of(cloud.s3.get_object, Bucket=bucket, Key="k", IfNoneMatch=etag)[0] == 304
    assert error_of(cloud.s3.get_object, Bucket=bucket, Key="k", IfMatch='"0"') == FAILED
    modified = cloud.s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    assert error_of(cloud.s3.head_object, Bucket=bucket, Key="k", IfModifiedSince=modified)[0] == 304
    cloud.s3.get_object(Bucket=bucket, Key="k", IfMatch=etag, IfUnmodifiedSince=modified)


def test_one_of_many_creates(cloud, bucket):
    client = cloud.client("s3", max_pool_connections=8)

    def create(number):
        try:
            client.put_object(Bucket=bucket, Key="k", Body=str(number).encode(), IfNoneMatch="*")
            return number
        except ClientError as error:
            assert error.response["Error"]["Code"] == "PreconditionFailed"
            return None

    with ThreadPoolExecutor(8) as pool:
        winners = [n for n in pool.map(create, range(16)) if n is not None]
    assert len(winners) == 1
    assert cloud.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == str(winners[0]).encode()


def test_counter_loses_no_update(cloud, bucket):
    cloud.s3.put_object(Bucket=bucket, Key="n", Body=b"0")

    client = cloud.client("s3")

    def increment(_):
        while True:
            found = client.get_object(Bucket=bucket, Key="n")
            value = int(found["Body"].read()) + 1
            try:
                client.put_object(Bucket=bucket, Key="n", Body=str(value).encode(), IfMatch=found["ETag"])
                return
            except ClientError as error:
                assert error.response["Error"]["Code"] == "PreconditionFailed"

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(increment, range(24)))
    assert cloud.s3.get_object(Bucket=bucket, Key="n")["Body"].read() == b"24"


def test_a_store_that_ignores_conditions(cloud, bucket):
    cloud.rules({"when": {"operation": "PutObject"}, "do": {"ignore_conditions": True}})
    cloud.s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")
    cloud.s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    cloud.clear_rules()
    with pytest.raises(ClientError):
        cloud.s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfNoneMatch="*")
