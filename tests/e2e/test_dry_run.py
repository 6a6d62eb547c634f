"""A dry run: right, without effect, and the very plan that the deploy then executes."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading

import pytest

from world import CRC_ACTION, STATE, bare_env, denied

SITE = {
    "website/index.html": "<h1>Resume</h1>\n", "website/about/index.html": "about\n",
    "website/css/app.3f9a1c2b.css": "body {}\n", "website/old.txt": "old\n",
    "website/cv.pdf": b"%PDF-1.7\n", "README.md": "not of the site\n",
}
CHANGE = {
    "website/index.html": "<h1>New</h1>\n", "website/old.txt": None, "website/new.txt": "new\n",
    "website/css/app.3f9a1c2b.css": None, "website/css/app.77aa01bc.css": "body { x }\n",
}


@contextlib.contextmanager
def listener():
    """An address that nobody should connect to, and a list of who did."""
    callers = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, address = server.accept()
                    callers.append(address)
                    connection.close()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield "http://127.0.0.1:%d" % server.getsockname()[1], callers
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def snapshot(*folders):
    """Every file, its bytes and when it was written."""
    found = {}
    for folder in folders:
        for top, names, files in os.walk(folder):
            for name in names + files:
                path = os.path.join(top, name)
                stat = os.lstat(path)
                content = open(path, "rb").read() if name in files else None
                found[path] = (stat.st_mode, stat.st_mtime_ns, content)
    return found


def unreachable_env(world, proxy, **extra):
    """No credentials, an empty home, and a network that leads nowhere but to our ears."""
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"), proxy)
    return bare_env(world.home, AWS_EC2_METADATA_SERVICE_ENDPOINT=proxy, **proxies, **extra)


def without_network(arguments):
    """The command in a network namespace with nothing in it, where the machine allows that."""
    unshare = shutil.which("unshare")
    if unshare and subprocess.run([unshare, "-rn", "true"], check=False,
                                  stderr=subprocess.DEVNULL).returncode == 0:
        return [unshare, "-rn", *arguments]
    return arguments


# --- without credentials and network ---------------------------------------------------------


@pytest.mark.parametrize("isolated", [False, True])
def test_without_credentials_and_network(world, isolated):
    world.repo.commit(SITE)
    world.repo.commit(CHANGE)
    seen = world.last_request()
    with listener() as (address, callers):
        env = unreachable_env(world, address)
        before = snapshot(world.repo.path, world.home)
        command = [CRC_ACTION, "--dry-run", "--json"]
        if isolated:
            command = without_network(command)
        run = world.complete(world.start(*command[1:], env=env, program=command[0]).finish(), seen)
        assert callers == [] and run.requests == []
    assert snapshot(world.repo.path, world.home) == before
    assert (run.status, run.err) == (0, "note: no crc.yml and no --site-path: the site is taken "
                                     "to be in website\n")
    assert run.plan["offline"] is True and run.verdict == "planned"
    assert run.plan["head"] == world.repo.head()
    assert run.site["base"] == world.repo.head("HEAD~1")
    assert run.site["base_why"] == "the parent of the head"
    assert run.changes() == {
        "index.html": ("put", "modified"), "new.txt": ("put", "added"),
        "css/app.77aa01bc.css": ("put", "added"), "old.txt": ("delete", "deleted")}
    assert run.site["retired"] == 1 and run.site["unchanged"] == 2


def test_text(world):
    world.repo.commit(SITE)
    world.repo.commit(CHANGE)
    run = world.run_bare("--dry-run", env=bare_env(world.home))
    assert run.status == 0
    lines = [line.strip() for line in run.out.splitlines()]
    assert lines[0] == f"Plan for commit {world.repo.head()[:10]} (offline: compared in git alone)"
    assert "site site -> (no bucket yet)" in lines
    assert "upload   modified   index.html" in lines
    assert "delete   deleted    old.txt" in lines
    assert lines[-1] == "Dry run: nothing was written anywhere."


def test_a_distribution_offline(world):
    """Its settings are not asked, so everything that might be stale is said to go."""
    world.repo.commit(SITE)
    world.repo.commit(CHANGE)
    run = world.run_bare("--dry-run", "--json", "--bucket", "some-bucket", "--distribution-id",
                         "E123", env=bare_env(world.home))
    assert run.status == 0
    assert {"/", "/?*", "/index.html*", "/old.txt*"} <= set(run.patterns)
    assert "/*" not in run.patterns and run.site["bucket"] == "some-bucket"


@pytest.mark.parametrize("folder", ["website", "public", "frontend", ""])
def test_any_repository(world, folder):
    """A folder that is called something usual is found without being named."""
    world.repo.commit({os.path.join(folder, "index.html"): "i", os.path.join(folder, "a.js"): "a"})
    run = world.run_bare("-n", "--json", env=bare_env(world.home))
    assert run.status == 0
    assert run.changes() == {"index.html": ("put", "added"), "a.js": ("put", "added")}
    assert run.site["base"] is None and "there is none" in run.site["base_why"]


def test_the_first_commit_and_a_shallow_clone(world, tmp_path):
    world.repo.commit(SITE)
    world.repo.commit(CHANGE)
    world.repo.clone(tmp_path / "c", "--depth", "1")
    run = world.run_bare("-n", "--json", env=bare_env(world.home), cwd=tmp_path / "c")
    assert run.status == 0 and run.site["base"] is None
    assert {kind for kind, _ in run.changes().values()} == {"put"}


def test_from_a_folder_below_and_from_elsewhere(world):
    world.repo.commit(SITE)
    env = bare_env(world.home)
    here = world.run_bare("-n", "--json", env=env)
    below = world.run_bare("-n", "--json", env=env, cwd=world.repo.path / "website")
    elsewhere = world.run_bare("-n", "--json", "-C", world.repo.path, env=env, cwd=world.home)
    assert here.plan == below.plan == elsewhere.plan


def test_bare_repository(world, tmp_path):
    world.repo.commit(SITE)
    world.repo.clone(tmp_path / "bare.git", "--bare")
    run = world.run_bare("-n", "--json", "--repo", tmp_path / "bare.git", env=bare_env(world.home),
                         cwd=world.home)
    assert run.status == 0 and len(run.changes()) == 5


def test_a_build_is_not_run(world):
    world.repo.commit({**SITE, "crc.yml": "sites:\n  resume:\n    path: website\n"
                       "    build: touch built\n"})
    run = world.run_bare("-n", "--json", env=bare_env(world.home))
    assert run.status == 0 and "its build was not run" in run.notes
    assert not (world.repo.path / "built").exists()


# --- --offline and --base --------------------------------------------------------------------


def test_offline_with_credentials(world):
    world.repo.commit(SITE)
    world.run()
    world.repo.commit(CHANGE)
    run = world.run("--offline")
    assert run.requests == [] and run.plan["offline"] is True
    assert run.verdict == "planned", "offline nothing can be written"


def test_base(world):
    first = world.repo.commit(SITE)
    world.repo.commit({"website/cv.pdf": b"%PDF-1.7 new\n"})
    world.repo.commit(CHANGE)
    run = world.run_bare("-n", "--json", "--base", first, env=bare_env(world.home))
    assert run.site["base"] == first and run.site["base_why"] == "given by --base"
    assert len(run.changes()) == 5 and run.changes()["cv.pdf"] == ("put", "modified")
    run = world.run_bare("-n", "--json", "--base", "HEAD~1", env=bare_env(world.home))
    assert len(run.changes()) == 4
    run = world.run_bare("-n", "--base", "nothing-of-that-name", env=bare_env(world.home))
    assert run.status != 0 and "--base" in run.err and "nothing-of-that-name" in run.err


def test_base_is_refused_where_the_record_counts(world):
    world.repo.commit(SITE)
    run = world.run("--base", "HEAD", status=2)
    assert "--base is for dry runs" in run.err and run.requests == []


def test_base_of_a_dry_run_is_compared_in_git_alone(world):
    first = world.repo.commit(SITE)
    world.repo.commit({"website/index.html": b"another"})
    run = world.run("-n", "--json", "--base", first)
    assert run.requests == [] and run.plan["offline"]
    assert run.changes() == {"index.html": ("put", "modified")}


def test_base_from_the_event(world):
    """What the branch pointed to before the push."""
    before = world.repo.commit(SITE)
    world.repo.commit({"website/cv.pdf": b"%PDF-1.7 new\n"})
    world.repo.commit(CHANGE)
    event = world.folder / "event.json"
    event.write_text(json.dumps({"ref": "refs/heads/main", "before": before,
                                 "after": world.repo.head()}))
    run = world.run_bare("-n", "--json", env=bare_env(
        world.home, GITHUB_ACTIONS="true", GITHUB_EVENT_NAME="push", GITHUB_EVENT_PATH=str(event)))
    assert run.status == 0 and run.site["base"] == before and len(run.changes()) == 5


def test_head(world):
    first = world.repo.commit(SITE)
    world.repo.commit(CHANGE)
    run = world.run_bare("-n", "--json", "--head", first, env=bare_env(world.home))
    assert run.plan["head"] == first and "old.txt" in run.changes()


# --- with credentials ------------------------------------------------------------------------


def check_dry_then_real(world, *options):
    before = snapshot(world.repo.path, world.home)
    objects = world.cloud.objects(world.bucket)
    dry = world.run("--dry-run", *options)
    assert dry.writes() == [] and dry.verdict == "planned"
    assert world.cloud.objects(world.bucket) == objects
    assert snapshot(world.repo.path, world.home) == before
    real = world.run(*options)
    assert dry.plan["steps"] == real.plan["steps"]
    done = sorted(real.of_type("step"), key=lambda s: s["step"])
    assert {s["status"] for s in done} <= {"done"} and len(done) == len(dry.plan["steps"])
    for planned, performed in zip(dry.plan["steps"], done):
        assert {name: performed[name] for name in planned} == planned
    return dry, real


def test_the_plan_is_what_is_then_done(world):
    world.repo.commit(SITE)
    dry, _ = check_dry_then_real(world)
    assert dry.operations == ["GetObject", "GetDistribution", "ListObjectsV2"] or \
        dry.operations == ["GetDistribution", "GetObject", "ListObjectsV2"]
    world.warm()
    world.repo.commit(CHANGE)
    dry, real = check_dry_then_real(world)
    assert sorted(dry.operations) == ["GetDistribution", "GetObject"]
    assert {s["kind"] for s in dry.plan["steps"]} == \
        {"claim", "put", "delete", "invalidate", "commit"}
    assert dry.result["uploaded"] == real.result["uploaded"] == 3
    assert dry.result["deleted"] == real.result["deleted"] == 1
    world.check_edge()
    world.repo.commit({"README.md": "no file of the site\n"})
    dry, _ = check_dry_then_real(world)
    assert [s["kind"] for s in dry.plan["steps"]] == ["record"]
    dry, _ = check_dry_then_real(world)
    assert dry.plan["steps"] == []


def test_headers_only_and_prefix(bare_world):
    world = bare_world
    world.make_site(origin_path="/p")
    config = ("sites:\n  resume:\n    path: website\n    prefix: p\n"
              f"    bucket: {world.bucket}\n    distribution: {world.distribution}\n")
    world.arguments = []
    world.repo.commit({**SITE, "crc.yml": config})
    check_dry_then_real(world)
    world.repo.commit({"crc.yml": config + "    headers:\n      - match: '*.pdf'\n"
                       "        content-disposition: inline\n"})
    dry, _ = check_dry_then_real(world)
    assert dry.changes() == {"cv.pdf": ("copy", "headers")}
    step = next(s for s in dry.plan["steps"] if s["kind"] == "copy")
    assert step["key"] == "p/cv.pdf"
    assert world.read("p/cv.pdf")[1]["ContentDisposition"] == "inline"


def test_audit(world):
    world.repo.commit(SITE)
    world.run()
    world.cloud.put_objects(world.bucket, {"index.html": b"defaced"})
    dry, _ = check_dry_then_real(world, "--audit")
    assert dry.changes() == {"index.html": ("put", "drift")}


def test_while_another_deploy_is_under_way(world):
    """It neither waits nor disturbs."""
    world.repo.commit(SITE)
    world.run()
    world.repo.commit(CHANGE)
    world.cloud.rules({"when": {"operation": "PutObject", "path_contains": "/index.html"},
                       "do": {"stall_s": 60}})
    running = world.start(*world.arguments)
    world.cloud.wait_for_stalled()
    dry = world.run("--dry-run")
    assert dry.writes() == [] and "another deploy is under way" in dry.notes
    world.cloud.release()
    assert running.finish().status == 0
    world.check(extra=["css/app.3f9a1c2b.css"])


def test_refusals_are_part_of_the_plan(world):
    world.repo.commit(SITE)
    world.run()
    world.repo.commit({"website/old.txt": None, "website/cv.pdf": None})
    run = world.run("--dry-run", "--max-delete", 1)
    assert "2 of 5 objects would be deleted" in run.plan["refused"] and run.writes() == []


def test_credentials_that_fail_are_no_change_of_base(world):
    """Whoever has credentials wants the recorded state; another base would be another answer."""
    world.repo.commit(SITE)
    wrong = world.run("--dry-run", status=3, env=world.env(AWS_SECRET_ACCESS_KEY="wrong"))
    assert wrong.of_type("plan") == [] and "SignatureDoesNotMatch" in wrong.err
    half = world.env()
    del half["AWS_SECRET_ACCESS_KEY"]
    run = world.run("--dry-run", status=3, env=half)
    assert run.of_type("plan") == [] and "AWS_SECRET_ACCESS_KEY is not" in run.err
    profile = bare_env(world.home, AWS_PROFILE="nobody", AWS_REGION="us-east-1",
                       AWS_ENDPOINT_URL=world.cloud.endpoint)
    run = world.run("--dry-run", status=3, env=profile)
    assert run.of_type("plan") == [] and '"nobody"' in run.err


def test_no_access_is_no_change_of_base(world):
    world.repo.commit(SITE)
    world.cloud.rules(denied("GetObject", path_contains=STATE))
    run = world.run("--dry-run", status=3)
    assert run.of_type("plan") == [] and "AccessDenied" in run.err


def test_the_metadata_service_is_not_asked(world):
    """A dry run on somebody's laptop waits for no address that is not there."""
    world.repo.commit(SITE)
    with listener() as (address, callers):
        env = bare_env(world.home, AWS_REGION="us-east-1", AWS_ENDPOINT_URL=world.cloud.endpoint,
                       AWS_EC2_METADATA_SERVICE_ENDPOINT=address)
        run = world.run("--dry-run", env=env)
        assert run.plan["offline"] is True and callers == []
        (world.home / "config").write_text("[default]\noutput = text\n")
        named = {**env, "AWS_PROFILE": "default", "AWS_CONFIG_FILE": str(world.home / "config")}
        run = world.run("--dry-run", status=3, env=named)
        assert "no credentials" in run.err and callers == []
        run = world.run(status=3, env=env)
        assert "no credentials" in run.err and callers, "a real deploy does ask"
