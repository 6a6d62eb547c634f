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

PROGRAM = os.environ.get("CRC_ACTION", str(ROOT / "build" / "asan" / "action" / "crc-action"))
SANITIZERS = {
    "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""),
    "LSAN_OPTIONS": f"suppressions={ROOT}/tests/tools/lsan.supp:print_suppressions=0",
}
GIT_ENV = {
    "PATH": os.environ["PATH"], "HOME": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0",
    **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
       for what, value in (("NAME", "A"), ("EMAIL", "a@example.com"), ("DATE", "1700000000 +0000"))},
    # The witness may look into what belongs to somebody else, and at submodules on the disk.
    "GIT_CONFIG_COUNT": "4",
    "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
    "GIT_CONFIG_KEY_1": "protocol.file.allow", "GIT_CONFIG_VALUE_1": "always",
    "GIT_CONFIG_KEY_2": "gc.auto", "GIT_CONFIG_VALUE_2": "0",
    "GIT_CONFIG_KEY_3": "advice.detachedHead", "GIT_CONFIG_VALUE_3": "false",
}
_names = itertools.count(1)


def text(path):
    """A path as the program prints it, from bytes."""
    return os.fsdecode(path)


class Repo:
    """A repository and the git program. Paths are text; bytes beyond UTF-8 as surrogates."""

    def __init__(self, path, *init):
        self.path = Path(path)
        if init or not self.path.exists():
            self.path.mkdir(parents=True, exist_ok=True)
            self.git("init", "-q", "-b", "main", *init)
            for what in ("allowFilter", "allowAnySHA1InWant"):
                self.git("config", f"uploadpack.{what}", "true")

    def git(self, *arguments, data=None, **env):
        done = subprocess.run(["git", *arguments], cwd=self.path, env={**GIT_ENV, **env}, input=data,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    def write(self, files):
        """{path: str, bytes, or None to delete}."""
        for path, content in files.items():
            file = self.path / path
            if content is None:
                file.unlink()
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files=None, message="change"):
        """Commits what is on the disk, with these files. Returns the commit's id."""
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.id()

    def commit_entries(self, entries, parent=None):
        """Commits a tree of {path: content or (mode, content or id)}, which no disk need hold."""
        lines = []
        for path, entry in entries.items():
            mode, content = entry if isinstance(entry, tuple) else ("100644", entry)
            if mode != "160000":
                data = os.fsencode(content)
                content = self.git("hash-object", "-w", "--stdin", data=data).decode().strip()
            lines.append(b"%s %s\t%s\0" % (mode.encode(), content.encode(), os.fsencode(path)))
        index = str(self.path / "index-of-a-commit")
        self.git("update-index", "-z", "--index-info", data=b"".join(lines), GIT_INDEX_FILE=index)
        tree = self.git("write-tree", GIT_INDEX_FILE=index).decode().strip()
        os.unlink(index)
        parents = ["-p", parent] if parent else []
        return self.git("commit-tree", "-m", "entries", *parents, tree).decode().strip()

    def id(self, revision="HEAD"):
        return self.git("rev-parse", revision).decode().strip()

    def clone(self, path, *options):
        """A clone through git's protocol, as a runner makes it."""
        source = self.path.resolve().as_uri()
        subprocess.run(["git", "clone", "-q", *options, source, str(path)], env=GIT_ENV, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return Repo(path)

    def missing(self, revision="HEAD"):
        """The objects that a partial clone lacks."""
        out = self.git("rev-list", "--objects", "--missing=print", revision).decode()
        return {line[1:] for line in out.splitlines() if line.startswith("?")}

    def files(self, folder="website", revision="HEAD"):
        """{path below the folder: bytes} of a commit: `git ls-tree` and `git cat-file`."""
        listed = self.git("ls-tree", "-r", "-z", "--full-tree", revision,
                          *(["--", folder + "/"] if folder else []))
        rows = [row.split(b"\t", 1) for row in listed.split(b"\0") if row]
        ids = [meta.split()[2] for meta, _ in rows]
        blobs = self.git("cat-file", "--batch", data=b"".join(i + b"\n" for i in ids))
        found, at = {}, 0
        for _, path in rows:
            end = blobs.index(b"\n", at)
            size = int(blobs[at:end].split()[2])
            found[text(path)[len(folder) + 1 if folder else 0:]] = blobs[end + 1:end + 1 + size]
            at = end + 2 + size
        return found

    def changes(self, before, after, folder="website"):
        """{path below the folder: A, M or D}: `git diff`."""
        out = self.git("diff", "--name-status", "--no-renames", "-z", before, after,
                       *(["--", folder + "/"] if folder else []))
        fields = out.split(b"\0")[:-1]
        return {text(path)[len(folder) + 1 if folder else 0:]: status.decode()
                for status, path in zip(fields[::2], fields[1::2])}


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
    assert run.plan["head"] == witness.id(head)
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
