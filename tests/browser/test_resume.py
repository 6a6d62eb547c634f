"""examples/resume as visitors see it: the real stack in the local cloud, at its edge."""

import io
import mimetypes
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from cloud.client import LocalCloud

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "resume"
PAGES = {"resume": "/", "projects": "/projects.html", "missing": "/no/such/page"}
API = {"service": "edge", "path_contains": "/api/"}
# The browser itself notes in its console that a request failed; a page cannot keep it from that.
FAILED_REQUEST = r"^network: \S+ - Failed to load resource"


@dataclass
class Site:
    cloud: LocalCloud
    url: str
    bucket: str
    distribution: str
    table: str


@pytest.fixture(scope="module")
def cloud(chromium, tmp_path_factory):    # without a browser no cloud is needed
    with LocalCloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running
        assert "Traceback" not in running.errors(), running.errors()


@pytest.fixture(scope="module")
def stack(cloud):
    """Every resource of the template, and the files of the website."""
    cloud.make_bucket("artifacts")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(EXAMPLE / "backend/counter/app.py", "app.py")
    cloud.put_objects("artifacts", {"counter.zip": packed.getvalue()})
    template = (EXAMPLE / "backend/template.yaml").read_text()
    assert template.count("CodeUri: counter/") == 1
    made = cloud.deploy_stack(
        "resume", template.replace("CodeUri: counter/", "CodeUri: s3://artifacts/counter.zip"),
        {"PermissionsBoundary": "resume-boundary"})
    assert made["StackStatus"] == "CREATE_COMPLETE", cloud.stack_events("resume")
    outputs = cloud.outputs("resume")
    for file in (EXAMPLE / "website").iterdir():
        kind = "text/javascript" if file.suffix == ".js" else mimetypes.guess_type(file)[0]
        cloud.put_objects(outputs["SiteBucket"], {file.name: file.read_bytes()}, ContentType=kind)
    port = cloud.edge.rsplit(":", 1)[1]
    # Chromium takes names below localhost for this machine, and trusts them as it does https.
    url = f"http://{outputs['DistributionId'].lower()}.cloudfront.localhost:{port}"
    return Site(cloud, url, outputs["SiteBucket"], outputs["DistributionId"],
                outputs["VisitsTable"])


@pytest.fixture
def site(stack):
    """Nobody has been there yet, and the API is as it should be."""
    dynamodb = stack.cloud.client("dynamodb")
    stack.cloud.clear_rules()
    dynamodb.delete_item(TableName=stack.table, Key={"id": {"S": "total"}})
    for item in dynamodb.scan(TableName=stack.table)["Items"]:
        if item["id"]["S"].startswith("visitor#"):
            dynamodb.delete_item(TableName=stack.table, Key={"id": item["id"]})
    yield stack
    stack.cloud.clear_rules()
    stack.cloud.release()


def visit(page, site, path="/", **how):
    """Open a page and let its counter finish."""
    page.open(site.url + path, **how)
    if path == "/":
        page.settle()
    return page


# Looks


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280, 2000])
@pytest.mark.parametrize("name", PAGES)
def test_a_page(page, site, name, width, dark):
    """Nothing sticks out, nothing is refused or complained of, and everybody can read it."""
    visit(page, site, PAGES[name], width=width, dark=dark)
    page.screenshot(f"{name}-{width}-{'dark' if dark else 'light'}")
    assert page.width() == width
    assert page.audit() == []
    # That the address of the missing page answers 404 is the point of it.
    assert page.complaints(but=[FAILED_REQUEST] if name == "missing" else []) == []
    assert page.text("h1")


def test_dark_is_dark(page, site):
    ground = "return getComputedStyle(document.documentElement).backgroundColor"
    light = visit(page, site).script(ground)
    dark = visit(page, site, dark=True).script(ground)
    assert light == "rgb(251, 252, 252)" and dark == "rgb(14, 24, 29)"


@pytest.mark.parametrize("path", ["/", "/projects.html"])
def test_the_keyboard(page, site, path):
    """The first stop skips to the content; where one is can be seen at every stop."""
    visit(page, site, path)
    stops = [page.tab() for _ in range(page.script("return document.links.length"))]
    assert stops[0]["text"].startswith("Skip to") and stops[0]["top"] >= 0
    for stop in stops:
        assert stop["visible"] and stop["outline"] >= 2, stop
    assert [s["text"] for s in stops[1:3]] == ["Résumé", "Projects"]


def test_nothing_moves_for_those_who_ask(page, site):
    duration = "return getComputedStyle(document.querySelector('a')).transitionDuration"
    assert visit(page, site, motion=False).script(duration) == "0s"
    assert visit(page, site).script(duration) != "0s"


