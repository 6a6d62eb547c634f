"""run/code with the real pip and local wheels, and its archives in the hands of other programs."""

import base64
import hashlib
import io
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import zipfile

import pytest
from driven import BUILD
from gitrepo import Repo

DRIVER = BUILD / "tests" / "drive_code"


def make_wheel(folder, name, version="1.0", tag="py3-none-any", files=None, scripts="", requires=()):
    """A wheel as build tools make it: its files, and lists of them in a dist-info folder."""
    info = f"{name}-{version}.dist-info"
    content = {
        **(files or {f"{name}/__init__.py": f"NAME = {name!r}\n"}),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(f"Requires-Dist: {r}\n" for r in requires),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
        **({f"{info}/entry_points.txt": f"[console_scripts]\n{scripts}\n"} if scripts else {})}
    record = "".join(f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},{len(text)}\n"
                     for path, text in content.items())
    with zipfile.ZipFile(folder / f"{name}-{version}-{tag}.whl", "w") as wheel:
        for path, text in {**content, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            wheel.writestr(path, text)


@pytest.fixture
def wheels(tmp_path):
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder


@pytest.fixture
def repo(tmp_path):
    return Repo(tmp_path / "repo")


@pytest.fixture
def environment(tmp_path, wheels):
    """PATH begins with this Python, by the name that is looked for last."""
    programs, temporary = tmp_path / "bin", tmp_path / "tmp"
    programs.mkdir()
    temporary.mkdir()
    (programs / "python3").write_text(f"#!/bin/sh\nexec {sys.executable} \"$@\"\n")
    (programs / "python3").chmod(0o755)
    return {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path), "TMPDIR": str(temporary), "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1", "_".join(("PIP", "FIND", "LINKS")): str(wheels), "AWS_SECRET_ACCESS_KEY": "canary"}


