"""A model of what a deploy promises, and the means to break one anywhere and look.

A `World` is a bucket and its distributions in a local cloud, with the program that deploys commits
of a `History` into it. `World.run` runs it to its end, `World.kill` and `World.cut` up to its nth
request. `World.problems` says how bucket, states and edges differ from a commit; an empty list is
the promise kept.

The clock of the cloud is moved, never waited for: a World must have its cloud for itself.
"""

import gzip
import http.client
import json
import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from cloud.client import LocalCloud
from fault.model import ERROR_PAGE, History, is_fingerprinted

ROOT = Path(__file__).resolve().parents[2]
STATE = ".crc/state.json"
LEASE_DEAD_S = 181  # 120 s, and 60 s of grace
ERRORS_LET_BE_S = 61  # an edge that forgets errors within a minute is left to it
HUNG_S = 60  # no request of a test takes so long; a program that does hangs
PROMPT_S = 10  # for "exits promptly" on a busy machine
STALL_S = 3600


def program(release=True):
    """The binary under test. Sweeps start it thousands of times: without sanitizers, if there is a
    choice."""
    fallback = os.environ.get("CRC_ACTION", str(ROOT / "build/asan/action/crc-action"))
    return os.environ.get("CRC_ACTION_RELEASE", fallback) if release else fallback


@dataclass
class Run:
    """A program that has ended."""

    status: int
    out: str
    err: str
    cut: bool = False  # it was killed or signalled at the chosen request

    def event(self, kind):
        """The last JSON line of this type."""
        return next(
            (e for e in map(json.loads, reversed(self.out.splitlines())) if e["type"] == kind), None
        )

    @property
    def verdict(self):
        return (self.event("result") or {}).get("verdict")

    @property
    def plan(self):
        return self.event("plan")

    def __str__(self):
        return f"exit {self.status}\n{self.out[-3000:]}\n{self.err[-3000:]}"


class Cloud(LocalCloud):
    """A local cloud that is asked often: one connection for control, and sites that are emptied and
    used again."""

    def __init__(self, directory):
        super().__init__(directory)
        self._sites, self._line = {}, None
        self.clients_started = []

    def control(self, method, path, body=None, headers=None, **query):
        target = "/_cloud/" + path + ("?" + urlencode(query) if query else "")
        for fresh in (False, True):
            if self._line is None or fresh:
                self._line = http.client.HTTPConnection(urlsplit(self.endpoint).netloc, timeout=60)
            try:
                self._line.request(
                    method, target, json.dumps(body) if body is not None else None, headers or {}
                )
                reply = self._line.getresponse()
                text = reply.read()
                break
            except (http.client.HTTPException, ConnectionError):
                if fresh:
                    raise
        if reply.status != 200:
            raise RuntimeError(f"{method} {path}: {reply.status} {text!r}")
        return json.loads(text)

    def end_clients(self):
        """Kills what a test that failed has left behind."""
        for process in self.clients_started:
            if process.poll() is None:
                process.kill()
                process.communicate()
        self.clients_started.clear()

    def site_for(self, number):
        """An empty bucket and so many distributions. The first forgets errors at once; the others
        keep them for an hour and have a function that rewrites folders to their index documents."""
        if number not in self._sites:
            bucket = f"fault-{number}"
            page = {"ErrorCode": 403, "ResponsePagePath": "/" + ERROR_PAGE, "ResponseCode": 404}
            made = [self.make_site(bucket, errors=[{**page, "ErrorCachingMinTTL": 10}])]
            made += [
                self.make_distribution(
                    bucket, errors=[{**page, "ErrorCachingMinTTL": 3600}], viewer_function=True
                )
                for _ in range(1, number)
            ]
            self._sites[number] = bucket, [m.distribution for m in made]
            return self._sites[number]
        bucket, distributions = self._sites[number]
        keys = [{"Key": key} for key in self.objects(bucket)]
        if keys:
            self.s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        for upload in self.uploads(bucket):
            self.s3.abort_multipart_upload(Bucket=bucket, Key=upload["key"], UploadId=upload["id"])
        self.advance(ERRORS_LET_BE_S)  # invalidations of the test before are completed
        return bucket, distributions


