"""Stacks and change sets as the live service has them, with boto3 as the client."""
import itertools
import json
from contextlib import suppress

import boto3
import pytest
from botocore.exceptions import ClientError

from cloud.lambda_code import pack
from cloud.test_s3 import error_of

_numbers = itertools.count(1)
LOGS = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}}
COUNTER = """\
# The backend of a counter.
AWSTemplateFormatVersion: 2010-09-09
Transform: AWS::Serverless-2016-10-31
Parameters:
  Bucket: {Type: String}
  Code: {Type: String}
Resources:
  Counter:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}
      TimeToLiveSpecification: {AttributeName: ttl, Enabled: true}
      SSESpecification: {SSEEnabled: true}
  Visit:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: {Bucket: !Ref Bucket, Key: !Ref Code}
      Handler: app.handler
      Runtime: python3.12
      Environment: {Variables: {TABLE: !Ref Counter}}
      Policies: [{DynamoDBCrudPolicy: {TableName: !Ref Counter}}]
      FunctionUrlConfig: {AuthType: NONE}
Outputs:
  Url: {Value: !GetAtt VisitUrl.FunctionUrl, Description: where to count}
  Table: {Value: !Ref Counter}
  Name: {Value: !Ref Visit}
"""


def message_of(function, *args, **kwargs):
    """(code, message) of the error that a call ends in."""
    with pytest.raises(ClientError) as caught:
        function(*args, **kwargs)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def template(resources=None, **sections):
    return json.dumps({"Resources": resources or {"Logs": LOGS}, **sections})


@pytest.fixture
def stack(cloud):
    """A name of a stack that is not there; nothing takes time."""
    cloud.settings(stack_ms=0, set_ms=0, stack_polls=0, early_validation=True)
    cloud.control("POST", "stacks", {"clear": True})
    return f"stack-{next(_numbers)}"


@pytest.fixture
def cfn(cloud):
    return cloud.cloudformation


@pytest.fixture(scope="module")
def _code(shared_cloud):
    shared_cloud.make_bucket("code")
    shared_cloud.put_objects("code", {"a.zip": pack({"app.py": "def handler(event, context): return 1"}), "b.zip": pack({"app.py": "def handler(event, context): return 2"}), "bad.zip": b"no zip"})


@pytest.fixture
def counter(cloud, stack, _code):
    """Deploys the counter: counter("a.zip")."""
    return lambda code="a.zip", **more: cloud.deploy_stack(stack, COUNTER, {"Bucket": "code", "Code": code}, **more)


def live_code(cloud, stack):
    return cloud.client("lambda").get_function(FunctionName=cloud.outputs(stack)["Name"])["Configuration"]["CodeSha256"]


# The way it goes

