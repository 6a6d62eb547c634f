"""Backends through the real program: what may become of a stack or a function, and what is said of it.

Each test is one thing that happens at AWS; the witnesses are boto3 and the cloud's log.
"""

import gzip
import itertools
import json
import random
import signal
import time

import pytest
from cloud.lambda_code import pack
from world import STATE, denied

_names = itertools.count(1)
SITE = {"website/index.html": "one\n"}
TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Days: {{Type: Number, Default: 7}}
Resources:
  Counter:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: counter/
      Handler: app.handler
      Runtime: python3.12
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: {{RetentionInDays: {days}}}
Outputs:
  Name: {{Value: !Ref Counter}}
"""


def code(word):
    return f"def handler(event, context):\n    return {word!r}\n"


class Backend:
    """A site with a backend beside it, in a repository."""

    def __init__(self, world, kind):
        self.world, self.cloud, self.repo = world, world.cloud, world.repo
        self.kind, self.name = kind, f"backend-{next(_names)}"
        self.more = ""
        self.cloud.control("POST", "stacks", {"clear": True})
        self.cloud.settings(stack_ms=0, set_ms=0, stack_polls=2)

    def config(self, more=""):
        target = f"stack: {self.name}" if self.kind == "template" else f"function: {self.name}"
        return (f"sites:\n  site:\n    path: website\n    bucket: {self.world.bucket}\n"
                f"    distribution: {self.world.distribution}\n"
                f"backends:\n  api:\n    path: api{'' if self.kind == 'template' else '/counter'}\n"
                f"    {target}\n{more}")

    def commit(self, word="one", page="one", days=7, more="", **files):
        return self.repo.commit({
            "website/index.html": page + "\n", "api/counter/app.py": code(word),
            "api/template.yaml": TEMPLATE.format(days=days), "crc.yml": self.config(more), **files})

    def run(self, *options, status=0, **keywords):
        run = self.world.run_bare("--json", *options, **keywords)
        assert run.status == status, run
        return run

    def deploy(self, *options, status=0, **change):
        self.commit(**change)
        return self.run(*options, status=status)

    @property
    def stack(self):
        return self.cloud.stack(self.name)

    @property
    def function(self):
        return self.cloud.outputs(self.name)["Name"] if self.kind == "template" else self.name

    def answer(self):
        return self.cloud.invoke(self.function)[0]

    def page(self):
        return self.world.read("index.html")[0].decode().strip()

    def outcome(self, run):
        [found] = run.result["backends"]
        return found

    def outcome_of(self, run, name):
        return next(b["status"] for b in run.result["backends"] if b["name"] == name)

    def sets(self):
        """Change sets that somebody could still execute."""
        listed = self.cloud.cloudformation.list_change_sets(StackName=self.name)["Summaries"]
        return [s for s in listed if s["ExecutionStatus"] != "EXECUTE_COMPLETE"]


@pytest.fixture
def api(world):
    return Backend(world, "template")


@pytest.fixture
def live(api):
    """The same, deployed once."""
    run = api.deploy()
    assert api.outcome(run)["status"] == "created" and api.answer() == "one"
    return api


@pytest.fixture
def lone(world):
    """A function that somebody else has made."""
    made = Backend(world, "function")
    world.cloud.make_function(made.name, {"app.py": code("old")})
    return made


# --- stacks ------------------------------------------------------------------------------------


def test_created_updated_and_left_alone(live):
    live.cloud.advance(10)
    run = live.run()
    assert run.verdict == "nothing-to-do"
    assert sorted(run.operations) == ["DescribeStacks", "GetDistribution", "GetObject",
                                      "GetTemplate"]
    run = live.deploy(word="two")
    assert live.outcome(run)["status"] == "updated" and live.answer() == "two"
    assert [c["name"] for c in live.outcome(run)["resources"]] == ["Counter"]
    assert run.result["uploaded"] == 0 and run.result["changed"] is True
    assert live.sets() == []


def test_no_changes_are_no_failure(live):
    """CloudFormation itself finds nothing to do: a comment in the template."""
    run = live.deploy(**{"api/template.yaml": "# a comment\n" + TEMPLATE.format(days=7)})
    assert live.outcome(run)["status"] in ("confirmed", "updated")
    assert live.stack["StackStatus"].endswith("_COMPLETE") and live.sets() == []
    assert live.answer() == "one"


def test_a_failed_update_is_rolled_back_and_the_site_stays(live):
    live.cloud.fail_next(live.name, "Logs", "No such retention")
    run = live.deploy(word="two", page="two", days=14, status=1)
    assert run.verdict == "failed"
    assert "Logs" in run.result["error"] and "No such retention" in run.result["error"]
    assert "rolled back" in run.result["error"]
    assert live.stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert (live.page(), live.answer()) == ("one", "one")
    state = live.world.state()
    assert state["journal"] is None and state["lease"] is None
    live.run()
    assert (live.page(), live.answer()) == ("two", "two")
    assert live.stack["StackStatus"].startswith("UPDATE_COMPLETE")
    live.world.check_edge()


def test_a_failed_update_that_is_taken_back(live):
    """What was rolled back has left what the commit before holds: there is nothing to do, ever."""
    live.cloud.fail_next(live.name, "Logs", "No such retention")
    live.deploy(days=14, status=1)
    assert live.stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    run = live.deploy()
    assert run.plan["backends"][0]["verdict"] == "unchanged"
    assert "CreateChangeSet" not in run.operations
    assert live.run().verdict == "nothing-to-do"


def stop_after(api, operation):
    """A run that is told to stop once AWS has been told to begin; in words for people."""
    seen = api.world.last_request()
    running = api.world.start()
    for _ in range(150):
        if any(r["operation"] == operation for r in api.cloud.requests(since=seen)):
            break
        time.sleep(0.1)
    running.signal(signal.SIGTERM)
    return running.finish()


def test_a_stack_goes_on_when_a_run_is_stopped(live):
    live.cloud.settings(stack_polls=0, stack_ms=4000)
    live.commit(word="two", page="two")
    run = stop_after(live, "ExecuteChangeSet")
    assert run.status == 4 and "Nothing was deployed" not in run.out, run
    assert (f"Stopped on the way: CloudFormation goes on changing stack {live.name}, "
            "no site was touched.") in run.out, run
    assert live.page() == "one"
    live.cloud.settings(stack_ms=0, stack_polls=2)
    live.run()
    assert (live.page(), live.answer()) == ("two", "two")


def test_a_failed_create_says_how_to_go_on(api):
    api.cloud.fail_next(api.name, "Logs", "No room")
    run = api.deploy(status=1)
    assert "No room" in run.result["error"] and "--recreate-stack" in run.result["error"]
    assert api.stack["StackStatus"] == "ROLLBACK_COMPLETE" and api.world.keys() == {}
    run = api.run(status=5)
    assert "ROLLBACK_COMPLETE" in run.result["error"] and "No room" in run.result["error"]
    assert "--recreate-stack" in run.result["error"] and api.world.keys() == {}
    run = api.run("--recreate-stack")
    assert api.outcome(run)["status"] == "created" and api.answer() == "one"
    assert api.page() == "one"


def test_a_busy_stack_is_waited_for(live):
    live.cloud.make_busy(live.name, polls=2)
    run = live.deploy(word="two")
    assert live.answer() == "two"
    assert any("UPDATE_IN_PROGRESS" in p.get("waiting", "") for p in run.of_type("progress"))


def test_a_stack_that_stays_busy_is_refused(live):
    live.cloud.make_busy(live.name, polls=1000)
    live.commit(word="two", page="two")
    run = live.run("--lock-timeout", "0", status=5)
    assert live.name in run.result["error"] and "UPDATE_IN_PROGRESS" in run.result["error"]
    assert live.page() == "one"


def test_throttling_is_ridden_out(live):
    throttled = {"status": 400, "code": "Throttling", "message": "Rate exceeded"}
    live.cloud.rules(*({"when": {"operation": name, "times": 2}, "do": throttled} for name in (
        "DescribeStacks", "CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet")))
    live.deploy(word="two")
    assert live.answer() == "two"


def test_a_deleted_artefact_is_uploaded_again(live):
    """The bucket for code was emptied: a commit that goes back needs its archive anew."""
    bucket = f"crc-artifacts-{live.cloud.account}-us-east-1"
    live.deploy(word="two")
    for key in live.cloud.objects(bucket):
        live.cloud.s3.delete_object(Bucket=bucket, Key=key)
    run = live.deploy(word="one", days=14)
    assert live.answer() == "one" and "PutObject" in run.operations


def test_what_is_there_is_not_uploaded_again(live):
    live.deploy(word="two")
    bucket = f"crc-artifacts-{live.cloud.account}-us-east-1"
    run = live.deploy(word="one")
    assert live.answer() == "one"
    assert not any(bucket in r["path"] and r["method"] == "PUT" for r in run.requests)


def test_code_that_somebody_changed_is_repaired(live):
    """By the next deploy of the stack, and by --audit; CloudFormation never notices."""
    live.cloud.change_function(live.function, replace={"app.py": code("theirs")})
    assert live.answer() == "theirs"
    run = live.deploy(days=14)
    assert live.answer() == "one" and live.outcome(run)["repaired"] == 1
    live.cloud.change_function(live.function, replace={"app.py": code("theirs")})
    assert live.run().verdict == "nothing-to-do" and live.answer() == "theirs"
    run = live.run("--audit")
    assert live.answer() == "one" and live.outcome(run)["repaired"] == 1


def test_a_missing_capability_is_named(api):
    named = TEMPLATE.format(days=7).replace("Resources:\n", """Resources:
  Named:
    Type: AWS::IAM::Role
    Properties:
      RoleName: a-name
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: []}
""", 1)
    run = api.deploy(status=2, **{"api/template.yaml": named})
    assert "CAPABILITY_NAMED_IAM" in run.result["error"]
    assert "capabilities" in run.result["error"]
    assert api.stack is None and api.world.keys() == {}


@pytest.mark.parametrize(("template", "words"), [
    ("Resources: {A: {Type: AWS::No::Such}}\n", ["AWS::No::Such"]),
    ("Resources:\n  A: [\n", ["api/template.yaml:"]),
    ("Resources: {A: {Type: AWS::S3::Bucket, Properties: {BucketName: !Ref Nothing}}}\n",
     ["Nothing"]),
    ("Resources: {A: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: ./b.yaml}}}\n",
     ["A", "TemplateURL"]),
])
def test_an_invalid_template_is_refused(api, template, words):
    run = api.deploy(status=2, **{"api/template.yaml": template})
    for word in words:
        assert word in run.result["error"]
    assert api.stack is None and api.world.keys() == {}


def test_a_large_template_goes_by_s3(api):
    large = TEMPLATE.format(days=7) + "".join(
        f"# {n:05d} {'x' * 60}\n" for n in range(900))
    assert len(large) > 51200
    run = api.deploy(**{"api/template.yaml": large})
    assert api.outcome(run)["status"] == "created" and api.answer() == "one"
    got = api.cloud.cloudformation.get_template(StackName=api.name)["TemplateBody"]
    assert len(got) > 51200
    assert api.run().verdict == "nothing-to-do"


def test_a_template_that_is_too_large_is_refused(api):
    run = api.deploy(status=2, **{
        "api/template.yaml": TEMPLATE.format(days=7) + "# " + "x" * (1 << 20) + "\n"})
    assert "api/template.yaml" in run.result["error"] and "1 MB" in run.result["error"]


@pytest.mark.parametrize("operation", ["CreateBucket", "PutObject"])
def test_no_right_to_the_bucket_for_code(api, operation):
    bucket = f"crc-artifacts-{api.cloud.account}-us-east-1"
    for name in list(api.cloud.objects(bucket)) if operation == "PutObject" else ():
        api.cloud.s3.delete_object(Bucket=bucket, Key=name)
    if operation == "CreateBucket":
        api.cloud.rules(denied("CreateBucket"), {
            "when": {"path_contains": bucket, "operation": "HeadObject"},
            "do": {"status": 404, "code": "NoSuchBucket"}}, {
            "when": {"path_contains": bucket, "operation": "PutObject"},
            "do": {"status": 404, "code": "NoSuchBucket"}})
    else:
        api.cloud.rules(denied("PutObject", path_contains=bucket))
    run = api.deploy(word="never seen", status=3)
    assert f"s3:{operation}" in run.result["error"] and bucket in run.result["error"]
    assert api.stack is None and api.world.keys() == {}


def test_a_bucket_for_code_of_another_account(api):
    """S3 answers 403, whatever the rights are, to who names the owner that it should have."""
    bucket = f"crc-artifacts-{api.cloud.account}-us-east-1"
    api.cloud.rules({"when": {"path_contains": bucket}, "do": {"status": 403, "code": "AccessDenied"}})
    run = api.deploy(word="never seen either", status=3)
    error = run.result["error"]
    assert f"if the bucket is not of account {api.cloud.account}, name one that is" in error and "`artifacts:`" in error
    assert api.stack is None and api.world.keys() == {}


def test_parameters_are_kept_and_compared(live):
    used = {"api/template.yaml": TEMPLATE.format(days="!Ref Days")}
    run = live.deploy(more="    parameters: {Days: 30}\n", **used)
    assert live.outcome(run)["status"] == "updated"
    assert live.stack["Parameters"] == [{"ParameterKey": "Days", "ParameterValue": "30"}]
    assert live.run().verdict == "nothing-to-do"
    live.deploy(word="two", **used)    # not configured any more: the stack keeps it
    assert live.stack["Parameters"] == [{"ParameterKey": "Days", "ParameterValue": "30"}]
    run = live.deploy(more="    parameters: {Dais: 30}\n", status=2, **used)
    assert "crc.yml:" in run.result["error"] and 'did you mean "Days"' in run.result["error"]


def test_a_deploy_leaves_the_change_set_of_dry_runs_out(live):
    """As a workflow has it that chooses dry-run by the event, and sets change-set for all."""
    run = live.deploy("--change-set", word="two")
    assert live.answer() == "two" and "note: --change-set is for dry runs" in run.err
    assert run.operations.count("CreateChangeSet") == 1
    run = live.run("--change-set")
    assert run.verdict == "nothing-to-do"


def test_a_replacement_is_loud(live):
    text = TEMPLATE.format(days=7).replace("Properties: {RetentionInDays: 7}",
                                           "Properties: {RetentionInDays: 7, LogGroupName: /new}")
    live.commit(**{"api/template.yaml": text})
    run = live.world.run_bare()
    assert run.status == 0 and "REPLACE" in run.out and "Logs" in run.out, run


def test_requirements_without_python(api, tmp_path):
    """Nothing of Python is on the path: said before anything is written."""
    bare = tmp_path / "bin"
    bare.mkdir()
    api.commit(**{"api/counter/requirements.txt": "nothing-like-it==1.0\n"})
    run = api.run(env=api.world.env(PATH=str(bare)), status=1)
    assert "requirements.txt" in run.result["error"] and "ython" in run.result["error"]
    assert api.stack is None and api.world.keys() == {}


def test_a_wheel_that_is_not_there(api):
    api.commit(**{"api/counter/requirements.txt": "nothing-like-it==1.0\n"})
    run = api.run(env=api.world.env(PIP_NO_INDEX="1"), status=1)
    assert "nothing-like-it" in run.result["error"] and "`build:`" in run.result["error"]
    assert api.stack is None and api.world.keys() == {}


@pytest.mark.parametrize("change", [
    {"shared/app.py": code("two")}, {"twin/app.py": code("two")},
    {"lib/util.py": "UTIL = 2\n"}, {"shared/app.py": None}])
def test_offline_code_beside_the_backend_counts(api, change):
    """In folders that the template names, each of two with the same files, and behind links."""
    text = TEMPLATE.format(days=7).replace("CodeUri: counter/", "CodeUri: ../shared").replace(
        "Outputs:", """  Twin:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: ../twin, Handler: app.handler, Runtime: python3.12}
