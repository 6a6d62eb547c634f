"""TERM and INT: the program gives up its lease, keeps its journal, and exits soon."""

import signal

from fault.harness import STATE
from fault.plans import CLAIM, cancelled, count_requests, moments


def test_terminated_anywhere(clouds, one_site):
    count = count_requests(clouds, one_site, "A", "B")
    clouds.sweep(moments(count), cancelled(one_site, "A", signal.SIGTERM))


def test_interrupted_with_many_requests_in_flight(clouds, one_site):
    count = count_requests(clouds, one_site, "A", "B")
    clouds.sweep(moments(count), cancelled(one_site, "A", signal.SIGINT, "--concurrency", "16"))


def test_terminated_in_the_first_deploy(clouds, one_site):
    """A first claim takes two writes, and a list of the bucket comes before it."""
    count = count_requests(clouds, one_site, None, "B")
    clouds.sweep(moments(count), cancelled(one_site, None, signal.SIGTERM, claim=CLAIM + 1))


def test_terminated_while_waiting_for_a_lease(clouds, world):
    """It holds nothing, and must not go on sleeping."""
    assert world.kill("B", 8, "after").cut
    before = world.cloud.s3.head_object(Bucket=world.bucket, Key=STATE)["ETag"]
    seen = len(world.cloud.requests())
    process = world.start("part")
    while not world.cloud.requests(seen, operation="GetDistribution"):
        assert process.poll() is None, world.end(process)
    process.terminate()
    ended = world.end(process, within=10)
    assert ended.status == 4 and "cancelled" in ended.err, ended
    assert world.cloud.s3.head_object(Bucket=world.bucket, Key=STATE)["ETag"] == before
