"""What is sent of what git has: the raw bytes of blobs, and nothing that is not one."""

import hashlib
import os
import shutil

import pytest
from gitfixtures import Repo, assert_plans_as_git, crc, git_cloud, plan, repo, target  # noqa: F401


def head_entries(repo, entries):
    """A commit of exactly these on main."""
    commit = repo.commit_entries(entries, repo.head())
    repo.git("update-ref", "refs/heads/main", commit)
    return commit


# Filters


def test_no_attribute_changes_a_byte(repo, target):
    """eol, ident, export-subst, encodings and filters are for work trees; S3 gets the blobs."""
    head_entries(repo, {
        ".gitattributes": "*.txt text eol=crlf\n*.id ident\n*.sub export-subst\n*.u16 working-tree-encoding=UTF-16\n"
                          "*.up filter=up\nignored.html export-ignore\n",
        "website/unix.txt": "one\ntwo\n", "website/dos.txt": "one\r\ntwo\r\n", "website/x.id": "$Id$ $Id: old $\n",
        "website/x.sub": "$Format:%H$\n", "website/x.u16": "text\n", "website/x.up": "lower\n",
        "website/ignored.html": "export-ignore is for archives\n", "website/nul.bin": b"\0\xff\r\n\0"})
    repo.git("config", "filter.up.smudge", "tr a-z A-Z")
    repo.git("config", "filter.up.clean", "tr A-Z a-z")
    repo.git("config", "core.autocrlf", "true")
    repo.git("reset", "-q", "--hard")
    assert (repo.path / "website/unix.txt").read_bytes() == b"one\r\ntwo\r\n"
    assert (repo.path / "website/x.up").read_bytes() == b"LOWER\r\n"
    # Time stamps that cannot be believed, so that the files are looked into: an edit is what
    # git takes for one (blobs that its own filters would not have made), and no more.
    for file in (repo.path / "website").iterdir():
        os.utime(file, (1, 1))
    run = target.assert_deploys(repo)
    assert len(run.warnings) == 1 and "2 uncommitted edits in website" in run.warnings[0], run
    assert repo.git("diff", "--name-only", "HEAD").split() == [b"website/dos.txt", b"website/x.id"]


def test_executable_bits_are_no_change(repo, target):
    target.assert_deploys(repo)
    (repo.path / "website/index.html").chmod(0o755)
    repo.commit()
    assert repo.changes("HEAD~1", "HEAD") == {"index.html": "M"}
    run = plan(repo)
    assert run.status == 0 and run.changes() == {}, run
    run = target.assert_deploys(repo)
    assert run.changes() == {} and run.plan["sites"][0]["verdict"] == "record"


def test_empty_and_large_files(repo, target):
    repo.commit({"website/empty.html": "", "website/large.bin": os.urandom(1 << 20) * 20 + b"end"})
    assert_plans_as_git(repo)
    target.assert_deploys(repo)
    repo.git("repack", "-adq")
    repo.git("prune-packed")
    repo.commit({"website/large.bin": b"", "website/empty.html": None})
    assert target.assert_deploys(repo).changes() == repo.changes("HEAD~1", "HEAD")


def test_a_file_becomes_a_folder_and_back(repo, target):
    target.assert_deploys(repo)
    for files in ({"website/css/a.css": None, "website/new/page.html": None},
                  {"website/css": "file\n", "website/new": "file\n"},
                  {"website/css": None, "website/new": None},
                  {"website/css/a.css": "css\n", "website/new/page.html/deep/index.html": "x\n"}):
        repo.write(files)
        for path in ("website/css", "website/new"):
            if (repo.path / path).is_dir() and not any((repo.path / path).rglob("*.*")):
                shutil.rmtree(repo.path / path)
        repo.commit()
        assert_plans_as_git(repo)
        target.assert_deploys(repo)


def test_a_renamed_folder(repo, target):
    target.assert_deploys(repo)
    repo.git("mv", "website/css", "website/style")
    repo.commit()
    run = target.assert_deploys(repo)
    assert run.changes() == {"css/a.css": "D", "style/a.css": "A"} == repo.changes("HEAD~1", "HEAD")