def test_create_update_and_nothing(cloud, cfn, stack, counter):
    made = counter()
    assert made["StackStatus"] == "CREATE_COMPLETE" and "LastUpdatedTime" not in made
    assert made["StackId"].startswith(f"arn:aws:cloudformation:us-east-1:123456789012:stack/{stack}/") and made["Capabilities"] == ["CAPABILITY_NAMED_IAM"]
    assert {p["ParameterKey"]: p["ParameterValue"] for p in made["Parameters"]} == {"Bucket": "code", "Code": "a.zip"}
    outputs, first = cloud.outputs(stack), live_code(cloud, stack)
    assert outputs["Url"].startswith("https://") and outputs["Url"].endswith(".on.aws/") and outputs["Table"].startswith(f"{stack}-Counter-")
    table = cloud.client("dynamodb")
    assert table.describe_table(TableName=outputs["Table"])["Table"]["SSEDescription"]["Status"] == "ENABLED"
    assert table.describe_time_to_live(TableName=outputs["Table"])["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"
    recovery = table.describe_continuous_backups(TableName=outputs["Table"])["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"

    changes = cloud.make_change_set(stack, COUNTER, {"Bucket": "code", "Code": "b.zip"})["Changes"]
    assert [(c["ResourceChange"]["Action"], c["ResourceChange"]["LogicalResourceId"], c["ResourceChange"]["Replacement"]) for c in changes] == [("Modify", "Visit", "False")]
    change = changes[0]["ResourceChange"]
    assert change["PhysicalResourceId"] == outputs["Name"] and change["Scope"] == ["Properties"] and change["ResourceType"] == "AWS::Lambda::Function"
    assert change["Details"][0]["Target"] == {"Attribute": "Properties", "Name": "Code", "RequiresRecreation": "Never"}
    assert change["Details"][0]["ChangeSource"] == "ParameterReference" and change["Details"][0]["CausingEntity"] == "Code"
    assert counter("b.zip")["StackStatus"] == "UPDATE_COMPLETE" and cloud.outputs(stack) == outputs and live_code(cloud, stack) != first

    nothing = cloud.make_change_set(stack, COUNTER, {"Bucket": "code", "Code": "b.zip"})
    assert (nothing["Status"], nothing["ExecutionStatus"], nothing["StatusReason"]) == ("FAILED", "UNAVAILABLE", "No updates are to be performed.")


def test_reason_of_an_empty_set_without_a_transform(cloud, stack):
    cloud.deploy_stack(stack, template())
    for same in (template(), template(Description="only words"), template(Parameters={"Unused": {"Type": "String", "Default": "x"}})):
        nothing = cloud.make_change_set(stack, same)
        assert nothing["StatusReason"] == "The submitted information didn't contain changes. Submit different information to create a change set."


def test_outputs_alone_are_a_change(cloud, stack):
    cloud.deploy_stack(stack, template())
    made = cloud.make_change_set(stack, template(Outputs={"Name": {"Value": {"Ref": "Logs"}}}))
    assert made["Status"] == "CREATE_COMPLETE" and made["Changes"] == []
    assert cloud.deploy_stack(stack, template(Outputs={"Name": {"Value": {"Ref": "Logs"}}}))["StackStatus"] == "UPDATE_COMPLETE"
    assert set(cloud.outputs(stack)) == {"Name"}


def test_template_is_kept_byte_by_byte(cloud, cfn, stack, counter):
    counter()
    assert cfn.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"] == COUNTER
    processed = cfn.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    assert processed["Resources"]["Visit"]["Type"] == "AWS::Lambda::Function" and "Transform" not in processed
    odd = "\n# ä € 𝄞 & < > \"quoted\" 'x'\t\nResources:\r\n  Logs: {Type: AWS::Logs::LogGroup}  \n\n"
    cloud.deploy_stack(stack + "b", odd)
    assert cfn.get_template(StackName=stack + "b")["TemplateBody"] == odd


def test_absent(cfn, stack):
    assert message_of(cfn.describe_stacks, StackName=stack) == ("ValidationError", f"Stack with id {stack} does not exist")
    assert message_of(cfn.get_template, StackName=stack) == ("ValidationError", f"Stack with id {stack} does not exist")
    assert message_of(cfn.describe_stack_events, StackName=stack) == ("ValidationError", f"Stack [{stack}] does not exist")
    assert error_of(cfn.describe_change_set, ChangeSetName="arn:aws:cloudformation:us-east-1:123456789012:changeSet/x/1") == (404, "ChangeSetNotFound")
    cfn.delete_stack(StackName=stack)


def test_regions_are_apart(cloud, stack):
    cloud.deploy_stack(stack, template())
    assert error_of(cloud.client("cloudformation", region="eu-central-1").describe_stacks, StackName=stack) == (400, "ValidationError")


def test_stack_listing_and_deletion(cloud, cfn, stack):
    made = cloud.deploy_stack(stack, template())
    assert stack in [s["StackName"] for s in cfn.describe_stacks()["Stacks"]]
    resource = cfn.describe_stack_resources(StackName=stack)["StackResources"][0]
    assert (resource["LogicalResourceId"], resource["ResourceStatus"], resource["ResourceType"]) == ("Logs", "CREATE_COMPLETE", "AWS::Logs::LogGroup")
    assert cfn.list_stack_resources(StackName=stack)["StackResourceSummaries"][0]["PhysicalResourceId"] == resource["PhysicalResourceId"]
    assert cfn.describe_stack_resource(StackName=stack, LogicalResourceId="Logs")["StackResourceDetail"]["StackId"] == made["StackId"]
    assert cloud.delete_stack(stack)["StackStatus"] == "DELETE_COMPLETE"
    gone = cloud.stack(made["StackId"])
    assert cloud.stack(stack) is None and gone["StackStatus"] == "DELETE_COMPLETE" and gone["DeletionTime"] >= gone["CreationTime"]
    assert [s["StackStatus"] for s in cfn.list_stacks()["StackSummaries"] if s["StackId"] == made["StackId"]] == ["DELETE_COMPLETE"]
    assert cloud.client("logs").describe_log_groups(logGroupNamePrefix=resource["PhysicalResourceId"])["logGroups"] == []
    assert cloud.stack_events(made["StackId"])[-3:] == [("Logs", "DELETE_IN_PROGRESS", ""), ("Logs", "DELETE_COMPLETE", ""), (stack, "DELETE_COMPLETE", "")]


# Time

def test_states_by_polls(cloud, cfn, stack):
    cloud.settings(stack_polls=4)
    made = cfn.create_change_set(StackName=stack, ChangeSetName="one", ChangeSetType="CREATE", TemplateBody=template({"A": LOGS, "B": LOGS}))
    seen = [cfn.describe_change_set(ChangeSetName=made["Id"])["Status"] for _ in range(4)]
    assert seen == ["CREATE_PENDING", "CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"]
    cfn.execute_change_set(ChangeSetName=made["Id"])
    states, counts = [], []
    for _ in range(4):
        states.append(cfn.describe_stacks(StackName=made["StackId"])["Stacks"][0]["StackStatus"])
        counts.append(len(cfn.describe_change_set(ChangeSetName=made["Id"]) and cloud.control("POST", "stacks", {})[stack]["resources"]))
    assert states == ["CREATE_IN_PROGRESS"] * 3 + ["CREATE_COMPLETE"]


def test_states_by_the_clock(fresh_cloud):
    cloud = fresh_cloud
    cfn = cloud.cloudformation
    cloud.settings(stack_ms=60_000, set_ms=10_000)
    cloud.advance(0, check_skew=False)
    made = cfn.create_change_set(StackName="s", ChangeSetName="one", ChangeSetType="CREATE", TemplateBody=template({"A": LOGS, "B": {**LOGS, "DependsOn": "A"}}))
    look = lambda: cfn.describe_change_set(ChangeSetName=made["Id"])["Status"]  # noqa: E731
    assert look() == "CREATE_PENDING"
    cloud.advance(5)
    assert look() == "CREATE_IN_PROGRESS"
    cloud.advance(6)
    assert look() == "CREATE_COMPLETE"
    cfn.execute_change_set(ChangeSetName=made["Id"])
    counts = []
    for _ in range(7):
        counts.append(len(cloud.stack_events("s")))
        cloud.advance(9)
    assert counts == sorted(set(counts)) and cloud.stack("s")["StackStatus"] == "CREATE_COMPLETE"
    # The events carry the times at which they were due, not those at which somebody looked.
    times = [e["Timestamp"] for e in reversed(cfn.describe_stack_events(StackName="s")["StackEvents"])]
    assert times == sorted(set(times)) and 59 <= (times[-1] - times[1]).total_seconds() <= 61


def test_work_goes_on_when_nobody_asks_cloudformation(fresh_cloud):
    cloud = fresh_cloud
    cloud.settings(stack_ms=60_000, set_ms=0)
    cloud.advance(0, check_skew=False)
    made = cloud.make_change_set("s", template())
    cloud.cloudformation.execute_change_set(ChangeSetName=made["ChangeSetId"])
    assert cloud.client("logs").describe_log_groups()["logGroups"] == []
    cloud.advance(61)
    assert len(cloud.client("logs").describe_log_groups()["logGroups"]) == 1


def test_stacks_wait_for_functions(cloud, cfn, stack, counter):
    """Lambda takes its time, by looks: the stack is not done before its function is."""
    try:
        cloud.change_function(polls=30)
        made = cloud.make_change_set(stack, COUNTER, {"Bucket": "code", "Code": "a.zip"})
        cfn.execute_change_set(ChangeSetName=made["ChangeSetId"])
        assert [cloud.stack(stack)["StackStatus"] for _ in range(3)] == ["CREATE_IN_PROGRESS"] * 3
        assert cloud.await_stack(stack)["StackStatus"] == "CREATE_COMPLETE"
        assert cloud.function_state(cloud.outputs(stack)["Name"])["configuration"]["State"] == "Active"
        cloud.change_function(cloud.outputs(stack)["Name"], busy=20)
        assert counter("b.zip")["StackStatus"] == "UPDATE_COMPLETE"
    finally:
        cloud.change_function(polls=1)


# Events

def test_events(cloud, cfn, stack):
    cloud.deploy_stack(stack, template({"A": LOGS, "B": {**LOGS, "DependsOn": "A"}}), ChangeSetName="one")
    assert cloud.stack_events(stack) == [
        (stack, "REVIEW_IN_PROGRESS", "User Initiated"), (stack, "CREATE_IN_PROGRESS", "User Initiated"),
        ("A", "CREATE_IN_PROGRESS", ""), ("A", "CREATE_IN_PROGRESS", "Resource creation Initiated"), ("A", "CREATE_COMPLETE", ""),
        ("B", "CREATE_IN_PROGRESS", ""), ("B", "CREATE_IN_PROGRESS", "Resource creation Initiated"), ("B", "CREATE_COMPLETE", ""), (stack, "CREATE_COMPLETE", "")]
    every = cfn.describe_stack_events(StackName=stack)["StackEvents"]
    assert len({e["Timestamp"] for e in every}) == len(every)      # even where nothing takes time
    newest = every[0]
    assert newest["PhysicalResourceId"] == newest["StackId"] == cloud.stack(stack)["StackId"] and newest["ResourceType"] == "AWS::CloudFormation::Stack"


def test_events_come_in_pages(cloud, cfn, stack):
    cloud.deploy_stack(stack, template({f"L{n}": LOGS for n in range(50)}))
    first = cfn.describe_stack_events(StackName=stack)
    assert len(first["StackEvents"]) == 100 and first["StackEvents"][0]["ResourceStatus"] == "CREATE_COMPLETE"
    events = cloud.stack_events(stack)
    assert len(events) == 153 and events[0][1] == "REVIEW_IN_PROGRESS"
    assert len({e["EventId"] for page in cfn.get_paginator("describe_stack_events").paginate(StackName=stack) for e in page["StackEvents"]}) == 153


def test_changes_come_in_pages(cloud, cfn, stack):
    made = cloud.make_change_set(stack, template({f"L{n}": LOGS for n in range(130)}))
    assert len(made["Changes"]) == 100
    rest = cfn.describe_change_set(ChangeSetName=made["ChangeSetId"], NextToken=made["NextToken"])
    assert len(rest["Changes"]) == 30 and "NextToken" not in rest


# Failures

def test_update_goes_back(cloud, cfn, stack, counter):
    counter()
    outputs, code = cloud.outputs(stack), live_code(cloud, stack)
    parts = COUNTER.replace("Outputs:\n", "  More:\n    Type: AWS::Logs::LogGroup\nOutputs:\n  New: {Value: !Ref More}\n")
    gone = cloud.deploy_stack(stack, parts, {"Bucket": "code", "Code": "none.zip"})
    assert gone["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert cloud.outputs(stack) == outputs and live_code(cloud, stack) == code
    assert cfn.get_template(StackName=stack)["TemplateBody"] == COUNTER and {p["ParameterValue"] for p in gone["Parameters"]} == {"code", "a.zip"}
    events = cloud.stack_events(stack)
    reason = next(r for i, s, r in events if (i, s) == ("Visit", "UPDATE_FAILED"))
    assert "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist." in reason
    assert reason.startswith("Resource handler returned message: ") and "HandlerErrorCode: InvalidRequest" in reason
    assert any(s == "UPDATE_ROLLBACK_IN_PROGRESS" and r.startswith("The following resource(s) failed to") and "Visit" in r for i, s, r in events)
    assert "More" not in [r["LogicalResourceId"] for r in cfn.describe_stack_resources(StackName=stack)["StackResources"]]
    # It can be updated again.
    assert counter("b.zip")["StackStatus"] == "UPDATE_COMPLETE" and live_code(cloud, stack) != code


def test_what_changed_before_the_failure_is_changed_back(cloud, stack):
    resources = {"A": LOGS, "B": {**LOGS, "DependsOn": "A"}}
    cloud.deploy_stack(stack, template(resources))
    name = cloud.stacks()[stack]["resources"]["A"]
    days = lambda: cloud.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"][0]["retentionInDays"]  # noqa: E731
    cloud.fail_next(stack, "B", "No more paper")
    longer = {"A": {**LOGS, "Properties": {"RetentionInDays": 30}}, "B": {**LOGS, "DependsOn": "A", "Properties": {"RetentionInDays": 30}}}
    assert cloud.deploy_stack(stack, template(longer))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE" and days() == 7
    assert ("B", "UPDATE_FAILED", "No more paper") in cloud.stack_events(stack)
    assert cloud.deploy_stack(stack, template(longer))["StackStatus"] == "UPDATE_COMPLETE" and days() == 30


def test_others_are_cancelled(cloud, stack):
    cloud.fail_next(stack, "A", "Out of luck")
    made = cloud.deploy_stack(stack, template({"A": LOGS, "B": LOGS}))
    assert made["StackStatus"] == "ROLLBACK_COMPLETE"
    events = cloud.stack_events(stack)
    assert ("A", "CREATE_FAILED", "Out of luck") in events and ("B", "CREATE_FAILED", "Resource creation cancelled") in events
    assert (stack, "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [A, B]. Rollback requested by user.") in events


def test_failed_create_is_a_dead_end(cloud, cfn, stack, counter):
    made = counter("none.zip")
    assert made["StackStatus"] == "ROLLBACK_COMPLETE" and "Outputs" not in made
    assert cloud.stacks()[stack]["resources"] == {}
    assert message_of(cloud.make_change_set, stack, template()) == ("ValidationError", f"Stack:{made['StackId']} is in ROLLBACK_COMPLETE state and can not be updated.")
    assert message_of(cloud.make_change_set, stack, template(), ChangeSetType="CREATE", ChangeSetName="again") == (
        "ValidationError", f"Stack [{stack}] already exists and cannot be created again with the changeSet [again].")
    cloud.delete_stack(stack)
    assert counter()["StackStatus"] == "CREATE_COMPLETE"


def test_true_failures(cloud, stack, counter, bucket):
    assert counter("bad.zip")["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any("Could not unzip uploaded file. Please check your file, then try to upload again." in r for _, _, r in cloud.stack_events(stack))
    # Early validation would find this one before, but only a change set is validated.
    taken = template({"Site": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": bucket}}})
    cloud.cloudformation.create_stack(StackName=stack + "b", TemplateBody=taken)
    cloud.await_stack(stack + "b")
    cloud.settings(early_validation=False)
    cloud.deploy_stack(stack + "c", taken)
    assert all(("Site", "CREATE_FAILED", f"{bucket} already exists") in cloud.stack_events(stack + x) for x in "bc")


@pytest.mark.parametrize("option, status", [("DELETE", "DELETE_COMPLETE"), ("DO_NOTHING", "CREATE_FAILED"), ("ROLLBACK", "ROLLBACK_COMPLETE")])
def test_on_stack_failure(cloud, stack, option, status):
    cloud.fail_next(stack, "Logs")
    assert cloud.deploy_stack(stack, template(), OnStackFailure=option)["StackStatus"] == status


def test_rollback_can_be_disabled(cloud, cfn, stack):
    cloud.deploy_stack(stack, template())
    cloud.fail_next(stack, "Logs")
    made = cloud.make_change_set(stack, template({"Logs": {**LOGS, "Properties": {"RetentionInDays": 1}}}))
    cfn.execute_change_set(ChangeSetName=made["ChangeSetId"], DisableRollback=True)
    assert cloud.await_stack(stack)["StackStatus"] == "UPDATE_FAILED"


def test_rollbacks_that_fail(cloud, cfn, stack):
    cloud.fail_next(stack, "B")
    cloud.fail_next(stack, "A", "Stuck", on="rollback")
    made = cloud.deploy_stack(stack, template({"A": LOGS, "B": {**LOGS, "DependsOn": "A"}}))
    assert (made["StackStatus"], made["StackStatusReason"]) == ("ROLLBACK_FAILED", "The following resource(s) failed to delete: [A]. ")
    cloud.deploy_stack(stack + "b", template())
    cloud.fail_next(stack + "b", "Logs")
    cloud.fail_next(stack + "b", "Logs", "Stuck", on="rollback")
    made = cloud.deploy_stack(stack + "b", template({"Logs": {**LOGS, "Properties": {"RetentionInDays": 1}}}))
    assert made["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    assert message_of(cloud.make_change_set, stack + "b", template())[1].endswith("is in UPDATE_ROLLBACK_FAILED state and can not be updated.")


def test_deletion_that_fails(cloud, cfn, stack):
    made = cloud.deploy_stack(stack, template({"Site": {"Type": "AWS::S3::Bucket"}, "Logs": LOGS}))
    bucket = cloud.stacks()[stack]["resources"]["Site"]
    cloud.put_objects(bucket, {"index.html": b"x"})
    stuck = cloud.delete_stack(stack)
    assert (stuck["StackStatus"], stuck["StackStatusReason"]) == ("DELETE_FAILED", "The following resource(s) failed to delete: [Site]. ")
    assert any(i == "Site" and s == "DELETE_FAILED" and "The bucket you tried to delete is not empty" in r for i, s, r in cloud.stack_events(stack))
    cfn.delete_stack(StackName=stack, RetainResources=["Site"])
    assert cloud.await_stack(made["StackId"])["StackStatus"] == "DELETE_COMPLETE" and cloud.objects(bucket)


# Somebody else

def test_busy(cloud, cfn, stack):
    made = cloud.deploy_stack(stack, template())
    ready = cloud.make_change_set(stack, template({"Logs": LOGS, "More": LOGS}))
    cloud.make_busy(stack, polls=2)
    why = f"Stack:{made['StackId']} is in UPDATE_IN_PROGRESS state and can not be updated."
    assert message_of(cfn.create_change_set, StackName=stack, ChangeSetName="x", TemplateBody=template()) == ("ValidationError", why)
    assert [cloud.stack(stack)["StackStatus"] for _ in range(2)] == ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]
    # What was made for the stack as it was is worth nothing now.
    assert message_of(cfn.execute_change_set, ChangeSetName=ready["ChangeSetId"])[1].endswith("cannot be executed in its current execution status of [OBSOLETE]")
    assert cloud.deploy_stack(stack, template({"Logs": LOGS, "More": LOGS}))["StackStatus"] == "UPDATE_COMPLETE"


def test_execution_meets_somebody_else(cloud, cfn, stack):
    made = cloud.deploy_stack(stack, template())
    cloud.settings(stack_polls=2)
    cfn.create_change_set(StackName=stack, ChangeSetName="mine", TemplateBody=template({"Logs": LOGS, "More": LOGS}))
    cfn.execute_change_set(StackName=stack, ChangeSetName=[cfn.describe_change_set(StackName=stack, ChangeSetName="mine") for _ in range(2)][1]["ChangeSetName"])
    assert message_of(cfn.create_change_set, StackName=stack, ChangeSetName="theirs", TemplateBody=template()) == (
        "ValidationError", f"Stack:{made['StackId']} is in UPDATE_IN_PROGRESS state and can not be updated.")
    assert message_of(cfn.delete_stack, StackName=stack) == ("ValidationError", f"Stack [{made['StackId']}] cannot be deleted while in status UPDATE_IN_PROGRESS")


def test_without_change_sets(cloud, cfn, stack, counter):
    made = cfn.create_stack(StackName=stack, TemplateBody=template(), EnableTerminationProtection=True)
    assert cloud.await_stack(stack)["StackId"] == made["StackId"] and cloud.stack(stack)["StackStatus"] == "CREATE_COMPLETE"
    assert "ChangeSetId" not in cloud.stack(stack) and cloud.stack_events(stack)[0] == (stack, "CREATE_IN_PROGRESS", "User Initiated")
    assert message_of(cfn.create_stack, StackName=stack, TemplateBody=template()) == ("AlreadyExistsException", f"Stack [{stack}] already exists")
    assert message_of(cfn.update_stack, StackName=stack, TemplateBody=template()) == ("ValidationError", "No updates are to be performed.")
    cfn.update_stack(StackName=stack, TemplateBody=template({"Logs": LOGS, "More": LOGS}))
    assert cloud.await_stack(stack)["StackStatus"] == "UPDATE_COMPLETE"
    assert message_of(cfn.delete_stack, StackName=stack) == ("ValidationError", f"Stack [{stack}] cannot be deleted while TerminationProtection is enabled")
    cfn.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
    assert cloud.delete_stack(stack)["StackStatus"] == "DELETE_COMPLETE"
    parameters = [{"ParameterKey": "Bucket", "ParameterValue": "code"}, {"ParameterKey": "Code", "ParameterValue": "a.zip"}]
    assert message_of(cfn.create_stack, StackName=stack, TemplateBody=COUNTER, Parameters=parameters, Capabilities=["CAPABILITY_IAM"]) == (
        "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_AUTO_EXPAND]")
    cfn.create_stack(StackName=stack, TemplateBody=COUNTER, Parameters=parameters, Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"])
    assert cloud.await_stack(stack)["StackStatus"] == "CREATE_COMPLETE"


def test_status_by_order(cloud, stack):
    cloud.deploy_stack(stack, template())
    cloud.set_stack_status(stack, "UPDATE_ROLLBACK_FAILED")
    assert cloud.stack(stack)["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    with pytest.raises(RuntimeError):
        cloud.set_stack_status("none", "CREATE_COMPLETE")
    with pytest.raises(RuntimeError):
        cloud.control("POST", "stacks", {"fial": {}})


# Change sets

def test_shell_of_a_stack(cloud, cfn, stack):
    made = cloud.make_change_set(stack, template())
    shell = cloud.stack(stack)
    assert (shell["StackStatus"], shell["StackStatusReason"]) == ("REVIEW_IN_PROGRESS", "User Initiated")
    assert message_of(cfn.create_change_set, StackName=stack, ChangeSetName="x", TemplateBody=template()) == (
        "ValidationError", f"Stack:{shell['StackId']} is in REVIEW_IN_PROGRESS state and can not be updated.")
    cfn.delete_change_set(ChangeSetName=made["ChangeSetId"])
    assert cloud.stack(stack)["StackStatus"] == "REVIEW_IN_PROGRESS" and cfn.list_change_sets(StackName=stack)["Summaries"] == []
    again = cloud.make_change_set(stack, template())
    assert again["StackId"] == made["StackId"]
    assert cloud.delete_stack(stack)["StackStatus"] == "DELETE_COMPLETE" and cloud.stack(stack) is None


def test_a_set_that_fails_leaves_a_shell(cloud, cfn, stack):
    made = cloud.make_change_set(stack, COUNTER.replace("Handler: app.handler", "Handlr: x"), {"Bucket": "b", "Code": "c"})
    assert made["Status"] == "FAILED" and made["StatusReason"].startswith("Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application Specification document.")
    assert "Number of errors found: 1. Resource with id [Visit] is invalid." in made["StatusReason"]
    assert cloud.stack(stack)["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert message_of(cfn.execute_change_set, ChangeSetName=made["ChangeSetId"]) == (
        "InvalidChangeSetStatus", f"ChangeSet [{made['ChangeSetId']}] cannot be executed in its current status of [FAILED]")


EARLY = ("The following hook(s)/validation failed: [AWS::EarlyValidation::{}]. To troubleshoot Early Validation errors, use the DescribeEvents API for detailed failure "
         "information.")


def test_early_validation_finds_names_that_are_taken(cloud, cfn, stack, counter, bucket):
    counter()
    taken = {"Site": ("AWS::S3::Bucket", "BucketName", bucket), "Table": ("AWS::DynamoDB::Table", "TableName", cloud.outputs(stack)["Table"]),
             "Function": ("AWS::Lambda::Function", "FunctionName", cloud.outputs(stack)["Name"])}
    body = template({logical: {"Type": kind, "Properties": {name: value}} for logical, (kind, name, value) in taken.items()} | {"Logs": LOGS})
    made = cloud.make_change_set(stack + "b", body)
    assert (made["Status"], made["ExecutionStatus"], made["StatusReason"]) == ("FAILED", "UNAVAILABLE", EARLY.format("ResourceExistenceCheck"))
    events = cfn.describe_events(ChangeSetName=made["ChangeSetId"], Filters={"FailedEvents": True})["OperationEvents"]
    assert {e["LogicalResourceId"]: e["ValidationStatusReason"] for e in events} == {
        logical: f"Resource of type '{kind}' with identifier '{value}' already exists." for logical, (kind, _, value) in taken.items()}
    assert {e["ValidationPath"] for e in events} == {f"/Resources/{logical}" for logical in taken} and {e["EventType"] for e in events} == {"VALIDATION_ERROR"}
    assert cloud.stack(stack + "b")["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert message_of(cfn.describe_events, ChangeSetName=made["ChangeSetName"]) == ("ValidationError", "One of ChangeSetName, OperationId or StackName must be specified")


def test_early_validation_by_order(cloud, cfn, stack):
    cloud.find_next(stack, "Logs", "Unsupported property [Colour]")
    made = cloud.make_change_set(stack, template())
    assert (made["Status"], made["StatusReason"]) == ("FAILED", EARLY.format("PropertyValidation"))
    event, = cfn.describe_events(ChangeSetName=made["ChangeSetId"])["OperationEvents"]
    assert (event["ValidationStatusReason"], event["ValidationPath"]) == ("Unsupported property [Colour]", "/Resources/Logs/Properties")
    assert cfn.describe_events(OperationId=event["OperationId"])["OperationEvents"] == [event]
    assert cloud.make_change_set(stack, template())["Status"] == "CREATE_COMPLETE"


def test_a_full_bucket_is_a_warning(cloud, cfn, stack):
    cloud.deploy_stack(stack, template({"Site": {"Type": "AWS::S3::Bucket"}, "Logs": LOGS}))
    cloud.put_objects(cloud.stacks()[stack]["resources"]["Site"], {"index.html": b"x"})
    made = cloud.make_change_set(stack, template())
    assert made["Status"] == "CREATE_COMPLETE"
    event, = cfn.describe_events(ChangeSetName=made["ChangeSetId"])["OperationEvents"]
    assert (event["ValidationFailureMode"], event["ValidationName"]) == ("WARN", "BUCKET_EMPTINESS_VALIDATION")
    cfn.execute_change_set(ChangeSetName=made["ChangeSetId"])
    assert cloud.await_stack(stack)["StackStatus"] == "UPDATE_COMPLETE"
    failed = cfn.describe_events(StackName=stack, Filters={"FailedEvents": True})["OperationEvents"]
    assert {(e["EventType"], e["LogicalResourceId"]) for e in failed} == {("PROVISIONING_ERROR", "Site"), ("VALIDATION_ERROR", "Site")}


def test_kinds_of_sets(cloud, cfn, stack):
    body = template()
    assert message_of(cfn.create_change_set, StackName=stack, ChangeSetName="x", TemplateBody=body) == ("ValidationError", f"Stack [{stack}] does not exist")
    cloud.deploy_stack(stack, body)
    assert message_of(cfn.create_change_set, StackName=stack, ChangeSetName="x", ChangeSetType="CREATE", TemplateBody=body) == (
        "ValidationError", f"Stack [{stack}] already exists and cannot be created again with the changeSet [x].")
    assert error_of(cfn.create_change_set, StackName=stack, ChangeSetName="1x", TemplateBody=body) == (400, "ValidationError")
    assert error_of(cfn.create_change_set, StackName=stack, ChangeSetName="x", TemplateBody=body, ChangeSetType="NEW") == (400, "ValidationError")
    assert error_of(cfn.create_change_set, StackName=stack, ChangeSetName="x") == (400, "ValidationError")
    assert message_of(cfn.describe_change_set, ChangeSetName="x", StackName=stack) == ("ChangeSetNotFound", "ChangeSet [x] does not exist")
    cfn.delete_change_set(ChangeSetName="x", StackName=stack)


def test_tokens_make_a_retry_harmless(cloud, cfn, stack):
    cloud.deploy_stack(stack, template())
    wanted = {"StackName": stack, "ChangeSetName": "one", "TemplateBody": template({"Logs": LOGS, "More": LOGS}), "ClientToken": "t1"}
    first = cfn.create_change_set(**wanted)
    assert cfn.create_change_set(**wanted)["Id"] == first["Id"]
    assert error_of(cfn.create_change_set, **{**wanted, "ClientToken": "t2"}) == (400, "AlreadyExistsException")
    assert error_of(cfn.create_change_set, **{**wanted, "TemplateBody": template()}) == (400, "AlreadyExistsException")
    del wanted["ClientToken"]
    assert message_of(cfn.create_change_set, **wanted) == ("AlreadyExistsException", "ChangeSet one already exists")
    cfn.execute_change_set(ChangeSetName=first["Id"], ClientRequestToken="go")
    cfn.execute_change_set(ChangeSetName=first["Id"], ClientRequestToken="go")
    cloud.await_stack(stack)
    assert error_of(cfn.execute_change_set, ChangeSetName=first["Id"], ClientRequestToken="other") == (400, "InvalidChangeSetStatus")
    token = cfn.describe_stack_events(StackName=stack)["StackEvents"][0]["ClientRequestToken"]
    assert token == "go" and cfn.describe_change_set(ChangeSetName=first["Id"])["ExecutionStatus"] == "EXECUTE_COMPLETE"


def test_other_sets_are_obsolete(cloud, cfn, stack):
    cloud.deploy_stack(stack, template())
    one, two = (cloud.make_change_set(stack, template({"Logs": LOGS, name: LOGS})) for name in ("One", "Two"))
    cfn.execute_change_set(ChangeSetName=one["ChangeSetId"])
    cloud.await_stack(stack)
    assert message_of(cfn.execute_change_set, ChangeSetName=two["ChangeSetId"]) == (
        "InvalidChangeSetStatus", f"ChangeSet [{two['ChangeSetId']}] cannot be executed in its current execution status of [OBSOLETE]")


def test_unfinished_sets_are_not_executed(cloud, cfn, stack):
    cloud.settings(stack_polls=5)
    made = cfn.create_change_set(StackName=stack, ChangeSetName="one", ChangeSetType="CREATE", TemplateBody=template())
    assert message_of(cfn.execute_change_set, ChangeSetName=made["Id"])[1].endswith("cannot be executed in its current status of [CREATE_PENDING]")


# Parameters, capabilities, templates

PARAMETERS = {"Resources": {"Logs": LOGS}, "Parameters": {
    "Stage": {"Type": "String", "AllowedValues": ["test", "live"], "Default": "test"}, "Name": {"Type": "String", "MinLength": 2}, "Secret": {"Type": "String", "NoEcho": True, "Default": "s"},
    "Size": {"Type": "Number", "Default": 3}}}


def test_parameters(cloud, cfn, stack):
    refused = lambda given, **more: message_of(cloud.make_change_set, stack, PARAMETERS, given, **more)[1]  # noqa: E731
    assert refused({}) == "Parameters: [Name] must have values"
    assert refused({"Name": "ok", "Other": "x"}) == "Parameters: [Other] do not exist in the template"
    assert refused({"Name": "ok", "Stage": "x"}) == "Parameter 'Stage' must be one of AllowedValues"
    assert refused({"Name": "x"}) == "Parameter 'Name' must contain at least 2 characters"
    assert refused({"Name": "ok", "Size": "many"}) == "Parameter 'Size' must be a number."
    assert cloud.stack(stack) is None
    made = cloud.deploy_stack(stack, PARAMETERS, {"Name": "first"})
    assert {p["ParameterKey"]: p["ParameterValue"] for p in made["Parameters"]} == {"Stage": "test", "Name": "first", "Secret": "****", "Size": "3"}
    used = {**PARAMETERS, "Outputs": {"Name": {"Value": {"Ref": "Name"}}}}
    previous = [{"ParameterKey": k, "UsePreviousValue": True} for k in ("Stage", "Name", "Secret", "Size")]
    cloud.deploy_stack(stack, used, Parameters=previous)
    assert cloud.outputs(stack) == {"Name": "first"}
    assert refused({}) == "Parameters: [Name] must have values"
    assert "parameter key New" in refused({}, Parameters=[{"ParameterKey": "New", "UsePreviousValue": True}])
    summary = cfn.get_template_summary(StackName=stack)
    assert [p["ParameterKey"] for p in summary["Parameters"]] == ["Stage", "Name", "Secret", "Size"] and summary["ResourceTypes"] == ["AWS::Logs::LogGroup"]


def test_use_previous_template(cloud, cfn, stack):
    cloud.deploy_stack(stack, {**PARAMETERS, "Outputs": {"Name": {"Value": {"Ref": "Name"}}}}, {"Name": "first"})
    for name, status in (("next", "CREATE_COMPLETE"), ("first", "FAILED")):     # the output says something else, or does not
        cfn.create_change_set(StackName=stack, ChangeSetName=name, UsePreviousTemplate=True, Parameters=[{"ParameterKey": "Name", "ParameterValue": name}])
        assert cfn.describe_change_set(StackName=stack, ChangeSetName=name)["Status"] == status


ROLE = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}}}
NAMED = {"Type": "AWS::IAM::Role", "Properties": {**ROLE["Properties"], "RoleName": "named"}}


@pytest.mark.parametrize("role, given, wanted", [
    (ROLE, [], "CAPABILITY_IAM"), (ROLE, ["CAPABILITY_AUTO_EXPAND"], "CAPABILITY_IAM"), (NAMED, ["CAPABILITY_IAM"], "CAPABILITY_NAMED_IAM"),
    (ROLE, ["CAPABILITY_IAM"], None), (ROLE, ["CAPABILITY_NAMED_IAM"], None), (NAMED, ["CAPABILITY_NAMED_IAM"], None)])
def test_capabilities(cloud, stack, role, given, wanted):
    make = lambda: cloud.make_change_set(stack, template({"Role": role}), Capabilities=given)  # noqa: E731
    if wanted:
        assert message_of(make) == ("InsufficientCapabilitiesException", f"Requires capabilities : [{wanted}]") and cloud.stack(stack) is None
    else:
        assert make()["Status"] == "CREATE_COMPLETE"


def test_capabilities_behind_a_transform(cloud, stack):
    """What a transform will make is not known when the request comes, so the set fails, not the call."""
    made = cloud.make_change_set(stack, COUNTER, {"Bucket": "b", "Code": "c"}, Capabilities=[])
    assert (made["Status"], made["StatusReason"]) == ("FAILED", "Requires capabilities : [CAPABILITY_IAM]")
    assert cloud.make_change_set(stack, COUNTER, {"Bucket": "b", "Code": "c"}, Capabilities=["CAPABILITY_IAM"])["Status"] == "CREATE_COMPLETE"


def test_size_of_a_body(cloud, cfn, stack):
    exact = template(Description="x" * (51_200 - len(template(Description=""))))
    assert len(exact) == 51_200 and cloud.make_change_set(stack, exact)["Status"] == "CREATE_COMPLETE"
    code, message = message_of(cloud.make_change_set, stack, exact + " ")
    assert code == "ValidationError" and message.startswith("1 validation error detected: Value '") and message.endswith(
        "' at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200")


def test_template_urls(cloud, cfn, stack, bucket):
    large = template(Description="x" * 60_000)
    cloud.put_objects(bucket, {"t/a b.template": large.encode()})
    urls = [f"https://{bucket}.s3.us-east-1.amazonaws.com/t/a%20b.template", f"https://s3.us-east-1.amazonaws.com/{bucket}/t/a%20b.template",
            f"https://{bucket}.s3.amazonaws.com/t/a%20b.template", f"https://s3.amazonaws.com/{bucket}/t/a%20b.template", f"{cloud.endpoint}/{bucket}/t/a%20b.template"]
    for n, url in enumerate(urls):
        made = cfn.create_change_set(StackName=stack, ChangeSetName=f"s{n}", ChangeSetType="CREATE", TemplateURL=url)
        assert cfn.get_template(ChangeSetName=made["Id"])["TemplateBody"] == json.loads(large)
    for url in (f"{cloud.endpoint}/{bucket}/none", "https://example.com/t", f"{cloud.endpoint}/no-such-bucket/t"):
        assert error_of(cfn.create_change_set, StackName=stack, ChangeSetName="x", ChangeSetType="CREATE", TemplateURL=url) == (400, "ValidationError")
    assert message_of(cfn.validate_template, TemplateURL=urls[0] + ".none")[1].startswith("S3 error: The specified key does not exist.")


@pytest.mark.parametrize("body, message", [
    ("Resources:\n  A: {Type: AWS::No::Such}\n  B: {Type: AWS::Logs::LogGroup}", "Template format error: Unrecognized resource types: [AWS::No::Such]"),
    ("Resources: {}", "Template format error: At least one Resources member must be defined."),
    ("- a", "Template format error: unsupported structure."),
    ("Resourcen: {}", "Invalid template property or properties [Resourcen]"),
    ("Resources:\n  A: &a {Type: AWS::Logs::LogGroup}\n  B: *a", "Template error: YAML aliases are not allowed in CloudFormation templates"),
    ("Resources:\n  A: {Type: [", "Template format error: YAML not well-formed. (line 2, column 14)"),
    ('{"Resources": {', "Template format error: JSON not well-formed. (line 1, column 16)"),
    ("Resources:\n  A: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Ref Nobody}}", "Template format error: Unresolved resource dependencies [Nobody] in the Resources block of the template"),
    ("Resources:\n  A: {Type: AWS::Logs::LogGroup}\nOutputs: {X: {Value: !GetAtt B.Arn}}", "Template format error: Unresolved resource dependencies [B] in the Outputs block of the template"),
    ("Resources:\n  A: {Type: AWS::Logs::LogGroup, DependsOn: B}\n  B: {Type: AWS::Logs::LogGroup, DependsOn: A}", "Circular dependency between resources: [A, B]"),
    ("Resources:\n  A_b: {Type: AWS::Logs::LogGroup}", "Template format error: Resource name A_b is non alphanumeric."),
])
def test_templates_that_are_refused(cloud, cfn, stack, body, message):
    assert message_of(cloud.make_change_set, stack, body) == ("ValidationError", message)
    assert message_of(cfn.validate_template, TemplateBody=body) == ("ValidationError", message)
    assert cloud.stack(stack) is None


def test_dates_and_numbers_stay_texts(cloud, stack):
    body = "AWSTemplateFormatVersion: 2010-09-09\nResources:\n  L: {Type: AWS::Logs::LogGroup}\nOutputs:\n  D: {Value: 2012-10-17}\n  N: {Value: 5}\n  T: {Value: true}\n"
    cloud.deploy_stack(stack, body)
    assert cloud.outputs(stack) == {"D": "2012-10-17", "N": "5", "T": "true"}


FUNCTIONS = r"""
Parameters: {Stage: {Type: String, Default: live}, List: {Type: CommaDelimitedList, Default: "a, b"}}
Mappings: {Sizes: {live: {Days: 30}}}
Conditions:
  Live: !Equals [!Ref Stage, live]
  Test: !Not [!Condition Live]
  Both: !And [!Condition Live, !Or [!Condition Test, !Condition Live]]
Resources:
  Logs: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: !FindInMap [Sizes, !Ref Stage, Days], LogGroupName: !If [Test, x, !Ref "AWS::NoValue"]}}
  Never: {Type: AWS::Logs::LogGroup, Condition: Test}
Outputs:
  Sub: {Value: !Sub "${Logs}|${Logs.Arn}|${AWS::Region}|${!Plain}|"}
  Own: {Value: !Sub ["${A}-${Stage}", {A: !Ref Logs}]}
  Join: {Value: !Join ["+", [!Select [1, !Ref List], !Select [0, !Split [".", "x.y"]]]]}
  Base64: {Value: !Base64 hello}
  If: {Value: !If [Both, yes-both, no]}
  Json: {Value: {"Fn::ToJsonString": {a: [1, !Ref Stage]}}}
  Pseudo: {Value: !Sub "${AWS::AccountId} ${AWS::Partition} ${AWS::URLSuffix} ${AWS::StackName}"}
  Never: {Condition: Test, Value: !Ref Never}
"""


def test_functions(cloud, stack):
    cloud.deploy_stack(stack, FUNCTIONS)
    name = cloud.stacks()[stack]["resources"]["Logs"]
    assert set(cloud.stacks()[stack]["resources"]) == {"Logs"}
    assert cloud.outputs(stack) == {
        "Sub": f"{name}|arn:aws:logs:us-east-1:123456789012:log-group:{name}:*|us-east-1|${{Plain}}|", "Own": f"{name}-live", "Join": "b+x", "Base64": "aGVsbG8=",
        "If": "yes-both", "Json": '{"a":[1,"live"]}', "Pseudo": f"123456789012 aws amazonaws.com {stack}"}
    assert cloud.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"][0]["retentionInDays"] == 30
    # The other condition: one resource comes, and the name of the other makes it a new one.
    changes = cloud.make_change_set(stack, FUNCTIONS.replace("live: {Days: 30}", "live: {Days: 30}, test: {Days: 1}"), {"Stage": "test"})["Changes"]
    assert {(c["ResourceChange"]["LogicalResourceId"], c["ResourceChange"]["Action"], c["ResourceChange"].get("Replacement")) for c in changes} == {
        ("Logs", "Modify", "True"), ("Never", "Add", None)}


def test_loops(cloud, stack):
    body = """
Transform: AWS::LanguageExtensions
Resources:
  Fn::ForEach::Groups:
    - Name
    - [One, Two]
    - Logs${Name}: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Sub "loop-${Name}"}}
"""
    cloud.deploy_stack(stack, body)
    assert cloud.stacks()[stack]["resources"] == {"LogsOne": "loop-One", "LogsTwo": "loop-Two"}
    cloud.delete_stack(stack)


def test_exports(cloud, cfn, stack):
    cloud.deploy_stack(stack, template(Outputs={"Name": {"Value": {"Ref": "Logs"}, "Export": {"Name": stack + "-name"}}}))
    importing = template({"Logs": {**LOGS, "Properties": {"LogGroupName": {"Fn::Sub": ["copy-${N}", {"N": {"Fn::ImportValue": stack + "-name"}}]}}}})
    cloud.deploy_stack(stack + "b", importing)
    assert cloud.stacks()[stack + "b"]["resources"]["Logs"] == "copy-" + cloud.outputs(stack)["Name"]
    assert cloud.deploy_stack(stack + "c", importing.replace(stack + "-name", "none"))["StackStatus"] == "ROLLBACK_COMPLETE"
    assert ("Logs", "CREATE_FAILED", "No export named none found.") in cloud.stack_events(stack + "c")


def test_tags(cloud, cfn, stack):
    resources = {"Site": {"Type": "AWS::S3::Bucket"}}
    made = cloud.deploy_stack(stack, template(resources), Tags=[{"Key": "team", "Value": "web"}])
    assert made["Tags"] == [{"Key": "team", "Value": "web"}]
    bucket = cloud.stacks()[stack]["resources"]["Site"]
    assert cloud.s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "team", "Value": "web"}]
    assert cloud.make_change_set(stack, template(resources))["Status"] == "FAILED"      # not given: the stack keeps its own
    changed = cloud.make_change_set(stack, template(resources), Tags=[{"Key": "team", "Value": "ops"}])
    assert changed["Changes"][0]["ResourceChange"]["Scope"] == ["Tags"]
    cloud.deploy_stack(stack, template(resources), Tags=[{"Key": "team", "Value": "ops"}])
    assert cloud.s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "team", "Value": "ops"}]


# Replacement

def bucket_template(name, **policies):
    return template({"Site": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}, **policies}}, Outputs={"Domain": {"Value": {"Fn::GetAtt": ["Site", "RegionalDomainName"]}}})


