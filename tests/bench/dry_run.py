"""dry_run.py - `crc-action --dry-run` beside `git diff --name-status` in one repository."""
import argparse
import os
import tempfile
from pathlib import Path

import measure


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10000)
    parser.add_argument("--runs", type=int, default=40)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        repo = Path(name) / "repo"
        measure.make_site(repo, arguments.files)
        (repo / "website" / "index.html").write_text("<!doctype html><title>new</title>\n")
        measure.git(repo, "commit", "-qam", "change")
        env = {"PATH": os.environ["PATH"], "HOME": name}
        commands = {"git": ["git", "diff", "--name-status", "HEAD~1", "HEAD"],
                    "crc": [os.environ["CRC_ACTION"], "--dry-run"]}
        costs = {key: [] for key in commands}
        for _ in range(arguments.runs):
            for key, command in commands.items():
                costs[key].append(measure.run(command, repo, env))
    for key, runs in costs.items():
        print(f"{key:4} {measure.spread(runs)}, {measure.median(runs).peak_mib:.0f} MiB")
    git, crc = (measure.median(costs[key]).seconds for key in ("git", "crc"))
    print(f"crc is {crc / git:.1f} times git; 3 times git and 20 ms are {3 * git + 0.020:.3f} s, "
          f"crc took {crc:.3f} s")
    measure.save("dry_run", [{"files": arguments.files, "git_s": git, "crc_s": crc}])


if __name__ == "__main__":
    main()
