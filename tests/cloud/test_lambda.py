"""The Lambda API as a deployer meets it: revisions, busy functions, what is refused; and handlers that really run."""
import base64
import hashlib
import io
import json
import os
import signal
import time
import zipfile
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from cloud.client import LocalCloud
from cloud.lambda_code import pack

ECHO = {"app.py": "def handler(event, context):\n    return event\n"}
SECOND = {"app.py": "def handler(event, context):\n    return 'second'\n"}


@pytest.fixture
def function(cloud, name):
    return cloud.make_function(name, ECHO)


def refused(call, **arguments):
    """(status, code, message) of a refusal."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-errortype"] == answer["Error"]["Code"]
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


def test_code_and_configuration(cloud, function):
    found = cloud.functions.get_function(FunctionName=function.name)
    assert found["Code"]["RepositoryType"] == "S3" and found["Configuration"]["PackageType"] == "Zip"
    assert found["Configuration"]["CodeSha256"] == base64.b64encode(hashlib.sha256(pack(ECHO)).digest()).decode()
    by_arn = cloud.functions.get_function_configuration(FunctionName=function.arn)
    assert (by_arn["State"], by_arn["LastUpdateStatus"], by_arn["RevisionId"]) == ("Active", "Successful", found["Configuration"]["RevisionId"])


def test_archive_as_it_was_sent(cloud, function):
    assert cloud.function_code(function.name) == {"app.py": (ECHO["app.py"].encode(), False)}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        info = zipfile.ZipInfo("bootstrap")
        info.external_attr = 0o100755 << 16
        archive.writestr(info, b"run")
    cloud.functions.update_function_code(FunctionName=function.name, ZipFile=made.getvalue())
    assert cloud.function_code(function.name) == {"bootstrap": (b"run", True)}


def test_unknown_function(cloud):
    status, code, message = refused(cloud.functions.get_function, FunctionName="nobody")
    assert (status, code, message) == (404, "ResourceNotFoundException", "Function not found: arn:aws:lambda:us-east-1:123456789012:function:nobody")
    assert refused(cloud.functions.update_function_code, FunctionName="nobody", ZipFile=pack(ECHO))[0] == 404


def test_created_function_is_pending(cloud, name):
    made = cloud.make_function(name, ECHO, active=False)
    assert refused(cloud.functions.invoke, FunctionName=name)[:2] == (409, "ResourceConflictException")
    states = [cloud.functions.get_function(FunctionName=name)["Configuration"] for _ in range(2)]
    assert [s["State"] for s in states] == ["Active", "Active"] and made.arn == states[0]["FunctionArn"]
    assert refused(cloud.functions.create_function, FunctionName=name, Runtime="python3.12", Handler="a.b", Role=cloud.make_role(), Code={"ZipFile": pack(ECHO)})[0] == 409


def test_update_goes_through_in_progress(cloud, function):
    before = cloud.functions.get_function(FunctionName=function.name)["Configuration"]
    cloud.change_function(function.name, polls=2)
    answer = cloud.functions.update_function_code(FunctionName=function.name, ZipFile=pack(SECOND))
    assert answer["LastUpdateStatus"] == "InProgress" and answer["RevisionId"] != before["RevisionId"]
    seen = [cloud.functions.get_function(FunctionName=function.name)["Configuration"] for _ in range(3)]
    assert [s["LastUpdateStatus"] for s in seen] == ["InProgress", "InProgress", "Successful"]
    assert seen[2]["CodeSha256"] == answer["CodeSha256"] and seen[2]["RevisionId"] != answer["RevisionId"]


def test_old_code_serves_until_the_update_is_through(cloud, function):
    cloud.functions.update_function_code(FunctionName=function.name, ZipFile=pack(SECOND))
    assert cloud.invoke(function.name, 1) == (1, None)
    cloud.await_function(function.name)
    assert cloud.invoke(function.name, 1) == ("second", None)


def test_update_by_the_clock(fresh_cloud):
    cloud = fresh_cloud
    function = cloud.make_function("slow", ECHO)
    cloud.advance(0, check_skew=False)
    cloud.change_function(ms=5000)
    cloud.functions.update_function_code(FunctionName=function.name, ZipFile=pack(SECOND))
    states = [cloud.functions.get_function(FunctionName="slow")["Configuration"]["LastUpdateStatus"] for _ in range(3)]
    cloud.advance(5)
    states.append(cloud.functions.get_function(FunctionName="slow")["Configuration"]["LastUpdateStatus"])
    assert states == ["InProgress"] * 3 + ["Successful"]


def test_busy_function_refuses_changes(cloud, function):
    cloud.change_function(function.name, busy=3)
    for call, arguments in ((cloud.functions.update_function_code, {"ZipFile": pack(SECOND)}), (cloud.functions.update_function_configuration, {"Timeout": 9}),
                            (cloud.functions.publish_version, {})):
        status, code, message = refused(call, FunctionName=function.name, **arguments)
        assert (status, code) == (409, "ResourceConflictException")
        assert message == f"The operation cannot be performed at this time. An update is in progress for resource: {function.arn}"
    assert cloud.functions.update_function_code(FunctionName=function.name, ZipFile=pack(SECOND))["LastUpdateStatus"] == "InProgress"


def test_failed_update(cloud, function):
    cloud.change_function(function.name, fail_next="The image is gone.", fail_code="InvalidImage")
    cloud.functions.update_function_code(FunctionName=function.name, ZipFile=pack(SECOND))
    found = cloud.await_function(function.name)
    assert (found["LastUpdateStatus"], found["LastUpdateStatusReason"], found["LastUpdateStatusReasonCode"]) == ("Failed", "The image is gone.", "InvalidImage")
    assert cloud.invoke(function.name, 1) == (1, None)
    cloud.functions.update_function_code(FunctionName=function.name, ZipFile=pack(SECOND))
    assert cloud.await_function(function.name)["LastUpdateStatus"] == "Successful" and cloud.invoke(function.name, 1) == ("second", None)


def test_revision_guards_an_update(cloud, function):
    revision = cloud.functions.get_function(FunctionName=function.name)["Configuration"]["RevisionId"]
    cloud.change_function(function.name, replace={"app.py": "def handler(e, c): return 'theirs'"}, after="GetFunction")
    assert cloud.functions.get_function(FunctionName=function.name)["Configuration"]["RevisionId"] == revision
    status, code, _ = refused(cloud.functions.update_function_code, FunctionName=function.name, ZipFile=pack(SECOND), RevisionId=revision)
    assert (status, code) == (412, "PreconditionFailedException") and cloud.invoke(function.name) == ("theirs", None)
    again = cloud.functions.get_function(FunctionName=function.name)["Configuration"]["RevisionId"]
    assert cloud.functions.update_function_code(FunctionName=function.name, ZipFile=pack(SECOND), RevisionId=again)["LastUpdateStatus"] == "InProgress"


def test_dry_run_changes_nothing(cloud, function):
    before = cloud.functions.get_function(FunctionName=function.name)["Configuration"]
    cloud.functions.update_function_code(FunctionName=function.name, ZipFile=pack(SECOND), DryRun=True)
    assert cloud.functions.get_function(FunctionName=function.name)["Configuration"] == before
    assert refused(cloud.functions.update_function_code, FunctionName=function.name, ZipFile=b"PK no", DryRun=True)[1] == "InvalidParameterValueException"


def test_code_in_s3(cloud, function, bucket):
    cloud.put_objects(bucket, {"code": pack(SECOND)})
    answer = cloud.functions.update_function_code(FunctionName=function.name, S3Bucket=bucket, S3Key="code")
    assert answer["CodeSize"] == len(pack(SECOND))
    cloud.await_function(function.name)
    assert refused(cloud.functions.update_function_code, FunctionName=function.name, S3Bucket=bucket, S3Key="none") == (
        400, "InvalidParameterValueException", "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.")
    assert "NoSuchBucket" in refused(cloud.functions.update_function_code, FunctionName=function.name, S3Bucket="no-such", S3Key="none")[2]
    cloud.make_bucket(bucket + "-far", region="eu-west-1")
    assert "eu-west-1" in refused(cloud.functions.update_function_code, FunctionName=function.name, S3Bucket=bucket + "-far", S3Key="code")[2]


def zip_of_zeros(size):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive, archive.open("zeros", "w", force_zip64=True) as out:
        for _ in range(size >> 20):
            out.write(bytes(1 << 20))
    return made.getvalue()


def test_bad_archives(cloud, function):
    update = cloud.functions.update_function_code
    garbage = (400, "InvalidParameterValueException", "Could not unzip uploaded file. Please check your file, then try to upload again.")
    assert refused(update, FunctionName=function.name, ZipFile=b"no zip") == garbage
    assert refused(update, FunctionName=function.name, ZipFile=pack(SECOND)[:-30]) == garbage
    assert "non-empty" in refused(update, FunctionName=function.name, ZipFile=pack({}))[2]
    assert refused(update, FunctionName=function.name, ZipFile=zip_of_zeros(251 << 20))[2] == "Unzipped size must be smaller than 262144000 bytes"


def test_bytes_in_a_request(cloud, function):
    answer = refused(cloud.functions.update_function_code, FunctionName=function.name, ZipFile=bytes((50 << 20) + 1))
    assert answer == (413, "RequestEntityTooLargeException", "Request must be smaller than 70167211 bytes for the UpdateFunctionCode operation")


def test_image_function_takes_no_zip(cloud, name):
    cloud.functions.create_function(FunctionName=name, PackageType="Image", Role=cloud.make_role(), Code={"ImageUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/a:b"})
    assert cloud.await_function(name)["PackageType"] == "Image"
    assert "ImageUri" in refused(cloud.functions.update_function_code, FunctionName=name, ZipFile=pack(ECHO))[2]


def test_versions_and_aliases(cloud, function):
    functions, sha = cloud.functions, cloud.functions.get_function(FunctionName=function.name)["Configuration"]["CodeSha256"]
    first = functions.publish_version(FunctionName=function.name, CodeSha256=sha)
    assert first["Version"] == "1" and functions.publish_version(FunctionName=function.name)["Version"] == "1"
    alias = functions.create_alias(FunctionName=function.name, Name="live", FunctionVersion="1")
    functions.update_function_code(FunctionName=function.name, ZipFile=pack(SECOND))
    new = cloud.await_function(function.name)["CodeSha256"]
    assert refused(functions.publish_version, FunctionName=function.name, CodeSha256=sha)[1] == "InvalidParameterValueException"
    assert functions.publish_version(FunctionName=function.name, CodeSha256=new)["Version"] == "2"
    assert cloud.invoke(function.name, 1, Qualifier="live") == (1, None) and cloud.invoke(function.name, 1) == ("second", None)
    moved = functions.update_alias(FunctionName=function.name, Name="live", FunctionVersion="2", RevisionId=alias["RevisionId"])
    assert moved["RevisionId"] != alias["RevisionId"] and cloud.invoke(f"{function.name}:live", 1) == ("second", None)
    assert refused(functions.update_alias, FunctionName=function.name, Name="live", FunctionVersion="1", RevisionId=alias["RevisionId"])[0] == 412
    assert refused(functions.update_alias, FunctionName=function.name, Name="live", FunctionVersion="7")[0] == 404
    assert refused(functions.get_alias, FunctionName=function.name, Name="none")[:2] == (404, "ResourceNotFoundException")
    assert [v["Version"] for v in functions.list_versions_by_function(FunctionName=function.name)["Versions"]] == ["$LATEST", "1", "2"]
    assert refused(functions.delete_function, FunctionName=function.name, Qualifier="2")[0] == 409


def test_configuration_makes_a_version(cloud, function):
    cloud.functions.publish_version(FunctionName=function.name)
    cloud.functions.update_function_configuration(FunctionName=function.name, Timeout=9, Environment={"Variables": {"A": "1"}})
    assert cloud.await_function(function.name)["Environment"] == {"Variables": {"A": "1"}}
    assert cloud.functions.publish_version(FunctionName=function.name)["Version"] == "2"
    assert "AWS_REGION" in refused(cloud.functions.update_function_configuration, FunctionName=function.name, Environment={"Variables": {"AWS_REGION": "x"}})[2]
    assert refused(cloud.functions.update_function_configuration, FunctionName=function.name, Runtime="python9")[1] == "InvalidParameterValueException"


def test_permissions(cloud, function):
    functions = cloud.functions
    assert refused(functions.get_policy, FunctionName=function.name)[0] == 404
    cloud.allow_url(function.name)
    found = functions.get_policy(FunctionName=function.name)
    assert [s["Condition"] for s in json.loads(found["Policy"])["Statement"]] == [
        {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}, {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}]
    assert refused(functions.add_permission, FunctionName=function.name, StatementId="url", Action="lambda:InvokeFunction", Principal="*")[:2] == (409, "ResourceConflictException")
    assert refused(functions.remove_permission, FunctionName=function.name, StatementId="url", RevisionId="old")[0] == 412
    functions.remove_permission(FunctionName=function.name, StatementId="url", RevisionId=found["RevisionId"])
    assert refused(functions.remove_permission, FunctionName=function.name, StatementId="url")[0] == 404


def test_deleted_function(cloud, function):
    assert cloud.invoke(function.name) == ({}, None)
    cloud.functions.delete_function(FunctionName=function.name)
    assert refused(cloud.functions.get_function, FunctionName=function.name)[0] == 404
    assert cloud.make_function(function.name, SECOND) and cloud.invoke(function.name) == ("second", None)


# Running

FAILURES = """
import os, sys, time
def raises(event, context): raise KeyError("count")
def exits(event, context): sys.exit(3)
def dies(event, context): os._exit(4)
def hangs(event, context):
    print("before", flush=True)
    time.sleep(60)
