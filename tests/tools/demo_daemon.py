#!/usr/bin/env python3
"""./dev demo --daemon: a bare repository with our post-receive hook, crc-daemon, and the local
cloud: `git push` puts a change at the edge.

What is claimed is looked up first, as in demo.py.
"""

import base64
import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from demo import ROOT, Screen, arguments, check, play, wait_for_the_end

PROGRAM = Path(os.environ.get("CRC_DAEMON", ROOT / "build" / "crc-daemon"))
ACTION = Path(os.environ.get("CRC_ACTION", ROOT / "build" / "crc-action"))
HOOK = ROOT / "examples" / "daemon" / "post-receive"
PAGE = ("website/index.html", "<h1>My resume</h1>", "<h1>My resume, pushed</h1>")
PATIENCE_S = 60


class Demo:
    def __init__(self, folder, cloud):
        self.screen, self.cloud, self.folder = Screen(), cloud, folder
        self.host, self.work = folder / "host.git", folder / "work"
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self.process = self.url = None

    def env(self, **more):
        kept = {n: os.environ[n] for n in ("PATH", "LANG", "TERM", "ASAN_OPTIONS", "LSAN_OPTIONS")
                if n in os.environ}
        return {**kept, "HOME": str(self.home), "GIT_CONFIG_NOSYSTEM": "1", **more}

    def git(self, *arguments, cwd=None):
        done = subprocess.run(["git", *arguments], cwd=cwd or self.work, env=self.env(),
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        check(done.returncode == 0, f"git {arguments[0]}: {done.stdout}")
        return done.stdout

    def run(self):
        self.make_site()
        self.make_host()
        self.start_daemon()
        self.push("my resume", "The first push")
        self.edit()
        self.push("a new heading", "git push, and it is live")
        self.look_at_the_page()
        mark = "✓" if self.screen.unicode() else "ok"
        print(f"\n   What is marked {mark} was looked up in the bucket, at the edge and on the page.")

    def make_site(self):
        screen = self.screen
        screen.heading("A cloud on this machine, with a bucket and a distribution")
        self.site = self.cloud.make_site("my-resume")
        screen.row("bucket", self.site.bucket)
        screen.row("edge", f"{self.cloud.edge} (a cache that keeps all until told)")

    def make_host(self):
        screen = self.screen
        screen.heading("A bare repository with our hook: what is left of a host without its web pages")
        self.git("init", "-q", "--bare", "-b", "main", str(self.host), cwd=self.folder)
        self.git("init", "-q", "-b", "main", str(self.work), cwd=self.folder)
        for name, value in (("user.name", "Runa Castellane"), ("user.email", "runa@example.com")):
            self.git("config", name, value)
        self.git("remote", "add", "origin", str(self.host))
        shutil.copy(HOOK, self.host / "hooks" / "post-receive")
        website = self.work / "website"
        website.mkdir()
        (website / "index.html").write_text(f"<!DOCTYPE html>\n<title>Me</title>\n{PAGE[1]}\n")
        (website / "style.css").write_text("h1 { color: #1e6fbb; }\n")
        (self.work / "crc.yml").write_text(
            f"sites:\n  resume:\n    path: website\n    bucket: {self.site.bucket}\n"
            f"    distribution: {self.site.distribution}\n")
        screen.row("hook", "examples/daemon/post-receive, in host.git/hooks")

    def start_daemon(self):
        screen = self.screen
        screen.heading("crc-daemon")
        secret = self.folder / "resume.secret"
        secret.write_text("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode() + "\n")
        secret.chmod(0o600)
        config = self.folder / "daemon.yml"
        config.write_text(
            f"listen: 127.0.0.1:0\nstate: {self.folder / 'state'}\naction: {ACTION}\n"
            f"limits: {{ memory: 0 }}\nsites:\n  resume:\n    repository: {self.host}\n"
            f"    provider: generic\n    secrets: [{secret.name}]\n")
        screen.command("crc-daemon --config daemon.yml")
        screen.output(config.read_text())
        self.log = self.folder / "daemon.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "--config", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.env(**self.cloud.env()))
        port = self.wait(lambda: re.search(r"listening on port (\d+)", self.log.read_text()),
                         "the daemon did not start")[1]
        self.url = f"http://127.0.0.1:{port}"
        for name, value in (("crc.url", f"{self.url}/hooks/resume"),
                            ("crc.secretFile", str(secret))):
            self.git("config", name, value, cwd=self.host)
        check(self.get("/readyz") == "ok\n", "the daemon is not ready")
        screen.checked("it is ready")

    def wait(self, question, complaint):
        until = time.monotonic() + PATIENCE_S
        while not (answer := question()):
            check(time.monotonic() < until and self.process.poll() is None,
                  f"{complaint}; its log:\n{self.log.read_text()}")
            time.sleep(0.05)
        return answer

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return answer.read().decode()

    def live(self):
        return json.loads(self.get("/status.json"))["sites"][0]

    def push(self, message, heading):
        screen = self.screen
        screen.heading(heading)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        commit = self.git("rev-parse", "HEAD").strip()
        began = time.monotonic()
        screen.command(f"git commit -am '{message}' && git push")
        said = self.git("push", "-q", "origin", "main")
        screen.output(said)
        check("crc: told the daemon of the push" in said, "the hook did not reach the daemon")
        self.wait(lambda: self.live()["live"] == commit, "the push was not deployed")
        took = time.monotonic() - began
        page = (self.work / "website/index.html").read_bytes()
        served = self.cloud.view("/", distribution=self.site.distribution)
        check(served.body == page, "the edge does not serve what was pushed")
        check(self.cloud.stale() == [], f"the edge is stale: {self.cloud.stale()}")
        check(self.cloud.evicted_in_vain() == [], "something was evicted in vain")
        screen.checked(f"the edge serves the commit {took:.1f} s after `git push` began, and nothing "
                       "is stale")
        self.cloud.warm(self.site.distribution, ["/", "/index.html", "/style.css"])

    def edit(self):
        name, old, new = PAGE
        file = self.work / name
        check(old in file.read_text(), f"{name} does not hold what the demo edits")
        file.write_text(file.read_text().replace(old, new))

    def look_at_the_page(self):
        screen = self.screen
        screen.heading("What the daemon's page tells")
        job = self.live()["jobs"][0]
        page = self.get("/")
        check(f"deploy {job['id']}" in page and "a new heading" in page,
              "the page does not show the deploy")
        text = self.get(f"/deploys/{job['id']}")
        check("index.html" in text and "1 uploaded" in text, "the page does not tell of the upload")
        screen.row("sites", f"{self.url}/")
        screen.row("this deploy", f"{self.url}/deploys/{job['id']}")
        screen.checked("the page shows the deploy, the file that was uploaded and the path that was "
                       "invalidated")

    def stay(self):
        screen = self.screen
        screen.heading("Your turn")
        screen.row("the page", screen.bold(self.url + "/"))
        screen.row("the site", screen.bold(self.cloud.edge + "/"))
        screen.row("change it", f"cd {shlex.quote(str(self.work))}")
        print(f"{'':17}(edit website/index.html)")
        print(f"{'':17}git commit -am 'my edit' && git push origin main")
        wait_for_the_end()

    def stop(self):
        if not self.process:
            return
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        check(self.process.returncode == 0, f"the daemon ended with {self.process.returncode}:\n"
              f"{self.log.read_text()}")


if __name__ == "__main__":
    sys.exit(play(Demo, arguments("./dev demo --daemon", __doc__)))
