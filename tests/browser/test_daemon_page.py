"""The daemon's page: a live deploy from its begin to its end, and text that would rather be markup."""

import base64
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from daemon_world import ZERO, Bare, Daemon, wait_for  # noqa: E402

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
FILE = "website/\"><b onmouseover=alert(1)>&amp;.css"

# Stands in for crc-action: says what a deploy says, a part each time that it is let go on.
ACTION = '''#!/usr/bin/env python3
import json, pathlib, sys, time
here = pathlib.Path(__file__).parent
head = sys.argv[sys.argv.index("--head") + 1]
for number, part in enumerate(json.loads((here / "script.json").read_text())):
    while not (here / f"go-{number}").exists():
        time.sleep(0.02)
    for line in part:
        if isinstance(line, str):
            print(line, file=sys.stderr, flush=True)
        else:
            if line["type"] == "result":
                line["head"] = head
            print(json.dumps({"v": 1, **line}, separators=(",", ":")), flush=True)
sys.exit(int((here / "status").read_text()))
'''


def result(**members):
    return {"type": "result", "verdict": "done", "changed": True, "uploaded": 1, "copied": 0,
            "deleted": 0, "bytes": 2048, "invalidation_paths": 1, "exit": 0, **members}


class Stage:
    """A daemon with two sites, whose deploys go on when they are told to."""

    def __init__(self, folder):
        self.folder = folder
        self.bare = Bare(folder / "host")
        action = folder / "action"
        action.write_text(ACTION)
        action.chmod(0o755)
        repository = str(self.bare.path)
        self.daemon = Daemon(folder / "daemon", {"resume": {"repository": repository},
                                                 "blog": {"repository": repository}},
                             action=str(action))

    def play(self, *parts, status=0):
        for file in self.folder.glob("go-*"):
            file.unlink()
        self.parts = 0
        (self.folder / "script.json").write_text(json.dumps(parts))
        (self.folder / "status").write_text(str(status))

    def go(self):
        (self.folder / f"go-{self.parts}").write_text("")
        self.parts += 1

    def push(self, message="change"):
        change = self.bare.push(message=message)
        assert self.daemon.deliver("resume", *change)[0] == 202
        return change[1]

    def job(self):
        return wait_for(lambda: self.daemon.jobs("resume"))[0]

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.daemon.port}{path}"


@pytest.fixture
def stage(chromium, tmp_path):
    made = Stage(tmp_path)
    with made.daemon:
        yield made


def shown(page, selector, text):
    page.wait(f"document.querySelector({json.dumps(selector)})?.innerText"
              f".includes({json.dumps(text)})", f"{selector} to say {text}")


def check(page, name):
    assert page.complaints() == []
    assert page.audit() == []
    assert page.width() <= page.script("return innerWidth")
    page.screenshot(name)


def test_live_deploy(stage, page):
    stage.play(["building"],
               [{"type": "step", "kind": "put", "path": FILE, "key": "k", "status": "done"}],
               [{"type": "step", "kind": "invalidate", "distribution": "E1", "paths": ["/a*"],
                 "status": "done"}, result()])
    page.open(stage.url())
    shown(page, "#site-0", "No push has come yet")
    check(page, "daemon-empty")
    commit = stage.push(HOSTILE)
    shown(page, "#site-0", "deploying")
    shown(page, "#numbers", "1 deploying")
    job = stage.job()
    page.open(stage.url(f"/deploys/{job['id']}"), width=360)
    shown(page, "#facts", HOSTILE)
    stage.go()
    shown(page, "#log", "building")
    check(page, "daemon-deploy-running-360")
    stage.go()
    shown(page, "#items", FILE)
    stage.go()
    shown(page, "#facts", "done")
    shown(page, "#items", "1 uploaded (2.0 KiB), 0 deleted, 1 paths invalidated")
    shown(page, "#items", "/a*")
    shown(page, "#phases", "fetch")
    assert page.script("return document.querySelectorAll('main b, main img, main script').length") == 0
    assert page.script("return document.title") == f"resume: deploy {job['id']}"
    check(page, "daemon-deploy-done-360")
    page.open(stage.url(), dark=True)
    shown(page, "#site-0", commit[:10])
    shown(page, "#site-0", HOSTILE)
    assert page.script("return document.title") == "Deploys"
    check(page, "daemon-overview-dark")


