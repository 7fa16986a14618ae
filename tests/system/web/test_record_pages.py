"""The pages about visits, people and rules in a real Chromium, of a made-up site with drawn faces."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browser import (
    DESK,
    PHONE,
    Scheme,
    a_page,
    keep_screenshot,
    overflow_px,
    small_targets,
    tab_to,
    violations,
)
from tests.support.drawn_faces import a_drawn_face
from tests.support.made_up_site import a_made_up_bus, made_up_pages
from turnstile.requests import wishes
from turnstile.requests.answers import RefusedWish

pytestmark = pytest.mark.system

PUBLISHED: dict[str, tuple[Scheme, str]] = {
    "visits": ("light", "/visits"),
    "visit": ("dark", "/visits/9f00:40"),
    "unknown": ("light", "/unknown"),
    "people": ("light", "/people"),
    "rules": ("light", "/rules"),
}
"""Pages whose screenshots are in docs/browser."""
PAGES = {
    "visits": "/visits",
    "visits-searched": "/visits?person=Ann+Lee&verdict=granted",
    "visits-none": "/visits?person=Nobody",
    "visit": "/visits/9f00:40",
    "visit-unknown": "/visits/9f00:38",
    "unknown": "/unknown",
    "people": "/people",
    "person": "/people/Ann%20Lee",
    "person-hint": "/people/Ben%20Poe",
    "erase": "/person/erase?person=Ann+Lee",
    "enrol": "/enrol",
    "enrol-camera": "/enrol/camera",
    "rules": "/rules",
    "rules-edit": "/rules/edit",
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Give where the made-up site is served."""
    with made_up_pages(a_made_up_bus()) as found:
        yield found


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_for_everybody(browser: Browser, address: str, name: str) -> None:
    """No violation in light or dark, nothing too wide or too small for a phone."""
    for size, on in ((PHONE, "phone"), (DESK, "desk")):
        with a_page(browser, address, size=size) as page:
            page.goto(PAGES[name])
            page.wait_for_load_state("networkidle")
            keep_screenshot(page, f"{name}-{on}", full=True)
            assert not violations(page)
            keep_screenshot(page, f"{name}-{on}-dark", full=True)
            assert overflow_px(page) <= 0
            if size is PHONE:
                assert not small_targets(page)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_page_that_is_published_fits_its_screenshot(browser: Browser, address: str, name: str) -> None:
    """It is made where it is wanted; what is published shows no real face."""
    scheme, path = PUBLISHED[name]
    with a_page(browser, address, scheme=scheme) as page:
        page.goto(path)
        page.wait_for_load_state("networkidle")
        keep_screenshot(page, f"published-{name}")
        assert overflow_px(page) <= 0


def test_pictures_are_judged_and_kept_on_a_phone(browser: Browser, folder: Path) -> None:
    """A file is chosen, what is said of it is read, and it is kept."""
    bus = a_made_up_bus()
    good, doubtful = folder / "good.jpg", folder / "doubtful.jpg"
    face = a_drawn_face(1, size_px=320)
    good.write_bytes(face if len(face) % 2 == 0 else face + b"\0")
    doubtful.write_bytes(face if len(face) % 2 else face + b"\0")
    with made_up_pages(bus) as address, a_page(browser, address, size=PHONE) as page:
        page.goto("/enrol")
        page.get_by_label("Name").fill("Eve Poe")
        page.get_by_label("Pictures").set_input_files([good, doubtful])
        page.get_by_role("button", name="Look at them").click()
        page.get_by_role("heading", name="Would be refused").wait_for()
        keep_screenshot(page, "judged-phone", full=True)
        assert not violations(page)
        assert not small_targets(page)
        page.get_by_role("button", name="Keep those ticked").click()
        page.get_by_text("It is done.").wait_for()
        (wish,) = bus.wishes(wishes.EnrolPicture)
        assert wish.data == good.read_bytes()


