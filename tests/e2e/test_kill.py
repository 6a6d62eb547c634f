"""Killed at every request, terminated, two at once: the short form of tests/fault, which `./dev
fault` runs."""

import random
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fault import stories  # noqa: E402
from fault.harness import Clouds  # noqa: E402
from fault.plans import CLAIM, ROLLBACK, cancelled, count_requests, deployed, finish  # noqa: E402
from fault.plans import killed_once, killed_twice, moments  # noqa: E402
from fault.races import READS, raced  # noqa: E402


@pytest.fixture(scope="module")
def clouds(tmp_path_factory):
    made = Clouds(tmp_path_factory.mktemp("clouds"), 2)
    yield made
    errors = made.stop()
    assert "Traceback" not in errors, errors


@pytest.fixture(scope="module")
def one_site(tmp_path_factory):
    return stories.one_site(tmp_path_factory.mktemp("one") / "site")


@pytest.fixture(scope="module")
def count(clouds, one_site):
    return count_requests(clouds, one_site, "A", "B")


def test_killed_between_any_two_requests(clouds, one_site, count):
    """And then run once more, for a commit that takes part of it back."""
    thens = [("part",), ("back",), ("shrunk",), ROLLBACK]
    cases = [
        (moment, thens[n % len(thens)])
        for n, moment in enumerate(moments(count))
        if moment[1] == "after" or moment[0] == 1
    ]
    clouds.sweep(cases, killed_once(one_site, "A", (), release=False))


def test_killed_again_while_finishing(clouds, one_site):
    """In the claim of a second deploy and behind it, where what the first one did is known from its
    journal alone."""
    cases = [((9, "after"), (nth, "after"), ("again",), ROLLBACK) for nth in (14, 16)]
    cases.append(((7, "after"), (15, "before"), ("pdf",), ROLLBACK))
    clouds.sweep(cases, killed_twice(one_site, release=False))


def test_terminated(clouds, one_site, count):
    chance = random.Random(1)
    cases = [*chance.sample(moments(count), 6), (CLAIM, "after")]
    clouds.sweep(cases, cancelled(one_site, "A", signal.SIGTERM, release=False))


def test_two_at_once(clouds, one_site):
    """The second overtakes the first, and the second waits for the first."""
    older_first = raced(one_site, "A", "B", "part", "part", release=False)
    newer_first = raced(one_site, "A", "part", "B", "part", release=False)
    clouds.sweep([(READS + 1, 9, (1, 0)), (8, 1, (1, 0))], older_first)
    clouds.sweep([(READS, 9, (1, 0))], newer_first)


def test_a_store_that_lies(clouds, one_site):
    """Half an answer, and a page of a proxy instead of one: neither is taken for success."""

    def check(cloud, case):
        when, do = case
        world = deployed(cloud, one_site, "A", release=False)
        cloud.rules({"when": {**when, "times": 1}, "do": do})
        ended = world.run("B")
        cloud.clear_rules()
        if ended.status not in (0, 4):
            return [str(ended)]
        return finish(world, None, "B") if ended.status else world.problems("B")

    page = {"status": 200, "body": "<html>", "content_type": "text/html"}
    written = [
        {"operation": "PutObject", "path_contains": "added.txt"},
        {"operation": "DeleteObject"},
    ]
    clouds.sweep(
        [
            ({"operation": "GetDistribution"}, {"truncate": 30}),
            *((when, do) for when in written for do in ({"truncate": 30}, page)),
        ],
        check,
    )
