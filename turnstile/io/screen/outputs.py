"""All that a display's canvas goes to: a window, a recording, snapshots; any of them, but at least one."""

import logging
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from turnstile.errors import DisplayError
from turnstile.io.screen.recorder import Moments, Recorder, check_picture_path, save_picture
from turnstile.io.screen.window import Window, check_screen
from turnstile.screen.scene import View
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


def open_outputs(
    *,
    title: str,
    size_px: tuple[int, int],
    fullscreen: bool,
    window: bool,
    record: Path | None,
    snapshot: Path | None,
    snapshots: Path | None,
    now_s: float,
) -> Outputs:
    """Open what was asked for; a window is not insisted on when there is something else.

    Raises:
        DisplayError: there is no screen and nothing else was asked for, or a file cannot be written.
    """
    in_files = any((record, snapshot, snapshots))
    if not (window or in_files):
        raise DisplayError("--no-window needs --record FILE.mp4, --snapshot FILE.png or --snapshots FOLDER")
    if snapshot is not None:
        check_picture_path(snapshot)
    if window:
        try:
            check_screen()
        except DisplayError as error:
            if not in_files:
                raise DisplayError(f"{error}; {WITHOUT_A_SCREEN}") from error
            log.info("no window is opened: %s", error)
            window = False
    return Outputs(
        window=Window(title, size_px=size_px, fullscreen=fullscreen) if window else None,
        moments=None if snapshots is None else Moments(snapshots),
        snapshot=snapshot,
        recorder=None if record is None else Recorder(record, size_px=size_px, now_s=now_s),
    )
