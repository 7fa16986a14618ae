"""Hints: where each camera's faces were last. They go with the next frame, so recognizers stay stateless.

A face whose visit is decided need not be encoded if it was a moment ago and no other face is near.
The recognizer encodes it all the same if it is not where it was (`turnstile.vision.encode.known`).
"""

from collections.abc import Mapping
from typing import NamedTuple

from turnstile.protocol.fields import Box, Hint, stands_alone
from turnstile.protocol.messages import Result

MAX_AGE_NS = 2_000_000_000


class AtDoor(NamedTuple):
    """Who is at a door after a result."""

    any_open: bool
    """Whether any visit is open."""
    read_ns: Mapping[Box, int]
    """Box of a face in view whose visit is decided → when the frame came in which it was last encoded."""
    asks_network: bool = False
    """Whether it is to be known how likely the faces of the next frame are alive."""
    any_undecided: bool = False
    """Whether any of the visits has no verdict yet."""


class Hints:
    """The latest result of each camera, and how many results ago the whole picture was scanned."""

    def __init__(self, *, confirm_every_s: float) -> None:
        self._confirm_every_ns = round(confirm_every_s * 1e9)
        self._decided: dict[str, Mapping[Box, int]] = {}
        self._latest: dict[str, tuple[Result, int]] = {}
        self._since_full_scan: dict[str, int] = {}

    def learn(self, result: Result, came_ns: int) -> None:
        """Take over a result's boxes; one that is no newer than the latest changes nothing.

        Args:
            result: of a frame.
            came_ns: when that frame came, on a clock that runs.
        """
        _, latest_ns = self._latest.get(result.camera, (None, 0))
        if came_ns <= latest_ns:
            return
        self._latest[result.camera] = (result, came_ns)
        since = self._since_full_scan.get(result.camera, 0)
        self._since_full_scan[result.camera] = 0 if result.full_scan else since + 1

    def note_decided(self, camera: str, read_ns: Mapping[Box, int]) -> None:
        """Note the faces whose visits are decided, see `AtDoor`."""
        self._decided[camera] = read_ns

    def hint(self, camera: str, came_ns: int) -> Hint | None:
        """Return the hint for a frame that came then; `None` if the camera's latest result is no help."""
        latest, latest_ns = self._latest.get(camera, (None, 0))
        if latest is None or not latest.faces:
            return None
        age_ns = came_ns - latest_ns
        if not 0 <= age_ns <= MAX_AGE_NS:
            return None
        boxes_px = tuple(face.box_px for face in latest.faces)
        return Hint(
            boxes_px=boxes_px,
            age_s=age_ns / 1e9,
            frames_since_full_scan=self._since_full_scan[camera],
            find_only=self._known(camera, boxes_px, came_ns),
        )

    def forget(self, camera: str) -> None:
        """Drop what is held for a camera that is gone."""
        self._latest.pop(camera, None)
        self._since_full_scan.pop(camera, None)
        self._decided.pop(camera, None)

    def _known(self, camera: str, boxes_px: tuple[Box, ...], came_ns: int) -> tuple[int, ...]:
        """Return which faces were encoded a moment ago, after a decision, and stand alone."""
        read_ns = self._decided.get(camera, {})
        fresh = [
            at
            for at, box in enumerate(boxes_px)
            if 0 <= came_ns - read_ns.get(box, -self._confirm_every_ns) < self._confirm_every_ns
        ]
        return tuple(at for at in fresh if stands_alone(at, boxes_px))