Outputs:""")
    same = {"shared/more.py": "", "twin/more.py": "", "shared/app.py": code("one"),
            "twin/app.py": code("one"), "lib/util.py": "UTIL = 1\n"}
    api.commit(**{"api/template.yaml": text, **same})
    for folder in ("shared", "twin"):
        (api.repo.path / folder / "util.py").symlink_to("../lib/util.py")
    api.commit(**{"api/template.yaml": text, **same})
    api.repo.commit({"other/file": "no matter"})
    run = api.run("--offline")
    assert run.plan["backends"][0]["verdict"] == "unchanged"
    api.repo.commit(change)
    [found] = api.run("--offline").plan["backends"]
    assert (found["verdict"], found["why"]) == ("deploy", f"{next(iter(change))} changed")


HIDDEN = """\
Parameters:
  Secret: {Type: String, NoEcho: true}
  Wish: {Type: String, Default: "no"}
Conditions:
  IsOn: !Equals [!Ref Wish, "yes"]
Resources:
  Logs: {Type: AWS::Logs::LogGroup}
Outputs:
  Name: {Value: !Ref Logs}
  Other: {Value: !Ref Logs, Condition: IsOn}
"""
TAKER = """\
Parameters:
  Word: {Type: String}
Resources:
  Group: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 7}}
