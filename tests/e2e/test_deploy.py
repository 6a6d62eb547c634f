"""Deploys of real commits: the bucket is the commit, and the edge holds nothing old."""

import gzip
import json

import pytest

from cloud.client import CACHING_OPTIMIZED, QUERY_STRINGS
from world import ASK_EACH_TIME, EDGE_KEEPS, STATE, denied

SITE = {
    "website/index.html": "<h1>Resume</h1>\n",
    "website/404.html": "<h1>Not here</h1>\n",
    "website/about/index.html": "about\n",
    "website/blog/2024/first post.html": "first\n",
    "website/css/app.3f9a1c2b.css": "body {}\n",
    "website/js/main.js": "let x = 1;\n",
    "website/img/photo.png": b"\x89PNG\r\n\x1a\n\x00\xff",
    "website/cv.pdf": b"%PDF-1.7\n",
    "website/.well-known/security.txt": "Contact: mailto:a@example.com\n",
    "website/empty.txt": "",
    "website/r\u00e9sum\u00e9 (1)+~'!*.txt": "odd name\n",
    "README.md": "not of the site\n",
}


def put_keys(run):
    return sorted(r["path"].partition("?")[0] for r in run.requests
                  if r["operation"] == "PutObject" and STATE not in r["path"])


# --- one site --------------------------------------------------------------------------------


def test_first_deploy(world):
    run = world.deploy(SITE)
    assert run.verdict == "done" and run.site["first"]
    assert run.result["uploaded"] == len(SITE) - 1
    assert run.result["bytes"] == sum(map(len, world.repo.files().values()))
    assert run.patterns == ["/*"]
    state = world.state()
    assert state["deployed"]["commit"] == world.repo.head()
    assert not state.get("journal")


def test_change(world):
    world.deploy(SITE)
    world.warm()
    run = world.deploy({"website/about/index.html": "about me\n"})
    assert run.changes() == {"about/index.html": ("put", "modified")}
    assert run.patterns == ["/about/index.html"]
    assert put_keys(run) == [f"/{world.bucket}/about/index.html"]


def test_add(world):
    world.deploy(SITE)
    world.warm()
    run = world.deploy({"website/blog/2024/second.html": "second\n"})
    assert run.changes() == {"blog/2024/second.html": ("put", "added")}
    assert run.patterns == [], "an error is kept for 10 s only: nothing to forget"


def test_delete(world):
    world.deploy(SITE)
    world.warm()
    run = world.deploy({"website/cv.pdf": None})
    assert run.changes() == {"cv.pdf": ("delete", "deleted")}
    assert run.patterns == ["/cv.pdf"]
    assert world.cloud.view("/cv.pdf", world.distribution).status == 403


def test_rename(world):
    world.deploy(SITE)
    world.warm()
    run = world.deploy({"website/cv.pdf": None, "website/docs/cv.pdf": SITE["website/cv.pdf"]})
    assert run.changes() == {"cv.pdf": ("delete", "deleted"), "docs/cv.pdf": ("put", "added")}
    assert run.patterns == ["/cv.pdf"]
    order = [r["operation"] for r in run.requests if STATE not in r["path"]]
    places = [order.index(o) for o in ("PutObject", "DeleteObject", "CreateInvalidation")]
    assert places == sorted(places)


def test_file_becomes_folder_and_back(world):
    world.deploy({"website/index.html": "i", "website/a": "file"})
    below = "website/a/b.txt"
    for change in ({"website/a": None}, {below: "in a folder"}, {below: None}):
        world.warm()
        world.deploy(change)
    (world.repo.path / "website/a").rmdir()
    world.deploy({"website/a": "file again"})


def test_everything_at_once(world):
    """Added, modified, deleted and moved in one commit, beside what stays."""
    world.deploy(SITE)
    world.warm()
    world.repo.commit({
        "website/index.html": "<h1>New</h1>\n", "website/cv.pdf": None, "website/new.txt": "n\n",
        "website/css/app.3f9a1c2b.css": None, "website/css/app.77aa01bc.css": "body { x }\n",
        "website/r\u00e9sum\u00e9 (1)+~'!*.txt": "still odd\n",
    })
    run = world.run()
    world.check(extra=["css/app.3f9a1c2b.css"])
    assert run.site["retired"] == 1
    assert (run.site["added"], run.site["modified"], run.site["deleted"]) == (2, 2, 1)
    assert run.patterns == ["/", "/cv.pdf", "/index.html", "/r%C3%A9sum%C3%A9%20(1)+%7E'!*"]
    phases = [s["phase"] for s in run.of_type("step")]
    order = ["claim", "assets", "entries", "deletes", "invalidate", "commit"]
    assert phases == sorted(phases, key=order.index)


