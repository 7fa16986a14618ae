"""Access events in the order they were decided, numbered without gaps, until the loggers have them.

This journal lives in memory: a logger that was away catches up, and events that no logger fetched are lost
with the broker. Pure: the source's name is an argument.
"""

from collections import deque

import msgspec

from turnstile.messages import Access, Log

MAX_EVENTS = 100_000
MAX_BATCH = 200


class Journal:
    """The events of one source."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._events: deque[Access] = deque(maxlen=MAX_EVENTS)
        self._last_seq = 0

    @property
    def last_seq(self) -> int:
        """Return the number of the newest event; 0 before the first."""
        return self._last_seq

    def record(self, event: Access) -> Access:
        """Number an event, keep it, and return it."""
        self._last_seq += 1
        event = msgspec.structs.replace(event, source=self._source, seq=self._last_seq)
        self._events.append(event)
        return event

    def after(self, source: str, seq: int) -> Log:
        """Return the events that follow number `seq` of `source`; all of this source's when it is another."""
        wanted = seq if source == self._source else 0
        first = self._last_seq - len(self._events)
        skip = max(0, wanted - first)
        batch = tuple(self._events[at] for at in range(skip, min(skip + MAX_BATCH, len(self._events))))
        return Log(source=self._source, events=batch)
