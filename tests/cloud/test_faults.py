"""Fault rules, the log, and requests that no client should send."""
import http.client
import json
import random
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, HTTPClientError

from cloud.client import SCRIPT
from cloud.test_s3 import error_of
from cloud.test_signature import signed


def put(cloud, bucket, key="k"):
    return cloud.s3.put_object(Bucket=bucket, Key=key, Body=b"data")


def test_answer_without_effect(cloud, bucket):
    cloud.rules({"when": {"operation": "PutObject", "nth": 2}, "do": {"status": 503, "code": "SlowDown", "headers": {"Retry-After": "1"}}})
    put(cloud, bucket, "one")
    assert error_of(cloud.s3.put_object, Bucket=bucket, Key="two", Body=b"") == (503, "SlowDown")
    put(cloud, bucket, "three")
    assert sorted(cloud.objects(bucket)) == ["one", "three"]


def test_times_and_path(cloud, bucket):
    ids = cloud.rules({"when": {"path_contains": "bad", "times": 2}, "do": {"status": 500}})
    codes = []
    for _ in range(3):
        try:
            codes.append(put(cloud, bucket, "bad")["ResponseMetadata"]["HTTPStatusCode"])
        except ClientError as error:
            codes.append(error.response["ResponseMetadata"]["HTTPStatusCode"])
    assert codes == [500, 500, 200] and cloud.rule_counts()[ids[0]] == 2


def test_raw_body(cloud, bucket):
    cloud.rules({"when": {}, "do": {"status": 503, "body": "<html>busy</html>", "content_type": "text/html"}})
    reply = cloud.raw("GET", f"/{bucket}/k", signed(cloud, "GET", f"/{bucket}/k"))
    assert (reply.status, reply.body, reply.headers["content-type"]) == (503, b"<html>busy</html>", "text/html")


def test_lost_answers(cloud, bucket):
    cloud.rules({"when": {"path_contains": "late"}, "do": {"after_effect_status": 500}}, {"when": {"path_contains": "gone"}, "do": {"drop": "after"}},
                {"when": {"path_contains": "never"}, "do": {"drop": "before"}})
    assert error_of(cloud.s3.put_object, Bucket=bucket, Key="late", Body=b"")[0] == 500
    for key in ("gone", "never"):
        with pytest.raises((ConnectionClosedError, EndpointConnectionError, HTTPClientError)):
            put(cloud, bucket, key)
    assert sorted(cloud.objects(bucket)) == ["gone", "late"]
    assert [(e["path"].rsplit("/", 1)[1], e["status"]) for e in cloud.requests(operation="PutObject")] == [("late", 500), ("gone", 0), ("never", 0)]


@pytest.mark.parametrize("at,there", [("before", False), ("after", True)])
def test_stall_and_release(cloud, bucket, at, there):
    cloud.rules({"when": {"operation": "PutObject"}, "do": {"stall_s": 60, "at": at}})
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(put, cloud, bucket)
        held = cloud.wait_for_stalled()
        assert held[0]["operation"] == "PutObject" and ("k" in cloud.objects(bucket)) == there
        cloud.s3.list_objects_v2(Bucket=bucket)  # nobody else waits
        assert cloud.release() == 1
        future.result(10)
    assert "k" in cloud.objects(bucket) and cloud.waiting() == []


def test_a_stalled_request_outlives_its_client(cloud, bucket):
    cloud.rules({"when": {"operation": "PutObject"}, "do": {"stall_s": 60}})
    address = urlsplit(cloud.endpoint)
    connection = http.client.HTTPConnection(address.hostname, address.port)
    connection.request("PUT", f"/{bucket}/k", b"x", signed(cloud, "PUT", f"/{bucket}/k", b"x"))
    cloud.wait_for_stalled()
    connection.close()
    cloud.release()
    deadline = time.monotonic() + 5
    while "k" not in cloud.objects(bucket) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "k" in cloud.objects(bucket)


