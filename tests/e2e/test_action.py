"""action.yml and action/run.sh as a GitHub runner runs them, against the local cloud."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from actions_runner import Invalid, Runner, check_action, check_workflow, load_yaml, read_outputs

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from cloud.client import LocalCloud  # noqa: E402

PROGRAM = os.environ.get("CRC_ACTION", str(ROOT / "build/asan/action/crc-action"))
ACTION = load_yaml((ROOT / "action.yml").read_text())
SANITIZERS = {
    "LSAN_OPTIONS": f"suppressions={ROOT}/tests/tools/lsan.supp:print_suppressions=0",
    "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""),
}
TOOLS = ["sh", "find", "sort", "xargs", "sha256sum", "cut", "cat", "uname", "mkdir", "mktemp",
         "dirname", "cp", "mv", "rm", "env", "chmod", "tail"]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with LocalCloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running
        assert "Traceback" not in running.errors(), running.errors()


@pytest.fixture
def site(cloud, request):
    """A bucket and a distribution of the test's own."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:60]
    return cloud.make_site(name)


@pytest.fixture(scope="module")
def action_folder(tmp_path_factory):
    """The action where the runner unpacks it, with spaces in the way."""
    return unpack(tmp_path_factory.mktemp("runner") / "_actions" / "own er" / "crc-action" / "v1")


def unpack(folder):
    """Everything of this tree that could be committed, as an archive of it would have it."""
    names = subprocess.run(
        ["git", "-C", ROOT, "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached",
         "--others", "--exclude-standard", "--", "action.yml", "action", "src",
         "CMakeLists.txt", "examples"],
        check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


class Repository:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments):
        env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
               "GIT_AUTHOR_NAME": "n", "GIT_AUTHOR_EMAIL": "n@example.com",
               "GIT_COMMITTER_NAME": "n", "GIT_COMMITTER_EMAIL": "n@example.com"}
        return subprocess.run(["git", "-C", self.folder, *arguments], check=True, env=env,
                              capture_output=True, text=True).stdout.strip()

    def commit(self, files):
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "a commit")
        return self.git("rev-parse", "HEAD")


PAGES = {"website/index.html": "<p>one</p>\n", "website/a/b c.html": "<p>two</p>\n"}
ZERO = "0" * 40


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "work space")


def push(repository, head, before=ZERO):
    return {"ref": "refs/heads/main", "before": before, "after": head, "created": before == ZERO,
            "deleted": False, "forced": False, "repository": {"full_name": "o/r"}}


def make_runner(tmp_path, repository, head, cloud=None, before=ZERO, path=None, **env):
    aws = cloud.env() if cloud else {}
    return Runner(tmp_path / "runner home", repository.folder, push(repository, head, before),
                  path=path or os.environ["PATH"], env={**aws, **SANITIZERS, **env})


def bodies(cloud, bucket):
    """{key: bytes} of a bucket, without our state."""
    return {key: cloud.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            for key in cloud.objects(bucket) if not key.startswith(".crc/")}


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in Path(folder).rglob("*")
            if p.is_file()}


# What is written agrees with what the program takes


def program_inputs():
    text = subprocess.run([PROGRAM, "--print-inputs"], check=True, capture_output=True,
                          text=True, env=SANITIZERS).stdout
    return dict(line.split("\t") for line in text.splitlines())


def test_action_is_what_github_takes():
    check_action(ACTION)


@pytest.mark.parametrize("spoil", [
    lambda a: a["runs"]["steps"][0].pop("shell"),
    lambda a: a["runs"]["steps"][0].update(run="echo ${{ inputs.bucket }}"),
    lambda a: a["runs"]["steps"][0]["env"].update(X="${{ secrets.TOKEN }}"),
    lambda a: a["inputs"]["bucket"].update(default=False),
    lambda a: a["outputs"]["plan"].pop("value"),
    lambda a: a.update(input={}),
])
def test_a_spoilt_action_is_refused(spoil):
    action = json.loads(json.dumps(ACTION))
    spoil(action)
    with pytest.raises(Invalid):
        check_action(action)


def test_inputs_and_defaults_are_the_options():
    assert {n: i["default"] for n, i in ACTION["inputs"].items()} == program_inputs()