def odd(event, context): return {1, 2}
"""


@pytest.mark.parametrize("handler,kind,message", [
    ("app.raises", "KeyError", "'count'"), ("app.dies", "Runtime.ExitError", "exit status 4"), ("app.exits", "Runtime.ExitError", "exit status 3"),
    ("app.hangs", "Sandbox.Timedout", "Task timed out after 1.00 seconds"), ("app.odd", "Runtime.MarshalError", "not JSON serializable"),
    ("app.none", "Runtime.HandlerNotFound", "Handler 'none' missing on module 'app'"), ("none.handler", "Runtime.ImportModuleError", "No module named 'none'"),
    ("handler", "Runtime.MalformedHandlerName", "Bad handler"),
])
def test_failing_handlers(cloud, name, handler, kind, message):
    cloud.make_function(name, {"app.py": FAILURES}, handler=handler, Timeout=1)
    answer, error = cloud.invoke(name)
    assert error == "Unhandled" and answer["errorType"] == kind and message in answer["errorMessage"]
    assert cloud.function_log(name).count("START") == 1


def test_closed_files_are_not_read(cloud, name):
    """Lambda's user does not own the code; ZipFile.writestr makes files that only their owner may read."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("app.py", ECHO["app.py"])
    cloud.make_function(name, ECHO)
    cloud.functions.update_function_code(FunctionName=name, ZipFile=made.getvalue())
    cloud.await_function(name)
    assert "Permission denied" in cloud.invoke(name)[0]["errorMessage"]


