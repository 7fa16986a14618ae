"""Paging of the access log over the bus: a logger's answers, and the reader that asks for them.

A place in the log is an event (`Entries.log` holds its source, `Entries.cursor` its number), not a position
in a file. It stays valid when the logger restarts, when the file is rotated, and with another logger.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from turnstile.log.lines import Event, event_of
from turnstile.protocol.messages import Entries, Query

MAX_LINES = 10_000
"""Most entries a query may ask for."""

MAX_PAGE_BYTES = 128 * 1024
"""Largest answer, about 800 lines; `Entries.more` says that more follow."""

MAX_PAGE_LINES = 1000
RESUME_LINES = 1000
"""Lines to search when a logger does not know where the last answer ended."""


class Line(NamedTuple):
    """An entry as text."""

    number: int
    """Position in the log, from 1 without gaps."""
    event: Event
    text: str


class EntryReader(Protocol):
    """The entries that a logger pages through."""

    @property
    def newest(self) -> tuple[int, Event]:
        """Return the number and event of the newest entry; 0 and an empty source if there is none."""

    def place(self, event: Event) -> int | None:
        """Return the number of an event that a reader has; `None` if its journal is unknown."""

    def lines(self, *, after: int, at_most: int) -> Sequence[Line]:
        """Return the entries after a number, oldest first."""


def answer(
    query: Query, entries: EntryReader, *, logger: str, max_page_bytes: int = MAX_PAGE_BYTES
) -> Entries:
    """Return the page that a query asks for, oldest line first, as an answer of `logger`."""
    newest, newest_event = entries.newest
    after = None if query.cursor is None else entries.place(Event(query.log, query.cursor))
    if after is None:
        after = max(0, newest - query.last)
    lines = _page(entries.lines(after=after, at_most=MAX_PAGE_LINES), max_page_bytes)
    place = lines[-1].event if lines else newest_event
    return Entries(
        asker=query.asker,
        logger=logger,
        log=place.source,
        cursor=place.seq,
        lines=tuple(line.text for line in lines),
        more=bool(lines) and lines[-1].number < newest,
    )


def _page(lines: Sequence[Line], room_bytes: int) -> Sequence[Line]:
    """Return the first lines that fit, and at least one."""
    for at, line in enumerate(lines):
        room_bytes -= len(line.text.encode())
        if room_bytes < 0 and at:
            return lines[:at]
    return lines


class Follower:
    """A reader that asks and takes each line once, from the first logger that answers.

    Attributes:
        logger: the logger that answers; empty before the first answer. Clear it to accept another.
        more: whether the logger has further lines, so that it pays to ask again at once.
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
        """Return the next query; sending it twice does no harm."""
        if self._place is None:
            return Query(asker=self._asker, last=self._last)
        return Query(asker=self._asker, last=RESUME_LINES, log=self._place.source, cursor=self._place.seq)

    def accepts(self, entries: Entries) -> bool:
        """Tell whether an answer is for us and from the logger we read."""
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
