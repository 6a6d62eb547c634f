"""one_change.py - one page of a large site changes: what does it take to bring it live?

Every tool gets a fresh checkout of the same commit, as on a build machine, and its own bucket
and distribution that hold the commit before. Peers are measured when they are installed.
"""
import argparse
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import measure
from cloud.client import LocalCloud


def crc(site, _):
    return [[os.environ["CRC_ACTION"], "--site-path", "website", "--bucket", site.bucket,
             "--distribution-id", site.distribution]]


def invalidate(aws, site):
    return [aws, "cloudfront", "create-invalidation", "--distribution-id", site.distribution,
            "--paths", "/*"]


def aws_sync(site, tools):
    return [[tools["aws"], "s3", "sync", "website", f"s3://{site.bucket}", "--delete",
             "--only-show-errors"], invalidate(tools["aws"], site)]


def rclone(site, tools):
    return [[tools["rclone"], "sync", "--checksum", "--transfers", "16", "--checkers", "32",
             "website", f":s3,env_auth,provider=Other:{site.bucket}"],
            invalidate(tools["aws"], site)]


def s3cmd(site, tools):
    host = os.environ["BENCH_ENDPOINT"].removeprefix("http://")
    return [[tools["s3cmd"], "sync", "--delete-removed", "--no-ssl", "--quiet",
             f"--host={host}", f"--host-bucket={host}", "website/", f"s3://{site.bucket}/"],
            invalidate(tools["aws"], site)]


# name, what it needs, its commands, which of its objects are not the site's
TOOLS = (
    ("crc", (), crc),
    ("aws s3 sync + /*", ("aws",), aws_sync),
    ("rclone sync + /*", ("rclone", "aws"), rclone),
    ("s3cmd sync + /*", ("s3cmd", "aws"), s3cmd),
)


def find_tools():
    venv = measure.ROOT / "build" / "bench" / "venv" / "bin"
    path = f"{venv}:{os.environ['PATH']}"
    return {name: shutil.which(name, path=path) for name in ("aws", "rclone", "s3cmd")}


def checkout(origin, folder):
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{origin}", folder], check=True)


def bench_tool(cloud, work, commands, tools, runs):
    origin, clone = work / "origin", work / "clone"
    site = cloud.make_site(f"bench-{os.urandom(4).hex()}")
    env = {**os.environ, **cloud.env(), "RCLONE_S3_ENDPOINT": cloud.endpoint,
           "AWS_MAX_ATTEMPTS": "1"}
    env.pop("AWS_CA_BUNDLE", None)    # all is plain HTTP here, and rclone stumbles over it
    os.environ["BENCH_ENDPOINT"] = cloud.endpoint
    checkout(origin, clone)
    first = measure.run_counted(cloud, commands(site, tools), clone, env)
    costs = []
    for run in range(runs):
        page = origin / "website" / "d3" / "page300.html"
        page.write_text(f"<!doctype html><p>{os.urandom(8).hex()} {run}\n")
        measure.git(origin, "commit", "-qam", "change")
        checkout(origin, clone)
        cloud.warm(site.distribution)
        costs.append(measure.run_counted(cloud, commands(site, tools), clone, env))
        assert cloud.stale(site.distribution) == []
    evicted = [e for e in cloud.evicted() if e.get("distribution") == site.distribution]
    return first, costs, evicted


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    tools, rows = find_tools(), []
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        measure.make_site(work / "origin", arguments.files)
        with LocalCloud(work / "cloud") as cloud:
            for title, needs, commands in TOOLS:
                if any(not tools[need] for need in needs):
                    print(f"{title:18} not installed")
                    continue
                first, costs, evicted = bench_tool(cloud, work, commands, tools, arguments.runs)
                cost = measure.median(costs)
                gone = len(evicted[-1]["evicted"]) if evicted else 0
                rows.append({"tool": title, "files": arguments.files, "first_s": first.seconds,
                             "first_requests": first.requests, "seconds": cost.seconds,
                             "peak_mib": cost.peak_mib, "requests": cost.requests,
                             "operations": cost.operations, "bytes_in": cost.bytes_in,
                             "evicted": gone})
                print(f"{title:18} one change: {measure.spread(costs)}; {cost.requests} requests, "
                      f"{cost.bytes_in / 1e6:.2f} MB sent, {cost.peak_mib:.0f} MiB, "
                      f"{gone} edge entries gone; first deploy {first.seconds:.2f} s", flush=True)
    base = rows[0]
    for row in rows[1:]:
        print(f"{row['tool']}: {row['seconds'] / base['seconds']:.1f} times the time, "
              f"{row['requests'] / base['requests']:.0f} times the requests, "
              f"{row['peak_mib'] / base['peak_mib']:.1f} times the memory of crc")
    measure.save("one_change", rows)


if __name__ == "__main__":
    main()
