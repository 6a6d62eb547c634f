"""Repositories of every kind, for the tests of what is read from git.

The witness is the git program: what it lists of a commit is what must be in the bucket, and
what it says differs is what a plan must change.
"""

import itertools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from cloud.client import LocalCloud  # noqa: E402
from gitrepo import GIT_ENV, Repo, text  # noqa: E402

PROGRAM = os.environ.get("CRC_ACTION", str(ROOT / "build" / "asan" / "action" / "crc-action"))
SANITIZERS = {
    "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""),
    "LSAN_OPTIONS": f"suppressions={ROOT}/tests/tools/lsan.supp:print_suppressions=0",
}
_names = itertools.count(1)


@dataclass
class Run:
    status: int
    out: str
    err: str

    @property
    def lines(self):
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]

    @property
    def plan(self):
        return [line for line in self.lines if line["type"] == "plan"][-1]

    @property
    def result(self):
        return [line for line in self.lines if line["type"] == "result"][-1]

    @property
    def notes(self):
        return [note["text"] for note in self.plan["notes"]]

    @property
    def warnings(self):
        return [note["text"] for note in self.plan["notes"] if note["kind"] == "warning"]

    @property
    def unchanged(self):
        return self.plan["sites"][0]["unchanged"]

    def changes(self):
        """{path: A, M or D} of the plan."""
        letters = {"added": "A", "modified": "M", "deleted": "D"}
        return {s["path"]: letters[s["why"]] for s in self.plan["steps"] if "path" in s}

    def __str__(self):
        return f"exit {self.status}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def crc(repo, *arguments, cwd=None, **env):
    """Runs the program in a repository (a Repo or a folder)."""
    folder = repo.path if isinstance(repo, Repo) else Path(repo)
    done = subprocess.run(
        [PROGRAM, *arguments], cwd=cwd or folder, stdin=subprocess.DEVNULL, capture_output=True, check=False,
        timeout=120, env={"PATH": os.environ["PATH"], "HOME": os.devnull, **SANITIZERS, **env})
    run = Run(done.returncode, *(t.decode("utf-8", "backslashreplace") for t in (done.stdout, done.stderr)))
    assert run.status >= 0 and "Sanitizer" not in run.err and "runtime error" not in run.err, run
    return run


def plan(repo, *arguments, site="website", **env):
    """A dry run from git alone."""
    return crc(repo, "--dry-run", "--json", "--site-path", site, *arguments, **env)


def assert_plans_as_git(repo, *arguments, folder="website", head="HEAD", base="HEAD~1", witness=None):
    """The plan changes what `git diff` shows, and leaves what else `git ls-tree` lists."""
    witness = witness or repo
    run = plan(repo, *arguments, site=folder or ".")
    assert run.status == 0, run
    wanted = witness.changes(base, head, folder)
    assert run.changes() == wanted, run
    kept = len(witness.files(folder, head)) - sum(status != "D" for status in wanted.values())
    assert run.unchanged == kept, run
    assert run.plan["head"] == witness.head(head)
    return run


class Target:
    """A bucket with a distribution before it."""

    def __init__(self, cloud, name):
        self.cloud, self.bucket = cloud, name
        self.distribution = cloud.make_site(name).distribution

    def deploy(self, repo, *arguments, folder="website", **env):
        return crc(repo, "--json", "--site-path", folder or ".", "--bucket", self.bucket,
                   "--distribution-id", self.distribution, *arguments, **{**self.cloud.env(), **env})

    def objects(self):
        """{key: bytes} but for the state."""
        return {key: self.cloud.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
                for key in self.cloud.objects(self.bucket) if not key.startswith(".crc/")}

    def assert_deploys(self, repo, *arguments, folder="website", head="HEAD", witness=None, **env):
        """Exit 0, and the bucket is the commit's folder, byte for byte."""
        run = self.deploy(repo, *arguments, folder=folder, **env)
        assert run.status == 0, run
        assert self.objects() == (witness or repo).files(folder, head), run
        return run


@pytest.fixture(scope="module")
def git_cloud(tmp_path_factory):
    with LocalCloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running
        assert "Traceback" not in running.errors(), running.errors()


@pytest.fixture
def target(git_cloud):
    return Target(git_cloud, f"git-{os.getpid()}-{next(_names)}")


@pytest.fixture
def repo(tmp_path):
    """Two commits of a site in website/: something added, modified, deleted and left."""
    made = Repo(tmp_path / "repo")
    made.commit({"website/index.html": "one\n", "website/css/a.css": "css\n", "website/old.html": "old\n",
                 "README": "outside\n", "tools/t.sh": "x\n"}, "first")
    made.git("tag", "v1")
    made.commit({"website/index.html": "two\n", "website/new/page.html": "new\n", "website/old.html": None,
                 "README": "still outside\n"}, "second")
    return made


__all__ = ["GIT_ENV", "Repo", "Run", "Target", "assert_plans_as_git", "crc", "git_cloud", "plan", "repo",
           "target", "text"]
