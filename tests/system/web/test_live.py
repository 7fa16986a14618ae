"""The wall, the tablet at a door and the site's health in a real browser, on a site of real nodes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import (
    DESK,
    PHONE,
    WALL,
    WebSite,
    a_page,
    keep_screenshot,
    overflow_px,
    sign_in,
    small_targets,
    tab_to,
    violations,
)
from tests.support.sites import DENIED, GRANTED
from tests.support.views import BIDEN, NOBODY, OBAMA
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

SEEN = "[data-seen]"


@pytest.fixture(scope="module")
def running(shared_folder: Path) -> Iterator[WebSite]:
    """Give a running site with one door, and Barack Obama enrolled."""
    with WebSite(shared_folder) as web:
        web.site.enrol("barack_obama.jpg")
        web.start_all()
        web.site.wait_until_enrolled(1)
        yield web


@pytest.fixture
def web(running: WebSite) -> WebSite:
    """Give the site with all nodes running and nobody at the door."""
    running.site.wait_until_left()
    return running


def drawn_px(page: Page, slot: str) -> int:
    """Return how many pixels of a canvas are neither black nor clear."""
    count: int = page.evaluate(
        """slot => { const one = document.querySelector(`[data-slot=${slot}]`);
            const pixels = one.getContext("2d").getImageData(0, 0, one.width, one.height).data;
            const seen = (value, at) => at % 4 === 3 && value && pixels[at - 3] + pixels[at - 2];
            return pixels.filter(seen).length;
        }""",
        slot,
    )
    return count


def light(page: Page, is_so: str) -> None:
    """Wait until the door's light is so."""
    page.wait_for_selector(f'[data-door][data-light="{is_so}"]')


def test_the_wall_shows_who_comes_and_what_is_decided(web: WebSite, browser: Browser) -> None:
    """Picture, box, name, banner and list; the list is there again when the page is opened anew."""
    with web.page_of(browser) as page:
        page.goto("/")
        page.wait_for_selector(SEEN)
        assert drawn_px(page, "picture")
        web.site.show(OBAMA)
        expect(page.locator(".verdict")).to_contain_text("ACCESS GRANTED")
        expect(page.locator("#decisions li").first).to_contain_text("Barack Obama")
        assert "/visits/" in (page.locator("#decisions a").first.get_attribute("href") or "")
        wait_until(lambda: drawn_px(page, "marks"), "a box", between=lambda: page.wait_for_timeout(50))
        keep_screenshot(page, "wall")
        web.site.wait_until_left()
        web.site.wait_for_visit(BIDEN, DENIED)
        expect(page.locator("#decisions li").first).to_contain_text("somebody unknown")
        web.site.wait_until_logged()
        web.kill()
        web.start()
        page.goto("/")
        expect(page.locator("#decisions li").nth(1)).to_contain_text("Barack Obama")
        page.locator("#decisions a").nth(1).click()
        page.wait_for_url("**/visits/*")
        expect(page.locator("main")).to_contain_text("Barack Obama")


def test_while_no_recognizer_works_the_wall_says_so(web: WebSite, browser: Browser) -> None:
    """The last boxes go, and come again with the recognizer."""
    with web.page_of(browser) as page:
        page.goto("/")
        web.site.show(OBAMA)
        expect(page.locator(".verdict")).to_contain_text("ACCESS GRANTED")
        web.site.kill("recognizer-1")
        light(page, "stale")
        expect(page.locator(".tile")).to_contain_text("local detection, not verified")
        expect(page.locator("[data-slot=words]")).to_contain_text("no recognizer")
        assert not drawn_px(page, "marks")
        expect(page.locator("#troubles")).to_contain_text("recognizer-1: silent")
        web.site.start("recognizer-1")
        light(page, "live")
        expect(page.locator("#troubles")).to_be_empty()