def test_same_commit_and_same_content(world):
    world.deploy(SITE)
    again = world.run()
    assert again.verdict == "nothing-to-do" and again.writes() == []
    world.repo.commit({"README.md": "other words\n"})
    other = world.run()
    assert other.verdict == "done" and other.writes() == ["PutObject"]
    assert other.site["verdict"] == "record"
    assert world.state()["deployed"]["commit"] == world.repo.head()


def test_what_is_never_uploaded(world):
    world.repo.commit({
        **SITE, "website/.env": "SECRET=1", "website/.git-notes": "x", "website/key.pem": "k",
        "website/node_modules/x/index.js": "x", "website/terraform.tfstate": "{}",
    })
    world.run()
    world.check(exclude={".env", ".git-notes", "key.pem", "node_modules/x/index.js",
                         "terraform.tfstate"})


def test_site_at_the_top_of_the_repository(world):
    world.arguments[1] = "."
    world.repo.commit({"index.html": "top\n", "a/b.txt": "b\n"})
    world.run()
    world.check_bucket(folder="")


# --- headers ---------------------------------------------------------------------------------

RULES = """\
sites:
  resume:
    path: website
    bucket: {bucket}
    distribution: {distribution}
{more}"""


def with_rules(world, more="", **commit):
    world.arguments = []
    return {"crc.yml": RULES.format(bucket=world.bucket, distribution=world.distribution,
                                    more=more), **commit}


def test_headers_only_change_is_a_copy(world):
    world.repo.commit(with_rules(world, **SITE))
    world.run()
    world.check()
    world.warm()
    rule = "    headers:\n      - match: '*.pdf'\n        content-disposition: inline\n" \
           "        x-amz-meta-owner: me\n"
    world.repo.commit(with_rules(world, rule))
    run = world.run()
    world.check(headers={"cv.pdf": {"ContentDisposition": "inline", "Metadata": {"owner": "me"}}})
    assert run.changes() == {"cv.pdf": ("copy", "headers")}
    assert run.operations.count("CopyObject") == 1 and put_keys(run) == []
    assert run.patterns == ["/cv.pdf"]
    world.warm()
    world.repo.commit(with_rules(world))
    assert world.run().changes() == {"cv.pdf": ("copy", "headers")}
    world.check()


def test_rules_apply_in_order(world):
    rules = """\
    headers:
      - match: "*.html"
        cache-control: public, max-age=60
      - match: about/*.html
        cache-control: no-cache
        content-language: en
      - match: "*.txt"
        content-type: text/markdown; charset=utf-8
"""
    world.repo.commit(with_rules(world, rules, **SITE))
    world.run()
    hour = {"CacheControl": "public, max-age=60"}
    text = {"ContentType": "text/markdown; charset=utf-8"}
    world.check_bucket(headers={
        "index.html": hour, "404.html": hour, "blog/2024/first post.html": hour,
        "about/index.html": {"CacheControl": "no-cache", "ContentLanguage": "en"},
        ".well-known/security.txt": text, "empty.txt": text, "r\u00e9sum\u00e9 (1)+~'!*.txt": text,
    })


def test_headers_and_content_at_once(world):
    world.repo.commit(with_rules(world, **SITE))
    world.run()
    world.warm()
    rule = "    headers:\n      - match: '*.txt'\n        content-language: de\n"
    world.repo.commit(with_rules(world, rule, **{"website/empty.txt": "not any more"}))
    run = world.run()
    german = {"ContentLanguage": "de"}
    names = [".well-known/security.txt", "empty.txt", "r\u00e9sum\u00e9 (1)+~'!*.txt"]
    world.check(headers=dict.fromkeys(names, german))
    assert {p: k for p, (k, _) in run.changes().items()} == \
        {names[0]: "copy", names[1]: "put", names[2]: "copy"}


