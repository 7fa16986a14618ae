"""The browser that tests of pages look with."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import a_browser
from tests.support.waiting import PATIENCE_S

expect.set_options(timeout=PATIENCE_S * 1000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give one Chromium for the tests of a module: while its driver runs, no test can run an event loop."""
    with a_browser() as found:
        yield found
