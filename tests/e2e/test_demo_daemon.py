"""The demo of the daemon ends well with the real programs, and only with ones that do what is claimed."""

import os
import subprocess
import sys

from daemon_world import CRC_DAEMON
from world import CRC_ACTION, ROOT


def demo(action=CRC_ACTION):
    return subprocess.run(
        [sys.executable, ROOT / "tests/tools/demo_daemon.py", "--once"], text=True, timeout=120,
        stdin=subprocess.DEVNULL, capture_output=True,
        env={**os.environ, "CRC_ACTION": str(action), "CRC_DAEMON": CRC_DAEMON})


def test_every_claim_holds():
    done = demo()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("and nothing is stale") == 2


def test_an_action_that_only_says_so_is_found_out(tmp_path):
    liar = tmp_path / "crc-action"
    liar.write_text("#!/bin/sh\nwhile [ \"$1\" != --head ]; do shift; done\n"
                    "echo '{\"v\":1,\"type\":\"result\",\"verdict\":\"done\",\"changed\":true,"
                    "\"head\":\"'\"$2\"'\",\"uploaded\":1,\"deleted\":0,\"bytes\":1,"
                    "\"invalidation_paths\":1,\"exit\":0}'\n")
    liar.chmod(0o755)
    done = demo(liar)
    assert done.returncode == 1
    assert "the edge does not serve what was pushed" in done.stderr
