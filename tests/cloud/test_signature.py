"""Signatures: what is accepted, what is refused, and how AWS would say it."""
import datetime
import hashlib
import http.client
import random
import re
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from cloud.client import object_target


def code_of(reply):
    return re.search(rb"<Code>(\w+)</Code>", reply.body)[1].decode()


def signed(cloud, method, target, body=b"", headers=None, moment=None, payload=None, secret=None, key=None, region="us-east-1"):
    """Headers for a request signed by hand with botocore over exactly this target."""
    request = AWSRequest(method=method, url=cloud.endpoint + target, headers=headers or {}, data=body)
    signer = S3SigV4Auth(Credentials(key or cloud.access_key_id, secret or cloud.secret_access_key), "s3", region)
    moment = moment or datetime.datetime.now(datetime.timezone.utc)
    request.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    request.headers["X-Amz-Content-SHA256"] = payload or hashlib.sha256(body).hexdigest()
    request.headers["Host"] = urlsplit(cloud.endpoint).netloc
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    names = signer.signed_headers(signer.headers_to_sign(request))
    request.headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={names}, Signature={signature}"
    return dict(request.headers.items())


def send(cloud, method, target, body=b"", **options):
    return cloud.raw(method, target, signed(cloud, method, target, body, **options), body or None)


def test_good_signature(cloud, bucket):
    assert send(cloud, "PUT", f"/{bucket}/a.txt", b"hello").status == 200
    assert cloud.s3.get_object(Bucket=bucket, Key="a.txt")["Body"].read() == b"hello"


@pytest.mark.parametrize("key", [
    "a//b", "../up", "a/./b/../c", "a%2Fb", "a+b", "a b", "line\nbreak", "tab\there", "ümläut/日本語", "~tilde", "(paren)'!*", "=&?#;:@$,", "trailing/", "\\back|pipe",
    "%25", "//", "a\x01b", "quote\"<>&", "emoji-🎉",
])
def test_odd_keys_survive(cloud, bucket, key):
    assert send(cloud, "PUT", object_target(bucket, key), key.encode()).status == 200
    assert list(cloud.objects(bucket)) == [key]
    assert send(cloud, "GET", object_target(bucket, key)).body == key.encode()


def test_target_may_be_encoded_less_than_the_signature(cloud, bucket):
    headers = signed(cloud, "PUT", f"/{bucket}/a%2Bb", b"x")
    assert cloud.raw("PUT", f"/{bucket}/a+b", headers, b"x").status == 200
    assert list(cloud.objects(bucket)) == ["a+b"]


def test_random_keys_and_queries_agree_with_boto(cloud, bucket):
    chance = random.Random(7)
    alphabet = "ab/.-_~ +%=&?#!'()*,;:@$\"<>[]^`{|}\\é漢\t"
    for _ in range(60):
        key = "k" + "".join(chance.choice(alphabet) for _ in range(chance.randint(1, 30)))
        cloud.s3.put_object(Bucket=bucket, Key=key, Body=b"1")
        listed = cloud.s3.list_objects_v2(Bucket=bucket, Prefix=key)
        assert [o["Key"] for o in listed["Contents"]][0] == key


def test_wrong_secret(cloud, bucket):
    reply = send(cloud, "GET", f"/{bucket}/x", secret="wrong")
    assert (reply.status, code_of(reply)) == (403, "SignatureDoesNotMatch")
    assert b"<StringToSign>" in reply.body


def test_unknown_key(cloud, bucket):
    reply = send(cloud, "GET", f"/{bucket}/x", key="AKIANOBODY")
    assert (reply.status, code_of(reply)) == (403, "InvalidAccessKeyId")


def test_anonymous(cloud, bucket):
    reply = cloud.raw("GET", f"/{bucket}/x")
    assert (reply.status, code_of(reply)) == (403, "AccessDenied")