"""


def two(api, output):
    """A backend with a secret, and one that takes an output of it."""
    more = (f"    parameters: {{Secret: very}}\n  taker:\n    path: taker\n    stack: {api.name}-taker\n"
            f"    parameters:\n      Word: !output {output}\n")
    api.commit(more=more, **{"api/template.yaml": HIDDEN, "taker/template.yaml": TAKER})
    return api.config(more).splitlines()


def test_an_output_that_is_misspelt(api):
    lines = two(api, "api.Nmae")
    run = api.run(status=2)
    at = next(i for i, line in enumerate(lines, 1) if "api.Nmae" in line)
    assert f"crc.yml:{at}:13: Word: " in run.result["error"]
    assert 'no output "Nmae": did you mean "Name"' in run.result["error"]
    assert not run.requests and api.stack is None and api.world.keys() == {}


def test_an_output_that_does_not_come(api):
    """It is declared, and its condition is not met. With a hidden parameter the backend deploys in
    each plan, and none of them brings it."""
    two(api, "api.Other")
    run = api.run(status=2, timeout=60)
    assert "Word: stack" in run.result["error"] and "no output Other" in run.result["error"]
    assert run.operations.count("ExecuteChangeSet") == 1
    assert api.cloud.stack(f"{api.name}-taker") is None
    run = api.run(status=2, timeout=60)
    assert "no output Other" in run.result["error"]
    two(api, "api.Name")
    api.run()
    assert api.cloud.stack(f"{api.name}-taker")


def test_all_backends_deploy_before_the_site(api):
    """One takes an output of another, whose stack is not there yet: it cannot be in the first plan."""
    two(api, "api.Name")
    api.cloud.fail_next(f"{api.name}-taker", "Group", "Not today", on="create")
    run = api.run(status=1)
    assert "Not today" in run.result["error"] and api.world.keys() == {}
    run = api.run("--recreate-stack")
    assert api.outcome_of(run, "taker") == "created" and run.result["uploaded"] == 1


def test_what_the_first_of_two_plans_did_is_told(api):
    """With a hidden parameter the backend is in the second plan, too, where nothing is to be done."""
    two(api, "api.Name")
    run = api.run()
    assert [api.outcome_of(run, name) for name in ("api", "taker")] == ["created", "created"]


PLACE = """\
Resources:
  Logs: {{Type: AWS::Logs::LogGroup}}
