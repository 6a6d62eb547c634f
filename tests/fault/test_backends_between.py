"""What comes between the halves without anybody dying: backends that fail, outputs that move or are
not there, selections, older commits, stacks that others change."""

import pytest

from fault import halves
from fault.halves import Halves, HalvesHistory, handler, site_files, template
from fault.harness import World

MOVED = template(30, True).replace("SiteBucket", "OtherBucket").replace(
    "  OtherBucket: {Value", "  SiteBucket: {Value"
)
READS = {
    "DescribeStacks", "GetTemplate", "GetFunction", "GetObject", "GetDistribution", "HeadObject",
    "ListObjectsV2",
}  # fmt: skip


def config(**changed):
    """The usual crc.yml with other values."""
    text = halves.config(literal=False)
    for name, value in changed.items():
        text = text.replace({"bucket": "counter.SiteBucket", "stack": "!env STACK"}[name], value)
    return text


COMMITS = [
    Halves("moved", "C", "C", "C", "C", "B", {"backend/template.yaml": MOVED}),
    Halves("nowhere", "C", "B", "B", "B", "B", {"crc.yml": config(bucket="counter.Nope")}),
    Halves("nowhere new", "C", "C", "C", "B", "B", {"crc.yml": config(bucket="counter.Nope")}),
    Halves("nobody", "C", "B", "B", "B", "B", {"crc.yml": config(bucket="kounter.SiteBucket")}),
    Halves(
        "circle", "C", "B", "B", "B", "B",
        {"crc.yml": config() + "    parameters: {P: !output counter.Counter}\n"},
    ),
]  # fmt: skip


@pytest.fixture(scope="module", params=["literal", "outputs"])
def history(request, tmp_path_factory):
    return HalvesHistory(tmp_path_factory.mktemp("halves") / "repo", request.param == "literal")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    return HalvesHistory(tmp_path_factory.mktemp("outputs") / "repo", False, COMMITS)


def at(cloud, history, commit):
    return halves.deployed(cloud, history, commit, release=False)


def writes(world):
    return [r["operation"] for r in world.cloud.requests()
            if r["service"] != "edge" and r["operation"] not in READS]  # fmt: skip


def objects(world):
    """Without the state."""
    held = world.cloud.objects(world.bucket)
    return {key: o for key, o in held.items() if not key.startswith(".crc/")}


def test_a_backend_that_fails(cloud, history):
    """Nothing of the site is written; the journal is as before, and the next commit is deployed."""
    world = at(cloud, history, "A")
    before, journal = objects(world), world.state()["journal"]
    cloud.fail_next(world.stack, "Logs", "Not today", on="update")
    ended = world.run("B")
    assert ended.status == 1 and "Logs" in ended.err and "Not today" in ended.err, ended
    state = world.state()
    assert objects(world) == before and state["journal"] == journal and not state["lease"]
    assert state["deployed"]["commit"] == world.history["A"].sha
    assert cloud.invoke(world.function, Qualifier="live") == ("mailer A", None)
    assert world.leftovers() == []
    ended = world.run("all")
    assert ended.status == 0 and world.problems("all") == [], ended


def test_a_first_deploy_that_fails(cloud, history):
    """The stack can only be deleted then, which is done when it is asked for."""
    world = at(cloud, history, None)
    cloud.fail_next(world.stack, "Logs", "Not today", on="create")
    ended = world.run("A")
    assert ended.status == 1 and "Not today" in ended.err, ended
    assert cloud.stacks()[world.stack]["status"] == "ROLLBACK_COMPLETE"
    ended = world.run("B")
    assert ended.status != 0 and "--recreate-stack" in ended.err, ended
    ended = world.run("B", "--recreate-stack")
    assert ended.status == 0 and world.problems("B") == [], ended
    notes = [n["text"] for n in ended.event("result")["notes"]]
    assert any("deleted, and created anew" in n for n in notes), ended


def test_outputs_that_move(cloud, outputs):
    """The site starts anew in the bucket that the update has made, and everything is stale."""
    world = at(cloud, outputs, "B")
    old = world.bucket
    ended = world.run("moved")
    assert ended.status == 0, ended
    assert world.bucket != old and world.problems("moved") == []
    [site], steps = ended.plan["sites"], ended.plan["steps"]
    assert site["first"] and site["bucket"] == world.bucket
    assert [s["paths"] for s in steps if s["kind"] == "invalidate"] == [["/*"]]
    assert len([s for s in steps if s["kind"] == "put"]) == len(site_files("C"))
    cloud.reset_log()
    ended = world.run("moved")
    assert ended.verdict == "nothing-to-do" and writes(world) == [], ended


def test_an_output_that_is_missing(cloud, outputs):
    world = at(cloud, outputs, "B")
    before = objects(world)
    ended = world.run("nowhere")
    assert ended.status == 2 and 'declares no output "Nope"' in ended.err, ended
    assert "SiteBucket" in ended.err, "what there is, is said"
    assert writes(world) == []
    ended = world.run("nowhere new")
    assert ended.status == 2 and 'declares no output "Nope"' in ended.err, ended
    assert objects(world) == before
    ended = world.run("all", "--allow-rollback")
    assert ended.status == 0 and world.problems("all") == [], ended


@pytest.mark.parametrize("commit,word", [("nobody", "kounter"), ("circle", "mailer")])
def test_outputs_that_can_not_be(cloud, outputs, commit, word):
    world = at(cloud, outputs, None)
    ended = world.run(commit)
    assert ended.status == 2 and word in ended.err and "crc.yml" in ended.err, ended
    assert halves.operations(cloud) == []


def test_one_half(cloud, history):
    """A selected site asks its stack for outputs and for nothing else, a selected backend the sites
    which commit they are."""
    world = at(cloud, history, "B")
    ended = world.run("all", "--site", "main")
    asked = [o for o in halves.operations(cloud) if o in ("DescribeStacks", "GetTemplate", "GetFunction")]
    assert ended.status == 0 and asked == ([] if history.literal else ["DescribeStacks"]), ended
    assert world.problems("site") != [] and not world._bucket_problems(world.history["all"])
    cloud.reset_log()
    ended = world.run("all", "--backend", "mailer")
    assert ended.status == 0, ended
    asked = {(r["service"], r["method"]) for r in cloud.requests() if r["service"] not in ("edge", "lambda")}
    assert asked == {("s3", "GET")} | (set() if history.literal else {("cloudformation", "POST")})
    assert "CreateChangeSet" not in halves.operations(cloud)
    assert world._function_problems(world.history["all"]) == []
    ended = world.run("all", "--backend", "counter")
    assert ended.status == 0 and world.problems("all") == [], ended


def test_an_older_commit(cloud, history):
    """It deploys neither half."""
    world = at(cloud, history, "B")
    ended = world.run("A")
    assert ended.status == 0 and ended.verdict == "superseded", ended
    assert writes(world) == [] and world.problems("B") == []
    ended = world.run("A", "--allow-rollback")
    assert ended.status == 0 and world.problems("A") == [], ended


def test_a_stack_that_others_change(cloud, history):
    world = at(cloud, history, "A")
    cloud.make_busy(world.stack, polls=60)
    ended = world.run("B", "--lock-timeout", "0")
    assert ended.status == 5 and "UPDATE_IN_PROGRESS" in ended.err, ended
    assert writes(world) == []
    cloud.await_stack(world.stack)
    cloud.make_busy(world.stack, polls=3)
    ended = world.run("B")
    assert ended.status == 0 and world.problems("B") == [], ended
