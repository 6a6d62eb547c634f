"""As a step of a GitHub workflow: outputs, summary, annotations, masks, events.

Files and output are read by runner.py, which is as strict as the runner.
"""

import html
import itertools
import json
import os
import re

import pytest

from gitrepo import Repo
from runner import Log, Refused, check_summary, parse_file_command
from world import bare_env

SITE = {"website/index.html": "i\n", "website/a.txt": "a\n", "website/b.txt": "b\n"}
OUTPUTS = {
    "changed", "superseded", "uploaded-count", "deleted-count", "uploaded-bytes",
    "invalidation-ids", "invalidated-paths", "base-sha", "head-sha", "plan", "site-url",
}
_runs = itertools.count(100)


class Step:
    """A step of a job that deploys the world's site."""

    def __init__(self, world, event_name="push", **event):
        self.world, self.number = world, next(_runs)
        self.files = {name: world.folder / f"{name}-{self.number}"
                      for name in ("output", "summary", "event")}
        for file in self.files.values():
            file.touch()
        head = world.repo.head()
        payload = {"ref": "refs/heads/main", "before": "0" * 40, "after": head, "created": False,
                   "deleted": False, "forced": False, "commits": [], **event}
        self.files["event"].write_text(json.dumps(payload))
        self.variables = {
            "CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": event_name,
            "GITHUB_EVENT_PATH": str(self.files["event"]), "GITHUB_REF": "refs/heads/main",
            "GITHUB_SHA": head, "GITHUB_OUTPUT": str(self.files["output"]),
            "GITHUB_STEP_SUMMARY": str(self.files["summary"]), "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_RUN_ID": str(7000 + self.number), "GITHUB_RUN_NUMBER": str(self.number),
            "GITHUB_WORKFLOW": "deploy", "GITHUB_REPOSITORY": "o/r",
            "GITHUB_WORKFLOW_REF": "o/r/.github/workflows/deploy.yml@refs/heads/main",
        }
        self.inputs = {"site-path": "website", "bucket": world.bucket,
                       "distribution-id": world.distribution}

    def run(self, status=0, env=None, **inputs):
        """Runs it without options; inputs as action.yml would hand them over."""
        given = {**self.inputs, **{k.replace("_", "-"): v for k, v in inputs.items()}}
        named = {"INPUT_" + k.upper().replace("-", "_"): v for k, v in given.items()}
        seen = self.world.last_request()
        base = self.world.env() if env is None else env
        run = self.world.start(env={**base, **self.variables, **named}).finish()
        self.world.complete(run, seen)
        assert run.status == status, run
        run.log = Log(run.out, run.err)
        run.outputs = parse_file_command(self.files["output"].read_text())
        run.summary = check_summary(self.files["summary"].read_bytes())
        return run


# --- outputs ---------------------------------------------------------------------------------


def test_outputs(world):
    first = world.repo.commit(SITE)
    run = Step(world).run(url="https://example.com")
    assert OUTPUTS <= set(run.outputs)
    assert run.outputs["changed"] == "true" and run.outputs["superseded"] == "false"
    assert (run.outputs["uploaded-count"], run.outputs["uploaded-bytes"]) == ("3", "6")
    assert (run.outputs["base-sha"], run.outputs["head-sha"]) == ("", first)
    assert json.loads(run.outputs["invalidated-paths"]) == ["/*"]
    assert run.outputs["site-url"] == "https://example.com"
    [made] = world.cloud.invalidations(world.distribution)
    assert run.outputs["invalidation-ids"] == made["id"]

    second = world.repo.commit({"website/a.txt": "new\n", "website/b.txt": None})
    run = Step(world, before=first).run()
    assert (run.outputs["base-sha"], run.outputs["head-sha"]) == (first, second)
    assert (run.outputs["uploaded-count"], run.outputs["deleted-count"]) == ("1", "1")
    assert json.loads(run.outputs["invalidated-paths"]) == ["/a.txt", "/b.txt"]
    plan = json.loads(run.outputs["plan"])
    assert plan["type"] == "plan" and plan["head"] == second
    assert [s["kind"] for s in plan["steps"]] == ["claim", "put", "delete", "invalidate", "commit"]

    run = Step(world).run()
    assert run.outputs["changed"] == "false" and run.outputs["uploaded-count"] == "0"
    assert json.loads(run.outputs["invalidated-paths"]) == []


def test_outputs_of_a_dry_run(world):
    world.repo.commit(SITE)
    run = Step(world).run(dry_run="true")
    assert run.writes() == []
    assert run.outputs["changed"] == "true" and run.outputs["uploaded-count"] == "3"
    assert len(json.loads(run.outputs["plan"])["steps"]) == 6
    assert "Dry run: nothing was written anywhere." in run.summary


