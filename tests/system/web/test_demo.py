"""The demo in a browser: whoever runs it comes in by the link that it prints."""

import os
import re
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import a_page, sign_in
from tests.support.processes import Process, Programs
from tests.support.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.system

INTERRUPTED = 130


@pytest.fixture
def no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no browser but the test's."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Let processes hear Ctrl-C, which a shell has its background jobs ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def a_demo(programs: Programs, folder: Path) -> Process:
    """Start the demo, its files in a folder of its own."""
    return programs.start("-m", "turnstile", "demo", "--folder", str(folder / "demo"))


def link_of(demo: Process) -> str:
    """Return the link that the demo prints."""
    said = []
    assert demo.stdout is not None
    for line in demo.stdout:
        said.append(line)
        if found := re.search(r"until the demo ends: (http\S+)$", line.rstrip()):
            return found[1]
    raise AssertionError(f"no link: {said}")


def interrupt(demo: Process) -> str:
    """Press Ctrl-C, and return what the demo has said since its link."""
    demo.send_signal(signal.SIGINT)
    said, problem = demo.communicate(timeout=PATIENCE_S)
    assert demo.returncode == INTERRUPTED, problem
    return said


@pytest.mark.usefixtures("no_screen")
def test_the_link_leads_to_the_wall_once(folder: Path, browser: Browser) -> None:
    """A password is set there, the demo's doors are seen, and nobody else gets in by it."""
    with Programs() as programs:
        demo = a_demo(programs, folder)
        link = link_of(demo)
        with a_page(browser, link) as page, a_page(browser, link) as late:
            sign_in(page, link)
            for door in ("door", "side"):
                expect(page.get_by_role("region", name="Doors").get_by_text(door, exact=True)).to_be_visible()
            answer = late.goto(link)
            assert answer is not None
            assert answer.status in {403, 404, 410}
            interrupt(demo)


def test_a_browser_opens_at_the_link_where_there_is_a_screen(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that the system names; the demo goes on though it hangs."""
    opened = folder / "opened"
    program = folder / "a-browser"
    keep = f'printf %s "$1" >{opened}.part && mv {opened}.part {opened}'
    program.write_text(f"#!/bin/sh\n{keep}\nexec sleep 600\n")
    program.chmod(stat.S_IRWXU)
    monkeypatch.setenv("WAYLAND_DISPLAY", "none")
    monkeypatch.setenv("BROWSER", str(program))
    with Programs() as programs:
        demo = a_demo(programs, folder)
        link = link_of(demo)
        wait_until(opened.exists, "no browser was opened")
        assert opened.read_text() == link
        interrupt(demo)


@pytest.mark.usefixtures("no_screen")
def test_the_demo_goes_on_without_pages(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says once that there are none, and why."""
    without = folder / "without"
    without.mkdir()
    (without / "starlette.py").write_text("raise ModuleNotFoundError('no starlette', name='starlette')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(without), os.environ.get("PYTHONPATH", "")]))
    with Programs() as programs:
        demo = a_demo(programs, folder)
        assert demo.stdout is not None
        said = []
        for line in demo.stdout:
            said.append(line)
            if "starting the cameras" in line:
                break
        assert sum("no pages in a browser" in line and "starlette" in line for line in said) == 1, said
        interrupt(demo)