# What is no file


@pytest.mark.parametrize("to", ["index.html", "css", "../README", "/etc/passwd", "nowhere", "loop", ""])
def test_symbolic_links_are_refused_by_name(repo, target, to):
    """A store of objects has no links, and what they lead to is not the commit's to give."""
    files = {f"website/{path}": content for path, content in repo.files().items()}
    head_entries(repo, {**files, "website/loop": ("120000", to)})
    for run in (plan(repo), target.deploy(repo)):
        assert run.status == 1 and "1 path cannot be deployed" in run.err, run
        assert "loop: a symbolic link, which S3 does not have: put a file there, or exclude it" in run.err
    assert target.objects() == {}
    (repo.path / "crc.yml").write_text("sites: {x: {path: website, exclude: [loop]}}\n")
    run = crc(repo, "--dry-run", "--json")
    assert run.status == 0 and run.changes() == {}, run


def test_links_in_the_work_tree_are_refused_too(repo, target):
    built = repo.path / "dist"
    built.mkdir()
    (built / "index.html").write_text("built\n")
    (built / "link.html").symlink_to("index.html")
    (built / "folder").symlink_to("../website")
    (built / "dangling").symlink_to("nowhere")
    run = plan(repo, site="dist")
    assert run.status == 1 and "3 paths cannot be deployed" in run.err, run
    for name in ("link.html", "folder", "dangling"):
        assert f"{name}: a symbolic link" in run.err, run


@pytest.mark.parametrize("source", ["commit", "worktree"])
def test_folders_for_our_own_state_are_refused_by_name(repo, target, source):
    repo.commit({"website/.crc/state.json": "{}", "website/.crc/more": "x", "website/a/b/.crc/x": "x",
                 "website/.hidden/.crc/x": "x"})
    for run in (plan(repo, "--source", source), target.deploy(repo, "--source", source)):
        assert run.status == 1 and "2 paths cannot be deployed" in run.err, run
        for name in (".crc", "a/b/.crc"):
            assert f" {name}: crc keeps its own state under .crc/: rename the folder, or exclude it" in run.err, run
    assert target.objects() == {}
    (repo.path / "crc.yml").write_text("sites: {x: {path: website, exclude: [.crc/]}}\n")
    run = crc(repo, "--dry-run", "--json", "--source", source)
    assert run.status == 0 and run.changes() == {}, run


def test_a_link_that_became_a_file_and_back(repo):
    base = repo.commit_entries({"website/index.html": "x\n", "website/a": ("120000", "index.html"), "website/b": "y\n"})
    head = repo.commit_entries({"website/index.html": "x\n", "website/a": "index.html", "website/b": "y\n"}, base)
    # The same blob: but of a link, which was never deployed.
    run = plan(repo, "--head", head)
    assert run.changes() == {"a": "A"} and run.unchanged == 2


@pytest.mark.parametrize("entry, what", [
    (("120000", "public"), "a symbolic link in the commit and no folder"),
    (("100644", "file"), "a file in the commit and no folder"),
])
def test_a_site_that_is_no_folder(repo, entry, what):
    """Not even if the disk has a folder there, or behind the link."""
    head_entries(repo, {"public/index.html": "x", "www": entry})
    (repo.path / "www").mkdir()
    (repo.path / "www/index.html").write_text("on the disk\n")
    run = plan(repo, site="www")
    assert run.status == 2 and what in run.err, run
    assert plan(repo, "--source", "worktree", site="www").status == 0
    # A folder whose way leads through it is not there either.
    run = plan(repo, "--source", "commit", site="www/css")
    assert run.status == 2 and "the commit has no folder www/css" in run.err, run


