"""Clouds for a whole session of tests, and the histories that are deployed into them."""

import os

import pytest

from fault import stories
from fault.harness import Clouds, World, program


@pytest.fixture(scope="session", autouse=True)
def _built():
    for path in (program(), program(release=False)):
        if not os.access(path, os.X_OK):
            pytest.exit(
                f"{path} is not built; CRC_ACTION and CRC_ACTION_RELEASE name the program", 1
            )


@pytest.fixture(scope="session")
def clouds(tmp_path_factory):
    """Some for each worker: while one program waits, another works."""
    made = Clouds(tmp_path_factory.mktemp("clouds"), 3)
    yield made
    errors = made.stop()
    assert "Traceback" not in errors, errors


@pytest.fixture
def cloud(clouds):
    taken = clouds.take()
    yield taken
    clouds.give_back(taken)


@pytest.fixture(scope="session")
def one_site(tmp_path_factory):
    return stories.one_site(tmp_path_factory.mktemp("one") / "site")


@pytest.fixture(scope="session")
def two_sites(tmp_path_factory):
    return stories.two_sites(tmp_path_factory.mktemp("two") / "sites")


@pytest.fixture(scope="session")
def large_file(tmp_path_factory):
    return stories.large_file(tmp_path_factory.mktemp("large") / "site")


@pytest.fixture
def world(cloud, one_site):
    """A world in which A is deployed and every edge holds it."""
    made = World(cloud, one_site)
    ended = made.run("A")
    assert ended.status == 0, ended
    made.warm()
    return made
