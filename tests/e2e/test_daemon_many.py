"""A thousand pushes while one deploys; two daemons that share a queue, one of which dies."""

import contextlib
import threading
import time
from collections import Counter

import postgres
import pytest
from daemon_storm import children, make_action, read_runs
from daemon_world import ZERO, Bare, Daemon, wait_for

PUSHES = 1000
THREADS = 8
LEASE_S = 3


def ends(folder):
    return [run for run in read_runs(folder) if run.what == "end"]


def begun(folder, n=1):
    return wait_for(lambda: len(runs := [r for r in read_runs(folder) if r.what == "begin"]) >= n
                    and runs)


def test_a_thousand_pushes_cost_two_more_deploys(tmp_path):
    action = make_action(tmp_path)
    bare = Bare(tmp_path / "host")
    first = bare.push({"n.txt": "1"})
    (tmp_path / "hold-a").touch()
    with Daemon(tmp_path / "daemon", {"a": {"repository": str(bare.path),
                                            "environment": {"SITE": "a"}}},
                action=str(action)) as daemon:
        assert daemon.deliver("a", *first)[0] == 202
        begun(tmp_path)
        last = bare.push({"n.txt": "2"})
        answers = Counter()

        def deliver(part):
            for number in range(part, PUSHES, THREADS):
                status, told = daemon.deliver("a", *last, f"many-{number}")
                answers[status, told["result"]] += 1

        threads = [threading.Thread(target=deliver, args=(part,)) for part in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == {(202, "queued"): 1, (202, "coalesced"): PUSHES - 1}
        (tmp_path / "hold-a").unlink()
        daemon.wait_live("a", last[1])
        daemon.wait_idle()
        assert daemon.metric('crc_jobs_coalesced_total{site="a"}') == PUSHES - 1
    assert 2 <= len(ends(tmp_path)) <= 3, ends(tmp_path)


@pytest.fixture(scope="module")
def server():
    with postgres.running() as running:
        yield running


@contextlib.contextmanager
def two_daemons(folder, server, sites, **limits):
    """Each with a state folder of its own, on one queue. Ends what a failed test has left."""
    action = make_action(folder)
    bares = {site: Bare(folder / f"host-{site}") for site in sites}
    daemons = [Daemon(folder / f"daemon-{i}",
                      {site: {"repository": str(bare.path), "environment": {"SITE": site}}
                       for site, bare in bares.items()},
                      action=str(action), queue=server.url(),
                      limits={"lease": f"{LEASE_S}s", **limits}) for i in range(2)]
    try:
        yield bares, [daemon.start() for daemon in daemons]
    finally:
        for daemon in daemons:
            if daemon.process and daemon.process.poll() is None:
                daemon.kill()


def test_another_daemon_takes_over_when_the_lease_ends(tmp_path, server):
    with two_daemons(tmp_path, server, ["over"]) as (bares, daemons):
        (tmp_path / "hold-over").touch()
        first = bares["over"].push()
        assert daemons[0].deliver("over", *first)[0] == 202
        [run] = begun(tmp_path)
        dead, alive = daemons if run.pid in children(daemons[0].process.pid) else daemons[::-1]
        # Longer than the lease, which is renewed meanwhile.
        time.sleep(LEASE_S + 1)
        assert len(begun(tmp_path)) == 1
        dead.kill()
        killed = time.time()
        (tmp_path / "hold-over").unlink()
        alive.wait_live("over", first[1])
        again = begun(tmp_path)[1]
        assert again.head == first[1] and again.at - killed < LEASE_S + 5
        [job] = alive.jobs("over")
        assert (job["state"], job["attempt"]) == ("done", 2)
        alive.stop()
        assert [run.what for run in read_runs(tmp_path)] == ["begin", "begin", "end"]


def test_no_site_is_deployed_by_two_at_once(tmp_path, server):
    """Pushes to both, each of which may deploy any site; the one is killed and comes again."""
    sites = ["x", "y", "z"]
    with two_daemons(tmp_path, server, sites, workers=3) as (bares, daemons):
        for turn in range(3):
            for number, site in enumerate(sites * 3):
                change = bares[site].push({"n.txt": f"{turn} {number}"})
                daemons[number % 2].deliver(site, ZERO, change[1])
            daemons[0].kill()
            daemons[0].start()
        daemons[1].wait_idle()
        for site in sites:
            assert daemons[1].status()[site]["live"] == bares[site].tip()
        for daemon in daemons:
            daemon.stop()
        runs = read_runs(tmp_path)
        assert [run for run in runs if run.what == "overlap"] == []
        by = Counter(run.site for run in runs if run.what == "end")
        assert sorted(by) == sites
