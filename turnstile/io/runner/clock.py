"""The clock of the day, watched by one that runs: a node says when its machine's clock was set.

Whatever lasts is measured on clocks that run. The rules' hours and dates, and the times in entries, are those
of the clock of the day.
"""

import datetime as dt
import time
from collections.abc import Callable

SAID_S = 1.0
"""A clock that is set by less is not worth a line."""


def running_ns() -> int:
    """Return the time of a clock that is never set, and that goes on while the machine sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class RunningTime:
    """The time of day as it was at first, and what has passed since: setting the clock does not change it."""

    def __init__(
        self, *, wall_ns: Callable[[], int] = time.time_ns, running_ns: Callable[[], int] = running_ns
    ) -> None:
        """Take the clocks as they stand; they are arguments for tests."""
        self._running_ns = running_ns
        self._apart_ns = wall_ns() - running_ns()

    def now_ns(self) -> int:
        """Return nanoseconds since 1970."""
        return self._apart_ns + self._running_ns()


class ClockWatch:
    """Notices that the clock of the day was set."""

    def __init__(
        self, *, wall_ns: Callable[[], int] = time.time_ns, running_ns: Callable[[], int] = running_ns
    ) -> None:
        """Take the clocks as they stand; they are arguments for tests."""
        self._wall_ns, self._running_ns = wall_ns, running_ns
        self._apart_ns = wall_ns() - running_ns()

    def poll(self) -> str:
        """Return in words how the clock was set since the last line about it; empty if it was not."""
        apart_ns = self._wall_ns() - self._running_ns()
        set_by_s = (apart_ns - self._apart_ns) / 1e9
        if abs(set_by_s) < SAID_S:
            return ""
        self._apart_ns = apart_ns
        way = "ahead" if set_by_s > 0 else "back"
        span = dt.timedelta(seconds=round(abs(set_by_s)))
        return f"this machine's clock was set {way} by {span}; hours and dates follow it, durations do not"
