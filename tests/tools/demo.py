#!/usr/bin/env python3
"""./dev demo: a push goes live, against the local cloud, explained as it goes.

What is claimed is looked up first: the bucket, the cloud's log of requests and its edge are
asked, and the demo ends with 1 where they say otherwise.
"""

import argparse
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from cloud.client import LocalCloud  # noqa: E402

PROGRAM = Path(os.environ.get("CRC_ACTION", ROOT / "build" / "crc-action"))
BUCKET = "resume"
# A private bucket answers 403 for what it does not have.
ERRORS = [{"ErrorCode": 403, "ResponsePagePath": "/404.html", "ResponseCode": 404}]
EDITED = "website/index.html"
OLD, NEW = '<p class="role">Cloud engineer</p>', '<p class="role">Senior cloud engineer</p>'


class Wrong(Exception):
    """Something that the demo was about to say is not so."""


def check(condition, message):
    if not condition:
        raise Wrong(message)


class Screen:
    """Headings, aligned rows and output of programs; coloured only on a terminal."""

    def __init__(self):
        self.colored = (sys.stdout.isatty() and "NO_COLOR" not in os.environ
                        and os.environ.get("TERM") != "dumb")
        self._headings = 0

    def paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.colored else text

    def bold(self, text):
        return self.paint("1", text)

    def dim(self, text):
        return self.paint("2", text)

    def heading(self, text):
        self._headings += 1
        print(f"\n{self.bold(f'{self._headings}. {text}')}\n", flush=True)

    def text(self, text):
        print(f"   {text}")

    def row(self, label, value):
        print(f"   {self.dim(f'{label:<14}')}{value}")

    def command(self, text):
        print(f"   {self.paint('36', '$ ' + text)}", flush=True)

    def output(self, text):
        for line in text.splitlines():
            print(f"     {line}")

    def checked(self, text):
        print(f"   {self.paint('32', '✓' if self.unicode() else 'ok')} {text}", flush=True)

    @staticmethod
    def unicode():
        return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


