"""One browser for all tests of pages."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    browser = pytest.importorskip("browser", reason="no selenium here: no page was looked at")
    if browser.find() is None:
        pytest.skip("no Chromium with its driver on this machine: no page was looked at")
    driver = browser.start(tmp_path_factory.mktemp("profile"))
    yield browser.Page(driver)
    driver.quit()


@pytest.fixture
def page(chromium):
    return chromium
