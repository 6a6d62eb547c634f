"""A table as the template makes it, in this process, and the function before it."""

import importlib
import sys
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

COUNTER = Path(__file__).resolve().parents[1] / "counter"
TABLE = "visits"


@pytest.fixture
def table(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        dynamodb = boto3.resource("dynamodb")
        yield dynamodb.create_table(
            TableName=TABLE, BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}])


@pytest.fixture
def app(table, monkeypatch):
    """The function, loaded anew as in a new container, that never waits."""
    monkeypatch.setenv("TABLE", TABLE)
    monkeypatch.syspath_prepend(COUNTER)
    monkeypatch.delitem(sys.modules, "app", raising=False)
    module = importlib.import_module("app")
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    yield module
    sys.modules.pop("app", None)
