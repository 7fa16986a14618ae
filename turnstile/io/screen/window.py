"""The window of a display, and whether this machine can open one at all."""

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

import cv2

from turnstile.errors import DisplayError, NoScreenYetError
from turnstile.vision.arrays import PictureBgr

_QUIT_KEYS = frozenset({ord("q"), ord("Q"), 27})
_NO_CONNECTION = 1
_XCB_ERRORS = {
    _NO_CONNECTION: "no display at {display} yet: no X server answers there, or it refuses this user",
    2: "the X server of $DISPLAY={display} lacks an extension",
    5: "$DISPLAY={display} is not the name of a display",
    6: "the X server of $DISPLAY={display} has no such screen",
}


def check_screen() -> None:
    """Make sure that a window can be opened here.

    Asked before OpenCV is: its Qt ends the whole process with `abort()` when there is no X server.

    Raises:
        NoScreenYetError: the X server that $DISPLAY names does not answer.
        DisplayError: OpenCV has no windows, $DISPLAY is not set, or Qt lacks a library; the text says which.
    """
    framework = cv2.currentUIFramework()
    if not framework:
        raise DisplayError("this OpenCV is the headless one; install opencv-python")
    if sys.platform != "linux" or not framework.startswith("QT"):
        return
    display = os.environ.get("DISPLAY", "")
    if not display:
        raise DisplayError("no screen: $DISPLAY is not set")
    _join_xlib_and_xcb()
    try:
        # What Qt loads: names the library that is missing.
        ctypes.CDLL(str(Path(cv2.__file__).parent / "qt" / "plugins" / "platforms" / "libqxcb.so"))
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError as error:
        raise DisplayError(f"no window can be opened: {error}; install that library") from error
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(None, None)
    problem = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    if problem:
        text = _XCB_ERRORS.get(problem, "X error {problem} on $DISPLAY={display}")
        kind = NoScreenYetError if problem == _NO_CONNECTION else DisplayError
        raise kind(f"no screen: {text.format(display=display, problem=problem)}")


def _join_xlib_and_xcb() -> None:
    """Load the system's libX11-xcb before Qt loads the one that OpenCV's wheel brings.

    The wheel takes libX11 from the system, whose private parts are laid out otherwise than its own libX11-xcb
    expects: Qt's claim on the event queue goes astray, and Xlib eats events. Under load, 14 of 80 windows
    stayed black for ever; with this, none of 160 did (opencv-python 4.14.0.94, libX11 1.8.4).
    """
    with suppress(OSError):  # not installed: as good as it was
        ctypes.CDLL("libX11-xcb.so.1", mode=ctypes.RTLD_GLOBAL)


class Window:
    """A window on this machine's screen. Belongs to the main thread."""

    def __init__(self, title: str, *, size_px: tuple[int, int], fullscreen: bool = False) -> None:
        """Open it at this width and height; it can be resized and keeps the canvas's proportions.

        Raises:
            DisplayError: there is no screen.
        """
        check_screen()
        if sys.platform == "linux":
            os.environ["QT_QPA_PLATFORM"] = (
                "xcb"  # the one OpenCV brings; with another in the environment Qt aborts
            )
        self._title = title
        try:
            cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            cv2.resizeWindow(title, *size_px)
            if fullscreen:
                cv2.setWindowProperty(title, cv2.WND_PROP_FULLSCREEN, cv2.WINDOW_FULLSCREEN)
        except cv2.error as error:
            raise DisplayError(f"no window can be opened: {error.err or error}") from error
        self._open = True

    def show(self, canvas: PictureBgr) -> None:
        """Put a canvas on screen; the next `stays_open` lets it appear."""
        if self._open:
            cv2.imshow(self._title, canvas)

    def stays_open(self) -> bool:
        """Serve the window, and tell whether it is still wanted: neither closed nor `q` pressed.

        To be called at least every 50 ms, or the window feels stuck.
        """
        if self._open:
            pressed = cv2.waitKey(1) & 0xFF in _QUIT_KEYS
            self._open = not pressed and self._visible()
        return self._open

    def close(self) -> None:
        """Close it, unless its user did."""
        self._open = False
        with suppress(cv2.error):  # Qt has shut down with its last window
            cv2.destroyAllWindows()

    def _visible(self) -> bool:
        try:
            return cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:  # the same
            return False
