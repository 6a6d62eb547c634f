"""run/function against the local cloud's Lambda: what is sent, what others do meanwhile, what is told."""

import itertools
import json

import pytest
from cloud.lambda_code import pack
from driven import drive, operations, sha256

_names = itertools.count(1)


def source(word):
    return {"app.py": f"def handler(event, context):\n    return {word!r}\n"}


NEW = pack(source("new"))
OLD_SHA, NEW_SHA = sha256(pack(source("old"))), sha256(NEW)


@pytest.fixture
def name(cloud):
    made = f"mailer{next(_names)}"
    cloud.make_function(made, source("old"), Environment={"Variables": {"KEEP": "me"}})
    cloud.reset_log()
    return made


@pytest.fixture
def deploy(cloud, name, tmp_path):
    def run(data=NEW, **job):
        file = tmp_path / "code.zip"
        file.write_bytes(data)
        return drive(cloud, "function", job.pop("function", name), zip=str(file), sha256=sha256(data), **job)
    return run


def test_new_code_runs_and_settings_stay(cloud, name, deploy):
    done = deploy()
    assert done["changed"] and done["sha256"] == NEW_SHA and not done["moved"]
    assert cloud.invoke(name) == ("new", None)
    assert cloud.functions.get_function_configuration(FunctionName=name)["Environment"] == {"Variables": {"KEEP": "me"}}
    assert set(operations(cloud, "lambda")) <= {"GetFunction", "UpdateFunctionCode", "Invoke", "GetFunctionConfiguration"}
    cloud.reset_log()
    assert not deploy()["changed"]
    assert operations(cloud, "lambda") == ["GetFunction"]


def test_code_in_s3(cloud, name):
    cloud.s3.create_bucket(Bucket=f"{name}-code")
    cloud.put_objects(f"{name}-code", {"k": NEW})
    done = drive(cloud, "function", name, bucket=f"{name}-code", key="k", sha256=NEW_SHA)
    assert done["changed"]
    assert cloud.invoke(name) == ("new", None)


def test_a_deleted_artefact(cloud, name):
    cloud.s3.create_bucket(Bucket=f"{name}-code")
    done = drive(cloud, "function", name, bucket=f"{name}-code", key="k", sha256=NEW_SHA)
    assert done["error"] == "service" and "NoSuchKey" in done["message"], done
    assert cloud.function_state(name)["running_sha256"] == OLD_SHA


def test_a_missing_function(cloud, deploy):
    done = deploy(function="nobody")
    assert done["error"] == "not-found", done
    assert done["message"] == ("function nobody is not in region us-east-1: check `function` in crc.yml, "
                               "or create it first with the tool that owns it")


def test_a_bad_zip(cloud, name, deploy):
    done = deploy(b"PK but nothing else")
    assert done["error"] == "config" and "Could not unzip uploaded file" in done["message"], done
    assert cloud.function_state(name)["running_sha256"] == OLD_SHA


def test_an_update_that_fails(cloud, name, deploy):
    cloud.change_function(name, fail_next="The role cannot be assumed.", fail_code="InsufficientRolePermissions")
    done = deploy()
    assert done["error"] == "service", done
    assert "update failed, InsufficientRolePermissions: The role cannot be assumed." in done["message"]
    assert cloud.invoke(name) == ("old", None)
    assert deploy()["changed"]
    assert cloud.invoke(name) == ("new", None)


def test_a_busy_function(cloud, name, deploy):
    cloud.change_function(name, busy=4)
    done = deploy()
    assert done["changed"], done
    assert f"function {name}: somebody else is changing it: waiting" in done["told"]
    assert operations(cloud, "lambda").count("UpdateFunctionCode") == 1


def test_one_that_stays_busy(cloud, name, deploy):
    cloud.change_function(name, busy=10**6)
    done = deploy(timeout_s=60)
    assert done["error"] == "timeout" and "somebody else is changing it" in done["message"], done
    cloud.change_function(name, busy=0)


