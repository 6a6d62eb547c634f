"""What may be named as head and base, and where HEAD may be."""

import pytest
from gitfixtures import Repo, assert_plans_as_git, git_cloud, plan, repo, target  # noqa: F401


def test_detached(repo, target):
    repo.git("checkout", "-q", "--detach", "HEAD")
    assert_plans_as_git(repo)
    target.assert_deploys(repo)


def test_unborn(tmp_path):
    empty = Repo(tmp_path / "empty")
    empty.write({"website/index.html": "not committed\n"})
    run = plan(empty)
    assert run.status == 1 and "head: HEAD: no such revision; the branch has no commit yet" in run.err, run


def test_a_branch_that_is_unborn_beside_others(repo):
    repo.git("checkout", "-q", "--orphan", "fresh")
    run = plan(repo)
    assert run.status == 1 and "the branch has no commit yet" in run.err, run
    assert_plans_as_git(repo, "--head", "main", head="main", base="main~1")


def test_a_root_commit_has_no_base(repo):
    run = plan(repo, "--head", "v1")
    assert set(run.changes()) == set(repo.files(revision="v1"))
    assert run.plan["sites"][0]["base"] is None


@pytest.mark.parametrize("packed", [False, True])
def test_names_of_heads(repo, packed):
    repo.git("tag", "-a", "-m", "annotated", "v2")
    repo.git("branch", "release/1.0")
    repo.git("tag", "-a", "-m", "of a tag", "v2-again", "v2")
    repo.git("update-ref", "refs/remotes/origin/main", "HEAD")
    if packed:
        repo.git("pack-refs", "--all", "--prune")
    head = repo.head()
    for name in ("HEAD", "main", "refs/heads/main", "v2", "v2-again", "release/1.0", "origin/main", head, head[:7],
                 head.upper(), "v2^{commit}", "@", "main@{0}"):
        run = plan(repo, "--head", name)
        assert run.status == 0 and run.plan["head"] == head, (name, run)
    run = plan(repo, "--head", "HEAD", "--base", "v1")
    assert run.changes() == repo.changes("v1", "HEAD")
    # Backwards, and against itself.
    run = plan(repo, "--head", "v1", "--base", "v2")
    assert run.changes() == repo.changes("v2", "v1")
    run = plan(repo, "--base", "v2")
    assert run.changes() == {}


def test_a_merge_is_compared_with_its_first_parent(repo):
    repo.git("checkout", "-q", "-b", "side", "v1")
    repo.commit({"website/side.html": "side\n"})
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "-m", "merge", "side")
    run = assert_plans_as_git(repo)
    assert run.changes() == {"side.html": "A"}


def ambiguous(repo):
    """Digits that two objects begin with. Dates are fixed, so that it is the same each time."""
    seen = set()
    repo.git("fast-import", "--quiet", "--force", data="".join(
        f"commit refs/heads/x\ncommitter A <a@example.com> {n} +0000\ndata 0\nfrom {repo.head()}\n\n"
        for n in range(600)).encode())
    every = repo.git("cat-file", "--batch-check=%(objectname)", "--batch-all-objects").decode()
    for found in every.split():
        if found[:4] in seen:
            return found[:4]
        seen.add(found[:4])
    raise AssertionError("no two ids begin alike")


def test_an_ambiguous_prefix(repo):
    prefix = ambiguous(repo)
    run = plan(repo, "--head", prefix)
    assert run.status == 2 and f"head: {prefix}: more than one object begins so" in run.err, run
    run = plan(repo, "--base", prefix)
    assert run.status == 2 and f"--base: {prefix}: more than one" in run.err, run


@pytest.mark.parametrize("name, status, message", [
    ("no-such", 1, "no-such: no such revision in this clone"),
    ("0" * 40, 1, "no such revision in this clone"),
    ("HEAD~9", 1, "no such revision"),
    ("HEAD:website/index.html", 2, "not a commit"),
    ("HEAD^{tree}", 2, "not a commit"),
    ("a..b", 2, ""),
    ("", 2, ""),
    ("--", 1, ""),
    ("refs/heads/../../HEAD", 2, ""),
])
def test_what_is_no_commit(repo, name, status, message):
    run = plan(repo, f"--head={name}")
    assert run.status == status and message in run.err, run


def test_a_tag_of_a_blob_and_a_tree(repo):
    repo.git("tag", "blob", "HEAD:README")
    repo.git("tag", "-a", "-m", "x", "tree", "HEAD:website")
    for name in ("blob", "tree"):
        run = plan(repo, "--head", name)
        assert run.status == 2 and f"head: {name}: not a commit" in run.err, run


def test_a_tag_and_a_branch_of_one_name(repo):
    """As git: the tag is meant."""
    repo.git("tag", "twin", "v1")
    repo.git("branch", "twin", "main")
    assert plan(repo, "--head", "twin").plan["head"] == repo.head("refs/tags/twin") == repo.head("v1")
    assert plan(repo, "--head", "refs/heads/twin").plan["head"] == repo.head("main")
    assert plan(repo, "--head", "heads/twin").plan["head"] == repo.head("main")


def test_a_branch_that_looks_like_an_id(repo):
    """As git: a name wins over a prefix; whole ids win over names."""
    repo.git("branch", repo.head()[:8], "v1")
    assert plan(repo, "--head", repo.head("main")[:8]).plan["head"] == repo.git(
        "rev-parse", repo.head("main")[:8]).decode().strip()
    assert plan(repo, "--head", repo.head("main")).plan["head"] == repo.head("main")
