"""The cache before the bucket: what it keeps, what it forgets, what it calls stale."""
import json

import pytest

from cloud.client import CACHING_DISABLED, QUERY_STRINGS
from cloud.test_cloudfront import invalidate


def word(reply):
    return reply.headers["x-cache"].split()[0]


@pytest.fixture
def site(cloud, name):
    made = cloud.make_site(name)
    cloud.put_objects(name, {"index.html": b"root", "a.txt": b"a", "d/index.html": b"sub", "d/x y~z+1.txt": b"odd", "é.txt": b"e"}, CacheControl="max-age=0, s-maxage=1")
    return made


def test_keeps_until_invalidated(cloud, site):
    view = lambda path: cloud.view(path, site.distribution)  # noqa: E731
    assert word(view("/a.txt")) == "Miss" and word(view("/a.txt")) == "Hit"
    cloud.put_objects(site.bucket, {"a.txt": b"new"})
    assert view("/a.txt").body == b"a"
    assert [(s["path"], "bytes" in s["why"]) for s in cloud.stale(site.distribution)] == [("/a.txt", True)]
    invalidate(cloud, site, "1", "/a.txt")
    assert cloud.stale(site.distribution) == []
    assert view("/a.txt").body == b"new" and word(view("/a.txt")) == "Hit"


