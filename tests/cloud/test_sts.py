"""Temporary credentials, from a runner's token to a signed request."""
import json
import re

import pytest
from botocore import UNSIGNED
from botocore.exceptions import ClientError

from cloud.test_s3 import error_of

ROLE = "arn:aws:iam::123456789012:role/deploy"


def token(cloud, audience="sts.amazonaws.com"):
    path = cloud.oidc_url().removeprefix(cloud.endpoint) + f"&audience={audience}"
    return json.loads(cloud.raw("GET", path, {"Authorization": "bearer runner"}).body)["value"]


def unsigned(cloud):
    return cloud.client("sts", signature_version=UNSIGNED)


def assume(cloud, **changes):
    arguments = {"RoleArn": ROLE, "RoleSessionName": "test", "WebIdentityToken": token(cloud), **changes}
    return unsigned(cloud).assume_role_with_web_identity(**arguments)["Credentials"]


def client(cloud, service, found, **changes):
    return cloud.client(service, **{"key": found["AccessKeyId"], "secret": found["SecretAccessKey"], "token": found["SessionToken"], **changes})


def test_web_identity(cloud, bucket):
    found = assume(cloud)
    client(cloud, "s3", found).put_object(Bucket=bucket, Key="k", Body=b"x")
    assert client(cloud, "sts", found).get_caller_identity()["Arn"] == "arn:aws:sts::123456789012:assumed-role/deploy/test"


def test_bad_tokens(cloud):
    good = token(cloud)
    for bad in ("", "x", "a.b.c", good[:-2] + "zz", token(cloud, "someone-else")):
        with pytest.raises(ClientError) as caught:
            unsigned(cloud).assume_role_with_web_identity(RoleArn=ROLE, RoleSessionName="test", WebIdentityToken=bad.ljust(4, "x"))
        assert caught.value.response["Error"]["Code"] == "InvalidIdentityToken"
    assert cloud.raw("GET", "/_cloud/oidc").status == 401


def test_tokens_are_checked(cloud, bucket):
    found = assume(cloud)
    for change, code in (({"token": None}, "InvalidAccessKeyId"), ({"token": "wrong"}, "InvalidToken")):
        assert error_of(client(cloud, "s3", found, **change).list_objects_v2, Bucket=bucket)[1] == code
    assert error_of(client(cloud, "sts", found, token="wrong").get_caller_identity)[1] == "InvalidClientTokenId"


def test_credentials_expire(fresh_cloud):
    cloud = fresh_cloud
    cloud.make_bucket("expiry")
    identity = token(cloud)
    found = unsigned(cloud).assume_role_with_web_identity(RoleArn=ROLE, RoleSessionName="test", WebIdentityToken=identity, DurationSeconds=900)["Credentials"]
    cloud.advance(901, check_skew=False)
    assert error_of(client(cloud, "s3", found).list_objects_v2, Bucket="expiry") == (400, "ExpiredToken")
    assert error_of(client(cloud, "cloudfront", found).list_distributions) == (403, "ExpiredToken")
    assert error_of(unsigned(cloud).assume_role_with_web_identity, RoleArn=ROLE, RoleSessionName="test", WebIdentityToken=identity)[1] == "ExpiredTokenException"


def test_assume_role(cloud):
    found = cloud.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="chained")["Credentials"]
    assert re.match("ASIA", found["AccessKeyId"])
    assert error_of(cloud.client("sts").assume_role, RoleArn="arn:aws:iam::123456789012:role/", RoleSessionName="chained")[1] == "ValidationError"


def test_clock_reaches_moto(fresh_cloud):
    cloud = fresh_cloud
    cloud.advance(10 * 86400, check_skew=False)
    cloud.make_bucket("later")
    made = cloud.s3.list_buckets()["Buckets"][0]["CreationDate"].timestamp()
    assert abs(made - cloud.now()) < 10
    stored = cloud.s3.put_object(Bucket="later", Key="k", Body=b"")
    assert stored["ResponseMetadata"]["HTTPHeaders"]["date"]
    assert abs(cloud.s3.head_object(Bucket="later", Key="k")["LastModified"].timestamp() - cloud.now()) < 10