def test_without_a_distribution(bare_world):
    bare_world.cloud.make_bucket(bare_world.name)
    bare_world.bucket = bare_world.name
    bare_world.arguments = ["--site-path", "website", "--bucket", bare_world.name]
    bare_world.repo.commit(SITE)
    run = bare_world.run()
    bare_world.check_bucket(distribution=False)
    assert "CreateInvalidation" not in run.operations
    assert "GetDistribution" not in run.operations


# --- where a site is -------------------------------------------------------------------------


def test_prefix_with_origin_path(bare_world):
    world = bare_world
    world.make_site(origin_path="/live/v1")
    world.arguments += ["--prefix", "live/v1"]
    world.cloud.put_objects(world.bucket, {"live/v2/x.txt": b"x", "y.txt": b"y"})
    world.repo.commit(SITE)
    world.run()
    world.check_bucket("live/v1/")
    world.check_viewers()
    world.warm()
    world.repo.commit({"website/index.html": "new", "website/js/main.js": None})
    run = world.run()
    world.check_bucket("live/v1/")
    world.check_edge()
    world.check_viewers()
    assert run.patterns == ["/", "/index.html", "/js/main.js"]
    assert world.read("y.txt")[0] == b"y" and world.read("live/v2/x.txt")[0] == b"x"


def test_prefix_in_the_viewers_paths(world):
    world.arguments += ["--prefix", "resume/"]
    world.repo.commit(SITE)
    world.run()
    world.warm()
    world.repo.commit({"website/index.html": "new"})
    run = world.run()
    world.check_bucket("resume/")
    world.check_edge()
    assert run.patterns == ["/resume/index.html"]
    assert world.cloud.view("/resume/index.html", world.distribution).body == b"new"


def test_website_endpoint(bare_world):
    """Folders have index documents, and /dir is a redirect that a cache keeps too."""
    world = bare_world
    world.make_site(website=True)
    world.error_documents = ("error.html",)
    files = {**SITE, "website/error.html": "oops\n"}
    world.repo.commit(files)
    world.run()
    world.check_bucket(headers={"error.html": {"CacheControl": EDGE_KEEPS}})
    view = lambda path: world.cloud.view(path, world.distribution)  # noqa: E731
    assert view("/about/").body == b"about\n"
    assert view("/about").status == 302
    world.warm()
    world.repo.commit({"website/about/index.html": "me\n", "website/index.html": "new\n"})
    world.run()
    assert world.cloud.stale(world.distribution) == []
    assert world.in_vain() in ([], ["/about"])
    assert view("/about/").body == b"me\n" and view("/").body == b"new\n"
    world.warm()
    world.repo.commit({"website/about/index.html": None})
    run = world.run()
    assert world.cloud.stale(world.distribution) == []
    assert run.patterns == ["/about*"]
    assert view("/about/").status == 404 and view("/about/").body == b"oops\n"


def test_website_redirect_to_a_folder_is_held(bare_world):
    world = bare_world
    world.make_site(website=True)
    world.repo.commit(SITE)
    world.run()
    world.warm()
    world.repo.commit({"website/about/index.html": "me\n"})
    run = world.run()
    assert world.cloud.stale(world.distribution) == []
    assert run.patterns == ["/about/*"]
    assert world.in_vain() == []


def test_settings_that_may_not_be_read(world):
    """More is invalidated than is needed, and that is said; nothing stale stays."""
    world.deploy(SITE)
    world.warm()
    world.cloud.rules(denied("GetDistribution"))
    world.repo.commit({"website/about/index.html": "me\n", "website/index.html": "new\n"})
    run = world.run()
    assert "allow cloudfront:GetDistribution" in run.notes
    assert world.cloud.stale(world.distribution) == []


def test_viewer_request_function(bare_world):
    world = bare_world
    world.make_site(viewer_function=True)
    world.repo.commit({**SITE, "website/abouts.html": "held\n"})
    world.run()
    world.check_bucket()
    world.warm()
    view = lambda path: world.cloud.view(path, world.distribution)  # noqa: E731
    assert view("/about").body == view("/about/").body == b"about\n"
    world.repo.commit({"website/about/index.html": "me\n"})
    run = world.run()
    world.check_edge()
    assert view("/about").body == view("/about/").body == view("/about/index.html").body == b"me\n"
    assert run.patterns == ["/about", "/about/*"]


