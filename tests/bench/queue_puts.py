"""queue_puts.py - puts into the daemon's queue from 32 threads, each on the disk before the next.

Beside them, how often this disk can be waited for: the bound of what puts that do not share a
commit could reach.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measure

HELPER = measure.ROOT / "build/bench/queue/tests/daemon_queue_put"


def build():
    folder = HELPER.parents[1]
    for command in (["cmake", "-S", measure.ROOT, "-B", folder, "-G", "Ninja",
                     "-DCMAKE_BUILD_TYPE=RelWithDebInfo"],
                    ["ninja", "-C", folder, "daemon_queue_put"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stdout[-2000:] + done.stderr[-2000:])


def syncs_per_second(folder, seconds=1.0):
    with (Path(folder) / "sync").open("wb") as file:
        count, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            count += 1
    return count / seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=32)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    build()
    rates = []
    with tempfile.TemporaryDirectory() as folder:
        syncs = syncs_per_second(folder)
        for run in range(arguments.runs):
            told = subprocess.run(
                [HELPER, f"{folder}/{run}.db", str(arguments.threads), str(arguments.seconds * 1000)],
                env={**os.environ, "QUIET": "1"}, capture_output=True, text=True,
                check=True).stdout.strip()
            print(told)
            rates.append(float(re.search(r"([\d.]+)/s", told).group(1)))
    print(f"{arguments.threads} threads, SQLite, synchronous=FULL: median "
          f"{statistics.median(rates):.0f} puts/s; fdatasync of 4 KiB: {syncs:.0f}/s")
    measure.save("queue_puts", [{"threads": arguments.threads, "puts_per_s": rates,
                                 "fdatasync_per_s": syncs}])


if __name__ == "__main__":
    main()
