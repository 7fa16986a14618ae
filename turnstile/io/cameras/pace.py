"""When frames are due, how long they have been the same, and when to try again. Time is an argument."""

from collections.abc import Callable

FIRST_RETRY_S = 1.0
LAST_RETRY_S = 30.0
LIVED_S = 10.0


class Pace:
    """Thins frames that come at any rate to at most `max_fps`, as evenly as they come.

    A frame a little early is let through and the next one waits for it, so that 30 frames a second become
    15 and not 10 when they arrive with jitter.
    """

    def __init__(self, max_fps: float) -> None:
        """Let the first frame through."""
        self._interval_s = 1 / max_fps
        self._due_s: float | None = None

    def admits(self, at_s: float) -> bool:
        """Tell whether a frame at this time is to be sent."""
        if self._due_s is None:
            self._due_s = at_s
        if at_s < self._due_s - 0.25 * self._interval_s:
            return False
        self._due_s = max(self._due_s, at_s - self._interval_s) + self._interval_s
        return True


class Stillness:
    """Measures for how long a camera's pictures and time stamps have not changed.

    Time stamps count only once they have advanced: many cameras and drivers have none, or a constant one.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self.picture_age_s = 0.0
        self.position_age_s = 0.0
        self._changed_s: float | None = None
        self._position_ms: float | None = None
        self._advanced_s: float | None = None

    def note(self, *, changed: bool, position_ms: float, at_s: float) -> None:
        """Take in a frame: whether its picture differs from the one before, and its time stamp."""
        if changed or self._changed_s is None:
            self._changed_s = at_s
        self.picture_age_s = at_s - self._changed_s
        if self._position_ms is not None and position_ms != self._position_ms:
            self._advanced_s = at_s
        self._position_ms = position_ms
        self.position_age_s = 0.0 if self._advanced_s is None else at_s - self._advanced_s


class Backoff:
    """Spaces attempts: 0.5 to 1 s, then twice as long each time, up to 15 to 30 s.

    The chance in it keeps many cameras on one recorder from knocking at the same moment.
    """

    def __init__(self, chance: Callable[[], float]) -> None:
        """Begin with the shortest wait; `chance` gives numbers from 0 to 1."""
        self._chance = chance
        self._failures = 0

    def after_failure(self, *, lived_s: float) -> float:
        """Return how many seconds to wait after a camera that had delivered for `lived_s` failed."""
        if lived_s >= LIVED_S:
            self._failures = 0
        longest_s = min(LAST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(self._failures, 10))
        self._failures += 1
        return longest_s * (0.5 + 0.5 * self._chance())