WARM = """
import os
calls = 0
def handler(event, context):
    global calls
    calls += 1
    print("call", calls)
    return [os.getpid(), calls, os.environ.get("STAGE"), context.function_name, context.get_remaining_time_in_millis() > 0]
"""


def test_warm_child_ends_with_its_code(cloud, name):
    cloud.make_function(name, {"app.py": WARM}, Environment={"Variables": {"STAGE": "test"}})
    (pid, *first), (again, *second) = cloud.invoke(name)[0], cloud.invoke(name)[0]
    assert pid == again and (first, second) == ([1, "test", name, True], [2, "test", name, True])
    assert cloud.function_state(name)["processes"] == [pid] and "call 1\n" in cloud.function_log(name)
    cloud.functions.update_function_code(FunctionName=name, ZipFile=pack(SECOND))
    cloud.await_function(name)
    assert cloud.invoke(name)[0] == "second" and pid not in cloud.function_state(name)["processes"]


def test_reserved_concurrency(cloud, function):
    cloud.functions.put_function_concurrency(FunctionName=function.name, ReservedConcurrentExecutions=0)
    assert refused(cloud.functions.invoke, FunctionName=function.name)[:2] == (429, "TooManyRequestsException")
    assert cloud.functions.get_function(FunctionName=function.name)["Concurrency"] == {"ReservedConcurrentExecutions": 0}
    cloud.functions.delete_function_concurrency(FunctionName=function.name)
    assert cloud.invoke(function.name, 1) == (1, None)


