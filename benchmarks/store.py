"""What a durable entry costs: milliseconds each, and how many a second, by store and by batch.

Every way writes the same events with a picture of 4 kB and returns when they would survive a power cut: lines
appended to a file with fdatasync, which is the least a disk can do; a plain SQLite table with a rollback
journal and with WAL; the store in SQLite and in PostgreSQL (a server of its own, fsync on); and all that a
logger does, store and text. A batch is what came from the broker at once: one event, or a hundred after an
outage. Ways take turns, so that a busy moment of the disk hits all of them.

    python -m benchmarks.store [--quick] [--json FILE]
"""

import contextlib
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from benchmarks.report import Goal, Report, parse, percentiles
from tests.support import postgresql
from tests.support.builders import a_log
from turnstile.io.log.book import Book
from turnstile.io.store.database import Database
from turnstile.io.store.store import LogName, Store
from turnstile.protocol.messages import Access
from turnstile.protocol.reasons import Reason
from turnstile.site.settings import LoggerSettings

PICTURE_BYTES = 4096
BATCHES = (1, 100)
NAME = LogName("site", "logger")
YARDSTICK, WHOLE = "append + fdatasync", "logger: SQLite store and text"

Write = Callable[[Sequence[Access]], object]


@dataclass(kw_only=True)
class Way:
    """One way of writing, and what it took."""

    name: str
    write: Write
    batches_s: dict[int, list[float]] = field(default_factory=dict)


def events(first: int, count: int) -> list[Access]:
    """Return numbered events."""
    return [
        Access(
            source="aaaa",
            seq=seq,
            camera="front_door",
            verdict="granted",
            reason=Reason.RECOGNISED,
            person="Barack Obama",
            distance=0.3124,
            margin=0.2,
            votes=3,
            of=5,
            visit=f"front_door-{seq}",
            decided_ns=time.time_ns(),
            captured_ns=time.time_ns(),
            frame_seq=seq,
            recognizer="recognizer-1",
            thumbnail=random.randbytes(PICTURE_BYTES),
        )
        for seq in range(first, first + count)
    ]


def appending(path: Path, exits: contextlib.ExitStack) -> Write:
    """Return the yardstick: one write and one fdatasync a batch."""
    file = exits.enter_context(path.open("ab", buffering=0))

    def write(batch: Sequence[Access]) -> None:
        file.write(b"".join(map(msgspec.msgpack.encode, batch)))
        os.fdatasync(file.fileno())

    return write


def plain_sqlite(path: Path, exits: contextlib.ExitStack, *, journal_mode: str) -> Write:
    """Return a table of blobs with ``synchronous=FULL``: what the journal mode costs."""
    connection = exits.enter_context(contextlib.closing(sqlite3.connect(path, isolation_level=None)))
    for pragma in (f"journal_mode={journal_mode}", "synchronous=FULL", "locking_mode=EXCLUSIVE"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE events (seq INTEGER PRIMARY KEY, body BLOB)")

    def write(batch: Sequence[Access]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        rows = [(event.seq, msgspec.msgpack.encode(event)) for event in batch]
        connection.executemany("INSERT INTO events VALUES (?, ?)", rows)
        connection.execute("COMMIT")

    return write


def storing(address: str, exits: contextlib.ExitStack) -> Write:
    """Return the store alone."""
    store = exits.enter_context(contextlib.closing(Store(Database(address), NAME)))
    store.open()
    return lambda batch: store.append(batch, text_number=0)


def logging(folder: Path, exits: contextlib.ExitStack) -> Write:
    """Return all that a logger does with what it fetched."""
    settings = LoggerSettings(file=str(folder / "log.txt"), store=str(folder / "log.db"))
    book = exits.enter_context(contextlib.closing(Book(settings, NAME, max_page_bytes=10_000)))
    return lambda batch: book.append(a_log(*batch))


def ways(folder: Path, exits: contextlib.ExitStack, report: Report) -> list[Way]:
    """Return every way that there is on this machine."""
    found = [
        Way(name=YARDSTICK, write=appending(folder / "events", exits)),
        Way(
            name="plain SQLite, TRUNCATE",
            write=plain_sqlite(folder / "truncate.db", exits, journal_mode="TRUNCATE"),
        ),
        Way(name="plain SQLite, WAL", write=plain_sqlite(folder / "wal.db", exits, journal_mode="WAL")),
        Way(name="store in SQLite", write=storing(str(folder / "store.db"), exits)),
        Way(name=WHOLE, write=logging(folder, exits)),
    ]
    if reason := postgresql.why_not():
        report.note(f"PostgreSQL was not measured: {reason}")
    else:
        addresses = exits.enter_context(postgresql.a_server(fsync=True))
        found.append(Way(name="store in PostgreSQL", write=storing(addresses.format("postgres"), exits)))
    return found


def measure(found: Sequence[Way], *, size: int, rounds: int, first: int) -> int:
    """Let every way write batches of one size in turn; return the number after the last event."""
    for _ in range(rounds):
        batch = events(first, size)
        for way in found:
            began = time.perf_counter()
            way.write(batch)
            way.batches_s.setdefault(size, []).append(time.perf_counter() - began)
        first += size
    return first


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return 0."""
    options = parse(__doc__, argv)
    report = Report("store", options)
    rounds = {1: 20, 100: 3} if options.quick else {1: 500, 100: 40}
    with tempfile.TemporaryDirectory(prefix="turnstile-") as folder, contextlib.ExitStack() as exits:
        found = ways(Path(folder), exits, report)
        first = measure(found, size=1, rounds=5, first=1)
        for way in found:
            way.batches_s.clear()
        for size in BATCHES:
            first = measure(found, size=size, rounds=rounds[size], first=first)
    for size in BATCHES:
        report.table(
            f"Batches of {size}, durable when the call returns; SQLite {sqlite3.sqlite_version}",
            ("way", "ms p50", "ms p95", "entries a second", "times append + fdatasync"),
            [_row(way, found[0], size) for way in found],
        )
    whole = next(way for way in found if way.name == WHOLE)
    per_s = 100 / percentiles(whole.batches_s[100], [50])[0]
    report.goal(
        Goal(what="entries logged in batches of 100", unit="a second", measured=per_s, at_least=200.0)
    )
    report.note("A logger is not on the way to the door: how long it takes delays nobody who waits there.")
    return report.finish()


def _row(way: Way, yardstick: Way, size: int) -> tuple[str | float, ...]:
    p50, p95 = percentiles(way.batches_s[size], [50, 95])
    (least,) = percentiles(yardstick.batches_s[size], [50])
    return way.name, p50 * 1e3, p95 * 1e3, size / p50, p50 / least


if __name__ == "__main__":
    sys.exit(main())
