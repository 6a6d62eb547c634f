"""measure.py - run a command and say what it cost: time, memory, and what it asked of the cloud."""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))


@dataclass
class Cost:
    seconds: float
    peak_mib: float
    requests: int = 0
    operations: dict = field(default_factory=dict)
    bytes_in: int = 0


def run(command, cwd=None, env=None):
    """The cost of one run that must succeed.

    Memory is measured by time(1): what the kernel tells about a child of ours begins with
    our own size, which it has until it execs.
    """
    with tempfile.NamedTemporaryFile("r") as report:
        start = time.monotonic()
        child = subprocess.run(["/usr/bin/time", "-o", report.name, "-f", "%M", *command],
                               cwd=cwd, env=env, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, check=False)
        seconds = time.monotonic() - start
        if child.returncode:
            raise SystemExit(f"{' '.join(map(str, command))}: exit {child.returncode}\n"
                             + child.stdout.decode(errors="replace")[-2000:])
        return Cost(seconds, int(report.read()) / 1024)


def run_counted(cloud, commands, cwd, env):
    """The cost of several commands one after the other, requests counted by the cloud."""
    cloud.reset_log()
    costs = [run(command, cwd, env) for command in commands]
    total = Cost(sum(c.seconds for c in costs), max(c.peak_mib for c in costs))
    for request in cloud.requests():
        total.requests += 1
        total.bytes_in += request["bytes_in"]
        name = request["operation"]
        total.operations[name] = total.operations.get(name, 0) + 1
    return total


def median(costs):
    """The run whose time is the median one."""
    return sorted(costs, key=lambda c: c.seconds)[len(costs) // 2]


def spread(costs):
    times = [c.seconds for c in costs]
    return f"{min(times):.3f} to {max(times):.3f} s, median {statistics.median(times):.3f} s"


def save(name, rows):
    folder = ROOT / "build" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(rows, indent=1) + "\n")


def helper(name):
    """A program of tests/helpers, compiled as a release is."""
    folder = ROOT / "build/bench/helpers"
    for command in (["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja",
                     "-DCMAKE_BUILD_TYPE=RelWithDebInfo"],
                    ["ninja", "-C", folder, name]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
    return folder / "tests" / name


def syncs_per_second(folder, seconds=1.0):
    """How often this disk can be waited for."""
    with (Path(folder) / "sync").open("wb") as file:
        count, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            count += 1
    return count / seconds


def git(folder, *arguments):
    identity = ["-c", "user.email=bench@example.com", "-c", "user.name=bench"]
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True,
                   stdout=subprocess.DEVNULL)


def make_site(folder, files):
    """A repository with website/ of so many small pages in folders of a hundred."""
    subprocess.run(["git", "init", "-q", folder], check=True)
    for i in range(files):
        page = folder / "website" / f"d{i // 100}" / f"page{i}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(f"<!doctype html><title>{i}</title><p>Page {i} of {files}.\n")
    (folder / "website" / "index.html").write_text("<!doctype html><title>home</title>\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "site")
