"""What the daemon tells of a deploy: commit statuses in each host's words, and the notice."""

import base64
import hashlib
import hmac
import json
import socket
import time

import pytest
from daemon_stage import REFUSED, Api, stand_in
from daemon_world import Bare, Daemon, wait_for

TOKEN = "t0ken-that-nobody-may-see"
LINK = "https://deploy.example.com"
NOTIFY_KEY = b"another key, of 32 bytes, for us"

# kind: (what `status` says besides, path, the header that authorises, what it holds, where the state's
# name and link are, words for running, done and failed).
BASIC = "Basic " + base64.b64encode(f"bot:{TOKEN}".encode()).decode()
PAT = "Basic " + base64.b64encode(f":{TOKEN}".encode()).decode()
GITHUB = ("context", "target_url", ["pending", "success", "failure"])
BITBUCKET = ("key", "url", ["INPROGRESS", "SUCCESSFUL", "FAILED"])
KINDS = {
    "github": ({"project": "me/resume"}, "/repos/me/resume/statuses/SHA",
               "Authorization", f"Bearer {TOKEN}", GITHUB),
    "gitlab": ({"project": "me/group/resume"}, "/projects/me%2Fgroup%2Fresume/statuses/SHA",
               "PRIVATE-TOKEN", TOKEN, ("name", "target_url", ["running", "success", "failed"])),
    "gitea": ({"project": "me/resume"}, "/repos/me/resume/statuses/SHA",
              "Authorization", f"token {TOKEN}", GITHUB),
    "forgejo": ({"project": "me/resume"}, "/repos/me/resume/statuses/SHA",
                "Authorization", f"token {TOKEN}", GITHUB),
    "bitbucket-cloud": ({"project": "team/resume"},
                        "/repositories/team/resume/commit/SHA/statuses/build",
                        "Authorization", f"Bearer {TOKEN}", BITBUCKET),
    "bitbucket-server": ({"user": "bot"}, "/rest/build-status/1.0/commits/SHA",
                         "Authorization", BASIC, BITBUCKET),
    "azure-devops": ({"project": "org/My Project/resume"},
                     "/org/My%20Project/_apis/git/repositories/resume/commits/SHA/statuses"
                     "?api-version=7.1", "Authorization", PAT,
                     ("context", "targetUrl", ["pending", "succeeded", "failed"])),
}


@pytest.fixture
def api():
    with Api() as running:
        yield running


class Stage:
    """Sites of one bare repository, each of which reports to the API under its own name."""

    def __init__(self, folder, api, sites, **options):
        self.bare = Bare(folder / "host")
        action, self.play = stand_in(folder / "stand-in")
        self.daemon = Daemon(folder / "daemon", {}, action=action, **{"public-url": LINK, **options})
        self.daemon.secret("token", TOKEN)
        self.daemon.secret("notify-key", "whsec_" + base64.b64encode(NOTIFY_KEY).decode())
        self.daemon.settings["sites"] = {
            name: {"provider": "generic", "secrets": ["key"], "poll": 0,
                   "repository": str(self.bare.path), **site} for name, site in sites.items()}

    def push(self, verdict=None):
        """A push that all sites deploy. (its commit, {site: its job})."""
        if verdict:
            self.play(verdict)
        change = self.bare.push({"index.html": str(time.monotonic_ns())})
        for site in self.daemon.settings["sites"]:
            assert self.daemon.deliver(site, *change)[0] == 202
        sites = self.daemon.wait_idle()
        return change[1], {name: site["jobs"][0] for name, site in sites.items()}

    def quiet_about_secrets(self):
        pages = ["/", "/status.json", "/metrics"]
        for site in self.daemon.status().values():
            for job in site["jobs"]:
                pages += [f"/deploys/{job['id']}", f"/deploys/{job['id']}/log.json"]
        said = [self.daemon.request("GET", page)[2].decode() for page in pages]
        secrets = [TOKEN, NOTIFY_KEY.decode()] + [base64.b64encode(s).decode().rstrip("=") for s in (
            f"bot:{TOKEN}".encode(), f":{TOKEN}".encode(), NOTIFY_KEY)]
        for text in [*said, self.daemon.log_text()]:
            assert [s for s in secrets if s in text] == []


def github_at(api, prefix="", **status):
    return {"status": {"kind": "github", "project": "me/resume", "token": "token",
                       "api": api.url + prefix, **status}}


