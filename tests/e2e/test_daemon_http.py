"""Odd HTTP against the running daemon: each answer is right or the connection is closed, and the next
honest request is answered."""

import json
import shutil
import socket
import subprocess
import time

import pytest
from daemon_stage import stand_in
from daemon_world import Bare, Daemon, push_body, signed_headers, wait_for

WAIT_S = 15
HONEST = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /hooks/resume HTTP/1.1\r\nHost: x\r\n"
CLOSED = 0          # no answer at all


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    folder = tmp_path_factory.mktemp("http")
    bare = Bare(folder / "host")
    action, _ = stand_in(folder / "stand-in")
    made = Daemon(folder / "daemon", {"resume": {"repository": str(bare.path)}}, action=action,
                  limits={"body-time": "2s", "body": "4M"})
    made.bare = bare
    with made:
        yield made


class Wire:
    """A connection, on which bytes are written and answers read."""

    def __init__(self, daemon):
        self.socket = socket.create_connection(("127.0.0.1", daemon.port), WAIT_S)
        self.left = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def write(self, data):
        """False: the other side has closed."""
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def more(self):
        """False: the connection is closed."""
        try:
            got = self.socket.recv(65536)
        except ConnectionError:
            got = b""
        self.left += got
        return bool(got)

    def answer(self, method="GET"):
        """(status, {name: value}, body), or None when it is closed."""
        while b"\r\n\r\n" not in self.left:
            if not self.more():
                assert self.left == b"", self.left
                return None
        head, _, self.left = self.left.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1", first
        headers = {}
        assert status == "100" or "X-Content-Type-Options: nosniff" in lines
        for line in lines:
            name, _, value = line.partition(": ")
            assert name.lower() not in headers, lines
            headers[name.lower()] = value
        if int(status) == 100:
            return 100, headers, b""
        n = 0 if method == "HEAD" else int(headers.get("content-length", -1))
        while n < 0 or len(self.left) < n:
            if not self.more():
                assert n < 0, "closed within a body"
                n = len(self.left)
        body, self.left = self.left[:n], self.left[n:]
        return int(status), headers, body

    def is_over(self):
        while self.more():
            pass
        return self.left == b""


def check_honest(daemon):
    status, _, body = daemon.request("GET", "/healthz", timeout=WAIT_S)
    assert (status, body) == (200, b"ok\n")


def check_after(wire, answer):
    """What the answer says of the connection is what happens."""
    _, headers, _ = answer
    assert "access-control-allow-origin" not in headers
    assert "transfer-encoding" not in headers
    if headers.get("connection") == "keep-alive":
        assert wire.left == b""
        assert wire.write(HONEST)
        follows = wire.answer()
        assert follows and (follows[0], follows[2]) == (200, b"ok\n"), follows
        assert wire.left == b""
    else:
        assert headers.get("connection") == "close", headers
        assert wire.is_over(), wire.left


