"""crc-daemon from the outside: its configuration checked, its queue acted on, its life and end.

What is deployed here is a script in crc-action's place, so no cloud is needed."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from gitfixtures import Repo

ROOT = Path(__file__).resolve().parents[2]
DAEMON = os.environ.get("CRC_DAEMON", str(ROOT / "build" / "asan" / "daemon" / "crc-daemon"))

# In place of crc-action: writes what it was asked for, and succeeds, hangs or fails as a file says.
ACTION = """#!{python}
import json, pathlib, sys, time
base = pathlib.Path({base!r})
argv = sys.argv[1:]
head = argv[argv.index("--head") + 1]
with open(base / "calls", "a") as calls:
    calls.write(json.dumps(argv) + "\\n")
mode = (base / "mode").read_text() if (base / "mode").exists() else ""
if mode == "hang":
    (base / "hanging").touch()
    time.sleep(120)
ok = mode != "fail"
result = {{"verdict": "deployed", "head": head}} if ok else {{
    "verdict": "failed", "error": "no bucket", "error_code": "config"}}
print(json.dumps({{"v": 1, "type": "result", **result}}, separators=(",", ":")))
sys.exit(0 if ok else 2)
"""


def until(condition, what, seconds=20):
    """The first value of condition() that is true; bounded."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds} s")


class Daemon:
    """A folder with a daemon.yml, a bare repository, and perhaps a daemon that runs."""

    def __init__(self, folder):
        self.folder = folder
        self.process = None
        self.notices = None
        self.env = {k: v for k, v in os.environ.items()
                    if k not in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "CREDENTIALS_DIRECTORY")}
        self.repo = Repo(folder / "work")
        self.bare = folder / "bare.git"
        self.secret("hook", "token\n")
        action = folder / "crc-action"
        action.write_text(ACTION.format(python=sys.executable, base=str(folder)))
        action.chmod(0o755)
        self.write()

    def secret(self, name, text, mode=0o600):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)

    def write(self, top="", site=""):
        (self.folder / "daemon.yml").write_text(f"""\
listen: 127.0.0.1:0
state: state
log: json
action: crc-action
{top}
sites:
  resume:
    repository: {self.bare}
    provider: generic
    generic: {{ auth: token, header: X-Token }}
    secrets: hook
    poll: 0
{site}
""")

    def commit(self, name):
        """A commit on main that is in the bare repository."""
        commit = self.repo.commit({"file": name})
        if not self.bare.exists():
            self.repo.git("clone", "-q", "--bare", str(self.repo.path), str(self.bare))
        self.repo.git("push", "-q", "-f", str(self.bare), "HEAD:refs/heads/main")
        return commit

    def run(self, *arguments, config="daemon.yml"):
        return subprocess.run([DAEMON, "--config", config, *arguments], cwd=self.folder,
                              env=self.env, capture_output=True, text=True, timeout=60)

    def start(self):
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notices.bind(str(self.folder / "notify"))
        self.notices.settimeout(20)
        env = self.env | {"NOTIFY_SOCKET": str(self.folder / "notify"), "WATCHDOG_USEC": "3000000"}
        with open(self.folder / "log", "a") as log:
            self.process = subprocess.Popen([DAEMON, "--config", "daemon.yml"], cwd=self.folder,
                                            env=env, stderr=log, stdout=log)
        assert self.notice() == "READY=1"
        self.port = int(re.search(r"listening on port (\d+)", self.log()).group(1))

    def notice(self, but="WATCHDOG=1"):
        """The next message to systemd, leaving out some."""
        while True:
            message = self.notices.recv(4096).decode()
            if message != but:
                return message

    def log(self):
        return (self.folder / "log").read_text()

    def says(self, text, seconds=20):
        until(lambda: text in self.log(), text, seconds)

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as r:
                return r.status
        except urllib.error.HTTPError as e:
            return e.code

    def push(self, commit):
        body = json.dumps({"ref": "main", "after": commit}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/hooks/resume", body,
                                         {"X-Token": "token", "webhook-id": commit})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status

    def jobs(self):
        listed = self.run("list", "--json")
        assert listed.returncode == 0, listed.stderr
        return [json.loads(line) for line in listed.stdout.splitlines() if line.startswith("{")]

    def wait_job(self, **wanted):
        def found():
            return next((j for j in self.jobs() if wanted.items() <= j.items()), None)
        return until(found, f"a job with {wanted}")

    def calls(self):
        path = self.folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def end(self, number=signal.SIGTERM, seconds=30):
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def clean_up(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)
        if self.notices:
            self.notices.close()
        if self.process:
            assert "Sanitizer" not in self.log(), self.log()


