"""How many pieces of work a recognizer should have at a time, by how long the way to it and back takes.

With one piece it has nothing to do from its answer until the next piece comes. In a building that is a small
part of its time, and a second piece would only grow old in front of it. Over a long line it is most of its
time, and for a recognizer that is very fast too. So as many more pieces are under way as it could finish
meanwhile, rounded down, as long as they do not wait for one another.

- The way is what is left of the time from the hand-out to the answer, less the work that the answer states.
- It is measured on work that was handed out alone. The shortest of several counts. So a pause of a busy
  machine brings no second piece, and one quick answer takes it back.
- Other ways are longer by as much as their work waited, at the recognizer or in the line. A line that is
  narrow rather than long makes each of them wait, and gets fewer pieces: they would come no faster.

Pure: times are arguments, monotonic nanoseconds. TCP Vegas holds a sender back where its way grows longer;
CoDel takes the shortest wait for the queue, as one that ends at times does no harm.
"""

from collections import deque
from dataclasses import dataclass, field

from turnstile.dispatch.dispatcher import Assignment

KEPT = 8
"""So many answers count."""

ALONE_EVERY_NS = 2_000_000_000
"""How often work is handed out alone where more would be, to measure the way again. Over a line of 50 ms each
way it costs about a twentieth of what the recognizer does."""

MORE_BELOW, FEWER_ABOVE = 0.25, 0.5
"""How long each of eight or more may wait: less brings one piece more, more one fewer; a part of the way."""

JUDGED_EVERY_NS = 100_000_000
"""How often that is judged at most. A pause may make all answers late that come soon after it."""

MORE_AGAIN_NS = 10_000_000_000
"""How long after one piece was taken back it is tried again."""


def _kept() -> deque[int]:
    return deque(maxlen=KEPT)


@dataclass(kw_only=True)
class RoundTrips:
    """The latest answers of one recognizer."""

    _depth: int = 1
    _ways_ns: deque[int] = field(default_factory=_kept)
    """Of work that was handed out alone."""
    _works_ns: deque[int] = field(default_factory=_kept)
    _waits: int = 0
    """How many answers to other work came since that was last judged."""
    _wait_ns: int = 0
    """How much longer the shortest of their ways was."""
    _judged_ns: int = 0
    _measured_ns: int = 0
    _more_ns: int = 0
    """When there may be one piece more."""

    def note(self, assignment: Assignment, work_ms: float, now_ns: int) -> None:
        """Note an answer that came now, to a frame that took its recognizer so long."""
        work_ns = round(work_ms * 1e6)
        way_ns = max(0, now_ns - assignment.handed_ns - work_ns)
        self._works_ns.append(work_ns)
        if assignment.is_alone:
            self._ways_ns.append(way_ns)
            self._measured_ns = now_ns
        elif self._ways_ns:
            waited_ns = way_ns - min(self._ways_ns)
            self._wait_ns = min(self._wait_ns, waited_ns) if self._waits else waited_ns
            self._waits += 1
        self._adapt(now_ns)

    def credits(self, most: int, now_ns: int) -> int:
        """Return how many pieces to hand out at a time, 1 to `most`: those that the recognizer takes."""
        return 1 if now_ns - self._measured_ns > ALONE_EVERY_NS else min(most, self._depth)

    def _adapt(self, now_ns: int) -> None:
        if len(self._ways_ns) < KEPT:
            return
        way_ns, mean_work_ns = min(self._ways_ns), max(1, sum(self._works_ns) // len(self._works_ns))
        bound, depth = 1 + way_ns // mean_work_ns, self._depth
        if depth == 1:
            depth += now_ns >= self._more_ns
        elif self._waits >= KEPT and now_ns - self._judged_ns >= JUDGED_EVERY_NS:
            self._waits, self._judged_ns = 0, now_ns
            if self._wait_ns > FEWER_ABOVE * way_ns:
                depth -= 1
                self._more_ns = now_ns + MORE_AGAIN_NS
            elif self._wait_ns < MORE_BELOW * way_ns:
                depth += now_ns >= self._more_ns
        if (depth := min(bound, depth)) != self._depth:
            self._depth, self._waits, self._judged_ns = depth, 0, now_ns
