"""One cloud for a test module; every test gets buckets of its own."""
import itertools

import pytest

from cloud.client import LocalCloud

_names = itertools.count(1)


@pytest.fixture(scope="module")
def shared_cloud(tmp_path_factory):
    with LocalCloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running
        assert "Traceback" not in running.errors(), running.errors()


@pytest.fixture
def cloud(shared_cloud):
    """The module's cloud without rules or log entries of the test before."""
    shared_cloud.clear_rules()
    shared_cloud.release()
    shared_cloud.reset_log()
    return shared_cloud


@pytest.fixture
def fresh_cloud(tmp_path):
    """A cloud of its own, for tests that move the clock."""
    with LocalCloud(tmp_path) as running:
        yield running
        assert "Traceback" not in running.errors(), running.errors()


@pytest.fixture
def name():
    """A bucket name that nothing else uses."""
    return f"bucket-{next(_names)}"


@pytest.fixture
def bucket(cloud, name):
    cloud.make_bucket(name)
    return name
