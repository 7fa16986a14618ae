"""What becomes of a process that ended unasked: it is over, given up, or started again after a while."""

from dataclasses import dataclass
from typing import NamedTuple

from turnstile.backoff import delay_s
from turnstile.counts import counted

EXIT_STOPPED, EXIT_CRASHED, EXIT_UNAVAILABLE, EXIT_NOT_YET, EXIT_CONFIG = 0, 1, 69, 75, 78
FIRST_DELAY_S = 0.5
MAX_DELAY_S = 30.0
STEADY_S = 30.0
"""A process that ran so long is not blamed for its failures before."""

MAX_FAILURES = 10
"""In a row; with the delays between, two minutes of trying."""


class Outcome(NamedTuple):
    """What to do now."""

    words: str
    """What happened, as an end of a sentence that starts with the process's name."""
    delay_s: float | None = None
    """When to start it again; none: not at all."""
    given_up: bool = False


@dataclass(kw_only=True)
class Restarts:
    """The history of one process."""

    max_failures: int = MAX_FAILURES
    failures: int = 0
    """In a row."""
    waits: int = 0
    """In a row, for what this machine does not have yet."""

    def ended(self, exit_code: int, *, ran_s: float) -> Outcome:
        """Return what becomes of the process.

        Args:
            exit_code: as a program's, or negative: the signal that killed it.
            ran_s: for how long it ran.
        """
        if exit_code == 0:
            return Outcome("has ended")
        if exit_code == EXIT_CONFIG:
            return Outcome("is given up: its configuration is not valid, see above", given_up=True)
        if exit_code == EXIT_UNAVAILABLE:
            return Outcome("is given up: this machine lacks what it needs, see above", given_up=True)
        self.waits = self.waits + 1 if exit_code == EXIT_NOT_YET else 0
        if self.waits:
            wait_s = delay_s(self.waits, first_s=FIRST_DELAY_S, longest_s=MAX_DELAY_S)
            how = "waits for what this machine does not have yet, see above"
            return Outcome(f"{how}; it is tried again in {wait_s:g} s", delay_s=wait_s)
        self.failures = 1 if ran_s >= STEADY_S else self.failures + 1
        how = f"was killed by signal {-exit_code}" if exit_code < 0 else f"failed with exit code {exit_code}"
        if self.failures >= self.max_failures:
            failed = counted(self.failures, "failure")
            return Outcome(f"{how}, and is given up after {failed} in a row", given_up=True)
        wait_s = delay_s(self.failures, first_s=FIRST_DELAY_S, longest_s=MAX_DELAY_S)
        return Outcome(f"{how}; it is started again in {wait_s:g} s", delay_s=wait_s)
