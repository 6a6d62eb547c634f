"""Senders that hold on to connections: an honest one waits, but not for as long as they please."""

import contextlib
import select
import socket
import time

import pytest
from daemon_world import ZERO, Bare, Daemon, push_body, signed_headers

THREADS = 8
SLOW = 20


@pytest.fixture
def daemon(tmp_path):
    bare = Bare(tmp_path / "host")
    bare.first = bare.push()
    with Daemon(tmp_path / "daemon", {"a": {"repository": str(bare.path)}}, action="/bin/true",
                limits={"threads": THREADS, "body-time": "2s"}) as running:
        running.bare = bare
        yield running


def connect(daemon, head):
    connection = socket.create_connection(("127.0.0.1", daemon.port), timeout=30)
    connection.sendall(head)
    return connection


SLOW_HEAD = (b"POST /hooks/a HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
             b"Content-Length: 1000\r\n\r\n{")


def trickle(connections, seconds):
    """A byte each now and then; who was answered or cut by then, and with what."""
    ended = {}
    until = time.monotonic() + seconds
    while len(ended) < len(connections) and time.monotonic() < until:
        for connection in connections:
            if connection not in ended:
                with contextlib.suppress(OSError):
                    connection.sendall(b" ")
        for connection in select.select([c for c in connections if c not in ended], [], [], 0.2)[0]:
            with contextlib.suppress(ConnectionResetError):
                ended[connection] = connection.recv(4096)
            ended.setdefault(connection, b"")
    return list(ended.values())


def test_an_honest_sender_beside_slow_ones(daemon):
    """As many as hold all threads, twice over. None of their bodies ever comes to an end."""
    slow = [connect(daemon, SLOW_HEAD) for _ in range(SLOW)]
    began = time.monotonic()
    assert daemon.deliver("a", ZERO, daemon.bare.first[1])[0] == 202
    waited = time.monotonic() - began
    answers = trickle(slow, 20)
    # Three rounds, each at most body-time; with what a busy machine adds.
    assert waited < 15, waited
    assert len(answers) == SLOW
    assert all(b" 408 " in answer or answer == b"" for answer in answers), answers
    assert any(b" 408 " in answer for answer in answers)


def test_a_slow_body_alone_has_its_time(daemon):
    """Nobody waits for its thread: it is cut by body-time and not before."""
    body = push_body(ZERO, daemon.bare.first[1])
    head = "POST /hooks/a HTTP/1.1\r\nHost: x\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in signed_headers(body, "slow").items())
    whole = f"{head}Content-Length: {len(body)}\r\n\r\n".encode()
    connection = connect(daemon, whole + body[:10])
    time.sleep(1)
    connection.sendall(body[10:])
    assert b" 202 " in connection.recv(4096)
    late = connect(daemon, whole + body[:10])
    began = time.monotonic()
    assert b" 408 " in late.recv(4096)
    assert 1.5 < time.monotonic() - began < 10


def test_kept_connections_take_turns(daemon):
    """More than there are threads, each used without a pause: all are served, again and again."""
    def ask(connection):
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")

    done = dict.fromkeys(range(3 * THREADS), 0)
    connections = {}
    until = time.monotonic() + 20
    while min(done.values()) < 2 and time.monotonic() < until:
        for number in done:
            if number not in connections:
                connections[number] = connect(daemon, b"")
                ask(connections[number])
        numbers = {c: n for n, c in connections.items()}
        for ready in select.select(list(numbers), [], [], 0.2)[0]:
            with contextlib.suppress(ConnectionResetError):
                answer = ready.recv(4096)
            done[numbers[ready]] += b" 200 " in answer
            if b"keep-alive" in answer:
                ask(ready)
            else:
                ready.close()
                del connections[numbers[ready]]
    assert min(done.values()) >= 2, done


def status_of(connection):
    return connection.recv(4096).split(b" ", 2)[1]


def test_large_bodies_share_room(daemon):
    """Before it is known who sends them, they cannot fill the memory; small ones need no room."""
    head = SLOW_HEAD.replace(b"1000", b"%d" % (20 << 20))
    large = [connect(daemon, head) for _ in range(3)]
    time.sleep(0.3)
    with connect(daemon, head) as one_more:
        assert status_of(one_more) == b"503"
    assert daemon.deliver("a", ZERO, daemon.bare.first[1])[0] == 202
    # Given back, however they end.
    assert all(a.split(b" ", 2)[1] == b"408" for a in trickle(large, 20))
    with connect(daemon, head) as later:
        assert status_of(later) == b"408"
