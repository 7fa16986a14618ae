"""Local detection beside the drawing: a thread that looks for faces in the newest picture it was offered.

Policy: one slot a camera holds only its newest picture; older ones are not looked at. The thread rests as
long as it worked, so that it takes at most half of one core from drawing. A detector that fails ends the
display: without its fallback it would look as if nobody were there.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from turnstile.io.runner.worker import Worker
from turnstile.protocol.fields import Box
from turnstile.vision.arrays import PictureBgr


class LocalDetector(Protocol):
    """What finds faces in a picture."""

    def find(self, picture_bgr: PictureBgr) -> Sequence[Box]:
        """Return where faces might be, in the picture's own pixels."""
        ...


@dataclass(frozen=True, kw_only=True)
class LocalFaces:
    """What local detection found in one picture."""

    camera: str
    captured_ns: int
    boxes_px: tuple[Box, ...]
    """In pixels of the picture that was offered."""
    took_ms: float


class Fallback:
    """Runs a detector in a daemon thread. Pictures offered must not be changed afterwards."""

    def __init__(self, detector: LocalDetector) -> None:
        """Start the thread; it sleeps until a picture is offered."""
        self._detector = detector
        self._offered: dict[str, tuple[int, PictureBgr]] = {}
        self._found: list[LocalFaces] = []
        self._change = threading.Condition()
        self._ends = False
        self._worker = Worker("local detection", self._work)
        self._worker.start()

    def offer(self, camera: str, picture_bgr: PictureBgr, *, captured_ns: int) -> None:
        """Put a picture into the camera's slot; what was in it is dropped."""
        with self._change:
            self._offered[camera] = (captured_ns, picture_bgr)
            self._change.notify()

    def found(self) -> list[LocalFaces]:
        """Return what was found since the last call, oldest first; raise what the detector raised."""
        self._worker.check()
        with self._change:
            found, self._found = self._found, []
        return found

    def close(self, *, within_s: float = 0.5) -> None:
        """End the thread; a detection in hand is given `within_s`, then it is left to the daemon's end."""
        with self._change:
            self._ends = True
            self._change.notify()
        self._worker.close(within_s=within_s)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            camera, captured_ns, picture = job
            began_s = time.monotonic()
            boxes = tuple(self._detector.find(picture))
            took_s = time.monotonic() - began_s
            with self._change:
                found = LocalFaces(
                    camera=camera, captured_ns=captured_ns, boxes_px=boxes, took_ms=took_s * 1000
                )
                self._found.append(found)
                self._change.wait_for(lambda: self._ends, timeout=took_s)

    def _next(self) -> tuple[str, int, PictureBgr] | None:
        """Return the picture of the camera that waited longest; none at the end."""
        with self._change:
            self._change.wait_for(lambda: self._ends or self._offered)
            if self._ends:
                return None
            camera = next(iter(self._offered))
            captured_ns, picture = self._offered.pop(camera)
            return camera, captured_ns, picture
