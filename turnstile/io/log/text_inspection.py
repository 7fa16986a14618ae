"""The lines of the text, compared one by one with what the store says."""

from datetime import tzinfo
from pathlib import Path

from turnstile.errors import LogError
from turnstile.io.log.text import local_time
from turnstile.io.store.store import Store
from turnstile.log.chain import Link
from turnstile.log.lines import Event, entry_of, event_of, format_entry, is_remark, parse_entry


class TextInspection:
    """Compares each entry with its line. Read the text before the store, so that it is never ahead.

    A line may be missing before a file that continues another one, and at the end, where the text may lag.

    Attributes:
        complaints: what was found, in words.
    """

    def __init__(self, path: Path) -> None:
        """Read the file; an absent one has no lines."""
        self.complaints: list[str] = []
        self._path = path
        self._lines: dict[Event, tuple[int, str, tzinfo | None]] = {}
        self._continues_after: Event | None = None
        self._before: list[int] = []
        self._missing: list[int] = []
        self._last_line = 0
        try:
            lines = path.read_text("utf-8", errors="replace").split("\n")
        except OSError:
            lines = []
        for number, line in enumerate(lines[:-1], 1):
            self._read(number, line)
        self._is_empty = not self._lines

    def compare(self, link: Link) -> None:
        """Compare the entry after the last one with its line."""
        found = self._lines.pop(Event(link.record.source, link.record.seq), None)
        if found is None:
            (self._missing if self._last_line else self._before).append(link.record.number)
            return
        number, line, zone = found
        self._complain_of(self._missing)
        self._missing = []
        if number < self._last_line:
            self._complain(number, "does not stand in the order of entries")
        self._last_line = max(number, self._last_line)
        at = local_time(link.record.decided_ns).astimezone(zone)
        if format_entry(entry_of(link, at=at)) != line:
            self._complain(number, f"does not say what entry {link.record.number} says")

    def finish(self, store: Store) -> None:
        """Complain of entries without a line, and of lines without an entry, unless they are old ones."""
        for number, _, _ in [] if store.floor.number else self._lines.values():
            self._complain(number, "tells an event that the store does not have")
        if self._is_empty:
            return
        first = 0 if self._continues_after is None else store.number_at(self._continues_after) or 0
        self._complain_of([number for number in self._before if number > first])
        self._complain_of([number for number in self._missing if number <= store.text_number])

    def _read(self, number: int, line: str) -> None:
        if is_remark(line):
            if number == 1:
                self._continues_after = event_of(line)
            return
        try:
            entry = parse_entry(line)
        except LogError:
            self._complain(number, "is no entry")
            return
        if entry.event in self._lines:
            self._complain(number, "tells an event a second time")
        self._lines[entry.event] = number, line, entry.at.tzinfo

    def _complain_of(self, entries: list[int]) -> None:
        self.complaints += [f"entry {number} has no line in {self._path}" for number in entries]

    def _complain(self, number: int, what: str) -> None:
        self.complaints.append(f"line {number} of {self._path} {what}")
