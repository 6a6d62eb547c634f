"""Every request of a deploy goes wrong in every way: the exit status tells the truth, and the next
run repairs."""

import re
from urllib.parse import unquote

import pytest

from fault.harness import STATE
from fault.plans import CLAIM, count_requests, deployed, finish

HTML = {
    "status": 200,
    "body": "<!DOCTYPE html><title>Sign in to the guest network</title>",
    "content_type": "text/html",
}
DENIED = {"status": 403, "code": "AccessDenied", "message": "Access Denied"}
UNMET = {
    "status": 412,
    "code": "PreconditionFailed",
    "message": "At least one of the pre-conditions you specified did not hold",
}
DIED = (9, "after")  # half-way through what is sent


def once(cloud, nth, do):
    cloud.rules({"when": {"nth": nth}, "do": do})


def always(cloud, nth, do):
    cloud.rules({"when": {"nth": nth, "times": 10**6}, "do": do})


def faulty(history, do, expected, install=once, base="A", died=None):
    """Case: nth. B with the nth request going wrong; `died`: the moment at which B was killed
    before. expected(nth, operation, run) is what is wrong with how it ended; whoever says 0 has
    kept the promise, and after whoever does not, the next run keeps it."""

    def check(cloud, nth):
        world = deployed(cloud, history, base)
        if died:
            world.dies("B", *died)
        seen = len(cloud.requests())
        install(cloud, nth, do)
        ended = world.run("B")
        asked = cloud.requests()[seen:]
        cloud.clear_rules()
        if len(asked) < nth:
            return [f"only {len(asked)} requests: {ended}"]
        operation = asked[nth - 1]["operation"]
        problems = expected(nth, operation, ended)
        if ended.status == 0:
            problems += [f"exit 0, but {p}" for p in world.problems("B")]
        elif not re.fullmatch(r"crc-action: \S.{10,}\n", ended.err):
            problems.append(f"the message is {ended.err!r}")
        if install is once and not died and world.state() and world.state()["lease"]:
            problems.append("the lease is kept")
        if problems:
            problems.append(str(ended))
        else:
            problems = finish(world, None, ("B", "part")[nth % 2])
        return [f"{operation}: {problem}" for problem in problems]

    return check


def survived(nth, operation, run):
    return [] if run.status == 0 else [f"expected exit 0, not {run.status}"]


def gave_up(nth, operation, run):
    """Nothing was touched before the claim; from then on something may be."""
    wanted = 4 if nth > CLAIM else 1
    if run.status == wanted and "500" in run.err:
        return []
    return [f"expected exit {wanted} and a word about 500"]


def was_denied(nth, operation, run):
    if operation == "GetDistribution":
        warned = [n for n in run.plan["notes"] if "cloudfront:GetDistribution" in n["text"]]
        return [] if run.status == 0 and warned else ["expected exit 0 and a warning"]
    if run.status == 3 and "AccessDenied" in run.err:
        return []
    return ["expected exit 3 and a word about AccessDenied"]


def was_not_fooled(nth, operation, run):
    return [] if run.status in (0, 1, 4) else ["expected exit 0, 1 or 4"]


TRANSIENT = {
    "dropped before": {"drop": "before"},
    "dropped after": {"drop": "after"},
    "500": {"status": 500, "code": "InternalError"},
    "500 after": {"after_effect_status": 500},
    "503": {"status": 503, "code": "SlowDown"},
    "cut in the head": {"truncate": 30},
    "cut before the body": {"truncate": 150},
    "html 503": {**HTML, "status": 503},
}


@pytest.mark.parametrize("fault", TRANSIENT)
def test_once(clouds, one_site, fault):
    count = count_requests(clouds, one_site, "A", "B")
    clouds.sweep(range(1, count + 1), faulty(one_site, TRANSIENT[fault], survived))


@pytest.mark.parametrize("fault", ["dropped after", "500 after", "cut in the head"])
def test_once_in_the_first_deploy(clouds, one_site, fault):
    count = count_requests(clouds, one_site, None, "B")
    clouds.sweep(range(1, count + 1), faulty(one_site, TRANSIENT[fault], survived, base=None))


def test_500_from_then_on(clouds, one_site):
    count = count_requests(clouds, one_site, "A", "B")
    clouds.sweep(range(1, count + 1), faulty(one_site, TRANSIENT["500"], gave_up, install=always))


def test_403(clouds, one_site):
    count = count_requests(clouds, one_site, "A", "B")
    clouds.sweep(range(1, count + 1), faulty(one_site, DENIED, was_denied))


def test_a_page_instead_of_an_answer(clouds, one_site):
    """A proxy answers 200 and HTML: nothing has happened, and nothing may be taken to have."""
    count = count_requests(clouds, one_site, "A", "B")
    clouds.sweep(range(1, count + 1), faulty(one_site, HTML, was_not_fooled))


@pytest.mark.parametrize("fault", ["dropped after", "500 after", "cut in the head"])
def test_once_while_finishing(clouds, one_site, fault):
    """The run that takes over looks at what the dead one may have touched: it must not take noise
    for an answer."""
    count = count_requests(clouds, one_site, "A", "B", DIED)
    clouds.sweep(range(1, count + 1), faulty(one_site, TRANSIENT[fault], survived, died=DIED))


def test_a_page_instead_of_an_answer_while_finishing(clouds, one_site):
    count = count_requests(clouds, one_site, "A", "B", DIED)
    clouds.sweep(range(1, count + 1), faulty(one_site, HTML, was_not_fooled, died=DIED))


def test_a_claim_that_is_not_granted(world):
    """Somebody else was faster: read again, and go on when there is nobody after all."""
    once(world.cloud, CLAIM, UNMET)
    ended = world.run("B")
    assert ended.status == 0 and world.problems("B") == [], ended


def test_a_commit_that_is_not_granted(clouds, world, one_site):
    """The claim was lost in the meantime: exit 5, and nothing more is written."""
    count = count_requests(clouds, one_site, "A", "B")
    seen = len(world.cloud.requests())
    once(world.cloud, count, UNMET)
    ended = world.run("B")
    assert ended.status == 5, ended
    assert [e["operation"] for e in world.cloud.requests()[seen + count :]] == ["GetObject"]
    assert finish(world, {"A", "B", "part"}, "part") == []


def test_somebody_else_writes(clouds, one_site):
    """Behind our back, to the very object that is about to be written: what the commit holds is
    overwritten, what it does not hold is left to whoever put it there."""
    count = count_requests(clouds, one_site, "A", "B")

    def check(cloud, nth):
        world = deployed(cloud, one_site, "A")
        cloud.rules({"when": {"nth": nth}, "do": {"stall_s": 60, "at": "before"}})
        process = world.start("B")
        assert world.wait_held(process)
        held = cloud.waiting()[0]
        key = unquote(held["path"]).partition("?")[0].partition(f"/{world.bucket}/")[2]
        if held["operation"] in ("PutObject", "CopyObject", "DeleteObject") and key != STATE:
            cloud.s3.put_object(Bucket=world.bucket, Key=key, Body=b"somebody else's")
        cloud.release()
        ended = world.end(process)
        if held["operation"] == "DeleteObject":
            warned = [n for n in ended.event("result")["notes"] if n.get("path") == key]
            if ended.status != 0 or not warned:
                return [f"expected exit 0 and a warning: {ended}"]
            return [p for p in world.problems("B") if p != f"left behind: {key}"]
        if held["operation"] == "CopyObject" and ended.status == 4:
            return finish(world, None, "again")
        return [str(ended)] if ended.status else world.problems("B")

    clouds.sweep(range(1, count + 1), check)
