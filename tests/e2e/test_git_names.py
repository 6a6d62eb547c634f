"""Names that trees may hold and disks, URLs, terminals or S3 make something of."""

import pytest
from gitfixtures import assert_plans_as_git, crc, git_cloud, plan, repo, target  # noqa: F401

ODD = ["a b.html", " lead.html", "trail ", "trail.html ", "100%.html", "%41.html", "%2e%2e", "a+b.html", "a*b.html",
       "*", "q?x=1.html", "a#b.html", "a&b.html", "a;b", "a=b", "a@b", "a:b", "a,b", "a'b", 'a"b', "a\\b.html", "back\\",
       "a\nb.html", "\n", "tab\t.html", "\x01.html", "\x7f", "a\rb", "r\u00e9sum\u00e9.html", "\u65e5\u672c\u8a9e/\u9801.html",
       "\U0001f680.html", "\u202egnp.html", "::error::x.html", "##[error]x", "-n", "--", "~", "~root", "a..b", "a...",
       "[x]", "{y}", "$(id)", "`id`", "|", "<script>", "^", "CON", "aux.html", "dir.html/x", "index.html/index.html"]
UNDEPLOYABLE = "cannot be deployed"


def entries(names, content="x"):
    return {f"website/{name}": content + name for name in names}


def test_odd_names_are_keys(repo, target):
    """Each byte of a name is a byte of the key, and its path at the edge goes stale and comes back."""
    repo.git("update-ref", "refs/heads/main", repo.commit_entries(entries(ODD)))
    run = target.assert_deploys(repo, "--source", "commit")
    assert sorted(run.changes()) == sorted(ODD)
    assert set(target.cloud.warm(target.distribution)) == {"200"}
    repo.git("update-ref", "refs/heads/main", repo.commit_entries(entries(ODD, "y"), repo.head()))
    run = target.assert_deploys(repo, "--source", "commit")
    assert run.changes() == dict.fromkeys(ODD, "M") and run.unchanged == 0
    assert target.cloud.stale(target.distribution) == []
    target.deploy(repo, "--source", "commit", "--audit")
    assert target.objects() == repo.files()


def test_one_odd_name_at_a_time(repo, target):
    """Exactly its own path goes: the others are not evicted with it."""
    head = repo.commit_entries(entries(ODD))
    repo.git("update-ref", "refs/heads/main", head)
    target.assert_deploys(repo, "--source", "commit")
    for name in [name for name in ODD if "*" not in name][::3]:
        assert set(target.cloud.warm(target.distribution)) == {"200"}
        files = {**entries(ODD), f"website/{name}": "changed"}
        repo.git("update-ref", "refs/heads/main", repo.commit_entries(files, repo.head()))
        run = target.deploy(repo, "--source", "commit")
        assert run.status == 0 and run.changes()[name] == "M", run
        assert target.cloud.stale(target.distribution) == [] and target.cloud.evicted_in_vain() == []


def test_odd_names_are_planned_and_printed(repo):
    base = repo.commit_entries(entries(ODD[::2]))
    head = repo.commit_entries(entries(ODD[1::2]), base)
    repo.git("update-ref", "refs/heads/main", head)
    assert_plans_as_git(repo, "--source", "commit")
    shown = crc(repo, "--dry-run", "--site-path", "website", "--source", "commit", "--color", "never")
    assert shown.status == 0
    for line in shown.out.splitlines():
        assert not line.startswith(("::", "##[")) and "\x1b" not in line and "\u202e" not in line
        assert all(c.isprintable() for c in line), line


def test_names_that_are_not_utf8(repo):
    bad = ["\udcff.html", "caf\udce9.html", "d\udc80/x.html", "\udced\udca0\udc80", "\udcc0\udcaf", "ok\udcc3"]
    head = repo.commit_entries(entries(bad[:3] + ["good.html"]))
    run = plan(repo, "--head", head)
    assert run.status == 1 and f"3 paths {UNDEPLOYABLE}" in run.err, run
    for shown in ("\\xff.html", "caf\\xe9.html", "d\\x80/x.html"):
        assert f"{shown}: the name is not UTF-8" in run.err
    run = plan(repo, "--head", repo.commit_entries(entries(bad)))
    assert f"6 paths {UNDEPLOYABLE}" in run.err and run.err.rstrip().endswith("...")
    # What is excluded is nobody's business, and what was deployed before is not this commit's.
    config = repo.path / "crc.yml"
    config.write_text("sites: {x: {path: website, exclude: ['*.html', '!good.html', 'd*/']}}\n")
    run = crc(repo, "--dry-run", "--json", "--head", head, "--base", repo.head("v1"))
    assert run.status == 0 and run.changes() == {"good.html": "A", "css/a.css": "D"}, run
    config.unlink()
    run = plan(repo, "--base", head)
    assert run.status == 0 and run.changes() == {**dict.fromkeys(repo.files(), "A"), "good.html": "D"}, run


