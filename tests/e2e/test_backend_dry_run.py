"""A dry run of backends: it compares with what is live, writes nothing, and leaves nothing behind.

Counted by the cloud that answers, never by the program.
"""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fault import halves  # noqa: E402
from fault.halves import Halves, HalvesHistory, HalvesWorld, template  # noqa: E402
from fault.harness import Cloud, World  # noqa: E402
from world import bare_env  # noqa: E402

REPLACED = template(7, True).replace(
    "      RetentionInDays: 7\n", "      RetentionInDays: 7\n      LogGroupName: another\n")
MOVED = template(7, True).replace("SiteBucket", "OtherBucket").replace(
    "  OtherBucket: {Value", "  SiteBucket: {Value")
BAD = template(7, True).replace("RetentionInDays: 7", "RetentionInDays: !Ref Nobody")
ONLY_A_STACK = halves.config(literal=True).partition("  mailer:")[0]
FILE = {"crc.yml": ONLY_A_STACK, "website/about.html": "changed"}
COMMITS = [
    Halves("replaced", "A", "A", "A", "A", "A", {"backend/template.yaml": REPLACED}),
    Halves("moved", "A", "A", "A", "A", "A", {"backend/template.yaml": MOVED}),
    Halves("bad", "A", "A", "A", "A", "A", {"backend/template.yaml": BAD}),
    Halves("stack", "A", "A", "A", "A", "", {"crc.yml": ONLY_A_STACK}),
    Halves("file", "A", "A", "A", "A", "stack", FILE),
]
READ_METHODS = {"GET", "HEAD"}
# The query protocol posts what it asks, too.
READ_OPERATIONS = {"DescribeStacks", "GetTemplate", "GetCallerIdentity"}


@pytest.fixture(scope="module")
def module_cloud(program, tmp_path_factory):
    with Cloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running
        assert "Traceback" not in running.errors(), running.errors()


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    return HalvesHistory(tmp_path_factory.mktemp("literal") / "repo", True, COMMITS)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    return HalvesHistory(tmp_path_factory.mktemp("outputs") / "repo", False, COMMITS)


def at(cloud, history, commit):
    return halves.deployed(cloud, history, commit, release=False, alone=False)


@pytest.fixture(scope="module")
def module_worlds(module_cloud, history, outputs):
    """A is deployed in both: no dry run may change that, so that one deploy is enough for all."""
    return {"literal": at(module_cloud, history, "A"), "outputs": at(module_cloud, outputs, "A")}


@pytest.fixture
def literal_world(cloud, module_worlds):
    return module_worlds["literal"]


@pytest.fixture
def outputs_world(cloud, module_worlds):
    return module_worlds["outputs"]


@pytest.fixture
def empty_world(cloud, outputs, module_worlds):
    return at(cloud, outputs, None)


def everything(world):
    """All that a dry run must leave as it is."""
    cloud = world.cloud
    buckets = [b["Name"] for b in cloud.s3.list_buckets()["Buckets"]]
    listed = cloud.cloudformation.list_stacks()["StackSummaries"]
    sets = [cloud.cloudformation.list_change_sets(StackName=world.stack)["Summaries"]
            for s in listed if s["StackName"] == world.stack and s["StackStatus"] != "DELETE_COMPLETE"]
    functions = cloud.functions.list_functions()["Functions"]
    return {
        "objects": {bucket: cloud.objects(bucket) for bucket in buckets},
        "stacks": [(s["StackId"], s["StackStatus"]) for s in listed
                   if s["StackStatus"] != "DELETE_COMPLETE"],
        "sets": [(s["ChangeSetName"], s["ExecutionStatus"]) for found in sets for s in found],
        "functions": {f["FunctionName"]: (f["RevisionId"], f["CodeSha256"]) for f in functions},
    }


def dry(world, commit, *options, status=0):
    """A dry run that must change nothing at all: the run and its requests."""
    before = everything(world)
    world.cloud.reset_log()
    ended = world.run(commit, "--dry-run", *options)
    assert ended.status == status, ended
    requests = [r for r in world.cloud.requests() if r["service"] != "edge"]
    assert everything(world) == before
    return ended, requests


def assert_reads(requests, **counts):
    found = Counter(r["operation"] for r in requests)
    assert found == counts
    assert all(r["method"] in READ_METHODS or r["operation"] in READ_OPERATIONS for r in requests)


def verdicts(run):
    return {b["name"]: (b["verdict"], b["why"]) for b in run.plan["backends"]}


# What is live


