"""What visitors can make the counter do."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from botocore.exceptions import ClientError

NOON = datetime(2026, 3, 14, 12, tzinfo=timezone.utc)
ALICE, BOB = "198.51.100.7", "203.0.113.9"


def request(method="POST", viewer=ALICE, path="/api/visits", **headers):
    """An event as a function URL makes it behind CloudFront."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if viewer is not None:
        headers["cloudfront-viewer-address"] = f"{viewer}:54321"
    return {"version": "2.0", "rawPath": path, "rawQueryString": "", "headers": headers,
            "requestContext": {"http": {"method": method, "path": path, "sourceIp": "130.176.0.1"}},
            "isBase64Encoded": False}


def count(app, event, now=NOON):
    answer = app.respond(event, now)
    assert answer["statusCode"] == 200, answer
    return json.loads(answer["body"])["count"]


# Counting


def test_nobody_yet(app):
    assert count(app, request("GET")) == 0


def test_each_visitor_counts_once_a_day(app):
    seen = [count(app, request(viewer=viewer)) for viewer in (ALICE, BOB, ALICE, BOB, ALICE)]
    assert seen == [1, 2, 2, 2, 2]


def test_tomorrow_is_another_day(app):
    assert count(app, request(), NOON) == 1
    assert count(app, request(), NOON + timedelta(hours=11, minutes=59)) == 1
    assert count(app, request(), NOON + timedelta(hours=12)) == 2


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_asking_is_not_visiting(app, table, method):
    count(app, request())
    assert count(app, request(method, viewer=BOB)) == 1
    assert [item["id"][:7] for item in table.scan()["Items"] if item["id"][:7] == "visitor"] \
        == ["visitor"]


def test_a_page_that_nobody_looks_at_is_not_a_visit(app):
    assert count(app, request(sec_purpose="prefetch;prerender")) == 0
    assert count(app, request()) == 1


# Who is it?


@pytest.mark.parametrize(("one", "other", "same"), [
    ("198.51.100.7", "198.51.100.7", True),
    ("198.51.100.7", "198.51.100.8", False),
    # A home's devices change their addresses within its /64.
    ("2001:db8:1:2::1", "2001:db8:1:2:abcd:ef01:2345:6789", True),
    ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
    ("[2001:db8:1:2::1]", "2001:db8:1:2::1", True),
    ("::ffff:198.51.100.7", "198.51.100.7", True),
    ("::ffff:198.51.100.7", "::ffff:198.51.100.8", False),
])
def test_what_counts_as_one_visitor(app, one, other, same):
    count(app, request(viewer=one))
    assert count(app, request(viewer=other)) == (1 if same else 2)


def test_the_port_does_not_make_a_visitor(app):
    for port in (1, 54321):
        event = request(viewer=None, cloudfront_viewer_address=f"{ALICE}:{port}")
        assert count(app, event) == 1


def test_what_a_visitor_says_of_himself_is_not_believed(app):
    for forged in ("1.1.1.1", "2.2.2.2"):
        assert count(app, request(x_forwarded_for=forged)) == 1


def test_without_cloudfront_the_caller_is_the_visitor(app):
    event = request(viewer=None)
    assert count(app, event) == 1
    event["requestContext"]["http"]["sourceIp"] = BOB
    assert count(app, event) == 2


# What is kept


def test_no_address_is_stored(app, table):
    for viewer in (ALICE, "2001:db8:1:2::1"):
        count(app, request(viewer=viewer))
    stored = repr(table.scan()["Items"])
    assert ALICE not in stored and "2001:db8" not in stored


def test_the_same_visitor_is_another_hash_tomorrow(app, table):
    """So nobody can follow a visitor from day to day."""
    for days in range(3):
        count(app, request(), NOON + timedelta(days=days))
    ids = [item["id"] for item in table.scan()["Items"]]
    assert len([i for i in ids if i.startswith("visitor#")]) == 3
    assert sorted(i for i in ids if i.startswith("salt#")) == \
        ["salt#2026-03-14", "salt#2026-03-15", "salt#2026-03-16"]


def test_everything_but_the_total_expires(app, table):
    count(app, request())
    midnight = datetime(2026, 3, 15, tzinfo=timezone.utc).timestamp()
    items = {item["id"].split("#")[0]: item for item in table.scan()["Items"]}
    assert items.keys() == {"total", "salt", "visitor"}
    assert "ttl" not in items["total"]
    for kind in ("salt", "visitor"):
        assert midnight < items[kind]["ttl"] < midnight + 7200


def test_containers_share_the_salt(app):
    """A second container finds the first one's; with one of its own it would count twice."""
    count(app, request())
    app.salt_of.cache_clear()
    assert count(app, request()) == 1