def test_long_keys(repo, target):
    """1,024 bytes with the prefix are a key; one more is not, and is named."""
    longest = "/".join(["d" * 99] * 10) + "/" + "f" * 19 + ".html"
    assert len(longest) == 1024
    head = repo.commit_entries(entries([longest, "index.html"]))
    repo.git("update-ref", "refs/heads/main", head)
    target.assert_deploys(repo, "--source", "commit")
    run = plan(repo, "--source", "commit", "--prefix", "p")
    assert run.status == 1 and "longer than the 1,024 bytes that S3 allows a key" in run.err, run
    run = plan(repo, "--head", repo.commit_entries(entries(["\u00e9" * 512 + "x"])))
    assert run.status == 1 and f"1 path {UNDEPLOYABLE}" in run.err, run
    assert plan(repo, "--head", repo.commit_entries(entries(["\u00e9" * 512]))).status == 0


def test_deep_paths(repo, target):
    deepest = "d/" * 200 + "f"
    head = repo.commit_entries(entries([deepest]))
    repo.git("update-ref", "refs/heads/main", head)
    target.assert_deploys(repo, "--source", "commit")
    run = plan(repo, "--head", repo.commit_entries(entries(["d/" + deepest])))
    assert run.status == 1 and "over 200 folders deep" in run.err, run


def test_names_that_differ_in_case(repo, target):
    """Two keys, from the commit; whoever's disk ignores case is warned."""
    pair = ["README.md", "Readme.md", "a/\u00c9t\u00e9.html", "a/\u00e9t\u00e9.html", "alone.html"]
    repo.git("update-ref", "refs/heads/main", repo.commit_entries(entries(pair)))
    run = target.assert_deploys(repo, "--source", "commit")
    assert len(run.warnings) == 2 + 1, run.warnings  # and that nothing of it is on the disk
    assert "README.md and Readme.md differ only in case" in run.warnings[1]
    assert "deploy them from the commit" in run.warnings[1]
    assert "a/\u00c9t\u00e9.html and a/\u00e9t\u00e9.html differ only in case" in run.warnings[2]
    shown = crc(repo, "--dry-run", "--site-path", "website", "--color", "never")
    assert "  warning: README.md and Readme.md differ only in case" in shown.out


def test_names_that_differ_in_spelling(repo, target):
    """NFC and NFD of one name are two keys that look the same."""
    pair = ["caf\u00e9.html", "cafe\u0301.html", "\ud55c.html", "\u1112\u1161\u11ab.html", "caf\u00e8.html"]
    repo.git("update-ref", "refs/heads/main", repo.commit_entries(entries(pair)))
    run = target.assert_deploys(repo, "--source", "commit")
    notes = [w for w in run.warnings if "look the same" in w]
    assert len(notes) == 2 and not [w for w in run.warnings if "case" in w], run.warnings
    assert any("caf\\xc3\\xa9.html" in w and "cafe\\xcc\\x81.html" in w for w in notes), notes


def test_many_pairs_are_counted(repo):
    names = [f"{letter}{n}.html" for n in range(20) for letter in "aA"]
    run = plan(repo, "--head", repo.commit_entries(entries(names)))
    notes = [w for w in run.warnings if "differ only in case" in w]
    assert len(notes) == 5 and "15 more pairs of names look like one" in run.warnings


@pytest.mark.parametrize("folders", [["Docs/a.html", "docs/b.html"], ["a.html", "b.html"], ["ss.html", "\u00df.html"]])
def test_names_that_no_disk_confuses(repo, folders):
    assert plan(repo, "--head", repo.commit_entries(entries(folders))).warnings == []
