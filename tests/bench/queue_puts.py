"""queue_puts.py - puts into the daemon's queue from 32 threads, each on the disk before the next.

Beside them, how often this disk can be waited for: the bound of what puts that do not share a
commit could reach.
"""
import argparse
import os
import re
import statistics
import subprocess
import tempfile

import measure

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=32)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    helper = measure.helper("daemon_queue_put")
    rates = []
    with tempfile.TemporaryDirectory() as folder:
        syncs = measure.syncs_per_second(folder)
        for run in range(arguments.runs):
            told = subprocess.run(
                [helper, f"{folder}/{run}.db", str(arguments.threads), str(arguments.seconds * 1000)],
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