@pytest.fixture
def make(tmp_path, repo, environment):
    def run(runtime="python3.13", architecture="", source="commit", path="fn", umask=0o022, **env):
        out = tmp_path / "out.zip"
        out.unlink(missing_ok=True)
        done = subprocess.run([DRIVER, repo.path, path, runtime, architecture, out, source], env={**environment, **env}, umask=umask,
                              text=True, timeout=120, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        assert done.returncode == 0 and not done.stderr, done.stderr
        assert os.listdir(environment["TMPDIR"]) == [], "temporary folders are removed"
        made = json.loads(done.stdout)
        return made, out.read_bytes() if out.exists() else None
    return run


def read(data):
    """{name: (mode, bytes)}, in the order of the archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {i.filename: (oct(i.external_attr >> 16), archive.read(i)) for i in archive.infolist()}


def test_an_archive_is_read_by_others(tmp_path, repo, make):
    repo.commit({"fn/app.py": "x = 1\n", "fn/naïve/日本.txt": "é", "fn/run.sh": "#!/bin/sh\n", "fn/empty": "", "fn/blob": bytes(range(256)) * 999})
    (repo.path / "fn/run.sh").chmod(0o755)
    repo.commit()
    _, data = make(runtime="nodejs22.x")
    assert read(data) == {"app.py": ("0o100644", b"x = 1\n"), "blob": ("0o100644", bytes(range(256)) * 999), "empty": ("0o100644", b""),
                          "naïve/日本.txt": ("0o100644", "é".encode()), "run.sh": ("0o100755", b"#!/bin/sh\n")}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert all(i.date_time == (1980, 1, 1, 0, 0, 0) and not i.extra and i.create_system == 3 for i in archive.infolist())
    if shutil.which("unzip"):
        assert subprocess.run(["unzip", "-tq", tmp_path / "out.zip"], stdout=subprocess.DEVNULL, check=False).returncode == 0


def test_the_same_on_every_day_for_everybody(repo, make, wheels):
    make_wheel(wheels, "tiny", scripts="tiny = tiny:main")
    repo.commit({"fn/b.py": "2", "fn/a.py": "1", "fn/requirements.txt": "tiny\n"})
    made, first = make()
    assert "tiny/__init__.py" in read(first)
    for number, path in enumerate(sorted((repo.path / "fn").iterdir(), reverse=True)):
        os.utime(path, (10**9 + number, 10**9))
        path.chmod(0o600)
    again, second = make(source="worktree", umask=0o077, TZ="Asia/Tokyo", LC_ALL="C", USER="somebody")
    assert again["key"] == made["key"] and second == first


def test_requirements_are_installed(repo, make, wheels):
    make_wheel(wheels, "tiny", scripts="tiny = tiny:main", requires=["helper>=1"])
    make_wheel(wheels, "helper", "1.5", files={"helper.py": "x = 1\n", "app.py": "theirs\n", "bin/run.sh": "#!/bin/sh\n"})
    repo.commit({"fn/app.py": "ours\n", "fn/requirements.txt": "-r reqs/base.txt # all\n", "fn/reqs/base.txt": "tiny==1.0\n"})
    made, data = make()
    content = read(data)
    assert set(content) == {
        "app.py", "requirements.txt", "reqs/base.txt", "tiny/__init__.py", "helper.py", "bin/run.sh",
        *(f"tiny-1.0.dist-info/{n}" for n in ("INSTALLER", "METADATA", "RECORD", "WHEEL", "REQUESTED", "entry_points.txt")),
        *(f"helper-1.5.dist-info/{n}" for n in ("INSTALLER", "METADATA", "RECORD", "WHEEL"))}
    assert content["app.py"][1] == b"ours\n"
    assert b"bin/tiny" not in content["tiny-1.0.dist-info/RECORD"][1]
    assert "Successfully installed helper-1.5 tiny-1.0" in made["told"]
    assert "there is no python3.13 with pip: python3 installs for it" in made["told"]


@pytest.mark.parametrize("runtime, architecture, tag, fits", [
    ("python3.13", "arm64", "cp313-cp313-manylinux_2_28_aarch64", True),
    ("python3.13", "", "cp313-cp313-manylinux_2_34_x86_64", True),
    ("python3.13", "", "cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64", True),
    ("python3.13", "", "cp38-abi3-manylinux_2_17_x86_64", True),
    ("python3.13", "", "cp313-cp313-manylinux1_x86_64", True),
    ("python3.13", "", "cp313-cp313-manylinux_2_35_x86_64", False),
    ("python3.13", "", "cp313-cp313-manylinux_2_28_aarch64", False),
    ("python3.13", "", "cp312-cp312-manylinux_2_28_x86_64", False),
    ("python3.13", "", "cp313-cp313t-manylinux_2_28_x86_64", False),
    ("python3.13", "", "cp313-cp313-musllinux_1_2_x86_64", False),
    ("python3.11", "", "cp311-cp311-manylinux_2_26_x86_64", True),
    ("python3.11", "", "cp311-cp311-manylinux_2_28_x86_64", False)])
def test_wheels_fit_where_lambda_runs(repo, make, wheels, runtime, architecture, tag, fits):
    make_wheel(wheels, "native", tag=tag)
    repo.commit({"fn/requirements.txt": "native\n"})
    made, data = make(runtime, architecture)
    if fits:
        assert "native/__init__.py" in read(data)
        return
    assert made["error"] == "io" and data is None
    assert (f"fn: pip: no wheel of native for {runtime} on {architecture or 'x86_64'} (manylinux): pin another version, or use a `build:` command"
            in made["message"]), made


def test_what_pip_cannot_do_is_told_in_its_words(repo, make, wheels):
    make_wheel(wheels, "tiny", "1.0")
    for line, message in (("tiny==9", "no wheel of tiny==9 for python3.13 on x86_64 (manylinux); there are those of 1.0: pin"),
                          ("!tiny", "fn: pip: Invalid requirement: '!tiny'"), ("tiny; python_version < '3'", None)):
        repo.commit({"fn/requirements.txt": line + "\n"})
        made, data = make()
        if message:
            assert made["error"] == "io" and message in made["message"], made
        else:
            assert set(read(data)) == {"requirements.txt"}


def test_wheels_of_the_folder(repo, make, tmp_path):
    (repo.path / "fn" / "vendor").mkdir(parents=True)
    make_wheel(repo.path / "fn" / "vendor", "tiny")
    repo.commit({"fn/requirements.txt": "./vendor/tiny-1.0-py3-none-any.whl\n", "fn/app.py": ""})
    _, first = make()
    content = read(first)
    assert "tiny/__init__.py" in content and "vendor/tiny-1.0-py3-none-any.whl" in content
    # Where it was installed from is another folder each time.
    assert "tiny-1.0.dist-info/direct_url.json" not in content
    assert b"direct_url" not in content["tiny-1.0.dist-info/RECORD"][1]
    assert make()[1] == first


def test_a_package_of_the_folder(repo, make, wheels):
    """Built by pip from the copy, by a build backend of its own: nothing is fetched for it."""
    make_wheel(wheels, "local")
    [wheel] = wheels.iterdir()
    backend = f"""
import base64, pathlib
def build_wheel(folder, config_settings=None, metadata_directory=None):
    assert "AWS_SECRET_ACCESS_KEY" not in __import__("os").environ
    pathlib.Path(folder, {wheel.name!r}).write_bytes(base64.b64decode({base64.b64encode(wheel.read_bytes())!r}))
    return {wheel.name!r}
"""
    wheel.unlink()
    repo.commit({"fn/requirements.txt": "./pkg\n", "fn/pkg/backend.py": backend,
                 "fn/pkg/pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'})
    made, data = make()
    assert data, made
    assert "local/__init__.py" in read(data) and "local-1.0.dist-info/direct_url.json" not in read(data)


def test_only_the_runtimes_own(repo, make, wheels):
    make_wheel(wheels, "boto3")
    repo.commit({"fn/requirements.txt": "boto3>=1.0\n"})
    made, data = make()
    assert "boto3/__init__.py" in read(data)
    assert "requirements.txt names nothing but what the runtime has" in made["told"]


def test_without_python(repo, make, tmp_path):
    repo.commit({"fn/requirements.txt": "tiny\n"})
    empty = tmp_path / "nothing"
    empty.mkdir()
    made, data = make(PATH=str(empty))
    assert data is None and made["error"] == "not-found", made
    assert "requirements.txt needs Python to be installed from: install python3 with pip" in made["message"]


def test_a_python_without_pip(repo, make, tmp_path, environment):
    repo.commit({"fn/requirements.txt": "tiny\n"})
    (tmp_path / "bin" / "python3").write_text(f"#!/bin/sh\nexec {sys.executable} -S -I \"$@\"\n")
    made, _ = make(PATH=environment["PATH"].split(":", maxsplit=1)[0])
    assert made["error"] == "not-found" and "install python3 with pip" in made["message"], made


def test_a_signal_leaves_nothing_behind(repo, tmp_path, environment):
    repo.commit({"fn/requirements.txt": "tiny\n"})
    started = tmp_path / "started"
    os.mkfifo(started)
    (tmp_path / "bin" / "python3").write_text(f"#!/bin/sh\necho > {started}\nexec sleep 60\n")
    fifo = os.open(started, os.O_RDONLY | os.O_NONBLOCK)
    with subprocess.Popen([DRIVER, repo.path, "fn", "python3.13", "", tmp_path / "out.zip"], env=environment, text=True,
                          stdout=subprocess.PIPE) as running:
        ready = select.select([fifo, running.stdout], [], [], 20)[0]
        running.send_signal(signal.SIGTERM)
        made = json.loads(running.communicate(timeout=20)[0])
    os.close(fifo)
    assert ready == [fifo] and made["error"] == "cancelled" and os.listdir(environment["TMPDIR"]) == [], made