Outputs:
  Bucket: {{Value: {bucket}}}
  Other: {{Value: {other}}}
  Url: {{Value: {url}}}
"""


@pytest.mark.parametrize(("bad", "words"), [
    ({"bucket": "Not_A_Bucket"}, "crc.yml:4:13: bucket: the output api.Bucket is \"Not_A_Bucket\""),
    ({"url": "nowhere"}, "url: the output api.Url is \"nowhere\""),
    ({"other": "same"}, "bucket and prefix are those of site"),
    ({"bucket": "Not_A_Bucket", "url": "nowhere"}, "the output api."),
])
def test_outputs_that_will_not_do_are_mended(api, bad, words):
    """By the commit that mends the template; until then nothing is deployed by them."""
    other = f"{api.world.bucket}-other"
    api.cloud.s3.create_bucket(Bucket=other)
    good = {"bucket": api.world.bucket, "other": other, "url": "https://x.example"}
    config = api.config().replace(
        f"bucket: {api.world.bucket}\n", "bucket: !output api.Bucket\n    url: !output api.Url\n").replace(
        "backends:", "  second:\n    path: second\n    bucket: !output api.Other\nbackends:")
    values = {k: good["bucket"] if v == "same" else v for k, v in bad.items()}
    files = {"crc.yml": config, "second/a.html": "two"}
    api.commit(**files, **{"api/template.yaml": PLACE.format(**{**good, **values})})
    for deploys in (1, 0):    # it is deployed, and then it is unchanged
        run = api.run(status=2, timeout=60)
        assert words in run.result["error"]
        assert run.operations.count("ExecuteChangeSet") == deploys and api.world.keys() == {}
        assert api.run("--dry-run", status=2).result["error"] == run.result["error"]
    api.commit(**files, **{"api/template.yaml": PLACE.format(**good)})
    assert "known after deploy" in api.world.run_bare("--dry-run").out or "bucket" not in bad
    api.run()
    assert api.page() == "one" and list(api.world.keys(bucket=other)) == ["a.html"]


PASSING = """\
Parameters:
  Place: {Type: String}
