"""Access events in the order they were decided, numbered without gaps, until the loggers have them.

This journal lives in memory: a logger that was away catches up, and events that no logger fetched are lost
with the broker. Pure: the source's name and times are arguments.
"""

from collections import deque

from turnstile.messages import Access, Log, Result
from turnstile.visits import Decision

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

    def record(self, decision: Decision, result: Result, *, decided_ns: int) -> Access:
        """Number a decision, keep it, and return it as an event."""
        self._last_seq += 1
        event = Access(
            source=self._source,
            seq=self._last_seq,
            camera=result.camera,
            verdict=decision.verdict,
            reason=decision.reason,
            person=decision.person,
            distance=decision.distance,
            votes=decision.votes,
            of=decision.of,
            visit=decision.visit,
            decided_ns=decided_ns,
            captured_ns=result.captured_ns,
            frame_seq=result.seq,
            recognizer=result.name,
            box_px=decision.box_px,
        )
        self._events.append(event)
        return event

    def after(self, source: str, seq: int) -> Log:
        """Return the events that follow number `seq` of `source`; all of this source's when it is another."""
        wanted = seq if source == self._source else 0
        first = self._last_seq - len(self._events)
        skip = max(0, wanted - first)
        batch = tuple(self._events[at] for at in range(skip, min(skip + MAX_BATCH, len(self._events))))
        return Log(source=self._source, events=batch)