def test_outputs_are_appended(world):
    """Another command of the step may have written before."""
    world.repo.commit(SITE)
    step = Step(world)
    step.files["output"].write_text("earlier=1\n")
    step.files["summary"].write_text("# Earlier\n")
    run = step.run()
    assert run.outputs["earlier"] == "1" and run.outputs["changed"] == "true"
    assert run.summary.startswith("# Earlier\n")


def test_nothing_but_files_is_needed(world):
    """A runner of another make may set GITHUB_ACTIONS and nothing else."""
    world.repo.commit(SITE)
    step = Step(world)
    step.variables = {"GITHUB_ACTIONS": "true"}
    seen = world.last_request()
    named = {"INPUT_" + k.upper().replace("-", "_"): v for k, v in step.inputs.items()}
    run = world.complete(world.start(env={**world.env(), **named, **step.variables}).finish(), seen)
    assert run.status == 0
    world.check_bucket()


def test_inputs(world):
    """Empty ones count as not given; yes and no in YAML's spellings; options win."""
    world.repo.commit(SITE)
    nothing = dict.fromkeys(("prefix", "url", "max_paths", "config", "role_to_assume"), "")
    run = Step(world).run(dry_run="YES", **nothing)
    assert "Dry run" in run.out
    run = Step(world).run(status=2, dry_run="perhaps")
    assert 'input: dry-run: "perhaps" is not true or false' in run.err
    run = Step(world).run(status=2, max_paths="none")
    assert "input: max-paths" in run.err


def test_working_directory(world):
    world.repo.commit(SITE)
    step = Step(world)
    env = {**world.env(), **step.variables, "INPUT_WORKING_DIRECTORY": str(world.repo.path),
           "INPUT_BUCKET": world.bucket, "INPUT_SITE_PATH": "website"}
    run = world.start(env=env, cwd=world.home).finish()
    assert run.status == 0
    world.check_bucket(distribution=False)


# --- summary ---------------------------------------------------------------------------------


def test_summary(world):
    first = world.repo.commit(SITE)
    world.run()
    second = world.repo.commit({"website/a.txt": "new\n", "website/b.txt": None})
    run = Step(world, before=first).run()
    assert run.summary.startswith("### crc: ")
    assert "Deployed: 1 uploaded (4 B), 1 deleted, 2 invalidation paths" in run.summary
    plain = html.unescape(re.sub(r"</?code>", "", run.summary))
    assert f"s3://{world.bucket}/" in plain and first[:10] in plain and second[:10] in plain
    assert "| modified | a.txt |" in plain and "| delete | deleted | b.txt |" in plain
    assert f"of {world.distribution}: 2 paths, nothing unchanged is evicted" in plain
    assert "- /a.txt" in plain


def test_summary_of_a_failure(world):
    world.repo.commit(SITE)
    run = Step(world).run(status=1, bucket="nobody-has-this-one")
    plain = html.unescape(re.sub(r"</?code>", "", run.summary))
    assert "Nothing was deployed." in plain and "NoSuchBucket" in plain


def test_summary_of_thousands_stays_under_the_limit(world):
    """A summary that is too large is dropped whole by the runner."""
    names = {f"website/{'_*`[' * 40}{n:05}.txt": str(n) for n in range(3000)}
    world.repo.commit({"website/index.html": "i"})
    world.repo.commit_many(names)
    run = Step(world).run(dry_run="true")
    assert len(run.summary.encode()) < 920 * 1024
    assert run.summary.count("<details>") == run.summary.count("</details>") == 1
    rows = [line for line in run.summary.splitlines() if "| added |" in line]
    assert len(rows) > 100 and all(row.endswith("</code> |") for row in rows), rows[-1]
    assert f"and {3001 - len(rows)} more" in run.summary, "what is left out is said"
    assert run.outputs["uploaded-count"] == "3001"


# --- annotations and masks -------------------------------------------------------------------


def test_annotation_of_an_error(world):
    world.repo.commit(SITE)
    run = Step(world).run(status=1, bucket="nobody-has-this-one")
    [(properties, data)] = run.log.of("error")
    assert properties["title"] == "crc" and "NoSuchBucket" in data
    assert [c[0] for c in run.log.commands if c[0] not in ("add-mask", "error")] == []