@pytest.mark.parametrize("commit", ["B", "A"])
def test_both_halves_are_read_once(literal_world, commit):
    """Changed or not: two requests for a stack, two for a function with an alias, none to find out
    who asks."""
    ended, requests = dry(literal_world, commit)
    assert_reads(requests, DescribeStacks=1, GetTemplate=1, GetFunction=2, GetObject=1,
                 GetDistribution=1)
    if commit == "A":
        assert verdicts(ended) == {"counter": ("unchanged", None), "mailer": ("unchanged", None)}
        return
    assert verdicts(ended) == {
        "counter": ("deploy", "its template or code differs from what is live"),
        "mailer": ("deploy", "its code differs from what is live")}
    assert [s["kind"] for s in ended.plan["steps"]][:3] == ["claim", "backend", "backend"]


def test_a_function_without_an_alias_is_one_request(cloud, tmp_path):
    config = halves.config(literal=True).replace("    alias: live\n", "")
    commit = Halves("plain", "A", "A", "A", "A", "", {"crc.yml": config})
    world = at(cloud, HalvesHistory(tmp_path / "repo", True, [commit]), "plain")
    ended, requests = dry(world, "plain")
    assert_reads(requests, DescribeStacks=1, GetTemplate=1, GetFunction=1, GetObject=1,
                 GetDistribution=1)
    assert verdicts(ended)["mailer"] == ("unchanged", None)


def held_at_once(world, *rounds, options=("--dry-run",)):
    """Runs while the cloud holds what belongs to a round until all of it is there: none waits for
    another."""
    cloud, seen = world.cloud, Counter()
    cloud.reset_log()
    cloud.rules(*({"when": {"operation": o}, "do": {"stall_s": 60}} for r in rounds for o in r))
    process = world.start("A", "--concurrency", "8", *options)
    for operations in rounds:
        held = cloud.wait_for_stalled(sum(operations.values()))
        assert Counter(r["operation"] for r in held) == operations
        cloud.release()
        halves.until(lambda: not {r["id"] for r in held} & {r["id"] for r in cloud.waiting()})
        seen += operations
    ended = World.end(process)
    cloud.clear_rules()
    assert ended.status == 0, ended
    assert Counter(r["operation"] for r in cloud.requests() if r["service"] != "edge") == seen


BACKENDS = Counter(DescribeStacks=1, GetTemplate=1, GetFunction=2)
SITE = Counter(GetObject=1, GetDistribution=1)


def test_reads_go_side_by_side(literal_world):
    held_at_once(literal_world, BACKENDS + SITE)


def test_a_site_of_outputs_is_read_after_its_stack(outputs_world):
    held_at_once(outputs_world, BACKENDS, SITE)
    ended, requests = dry(outputs_world, "A")
    assert len(requests) == 6
    assert ended.plan["sites"][0]["bucket"] == outputs_world.bucket


def test_a_deploy_reads_as_much(literal_world, outputs_world):
    """Nobody has deployed for a while: what a claim covers goes side by side with what it depends
    on."""
    for world, rounds in ((literal_world, [BACKENDS + SITE]), (outputs_world, [BACKENDS, SITE])):
        world.cloud.advance(600)
        held_at_once(world, *rounds, options=())


def written_now(world):
    """The state is what it was, and as if a deploy had just ended."""
    key = {"Bucket": world.bucket, "Key": ".crc/state.json"}
    found = world.cloud.s3.get_object(**key)
    world.cloud.s3.put_object(**key, Body=found["Body"].read(), ContentType="application/json",
                              ContentEncoding="gzip", CacheControl="no-store")


def test_behind_a_deploy_backends_are_read_again(literal_world, outputs_world):
    """It may have ended between the two answers."""
    for world, rounds in ((literal_world, [BACKENDS + SITE]), (outputs_world, [BACKENDS, SITE])):
        world.cloud.advance(600)
        written_now(world)
        held_at_once(world, *rounds, BACKENDS, options=())
        world.cloud.advance(600)
        held_at_once(world, *rounds, options=())


def test_nothing_is_there(empty_world):
    """What is not known is said so, and nothing is made to find it out."""
    ended, requests = dry(empty_world, "A")
    assert_reads(requests, DescribeStacks=1, GetTemplate=1, GetFunction=2, GetCallerIdentity=1)
    assert verdicts(ended)["counter"] == ("deploy", "there is no such stack yet")
    assert ended.plan["backends"][0]["creates"] and ended.plan["sites"][0]["first"]


def test_one_changed_file(cloud, history):
    """A deploy, for comparison: the backend adds two requests to six."""
    world = at(cloud, history, "stack")
    cloud.advance(10)
    ended = world.run("file")
    requests = [r for r in cloud.requests() if r["service"] != "edge"]
    assert ended.status == 0 and Counter(r["operation"] for r in requests) == {
        "DescribeStacks": 1, "GetTemplate": 1, "GetObject": 1, "GetDistribution": 1,
        "PutObject": 3, "CreateInvalidation": 1}, ended


