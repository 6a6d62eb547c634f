"""Two deploys at once: one outcome, never a mix."""

import random
import subprocess
import time

from fault import stories
from fault.harness import LEASE_DEAD_S, PROMPT_S, World
from fault.plans import count_requests, deployed
from fault.races import READS, Race, hold_in_place, raced


def pairs(seed, early, late):
    """Pairs of requests: most where the first has claimed nothing yet, so that the second can go
    anywhere; some where it has to wait (which takes two seconds)."""
    chance = random.Random(seed)
    return [
        (chance.randint(1, i), chance.randint(1, j), chance.choice(((0, 1), (1, 0))))
        for n, i, j in ((early, READS + 1, 18), (late, 17, READS + 1))
        for _ in range(n)
    ]


def test_older_then_newer(clouds, one_site):
    """The second descends from the first."""
    clouds.sweep(pairs(1, 24, 6), raced(one_site, "A", "B", "part", "part"))


def test_newer_then_older(clouds, one_site):
    clouds.sweep(pairs(2, 24, 6), raced(one_site, "A", "part", "B", "part"))


def test_the_same_commit_twice(clouds, one_site):
    clouds.sweep(pairs(3, 12, 4), raced(one_site, "A", "B", "B", "B"))


def test_first_deploys(clouds, one_site):
    """Neither finds a state."""
    clouds.sweep(pairs(4, 16, 4), raced(one_site, None, "B", "part", "part"))


def test_a_force_push(clouds, tmp_path):
    """Commits side by side. Only the branch at the remote says which one is meant: the other is
    refused, or was first."""
    history = stories.one_site(tmp_path / "site")
    git = ["git", "-C", str(history.directory)]
    subprocess.run([*git, "clone", "-q", "--bare", ".", str(tmp_path / "remote")], check=True)
    subprocess.run([*git, "remote", "add", "origin", str(tmp_path / "remote")], check=True)
    clouds.sweep(pairs(5, 8, 2), raced(history, "A", "B", "fork", "fork", (0, 5)))
    clouds.sweep(pairs(6, 8, 2), raced(history, "A", "fork", "B", "fork", (0, 5)))


def test_two_sites_on_one_distribution(clouds, two_sites):
    """Each has a state and a lease of its own; what they share is the edges' caches."""

    def check(cloud, case):
        i, j, order = case
        world = deployed(cloud, two_sites, "A")
        main, docs = (("B", "--site", site) for site in ("main", "docs"))
        runs = Race(world, main, docs, i, j, one_lease=False).go(order)
        problems = [str(run) for run in runs if run.status != 0] + world.problems("B")
        return problems and [*problems, *map(str, runs)]

    chance, orders = random.Random(7), ((0, 1), (1, 0))
    cases = [
        (chance.randint(1, 12), chance.randint(1, 10), chance.choice(orders)) for _ in range(24)
    ]
    clouds.sweep(cases, check)


def test_a_holder_without_end(world):
    """The one who waits gives up when its time is over, and has touched nothing."""
    hold_in_place(world.cloud, 8)
    holder = world.start("B")
    assert world.wait_held(holder)
    objects, began = world.cloud.objects(world.bucket), time.monotonic()
    waiter = world.run("part", "--lock-timeout", "1")
    assert waiter.status == 5 and "--lock-timeout" in waiter.err, waiter
    assert time.monotonic() - began < PROMPT_S
    assert world.cloud.objects(world.bucket) == objects
    world.let_go()
    assert world.end(holder).status == 0 and world.problems("B") == []


def test_waits_while_the_lease_lives(world):
    """And goes on when it is dead: two minutes after the last sign of life, and one of grace."""
    assert world.kill("B", 8, "after").cut
    world.warm()
    since = len(world.cloud.requests())
    waiter = world.start("part")

    def polls():
        return len(world.cloud.requests(since, operation="GetObject"))

    Race.until(lambda: polls() >= 2)
    world.cloud.advance(LEASE_DEAD_S - 20)
    seen = polls()
    Race.until(lambda: polls() > seen)
    assert waiter.poll() is None and {e["method"] for e in world.cloud.requests(since)} == {"GET"}
    world.cloud.advance(20)
    ended = world.end(waiter)
    assert ended.status == 0 and world.problems("part") == [], ended


def test_a_commit_that_comes_too_late(clouds, world, one_site):
    """The holder hangs in its very last request until another has taken over: it is told, and
    touches nothing more."""
    hold_in_place(world.cloud, count_requests(clouds, one_site, "A", "B"))
    late = world.start("B")
    assert world.wait_held(late)
    world.cloud.clear_rules()
    world.lease_dies()
    ended = world.run("part")
    assert ended.status == 0, ended
    world.cloud.release()
    ended = world.end(late)
    assert ended.status == 5, ended
    assert world.problems("part") == []


def test_a_store_without_conditions(cloud, one_site):
    """It would let two claims through: that is found out by the first one, and said."""

    def warnings(*rules):
        world = World(cloud, one_site)
        if rules:
            cloud.rules(*rules)
        ended = world.run("A")
        cloud.clear_rules()
        assert ended.status == 0 and world.problems("A") == [], ended
        notes = ended.event("result")["notes"]
        return [n for n in notes if "the store ignores conditional writes" in n["text"]]

    assert not warnings()
    assert warnings({"when": {"service": "s3"}, "do": {"ignore_conditions": True}})