def test_the_page_says_what_is_away_and_heals_by_itself(web: WebSite, browser: Browser) -> None:
    """Whoever has it open need do nothing. Two people come in turn, so that each decision is seen."""
    web.site.wait_for_visit(BIDEN, DENIED)
    web.site.wait_until_logged()
    obama, biden = (OBAMA, GRANTED, "Barack Obama"), (BIDEN, DENIED, "somebody unknown")
    with web.page_of(browser) as page:
        page.goto("/")
        newest = page.locator("#decisions li").first
        expect(newest).to_contain_text("somebody unknown")
        for node, trouble, (who, outcome, shown) in (
            ("broker", "the broker is not heard", obama),
            ("log", "log: silent", biden),
            ("web", "no contact with the web node", obama),
            ("door", "door: silent", biden),
        ):
            light(page, "live")
            web.site.kill(node)
            expect(page.locator("#troubles")).to_contain_text(trouble)
            assert not drawn_px(page, "marks")
            if node == "door":
                light(page, "lost")
                expect(page.locator("[data-slot=notice]")).to_have_text("camera lost")
                expect(page.locator("[data-slot=words]")).to_be_hidden()
            if node == "web":
                web.start()
            else:
                web.site.start(node)
            web.site.wait_for_beats(node)
            light(page, "live")
            expect(page.locator("#troubles")).to_be_empty()
            web.site.wait_for_visit(who, outcome)
            expect(newest).to_contain_text(shown)


def test_a_tablet_says_to_whoever_stands_there_what_they_need(web: WebSite, browser: Browser) -> None:
    """Verdict in words and with a sound; no name of anybody else; out of order when it is."""
    with web.page_of(browser, role="viewer", doors=["door"]) as page:
        page.goto("/door/door")
        page.wait_for_selector(SEEN)
        page.get_by_role("button", name="sound").click()
        page.wait_for_selector("[data-sound=on]")
        web.site.show(OBAMA)
        expect(page.locator(".verdict")).to_contain_text("ACCESS GRANTED")
        expect(page.locator(".verdict")).to_contain_text("Barack Obama")
        page.wait_for_selector("[data-sound=granted]")
        web.site.wait_until_left()
        web.site.show(BIDEN)
        page.wait_for_selector("[data-sound=denied]")
        expect(page.locator(".verdict")).to_contain_text("ACCESS DENIED")
        assert "0." not in page.locator("main").inner_text()
        web.site.kill("broker")
        expect(page.locator(".closed")).to_contain_text("Out of order, please ring")
        web.site.start("broker")
        light(page, "live")
        expect(page.locator(".closed")).to_be_hidden()


def test_without_script_states_and_decisions_are_there(web: WebSite, browser: Browser) -> None:
    """Only the pictures are missing."""
    web.site.wait_for_visit(OBAMA, GRANTED)
    web.site.wait_until_logged()
    with a_page(browser, web.address, script=False) as page:
        sign_in(page, web.invite("Ada"))
        page.goto("/")
        expect(page.locator("#decisions li").first).to_contain_text("Barack Obama")
        expect(page.locator("[data-slot=words]")).to_contain_text("live")
        expect(page.get_by_role("link", name="Look again")).to_be_visible()


def test_who_signs_out_sees_no_more(web: WebSite, browser: Browser) -> None:
    """On any page that is still open."""
    with web.page_of(browser) as page:
        page.goto("/")
        light(page, "live")
        other = page.context.new_page()
        other.goto("/account")
        other.get_by_role("button", name="Sign out", exact=True).click()
        page.wait_for_url("**/sign-in")


def test_doors_out_of_view_are_not_sent(folder: Path, browser: Browser) -> None:
    """Until somebody scrolls there; on a phone."""
    doors = [f"door_{number}" for number in range(8)]
    with WebSite(folder, cameras=doors, recognizers=(), fps=2) as web:
        web.site.start("broker", doors[0], doors[-1])
        web.start()
        with web.page_of(browser, size=PHONE) as page:
            page.goto("/")
            first, last = (page.locator(f'[data-door="{door}"]') for door in (doors[0], doors[-1]))
            first.and_(page.locator(SEEN)).wait_for()
            expect(last).not_to_have_attribute("data-seen", "yes")
            last.scroll_into_view_if_needed()
            expect(last).to_have_attribute("data-seen", "yes")


def test_pages_can_be_used_by_everybody(web: WebSite, browser: Browser) -> None:
    """No violation that axe finds, in light and dark; nothing too small or too wide; all by keyboard."""
    web.site.wait_for_visit(OBAMA, GRANTED)
    web.site.show(NOBODY)
    with web.page_of(browser) as page:
        for path, name in (("/", "wall"), ("/health", "health"), ("/door/door", "tablet")):
            page.goto(path)
            for size in (PHONE, DESK, WALL):
                page.set_viewport_size({"width": size.width, "height": size.height})
                assert not overflow_px(page), path
                assert not small_targets(page), path
                keep_screenshot(page, f"{name}-{size.width}")
            assert not violations(page), path
        page.goto("/")
        tab_to(page, "door")
        page.keyboard.press("Enter")
        page.wait_for_url("**/door/door")
        tab_to(page, "Touch to turn on sound")
