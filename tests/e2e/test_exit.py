"""Exit statuses, and what is said with them: what was tried, what came back, what to do."""

import os
import signal

import pytest

from gitrepo import Repo
from world import CRC_ACTION, bare_env, denied

SITE = {"website/index.html": "i\n", "website/a.txt": "a\n", "website/b.txt": "b\n"}
BODY = "    path: website\n    bucket: my-bucket\n"


def refused(world, status, *options, env=None, words=()):
    """A run that ends so, says these words, and changes nothing."""
    before = world.cloud.objects(world.bucket)
    run = world.run(*options, status=status, env=env)
    assert run.err.startswith("crc-action: ") or "\ncrc-action: " in run.err
    for word in words:
        assert word in run.err, run
    assert world.cloud.objects(world.bucket) == before
    assert "DeleteObject" not in run.operations
    return run


# --- 0 ---------------------------------------------------------------------------------------


def test_0_done_nothing_superseded(world):
    first = world.repo.commit(SITE)
    run = world.run_bare(*world.arguments)
    assert run.status == 0
    assert "Deployed: 3 uploaded (6 B), 0 deleted, 1 invalidation path" in run.out
    run = world.run_bare(*world.arguments)
    assert run.status == 0 and "Nothing to do: the commit is deployed." in run.out
    newer = world.repo.commit({"website/a.txt": "new\n"})
    world.run()
    run = world.run_bare(*world.arguments, "--head", first)
    assert run.status == 0
    assert run.out == f"Superseded: the newer commit {newer[:10]} is deployed " \
        "(the head is an ancestor of the recorded commit).\n"


def test_0_help_and_version(world):
    help_ = world.run_bare("--help")
    assert (help_.status, help_.err) == (0, "") and "--dry-run" in help_.out
    assert "Exit status: 0 done" in help_.out
    version = world.run_bare("--version")
    assert version.status == 0 and version.out.startswith("crc-action ")


def test_0_quiet(world):
    world.repo.commit(SITE)
    run = world.run_bare(*world.arguments, "-q")
    assert run.status == 0 and run.err == "" and len(run.out.splitlines()) == 1


# --- 1 ---------------------------------------------------------------------------------------


def test_1_no_such_bucket(world):
    world.repo.commit(SITE)
    run = world.run("--bucket", "nobody-has-this-one", status=1)
    assert "nobody-has-this-one" in run.err and "NoSuchBucket" in run.err
    assert run.writes() == [] and run.verdict == "failed"


def test_1_no_such_distribution(world):
    world.repo.commit(SITE)
    refused(world, 1, "--distribution-id", "ENOTTHERE00000",
            words=["distribution ENOTTHERE00000", "NoSuchDistribution"])


def test_1_not_a_repository(world, tmp_path):
    run = world.run_bare("-n", cwd=tmp_path)
    assert run.status == 1 and "repository" in run.err


def test_1_what_s3_does_not_have(world):
    """Symbolic links are named, all of them, before anything is done."""
    world.repo.commit(SITE)
    os.symlink("a.txt", world.repo.path / "website/link1")
    os.symlink("/etc/passwd", world.repo.path / "website/link2")
    world.repo.commit()
    run = refused(world, 1, words=["2 paths cannot be deployed", "link1: a symbolic link",
                                   "link2: a symbolic link"])
    assert run.requests == []


def test_1_a_name_that_is_not_utf_8(world):
    name = os.fsencode(world.repo.path) + b"/website/caf\xe9.txt"
    world.repo.commit(SITE)
    with open(name, "wb") as file:
        file.write(b"x")
    world.repo.commit()
    refused(world, 1, words=["caf\\xe9.txt: the name is not UTF-8"])


def test_1_a_full_disk_behind_stdout(world):
    """A result that nobody could read is not success."""
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    world.repo.commit(SITE)
    run = world.start("-c", 'exec "$@" > /dev/full', "sh", CRC_ACTION, "--dry-run",
                      program="/bin/sh", env=bare_env(world.home)).finish()
    assert run.status == 1 and "stdout" in run.err


