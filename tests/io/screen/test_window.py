"""A display's window: opened where there is a screen, closed by its user."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.support.processes import Process
from tests.support.screens import close_window, need_xdotool, press_until_ended, share_of, wait_until_seen
from tests.support.waiting import PATIENCE_S
from turnstile.drawing.draw import GREEN
from turnstile.errors import DisplayError
from turnstile.io.screen.window import check_screen

TITLE = "Turnstile: hall"

A_WINDOW = f"""
import numpy as np
from turnstile.io.screen.window import Window
window = Window({TITLE!r}, size_px=(640, 480))
canvas = np.full((480, 640, 3), {GREEN}, np.uint8)
window.show(canvas)
while window.stays_open():
    window.show(canvas)
window.show(canvas)
assert not window.stays_open()
window.close()
print("closed")
"""


@contextmanager
def a_window(display: str, **environment: str) -> Iterator[Process]:
    """Give a process whose window is filled with green."""
    command = [sys.executable, "-c", A_WINDOW]
    environment = {**os.environ, "DISPLAY": display, **environment}
    with Process(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            wait_until_seen(display, lambda shot: share_of(shot, GREEN, by=2) > 0.2)
            yield process
        finally:
            process.kill()


@need_xdotool
@pytest.mark.parametrize(
    "end",
    [
        lambda process, display: press_until_ended(process, display, TITLE, "q"),
        lambda process, display: press_until_ended(process, display, TITLE, "Q"),
        lambda process, display: press_until_ended(process, display, TITLE, "Escape"),
        lambda _, display: close_window(display, TITLE),
    ],
    ids=["q", "Q", "Esc", "closed"],
)
def test_a_window_ends_when_its_user_says_so(
    virtual_screen: str, end: Callable[[Process, str], None]
) -> None:
    """And nothing opens it again."""
    with a_window(virtual_screen) as process:
        end(process, virtual_screen)
        said, complaints = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, said.split()) == (0, ["closed"]), complaints


@need_xdotool
def test_a_desktop_of_wayland_does_not_keep_the_window_away(virtual_screen: str) -> None:
    """OpenCV's Qt knows X11 only and aborts when the environment asks for another platform."""
    with a_window(virtual_screen, QT_QPA_PLATFORM="wayland") as process:
        press_until_ended(process, virtual_screen, TITLE, "q")
        assert process.wait(timeout=PATIENCE_S) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a screen")
@pytest.mark.parametrize(
    ("display", "says"),
    [
        ("", "DISPLAY is not set"),
        (":4242", "no display at :4242 yet"),
        ("nonsense", "not the name of a display"),
    ],
)
def test_without_a_screen_there_is_an_error_instead_of_an_abort(
    monkeypatch: pytest.MonkeyPatch, display: str, says: str
) -> None:
    """Qt would end the process with a core dump."""
    monkeypatch.setenv("DISPLAY", display)
    with pytest.raises(DisplayError, match=says):
        check_screen()


def test_with_a_screen_there_is_none(virtual_screen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is asked."""
    monkeypatch.setenv("DISPLAY", virtual_screen)
    for _ in range(300):
        check_screen()
