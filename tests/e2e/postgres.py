"""A PostgreSQL of the test's own: a Unix socket in a folder, nobody else, no network."""

import contextlib
import glob
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

WAIT_S = 60


def binaries():
    """The folder with initdb; Debian keeps it out of PATH. None: not installed."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    newest = max(versions, key=lambda path: int(Path(path).parts[4]), default=None)
    return Path(newest).parent if newest else None


def plain_user():
    """The server refuses to run as root: who runs it instead. None: we are not root."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    pytest.skip("root may not run PostgreSQL, and there is no other user")


class Postgres:
    def __init__(self, folder, user):
        self.folder = folder
        self.user = user
        self.bin = binaries()

    def url(self, user="crc"):
        return f"postgresql://{user}@/postgres?host={self.folder}"

    def command(self, name, *arguments):
        who = {} if self.user is None else {
            "user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        done = subprocess.run(
            [self.bin / name, *arguments], cwd=self.folder, timeout=WAIT_S, check=False,
            stdin=subprocess.DEVNULL, stdout=(self.folder / "out").open("wb"),
            stderr=subprocess.STDOUT, env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, **who)
        output = (self.folder / "out").read_text()
        assert done.returncode == 0, output
        return output

    def make(self):
        data = self.folder / "data"
        self.command("initdb", "-D", data, "-U", "crc", "-A", "trust", "-E", "UTF8", "--no-sync")
        (data / "pg_hba.conf").write_text("local all locked scram-sha-256\nlocal all all trust\n")
        with (data / "postgresql.conf").open("a") as conf:
            conf.write(f"listen_addresses = ''\nunix_socket_directories = '{self.folder}'\n"
                       "max_connections = 60\nshared_buffers = 16MB\n")

    def start(self):
        self.command("pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log",
                     "-w", "-t", str(WAIT_S), "start")

    def stop(self, how="immediate"):
        self.command("pg_ctl", "-D", self.folder / "data", "-w", "-t", str(WAIT_S),
                     "-m", how, "stop")

    def ask(self, sql):
        """The rows of an answer, a list of strings each."""
        done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql, self.url()],
                              capture_output=True, text=True, timeout=WAIT_S, check=False)
        assert done.returncode == 0, done.stderr
        return [line.split("|") for line in done.stdout.splitlines()]


@contextlib.contextmanager
def running():
    if not binaries() or not shutil.which("psql"):
        pytest.skip("no PostgreSQL server is installed")
    user = plain_user()
    # Not pytest's folder: another user cannot enter that, and a socket's path is short.
    folder = Path(tempfile.mkdtemp(prefix="crc-pg-"))
    server = Postgres(folder, user)
    started = False
    try:
        if user:
            os.chown(folder, user.pw_uid, user.pw_gid)
        server.make()
        server.start()
        started = True
        yield server
    finally:
        if started:
            server.stop()
        shutil.rmtree(folder)
