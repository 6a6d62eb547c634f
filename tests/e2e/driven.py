"""Runs tests/helpers/drive_backend: one thing done to a function or a stack, without a pipeline around it."""

import base64
import hashlib
import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("CRC_BUILD", ROOT / "build" / "asan"))
DRIVER = BUILD / "tests" / "drive_backend"


def sha256(data):
    """As Lambda writes it."""
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def drive(cloud, what, name, **job):
    """What came of it: a dict with `error` and `message`, or the result; and `told`, `changes`."""
    done = subprocess.run([DRIVER], input=json.dumps({"do": what, "name": name, **job}), env=cloud.env(),
                          text=True, timeout=60, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return json.loads(done.stdout)


def operations(cloud, service):
    """Since the log was last reset, in order."""
    return [entry["operation"] for entry in cloud.requests(service=service)]
