"""Both halves: a site, a stack with a function, and a function that somebody else owns.

A `HalvesWorld` is a World whose commits hold backends too. Its `problems` says how the stack, the
functions, the bucket, the state and the edges differ from a commit. Requests are named by
operation and occurrence, since the number of polls is not always the same.
"""

import io
import itertools
import os
import re
import subprocess
import time
import zipfile
from base64 import b64encode
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from fault.harness import ERRORS_LET_BE_S, HUNG_S, STALL_S, World, program
from fault.model import TYPES, etag_of, spellings

POLLS = {"DescribeChangeSet", "DescribeStackEvents", "DescribeStacks", "GetFunction"}
POLLS_MOST = 2
_numbers = itertools.count(1)

SITE_RESOURCES = """\
  SiteBucket:
    Type: AWS::S3::Bucket
  Front:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        DefaultRootObject: index.html
        Origins:
          - Id: site
            DomainName: !GetAtt SiteBucket.RegionalDomainName
            S3OriginConfig: {OriginAccessIdentity: ""}
        DefaultCacheBehavior:
          TargetOriginId: site
          ViewerProtocolPolicy: redirect-to-https
          CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6
  Policy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref SiteBucket
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: {Service: cloudfront.amazonaws.com}
            Action: s3:GetObject
            Resource: !Sub "${SiteBucket.Arn}/*"
            Condition:
              StringEquals:
                AWS:SourceArn: !Sub "arn:aws:cloudfront::${AWS::AccountId}:distribution/${Front}"
"""
SITE_OUTPUTS = """\
  SiteBucket: {Value: !Ref SiteBucket}
  Distribution: {Value: !Ref Front}
"""


def template(days, with_site, site=SITE_RESOURCES, outputs=SITE_OUTPUTS):
    """A function with code of its own, something that has none, and perhaps a site's place."""
    return f"""\
Transform: AWS::Serverless-2016-10-31
Resources:
  Counter:   # counts
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: counter/
      Handler: app.handler
      Runtime: python3.12
  Logs:
    Type: AWS::Logs::LogGroup
    Properties:
      RetentionInDays: {days}
{site if with_site else ""}\
Outputs:
  Counter: {{Value: !Ref Counter}}
{outputs if with_site else ""}"""


def handler(word):
    return f"def handler(event, context):\n    return {word!r}\n"


def site_files(version):
    files = {
        "index.html": f"home {version}",
        "about.html": "about",
        "cv.pdf": f"%PDF {version}",
        f"{version}.html": f"only {version}",
    }
    return {path: text.encode() for path, text in files.items()}


def config(literal):
    bucket, distribution = ("!env BUCKET", "!env D0")
    if not literal:
        bucket, distribution = "!output counter.SiteBucket", "!output counter.Distribution"
    return f"""\
sites:
  main:
    path: website
    bucket: {bucket}
    distribution: {distribution}
backends:
  counter:
    path: backend
    template: template.yaml
    stack: !env STACK
  mailer:
    path: mailer
    function: !env FUNCTION
    alias: live
"""


DAYS = {"A": 7, "B": 14, "C": 30}


@dataclass
class Halves:
    """What a commit holds: a version of each part. `files` replaces files of the repository, for
    what is broken or moves."""

    name: str
    site: str
    code: str
    template: str
    mailer: str
    parent: str = ""
    files: dict = field(default_factory=dict)
    sha: str = ""

    def text(self, with_site):
        given = self.files.get("backend/template.yaml")
        return given or template(DAYS[self.template], with_site)

    def objects(self):
        """{path: (etag, content type)}."""
        return {
            path: (etag_of(data), TYPES[path.rsplit(".", 1)[-1]])
            for path, data in site_files(self.site).items()
        }


COMMITS = [
    Halves("A", "A", "A", "A", "A"),
    Halves("B", "B", "B", "B", "B", "A"),
    Halves("site", "C", "B", "B", "B", "B"),
    Halves("code", "B", "C", "B", "B", "B"),
    Halves("template", "B", "B", "C", "B", "B"),
    Halves("mailer", "B", "B", "B", "C", "B"),
    Halves("all", "C", "C", "C", "C", "B"),
    Halves("back", "A", "A", "A", "A", "B"),
    Halves("again", "B", "B", "B", "B", "B"),
]