@pytest.mark.parametrize("paper", ["a4", "letter"])
def test_on_paper(page, site, paper):
    """One page of either size; what leads elsewhere, and the number, stay on the screen."""
    visit(page, site, dark=True)
    assert page.print("resume", paper) == 1
    assert page.shown_on_paper("h1") and page.shown_on_paper("address")
    for selector in (".skip", "nav", "footer"):
        assert not page.shown_on_paper(selector)
    assert visit(page, site, "/projects.html").print("projects", paper) == 1


# The counter


def test_it_rises_for_somebody_new_and_stays_for_the_same(page, site):
    seen = []
    for viewer in ("203.0.113.9", "203.0.113.9", "198.51.100.1", "203.0.113.9", "2001:db8::1",
                   "2001:db8::2"):
        seen.append(visit(page, site, viewer=viewer).text("#visits"))
        assert page.complaints() == []
    assert seen == ["You are the first visitor.", "You are the first visitor.",
                    "2 visitors so far.", "2 visitors so far.", "3 visitors so far.",
                    "3 visitors so far."]


def test_a_large_number_is_easy_to_read(page, site):
    site.cloud.client("dynamodb").put_item(
        TableName=site.table, Item={"id": {"S": "total"}, "visits": {"N": "1234566"}})
    assert visit(page, site).text("#visits") == "1,234,567 visitors so far."


def test_it_is_announced_politely(page, site):
    """The region is there before its text is, or screen readers miss it."""
    visit(page, site)
    assert page.script("return document.querySelector('[role=status]').contains(visits)")
    assert page.script("return document.querySelector('[role=status]').checkVisibility()")


def test_one_request_for_a_visit(page, site):
    site.cloud.reset_log()
    visit(page, site)
    asked = [(r["method"], r["path"]) for r in site.cloud.requests(service="edge")
             if "/api/" in r["path"]]
    assert asked == [("POST", "/api/visits")]


@pytest.mark.parametrize("answer", [
    {"status": 500, "body": '{"error": "try again later"}', "content_type": "application/json"},
    {"status": 403, "body": "<html>", "content_type": "text/html"},
    {"status": 200, "body": "<html>", "content_type": "text/html"},
    {"status": 200, "body": '{"count": "many"}', "content_type": "application/json"},
    {"status": 200, "body": '{"count": 2.5}', "content_type": "application/json"},
    {"status": 200, "body": '{"count": 0}', "content_type": "application/json"},
    {"status": 200, "body": "null", "content_type": "application/json"},
    {"drop": "before"},
    {"truncate": 5},
], ids=str)
def test_without_the_api_nothing_is_said(page, site, answer):
    site.cloud.rules({"when": API, "do": answer})
    visit(page, site)
    assert page.script("return visits.hidden") is True
    assert page.text("footer").startswith("Runa")
    assert page.complaints(but=[FAILED_REQUEST]) == []


def test_a_slow_api_holds_nothing_up(page, site):
    site.cloud.rules({"when": API, "do": {"stall_s": 20}})
    page.open(site.url)
    site.cloud.wait_for_stalled()
    assert page.text("h1") == "Runa Castellane"
    assert page.script("return visits.hidden") is True
    site.cloud.release()
    page.settle()
    assert page.text("#visits") == "You are the first visitor."


def test_without_scripts(page, site):
    site.cloud.reset_log()
    page.open(site.url, scripts=False)
    page.screenshot("resume-1280-no-scripts")
    assert page.text("h1") == "Runa Castellane"
    assert page.script("return document.getElementById('visits').hidden") is True
    assert not [r for r in site.cloud.requests(service="edge") if "/api/" in r["path"]]
    assert page.complaints() == []


# What else the edge says


def test_the_policy_is_strict(page, site):
    """What it is there for, tried: code and style that somebody smuggled into the page."""
    visit(page, site)
    page.script("""
        const image = document.createElement("img");
        image.setAttribute("onerror", "smuggled = true");
        image.src = "/favicon.svg?";
        document.body.append(image);
        const script = document.createElement("script");
        script.textContent = "smuggled = true";
        document.body.append(script);
        const elsewhere = document.createElement("img");
        elsewhere.src = "http://elsewhere.localhost/spy.png";
        document.body.append(elsewhere);""")
    page.wait("watched.complaints.length >= 3", "three refusals")
    refused = {c.split()[1] for c in page.complaints() if c.startswith("policy: ")}
    assert {"script-src-elem", "script-src-attr", "img-src"} <= refused
    assert page.script("return typeof smuggled") == "undefined"


def test_the_state_is_nobodys_business(site):
    site.cloud.put_objects(site.bucket, {".crc/state.json": b"{}", "crc.html": b"not that"})
    reply = site.cloud.view("/.crc/state.json", site.distribution)
    assert reply.status == 404 and b"Nothing stops here" in reply.body
    assert site.cloud.view("/crc.html", site.distribution).status == 200
    site.cloud.s3.delete_object(Bucket=site.bucket, Key="crc.html")
    site.cloud.s3.delete_object(Bucket=site.bucket, Key=".crc/state.json")
