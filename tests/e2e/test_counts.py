"""How many requests a deploy makes, how many of them one after another, and how much memory.

Counted by the cloud that answers, never by the program.
"""

import hashlib
import sys

import pytest

from world import CRC_ACTION_RELEASE, STATE, World

FILES = 10_000
MEMORY_KB = 256 * 1024


def many(first, last):
    return {f"website/d{n % 100}/page{n}.html": f"<p>page {n}</p>\n" for n in range(first, last)}


def in_sequence(requests):
    """The most requests of which each began after the one before had ended."""
    count, end = 0, float("-inf")
    for request in sorted(requests, key=lambda r: r["ended"]):
        if request["started"] >= end:
            count, end = count + 1, request["ended"]
    return count


def run_with_both_reads_held(world):
    """Runs while the cloud holds both reads until both are there: none waits for the other."""
    world.cloud.rules(
        {"when": {"operation": "GetObject", "path_contains": "state.json", "nth": 1},
         "do": {"stall_s": 60}},
        {"when": {"operation": "GetDistribution", "nth": 1}, "do": {"stall_s": 60}})
    seen = world.last_request()
    running = world.start(*world.arguments, "--json")
    held = world.cloud.wait_for_stalled(2)
    assert sorted(r["operation"] for r in held) == ["GetDistribution", "GetObject"]
    world.cloud.release()
    run = world.complete(running.finish(), seen)
    assert run.status == 0, run
    return run


def test_requests_of_a_large_site(world):
    world.repo.commit({"website/index.html": "index\n"})
    world.repo.commit_many(many(0, FILES - 1))
    first = world.run()
    assert first.result["uploaded"] == FILES
    # State, distribution and list; the claim, and the proof that a claim fences; the objects;
    # invalidation and state.
    assert len(first.requests) <= FILES + 8
    found = {key: o["ETag"].strip('"') for key, o in world.keys().items()}
    assert found == {path: hashlib.md5(content).hexdigest()
                     for path, content in world.repo.files().items()}
    world.warm()
    one_changed_file(world)
    same_commit_again(world)
    other_commit_same_content(world)


def one_changed_file(world):
    world.repo.commit({"website/d7/page7.html": "<p>changed</p>\n"})
    run = run_with_both_reads_held(world)
    bucket, state = f"/{world.bucket}/", f"/{world.bucket}/{STATE}"
    distribution = f"/2020-05-31/distribution/{world.distribution}"
    calls = [(r["operation"], r["path"], r["status"]) for r in run.requests]
    assert sorted(calls[:2]) == [("GetDistribution", distribution, 200), ("GetObject", state, 200)]
    assert calls[2:] == [
        ("PutObject", state, 200), ("PutObject", bucket + "d7/page7.html", 200),
        ("CreateInvalidation", distribution + "/invalidation", 201), ("PutObject", state, 200)]
    assert in_sequence(run.requests) == 5
    assert run.site["unchanged"] == FILES - 1
    world.check_edge()
    assert world.read("d7/page7.html")[0] == b"<p>changed</p>\n"


def same_commit_again(world):
    run = run_with_both_reads_held(world)
    assert sorted(run.operations) == ["GetDistribution", "GetObject"]
    assert in_sequence(run.requests) == 1
    assert run.verdict == "nothing-to-do"


def other_commit_same_content(world):
    world.repo.commit({"README.md": "another commit\n"})
    run = run_with_both_reads_held(world)
    assert sorted(run.operations[:2]) == ["GetDistribution", "GetObject"]
    assert run.operations[2:] == ["PutObject"]
    assert run.requests[2]["path"] == f"/{world.bucket}/{STATE}"
    assert in_sequence(run.requests) == 2
    assert world.state()["deployed"]["commit"] == world.repo.head()


# --- memory and time -------------------------------------------------------------------------

needs_release = pytest.mark.skipif(
    not CRC_ACTION_RELEASE, reason="memory is measured on a release build: CRC_ACTION_RELEASE")


# A process starts with the peak of the one that it was forked from, and ours is large.
LAUNCH = """
import os, sys
pid = os.fork() or os.execv(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as file:
    print(usage.ru_maxrss, usage.ru_utime + usage.ru_stime, file=file)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def measured(world, env):
    """A run of the release build; (run, peak KiB, seconds of CPU)."""
    usage, seen = world.folder / "usage", world.last_request()
    running = world.start("-S", "-c", LAUNCH, usage, CRC_ACTION_RELEASE,
                          *world.arguments, env=env, program=sys.executable, timeout=900)
    run = world.complete(running.finish(), seen)
    assert run.status == 0, run
    peak, cpu = usage.read_text().split()
    return run, int(peak), float(cpu)


def measure(cloud, folder, count, record):
    """Peak memory in KiB of a first deploy, of one changed file, and of nothing to do."""
    folder.mkdir()
    world = World(cloud, folder, f"site-of-{count}")
    world.make_site()
    world.repo.commit_many({"website/index.html": "index\n", **many(0, count - 1)})
    env = world.env(GITHUB_ACTIONS="true", GITHUB_OUTPUT=str(folder / "output"),
                    GITHUB_STEP_SUMMARY=str(folder / "summary"))
    peaks = {}
    for name, change in (("first", {}), ("one", {"website/index.html": "new\n"}), ("none", None)):
        if change is not None:
            world.repo.commit(change)
        run, peaks[name], cpu = measured(world, env)
        span = run.requests[-1]["ended"] - run.requests[0]["started"]
        record("measured", f"{count} files, {name}: {peaks[name] / 1024:.0f} MiB, "
               f"{len(run.requests)} requests in {span:.2f} s, {cpu:.2f} s of CPU")
        if name != "first":
            assert len(run.requests) == {"one": 6, "none": 2}[name]
    assert len(world.cloud.objects(world.bucket)) == count + 1
    return peaks


@needs_release
def test_memory_grows_in_proportion(cloud, tmp_path, record_property):
    """10,000 and 20,000 files; what that slope gives for 100,000 is within 256 MiB."""
    half = measure(cloud, tmp_path / "half", FILES, record_property)
    whole = measure(cloud, tmp_path / "whole", 2 * FILES, record_property)
    for name, peak in half.items():
        slope = (whole[name] - peak) / FILES
        assert peak + slope * (100_000 - FILES) <= MEMORY_KB, (name, half, whole)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@needs_release
def test_100_000_files(cloud, tmp_path, record_property):
    peaks = measure(cloud, tmp_path / "site", 100_000, record_property)
    assert max(peaks.values()) <= MEMORY_KB, peaks