Resources:
  Logs: {Type: AWS::Logs::LogGroup}
Outputs:
  Bucket: {Value: !Ref Place}
"""


def passing(api, bucket, page="one"):
    """The site's bucket is an output that one backend takes from another."""
    config = api.config().replace(f"bucket: {api.world.bucket}\n", "bucket: !output end.Bucket\n")
    api.commit(page=page, **{
        "crc.yml": f"{config}  end:\n    path: end\n    stack: {api.name}-end\n"
        "    parameters: {Place: !output api.Bucket}\n", "end/template.yaml": PASSING,
        "api/template.yaml": PLACE.format(bucket=bucket, other="x", url="x")})


def test_an_output_that_will_not_do_is_mended_where_it_comes_from(api):
    passing(api, "Not_A_Bucket")
    run = api.run(status=2, timeout=60)
    assert "the output end.Bucket is \"Not_A_Bucket\"" in run.result["error"]
    passing(api, "Another_Bucket_Not")
    run = api.run(status=2, timeout=60)
    assert "the output end.Bucket is \"Another_Bucket_Not\"" in run.result["error"]
    assert run.operations.count("ExecuteChangeSet") == 2
    assert "CreateChangeSet" not in api.run(status=2).operations    # nobody can mend it
    passing(api, api.world.bucket, page="two")
    api.run()
    assert api.page() == "two"


