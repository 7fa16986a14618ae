"""Frames that came and were not looked at yet: some in full, and of a flood the newest of each camera.

Pure. In a flood, frames come faster than they can be checked. Those that a newer one of the same sender has
overtaken are dropped before anything is spent on them.
"""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(kw_only=True)
class QueuedFrame(Generic[T]):
    """One that waits to be looked at."""

    sender: Hashable
    newest: T
    dropped: int = 0
    """How many of this sender's it has overtaken."""


@dataclass(kw_only=True)
class NewestOfEach(Generic[T]):
    """A queue in which a sender has one more place at most once `room` is used up."""

    room: int
    """So many wait whoever sent them."""
    _queue: deque[QueuedFrame[T]] = field(default_factory=deque)
    _last: dict[Hashable, QueuedFrame[T]] = field(default_factory=dict)
    """Sender → what of it came last."""

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._queue)

    def put(self, sender: Hashable, newest: T) -> None:
        """Queue what just came; once there is no room, in the place of what the sender sent before."""
        last = self._last.get(sender)
        if last is not None and len(self._queue) >= self.room:
            last.newest = newest
            last.dropped += 1
            return
        self._last[sender] = QueuedFrame(sender=sender, newest=newest)
        self._queue.append(self._last[sender])

    def take(self) -> QueuedFrame[T]:
        """Take the one that waits longest.

        Raises:
            IndexError: none waits.
        """
        first = self._queue.popleft()
        if self._last[first.sender] is first:
            del self._last[first.sender]
        return first