@pytest.fixture
def daemon(tmp_path):
    if not os.access(DAEMON, os.X_OK):
        pytest.fail(f"{DAEMON} is not built; CRC_DAEMON names the program")
    d = Daemon(tmp_path)
    yield d
    d.clean_up()


# --check-config


def test_check_config__a_good_file(daemon):
    ran = daemon.run("--check-config")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "daemon.yml: 1 site: resume\n", "")


def test_check_config__a_slip_is_told_with_its_place(daemon):
    daemon.write(site="    brunch: main")
    ran = daemon.run("--check-config")
    assert ran.returncode == 2
    assert ran.stderr == ('crc-daemon: daemon.yml:13:5: unknown key "brunch" of a site: '
                          'did you mean "branch"?\n')


def test_check_config__no_message_has_the_secret(daemon):
    for value in ("hunter2", "ghp_0123456789abcdefghij", "8f14e45fceea167a5a36dedd4bea2543"):
        daemon.write(site=f"    status: {{ kind: gitlab, project: a/b, token: {value} }}")
        ran = daemon.run("--check-config")
        assert ran.returncode == 2 and "token" in ran.stderr
        assert value not in ran.stderr + ran.stdout


def test_check_config__file_that_others_may_read(daemon):
    daemon.secret("hook", "token", 0o644)
    ran = daemon.run("--check-config")
    assert ran.returncode == 0
    assert "warning: daemon.yml:11: secrets: every user" in ran.stderr


def test_check_config__no_such_file(daemon):
    ran = daemon.run("--check-config", config="nowhere.yml")
    assert ran.returncode == 1 and "nowhere.yml" in ran.stderr


def test_check_config__credentials(daemon):
    folder = daemon.folder / "credentials"
    folder.mkdir()
    (folder / "t").write_text("x")
    daemon.write(site="    status: { kind: gitlab, project: a/b, token: credential:t }")
    assert "CREDENTIALS_DIRECTORY" in daemon.run("--check-config").stderr
    daemon.env["CREDENTIALS_DIRECTORY"] = str(folder)
    assert daemon.run("--check-config").returncode == 0


# What is shown to people


def prepare_credentials(daemon):
    folder = daemon.folder / "credentials"
    folder.mkdir()
    for name, text in (("hook", "whsec_" + "A" * 43 + "="), ("token", "t"), ("api", "t"), ("key", "k")):
        daemon.secret(f"credentials/{name}", text)
    daemon.secret("hook", "whsec_" + "A" * 43 + "=")
    daemon.env["CREDENTIALS_DIRECTORY"] = str(folder)


def test_check_config__the_example(daemon):
    prepare_credentials(daemon)
    text = (ROOT / "examples" / "daemon" / "daemon.yml").read_text()
    (daemon.folder / "daemon.yml").write_text(text + "action: crc-action\n")
    ran = daemon.run("--check-config")
    assert ran.returncode == 0, ran.stderr
    service = (ROOT / "examples" / "daemon" / "crc-daemon.service").read_text()
    wanted = set(re.findall(r"credential:(\w+)", re.sub(r"#.*", "", text)))
    assert wanted == set(re.findall(r"^LoadCredential=(\w+):", service, re.M))


def recipes():
    """The yaml blocks of the page, by the heading above them."""
    page = (ROOT / "docs" / "daemon.md").read_text()
    page = page[page.index("\n## Recipes"):page.index("\n## Behind a proxy")]
    for part in page.split("\n### ")[1:]:
        for block in re.findall(r"```yaml\n(.*?)```", part, re.S):
            yield pytest.param(block, id=part.split("\n")[0])