def test_query_strings(bare_world):
    world = bare_world
    world.make_site(policy=QUERY_STRINGS)
    world.repo.commit({**SITE, "website/js/other.js": "held"})
    world.run()
    world.warm()
    paths = ["/js/main.js?v=1", "/js/main.js?v=2", "/js/other.js?v=1", "/cv.pdf?x"]
    world.cloud.warm(world.distribution, paths)
    world.repo.commit({"website/js/main.js": "let x = 2;\n"})
    run = world.run()
    world.check_edge()
    assert run.patterns == ["/js/main.js*"]
    assert world.cloud.view("/js/main.js?v=1", world.distribution).body == b"let x = 2;\n"


def test_query_strings_of_the_home_page(bare_world):
    """Everything begins with its path; its variants do not."""
    world = bare_world
    world.make_site(policy=QUERY_STRINGS)
    world.repo.commit(SITE)
    world.run()
    world.warm()
    world.cloud.warm(world.distribution, ["/?utm_source=x", "/index.html?a", "/cv.pdf?x"])
    world.repo.commit({"website/index.html": "new\n"})
    run = world.run()
    world.check_edge()
    assert run.patterns == ["/", "/?*", "/index.html*"]
    assert world.cloud.view("/?utm_source=x", world.distribution).body == b"new\n"


def test_forwarded_query_strings(bare_world):
    """The same with the older way to say it."""
    world = bare_world
    world.make_site(forwarded={"QueryString": True})
    world.repo.commit(SITE)
    world.run()
    world.cloud.warm(world.distribution, ["/cv.pdf?a=1", "/js/main.js?a=1"])
    world.repo.commit({"website/cv.pdf": b"%PDF-1.7 new\n"})
    world.run()
    world.check_edge()


def test_other_behaviours_are_held(bare_world):
    """What another origin serves is no business of ours."""
    world = bare_world
    world.make_site(behaviors=[("/api/*", "api.example.com", CACHING_OPTIMIZED)])
    files = {f"website/{c}{n}.html": str(n) for n in range(5) for c in "ab"}
    world.repo.commit({"website/index.html": "i", **files})
    world.run()
    world.warm()
    world.cloud.warm(world.distribution, ["/api/counter", "/api/x/y"])
    world.repo.commit(dict.fromkeys(files, "new"))
    run = world.run()
    world.check_edge()
    assert run.patterns == [*(f"/a{n}.html" for n in range(5)), "/b*"]


# --- errors ----------------------------------------------------------------------------------

MISSING_FOR_LONG = [{"ErrorCode": 403, "ResponsePagePath": "/404.html", "ResponseCode": 404,
                     "ErrorCachingMinTTL": 3600}]
MISSING_SHORTLY = [{"ErrorCode": 403, "ResponsePagePath": "/404.html", "ResponseCode": 404,
                    "ErrorCachingMinTTL": 10}]


def test_added_where_an_error_was_cached_for_long(bare_world):
    world = bare_world
    world.make_site(errors=MISSING_FOR_LONG)
    world.error_documents = ("404.html",)
    world.deploy(SITE)
    assert world.cloud.view("/later.html", world.distribution).status == 404
    world.warm()
    run = world.deploy({"website/later.html": "here I am\n"})
    assert run.patterns == ["/later.html"]
    assert world.cloud.view("/later.html", world.distribution).body == b"here I am\n"


def test_error_document_changes_and_errors_are_cached_for_long(bare_world):
    world = bare_world
    world.make_site(errors=MISSING_FOR_LONG)
    world.error_documents = ("404.html",)
    world.deploy(SITE)
    for path in ("/nothing", "/nor/this"):
        assert world.cloud.view(path, world.distribution).status == 404
    world.repo.commit({"website/404.html": "<h1>Gone</h1>\n"})
    run = world.run()
    world.check_bucket()
    assert world.cloud.stale(world.distribution) == []
    assert run.patterns == ["/*"]
    assert [s["everything"] for s in run.plan["steps"] if s["kind"] == "invalidate"] == \
        ["an error page changed, and errors are cached for long"]