# Change sets


def only_read_and_previewed(requests):
    writes = [r["operation"] for r in requests if r["service"] == "s3" and r["method"] not in READ_METHODS]
    assert writes == [] and "ExecuteChangeSet" not in {r["operation"] for r in requests}
    made = Counter(r["operation"] for r in requests)
    assert made["CreateChangeSet"] == 1 and made["DeleteChangeSet"] == 1


def text_of(world, commit, *options):
    done = subprocess.run([world.program, "--head", world.history[commit].sha, *options],
                          cwd=world.history.directory, env=world.env, capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 0, done
    return done.stdout


def test_the_resources_of_an_existing_stack(outputs_world):
    world = outputs_world
    ended, requests = dry(world, "replaced", "--change-set")
    only_read_and_previewed(requests)
    [counter] = [b for b in ended.plan["backends"] if b["name"] == "counter"]
    assert [(r["action"], r["name"], r["replacement"]) for r in counter["resources"]] == [
        ("Modify", "Logs", "True")]
    assert counter["resources"][0]["resource_type"] == "AWS::Logs::LogGroup"
    text = text_of(world, "replaced", "--dry-run", "--change-set")
    assert re.search(r"REPLACE +Logs\b", text), text


def notes_of(ended):
    return [n["text"] for n in ended.plan["notes"] if "will be another" in n["text"]]


def test_outputs_that_will_move(outputs_world):
    """The site is shown where it is now, which is said; another resource moves nothing of it."""
    ended, _ = dry(outputs_world, "moved", "--change-set")
    assert notes_of(ended) == [
        "backend counter: its output SiteBucket will be another, as OtherBucket is added: planned "
        "here with that of now: site main"]
    ended, _ = dry(outputs_world, "replaced", "--change-set")
    assert notes_of(ended) == []


def test_the_resources_of_a_stack_that_is_not_there(cloud, empty_world):
    """Not even the shell stays, which CloudFormation makes for a change set."""
    world = empty_world
    ended, requests = dry(world, "A", "--change-set")
    only_read_and_previewed(requests)
    assert cloud.stack(world.stack) is None
    [counter] = [b for b in ended.plan["backends"] if b["name"] == "counter"]
    assert {(r["action"], r["name"]) for r in counter["resources"]} >= {
        ("Add", "Logs"), ("Add", "Counter"), ("Add", "SiteBucket")}
    listed = cloud.cloudformation.list_stacks()["StackSummaries"]
    assert {s["StackStatus"] for s in listed if s["StackName"] == world.stack} == {"DELETE_COMPLETE"}


@pytest.fixture(params=["outputs_world", "empty_world"])
def some_world(request):
    return request.getfixturevalue(request.param)


def test_a_bad_template(some_world):
    world = some_world
    was = world.cloud.stack(world.stack)
    ended, _ = dry(world, "bad", "--change-set", status=2)
    assert "Nobody" in ended.err, ended
    assert world.cloud.stack(world.stack) == was


def test_a_change_set_that_fails(some_world):
    world = some_world
    was = world.cloud.stack(world.stack)
    world.cloud.find_next(world.stack, "Logs", "Unsupported property [Colour]")
    ended, _ = dry(world, "replaced", "--change-set", status=2)
    assert "Unsupported property [Colour]" in ended.err, ended
    assert world.cloud.stack(world.stack) == was


# Offline


def without_credentials(world, tmp_path):
    kept = {n: v for n, v in world.env.items() if not n.startswith("AWS_")}
    return {**bare_env(tmp_path), **kept, "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.mark.parametrize("how", ["--offline", "no credentials"])
@pytest.mark.parametrize("commit,changed", [
    ("site", {}), ("code", {"counter": "backend/counter/app.py changed"}),
    ("template", {"counter": "backend/template.yaml changed"}),
    ("mailer", {"mailer": "mailer/app.py changed"}),
    ("B", {"counter": "2 files changed, backend/counter/app.py among them",
           "mailer": "mailer/app.py changed"})])
def test_git_decides_by_paths(cloud, history, tmp_path, how, commit, changed):
    world = HalvesWorld(cloud, history, release=False, alone=False)
    cloud.reset_log()
    if how == "--offline":
        ended = world.run(commit, "--offline")
    else:
        world.env = without_credentials(world, tmp_path)
        ended = world.run(commit, "--dry-run")
    assert ended.status == 0 and ended.plan["offline"] and cloud.requests() == [], ended
    assert verdicts(ended) == {
        name: ("deploy", changed[name]) if name in changed else ("unchanged", None)
        for name in ("counter", "mailer")}