@pytest.mark.parametrize("recipe", list(recipes()))
def test_check_config__recipes_of_the_page(daemon, recipe):
    prepare_credentials(daemon)
    key = "SHA256:" + "A" * 43
    lines = "".join(f"    {line}\n" for line in recipe.replace("SHA256:…", key).splitlines())
    (daemon.folder / "daemon.yml").write_text(
        f"action: crc-action\npublic-url: https://d.example.com\nsites:\n  resume:\n{lines}")
    ran = daemon.run("--check-config")
    assert (ran.returncode, ran.stderr.replace(key, "")) == (0, "")


def test_check_config__the_page_names_every_key(daemon):
    """A file with a key that is none is told which there are only by nearness, so ask the source."""
    source = (ROOT / "daemon" / "settings_parse.c").read_text()
    keys = set(re.findall(r'^\s+(?:\{ |[A-Z]+\()"([a-z-]+)",', source, re.M))
    page = (ROOT / "docs" / "daemon.md").read_text()
    assert len(keys) > 40
    assert [k for k in sorted(keys) if not re.search(rf"`{k}`|\b{k}: ", page)] == []


# The command line


def test_options__usage_is_2(daemon):
    for arguments, says in ((["redeply", "resume"], "did you mean redeploy?"),
                            (["redeploy"], "redeploy needs SITE [COMMIT]"),
                            (["--confg"], "did you mean --config?")):
        ran = daemon.run(*arguments)
        assert ran.returncode == 2 and says in ran.stderr


def test_options__help_and_version(daemon):
    ran = daemon.run("--help")
    assert ran.returncode == 0 and "rollback SITE [COMMIT]" in ran.stdout
    assert re.fullmatch(r"crc-daemon \d+\.\d+\.\d+\n", daemon.run("--version").stdout)


# The queue


def test_queue__nothing_there(daemon):
    ran = daemon.run("list")
    assert ran.returncode == 1 and "has the daemon been started?" in ran.stderr
    assert not (daemon.folder / "state").exists(), "a command must not make the queue"


def test_queue__site_that_is_none(daemon):
    ran = daemon.run("redeploy", "resum")
    assert ran.returncode == 2 and 'did you mean "resume"?' in ran.stderr


def test_queue__commands_read_no_other_secret(daemon):
    daemon.commit("one")
    daemon.start()
    assert daemon.end() == 0
    (daemon.folder / "hook").unlink()
    ran = daemon.run("redeploy", "resume")
    assert (ran.returncode, ran.stdout) == (0, "resume: queued the deploy of the branch's tip\n")


def test_queue__rollback_goes_to_what_was_live_before(daemon):
    first = daemon.commit("one")
    daemon.start()
    ran = daemon.run("rollback", "resume")
    assert ran.returncode == 1 and "remembers no deploy that went live" in ran.stderr
    assert daemon.push(first) == 202
    daemon.wait_job(state="done", deployed=first)
    ran = daemon.run("rollback", "resume")
    assert ran.returncode == 1 and f"{first[:10]} is live" in ran.stderr

    second = daemon.commit("two")
    assert daemon.push(second) == 202
    daemon.wait_job(state="done", deployed=second)
    ran = daemon.run("rollback", "resume")
    assert (ran.returncode, ran.stdout) == (0, f"resume: queued the rollback of {first}\n")
    daemon.wait_job(cause="rollback", state="done", deployed=first)
    assert "--allow-rollback" in daemon.calls()[-1]
    assert "--allow-rollback" not in daemon.calls()[-2]


def test_queue__redeploy_takes_the_beginning_of_a_known_commit(daemon):
    first = daemon.commit("one")
    daemon.start()
    daemon.push(first)
    daemon.wait_job(state="done", deployed=first)
    ran = daemon.run("redeploy", "resume", first[:8])
    assert ran.stdout == f"resume: queued the deploy of {first}\n"
    daemon.wait_job(cause="redeploy", state="done", deployed=first)
    ran = daemon.run("redeploy", "resume", "0123456")
    assert ran.returncode == 2 and "give all 40 digits" in ran.stderr
    ran = daemon.run("redeploy", "resume", "main")
    assert ran.returncode == 2 and "is no commit" in ran.stderr


