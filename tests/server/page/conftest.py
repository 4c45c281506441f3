"""One browser and one server for all tests of the page in a worker, and an end for each test that hangs."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.server.page.time_limit import time_limit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LONGEST_TEST_S = 90


@pytest.fixture(autouse=True)
def _in_time() -> Generator[None]:
    with time_limit(LONGEST_TEST_S):
        yield


@pytest.fixture(scope="package")
def browser() -> Generator[Browser]:
    from tests.server.page.browser import chromium  # noqa: PLC0415  playwright may be missing

    with chromium() as opened:
        yield opened


@pytest.fixture(scope="package")
def address(browser: Browser) -> Generator[str]:
    from tests.server.page.browser import real_server  # noqa: PLC0415

    assert browser  # first, for without one there is nothing to serve
    with real_server() as ready:
        yield ready


@pytest.fixture(scope="package")
def shared_page(browser: Browser) -> Generator[Page]:
    from tests.server.page.browser import new_page  # noqa: PLC0415

    with new_page(browser) as made:
        yield made


@pytest.fixture
def page(shared_page: Page, address: str) -> Generator[Page]:
    """The page, loaded anew: that takes a third of the time of a page of its own."""
    from tests.server.page.browser import clear, loaded  # noqa: PLC0415

    with loaded(shared_page, address):
        yield shared_page
        clear(shared_page)


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.server.page.browser import street_file  # noqa: PLC0415

    made = tmp_path_factory.mktemp("street")
    street_file(made, "street.png")
    street_file(made, "street.jpg", quality=95)
    return made
