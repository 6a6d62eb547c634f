"""run/stack against the local cloud's CloudFormation: what is made, what fails and how it is told, what is left behind."""

import itertools
import json

import pytest
from cloud.lambda_code import pack
from driven import drive, operations, sha256

_names = itertools.count(1)
LOGS = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}}
ROLE = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}}}


def source(word):
    return {"app.py": f"def handler(event, context):\n    return {word!r}\n"}


OLD, NEW = pack(source("old")), pack(source("new"))
SAM = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Counter:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: s3://{bucket}/{key}
      Handler: app.handler
      Runtime: python3.12
Outputs:
  Name: {{Value: !Ref Counter}}
"""


def template(resources=None, **sections):
    return json.dumps({"Resources": resources or {"Logs": LOGS}, **sections})


def days(n, **more):
    return {**LOGS, "Properties": {"RetentionInDays": n}, **more}


@pytest.fixture
def name(cloud):
    cloud.settings(stack_ms=0, set_ms=0, stack_polls=4)
    cloud.control("POST", "stacks", {"clear": True})
    cloud.reset_log()
    return f"resume-{next(_names)}"


@pytest.fixture
def deploy(cloud, name):
    def run(text=None, what="stack", **job):
        return drive(cloud, what, name, template=text or template(), **job)
    yield run
    assert_nothing_left(cloud, name)


def assert_nothing_left(cloud, name):
    """Neither a change set that could be executed, nor a stack that is nothing but the shell of one."""
    live = cloud.stack(name)
    if live is None:
        return
    assert live["StackStatus"] != "REVIEW_IN_PROGRESS"
    sets = cloud.cloudformation.list_change_sets(StackName=name)["Summaries"]
    assert [s for s in sets if s["ChangeSetName"].startswith("crc-") and not s["ExecutionStatus"].startswith("EXECUTE_")] == []


def well(done):
    assert "error" not in done, done
    return done


# Creating and updating


def test_a_stack_is_created_updated_and_left_alone(cloud, name, deploy):
    text = template(Outputs={"Logs": {"Value": {"Ref": "Logs"}}})
    done = well(deploy(text))
    assert done["created"] and done["changed"] and done["status"] == "CREATE_COMPLETE"
    assert done["outputs"] == cloud.outputs(name)
    assert done["changes"] == [{"action": "Add", "name": "Logs", "type": "AWS::Logs::LogGroup", "replacement": ""}]
    done = well(deploy(template({"Logs": days(30), "More": LOGS})))
    assert not done["created"] and done["changed"]
    assert {(c["action"], c["name"], c["replacement"]) for c in done["changes"]} == {("Modify", "Logs", "False"), ("Add", "More", "")}
    assert any("of 2 resources" in line for line in done["told"])
    cloud.await_stack(name)     # it cleans up
    cloud.reset_log()
    done = well(deploy(template({"Logs": days(30), "More": LOGS})))
    assert not done["changed"] and done["changes"] == []
    assert operations(cloud, "cloudformation") == [
        "DescribeStacks", "CreateChangeSet", *["DescribeChangeSet"] * operations(cloud, "cloudformation").count("DescribeChangeSet"),
        "DeleteChangeSet"]


def test_a_preview_leaves_nothing(cloud, name, deploy):
    done = well(deploy(what="preview"))
    assert [c["name"] for c in done["changes"]] == ["Logs"]
    assert cloud.stack(name) is None
    well(deploy())
    done = well(deploy(template({"Logs": days(1)}), what="preview"))
    assert [(c["action"], c["name"]) for c in done["changes"]] == [("Modify", "Logs")]
    done = well(deploy(what="preview"))
    assert done["changes"] == []


def test_parameters_tags_and_capabilities_are_kept(cloud, name, deploy):
    text = template({"Logs": days({"Ref": "Days"}), "Role": {**ROLE, "Properties": {**ROLE["Properties"], "RoleName": name}}},
                    Parameters={"Days": {"Type": "Number"}, "Word": {"Type": "String", "Default": "a"}})
    cloud.deploy_stack(name, text, {"Days": "7", "Word": "theirs"}, Tags=[{"Key": "team", "Value": "blue"}])
    declared = [["Days", False], ["Word", True]]
    changed = text.replace('"Ref": "Days"}', '"Ref": "Days"}, "LogGroupName": {"Ref": "Word"}')
    done = well(deploy(changed, declared=declared))
    assert done["notes"] and "CAPABILITY_NAMED_IAM" in done["notes"][0]
    live = cloud.stack(name)
    assert {p["ParameterKey"]: p["ParameterValue"] for p in live["Parameters"]} == {"Days": "7", "Word": "theirs"}
    assert live["Tags"] == [{"Key": "team", "Value": "blue"}]
    well(deploy(changed, declared=declared, parameters={"Days": "30"}))
    assert {p["ParameterKey"]: p["ParameterValue"] for p in cloud.stack(name)["Parameters"]} == {"Days": "30", "Word": "theirs"}


def test_a_parameter_without_a_value(cloud, name, deploy):
    done = deploy(template(Parameters={"Days": {"Type": "Number"}}), declared=[["Days", False]])
    assert done["error"] == "config" and "without a default: Days" in done["message"], done
    assert operations(cloud, "cloudformation") == ["DescribeStacks"]


def test_a_large_template_by_s3(cloud, name, deploy):
    text = template(Description="x" * 1000, Metadata={"Padding": "y" * 60000})
    done = deploy(text)
    assert done["error"] == "too-big", done
    cloud.s3.create_bucket(Bucket=f"{name}-templates")
    cloud.put_objects(f"{name}-templates", {"t": text.encode()})
    done = well(drive(cloud, "stack", name, url=f"https://s3.us-east-1.amazonaws.com/{name}-templates/t"))
    assert done["created"]


# Failures


def test_an_update_that_fails_is_rolled_back(cloud, name, deploy):
    well(deploy())
    cloud.fail_next(name, "Second", "The second cannot be had.")
    done = deploy(template({"Logs": days(30), "Second": LOGS}))
    assert done["error"] == "service", done
    assert done["message"] == f"stack {name}: Second (AWS::Logs::LogGroup): The second cannot be had.; the update was rolled back"
    assert cloud.stack(name)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    done = well(deploy(template({"Logs": days(30), "Second": LOGS})))
    assert done["changed"] and done["status"].startswith("UPDATE_COMPLETE")


def test_a_rollback_that_fails_needs_a_person(cloud, name, deploy):
    well(deploy())
    cloud.fail_next(name, "Second", "no")
    cloud.fail_next(name, "Logs", "cannot go back", on="rollback")
    done = deploy(template({"Logs": days(30), "Second": {**LOGS, "DependsOn": "Logs"}}))
    assert done["error"] == "service" and "failed, too: continue the rollback" in done["message"], done
    done = deploy()
    assert done["error"] == "limit" and "UPDATE_ROLLBACK_FAILED" in done["message"], done


def test_a_creation_that_fails_and_the_way_out(cloud, name, deploy):
    cloud.fail_next(name, "Logs", "The logs cannot be had.")
    done = deploy()
    assert done["error"] == "service", done
    assert done["message"] == (f"stack {name}: Logs (AWS::Logs::LogGroup): The logs cannot be had.; the creation was rolled back: "
                               "run again with --recreate-stack to delete what is left and create it anew")
    assert cloud.stack(name)["StackStatus"] == "ROLLBACK_COMPLETE"
    done = deploy()
    assert done["error"] == "limit", done
    assert f"stack {name} is in ROLLBACK_COMPLETE and can only be deleted: its creation failed: Logs (AWS::Logs::LogGroup): The logs" in done["message"]
    assert "--recreate-stack" in done["message"]
    assert cloud.stack(name)["StackStatus"] == "ROLLBACK_COMPLETE"
    done = well(deploy(recreate=True))
    assert done["created"] and cloud.stack(name)["StackStatus"] == "CREATE_COMPLETE"
    assert "deleted, and created anew" in done["notes"][0]
    done = well(deploy(recreate=True))
    assert not done["created"] and not done["changed"]


def test_a_missing_capability(cloud, name, deploy):
    text = template({"Role": {**ROLE, "Properties": {**ROLE["Properties"], "RoleName": name}}})
    done = deploy(text)
    assert done["error"] == "config" and "`capabilities: [CAPABILITY_NAMED_IAM]`" in done["message"], done
    assert cloud.stack(name) is None
    well(deploy(text, capabilities=["CAPABILITY_NAMED_IAM"]))
    well(deploy(text + " "))


@pytest.mark.parametrize("text,words", [
    ("Resources: [", "Template format error"),
    (template({"Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": {"Ref": "Nobody"}}}}), "Nobody"),
    ("Transform: AWS::Serverless-2016-10-31\nResources:\n  F: {Type: AWS::Serverless::Function, Properties: {Runtime: python3.12}}\n",
     "Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application Specification document"),
])
def test_an_invalid_template(cloud, name, deploy, text, words):
    done = deploy(text)
    assert done["error"] == "config" and words in done["message"], done
    assert cloud.stack(name) is None


def test_a_deleted_artefact(cloud, name, deploy):
    cloud.s3.create_bucket(Bucket=f"{name}-code")
    done = deploy(SAM.format(bucket=f"{name}-code", key="gone"))
    assert done["error"] == "service" and f"stack {name}: Counter (AWS::Lambda::Function): " in done["message"], done
    assert "NoSuchKey" in done["message"]


# Others


def test_a_busy_stack_is_waited_for(cloud, name, deploy):
    well(deploy())
    cloud.make_busy(name, polls=5)
    done = well(deploy(template({"Logs": days(30)})))
    assert done["changed"]
    assert any(f"stack {name} is UPDATE_IN_PROGRESS: waiting" in line for line in done["told"])


def test_a_stack_that_stays_busy(cloud, name, deploy):
    well(deploy())
    cloud.make_busy(name, polls=10**6)
    done = deploy(template({"Logs": days(30)}), busy_timeout_s=60)
    assert done["error"] == "locked" and "somebody else changes it" in done["message"], done
    cloud.set_stack_status(name, "UPDATE_COMPLETE")


def test_another_change_set_is_not_in_the_way(cloud, name, deploy):
    well(deploy())
    cloud.make_change_set(name, template({"Logs": days(1)}))
    assert well(deploy(template({"Logs": days(30)})))["changed"]


def test_somebody_elses_shell_stays(cloud, name):
    cloud.settings(stack_ms=0, set_ms=0, stack_polls=0)
    theirs = cloud.make_change_set(name, template())
    well(drive(cloud, "preview", name, template=template()))
    sets = cloud.cloudformation.list_change_sets(StackName=name)["Summaries"]
    assert [s["ChangeSetId"] for s in sets] == [theirs["ChangeSetId"]]
    assert well(drive(cloud, "stack", name, template=template()))["created"]
    assert_nothing_left(cloud, name)


# Requests that go wrong


WRITES = ["CreateChangeSet", "ExecuteChangeSet"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation,times", [(o, 1) for o in (*WRITES, "DescribeChangeSet", "DescribeStackEvents", "DescribeStacks")] + [("ExecuteChangeSet", 5)])
def test_lost_answers(cloud, name, deploy, operation, times, when):
    cloud.rules({"when": {"operation": operation, "times": times}, "do": {"drop": when}})
    assert well(deploy())["created"]
    done = [e for e in cloud.requests(operation="ExecuteChangeSet") if e["status"] == 200 or e.get("effect")]
    assert cloud.stack(name)["StackStatus"] == "CREATE_COMPLETE" and done


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_creation_without_any_answer_leaves_nothing(cloud, name, deploy, when):
    cloud.settings(stack_polls=0)   # a set cannot be deleted before it is made
    cloud.rules({"when": {"operation": "CreateChangeSet"}, "do": {"drop": when}})
    done = deploy()
    assert done["error"] == "network", done
    assert cloud.stack(name) is None


def test_throttling(cloud, name, deploy):
    for operation in ("DescribeStacks", *WRITES, "DescribeChangeSet", "DescribeStackEvents"):
        cloud.rules({"when": {"operation": operation, "nth": 1}, "do": {"status": 400, "code": "Throttling", "message": "Rate exceeded"}})
    assert well(deploy())["created"]


def test_no_right_to_execute(cloud, name, deploy):
    cloud.rules({"when": {"operation": "ExecuteChangeSet"}, "do": {
        "status": 403, "code": "AccessDenied", "message": "not authorized to perform: cloudformation:ExecuteChangeSet"}})
    done = deploy()
    assert done["error"] == "forbidden" and "cloudformation:ExecuteChangeSet" in done["message"], done
    assert cloud.stack(name) is None


# Stopping


def test_told_to_stop_while_the_set_is_made(cloud, name, deploy):
    cloud.settings(stack_polls=0)
    cloud.rules({"when": {"operation": "DescribeChangeSet", "nth": 1}, "do": {
        "status": 200, "content_type": "text/xml", "body": "<DescribeChangeSetResponse><DescribeChangeSetResult>"
        "<Status>CREATE_IN_PROGRESS</Status></DescribeChangeSetResult></DescribeChangeSetResponse>"}})
    done = deploy(cancel_when="works out what changes")
    assert done["error"] == "cancelled", done
    assert cloud.stack(name) is None


def test_told_to_stop_during_an_update(cloud, name, deploy):
    cloud.settings(stack_polls=100)
    done = deploy(cancel_when="of 1 resources")
    assert done["error"] == "cancelled", done
    assert f"stack {name}: its creation goes on by itself, and the next run waits for it" in done["message"]
    cloud.settings(stack_polls=4)
    cloud.await_stack(name)
    assert not well(deploy())["changed"]


# Code behind CloudFormation's back


@pytest.fixture
def counter(cloud, name, deploy):
    bucket = f"{name}-code"
    cloud.s3.create_bucket(Bucket=bucket)
    cloud.put_objects(bucket, {"new": NEW})
    text = SAM.format(bucket=bucket, key="new")
    return {"text": text, "bucket": bucket, "key": "new", "sha256": sha256(NEW), "function": well(deploy(text))["outputs"]["Name"]}


def check(cloud, name, counter, repair):
    return drive(cloud, "check", name, repair=repair, **{k: counter[k] for k in ("bucket", "key", "sha256")})


def test_code_that_somebody_swapped(cloud, name, deploy, counter):
    function = counter["function"]
    assert well(check(cloud, name, counter, True))["functions"] == []
    cloud.functions.update_function_code(FunctionName=function, ZipFile=OLD)
    cloud.await_function(function)
    assert not well(deploy(counter["text"]))["changed"]     # it never notices
    assert cloud.invoke(function) == ("old", None)
    assert well(check(cloud, name, counter, False))["functions"] == [function]
    assert cloud.invoke(function) == ("old", None)
    assert well(check(cloud, name, counter, True))["functions"] == [function]
    assert cloud.invoke(function) == ("new", None)
    assert well(check(cloud, name, counter, True))["functions"] == []


def test_a_function_that_may_not_be_read(cloud, name, counter):
    cloud.rules({"when": {"operation": "GetFunction"}, "do": {"status": 403, "code": "AccessDeniedException", "message": "no"}})
    done = well(check(cloud, name, counter, True))
    assert done["functions"] == [] and "may not be read" in done["notes"][0]


def test_a_function_that_somebody_deleted(cloud, name, counter):
    cloud.functions.delete_function(FunctionName=counter["function"])
    done = check(cloud, name, counter, True)
    assert done["error"] == "not-found" and "is gone" in done["message"], done
