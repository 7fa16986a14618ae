"""Whether the latest result of a camera still speaks for the picture on screen.

The `captured_ns` of the frame on screen stands against that of the latest result, both of the camera's clock.
A result is stale when the two are more than `stale_after_ns` apart in either direction, also when that clock
was set. It is stale as well when no other came for so long on the display's running clock: a camera's clock
may stand still. Only a new result ends staleness: a clock that jumps back onto an old result does not.
"""

import msgspec


class Freshness(msgspec.Struct, frozen=True, kw_only=True):
    """The frame on screen of one camera, and the result that speaks for it."""

    frame_ns: int | None = None
    """`captured_ns` of the frame on screen; `None` before the first."""
    result_ns: int | None = None
    """`captured_ns` of the latest result; `None` before the first and while stale."""
    waiting_since_ns: int | None = None
    """`captured_ns` of the first frame, from which the first result is awaited."""
    stale: bool = False

    @property
    def fresh(self) -> bool:
        """Tell whether there is a result that speaks for the frame on screen."""
        return self.result_ns is not None

    @property
    def age_s(self) -> float | None:
        """Return how much older the result is than the frame on screen; `None` unless both exist."""
        if self.frame_ns is None or self.result_ns is None:
            return None
        return max(0, self.frame_ns - self.result_ns) / 1e9


def see_frame(before: Freshness, captured_ns: int, *, stale_after_ns: int, waited_ns: int = 0) -> Freshness:
    """Return the freshness after a frame is on screen. A frame can make it stale, never fresh.

    Args:
        before: that of the frame before.
        captured_ns: the frame's time.
        stale_after_ns: how long a result speaks for the frames after it.
        waited_ns: how long ago the latest result came, or the first frame, on the display's running clock.
    """
    waiting_since_ns = captured_ns if before.waiting_since_ns is None else before.waiting_since_ns
    since_ns = waiting_since_ns if before.result_ns is None else before.result_ns
    stale = before.stale or max(abs(captured_ns - since_ns), waited_ns) > stale_after_ns
    return Freshness(
        frame_ns=captured_ns,
        result_ns=None if stale else before.result_ns,
        waiting_since_ns=waiting_since_ns,
        stale=stale,
    )


def see_result(before: Freshness, captured_ns: int, *, stale_after_ns: int) -> Freshness:
    """Return the freshness after a result; `before` itself if the result does not count.

    It does not count if it is too far from the frame on screen, or older than the result held (several
    recognizers finish out of order). If the result held is newer than the frame on screen, the nearer one
    counts: the camera's clock was set back a little. Without a frame on screen, the latest to come counts.
    """
    frame_ns, held_ns = before.frame_ns, before.result_ns
    if frame_ns is not None:
        if abs(frame_ns - captured_ns) > stale_after_ns:
            return before
        nearer = held_ns is None or abs(frame_ns - captured_ns) < abs(frame_ns - held_ns)
        if held_ns is not None and captured_ns < held_ns and not nearer:
            return before
    return Freshness(frame_ns=frame_ns, result_ns=captured_ns, waiting_since_ns=before.waiting_since_ns)
