"""The pages on a running site: real processes, real faces and a real Chromium.

Pictures of these faces are never kept as screenshots: they are of real people.
"""

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import DESK, PHONE, ScreenSize, WebSite, overflow_px, tab_to, violations
from tests.support.sites import DENIED, GRANTED, RealSite
from tests.support.views import BIDEN, OBAMA
from turnstile.commands.demo import samples
from turnstile.protocol.requests import AccountRole

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

VISITS = "Visits, the newest first"


@contextmanager
def a_visited_site(
    folder: Path, browser: Browser, *, role: AccountRole = "admin", size: ScreenSize = DESK
) -> Iterator[tuple[RealSite, Page]]:
    """Give a running site, and a page of somebody who has signed in there."""
    with WebSite(folder) as web:
        web.start_all()
        with web.page_of(browser, role=role, size=size) as page:
            yield web.site, page


def look_again(site: RealSite, page: Page, words: str) -> None:
    """Load a page again until it says something."""

    def says() -> bool:
        page.reload()
        return words in page.locator("main").inner_text()

    site.wait_for(says)


def test_one_is_enrolled_from_his_visit_and_one_at_the_camera(folder: Path, browser: Browser) -> None:
    """Each visit says why, and the log becomes a table. At the camera nothing is kept before the press."""
    with a_visited_site(folder, browser, role="clerk") as (site, page):
        page.goto("/visits")
        expect(page.get_by_text("Nobody has been here yet")).to_be_visible()
        site.wait_for_visit(OBAMA, DENIED)
        site.wait_until_logged()
        page.goto("/visits")
        page.get_by_role("link", name="This visit of somebody unknown").click()
        expect(page.get_by_text("Denied: the face is of nobody enrolled.")).to_be_visible()
        page.get_by_label("Enrol this picture as").fill("Barack Obama")
        page.get_by_role("button", name="Enrol").click()
        expect(page.locator("#notices")).to_contain_text("Barack Obama")
        site.wait_until_enrolled(1)
        site.wait_for_visit(OBAMA, GRANTED)
        site.wait_until_logged()
        page.goto("/visits?verdict=granted")
        granted = page.get_by_label(VISITS)
        expect(granted).to_contain_text(re.compile(r"Granted: \d of \d frames were nearer to Barack Obama"))
        assert page.locator(".visits img").count() == 1
        with page.expect_download() as download:
            page.get_by_role("link", name="CSV").click()
        table = csv.DictReader(StringIO(download.value.path().read_text()))
        assert [row["person"] for row in table] == ["Barack Obama"]
        page.goto("/people")
        expect(page.get_by_role("link", name="Barack Obama")).to_be_visible()
        assert not violations(page)
        page.goto("/enrol/camera")
        page.get_by_label("Name").fill("Joe Biden")
        page.get_by_role("button", name="Begin").click()
        expect(page.get_by_text("Walk to the camera.")).to_be_visible()
        site.show(BIDEN)
        expect(page.get_by_text("Choose what to keep")).to_be_visible()
        page.get_by_role("button", name="See the pictures").click()
        page.get_by_role("button", name="Keep those ticked").click()
        expect(page.get_by_role("heading", name="Joe Biden", exact=True)).to_be_visible()
        site.wait_until_enrolled(2)


def test_somebody_is_enrolled_by_a_file_on_a_phone(folder: Path, browser: Browser) -> None:
    """Quality is told first; a picture without a face is never kept; a look-alike needs a second press."""
    with a_visited_site(folder, browser, role="clerk", size=PHONE) as (site, page):
        page.goto("/enrol")
        page.get_by_label("Name").fill("Barack Obama")
        nobody = folder / "nobody.jpg"
        nobody.write_bytes((folder / "door.jpg").read_bytes())
        page.get_by_label("Pictures").set_input_files([samples.folder() / "obama.jpg", nobody])
        page.get_by_role("button", name="Look at them").click()
        expect(page.get_by_role("heading", name="Can be kept")).to_be_visible()
        expect(page.get_by_role("heading", name="Would be refused")).to_be_visible()
        assert overflow_px(page) <= 0
        page.get_by_role("button", name="Keep those ticked").click()
        expect(page.get_by_role("heading", name="Barack Obama", exact=True)).to_be_visible()
        site.wait_until_enrolled(1)
        site.wait_for_visit(OBAMA, GRANTED)
        page.goto("/enrol?person=Joe+Biden")
        page.get_by_label("Pictures").set_input_files(samples.folder() / "obama2.jpg")
        page.get_by_role("button", name="Look at them").click()
        expect(page.get_by_text("The nearest other person is Barack Obama")).to_be_visible()
        page.get_by_role("button", name="Keep obama2.jpg anyway").click()
        expect(page.get_by_role("heading", name="Joe Biden", exact=True)).to_be_visible()