def test_error_document_changes_and_errors_are_soon_forgotten(clock_world):
    world = clock_world
    distribution = world.cloud.make_distribution(world.bucket, errors=MISSING_SHORTLY).distribution
    world.distribution = world.arguments[-1] = distribution
    world.error_documents = ("404.html",)
    world.deploy(SITE)
    assert world.cloud.view("/nothing", distribution).status == 404
    world.warm()
    world.repo.commit({"website/404.html": "<h1>Gone</h1>\n"})
    run = world.run()
    assert run.patterns == ["/404.html"]
    world.cloud.advance(11)
    world.check()


def test_becomes_error_document(world):
    """The distribution's settings are part of what decides headers."""
    world.deploy(SITE)
    assert world.read("404.html")[1]["CacheControl"] == EDGE_KEEPS
    config = world.cloud.cloudfront.get_distribution_config(Id=world.distribution)
    config["DistributionConfig"]["CustomErrorResponses"] = {"Quantity": 1, "Items": [
        {"ErrorCode": 403, "ResponsePagePath": "/404.html", "ResponseCode": "404",
         "ErrorCachingMinTTL": 10}]}
    world.cloud.cloudfront.update_distribution(Id=world.distribution, IfMatch=config["ETag"],
                                               DistributionConfig=config["DistributionConfig"])
    world.repo.commit({"README.md": "same site"})
    run = world.run()
    assert run.changes() == {"404.html": ("copy", "headers")}
    assert world.read("404.html")[1]["CacheControl"] == ASK_EACH_TIME


# --- several ---------------------------------------------------------------------------------


def test_several_sites(bare_world):
    """Two sites in one bucket on one distribution, and one elsewhere."""
    world = bare_world
    world.make_site()
    other = world.cloud.make_site(world.name + "-other")
    config = f"""\
region: us-east-1
sites:
  home:
    path: website
    bucket: {world.bucket}
    distribution: {world.distribution}
    exclude: [docs/]
  docs:
    path: manual
    bucket: {world.bucket}
    prefix: docs
    distribution: {world.distribution}
  other:
    path: other
    bucket: {other.bucket}
    distribution: [{other.distribution}]
"""
    world.arguments = []
    world.repo.commit({"crc.yml": config, **SITE, "manual/index.html": "m", "manual/a.html": "a",
                       "other/index.html": "o"})
    world.run()
    world.check_bucket(extra=["docs/index.html", "docs/a.html"])
    world.check_bucket("docs/", folder="manual")
    world.check_bucket(folder="other", bucket=other.bucket)
    world.warm()
    world.cloud.warm(other.distribution)
    world.repo.commit({"manual/a.html": "new", "website/index.html": "new"})
    run = world.run()
    assert {s["name"]: s["verdict"] for s in run.plan["sites"]} == \
        {"home": "deploy", "docs": "deploy", "other": "record"}
    world.check_edge()
    world.check_edge(other.distribution)
    assert sorted(run.patterns) == ["/", "/docs/a.html", "/index.html"]
    assert world.state("docs/")["deployed"]["commit"] == world.repo.head()
    world.repo.commit({"manual/a.html": "newer", "other/index.html": "newer"})
    run = world.run("--site", "docs")
    assert [s["name"] for s in run.plan["sites"]] == ["docs"]
    assert world.read("index.html", other.bucket)[0] == b"o"
    assert world.read("docs/a.html")[0] == b"newer"


def test_several_distributions(world):
    second = world.cloud.make_distribution(world.bucket, origin_path="").distribution
    world.arguments[-1] = f"{world.distribution},{second}"
    world.deploy(SITE)
    world.cloud.warm(world.distribution)
    world.cloud.warm(second)
    run = world.deploy({"website/index.html": "new"})
    world.check_edge(second)
    assert [s["distribution"] for s in run.plan["steps"] if s["kind"] == "invalidate"] == \
        sorted([world.distribution, second])
    assert run.operations.count("CreateInvalidation") == 2


def test_a_distribution_that_the_site_did_not_have(world):
    world.deploy(SITE)
    second = world.cloud.make_distribution(world.bucket).distribution
    world.cloud.warm(second)
    world.cloud.warm(world.distribution)
    world.arguments[-1] = f"{world.distribution},{second}"
    world.repo.commit({"website/index.html": "new"})
    run = world.run()
    world.check_edge()
    assert world.cloud.stale(second) == []
    by_distribution = {s["distribution"]: s for s in run.plan["steps"] if s["kind"] == "invalidate"}
    assert by_distribution[second]["paths"] == ["/*"]
    assert by_distribution[second]["everything"] == "the distribution is new to this site"
    assert by_distribution[world.distribution]["paths"] == ["/", "/index.html"]
    world.repo.commit({"website/index.html": "newer"})
    assert sorted(set(world.run().patterns)) == ["/", "/index.html"]


