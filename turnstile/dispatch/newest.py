"""Frames that came and were not looked at yet: some in full, and of a flood the newest of each camera.

Pure. In a flood, frames come faster than they can be checked. Those that a newer one of the same sender has
overtaken are dropped before anything is spent on them. So are frames that nobody needs yet: no display shows
their camera, and an earlier frame of it still waits for a recognizer.
"""

from collections import deque
from collections.abc import Callable, Hashable
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


@dataclass(kw_only=True)
class HeldBack(Generic[T]):
    """The newest frame of each sender that nobody needs yet, by topic."""

    _held: dict[str, dict[Hashable, QueuedFrame[T]]] = field(default_factory=dict)

    def put(self, about: str, one: QueuedFrame[T]) -> None:
        """Keep what just came, in the place of what the same sender sent before."""
        senders = self._held.setdefault(about, {})
        before = senders.pop(one.sender, None)
        if before is not None:
            one.dropped += before.dropped + 1
        senders[one.sender] = one

    def take(self, about: str) -> list[QueuedFrame[T]]:
        """Take what is kept under a topic, the newest of each of its senders."""
        return list(self._held.pop(about, {}).values())

    def take_all(self) -> list[QueuedFrame[T]]:
        """Take all that is kept."""
        return [one for about in list(self._held) for one in self.take(about)]


@dataclass(kw_only=True)
class Watched:
    """What subscribers hear."""

    _topics: set[str] = field(default_factory=set)
    _prefixes: frozenset[str] = frozenset()
    """Those that are not the topic of one camera or node."""

    def note(self, about: str, *, subscribed: bool) -> None:
        """Note that a topic has a subscriber, or lost its last one."""
        (self._topics.add if subscribed else self._topics.discard)(about)
        self._prefixes = frozenset(one for one in self._topics if one.count(".") < 2 or one[-1] != ".")

    def __contains__(self, about: str) -> bool:
        """Tell whether anybody hears messages of a topic."""
        return about in self._topics or any(about.startswith(one) for one in self._prefixes)


class Intake(Generic[T]):
    """All of this together: what is to be looked at next, of that which came.

    Attributes:
        held: what is looked at when it is its camera's turn.
        watched: which cameras displays show.
    """

    def __init__(self, *, room: int) -> None:
        """Begin with nothing; see `NewestOfEach` for `room`."""
        self.held, self.watched = HeldBack[T](), Watched()
        self._queue = NewestOfEach[tuple[str, T]](room=room)

    def __len__(self) -> int:
        """Return how many are queued."""
        return len(self._queue)

    def put(self, about: str, connection: int, newest: T) -> None:
        """Queue a frame that came under a topic."""
        self._queue.put((about, connection), (about, newest))

    def take(self, has_waiting: Callable[[str], bool]) -> QueuedFrame[T] | None:
        """Take the next one to look at, and hold those back that nobody needs yet.

        Args:
            has_waiting: tells whether an earlier frame of a camera waits for a recognizer.
        """
        while self._queue:
            first = self._queue.take()
            about, newest = first.newest
            one = QueuedFrame(sender=first.sender, newest=newest, dropped=first.dropped)
            if about in self.watched or not has_waiting(about.removeprefix("frame.").removesuffix(".")):
                one.dropped += sum(older.dropped + 1 for older in self.held.take(about))
                return one
            self.held.put(about, one)
        return None
