"""forbidden.py finds registry hosts and paths of one machine, and nothing else."""

import subprocess

import forbidden
import pytest

BAD = [a + b for a, b in (
    ("see https://py", "pi.org/simple"),
    ("pip install --index", "-url https://x.example"),
    ("cd /wo", "rk/crc && make"),
    ("path=/ho", "me/alice/crc"),
    ("'/ro", "ot/.cache'"),
    ("/Use", "rs/bob/crc"),
)]
FINE = [
    "/home/runner/work/crc/crc",
    "the /work of others, network/work/x, ${ROOT}/work/x, ../work/x",
    "/homepage/index.html, /roots/, src/root/x",
    "GET /users/bob",
]


@pytest.mark.parametrize("line", BAD)
def test_bad_line(good, line):
    good.write("docs/x.md", f"fine\n{line}\n")
    [finding] = forbidden.check(good.root)
    assert finding.startswith("docs/x.md:2: names a ")


@pytest.mark.parametrize("line", FINE)
def test_fine_line(good, line):
    good.write("docs/x.md", line + "\n")
    assert list(forbidden.check(good.root)) == []


def test_binary_is_not_text(good):
    (good.root / "x.png").write_bytes(b"\0" + BAD[2].encode())
    assert list(forbidden.check(good.root)) == []


def test_what_git_ignores_is_not_read(good):
    subprocess.run(["git", "init", "-q", str(good.root)], check=True)
    good.write(".gitignore", "/build/\n")
    good.write("build/log", BAD[2])
    assert list(forbidden.check(good.root)) == []
    good.write("not-yet-added", BAD[2])
    assert len(list(forbidden.check(good.root))) == 1