def states(api, part):
    return [body["state"] for body, _ in api.at(part)]


def sent(daemon, site, result="sent"):
    return daemon.metric(f'crc_commit_status_reports_total{{site="{site}",result="{result}"}}') or 0


def check_status(kind, seen, site, commit, job, word):
    _, path, header, value, (context, link, _) = KINDS[kind]
    body, request = seen
    assert request["path"] == f"/{kind}" + path.replace("SHA", commit)
    assert request["headers"][header] == value
    assert request["headers"]["Content-Type"] == "application/json"
    assert request["headers"]["User-Agent"].startswith("crc-daemon/")
    assert body["state"] == word
    assert body[link] == f"{LINK}/deploys/{job['id']}"
    wanted = {"genre": "crc", "name": f"crc/{site}"} if kind == "azure-devops" else f"crc/{site}"
    assert body[context] == wanted
    assert body["description"]


def test_statuses_of_each_host(api, tmp_path):
    sites = {f"at-{kind}": {"status": {"kind": kind, "token": "token", "api": f"{api.url}/{kind}",
                                       **row[0]}} for kind, row in KINDS.items()}
    stage = Stage(tmp_path, api, sites)
    with stage.daemon:
        good, good_jobs = stage.push()
        bad, bad_jobs = stage.push(REFUSED)
        wait_for(lambda: len(api.seen) == 4 * len(KINDS))
        stage.quiet_about_secrets()
        for site in sites:
            assert sent(stage.daemon, site) == 4
    for kind, row in KINDS.items():
        site, words = f"at-{kind}", row[4][2]
        seen = api.at(f"/{kind}/")
        assert len(seen) == 4
        for one, commit, jobs, word in zip(seen, [good, good, bad, bad],
                                           [good_jobs, good_jobs, bad_jobs, bad_jobs],
                                           [words[0], words[1], words[0], words[2]], strict=True):
            check_status(kind, one, site, commit, jobs[site], word)
        assert "3 uploaded" in seen[1][0]["description"]
        assert "bukcet" in seen[3][0]["description"]


def verify_standard_webhook(key, headers, body, now):
    """As standardwebhooks.com says, from the receiver's side."""
    assert abs(now - int(headers["webhook-timestamp"])) < 300
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    right = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(given, f"v1,{right}")
               for given in headers["webhook-signature"].split(" "))


def test_notice(api, tmp_path):
    """Signed, in order, and each with an id of its own."""
    stage = Stage(tmp_path, api, {"resume": {"notify": {"url": f"{api.url}/notice?to=me",
                                                        "secret": "notify-key"}}})
    with stage.daemon:
        good, good_jobs = stage.push()
        bad, bad_jobs = stage.push(REFUSED)
        wait_for(lambda: len(api.seen) == 4)
        stage.quiet_about_secrets()
    notices = api.at("/notice?to=me")
    ids = [seen["headers"]["webhook-id"] for _, seen in notices]
    assert len(set(ids)) == 4
    for _, seen in notices:
        assert verify_standard_webhook(NOTIFY_KEY, seen["headers"], seen["body"], time.time())
        assert not verify_standard_webhook(b"x" * 32, seen["headers"], seen["body"], time.time())
        assert not verify_standard_webhook(NOTIFY_KEY, seen["headers"], seen["body"] + b" ", time.time())
        assert "Authorization" not in seen["headers"]
    assert [n["state"] for n, _ in notices] == ["running", "success", "running", "failure"]
    assert [n["commit"] for n, _ in notices] == [good, good, bad, bad]
    assert [n["url"] for n, _ in notices[1::2]] == [
        f"{LINK}/deploys/{jobs['resume']['id']}" for jobs in (good_jobs, bad_jobs)]
    assert notices[3][0] == {
        "v": 1, "type": "deploy", "site": "resume", "job": bad_jobs["resume"]["id"], "cause": "push",
        "state": "failure", "commit": bad, "message": REFUSED["error"],
        "url": f"{LINK}/deploys/{bad_jobs['resume']['id']}"}


def test_notice_without_a_secret_is_not_signed(api, tmp_path):
    stage = Stage(tmp_path, api, {"resume": {"notify": {"url": f"{api.url}/notice"}}})
    with stage.daemon:
        stage.push()
        wait_for(lambda: len(api.seen) == 2)
    for _, seen in api.at("/notice"):
        assert "webhook-signature" not in seen["headers"]
        assert seen["headers"]["webhook-id"].startswith("msg_")


