"""Distributions, cache policies and the rules of invalidations."""
import pytest

from cloud.client import CACHING_DISABLED, CACHING_OPTIMIZED
from cloud.test_s3 import error_of


@pytest.fixture
def site(cloud, name):
    return cloud.make_site(name)


def invalidate(cloud, site, reference, *paths):
    batch = {"CallerReference": reference, "Paths": {"Quantity": len(paths), "Items": list(paths)}}
    return cloud.cloudfront.create_invalidation(DistributionId=site.distribution, InvalidationBatch=batch)["Invalidation"]


def refused(cloud, site, reference, *paths):
    return error_of(lambda: invalidate(cloud, site, reference, *paths))


def test_configuration_survives(cloud, name):
    site = cloud.make_site(name, origin_path="/v1", errors=[{"ErrorCode": 404, "ResponsePagePath": "/404.html", "ResponseCode": 404, "ErrorCachingMinTTL": 60}],
                           behaviors=[("/api/*", "api.example.com", CACHING_DISABLED)], viewer_function=True)
    answer = cloud.cloudfront.get_distribution_config(Id=site.distribution)
    config = answer["DistributionConfig"]
    assert config["Origins"]["Items"][0]["OriginPath"] == "/v1" and config["CacheBehaviors"]["Items"][0]["PathPattern"] == "/api/*"
    assert config["CustomErrorResponses"]["Items"][0]["ErrorCachingMinTTL"] == 60
    assert config["DefaultCacheBehavior"]["FunctionAssociations"]["Quantity"] == 1 and config["DefaultCacheBehavior"]["CachePolicyId"] == CACHING_OPTIMIZED
    config["DefaultRootObject"] = "home.html"
    assert error_of(cloud.cloudfront.update_distribution, Id=site.distribution, IfMatch="old", DistributionConfig=config) == (412, "PreconditionFailed")
    cloud.cloudfront.update_distribution(Id=site.distribution, IfMatch=answer["ETag"], DistributionConfig=config)
    assert cloud.cloudfront.get_distribution(Id=site.distribution)["Distribution"]["DistributionConfig"]["DefaultRootObject"] == "home.html"
    assert site.distribution in [d["Id"] for d in cloud.cloudfront.list_distributions()["DistributionList"]["Items"]]


def test_unknown_distribution(cloud):
    assert error_of(cloud.cloudfront.get_distribution, Id="ENONE") == (404, "NoSuchDistribution")
    assert error_of(cloud.cloudfront.create_invalidation, DistributionId="ENONE", InvalidationBatch={
        "CallerReference": "1", "Paths": {"Quantity": 1, "Items": ["/"]}}) == (404, "NoSuchDistribution")


def test_policies(cloud):
    managed = cloud.cloudfront.get_cache_policy(Id=CACHING_OPTIMIZED)["CachePolicy"]["CachePolicyConfig"]
    assert managed["Name"] == "Managed-CachingOptimized"
    made = cloud.cloudfront.create_cache_policy(CachePolicyConfig={"Name": "mine", "MinTTL": 0, "ParametersInCacheKeyAndForwardedToOrigin": {
        "EnableAcceptEncodingGzip": True, "HeadersConfig": {"HeaderBehavior": "none"}, "CookiesConfig": {"CookieBehavior": "none"},
        "QueryStringsConfig": {"QueryStringBehavior": "whitelist", "QueryStrings": {"Quantity": 1, "Items": ["v"]}}}})["CachePolicy"]
    read = cloud.cloudfront.get_cache_policy(Id=made["Id"])["CachePolicy"]["CachePolicyConfig"]
    assert read["ParametersInCacheKeyAndForwardedToOrigin"]["QueryStringsConfig"]["QueryStrings"]["Items"] == ["v"]
    assert error_of(cloud.cloudfront.get_cache_policy, Id="none") == (404, "NoSuchCachePolicy")


def test_caller_reference(cloud, site):
    first = invalidate(cloud, site, "r1", "/a", "/b")
    assert invalidate(cloud, site, "r1", "/b", "/a")["Id"] == first["Id"]
    assert len(cloud.invalidations(site.distribution)) == 1
    assert refused(cloud, site, "r1", "/c") == (400, "InvalidationBatchAlreadyExists")
    cloud.rules({"when": {"operation": "CreateInvalidation"}, "do": {"caller_reference": "InvalidArgument"}})
    assert refused(cloud, site, "r1", "/a", "/b") == (400, "InvalidArgument")
    invalidate(cloud, site, "r2", "/a")


@pytest.mark.parametrize("path", ["a", "", "/a*b", "/a b", "/ä", "/a~b", "/a%zz", "/a%", "/" + "x" * 4000, "/a#b", "/<", "/a\\b", "/[a]", "/{a}", "/a^", "/a|b", '/"', "/`"])
def test_one_bad_path_rejects_the_batch(cloud, site, path):
    assert refused(cloud, site, "bad", "/good", path) == (400, "InvalidArgument")
    assert cloud.invalidations(site.distribution) == []


@pytest.mark.parametrize("path", ["/", "/*", "/a*", "/%C3%A4", "/a%7Eb", "/(')!,+=@:&$;.-_", "/x?a=b&c", "/" + "x" * 3999])
def test_good_paths(cloud, site, path):
    assert invalidate(cloud, site, "good", path)["InvalidationBatch"]["Paths"]["Items"] == [path]


def test_quantity_must_agree(cloud, site):
    batch = {"CallerReference": "q", "Paths": {"Quantity": 2, "Items": ["/a"]}}
    assert error_of(cloud.cloudfront.create_invalidation, DistributionId=site.distribution, InvalidationBatch=batch) == (400, "InconsistentQuantities")


def test_quotas_and_progress(fresh_cloud):
    cloud = fresh_cloud
    cloud.settings(invalidation_s=60)
    site = cloud.make_site("quota-site")
    first = invalidate(cloud, site, "w", *[f"/{n}/*" for n in range(15)])
    assert refused(cloud, site, "w2", "/more/*") == (400, "TooManyInvalidationsInProgress")
    invalidate(cloud, site, "p", *[f"/{n}" for n in range(3000)])
    assert refused(cloud, site, "p2", "/one") == (400, "TooManyInvalidationsInProgress")
    assert refused(cloud, site, "p3", *[f"/{n}" for n in range(3001)]) == (413, "BatchTooLarge")
    get = cloud.cloudfront.get_invalidation
    assert get(DistributionId=site.distribution, Id=first["Id"])["Invalidation"]["Status"] == "InProgress"
    assert cloud.cloudfront.get_distribution(Id=site.distribution)["Distribution"]["InProgressInvalidationBatches"] == 2
    cloud.advance(61)
    assert get(DistributionId=site.distribution, Id=first["Id"])["Invalidation"]["Status"] == "Completed"
    invalidate(cloud, site, "w2", "/more/*")
    assert error_of(get, DistributionId=site.distribution, Id="INONE") == (404, "NoSuchInvalidation")


def test_listing_pages(cloud, site):
    made = [invalidate(cloud, site, str(n), f"/{n}")["Id"] for n in range(5)]
    pages = cloud.cloudfront.get_paginator("list_invalidations").paginate(DistributionId=site.distribution, PaginationConfig={"PageSize": 2})
    assert [i["Id"] for page in pages for i in page["InvalidationList"].get("Items", [])] == made[::-1]
