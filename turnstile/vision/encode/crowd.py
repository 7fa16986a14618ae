"""Which faces of a frame are encoded, so that one camera's frame never holds up the others.

On one core an encoding takes 3 to 80 ms. A poster of 84 faces at one door took a second and more for every
frame, and the next door's verdict waited as long. So a frame's encodings are bounded in number and in time.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from turnstile.people.encodings import ENCODING_SIZE, Encodings
from turnstile.protocol.fields import Box, Hint
from turnstile.vision.arrays import PictureRgb
from turnstile.vision.encode.known import unknown_faces

MAX_ENCODED = 8
"""Faces of a frame that are encoded; more than anybody ever stands at a door."""

NEAREST = 4
"""Of these so many are the nearest to the camera, in every frame. The others take turns."""

AT_THE_CORNER = 0.5
"""What the size of a face in the corner counts, against one in the middle; unmeasured."""


class FacesRead(NamedTuple):
    """Which faces of a frame were to be encoded, and which were in time."""

    wanted: tuple[int, ...]
    encoded: tuple[int, ...]
    encodings: Encodings
    """A row for each of `encoded`."""
    turns: tuple[float, ...]
    """How far the head of each of these is turned (`Looks.turn`)."""


@dataclass(kw_only=True)
class FaceReader:
    """Encodes the faces of a frame that nobody knows yet, those first that matter most, within a time.

    Faces encoded together share a pass of landmarks, chips and network, whose weights stay in the
    processor's cache. As many are begun together as take half of the time left, by what the last ones took.
    """

    encode: Callable[[PictureRgb, Sequence[Box]], tuple[Encodings, tuple[float, ...]]]
    """Returns a row a face, `(n, 128)`, and how far each head is turned."""
    budget_s: float
    """No face is begun after so long."""
    clock: Callable[[], float] = time.perf_counter
    _face_s: float = float("inf")
    """How long the last face took."""

    def read(self, frame: PictureRgb, boxes: Sequence[Box], hint: Hint | None) -> FacesRead:
        """Encode faces of a frame.

        Args:
            frame: uint8 `(height, width, 3)`.
            boxes: of all faces found.
            hint: which of them need not be encoded.
        """
        wanted, turn = unknown_faces(boxes, hint), secrets.randbelow(2**30)
        height_px, width_px = frame.shape[:2]
        order = to_encode([boxes[at] for at in wanted], width_px=width_px, height_px=height_px, turn=turn)
        encoded, encodings, turns = self.encode_in_time(frame, boxes, [wanted[at] for at in order])
        return FacesRead(tuple(wanted), encoded, encodings, turns)

    def encode_in_time(
        self, frame: PictureRgb, boxes: Sequence[Box], order: Sequence[int]
    ) -> tuple[tuple[int, ...], Encodings, tuple[float, ...]]:
        """Return which faces were encoded in time, at least one, in order of `boxes`, with rows and turns."""
        rows, turns = [np.empty((0, ENCODING_SIZE), np.float32)], list[float]()
        now_s = self.clock()
        until_s, done = now_s + self.budget_s, 0
        while done < len(order) and (not done or now_s < until_s):
            together = order[done:][: max(1, int((until_s - now_s) / 2 / self._face_s))]
            more, turned = self.encode(frame, [boxes[at] for at in together])
            rows.append(more)
            turns += turned
            began_s, now_s = now_s, self.clock()
            done, self._face_s = done + len(together), max(1e-6, now_s - began_s) / len(together)
        encoded = np.argsort(order[:done])
        return (
            tuple(order[at] for at in encoded),
            np.concatenate(rows)[encoded],
            tuple(turns[at] for at in encoded),
        )


def to_encode(boxes: Sequence[Box], *, width_px: int, height_px: int, turn: int) -> list[int]:
    """Return which of a frame's boxes are encoded, in this order, as far as the time goes.

    Big faces and those near the middle come first, in half of the frames. In the other half the order begins
    elsewhere, so everybody has a turn even where the time is enough for one face.

    Args:
        boxes: of all faces found.
        width_px: of the frame.
        height_px: of the frame.
        turn: another number for each frame, at random: a regular one may favour somebody for ever.
    """
    weights = [_weight(box, width_px, height_px) for box in boxes]
    ranked = sorted(range(len(boxes)), key=lambda at: -weights[at])
    elsewhere, turn = turn % 2, turn // 2
    turn, first = divmod(turn, MAX_ENCODED)
    others = _from(ranked[NEAREST:], turn)[: MAX_ENCODED - NEAREST]
    chosen = [*ranked[:NEAREST], *others]
    return _from(chosen, first) if elsewhere else chosen


def _weight(box: Box, width_px: int, height_px: int) -> float:
    """Return the area of a face, less where it is far from the middle."""
    across = (box.left + box.right) / max(1, width_px) - 1
    down = (box.top + box.bottom) / max(1, height_px) - 1
    away = min(1.0, float(np.hypot(across, down) / np.sqrt(2)))
    return box.width * box.height * (1 - (1 - AT_THE_CORNER) * away)


def _from(faces: Sequence[int], start: int) -> list[int]:
    at = start % max(1, len(faces))
    return [*faces[at:], *faces[:at]]