def test_each_input_reaches_the_program():
    [step] = ACTION["runs"]["steps"]
    wanted = {"INPUT_" + name.upper().replace("-", "_"): "${{ inputs.%s }}" % name
              for name in ACTION["inputs"]}
    assert step["env"] == {"GITHUB_TOKEN": "${{ github.token }}", **wanted}


def test_each_output_is_that_of_the_step():
    for name, output in ACTION["outputs"].items():
        assert output["value"] == "${{ steps.deploy.outputs.%s }}" % name


def test_packages_are_those_that_developers_install():
    ours = re.search(r'^PACKAGES="([^"]*)"', (ROOT / "action/run.sh").read_text(), re.M)
    theirs = re.search(r"^BUILD_PACKAGES=\(([^)]*)\)",
                       (ROOT / "tests/tools/deps.sh").read_text(), re.M)
    assert ours.group(1).split() == theirs.group(1).split()


def test_the_launcher_is_portable_shell():
    subprocess.run(["shellcheck", "--shell=sh", ROOT / "action/run.sh"], check=True)


@pytest.mark.parametrize("text", [
    "a<<E\nx\n", "a<<E\nx\nE", "a<<\nx\n\n", "=x\n", "word\n", "a=1\na=2\n", "a=1"])
def test_outputs_that_the_runner_refuses(text):
    with pytest.raises(Invalid):
        read_outputs(text)


def test_outputs_that_the_runner_takes():
    assert read_outputs("a=1<<2\n\nb<<E=\nx=1\n\ny<<z\nE=\nc=\n") == {
        "a": "1<<2", "b": "x=1\n\ny<<z", "c": ""}


# A deploy


def test_deploys_a_push(cloud, site, tmp_path, repository, action_folder):
    first = repository.commit(PAGES)
    inputs = {"site-path": "website", "bucket": site.bucket, "distribution-id": site.distribution,
              "url": "https://example.com"}
    runner = make_runner(tmp_path, repository, first, cloud, CRC_ACTION_BIN=PROGRAM)
    one = runner.run(action_folder, inputs)
    assert (one.status, one.stderr) == (0, "")
    assert bodies(cloud, site.bucket) == tree(repository.folder / "website")
    assert set(one.written) == set(ACTION["outputs"])
    assert one.outputs["changed"] == "true" and one.outputs["uploaded-count"] == "2"
    assert one.outputs["base-sha"] == "" and one.outputs["head-sha"] == first
    assert one.outputs["site-url"] == "https://example.com"

    cloud.warm(site.distribution)
    second = repository.commit({"website/index.html": "<p>new</p>\n"})
    runner = make_runner(tmp_path, repository, second, cloud, first, CRC_ACTION_BIN=PROGRAM)
    cloud.reset_log()
    two = runner.run(action_folder, inputs)
    assert (two.status, two.stderr) == (0, "")
    assert len(cloud.requests()) == 6
    assert bodies(cloud, site.bucket) == tree(repository.folder / "website")
    assert cloud.stale(site.distribution) == [] and cloud.evicted_in_vain() == []
    assert json.loads(two.outputs["invalidated-paths"]) == ["/", "/index.html"]
    assert two.outputs["uploaded-count"] == "1" and two.outputs["uploaded-bytes"] == "11"
    assert two.outputs["deleted-count"] == "0" and two.outputs["superseded"] == "false"
    assert two.outputs["base-sha"] == first
    [invalidation] = cloud.invalidations(site.distribution)[-1:]
    assert two.outputs["invalidation-ids"] == invalidation["id"]
    assert json.loads(two.outputs["plan"])["head"] == second
    assert "index.html" in two.summary

    three = runner.run(action_folder, inputs)
    assert three.status == 0 and three.outputs["changed"] == "false"


def test_a_dry_run_without_credentials_needs_no_network(tmp_path, repository, action_folder):
    first = repository.commit(PAGES)
    head = repository.commit({"website/new.html": "<p>new</p>\n"})
    runner = make_runner(tmp_path, repository, head, None, first, CRC_ACTION_BIN=PROGRAM,
                         AWS_EC2_METADATA_DISABLED="true")
    result = runner.run(action_folder, {"dry-run": True})
    assert result.status == 0
    assert "new.html" in result.stdout and "Dry run" in result.stdout
    assert result.outputs["changed"] == "true" and result.outputs["uploaded-count"] == "1"


