"""A running crc-daemon between a bare repository and the local cloud, and deliveries to it."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import signal
import subprocess
import time
import urllib.parse
from pathlib import Path

from gitrepo import GIT_ENV
from world import CRC_ACTION, ROOT, Repo, bare_env

CRC_DAEMON = os.environ.get("CRC_DAEMON", str(ROOT / "build" / "asan" / "daemon" / "crc-daemon"))
CRC_DAEMON_RELEASE = os.environ.get("CRC_DAEMON_RELEASE")

KEY = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
ZERO = "0" * 40


def wait_for(question, seconds=60, every=0.05):
    """The first answer that is true; fails after so long."""
    until = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < until, f"waited {seconds} s in vain"
        time.sleep(every)
    return answer


def push_body(before, after, ref="refs/heads/main"):
    return json.dumps({"ref": ref, "before": before, "after": after}).encode()


def signed_headers(body, delivery, key=KEY, at=None):
    """Standard Webhooks, as our post-receive hook signs."""
    at = str(int(time.time()) if at is None else at)
    mac = hmac.new(base64.b64decode(key), f"{delivery}.{at}.".encode() + body, hashlib.sha256)
    return {"Content-Type": "application/json", "webhook-id": delivery, "webhook-timestamp": at,
            "webhook-signature": "v1," + base64.b64encode(mac.digest()).decode()}


class Bare:
    """What a host has: a bare repository, and a clone that pushes to it."""

    def __init__(self, folder):
        self.path = Path(folder) / "host.git"
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(self.path)], check=True,
                       env=GIT_ENV)
        self.work = Repo(Path(folder) / "work")
        self.work.git("remote", "add", "origin", str(self.path))

    def push(self, files=None, message="change", branch="main", force=False):
        """Commits and pushes. (before, after) as a host would tell them."""
        before = self.tip(branch)
        after = self.work.commit(files, message)
        self.work.git("push", "-q", *(["--force"] if force else []), "origin", f"HEAD:{branch}")
        return before, after

    def tip(self, branch="main"):
        done = subprocess.run(["git", "rev-parse", "-q", "--verify", f"refs/heads/{branch}"],
                              cwd=self.path, env=GIT_ENV, stdout=subprocess.PIPE, check=False)
        return done.stdout.decode().strip() or ZERO


class Daemon:
    """The program with a daemon.yml of its own.

    sites: {name: {key of daemon.yml: value}}; repository is needed, the rest is generic with our
    KEY. options: further keys of daemon.yml.
    """

    def __init__(self, folder, sites, env=None, program=CRC_DAEMON, **options):
        self.folder, self.program = Path(folder), program
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "home").mkdir(exist_ok=True)
        self.env = bare_env(self.folder / "home", **(env or {}))
        self.config = self.folder / "daemon.yml"
        self.secret("key", "whsec_" + KEY)
        self.log = self.folder / "log"
        self.settings = {"listen": "127.0.0.1:0", "state": str(self.folder / "state"),
                         "action": CRC_ACTION, **options}
        self.settings["limits"] = {"memory": 0, "per-address": 0, "per-site": 0,
                                   **options.get("limits", {})}
        self.settings["sites"] = {name: {"provider": "generic", "secrets": ["key"], "poll": 0,
                                         **site} for name, site in sites.items()}
        self.process = self.port = None

    def secret(self, name, text):
        path = self.folder / name
        path.write_text(text + "\n")
        path.chmod(0o600)
        return name

    def write_config(self):
        # JSON is YAML.
        self.config.write_text(json.dumps(self.settings, indent=1))

    def run(self, *arguments, status=0):
        """A command of crc-daemon on this configuration. Its stdout."""
        self.write_config()
        done = subprocess.run([self.program, *arguments, "--config", str(self.config)],
                              env=self.env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status, (arguments, done)
        return done.stdout

    def start(self, seconds=30):
        self.write_config()
        at = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.program, "--config", str(self.config)],
                                            env=self.env, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=self.folder, process_group=0)

        def ports():
            assert self.process.poll() is None, self.log_text()
            return re.findall(r"listening on port (\d+)", self.log_text()[at:])

        wanted = 2 if "admin" in self.settings else 1
        wait_for(lambda: len(ports()) >= wanted, seconds)
        self.port = int(ports()[0])
        self.admin_port = int(ports()[-1])
        return self

    def log_text(self):
        return self.log.read_text(errors="backslashreplace") if self.log.exists() else ""

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, seconds=60):
        """TERM, which must end it in good order."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"did not stop: {self.log_text()[-3000:]}") from None
        assert self.process.returncode == 0, self.log_text()[-5000:]
        for finding in ("Sanitizer:", "runtime error:"):
            assert finding not in self.log_text(), self.log_text()[-5000:]

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind and self.process.poll() is None:
            self.kill()
        elif not kind:
            self.stop()

    # Talking to it

    def request(self, method, path, body=b"", headers=None, port=None, timeout=30):
        """(status, headers, bytes)."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def deliver(self, site, before, after, delivery=None, **options):
        """A push, signed. (status, what it answers)."""
        body = push_body(before, after, options.pop("ref", "refs/heads/main"))
        headers = signed_headers(body, delivery or f"d-{os.urandom(8).hex()}", **options)
        status, _, text = self.request("POST", "/hooks/" + urllib.parse.quote(site), body, headers)
        return status, json.loads(text)

    def status(self):
        """{site: what /status.json says of it}."""
        status, _, text = self.request("GET", "/status.json", port=self.admin_port)
        assert status == 200, text
        return {site["name"]: site for site in json.loads(text)["sites"]}

    def jobs(self, site):
        """Newest first."""
        return self.status()[site]["jobs"]

    def wait_live(self, site, commit, seconds=60):
        wait_for(lambda: self.status()[site]["live"] == commit, seconds)

    def wait_idle(self, seconds=60):
        """Nothing runs and nothing waits. All jobs by site."""
        def idle():
            sites = self.status()
            return all(job["state"] not in ("pending", "running")
                       for site in sites.values() for job in site["jobs"]) and sites
        return wait_for(idle, seconds)

    def metric(self, line):
        """The value of a line of /metrics; None: it is not there."""
        text = self.request("GET", "/metrics", port=self.admin_port)[2].decode()
        found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else None
