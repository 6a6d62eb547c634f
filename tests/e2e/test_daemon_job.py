"""A deploy's child: what it fetches, builds and becomes, and how it says what went wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from git_server import SSHD, GitHttp, Sshd
from gitfixtures import SANITIZERS, Repo

ROOT = Path(__file__).resolve().parents[2]


def _built(variable, *candidates):
    found = os.environ.get(variable)
    return found or next((str(ROOT / c) for c in candidates if (ROOT / c).exists()), None)


DAEMON = _built("CRC_DAEMON", "build/asan/daemon/crc-daemon", "build/asan/tests/daemon_job")
RELEASE = _built("CRC_DAEMON_RELEASE", "build/crc-daemon", "build/release/daemon/crc-daemon")

# Prints what it was given as crc-action would print a result.
FAKE_ACTION = """#!{python}
import json, os, sys
print(json.dumps({{"v": 1, "type": "argv", "argv": sys.argv[1:], "env": dict(os.environ)}}))
"""
HUNGRY_ACTION = """#!{python}
block = bytearray(1 << 30)
print(len(block))
"""


@dataclass
class Ran:
    status: int
    events: list
    errors: str

    def of(self, kind):
        return [e for e in self.events if e["type"] == kind]

    def result(self):
        return self.of("result")[-1]

    def phases(self):
        return [e["phase"] for e in self.of("phase")]


class JobWorld:
    def __init__(self, folder):
        self.folder = folder
        self.repo = Repo(folder / "up")
        self.commit("first", {"index.html": "one", "sub/a": "two"})
        (folder / "secret").write_text("s3cret")
        (folder / "secret").chmod(0o600)
        self.site = {}
        self.limits = {}
        self.access = {}
        self.environment = {}
        self.sanitizers = SANITIZERS
        self.action(FAKE_ACTION)

    def commit(self, summary, files):
        for name, text in files.items():
            path = self.repo.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.repo.git("add", "-A")
        self.repo.git("commit", "-qm", summary)
        return self.head()

    def head(self, revision="HEAD"):
        return self.repo.git("rev-parse", revision).strip().decode()

    def action(self, text):
        path = self.folder / "action"
        path.write_text(text.format(python=sys.executable))
        path.chmod(0o755)

    def secret(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    def configure(self):
        site = {"repository": str(self.repo.path), "provider": "gitea",
                "secrets": str(self.folder / "secret"), **self.site}
        if self.access:
            site["access"] = self.access
        if self.environment:
            site["environment"] = self.environment
        config = {"state": str(self.folder / "state"), "action": str(self.folder / "action"),
                  "sites": {"resume": site}}
        if self.limits:
            config["limits"] = self.limits
        path = self.folder / "daemon.yml"
        path.write_text(json.dumps(config))
        return path

    def command(self, *arguments, program=DAEMON):
        return [program, "job", "--config", str(self.configure()), "--site", "resume", *arguments]

    def env(self, **more):
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), **self.sanitizers,
                **more}

    def run(self, *arguments, program=DAEMON, timeout=60, **env):
        done = subprocess.run(self.command(*arguments, program=program), env=self.env(**env),
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout,
                              check=False)
        lines = done.stdout.decode().splitlines()
        events = [json.loads(line) if line.startswith("{") else {"type": "line", "line": line}
                  for line in lines]
        return Ran(done.returncode, events, done.stderr.decode(errors="replace"))

    def fails(self, status, code, *words, arguments=()):
        ran = self.run(*arguments)
        assert ran.status == status, (ran.events, ran.errors)
        result = ran.result()
        assert (result["exit"], result["error_code"]) == (status, code), result
        for word in words:
            assert word in result["error"], result
        assert "t0ken" not in ran.errors + json.dumps(ran.events)
        return ran


@pytest.fixture
def job(tmp_path):
    assert DAEMON, "crc-daemon is not built"
    return JobWorld(tmp_path)


@pytest.fixture
def served(job):
    server = GitHttp(job.folder)
    yield server
    server.close()


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    if not SSHD:
        pytest.skip("there is no sshd")
    server = Sshd(tmp_path_factory.mktemp("ssh") / "d")
    yield server
    server.stop()


# What becomes of it when all is well

def test_becomes_the_action(job):
    job.site = {"config": "deploy/crc.yml", "arguments": ["--wait", "--max-paths=5"]}
    job.environment = {"AWS_PROFILE": "resume", "MINE": "a=b"}
    ran = job.run(AWS_REGION="eu-west-1", GITHUB_ACTIONS="true", INPUT_BUCKET="x",
                  NOTIFY_SOCKET="/n", LISTEN_FDS="1", CREDENTIALS_DIRECTORY="/c")
    assert ran.status == 0, ran.errors
    assert ran.phases() == ["fetch", "deploy"]
    commit = ran.of("commit")[0]
    assert (commit["commit"], commit["summary"], commit["author"]) == (job.head(), "first", "A")
    told = ran.of("argv")[0]
    mirror = str(job.folder / "state" / "mirrors" / "resume")
    assert told["argv"] == ["deploy", "--json", "--repo", mirror, "--head", job.head(),
                            "--config", "deploy/crc.yml", "--wait", "--max-paths=5"]
    env = told["env"]
    assert (env["AWS_PROFILE"], env["MINE"], env["AWS_REGION"]) == ("resume", "a=b", "eu-west-1")
    for gone in ("GITHUB_ACTIONS", "INPUT_BUCKET", "NOTIFY_SOCKET", "LISTEN_FDS",
                 "CREDENTIALS_DIRECTORY"):
        assert gone not in env
    for name in ("mirrors", "builds", "locks"):
        assert (job.folder / "state" / name).stat().st_mode & 0o777 == 0o700


def test_deploys_the_tip_and_older_ones_only_when_told(job):
    first = job.head()
    second = job.commit("second", {"index.html": "three"})
    assert job.run().of("argv")[0]["argv"][5] == second
    ran = job.run("--head", first, "--rollback")
    assert ran.of("argv")[0]["argv"][5:] == [first, "--allow-rollback"]
    assert (ran.of("commit")[0]["commit"], ran.of("commit")[0]["tip"]) == (first, second)
    assert job.run("--head", first).of("argv")[0]["argv"][5:] == [first]
    job.fails(2, "config", "there is no commit", arguments=("--head", "1" * 40))
    job.fails(2, "config", "there is no commit", arguments=("--head", "main"))


def test_goes_back_while_the_host_is_away(job):
    first = job.head()
    job.commit("second", {"index.html": "three"})
    assert job.run().status == 0
    os.rename(job.repo.path, f"{job.repo.path}.away")
    job.fails(1, "not-found", "there is no repository", arguments=("--head", first))
    job.fails(1, "not-found", "there is no repository",
              arguments=("--head", "1" * 40, "--rollback"))
    ran = job.run("--head", first, "--rollback")
    assert ran.status == 0, ran.errors
    assert "there is no repository; going back without it" in ran.errors
    assert ran.of("argv")[0]["argv"][5:] == [first, "--allow-rollback"]
    assert ran.of("commit")[0]["tip"] is None


def test_prints_the_tip(job):
    ran = job.run("--tip")
    assert ran.events == [{"type": "line", "line": job.head()}]
    assert not (job.folder / "state").exists()
    job.site = {"branch": "gone"}
    ran = job.run("--tip")
    assert (ran.status, ran.events) == (1, []) and 'no branch "gone"' in ran.errors


def test_builds_in_a_checkout_without_credentials(job):
    job.site = {"build": "mkdir dist && cat index.html sub/a >dist/out && env >dist/env "
                         "&& git log --oneline && echo oops >&2"}
    job.environment = {"AWS_PROFILE": "hidden"}
    ran = job.run(AWS_SESSION_TOKEN="hidden", CRC_X="hidden", CREDENTIALS_DIRECTORY="/c")
    assert ran.status == 0, ran.errors
    assert ran.phases() == ["fetch", "checkout", "build", "deploy"]
    tree = job.folder / "state" / "builds" / "resume"
    assert (tree / "dist" / "out").read_text() == "onetwo"
    env = (tree / "dist" / "env").read_text()
    assert "hidden" not in env and "CREDENTIALS_DIRECTORY" not in env and "PATH=" in env
    assert "first" in ran.errors and "oops" in ran.errors
    assert ran.of("argv")[0]["argv"][3] == str(tree)
    # The next one begins with nothing of that.
    job.site = {"build": "test ! -e dist"}
    assert job.run().status == 0


def test_a_build_that_fails(job):
    job.site = {"build": "echo some output; exit 7"}
    ran = job.fails(1, "io", "build `echo some output; exit 7`", "exit status 7")
    assert "some output" in ran.errors and ran.of("argv") == []


def test_tells_what_is_wrong_with_the_settings(job):
    job.site = {"nonsense": 1}
    # The daemon may go on with what it has read before: not exit 2, which would give up.
    job.fails(1, "io", "nonsense")
    job.site.clear()
    job.action("#!/nonexistent\n")
    job.fails(2, "config", "run ", "No such file")
    done = subprocess.run([DAEMON, "job", "--site", "x"], env=job.env(), capture_output=True,
                          timeout=30, check=False)
    assert done.returncode == 2 and json.loads(done.stdout)["error_code"] == "usage"


def test_one_child_at_a_time(job):
    job.action("#!/bin/sh\nsleep 2; echo '{{\"v\":1,\"type\":\"end\"}}'\n")
    with subprocess.Popen(job.command(), env=job.env(), stdout=subprocess.PIPE) as first:
        line = b""
        while b"deploy" not in line:
            line = first.stdout.readline()
            assert line
        begin = time.monotonic()
        assert job.run().status == 0
        assert time.monotonic() - begin > 3, "the second did not wait for the first"
        assert first.wait(10) == 0


# Hosts

def test_a_token_over_http(job, served):
    job.site = {"repository": served.url("auth") + "/up"}
    job.fails(3, "credentials", "asks for credentials", served.url("auth"))
    job.access = {"token": job.secret("token", "t0ken")}
    ran = job.run()
    assert ran.status == 0 and ran.of("argv"), (ran.events, ran.errors)
    served.login = "x-access-token:other"
    served.seen.clear()
    job.fails(3, "credentials", "refused the credentials")
    assert sum(a is not None for _, a in served.seen) <= 2, served.seen


def test_a_redirect_is_not_followed(job, served):
    job.access = {"token": job.secret("token", "t0ken")}
    job.site = {"repository": served.url("redirect") + "/up"}
    job.fails(1, "network", "redirects to " + served.url("plain") + "/up,", "not followed")
    assert not [p for p, _ in served.seen if p.startswith("/plain")]
    job.site = {"repository": served.url("away") + "/up"}
    ran = job.fails(1, "network", "redirects")
    assert "pw" not in ran.result()["error"]


@pytest.mark.parametrize("status, exit_status, code", [
    ("404", 1, "not-found"), ("403", 3, "forbidden"), ("500", 1, "network"), ("503", 1, "network"),
    ("junk", 1, "network")])
def test_what_a_host_answers(job, served, status, exit_status, code):
    job.site = {"repository": served.url(status) + "/up"}
    job.fails(exit_status, code, served.url(status))


def test_no_host(job, served):
    url = served.url("plain")
    served.close()
    job.site = {"repository": url + "/up"}
    job.fails(1, "network", url)


def test_proxies_of_the_environment_are_not_asked(job, served):
    job.site = {"repository": served.url("plain") + "/up"}
    ran = job.run(http_proxy="http://127.0.0.1:1", HTTP_PROXY="http://127.0.0.1:1")
    assert ran.status == 0, ran.errors


def test_a_host_that_hangs_ends_with_a_signal(job, served):
    job.site = {"repository": served.url("hang") + "/up"}
    with subprocess.Popen(job.command(), env=job.env(), stdout=subprocess.PIPE) as child:
        assert b"fetch" in child.stdout.readline()
        time.sleep(0.3)
        child.terminate()
        assert child.wait(10) == -signal.SIGTERM


def test_ssh_with_a_pinned_key(job, sshd):
    url = sshd.url(job.repo.path)
    job.site = {"repository": url}
    key = str(sshd.folder / "user")
    # libgit2 1.5 and libssh2 1.10 forget memory when a login fails.
    job.sanitizers = {"ASAN_OPTIONS": "detect_leaks=0"}
    job.access = {"ssh-key": key, "host-keys": [sshd.fingerprint()]}
    ran = job.run()
    assert ran.status == 0, (ran.events, ran.errors)
    job.access["ssh-key"] = str(sshd.folder / "stranger")
    job.fails(3, "credentials", "refused")
    job.access["ssh-key"] = str(sshd.folder / "locked")
    job.fails(3, "credentials")
    job.access["passphrase"] = job.secret("passphrase", "open sesame")
    assert job.run().status == 0
    job.access = {"ssh-key": key, "host-keys": [sshd.fingerprint()]}
    sshd.start("other")
    try:
        ran = job.fails(3, "forbidden", sshd.fingerprint("other"), "was changed")
        job.access["host-keys"].append(sshd.fingerprint("other"))
        assert job.run().status == 0
    finally:
        sshd.start("host")


# Limits

def test_memory_is_limited(job):
    if not RELEASE:
        pytest.skip("needs a build without sanitizers: CRC_DAEMON_RELEASE")
    job.limits = {"memory": "512M"}
    job.action(HUNGRY_ACTION)
    ran = job.run(program=RELEASE)
    assert ran.status == 1 and "MemoryError" in ran.errors
    # A build may reserve as much as it likes.
    job.site = {"build": 'test "$(ulimit -v)" = unlimited && echo built >&2'}
    ran = job.run(program=RELEASE)
    assert ran.status == 1 and "built" in ran.errors and "MemoryError" in ran.errors
    job.site = {}
    job.limits = {"memory": 0}
    ran = job.run(program=RELEASE)
    assert ran.status == 0, ran.errors


def test_a_build_ends_with_its_parent(job):
    job.site = {"build": "echo $$ >pid; trap '' TERM; while :; do sleep 0.1; done"}
    pid_file = job.folder / "state" / "builds" / "resume" / "pid"
    starter = ("import subprocess, sys, time\n"
               "subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)\ntime.sleep(60)\n")
    with subprocess.Popen([sys.executable, "-c", starter, *job.command()],
                          env=job.env()) as parent:
        until = time.monotonic() + 20
        while not (pid_file.exists() and pid_file.read_text()):
            assert time.monotonic() < until
            time.sleep(0.05)
        pid = int(pid_file.read_text())
        parent.kill()
    until = time.monotonic() + 15
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < until, "the build lives on"
        time.sleep(0.1)