def test_submodules_below_the_site_are_refused_by_name(repo, tmp_path):
    inner = Repo(tmp_path / "inner")
    inner.commit({"x.html": "x\n"})
    repo.git("submodule", "--quiet", "add", inner.path.as_uri(), "website/module")
    repo.commit()
    run = plan(repo)
    assert run.status == 1 and "module: a submodule, whose files are not in this commit" in run.err, run
    (repo.path / "crc.yml").write_text("sites: {x: {path: website, exclude: [module]}}\n")
    run = crc(repo, "--dry-run", "--json")
    assert run.status == 0 and run.changes() == {}, run
    # On the disk it is a folder like any other; only git's own file in it stays back.
    (repo.path / "crc.yml").unlink()
    run = plan(repo, "--source", "worktree")
    assert run.status == 0 and run.changes() == {"module/x.html": "A"}, run


def test_a_site_that_is_a_submodule(repo, tmp_path, target):
    inner = Repo(tmp_path / "inner")
    inner.commit({"index.html": "inner\n"})
    repo.git("submodule", "--quiet", "add", inner.path.as_uri(), "public")
    repo.commit()
    run = target.deploy(repo, folder="public")
    assert run.status == 0 and target.objects() == {"index.html": b"inner\n"}, run
    assert run.notes == ["site site: public is taken from the work tree: it is a submodule of the commit"]
    run = plan(repo, "--source", "commit", site="public")
    assert run.status == 2 and "public is a submodule in the commit and no folder" in run.err, run
    shutil.rmtree(repo.path / "public")
    run = plan(repo, site="public")
    assert run.status == 2 and "there is no folder public in the commit or on the disk" in run.err, run


# A site that is gone


def test_a_site_that_vanished(repo, target, tmp_path):
    """An empty site would delete all: refused, wherever it is looked at from."""
    target.assert_deploys(repo)
    before = target.objects()
    repo.git("rm", "-rq", "website")
    repo.commit()
    run = target.deploy(repo)
    assert run.status == 2 and "there is no folder website in the commit or on the disk" in run.err, run
    run = target.deploy(repo.clone(tmp_path / "bare.git", "--bare"))
    assert run.status == 2 and "a bare repository has nothing else" in run.err, run
    # Only what is never uploaded is left in it.
    repo.commit({"website/.hidden": "x", "website/node_modules/x.js": "x"})
    run = target.deploy(repo)
    assert run.status == 2 and "nothing to upload in website: an empty site would delete all" in run.err, run
    # And left on the disk, without a file.
    repo.git("rm", "-rq", "website")
    repo.commit()
    (repo.path / "website").mkdir()
    run = target.deploy(repo)
    assert run.status == 2 and "nothing to upload in website" in run.err, run
    assert target.objects() == before


def test_a_base_without_the_site(repo):
    base = repo.commit_entries({"README": "x"})
    run = plan(repo, "--base", base)
    assert run.changes() == dict.fromkeys(repo.files(), "A")
    # One where the site is a file.
    base = repo.commit_entries({"website": "file"})
    assert plan(repo, "--base", base).changes() == dict.fromkeys(repo.files(), "A")


# LFS

CONTENT = b"the real picture\n" * 100


def pointer(content):
    return (f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256(content).hexdigest()}\n"
            f"size {len(content)}\n")


def store(repo, content, name=None):
    name = name or hashlib.sha256(content).hexdigest()
    git_dir = repo.git("rev-parse", "--path-format=absolute", "--git-common-dir").decode().strip()
    folder = repo.path / git_dir / "lfs" / "objects" / name[:2] / name[2:4]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


@pytest.fixture
def lfs(repo):
    """A picture in LFS, of which the clone has the pointer alone."""
    repo.commit({".gitattributes": "*.png filter=lfs diff=lfs merge=lfs -text\n", "website/p.png": pointer(CONTENT)})
    return repo


