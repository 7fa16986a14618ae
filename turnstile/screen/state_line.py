"""When a camera's state is worth a line of the log: trouble at once, and so the end of one that lasted.

The end of a short one is said when it has held.
"""

from turnstile.health.steady import Steady
from turnstile.screen.scene import View

LASTED_S = 3.0
"""Results that are late now and then, on a busy machine, are late for less than this."""


class StateLine:
    """What was said of one camera. A state that comes and goes, as on a busy machine, is said once."""

    def __init__(self) -> None:
        """Begin with a camera of which nothing was said."""
        self._steady = Steady()
        self._was_live = False
        self._since_s: float | None = None
        """Since when there is trouble."""

    def is_new(self, view: View, now_s: float) -> bool:
        """Tell whether to say the state of this view; the first time that it is live, at once."""
        if view.state != "live":
            self._since_s = now_s if self._since_s is None else self._since_s
            return self._steady.fail(view.state)
        lasted = self._since_s is not None and now_s - self._since_s >= LASTED_S
        first, self._was_live, self._since_s = not self._was_live, True, None
        return self._steady.work(now_s, proven=first or lasted)