class HalvesHistory:
    """A repository of such commits. `literal`: the site's bucket has a name; otherwise it is an
    output of the stack."""

    def __init__(self, directory, literal, commits=()):
        self.directory, self.literal = Path(directory), literal
        self.commits = {c.name: Halves(**vars(c)) for c in [*COMMITS, *commits]}
        subprocess.run(["git", "init", "-q", "-b", "main", str(self.directory)], check=True)
        marks = self.directory / "marks"
        subprocess.run(
            ["git", "-C", str(self.directory), "fast-import", "--quiet", f"--export-marks={marks}"],
            input=b"".join(self._stream()),
            check=True,
        )
        shas = dict(line.split() for line in marks.read_text().splitlines())
        for number, commit in enumerate(self.commits.values(), 1):
            commit.sha = shas[f":{number}"]
        marks.unlink()

    def __getitem__(self, name):
        return self.commits[name]

    def _stream(self):
        numbers = {name: n for n, name in enumerate(self.commits, 1)}
        for number, commit in enumerate(self.commits.values(), 1):
            who = f"committer T <t@example.com> {1700000000 + number} +0000"
            yield f"commit refs/heads/main\nmark :{number}\n{who}\ndata 1\nx\n".encode()
            if commit.parent:
                yield f"from :{numbers[commit.parent]}\n".encode()
            yield b"deleteall\n"
            for path, text in self._files(commit).items():
                data = text if isinstance(text, bytes) else text.encode()
                yield b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data)

    def _files(self, commit):
        return {
            **{f"website/{p}": data for p, data in site_files(commit.site).items()},
            "backend/template.yaml": commit.text(not self.literal),
            "backend/counter/app.py": handler(f"counter {commit.code}"),
            "mailer/app.py": handler(f"mailer {commit.mailer}"),
            "crc.yml": config(self.literal),
            **commit.files,
        }

    def viewer_paths(self):
        found = {"/"}
        for commit in self.commits.values():
            for path in commit.objects():
                found |= spellings(path)
        return sorted(found)


