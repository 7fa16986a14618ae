"""When frames are due, and how long they have been the same. Time is an argument."""


class Pace:
    """Thins frames that come at any rate to at most `max_fps`, as evenly as they come.

    A frame a little early is let through, and the next one waits for it. Otherwise 30 frames a second that
    arrive with jitter would become 10, not 15.
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
