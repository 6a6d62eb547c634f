"""One cloud for a module; a repository, a bucket and a distribution of its own for a test."""

import itertools
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
pytest.register_assert_rewrite("world")

from cloud.client import LocalCloud  # noqa: E402
from world import CRC_ACTION, World  # noqa: E402

_names = itertools.count(1)


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes a minute; runs where CRC_TEST_SLOW is set")


def pytest_collection_modifyitems(items):
    if os.environ.get("CRC_TEST_SLOW"):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: ./dev test --all runs it"))


def pytest_terminal_summary(terminalreporter):
    """What tests measured, also when workers ran them."""
    for kind in ("passed", "failed"):
        for report in terminalreporter.stats.get(kind, ()):
            for name, value in report.user_properties:
                if name == "measured" and report.when == "call":
                    terminalreporter.write_line(f"measured: {value}")


@pytest.fixture(scope="session")
def program():
    if not os.access(CRC_ACTION, os.X_OK):
        pytest.fail(f"{CRC_ACTION} is not built; CRC_ACTION names the program")
    return CRC_ACTION


@pytest.fixture(scope="module")
def module_cloud(program, tmp_path_factory):
    with LocalCloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running
        assert "Traceback" not in running.errors(), running.errors()


@pytest.fixture
def cloud(module_cloud):
    """The module's cloud, without rules of the test before."""
    module_cloud.clear_rules()
    module_cloud.release()
    yield module_cloud
    module_cloud.clear_rules()
    module_cloud.release()


@pytest.fixture
def bare_world(cloud, tmp_path):
    """A repository and a free bucket name; the test makes bucket and distribution."""
    return World(cloud, tmp_path, f"site-{os.getpid()}-{next(_names)}")


@pytest.fixture
def world(bare_world):
    """A repository, a bucket and a distribution."""
    bare_world.make_site()
    return bare_world


@pytest.fixture
def clock_world(program, tmp_path):
    """The same with a cloud of its own, whose clock may be moved."""
    with LocalCloud(tmp_path / "cloud") as running:
        world = World(running, tmp_path, "site")
        world.make_site()
        yield world
        assert "Traceback" not in running.errors(), running.errors()
