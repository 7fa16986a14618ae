"""What the frame that decided a visit would have said under other settings.

The log keeps one frame of a visit. What the visit's other frames would have said is not known from it;
`turnstile.access.replay` tells that where results are recorded.
"""

import math
from typing import NamedTuple

from turnstile.requests.answers import VisitEntry

STEP = 0.05
STEPS = 2


class OtherLimit(NamedTuple):
    """A limit, and what the frame would have said."""

    limit: float
    words: str
    is_set: bool
    """It is the one that was set."""
    agrees: bool
    """It says the same as the one that was set."""


def other_limits(visit: VisitEntry, *, min_margin: float) -> list[OtherLimit]:
    """Return what limits around the one that was set would have said, the strictest first."""
    if visit.distance is None or visit.max_distance is None:
        return []
    set_words = _said(visit, visit.max_distance, min_margin)
    found = []
    for step in range(-STEPS, STEPS + 1):
        limit = round(visit.max_distance + step * STEP, 4)
        if limit > 0:
            words = _said(visit, limit, min_margin)
            found.append(OtherLimit(limit, words, is_set=step == 0, agrees=words == set_words))
    return found


def needed_limit(visit: VisitEntry, *, min_margin: float) -> str:
    """Return from which limit on the frame would have been recognised, in words; empty if it was."""
    if visit.distance is None or visit.max_distance is None:
        return ""
    if visit.margin is not None and visit.margin < min_margin:
        return "No limit tells the two nearest people apart in this frame."
    if visit.distance <= visit.max_distance:
        return ""
    least = math.ceil(visit.distance * 100) / 100
    return f"From a limit of {least:.2f} on, this frame is taken for the nearest person."


def _said(visit: VisitEntry, limit: float, min_margin: float) -> str:
    assert visit.distance is not None  # noqa: S101 - asked above
    if visit.distance > limit:
        return "not recognised"
    if visit.margin is not None and visit.margin < min_margin:
        return "looks like two enrolled people"
    return "recognised"
