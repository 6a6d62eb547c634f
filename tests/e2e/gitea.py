"""A real Gitea of the test's own: loopback, SQLite, no mail, no other host."""

import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from world import ROOT, Repo, bare_env

WAIT_S = 120
USER, PASSWORD = "me", "correct-horse-battery-9"

# Root is not asked whether it means it.
APP_INI = """
APP_NAME = test
RUN_MODE = prod
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
WORK_PATH = {folder}
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
STATIC_ROOT_PATH = {static}
DISABLE_SSH = true
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
PATH = {folder}/gitea.db
[repository]
ROOT = {folder}/repositories
DEFAULT_BRANCH = main
[security]
INSTALL_LOCK = true
SECRET_KEY = {key}
PASSWORD_HASH_ALGO = pbkdf2_v1
[webhook]
ALLOWED_HOST_LIST = loopback
DELIVER_TIMEOUT = 20
[session]
PROVIDER = memory
[indexer]
ISSUE_INDEXER_TYPE = db
[cron]
ENABLED = false
[actions]
ENABLED = false
[log]
MODE = console
LEVEL = info
"""


def program():
    """(the program, the folder with its templates); the test is left out where it was not built."""
    built = Path(os.environ.get("CRC_GITEA", ROOT / "build" / "gitea" / "gitea"))
    if not os.access(built, os.X_OK):
        pytest.skip("no Gitea: tests/tools/gitea.sh builds it, and CRC_GITEA names it")
    return built, built.parent / "src"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Gitea:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir()
        self.program, static = program()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = self.folder / "app.ini"
        self.config.write_text(APP_INI.format(folder=self.folder, port=self.port, static=static,
                                              key=os.urandom(32).hex()))
        self.env = bare_env(self.folder, USER="root" if os.getuid() == 0 else os.environ["USER"],
                            GITEA_WORK_DIR=str(self.folder))
        self.log = self.folder / "log"
        self.token = self.process = None

    def command(self, *arguments):
        done = subprocess.run([self.program, "--config", self.config, *arguments], env=self.env,
                              cwd=self.folder, capture_output=True, text=True, timeout=WAIT_S,
                              check=False)
        assert done.returncode == 0, done
        return done.stdout

    def __enter__(self):
        self.command("migrate")
        said = self.command("admin", "user", "create", "--username", USER, "--password", PASSWORD,
                            "--email", "me@example.com", "--admin", "--must-change-password=false",
                            "--access-token", "--access-token-scopes", "all")
        self.token = re.search(r"\b[0-9a-f]{40}\b", said)[0]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([self.program, "--config", self.config, "web"],
                                            env=self.env, cwd=self.folder, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        until = time.monotonic() + WAIT_S
        while not self.is_up():
            assert self.process.poll() is None and time.monotonic() < until, self.log.read_text()
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def is_up(self):
        try:
            return self.api("GET", "/version")
        except OSError:
            return False

    def api(self, method, path, body=None):
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()[:500]}") from None

    def make_repository(self, name):
        self.api("POST", "/user/repos", {"name": name, "private": True, "default_branch": "main"})
        return f"{self.url}/{USER}/{name}.git"

    def add_hook(self, repository, target, secret, content_type="json", kind="gitea"):
        made = self.api("POST", f"/repos/{USER}/{repository}/hooks", {
            "type": kind, "active": True, "events": ["push", "create", "delete"],
            "config": {"url": target, "content_type": content_type, "secret": secret}})
        return made["id"]

    def test_hook(self, repository, hook):
        self.api("POST", f"/repos/{USER}/{repository}/hooks/{hook}/tests")

    def statuses(self, repository, commit):
        """Newest first."""
        found = self.api("GET", f"/repos/{USER}/{repository}/commits/{commit}/statuses?limit=50")
        return sorted(found, key=lambda status: -status["id"])


class GiteaClone(Repo):
    """A clone that pushes over HTTP."""

    def __init__(self, folder, gitea, repository):
        super().__init__(folder)
        url = gitea.make_repository(repository).replace("://", f"://{USER}:{gitea.token}@")
        self.git("remote", "add", "origin", url)

    def push(self, files, message="change", to="main", *options):
        commit = self.commit(files, message)
        self.git("push", "-q", *options, "origin", f"HEAD:{to}")
        return commit