def test_pages_behind_a_press_are_for_everybody(browser: Browser) -> None:
    """Asking once more, and the guidance at a door, without script and with."""
    bus = a_made_up_bus()
    bus.answers[wishes.NameUnknowns] = RefusedWish(problem="it looks like Carla Moe", may_anyway=True)
    with made_up_pages(bus) as address, a_page(browser, address, size=PHONE) as page:
        page.goto("/unknown")
        page.get_by_label("Name of person 1").fill("Eve Poe")
        page.get_by_role("button", name="Name person 1").click()
        page.get_by_role("heading", name="Are you sure?").wait_for()
        _is_for_everybody(page)
        page.goto("/unknown")
        page.get_by_role("button", name="Discard person 1").click()
        page.get_by_role("heading", name="Discard this person?").wait_for()
        _is_for_everybody(page)
        page.goto("/enrol/camera")
        page.get_by_label("Name").fill("Eve Poe")
        page.get_by_role("button", name="Begin").click()
        page.get_by_text("Nobody is in view. Walk to the camera.").wait_for()
        keep_screenshot(page, "walking-phone", full=True)
        _is_for_everybody(page)


def _is_for_everybody(page: Page) -> None:
    assert not violations(page)
    assert not small_targets(page)
    assert overflow_px(page) <= 0


def test_an_unknown_person_is_named_by_keyboard_alone(browser: Browser) -> None:
    """Tabulator, letters and Enter."""
    bus = a_made_up_bus()
    with made_up_pages(bus) as address, a_page(browser, address) as page:
        page.goto("/unknown")
        tab_to(page, "Name of person 2")
        page.keyboard.type("Ann Lee")
        page.keyboard.press("Enter")
        page.get_by_text("It is done.").wait_for()
        assert bus.wishes(wishes.NameUnknowns) == [wishes.NameUnknowns(unknowns=("u1",), person="Ann Lee")]


def test_several_are_ignored_and_shown_again_without_script(browser: Browser) -> None:
    """Ticks, a press, and undo."""
    bus = a_made_up_bus()
    with made_up_pages(bus) as address, a_page(browser, address, script=False) as page:
        page.goto("/unknown")
        page.get_by_label("Tick person 1").check()
        page.get_by_label("Tick person 3").check()
        page.get_by_role("button", name="Ignore", exact=True).click()
        page.get_by_role("button", name="Undo").click()
        page.get_by_text("It is done.").wait_for()
        asked = bus.wishes(wishes.IgnoreUnknowns)
        assert [(one.unknowns, one.undo) for one in asked] == [(("u0", "u2"), False), (("u0", "u2"), True)]


def test_a_button_says_that_it_works(browser: Browser, address: str) -> None:
    """And a form is sent once, however often it is pressed."""
    with a_page(browser, address) as page:
        page.goto("/visits/9f00:40")
        page.evaluate("addEventListener('submit', event => event.preventDefault())")
        page.get_by_role("button", name="Not Ann Lee").click()
        busy = page.get_by_role("button", name="Noting it…")
        busy.wait_for()
        assert busy.get_attribute("aria-busy") == "true"


def test_rules_are_edited_checked_and_saved_by_keyboard(browser: Browser) -> None:
    """A mistake is told with its line, and what was typed stays."""
    bus = a_made_up_bus()
    with made_up_pages(bus) as address, a_page(browser, address) as page:
        page.goto("/rules/edit")
        page.get_by_label("Rules", exact=True).focus()
        page.keyboard.press("Control+End")
        page.keyboard.type("oops: 1")
        _press(page, "Save")
        page.get_by_text("rules.yaml:17").wait_for()
        keep_screenshot(page, "rules-mistake-desk", full=True)
        assert not violations(page)
        page.get_by_label("Rules", exact=True).focus()
        page.keyboard.press("Control+End")
        for _ in "oops: 1":
            page.keyboard.press("Backspace")
        _press(page, "Save")
        page.get_by_text("It is done.").wait_for()
        (wish,) = bus.wishes(wishes.ReplaceRules)
        assert wish.was == "v1"
        assert "# until two on the next day" in wish.text


def _press(page: Page, name: str) -> None:
    """Reach a button by the keyboard and press it."""
    tab_to(page, name)
    page.keyboard.press("Enter")
