"""The hook script of examples/daemon, run by real pushes, heard by a small server here."""

import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CRC_BUILD", ROOT / "build" / "asan"))
HELPER = BUILD / "tests" / "daemon_provider_stdin"
SCRIPT = ROOT / "examples" / "daemon" / "post-receive"
KEY = bytes(range(7, 39))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
ZERO = "0" * 40
UNTOLD = "the push is in, but the daemon was not told of it"


class Server(http.server.ThreadingHTTPServer):
    """Keeps what is posted; answers the statuses of a list, then 202."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.posts, self.statuses, self.hold = [], [], threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/hook/site"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((self.path, self.headers.items(), body))
        status = self.server.statuses.pop(0) if self.server.statuses else 202
        if status == "hang":
            self.server.hold.wait(20)
        elif status == "drop":
            self.close_connection = True
        else:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    made = Server()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.hold.set()
    made.shutdown()
    thread.join()
    made.server_close()


class World:
    """A bare repository with the hook, and a clone that pushes."""

    def __init__(self, folder, server):
        self.bare, self.clone, self.server = folder / "site.git", folder / "clone", server
        self.secret = folder / "a secret"
        self.env = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8",
                    "GIT_CONFIG_NOSYSTEM": "1"}
        for name in ("AUTHOR", "COMMITTER"):
            self.env |= {f"GIT_{name}_NAME": "Hazel", f"GIT_{name}_EMAIL": "hazel@example.com"}
        self.git(folder, "init", "-q", "--bare", "-b", "main", self.bare)
        self.git(folder, "init", "-q", "-b", "main", self.clone)
        self.git(self.clone, "remote", "add", "origin", self.bare)
        (self.bare / "hooks" / "post-receive").unlink(missing_ok=True)
        (self.bare / "hooks" / "post-receive").symlink_to(SCRIPT)
        self.secret.write_text(SECRET + "\n")
        self.config("crc.url", server.url)
        self.config("crc.secretFile", str(self.secret))

    def git(self, folder, *arguments):
        done = subprocess.run(["git", *map(os.fspath, arguments)], cwd=folder, env=self.env,
                              capture_output=True, timeout=60, check=False)
        stderr = done.stderr.decode("utf-8", "replace")
        assert done.returncode == 0, stderr
        return done.stdout.decode().strip(), stderr

    def config(self, key, value):
        self.git(self.bare, "config", key, value)

    def commit(self):
        self.git(self.clone, "commit", "-q", "--allow-empty", "-m", "something")
        return self.git(self.clone, "rev-parse", "HEAD")[0]

    def push(self, *what):
        """Pushes, which must work; returns what the hook said."""
        return self.git(self.clone, "push", "-q", "origin", *what)[1]

    def judged(self, post, secret=SECRET, now=None):
        """What the daemon makes of a post."""
        _, headers, body = post
        job = {"provider": "generic", "secrets": [secret], "headers": headers, "branch": "main",
               "now": now or int(time.time()), "body": base64.b64encode(body).decode()}
        done = subprocess.run([HELPER], input=json.dumps(job) + "\n", capture_output=True,
                              text=True, timeout=60, check=True)
        return json.loads(done.stdout)


@pytest.fixture
def world(tmp_path, server):
    return World(tmp_path, server)


def is_signed(post, key=KEY):
    headers = {name.lower(): value for name, value in post[1]}
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + post[2]
    mac = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return headers["webhook-signature"] == f"v1,{mac}"


def test_a_push_is_told(world, server):
    first = world.commit()
    said = world.push("main")
    assert "crc: told the daemon of the push" in said and UNTOLD not in said
    second = world.commit()
    world.push("main")
    assert [post[0] for post in server.posts] == ["/hook/site"] * 2
    assert all(is_signed(post) for post in server.posts)
    answers = [world.judged(post) for post in server.posts]
    assert [a["changes"] for a in answers] == [
        [["refs/heads/main", "", first]], [["refs/heads/main", first, second]]]
    assert [a["tip"] for a in answers] == [first, second]
    assert answers[0]["delivery"].startswith("push_")
    assert answers[0]["delivery"] != answers[1]["delivery"]
    assert "another secret" not in answers[0]["auth"]
    assert world.judged(server.posts[0], secret="whsec_AAAA")["auth"] != ""


def test_several_refs_and_odd_names(world, server):
    tip = world.commit()
    names = ['refs/heads/quo"te', "refs/heads/café", "refs/heads/a$(b)'c;d", "refs/tags/v1",
             "refs/heads/%s%n-x"]
    world.push("main", *(f"{tip}:{name}" for name in names))
    world.push(":refs/heads/café")
    several, deleted = map(world.judged, server.posts)
    assert sorted(several["changes"]) == sorted(
        [name, "", tip] for name in names + ["refs/heads/main"])
    assert deleted["changes"] == [["refs/heads/café", tip, ""]]


def test_a_name_that_is_no_text_is_left_out(world, server):
    tip = world.commit()
    done = subprocess.run([b"git", b"push", b"-q", b"origin", b"main",
                           tip.encode() + b":refs/heads/\xff"], cwd=world.clone, env=world.env,
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 0 and b"left out, as its name is not UTF-8" in done.stderr
    assert world.judged(server.posts[0])["changes"] == [["refs/heads/main", "", tip]]


@pytest.mark.parametrize("shell", ["dash", "bash --posix", "bash"])
@pytest.mark.parametrize("key", [b"k", b"\0" * 24, bytes(range(200, 232)), bytes(range(64)),
                                 bytes(range(65)), bytes(range(130))])
def test_keys_of_all_lengths(world, server, shell, key):
    world.secret.write_text("whsec_" + base64.b64encode(key).decode())
    done = run_script(world, f"{ZERO} {'ab' * 20} refs/heads/main\n", shell)
    assert "told the daemon" in done.stderr
    assert is_signed(server.posts[0], key)


def run_script(world, lines, shell="sh", env=None):
    done = subprocess.run([*shell.split(), SCRIPT], input=lines, cwd=world.bare, timeout=60,
                          capture_output=True, text=True, check=False,
                          env=world.env | {"GIT_DIR": "."} | (env or {}))
    assert done.returncode == 0 and done.stdout == ""
    return done


def test_a_thousand_changes_and_no_more(world, server):
    done = run_script(world, "".join(
        f"{ZERO} {'ab' * 20} refs/heads/b{i}\n" for i in range(1003)))
    assert "only the first 1000 changes are told" in done.stderr
    assert len(world.judged(server.posts[0])["changes"]) == 1000


@pytest.mark.parametrize("statuses, told, posts", [
    ([500], True, 2), (["drop"], True, 2), ([429], True, 2), ([503, 503], False, 2),
    ([401], False, 1), ([404], False, 1), ([301], False, 1), ([200], True, 1)])
def test_one_retry(world, server, statuses, told, posts):
    world.commit()
    server.statuses = list(statuses)
    said = world.push("main")
    assert (UNTOLD in said) == (not told) and ("told the daemon of the push" in said) == told
    assert len(server.posts) == posts
    assert len({dict(post[1])["webhook-id"] for post in server.posts}) == 1
    assert told or statuses[-1] == "drop" or str(statuses[-1]) in said


def test_a_daemon_that_hangs_holds_nobody_for_long(world, server):
    world.commit()
    server.statuses = ["hang", "hang"]
    start = time.monotonic()
    said = world.push("main")
    assert UNTOLD in said and "no answer" in said
    assert time.monotonic() - start < 18


def test_nobody_listens(world, server):
    world.commit()
    world.config("crc.url", "http://127.0.0.1:1/hook/site")
    said = world.push("main")
    assert "there was no answer from http://127.0.0.1:1/hook/site" in said and UNTOLD in said


@pytest.mark.parametrize("key, value, message", [
    ("crc.url", None, "crc.url is not set"),
    ("crc.secretFile", None, "crc.secretFile is not set"),
    ("crc.secretFile", "/nowhere", "cannot read the secret"),
    ("secret", "", 'does not hold "whsec_" and base64'),
    ("secret", "plain", 'does not hold "whsec_" and base64'),
    ("secret", "whsec_", 'does not hold "whsec_" and base64'),
    ("secret", "whsec_!!!", 'does not hold "whsec_" and base64'),
    ("crc.url", "file:///etc/passwd", "no answer"),
])
def test_settings_that_are_not_right(world, server, key, value, message):
    world.commit()
    if key == "secret":
        world.secret.write_text(value)
    elif value is None:
        world.git(world.bare, "config", "--unset", key)
    else:
        world.config(key, value)
    said = world.push("main")
    assert message in said and UNTOLD in said and server.posts == []


def test_a_tool_is_missing(world, server, tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("git", "openssl", "od", "tr", "sed", "cat", "date", "sleep", "sh"):
        for folder in ("/usr/bin", "/bin", "/usr/local/bin"):
            with contextlib.suppress(FileExistsError):
                if os.path.exists(f"{folder}/{tool}"):
                    (tools / tool).symlink_to(f"{folder}/{tool}")
    done = run_script(world, f"{ZERO} {'ab' * 20} refs/heads/main\n", "/bin/sh",
                      {"PATH": str(tools)})
    assert "curl is not installed" in done.stderr and UNTOLD in done.stderr


def test_the_secret_is_no_programs_argument(world, server, tmp_path):
    """openssl and curl are wrapped, and write down what they were called with."""
    tools, log = tmp_path / "bin", tmp_path / "log"
    tools.mkdir()
    for tool in ("openssl", "curl", "od", "tr", "sed", "cat", "date"):
        real = subprocess.check_output(["sh", "-c", f"command -v {tool}"], text=True).strip()
        (tools / tool).write_text(
            f'#!/bin/sh\nprintf "%s " {tool} "$@" >>{log}\nexec {real} "$@"\n')
        (tools / tool).chmod(0o755)
    run_script(world, f"{ZERO} {'ab' * 20} refs/heads/main\n", "sh",
               {"PATH": f"{tools}:{os.environ['PATH']}"})
    called = log.read_text()
    assert is_signed(server.posts[0]) and "openssl dgst" in called and "curl -q" in called
    for form in (SECRET, SECRET[6:], SECRET[6:20], KEY.hex(), KEY.hex()[:16]):
        assert form not in called


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="there is no shellcheck")
def test_the_script_is_plain_sh():
    subprocess.run(["shellcheck", "--shell=sh", "--severity=style", SCRIPT], check=True, timeout=60)


def test_nothing_was_moved(world, server):
    assert run_script(world, "").stderr == "" and server.posts == []
