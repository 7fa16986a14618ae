"""A virtual screen seen and used from outside, as its user would."""

import ctypes
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import numpy as np
import numpy.typing as npt
import pytest
from PIL import ImageGrab

from tests.support.waiting import PATIENCE_S, wait_until

Screenshot = npt.NDArray[np.uint8]
"""uint8 `(height, width, 3)`, red first."""

LOOK_AGAIN_S = 0.2
"""Between two screenshots: an X server goes on serving whoever is new first, and the window would starve."""

need_xdotool = pytest.mark.skipif(shutil.which("xdotool") is None, reason="xdotool is not installed")

_OPTIONS = ("-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset", "-r")
"""Keys do not repeat: one that was pressed and never let go would end every later window."""

_CLIENT_MESSAGE = 33


class _ClientMessage(ctypes.Structure):
    """What X11's `XClientMessageEvent` is, padded to the size of `XEvent`."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("padding", ctypes.c_long * 24),
    )


@contextmanager
def a_screen(display: str = "") -> Iterator[str]:
    """Give the DISPLAY of a screen of 1280x800, any that is free or this one; empty without Xvfb."""
    if shutil.which("Xvfb") is None:
        yield ""
        return
    reader, writer = os.pipe()
    command = ["Xvfb", *filter(None, [display]), "-displayfd", str(writer), *_OPTIONS]
    with subprocess.Popen(command, pass_fds=(writer,), stderr=subprocess.DEVNULL) as server:
        os.close(writer)
        try:
            with os.fdopen(reader) as numbers:
                yield f":{numbers.readline().strip()}"
        finally:
            server.terminate()


def screenshot(display: str) -> Screenshot:
    """Return what is on a screen."""
    return np.asarray(ImageGrab.grab(xdisplay=display).convert("RGB"), np.uint8)


def share_of(shot: Screenshot, colour_bgr: tuple[int, int, int], *, by: int = 40) -> float:
    """Return how much of a screenshot has about this colour, from 0 to 1."""
    apart = np.abs(shot[:, :, ::-1].astype(int) - colour_bgr)
    return float((apart <= by).all(axis=2).mean())


def wait_until_seen(display: str, condition: Callable[[Screenshot], bool]) -> Screenshot:
    """Return the first screenshot that meets a condition."""

    def look() -> list[Screenshot]:
        shot = screenshot(display)
        return [shot] if condition(shot) else []

    return wait_until(look, "something on the screen", between=lambda: time.sleep(LOOK_AGAIN_S))[0]


def press_until_ended(
    process: subprocess.Popen[str] | subprocess.Popen[bytes], display: str, title: str, key: str
) -> None:
    """Press a key in the window of this title, and again if its process does not end.

    Qt drops a key that comes before it has taken note of the focus. The wait in between is long, because a
    busy machine takes its time to end a process, and xdotool would wait for ever for a window that is gone.
    """
    for _ in range(3):
        press(display, title, key)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=PATIENCE_S / 3)
            return


def press(display: str, title: str, key: str) -> None:
    """Press a key in the window of this title, once it has the focus."""
    search = ["search", "--sync", "--onlyvisible", "--name", title]
    command = ["xdotool", *search, "windowfocus", "--sync", "key", "--clearmodifiers", key]
    let_go = ["xdotool", "keyup", key]
    environment = {**os.environ, "DISPLAY": display}
    try:
        subprocess.run(command, check=True, capture_output=True, env=environment)
    finally:
        # xdotool ends early when the window goes at the press, and every later window would get the key
        subprocess.run(let_go, check=True, capture_output=True, env=environment)


def close_window(display: str, title: str) -> None:
    """Close the window of this title as a window manager does: by asking it to."""
    command = ["xdotool", "search", "--sync", "--onlyvisible", "--name", title]
    environment = {**os.environ, "DISPLAY": display}
    found = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    window = int(found.stdout.split()[-1])
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype, x11.XOpenDisplay.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    x11.XInternAtom.restype = ctypes.c_ulong
    x11.XInternAtom.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    x11.XSendEvent.argtypes = [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    connection = x11.XOpenDisplay(display.encode())
    message = _ClientMessage(
        type=_CLIENT_MESSAGE,
        window=window,
        message_type=x11.XInternAtom(connection, b"WM_PROTOCOLS", 0),
        format=32,
    )
    message.data[0] = x11.XInternAtom(connection, b"WM_DELETE_WINDOW", 0)
    assert x11.XSendEvent(connection, window, 0, 0, ctypes.byref(message))
    x11.XCloseDisplay(connection)
