"""The wall of a made-up site in a real Chromium, with drawn people at its doors."""

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import ScreenSize, a_page, keep_screenshot
from tests.support.made_up_doors import stand_there
from tests.support.made_up_site import a_made_up_bus, made_up_pages

pytestmark = pytest.mark.system

ON_PAPER = ScreenSize(1200, 720)


def test_the_wall_shows_a_grant_and_a_denial(browser: Browser) -> None:
    """Beside each other, as docs and README show them."""
    bus = a_made_up_bus()
    with made_up_pages(bus) as address, a_page(browser, address, size=ON_PAPER) as page:
        page.goto("/")
        for seq in range(1, 20):
            stand_there(bus.link, seq)
            page.wait_for_timeout(100)
        expect(page.locator(".verdict", has_text="ACCESS GRANTED")).to_be_visible()
        expect(page.locator(".verdict", has_text="ACCESS DENIED")).to_be_visible()
        keep_screenshot(page, "made-up-wall")
