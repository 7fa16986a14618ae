"""Frames that came and were not looked at yet: some in full, and of a flood the newest of each camera.

Pure. In a flood, frames come faster than they can be checked. Those that a newer one of the same sender has
overtaken are dropped before anything is spent on them. So are frames that nobody needs yet: no display shows
their camera, and an earlier frame of it still waits for a recognizer, or is with one. What one sender sends
replaces nothing of another: who that is has not been checked yet.
"""

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar

MAX_QUEUED = 512
"""Twice as many as a site has cameras, unless it says otherwise. Without it, connections that name another
camera in each frame filled 1 GB in 15 s."""

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
    """All frames that came and were not looked at yet.

    Attributes:
        watched: which cameras displays show.
        held_back: how many nobody needed when they came, so far.
        dropped: how many newer ones have overtaken, so far.
    """

    def __init__(self, *, room: int) -> None:
        """Begin with nothing; see `NewestOfEach` for `room`."""
        self.watched = Watched()
        self.held_back = self.dropped = 0
        self._queue = NewestOfEach[tuple[str, int, T]](room=room)
        self._held: dict[str, dict[int, T]] = {}
        """Topic → connection → the newest that nobody needs yet."""

    def __len__(self) -> int:
        """Return how many are queued."""
        return len(self._queue)

    @property
    def is_full(self) -> bool:
        """Tell whether no more should be received before some was looked at."""
        return len(self) >= MAX_QUEUED

    def put(self, about: str, connection: int, newest: T, can_wait: Callable[[str], bool]) -> None:
        """Queue a frame that came, or hold it back.

        Args:
            about: its topic.
            connection: where it came.
            newest: the frame.
            can_wait: tells of a camera whether recognizers do not need its next frame yet.
        """
        held = self._held.pop(about, {})
        self.dropped += connection in held
        held[connection] = newest
        if self._is_needed(about, can_wait):
            for sender, frame in held.items():
                self._queue.put((about, sender), (about, sender, frame))
            return
        self.held_back += 1
        self._held[about] = held

    def take(self, can_wait: Callable[[str], bool]) -> T | None:
        """Take the next one to look at, unless it can wait by now; `None` if none is left."""
        while self._queue:
            first = self._queue.take()
            self.dropped += first.dropped
            about, connection, newest = first.newest
            if self._is_needed(about, can_wait):
                return newest
            held = self._held.setdefault(about, {})
            self.dropped += connection in held
            held.setdefault(connection, newest)
        return None

    def take_held(self, about: str) -> list[T]:
        """Take what is held back under a topic, the newest of each of its senders."""
        return list(self._held.pop(about, {}).values())

    def take_some_held(self, cameras: int | None = None) -> list[T]:
        """Take what is held back of so many cameras, or of all."""
        return [one for about in list(islice(self._held, cameras)) for one in self.take_held(about)]

    def _is_needed(self, about: str, can_wait: Callable[[str], bool]) -> bool:
        return about in self.watched or not can_wait(about[len("frame.") : -1])