def test_event_invocation_and_tail(cloud, function):
    assert cloud.functions.invoke(FunctionName=function.name, InvocationType="DryRun")["StatusCode"] == 204
    assert cloud.functions.invoke(FunctionName=function.name, InvocationType="Event", Payload=b"{}")["StatusCode"] == 202
    reply = cloud.functions.invoke(FunctionName=function.name, Payload=b"[]", LogType="Tail")
    assert b"START RequestId" in base64.b64decode(reply["LogResult"]) and reply["ExecutedVersion"] == "$LATEST"
    assert refused(cloud.functions.invoke, FunctionName=function.name, Payload=b"{no")[1] == "InvalidRequestContentException"


def test_layers(cloud, name):
    layer = cloud.functions.publish_layer_version(LayerName=name, Content={"ZipFile": pack({"python/extra.py": "VALUE = 42"})})
    cloud.make_function(name, {"app.py": "import extra\ndef handler(e, c): return extra.VALUE"}, Layers=[layer["LayerVersionArn"]])
    assert cloud.invoke(name) == (42, None)


COUNTER = """
import boto3, os
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
client = boto3.client("dynamodb")
def handler(event, context):
    key = {"id": {"S": event["ip"]}}
    try:
        client.transact_write_items(TransactItems=[
            {"Put": {"TableName": table.name, "Item": key, "ConditionExpression": "attribute_not_exists(id)"}},
            {"Update": {"TableName": table.name, "Key": {"id": {"S": "total"}}, "UpdateExpression": "ADD visits :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}}])
    except client.exceptions.TransactionCanceledException as error:
        return [r["Code"] for r in error.response["CancellationReasons"]]
    return int(table.get_item(Key={"id": "total"})["Item"]["visits"])
"""


