"""Tailing the access log over the bus: what a logger answers, and what the one who tails makes of it.

A place in the log is named by an event (`Entries.log` holds its source, `Entries.cursor` its number), not by
a position in some file. So a place stays good when the logger is restarted, when the file is rotated, and
with another logger.
"""

from collections import deque
from collections.abc import Iterable

from turnstile.accesslog import MAX_LINE_CHARS, Event, event_of, is_remark
from turnstile.messages import Entries, Query

MAX_LINES = 10_000
"""Lines kept for those who tail; a query asks for no more."""

MAX_PAGE_BYTES = 128 * 1024
"""Text in one answer, about 800 lines; `Entries.more` says that others follow."""

RESUME_LINES = 1000
"""Lines to look through when a logger does not know the place where the last answer ended."""


class RecentLines:
    """The newest entries of one access log, for answering queries without reading the file."""

    def __init__(self, logger: str, *, max_page_bytes: int = MAX_PAGE_BYTES) -> None:
        """Begin with none; `logger` is the name to answer with."""
        self._logger = logger
        self._max_page_bytes = max_page_bytes
        self._lines: deque[tuple[Event, str]] = deque(maxlen=MAX_LINES)

    def add(self, lines: Iterable[str]) -> None:
        """Keep the entries among `lines`; remarks and what is no entry are passed over."""
        for line in lines:
            event = event_of(line)
            if event is not None and not is_remark(line) and len(line) <= MAX_LINE_CHARS:
                self._lines.append((event, line))

    def answer(self, query: Query) -> Entries:
        """Return the page that a query asks for, oldest line first."""
        first = self._first(query)
        end = self._end_of_page(first)
        place = self._lines[end - 1][0] if end else Event("", 0)
        return Entries(
            asker=query.asker,
            logger=self._logger,
            log=place.source,
            cursor=place.seq,
            lines=tuple(self._lines[at][1] for at in range(first, end)),
            more=end < len(self._lines),
        )

    def _end_of_page(self, first: int) -> int:
        end, room = first, self._max_page_bytes
        while end < len(self._lines):
            room -= len(self._lines[end][1].encode())
            if room < 0 and end > first:
                break
            end += 1
        return end

    def _first(self, query: Query) -> int:
        """Return the index of the first line wanted."""
        if query.cursor is not None:
            oldest_after: int | None = None
            for at in range(len(self._lines) - 1, -1, -1):
                event = self._lines[at][0]
                if event.source == query.log:
                    if event.seq <= query.cursor:
                        return at + 1
                    oldest_after = at
            if oldest_after is not None:
                return oldest_after
        return max(0, len(self._lines) - query.last)


class Follower:
    """One who tails: asks, and takes each line once, from the first logger that answers.

    Attributes:
        logger: the logger that answers; empty before the first answer. Clear it to accept another.
        more: whether the logger has further lines already, so that asking again at once pays.
    """

    def __init__(self, asker: str, *, last: int) -> None:
        """Begin with the `last` lines of the log."""
        self.logger = ""
        self.more = True
        self._asker = asker
        self._last = last
        self._place: Event | None = None
        self._seen: dict[str, int] = {}

    def query(self) -> Query:
        """Return what to ask next; asking twice does no harm."""
        if self._place is None:
            return Query(asker=self._asker, last=self._last)
        return Query(asker=self._asker, last=RESUME_LINES, log=self._place.source, cursor=self._place.seq)

    def accepts(self, entries: Entries) -> bool:
        """Tell whether an answer is ours, and from the logger we listen to."""
        return entries.asker == self._asker and self.logger in {"", entries.logger}

    def take(self, entries: Entries) -> list[str]:
        """Return the lines of an accepted answer that are new."""
        self.logger, self.more = entries.logger, entries.more
        fresh = [line for line in entries.lines if self._is_new(line)]
        if entries.lines or self._place is None:
            self._place = Event(entries.log, entries.cursor)
        return fresh

    def _is_new(self, line: str) -> bool:
        event = event_of(line)
        if event is None:
            return True
        if event.seq <= self._seen.get(event.source, 0):
            return False
        self._seen[event.source] = event.seq
        return True