def test_takes_on_a_role_with_the_jobs_token(cloud, site, tmp_path, repository, action_folder):
    head = repository.commit(PAGES)
    runner = make_runner(tmp_path, repository, head, CRC_ACTION_BIN=PROGRAM,
                         AWS_ENDPOINT_URL=cloud.endpoint,
                         ACTIONS_ID_TOKEN_REQUEST_URL=cloud.oidc_url(),
                         ACTIONS_ID_TOKEN_REQUEST_TOKEN="canaryOfTheJob")
    result = runner.run(action_folder, {
        "aws-region": cloud.region, "site-path": "website", "bucket": site.bucket,
        "role-to-assume": "arn:aws:iam::123456789012:role/deploy"})
    assert (result.status, result.stderr) == (0, "")
    assert bodies(cloud, site.bucket) == tree(repository.folder / "website")
    secrets = result.said("add-mask")
    assert len(secrets) >= 3  # a key, its secret, a session token
    unmasked = "\n".join(x for x in result.stdout.splitlines() if not x.startswith("::add-mask"))
    for secret in [*secrets, "canaryOfTheJob", "canaryOfTheRunner"]:
        assert secret not in unmasked + result.stderr + result.summary
        assert secret not in json.dumps(result.written)


def test_a_folder_of_the_workspace(cloud, site, tmp_path, action_folder):
    inner = Repository(tmp_path / "work space" / "my site")
    head = inner.commit(PAGES)
    outer = Repository(tmp_path / "work space")
    runner = make_runner(tmp_path, outer, head, cloud, CRC_ACTION_BIN=PROGRAM)
    result = runner.run(action_folder, {"working-directory": "my site", "site-path": "website",
                                        "bucket": site.bucket})
    assert result.status == 0, result.stderr
    assert bodies(cloud, site.bucket) == tree(inner.folder / "website")


HOSTILE = ["$(touch pwned)", "`touch pwned`", "; touch pwned; #", "' ; touch pwned; '",
           '" ; touch pwned; "', "x\n::error::forged\ntouch pwned", "${{ github.token }}", "*", "~"]


@pytest.mark.parametrize("value", HOSTILE)
def test_no_input_reaches_a_shell(value, tmp_path, repository, action_folder):
    head = repository.commit(PAGES)
    runner = make_runner(tmp_path, repository, head, CRC_ACTION_BIN=PROGRAM,
                         AWS_EC2_METADATA_DISABLED="true")
    result = runner.run(action_folder, {"dry-run": "true", "site-path": "website", "bucket": value})
    assert result.status == 2
    assert [p.name for p in tmp_path.rglob("pwned")] == []
    [said] = result.said("error")
    assert not said.startswith("forged")


def test_a_cancelled_job_lets_go_of_the_lock(cloud, site, tmp_path, repository, action_folder):
    head = repository.commit(PAGES)
    inputs = {"site-path": "website", "bucket": site.bucket, "lock-timeout": "0"}
    runner = make_runner(tmp_path, repository, head, cloud, CRC_ACTION_BIN=PROGRAM)
    cloud.rules({"when": {"operation": "PutObject", "path_contains": "index.html", "nth": 1},
                 "do": {"stall_s": 60}})
    step = runner.start(action_folder, inputs)
    try:
        cloud.wait_for_stalled()
        step.cancel()
        cloud.release()
        result = step.wait()
    finally:
        step.process.kill()
        cloud.clear_rules()
    assert result.status not in (0, -2), result.stdout  # it noticed, and was not just ended
    assert result.said("error")
    # With lock-timeout 0 the next run would be refused if the lock were still held.
    again = runner.run(action_folder, inputs)
    assert again.status == 0, again.stderr
    assert bodies(cloud, site.bucket) == tree(repository.folder / "website")


# The launcher


@pytest.fixture
def stubs(tmp_path):
    """A folder for PATH with what the launcher needs and, instead of compilers and
    package tools, what a test says; each writes what it was called with to calls()."""
    folder = tmp_path / "stubs"
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(shutil.which(tool))
    return folder


def stub(folder, name, script):
    file = folder / name
    file.unlink(missing_ok=True)
    file.write_text(f'#!/bin/sh\necho "{name} $*" >>"{folder}/calls"\n{script}\n')
    file.chmod(0o755)


def calls(folder):
    file = folder / "calls"
    return file.read_text().splitlines() if file.exists() else []