@pytest.mark.parametrize("kind", ["status", "notice"])
def test_500_is_tried_again(api, tmp_path, kind):
    """Twice, and the third one counts: a notice that is sent again has the same id."""
    site = github_at(api) if kind == "status" else {"notify": {"url": f"{api.url}/notice",
                                                              "secret": "notify-key"}}
    api.answers[""] = [500, 500]
    stage = Stage(tmp_path, api, {"resume": site})
    with stage.daemon:
        stage.push()
        wait_for(lambda: len(api.seen) == 4)
        if kind == "status":
            wait_for(lambda: sent(stage.daemon, "resume") == 2)
        stage.quiet_about_secrets()
        assert "was not sent" not in stage.daemon.log_text()
    assert [seen["answer"] for seen in api.seen] == [500, 500, 201, 201]
    assert [json.loads(seen["body"])["state"] for seen in api.seen[:3]] == \
        [json.loads(api.seen[0]["body"])["state"]] * 3
    if kind == "notice":
        ids = [seen["headers"]["webhook-id"] for seen in api.seen]
        assert ids[0] == ids[1] == ids[2] != ids[3]


@pytest.mark.parametrize("answers, tries", [([401], 1), ([403], 1), ([404], 1), ([422], 1),
                                            ([302], 1), ([500, 503, 502], 3), ([429, 200], 2)])
def test_what_is_tried_again(api, tmp_path, answers, tries):
    """Not what is wrong for good; nor does a token follow a redirect."""
    api.answers[""] = list(answers)
    stage = Stage(tmp_path, api, {"resume": github_at(api)})
    with stage.daemon:
        _, jobs = stage.push()
        assert jobs["resume"]["state"] == "done"
        wait_for(lambda: states(api, "")[-1:] == ["success"])
        failed = answers[-1] >= 300
        wait_for(lambda: sent(stage.daemon, "resume", "failed") == int(failed))
        stage.quiet_about_secrets()
        assert ("the commit status was not sent" in stage.daemon.log_text()) == failed
    assert states(api, "") == ["pending"] * tries + ["success"]
    assert api.at("/elsewhere") == []


def test_host_that_hangs_holds_nothing_up(api, tmp_path):
    """The deploy ends at once; the daemon, when it is told to stop, not much later."""
    api.answers["/hangs"] = ["hang"] * 99
    stage = Stage(tmp_path, api, {"hangs": github_at(api, "/hangs"), "resume": github_at(api)})
    with stage.daemon:
        began = time.monotonic()
        commit, jobs = stage.push()
        assert time.monotonic() - began < 10
        assert {job["state"] for job in jobs.values()} == {"done"}
        assert stage.daemon.status()["hangs"]["live"] == commit
        assert stage.daemon.request("GET", "/healthz")[0] == 200
        began = time.monotonic()
        stage.daemon.stop(100)
        assert time.monotonic() - began < 25
    stage_log = stage.daemon.log_text()
    assert TOKEN not in stage_log
    assert "site hangs: job" in stage_log and "the commit status was not sent" in stage_log


def test_host_that_is_not_there(api, tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
        site = {"notify": {"url": nowhere, "secret": "notify-key"},
                "status": {**github_at(api)["status"], "api": nowhere}}
        stage = Stage(tmp_path, api, {"resume": site})
        with stage.daemon:
            _, jobs = stage.push()
            assert jobs["resume"]["state"] == "done"
            wait_for(lambda: sent(stage.daemon, "resume", "failed") == 2)
            wait_for(lambda: stage.daemon.log_text().count("the notice was not sent") == 2)
            stage.quiet_about_secrets()


def test_commit_that_never_came(api, tmp_path):
    """A repository that is gone: the status goes to the commit that the push named."""
    stage = Stage(tmp_path, api, {"resume": github_at(api)}, limits={"attempts": 1})
    with stage.daemon:
        commit = stage.bare.push({"a": "b"})[1]
        stage.bare.path.rename(tmp_path / "gone")
        assert stage.daemon.deliver("resume", "0" * 40, commit)[0] == 202
        stage.daemon.wait_idle()
        wait_for(lambda: len(api.seen) == 1)
    body, seen = api.at("")[0]
    assert seen["path"].endswith(commit)
    assert body["state"] in ("failure", "error")
