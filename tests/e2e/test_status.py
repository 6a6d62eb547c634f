"""`crc-action status`: what is deployed, by whom it is held, what is unfinished."""

import pytest

from world import denied

SITE = {"website/index.html": "i\n", "website/a.3f9a1c2b.css": "a\n", "website/b.txt": "b\n"}


def status(world, *options, code=0):
    run = world.run_bare("status", *world.arguments, *options)
    assert run.status == code, run
    return run


def test_nothing_was_deployed(world):
    world.repo.commit(SITE)
    run = status(world)
    assert run.out == f"site site in s3://{world.bucket}/\n  nothing was deployed by crc\n"
    assert run.operations == ["GetObject"]
    [line] = status(world, "--json").lines
    assert (line["v"], line["type"], line["site"], line["commit"]) == (1, "status", "site", None)
    assert (line["bucket"], line["prefix"], line["objects"]) == (world.bucket, "", 0)
    assert line["running"] is line["unfinished"] is False


def test_deployed(world):
    commit = world.repo.commit(SITE)
    world.run()
    world.repo.commit({"website/a.3f9a1c2b.css": None})
    world.run("--head", commit, "--allow-rollback")
    run = status(world)
    lines = [line.split() for line in run.out.splitlines()]
    assert lines[1][:3] == ["commit", commit + ",", "deployed"]
    assert lines[2] == ["objects", "3,", "and", "0", "retired"]
    assert len(lines) == 3, "no lease, nothing unfinished"
    commit = world.repo.head()
    world.run()
    [line] = status(world, "--json").lines
    assert (line["commit"], line["objects"], line["retired"]) == (commit, 2, 1)
    assert abs(line["at"] - world.cloud.now()) < 300


def test_running_and_unfinished(world):
    deployed = world.repo.commit(SITE)
    world.run()
    coming = world.repo.commit({"website/b.txt": "new\n"})
    world.cloud.rules({"when": {"operation": "PutObject", "path_contains": "b.txt"},
                       "do": {"stall_s": 60, "status": 403, "code": "AccessDenied"}})
    running = world.start(*world.arguments)
    world.cloud.wait_for_stalled()
    [line] = status(world, "--json").lines
    assert line["running"] and line["unfinished"] and line["commit"] == deployed
    text = status(world).out
    assert "lease      held by a running deploy (dead in 1" in text
    assert f"unfinished a deploy of {coming} touched 1 objects: the next one finishes" in text
    world.cloud.release()
    assert running.finish().status == 3
    [line] = status(world, "--json").lines
    assert line["unfinished"] and not line["running"]
    world.cloud.clear_rules()
    world.run()
    [line] = status(world, "--json").lines
    assert not line["unfinished"] and line["commit"] == coming


def test_a_dead_lease(clock_world):
    world = clock_world
    world.repo.commit(SITE)
    world.run()
    world.repo.commit({"website/b.txt": "new\n"})
    world.cloud.rules({"when": {"operation": "PutObject", "path_contains": "b.txt"},
                       "do": {"stall_s": 60}})
    running = world.start(*world.arguments)
    world.cloud.wait_for_stalled()
    running.signal(9)
    running.killed()
    world.cloud.release()
    world.cloud.clear_rules()
    [line] = status(world, "--json").lines
    assert line["running"] and line["unfinished"]
    world.cloud.advance(181, check_skew=False)
    [line] = status(world, "--json").lines
    assert line["unfinished"] and not line["running"]
    assert "lease      dead" in status(world).out
    assert world.run().verdict == "done"
    world.check_bucket()


def test_several_sites(bare_world):
    world = bare_world
    world.make_site()
    world.repo.commit({"a/index.html": "a", "b/index.html": "b", "crc.yml": f"""\
sites:
  one: {{ path: a, bucket: {world.bucket} }}
  two: {{ path: b, bucket: {world.bucket}, prefix: deep/er }}
"""})
    world.arguments = []
    world.run()
    world.repo.commit({"b/more.html": "b"})
    world.run("--site", "two")
    one, two = status(world, "--json").lines
    assert (one["site"], one["prefix"], one["objects"]) == ("one", "", 1)
    assert (two["site"], two["prefix"], two["objects"]) == ("two", "deep/er/", 2)
    assert two["commit"] == world.repo.head() != one["commit"]
    assert [line["site"] for line in status(world, "--json", "--site", "two").lines] == ["two"]


def test_only_reads(world):
    world.repo.commit(SITE)
    world.run()
    before = world.cloud.objects(world.bucket)
    run = status(world)
    assert [(r["operation"], r["method"]) for r in run.requests] == [("GetObject", "GET")]
    assert world.cloud.objects(world.bucket) == before


def test_what_cannot_be_read(world):
    world.repo.commit(SITE)
    world.cloud.rules(denied("GetObject"))
    run = status(world, code=3)
    assert world.bucket in run.err and "AccessDenied" in run.err
    world.cloud.clear_rules()
    run = status(world, "--bucket", "no-bucket-of-that-name", code=1)
    assert "no-bucket-of-that-name" in run.err and "NoSuchBucket" in run.err


@pytest.mark.parametrize("body,why", [
    (b"", "delete it to start anew"), (b"{", "delete it to start anew"),
    (b"\x1f\x8b\x08garbage", "delete it to start anew"), (b"[]", "delete it to start anew"),
    (b'{"v": 99}', "99"),
])
def test_a_broken_state(world, body, why):
    """Neither read as "nothing was deployed" nor as anything else."""
    world.repo.commit(SITE)
    world.run()
    world.cloud.put_objects(world.bucket, {".crc/state.json": body})
    run = status(world, code=1)
    assert f"s3://{world.bucket}/.crc/state.json" in run.err and why in run.err
    world.repo.commit({"website/b.txt": "new\n"})
    deploy = world.run(status=1)
    assert deploy.writes() == [] and why in deploy.err


def test_without_a_bucket(world):
    world.repo.commit(SITE)
    run = world.run_bare("status")
    assert run.status == 2 and "give --bucket" in run.err


def test_what_is_not_in_the_file(world):
    """Silence would pass for nothing being wrong."""
    world.repo.commit({**SITE, "crc.yml": f"sites:\n  a: {{path: website, bucket: {world.bucket}}}\n"
                                          "backends:\n  x: {path: x, stack: x}\n"})
    for kind, name in (("site", "a"), ("backend", "x")):
        run = world.run_bare("status", f"--{kind}", "b")
        assert run.status == 2 and run.requests == [], run
        assert f'there is no {kind} "b"; there are: {name}' in run.err