def test_somebody_else_updates_it_meanwhile(cloud, name, deploy):
    cloud.change_function(name, replace=source("theirs"), after="GetFunction")
    done = deploy()
    assert done["changed"], done
    assert cloud.invoke(name) == ("new", None)
    # The first was refused by its revision.
    assert [e["status"] for e in cloud.requests(operation="UpdateFunctionCode")] == [412, 200]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation,times", [("UpdateFunctionCode", 1), ("UpdateFunctionCode", 5),
                                             ("PublishVersion", 1), ("UpdateAlias", 1), ("GetFunction", 1)])
def test_lost_answers(cloud, name, deploy, operation, when, times):
    first = cloud.functions.publish_version(FunctionName=name)["Version"]
    cloud.functions.create_alias(FunctionName=name, Name="live", FunctionVersion=first)
    cloud.rules({"when": {"operation": operation, "times": times}, "do": {"drop": when}})
    done = deploy(alias="live")
    assert done["moved"] and done["version"] == "2", done
    assert cloud.invoke(name, Qualifier="live") == ("new", None)
    versions = cloud.functions.list_versions_by_function(FunctionName=name)["Versions"]
    assert [v["Version"] for v in versions] == ["$LATEST", "1", "2"]


def test_throttling(cloud, name, deploy):
    for operation in ("GetFunction", "UpdateFunctionCode"):
        cloud.rules({"when": {"operation": operation, "times": 2},
                     "do": {"status": 429, "code": "TooManyRequestsException", "headers": {"Retry-After": "0"}}})
    assert deploy()["changed"]


def test_no_right_to_update(cloud, name, deploy):
    cloud.rules({"when": {"operation": "UpdateFunctionCode"}, "do": {
        "status": 403, "code": "AccessDeniedException", "message": "not authorized to perform: lambda:UpdateFunctionCode"}})
    done = deploy()
    assert done["error"] == "forbidden" and "lambda:UpdateFunctionCode" in done["message"], done


# Aliases


@pytest.fixture
def alias(cloud, name):
    first = cloud.functions.publish_version(FunctionName=name)["Version"]
    cloud.functions.create_alias(FunctionName=name, Name="live", FunctionVersion=first)
    cloud.reset_log()
    return "live"


def test_the_alias_follows(cloud, name, alias, deploy):
    done = deploy(alias=alias)
    assert done["changed"] and done["moved"] and done["version"] == "2", done
    assert cloud.invoke(name, Qualifier=alias) == ("new", None)
    cloud.reset_log()
    done = deploy(alias=alias)
    assert not done["changed"] and not done["moved"] and done["version"] == "2", done
    assert operations(cloud, "lambda") == ["GetFunction", "GetFunction"]


def test_settings_alone_move_no_alias(cloud, name, alias, deploy):
    """Others change settings for a release of their own."""
    deploy(alias=alias)
    cloud.functions.update_function_configuration(FunctionName=name, Description="theirs")
    cloud.await_function(name)
    done = deploy(alias=alias)
    assert not done["changed"] and not done["moved"] and done["version"] == "2", done


def test_a_missing_alias_changes_nothing(cloud, name, deploy):
    done = deploy(alias="live")
    assert done["error"] == "not-found" and f"function {name} has no alias live" in done["message"], done
    assert cloud.function_state(name)["running_sha256"] == OLD_SHA


def test_an_alias_that_lags_behind(cloud, name, alias, deploy):
    """As after a deploy that died in between."""
    deploy()
    done = deploy(alias=alias)
    assert not done["changed"] and done["moved"] and done["version"] == "2", done
    assert cloud.invoke(name, Qualifier=alias) == ("new", None)


def test_an_arn_is_asked_in_its_region(cloud, deploy, tmp_path):
    elsewhere = cloud.client("lambda", region="eu-west-1")
    made = elsewhere.create_function(FunctionName="far", Runtime="python3.12", Handler="app.handler", Role=cloud.make_role(),
                                     Code={"ZipFile": pack(source("old"))})
    done = deploy(function=made["FunctionArn"])
    assert done["changed"], done
    assert elsewhere.get_function(FunctionName="far")["Configuration"]["CodeSha256"] == NEW_SHA


def test_told_to_stop_while_it_waits(cloud, name, deploy):
    cloud.change_function(name, busy=10**6)
    done = deploy(cancel_when="waiting")
    assert done["error"] == "cancelled", json.dumps(done)
    cloud.change_function(name, busy=0)
