"""crc-daemon under load and killed: what was acknowledged is deployed. The long form is in tests/fault."""

import os
import signal
import time

import pytest
from daemon_storm import Storm, children, read_runs
from daemon_world import CRC_DAEMON, wait_for

KILLS = 6


def test_killed_at_random_moments(tmp_path, record_property):
    with Storm(tmp_path, ["a", "b", "c"], CRC_DAEMON, seed=6) as storm:
        with storm.under_load():
            for _ in range(KILLS):
                time.sleep(storm.rng.uniform(0.05, 1))  # the moment is what is random
                storm.kill_all()
                storm.daemon.start()
        storm.settle().check()
    assert len(storm.acknowledged) > KILLS
    record_property("measured", storm.told())


@pytest.fixture
def storm(tmp_path):
    """One site, whose deploys do not end before they may."""
    (tmp_path / "hold-a").touch()
    with Storm(tmp_path, ["a"], CRC_DAEMON) as made:
        yield made


def begun(folder, n=1):
    return wait_for(lambda: len(runs := [r for r in read_runs(folder) if r.what == "begin"]) >= n
                    and runs)


def gone(pid):
    return not os.path.exists(f"/proc/{pid}")


def test_killed_daemon_takes_its_deploy_along(storm, tmp_path):
    change = storm.bares["a"].push()
    storm.send("a", change, "first")
    [run] = begun(tmp_path)
    storm.kill_all()
    wait_for(lambda: gone(run.pid), 5)
    (tmp_path / "hold-a").unlink()
    storm.daemon.start()
    storm.daemon.wait_live("a", change[1])
    storm.settle().check()
    assert [r.what for r in read_runs(tmp_path)] == ["begin", "begin", "end"]


def test_killed_action_is_tried_again(storm, tmp_path):
    """The newest push does not wait for that."""
    storm.send("a", storm.bares["a"].push(), "first")
    [run] = begun(tmp_path)
    assert children(storm.daemon.process.pid) == [run.pid], "the job became the action"
    os.kill(run.pid, signal.SIGKILL)
    job = wait_for(lambda: (j := storm.daemon.jobs("a")[0])["state"] == "pending" and j)
    assert "signal 9" in job["message"] and "attempt 1 of 100" in job["message"], job
    (tmp_path / "hold-a").unlink()
    change = storm.bares["a"].push()
    storm.send("a", change, "second")
    storm.daemon.wait_live("a", change[1])
    storm.settle().check()


def test_killed_job_takes_its_build_along(storm, tmp_path):
    pids = tmp_path / "builds"
    storm.daemon.stop()
    storm.daemon.settings["sites"]["a"]["build"] = f"echo $$ >>'{pids}'; sleep 600"
    storm.daemon.start()
    storm.send("a", storm.bares["a"].push(), "first")
    build = int(wait_for(lambda: pids.exists() and pids.read_text().strip()))
    [job] = children(storm.daemon.process.pid)
    os.kill(job, signal.SIGKILL)
    wait_for(lambda: gone(build), 5)
    assert wait_for(lambda: storm.daemon.jobs("a")[0]["state"] == "pending")
    storm.daemon.stop()
