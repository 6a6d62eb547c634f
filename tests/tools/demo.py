#!/usr/bin/env python3
"""./dev demo: the whole Cloud Resume Challenge goes live, against the local cloud, explained as
it goes.

What is claimed is looked up first: the stack, the bucket, the function, the cloud's log of
requests and its edge are asked, and the demo ends with 1 where they say otherwise.
"""

import argparse
import contextlib
import hashlib
import json
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
# What is edited, and what the edit makes of it.
PAGE = ("website/styles.css", "--signal: #bb3a1e;", "--signal: #1e6fbb;")
CODE = ("backend/counter/app.py", '{"count": read_total(consistent=True)}',
        '{"count": read_total(consistent=True), "thanks": "for coming"}')
EMPTY = hashlib.sha256(b"").hexdigest()
CFN_READS = {"DescribeStacks", "GetTemplate"}


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


def wait_for_the_end():
    print("\n   Ctrl-C ends the demo.", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            signal.pause()
    print()


class Demo:
    def __init__(self, folder, cloud):
        self.screen, self.cloud, self.folder = Screen(), cloud, folder
        self.repository, self.home = folder / "resume", folder / "home"
        self.home.mkdir(exist_ok=True)
        self.stack = self.bucket = self.distribution = None

    # Programs

    def env(self):
        """Nothing of this machine's or of a CI job's, so that the demo is the same everywhere."""
        kept = {n: os.environ[n] for n in ("PATH", "LANG", "TERM") if n in os.environ}
        return {**kept, "HOME": str(self.home), "GIT_CONFIG_NOSYSTEM": "1", **self.cloud.env()}

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
        return {key: self.cloud.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
                for key in self.cloud.objects(self.bucket) if not key.startswith(".crc/")}

    def check_bucket(self):
        files = self.commit_files()
        check(self.bucket_files() == files, "the bucket is not the commit")
        self.screen.checked(f"the bucket holds the {len(files)} files of the commit, byte by byte")

    def check_untouched(self, requests):
        """That CloudFormation and Lambda were only asked."""
        asked = {r["operation"] for r in requests if r["service"] in ("cloudformation", "lambda")}
        check(asked <= CFN_READS, f"the backend was not left alone: {asked}")
        self.screen.checked("the backend was looked at and left alone")

    def view(self, path, **options):
        return self.cloud.view(path, distribution=self.distribution, **options)

    def count(self, viewer, wanted, **extra):
        """A visitor's script asks the counter, through the edge."""
        reply = self.view("/api/visits", method="POST", viewer=viewer,
                          headers={"x-amz-content-sha256": EMPTY})
        check(reply.status == 200, f"the counter answered {reply.status}: {reply.body!r}")
        answer = json.loads(reply.body)
        check(answer == {"count": wanted, **extra}, f"the counter says {answer}, not {wanted}")
        print(f"   POST /api/visits from {viewer:<14} {reply.body.decode()}")

    # The steps

    def run(self):
        self.make_cloud()
        self.first_deploy()
        before = self.visit()
        self.edit(PAGE, "a new colour")
        planned = self.plan()
        self.deploy_page(planned)
        self.visit_again(before)
        self.edit(CODE, "the counter says thank you")
        self.deploy_code()
        self.commit_elsewhere()
        mark = "✓" if self.screen.unicode() else "ok"
        print(f"\n   What is marked {mark} was looked up in the stack, the bucket, the log and the "
              "edge.")

    def make_cloud(self):
        screen, cloud = self.screen, self.cloud
        screen.heading("A cloud on this machine, and it is empty: no AWS account, no network")
        check(cloud.stacks() == {} and not cloud.s3.list_buckets()["Buckets"],
              "the cloud is not empty")
        screen.row("AWS", f"{cloud.endpoint} (tests/cloud: CloudFormation, Lambda, S3, ...)")
        screen.row("edge", f"{cloud.edge} (a cache that keeps all until told)")

    def first_deploy(self):
        screen = self.screen
        screen.heading("A resume in git, and its first deploy")
        shutil.copytree(ROOT / "examples" / "resume", self.repository)
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Runa Castellane")
        self.git("config", "user.email", "runa@example.com")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "my resume")
        screen.command("git commit -m 'my resume'")
        self.crc()
        stacks = self.cloud.stacks()
        check(len(stacks) == 1, f"there is not one stack: {stacks}")
        self.stack, stack = stacks.popitem()
        check(stack["status"] == "CREATE_COMPLETE", f"{stack}")
        outputs = self.cloud.outputs(self.stack)
        self.bucket, self.distribution = outputs["SiteBucket"], outputs["DistributionId"]
        screen.checked(f"stack {self.stack} is there; its outputs say where the site goes:")
        screen.row("bucket", self.bucket)
        screen.row("distribution", self.distribution)
        self.check_bucket()

    def visit(self):
        screen, cloud = self.screen, self.cloud
        screen.heading("Visitors come: the edge caches what they see, the function counts them")
        paths = ["/", *("/" + name for name in self.commit_files())]
        answers = cloud.warm(self.distribution, paths)
        held = len(cloud.edge_entries())
        check(answers == {"200": held}, f"the edge answered {answers} and holds {held}")
        screen.text(f"They asked for {len(paths)} paths, and the edge holds {held} answers now.")
        print()
        shown = {path: self.show_served(path) for path in ("/", "/styles.css")}
        self.count("203.0.113.7", 1)
        self.count("203.0.113.7", 1)
        self.count("198.51.100.20", 2)
        screen.checked("the counter is at 1 for the first visitor, and counts none twice")
        state = self.view("/.crc/state.json")
        check(state.status == 404, f"visitors can read the state: {state.status}")
        screen.checked("what crc keeps in the bucket is not served")
        return shown

    def show_served(self, path, wanted=None):
        reply = self.view(path)
        where = next((line.strip() for line in reply.body.decode().splitlines()
                      if wanted and wanted in line), "")
        print(f"   GET {path:<16} {reply.status}   x-cache: {reply.headers['x-cache']}")
        if where:
            print(f"     {self.screen.dim(where)}")
        return reply

    def edit(self, what, message):
        screen, (name, old, new) = self.screen, what
        self.cloud.advance(60)    # people take their time; crc reads twice behind a fresh deploy
        screen.heading(f"An edit of {name}, committed")
        file = self.repository / name
        text = file.read_text()
        check(text.count(old) == 1, f"{name} does not hold the line that the demo edits")
        file.write_text(text.replace(old, new))
        screen.command(f"git commit -am '{message}'")
        self.git("commit", "-q", "-am", message)
        diff = self.git("diff", "-U0", "HEAD~1", "HEAD").decode().splitlines()
        for line in diff:
            if line[:1] in "+-" and line[:3] not in ("+++", "---"):
                code = "32" if line[0] == "+" else "31"
                print(f"     {screen.paint(code, ' '.join(line.split()))}")

    def plan(self):
        self.screen.heading("What would a deploy do?")
        objects = self.cloud.objects(self.bucket)
        output, requests = self.crc("--dry-run")
        check(all(r["method"] == "GET" or r["operation"] in CFN_READS for r in requests),
              "the dry run wrote")
        check(self.cloud.objects(self.bucket) == objects, "the dry run changed the bucket")
        self.screen.checked(f"it asked {len(requests)} times and wrote nothing")
        return output.splitlines()[:-1]    # the last line says that it was a dry run

    def deploy_page(self, planned):
        screen, cloud = self.screen, self.cloud
        screen.heading("The deploy")
        held = len(cloud.edge_entries())
        output, requests = self.crc()
        check(output.splitlines()[:-1] == planned, "the deploy's plan is not the dry run's")
        screen.checked("the plan is the one of the dry run, line by line")
        self.check_bucket()
        puts = [r["path"] for r in requests if r["operation"] == "PutObject"]
        check(sum("/.crc/" not in path for path in puts) == 1, f"not one upload: {puts}")
        screen.checked("one object was uploaded")
        self.check_untouched(requests)
        check(cloud.stale() == [], f"the edge is stale: {cloud.stale()}")
        in_vain = cloud.evicted_in_vain()
        check(in_vain == [], f"evicted in vain: {in_vain}")
        screen.checked("the edge holds nothing stale, and nothing was evicted in vain")
        self.show_requests(requests)
        self.compare(held)

    def show_requests(self, requests):
        screen = self.screen
        check(len(requests) == 8, f"{len(requests)} requests, not eight: {requests}")
        screen.heading("Eight requests, from the cloud's log")
        words = {
            "DescribeStacks": "where does the site go?", "GetTemplate": "is the backend the same?",
            "GetDistribution": "how does the edge cache?", "GetObject": "what is live?",
            "CreateInvalidation": "forget what went stale",
        }
        writes = [r for r in requests
                  if r["path"].endswith("/.crc/state.json") and r["method"] == "PUT"]
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
            f"edge holds: {held} answers, where {stale} {'was' if stale == 1 else 'were'} stale.",
        ):
            self.screen.text(line)

    def visit_again(self, before):
        screen = self.screen
        screen.heading("What visitors see now")
        name, old, new = PAGE
        sheet = self.show_served("/styles.css", new)
        check(old in before["/styles.css"].body.decode(), "the old sheet was not served before")
        check(sheet.body == self.commit_files()["styles.css"], "the new sheet is not served")
        check(sheet.headers["x-cache"].startswith("Miss"), "the new sheet was not fetched anew")
        home = self.show_served("/")
        check(home.body == before["/"].body, "an unchanged page changed")
        check(home.headers["x-cache"].startswith("Hit"), "an unchanged page was evicted")
        screen.checked("the edited file is new, the page still comes from the cache")

    def deploy_code(self):
        screen, cloud = self.screen, self.cloud
        screen.heading("The deploy of that")
        objects = {k: v for k, v in cloud.objects(self.bucket).items() if ".crc/" not in k}
        _, requests = self.crc()
        after = {k: v for k, v in cloud.objects(self.bucket).items() if ".crc/" not in k}
        check(after == objects, "the site was touched")
        check(not any(r["operation"] == "CreateInvalidation" for r in requests),
              "something was invalidated")
        status = cloud.stack(self.stack)["StackStatus"]
        check(status.startswith("UPDATE_COMPLETE"), f"the stack is in {status}")
        screen.checked("the stack is updated; no file of the site was sent or invalidated")
        self.count("192.0.2.99", 3, thanks="for coming")
        screen.checked("the next visit runs the new code, and the count goes on")

    def commit_elsewhere(self):
        screen = self.screen
        screen.heading("A commit that touches nothing which is deployed")
        (self.repository / "NOTES.md").write_text("Buy a domain.\n")
        screen.command("git add NOTES.md && git commit -m 'a note'")
        self.git("add", "NOTES.md")
        self.git("commit", "-q", "-m", "a note")
        _, requests = self.crc()
        writes = [r["path"] for r in requests
                  if r["method"] != "GET" and r["operation"] not in CFN_READS]
        check(len(writes) == 1 and writes[0].endswith("/.crc/state.json"), f"it wrote {writes}")
        screen.checked("only the commit was recorded, so that the order of commits stays known")

    def stay(self):
        """Leaves the site to look at, until Ctrl-C."""
        screen, environment = self.screen, self.folder / "environment"
        lines = {**self.cloud.env(), "PATH": f"{PROGRAM.parent}:{os.environ.get('PATH', '')}"}
        environment.write_text("".join(
            f"export {name}={shlex.quote(value)}\n" for name, value in lines.items()))
        screen.heading("Your turn")
        screen.row("look at it", screen.bold(f"{self.cloud.edge}/"))
        screen.row("change it", "in another terminal:")
        print(f"{'':17}. {shlex.quote(str(environment))}")
        print(f"{'':17}cd {shlex.quote(str(self.repository))}")
        print(f"{'':17}(edit website/index.html, or backend/counter/app.py)")
        print(f"{'':17}git commit -am 'my edit' && crc-action")
        wait_for_the_end()

    def stop(self):
        """Nothing of it runs on."""


def arguments(program, about):
    parser = argparse.ArgumentParser(prog=program, description=about.split("\n\n")[0])
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


def play(make, options):
    """Runs the demo that make(folder, cloud) gives; the exit status."""
    signal.signal(signal.SIGTERM, end)    # what was made is taken away again
    once = options.once or not (sys.stdin.isatty() or sys.stdout.isatty())
    try:
        with contextlib.ExitStack() as stack:
            folder = work_folder(options.keep, stack)
            demo = make(folder, stack.enter_context(LocalCloud(folder / "cloud")))
            stack.callback(demo.stop)
            demo.run()
            if not once:
                demo.stay()
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
    sys.exit(play(Demo, arguments("./dev demo", __doc__)))
