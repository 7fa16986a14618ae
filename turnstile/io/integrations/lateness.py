"""How old a message of the broker may be when it comes, by clocks that run: no machine's date matters.

The broker's beats bear its uptime. The beat that came fastest tells how the two clocks stand to each other.
A message was sent after the beat before it. So its age is at most what has passed since that beat was sent,
which is half a second too much at most.
"""

from collections import deque

from turnstile.protocol.messages import Beat

SAMPLES = 120
"""Beats that are compared, a minute of them: clocks of two machines drift apart by seconds a day."""


class BrokerClock:
    """The broker's uptime, as heard. Times are seconds of this machine's monotonic clock."""

    def __init__(self) -> None:
        self._instance = ""
        self._offsets_s: deque[float] = deque(maxlen=SAMPLES)
        self._latest_s = 0.0

    def hear(self, beat: Beat, now_s: float) -> None:
        """Take in a beat; those of others than the broker change nothing."""
        if beat.role != "broker":
            return
        if beat.instance != self._instance:
            self._instance = beat.instance
            self._offsets_s.clear()
        self._latest_s = beat.uptime_s + beat.age_s
        self._offsets_s.append(now_s - self._latest_s)

    def age_at_most_s(self, now_s: float) -> float:
        """Return how old a message that comes now may be; infinite before the first beat."""
        if not self._offsets_s:
            return float("inf")
        return max(0.0, now_s - min(self._offsets_s) - self._latest_s)