# --- 2 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("options,words", [
    (["--dry-rum"], ["--dry-rum", "did you mean --dry-run?"]),
    (["--distribution"], ["did you mean --distribution-id?"]),
    (["--colour-me"], ["see crc-action --help"]),
    (["-x"], ["-x"]), (["--bucket"], ["--bucket needs a value: NAME"]),
    (["--max-paths", "0"], ["--max-paths", '"0"']), (["--max-delete", "many"], ["many"]),
    (["--concurrency=1000"], ["--concurrency", "1000"]), (["--wait=perhaps"], ["perhaps"]),
    (["--source", "disk"], ["--source", "disk", "worktree"]), (["deply"], ["deply"]),
    (["deploy", "status"], ["one command"]), (["--prefix", "a//b"], ["a//b"]),
    (["--bucket", "Not_A_Bucket"], ["Not_A_Bucket"]), (["--bucket", "s3://x/y"], ["s3://x/y"]),
    (["--distribution-id", "d123.cloudfront.net"], ["d123.cloudfront.net", "not its domain"]),
    (["--site-path", "../elsewhere"], ["../elsewhere"]), (["--site-path", "nowhere"], ["nowhere"]),
])
def test_2_usage(world, options, words):
    world.repo.commit(SITE)
    run = world.run(*options, status=2)
    for word in words:
        assert word in run.err, run
    assert run.requests == [] and run.of_type("plan") == []


@pytest.mark.parametrize("text,place,words", [
    ("sites:\n  a:\n" + BODY + "    buckt: x\n", "5:5", ['"buckt"', '"bucket"']),
    ("sites:\n  a:\n    path: website\n    path: website\n", "4:5", ["path"]),
    ("sites: [a, b]\n", "1:8", ["sites"]),
    ("sites:\n  a:\n" + BODY + "    keep: 7 days\n", "5:11", ["7 days", "7d"]),
    ("sites:\n  a:\n" + BODY + "  b:\n" + BODY, "", ["a", "b"]),
    ("sites:\n  a:\n" + BODY + "    headers:\n      - match: '*'\n        x-frame-options: DENY\n",
     "7:9", ["x-frame-options", "response headers policy"]),
    ("sites:\n  a: {path: ../../etc, bucket: my-bucket}\n", "2:13", ["../../etc"]),
    ("sites:\n  a:\n\tpath: x\n", "3:1", []),
    ("sites:\n  a:\n    path: website\n    bucket: !env NOT_SET_ANYWHERE\n", "4:13",
     ["NOT_SET_ANYWHERE"]),
    ("nothing: here\n", "1:1", ["nothing"]),
])
def test_2_configuration(world, text, place, words):
    world.arguments = []
    world.repo.commit({**SITE, "crc.yml": text})
    run = world.run(status=2)
    assert f"crc.yml:{place}" in run.err, run
    for word in words:
        assert word in run.err, run
    assert run.requests == []


def test_2_no_site_of_that_name(world):
    config = f"sites:\n  home: {{path: website, bucket: {world.bucket}}}\n"
    world.repo.commit({**SITE, "crc.yml": config})
    world.arguments = ["--site", "hone"]
    assert "hone" in world.run(status=2).err


def test_2_an_empty_site(world):
    """It would delete everything."""
    world.deploy(SITE)
    world.repo.commit({**dict.fromkeys(SITE), "website/.gitkeep": ""})
    refused(world, 2, words=["nothing to upload in website", "would delete"])


def test_2_a_real_deploy_guesses_no_bucket(world):
    world.repo.commit(SITE)
    run = world.run_bare()
    assert run.status == 2 and "site has no bucket: give --bucket" in run.err
    assert run.requests == []


def test_2_no_region(world):
    world.repo.commit(SITE)
    env = world.env()
    del env["AWS_REGION"], env["AWS_DEFAULT_REGION"]
    run = world.run(status=2, env=env)
    assert "AWS_REGION" in run.err and run.requests == []


