"""Find out that a camera is mounted sideways: faces are found upright only, so nobody is ever seen there.

Until a camera's first upright faces, one in `LOOK_EVERY` frames without a face is searched once more, turned
by the next of three right angles. A turned face must be found in two looks in a row: a false one rarely is.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle

import cv2

from turnstile.vision.pictures import checked, decode_frame_bgr
from turnstile.vision.turning import turned

LOOK_EVERY = 30
TURNS = (90, 270, 180)
UPRIGHT_FRAMES = 100
"""So many frames with an upright face settle it. Where faces lie, a detector still errs now and then."""


@dataclass(kw_only=True)
class _Unsettled:
    """What is known of one camera whose faces were never upright."""

    frames: int = 0
    turns: Iterator[int] = field(default_factory=lambda: cycle(TURNS))
    suspected: int = 0
    """Degrees by which the frame of the last look was turned, if it had a face; else 0."""


@dataclass(kw_only=True)
class SidewaysWatch:
    """Notes of each camera whether its faces are upright."""

    count_faces: Callable[[bytes], int]
    """Returns how many faces a JPEG has."""
    hints: dict[str, str] = field(default_factory=dict)
    """By camera: what to change in the site file."""
    _open: dict[str, _Unsettled] = field(default_factory=dict)
    _upright: Counter[str] = field(default_factory=Counter)
    """Frames with an upright face, by camera."""

    def note(self, camera: str, jpeg: bytes, *, faces: int) -> str:
        """Note a frame that was searched in full; return a new hint, or nothing."""
        self._upright[camera] += faces > 0
        if self._upright[camera] >= UPRIGHT_FRAMES:
            self._open.pop(camera, None)
            self.hints.pop(camera, None)
            return ""
        if faces or camera in self.hints:
            return ""
        door = self._open.setdefault(camera, _Unsettled())
        door.frames += 1
        if door.frames % LOOK_EVERY and not door.suspected:
            return ""
        degrees = door.suspected or next(door.turns)
        if not self._has_faces(jpeg, degrees):
            door.suspected = 0
            return ""
        if not door.suspected:
            door.suspected = degrees
            return ""
        self.hints[camera] = (
            f"{camera}: faces are found only when its pictures are turned by {degrees} degrees, so nobody is "
            f"recognised there; if the camera is mounted so, add {degrees} to cameras.{camera}.rotate"
        )
        return self.hints[camera]

    def _has_faces(self, jpeg: bytes, degrees: int) -> bool:
        done, again = cv2.imencode(".jpg", turned(decode_frame_bgr(checked(jpeg)), degrees))
        return bool(done and self.count_faces(again.tobytes()))