class Demo:
    def __init__(self, folder, cloud):
        self.screen, self.cloud = Screen(), cloud
        self.repository, self.home = folder / "resume", folder / "home"
        self.home.mkdir(exist_ok=True)
        self.site = None

    # Programs

    def env(self):
        """Nothing of this machine's or of a CI job's, so that the demo is the same everywhere."""
        kept = {n: os.environ[n] for n in ("PATH", "LANG", "TERM") if n in os.environ}
        return {**kept, "HOME": str(self.home), "GIT_CONFIG_NOSYSTEM": "1", **self.cloud_env()}

    def cloud_env(self):
        return {**self.cloud.env(), "RESUME_BUCKET": BUCKET,
                "RESUME_DISTRIBUTION": self.site.distribution if self.site else ""}

    def git(self, *arguments):
        done = subprocess.run(["git", *arguments], cwd=self.repository, env=self.env(),
                              capture_output=True)
        check(done.returncode == 0, f"git {arguments[0]}: {done.stderr.decode()}")
        return done.stdout

    def crc(self, *arguments):
        """Runs crc-action and shows it; (its output without colours, the requests it made)."""
        self.screen.command(" ".join(["crc-action", *arguments]))
        self.cloud.reset_log()
        done = subprocess.run(
            [PROGRAM, *arguments, "--color", "always" if self.screen.colored else "never"],
            cwd=self.repository, env=self.env(), text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        self.screen.output(done.stdout)
        check(done.returncode == 0, f"crc-action ended with {done.returncode}")
        return done.stdout, self.cloud.requests()

    # What is so

    def commit_files(self):
        """{path in the site: bytes} of the head commit."""
        names = self.git("ls-tree", "-r", "-z", "--name-only", "HEAD", "website").decode()
        return {name.removeprefix("website/"): self.git("show", f"HEAD:{name}")
                for name in names.split("\0") if name}

    def bucket_files(self):
        return {key: self.cloud.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
                for key in self.cloud.objects(BUCKET) if not key.startswith(".crc/")}

    def check_bucket(self):
        files = self.commit_files()
        check(self.bucket_files() == files, "the bucket is not the commit")
        self.screen.checked(f"the bucket holds the {len(files)} files of the commit, byte by byte")

    # The steps

    def run(self):
        self.make_cloud()
        self.first_deploy()
        before = self.visit()
        self.edit()
        planned = self.plan()
        self.second_deploy(planned, before)
        self.visit_again(before)

    def make_cloud(self):
        screen, cloud = self.screen, self.cloud
        screen.heading("A cloud on this machine: no AWS account, no network")
        self.site = cloud.make_site(BUCKET, errors=ERRORS)
        screen.row("AWS", f"{cloud.endpoint} (S3, CloudFront, STS: tests/cloud)")
        screen.row("bucket", f"{BUCKET}, private")
        screen.row("distribution", f"{self.site.distribution}; / is index.html, "
                                   "what is missing is 404.html")
        screen.row("edge", f"{cloud.edge} (a cache that keeps all until told)")

    def first_deploy(self):
        self.screen.heading("A resume in git, and its first deploy")
        shutil.copytree(ROOT / "examples" / "resume", self.repository)
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Runa Castellane")
        self.git("config", "user.email", "runa@example.com")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "my resume")
        self.screen.command("git commit -m 'my resume'")
        self.crc()
        self.check_bucket()

    def visit(self):
        screen, cloud = self.screen, self.cloud
        screen.heading("Visitors come, and the edge caches what they see")
        paths = ["/", *("/" + name for name in self.commit_files())]
        answers = cloud.warm(self.site.distribution, paths)
        held = len(cloud.edge_entries())
        check(answers == {"200": held}, f"the edge answered {answers} and holds {held}")
        screen.text(f"They asked for {len(paths)} paths, and the edge holds {held} answers now.")
        print()
        return {path: self.show_served(path, OLD) for path in ("/", "/projects.html")}

    def show_served(self, path, wanted=None):
        reply = self.cloud.view(path)
        where = next((line.strip() for line in reply.body.decode().splitlines()
                      if wanted and wanted in line), "")
        print(f"   GET {path:<16} {reply.status}   x-cache: {reply.headers['x-cache']}")
        if where:
            print(f"     {self.screen.dim(where)}")
        return reply

    def edit(self):
        screen = self.screen
        screen.heading("An edit, committed")
        file = self.repository / EDITED
        text = file.read_text()
        check(text.count(OLD) == 1, f"{EDITED} does not hold the line that the demo edits")
        file.write_text(text.replace(OLD, NEW))
        screen.command("git commit -am 'promoted'")
        self.git("commit", "-q", "-am", "promoted")
        diff = self.git("diff", "-U0", "HEAD~1", "HEAD").decode().splitlines()
        for line in diff:
            if line[:1] in "+-" and line[:3] not in ("+++", "---"):
                code = "32" if line[0] == "+" else "31"
                print(f"     {EDITED}  {screen.paint(code, ' '.join(line.split()))}")

    def plan(self):
        self.screen.heading("What would a deploy do?")
        objects = self.cloud.objects(BUCKET)
        output, requests = self.crc("--dry-run")
        check(all(r["method"] == "GET" for r in requests), "the dry run wrote")
        check(self.cloud.objects(BUCKET) == objects, "the dry run changed the bucket")
        self.screen.checked(f"it asked {len(requests)} times and wrote nothing")
        return output.splitlines()[:-1]    # the last line says that it was a dry run

    def second_deploy(self, planned, before):
        screen, cloud = self.screen, self.cloud
        screen.heading("The deploy")
        held = len(cloud.edge_entries())
        output, requests = self.crc()
        check(output.splitlines()[:-1] == planned, "the deploy's plan is not the dry run's")
        screen.checked("the plan is the one of the dry run, line by line")
        self.check_bucket()
        check(cloud.stale() == [], f"the edge is stale: {cloud.stale()}")
        in_vain = cloud.evicted_in_vain()
        check(in_vain == [], f"evicted in vain: {in_vain}")
        screen.checked("the edge holds nothing stale, and nothing was evicted in vain")
        self.show_requests(requests)
        self.compare(held)

    def show_requests(self, requests):
        screen = self.screen
        check(len(requests) == 6, f"{len(requests)} requests, not six: {requests}")
        screen.heading("Six requests, from the cloud's log")
        state = f"/{BUCKET}/.crc/state.json"
        words = {
            "GetDistribution": "how does the edge cache?", "GetObject": "what is live?",
            "CreateInvalidation": "forget what went stale",
        }
        writes = [r for r in requests if r["path"] == state and r["method"] == "PUT"]
        for number, r in enumerate(requests, 1):
            why = words.get(r["operation"], "send what differs")
            if r in writes:
                why = "claim the site" if r is writes[0] else "say what is live now"
            check(r["status"] in (200, 201), f"a request failed: {r}")
            print(f"   {number}  {why:<26}{r['method']:<6}{r['status']}  {screen.dim(r['path'])}")

    def compare(self, held):
        files, stale = len(self.commit_files()), len(self.cloud.evicted()[-1]["evicted"])
        print()
        for line in (
            "`aws s3 sync --delete` goes by size and time. In a fresh checkout every file is",
            f"newer than its object, so it would send all {files}; and `/*` evicts all that the",
            f"edge holds: {held} answers, where {stale} were stale.",
        ):
            self.screen.text(line)

    def visit_again(self, before):
        screen = self.screen
        screen.heading("What visitors see now")
        home = self.show_served("/", NEW)
        check(OLD in before["/"].body.decode(), "the old page was not served before")
        check(home.body == self.commit_files()["index.html"], "the new page is not served")
        check(home.headers["x-cache"].startswith("Miss"), "the new page was not fetched anew")
        other = self.show_served("/projects.html")
        check(other.body == before["/projects.html"].body, "an unchanged page changed")
        check(other.headers["x-cache"].startswith("Hit"), "an unchanged page was evicted")
        screen.checked("the edited page is new, the other one still comes from the cache")
        mark = "✓" if screen.unicode() else "ok"
        print(f"\n   What is marked {mark} was looked up in the bucket, the log and the edge.")

    def stay(self, environment):
        """Leaves the site to look at, until Ctrl-C."""
        screen = self.screen
        lines = {**self.cloud_env(), "PATH": f"{PROGRAM.parent}:{os.environ.get('PATH', '')}"}
        environment.write_text("".join(
            f"export {name}={shlex.quote(value)}\n" for name, value in lines.items()))
        screen.heading("Your turn")
        screen.row("look at it", screen.bold(f"{self.cloud.edge}/"))
        screen.row("change it", "in another terminal:")
        print(f"{'':17}. {shlex.quote(str(environment))}")
        print(f"{'':17}cd {shlex.quote(str(self.repository))}")
        print(f"{'':17}(edit website/index.html)")
        print(f"{'':17}git commit -am 'my edit' && crc-action")
        print("\n   Ctrl-C ends the demo.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                signal.pause()
        print()


def arguments():
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__.split("\n")[0])
    parser.add_argument("--once", action="store_true", help="end when everything was shown")
    parser.add_argument("--keep", metavar="DIR", type=Path,
                        help="work in this new folder and leave it there")
    return parser.parse_args()


def work_folder(keep, stack):
    if keep is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crc-demo-")))
    check(not keep.exists() or not any(keep.iterdir()), f"{keep} is not empty")
    keep.mkdir(parents=True, exist_ok=True)
    return keep.resolve()


def end(*_):
    raise KeyboardInterrupt


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, end)    # what was made is taken away again
    once = options.once or not (sys.stdin.isatty() or sys.stdout.isatty())
    try:
        with contextlib.ExitStack() as stack:
            folder = work_folder(options.keep, stack)
            cloud = stack.enter_context(LocalCloud(folder / "cloud"))
            demo = Demo(folder, cloud)
            demo.run()
            if not once:
                demo.stay(folder / "environment")
            if options.keep:
                print(f"\n   {folder} is left as it is.")
    except Wrong as wrong:
        sys.stdout.flush()
        print(f"demo: {wrong}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
