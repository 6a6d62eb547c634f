"""A push to a real Gitea is deployed: its own webhook, its own git over HTTP, its own statuses."""

import json

import pytest
from daemon_stage import REFUSED, stand_in
from daemon_world import Daemon, wait_for
from gitea import USER, Gitea, GiteaClone
from world import World

pytestmark = pytest.mark.slow

SECRET = "a-secret-of-both"
PAGES = {"website/index.html": "<h1>one</h1>", "website/style.css": "a{}"}


@pytest.fixture(scope="module")
def gitea(tmp_path_factory):
    with Gitea(tmp_path_factory.mktemp("gitea") / "gitea") as running:
        yield running


def site_of(gitea, repository, **more):
    return {"repository": f"{gitea.url}/{USER}/{repository}.git", "provider": "gitea",
            "access": {"user": USER, "token": "token"}, "secrets": ["hook"],
            "status": {"kind": "gitea", "project": f"{USER}/{repository}", "token": "token",
                       "api": f"{gitea.url}/api/v1"}, **more}


def daemon_of(gitea, folder, sites, **options):
    daemon = Daemon(folder / "daemon", sites, **{"public-url": "https://deploy.example.com", **options})
    daemon.secret("token", gitea.token)
    daemon.secret("hook", SECRET)
    return daemon


def hook_url(daemon, site):
    return f"http://127.0.0.1:{daemon.port}/hooks/{site}"


def received(daemon, result, provider="gitea"):
    return daemon.metric(
        f'crc_webhooks_received_total{{provider="{provider}",result="{result}"}}') or 0


def last_states(gitea, repository, commit, n):
    """Of a commit's first n statuses, in order, once they are there."""
    found = wait_for(lambda: len(s := gitea.statuses(repository, commit)) >= n and s)
    return [status["status"] for status in reversed(found)]


def test_push_to_the_edge(gitea, cloud, tmp_path):
    world = World(cloud, tmp_path, "gitea-site")
    world.make_site()
    config = {"sites": {"resume": {"path": "website", "bucket": world.bucket,
                                   "distribution": world.distribution}}}
    clone = world.repo = GiteaClone(tmp_path / "work", gitea, "resume")
    with daemon_of(gitea, tmp_path, {"resume": site_of(gitea, "resume")}, env=cloud.env()) as daemon:
        hook = gitea.add_hook("resume", hook_url(daemon, "resume"), SECRET)
        first = clone.push({**PAGES, "crc.yml": json.dumps(config)})
        daemon.wait_live("resume", first, 120)
        world.check_bucket()
        cloud.warm()
        second = clone.push({"website/style.css": "b{}"})
        daemon.wait_live("resume", second, 120)
        world.check_bucket()
        world.check_edge()
        assert last_states(gitea, "resume", second, 2) == ["pending", "success"]
        status = gitea.statuses("resume", second)[0]
        job = daemon.jobs("resume")[0]
        assert (status["context"], status["target_url"]) == \
            ("crc/resume", f"https://deploy.example.com/deploys/{job['id']}")
        gitea.test_hook("resume", hook)
        wait_for(lambda: received(daemon, "pong") == 1)
        assert len(daemon.jobs("resume")) == 2
        assert {job["cause"] for job in daemon.jobs("resume")} == {"push"}
        assert gitea.token not in daemon.log_text() and SECRET not in daemon.log_text()


def test_failed_deploy_is_told(gitea, tmp_path):
    action, play = stand_in(tmp_path / "stand-in")
    clone = GiteaClone(tmp_path / "work", gitea, "failing")
    play(REFUSED)
    with daemon_of(gitea, tmp_path, {"failing": site_of(gitea, "failing")}, action=action) as daemon:
        gitea.add_hook("failing", hook_url(daemon, "failing"), SECRET)
        commit = clone.push(PAGES)
        assert last_states(gitea, "failing", commit, 2) == ["pending", "failure"]
        assert "bukcet" in gitea.statuses("failing", commit)[0]["description"]


@pytest.mark.parametrize("provider, content, kind", [
    ("gitea", "form", "gitea"), ("gogs", "json", "gitea"), ("gogs", "form", "gogs"),
    ("github", "json", "gitea")])
def test_other_ways_of_its_hooks(gitea, tmp_path, provider, content, kind):
    """Gitea sends the headers of its relatives too."""
    action, _ = stand_in(tmp_path / "stand-in")
    name = f"{provider}-{content}-{kind}"
    clone = GiteaClone(tmp_path / "work", gitea, name)
    site = site_of(gitea, name, provider=provider)
    with daemon_of(gitea, tmp_path, {name: site}, action=action) as daemon:
        gitea.add_hook(name, hook_url(daemon, name), SECRET, content, kind)
        daemon.wait_live(name, clone.push(PAGES), 120)
        assert received(daemon, "queued", provider) == 1


def test_what_is_not_for_the_site(gitea, tmp_path):
    """Branches come and go, tags come: all told by the hook, none deployed."""
    action, _ = stand_in(tmp_path / "stand-in")
    clone = GiteaClone(tmp_path / "work", gitea, "quiet")
    with daemon_of(gitea, tmp_path, {"quiet": site_of(gitea, "quiet")}, action=action) as daemon:
        gitea.add_hook("quiet", hook_url(daemon, "quiet"), SECRET)
        first = clone.push(PAGES)
        daemon.wait_live("quiet", first, 120)
        clone.git("push", "-q", "origin", "HEAD:refs/heads/other", "HEAD:refs/tags/v1")
        clone.git("push", "-q", "origin", ":refs/heads/other")
        wait_for(lambda: received(daemon, "ignored") >= 4)
        assert len(daemon.jobs("quiet")) == 1
        second = clone.push({"website/index.html": "<h1>two</h1>"})
        daemon.wait_live("quiet", second, 120)
        clone.git("reset", "-q", "--hard", first)
        third = clone.push({"website/index.html": "<h1>three</h1>"}, "rewritten", "main", "--force")
        daemon.wait_live("quiet", third, 120)


def test_wrong_secret(gitea, tmp_path):
    action, _ = stand_in(tmp_path / "stand-in")
    clone = GiteaClone(tmp_path / "work", gitea, "foreign")
    with daemon_of(gitea, tmp_path, {"foreign": site_of(gitea, "foreign")}, action=action) as daemon:
        gitea.add_hook("foreign", hook_url(daemon, "foreign"), SECRET + "x")
        clone.push(PAGES)
        wait_for(lambda: received(daemon, "unauthorized") >= 1)
        assert daemon.status()["foreign"]["jobs"] == []
