"""Every kind of clone and repository that a workspace may be."""

import os
import shutil
import subprocess

import pytest
from gitfixtures import (GIT_ENV, Repo, assert_plans_as_git, crc, git_cloud, plan,  # noqa: F401
                         repo, target)


def test_a_plain_clone_loose_and_packed(repo, tmp_path):
    assert_plans_as_git(repo)
    repo.git("repack", "-adq")
    repo.git("prune-packed")
    repo.git("pack-refs", "--all", "--prune")
    assert not list((repo.path / ".git/refs/heads").iterdir())
    assert not [p for p in (repo.path / ".git/objects").iterdir() if len(p.name) == 2]
    assert_plans_as_git(repo)
    # And half of it loose again, the branch too.
    repo.commit({"website/index.html": "three\n"})
    assert_plans_as_git(repo)


def test_from_a_folder_inside(repo):
    run = crc(repo, "--dry-run", "--json", "--site-path", "website", cwd=repo.path / "website" / "css")
    assert run.changes() == repo.changes("HEAD~1", "HEAD")
    run = crc("/", "--dry-run", "--json", "--site-path", "website", "--repo", str(repo.path / "tools"))
    assert run.changes() == repo.changes("HEAD~1", "HEAD")


def test_bare(repo, tmp_path, target):
    bare = repo.clone(tmp_path / "bare.git", "--bare")
    assert_plans_as_git(bare)
    target.assert_deploys(bare)


def test_a_shallow_clone(repo, tmp_path, target):
    shallow = repo.clone(tmp_path / "shallow", "--depth", "1")
    run = plan(shallow)
    assert run.status == 0, run
    # Nothing to compare with, which is said; and so all is an addition.
    assert set(run.changes()) == set(repo.files()) and set(run.changes().values()) == {"A"}
    assert "not in this clone" in run.plan["sites"][0]["base_why"]
    run = plan(shallow, "--base", repo.head("HEAD~1"))
    assert run.status == 1 and "shallow" in run.err and "fetch-depth: 0" in run.err, run
    target.assert_deploys(shallow)


def test_a_shallow_clone_deploys_over_its_own_history(repo, tmp_path, target):
    """The recorded snapshot is what a clone without history is compared with."""
    target.assert_deploys(repo, "--head", "v1", head="v1")
    shallow = repo.clone(tmp_path / "shallow", "--depth", "1")
    event = tmp_path / "event.json"
    event.write_text('{"ref": "refs/heads/main", "before": "%s", "after": "%s", "deleted": false, "commits": []}'
                     % (repo.head("v1"), repo.head()))
    run = target.assert_deploys(shallow, GITHUB_ACTIONS="true", GITHUB_EVENT_NAME="push",
                                GITHUB_EVENT_PATH=str(event), GITHUB_REF="refs/heads/main")
    assert run.changes() == repo.changes("v1", "HEAD")


@pytest.mark.parametrize("cone", ["--cone", "--no-cone"])
@pytest.mark.parametrize("wanted", ["website", "tools"])
def test_a_partial_sparse_clone(repo, tmp_path, target, cone, wanted):
    """Blobs that were never fetched are, one way or the other; with the site on the disk or not."""
    made = repo.clone(tmp_path / "partial", "--filter=blob:none", "--no-checkout")
    made.git("sparse-checkout", "set", cone, wanted if cone == "--cone" else f"/{wanted}/")
    made.git("checkout", "-q", "main")
    assert (made.path / wanted).exists() and not (made.path / ("tools" if wanted == "website" else "website")).exists()
    index = repo.head("HEAD:website/index.html")
    assert (index in made.missing()) == (wanted == "tools")
    run = assert_plans_as_git(made, witness=repo)
    assert run.notes == [] and repo.head("HEAD~1:website/index.html") in made.missing()
    target.assert_deploys(made, witness=repo)


def test_a_partial_clone_whose_remote_is_gone(repo, tmp_path, target):
    made = repo.clone(tmp_path / "partial", "--filter=blob:none", "--no-checkout")
    repo.path.rename(tmp_path / "gone")
    run = target.deploy(made)
    assert run.status == 1 and "partial clone" in run.err and "clone without a filter" in run.err, run
    assert target.objects() == {}
    (tmp_path / "gone").rename(repo.path)
    target.assert_deploys(made, witness=repo)


def test_a_sparse_index(repo, target):
    """libgit2 does not read it: edits cannot be looked for, and that is all."""
    repo.git("config", "index.sparse", "true")
    repo.git("sparse-checkout", "set", "--cone", "--sparse-index", "tools")
    run = assert_plans_as_git(repo)
    assert len(run.notes) == 1 and "edits could not be looked for" in run.notes[0], run.notes
    target.assert_deploys(repo)