# --- what was there before -------------------------------------------------------------------


def test_adoption(world):
    """The files are there already, put by another tool: no byte is sent again."""
    world.repo.commit(SITE)
    for path, content in world.repo.files().items():
        world.cloud.put_objects(world.bucket, {path: content}, ContentType="binary/octet-stream")
    world.warm()
    run = world.run()
    world.check_bucket()
    assert world.cloud.stale(world.distribution) == []
    assert set(run.changes().values()) == {("copy", "adopted")}
    assert put_keys(run) == [] and run.result["bytes"] == 0
    assert run.patterns == ["/*"]
    assert "first deploy" in run.plan["steps"][-2]["everything"]
    assert world.run().verdict == "nothing-to-do"


def test_adoption_of_old_and_foreign_objects(world):
    world.repo.commit(SITE)
    world.cloud.put_objects(world.bucket, {
        "index.html": b"an old version", "foreign.html": b"not ours", "logs/2024.gz": b"log"})
    run = world.run()
    world.check_bucket(extra=["foreign.html", "logs/2024.gz"])
    assert run.changes()["index.html"][0] == "put"
    assert "2 objects in the bucket are not from this site and are left alone: " \
        "foreign.html, logs/2024.gz" in run.notes
    assert world.read("foreign.html")[0] == b"not ours"
    world.repo.commit({"website/index.html": "new"})
    world.run()
    world.run("--audit")
    world.check_bucket(extra=["foreign.html", "logs/2024.gz"])


