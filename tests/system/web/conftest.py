"""The browser that tests of pages look with."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser import a_browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give one Chromium for the tests of a module: while its driver runs, no test can run an event loop."""
    with a_browser() as found:
        yield found