def test_annotation_of_several_lines(world):
    world.repo.commit(SITE)
    for n in range(3):
        os.symlink("a.txt", world.repo.path / f"website/link{n}")
    world.repo.commit()
    run = Step(world).run(status=1)
    [(_, data)] = run.log.of("error")
    assert data.count("\n") == 3 and "link2: a symbolic link" in data


def test_no_annotation_elsewhere(world):
    world.repo.commit(SITE)
    run = world.run_bare(*world.arguments, "--bucket", "nobody-has-this-one")
    assert Log(run.out, run.err).commands == []


HOSTILE = [
    "::error::pwned", " ::add-mask::e", "\t::warning::x", "##[error]pwned", "x##[add-mask]i",
    "##[stop-commands]never", "::stop-commands::never", "a\n::error::pwned", "b\r::error::pwned",
    "c%0A::error::pwned", "\u202e::cod.txt", "<script>alert(1)</script>", "| a | b |",
    "](javascript:x)", "**bold**", "@everyone", "EOF", "crc_EOF", "x=y", "x<<EOF", "\x1b[31mred",
    "&lt;b&gt;", "![i](data:y.png)", "\u2028::error::pwned", "\x85::error::pwned",
]


def check_nothing_spoke(run, cloud):
    """No command but our own, nothing hidden, no markup, no control character."""
    secrets = {cloud.access_key_id, cloud.secret_access_key}
    for name, properties, data in run.log.commands:
        ours = properties == {"title": "crc"} if name == "error" else \
            name == "add-mask" and data in secrets
        assert ours, (name, properties, data)
    for line in run.log.shown:
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029]", line), line
    for text in ("<script>", "](javascript", "**bold**", "![i]", "\u202e", "\x1b"):
        assert text not in run.summary


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_cannot_speak(world, name):
    world.repo.commit({"website/index.html": "i", "website/" + name: "x"})
    run = Step(world).run()
    check_nothing_spoke(run, world.cloud)
    assert set(run.outputs) >= OUTPUTS and run.outputs["uploaded-count"] == "2"
    assert name in [s.get("path") for s in json.loads(run.outputs["plan"])["steps"]]
    assert world.read(name)[0] == b"x"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_cannot_speak_in_errors(world, name):
    """A link is refused by its name, which is part of the message."""
    world.repo.commit(SITE)
    (world.repo.path / "website/::error::folder").mkdir()
    (world.repo.path / "website" / name).parent.mkdir(parents=True, exist_ok=True)
    os.symlink("/etc/passwd", world.repo.path / "website" / name)
    os.symlink("/etc/passwd", world.repo.path / "website/::error::folder/::warning::link")
    world.repo.commit()
    run = Step(world).run(status=1)
    check_nothing_spoke(run, world.cloud)
    assert len(run.log.of("error")) == 1


def test_hostile_words_of_a_service_cannot_speak(world):
    world.repo.commit(SITE)
    world.cloud.rules({"when": {"operation": "PutObject"}, "do": {
        "status": 403, "code": "AccessDenied",
        "message": "no\n::error::pwned\r\n##[add-mask]a\n<script>"}})
    run = Step(world).run(status=3)
    check_nothing_spoke(run, world.cloud)


def test_hostile_output_of_a_build_stays_indented(world):
    world.repo.commit({**SITE, "crc.yml": f"""\
sites:
  resume:
    path: website
    build: "echo '::error::pwned'; echo '  ::add-mask::i' >&2; printf 'a\\r::error::pwned\\n'"
    bucket: {world.bucket}
    distribution: {world.distribution}
"""})
    step = Step(world)
    step.inputs = {}
    check_nothing_spoke(step.run(), world.cloud)


def test_secrets_are_masked_before_anything_else(world):
    world.repo.commit(SITE)
    run = Step(world).run()
    assert world.cloud.secret_access_key in run.log.masks
    assert world.cloud.secret_access_key not in run.log.text
    assert run.out.splitlines()[0].startswith("::add-mask::")
    for text in (run.err, run.summary, *run.outputs.values()):
        assert world.cloud.secret_access_key not in text


# --- events ----------------------------------------------------------------------------------


def test_a_deleted_branch_deploys_nothing(world):
    world.repo.commit(SITE)
    run = Step(world, deleted=True, after="0" * 40).run()
    assert run.requests == [] and "Nothing is deployed: the branch was deleted." in run.out
    assert run.log.of("error") == []


@pytest.mark.parametrize("event", ["pull_request", "pull_request_target"])
def test_a_pull_request_deploys_nothing_but_may_plan(world, event):
    world.repo.commit(SITE)
    pull = {"number": 1, "head": {"repo": {"full_name": "fork/r"}},
            "base": {"repo": {"full_name": "o/r"}}}
    run = Step(world, event, pull_request=pull).run()
    assert run.requests == [] and "a pull request is a proposal" in run.out
    run = Step(world, event, pull_request=pull).run(dry_run="true")
    assert run.writes() == [] and run.outputs["uploaded-count"] == "3"


