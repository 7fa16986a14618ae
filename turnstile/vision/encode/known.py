"""Which faces of a frame need no encoding, as the broker knows whose they are.

The broker names them by where they were a moment ago (`turnstile.protocol.fields.Hint`). A face is taken for
one of those only if it did not move and stands alone. All others are encoded.
"""

from collections.abc import Sequence

from turnstile.protocol.fields import Box, Hint, apart_widths, stands_alone

MOVED_WIDTHS = 0.35
"""A face whose centre moved farther, in widths, has left its place: 0.6 m/s at 10 frames a second. Detectors
place the same face 0.1 widths apart."""

RESIZED = 1.4
"""So many times as wide, or less by as much, is another face. Unmeasured."""


def unknown_faces(boxes_px: Sequence[Box], hint: Hint | None) -> list[int]:
    """Return the indices of the faces to encode."""
    known = [] if hint is None else [hint.boxes_px[at] for at in hint.find_only if at < len(hint.boxes_px)]
    return [
        at
        for at, box in enumerate(boxes_px)
        if not (any(_is_at(place, box) for place in known) and stands_alone(at, boxes_px))
    ]


def _is_at(place: Box, box: Box) -> bool:
    ratio = max(1, box.width) / max(1, place.width)
    return apart_widths(place, box) <= MOVED_WIDTHS and 1 / RESIZED <= ratio <= RESIZED
