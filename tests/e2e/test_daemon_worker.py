"""Deploys that go wrong under the whole daemon: each ends in a clear state, and the daemon stays up."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request

import pytest

from git_server import SSHD, GitHttp, Sshd
from test_daemon_job import DAEMON, HUNGRY_ACTION, RELEASE, JobWorld

RESULT = """#!/bin/sh
echo '{{"v":1,"type":"result","verdict":"done","head":"'$6'","uploaded":1,"deleted":0}}'
"""


class Running(JobWorld):
    """The daemon with one site, whose branch it asks for each second."""

    def __init__(self, folder, program=DAEMON):
        super().__init__(folder)
        self.program, self.process = program, None
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.site, self.more = {"poll": "1s"}, {}
        self.action(RESULT)

    def configure(self):
        path = super().configure()
        config = json.loads(path.read_text())
        config["listen"] = f"127.0.0.1:{self.port}"
        config.update(self.more)
        path.write_text(json.dumps(config))
        return path

    def start(self):
        log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen([self.program, "--config", str(self.configure())],
                                        env=self.env(), stdout=log, stderr=log)
        log.close()
        self.until(lambda: self.get("/healthz") == 200, "healthz")

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status
        except OSError:
            return None

    def until(self, condition, what, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = condition()
            if found:
                return found
            assert self.process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.05)
        raise AssertionError(f"{what}: {self.jobs()}\n{(self.folder / 'log').read_text()[-3000:]}")

    def command_line(self, *arguments):
        done = subprocess.run([self.program, *arguments, "--config", str(self.folder / "daemon.yml")],
                              env=self.env(), capture_output=True, timeout=30, check=True)
        return done.stdout.decode()

    def jobs(self):
        return [json.loads(line) for line in self.command_line("list", "--json").splitlines()]

    def newest(self, state, attempt=1):
        """The newest job, once it is in that state."""
        def look():
            jobs = self.jobs()
            return jobs and jobs[0]["state"] == state and jobs[0]["attempt"] >= attempt and jobs[0]
        return self.until(look, f"{state} after {attempt}")

    def reload(self):
        log = self.folder / "log"
        before = log.read_text().count("reload: done")
        self.configure()
        self.process.send_signal(signal.SIGHUP)
        self.until(lambda: log.read_text().count("reload: done") > before, "reload")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(30) == 0, (self.folder / "log").read_text()

    def goes_on(self):
        """It still deploys, once what was wrong is put right."""
        assert self.process.poll() is None and self.get("/healthz") == 200
        self.command_line("redeploy", "resume")
        assert self.newest("done")["deployed"] == self.head()


@pytest.fixture
def daemon(tmp_path):
    running = Running(tmp_path)
    yield running
    running.stop()


def test_a_branch_is_deployed_without_a_push(daemon):
    daemon.start()
    assert daemon.newest("done")["deployed"] == daemon.head()
    second = daemon.commit("second", {"index.html": "three"})
    daemon.until(lambda: daemon.jobs()[0]["deployed"] == second, "the second commit")
    time.sleep(2.5)
    assert len(daemon.jobs()) == 2


@pytest.mark.parametrize("action, limits, message", [
    ("#!/bin/sh\nkill -9 $$\n", {}, "killed by signal 9 (out of memory?)"),
    ("#!/bin/sh\nsleep 60\n", {"deploy-time": "2s"}, "not done after 2 s"),
    ("#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n", {"deploy-time": "2s"},
     "not done after 2 s"),
    ("#!/bin/sh\nexit 3\n", {}, "credentials or permissions"),
])
def test_a_deploy_that_does_not_end_well(daemon, action, limits, message):
    daemon.action(action)
    daemon.limits = limits
    daemon.start()
    job = daemon.newest("pending")
    assert message in job["message"], job
    daemon.action(RESULT)
    daemon.goes_on()


def test_a_build_that_does_not_end_is_killed(daemon):
    pid_file = daemon.folder / "pid"
    daemon.site["build"] = f"trap '' TERM; echo $$ >{pid_file}; while :; do sleep 0.1; done"
    daemon.limits = {"deploy-time": "2s"}
    daemon.start()
    assert "not done after 2 s" in daemon.newest("pending")["message"]
    assert not os.path.exists(f"/proc/{pid_file.read_text().strip()}")
    daemon.until(lambda: not (daemon.folder / "state" / "builds" / "resume").exists(), "no checkout")


def test_a_deploy_that_takes_too_much_memory(tmp_path):
    if not RELEASE:
        pytest.skip("needs a build without sanitizers: CRC_DAEMON_RELEASE")
    daemon = Running(tmp_path, RELEASE)
    daemon.limits = {"memory": "256M"}
    daemon.action(HUNGRY_ACTION)
    daemon.start()
    try:
        assert "exit status 1" in daemon.newest("pending")["message"]
        daemon.action(RESULT)
        daemon.goes_on()
    finally:
        daemon.stop()


def test_hosts_that_do_not_let_us_in(daemon):
    server = GitHttp(daemon.folder)
    try:
        daemon.site = {"repository": server.url("redirect") + "/up", "poll": "0s"}
        daemon.start()
        for mode, message in (("redirect", "redirects to"), ("auth", "asks for credentials"),
                              ("hang", "not done after 3 s"), ("404", "404")):
            daemon.limits = {"deploy-time": "3s" if mode == "hang" else "60s"}
            daemon.site["repository"] = server.url(mode) + "/up"
            daemon.reload()
            daemon.command_line("redeploy", "resume")
            job = daemon.newest("pending")
            daemon.until(lambda m=message: m in daemon.jobs()[0]["message"], f"{mode}: {message}")
            assert job["attempt"] == 1
        daemon.site["repository"] = server.url("plain") + "/up"
        daemon.reload()
        daemon.goes_on()
    finally:
        server.close()


def test_a_host_key_that_changes(daemon):
    if not SSHD:
        pytest.skip("there is no sshd")
    sshd = Sshd(daemon.folder / "ssh")
    try:
        daemon.site = {"repository": sshd.url(daemon.repo.path), "poll": "0s"}
        daemon.access = {"ssh-key": str(sshd.folder / "user"), "host-keys": [sshd.fingerprint()]}
        daemon.start()
        daemon.goes_on()
        sshd.start("other")
        daemon.command_line("redeploy", "resume")
        assert sshd.fingerprint("other") in daemon.newest("pending")["message"]
        sshd.start("host")
        daemon.goes_on()
    finally:
        sshd.stop()


def test_what_runs_ends_with_the_daemon(daemon):
    pid_file = daemon.folder / "pid"
    daemon.action(f"#!/bin/sh\necho $$ >{pid_file}\nexec sleep 60\n")
    daemon.start()
    daemon.until(lambda: pid_file.exists() and pid_file.read_text(), "the action")
    daemon.process.kill()
    daemon.process.wait(10)
    end = time.monotonic() + 10
    while os.path.exists(f"/proc/{pid_file.read_text().strip()}"):
        assert time.monotonic() < end, "the action lives on"
        time.sleep(0.05)
    # Its job is there, and waits for the end of the lease.
    daemon.start()
    assert [job["state"] for job in daemon.jobs()] == ["running"]


def test_who_cannot_listen_deploys_nothing(daemon):
    daemon.site = {"poll": "0s"}
    daemon.start()
    daemon.stop()
    daemon.command_line("redeploy", "resume")
    daemon.action("#!/bin/sh\ntrap '' TERM\necho >$0.ran\nsleep 3\n")
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", daemon.port))
        taken.listen()
        for _ in range(5):
            ended = subprocess.run([DAEMON, "--config", str(daemon.folder / "daemon.yml")],
                                   env=daemon.env(), capture_output=True, timeout=60, check=False)
            assert ended.returncode == 1 and b"listen on" in ended.stderr, ended.stderr
            assert b"attempt 1" not in ended.stderr, ended.stderr
    job = daemon.jobs()[0]
    assert (job["state"], job["started_ms"]) == ("pending", 0)
    assert not (daemon.folder / "action.ran").exists()


def test_who_cannot_listen_changes_nothing_for_who_does(daemon):
    daemon.start()
    mine = (daemon.folder / "state" / "daemon.yml").read_text()
    config = json.loads((daemon.folder / "daemon.yml").read_text())
    config["sites"] = {"another": config["sites"]["resume"]}
    other = daemon.folder / "other.yml"
    other.write_text(json.dumps(config))
    ended = subprocess.run([DAEMON, "--config", str(other)], env=daemon.env(),
                           capture_output=True, timeout=60, check=False)
    assert ended.returncode == 1 and b"listen on" in ended.stderr, ended.stderr
    assert (daemon.folder / "state" / "daemon.yml").read_text() == mine
    daemon.goes_on()


def test_no_dump_of_its_memory_is_written(daemon):
    # Which the sanitizer would see to by itself.
    daemon.sanitizers = {"ASAN_OPTIONS": "detect_leaks=0:disable_coredump=0"}
    daemon.start()
    with open(f"/proc/{daemon.process.pid}/limits", encoding="ascii") as limits:
        [cores] = [line.split()[4] for line in limits if line.startswith("Max core file size")]
    assert cores == "0"


def test_who_sent_a_request_is_not_for_the_sender_to_say(daemon):
    daemon.more = {"trusted-proxies": ["127.0.0.1"]}
    daemon.start()
    request = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=10)
    request.putrequest("POST", "/hooks/resume")
    request.putheader("X-Forwarded-For", "198.51.100.66")  # the sender's
    request.putheader("X-Forwarded-For", "192.0.2.1")  # the proxy's
    request.putheader("Content-Length", "2")
    request.endheaders(b"{}")
    assert request.getresponse().status == 401
    request.close()
    log = (daemon.folder / "log").read_text()
    assert "refused a delivery from 192.0.2.1" in log and "198.51.100.66" not in log
