"""crc-daemon killed 200 times at random moments under load: no acknowledged push is lost."""

import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from daemon_storm import Storm  # noqa: E402

KILLS = int(os.environ.get("CRC_DAEMON_KILLS", "200"))
SITES = ["a", "b", "c", "d"]


def program():
    release = os.environ.get("CRC_DAEMON_RELEASE", str(ROOT / "build" / "crc-daemon"))
    return release if os.access(release, os.X_OK) else str(ROOT / "build/asan/daemon/crc-daemon")


def rage(storm, with_children):
    with storm.under_load():
        for kill in range(KILLS // 2):
            # The moment is what is random: in the start, an accept, a fetch, a deploy, its end.
            time.sleep(storm.rng.choice((0.02, 0.5, 2)) * storm.rng.random())
            if with_children and kill % 3:
                storm.kill_child()
                time.sleep(storm.rng.uniform(0, 0.1))
            storm.kill_all()
            if kill % 10 == 0:
                storm.rows()
            storm.daemon.start()
    storm.settle().check()
    print(storm.told())


def test_daemon_killed(tmp_path):
    with Storm(tmp_path, SITES, program(), seed=1) as storm:
        rage(storm, with_children=False)


def test_daemon_and_children_killed(tmp_path):
    """Children alone, too, right before."""
    with Storm(tmp_path, SITES, program(), seed=2) as storm:
        rage(storm, with_children=True)