def test_queue__retry_of_what_was_given_up(daemon):
    first = daemon.commit("one")
    daemon.write(top="limits: { attempts: 1 }")
    (daemon.folder / "mode").write_text("fail")
    daemon.start()
    ran = daemon.run("retry", "resume")
    assert ran.returncode == 1 and "no deploy of it was given up" in ran.stderr
    daemon.push(first)
    daemon.wait_job(state="dead")
    (daemon.folder / "mode").write_text("")
    assert daemon.run("retry", "resume").stdout == "resume: queued again\n"
    daemon.wait_job(state="done", deployed=first)


def test_queue__list_as_text(daemon):
    first = daemon.commit("one")
    daemon.start()
    daemon.push(first)
    daemon.wait_job(state="done")
    assert re.match(rf"\d{{4}}-\d\d-\d\dT\S+Z +1 +resume +done +push +{first[:10]}",
                    daemon.run("list").stdout)


# Life and end


def test_life__ready_reload_and_stop_as_systemd_hears_it(daemon):
    daemon.start()
    assert daemon.get("/readyz") == 200
    daemon.write(top="limits: { attempts: 2 }")
    daemon.process.send_signal(signal.SIGHUP)
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", daemon.notice())
    assert daemon.notice() == "READY=1"
    daemon.says("reload: done, 1 site")
    assert daemon.end() == 0
    assert daemon.notice() == "STOPPING=1"
    for line in daemon.log().splitlines():
        json.loads(line)


def test_life__reload_of_a_wrong_file_changes_nothing(daemon):
    first = daemon.commit("one")
    daemon.start()
    for top, says in (("lmits: {}", 'did you mean \\"limits\\"?'),
                      ("queue: elsewhere.db", "needs a restart")):
        daemon.write(top=top)
        daemon.process.send_signal(signal.SIGHUP)
        daemon.says(says)
        assert "the settings stay as they were" in daemon.log()
    assert daemon.get("/readyz") == 200
    # Deploys, too, go by what was accepted.
    (daemon.folder / "hook").unlink()
    assert daemon.push(first) == 202
    daemon.says("job 1 of resume: done")
    assert first in daemon.calls()[0] and "attempt 2" not in daemon.log()


def test_life__a_reload_counts_for_the_next_delivery(daemon):
    daemon.start()
    daemon.secret("hook", "another")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.says("reload: done")
    with pytest.raises(urllib.error.HTTPError) as refused:
        daemon.push("0" * 39 + "1")
    assert refused.value.code == 401


def test_life__the_watchdog_is_fed(daemon):
    daemon.start()
    assert daemon.notice(but=None) == "WATCHDOG=1"
    assert daemon.notice(but=None) == "WATCHDOG=1"


def hanging(daemon):
    commit = daemon.commit("one")
    (daemon.folder / "mode").write_text("hang")
    daemon.start()
    daemon.push(commit)
    until((daemon.folder / "hanging").exists, "the deploy runs")
    return commit


def test_life__second_signal_ends_what_is_deployed(daemon):
    commit = hanging(daemon)
    daemon.process.send_signal(signal.SIGTERM)
    daemon.says('"message":"stopping"')
    time.sleep(2)
    assert daemon.process.poll() is None, "a running deploy gets time"
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(20) == 0
    # It did not count, and waits for the next daemon.
    (daemon.folder / "mode").write_text("")
    (daemon.folder / "notify").unlink()
    job = daemon.jobs()[0]
    assert (job["state"], job["commit"]) == ("pending", commit)
    daemon.start()
    daemon.wait_job(state="done", deployed=commit)


def test_life__no_deliveries_once_it_stops(daemon):
    hanging(daemon)
    daemon.process.send_signal(signal.SIGTERM)
    daemon.says('"message":"stopping"')

    def is_closed():
        try:
            return daemon.get("/readyz") == 503
        except (urllib.error.URLError, ConnectionError):
            return True
    until(is_closed, "readyz denies")
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(20) == 0


def test_life__third_signal_ends_the_process(daemon):
    hanging(daemon)
    for _ in range(2):
        daemon.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(20) in (0, 1)


def test_life__address_in_use(daemon):
    daemon.start()
    daemon.write()
    text = (daemon.folder / "daemon.yml").read_text()
    (daemon.folder / "daemon.yml").write_text(
        text.replace("127.0.0.1:0", f"127.0.0.1:{daemon.port}"))
    ran = daemon.run()
    assert ran.returncode == 1 and f"127.0.0.1:{daemon.port}" in ran.stderr
