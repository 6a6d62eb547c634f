"""daemon_load.py - pushes to crc-daemon over loopback, each on the disk before it is answered.

32 connections that are kept alive send signed pushes of GitHub's of 7.7 KB, one after the other, to
a release build whose queue is SQLite with full synchronisation. Beside it adnanh/webhook, which
checks the same signature and starts /bin/true for each. Then once more with 500 connections beside
them that send a byte of their body each second. Generator and server share the machine.
"""
import argparse
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measure

sys.path.insert(0, str(measure.ROOT / "tests" / "e2e"))

from daemon_world import Bare, Daemon  # noqa: E402

SECRET = "a secret of the benchmark's"
BODY_BYTES = 7700
DAEMON = os.environ.get("CRC_DAEMON", str(measure.ROOT / "build/crc-daemon"))


def push_body(commit):
    """A push as GitHub tells it, as large as they are on average."""
    body = {"ref": "refs/heads/main", "before": "0" * 40, "after": commit,
            "repository": {"full_name": "bench/site"}, "commits": []}
    while (room := BODY_BYTES - len(json.dumps(body))) > 0:
        body["commits"].append({"id": commit, "message": "m" * min(400, room),
                                "modified": ["website/index.html"]})
    return json.dumps(body)


def peak_mib(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", text)[1]) / 1024


class Load:
    """What is sent to whoever listens."""

    def __init__(self, folder, commit):
        self.program = measure.helper("daemon_load")
        self.body = folder / "body.json"
        self.body.write_text(push_body(commit))

    def run(self, port, path, connections=32, slow=0, seconds=5.0):
        done = subprocess.run(
            [self.program, str(port), path, self.body, SECRET, str(connections), str(slow),
             str(int(seconds * 1000))], capture_output=True, text=True, timeout=600, check=False)
        if done.returncode:
            sys.exit(f"daemon_load: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)


@contextlib.contextmanager
def crc_daemon(folder, **limits):
    bare = Bare(folder / "host")
    bare.push({"website/index.html": "<h1>one</h1>"})
    daemon = Daemon(folder / "daemon", {"load": {"repository": str(bare.path),
                                                 "provider": "github", "secrets": ["secret"]}},
                    program=DAEMON, action="/bin/true", limits=limits)
    daemon.secret("secret", SECRET)
    daemon.start()
    try:
        yield daemon.port, "/hooks/load", daemon.process.pid
        with contextlib.suppress(AssertionError):
            daemon.stop(20)
    finally:
        if daemon.process.poll() is None:
            daemon.kill()


def find_webhook():
    """Debian's package, taken apart where it lies by `./dev deps`; or one that is installed."""
    own = measure.ROOT / "build/bench/webhook/usr/bin/webhook"
    return str(own) if own.exists() else shutil.which("webhook")


@contextlib.contextmanager
def adnanh_webhook(folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    rule = {"match": {"type": "payload-hmac-sha256", "secret": SECRET,
                      "parameter": {"source": "header", "name": "X-Hub-Signature-256"}}}
    hooks = folder / "hooks.json"
    hooks.write_text(json.dumps([{"id": "load", "execute-command": "/bin/true",
                                  "trigger-rule": rule}]))
    with subprocess.Popen([find_webhook(), "-hooks", hooks, "-ip", "127.0.0.1", "-port", str(port)],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.05)
            yield port, "/hooks/load", process.pid
        finally:
            process.kill()


def measured(load, name, server, **options):
    with server as (port, path, pid):
        idle = peak_mib(pid)
        told = load.run(port, path, **options)
        told.update(name=name, idle_mib=idle, peak_mib=peak_mib(pid),
                    per_second=told["accepted"] / told["seconds"])
    print(f"{name:34} {told['per_second']:7.0f}/s  p50 {told['p50_ms']:7.2f}  "
          f"p99 {told['p99_ms']:8.2f}  most {told['most_ms']:8.2f} ms  "
          f"memory {idle:.1f} to {told['peak_mib']:.1f} MiB  "
          f"longest still waiting {told['still_waiting_ms']:.0f} ms"
          + (f"  refused {told['refused']}" if told["refused"] else "")
          + (f"  dropped {told['dropped']}" if told["dropped"] else ""))
    return told


def compare(load, folder, arguments):
    """Both in turns, so that what else the machine does meets both."""
    rows = []
    if not find_webhook():
        print("adnanh/webhook is not here (no package, or not reachable): no comparison")
    for run in range(arguments.runs):
        rows.append(measured(load, "crc-daemon", crc_daemon(folder / f"crc-{run}"),
                             connections=arguments.connections, seconds=arguments.seconds))
        if find_webhook():
            rows.append(measured(load, "adnanh/webhook, /bin/true", adnanh_webhook(folder),
                                 connections=arguments.connections, seconds=arguments.seconds))
    ours, theirs = ([r for r in rows if r["name"].startswith(who)] for who in ("crc", "adnanh"))
    if theirs:
        print("crc-daemon : adnanh/webhook, medians: "
              f"accepts {middle(ours, 'per_second') / middle(theirs, 'per_second'):.2f}, "
              f"p99 {middle(ours, 'p99_ms') / middle(theirs, 'p99_ms'):.2f}, "
              f"memory {middle(ours, 'peak_mib') / middle(theirs, 'peak_mib'):.3f}")
    return rows


def middle(rows, member):
    return sorted(row[member] for row in rows)[len(rows) // 2]


def slow_bodies(load, folder, arguments):
    """What a sender waits beside many whose bodies do not come to an end."""
    rows = []
    for threads in arguments.threads:
        name = f"{arguments.slow} slow bodies, {threads} threads"
        rows.append(measured(load, name, crc_daemon(folder / f"slow-{threads}", threads=threads),
                             connections=4, slow=arguments.slow,
                             seconds=arguments.slow_seconds))
        print(f"  {rows[-1]['slow_ended']} slow ones ended, after {rows[-1]['slow_ms']:.0f} ms each; "
              f"an honest one still waits for {rows[-1]['still_waiting_ms']:.0f} ms")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--slow", type=int, default=500, help="0: leave that out")
    parser.add_argument("--slow-seconds", type=float, default=20)
    parser.add_argument("--threads", type=int, nargs="*", default=[16, 64])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        syncs = measure.syncs_per_second(folder)
        print(f"fdatasync of 4 KiB on this disk: {1000 / syncs:.2f} ms")
        load = Load(folder, "1" * 40)
        rows = compare(load, folder, arguments) if arguments.runs else []
        if arguments.slow:
            rows += slow_bodies(load, folder, arguments)
    measure.save("daemon_load", [{"fdatasync_per_s": syncs}, *rows])


if __name__ == "__main__":
    main()