# --- 3 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation,words", [
    ("GetObject", ["read the state in bucket"]), ("ListObjectsV2", ["list bucket"]),
])
def test_3_may_not_read(world, operation, words):
    world.repo.commit(SITE)
    world.cloud.rules(denied(operation))
    run = refused(world, 3, words=[*words, world.bucket, "403 AccessDenied"])
    assert run.writes() == [] and len(run.operations) <= 3, "what is forbidden is not tried again"


def test_3_may_not_write_the_state(world):
    world.repo.commit(SITE)
    world.cloud.rules(denied("PutObject"))
    run = refused(world, 3, words=["state", world.bucket, "403 AccessDenied"])
    assert run.writes() == ["PutObject"]


@pytest.mark.parametrize("operation,what", [
    ("PutObject", "put index.html"), ("DeleteObject", "delete a.txt"),
    ("CreateInvalidation", "invalidate E"),
])
def test_3_in_the_middle_and_then_allowed(world, operation, what):
    """It stops, gives its claim back, and the next run finishes at once."""
    world.repo.commit(SITE)
    world.run()
    world.warm()
    world.repo.commit({"website/a.txt": None, "website/index.html": "new\n"})
    path = "index.html" if operation == "PutObject" else ""
    world.cloud.rules(denied(operation, path_contains=path))
    run = world.run(status=3)
    assert what in run.err and "403 AccessDenied" in run.err
    assert run.verdict == "partial" and run.result["exit"] == 3
    failed = [s for s in run.of_type("step") if s["status"] == "failed"]
    assert len(failed) == 1 and "AccessDenied" in failed[0]["error"]
    state = world.state()
    assert state["journal"] and not state.get("lease")
    world.cloud.clear_rules()
    again = world.run()
    assert again.verdict == "done" and again.site["takeover"]
    world.check()
    assert not world.state().get("journal")


def test_3_keys_that_nobody_knows(world):
    world.repo.commit(SITE)
    run = refused(world, 3, env=world.env(AWS_ACCESS_KEY_ID="AKIANOBODY0000000000"),
                  words=["InvalidAccessKeyId"])
    assert len(run.requests) == 2


# --- 4 ---------------------------------------------------------------------------------------


def test_4_partly_done(world):
    world.deploy(SITE)
    world.warm()
    coming = world.repo.commit({"website/a.txt": "new a\n", "website/b.txt": None})
    world.cloud.rules({"when": {"operation": "DeleteObject"},
                       "do": {"status": 501, "code": "NotImplemented"}})
    run = world.run_bare(*world.arguments)
    assert run.status == 4
    assert "delete b.txt" in run.err and "501 NotImplemented" in run.err
    assert "Partly done: 1 uploaded" in run.out and "Run again to finish" in run.out
    assert world.read("a.txt")[0] == b"new a\n"
    assert world.state()["journal"]["commit"] == coming
    world.cloud.clear_rules()
    world.run()
    world.check()


def test_4_finished_by_a_later_commit(world):
    """What was half done need not be what is wanted by now."""
    world.deploy(SITE)
    world.warm()
    world.repo.commit({"website/a.txt": "half\n", "website/c.txt": "c\n", "website/b.txt": None})
    world.cloud.rules({"when": {"operation": "CreateInvalidation"},
                       "do": {"status": 400, "code": "InvalidArgument", "message": "no"}})
    assert world.run(status=4).verdict == "partial"
    world.cloud.clear_rules()
    world.repo.commit({"website/a.txt": "a\n", "website/c.txt": None, "website/b.txt": "b again\n"})
    run = world.run()
    assert run.site["takeover"]
    world.check_bucket()
    world.check_viewers()
    assert world.cloud.stale(world.distribution) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_4_told_to_stop(world, number):
    """The claim is given back, so that the next deploy need not wait for it to die."""
    world.deploy(SITE)
    world.warm()
    world.repo.commit({"website/a.txt": "new a\n"})
    world.cloud.rules({"when": {"operation": "PutObject", "path_contains": "a.txt"},
                       "do": {"stall_s": 60}})
    running = world.start(*world.arguments, "--json")
    world.cloud.wait_for_stalled()
    running.signal(number)
    run = running.finish()
    assert run.status == 4, run
    assert "cancelled" in run.err
    world.cloud.clear_rules()
    world.cloud.release()
    state = world.state()
    assert state["journal"] and not state.get("lease")
    assert world.run("--lock-timeout", 0).verdict == "done"
    world.check()