def test_dynamodb_from_a_handler(cloud, name):
    """Temporary keys, verified signatures, and a transaction's reasons."""
    cloud.client("dynamodb").create_table(TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                                          AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])
    cloud.make_function(name, {"app.py": COUNTER}, Environment={"Variables": {"TABLE": name}}, Timeout=20)
    assert [cloud.invoke(name, {"ip": ip})[0] for ip in ("a", "b", "a")] == [1, 2, ["ConditionalCheckFailed", "None"]]
    assert {e["operation"] for e in cloud.requests(service="dynamodb")} >= {"TransactWriteItems", "GetItem"}


def test_log_is_in_cloudwatch(cloud, name):
    cloud.make_function(name, {"app.py": WARM})
    cloud.invoke(name)
    cloud.invoke(name)
    found = cloud.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    assert [e["message"] for e in found if "call" in e["message"]] == ["call 1", "call 2"] and len({e["logStreamName"] for e in found}) == 1


def state_of(pid):
    """The letter of its state; Z and nothing are the same to us."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0].replace("Z", "")
    except OSError:
        return ""


def test_children_of_a_killed_cloud_end(tmp_path):
    """Nobody tells them, and one of them is in the middle of something."""
    slow = {"app.py": "import time\ndef handler(event, context):\n    print('busy', flush=True)\n    time.sleep(60)"}
    with LocalCloud(tmp_path) as cloud:
        cloud.make_function("warm", {"app.py": WARM})
        cloud.make_function("slow", slow, Timeout=60)
        cloud.invoke("warm")
        cloud.functions.invoke(FunctionName="slow", InvocationType="Event", Payload=b"{}")
        deadline = time.monotonic() + 20
        while not cloud.function_state("slow")["processes"]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        pids = cloud.function_state("warm")["processes"] + cloud.function_state("slow")["processes"]
        os.kill(cloud.pid, signal.SIGKILL)
    assert len(pids) == 2
    while any(map(state_of, pids)):
        assert time.monotonic() < deadline, [state_of(p) for p in pids]
        time.sleep(0.02)


def test_nothing_is_left_over(tmp_path):
    with LocalCloud(tmp_path) as cloud:
        cloud.make_function("warm", {"app.py": WARM})
        pid = cloud.invoke("warm")[0][0]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not (tmp_path / "functions").exists()
