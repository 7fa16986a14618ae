"""``access_log.txt``: what the store says, as lines to read and to `tail -f`.

The file follows the store. It may lag behind while it cannot be written, and lose its last line in a crash;
on opening, what its last whole line does not cover is written again from the store. After rotation it goes
on in a new file. It also does so when the store has lost its end; the lines that the store lost stay in the
old one.
"""

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from turnstile.counts import counted
from turnstile.errors import LogError
from turnstile.health.steady import Steady
from turnstile.io.log.text_file import LogFile
from turnstile.io.store.store import PAGE, Store, number_of
from turnstile.io.store.tables import entries
from turnstile.log.chain import Link
from turnstile.log.lines import Event, entry_of, event_of, format_entry
from turnstile.log.notes import MAX_NS, NoteLink, note_number, remark

RETRY_S = 1.0
DAY_NS = 86_400 * 10**9

log = logging.getLogger("turnstile")


class TextLog:
    """One access log as text, kept in step with its store.

    Attributes:
        number: the newest entry in the file.
    """

    def __init__(self, path: Path, store: Store) -> None:
        """Name the file and where it is written from."""
        self.number = 0
        self._writing = Steady()
        self._file = LogFile(path)
        self._store = store
        self._found: list[str] | None = None
        self._there: frozenset[Event] = frozenset()
        self._open_at = 0.0

    @property
    def trouble(self) -> str:
        """Return why it cannot be written now, in words; empty when it can."""
        return self._writing.trouble

    def claim(self) -> None:
        """Open the file before the store is touched.

        Raises:
            ConfigError: it holds something else than an access log.
            LogError: it cannot be opened; another logger may have it.
        """
        self._found = self._file.open()

    def keep_up(self, links: Sequence[Link] = ()) -> None:
        """Write what the store has and the file has not.

        Args:
            links: the newest entries, if they are at hand.

        Raises:
            LogError: the store cannot be read.
            ConfigError: the file holds something else than an access log.
        """
        if self._found is not None:
            self._find_place(self._found)
            self._found = None
        if self._file.is_open and self._file.was_moved():
            log.info("the access log was moved away or emptied; it goes on in a new file")
            self._file.close()
            self._open_at = 0.0
        if not self._file.is_open and time.monotonic() >= self._open_at:
            self._open()
        if links and links[0].record.number == self.number + 1:
            self._write(links)
        while self._file.is_open and self.number < self._store.head.number:
            page = list(islice(self._store.chain(after=self.number), PAGE))
            if not page:
                self.number = self._store.head.number  # nothing there: `verify` says what is missing
            else:
                self._write(page)
        if self._file.is_open:
            self._note_well()

    def start_over(self) -> None:
        """Find the place anew: a store that was opened again may have less than the file."""
        if self._found is None:
            self._file.close()
            self.number, self._open_at = 0, 0.0

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _open(self) -> None:
        number = max(self.number, self._store.text_number)
        last = self._store.newest(1, entries.c.number <= number)
        try:
            lines = self._file.open(after=_event(last[0]) if last else None)
        except LogError as error:
            self._failed(error)
            return
        self._find_place(lines)

    def _find_place(self, lines: Sequence[str]) -> None:
        """Take up after the newest line that the store has; leave a file that tells more than that."""
        number, lost = self._newest_known(lines)
        self._there = frozenset()
        if lost and self._store.head.number:
            self._leave_the_lost(number or 0, lost)
        elif number is not None:
            self.number = number
        else:
            self.number = max(self.number, self._store.text_number, self._store.floor.number)
            self._there = frozenset(event for line in lines if (event := event_of(line)) is not None)
        if self._there:
            there = counted(len(self._there), "line")
            log.warning("the access log has %s that the store has not: was the store lost?", there)

    def _newest_known(self, lines: Sequence[str]) -> tuple[int | None, int]:
        """Return the number of the newest line that the store has, and how many lines follow it.

        The last numbers of journals do not tell it, as they count events that were noted as missing.
        """
        lost, first = 0, None
        for line in reversed(lines):
            event, note = event_of(line), note_number(line)
            if note is not None and self._has_note(note, line):
                return note, lost
            if event is not None:
                first = event
                exactly = (entries.c.source == event.source) & (entries.c.seq == event.seq)
                for link in self._store.newest(1, exactly):
                    return link.record.number, lost
            lost += event is not None or note is not None
        return None if first is None else self._store.number_at(first), lost

    def _has_note(self, number: int, line: str) -> bool:
        """Tell whether a line is of the note that has its number; another version may word it otherwise."""
        found = self._store.notes(after=number - 1, up_to=number)
        return any(_time_of(line_of(link)) == _time_of(line) for link in found)

    def _leave_the_lost(self, number: int, lost: int) -> None:
        """Go on after an entry or note in a new file, since the store has not what this one tells then."""
        last = self._store.newest(1, entries.c.number <= number)
        self.number = number
        try:
            aside = self._file.move_aside()
            log.error(
                "the text ended with %s that the store has not: was the store put back, or the text changed? "
                "It goes on in a new file; the old one is %s",
                counted(lost, "line"),
                aside,
            )
            self._file.open(after=_event(last[0]) if last else None)
        except LogError as error:
            self._failed(error)

    def _write(self, links: Sequence[Link | NoteLink]) -> None:
        if not self._file.is_open:
            return
        lines = [line_of(link) for link in links if not self._is_there(link)]
        try:
            self._file.append(lines)
        except LogError as error:
            self._failed(error)
            return
        self.number = number_of(links[-1])
        self._note_well(proven=True)

    def _is_there(self, link: Link | NoteLink) -> bool:
        return isinstance(link, Link) and _event(link) in self._there

    def _failed(self, error: LogError) -> None:
        self._open_at = time.monotonic() + RETRY_S
        if self._writing.fail(str(error)):
            log.error("%s; its lines follow when it can be", error)

    def _note_well(self, *, proven: bool = False) -> None:
        if self._writing.work(time.monotonic(), proven=proven):
            log.info("the text of the access log can be written again")


def _event(link: Link) -> Event:
    return Event(link.record.source, link.record.seq)


def _time_of(remark_line: str) -> datetime | None:
    try:
        return datetime.fromisoformat(remark_line.split()[1])
    except ValueError:
        return None


def line_of(link: Link | NoteLink) -> str:
    """Return an entry or a note as its line, its time in this machine's zone."""
    if isinstance(link, NoteLink):
        return remark(link, at=local_time(link.note.at_ns))
    return format_entry(entry_of(link, at=local_time(link.record.decided_ns)))


def local_time(wall_ns: int) -> datetime:
    """Return a wall-clock time in this machine's zone, or the nearest one that can be written."""
    return datetime.fromtimestamp(min(max(wall_ns, DAY_NS), MAX_NS - DAY_NS) / 1e9, UTC).astimezone()
