"""A display's picture in files: a video that plays in real time, and snapshots.

Canvases are uint8 `(height, width, 3)`, blue first, and all of one size.
"""

import math
import os
from pathlib import Path

import cv2

from turnstile.errors import DisplayError
from turnstile.files.private import close_to_others, open_plain
from turnstile.files.reading import is_absent, read_file
from turnstile.files.whole import write_whole
from turnstile.vision.arrays import PictureBgr

RECORD_FPS = 30.0
"""Frames a second of a recording; a 1280x720 canvas costs 5 to 6 ms each (measured, mp4v, one core)."""

MAX_BEHIND_S = 1.0
"""A recording further behind than this skips what it missed instead of holding up the window."""

_VIDEOS = ((4, b"ftyp"), (4, b"free"), (4, b"mdat"), (0, b"RIFF"), (0, b"\x1aE\xdf\xa3"))
"""Where and with what MP4, AVI and Matroska begin."""

_PNG = b"\x89PNG"


class Recorder:
    """A video file that plays in real time, whatever pace the canvases come at."""

    def __init__(
        self, path: Path, *, size_px: tuple[int, int], now_s: float, fps: float = RECORD_FPS
    ) -> None:
        """Create the file; its time begins at `now_s` of a monotonic clock.

        Raises:
            DisplayError: it cannot be written.
        """
        self.path = path
        self._fps, self._began_s, self._written = fps, now_s, 0
        _make_writable(path)
        _make_private(path)
        self._writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, size_px)
        if not self._writer.isOpened():
            raise DisplayError(f"--record {path}: OpenCV cannot write such a video; name it something.mp4")

    def keep(self, canvas: PictureBgr, *, now_s: float) -> None:
        """Write the canvas that is on screen as often as the time since the last call asks for."""
        due = math.floor((now_s - self._began_s) * self._fps) + 1 - self._written
        if due > MAX_BEHIND_S * self._fps:
            self._began_s += (due - 1) / self._fps
            due = 1
        for _ in range(due):
            self._writer.write(canvas)
        self._written += max(0, due)

    def close(self) -> None:
        """Finish the file; until then no player can open it.

        Raises:
            DisplayError: nothing was written, as on a full disk.
        """
        self._writer.release()
        if self._written and not (self.path.is_file() and self.path.stat().st_size):
            raise DisplayError(f"--record {self.path}: the video could not be written")


def check_picture_path(path: Path) -> None:
    """Make sure early that a PNG can be written there later.

    Raises:
        DisplayError: its name does not end in .png, or its folder is missing or read-only.
    """
    if path.suffix.lower() != ".png":
        raise DisplayError(f"{path}: a snapshot is a PNG; name it something.png")
    _make_writable(path)
    _refuse_what_is_no_png(path)


def save_picture(path: Path, canvas: PictureBgr) -> None:
    """Write a PNG that appears whole or not at all, and that only its owner can read.

    Raises:
        DisplayError: it cannot be written.
    """
    done, data = cv2.imencode(".png", canvas, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    _refuse_what_is_no_png(path)
    try:
        write_whole(path, data.tobytes() if done else b"")
    except OSError as error:
        raise DisplayError(f"{path}: cannot be written: {error.strerror}") from error


class Moments:
    """A folder with the newest picture of each kind of moment of each camera: ``<camera>-granted.png``."""

    def __init__(self, folder: Path) -> None:
        """Make the folder.

        Raises:
            DisplayError: it cannot be made or written to.
        """
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise DisplayError(f"--snapshots {folder}: cannot be made: {error.strerror}") from error
        _make_writable(folder / "any.png")

    def save(self, camera: str, moment: str, canvas: PictureBgr) -> None:
        """Write the canvas in place of the last one of its kind.

        Raises:
            DisplayError: it cannot be written.
        """
        save_picture(self.folder / f"{camera}-{moment}.png", canvas)


def _make_writable(path: Path) -> None:
    """Raise a DisplayError unless a file of this path can be written."""
    folder = path.parent
    if not folder.is_dir():
        raise DisplayError(f"{path}: there is no folder {folder}")
    if path.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise DisplayError(f"{path}: cannot be written")


def _refuse_what_is_no_png(path: Path) -> None:
    try:
        begin = b"" if is_absent(path) else read_file(path, at_most=len(_PNG))
    except OSError as error:
        raise DisplayError(f"{path}: cannot be written: {error.strerror}") from error
    if begin and begin != _PNG:
        raise DisplayError(f"{path}: it holds something that is no PNG; name another file")


def _make_private(path: Path) -> None:
    """Make a video's file for its owner only, as OpenCV would make it by the umask; replace only videos."""
    try:
        descriptor = open_plain(path, os.O_WRONLY)
        try:
            begin = read_file(path, at_most=8)
            if begin and not any(begin[at:].startswith(mark) for at, mark in _VIDEOS):
                raise DisplayError(f"--record {path}: it holds something that is no video; name another file")
            close_to_others(path)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DisplayError(f"--record {path}: cannot be written: {error.strerror}") from error
