"""Servers of a repository that behave as hosts do, and as they should not: HTTP by
`git http-backend`, and sshd with a configuration of its own, both on loopback."""

import base64
import http.server
import os
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ["PATH"])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, headers=(), body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_git(self, rest):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        path, _, query = rest.partition("?")
        env = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.server.root),
               "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
               "REQUEST_METHOD": self.command, "GIT_CONFIG_NOSYSTEM": "1",
               "CONTENT_TYPE": self.headers.get("Content-Type", ""),
               "CONTENT_LENGTH": str(len(body)), "HOME": "/nonexistent",
               "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory",
               "GIT_CONFIG_VALUE_0": "*"}
        done = subprocess.run(["git", "http-backend"], env=env, input=body, capture_output=True,
                              timeout=60, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n") if line]
        status = next((int(v.split()[0]) for n, v in headers if n == "Status"), 200)
        self.answer(status, [h for h in headers if h[0] != "Status"], content)

    def route(self):
        self.server.seen.append((self.path, self.headers.get("Authorization")))
        _, mode, rest = self.path.split("/", 2)
        rest = "/" + rest
        if mode == "auth":
            wanted = "Basic " + base64.b64encode(self.server.login.encode()).decode()
            if self.headers.get("Authorization") != wanted:
                return self.answer(401, [("WWW-Authenticate", 'Basic realm="git"')])
            return self.handle_git(rest)
        if mode == "redirect":
            return self.answer(302, [("Location", self.server.url("plain") + rest)])
        if mode == "away":
            return self.answer(301, [("Location", "http://user:pw@evil.example/x.git")])
        if mode == "hang":
            self.server.ended.wait(60)
            return None
        if mode == "junk":
            return self.answer(200, [("Content-Type", "application/x-git-upload-pack-advertisement")],
                               b"this is not git" * 100)
        if mode.isdigit():
            return self.answer(int(mode))
        return self.handle_git(rest)

    do_GET = route
    do_POST = route


class GitHttp(http.server.ThreadingHTTPServer):
    """url("plain"), url("auth"), url("redirect"), url("hang"), url("404"), ..."""

    daemon_threads = True

    def __init__(self, root):
        super().__init__(("127.0.0.1", 0), Handler)
        self.root, self.login, self.seen = Path(root), "x-access-token:t0ken", []
        self.ended = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, mode):
        return f"http://127.0.0.1:{self.server_address[1]}/{mode}"

    def close(self):
        self.ended.set()
        self.shutdown()
        self.server_close()


def _free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Sshd:
    """One key is let in; the server's own key can be changed."""

    def __init__(self, folder):
        self.folder, self.port = Path(folder), _free_port()
        self.folder.mkdir()
        self.folder.chmod(0o700)
        self.process = None
        self.make_key("user")
        self.make_key("stranger")
        self.make_key("locked", "open sesame")
        (self.folder / "authorized").write_text("".join(
            (self.folder / f"{name}.pub").read_text() for name in ("user", "locked")))
        self.start("host")

    def make_key(self, name, passphrase=""):
        subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", passphrase,
                        "-f", self.folder / name], check=True)

    def start(self, name):
        """(Again, with another host key.)"""
        self.stop()
        if not (self.folder / name).exists():
            self.make_key(name)
        config = self.folder / "config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/{name}\n"
            f"AuthorizedKeysFile {self.folder}/authorized\nPidFile none\nUsePAM no\n"
            "StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            "PermitRootLogin yes\nPubkeyAcceptedAlgorithms +ssh-rsa\n"
            "HostKeyAlgorithms +ssh-rsa\n")
        os.makedirs("/run/sshd", exist_ok=True)
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", config], stderr=log)
        for _ in range(100):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text())

    def fingerprint(self, name="host"):
        done = subprocess.run(["ssh-keygen", "-lf", self.folder / f"{name}.pub"], check=True,
                              capture_output=True, text=True)
        return done.stdout.split()[1]

    def url(self, path):
        return f"ssh://root@127.0.0.1:{self.port}{path}"

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
        self.process = None
