"""A push to a bare repository becomes a site at the edge, by way of the daemon."""

import json
import signal

import pytest
from daemon_world import ZERO, Bare, Daemon, wait_for
from world import World

PAGES = {"website/index.html": "<h1>one</h1>", "website/style.css": "a{}"}


@pytest.fixture
def host(cloud, tmp_path, request):
    """(world with bucket and distribution, bare repository with a crc.yml, daemon's site)."""
    world = World(cloud, tmp_path, "daemon-" + str(abs(hash(request.node.name)) % 10**8))
    world.make_site()
    bare = Bare(tmp_path / "host")
    config = {"sites": {"resume": {"path": "website", "bucket": world.bucket,
                                   "distribution": world.distribution}}}
    bare.first = bare.push({**PAGES, "crc.yml": json.dumps(config)}, "first")
    world.repo = bare.work
    return world, bare


def serve(host, folder, **options):
    world, bare = host
    site = {"repository": str(bare.path), **options.pop("site", {})}
    return Daemon(folder / "daemon", {"resume": site}, env=world.cloud.env(), **options)


def test_push_to_deploy(host, tmp_path):
    world, bare = host
    with serve(host, tmp_path) as daemon:
        assert daemon.deliver("resume", *bare.first) == (202, {"result": "queued"})
        daemon.wait_live("resume", bare.first[1])
        world.check_bucket()
        world.cloud.warm()
        change = bare.push({"website/style.css": "b{}"})
        assert daemon.deliver("resume", *change)[0] == 202
        daemon.wait_live("resume", change[1])
        world.check_bucket()
        world.check_edge()
        job = daemon.jobs("resume")[0]
        assert (job["state"], job["cause"], job["attempt"]) == ("done", "push", 1)
        assert daemon.metric('crc_deploys_total{site="resume",result="done"}') == 2, \
            daemon.request("GET", "/metrics")[2].decode()


def test_tip_wins_over_what_was_pushed(host, tmp_path):
    """A payload names a commit; what is deployed is where the branch is."""
    world, bare = host
    second = bare.push({"website/index.html": "<h1>two</h1>"})
    with serve(host, tmp_path) as daemon:
        assert daemon.deliver("resume", ZERO, bare.first[1])[0] == 202
        daemon.wait_live("resume", second[1])
    world.check_bucket()


def test_poll_finds_what_no_hook_told(host, tmp_path):
    world, bare = host
    with serve(host, tmp_path, site={"poll": "1s"}) as daemon:
        daemon.wait_live("resume", bare.first[1])
        change = bare.push({"website/index.html": "<h1>two</h1>"})
        daemon.wait_live("resume", change[1])
        daemon.wait_idle()
        assert [j["cause"] for j in daemon.jobs("resume")] == ["poll", "poll"]
    world.check_bucket()


def test_reload_keeps_the_old_settings_on_error(host, tmp_path):
    world, bare = host
    with serve(host, tmp_path) as daemon:
        daemon.config.write_text("sites: [")
        daemon.signal(signal.SIGHUP)
        wait_for(lambda: "reload: " in daemon.log_text())
        assert daemon.deliver("resume", *bare.first)[0] == 202
        daemon.settings["sites"]["other"] = dict(daemon.settings["sites"]["resume"])
        daemon.write_config()
        daemon.signal(signal.SIGHUP)
        wait_for(lambda: "other" in daemon.status())
        daemon.wait_live("resume", bare.first[1])


def test_rollback_and_redeploy(host, tmp_path):
    world, bare = host
    with serve(host, tmp_path, site={"poll": "1s"}) as daemon:
        daemon.wait_live("resume", bare.first[1])
        change = bare.push({"website/index.html": "<h1>two</h1>"})
        daemon.deliver("resume", *change)
        daemon.wait_live("resume", change[1])
        daemon.run("rollback", "resume")
        daemon.wait_live("resume", bare.first[1])
        daemon.wait_idle()
        world.check_bucket(revision=bare.first[1])
        daemon.run("redeploy", "resume")
        daemon.wait_live("resume", change[1])
        daemon.wait_idle()
    world.check_bucket()


def test_force_push(host, tmp_path):
    """To an older commit, and to one that shares no history: the branch is what is deployed."""
    world, bare = host
    second = bare.push({"website/index.html": "<h1>two</h1>"})
    with serve(host, tmp_path) as daemon:
        daemon.deliver("resume", *bare.first)
        daemon.wait_live("resume", second[1])
        bare.work.git("reset", "-q", "--hard", bare.first[1])
        bare.work.git("push", "-q", "--force", "origin", "HEAD:main")
        daemon.deliver("resume", second[1], bare.first[1])
        daemon.wait_live("resume", bare.first[1])
        world.check_bucket()
        bare.work.git("checkout", "-q", "--orphan", "other")
        other = bare.push({"website/index.html": "<h1>three</h1>"}, force=True)
        daemon.deliver("resume", *other)
        daemon.wait_live("resume", other[1])
    world.check_bucket()


def test_odd_names(host, tmp_path):
    """Of a branch and of a file, by way of a payload, a mirror and the action's arguments."""
    world, bare = host
    branch = "rel/ä+%7e_#1"
    pushed = bare.push({"website/a b%+~ä.html": "x"}, branch=branch)
    with serve(host, tmp_path, site={"branch": branch}) as daemon:
        assert daemon.deliver("resume", *pushed, ref=f"refs/heads/{branch}")[0] == 202
        daemon.wait_live("resume", pushed[1])
    world.check_bucket()
