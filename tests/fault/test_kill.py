"""SIGKILL between any two requests: the next run, for whatever commit, finishes."""

import itertools
import random

import pytest

from fault import stories
from fault.harness import World
from fault.plans import (
    ROLLBACK,
    count_requests,
    deployed,
    finish,
    killed_once,
    killed_twice,
    moments,
)


def test_killed_anywhere(clouds, one_site):
    thens = [("part",), ("part", "--audit"), ("back",), ("again",), ("shrunk",), ("B",), ROLLBACK]
    count = count_requests(clouds, one_site, "A", "B")
    assert count >= 17
    clouds.sweep(itertools.product(moments(count), thens), killed_once(one_site, "A", ()))


def test_killed_anywhere_in_two_sites(clouds, two_sites):
    """On one distribution, with an error page that changes."""
    thens = [("part",), ("back",), ROLLBACK]
    count = count_requests(clouds, two_sites, "A", "B")
    clouds.sweep(itertools.product(moments(count), thens), killed_once(two_sites, "A", ()))


def test_killed_in_the_first_deploy(clouds, one_site):
    """There is no state to compare with, and the claim asks the store whether it knows
    conditions."""
    count = count_requests(clouds, one_site, None, "B")
    cases = itertools.product(moments(count), [("part",), ("again",)])
    clouds.sweep(cases, killed_once(one_site, None, ()))


def test_killed_while_recording(clouds, one_site):
    """Another commit with the same content: one write, and no claim."""
    count = count_requests(clouds, one_site, "B", "again")

    def check(cloud, moment):
        world = deployed(cloud, one_site, "B")
        assert world.kill("again", *moment).cut
        return finish(world, {"B"}, "again")

    clouds.sweep(moments(count), check)


def test_killed_among_many_changes(clouds, tmp_path):
    history = stories.many_files(tmp_path / "many")
    count = count_requests(clouds, history, "A", "B")
    cases = list(itertools.product(moments(count), [("part",), ROLLBACK]))
    sample = random.Random(4).sample(cases, 24)
    clouds.sweep(sample, killed_once(history, "A", ()))
    clouds.sweep(sample[:8], killed_once(history, "A", ("--concurrency", "16")))


def test_killed_with_many_requests_in_flight(clouds, one_site):
    count = count_requests(clouds, one_site, "A", "B")
    cases = [(moment, ("part",)) for moment in moments(count)]
    clouds.sweep(cases, killed_once(one_site, "A", ("--concurrency", "16")))


def test_killed_anywhere_with_sanitizers(clouds, one_site):
    """The same program that other tests run, on a sample: what it does when it takes over is looked
    at by ASan."""
    count = count_requests(clouds, one_site, "A", "B")
    cases = list(itertools.product(moments(count), [("part",), ("shrunk",), ROLLBACK]))
    clouds.sweep(random.Random(1).sample(cases, 16), killed_once(one_site, "A", (), release=False))


def test_killed_while_finishing(clouds, one_site):
    """Twice: the recovery dies as well."""
    chance, count = random.Random(2), count_requests(clouds, one_site, "A", "B")
    commits = [("part",), ("back",), ("again",), ("shrunk",), ROLLBACK]

    def case():
        first, second = chance.choices(moments(count), k=2)
        middle = chance.choice(commits)
        return first, second, middle, chance.choice((middle, ROLLBACK))

    clouds.sweep([case() for _ in range(160)], killed_twice(one_site))


def test_headers_that_nobody_knows(clouds, one_site):
    """B dies when it has set new headers, the next one before it has sent new bytes: that the ETag
    is A's does not mean that the headers are."""
    count = count_requests(clouds, one_site, "A", "B")
    cases = [((7, "after"), moment, ("pdf",), ROLLBACK) for moment in moments(count + 5)]
    clouds.sweep(cases, killed_twice(one_site))


def test_killed_between_parts(clouds, large_file):
    """No part stays behind, whatever becomes of the file; nor when the recovery dies before it has
    tidied up."""
    count = count_requests(clouds, large_file, "A", "B")

    def check(cloud, case):
        moment, then, again = case
        world = deployed(cloud, large_file, "A")
        assert world.kill("B", *moment).cut
        if again:
            world.lease_dies()
            world.kill(then, *again)
        return finish(world, None, then)

    thens = itertools.cycle(("gone", "small", "other"))
    once = [(moment, then, None) for moment, then in zip(moments(count), thens)]
    twice = [
        ((5, "after"), then, (nth, "before")) for then in ("gone", "small") for nth in range(3, 8)
    ]
    clouds.sweep(once + twice, check)


@pytest.mark.parametrize("seed", range(3))
def test_random_walks(clouds, tmp_path, seed):
    """A line of commits over few contents; each deploy of a walk dies at a random request, the last
    one must do."""
    history = stories.random_history(tmp_path / "walk", seed)

    def check(cloud, number):
        chance = random.Random(1000 * seed + number)
        world = World(cloud, history)
        walk = sorted(chance.sample(range(len(history.commits)), chance.randint(3, 6)))
        for step in walk[:-1]:
            moment = chance.randint(1, 16), chance.choice(("before", "after"))
            ended = world.kill(f"c{step}", *moment)
            if not ended.cut and ended.status:
                return [f"{walk}: c{step}: {ended}"]
            if chance.random() < 0.7:
                world.warm()
            if ended.cut:
                world.lease_dies()
        return [f"{walk}: {problem}" for problem in finish(world, None, f"c{walk[-1]}")]

    clouds.sweep(range(80), check)
