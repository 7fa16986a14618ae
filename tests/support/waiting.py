"""Waiting for what must come: as long as a busy machine may need, and no longer than it takes."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 90.0
"""How long to wait for what must come; nothing is expected to take nearly as long."""

T = TypeVar("T")


class Clock:
    """A monotonic clock that a test can put forward, as if its process had been stopped meanwhile."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def __call__(self) -> float:
        """Return the monotonic time in seconds."""
        return time.monotonic() + self._ahead_s

    def put_forward(self, seconds: float) -> None:
        """Let so much time pass."""
        self._ahead_s += seconds


def pause() -> None:
    """Let others work for a moment."""
    time.sleep(0.02)


def wait_until(
    condition: Callable[[], T], what: str | Callable[[], object], *, between: Callable[[], object] = pause
) -> T:
    """Return what `condition` gives as soon as it counts as true.

    Args:
        condition: is asked again and again.
        what: what is waited for; or what returns how things stand, to be said on failure.
        between: is done between two attempts, such as a turn of a node's loop.

    Raises:
        AssertionError: it did not come within `PATIENCE_S`.
    """
    until_s = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        if time.monotonic() > until_s:
            state = what if isinstance(what, str) else what()
            raise AssertionError(f"not within {PATIENCE_S:g} s: {state}")
        between()
    return found