def test_a_stranger_is_named_on_a_phone_and_granted(folder: Path, browser: Browser) -> None:
    """From the page of unknown people; ignoring is taken back by a press, and the tile goes once named."""
    with a_visited_site(folder, browser, role="clerk", size=PHONE) as (site, page):
        page.goto("/unknown")
        expect(page.get_by_text("Nobody unknown was seen")).to_be_visible()
        site.wait_for_visit(OBAMA, DENIED)
        look_again(site, page, "Seen once")
        assert overflow_px(page) <= 0
        page.get_by_role("button", name="Ignore person 1").click()
        expect(page.get_by_text("Nobody unknown was seen")).to_be_visible()
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_text("Seen once")).to_be_visible()
        page.get_by_label("Name of person 1").fill("Barack Obama")
        page.get_by_role("button", name="Name person 1").click()
        expect(page.get_by_role("heading", name="Barack Obama", exact=True)).to_be_visible()
        site.wait_until_enrolled(1)
        site.wait_for_visit(OBAMA, GRANTED)
        page.goto("/unknown")
        expect(page.get_by_text("Nobody unknown was seen")).to_be_visible()


def test_rules_change_and_come_back_by_keyboard(folder: Path, browser: Browser) -> None:
    """Comments are kept, a mistake is told with its line, and each change has an undo."""
    (folder / "rules.yaml").write_text("# ours\nblocked: []\n")
    with a_visited_site(folder, browser) as (site, page):
        site.enrol("barack_obama.jpg")
        site.wait_until_enrolled(1)
        page.goto("/rules/edit")
        text = page.get_by_label("Rules", exact=True)
        text.focus()
        page.keyboard.press("Control+End")
        page.keyboard.type("bocked: 1")
        press(page, "Save")
        expect(page.get_by_role("alert")).to_contain_text("rules.yaml:3")
        text.fill("# ours\nblocked: [Barack Obama]  # until Monday\n")
        press(page, "Save")
        expect(page.get_by_role("heading", name="Who may enter now?")).to_be_visible()
        expect(page.get_by_role("row", name="Barack Obama")).to_contain_text("blocked")
        assert (folder / "rules.yaml").read_text() == "# ours\nblocked: [Barack Obama]  # until Monday\n"
        site.wait_for_visit(OBAMA, ("denied", "Barack Obama"))
        page.goto("/people/Barack%20Obama")
        press(page, "Unblock")
        expect(page.get_by_role("button", name="Block at every door")).to_be_visible()
        assert "# ours" in (folder / "rules.yaml").read_text()
        page.goto("/rules")
        expect(page.get_by_role("row", name="Barack Obama")).to_contain_text("may enter")
        press(page, "Undo last change")
        expect(page.get_by_role("row", name="Barack Obama")).to_contain_text("blocked")


def test_somebody_taken_for_her_is_denied_renamed_and_erased(folder: Path, browser: Browser) -> None:
    """The press on "not her" changes the next verdict until it is taken back. Who is erased is nowhere."""
    with a_visited_site(folder, browser) as (site, page):
        site.enrol("jane_roe.jpg", "obama.jpg")
        site.wait_until_enrolled(1)
        site.wait_for_visit(OBAMA, ("granted", "Jane Roe"))
        site.wait_until_logged()
        page.goto("/visits")
        page.get_by_role("link", name="This visit of Jane Roe").click()
        page.get_by_role("button", name="Not Jane Roe").click()
        expect(page.get_by_text("Somebody said that this was not Jane Roe.")).to_be_visible()
        site.wait_for_visit(OBAMA, DENIED)
        page.locator("#notices").get_by_role("button", name="Undo").click()
        expect(page.get_by_role("button", name="Not Jane Roe")).to_be_visible()
        site.wait_for_visit(OBAMA, ("granted", "Jane Roe"))
        page.goto("/people/Jane%20Roe")
        page.get_by_label("New name").fill("Barack Obama")
        page.get_by_role("button", name="Rename").click()
        expect(page.get_by_role("heading", name="Barack Obama", exact=True)).to_be_visible()
        site.wait_for_visit(OBAMA, GRANTED)
        site.wait_until_logged()
        page.goto("/people/Barack%20Obama")
        page.get_by_role("link", name="Erase Barack Obama…").click()
        expect(page.get_by_role("heading", name="What goes")).to_be_visible()
        page.get_by_label("Type the name to erase it").fill("Barack Obama")
        page.get_by_role("button", name="Erase for ever").click()
        expect(page.get_by_role("heading", name="People", exact=True)).to_be_visible()
        site.wait_until_enrolled(0)
        assert not list(site.faces.glob("*.jpg"))
        for path in ("/people", "/visits", "/unknown", "/rules"):
            page.goto(path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            expect(page.locator("main .list, main table")).not_to_contain_text(["Barack"])
        site.wait_for_visit(OBAMA, DENIED)


def press(page: Page, name: str) -> None:
    """Reach a button by the keyboard alone, and press it."""
    tab_to(page, name)
    page.keyboard.press("Enter")
