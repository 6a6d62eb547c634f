"""run/artifacts against the local cloud's S3: a bucket made on first need, and what is refused."""

import itertools
import json

import pytest
from driven import drive, operations, sha256

_names = itertools.count(1)
CONTENT = b"an archive" * 100


@pytest.fixture
def bucket():
    return f"artefacts-{next(_names)}"


@pytest.fixture
def put(cloud, bucket, tmp_path):
    cloud.reset_log()

    def run(data=CONTENT, key="crc/abc.zip", **job):
        file = tmp_path / "code.zip"
        file.write_bytes(data)
        return drive(cloud, "artifact", key, zip=str(file), **{
            "bucket": bucket, "region": "us-east-1", "account": cloud.account, "is_default": True, **job})
    return run


def test_the_bucket_is_made_once(cloud, bucket, put):
    done = put()
    assert done["before"] is None and done["after"] == sha256(CONTENT)
    assert done["told"] == [f"making the bucket {bucket} for code and templates: private, encrypted, TLS only"]
    assert operations(cloud, "s3") == [
        "HeadObject", "PutObject", "CreateBucket", "PutPublicAccessBlock", "PutBucketPolicy",
        "PutBucketLifecycleConfiguration", "PutObject", "HeadObject"]
    block = cloud.s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True} and len(block) == 4
    [statement] = json.loads(cloud.s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    [rule] = cloud.s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1} and "Expiration" not in rule
    head = cloud.s3.head_object(Bucket=bucket, Key="crc/abc.zip")
    assert head["ContentType"] == "application/zip"
    cloud.reset_log()
    done = put()
    assert done["before"] == done["after"] == sha256(CONTENT) and not done["told"]
    assert operations(cloud, "s3") == ["HeadObject", "PutObject", "HeadObject"]


def test_a_bucket_in_another_region(cloud, bucket, put):
    done = put(region="eu-west-1")
    assert done["after"] == sha256(CONTENT), done
    assert done["url"] == f"https://s3.eu-west-1.amazonaws.com/{bucket}/crc/abc.zip"
    assert cloud.s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == "eu-west-1"


def test_what_is_there_stays(cloud, bucket, put):
    cloud.make_bucket(bucket)
    cloud.put_objects(bucket, {"crc/abc.zip": b"first"})
    done = put(is_default=False)
    assert done["before"] == done["after"] == ""
    assert cloud.s3.get_object(Bucket=bucket, Key="crc/abc.zip")["Body"].read() == b"first"


def test_somebody_elses_bucket(cloud, bucket, put):
    cloud.make_bucket(bucket)
    done = put(account="210987654321")
    assert done["error"] == "forbidden" and f"look into the bucket {bucket}" in done["message"]


@pytest.mark.parametrize("operation, right", [
    ("CreateBucket", "s3:CreateBucket"), ("PutBucketPolicy", "s3:PutBucketPolicy"),
    ("PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
    ("PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration")])
def test_no_right_to_make_it(cloud, bucket, put, operation, right):
    cloud.rules({"when": {"operation": operation}, "do": {"status": 403, "code": "AccessDenied", "message": "no"}})
    done = put()
    assert done["error"] == "forbidden" and f"the role needs {right} on arn:aws:s3:::{bucket}, or" in done["message"]
    cloud.clear_rules()
    assert bucket not in [b["Name"] for b in cloud.s3.list_buckets()["Buckets"]]
    assert put()["after"] == sha256(CONTENT)


@pytest.mark.parametrize("operation, right", [
    ("HeadObject", "s3:ListBucket on arn:aws:s3:::{} and s3:GetObject on arn:aws:s3:::{}/*"),
    ("PutObject", "s3:PutObject on arn:aws:s3:::{}/*")])
def test_no_right_to_use_it(cloud, bucket, put, operation, right):
    cloud.make_bucket(bucket)
    cloud.rules({"when": {"operation": operation}, "do": {"status": 403, "code": "AccessDenied", "message": "no"}})
    done = put(is_default=False)
    assert done["error"] == "forbidden" and right.replace("{}", bucket) in done["message"]


def test_a_missing_bucket_of_the_users(bucket, put):
    done = put(is_default=False)
    assert done["error"] == "config" and f"there is no bucket {bucket}: make it" in done["message"]


def test_a_large_object(cloud, bucket, put):
    data = bytes(range(256)) * (34 << 12)
    done = put(data)
    assert done["after"] == sha256(data)
    assert cloud.s3.get_object(Bucket=bucket, Key="crc/abc.zip")["Body"].read() == data
    cloud.reset_log()
    assert put(data)["before"] == sha256(data)
    assert not cloud.uploads(bucket), "an upload for what is there already is aborted"


def test_faults_are_ridden_out(cloud, bucket, put):
    cloud.rules({"when": {"operation": "PutObject", "nth": 2}, "do": {"status": 503, "code": "SlowDown"}},
                {"when": {"operation": "CreateBucket", "nth": 1}, "do": {"drop": "after"}},
                {"when": {"operation": "PutObject", "nth": 3}, "do": {"drop": "after"}})
    done = put()
    assert done["after"] == sha256(CONTENT), done
