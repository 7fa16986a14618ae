"""The broker's clock of the day, held against the newest time that its journal knows."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from turnstile.access.clock import Believed, in_words, is_behind, look
from turnstile.io.runner.clock import running_ns

LOOK_EVERY_NS = 1_000_000_000

log = logging.getLogger("turnstile")


@dataclass(kw_only=True)
class TimeOfDay:
    """Tells whether the time of day can be right. Belongs to the broker's loop.

    Attributes:
        problem: why nobody may enter, as of the last look; empty when they may.
    """

    newest_ns: int
    """The newest time that the journal knows; 0 if it knows none."""
    wall_ns: Callable[[], int] = time.time_ns
    running_ns: Callable[[], int] = running_ns
    problem: str = field(init=False, default="")
    _believed: Believed = field(init=False)
    _looked_ns: int = field(init=False)

    def __post_init__(self) -> None:
        """Take the clocks as they stand."""
        self._believed = Believed(newest_ns=self.newest_ns or self.wall_ns())
        self._looked_ns = self.running_ns()
        self._say()

    def look(self) -> int:
        """Look at the clocks if it is time to; return the newest time that is believed."""
        ran_ns = self.running_ns() - self._looked_ns
        if ran_ns >= LOOK_EVERY_NS:
            self._looked_ns += ran_ns
            self._believed = look(self._believed, wall_ns=self.wall_ns(), ran_ns=ran_ns)
        self._say()
        return self._believed.newest_ns

    def is_behind(self, wall_ns: int) -> bool:
        """Tell whether a time of day, read just now, is one at which nobody may enter."""
        return is_behind(self._believed, wall_ns)

    def accept(self) -> None:
        """Believe the clock as it stands, since the operator says so."""
        self._believed = Believed(newest_ns=self.wall_ns())
        self._say()

    def _say(self) -> None:
        before, self.problem = self.problem, in_words(self._believed, self.wall_ns())
        if self.problem and not before:
            log.error("%s", self.problem)
        elif before and not self.problem:
            log.info("this machine's clock is not behind any more")