def test_tampered_target_header_and_body(cloud, bucket):
    headers = signed(cloud, "PUT", f"/{bucket}/a", b"x")
    assert code_of(cloud.raw("PUT", f"/{bucket}/b", headers, b"x")) == "SignatureDoesNotMatch"
    assert code_of(cloud.raw("PUT", f"/{bucket}/a?acl=1", headers, b"x")) == "SignatureDoesNotMatch"
    assert code_of(cloud.raw("PUT", f"/{bucket}/a", {**headers, "x-amz-meta-a": "1"}, b"x")) == "AccessDenied"
    assert code_of(cloud.raw("PUT", f"/{bucket}/a", headers, b"y")) == "XAmzContentSHA256Mismatch"
    assert cloud.objects(bucket) == {}


def test_unsigned_payload_is_allowed_and_the_header_is_needed(cloud, bucket):
    assert send(cloud, "PUT", f"/{bucket}/a", b"x", payload="UNSIGNED-PAYLOAD").status == 200
    headers = signed(cloud, "PUT", f"/{bucket}/a", b"x")
    headers.pop("X-Amz-Content-SHA256")
    assert cloud.raw("PUT", f"/{bucket}/a", headers, b"x").status in (400, 403)


@pytest.mark.parametrize("minutes,status", [(-14, 200), (14, 200), (-16, 403), (16, 403)])
def test_skew(cloud, bucket, minutes, status):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    reply = send(cloud, "PUT", f"/{bucket}/a", b"x", moment=moment)
    assert reply.status == status
    if status == 403:
        assert code_of(reply) == "RequestTimeTooSkewed" and b"<ServerTime>" in reply.body and "date" in reply.headers


def test_other_services_are_checked_too(cloud):
    for service, call in (("sts", "get_caller_identity"), ("cloudfront", "list_distributions"), ("lambda", "list_functions"), ("cloudformation", "list_stacks")):
        getattr(cloud.client(service), call)()
        with pytest.raises(ClientError) as caught:
            getattr(cloud.client(service, secret="wrong"), call)()
        assert "Signature" in caught.value.response["Error"]["Code"]


def test_presigned(fresh_cloud):
    fresh_cloud.make_bucket("presigned")
    fresh_cloud.put_objects("presigned", {"a b": b"x"})
    url = fresh_cloud.s3.generate_presigned_url("get_object", {"Bucket": "presigned", "Key": "a b"}, ExpiresIn=60)
    target = url.removeprefix(fresh_cloud.endpoint)
    if "X-Amz-Signature" not in target:
        client = fresh_cloud.client("s3", signature_version="s3v4")
        target = client.generate_presigned_url("get_object", {"Bucket": "presigned", "Key": "a b"}, ExpiresIn=60).removeprefix(fresh_cloud.endpoint)
    assert fresh_cloud.raw("GET", target).body == b"x"
    assert code_of(fresh_cloud.raw("GET", target.replace("a%20b", "other"))) == "SignatureDoesNotMatch"
    fresh_cloud.advance(61)
    reply = fresh_cloud.raw("GET", target)
    assert (reply.status, code_of(reply)) == (403, "AccessDenied") and b"Request has expired" in reply.body


def test_malformed_authorization(cloud, bucket):
    for value in ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=x", "Basic abc", "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=1"):
        assert cloud.raw("GET", f"/{bucket}/x", {"Authorization": value}).status in (400, 403)


def test_virtual_host(cloud, bucket):
    client = cloud.client("s3", s3={"addressing_style": "virtual"})
    host = f"{bucket}.s3.localhost:{urlsplit(cloud.endpoint).port}"
    request = AWSRequest(method="PUT", url=f"http://{host}/a//b", data=b"x", headers={"Host": host})
    S3SigV4Auth(Credentials(cloud.access_key_id, cloud.secret_access_key), "s3", "us-east-1").add_auth(request)
    address = urlsplit(cloud.endpoint)
    connection = http.client.HTTPConnection(address.hostname, address.port)
    connection.putrequest("PUT", "/a//b", skip_host=True)
    for name, value in {**dict(request.headers.items()), "Host": host, "Content-Length": "1"}.items():
        connection.putheader(name, value)
    connection.endheaders(b"x")
    assert connection.getresponse().status == 200
    connection.close()
    assert list(cloud.objects(bucket)) == ["a//b"] and client is not None