def test_a_clone_that_was_never_checked_out(repo, tmp_path, target):
    made = repo.clone(tmp_path / "made", "--no-checkout")
    run = assert_plans_as_git(made)
    assert run.notes == []
    target.assert_deploys(made)


def test_a_linked_worktree(repo, tmp_path, target):
    repo.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"), "v1")
    linked = Repo(tmp_path / "linked")
    linked.commit({"website/side.html": "side\n"})
    run = assert_plans_as_git(linked)
    assert run.changes() == {"side.html": "A"} and run.notes == []
    linked.write({"website/index.html": "edited\n"})
    assert "1 uncommitted edit" in plan(linked).warnings[0]
    assert plan(repo).changes() == repo.changes("HEAD~1", "HEAD")
    target.assert_deploys(linked)


def test_a_worktree_of_a_bare_repository(repo, tmp_path):
    bare = repo.clone(tmp_path / "bare.git", "--bare")
    bare.git("worktree", "add", "-q", str(tmp_path / "linked"), "main")
    assert_plans_as_git(Repo(tmp_path / "linked"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_owned_by_somebody_else(repo, tmp_path, target):
    """A container runs as root, the checkout belongs to the runner's user."""
    subprocess.run(["chown", "-hR", "12345:12345", repo.path], check=True)
    refused = subprocess.run(["git", "status"], cwd=repo.path, capture_output=True, check=False,
                             env={k: v for k, v in GIT_ENV.items() if not k.startswith("GIT_CONFIG_")})
    assert b"dubious ownership" in refused.stderr
    assert_plans_as_git(repo)
    target.assert_deploys(repo)
    repo.write({"website/index.html": "edited\n"})
    assert "1 uncommitted edit" in plan(repo).warnings[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_partial_clone_owned_by_somebody_else(repo, tmp_path, target):
    """Here the git program is run, which has its own opinion of owners."""
    partial = repo.clone(tmp_path / "partial", "--filter=blob:none", "--no-checkout")
    subprocess.run(["chown", "-hR", "12345:12345", partial.path], check=True)
    target.assert_deploys(partial, witness=repo)


def test_a_submodule_as_workspace(repo, tmp_path, target):
    outer = Repo(tmp_path / "outer")
    outer.commit({"README": "outer\n"})
    outer.git("submodule", "--quiet", "add", repo.path.as_uri(), "inner")
    outer.commit()
    inner = Repo(outer.path / "inner")
    assert (inner.path / ".git").is_file()
    assert_plans_as_git(inner)
    target.assert_deploys(inner)
    # The repository around it is one of its own, in which the site is a submodule.
    run = plan(outer, site="inner/website")
    assert run.status == 0 and "work tree" in run.notes[0], run


def test_alternates(repo, tmp_path, target):
    made = Repo(tmp_path / "borrower")
    shutil.rmtree(made.path)
    subprocess.run(["git", "clone", "-q", "--shared", str(repo.path), str(made.path)], env=GIT_ENV, check=True)
    assert (made.path / ".git/objects/info/alternates").exists()
    assert not [p for p in (made.path / ".git/objects").iterdir() if len(p.name) == 2]
    assert_plans_as_git(made)
    target.assert_deploys(made)


def test_replacements_and_grafts_are_ignored(repo, target):
    """What was pushed is the commit, whatever this clone pretends it to be."""
    plain = {"GIT_NO_REPLACE_OBJECTS": "1"}
    before, head, other = repo.head("HEAD~1"), repo.head(), repo.git("hash-object", "-w", "--stdin", data=b"fake\n")
    wanted, files = repo.changes("HEAD~1", "HEAD"), repo.files()
    fake = repo.commit_entries({"website/fake.html": "fake\n"})
    repo.git("replace", repo.head("HEAD:website/index.html"), other.decode().strip())
    repo.git("replace", head, fake)
    assert list(repo.files()) == ["fake.html"]
    (repo.path / ".git/info").mkdir(exist_ok=True)
    (repo.path / ".git/info/grafts").write_text(f"{head} {fake}\n")
    assert repo.git("rev-parse", "HEAD~1", **plain).decode().strip() == fake
    run = plan(repo)
    assert run.status == 0 and run.changes() == wanted, run
    assert run.plan["sites"][0]["base"] == before
    assert target.deploy(repo).status == 0 and target.objects() == files


def test_the_environment_chooses_no_repository(repo, tmp_path, target):
    decoy = Repo(tmp_path / "decoy")
    decoy.commit({"website/decoy.html": "decoy\n"})
    env = {"GIT_DIR": str(decoy.path / ".git"), "GIT_WORK_TREE": str(decoy.path), "GIT_COMMON_DIR": str(decoy.path / ".git"),
           "GIT_INDEX_FILE": str(decoy.path / ".git/index"), "GIT_OBJECT_DIRECTORY": str(decoy.path / ".git/objects"),
           "GIT_NAMESPACE": "x", "GIT_CEILING_DIRECTORIES": str(repo.path)}
    run = plan(repo, **env)
    assert run.status == 0 and run.changes() == repo.changes("HEAD~1", "HEAD") and run.notes == [], run
    target.assert_deploys(repo, **env)
    # Nor where the git program puts what it fetches.
    partial = repo.clone(tmp_path / "partial", "--filter=blob:none", "--no-checkout")
    before = sorted(decoy.path.rglob("*"))
    run = target.deploy(partial, "--prefix", "p", **env)
    assert run.status == 0 and partial.missing("HEAD^{tree}") == {repo.head("HEAD:README"), repo.head("HEAD:tools/t.sh")}, run
    assert sorted(decoy.path.rglob("*")) == before


@pytest.mark.parametrize("name", ["with spaces", "r\u00e9sum\u00e9 \u65e5\u672c", "per%20cent+plus", "quote\"s'", "-dash", "new\nline"])
def test_odd_places(tmp_path, name):
    repo = Repo(tmp_path / name)
    repo.commit({"website/index.html": "one\n"})
    repo.commit({"website/index.html": "two\n"})
    assert_plans_as_git(repo)
    run = crc("/", "--dry-run", "--json", "--site-path", "website", "--repo", str(repo.path))
    assert run.status == 0 and run.changes() == {"index.html": "M"}, run
    repo.write({"website/new.html": "new\n"})
    assert "1 uncommitted edit" in plan(repo).warnings[0]


def test_a_site_folder_in_odd_places(repo):
    folder = "the site/r\u00e9sum\u00e9+100%"
    repo.commit({f"{folder}/index.html": "one\n"})
    repo.commit({f"{folder}/a b.html": "two\n"})
    assert_plans_as_git(repo, folder=folder)
    for spelling in (folder + "/", "./" + folder, folder.replace("/", "//")):
        assert plan(repo, site=spelling).changes() == {"a b.html": "A"}


def test_the_root_as_site(repo, target):
    repo.commit({".gitattributes": "* text\n", "crc.key": "secret\n"})
    repo.commit({"index.html": "root\n"})
    run = plan(repo, site=".")
    assert run.changes() == {"index.html": "A"}
    run = target.deploy(repo, folder=".")
    assert run.status == 0, run
    # All but what is never uploaded.
    assert target.objects() == {p: b for p, b in repo.files("").items() if p not in (".gitattributes", "crc.key")}


def test_sha256(tmp_path):
    repo = Repo(tmp_path / "repo", "--object-format=sha256")
    repo.commit({"website/index.html": "one\n"})
    run = plan(repo)
    assert run.status == 1 and "SHA-256 ids are not supported" in run.err, run


def test_reftable(repo):
    """git 2.45 makes these; their files as it writes them."""
    repo.git("config", "core.repositoryformatversion", "1")
    repo.git("config", "extensions.refStorage", "reftable")
    shutil.rmtree(repo.path / ".git/refs/heads")
    (repo.path / ".git/refs/heads").write_text("this repository uses the reftable format\n")
    (repo.path / ".git/HEAD").write_text("ref: refs/heads/.invalid\n")
    run = plan(repo)
    assert run.status == 1 and "reftable" in run.err and "git refs migrate" in run.err, run


def test_no_repository(tmp_path):
    run = plan(tmp_path)
    assert run.status == 1 and "no git repository" in run.err and "actions/checkout" in run.err, run


def test_damage_is_an_error_and_not_another_source(repo):
    """A tree that is lost must not make the work tree the source."""
    tree = repo.head("HEAD:website")
    (repo.path / ".git/objects" / tree[:2] / tree[2:]).unlink()
    for arguments in ([], ["--source", "commit"]):
        run = plan(repo, *arguments)
        assert run.status == 1 and tree in run.err and "clone again" in run.err, run
    tree = repo.head("HEAD^{tree}")
    (repo.path / ".git/objects" / tree[:2] / tree[2:]).unlink()
    run = plan(repo)
    assert run.status == 1 and tree in run.err, run
