"""The daemon's queue in PostgreSQL: the same rules, a server that goes away, a password."""

import collections
import os
import pathlib
import subprocess
import time

import postgres
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = pathlib.Path(os.environ.get("CRC_BUILD", ROOT / "build" / "asan")) / "tests"
PUT = TESTS / "daemon_queue_put"


@pytest.fixture(scope="module")
def server():
    with postgres.running() as running:
        yield running


@pytest.mark.parametrize("name", ["test_daemon_queue", "test_daemon_queue_model"])
def test_the_same_rules(server, name):
    env = {"CRC_PROPERTY_CASES": "600", **os.environ, "CRC_TEST_POSTGRES": server.url()}
    done = subprocess.run([TESTS / name], env=env, capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SKIPPED" not in done.stdout + done.stderr


def put(server, *arguments, user="crc", **env):
    return subprocess.run([PUT, server.url(user), *arguments], env={**os.environ, **env},
                          capture_output=True, text=True, timeout=60, check=False)


def test_a_password_of_its_own(server):
    server.ask("CREATE ROLE locked LOGIN SUPERUSER PASSWORD 'canary-pass'")
    assert put(server, "1", "50", user="locked", QUEUE_PASSWORD="canary-pass").returncode == 0
    wrong = put(server, "1", "50", user="locked", QUEUE_PASSWORD="canary-other")
    assert wrong.returncode == 1 and "authentication failed" in wrong.stderr
    assert put(server, "1", "50", user="locked").returncode == 1
    assert put(server, "1", "50", user="locked:canary-other",
               QUEUE_PASSWORD="canary-pass").returncode == 0, "goes before the URL's"
    assert "canary" not in wrong.stderr


def test_a_newer_schema_is_refused(server):
    server.ask("CREATE SCHEMA future; CREATE TABLE future.crc_version AS SELECT 999 AS version")
    done = subprocess.run([PUT, server.url() + "&options=-csearch_path%3Dfuture", "1", "50"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "newer crc-daemon" in done.stderr, done.stderr
    assert server.ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'future'") == [["1"]]


def test_no_server_is_said_at_once(server):
    begin = time.monotonic()
    done = subprocess.run([PUT, "postgresql:///x?host=/nonexistent", "1", "50"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "connect" in done.stderr
    assert time.monotonic() - begin < 30


def read_lines(child, most):
    """Reads this many lines, or all there are."""
    return [line.strip() for line, _ in zip(child.stdout, range(most), strict=False)]


def test_puts_go_on_after_the_server_crashed(server):
    with subprocess.Popen([PUT, server.url(), "8", "6000"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as child:
        before = read_lines(child, 200)
        server.stop("immediate")
        server.start()
        after, errors = child.communicate(timeout=60)
    assert child.returncode == 0, errors
    named = collections.Counter(name for [name] in server.ask("SELECT delivery FROM crc_job"))
    acknowledged = before + after.split()
    assert len(acknowledged) > 400, errors
    assert [name for name in acknowledged if named[name] != 1] == []
    assert server.ask("SELECT site FROM crc_job WHERE state = 0 GROUP BY site"
                      " HAVING count(*) > 1") == []
