"""One flipped bit in a store or a journal: noticed in words, or harmless.

python -m tests.support.flips [--journal] [--all]
"""

import logging
import random
import select
import sys
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple

from tests.support.builders import START_NS, a_box, an_access, an_act, write_site
from tests.support.logs import EVENTS, LOGGER, write_log
from tests.support.waiting import wait_until
from turnstile.access.door import Door, Visit
from turnstile.access.linking import Trail
from turnstile.errors import JournalError, TurnstileError
from turnstile.io.journal.journal import DurableEvent, Fetched, Journal
from turnstile.io.log.verification import inspect
from turnstile.io.site.file import load
from turnstile.io.store.opened import open_log
from turnstile.protocol.messages import Access, Fetch, Log
from turnstile.protocol.requests import Act

Outcome = Literal["noticed", "harmless", "UNNOTICED"]


def flipped(data: bytes, bit: int) -> bytes:
    """Return data with one bit flipped."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


class FlippedStore:
    """The store of a log with four entries."""

    def __init__(self, folder: Path) -> None:
        self._config = write_site(folder, LOGGER, cameras=("front_door", "back_door"))
        write_log(self._config, *EVENTS).close()
        (folder / "access_log.txt").unlink()
        self._site = load(self._config)
        self._file = folder / "access_log.db"
        self.data = self._file.read_bytes()
        self._contents = self._read()

    def try_bit(self, bit: int) -> Outcome:
        """Flip a bit and verify; if that finds nothing, compare what the log says with what it said."""
        self._file.write_bytes(flipped(self.data, bit))
        self._file.with_name(f"{self._file.name}-journal").unlink(missing_ok=True)
        try:
            opened = open_log(self._site, "logger")
            with closing(opened.store):
                if not inspect(opened.store, opened.settings).whole:
                    return "noticed"
            return "harmless" if self._read() == self._contents else "UNNOTICED"
        except TurnstileError:
            return "noticed"

    def _read(self) -> object:
        store = open_log(self._site, "logger").store
        with closing(store):
            return list(store.chain(pictures=True)), store.head, store.floor, store.progress.last_seqs


class FlippedJournal:
    """A journal with three events, of which its logger has one, and who stood at a door."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "journal.db"
        visit = Visit(visit="front_door-3", trail=Trail(box_px=a_box()), verdict="granted", person="Ann")
        with self._opened() as journal:
            journal.keep_newest(START_NS)
            journal.record(an_access(1), Door())
            journal.record_act(an_act(2))
            journal.record(an_access(3, person="Ann"), Door(visits=(visit,)))
            _outcomes(journal, count=3)
            self._source = journal.source
            journal.fetch(self._fetch())
            _outcomes(journal)
        with self._opened() as journal:
            journal.fetch(self._fetch())
            _outcomes(journal)
        self.data = self._file.read_bytes()
        self._contents = self._read()

    def try_bit(self, bit: int) -> Outcome:
        """Flip a bit and start a broker's journal; if it says nothing, compare what it gives."""
        for left in self._file.parent.glob("journal.db-*"):
            left.unlink()
        self._file.write_bytes(flipped(self.data, bit))
        ears = _Ears(logging.WARNING)
        log = logging.getLogger("turnstile")
        log.addHandler(ears)
        try:
            contents = self._read()
        except JournalError:
            return "noticed"
        finally:
            log.removeHandler(ears)
        if contents == self._contents:
            return "harmless"
        return "noticed" if ears.words or contents.gap else "UNNOTICED"

    def _opened(self) -> closing[Journal]:
        return closing(Journal(path=self._file, loggers=["log"], trim_s=0.0))

    def _fetch(self, last: Access | Act | None = None) -> Fetch:
        """Ask as the logger does that has the first event, or all up to a later one."""
        source, seq, visit = self._source, 1, "front_door-1"
        if last is not None:
            source, seq, visit = last.source, last.seq, last.visit
        return Fetch(name="log", instance="log-1", source=source, after_seq=seq, visit=visit)

    def _read(self) -> "_Contents":
        with self._opened() as journal:
            last: Access | Act | None = None
            fetched: list[Access | Act | Log] = []
            while not fetched or last is not None:
                journal.fetch(self._fetch(last))
                fetched += (answers := _outcomes(journal))
                logs = [one for one in answers if isinstance(one, Log)]
                last = logs[0].events[-1] if logs and logs[0].events else None
                if journal.problem:
                    break
            journal.record(an_access(9, visit="next"), Door())
            recorded = _outcomes(journal)
            doors = {camera: door.visits for camera, door in journal.doors.items() if door.visits}
            return _Contents(doors, journal.newest_ns, (*fetched, *recorded))


class _Contents(NamedTuple):
    """What a broker takes over, what its logger gets, and how it numbers the next decision."""

    doors: dict[str, tuple[Visit, ...]]
    newest_ns: int
    outcomes: tuple[Access | Act | Log, ...]

    @property
    def gap(self) -> bool:
        """Tell whether the logger would note what is missing, or why there is a new source."""
        logs = [one for one in self.outcomes if isinstance(one, Log)]
        return any(one.reason or one.next_seq > one.after_seq + 1 for one in logs)


class _Ears(logging.Handler):
    """Keeps what is logged."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.words.append(record.getMessage())


def _outcomes(journal: Journal, count: int = 1) -> list[Access | Act | Log]:
    """Return the next outcomes of a journal, or those so far when it fails."""
    found: list[Access | Act | Log] = []

    def turn() -> None:
        select.select([journal.fileno], [], [], 0.05)
        for one in journal.outcomes():
            match one:
                case DurableEvent(event):
                    found.append(event)
                case Fetched(_, log):
                    found.append(log)

    wait_until(lambda: len(found) >= count or journal.problem, lambda: found, between=turn)
    return found


def outcomes_of_a_sample(kept: FlippedStore | FlippedJournal, *, flips: int) -> set[Outcome]:
    """Flip bits of bytes in use, chosen the same way each time, and return what came of it."""
    used = [at for at, byte in enumerate(kept.data) if byte]
    chance = random.Random(7)
    return {kept.try_bit(chance.choice(used) * 8 + chance.randrange(8)) for _ in range(flips)}


def main(*, every: int, journal: bool) -> None:
    """Flip each bit, or every so manieth, and print how many had which outcome."""
    logging.getLogger("turnstile").propagate = False
    logging.getLogger("turnstile").addHandler(logging.NullHandler())
    with tempfile.TemporaryDirectory() as folder:
        kept = FlippedJournal(Path(folder)) if journal else FlippedStore(Path(folder))
        found = {bit: kept.try_bit(bit) for bit in range(0, len(kept.data) * 8, every)}
    sys.stdout.write(f"{dict(Counter(found.values()))}\n")
    unnoticed = [bit for bit, outcome in found.items() if outcome == "UNNOTICED"]
    sys.stdout.write(f"unnoticed: {unnoticed[:20]}\n" if unnoticed else "")


if __name__ == "__main__":
    main(every=1 if "--all" in sys.argv else 997, journal="--journal" in sys.argv)
