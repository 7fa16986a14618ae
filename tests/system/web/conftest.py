"""The browser that tests of pages look with."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser import a_browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Give one Chromium for all tests of a process."""
    with a_browser() as found:
        yield found
