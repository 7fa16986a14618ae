"""A browser finds the pages of a site with real nodes."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.browser import WebSite, a_page

pytestmark = pytest.mark.system


def test_pages_come_back_at_the_same_address(folder: Path, browser: Browser) -> None:
    """A web node that was killed and started again serves whoever has the page open."""
    with WebSite(folder) as web, a_page(browser, web.address) as page:
        web.start()
        web.kill()
        web.start()
        response = page.goto("/")
        assert response is not None
        assert response.ok
        web.stop()
