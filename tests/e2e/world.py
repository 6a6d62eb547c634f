"""What the end-to-end tests share: runs of the real program, and witnesses.

A witness is not ours: objects are read with boto3, commits with git, pages at the edge.
"""

import gzip
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from gitrepo import Repo

ROOT = Path(__file__).resolve().parents[2]
CRC_ACTION = os.environ.get("CRC_ACTION", str(ROOT / "build" / "asan" / "action" / "crc-action"))
CRC_ACTION_RELEASE = os.environ.get("CRC_ACTION_RELEASE")

STATE = ".crc/state.json"
EDGE_KEEPS = "public, max-age=0, s-maxage=86400, must-revalidate"
ASK_EACH_TIME = "public, max-age=0, must-revalidate"
FOREVER = "public, max-age=31536000, immutable"

# What the issue promises, written down anew: the tests must not ask the program.
TYPES = {
    "css": "text/css; charset=utf-8", "html": "text/html; charset=utf-8",
    "ico": "image/x-icon", "js": "text/javascript; charset=utf-8",
    "json": "application/json", "pdf": "application/pdf", "png": "image/png",
    "svg": "image/svg+xml; charset=utf-8", "txt": "text/plain; charset=utf-8",
    "woff2": "font/woff2",
}
FINGERPRINT = re.compile(
    r"[.-](?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\.(?:css|js|png|woff2)$")


def expected_headers(path, *, distribution=True, error_documents=()):
    """Content-Type and Cache-Control of a file without rules in crc.yml."""
    extension = path.rsplit(".", 1)[-1] if "." in path.rsplit("/", 1)[-1] else ""
    cache = EDGE_KEEPS if distribution and path not in error_documents else ASK_EACH_TIME
    return {"ContentType": TYPES.get(extension, "application/octet-stream"),
            "CacheControl": FOREVER if FINGERPRINT.search(path) else cache}


def denied(operation, **when):
    """A rule: the policy of whoever deploys does not allow this."""
    return {"when": {"operation": operation, **when}, "do": {"status": 403, "code": "AccessDenied"}}


@dataclass
class Run:
    """A run of the program that has ended."""

    status: int
    out: str
    err: str
    requests: list = field(default_factory=list)  # those that the cloud saw, in order
    lines: list = field(default_factory=list)  # JSON lines

    def of_type(self, kind):
        return [line for line in self.lines if line["type"] == kind]

    @property
    def plan(self):
        return self.of_type("plan")[-1]

    @property
    def result(self):
        return self.of_type("result")[-1]

    @property
    def verdict(self):
        return self.result["verdict"]

    @property
    def site(self):
        return self.plan["sites"][0]

    @property
    def operations(self):
        return [r["operation"] for r in self.requests]

    @property
    def notes(self):
        return " | ".join(n["text"] for n in self.plan["notes"])

    @property
    def patterns(self):
        return [p for s in self.plan["steps"] if s["kind"] == "invalidate" for p in s["paths"]]

    def changes(self):
        """{path: (kind, why)} of the plan."""
        return {s["path"]: (s["kind"], s["why"]) for s in self.plan["steps"] if "path" in s}

    def writes(self):
        return [r["operation"] for r in self.requests if r["method"] not in ("GET", "HEAD")]

    def __str__(self):
        return f"exit {self.status}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class Running:
    """A run of the program that may be going on."""

    def __init__(self, arguments, *, cwd, env, folder, timeout):
        self._files = [tempfile.TemporaryFile(dir=folder) for _ in ("stdout", "stderr")]
        self._process = subprocess.Popen(arguments, cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                                         stdout=self._files[0], stderr=self._files[1],
                                         start_new_session=True)
        self._timer = threading.Timer(timeout, os.killpg, (self._process.pid, signal.SIGKILL))
        self._timer.start()

    def signal(self, number=signal.SIGTERM):
        self._process.send_signal(number)

    def killed(self):
        """Waits for the end of one that was killed."""
        self._process.wait()
        self._timer.cancel()

    def finish(self):
        self._process.wait()
        self._timer.cancel()
        texts = []
        for file in self._files:
            file.seek(0)
            texts.append(file.read().decode("utf-8", "backslashreplace"))
            file.close()
        assert self._process.returncode >= 0, f"died of a signal: {texts}"
        for finding in ("Sanitizer:", "runtime error:"):
            assert finding not in texts[1], texts[1]
        return Run(self._process.returncode, *texts)