@pytest.mark.parametrize("gone", ["bucket", "distribution"])
def test_an_output_that_names_nothing_is_mended(api, gone):
    """Somebody has removed what a stack made; the commit that makes another deploys."""
    world = api.world
    config = api.config().replace(f"bucket: {world.bucket}\n", "bucket: !output end.Bucket\n").replace(
        f"distribution: {world.distribution}\n", "distribution: !output end.Url\n")
    files = {"end/template.yaml": PASSING + "  Url: {Value: !Ref Front}\n"}
    files["end/template.yaml"] = files["end/template.yaml"].replace(
        "{Type: String}", "{Type: String}\n  Front: {Type: String}")
    files["crc.yml"] = (f"{config}  end:\n    path: end\n    stack: {api.name}-end\n"
                        "    parameters: {Place: !output api.Bucket, Front: !output api.Url}\n")
    good = {"bucket": world.bucket, "url": world.distribution, "other": "x"}
    bad = {"bucket": "nobody-has-this-one"} if gone == "bucket" else {"url": "E0NOBODYHASIT"}
    for executed in (2, 0):    # they are deployed, and then unchanged
        api.commit(**files, **{"api/template.yaml": PLACE.format(**{**good, **bad})})
        run = api.run(status=1, timeout=60)
        assert "of backend end: " in run.result["error"] and "not exist" in run.result["error"]
        assert run.operations.count("ExecuteChangeSet") == executed
    api.commit(page="two", **files, **{"api/template.yaml": PLACE.format(**good)})
    assert "(known after deploy)" in world.run_bare("--dry-run").out
    api.run()
    assert api.page() == "two"
    assert api.run().verdict == "nothing-to-do"


@pytest.mark.parametrize("only", [(), ("--site", "second")])
def test_a_distribution_by_id_and_by_output(api, only):
    """Two sites on one distribution: what the other holds counts, whichever way it is written."""
    config = api.config().replace("backends:", f"""  second:
    path: second
    bucket: {api.world.bucket}
    prefix: z-docs
    distribution: !output api.Dist
backends:""")
    files = {"crc.yml": config, "second/a.html": "a", "second/b.html": "b",
             "api/template.yaml": "Resources: {Logs: {Type: AWS::Logs::LogGroup}}\n"
             f"Outputs: {{Dist: {{Value: {api.world.distribution}}}}}\n"}
    pages = {f"website/z-{n}.html": "one" for n in "ab"}
    api.commit(**files, **pages)
    api.run()
    pages = {name: "two" for name in pages}
    if only:
        files["second/a.html"] = files["second/b.html"] = "c"
    api.commit(**files, **({} if only else pages))
    run = api.run(*only, "--max-paths", "1")
    [step] = [s for s in run.plan["steps"] if s["kind"] == "invalidate"]
    if only:
        assert step["paths"] == ["/z-docs/*"] and step["evicted"] == 0
    else:
        assert step["paths"] == ["/z-*"] and step["evicted"] == 2
        assert step["evicted_first"] == ["/z-docs/a.html", "/z-docs/b.html"]


# --- functions ---------------------------------------------------------------------------------


def test_a_function_gets_its_code_and_keeps_its_settings(lone):
    before = lone.cloud.await_function(lone.name)
    run = lone.deploy(word="new")
    assert lone.answer() == "new" and lone.outcome(run)["status"] == "updated"
    after = lone.cloud.await_function(lone.name)
    for name in ("Timeout", "MemorySize", "Handler", "Runtime", "Role"):
        assert before[name] == after[name]
    lone.cloud.advance(10)
    run = lone.run()
    assert run.verdict == "nothing-to-do"
    assert run.operations.count("GetFunction") == 1 and not run.writes()


def test_a_function_that_is_not_there(world):
    gone = Backend(world, "function")
    run = gone.deploy(status=1)
    assert gone.name in run.result["error"] and "us-east-1" in run.result["error"]
    assert "`function`" in run.result["error"] and world.keys() == {}


def arn_in(lone, region):
    lone.commit(**{"crc.yml": lone.config().replace(
        f"function: {lone.name}",
        f"function: arn:aws:lambda:{region}:{lone.cloud.account}:function:{lone.name}")})


def test_a_function_of_another_region_that_is_not_there(lone):
    arn_in(lone, "eu-west-1")
    run = lone.run(status=1)
    assert "in region eu-west-1" in run.result["error"] and lone.world.keys() == {}


def test_a_large_archive_of_another_region(lone):
    """Lambda takes it from a bucket of its own region, and ours is of this one."""
    away = lone.cloud.client("lambda", region="eu-west-1")
    away.create_function(FunctionName=lone.name, Runtime="python3.12", Handler="app.handler",
                         Role=lone.cloud.make_role(), Code={"ZipFile": pack({"app.py": code("old")})})
    lone.commit(**{"api/counter/large": random.Random(1).randbytes(51 << 20)})
    arn_in(lone, "eu-west-1")
    run = lone.run(status=2)
    assert "50 MB" in run.result["error"] and "--region eu-west-1" in run.result["error"]
    assert lone.world.keys() == {} and not run.writes()


