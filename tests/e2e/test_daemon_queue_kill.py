"""What the daemon's queue has acknowledged is in its file, whenever the process is killed."""

import collections
import contextlib
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PUT = pathlib.Path(os.environ.get("CRC_BUILD", ROOT / "build" / "asan")) / "tests/daemon_queue_put"

KILLS = 30
ACKNOWLEDGED_MOST = 400


def put_and_die(path, lines):
    """The names that were acknowledged before the process was killed."""
    with subprocess.Popen([PUT, path, "8", "60000", "7"], stdout=subprocess.PIPE, text=True) as child:
        # The moment is random: it is somewhere in the work of eight threads.
        names = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        names += child.stdout.readlines()
    assert child.returncode == -9
    assert names[-1].endswith("\n"), "the process ended by itself"
    return [name.strip() for name in names]


def check(path, acknowledged):
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        jobs = collections.Counter(name for (name,) in db.execute("SELECT delivery FROM crc_job"))
        known = collections.Counter(
            name for (name,) in db.execute("SELECT delivery FROM crc_delivery"))
        live = db.execute("SELECT site, count(*) FROM crc_job WHERE state = 0 GROUP BY site")
        assert all(count == 1 for _, count in live)
    assert [name for name in acknowledged if jobs[name] != 1] == []
    assert jobs == known, "a job and its delivery come together"


def test_every_acknowledged_put_survives(tmp_path):
    rng = random.Random(20)
    path = tmp_path / "queue.db"
    acknowledged = []
    for kill in range(KILLS):
        acknowledged += put_and_die(path, rng.randint(1, ACKNOWLEDGED_MOST))
        # At times our queue is the first to open what was left, at times SQLite alone.
        if kill % 3 == 0:
            check(path, acknowledged)
    check(path, acknowledged)
    assert subprocess.run([PUT, path, "1", "50"], capture_output=True, timeout=60,
                          check=False).returncode == 0
    assert len(acknowledged) == len(set(acknowledged)) > KILLS


def test_killed_while_the_file_is_made(tmp_path):
    """No line is awaited: it may die before, while and after the tables are made."""
    rng = random.Random(21)
    for attempt in range(10):
        path = tmp_path / f"{attempt}.db"
        with subprocess.Popen([PUT, path, "8", "60000"], stdout=subprocess.DEVNULL) as child:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(rng.uniform(0.0, 0.08))
            child.kill()
        done = subprocess.run([PUT, path, "1", "50"], capture_output=True, text=True, timeout=60,
                              check=False)
        assert done.returncode == 0, done.stderr
        check(path, done.stdout.split())


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace is installed")
def test_each_put_waits_for_the_disk(tmp_path):
    """A kill does not show this: what the kernel has survives the process, but not a power cut."""
    counts = tmp_path / "counts"
    done = subprocess.run(
        ["strace", "-f", "-c", "-e", "trace=fsync,fdatasync", "-o", counts,
         PUT, tmp_path / "queue.db", "1", "300"],
        # LeakSanitizer does not work in a process that is traced.
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}, capture_output=True, text=True,
        timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    syncs = sum(int(line.split()[3]) for line in counts.read_text().splitlines()
                if line.split()[-1:] in (["fsync"], ["fdatasync"]))
    assert syncs >= len(done.stdout.split()) > 0


def test_two_processes_make_and_share_a_file(tmp_path):
    path = tmp_path / "queue.db"
    children = [subprocess.Popen([PUT, path, "4", "500"], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True) for _ in range(4)]
    told = [child.communicate(timeout=60) for child in children]
    assert [child.returncode for child in children] == [0] * 4, told
    assert [errors for _, errors in told if errors] == []
    check(path, [name for out, _ in told for name in out.split()])
