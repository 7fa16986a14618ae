"""Advice to the people at a door in words, and for whom it is when there are several."""

from collections.abc import Sequence

from turnstile.protocol.fields import Advised, Box, overlap_of
from turnstile.protocol.reasons import ADVICE_WORDS

BETWEEN = "  ·  "


def in_words(advised: Sequence[Advised], boxes_px: Sequence[Box]) -> str:
    """Return advice as one line. `boxes_px` are all faces on screen, which name whose advice it is."""
    whose: dict[str, list[str]] = {}
    for one in advised:
        places = whose.setdefault(ADVICE_WORDS[one.advice], [])
        if one.box_px is not None and (place := _place(one.box_px, boxes_px)) not in places:
            places.append(place)
    lines = []
    for words, places in whose.items():
        to_all = not all(places) or len(places) in (0, len(boxes_px))
        lines.append(words if to_all else f"{' and '.join(places)}: {words}")
    return BETWEEN.join(lines)


def _place(box_px: Box, boxes_px: Sequence[Box]) -> str:
    """Return where a face is among all; empty if it is the only one, or none of them."""
    nearest = max(boxes_px, key=lambda other: overlap_of(box_px, other), default=None)
    if nearest is None or len(boxes_px) == 1 or overlap_of(box_px, nearest) == 0:
        return ""
    at = sorted(boxes_px, key=lambda other: other.left + other.right).index(nearest)
    if len(boxes_px) <= 3:
        return ("left", "right" if len(boxes_px) == 2 else "middle", "right")[at]
    return f"number {at + 1} from the left"
