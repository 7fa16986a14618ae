"""Places of faces in a picture, compared with each other."""

from collections.abc import Sequence

from turnstile.protocol.fields import Box

ALONE_WIDTHS = 1.5
"""Another face nearer than this, in widths of the wider one, may take the place of this one."""


def apart_widths(a: Box, b: Box) -> float:
    """Return how far the centres of two faces are apart, in widths of the wider one."""
    across = (a.left + a.right - b.left - b.right) / 2
    down = (a.top + a.bottom - b.top - b.bottom) / 2
    return float((across**2 + down**2) ** 0.5 / max(1, a.width, b.width))


def overlap_of(one: Box, other: Box) -> float:
    """Return the intersection of two boxes over their union, 0 to 1."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (one.width * one.height + other.width * other.height - shared)


def stands_alone(at: int, boxes_px: Sequence[Box]) -> bool:
    """Tell whether no other face is near one of these."""
    others = (box for other, box in enumerate(boxes_px) if other != at)
    return all(apart_widths(boxes_px[at], box) >= ALONE_WIDTHS for box in others)