class HalvesWorld(World):
    """A stack, a function, a bucket and a distribution of this world alone; no bucket for code."""

    def __init__(self, cloud, history, release=True, alone=True):
        self.cloud, self.history, self.program = cloud, history, program(release)
        self.number = next(_numbers)
        cloud.end_clients()
        cloud.clear_rules()
        cloud.release()
        cloud.reset_log()
        cloud.settings(stack_ms=0, set_ms=0, stack_polls=2)
        cloud.control("POST", "stacks", {"clear": True})
        cloud.advance(0, check_skew=False)
        self.stack, self.function = f"halves-{self.number}", f"mailer-{self.number}"
        if alone:
            self._tidy()
        self._make_function()
        self.given = cloud.make_site(f"halves-{self.number}") if history.literal else None
        self.env = {
            "PATH": os.environ["PATH"],
            "STACK": self.stack,
            "FUNCTION": self.function,
            **({"BUCKET": self.given.bucket, "D0": self.given.distribution} if self.given else {}),
            **cloud.env(),
            **{name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")},
        }

    def _tidy(self):
        """What an earlier world has left: its functions' processes, and the bucket for code."""
        for found in self.cloud.functions.list_functions()["Functions"]:
            self.cloud.functions.delete_function(FunctionName=found["FunctionName"])
        bucket = f"crc-artifacts-{self.cloud.account}-{self.cloud.region}"
        if bucket in [b["Name"] for b in self.cloud.s3.list_buckets()["Buckets"]]:
            for key in self.cloud.objects(bucket):
                self.cloud.s3.delete_object(Bucket=bucket, Key=key)
            self.cloud.s3.delete_bucket(Bucket=bucket)

    def _make_function(self):
        """As another tool has left it, with an alias."""
        self.cloud.make_function(self.function, {"app.py": handler("mailer of before")})
        version = self.cloud.functions.publish_version(FunctionName=self.function)["Version"]
        self.cloud.functions.create_alias(
            FunctionName=self.function, Name="live", FunctionVersion=version
        )

    @property
    def bucket(self):
        return self.given.bucket if self.given else self.cloud.outputs(self.stack)["SiteBucket"]

    @property
    def distributions(self):
        """None before the stack has made one."""
        if self.given:
            return [self.given.distribution]
        live = self.cloud.stacks().get(self.stack, {})
        return [r for r in live.get("resources", {}).values() if r and re.fullmatch("E[A-Z0-9]{10,}", r)]

    def hold(self, nth, at):
        """nth: (operation, occurrence)."""
        lost = {"drop": "before"} if at == "before" else {"drop": "after", "at": "after"}
        when = {"operation": nth[0], "nth": nth[1]}
        return self.cloud.rules({"when": when, "do": {"stall_s": STALL_S, **lost}})[0]

    def sets_are_made(self):
        """By the time that a lease is dead, CloudFormation has made every change set."""
        cfn = self.cloud.cloudformation
        for name in [n for n in self.cloud.stacks() if n == self.stack]:
            for made in cfn.list_change_sets(StackName=name)["Summaries"]:
                self.cloud._await(
                    lambda: cfn.describe_change_set(ChangeSetName=made["ChangeSetId"]),
                    lambda s: s["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"),
                )

    # Looking

    def open_sets(self):
        """Change sets that somebody could execute, now or when they are made."""
        if self.cloud.stack(self.stack) is None:
            return []
        listed = self.cloud.cloudformation.list_change_sets(StackName=self.stack)["Summaries"]
        return [
            f"a change set is left: {s['ChangeSetName']} {s['Status']} {s['ExecutionStatus']}"
            for s in listed
            if not s["ExecutionStatus"].startswith("EXECUTE_")
            and s["ExecutionStatus"] != "OBSOLETE"
        ]

    def leftovers(self):
        """What a deploy that ended must not leave, whatever became of it."""
        live, found = self.cloud.stack(self.stack), self.open_sets()
        if live and live["StackStatus"] == "REVIEW_IN_PROGRESS":
            found.append("the stack is a shell")
        if self.given or (live and live.get("Outputs")):
            state = self.state()
            found += [f"the lease is kept: {state['lease']}"] if state and state["lease"] else []
        return found

    def problems(self, commit):
        commit = self.history[commit]
        found = self._stack_problems(commit)
        found += self._function_problems(commit)
        live = self.cloud.stack(self.stack)
        if live is None or (not self.given and not live.get("Outputs")):
            return [*found, "there is no bucket"]
        found += self._bucket_problems(commit)
        self.cloud.advance(ERRORS_LET_BE_S)
        return found + [f"stale: {s}" for d in self.distributions for s in self.cloud.stale(d)]

    def _stack_problems(self, commit):
        live = self.cloud.stack(self.stack)
        # While it removes what an update has replaced, the new is in force already.
        if live is None or live["StackStatus"] not in (
                "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"):
            return [f"the stack is {live and live['StackStatus']}"]
        cfn = self.cloud.cloudformation
        body = cfn.get_template(StackName=self.stack, TemplateStage="Original")["TemplateBody"]
        place = re.search(r"CodeUri: s3://([^/\s]+)/(\S+)", body)
        if not place:
            return [f"no code in {body}"]
        found = []
        plain = body.replace(place[0], "CodeUri: counter/")
        if plain != commit.text(not self.history.literal):
            found.append(f"the stack's template is {body}")
        found += self.open_sets()
        archive = self.cloud.s3.get_object(Bucket=place[1], Key=place[2])["Body"].read()
        files = {n: zipfile.ZipFile(io.BytesIO(archive)).read(n) for n in ("app.py",)}
        if files["app.py"].decode() != handler(f"counter {commit.code}"):
            found.append(f"the archive holds {files}")
        name = self.cloud.outputs(self.stack)["Counter"]
        code = self.cloud.functions.get_function(FunctionName=name)["Configuration"]["CodeSha256"]
        if code != b64encode(sha256(archive).digest()).decode():
            found.append(f"the stack's function has {code}")
        said = self.cloud.invoke(name)
        return found + ([] if said == (f"counter {commit.code}", None) else [f"it says {said}"])

    def _function_problems(self, commit):
        found, codes = [], {}
        for qualifier in ("$LATEST", "live"):
            now = self.cloud.functions.get_function(
                FunctionName=self.function, Qualifier=qualifier
            )["Configuration"]
            codes[qualifier] = now["CodeSha256"]
            if now["LastUpdateStatus"] != "Successful":
                found.append(f"{qualifier} of {self.function} is {now['LastUpdateStatus']}")
            said = self.cloud.invoke(self.function, Qualifier=qualifier)
            if said != (f"mailer {commit.mailer}", None):
                found.append(f"{qualifier} of the function says {said}")
        return found if len(set(codes.values())) == 1 else [*found, f"different code: {codes}"]

    def _bucket_problems(self, commit):
        left, state = dict(self.cloud.objects(self.bucket)), self.state()
        left.pop(".crc/state.json", None)
        if state is None:
            return ["no state"]
        found = [f"{n} is {state[n]}" for n in ("journal", "lease") if state[n] is not None]
        if (state["deployed"] or {}).get("commit") != commit.sha:
            found.append(f"{state['deployed']} is deployed, not {commit.name} {commit.sha}")
        for path, wanted in commit.objects().items():
            got = left.pop(path, None)
            has = got and (got["etag"], {n.lower(): v for n, v in got["headers"].items()}["content-type"])
            if has != wanted:
                found.append(f"{path} is {has}, wanted {wanted}")
        return found + [f"left behind: {key}" for key in left]


# What the sweeps have in common


def deployed(cloud, history, commit, release=True, alone=True):
    """A world in which a commit (None: nothing) is deployed, and every edge holds it."""
    world = HalvesWorld(cloud, history, release, alone)
    if commit is not None:
        ended = world.run(commit)
        assert ended.status == 0, ended
    world.warm()
    world.cloud.reset_log()
    return world


def operations(cloud):
    return [r["operation"] for r in cloud.requests() if r["service"] != "edge"]


def record_moments(clouds, history, base, commit, release=True):
    """((operation, occurrence), before or after) of each request of a deploy; of polls the first
    two."""
    cloud = clouds.take()
    try:
        world = deployed(cloud, history, base, release)
        ended = world.run(commit)
        assert ended.status == 0, ended
        made, seen = operations(cloud), Counter()
        problems = world.problems(commit)
        assert not problems, (problems, ended)
    finally:
        clouds.give_back(cloud)
    moments = []
    for operation in made:
        seen[operation] += 1
        if operation not in POLLS or seen[operation] <= POLLS_MOST:
            moments.append((operation, seen[operation]))
    return [(m, at) for m in moments for at in ("before", "after")]


def finish(world, then, *arguments):
    """The edges look at the ruins, the lease dies, one run: what is wrong after it."""
    world.warm()
    world.sets_are_made()
    world.lease_dies()
    ended = world.run(then, *arguments)
    if ended.status != 0 or ended.verdict == "superseded":
        return [f"the next run: {ended}"]
    problems = world.problems(then)
    return problems and [*problems, str(ended)]


def killed(history, base, release=True):
    """Case: a moment of B's deploy, and the deploy that comes later."""

    def check(cloud, case):
        moment, (then, *arguments) = case
        world = deployed(cloud, history, base, release)
        cut = world.kill("B", *moment)
        if not cut.cut:
            return [f"the program ended before {moment}: {cut}"]
        return finish(world, then, *arguments)

    return check


def killed_twice(history, release=True):
    """Case: a moment of B, a deploy and a moment of it, the deploy that finishes."""

    def check(cloud, case):
        first, middle, second, then = case
        world = deployed(cloud, history, "A", release)
        if not world.kill("B", *first).cut:
            return ["the first ended"]
        world.warm()
        world.sets_are_made()
        world.lease_dies()
        ended = world.kill(middle, *second)
        if not ended.cut and ended.status:
            return [f"not cut, and {ended}"]
        return finish(world, then)

    return check


def cancelled(history, base, number, release=True):
    """Case: a moment of B's deploy. A signal ends it soon, nothing is left that others would have
    to wait for, or could execute; the next deploy waits for no lease."""

    def check(cloud, moment):
        world = deployed(cloud, history, base, release)
        # A change set that is looked at by nobody is made all the same.
        cloud.settings(stack_ms=300, set_ms=200, stack_polls=0)
        cut = world.cut("B", *moment, number)
        if not cut.cut or cut.status != 4 or "cancelled" not in cut.err:
            return [f"expected exit 4, cancelled: {cut}"]
        problems = world.leftovers()
        world.warm()
        ended = world.run("all", "--lock-timeout", "60")
        if ended.status != 0:
            return [*problems, f"the next run: {ended}", str(cut)]
        problems += world.problems("all")
        return problems and [*problems, str(cut), str(ended)]

    return check


def raced(history, base, first, second, last, release=True, later_s=0):
    """Case: a moment of the first and one of the second, and which one goes on first. In the end
    `last` is deployed. later_s: for how long nobody has deployed when they start."""

    def check(cloud, case):
        moments, order = case
        world = deployed(cloud, history, base, release)
        cloud.advance(later_s)
        runs = race(world, (first, second), moments, order)
        problems = world.problems(last)
        for commit, run in zip((first, second), runs):
            if run.status != 0:
                problems.append(f"{commit} ends with {run.status}")
            if commit == last and run.verdict == "superseded":
                problems.append(f"{commit} is superseded")
        return problems and [*problems, *map(str, runs)]

    return check


def raced_and_killed(history, base, first, second, release=True):
    """Case: a moment of the first. It is stopped there, the second runs until it ends or waits, and
    the first never goes on. Then "all", which descends from both, must be deployed whole; the
    second has to do so itself if it is that commit."""

    def check(cloud, moment):
        world = deployed(cloud, history, base, release)
        world.hold(*moment)
        dies = world.start(first)
        held, seen = world.wait_held(dies), last_request(cloud)
        lives = world.start(second)
        until(lambda: stands(cloud, lives, seen))
        dies.kill()
        dies.communicate()
        world.let_go()
        world.warm()
        world.sets_are_made()
        world.lease_dies()
        ended = world.end(lives)
        problems = [] if held and ended.status == 0 else [f"held: {held}, then {ended}"]
        if second == "all":
            problems += world.problems("all")
        return [*problems, *(problems and [str(ended)]), *finish(world, "all")]

    return check


def race(world, commits, moments, order):
    """Each is held at a request of its own, unless it has to wait for the other one before; then
    they go on in this order, the latter when the former has ended or waits."""
    cloud, processes, held = world.cloud, [], {}
    for number, (commit, moment) in enumerate(zip(commits, moments)):
        seen = last_request(cloud)
        cloud.clear_rules()
        cloud.rules(
            {
                "when": {"operation": moment[0], "nth": moment[1]},
                "do": {"stall_s": STALL_S, "at": "before"},
            }
        )
        processes.append(world.start(commit))
        until(lambda: len(cloud.waiting()) > len(held) or stands(cloud, processes[-1], seen))
        held.update({number: e["id"] for e in cloud.waiting() if e["id"] not in held.values()})
    cloud.clear_rules()
    for number in order:
        seen = last_request(cloud)
        if number in held:
            cloud.release(held[number])
            until(lambda: stands(cloud, processes[number], seen))
    return [world.end(process) for process in processes]


def last_request(cloud):
    return max((r["n"] for r in cloud.requests()), default=0)


def stands(cloud, process, since):
    """Whether it has ended, or has looked several times at what somebody else holds. The other one
    is held."""
    seen = Counter(r["operation"] for r in cloud.requests(since) if r["method"] == "GET")
    return process.poll() is not None or seen["GetDistribution"] > 4


def until(true):
    deadline = time.monotonic() + HUNG_S
    while not true():
        assert time.monotonic() < deadline, "nothing happens"
        time.sleep(0.005)
