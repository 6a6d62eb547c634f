"""Pushes from several threads to a daemon that is killed, and what must be true afterwards.

In the place of crc-action stands a shell script that writes down when it begins and ends, and takes
a moment. It holds a lock of its site's: two at once would be seen.
"""

import contextlib
import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

from daemon_world import Bare, Daemon

# The locks' descriptor is not for sleep, which may live on for a moment.
ACTION = """#!/bin/sh
here=$(dirname "$0")
while [ "$1" != --head ]; do shift; done
exec 9>>"$here/lock-$SITE"
flock -n 9 || echo "$SITE $2 overlap $$ $(date +%s.%N)" >>"$here/runs"
echo "$SITE $2 begin $$ $(date +%s.%N)" >>"$here/runs"
while [ -e "$here/hold-$SITE" ]; do sleep 0.1 9>&-; done
sleep "0.$(($$ % 3))" 9>&-
echo "$SITE $2 end $$ $(date +%s.%N)" >>"$here/runs"
printf '{"v":1,"type":"result","verdict":"done","head":"%s","changed":true,"exit":0}\\n' "$2"
"""

DONE, SUPERSEDED = 2, 3


class Line(NamedTuple):
    site: str
    head: str
    what: str
    pid: int
    at: float


class Acknowledged(NamedTuple):
    site: str
    delivery: str
    commit: str


def make_action(folder):
    action = Path(folder) / "action"
    action.write_text(ACTION)
    action.chmod(0o755)
    return action


def read_runs(folder):
    """What the stand-in wrote. The last line of one that was killed may be cut short."""
    runs = Path(folder) / "runs"
    lines = [line.split() for line in runs.read_text().splitlines()] if runs.exists() else []
    return [Line(site, head, what, int(pid), float(at))
            for site, head, what, pid, at in (line for line in lines if len(line) == 5)]


def children(pid):
    """Those of a process, by whichever thread of it."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, task.read_text().split())
    return found


class Storm:
    def __init__(self, folder, sites, program, seed=1):
        self.folder = Path(folder)
        self.rng = random.Random(seed)
        self.bares = {name: Bare(self.folder / name) for name in sites}
        self.daemon = Daemon(
            self.folder / "daemon",
            {name: {"repository": str(bare.path), "environment": {"SITE": name}}
             for name, bare in self.bares.items()},
            program=program, action=str(make_action(self.folder)),
            limits={"lease": "2s", "attempts": 100, "workers": 3})
        self.acknowledged, self.kills, self.errors = [], [], []
        self.over = threading.Event()

    def __enter__(self):
        self.daemon.start()
        return self

    def __exit__(self, *_):
        """Whatever a failed test has left of it."""
        if self.daemon.process.poll() is None:
            self.daemon.kill()

    # Senders

    def send(self, site, change, delivery):
        """Until it is acknowledged, as a patient host would."""
        while not self.over.is_set():
            with contextlib.suppress(OSError, ValueError):
                status, _ = self.daemon.deliver(site, *change, delivery)
                if status // 100 == 2:
                    self.acknowledged.append(Acknowledged(site, delivery, change[1]))
                    return
            time.sleep(0.02)

    def push_on(self, site, pause):
        number = 0
        try:
            while not self.over.is_set():
                number += 1
                change = self.bares[site].push({"n.txt": str(number)})
                # Several deliveries of one push, too: hosts do that.
                for part in range(1 + number % 3):
                    self.send(site, change, f"{site}-{number}-{part}")
                self.over.wait(pause)
        except Exception as error:  # noqa: BLE001: told by the test's thread
            self.errors.append(error)

    @contextlib.contextmanager
    def under_load(self, pause=0.1):
        """Each site gets pushes from a thread of its own."""
        threads = [threading.Thread(target=self.push_on, args=(site, pause))
                   for site in self.bares]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in threads:
                thread.join(60)
        assert self.errors == []

    # Kills

    def kill_all(self):
        """The daemon's process group: children have groups of their own, and must see to it."""
        self.kills.append(time.time())
        os.killpg(self.daemon.process.pid, signal.SIGKILL)
        self.daemon.process.wait()

    def kill_child(self):
        found = children(self.daemon.process.pid)
        if found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.rng.choice(found), signal.SIGKILL)
        return len(found)

    # What must be true

    def settle(self, seconds=120):
        """Waits until all is deployed, and ends the daemon."""
        self.daemon.wait_idle(seconds)
        self.daemon.stop()
        return self

    def rows(self):
        with contextlib.closing(sqlite3.connect(self.folder / "daemon/state/queue.db")) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            return db.execute("SELECT site, delivery, state, deployed, id FROM crc_job"
                              " ORDER BY id").fetchall()

    def check(self):
        rows = self.rows()
        runs = read_runs(self.folder)
        named = Counter(delivery for _, delivery, *_ in rows)
        assert [a for a in self.acknowledged if named[a.delivery] != 1] == [], "lost, or there twice"
        assert [row for row in rows if row[2] not in (DONE, SUPERSEDED)] == []
        assert [run for run in runs if run.what == "overlap"] == [], "two of one site at once"
        for site, bare in self.bares.items():
            last = [row for row in rows if row[0] == site][-1]
            assert (last[2], last[3]) == (DONE, bare.tip()), (site, last)
            ended = [run.head for run in runs if run.site == site and run.what == "end"]
            assert ended[-1] == bare.tip()
        self.check_once(rows, runs)

    def check_once(self, rows, runs):
        """A run that ended belongs to a job that is done, each to one; but for those after whose
        end, and before that was on the disk, the daemon was killed."""
        done = Counter(row[0] for row in rows if row[2] == DONE)
        ends = defaultdict(list)
        for run in runs:
            if run.what == "end":
                ends[run.site].append(run.at)
        self.repeated = 0
        for site, times in ends.items():
            extra = len(times) - done[site]
            excused = sum(any(0 <= kill - at < 0.5 for kill in self.kills) for at in times)
            assert 0 <= extra <= excused, (site, len(times), done[site], excused)
            self.repeated += extra

    def told(self):
        runs = Counter(run.what for run in read_runs(self.folder))
        return (f"{len(self.kills)} kills: {len(self.acknowledged)} acknowledged, "
                f"{runs['begin']} deploys begun, {runs['end']} ended, {self.repeated} of them once more")
