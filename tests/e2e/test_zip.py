"""Archives depend on their content alone, and other programs read them.

The same tree is packed on other days, with other umasks, in another folder and in another
order; Python's zipfile and Info-ZIP's unzip read what our writer wrote.
"""

import io
import os
import pathlib
import random
import shutil
import stat
import struct
import subprocess
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CRC_BUILD", ROOT / "build" / "asan"))
HELPER = BUILD / "tests" / "zip_dir"

RANDOM = random.Random(4)
TREE = {
    "app.py": b"def handler(event, context):\n    return 1\n",
    "bootstrap": b"#!/bin/sh\nexec true\n",
    "empty": b"",
    "lib/__init__.py": b"",
    "lib/deep/er/still/here.txt": b"x" * 100_000,
    "größe/日本/😀.txt": "ü".encode(),
    "with space/it's \"quoted\".txt": b"a",
    "back\\slash.txt": b"b",
    "line\nbreak.txt": b"c",
    "-leading-dash": b"d",
    "..hidden": b"e",
    ".dot/.file": b"f",
    "a/b": b"1", "a.b": b"2", "a-b": b"3", "a0": b"4", "A": b"5",
    "random.bin": RANDOM.randbytes(3 << 20),
    "zeros.bin": bytes(2 << 20),
}
EXECUTABLE = {"bootstrap", "a/b"}


def make_tree(folder, seed):
    """The tree, made in an order of its own, with dates of its own."""
    rng = random.Random(seed)
    for name in rng.sample(sorted(TREE), len(TREE)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(TREE[name])
        if name in EXECUTABLE:
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
        when = rng.randrange(10**8, 4 * 10**9)
        os.utime(path, (when, when + 1))
    return folder


def run(folder, names, umask=0o022):
    return subprocess.run(
        [HELPER, folder], input=b"".join(n.encode(errors="surrogateescape") + b"\0"
                                         for n in names),
        capture_output=True, umask=umask, timeout=120)


def pack(folder, names, umask=0o022):
    done = run(folder, names, umask)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return pack(make_tree(tmp_path_factory.mktemp("tree"), 1), sorted(TREE))


@pytest.mark.parametrize("seed, umask", [(2, 0o000), (3, 0o077), (4, 0o027)])
def test_the_same_files_are_the_same_bytes(archive, tmp_path, seed, umask):
    before = os.umask(umask)
    try:
        folder = make_tree(tmp_path / f"elsewhere {seed}", seed)
    finally:
        os.umask(before)
    names = random.Random(seed).sample(sorted(TREE), len(TREE))
    assert pack(folder, names, umask) == archive


def test_other_files_are_other_bytes(archive, tmp_path):
    folder = make_tree(tmp_path / "t", 1)
    (folder / "app.py").chmod(0o755)
    assert pack(folder, sorted(TREE)) != archive
    (folder / "app.py").chmod(0o644)
    assert pack(folder, sorted(TREE)) == archive
    assert pack(folder, sorted(TREE)[1:]) != archive
    (folder / "empty").write_bytes(b"\n")
    assert pack(folder, sorted(TREE)) != archive


def test_zipfile_reads_it(archive):
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        entries = opened.infolist()
        assert [e.filename for e in entries] == sorted(TREE, key=str.encode)
        for entry in entries:
            name = entry.filename
            mode = 0o755 if name in EXECUTABLE else 0o644
            assert opened.read(entry) == TREE[name]
            assert entry.external_attr >> 16 == stat.S_IFREG | mode, name
            assert entry.create_system == 3 and not entry.is_dir()
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert not entry.extra and not entry.comment
            assert name.isascii() or entry.flag_bits & 0x800, name
            assert entry.compress_type in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED)


def test_local_headers_say_the_same(archive):
    """A reader that goes from the front, as some do, sees what the directory says."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        for entry in opened.infolist():
            at = entry.header_offset
            (signature, _, flags, method, when, date, crc, packed, size, name_length,
             extra_length) = struct.unpack_from("<IHHHHHIIIHH", archive, at)
            assert signature == 0x04034B50 and extra_length == 0
            assert (flags, method) == (entry.flag_bits, entry.compress_type)
            assert (when, date) == (0, 0x21)
            assert (crc, packed, size) == (entry.CRC, entry.compress_size, entry.file_size)
            name = archive[at + 30:at + 30 + name_length]
            assert name == entry.filename.encode()


def test_unzip_reads_it(archive, tmp_path):
    if not shutil.which("unzip"):
        pytest.skip("no unzip here; ./dev test installs it")
    path = tmp_path / "a.zip"
    path.write_bytes(archive)
    done = subprocess.run(["unzip", "-tqq", path], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done
    listed = subprocess.run(["zipinfo", "-T", path], capture_output=True, text=True).stdout
    lines = [line for line in listed.splitlines() if "19800101.000000" in line]
    assert len(lines) == len(TREE)
    assert {line.split()[0] for line in lines} == {"-rw-r--r--", "-rwxr-xr-x"}


@pytest.mark.parametrize("name", ["../up", "a/../b", "/abs", "a//b", "./a", "a/.", "..", "a/",
                                  "\udcff"])
def test_names_that_lead_out_are_refused(name):
    done = run("-", ["good", name])
    assert done.returncode == 1 and not done.stdout
    assert b"a path in an archive is relative and UTF-8" in done.stderr


def test_a_name_twice_is_refused():
    done = run("-", ["a", "b", "a"])
    assert done.returncode == 1 and b"a: twice in one archive" in done.stderr


@pytest.mark.slow
def test_more_entries_than_two_bytes_count():
    """Zip64, as soon as it is needed and not before."""
    names = [f"f{i:05}" for i in range(65_537)]
    for count in (65_534, 65_537):
        data = pack("-", names[:count])
        with zipfile.ZipFile(io.BytesIO(data)) as opened:
            assert opened.namelist() == names[:count]
        assert (b"PK\x06\x06" in data[-100:]) == (count > 65_535)