@pytest.mark.parametrize("kept", [False, True])
def test_replacement(cloud, cfn, stack, name, kept):
    policies = {"UpdateReplacePolicy": "Retain"} if kept else {}
    cloud.deploy_stack(stack, bucket_template(name + "-old", **policies))
    change = cloud.make_change_set(stack, bucket_template(name + "-new", **policies))["Changes"][0]["ResourceChange"]
    assert (change["Replacement"], change["PhysicalResourceId"], change["Details"][0]["Target"]["RequiresRecreation"]) == ("True", name + "-old", "Always")
    assert cloud.deploy_stack(stack, bucket_template(name + "-new", **policies))["StackStatus"] == "UPDATE_COMPLETE"
    assert cloud.outputs(stack) == {"Domain": f"{name}-new.s3.us-east-1.amazonaws.com"}
    buckets = [b["Name"] for b in cloud.s3.list_buckets()["Buckets"]]
    assert name + "-new" in buckets and (name + "-old" in buckets) == kept
    events = cloud.stack_events(stack)
    assert ("Site", "UPDATE_IN_PROGRESS", "Requested update requires the creation of a new physical resource; hence creating one.") in events
    cleanup = events.index((stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", ""))
    assert [s for i, s, _ in events[cleanup:] if i == "Site"] == (["DELETE_SKIPPED"] if kept else ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"])


def test_replacement_that_goes_back(cloud, stack, name):
    body = json.loads(bucket_template(name + "-new"))
    cloud.deploy_stack(stack, bucket_template(name + "-old"))
    body["Resources"]["After"] = {**LOGS, "DependsOn": "Site"}
    cloud.fail_next(stack, "After")
    assert cloud.deploy_stack(stack, body)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert cloud.stacks()[stack]["resources"] == {"Site": name + "-old"}
    events = cloud.stack_events(stack)
    assert ("Site", "UPDATE_COMPLETE", "") in events[events.index(next(e for e in events if e[1] == "UPDATE_ROLLBACK_IN_PROGRESS")):]
    buckets = [b["Name"] for b in cloud.s3.list_buckets()["Buckets"]]
    assert name + "-old" in buckets and name + "-new" not in buckets


def test_deletion_policy(cloud, cfn, stack, name):
    cloud.deploy_stack(stack, bucket_template(name, DeletionPolicy="Retain"))
    change = cloud.make_change_set(stack, bucket_template(name))["Changes"][0]["ResourceChange"]
    assert (change["Scope"], change["Replacement"]) == (["DeletionPolicy"], "False")
    assert cloud.delete_stack(stack)["StackStatus"] == "DELETE_COMPLETE"
    assert name in [b["Name"] for b in cloud.s3.list_buckets()["Buckets"]]


@pytest.mark.parametrize("policy, kept", [("Delete", False), ("Retain", True), ("RetainExceptOnCreate", True)])
def test_removal(cloud, stack, name, policy, kept):
    site = {"Type": "AWS::S3::Bucket", "DeletionPolicy": policy, "Properties": {"BucketName": name}}
    cloud.deploy_stack(stack, template({"Logs": LOGS, "Site": site}))
    change = cloud.make_change_set(stack, template())["Changes"][0]["ResourceChange"]
    assert (change["Action"], change["LogicalResourceId"], change["PhysicalResourceId"]) == ("Remove", "Site", name) and "Replacement" not in change
    cloud.deploy_stack(stack, template())
    assert set(cloud.stacks()[stack]["resources"]) == {"Logs"} and (name in [b["Name"] for b in cloud.s3.list_buckets()["Buckets"]]) == kept
    events = cloud.stack_events(stack)
    cleanup = events.index((stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", ""))
    assert [s for i, s, _ in events[cleanup:] if i == "Site"] == (["DELETE_SKIPPED"] if kept else ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"])


def test_who_refers_to_a_replaced_resource(cloud, stack, name):
    body = lambda n: template({"Site": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": n}}, "Policy": {"Type": "AWS::S3::BucketPolicy", "Properties": {  # noqa: E731
        "Bucket": {"Ref": "Site"}, "PolicyDocument": {"Version": "2012-10-17", "Statement": []}}}})
    cloud.deploy_stack(stack, body(name + "-1"))
    changes = {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"] for c in cloud.make_change_set(stack, body(name + "-2"))["Changes"]}
    assert changes["Policy"]["Replacement"] == "True" and changes["Policy"]["Details"][0]["CausingEntity"] == "Site"
    assert changes["Policy"]["Details"][0]["ChangeSource"] == "ResourceReference"
    cloud.deploy_stack(stack, body(name + "-2"))
    assert cloud.s3.get_bucket_policy(Bucket=name + "-2")["Policy"]


# Faults

def test_rules_match_by_operation(cloud, cfn, stack):
    cloud.rules({"when": {"service": "cloudformation", "operation": "DescribeStacks", "times": 1}, "do": {"status": 400, "code": "Throttling", "message": "Rate exceeded"}})
    assert message_of(cfn.describe_stacks, StackName=stack) == ("Throttling", "Rate exceeded")
    assert cloud.stack(stack) is None
    cloud.rules({"when": {"operation": "ExecuteChangeSet", "times": 1}, "do": {"drop": "after"}})
    made = cloud.make_change_set(stack, template())
    with suppress(Exception):
        cfn.execute_change_set(ChangeSetName=made["ChangeSetId"], ClientRequestToken="go")
    cfn.execute_change_set(ChangeSetName=made["ChangeSetId"], ClientRequestToken="go")
    assert cloud.await_stack(stack)["StackStatus"] == "CREATE_COMPLETE"


def test_errors_look_like_those_of_the_service(cloud, stack):
    client = boto3.session.Session("a", "b").client("cloudformation", region_name="us-east-1", endpoint_url=cloud.endpoint)
    code, _ = message_of(client.describe_stacks)
    assert code == "InvalidClientTokenId"
    cloud.rules({"when": {"operation": "DescribeStacks"}, "do": {"status": 400, "code": "Throttling", "message": "Rate exceeded"}})
    found = {}
    cloud.cloudformation.meta.events.register("before-parse.cloudformation.DescribeStacks", lambda response_dict, **_: found.update(response_dict))
    message_of(cloud.cloudformation.describe_stacks)
    assert found["body"].startswith(b'<?xml version="1.0"?>\n<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error><Type>Sender</Type><Code>Throttling</Code>')