# Answers --version, else says that it was run, and with how many arguments.
FAKE_PROGRAM = '#!/bin/sh\n[ "${1-}" = --version ] || echo "ran with $# arguments"\n'


def stub_build(folder, tmp_path):
    """A cmake that "builds" FAKE_PROGRAM, and records its environment."""
    (tmp_path / "fake").write_text(FAKE_PROGRAM)
    stub(folder, "dpkg-query", "echo installed")
    stub(folder, "apt-get", "exit 1")
    stub(folder, "cmake", f"""env >"{folder}/environment"
case $1 in
-S) mkdir -p "$4/action" ;;
--build) cp "{tmp_path}/fake" "$2/action/crc-action"; chmod +x "$2/action/crc-action" ;;
esac""")


def cached(tmp_path):
    return [p for p in (tmp_path / "runner home" / "_tool").rglob("*") if p.is_file()]


def test_builds_from_source_once(cloud, site, tmp_path, action_folder):
    """The whole way, with the real compiler, as `uses: ./` in a repository that is the action."""
    repository = Repository(tmp_path / "work space")
    unpack(repository.folder)
    head = repository.commit({})
    inputs = {"site-path": "examples/resume/website", "bucket": site.bucket,
              "distribution-id": site.distribution}
    runner = make_runner(tmp_path, repository, head, cloud)
    one = runner.run(repository.folder, inputs)
    assert one.status == 0, one.stdout + one.stderr
    assert [data for name, _, data in one.commands if name == "group"] == ["crc-action: build"]
    assert bodies(cloud, site.bucket) == tree(ROOT / "examples/resume/website")
    assert [p.name for p in cached(tmp_path)] == ["crc-action"]
    assert list((tmp_path / "runner home" / "_temp").glob("crc-action.*")) == []

    two = runner.run(repository.folder, inputs)
    assert two.status == 0 and two.outputs["changed"] == "false"
    assert two.said("group") == []


def run_stubbed(tmp_path, repository, action_folder, stubs, **env):
    head = repository.commit({})
    runner = make_runner(tmp_path, repository, head, path=str(stubs), **env)
    return runner.run(action_folder)


def test_a_changed_source_is_built_again(tmp_path, repository, action_folder, stubs):
    stub_build(stubs, tmp_path)
    action_folder = shutil.copytree(action_folder, tmp_path / "another version")

    def builds_after_a_run():
        result = run_stubbed(tmp_path, repository, action_folder, stubs)
        assert result.status == 0 and result.stdout.endswith("ran with 0 arguments\n")
        return sum(c.startswith("cmake --build") for c in calls(stubs))

    assert builds_after_a_run() == 1
    assert builds_after_a_run() == 1
    with open(action_folder / "src/base/buf.c", "a") as file:
        file.write("/* another */\n")
    assert builds_after_a_run() == 2
    assert len(cached(tmp_path)) == 2


def test_a_program_that_does_not_start_is_built_again(tmp_path, repository, action_folder, stubs):
    stub_build(stubs, tmp_path)
    assert run_stubbed(tmp_path, repository, action_folder, stubs).status == 0
    [program] = cached(tmp_path)
    program.write_text("#!/bin/sh\nexit 127\n")
    result = run_stubbed(tmp_path, repository, action_folder, stubs)
    assert result.status == 0 and "ran with 0 arguments" in result.stdout
    assert program.read_text() == FAKE_PROGRAM


def test_without_a_tool_cache(tmp_path, repository, action_folder, stubs):
    stub_build(stubs, tmp_path)
    result = run_stubbed(tmp_path, repository, action_folder, stubs, RUNNER_TOOL_CACHE="")
    assert result.status == 0 and "ran with 0 arguments" in result.stdout
    assert cached(tmp_path) == []


def test_the_build_sees_no_credentials(tmp_path, repository, action_folder, stubs):
    stub_build(stubs, tmp_path)
    result = run_stubbed(tmp_path, repository, action_folder, stubs, CFLAGS="-broken",
                         AWS_SECRET_ACCESS_KEY="canary", ACTIONS_ID_TOKEN_REQUEST_TOKEN="canary")
    assert result.status == 0
    names = {line.split("=")[0] for line in (stubs / "environment").read_text().splitlines()}
    assert names - {"PWD", "_", "SHLVL"} == {"PATH", "HOME", "TMPDIR", "LC_ALL"}


