"""Coming in by an invitation, by password and by code, in a real Chromium."""

import re
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import (
    DESK,
    PASSWORD,
    PHONE,
    ScreenSize,
    WebSite,
    a_page,
    keep_screenshot,
    overflow_px,
    sign_in,
    small_targets,
    violations,
)

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSite]:
    """Give a web node without a broker: signing in needs none."""
    folder: Path = tmp_path_factory.mktemp("site")
    with WebSite(folder) as found:
        found.start()
        yield found


def fill_in(page: Page, name: str = "Ada", password: str = PASSWORD) -> None:
    """Send the form of the sign-in page."""
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


def look_at(page: Page, name: str) -> None:
    """Hold a page to what holds for all of them."""
    assert not violations(page)
    assert overflow_px(page) <= 0
    assert not small_targets(page)
    keep_screenshot(page, name)


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_somebody_comes_in_leaves_and_comes_back(pages: WebSite, browser: Browser, size: ScreenSize) -> None:
    """To the page that was asked for, in a browser that keeps cookies of this machine's own address."""
    link = pages.invite("Ada")
    with a_page(browser, pages.address, size=size) as page:
        page.goto("/account")
        expect(page).to_have_url(re.compile(r"/sign-in\?to=%2Faccount$"))
        look_at(page, f"sign-in-{size.width}")
        page.goto(link)
        look_at(page, f"invited-{size.width}")
        sign_in(page, link)
        page.goto("/account")
        look_at(page, f"account-{size.width}")
        page.get_by_role("link", name="Accounts").click()
        look_at(page, f"accounts-{size.width}")
        page.get_by_label("Name").fill("Grace")
        page.get_by_role("button", name="Make the link").click()
        expect(page.get_by_role("heading", name="Invitation for Grace")).to_be_visible()
        look_at(page, f"invitation-{size.width}")
        page.goto("/account")
        page.get_by_role("button", name="Sign out", exact=True).click()
        expect(page).to_have_url(re.compile(r"/sign-in$"))
        page.goto("/account")
        fill_in(page, password="not the password")
        expect(page.get_by_role("alert")).to_contain_text("is wrong")
        look_at(page, f"sign-in-wrong-{size.width}")
        fill_in(page)
        expect(page.get_by_role("heading", name="Ada")).to_be_visible()


def test_signing_in_works_without_script(pages: WebSite, browser: Browser) -> None:
    """Nothing of it needs any."""
    link = pages.invite("Ida", "viewer")
    with a_page(browser, pages.address, script=False) as page:
        sign_in(page, link)
        page.goto("/account")
        page.get_by_role("button", name="Sign out", exact=True).click()
        fill_in(page, "Ida")
        page.goto("/account")
        expect(page.get_by_role("heading", name="Ida")).to_be_visible()


def test_codes_are_set_up_and_asked(pages: WebSite, browser: Browser) -> None:
    """With the secret that the page shows."""
    with pages.page_of(browser, "Eve", size=PHONE) as page:
        page.goto("/account")
        page.get_by_role("link", name="Set up codes").click()
        look_at(page, "code")
        secret = (page.locator("code.secret").text_content() or "").replace(" ", "")
        page.get_by_label("Code that the app shows now").fill(pyotp.TOTP(secret).now())
        page.get_by_label("Present password").fill(PASSWORD)
        page.get_by_role("button", name="Ask for codes from now on").click()
        expect(page.get_by_text("From now on a code is asked at sign-in.")).to_be_visible()
        look_at(page, "account-with-code")


def test_what_is_missing_says_so(pages: WebSite, browser: Browser) -> None:
    """In the same frame, with a way back."""
    with pages.page_of(browser, "Joan", "viewer", size=PHONE) as page:
        page.goto("/nowhere")
        expect(page.get_by_role("heading", name="Not here")).to_be_visible()
        look_at(page, "missing")