def raw_exchange(cloud, data, timeout=10):
    address = urlsplit(cloud.endpoint)
    with socket.create_connection((address.hostname, address.port), timeout) as connection:
        connection.sendall(data)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


def get_bytes(cloud, bucket):
    headers = {**signed(cloud, "GET", f"/{bucket}/k"), "Connection": "close"}
    return (f"GET /{bucket}/k HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers.items()) + "\r\n").encode()


def test_truncate_and_drip(cloud, bucket):
    put(cloud, bucket)
    request = get_bytes(cloud, bucket)
    whole = raw_exchange(cloud, request)
    cloud.rules({"when": {"operation": "GetObject"}, "do": {"truncate": 30}})
    assert raw_exchange(cloud, request) == whole[:30]
    cloud.clear_rules()
    cloud.rules({"when": {"operation": "GetObject"}, "do": {"drip_ms": 0.1}})
    assert raw_exchange(cloud, request).endswith(b"data")


def test_date_offset(cloud, bucket):
    cloud.rules({"when": {"times": 1}, "do": {"date_offset_s": 3600}})
    assert error_of(cloud.s3.put_object, Bucket=bucket, Key="k", Body=b"") == (403, "RequestTimeTooSkewed")
    put(cloud, bucket)


def test_rules_with_typos_are_refused(cloud):
    for rule in ({"when": {"operatoin": "x"}, "do": {"status": 1}}, {"when": {}, "do": {"explode": 1}}, {"when": {}}, {"if": {}}, "x",
                 {"when": {"nth": "1"}, "do": {"status": 500}}, {"when": {}, "do": {"stall_s": -1}}, {"when": {}, "do": {"status": 7}}, {"when": [], "do": 1}):
        with pytest.raises(RuntimeError):
            cloud.rules(rule)


def test_edge_faults_are_apart(cloud, name):
    site = cloud.make_site(name)
    cloud.put_objects(name, {"a": b"1"})
    cloud.rules({"when": {"service": "edge", "times": 1}, "do": {"status": 502, "body": "bad"}})
    put(cloud, name)
    assert [cloud.view("/a", site.distribution).status for _ in range(2)] == [502, 200]


def test_log(cloud, bucket):
    put(cloud, bucket, "a b")
    error_of(cloud.s3.get_object, Bucket=bucket, Key="no")
    entries = cloud.requests()
    lines = [json.loads(line) for line in open(cloud.log)]
    assert entries == lines and [e["n"] for e in entries] == list(range(1, len(entries) + 1))
    stored = next(e for e in entries if e["operation"] == "PutObject")
    assert (stored["service"], stored["method"], stored["path"], stored["status"], stored["edge"]) == ("s3", "PUT", f"/{bucket}/a%20b", 200, False)
    assert stored["started"] <= stored["ended"] and stored["bytes_in"] > 4 and stored["bytes_out"] > 0
    assert cloud.requests(since=stored["n"])[0]["operation"] == "GetObject"


def test_overlap_is_visible(cloud, bucket):
    cloud.rules({"when": {"operation": "PutObject"}, "do": {"stall_s": 0.3}})
    threads = [threading.Thread(target=cloud.client("s3").put_object, kwargs={"Bucket": bucket, "Key": str(n), "Body": b""}) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spans = [(e["started"], e["ended"]) for e in cloud.requests(operation="PutObject")]
    assert max(s for s, _ in spans) < min(e for _, e in spans)


@pytest.mark.parametrize("data", [
    b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET nothing HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: h\r\nbroken\r\n\r\n",
    b"PUT /a/b HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"PUT /a/b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n",
    b"PUT /a/b HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"GET /%ff/%fe HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", b"GET /a?%ff=1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 8\r\n\r\nAction=\xff", b"BREW /x/y HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    b"GET /_cloud/log?since=x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", b"POST /_cloud/rules HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1\r\n\r\n{",
    b"GET /_cloud/objects?bucket=none HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
])
def test_malformed_requests_get_an_answer(cloud, data):
    reply = raw_exchange(cloud, data)
    assert reply.startswith(b"HTTP/1.1 4") and b"Traceback" not in reply
    assert cloud.now() > 0


def head_bytes(method, target, headers, *extra):
    lines = [f"{method} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in headers.items() if n.lower() != "content-length"), *extra]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def test_pipelining(cloud, bucket):
    headers = signed(cloud, "PUT", f"/{bucket}/k", b"hello")
    reply = raw_exchange(cloud, head_bytes("PUT", f"/{bucket}/k", headers, "Content-Length: 5") + b"hello" + get_bytes(cloud, bucket))
    assert reply.count(b"HTTP/1.1 200 OK") == 2 and reply.endswith(b"hello")


def test_chunks_are_read_but_s3_refuses_them(cloud, bucket):
    chunked = b'7\r\n{"advan\r\n8;x=y\r\nce_s":0}\r\n0\r\n\r\n'
    reply = raw_exchange(cloud, head_bytes("POST", "/_cloud/clock", {"Host": "x", "Connection": "close", "Transfer-Encoding": "chunked"}) + chunked)
    assert reply.startswith(b"HTTP/1.1 200")
    headers = {**signed(cloud, "PUT", f"/{bucket}/k", b"hi"), "Connection": "close"}
    reply = raw_exchange(cloud, head_bytes("PUT", f"/{bucket}/k", headers, "Transfer-Encoding: chunked") + b"2\r\nhi\r\n0\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 501") and b"Transfer-Encoding" in reply
    headers = {**signed(cloud, "PUT", f"/{bucket}/k"), "Connection": "close"}
    assert raw_exchange(cloud, head_bytes("PUT", f"/{bucket}/k", headers)).startswith(b"HTTP/1.1 411")


def test_expect_continue(cloud, bucket):
    headers = signed(cloud, "PUT", f"/{bucket}/k", b"hello")
    address = urlsplit(cloud.endpoint)
    with socket.create_connection((address.hostname, address.port), 10) as connection:
        connection.sendall((f"PUT /{bucket}/k HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers.items()) + "\r\n").encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(b"hello")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")


def test_half_a_body_has_no_effect(cloud, bucket):
    headers = signed(cloud, "PUT", f"/{bucket}/k", b"hello")
    address = urlsplit(cloud.endpoint)
    with socket.create_connection((address.hostname, address.port), 10) as connection:
        connection.sendall((f"PUT /{bucket}/k HTTP/1.1\r\nContent-Length: 5\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers.items()) + "\r\nhe").encode())
    deadline = time.monotonic() + 5
    while not cloud.requests(operation="PutObject") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert cloud.requests(operation="PutObject")[0]["aborted"] and cloud.objects(bucket) == {}


def test_mutated_requests_never_kill_it(cloud, bucket):
    """Seeded mutations of a good request: whatever comes back, the next good request works."""
    chance = random.Random(11)
    address = urlsplit(cloud.endpoint)
    good = get_bytes(cloud, bucket)
    for _ in range(300):
        data = bytearray(good)
        for _ in range(chance.randint(1, 6)):
            position = chance.randrange(len(data))
            action = chance.randrange(3)
            if action == 0:
                data[position] = chance.randrange(256)
            elif action == 1:
                del data[position:position + chance.randint(1, 8)]
            else:
                data[position:position] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 8)))
        with socket.create_connection((address.hostname, address.port), 10) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            received = connection.recv(65536)
        assert not received or received.startswith(b"HTTP/1.1 "), (data, received)
    put(cloud, bucket)
    assert not [e for e in cloud.requests() if e["status"] == 500]


def test_it_ends_with_its_parent(tmp_path):
    code = ("import sys, os; sys.path.insert(0, sys.argv[1]); from cloud.client import LocalCloud; "
            "c = LocalCloud(sys.argv[2]).start(); print(c.pid, flush=True); os._exit(0)")
    pid = int(subprocess.run([sys.executable, "-c", code, str(SCRIPT.parent.parent), str(tmp_path)], stdout=subprocess.PIPE, check=True).stdout)
    deadline = time.monotonic() + 10
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(pid)


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
