"""Older copies of a site's files, put back, and what is said of the events that went with them."""

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from turnstile.log.lines import Entry, Event, is_remark, parse_entry

FILES = {"broker": "var/*", "log": "log/*", "hook": "hook-state"}
"""Whose files are put back -> which."""

_Visit = tuple[str, datetime]
"""Camera, and when it was decided."""

_GAP = re.compile(r"[^:]* ([0-9a-f]+):([0-9]+)(?: to ([0-9]+))?,? (?:is|are) missing")


@dataclass(kw_only=True)
class Copies:
    """Copies of files whose process does not run."""

    folder: Path
    taken: set[str] = field(default_factory=set)
    seen: dict[_Visit, Entry] = field(default_factory=dict)
    """Entries that the log had before it was put back."""

    def swap(self, whose: str) -> bool:
        """Put the last copy back, if there is one, and take one of what was there; tell which."""
        copy, aside = self.folder / f"copy-{whose}", self.folder / f"copy-{whose}-new"
        self.seen |= by_visit(self.lines())
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        files = list(self.folder.glob(FILES[whose]))
        for file in files:
            shutil.copy2(file, aside)
        is_there = whose in self.taken
        if is_there:
            for file in files:
                file.unlink()
            for file in copy.iterdir():
                shutil.copy2(file, (self.folder / FILES[whose]).parent)
        shutil.rmtree(copy, ignore_errors=True)
        aside.rename(copy)
        self.taken.add(whose)
        if whose == "broker" and is_there:
            self.taken.discard("log")  # a journal that was put back does not know what came before
        return is_there

    def lines(self) -> list[str]:
        """Return the lines of the log as it is."""
        try:
            text = (self.folder / "log" / "access_log.txt").read_text()
        except FileNotFoundError:
            return []
        return text.rpartition("\n")[0].splitlines()

    def entries(self) -> list[Entry]:
        """Return every entry that the log has or had."""
        return list((self.seen | by_visit(self.lines())).values())

    def unrecorded(self) -> list[Event]:
        """Return the events that the log had, has no more and does not note as missing."""
        lines = self.lines()
        there, gaps = by_visit(lines), list(gaps_of(lines))
        gone = [entry.event for visit, entry in self.seen.items() if visit not in there]
        return sorted(one for one in gone if not any(one.seq in gap for gap in gaps))


def by_visit(lines: Sequence[str]) -> dict[_Visit, Entry]:
    """Return the entries among lines, whatever number their event has now."""
    entries = [parse_entry(line) for line in lines if not is_remark(line)]
    found = {(entry.camera, entry.at): entry for entry in entries}
    assert len(found) == len(entries), "a visit is in the log twice"
    return found


def gaps_of(lines: Iterable[str]) -> Iterable[range]:
    """Give the numbers of the events that remarks tell to be missing."""
    for line in lines:
        found = _GAP.search(line) if is_remark(line) else None
        if found is not None:
            first = int(found[2])
            yield range(first, int(found[3] or first) + 1)