# --- 5 ---------------------------------------------------------------------------------------


def test_5_locked(world):
    world.deploy(SITE)
    world.repo.commit({"website/a.txt": "new\n"})
    world.cloud.rules({"when": {"operation": "PutObject", "path_contains": "a.txt"},
                       "do": {"stall_s": 60}})
    running = world.start(*world.arguments)
    world.cloud.wait_for_stalled()
    run = refused(world, 5, "--lock-timeout", 0,
                  words=["another deploy has held the site for 0 s", "--lock-timeout"])
    assert run.writes() == []
    world.cloud.release()
    assert running.finish().status == 0
    world.check()


def test_5_order_unknown(world, tmp_path):
    """The recorded commit is in no history that is here, and nobody can be asked."""
    world.deploy(SITE)
    other = Repo(tmp_path / "other")
    other.commit({"website/index.html": "from somewhere else\n"})
    world.repo = other
    run = refused(world, 5, words=["cannot be told whether the head is newer", "--allow-rollback"])
    assert run.writes() == []


def test_5_safety_limit(world):
    files = {f"website/{n}.txt": "x" for n in range(300)}
    world.repo.commit({**SITE, **files})
    world.run()
    world.repo.commit(dict.fromkeys(files))
    run = refused(world, 5, words=["300 of 303 objects would be deleted", "at most 256",
                                   "--max-delete 300"])
    assert run.writes() == [] and run.verdict == "refused"


# --- every failure ---------------------------------------------------------------------------


def test_errors_go_to_stderr_and_json_stays_json(world):
    world.repo.commit(SITE)
    run = world.run("--bucket", "nobody-has-this-one", status=1)
    assert all(line.startswith("{") for line in run.out.splitlines())
    assert run.result["error_code"] == "not-found" and run.result["exit"] == 1
    assert run.result["error"] in run.err


def test_two_sites_never_share_a_key(world):
    """A path of the outer site below the inner one's prefix: refused by name, not fought over."""
    world.repo.commit({
        "crc.yml": f"""\
sites:
  one: {{path: web, bucket: {world.bucket}}}
  two: {{path: blog, bucket: {world.bucket}, prefix: blog}}
""", "web/index.html": "1", "web/blog/index.html": "old", "blog/index.html": "b"})
    run = world.run_bare()
    assert run.status == 1 and run.writes() == [], run
    assert "blog/index.html: its key is below the prefix of another site" in run.err
    world.repo.commit({"web/blog/index.html": None, "web/blogs.html": "not below it"})
    run = world.run_bare()
    assert run.status == 0, run
    assert {k: world.read(k)[0] for k in world.keys()} == {
        "index.html": b"1", "blogs.html": b"not below it", "blog/index.html": b"b"}


def test_a_site_that_is_not_there(world):
    world.repo.commit({"crc.yml": f"sites:\n  one: {{path: web, bucket: {world.bucket}}}\n",
                       "web/index.html": "1"})
    run = world.run_bare("--site", "tow")
    assert run.status == 2 and 'there is no site "tow"; there are: one' in run.err, run


def test_a_delete_that_is_left_alone_is_not_counted(world):
    world.deploy({"website/index.html": "1", "website/a.txt": "ours"})
    world.cloud.put_objects(world.bucket, {"a.txt": b"theirs"})
    world.repo.commit({"website/a.txt": None})
    run = world.run()
    step = next(s for s in run.of_type("step") if s.get("path") == "a.txt")
    assert step["kind"] == "delete" and step["status"] == "left-alone"
    assert run.result["deleted"] == 0 and world.read("a.txt")[0] == b"theirs"