def test_a_function_of_a_container_image(lone):
    """Said while planning, before anything is written, and by a dry run."""
    lone.cloud.functions.create_function(
        FunctionName=f"{lone.name}-image", Role=lone.cloud.make_role(), PackageType="Image",
        Code={"ImageUri": f"{lone.cloud.account}.dkr.ecr.us-east-1.amazonaws.com/a:1"})
    config = lone.config().replace(f"function: {lone.name}", f"function: {lone.name}-image")
    lone.commit(**{"crc.yml": config})
    for options in ((), ("--dry-run",)):
        run = lone.run(*options, status=2)
        assert "container image" in run.result["error"] and lone.world.keys() == {}
        assert not run.writes()


def test_a_function_and_a_version_of_it(lone):
    lone.commit(**{"crc.yml": lone.config().replace(lone.name, lone.name + ":live")})
    run = lone.run(status=2)
    assert "crc.yml:9:15: " in run.result["error"] and "`alias:`" in run.result["error"]


def test_a_busy_function_is_waited_for(lone):
    lone.cloud.change_function(lone.name, busy=3)
    lone.deploy(word="new")
    assert lone.answer() == "new"


def test_a_function_that_somebody_else_is_updating(lone):
    """Between our look and our update: theirs is seen, and ours goes over it."""
    lone.cloud.change_function(lone.name, replace={"app.py": code("theirs")}, after="GetFunction",
                               nth=2)
    run = lone.deploy(word="new")
    assert lone.answer() == "new" and lone.outcome(run)["status"] == "updated"


def test_an_archive_that_is_none(lone):
    """A ready archive goes as it is; one that is broken is Lambda's to refuse."""
    broken = lone.config().replace("path: api/counter", "path: api/ready.zip")
    lone.commit(**{"api/ready.zip": "PK\3\4 and nothing that follows", "crc.yml": broken})
    run = lone.run(status=2)
    assert "nzip" in run.result["error"] or "archive" in run.result["error"], run
    assert lone.answer() == "old" and lone.world.keys() == {}


def test_an_update_that_fails(lone):
    lone.cloud.change_function(lone.name, fail_next="The handler is gone", fail_code="InvalidRuntime")
    run = lone.deploy(word="new", page="two", status=1)
    assert "The handler is gone" in run.result["error"] and lone.name in run.result["error"]
    assert lone.world.keys() == {}


def test_an_alias_moves_to_the_new_version(lone):
    lone.cloud.functions.publish_version(FunctionName=lone.name)
    lone.cloud.functions.create_alias(FunctionName=lone.name, Name="live", FunctionVersion="1")
    run = lone.deploy(word="new", more="    alias: live\n")
    alias = lone.cloud.functions.get_alias(FunctionName=lone.name, Name="live")
    assert alias["FunctionVersion"] == "2" == lone.outcome(run)["version"]
    answer, _ = lone.cloud.invoke(lone.name, Qualifier="live")
    assert answer == "new"
    assert lone.run().verdict == "nothing-to-do"


def test_status_tells_of_backends(lone):
    lone.cloud.functions.publish_version(FunctionName=lone.name)
    lone.cloud.functions.create_alias(FunctionName=lone.name, Name="live", FunctionVersion="1")
    lone.deploy(word="new", more="    alias: live\n")
    lines = lone.world.run_bare("status", "--json").lines
    assert lines[0] == {"v": 1, "type": "status", "backend": "api", "function": lone.name,
                        "status": "Active"}
    assert lines[1]["site"] == "site" and lines[1]["commit"] == lone.repo.head()


def test_a_function_goes_on_when_a_run_is_stopped(lone):
    lone.cloud.change_function(lone.name, ms=5000)
    lone.commit(word="new")
    run = stop_after(lone, "UpdateFunctionCode")
    assert run.status == 4, run
    assert (f"Stopped on the way: Lambda goes on taking in the code of function {lone.name}, "
            "no site was touched.") in run.out, run


# --- both --------------------------------------------------------------------------------------


def test_only_one_half(live):
    live.commit(word="two", page="two")
    run = live.run("--backend", "api")
    assert (live.page(), live.answer()) == ("one", "two") and run.plan["sites"] == []
    run = live.run("--site", "site")
    assert live.page() == "two" and run.plan["backends"] == []
    run = live.run("--backend", "apy", status=2)
    assert "api" in run.result["error"]


def test_an_older_commit_deploys_no_backend(live):
    older = live.repo.head()
    live.deploy(word="two", page="two")
    run = live.run("--head", older)
    assert run.verdict == "superseded" and live.answer() == "two"
    live.run("--head", older, "--allow-rollback")
    assert (live.page(), live.answer()) == ("one", "one")


def beside(live, page):
    """A second site, in a bucket that a stack tells of; its stack is not there yet."""
    config = live.config().replace("backends:", f"""  second:
    path: second
    bucket: !output where.Bucket
backends:
  where:
    path: where
    stack: {live.name}-where""")
    bucket = f"{live.world.bucket}-second"
    live.commit(page=page, **{"crc.yml": config, "second/a.html": page, "where/template.yaml":
                              PLACE.format(bucket=bucket, other="x", url="x")})
    return bucket


