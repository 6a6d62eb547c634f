"""Whether a commit or the work tree is deployed, and that the plan says which and what not."""

import pytest
from gitfixtures import crc, git_cloud, plan, repo, target  # noqa: F401

LEFT_OUT = "in website {} left out: the commit is deployed (--source worktree takes what is on the disk)"


def many(repo, count):
    repo.git("fast-import", "--quiet", data=b"".join(
        [b"commit refs/heads/main\ncommitter A <a@example.com> 1700000001 +0000\ndata 0\nfrom refs/heads/main^0\n",
         *(b"M 100644 inline website/d%d/f%d.html\ndata 2\n%d\n" % (n % 50, n, n % 10) for n in range(count))]))
    repo.git("reset", "-q", "--hard")


def test_edits_are_left_out_and_said(repo, target):
    repo.write({"website/index.html": "edited\n"})
    run = target.assert_deploys(repo)
    assert run.warnings == ["site site: 1 uncommitted edit " + LEFT_OUT.format("is")]
    # Staged, deleted and new ones too; not what git ignores, what is not uploaded, or what is elsewhere.
    (repo.path / ".git/info/exclude").write_text("*.log\n")
    repo.write({"website/staged.html": "staged\n", "website/css/a.css": None, "website/new/new.html": "new\n",
                "website/x.log": "ignored\n", "website/.hidden": "x\n", "website/node_modules/x.js": "x\n",
                "website/my.key": "x\n", "README": "edited\n", "other.html": "x\n"})
    repo.git("add", "website/staged.html")
    run = target.assert_deploys(repo)
    assert run.warnings == ["site site: 4 uncommitted edits " + LEFT_OUT.format("are")]
    run = target.deploy(repo, "--source", "commit")
    assert len(run.warnings) == 1 and run.plan["steps"] == []


def test_edits_are_said_in_every_report(repo, tmp_path):
    repo.write({"website/index.html": "edited\n"})
    shown = crc(repo, "--dry-run", "--site-path", "website", "--color", "never")
    assert "  warning: site site: 1 uncommitted edit " + LEFT_OUT.format("is") in shown.out.splitlines()
    summary, output = tmp_path / "summary", tmp_path / "output"
    event = tmp_path / "event.json"
    event.write_text('{"ref": "refs/heads/main", "before": "%s", "after": "%s", "deleted": false, "commits": []}'
                     % (repo.head("HEAD~1"), repo.head()))
    run = plan(repo, GITHUB_ACTIONS="true", GITHUB_EVENT_NAME="push", GITHUB_EVENT_PATH=str(event),
               GITHUB_REF="refs/heads/main", GITHUB_STEP_SUMMARY=str(summary), GITHUB_OUTPUT=str(output))
    assert run.plan["notes"] == [{"kind": "warning", "text": "site site: 1 uncommitted edit " + LEFT_OUT.format("is")}]
    assert "**Warning:**" in summary.read_text() and "1 uncommitted edit in website" in summary.read_text()
    assert "1 uncommitted edit in website" in output.read_text()


def test_no_edits_nothing_said(repo, target):
    assert plan(repo).notes == [] and target.assert_deploys(repo).notes == []
    repo.write({"README": "edited\n", "website/.hidden": "x\n"})
    (repo.path / "website/index.html").chmod(0o755)
    assert plan(repo).notes == []


def test_edits_of_a_tree_that_is_elsewhere_are_not_counted(repo):
    """What differs from a commit that is not checked out are no edits of it."""
    repo.write({"website/index.html": "edited\n"})
    assert plan(repo, "--head", "v1").notes == []
    repo.git("checkout", "-qf", "v1")
    assert plan(repo, "--head", "main").notes == []


def test_edits_are_looked_for_where_it_is_cheap(repo, target):
    """Up to 2,000 files; a deploy looks whatever it costs."""
    many(repo, 2000 - len(repo.files()))
    repo.write({"website/index.html": "edited\n"})
    assert plan(repo).notes == ["site site: 1 uncommitted edit " + LEFT_OUT.format("is")]
    repo.commit({"website/one-more.html": "x\n", "website/index.html": "two\n"})
    repo.write({"website/index.html": "edited\n"})
    run = plan(repo)
    assert run.notes == ["site site: uncommitted edits were not looked for: 2001 files (a deploy looks)"]
    assert run.warnings == []
    # One that is dry and knows the cloud is dry all the same.
    run = target.deploy(repo, "--dry-run")
    assert "uncommitted edits were not looked for" in run.notes[-1]
    # Where there are none to look for, nothing is said.
    assert plan(repo.clone(repo.path.parent / "bare.git", "--bare")).notes == []
    assert plan(repo, "--head", "HEAD~1").notes == []
    # The plan is all that is wanted of this deploy.
    target.cloud.rules({"when": {"operation": "PutObject"}, "do": {"status": 403, "code": "AccessDenied"}})
    run = target.deploy(repo)
    target.cloud.clear_rules()
    assert run.status == 3 and run.warnings == ["site site: 1 uncommitted edit " + LEFT_OUT.format("is")]