class World:
    """A bucket, the distributions before it, and the program."""

    def __init__(self, cloud, history, release=True):
        self.cloud, self.history, self.program = cloud, history, program(release)
        cloud.end_clients()
        cloud.clear_rules()
        cloud.release()
        cloud.reset_log()
        cloud.control("POST", "edge/clear")
        cloud.advance(0, check_skew=False)
        self.bucket, self.distributions = cloud.site_for(history.distributions)
        self.env = {
            "PATH": os.environ["PATH"],
            "BUCKET": self.bucket,
            **{f"D{n}": d for n, d in enumerate(self.distributions)},
            **cloud.env(),
            **{name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")},
        }

    # Running

    def start(self, commit, *arguments, under=(), env=None):
        """A running deploy of a commit. Without parallel requests, so that the nth is always the
        same one."""
        command = [*under, self.program, "--json", "--head", self.history[commit].sha, *arguments]
        if "--concurrency" not in arguments:
            command += ["--concurrency", "1"]
        process = subprocess.Popen(
            command,
            cwd=self.history.directory,
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.cloud.clients_started.append(process)
        return process

    @staticmethod
    def end(process, cut=False, within=HUNG_S):
        try:
            out, err = process.communicate(timeout=within)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"hangs for {within} s\n{out.decode()}\n{err.decode()}") from None
        return Run(process.returncode, out.decode(), err.decode(), cut)

    def run(self, commit, *arguments, **how):
        return self.end(self.start(commit, *arguments, **how))

    def wait_held(self, process, count=1):
        deadline = time.monotonic() + HUNG_S
        while time.monotonic() < deadline:
            ended = process.poll() is not None
            if len(self.cloud.waiting()) >= count:
                return True
            if ended:
                return False
            time.sleep(0.003)
        raise AssertionError(f"request {count} did not come within {HUNG_S} s")

    def hold(self, nth, at):
        """The nth request from now on will be held; one that is held before its effect will never
        have it."""
        lost = {"drop": "before"} if at == "before" else {"drop": "after", "at": "after"}
        return self.cloud.rules({"when": {"nth": nth}, "do": {"stall_s": STALL_S, **lost}})[0]

    def let_go(self):
        self.cloud.clear_rules()
        self.cloud.release()

    def cut(self, commit, nth, at, number, *arguments, **how):
        """A deploy that gets a signal while its nth request is held. Run.cut is False if it had
        ended before."""
        self.hold(nth, at)
        process = self.start(commit, *arguments, **how)
        try:
            held = self.wait_held(process)
            if held:
                process.send_signal(number)
            return self.end(process, held, PROMPT_S)
        finally:
            process.kill()
            self.let_go()

    def kill(self, commit, nth, at, *arguments, **how):
        return self.cut(commit, nth, at, signal.SIGKILL, *arguments, **how)

    def dies(self, commit, nth, at):
        """Kills a deploy, lets the edges look at what is there, and its lease end."""
        cut = self.kill(commit, nth, at)
        assert cut.cut, cut
        self.warm()
        self.lease_dies()

    def lease_dies(self):
        self.cloud.advance(LEASE_DEAD_S)

    def warm(self):
        """The edges fetch everything anybody may ask for: what is there now, and that something is
        not there."""
        for distribution in self.distributions:
            self.cloud.warm(distribution, self.history.viewer_paths())

    # Looking

    def state(self, site="main"):
        """The state of a site, or None."""
        try:
            reply = self.cloud.s3.get_object(Bucket=self.bucket, Key=History.PREFIXES[site] + STATE)
        except self.cloud.s3.exceptions.NoSuchKey:
            return None
        return json.loads(gzip.decompress(reply["Body"].read()))

    def problems(self, commit):
        """How the world differs from one in which this commit, and nothing else, is completely
        deployed."""
        commit = self.history[commit]
        objects = self.cloud.objects(self.bucket)
        listed = {
            o["Key"]: o["ETag"]
            for page in self.cloud.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
            for o in page.get("Contents", ())
        }
        found, left = [], dict(objects)
        if {key: o["etag"] for key, o in objects.items()} != listed:
            found.append("what is listed is not what is there")
        for site in commit.sites:
            found += self._site_problems(commit, site, left)
        found += [f"left behind: {key}" for key in left]
        found += [f"unfinished upload: {u}" for u in self.cloud.uploads(self.bucket)]
        self.cloud.advance(ERRORS_LET_BE_S)
        found += [f"stale: {s}" for d in self.distributions for s in self.cloud.stale(d)]
        return found

    def _site_problems(self, commit, site, left):
        """Takes what is accounted for out of `left`."""
        prefix, state = History.PREFIXES[site], self.state(site)
        left.pop(prefix + STATE, None)
        if state is None:
            return [f"{site}: no state"]
        found = [f"{site}: {n} is {state[n]}" for n in ("journal", "lease") if state[n] is not None]
        if (state["deployed"] or {}).get("commit") != commit.sha:
            found.append(f"{site}: {state['deployed']} is deployed, not {commit.name} {commit.sha}")
        wanted, recorded = commit.objects(site), state["objects"]
        if set(recorded) != set(wanted):
            found.append(f"{site}: the state's paths differ by {set(recorded) ^ set(wanted)}")
        for path, (etag, headers) in wanted.items():
            got = left.pop(prefix + path, None)
            has = got and (got["etag"], {n.lower(): v for n, v in got["headers"].items()})
            if has != (etag, headers):
                found.append(f"{site}: {path} is {has}, wanted {etag, headers}")
            if path in recorded and f'"{recorded[path][2]}"' != etag:
                found.append(f"{site}: {path} is recorded as {recorded[path]}, wanted {etag}")
        return found + self._retired_problems(site, state["retired"], left)

    def _retired_problems(self, site, retired, left):
        found = []
        for path, (_, _, etag, _) in retired.items():
            got = left.pop(History.PREFIXES[site] + path, None)
            if not is_fingerprinted(path):
                found.append(f"{site}: {path} is retired, but it has no fingerprint")
            if got is None or got["etag"] != f'"{etag}"':
                found.append(f"{site}: {path} is retired as {etag}, but is {got}")
            elif not self.history.once_held(site, path, got["etag"]):
                found.append(f"{site}: {path} is of no commit")
        return found

    def in_vain(self, since=0):
        """Viewer paths that were evicted although nothing about them had changed; `since` so many
        evictions."""
        return {path for batch in self.cloud.evicted()[since:] for path in batch["in_vain"]}


# Many at once


class Clouds:
    """Clouds for as many worlds at once as asked for; started when first needed."""

    def __init__(self, directory, most):
        self.directory, self.most, self.lock = Path(directory), most, threading.Lock()
        self.free, self.all = [], []

    def take(self):
        with self.lock:
            if self.free:
                return self.free.pop()
            cloud = Cloud(self.directory / f"cloud-{len(self.all)}")
            self.all.append(cloud)
        return cloud.start()

    def give_back(self, cloud):
        with self.lock:
            self.free.append(cloud)

    def stop(self):
        """Ends them; what they wrote to stderr."""
        errors = "".join(cloud.errors() for cloud in self.all)
        for cloud in self.all:
            cloud.end_clients()
            cloud.stop()
        return errors

    def sweep(self, cases, check):
        """Runs check(cloud, case), which returns problems, for all cases; fails once, naming those
        that failed."""
        failed = []

        def one(case):
            cloud = self.take()
            try:
                problems = check(cloud, case)
            except Exception as error:  # one broken case must not hide the others
                problems = [f"{type(error).__name__}: {error}"]
            finally:
                self.give_back(cloud)
            if problems:
                failed.append((case, problems))

        cases = list(cases)
        with ThreadPoolExecutor(self.most) as pool:
            list(pool.map(one, cases))
        shown = "\n".join(
            f"  {case}:\n" + "".join(f"    {p}\n" for p in problems[:8])
            for case, problems in failed[:12]
        )
        assert not failed, f"{len(failed)} of {len(cases)} cases failed:\n{shown}"
        return len(cases)