def get(path="/healthz", *headers, method="GET", version="HTTP/1.1"):
    lines = [f"{method} {path} {version}", "Host: x", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def post(*headers, body=b"{}", path="/hooks/resume"):
    return get(path, *headers, method="POST") + body


LONG = "x" * 8192
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
CASES = {
    # Request lines
    "no-path": (b"GET\r\n\r\n", {400, CLOSED}),
    "http-0.9": (b"GET /healthz\r\n\r\n", {400, CLOSED}),
    "http-0.9-bare": (b"GET /healthz\n\n", {400, CLOSED}),
    "three-words": (b"GET /healthz x HTTP/1.1\r\n\r\n", {400, CLOSED}),
    "no-slash": (b"GET healthz HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404, CLOSED}),
    "star": (get("*", method="OPTIONS"), {400, 404, 405, CLOSED}),
    "unknown-method": (get(method="FOO"), {400, 405, 501, CLOSED}),
    "lower-method": (get(method="get"), {400, 405, 501, CLOSED}),
    "long-method": (get(method="G" * 5000), {400, 405, 501, CLOSED}),
    "http-2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505, CLOSED}),
    "http-1.9": (get(version="HTTP/1.9"), {200, 400, 505, CLOSED}),
    "http-7": (get(version="HTTP/7.0"), {400, 505, CLOSED}),
    "no-version-number": (get(version="HTTP/"), {400, 505, CLOSED}),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) + b"\r\n\r\n",
            {400, CLOSED}),
    "only-lines": (b"\r\n" * 50 + b"x\r\n\r\n", {400, CLOSED}),
    "nul-in-path": (b"GET /health\0z HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404, CLOSED}),
    "control-in-path": (b"GET /\x01\x7f HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404, CLOSED}),
    "utf-8-in-path": ("GET /é HTTP/1.1\r\nHost: x\r\n\r\n".encode(), {400, 404, CLOSED}),
    # Paths
    # CivetWeb takes them for its own address only, which it has none of
    "absolute": (get("http://x/healthz"), {200, 400, 404, CLOSED}),
    "absolute-other": (get("http://other.example.com:81/healthz"), {200, 400, 404, CLOSED}),
    "absolute-none": (get("http://"), {400, 404, CLOSED}),
    "encoded": (get("/%68ealthz"), {404}),
    "encoded-nul": (get("/healthz%00"), {400, 404, CLOSED}),
    "encoded-bad": (get("/healthz%zz%"), {400, 404}),
    "dots": (get("/x/../healthz"), {404}),
    "dots-encoded": (get("/%2e%2e/healthz"), {404}),
    "dots-up": (get("/../../../../etc/passwd"), {404}),
    "one-dot": (get("/./healthz"), {404}),
    "two-slashes": (get("//healthz"), {404}),
    "slash-behind": (get("/healthz/"), {404}),
    "backslash": (get("/..\\..\\healthz"), {400, 404}),
    "query": (get("/healthz?a=b&%00"), {200}),
    "long-url": (get("/" + LONG), {404}),
    "long-query": (get("/healthz?" + LONG), {200}),
    "too-long-url": (get("/" + LONG * 3), {400, 413, 414, 431, CLOSED}),
    "hook-dots": (post("Content-Length: 2", path="/hooks/../hooks/resume"), {404}),
    "hook-encoded": (post("Content-Length: 2", path="/hooks/%72esume"), {404}),
    # Headers
    "huge-header": (get("/healthz", "X: " + LONG * 3), {400, 413, 431, CLOSED}),
    "many-headers": (get("/healthz", *(f"X-{i}: y" for i in range(200))), {200, 400, 413, 431, CLOSED}),
    "nul-in-header": (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n", {200, 400, CLOSED}),
    "no-colon": (get("/healthz", "what is this"), {200, 400, CLOSED}),
    "no-name": (get("/healthz", ": x"), {200, 400, CLOSED}),
    "bare-lf": (b"GET /healthz HTTP/1.1\nHost: x\n\n", {200, 400, CLOSED}),
    "no-host": (b"GET /healthz HTTP/1.1\r\n\r\n", {200, 400}),
    "two-hosts": (get("/healthz", "Host: y"), {200, 400}),
    "folded": (get("/healthz", "X: a", " b"), {200, 400, CLOSED}),
    # Framing: one answer at most, whatever is hidden in a body
    "te-and-cl": (post("Content-Length: 4", "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HONEST),
                  {400, CLOSED}),
    "te-only": (post("Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n" + HONEST), {400, CLOSED}),
    "te-unknown": (post("Transfer-Encoding: gzip", body=HONEST), {400, 411, 501, CLOSED}),
    "te-identity": (post("Transfer-Encoding: identity", body=HONEST), {400, 411, 501, CLOSED}),
    "te-twice": (post("Transfer-Encoding: chunked", "Transfer-Encoding: x", body=b"0\r\n\r\n"),
                 {400, 501, CLOSED}),
    "te-on-get": (get("/healthz", "Transfer-Encoding: chunked") + b"0\r\n\r\n" + HONEST,
                  {200, 400, CLOSED}),
    "te-bad-chunk": (post("Transfer-Encoding: chunked", body=b"ffffffffffffffffff\r\n"), {400, CLOSED}),
    "cl-twice": (post("Content-Length: 2", "Content-Length: 2"), {400, CLOSED}),
    "cl-differs": (post("Content-Length: 2", "Content-Length: 40", body=b"{}" + HONEST), {400, CLOSED}),
    "cl-list": (post("Content-Length: 2, 2"), {400, 411, CLOSED}),
    "cl-overflow": (post("Content-Length: 99999999999999999999999999"), {400, 413, CLOSED}),
    "cl-wraps": (post("Content-Length: 18446744073709551618"), {400, 413, CLOSED}),
    "cl-large": (post("Content-Length: 9223372036854775807"), {400, 413, CLOSED}),
    "cl-negative": (post("Content-Length: -1"), {400, 411, CLOSED}),
    "cl-plus": (post("Content-Length: +2"), {400, 411, CLOSED}),
    "cl-hex": (post("Content-Length: 0x2"), {400, 411, CLOSED}),
    "cl-empty": (post("Content-Length:"), {400, 411, CLOSED}),
    "cl-space": (post("Content-Length : 2"), {400, 401, 411, CLOSED}),
    "cl-behind-space": (post("Content-Length:    2   "), {401}),
    "cl-hides-a-request": (post("Content-Length: 0x40", body=b"{}" + HONEST), {400, 411, CLOSED}),
    "expect-hides-a-request": (post("Expect: 100-continue", f"Content-Length: {len(HONEST)}",
                                    path="/hooks/other", body=HONEST), {404}),
    "close-hides-a-request": (get("/healthz", "Connection: close, keep-alive") + HONEST, {200}),
    "cl-none": (post(body=b""), {411}),
    "cl-zero": (post("Content-Length: 0", body=b""), {401}),
    "too-big": (post("Content-Length: 5000000"), {413}),
    "get-with-body": (get("/healthz", "Content-Length: 5") + b"hello", {200}),
    "unsigned": (post("Content-Length: 2"), {401}),
    "no-site": (post("Content-Length: 2", path="/hooks/other"), {404}),
    "put-hook": (get("/hooks/resume", "Content-Length: 2", method="PUT") + b"{}", {405}),
    # Methods
    "head-404": (get("/nothing", method="HEAD"), {404}),
    "trace": (get("/healthz", "X-Secret: 7", method="TRACE"), {400, 405, 501, CLOSED}),
    "connect": (get("other.example.com:443", method="CONNECT"), {400, 404, 405, CLOSED}),
    "delete": (get("/", method="DELETE"), {405}),
    "propfind": (get("/", "Depth: 1", method="PROPFIND"), {405, 501}),
    "preflight": (get("/hooks/resume", "Origin: http://evil.example.com",
                      "Access-Control-Request-Method: POST", method="OPTIONS"), {405}),
    "cross-origin": (get("/status.json", "Origin: http://evil.example.com"), {200}),
    "websocket": (get("/", *UPGRADE), {200, 400, 404, 426}),
    "h2c": (get("/healthz", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
                "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"), {200}),
    "range": (get("/healthz", "Range: bytes=0-0"), {200}),
    "connection-list": (get("/healthz", "Connection: close, keep-alive"), {200}),
    "connection-close": (get("/healthz", "Connection: close"), {200}),
    "http-1.0": (get(version="HTTP/1.0"), {200}),
    "http-1.0-kept": (get("/healthz", "Connection: keep-alive", version="HTTP/1.0"), {200}),
}


@pytest.mark.parametrize("name", CASES)
def test_odd_request(daemon, name):
    data, allowed = CASES[name]
    method = "HEAD" if data.startswith(b"HEAD") else "GET"
    with Wire(daemon) as wire:
        wire.write(data)
        answer = wire.answer(method)
        assert (answer[0] if answer else CLOSED) in allowed, answer
        if answer:
            assert b"X-Secret" not in answer[2]
            began = time.monotonic()
            check_after(wire, answer)
            assert time.monotonic() - began < 3, "said to close, and did not"
    check_honest(daemon)


@pytest.mark.parametrize("version, header, kept", [
    ("HTTP/1.1", None, True), ("HTTP/1.1", "close", False), ("HTTP/1.0", None, False),
    ("HTTP/1.0", "keep-alive", True), ("HTTP/1.1", "keep-alive", True)])
def test_who_keeps_connections(daemon, version, header, kept):
    with Wire(daemon) as wire:
        wire.write(get("/healthz", *([f"Connection: {header}"] if header else []), version=version))
        answer = wire.answer()
        assert answer[1]["connection"] == ("keep-alive" if kept else "close")
        check_after(wire, answer)


@pytest.mark.parametrize("name, status", [
    ("no-site", 404), ("put-hook", 405), ("delete", 405), ("long-url", 404), ("cl-none", 411),
    ("unsigned", 401), ("get-with-body", 200)])
def test_refused_requests_keep_the_connection(daemon, name, status):
    """Ten in a row on one connection, for hosts and proxies that reuse theirs."""
    with Wire(daemon) as wire:
        for _ in range(10):
            assert wire.write(CASES[name][0])
            answer = wire.answer()
            assert answer[0] == status
            assert answer[1]["connection"] == "keep-alive"


def test_closed_connections_are_counted_once(daemon):
    """Threads that are in use are counted: a count that is wrong would end kept connections early."""
    for _ in range(40):
        with Wire(daemon) as wire:
            wire.write(get("/healthz", "Connection: close, keep-alive"))
            check_after(wire, wire.answer())
    with Wire(daemon) as wire:
        began = time.monotonic()
        while time.monotonic() - began < 1.5:
            wire.write(HONEST)
            assert wire.answer()[1]["connection"] == "keep-alive"


def signed_post(daemon, *headers, padding=0, site="resume"):
    """(the request's head, its body) of a push that is accepted."""
    body = push_body(*daemon.bare.push({"a": str(time.monotonic_ns())})) + b" " * padding
    lines = [f"{name}: {value}" for name, value in
             signed_headers(body, f"d-{time.monotonic_ns()}").items()]
    return get(f"/hooks/{site}", *lines, f"Content-Length: {len(body)}", *headers, method="POST"), body


def test_pipelining(daemon):
    head, body = signed_post(daemon)
    with Wire(daemon) as wire:
        wire.write(get("/nothing") + head + body + get("/healthz", method="HEAD") + HONEST)
        assert wire.answer()[0] == 404
        assert wire.answer()[0] == 202
        status, headers, _ = wire.answer("HEAD")
        assert (status, headers["content-length"]) == (200, "3")
        check_after(wire, wire.answer())


def test_byte_by_byte(daemon):
    head, body = signed_post(daemon)
    with Wire(daemon) as wire:
        for byte in head + body:
            wire.write(bytes([byte]))
        answer = wire.answer()
        assert answer[0] == 202
        check_after(wire, answer)


def test_expect_continue(daemon):
    head, body = signed_post(daemon, "Expect: 100-continue", padding=2_000_000)
    with Wire(daemon) as wire:
        wire.write(head)
        assert wire.answer()[0] == 100
        wire.write(body)
        answer = wire.answer()
        assert answer[0] == 202
        check_after(wire, answer)


@pytest.mark.parametrize("length, status", [("5000000", 413), ("2", 404)])
def test_expect_continue_is_refused(daemon, length, status):
    """A body that is not wanted is not asked for."""
    path = "/hooks/resume" if status == 413 else "/hooks/other"
    with Wire(daemon) as wire:
        wire.write(get(path, "Expect: 100-continue", f"Content-Length: {length}", method="POST"))
        answer = wire.answer()
        assert answer[0] == status
        check_after(wire, answer)
    check_honest(daemon)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("options", [[], ["--http1.0"], ["-H", "Expect:"]])
def test_curl_with_two_megabytes(daemon, tmp_path, options):
    """curl asks first before it sends so much."""
    head, body = signed_post(daemon, padding=2_000_000)
    file = tmp_path / "body"
    file.write_bytes(body)
    headers = [arg for line in head.decode().split("\r\n")[2:] if line
               and not line.startswith("Content-Length") for arg in ("-H", line)]
    began = time.monotonic()
    done = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--max-time", "30", *options, *headers, "--data-binary",
         f"@{file}", f"http://127.0.0.1:{daemon.port}/hooks/resume"],
        capture_output=True, check=False, timeout=40)
    assert json.loads(done.stdout)["result"] in ("queued", "coalesced"), done
    assert time.monotonic() - began < 10


def test_early_close(daemon):
    """Anywhere in a request, by ending or by breaking the connection; nothing of it is taken."""
    before = len(daemon.jobs("resume"))
    head, body = signed_post(daemon, padding=100_000)
    whole = head + body
    for n in (1, 5, len(head) - 3, len(head), len(head) + 1, len(head) + 50_000, len(whole) - 1):
        with Wire(daemon) as wire:
            wire.write(whole[:n])
        with Wire(daemon) as wire:
            wire.write(whole[:n])
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        with Wire(daemon) as wire:
            wire.write(whole[:n])
            wire.socket.shutdown(socket.SHUT_WR)
            answer = wire.answer()
            assert answer is None or answer[0] in (400, 408), answer
    check_honest(daemon)
    assert len(daemon.jobs("resume")) == before


def test_nobody_reads_the_answer(daemon):
    """Requests for large answers, one after the other, and never a recv()."""
    with Wire(daemon) as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.socket.settimeout(1)
        for _ in range(2000):
            if not wire.write(get("/page.js")):
                break
        check_honest(daemon)
    check_honest(daemon)


def test_body_that_does_not_come(daemon):
    """Its deadline is 2 s, and honest requests do not wait for it."""
    head, body = signed_post(daemon)
    began = time.monotonic()
    with Wire(daemon) as wire:
        wire.write(head + body[:-1])
        check_honest(daemon)
        assert time.monotonic() - began < 1.5
        answer = wire.answer()
        assert answer[0] == 408
        assert 1.5 < time.monotonic() - began < 6
        check_after(wire, answer)


def test_at_last(daemon):
    """After all that, a push is deployed."""
    head, body = signed_post(daemon)
    with Wire(daemon) as wire:
        wire.write(head + body)
        assert wire.answer()[0] == 202
    wait_for(lambda: daemon.jobs("resume")[0]["state"] == "done")
    assert daemon.process.poll() is None
