"""Which faces of a crowd are encoded, so that one camera's frame never holds up the others.

On one core an encoding takes 3 to 13 ms. A poster of 84 faces at one door took a second and more for every
frame, and the next door's verdict waited as long.
"""

from collections.abc import Sequence

from turnstile.protocol.fields import Box

MAX_ENCODED = 8
"""Faces of a frame that are encoded; more than anybody ever stands at a door."""

BIGGEST = 4
"""Of these so many are the biggest, in every frame. The others take turns."""

MAX_IN_TURN = 32
"""The broker follows no more faces of a frame (`turnstile.access.visits`)."""


def to_encode(boxes: Sequence[Box], turn: int) -> list[int]:
    """Return which of a frame's boxes, biggest first, are encoded in a turn.

    Somebody who stands before a poster is among the biggest, or has a turn in every seventh frame at least.
    """
    if len(boxes) <= MAX_ENCODED:
        return list(range(len(boxes)))
    others = min(len(boxes), MAX_IN_TURN) - BIGGEST
    start = turn * (MAX_ENCODED - BIGGEST)
    chosen = {BIGGEST + (start + step) % others for step in range(MAX_ENCODED - BIGGEST)}
    return [*range(BIGGEST), *sorted(chosen)]