@pytest.mark.parametrize(("statement", "refused"), [
    ({}, True),
    ({"Principal": "*"}, True),
    ({"Principal": {"AWS": "*"}}, True),
    ({"Action": ["s3:PutObject", "s3:Get*"]}, True),
    ({"Principal": {"Service": "lambda.amazonaws.com"}}, False),
    ({"Effect": "Allow"}, False),
    ({"Action": "s3:PutObject"}, False),
    ({"Resource": "arn:aws:s3:::BUCKET/d/.*"}, False),
    ({"Condition": {"Bool": {"aws:SecureTransport": "false"}}}, False),
])
def test_what_the_policy_refuses(cloud, site, statement, refused):
    policy = json.loads(cloud.s3.get_bucket_policy(Bucket=site.bucket)["Policy"])
    policy["Statement"].append({
        "Effect": "Deny", "Principal": {"Service": "cloudfront.amazonaws.com"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::BUCKET/d/*", **statement})
    cloud.s3.put_bucket_policy(Bucket=site.bucket, Policy=json.dumps(policy).replace("BUCKET", site.bucket))
    assert cloud.view("/d/index.html", site.distribution).status == (403 if refused else 200)
    assert cloud.view("/a.txt", site.distribution).status == 200


def test_root_and_folders(cloud, site):
    assert cloud.view("/", site.distribution).body == b"root"
    assert cloud.view("/d/", site.distribution).status == 403
    host = {"Host": f"{site.distribution.lower()}.cloudfront.localhost"}
    assert cloud.view("/", headers=host).body == b"root"
    assert cloud.view("/", "ENONE").status == 403


def test_warm_knows_every_path(cloud, site):
    assert cloud.warm(site.distribution) == {"200": 6}
    assert sorted(e["path"] for e in cloud.edge_entries(site.distribution)) == ["/", "/%C3%A9.txt", "/a.txt", "/d/index.html", "/d/x%20y%7Ez+1.txt", "/index.html"]


def test_eviction_in_vain(cloud, site):
    cloud.warm(site.distribution)
    cloud.put_objects(site.bucket, {"d/index.html": b"sub2"})
    made = invalidate(cloud, site, "1", "/d/*")
    batch = next(b for b in cloud.evicted() if b["id"] == made["Id"])
    assert sorted(e["path"] for e in batch["evicted"]) == ["/d/index.html", "/d/x%20y%7Ez+1.txt"]
    assert batch["in_vain"] == ["/d/x%20y%7Ez+1.txt"]


def test_changed_headers_are_stale_and_new_dates_are_not(cloud, site):
    cloud.warm(site.distribution)
    cloud.put_objects(site.bucket, {"a.txt": b"a"}, CacheControl="max-age=0, s-maxage=1")
    assert cloud.stale(site.distribution) == []
    cloud.put_objects(site.bucket, {"a.txt": b"a"}, CacheControl="max-age=9")
    assert [s["why"] for s in cloud.stale(site.distribution)] == [["header cache-control"]]


def test_one_spelling_for_equivalent_requests(cloud, site):
    for raw in ("/d/x%20y~z+1.txt", "/d/x%20y%7Ez%2B1.txt", "/d/x%20y%7ez+1%2Etxt"):
        assert cloud.view(raw, site.distribution).body == b"odd"
    assert [e["path"] for e in cloud.edge_entries(site.distribution)] == ["/d/x%20y%7Ez+1.txt"]


@pytest.mark.parametrize("pattern,works", [
    ("/d/x%20y%7Ez+1.txt", True), ("/d/x%20y%7ez+1.txt", True), ("/d/x%20y%7Ez%2B1.txt", False), ("/d/%78%20y%7Ez+1.txt", False), ("/D/x%20y%7Ez+1.txt", False),
    ("/d/x*", True), ("/d*", True), ("/*", True), ("/d/y*", False),
])
def test_patterns(cloud, site, pattern, works):
    cloud.view("/d/x%20y%7Ez+1.txt", site.distribution)
    invalidate(cloud, site, pattern[:100], pattern)
    assert (cloud.edge_entries(site.distribution) == []) == works


def test_query_strings_in_the_key(cloud, name):
    site = cloud.make_site(name, policy=QUERY_STRINGS)
    cloud.put_objects(name, {"a": b"1"})
    for path in ("/a", "/a?v=1", "/a?v=2"):
        assert word(cloud.view(path, site.distribution)) == "Miss"
    invalidate(cloud, site, "1", "/a")
    assert [e["path"] for e in cloud.edge_entries(site.distribution)] == ["/a?v=1", "/a?v=2"]
    invalidate(cloud, site, "2", "/a*")
    assert cloud.edge_entries(site.distribution) == []


def test_query_strings_outside_the_key(cloud, site):
    assert word(cloud.view("/a.txt?v=1", site.distribution)) == "Miss"
    assert word(cloud.view("/a.txt?v=2", site.distribution)) == "Hit"


def test_forwarded_values(cloud, name):
    site = cloud.make_site(name, forwarded={"QueryString": True, "QueryStringCacheKeys": {"Quantity": 1, "Items": ["v"]}})
    cloud.put_objects(name, {"a": b"1"})
    assert [word(cloud.view(p, site.distribution)) for p in ("/a?v=1&x=1", "/a?x=2&v=1", "/a?v=2")] == ["Miss", "Hit", "Miss"]


def test_errors_age(fresh_cloud):
    cloud = fresh_cloud
    site = cloud.make_site("aging")
    assert cloud.view("/new.txt").status == 403
    cloud.advance(0, check_skew=False)
    cloud.put_objects("aging", {"new.txt": b"here"})
    assert [s["path"] for s in cloud.stale()] == ["/new.txt"]
    assert cloud.view("/new.txt").status == 403
    cloud.advance(11)
    assert cloud.stale() == [] and cloud.view("/new.txt").body == b"here" and site.distribution


def test_error_pages(fresh_cloud):
    cloud = fresh_cloud
    cloud.make_site("errors", errors=[{"ErrorCode": 404, "ResponsePagePath": "/404.html", "ResponseCode": 404, "ErrorCachingMinTTL": 300}], list_bucket=True)
    cloud.put_objects("errors", {"404.html": b"custom"})
    reply = cloud.view("/none")
    assert (reply.status, reply.body) == (404, b"custom")
    cloud.put_objects("errors", {"404.html": b"changed"})
    assert [s["path"] for s in cloud.stale()] == ["/none"]
    cloud.advance(301)
    assert cloud.stale() == [] and cloud.view("/none").body == b"changed"


def test_origin_path_and_behaviors(cloud, name):
    site = cloud.make_site(name, origin_path="/v1", behaviors=[("/api/*", "api.example.com", CACHING_DISABLED), ("*.js", None, QUERY_STRINGS)])
    cloud.put_objects(name, {"v1/index.html": b"one", "v1/a.js": b"js", "v2/index.html": b"two"})
    assert cloud.view("/", site.distribution).body == b"one" and cloud.view("/index.html", site.distribution).body == b"one"
    assert [word(cloud.view("/api/count", site.distribution)) for _ in range(2)] == ["Miss", "Miss"]
    assert [word(cloud.view(p, site.distribution)) for p in ("/a.js?1", "/a.js?2", "/index.html?1")] == ["Miss", "Miss", "Hit"]


def test_website_origin(cloud, name):
    site = cloud.make_site(name, website=True)
    cloud.put_objects(name, {"index.html": b"root", "d/index.html": b"sub", "error.html": b"oops"})
    assert cloud.view("/d/", site.distribution).body == b"sub"
    assert (cloud.view("/d", site.distribution).status, cloud.view("/none", site.distribution).body) == (302, b"oops")
    assert cloud.warm(site.distribution) == {"200": 5, "302": 1}


def test_viewer_function_needs_both_paths(cloud, name):
    site = cloud.make_site(name, viewer_function=True)
    cloud.put_objects(name, {"d/index.html": b"sub"})
    assert cloud.view("/d", site.distribution).body == cloud.view("/d/", site.distribution).body == b"sub"
    invalidate(cloud, site, "1", "/d/index.html")
    assert len(cloud.edge_entries(site.distribution)) == 2
    invalidate(cloud, site, "2", "/d/*")
    assert [e["path"] for e in cloud.edge_entries(site.distribution)] == ["/d"]
    invalidate(cloud, site, "3", "/d", "/d/index.html")
    assert cloud.edge_entries(site.distribution) == []


def test_no_store_is_obeyed(cloud, site):
    cloud.s3.put_object(Bucket=site.bucket, Key="state", Body=b"1", CacheControl="no-store")
    assert [word(cloud.view("/state", site.distribution)) for _ in range(2)] == ["Miss", "Miss"]


def test_effect_may_take_time(fresh_cloud):
    cloud = fresh_cloud
    cloud.settings(effect_s=5)
    site = cloud.make_site("slow-edge")
    cloud.put_objects("slow-edge", {"a": b"1"})
    cloud.view("/a")
    invalidate(cloud, site, "1", "/a")
    assert len(cloud.edge_entries()) == 1
    cloud.advance(6)
    assert cloud.edge_entries() == []


def test_conditional_and_head(cloud, site):
    etag = cloud.view("/a.txt", site.distribution).headers["etag"]
    assert cloud.view("/a.txt", site.distribution, headers={"If-None-Match": etag}).status == 304
    head = cloud.view("/a.txt", site.distribution, method="HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "1")
    assert cloud.view("/a.txt", site.distribution, method="DELETE").status == 403
