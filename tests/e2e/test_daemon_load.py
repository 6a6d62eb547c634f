"""Pushes over many connections to a daemon that is built with sanitizers: it finds nothing to say.

CRC_DAEMON and CRC_BUILD name the build: AddressSanitizer's in `./dev test`, ThreadSanitizer's in
`./dev test --all`.
"""

import json
import os
import signal
import subprocess
from pathlib import Path

from daemon_storm import make_action
from daemon_world import Bare, Daemon
from world import ROOT

LOAD = Path(os.environ.get("CRC_BUILD", ROOT / "build" / "asan")) / "tests" / "daemon_load"
SECRET = "a secret of the load's"
SECONDS = 3


def test_under_load(tmp_path, record_property):
    """Deploys meanwhile, reloads, somebody who looks at the page, slow senders; and a good end."""
    bare = Bare(tmp_path / "host")
    _, commit = bare.push()
    body = tmp_path / "body"
    body.write_text(json.dumps({"ref": "refs/heads/main", "before": "0" * 40, "after": commit,
                                "pad": "p" * 7500}))
    site = {"repository": str(bare.path), "provider": "github", "secrets": ["secret"],
            "environment": {"SITE": "a"}}
    daemon = Daemon(tmp_path / "daemon", {"a": site}, action=str(make_action(tmp_path)))
    daemon.secret("secret", SECRET)
    with daemon:
        with subprocess.Popen([LOAD, str(daemon.port), "/hooks/a", body, SECRET, "32", "8",
                               str(SECONDS * 1000)], stdout=subprocess.PIPE, text=True) as load:
            while load.poll() is None:
                daemon.signal(signal.SIGHUP)
                for path in ("/", "/metrics", "/status.json", "/readyz"):
                    assert daemon.request("GET", path)[0] == 200
            told = json.loads(load.stdout.read())
        assert load.returncode == 0 and told["accepted"] > 20 and told["refused"] == 0, told
        received = 'crc_webhooks_received_total{provider="github",result="%s"}'
        counted = sum(daemon.metric(received % result) or 0 for result in ("queued", "coalesced"))
        assert counted >= told["accepted"]
        daemon.wait_idle()
    record_property("measured", f"{LOAD.parts[-3]}: {told['accepted'] / told['seconds']:.0f}/s")
