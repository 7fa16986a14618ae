"""The broker's journal: every decision on disk before anybody hears of it, until all loggers have it.

SQLite in WAL mode with `synchronous=FULL`, which lost nothing in simulated power cuts where `NORMAL` lost up
to 923 rows; one exclusive connection, because SQLite before 3.51.3 can corrupt a WAL that two connections
share (sqlite.org/wal.html#walresetbug). The connection belongs to a thread, so that a slow disk never holds
up the hand-out of frames: what comes while one commit runs goes into the next.

With each decision goes the state of its camera's open visits, so that a broker that starts again does not
decide twice about somebody who is still there.

When the disk is full or fails, the connection is given up, never retried: a new one is opened with back-off.
Decisions wait meanwhile, and each grant among them becomes a denial for want of a record.

A file that is removed or replaced while the broker runs is noticed at the next look, five times a second.
What it had goes into the next one, under a new source (`turnstile.io.journal.presence`).

An event that cannot be read again is passed over: its reader records it as missing, and the broker says so.
Open visits that cannot be read begin anew. Any other error in the thread ends the broker
(`turnstile.io.runner.worker`), and without a broker nobody enters.
"""

import logging
import os
import queue
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

from turnstile.access.visits import Door
from turnstile.errors import JournalError
from turnstile.files.space import Space
from turnstile.health.steady import Steady
from turnstile.io.journal.bodies import read_event, write_door, write_event
from turnstile.io.journal.erasure import Erasure, ErasureAsked, erase_if_asked
from turnstile.io.journal.file import make_sure_of_room, open_journal, read_doors
from turnstile.io.journal.presence import Marks, Saved, after_writing, change, let_go, marks_of, put_back
from turnstile.io.journal.readers import Readers
from turnstile.io.journal.sources import read_extent, read_source
from turnstile.io.runner.worker import Worker
from turnstile.protocol.messages import Access, Fetch, Log
from turnstile.protocol.reasons import Reason
from turnstile.site.backoff import delay_s

MAX_WAITING = 10_000
"""Decisions kept in memory while the disk does not take them."""

FIRST_RETRY_S, LAST_RETRY_S = 0.5, 5.0
NOTICE_S, MAX_NOTICES = 600.0, 8
"""How long news about the journal itself is in the broker's beat."""

log = logging.getLogger("turnstile")


class DurableEvent(NamedTuple):
    """A decision that is on disk."""

    event: Access
    at_ns: int
    """Since when, on the wall clock."""


class Fetched(NamedTuple):
    """The answer to a logger's `Fetch`."""

    fetch: Fetch
    log: Log


class _OpenVisits(NamedTuple):
    """The open visits of a camera."""

    camera: str
    door: Door


class _Decided(NamedTuple):
    event: Access
    door: Door


def _nowhere(_: str) -> None:
    """Do nothing at a fault point."""


