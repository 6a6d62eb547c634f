"""SIGKILL before the nth system call that touches the network: also in the middle of a request's
bytes."""

import itertools
import shutil
import subprocess

import pytest

from fault.harness import program
from fault.plans import deployed, finish

STRACE = shutil.which("strace")
NO_LEAKS = {"ASAN_OPTIONS": "detect_leaks=0"}  # its detector does not work under a tracer


def may_trace():
    return STRACE and subprocess.run([STRACE, "-qqo", "/dev/null", "true"]).returncode == 0


def tracer(call, log, *injection):
    return STRACE, "-fqqo", str(log), "-e", f"trace={call}", *injection


def killer(call, nth):
    return tracer(call, "/dev/null", "-e", f"inject={call}:signal=SIGKILL:when={nth}")


def count_calls(clouds, history, call, directory):
    cloud = clouds.take()
    try:
        log = directory / call
        ended = deployed(cloud, history, "A").run("B", under=tracer(call, log), env=NO_LEAKS)
        assert ended.status == 0, ended
        return log.read_text().count(f"{call}(")
    finally:
        clouds.give_back(cloud)


@pytest.mark.skipif(not may_trace(), reason="needs strace, and to be allowed to trace")
@pytest.mark.parametrize("call", ["sendto", "recvfrom", "poll"])
def test_killed_before_the_nth(clouds, one_site, tmp_path, call):
    count = count_calls(clouds, one_site, call, tmp_path)
    assert count > 10, f"{program()} calls {call} {count} times: another call does it now"

    def check(cloud, case):
        nth, then = case
        world = deployed(cloud, one_site, "A")
        ended = world.run("B", under=killer(call, nth), env=NO_LEAKS)
        if ended.status == 0 and nth < count // 2:
            return [f"was not killed: {ended}"]
        return finish(world, {"A", "B", then}, then)

    clouds.sweep(zip(range(1, count + 1), itertools.cycle(("part", "again", "back"))), check)