def test_a_failed_build_leaves_nothing(tmp_path, repository, action_folder, stubs):
    stub_build(stubs, tmp_path)
    stub(stubs, "cmake", "echo no compiler; exit 1")
    result = run_stubbed(tmp_path, repository, action_folder, stubs)
    assert result.status == 1
    assert "no compiler" in result.stdout
    assert result.said("error") == [
        "crc-action could not be built; the group above says why"]
    assert cached(tmp_path) == []
    assert list((tmp_path / "runner home" / "_temp").glob("crc-action.*")) == []


def stub_user(folder, number):
    stub(folder, "id", f"echo {number}")


def test_missing_packages_are_installed(tmp_path, repository, action_folder, stubs):
    stub_build(stubs, tmp_path)
    stub(stubs, "dpkg-query", 'case $* in *libgit2-dev* | *cmake*) exit 1 ;; esac; echo installed')
    stub(stubs, "apt-get", f"""case $* in
*update*) : >"{stubs}/lists" ;;
*install*) [ -e "{stubs}/lists" ] || exit 100 ;;
esac""")
    stub_user(stubs, 1001)
    stub(stubs, "sudo", '[ "$1" = -n ] && shift && exec "$@"')
    result = run_stubbed(tmp_path, repository, action_folder, stubs)
    assert result.status == 0, result.stdout
    installs = [c for c in calls(stubs) if c.startswith("apt-get") and " install " in c]
    assert len(installs) == 2  # with the old lists, then with new ones
    assert all(c.endswith("--no-install-recommends cmake libgit2-dev") for c in installs)
    assert all(f"sudo -n env DEBIAN_FRONTEND=noninteractive {c}" in calls(stubs) for c in installs)
    assert [data for name, _, data in result.commands if name == "group"] == [
        "crc-action: install what it is built with", "crc-action: build"]


def test_without_root_it_says_what_to_install(tmp_path, repository, action_folder, stubs):
    stub_build(stubs, tmp_path)
    stub(stubs, "dpkg-query", "exit 1")
    stub_user(stubs, 1001)
    result = run_stubbed(tmp_path, repository, action_folder, stubs)
    assert result.status == 1
    [said] = result.said("error")
    assert "sudo" in said and "libgit2-dev" in said


def test_elsewhere_it_says_what_is_needed(tmp_path, repository, action_folder, stubs):
    result = run_stubbed(tmp_path, repository, action_folder, stubs)
    assert result.status == 1
    [said] = result.said("error")
    assert "libgit2" in said and "Debian" in said


def test_another_system_is_refused(tmp_path, repository, action_folder, stubs):
    stub(stubs, "uname", "echo Darwin")
    result = run_stubbed(tmp_path, repository, action_folder, stubs)
    assert result.status == 1
    [said] = result.said("error")
    assert "Linux" in said


# Workflows that people copy


WORKFLOWS = [*ROOT.glob(".github/workflows/*.yml"),
             *ROOT.glob("examples/**/.github/workflows/*.yml")]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda f: str(f.relative_to(ROOT)))
def test_workflows_are_what_github_takes(file):
    text = file.read_text()
    check_workflow(load_yaml(text), ACTION["inputs"])
    # A tag can move; a commit cannot.
    for uses in re.findall(r"uses: (\S+)", text):
        assert uses == "./" or re.fullmatch(r".*@([0-9a-f]{40}|COMMIT)", uses), uses


# The README


