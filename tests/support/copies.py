"""Older copies of a site's files, put back, and what is said of the events that went with them."""

import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tests.support.postgresql import Server
from turnstile.io.log.text import line_of
from turnstile.io.store.database import Database, StoreAbsentError
from turnstile.io.store.store import LogName, Store
from turnstile.log.chain import Link
from turnstile.log.lines import Entry, Event, is_remark, parse_entry
from turnstile.log.notes import NoteLink

FILES = {"broker": "var/*", "log": "log/*", "hook": "hook-state"}
"""Whose files are put back -> which."""

_PATIENCE_S = 5.0

_Visit = tuple[str, datetime]
"""Camera, and when it was decided."""

_GAP = re.compile(r"[^:]* ([0-9a-f]+):([0-9]+)(?: to ([0-9]+))?,? (?:is|are) missing")


@dataclass(kw_only=True)
class Copies:
    """Copies of files whose process does not run, and of a server's data."""

    folder: Path
    store: str
    """The log's, as loggers are given it."""
    server: Server | None = None
    taken: set[str] = field(default_factory=set)
    seen: dict[_Visit, Entry] = field(default_factory=dict)
    """Entries that the log had before it was put back."""
    lost: set[str] = field(default_factory=set)
    """Hashes of entries that a server had and its successor has not."""

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
            self.forget_logs()
        return is_there

    def forget_logs(self) -> None:
        """Put no earlier log back: the journal is another from now on, and does not know what came before."""
        self.taken -= {"log", "store"}

    def fail_over(self) -> bool:
        """Let a server take over that lacks the last commits, if there is one; tell if there was.

        The logger stands still meanwhile.
        """
        assert self.server is not None
        self.server.settle()
        self.seen |= by_visit(self.lines())
        before = self._hashes()
        is_there = "store" in self.taken
        self.server.kill()
        self.server.swap(put_back=is_there)
        self.server.start()
        self.taken.add("store")
        self.lost |= before - self._hashes()
        return is_there

    def drop_lost_heads(self) -> None:
        """Take what a server lost from the witness, as somebody would who knows why it is missing."""
        witness = self.folder / "log" / "heads.txt"
        if self.lost and witness.exists():
            kept = [line for line in witness.read_text().splitlines() if line.split()[-1] not in self.lost]
            witness.write_text("".join(f"{line}\n" for line in kept))

    def lines(self) -> list[str]:
        """Return the log as it is, as lines."""
        return [line_of(link) for link in self._chain()]

    def visits(self) -> set[str]:
        """Return the visits that the log has."""
        return {link.record.visit for link in self._chain() if isinstance(link, Link)}

    def entries(self) -> list[Entry]:
        """Return every entry that the log has or had."""
        return list((self.seen | by_visit(self.lines())).values())

    def gone(self) -> list[Event]:
        """Return the events that the log had and has no more."""
        there = by_visit(self.lines())
        return sorted(entry.event for visit, entry in self.seen.items() if visit not in there)

    def gaps(self) -> list[range]:
        """Return the numbers of the events that the log notes as missing."""
        return list(gaps_of(self.lines()))

    def unrecorded(self) -> list[Event]:
        """Return the events that the log had, has no more and does not note as missing.

        A number of a note stands for one event, for a journal that was put back uses numbers again.
        """
        noted = Counter(seq for gap in self.gaps() for seq in gap)
        unrecorded = []
        for event in self.gone():
            if not noted[event.seq]:
                unrecorded.append(event)
            noted[event.seq] -= 1
        return unrecorded

    def _hashes(self) -> set[str]:
        return {link.hash.hex() for link in self._chain()}

    def _chain(self) -> Iterator[Link | NoteLink]:
        store = Store(Database(self.store, patience_s=_PATIENCE_S), LogName("chaos", "log"))
        try:
            store.open(create=False)
            yield from store.chain()
        except StoreAbsentError:
            return
        finally:
            store.close()


def by_visit(lines: Sequence[str]) -> dict[_Visit, Entry]:
    """Return the entries among lines, whatever number their event has now."""
    entries = [parse_entry(line) for line in lines if not is_remark(line)]
    found = {(entry.camera, entry.at): entry for entry in entries}
    assert len(found) == len(entries), "a visit is in the log twice"
    return found


def gaps_of(lines: Iterable[str]) -> Iterator[range]:
    """Give the numbers of the events that remarks tell to be missing."""
    for line in lines:
        found = _GAP.search(line) if is_remark(line) else None
        if found is not None:
            first = int(found[2])
            yield range(first, int(found[3] or first) + 1)
