"""A real Chromium that looks at the pages of a running site, as its users would.

Libraries not taken: selenium needs a driver of the browser's very version, and waits by polling.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, sync_playwright

from tests.support.addresses import free_addresses
from tests.support.processes import ROOT
from tests.support.sites import RealSite
from tests.support.waiting import PATIENCE_S, wait_until
from turnstile.commands.cli import main
from turnstile.protocol.requests import AccountRole

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SCREENSHOTS = "TURNSTILE_SCREENSHOTS"
"""Set in the environment to the folder where screenshots are to be kept; else none is made."""

PASSWORD = "four words at a door"

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


class ScreenSize(NamedTuple):
    """Width and height of a page in CSS pixels."""

    width: int
    height: int


PHONE, DESK, WALL = ScreenSize(360, 800), ScreenSize(1280, 800), ScreenSize(3840, 2160)

_ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage", "--autoplay-policy=user-gesture-required")
"""Tests may run as root and in a container with little shared memory."""


@contextmanager
def a_browser() -> Iterator[Browser]:
    """Give a Chromium without a window; skip the test with a reason where there is none."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as driver:
        try:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(_ARGUMENTS))
        except Error as error:
            pytest.skip(f"chromium does not start: {error.message.splitlines()[0]}")
        try:
            yield browser
        finally:
            browser.close()


class WebSite:
    """A site of real nodes with its web node, at an address that outlives it.

    Attributes:
        site: the other nodes, which a test starts.
        address: of the pages, such as ``http://127.83.5.61:24001``.
    """

    def __init__(self, folder: Path, *, sections: Mapping[str, Any] | None = None, **options: Any) -> None:
        """Write the site file; `options` are those of `RealSite`."""
        listen = free_addresses(1)[0].removeprefix("tcp://")
        web = {"web": {"listen": listen, "folder": "web"}, "displays": {}}
        self.site = RealSite(folder, sections={**web, **(sections or {})}, **options)
        self.address = f"http://{listen}"
        self._log = folder / "web.log"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *arguments: object) -> None:
        self.site.__exit__(*arguments)

    def start(self) -> None:
        """Start the web node, and return when it serves and the bus has heard it."""
        said = len(self.words)
        with self._log.open("ab") as log:
            self.site.nodes.running["web"] = subprocess.Popen(
                [sys.executable, "-W", "ignore", *self._command()],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        wait_until(lambda: "pages at" in self.words[said:] or self._has_ended(), lambda: self.words)
        assert not self._has_ended(), self.words

    def start_all(self) -> None:
        """Start every node and the web node, and return when each has beaten."""
        self.site.start_all()
        self.start()
        self.site.wait_for_beats("web")

    def kill(self) -> None:
        """Kill the web node (SIGKILL) and return when it is gone."""
        self.site.kill("web")

    def stop(self) -> None:
        """Ask the web node to stop, and return when it has, with exit code 0."""
        process = self.site.nodes.running.pop("web")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0, self.words

    def invite(self, name: str, role: AccountRole = "admin", doors: Iterable[str] = ()) -> str:
        """Return the link by which somebody comes in for the first time."""
        options = [option for door in doors for option in ("--door", door)]
        said = StringIO()
        with redirect_stdout(said):
            command = ["web", "invite", name, "--role", role, *options]
            assert main([*command, "--config", str(self.site.folder / "site.yaml")]) == 0
        found = re.search(r"http\S+", said.getvalue())
        assert found, said.getvalue()
        return found[0]

    @contextmanager
    def page_of(
        self,
        browser: Browser,
        name: str = "Ada",
        role: AccountRole = "admin",
        *,
        doors: Iterable[str] = (),
        size: ScreenSize = DESK,
        scheme: Scheme = "light",
    ) -> Iterator[Page]:
        """Give a page of somebody who is invited and has signed in."""
        with a_page(browser, self.address, size=size, scheme=scheme) as page:
            sign_in(page, self.invite(name, role, doors))
            yield page

    @property
    def words(self) -> str:
        """Return all that the web node has said."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _command(self) -> list[str]:
        return ["-m", "turnstile", "web", "--config", str(self.site.folder / "site.yaml")]

    def _has_ended(self) -> bool:
        return self.site.nodes.exit_code("web") is not None


@contextmanager
def a_page(
    browser: Browser,
    address: str,
    *,
    size: ScreenSize = DESK,
    scheme: Scheme = "light",
    script: bool = True,
) -> Iterator[Page]:
    """Give an empty page of a person of one's own, with its own cookies; paths are of `address`.

    Whatever a page's scripts throw, and whatever its policy blocks, fails the test.
    """
    phone = size.width < 600
    context = browser.new_context(
        base_url=address,
        viewport={"width": size.width, "height": size.height},
        color_scheme=scheme,
        reduced_motion="reduce",
        has_touch=phone,
        is_mobile=phone,
        java_script_enabled=script,
        locale="en-GB",
    )
    context.set_default_timeout(PATIENCE_S * 1000)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.extend(_of_the_policy(message)))
    try:
        yield page
    finally:
        context.close()
    assert not problems, problems


def sign_in(page: Page, link: str) -> None:
    """Come in by an invitation, with a password of one's own."""
    page.goto(link)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="sign in").click()
    page.wait_for_url("**/")


def violations(page: Page) -> list[str]:
    """Return what axe finds wrong with a page as it is, in light and in dark."""
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        results = Axe().run(page)
        found += [f"{scheme}: {results.generate_report()}"] if results.violations_count else []
    return found


def overflow_px(page: Page) -> int:
    """Return by how much a page is wider than its screen, which makes people scroll sideways."""
    wide: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return wide


def small_targets(page: Page, *, least_px: int = 44) -> list[str]:
    """Return what can be pressed and is smaller than a finger; links within a sentence may be."""
    found: list[str] = page.evaluate(
        """least => [...document.querySelectorAll("button, a, input, select, textarea, summary")]
            .filter(one => one.offsetParent && !one.closest("p, td, label") && one.type !== "hidden")
            .filter(one => one.offsetHeight < least || one.offsetWidth < least)
            .map(one => `${one.outerHTML.slice(0, 80)}: ${one.offsetWidth}x${one.offsetHeight}`)""",
        least_px,
    )
    return found


def tab_to(page: Page, name: str, *, at_most: int = 100) -> None:
    """Press the tabulator key until what bears this text or label has the focus."""
    for _ in range(at_most):
        page.keyboard.press("Tab")
        focused: str = page.evaluate(
            """() => { const one = document.activeElement;
                return [one.ariaLabel, one.innerText, one.labels?.[0]?.innerText, one.value]
                    .filter(Boolean).join("\\n"); }"""
        )
        if name in focused.split("\n"):
            return
    raise AssertionError(f"{name!r} is not reached by {at_most} presses of the tabulator key")


def keep_screenshot(page: Page, name: str, *, full: bool = False) -> None:
    """Keep what a page shows, where screenshots are wanted."""
    folder = os.environ.get(SCREENSHOTS)
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=full)


def _of_the_policy(message: ConsoleMessage) -> list[str]:
    return [message.text] if "Content Security Policy" in message.text else []
