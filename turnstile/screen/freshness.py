"""Whether the latest result of a camera still speaks for the picture on screen.

Everything is judged on the camera's own clock: the `captured_ns` of the frame on screen against that of the
latest result. Clocks of other machines, and when something arrived, play no part. A result is too old, or of
another time because the camera's clock was set, when the two are more than `stale_after_ns` apart in either
direction. Once stale, only a result ends it: a clock that jumps back onto an old result does not.
"""

import msgspec


class Freshness(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one camera: the frame on screen and the result that speaks for it."""

    frame_ns: int | None = None
    """`captured_ns` of the frame on screen; none before the first."""
    result_ns: int | None = None
    """`captured_ns` of the latest result; none before the first and while stale."""
    waiting_since_ns: int | None = None
    """`captured_ns` of the first frame, from which the first result is awaited."""
    stale: bool = False

    @property
    def fresh(self) -> bool:
        """Tell whether there is a result that speaks for the frame on screen."""
        return self.result_ns is not None

    @property
    def age_s(self) -> float | None:
        """Return how much older the result is than the frame on screen; none without both."""
        if self.frame_ns is None or self.result_ns is None:
            return None
        return max(0, self.frame_ns - self.result_ns) / 1e9


def see_frame(before: Freshness, captured_ns: int, *, stale_after_ns: int) -> Freshness:
    """Return what is known once a frame is on screen. A frame can make stale, and never fresh."""
    waiting_since_ns = captured_ns if before.waiting_since_ns is None else before.waiting_since_ns
    since_ns = waiting_since_ns if before.result_ns is None else before.result_ns
    stale = before.stale or abs(captured_ns - since_ns) > stale_after_ns
    return Freshness(
        frame_ns=captured_ns,
        result_ns=None if stale else before.result_ns,
        waiting_since_ns=waiting_since_ns,
        stale=stale,
    )


def see_result(before: Freshness, captured_ns: int, *, stale_after_ns: int) -> Freshness:
    """Return what is known once a result has come: `before` itself when the result does not count.

    It does not count when it is too far from the frame on screen, or when the result held already is newer
    (several recognizers finish out of order). Should the one held be newer than the frame on screen, as
    after the clock was set back a little, the nearer one counts.
    """
    frame_ns, held_ns = before.frame_ns, before.result_ns
    if frame_ns is not None and abs(frame_ns - captured_ns) > stale_after_ns:
        return before
    if held_ns is not None and captured_ns < held_ns:
        nearer = frame_ns is not None and abs(frame_ns - captured_ns) < abs(frame_ns - held_ns)
        if not nearer:
            return before
    return Freshness(frame_ns=frame_ns, result_ns=captured_ns, waiting_since_ns=before.waiting_since_ns)