def test_failure(stage, page):
    stage.play([{"type": "result", "verdict": "failed", "exit": 2, "error_code": "config",
                 "error": "crc.yml:3:1: unknown key <b>bukcet</b>"}], status=2)
    stage.go()
    stage.push()
    wait_for(lambda: stage.job()["state"] == "dead")
    page.open(stage.url(f"/deploys/{stage.job()['id']}"))
    shown(page, "#facts", "given up")
    shown(page, "#facts", "unknown key <b>bukcet</b>")
    check(page, "daemon-deploy-failed")
    page.open(stage.url(), width=360, dark=True)
    shown(page, "#numbers", "1 given up")
    check(page, "daemon-overview-360-dark")


def test_selection_is_left_alone(stage, page):
    stage.play(["first"], ["second"], [result()])
    stage.push()
    page.open(stage.url(f"/deploys/{stage.job()['id']}"))
    stage.go()
    shown(page, "#log", "first")
    page.script("getSelection().selectAllChildren(document.querySelector('#log pre'))")
    stage.go()
    wait_for(lambda: "second" in stage.daemon.request(
        "GET", f"/deploys/{stage.job()['id']}/log.json")[2].decode())
    page.settle(page.script("return watched.settled") + 2)
    assert "second" not in page.text("#log")
    page.script("getSelection().removeAllRanges()")
    shown(page, "#log", "second")
    stage.go()
    shown(page, "#facts", "done")


def test_without_scripts(stage, page):
    stage.play([result()])
    stage.go()
    stage.push(HOSTILE)
    stage.daemon.wait_idle()
    page.open(stage.url(), scripts=False)
    assert HOSTILE in page.text("#site-0")


def test_daemon_that_stops_answering(stage, page):
    page.open(stage.url())
    stage.daemon.stop()
    page.wait("document.body.classList.contains('stale')")
    page.screenshot("daemon-stale")
    page.driver.get_log("browser")    # that it could not be reached is what this is about
    stage.daemon.settings["listen"] = f"127.0.0.1:{stage.daemon.port}"
    stage.daemon.start()
    page.wait("!document.body.classList.contains('stale')")


def test_headers(stage):
    for path in ("/", "/page.css", "/page.js", "/icon.svg"):
        status, headers, _ = stage.daemon.request("GET", path)
        policy = headers["Content-Security-Policy"]
        assert status == 200
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


def test_framing_is_refused(stage, page, tmp_path):
    frame = tmp_path / "frame.html"
    frame.write_text(f"<!DOCTYPE html><iframe src='{stage.url()}'></iframe>")
    page.open(frame.as_uri())
    page.wait("document.querySelector('iframe')")
    wait_for(lambda: [e for e in page.driver.get_log("browser")
                      if "frame-ancestors" in e["message"] or "X-Frame-Options" in e["message"]])


@pytest.mark.parametrize("path", ["/deploys/", "/deploys/0", "/deploys/99", "/deploys/1x",
                                  "/deploys/1/../../x", "/deploys/-1", "/deploys/%31", "/x",
                                  "/deploys/99999999999999999999", "//", "/page.css/",
                                  "/deploys/99/log.json", "/.htpasswd", "/../etc/passwd"])
def test_paths_that_are_none(stage, path):
    assert stage.daemon.request("GET", path)[0] == 404


def test_password(stage, page):
    stage.daemon.stop()
    stage.daemon.secret("password", "open sesame")
    stage.daemon.settings["page"] = {"user": "me", "password": "password"}
    stage.daemon.start()
    assert stage.daemon.request("GET", "/")[0] == 401
    right = base64.b64encode(b"me:open sesame").decode()
    assert stage.daemon.request("GET", "/", headers={"Authorization": f"Basic {right}"})[0] == 200
    assert stage.daemon.deliver("resume", ZERO, "a" * 40)[0] == 202
    page.open(stage.url().replace("http://", "http://me:open%20sesame@"))
    shown(page, "#site-0", "resume")