def test_auto_takes_the_work_tree_where_the_commit_has_none(repo, target):
    repo.git("rm", "-rq", "--cached", "website")
    repo.git("commit", "-qm", "built from now on")
    (repo.path / ".git/info/exclude").write_text("website/\n")
    repo.write({"website/built.html": "built\n", "website/.env": "secret\n"})
    run = target.deploy(repo)
    assert run.status == 0 and target.objects() == {
        "index.html": b"two\n", "css/a.css": b"css\n", "new/page.html": b"new\n", "built.html": b"built\n"}, run
    said = "site site: website is taken from the work tree: the commit has no such folder"
    assert run.plan["notes"] == [{"kind": "note", "text": said}]
    shown = crc(repo, "--dry-run", "--site-path", "website", "--color", "never")
    assert f"  note: {said}" in shown.out.splitlines()
    # The disk is what counts: an edit is deployed although the commit is the same.
    repo.write({"website/built.html": "built again\n"})
    run = target.deploy(repo)
    assert run.changes() == {"built.html": "M"} and target.objects()["built.html"] == b"built again\n", run


def test_worktree_takes_edits_along(repo, target):
    repo.write({"website/index.html": "edited\n", "website/untracked.html": "x\n", "website/css/a.css": None})
    run = target.deploy(repo, "--source", "worktree")
    assert run.status == 0 and target.objects() == {
        "index.html": b"edited\n", "new/page.html": b"new\n", "untracked.html": b"x\n"}, run
    assert run.notes == ["site site: website is taken from the work tree: --source worktree"]
    run = plan(repo, "--source", "worktree")
    assert run.changes() == {"index.html": "M", "old.html": "D", "untracked.html": "A", "new/page.html": "A",
                             "css/a.css": "D"}


def test_commit_insists(repo):
    repo.write({"dist/index.html": "built\n"})
    assert plan(repo, site="dist").status == 0
    run = plan(repo, "--source", "commit", site="dist")
    assert run.status == 2 and "the commit has no folder dist: check `path`, or use --source worktree" in run.err, run
    run = plan(repo, "--source", "worktree", site="none")
    assert run.status == 2 and "there is no folder none on the disk" in run.err, run
    run = plan(repo, "--source", "disk")
    assert run.status == 2 and '--source: "disk" is none of commit|worktree|auto' in run.err, run


def test_a_bare_repository_has_no_work_tree(repo, tmp_path):
    bare = repo.clone(tmp_path / "bare.git", "--bare")
    run = plan(bare, "--source", "worktree")
    assert run.status == 2 and "the repository is bare: there is no work tree to take website from" in run.err, run


def test_a_build_is_not_in_the_commit(repo):
    repo.write({"crc.yml": "sites: {x: {path: website, build: 'false', bucket: some-bucket}}\n"})
    repo.commit()
    repo.write({"website/index.html": "built\n"})
    run = crc(repo, "--dry-run", "--json")
    assert run.status == 0 and run.changes() == {"index.html": "M"}, run
    assert run.notes == ["site x: its build was not run: the plan is made with what is in website now",
                         "site x: website is taken from the work tree: its build fills it"]
    run = crc(repo, "--dry-run", "--source", "commit")
    assert run.status == 2 and "site x has a `build`, and what that makes is not in the commit" in run.err, run


@pytest.mark.parametrize("pattern, excluded", [("drafts/", True), ("*.css", False)])
def test_only_what_is_uploaded_counts(repo, pattern, excluded):
    repo.write({"crc.yml": f"sites: {{x: {{path: website, exclude: ['{pattern}']}}}}\n"})
    repo.commit()
    repo.write({"website/drafts/a.html": "x\n"})
    run = crc(repo, "--dry-run", "--json")
    assert run.status == 0 and len(run.warnings) == (not excluded), run