def test_an_object_that_was_sent_in_parts_is_sent_again(world):
    """Its ETag is not the MD5 of its bytes, so nobody can know."""
    world.repo.commit(SITE)
    upload = world.cloud.s3.create_multipart_upload(Bucket=world.bucket, Key="cv.pdf")["UploadId"]
    part = world.cloud.s3.upload_part(Bucket=world.bucket, Key="cv.pdf", PartNumber=1,
                                      UploadId=upload, Body=SITE["website/cv.pdf"])
    world.cloud.s3.complete_multipart_upload(
        Bucket=world.bucket, Key="cv.pdf", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    run = world.run()
    assert run.changes()["cv.pdf"][0] == "put"
    world.check_bucket()


def test_a_foreign_object_under_a_new_name_of_ours_is_overwritten(world):
    """Git is the truth for the keys of the commit."""
    world.deploy(SITE)
    world.cloud.put_objects(world.bucket, {"later.txt": b"from somebody else"})
    world.deploy({"website/later.txt": "ours\n"})


def test_a_foreign_change_to_what_we_delete_is_left_alone(world):
    world.deploy(SITE)
    world.cloud.put_objects(world.bucket, {"cv.pdf": b"changed by hand"})
    world.repo.commit({"website/cv.pdf": None})
    run = world.run()
    assert run.verdict == "done"
    world.check_bucket(extra=["cv.pdf"])
    assert world.read("cv.pdf")[0] == b"changed by hand"


# --- retired assets --------------------------------------------------------------------------


def test_retired_assets_stay_until_their_time(clock_world):
    world, cloud = clock_world, clock_world.cloud
    old, new = "css/app.3f9a1c2b.css", "css/app.77aa01bc.css"
    world.deploy(SITE)
    world.warm()
    world.repo.commit({"website/" + old: None, "website/" + new: "new\n"})
    run = world.run()
    assert run.site["retired"] == 1 and "DeleteObject" not in run.operations
    world.check(extra=[old])
    assert cloud.view("/" + old, world.distribution).body == b"body {}\n"
    cloud.advance(6 * 86400, check_skew=False)
    world.repo.commit({"website/index.html": "day 6\n"})
    world.run()
    world.check(extra=[old])
    cloud.advance(2 * 86400)
    world.repo.commit({"website/index.html": "day 8\n"})
    run = world.run()
    assert run.changes()[old] == ("delete", "expired")
    world.check()


def test_a_retired_asset_comes_back(world):
    old = "css/app.3f9a1c2b.css"
    world.deploy(SITE)
    world.repo.commit({"website/" + old: None})
    world.run()
    world.check_bucket(extra=[old])
    world.warm()
    run = world.deploy({"website/" + old: SITE["website/" + old]})
    assert run.writes() == ["PutObject"], "the state alone: the object is still there"
    assert world.state()["retired"] == {}


def test_keep_0_deletes_at_once(world):
    world.repo.commit(with_rules(world, "    keep: 0\n", **SITE))
    world.run()
    world.warm()
    world.repo.commit({"website/css/app.3f9a1c2b.css": None})
    world.run()
    world.check()


def test_immutable_changed_in_place(world):
    """A promise that was broken: said aloud, and not made again."""
    path = "css/app.3f9a1c2b.css"
    world.deploy(SITE)
    world.warm()
    world.repo.commit({"website/" + path: "body { broken promise }\n"})
    run = world.run()
    assert "was served as immutable and has changed in place" in run.notes
    world.check(headers={path: {"CacheControl": EDGE_KEEPS}})
    world.repo.commit({"website/index.html": "new"})
    world.run()
    world.check(headers={path: {"CacheControl": EDGE_KEEPS}})


# --- options ---------------------------------------------------------------------------------


def test_max_delete(world):
    files = {f"website/page{n}.html": str(n) for n in range(6)}
    world.deploy({**SITE, **files})
    world.repo.commit(dict.fromkeys(files))
    run = world.run("--max-delete", 5, status=5)
    assert run.writes() == [] and run.verdict == "refused"
    assert "6 of 17 objects would be deleted, and at most 5 may be" in run.err
    assert "--max-delete 6" in run.err
    world.run("--max-delete", 6)
    world.check()


def test_max_paths(world):
    """Fewer paths than there are stale ones: what goes for nothing is announced."""
    files = {f"website/{d}/{n}.html": "old" for d in "ab" for n in range(6)}
    world.deploy({"website/index.html": "i", **files})
    world.warm()
    changed = [f"website/{d}/{n}.html" for d in "ab" for n in (0, 2, 4)]
    world.repo.commit(dict.fromkeys(changed, "new"))
    run = world.run("--max-paths", 2)
    step = next(s for s in run.plan["steps"] if s["kind"] == "invalidate")
    assert step["paths"] == ["/a/*", "/b/*"] and step["evicted"] == 6
    assert world.cloud.stale(world.distribution) == []
    assert len(world.in_vain()) == step["evicted"]


def test_audit_repairs_drift(world):
    world.deploy(SITE)
    world.cloud.put_objects(world.bucket, {"index.html": b"defaced", "stranger.html": b"?"})
    world.cloud.s3.delete_object(Bucket=world.bucket, Key="cv.pdf")
    world.cloud.view("/index.html", world.distribution)
    world.cloud.edge_entries(world.distribution)
    assert world.run().verdict == "nothing-to-do", "without --audit nobody looks"
    run = world.run("--audit")
    assert run.changes() == {"cv.pdf": ("put", "drift"), "index.html": ("put", "drift")}
    world.check_bucket(extra=["stranger.html"])
    assert world.cloud.stale(world.distribution) == []
    assert world.cloud.view("/", world.distribution).body == SITE["website/index.html"].encode()
    assert world.run("--audit").verdict == "nothing-to-do"


def test_wait(world):
    world.deploy(SITE)
    world.cloud.settings(invalidation_s=0.1)
    world.repo.commit({"website/index.html": "new"})
    run = world.run("--wait")
    assert run.operations.count("GetInvalidation") == 1
    assert run.operations[-2:] == ["GetInvalidation", "PutObject"]
    world.cloud.settings(invalidation_s=1)


def test_superseded_and_rollback(world):
    first = world.repo.commit(SITE)
    world.run()
    second = world.repo.commit({"website/index.html": "new"})
    world.run()
    world.warm()
    run = world.run("--head", first)
    assert run.verdict == "superseded" and run.result["superseded_by"] == second
    assert run.writes() == []
    world.check()
    run = world.run("--head", first, "--allow-rollback")
    assert run.verdict == "done"
    world.check_bucket(revision=first)
    world.check_edge()
    assert world.state()["deployed"]["commit"] == first
    assert world.run().verdict == "done", "forward again"
    world.check()


def test_side_branch_is_superseded_by_nothing_it_knows(world):
    """Two branches: neither is an ancestor of the other, and nothing else tells."""
    world.deploy(SITE)
    world.repo.git("checkout", "-q", "--orphan", "side")
    world.repo.commit({"website/index.html": "other history"})
    run = world.run(status=5)
    assert "cannot be told whether the head is newer" in run.err
    assert run.writes() == []
    assert world.run("--allow-rollback").verdict == "done"
    world.check()


def test_source_worktree(world):
    """A build's output that nobody commits."""
    world.repo.commit({".gitignore": "dist/\n"})
    world.repo.write({"dist/index.html": "built\n", "dist/app.js": "x\n"})
    world.arguments[1] = "dist"
    run = world.run()
    assert run.verdict == "done"
    found = {key: world.read(key)[0] for key in world.keys()}
    assert found == {"index.html": b"built\n", "app.js": b"x\n"}
    world.warm()
    world.repo.write({"dist/index.html": "built again\n"})
    world.repo.commit()
    world.run()
    world.check_edge()
    assert world.read("index.html")[0] == b"built again\n"


def test_build(world):
    """A command that makes the site, without anything secret around it."""
    world.repo.commit({".gitignore": "out/\n", **with_rules(world), "crc.yml": f"""\
sites:
  resume:
    path: out
    build: mkdir -p out && echo made > out/index.html && env > out/env.txt
    bucket: {world.bucket}
    distribution: {world.distribution}
"""})
    env = world.env(GITHUB_TOKEN="ghs_canary", ACTIONS_ID_TOKEN_REQUEST_TOKEN="canary")
    world.run(env=env)
    assert world.read("index.html")[0] == b"made\n"
    seen = world.read("env.txt")[0].decode()
    assert "PATH=" in seen
    for secret in (world.cloud.secret_access_key, "canary", "AWS_"):
        assert secret not in seen


def test_edits_that_are_not_committed_are_not_deployed(world):
    world.repo.commit(SITE)
    world.repo.write({"website/index.html": "not committed"})
    world.run()
    world.check_bucket()


def test_a_clone_of_depth_1(world, tmp_path):
    """No history: changes come from the recorded snapshot, order from the remote's tip."""
    world.deploy(SITE)
    world.warm()
    world.repo.commit({"website/index.html": "new", "website/cv.pdf": None})
    world.repo = world.repo.clone(tmp_path / "clone", "--depth", "1")
    run = world.run()
    assert run.verdict == "done"
    assert run.changes() == {"index.html": ("put", "modified"), "cv.pdf": ("delete", "deleted")}
    world.check()


def test_the_state_is_what_the_manual_says(world):
    world.deploy(SITE)
    raw = world.cloud.s3.get_object(Bucket=world.bucket, Key=STATE)
    assert raw["ContentType"] == "application/json" and raw["ContentEncoding"] == "gzip"
    state = json.loads(gzip.decompress(raw["Body"].read()))
    assert sorted(state["objects"]) == sorted(world.repo.files())
    blob = world.repo.git("rev-parse", "HEAD:website/index.html").decode().strip()
    etag = world.cloud.s3.head_object(Bucket=world.bucket, Key="index.html")["ETag"]
    entry = state["objects"]["index.html"]
    assert entry[0] == blob and entry[2].strip('"') == etag.strip('"')


@pytest.mark.parametrize("name", [
    "a\nb.txt", "tab\there.txt", " leading.txt", "trailing .txt", "::error::pwn.txt", "-n",
    "%41.txt", "a%2Fb.txt", "q?x=1.txt", "hash#tag.txt", "star*.txt", "back\\slash.txt",
    "\U0001f680.txt", "quote\"'.txt", "<b>&amp;.txt", "a;b,c=d@e:f$.txt",
])
def test_odd_names(world, name):
    world.repo.commit({"website/index.html": "i", "website/" + name: "old"})
    world.run()
    assert world.read(name)[0] == b"old"
    world.warm()
    world.repo.commit({"website/" + name: "new"})
    world.run()
    assert world.read(name)[0] == b"new"
    world.check_edge()
    world.repo.commit({"website/" + name: None})
    world.run()
    assert sorted(world.keys()) == ["index.html"]
    world.check_edge()