def test_a_pull_request_of_a_fork_has_no_credentials_and_gets_a_plan(world):
    world.repo.commit(SITE)
    run = Step(world, "pull_request").run(dry_run="true", env=bare_env(world.home))
    assert run.requests == [] and json.loads(run.outputs["plan"])["offline"] is True


def test_a_force_push_to_an_older_commit(world, tmp_path):
    """The branch was moved back on purpose: its tip is what is wanted."""
    older = world.repo.commit(SITE)
    world.repo.commit({"website/a.txt": "regretted\n"})
    world.run()
    world.warm()
    world.repo.git("reset", "-q", "--hard", older)
    clone = world.repo.clone(tmp_path / "clone")
    newer = world.state()["deployed"]["commit"]
    step = Step(world, before=newer, after=older, forced=True)
    world.repo = clone
    run = step.run()
    assert run.outputs["superseded"] == "false" and run.outputs["uploaded-count"] == "1"
    world.check()


def test_a_force_push_to_another_history(world, tmp_path):
    """The recorded commit is in no clone any more; the event says what it replaced."""
    world.deploy(SITE)
    old = world.repo.head()
    world.repo = Repo(tmp_path / "rewritten")
    world.repo.commit({**SITE, "website/a.txt": "rewritten\n"})
    run = Step(world, before=old, forced=True).run()
    assert run.outputs["changed"] == "true"
    world.check_bucket()


def test_a_late_run_of_an_older_push_is_superseded(world):
    first = world.repo.commit(SITE)
    late = Step(world)
    world.repo.commit({"website/a.txt": "new\n"})
    run = Step(world, before=first).run()
    assert run.outputs["superseded"] == "false"
    world.repo.git("checkout", "-q", first)
    run = late.run()
    world.repo.git("checkout", "-q", "main")
    assert run.outputs["superseded"] == "true" and run.outputs["changed"] == "false"
    assert run.writes() == [] and "Superseded" in run.summary
    world.check_bucket()


def test_run_numbers_tell_where_history_does_not(world, tmp_path):
    """Two shallow checkouts: neither knows the other's commit."""
    world.repo.commit(SITE)
    older = Step(world)
    world.repo.commit({"website/a.txt": "new\n"})
    newer = Step(world)
    clones = {}
    for name, revision in (("old", "HEAD~1"), ("new", "HEAD")):
        world.repo.git("branch", "-f", name, revision)
        clones[name] = world.repo.clone(tmp_path / name, "--depth", "1", "-b", name)
        clones[name].git("remote", "remove", "origin")
    world.repo = clones["new"]
    assert newer.run().outputs["superseded"] == "false"
    world.repo = clones["old"]
    run = older.run()
    assert run.outputs["superseded"] == "true"
    assert "this run of the workflow is earlier than the recorded one" in run.out
    world.repo = clones["new"]
    world.check_bucket()


def test_a_broken_payload_is_an_error(world):
    world.repo.commit(SITE)
    step = Step(world)
    step.files["event"].write_text("{not json")
    run = step.run(status=1)
    assert "event payload" in run.err and run.requests == []


# --- the parser can fail ---------------------------------------------------------------------


@pytest.mark.parametrize("text", [
    "novalue\n", "a<<E\nx\n", "a<<E\nx", "a<<E\nx\nE", "<<E\nx\nE\n", "=x\n", "a<<\n\n"])
def test_the_output_parser_refuses(text):
    with pytest.raises(Refused):
        parse_file_command(text)


def test_the_parsers_read():
    text = "a=1<<2\nb<<E\nx=y\n\nz\nE\n\nc=\n"
    assert parse_file_command(text) == {"a": "1<<2", "b": "x=y\n\nz", "c": ""}
    log = Log("  ::error title=a%3Ab::x%0Ay\nmid ##[warning]z\n::add-mask::pw\nthe pw\n::nope::x\n"
              "::stop-commands::t\n::error::no\n::t::\n::notice::yes")
    assert log.commands[:2] == [("error", {"title": "a:b"}, "x\ny"), ("warning", {}, "z")]
    assert [c[0] for c in log.commands] == \
        ["error", "warning", "add-mask", "stop-commands", "notice"]
    assert "the ***" in log.text
    with pytest.raises(Refused):
        check_summary(b"x" * (1024 * 1024 + 1))