def test_a_container_asks_for_the_salt_once(app, monkeypatch):
    made, put_item = [], app.dynamodb.put_item
    monkeypatch.setattr(app.dynamodb, "put_item", lambda **a: made.append(a) or put_item(**a))
    for viewer in (ALICE, BOB, "192.0.2.1"):
        count(app, request(viewer=viewer))
    assert len(made) == 1


# Many at once


class OneAtATime:
    """DynamoDB serialises requests that touch the same item; moto, in one process, does not.
    The first requests of all threads begin together, so that none has a head start."""

    def __init__(self, client, threads):
        self._client, self._lock = client, threading.Lock()
        self._start, self._begun = threading.Barrier(threads, timeout=30), threading.local()

    def __getattr__(self, name):
        method = getattr(self._client, name)
        if name == "exceptions":
            return method

        def call(**arguments):
            if not getattr(self._begun, "yes", False):
                self._begun.yes = True
                self._start.wait()
            with self._lock:
                return method(**arguments)
        return call


@pytest.mark.parametrize(("visitors", "visits"), [(1, 16), (16, 1), (4, 4)])
def test_a_rush(app, monkeypatch, visitors, visits):
    """Everybody comes at the same moment, some several times: each is counted once, and everybody
    sees himself counted. Sixteen containers, so nobody is spared the search for the salt."""
    threads = visitors * visits
    events = [request(viewer=f"192.0.2.{n % visitors}") for n in range(threads)]
    with monkeypatch.context() as during, ThreadPoolExecutor(threads) as pool:
        during.setattr(app, "dynamodb", OneAtATime(app.dynamodb, threads))
        during.setattr(app, "salt_of", app.salt_of.__wrapped__)
        seen = list(pool.map(lambda event: count(app, event), events))
    assert count(app, request("GET")) == visitors
    assert max(seen) == visitors and min(seen) >= 1


def cancelled(*codes):
    return ClientError({"Error": {"Code": "TransactionCanceledException", "Message": "cancelled"},
                        "CancellationReasons": [{"Code": code} for code in codes]},
                       "TransactWriteItems")


def failing(app, monkeypatch, *errors):
    """Lets the next transactions fail so; the list of all that were tried."""
    tried, todo, real = [], list(errors), app.dynamodb.transact_write_items

    def transact(**arguments):
        tried.append(arguments)
        if todo:
            error = todo.pop(0)
            raise app.dynamodb.exceptions.TransactionCanceledException(
                error.response, error.operation_name)
        return real(**arguments)
    monkeypatch.setattr(app.dynamodb, "transact_write_items", transact)
    return tried


@pytest.mark.parametrize("reason",
                         ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_collision_is_tried_again(app, monkeypatch, reason):
    tried = failing(app, monkeypatch, *[cancelled("None", reason)] * 3)
    assert count(app, request()) == 1
    assert len(tried) == 4


def test_a_collision_of_somebody_known_is_not(app, monkeypatch):
    tried = failing(app, monkeypatch, cancelled("ConditionalCheckFailed", "TransactionConflict"))
    assert count(app, request()) == 0
    assert len(tried) == 1


def test_trying_again_ends(app, monkeypatch):
    tried = failing(app, monkeypatch, *[cancelled("None", "TransactionConflict")] * 100)
    assert app.handler(request(), None)["statusCode"] == 500
    assert len(tried) == app.ATTEMPTS


def test_a_reason_that_stays_is_not_tried_again(app, monkeypatch):
    tried = failing(app, monkeypatch, cancelled("None", "ValidationError"))
    assert app.handler(request(), None)["statusCode"] == 500
    assert len(tried) == 1


# Answers


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/api/visits", 200), ("POST", "/api/visits", 200), ("HEAD", "/api/visits", 200),
    ("PUT", "/api/visits", 405), ("DELETE", "/api/visits", 405), ("PATCH", "/api/visits", 405),
    ("OPTIONS", "/api/visits", 405),
    ("POST", "/api/visits/", 404), ("POST", "/", 404), ("GET", "/api/../secrets", 404),
])
def test_status_and_headers(app, method, path, status):
    answer = app.handler(request(method, path=path), None)
    assert answer["statusCode"] == status
    headers = answer["headers"]
    assert headers["content-type"] == "application/json"
    assert headers["cache-control"] == "no-store"
    assert ("allow" in headers) == (status == 405)
    assert not [name for name in headers if name.startswith("access-control")]
    assert isinstance(json.loads(answer["body"]), dict)


@pytest.mark.parametrize("breaks", ["table", "address", "event"])
def test_errors_tell_nothing(app, table, caplog, breaks):
    event = request(viewer="not an address" if breaks == "address" else ALICE)
    if breaks == "table":
        table.delete()
    if breaks == "event":
        del event["requestContext"]
    answer = app.handler(event, None)
    assert (answer["statusCode"], answer["body"]) == (500, '{"error": "try again later"}')
    assert "Traceback" in caplog.text    # the log has it all