README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def table(first_heading):
    """The rows of the README's table whose first column has this heading."""
    lines = iter(README.splitlines())
    next(line for line in lines if line.startswith(f"| {first_heading} |"))
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            return rows
        rows.append([c.strip().replace(r"\|", "|") for c in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def test_the_workflow_of_the_readme_deploys(cloud, site, tmp_path, repository, action_folder):
    [text] = [b for b in blocks("yaml") if "crc-action@" in b]
    workflow = load_yaml(text)
    check_workflow(workflow, ACTION["inputs"])
    [*_, step] = workflow["jobs"]["deploy"]["steps"]
    assert step["uses"] == "OWNER/crc-action@COMMIT"
    inputs = step["with"] | {"bucket": site.bucket, "distribution-id": site.distribution}
    head = repository.commit(PAGES)
    runner = make_runner(tmp_path, repository, head, CRC_ACTION_BIN=PROGRAM,
                         AWS_ENDPOINT_URL=cloud.endpoint,
                         ACTIONS_ID_TOKEN_REQUEST_URL=cloud.oidc_url(),
                         ACTIONS_ID_TOKEN_REQUEST_TOKEN="canaryOfTheJob")
    result = runner.run(action_folder, inputs)
    assert (result.status, result.stderr) == (0, "")
    assert bodies(cloud, site.bucket) == tree(repository.folder / "website")


def test_the_example_of_the_readme_is_a_configuration(tmp_path, repository):
    [text] = [b for b in blocks("yaml") if b.startswith("region:")]
    repository.commit({"crc.yml": text, "website/index.html": "1", "website/drafts/a": "2",
                       "blog/public/index.html": "3"})
    done = subprocess.run(
        [PROGRAM, "--dry-run", "--json"], cwd=repository.folder, capture_output=True, text=True,
        env={**SANITIZERS, "PATH": os.environ["PATH"], "HOME": str(tmp_path),
             "AWS_EC2_METADATA_DISABLED": "true", "BLOG_BUCKET": "my-blog"})
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout.splitlines()[0])
    assert [(s["name"], s["bucket"], s["prefix"]) for s in plan["sites"]] == [
        ("resume", "my-resume", ""), ("blog", "my-blog", "blog/")]
    assert {s["path"] for s in plan["steps"] if "path" in s} == {"index.html"}


def test_options_are_those_of_the_readme():
    text = subprocess.run([PROGRAM, "--help"], check=True, capture_output=True, text=True,
                          env=SANITIZERS).stdout
    shown = re.findall(r"^  (?:-\w, )?--([\w-]+)", text, re.M)
    rows = table("option")
    names = [re.search(r"`--([\w-]+)", option).group(1) for option, *_ in rows]
    assert sorted([*names, "help", "version"]) == sorted(shown)
    assert {i.strip("`"): d.strip("`") for _, i, d, _ in rows if i} == program_inputs()


def test_outputs_are_those_of_the_readme():
    names = [name for outputs, _ in table("output") for name in re.findall(r"`([\w-]+)`", outputs)]
    assert names == list(ACTION["outputs"])


# What IAM asks for, for each operation that is sent with the role.
ACTIONS = {
    "HeadObject": ["s3:GetObject"], "GetObject": ["s3:GetObject"], "PutObject": ["s3:PutObject"],
    "CopyObject": ["s3:GetObject", "s3:PutObject"], "DeleteObject": ["s3:DeleteObject"],
    "DeleteObjects": ["s3:DeleteObject"], "CreateMultipartUpload": ["s3:PutObject"],
    "UploadPart": ["s3:PutObject"], "CompleteMultipartUpload": ["s3:PutObject"],
    "AbortMultipartUpload": ["s3:AbortMultipartUpload"], "ListObjectsV2": ["s3:ListBucket"],
    "ListMultipartUploads": ["s3:ListBucketMultipartUploads"],
    "GetDistribution": ["cloudfront:GetDistribution"],
    "GetCachePolicy": ["cloudfront:GetCachePolicy"],
    "CreateInvalidation": ["cloudfront:CreateInvalidation"],
    "GetInvalidation": ["cloudfront:GetInvalidation"],
    "ListInvalidations": ["cloudfront:ListInvalidations"],
}


def test_the_policy_of_the_readme_allows_what_is_sent_and_no_more():
    policy, trust = (json.loads(b) for b in blocks("json"))
    allowed = [a for s in policy["Statement"]
               for a in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])]
    sent = set()
    for file in ("s3.c", "cloudfront.c"):
        text = (ROOT / "src/aws" / file).read_text()
        sent |= set(re.findall(r'"((?:Abort|Complete|Copy|Create|Delete|Get|Head|List|Put|Upload)'
                               r'(?:[A-Z]\w+)?(?:Objects?|ObjectsV2|Uploads?|Part|Distribution|'
                               r'Policy|Invalidations?))"', text))
    # The bucket for code, which a site alone does not need (examples/resume has those rights).
    sent = {name for name in sent if not re.search("Bucket|Incomplete", name)}
    assert sorted(allowed) == sorted({a for operation in sent for a in ACTIONS[operation]})
    [statement] = trust["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert not any(key.startswith("ForA") for key in statement["Condition"])
