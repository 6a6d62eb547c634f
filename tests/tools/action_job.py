#!/usr/bin/env python3
"""For the job of ci.yml that runs `uses: ./` against the local cloud.

    action_job.py start READY    make a bucket and a distribution; print variables for GITHUB_ENV
    action_job.py check READY    end with 1 unless the bucket holds what the commit does, and
                                 the edge nothing stale

READY is the file with the line that the cloud printed.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from cloud.client import LocalCloud  # noqa: E402

SITE, BUCKET = "examples/resume/website", "resume"


def attach(ready):
    """The cloud that somebody else has started."""
    cloud = LocalCloud(ready.parent)
    for name, value in json.loads(ready.read_text().splitlines()[-1]).items():
        setattr(cloud, name, value)
    return cloud


def start(cloud):
    site = cloud.make_site(BUCKET)
    names = {"BUCKET": site.bucket, "DISTRIBUTION": site.distribution}
    for name, value in {**cloud.env(), **names}.items():
        print(f"{name}={value}")


def git(*arguments):
    return subprocess.run(["git", "-C", ROOT, "-c", f"safe.directory={ROOT}", *arguments],
                          check=True, stdout=subprocess.PIPE).stdout


def check(cloud):
    names = git("ls-tree", "-r", "-z", "--name-only", f"HEAD:{SITE}").decode().split("\0")
    wanted = {name: git("show", f"HEAD:{SITE}/{name}") for name in filter(None, names)}
    found = {key: cloud.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
             for key in cloud.objects(BUCKET) if not key.startswith(".crc/")}
    if found != wanted:
        sys.exit(f"the bucket holds {sorted(found)}, the commit {sorted(wanted)}")
    if cloud.stale():
        sys.exit(f"stale: {cloud.stale()}")
    print(f"{len(found)} objects, as the commit has them; nothing stale")


if __name__ == "__main__":
    {"start": start, "check": check}[sys.argv[1]](attach(Path(sys.argv[2])))
