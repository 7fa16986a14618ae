"""All that a display's canvas goes to: a window, a recording, snapshots; any of them, but at least one."""

import argparse
import logging
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from turnstile.errors import DisplayError
from turnstile.io.screen.recorder import Moments, Recorder, check_picture_path, save_picture
from turnstile.io.screen.window import Window, check_screen
from turnstile.screen.scene import View
from turnstile.site.settings import DisplaySettings
from turnstile.vision.arrays import PictureBgr

WITHOUT_A_SCREEN = "without a screen, use --record FILE.mp4, --snapshot FILE.png or --snapshots FOLDER"

log = logging.getLogger("turnstile")


@dataclass(kw_only=True)
class Outputs:
    """What was asked for and could be opened."""

    window: Window | None = None
    recorder: Recorder | None = None
    snapshot: Path | None = None
    """Written at the end."""
    moments: Moments | None = None
    _stale_kept: set[str] = field(default_factory=set)

    def put(self, canvas: PictureBgr, *, changed: bool, now_s: float) -> bool:
        """Show and record the canvas; return False once the user has closed the window or pressed `q`."""
        if self.recorder is not None:
            self.recorder.keep(canvas, now_s=now_s)
        if self.window is None:
            return True
        if changed:
            self.window.show(canvas)
        return self.window.stays_open()

    def keep_moments(self, canvas: PictureBgr, before: View | None, now: View) -> None:
        """Keep the canvas when a banner has just come up in it, or the first box of local detection."""
        if self.moments is None:
            return
        if now.light != "stale":
            self._stale_kept.discard(now.camera)
        elif now.marks and now.camera not in self._stale_kept:
            self._stale_kept.add(now.camera)
            self.moments.save(now.camera, "stale", canvas)
        for banner in now.banners:
            if before is None or banner not in before.banners:
                self.moments.save(now.camera, banner.verdict, canvas)

    def close(self, canvas: PictureBgr) -> None:
        """Finish the files, the last snapshot among them, and close the window.

        Raises:
            DisplayError: a file could not be finished.
        """
        with ExitStack() as whatever_happens:
            if self.window is not None:
                whatever_happens.callback(self.window.close)
            if self.recorder is not None:
                whatever_happens.callback(self.recorder.close)
            if self.snapshot is not None:
                save_picture(self.snapshot, canvas)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what only a display has. None of it is in the site file: it is about this one run."""
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="record a video (.mp4) that plays in real time"
    )
    parser.add_argument(
        "--snapshot", type=Path, metavar="FILE", help="write the last picture (.png) at the end"
    )
    parser.add_argument(
        "--snapshots",
        type=Path,
        metavar="FOLDER",
        help="keep the newest picture of each: CAMERA-granted.png, CAMERA-denied.png, CAMERA-stale.png",
    )
    parser.add_argument("--no-window", action="store_true", help="open no window although there is a screen")


def open_outputs(
    display: DisplaySettings, options: argparse.Namespace, *, title: str, now_s: float
) -> Outputs:
    """Open what was asked for; a window is not insisted on when there is something else.

    Raises:
        DisplayError: there is no screen and nothing else was asked for, or a file cannot be written.
    """
    window, in_files = not options.no_window, any((options.record, options.snapshot, options.snapshots))
    if not (window or in_files):
        raise DisplayError("--no-window needs --record FILE.mp4, --snapshot FILE.png or --snapshots FOLDER")
    if options.snapshot is not None:
        check_picture_path(options.snapshot)
    if window:
        try:
            check_screen()
        except DisplayError as error:
            if not in_files:
                raise type(error)(f"{error}; {WITHOUT_A_SCREEN}") from error
            log.info("no window is opened: %s", error)
            window = False
    size_px = display.size_px
    return Outputs(
        window=Window(title, size_px=size_px, fullscreen=display.fullscreen) if window else None,
        moments=None if options.snapshots is None else Moments(options.snapshots),
        snapshot=options.snapshot,
        recorder=(None if options.record is None else Recorder(options.record, size_px=size_px, now_s=now_s)),
    )