def test_sites_go_together_once_all_places_are_known(live):
    """What is said at the end is of both: they are in one plan, behind the backends."""
    bucket = beside(live, "two")
    live.cloud.s3.create_bucket(Bucket=bucket)
    run = live.run()
    assert (run.result["uploaded"], len(run.result["invalidations"])) == (2, 1), run
    assert live.page() == "two" and live.world.read("a.html", bucket)[0] == b"two"
    claimed = run.operations.index("PutObject") < run.operations.index("CreateChangeSet")
    assert claimed and live.run().verdict == "nothing-to-do"


def test_an_older_commit_waits_for_no_stack(live):
    """The stack of its second site is not there, and will not be: no backend deploys."""
    beside(live, "two")
    older = live.repo.head()
    live.deploy(page="three")
    run = live.run("--head", older)
    assert run.verdict == "superseded" and live.cloud.stack(f"{live.name}-where") is None


def test_an_older_commit_deploys_no_backend_by_its_name(live):
    older = live.repo.head()
    live.deploy(word="two", page="two")
    newer = live.repo.head()
    live.cloud.advance(10)
    run = live.run("--head", older, "--backend", "api")
    assert run.verdict == "superseded" and live.answer() == "two"
    assert sorted(run.operations) == ["DescribeStacks", "GetObject", "GetTemplate"]
    assert live.run("-n", "--head", older, "--backend", "api").verdict == "superseded"
    run = live.run("--head", older, "--backend", "api", "--allow-rollback")
    assert (live.page(), live.answer()) == ("two", "one")
    run = live.run("--head", newer, "--backend", "api")
    assert live.answer() == "two" and "order of commits" not in run.notes


def test_the_order_comes_from_a_bucket_that_a_stack_makes(live):
    """The site's bucket is an output of another backend than the one that is named."""
    named = live.config().replace(f"bucket: {live.world.bucket}", "bucket: !output where.Bucket")
    named += f"  where:\n    path: where\n    stack: {live.name}-where\n"
    where = {"where/template.yaml": "Resources:\n  Topic: {Type: AWS::Logs::LogGroup}\n"
             f"Outputs:\n  Bucket: {{Value: {live.world.bucket}}}\n", "crc.yml": named}
    live.deploy(**where)
    older = live.repo.head()
    live.deploy(word="two", page="two", **where)
    run = live.run("--head", older, "--backend", "api")
    assert run.verdict == "superseded" and live.answer() == "two"


def test_a_running_deploy_is_waited_for_by_its_backend(live):
    live.commit(word="two")
    held = {**live.world.state(), "lease": {"holder": "0" * 32, "seconds": 120}}
    live.cloud.s3.put_object(Bucket=live.world.bucket, Key=STATE, ContentEncoding="gzip",
                             CacheControl="no-store", Body=gzip.compress(json.dumps(held).encode()))
    run = live.run("--backend", "api", "--lock-timeout", "1", status=5)
    assert "another deploy has held the site" in run.result["error"] and live.answer() == "one"


def test_a_record_that_may_not_be_read_is_told(live):
    older = live.repo.head()
    live.deploy(word="two")
    live.cloud.rules(denied("GetObject"))
    run = live.run("--head", older, "--backend", "api")
    assert "what is deployed of site site may not be read" in run.notes
    assert "order of commits is not known" in run.notes and live.answer() == "one"


def test_without_a_site_no_order_is_known(api):
    alone = {"crc.yml": f"backends:\n  api:\n    path: api\n    stack: {api.name}\n"}
    run = api.deploy(**alone)
    assert "no site tells which commit is deployed" in run.notes
    assert "order" not in api.run().notes  # nothing is replaced


def test_before_the_first_deploy_of_a_site_no_order_is_known(api):
    run = api.deploy("--backend", "api")
    assert "no site tells which commit is deployed" in run.notes and api.answer() == "one"
    assert "order of commits" not in api.run().notes


def test_a_bucket_that_is_not_there_yet_does_not_keep_a_backend(api):
    later = api.config().replace(f"bucket: {api.world.bucket}", "bucket: nobody-has-this-one")
    run = api.deploy("--backend", "api", **{"crc.yml": later})
    assert "no site tells which commit is deployed" in run.notes and api.answer() == "one"


def test_what_the_outputs_of_the_action_say(live, tmp_path):
    output = tmp_path / "output"
    output.touch()
    env = live.world.env(GITHUB_ACTIONS="true", GITHUB_OUTPUT=str(output))
    live.commit(word="two")
    run = live.world.run_bare(env=env)
    assert run.status == 0, run
    text = output.read_text()
    assert "backend-deployed" in text and "true" in text
    assert json.dumps({"api": {"Name": live.function}}, separators=(",", ":")) in text
