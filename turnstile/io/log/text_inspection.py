"""The lines of the text, compared one by one with what the store says."""

from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import Path
from typing import NamedTuple

from turnstile.counts import counted
from turnstile.errors import LogError
from turnstile.io.log.rewriting import log_files
from turnstile.io.log.text import local_time
from turnstile.io.store.store import Store, number_of
from turnstile.io.store.tables import entries
from turnstile.log.chain import Link
from turnstile.log.lines import Event, entry_of, event_of, format_entry, is_remark, parse_entry
from turnstile.log.notes import NoteLink, note_number, remark


class _TextLine(NamedTuple):
    number: int
    text: str
    zone: tzinfo | None


class TextInspection:
    """Compares each entry and each note with its line.

    A line may be missing before a file that continues another one. A note may be missing at the end, until
    the logger runs again.

    Attributes:
        complaints: what was found, in words.
        compared: how many lines said what the store says.
    """

    def __init__(self, path: Path) -> None:
        """Read the file; an absent one has no lines."""
        self.complaints: list[str] = []
        self.compared = 0
        self._path = path
        self._lines: dict[Event | int, _TextLine] = {}
        self._continues_after: Event | None = None
        self._before: list[Link | NoteLink] = []
        self._missing: list[Link | NoteLink] = []
        self._first_line = self._last_line = 0
        self._is_there = True
        lines = []
        try:
            lines = path.read_text("utf-8", errors="replace").split("\n")
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not path.is_symlink():
                self._is_there = False
            else:
                self.complaints.append(f"{path} cannot be read: {error.strerror}")
        for number, line in enumerate(lines[:-1], 1):
            self._read(number, line)
        self._is_empty = not self._lines

    def compare(self, link: Link | NoteLink) -> None:
        """Compare what stands in the store after the last one with its line."""
        number, is_note = number_of(link), isinstance(link, NoteLink)
        line = self._lines.pop(number if isinstance(link, NoteLink) else _event(link), None)
        if line is None:
            if self._last_line:
                self._missing.append(link)
            else:
                self._before.append(link)
            return
        self._complain_of([number_of(one) for one in self._missing])
        self._missing = []
        if line.number < self._last_line:
            self._complain(line.number, "does not stand in the order of entries")
        self._last_line = max(line.number, self._last_line)
        self._first_line = self._first_line or line.number
        self.compared += 1
        if _written(link, line.zone) != line.text:
            kind = "note" if is_note else "entry"
            self._complain(line.number, f"does not say what {kind} {number} says")

    def finish(self, store: Store) -> None:
        """Complain of entries without a line, and of lines without an entry, unless they are old ones."""
        for key, line in self._lines.items():
            is_last = line.number > self._last_line
            if not self._is_removed(store, line) and not (is_last and _is_newer(store, key)):
                kind = "an event" if isinstance(key, Event) else "a note"
                self._complain(line.number, f"tells {kind} that the store does not have")
        first = 0 if self._continues_after is None else store.number_at(self._continues_after) or 0
        absent = [link for link in self._before if number_of(link) > first] + self._missing
        missing = [link.record.number for link in absent if isinstance(link, Link)]
        if not self._is_empty:
            self._complain_of(missing)
        elif missing and not self.complaints and log_files(self._path) == [self._path]:
            self.complaints.append(
                f"{self._path} is empty; the store has {counted(len(missing), 'entry', 'entries')}"
            )

    def summary(self) -> Iterator[str]:
        """Say what was compared."""
        if not self._is_there:
            yield f"no line was compared: {self._path} is not there"
            return
        yield f"compared with {counted(self.compared, 'line')} of {self._path}"
        if self._before:
            first = number_of(self._before[-1]) + 1
            yield f"its first line tells entry {first}; older files had those before it"

    def _read(self, number: int, line: str) -> None:
        if is_remark(line):
            note = note_number(line)
            if number == 1:
                self._continues_after = event_of(line)
            if note is not None:
                self._add(note, number, line, _zone(line))
            return
        try:
            entry = parse_entry(line)
        except LogError:
            self._complain(number, "is no entry")
            return
        self._add(entry.event, number, line, entry.at.tzinfo)

    def _add(self, key: Event | int, number: int, line: str, zone: tzinfo | None) -> None:
        if key in self._lines:
            kind = "an event" if isinstance(key, Event) else "a note"
            self._complain(number, f"tells {kind} a second time")
        self._lines[key] = _TextLine(number, line, zone)

    def _is_removed(self, store: Store, line: _TextLine) -> bool:
        """Tell whether a line may be of an entry that retention removed: lines are removed after entries."""
        return bool(store.floor.number) and (not self._first_line or line.number < self._first_line)

    def _complain_of(self, numbers: list[int]) -> None:
        self.complaints += [f"entry {number} has no line in {self._path}" for number in numbers]

    def _complain(self, number: int, what: str) -> None:
        self.complaints.append(f"line {number} of {self._path} {what}")


def _event(link: Link) -> Event:
    return Event(link.record.source, link.record.seq)


def _written(link: Link | NoteLink, zone: tzinfo | None) -> str:
    """Return the line of an entry or a note, its time in the zone that the line has."""
    if isinstance(link, NoteLink):
        return remark(link, at=local_time(link.note.at_ns).astimezone(zone))
    return format_entry(entry_of(link, at=local_time(link.record.decided_ns).astimezone(zone)))


def _zone(remark_line: str) -> tzinfo | None:
    try:
        return datetime.fromisoformat(remark_line.split()[1]).tzinfo
    except ValueError:
        return None


def _is_newer(store: Store, key: Event | int) -> bool:
    """Tell whether a line is of something that the logger wrote since the walk along the store began."""
    after = store.head.number
    if isinstance(key, int):
        return bool(list(store.notes(after=max(after, key - 1), up_to=key)))
    exactly = (entries.c.source == key.source) & (entries.c.seq == key.seq)
    return bool(store.page(exactly, after=after, at_most=1))