def test_lfs_content_of_the_clone(lfs, target, tmp_path):
    store(lfs, CONTENT)
    run = target.deploy(lfs)
    assert run.status == 0 and target.objects() == {**lfs.files(), "p.png": CONTENT}, run
    # The next deploy has nothing to do; a linked work tree shares the store.
    assert target.deploy(lfs).plan["steps"] == []
    lfs.git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    run = target.deploy(Repo(tmp_path / "linked"), "--prefix", "p")
    assert run.status == 0 and target.objects()["p/p.png"] == CONTENT, run
    # And a bare repository has one.
    bare = lfs.clone(tmp_path / "bare.git", "--bare")
    store(bare, CONTENT)
    run = target.deploy(bare, "--prefix", "b")
    assert run.status == 0 and target.objects()["b/p.png"] == CONTENT, run


def test_lfs_content_of_the_work_tree(lfs, target):
    """Checked out with `lfs: true`: what the filter made of the pointer is no edit."""
    lfs.write({"website/p.png": CONTENT})
    run = target.deploy(lfs)
    assert run.status == 0 and target.objects()["p.png"] == CONTENT, run
    assert run.notes == [], run
    lfs.write({"website/p.png": "another picture\n"})
    run = plan(lfs)
    assert len(run.warnings) == 1 and "1 uncommitted edit" in run.warnings[0], run


@pytest.mark.parametrize("on_disk", [pointer(CONTENT), "another picture\n", None])
def test_lfs_content_that_is_absent(lfs, target, on_disk):
    lfs.write({"website/p.png": on_disk})
    run = target.deploy(lfs)
    assert run.status == 1 and "p.png is kept in Git LFS and its content is not in this clone" in run.err, run
    assert "git lfs pull" in run.err and "lfs: true" in run.err
    assert list(target.cloud.objects(target.bucket)) == []
    # A plan needs no content.
    assert plan(lfs).changes() == lfs.changes("HEAD~1", "HEAD")


def test_lfs_content_that_is_wrong(lfs, target):
    store(lfs, b"something else", hashlib.sha256(CONTENT).hexdigest())
    run = target.deploy(lfs)
    assert run.status == 1 and "p.png is kept in Git LFS, and what this clone has for it is damaged" in run.err, run
    assert list(target.cloud.objects(target.bucket)) == []
    # A work tree that has it is as good.
    lfs.write({"website/p.png": CONTENT})
    assert target.deploy(lfs).status == 0 and target.objects()["p.png"] == CONTENT


def test_lfs_pointers_that_change(lfs, target):
    store(lfs, CONTENT)
    assert target.deploy(lfs).status == 0
    store(lfs, CONTENT + b"new")
    lfs.commit({"website/p.png": pointer(CONTENT + b"new")})
    run = target.deploy(lfs)
    assert run.changes() == {"p.png": "M"} and target.objects()["p.png"] == CONTENT + b"new", run
    # Out of LFS: the same bytes, another blob.
    lfs.commit({".gitattributes": "", "website/p.png": CONTENT + b"new"})
    run = target.deploy(lfs)
    assert run.status == 0 and target.objects()["p.png"] == CONTENT + b"new", run


@pytest.mark.parametrize("text", [
    "version https://git-lfs.github.com/spec/v2\noid sha256:" + "a" * 64 + "\nsize 1\n",
    "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 63 + "\nsize 1\n",
    "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 65 + "\nsize 1\n",
    "version https://git-lfs.github.com/spec/v1\noid sha1:" + "a" * 40 + "\nsize 1\n",
    " version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64 + "\nsize 1\n",
    pointer(b"x") + "#" * 1024,
])
def test_what_only_looks_like_a_pointer_is_sent(repo, target, text):
    repo.commit({"website/p.txt": text})
    target.assert_deploys(repo)


def test_lfs_in_a_build_output(lfs, target):
    """A pointer that was copied into what is deployed from the disk is followed as well."""
    lfs.write({"dist/p.png": pointer(CONTENT)})
    run = target.deploy(lfs, folder="dist")
    assert run.status == 1 and "p.png is kept in Git LFS" in run.err, run
    store(lfs, CONTENT)
    assert target.deploy(lfs, folder="dist").status == 0 and target.objects() == {"p.png": CONTENT}