def json_lines(text):
    """The JSON lines of an output that may hold workflow commands too."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def bare_env(home, **extra):
    """An environment with nothing in it that could be a key, a region or a runner."""
    kept = {k: v for k, v in os.environ.items() if k == "PATH" or k.endswith("SAN_OPTIONS")}
    return {**kept, "HOME": str(home), "LC_ALL": "C.UTF-8", **extra}


class World:
    """A repository, a bucket with a distribution before it, and the program between them."""

    def __init__(self, cloud, folder, name):
        self.cloud, self.folder, self.name = cloud, Path(folder), name
        self.home = self.folder / "home"
        self.home.mkdir()
        self.repo = Repo(self.folder / "repo")
        self.bucket = self.distribution = None
        self.arguments = []
        self.error_documents = ()
        self._evictions_before = 0

    # Making

    def make_site(self, **options):
        """The bucket and its distribution; options of LocalCloud.make_site."""
        made = self.cloud.make_site(self.name, **options)
        self.bucket, self.distribution = made.bucket, made.distribution
        self.arguments = ["--site-path", "website", "--bucket", self.bucket,
                          "--distribution-id", self.distribution]
        return made

    def env(self, **extra):
        return bare_env(self.home, **self.cloud.env(**extra))

    # Running

    def start(self, *options, env=None, cwd=None, program=CRC_ACTION, timeout=200):
        arguments = [program, *map(str, options)]
        return Running(arguments, cwd=cwd or self.repo.path, env=env or self.env(),
                       folder=self.folder, timeout=timeout)

    def run_bare(self, *options, **keywords):
        """A run with these options alone."""
        seen = self.last_request()
        run = self.start(*options, **keywords).finish()
        return self.complete(run, seen)

    def complete(self, run, seen):
        run.requests = [r for r in self.cloud.requests(since=seen) if r["service"] != "edge"]
        run.lines = json_lines(run.out)
        return run

    def run(self, *options, status=0, **keywords):
        """A deploy of the site in JSON, which must end so."""
        run = self.run_bare(*self.arguments, "--json", *options, **keywords)
        assert run.status == status, run
        return run

    def last_request(self):
        seen = self.cloud.requests()
        return seen[-1]["n"] if seen else 0

    def deploy(self, files=None, *options, **keywords):
        """Commits, deploys, and checks everything."""
        self.repo.commit(files)
        run = self.run(*options, **keywords)
        self.check()
        return run

    # Checking

    def keys(self, prefix="", bucket=None):
        """{key: object} of the bucket but for the state."""
        pages = self.cloud.s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket or self.bucket, Prefix=prefix)
        return {o["Key"]: o for page in pages for o in page.get("Contents", [])
                if not o["Key"].endswith(STATE)}

    def read(self, key, bucket=None):
        """(bytes, headers as boto3 names them)."""
        answer = self.cloud.s3.get_object(Bucket=bucket or self.bucket, Key=key)
        names = ("ContentType", "CacheControl", "ContentDisposition", "ContentEncoding",
                 "ContentLanguage", "Expires", "WebsiteRedirectLocation", "StorageClass")
        headers = {n: answer[n] for n in names if n in answer}
        if answer["Metadata"]:
            headers["Metadata"] = answer["Metadata"]
        return answer["Body"].read(), headers

    def check_bucket(self, prefix="", *, folder="website", extra=(), headers=None, bucket=None,
                     revision="HEAD", distribution=True, exclude=()):
        """The bucket is the commit: the same keys, bytes and headers.

        extra: keys beyond the commit's; headers: {path: expected} where rules say otherwise.
        """
        wanted = {p: b for p, b in self.repo.files(folder, revision).items() if p not in exclude}
        found = self.keys(prefix, bucket)
        assert sorted(found) == sorted([*(prefix + p for p in wanted), *extra])
        for path, content in wanted.items():
            body, got = self.read(prefix + path, bucket)
            assert body == content, path
            expected = expected_headers(path, distribution=distribution,
                                        error_documents=self.error_documents)
            assert got == {**expected, **(headers or {}).get(path, {})}, path

    def check_edge(self, distribution=None):
        """Nothing that an edge holds is old, and nothing that it held went for nothing."""
        distribution = distribution or self.distribution
        assert self.cloud.stale(distribution) == []
        assert self.in_vain(distribution) == []

    def in_vain(self, distribution=None):
        distribution = distribution or self.distribution
        return [path for batch in self.cloud.evicted() if batch["distribution"] == distribution
                for path in batch["in_vain"]]

    def check_viewers(self, folder="website", distribution=None, exclude=()):
        """A viewer gets every file of the commit."""
        for path, content in self.repo.files(folder).items():
            if path in exclude:
                continue
            seen = self.cloud.view("/" + quote(path, safe="/~"), distribution or self.distribution)
            assert (seen.status, seen.body) == (200, content), path

    def check(self, prefix="", **options):
        self.check_bucket(prefix, **options)
        self.check_edge()
        self.check_viewers(exclude=options.get("exclude", ()))

    def warm(self):
        self.cloud.warm(self.distribution)

    def state(self, prefix="", bucket=None):
        """The state as the store has it."""
        raw, headers = self.read(prefix + STATE, bucket)
        assert headers["ContentEncoding"] == "gzip" and headers["CacheControl"] == "no-store"
        return json.loads(gzip.decompress(raw))
