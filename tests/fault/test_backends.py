"""Both halves: killed, terminated and raced between any two requests of a deploy of a site, a stack
and a function, and what else may come between the halves."""

import itertools
import random
import signal

import pytest

from fault import halves
from fault.halves import Halves, HalvesHistory, record_moments
from fault.harness import Clouds

LATER = ["back", "site", "code", "template", "mailer", "all", "again", "B"]
ROLLBACK = ("A", "--allow-rollback")


@pytest.fixture(scope="module")
def clouds(tmp_path_factory):
    """More than usual: a deploy of a stack mostly waits."""
    made = Clouds(tmp_path_factory.mktemp("clouds"), 6)
    yield made
    errors = made.stop()
    assert "Traceback" not in errors, errors


@pytest.fixture(scope="module", params=["literal", "outputs"])
def history(request, tmp_path_factory):
    """Where the site goes is written down, or known from the stack alone."""
    undone = Halves("undone", "B", "B", "B", "B", "code")
    directory = tmp_path_factory.mktemp("halves") / "repo"
    return HalvesHistory(directory, request.param == "literal", [undone])


@pytest.fixture(scope="module")
def moments(clouds, history):
    return record_moments(clouds, history, "A", "B")


# Killed


def test_killed_anywhere(clouds, history, moments):
    thens = [*((then,) for then in LATER), ROLLBACK]
    assert len(moments) >= 50
    cases = [(m, thens[n * 5 % len(thens)]) for n, m in enumerate(moments)]
    clouds.sweep(cases, halves.killed(history, "A"))


def test_killed_and_taken_back(clouds, history, moments):
    """Where nothing is to be changed, what the dead one has left is found all the same."""
    clouds.sweep(((m, ("back",)) for m in moments), halves.killed(history, "A"))


def test_killed_in_the_first_deploy(clouds, history):
    """There is nothing: no stack, no state, no bucket for code."""
    made = record_moments(clouds, history, None, "B")
    assert ("CreateBucket", 1) in [m for m, _ in made]
    cases = [(m, (LATER[n * 5 % len(LATER)],)) for n, m in enumerate(made)]
    clouds.sweep(cases, halves.killed(history, None))


def test_killed_with_sanitizers(clouds, history, moments):
    sample = random.Random(1).sample(moments, 8)
    cases = zip(sample, itertools.cycle((("back",), ("all",), ROLLBACK)))
    clouds.sweep(cases, halves.killed(history, "A", release=False))


def test_killed_while_finishing(clouds, history, moments):
    """The recovery dies as well. What comes last descends from what died."""
    chance = random.Random(2)
    cases = [
        (chance.choice(moments), middle, chance.choice(moments), last)
        for middle, last in [("B", "back"), ("B", "all"), ("all", "all"), ("back", "back")] * 6
    ]
    clouds.sweep(cases, halves.killed_twice(history))


# Told to stop


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop(clouds, history, moments, number):
    """Some moments of all, and each of those where there is a change set."""
    around = [m for m in moments if "ChangeSet" in m[0][0]]
    others = random.Random(number).sample([m for m in moments if m not in around], 12)
    clouds.sweep(around + others, halves.cancelled(history, "A", number))


def test_told_to_stop_in_the_first_deploy(clouds, history):
    made = record_moments(clouds, history, None, "B")
    around = [m for m in made if "ChangeSet" in m[0][0] or "Bucket" in m[0][0]]
    clouds.sweep(around, halves.cancelled(history, None, signal.SIGTERM))


# Two at once


def pairs(seed, moments, n):
    chance = random.Random(seed)
    befores = [m for m, at in moments if at == "before"]
    return [
        ((chance.choice(befores), chance.choice(befores)), chance.choice(((0, 1), (1, 0))))
        for _ in range(n)
    ]


def test_older_then_newer(clouds, history, moments):
    clouds.sweep(pairs(1, moments, 12), halves.raced(history, "A", "B", "all", "all"))


def test_newer_then_older(clouds, history, moments):
    clouds.sweep(pairs(2, moments, 12), halves.raced(history, "A", "all", "B", "all"))


def test_first_deploys(clouds, history):
    """Where the site goes is not known to either: only CloudFormation keeps them apart."""
    made = record_moments(clouds, history, None, "B")
    clouds.sweep(pairs(3, made, 10), halves.raced(history, None, "B", "all", "all"))
    clouds.sweep(pairs(4, made, 10), halves.raced(history, None, "all", "B", "all"))


def test_what_an_older_deploy_changes_is_put_back(clouds, history):
    """What is live is what the newer commit wants when it looks, and no longer when it has read the
    state."""
    reads = [("GetObject", 1), ("GetDistribution", 1), ("DescribeStacks", 1), ("GetTemplate", 1),
             ("DescribeStacks", 2), ("PutObject", 1)]  # fmt: skip
    cases = [((read, ("PutObject", 1)), (1, 0)) for read in reads]
    clouds.sweep(cases, halves.raced(history, "B", "undone", "code", "undone"))
    # Backends are read once then, unless the other one has written the state meanwhile.
    cases = [c for c in cases if c[0][0] != ("DescribeStacks", 2)]
    clouds.sweep(cases, halves.raced(history, "B", "undone", "code", "undone", later_s=30))


# Nothing is there, and the site's place is what the stack puts out: there is no claim before it

AROUND_THE_STACK = [
    ("DescribeStacks", 1), ("CreateBucket", 1), ("CreateChangeSet", 1), ("DescribeChangeSet", 1),
    ("ExecuteChangeSet", 1), ("DescribeStackEvents", 2), ("GetObject", 1), ("PutObject", 2),
    ("UpdateFunctionCode", 1),
]  # fmt: skip


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    return HalvesHistory(tmp_path_factory.mktemp("outputs") / "repo", False)


@pytest.mark.parametrize("first,second", [("B", "all"), ("all", "B")])
def test_first_deploys_without_a_place(clouds, outputs, first, second):
    """Wherever the two meet: a stack that the other one has made meanwhile is not deployed over."""
    meetings = itertools.product(AROUND_THE_STACK[:7], AROUND_THE_STACK[:5], ((0, 1), (1, 0)))
    cases = [((i, j), order) for i, j, order in meetings]
    sample = random.Random(first).sample(cases, 24)
    clouds.sweep(sample, halves.raced(outputs, None, first, second, "all"))


@pytest.mark.parametrize("first,second", [("B", "all"), ("all", "B")])
def test_killed_beside_another_first_deploy(clouds, outputs, first, second):
    made = record_moments(clouds, outputs, None, first)
    sample = random.Random(second).sample(made, 20)
    clouds.sweep(sample, halves.raced_and_killed(outputs, None, first, second))


def test_a_function_waits_for_the_claim(clouds, outputs):
    """Held before it publishes, in the deploy that has made the stack: the newer one is first."""
    cases = [
        ((("UpdateFunctionCode", 1), ("UpdateFunctionCode", 1)), order) for order in ((0, 1), (1, 0))
    ]
    clouds.sweep(cases, halves.raced(outputs, None, "B", "all", "all"))
    clouds.sweep(cases, halves.raced(outputs, None, "all", "B", "all"))