@dataclass(kw_only=True)
class Journal:
    """Takes decisions and returns durable, numbered events. Call from the broker's loop."""

    path: Path
    loggers: Sequence[str]
    """Loggers of the site file: what they have not fetched is kept, however long they are away."""
    fault_point: Callable[[str], None] = _nowhere
    """Called before and after each commit; crash tests end the process there."""
    trim_s: float = 10.0
    """How often acknowledged events are forgotten."""
    source: str = ""
    last_seq: int = 0
    doors: dict[str, Door] = field(default_factory=dict)
    """The open visits of each camera, as of the last time the journal was closed or cut off."""
    problem: str = ""
    """Why nothing can be written now; empty when it can."""
    waiting: int = 0
    """Decisions that are not on disk yet."""
    _inbox: "queue.SimpleQueue[_Decided | _OpenVisits | Fetch | Erasure | None]" = field(
        default_factory=queue.SimpleQueue
    )
    _outbox: "queue.SimpleQueue[DurableEvent | Fetched | ErasureAsked]" = field(
        default_factory=queue.SimpleQueue
    )
    _pending: list[_Decided] = field(default_factory=list)
    _doors_to_keep: dict[str, Door] = field(default_factory=dict)
    _erasures: list[Erasure] = field(default_factory=list)
    _trimmed_at: float = 0.0
    _notices: list[tuple[str, float]] = field(default_factory=list)
    """News about the journal, the last first, and until when each is told."""
    _marks: Marks | None = None
    _saved: Saved | None = None
    """What a file had that was removed or replaced, until it is in the next one."""
    _writing: Steady = field(default_factory=Steady)

    def __post_init__(self) -> None:
        """Open or make the file and start the thread.

        Raises:
            JournalError: it cannot be opened, is damaged, of another version, or in use by another broker.
        """
        self._space = Space(self.path)
        self._readers = Readers(named=self.loggers)
        self._connection: sqlite3.Connection | None = self._open()
        self.doors = read_doors(self._connection)
        self._read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self._write_fd, False)
        self._worker = Worker("journal", self._run)
        self._worker.start()

    @property
    def fileno(self) -> int:
        """Return a descriptor that is readable when `outcomes` has something."""
        return self._read_fd

    @property
    def notice(self) -> str:
        """Return what happened to the journal in the last ten minutes, or that its disk is nearly full."""
        now = time.monotonic()
        return "; ".join(words for words, until in self._notices if now < until) or self._space.trouble

    def gauges(self) -> dict[str, float]:
        """Return the present values for the beat."""
        backlog = {f"backlog.{name}": float(count) for name, count in self.backlog.items()}
        return {"decisions_waiting": self.waiting, **self._space.gauges("journal"), **backlog}

    @property
    def backlog(self) -> Mapping[str, int]:
        """Return how many events each logger and webhook has not fetched."""
        return self._readers.backlog

    def record(self, event: Access, door: Door) -> None:
        """Put a decision on record, with its camera's visits; it comes back numbered from `outcomes`."""
        self.waiting += 1
        self._inbox.put(_Decided(event, door))

    def keep_door(self, camera: str, door: Door) -> None:
        """Note that a decided visit has ended."""
        self._inbox.put(_OpenVisits(camera, door))

    def fetch(self, fetch: Fetch) -> None:
        """Take a logger's question, which also says what it has; the answer comes from `outcomes`."""
        self._inbox.put(fetch)

    def erase(self, erasure: Erasure) -> None:
        """Erase a person from what was recorded before, and answer the command that asked for it."""
        self._inbox.put(erasure)

    def outcomes(self) -> list[DurableEvent | Fetched | ErasureAsked]:
        """Return what was recorded and fetched since the last call; raise what ended the thread."""
        self._worker.check()
        with suppress(BlockingIOError):
            os.read(self._read_fd, 4096)
        found: list[DurableEvent | Fetched | ErasureAsked] = []
        while not self._outbox.empty():
            found.append(self._outbox.get())
        self.waiting -= sum(isinstance(one, DurableEvent) for one in found)
        return found

    def close(self) -> None:
        """Commit what waits, if the disk takes it within a second, and close."""
        self._inbox.put(None)
        ended = self._worker.close(within_s=1.0)
        os.close(self._read_fd)
        if ended:
            os.close(self._write_fd)

    def _run(self) -> None:
        failures = 0
        running = True
        while running:
            running, fetches = self._receive()
            self._space.look()
            if self._connection is not None and self._marks is not None:
                self._notice_change(self._connection, self._marks)
            if self._connection is None:
                failures += 1
                self._connection = self._reopen(failures)
            if self._connection is None:
                self._pending = [_refused(one) for one in self._pending]
                continue
            failures, written, erases = 0, self._connection.total_changes, bool(self._erasures)
            connection = self._connection
            try:
                self._commit(self._connection)
                self._answer(self._connection, fetches)
                self._trim(self._connection)
                self._readers.count_backlog(self._connection)
                self._erase(self._connection)
                if self._writing.work(time.monotonic()):
                    log.info("%s: the journal can be written again", self.path)
            except sqlite3.Error as error:
                self._give_up(error)
            if self._connection is connection and (erases or connection.total_changes != written):
                self._marks = None if self._marks is None else after_writing(self._marks, marks_of(self.path))
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()

    def _receive(self) -> tuple[bool, list[Fetch]]:
        """Wait for something to do, then take all there is; say whether to go on."""
        fetches: dict[tuple[str, str], Fetch] = {}
        wait_s = 0.0 if self._pending and not self.problem else 0.2
        while True:
            try:
                one = self._inbox.get(timeout=wait_s) if wait_s else self._inbox.get_nowait()
            except queue.Empty:
                return True, list(fetches.values())
            wait_s = 0.0
            match one:
                case None:
                    return False, list(fetches.values())
                case _Decided():
                    self._queue_decision(one)
                case _OpenVisits(camera, door):
                    self._doors_to_keep[camera] = door
                case Fetch():
                    fetches[one.name, one.instance] = one
                case Erasure():
                    self._erasures.append(one)

    def _queue_decision(self, decided: _Decided) -> None:
        self._doors_to_keep.pop(decided.event.camera, None)
        if len(self._pending) >= MAX_WAITING:
            log.error("journal: %d decisions wait for the disk; one is lost", MAX_WAITING)
            return
        self._pending.append(_refused(decided) if self.problem else decided)

    def _commit(self, connection: sqlite3.Connection) -> None:
        if not (self._pending or self._doors_to_keep):
            return
        connection.execute("BEGIN IMMEDIATE")
        durable = [self._insert(connection, one.event) for one in self._pending]
        doors = {one.event.camera: one.door for one in self._pending} | self._doors_to_keep
        for camera, door in doors.items():
            connection.execute(
                "INSERT INTO doors VALUES (?, ?) ON CONFLICT (camera) DO UPDATE SET body = excluded.body",
                (camera, write_door(camera, door)),
            )
        self.fault_point("before commit")
        connection.execute("COMMIT")
        self.fault_point("after commit")
        self._pending.clear()
        self._doors_to_keep.clear()
        at_ns = time.time_ns()
        for event in durable:
            self.last_seq = max(self.last_seq, event.seq)
            self._outbox.put(DurableEvent(event, at_ns))
        if durable:
            self._wake()

    def _insert(self, connection: sqlite3.Connection, event: Access) -> Access:
        """Number and insert an event; one whose commit failed halfway may be there already."""
        there = connection.execute("SELECT seq, body FROM events WHERE visit = ?", (event.visit,)).fetchone()
        with suppress(msgspec.MsgspecError):
            if there is not None:
                return read_event(there[1], seq=there[0], visit=event.visit)
        connection.execute("DELETE FROM events WHERE visit = ?", (event.visit,))  # damaged, if there
        (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()
        event = msgspec.structs.replace(event, source=self.source, seq=last + 1)
        connection.execute(
            "INSERT INTO events VALUES (?, ?, ?)", (event.seq, event.visit, write_event(event))
        )
        return event

    def _answer(self, connection: sqlite3.Connection, fetches: Iterable[Fetch]) -> None:
        for fetch in fetches:
            found = self._readers.answer(connection, fetch)
            if found.news:
                self._announce(found.news)
            if found.log is None:
                continue
            if not found.log.refused:
                self.source = found.log.source
            self._outbox.put(Fetched(fetch, found.log))
            self._wake()

    def _erase(self, connection: sqlite3.Connection) -> None:
        """Erase whom the broker's loop has forgotten; ask it to forget whom a command wants erased."""
        request = erase_if_asked(connection, self.path, self._erasures)
        if request is not None:
            self._outbox.put(ErasureAsked(request))
            self._wake()

    def _trim(self, connection: sqlite3.Connection) -> None:
        if time.monotonic() - self._trimmed_at >= self.trim_s:
            self._trimmed_at = time.monotonic()
            self._readers.trim(connection)

    def _announce(self, news: str) -> None:
        now = time.monotonic()
        before = [one for one in self._notices if now < one[1]]
        if news not in dict(before):
            log.error("%s: %s", self.path, news)
        self._notices = [(news, now + NOTICE_S), *(one for one in before if one[0] != news)][:MAX_NOTICES]

    def _notice_change(self, connection: sqlite3.Connection, before: Marks) -> None:
        """Let nobody enter while the file is not the broker's own; what that had goes into the next one."""
        changed = change(before, marks_of(self.path))
        if not changed:
            return
        self.problem = f"the journal {self.path} {changed} while the broker used it"
        self._announce(f"{self.problem}; what it had goes into the file that is there next, as a new source")
        self._saved = let_go(connection, self.path, before)
        self._connection = None
        self._pending = [_refused(one) for one in self._pending]

    def _give_up(self, error: sqlite3.Error) -> None:
        """Let go of a connection that failed: what a failed sync left behind it is not known."""
        self.problem = f"journal cannot be written: {error}"
        if self._writing.fail(self.problem):
            log.error("%s: %s; nobody enters until it can be", self.path, error)
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.rollback()
            with suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None
        self._pending = [_refused(one) for one in self._pending]

    def _reopen(self, failures: int) -> sqlite3.Connection | None:
        self._worker.stopping.wait(delay_s(failures, first_s=FIRST_RETRY_S, longest_s=LAST_RETRY_S))
        connection: sqlite3.Connection | None = None
        try:
            connection = self._open()
            make_sure_of_room(connection)
            self._put_back(connection)
        except (JournalError, sqlite3.Error) as error:
            if self._saved is not None:
                self.problem = f"{error}"
            if connection is not None:
                connection.close()  # or it would hold the lock until memory is cleared
            return None
        self.problem = ""
        return connection

    def _put_back(self, connection: sqlite3.Connection) -> None:
        """Add what a file had that is gone."""
        if self._saved is None:
            return
        put_back(connection, self._saved, self._notices[0][0])
        self._doors_to_keep = self._saved.doors | self._doors_to_keep
        self._saved = None
        self.source, self.last_seq = read_source(connection).id, read_extent(connection).last

    def _open(self) -> sqlite3.Connection:
        before = marks_of(self.path).database
        is_empty = before is not None and not before.size
        connection = open_journal(self.path)
        self.source, self.last_seq = read_source(connection).id, read_extent(connection).last
        if is_empty and self._saved is None:
            self._announce(f"the journal was an empty file; a new one begins, with source {self.source}")
        self._marks = marks_of(self.path)
        return connection

    def _wake(self) -> None:
        with suppress(BlockingIOError, OSError):
            os.write(self._write_fd, b"\0")


def _refused(decided: _Decided) -> _Decided:
    """Turn a grant that could not be put on record in time into a denial."""
    if decided.event.verdict == "denied":
        return decided
    event = msgspec.structs.replace(
        decided.event, verdict="denied", reason=Reason.NO_RECORD, expires_ns=0, valid_s=0.0
    )
    return _Decided(event, decided.door)
