"""Both halves killed, told to stop, and two at once: the short form of tests/fault/test_backends.py,
which `./dev fault` runs."""

import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fault import halves  # noqa: E402
from fault.halves import HalvesHistory  # noqa: E402
from fault.harness import Clouds  # noqa: E402

AFTER = "after"


@pytest.fixture(scope="module")
def clouds(program, tmp_path_factory):
    made = Clouds(tmp_path_factory.mktemp("clouds"), 4)
    yield made
    errors = made.stop()
    assert "Traceback" not in errors, errors


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    return HalvesHistory(tmp_path_factory.mktemp("outputs") / "repo", False)


def test_killed_between_the_halves(clouds, outputs):
    """With a change set that nobody has executed, in the middle of an update, and with code that is
    not published."""
    cases = [
        ((("DescribeChangeSet", 2), AFTER), ("back",)),
        ((("ExecuteChangeSet", 1), AFTER), ("all",)),
        ((("UpdateFunctionCode", 1), AFTER), ("back",)),
    ]
    clouds.sweep(cases, halves.killed(outputs, "A", release=False))


def test_killed_in_the_first_deploy(clouds, outputs):
    cases = [
        ((("CreateBucket", 1), AFTER), ("B",)),
        ((("CreateChangeSet", 1), AFTER), ("all",)),
        ((("ExecuteChangeSet", 1), AFTER), ("site",)),
    ]
    clouds.sweep(cases, halves.killed(outputs, None, release=False))


def test_two_first_deploys(clouds, outputs):
    """Neither knows where the site goes before there is a stack, which both are about to make."""
    create, execute = ("CreateChangeSet", 1), ("ExecuteChangeSet", 1)
    cases = [((create, create), (0, 1)), ((execute, create), (1, 0))]
    clouds.sweep(cases, halves.raced(outputs, None, "all", "B", "all", release=False))
    clouds.sweep(cases[:1], halves.raced(outputs, None, "B", "all", "all", release=False))


def test_told_to_stop(clouds, outputs):
    moments = [(("CreateChangeSet", 1), AFTER), (("ExecuteChangeSet", 1), "before")]
    clouds.sweep(moments, halves.cancelled(outputs, "A", signal.SIGTERM, release=False))


def test_told_to_stop_in_a_second_plan(clouds, outputs):
    """What the first one has put away has made nobody deaf."""
    moments = [(("ListChangeSets", 1), "before")]
    clouds.sweep(moments, halves.cancelled(outputs, None, signal.SIGTERM, release=False))
