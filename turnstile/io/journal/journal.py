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

from turnstile.access.door import Door
from turnstile.backoff import delay_s
from turnstile.errors import JournalError
from turnstile.files.space import Space
from turnstile.health.steady import Steady
from turnstile.io.journal.erasure import Erasure, ErasureAsked, erase_if_asked
from turnstile.io.journal.file import (
    make_sure_of_room,
    move_wal_if_large,
    open_journal,
    read_doors,
    read_newest,
)
from turnstile.io.journal.presence import Marks, Saved, after_writing, change, let_go, marks_of, put_back
from turnstile.io.journal.readers import Readers
from turnstile.io.journal.sources import read_extent, read_source
from turnstile.io.journal.waiting import Decided, Waiting
from turnstile.io.runner.worker import Worker
from turnstile.protocol.messages import Access, Fetch, Log
from turnstile.protocol.requests import Act

FIRST_RETRY_S, LAST_RETRY_S = 0.5, 5.0
NOTICE_S, MAX_NOTICES = 600.0, 8
"""How long news about the journal itself is in the broker's beat."""

log = logging.getLogger("turnstile")


class DurableEvent(NamedTuple):
    """A decision, or an operator's act, that is on disk."""

    event: Access | Act
    at_ns: int
    """Since when, on the wall clock."""


class Fetched(NamedTuple):
    """The answer to a logger's `Fetch`."""

    fetch: Fetch
    log: Log


class SourceReplaced(NamedTuple):
    """The journal was put back from a copy: who stood at the doors by it may be gone."""

    source: str


Outcome = DurableEvent | Fetched | ErasureAsked | SourceReplaced


class _OpenVisits(NamedTuple):
    """The open visits of a camera."""

    camera: str
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
    newest_ns: int = 0
    """The newest time of day that was known then; 0 if none was."""
    problem: str = ""
    """Why nothing can be written now; empty when it can."""
    waiting: int = 0
    """Decisions that are not on disk yet."""
    _inbox: "queue.SimpleQueue[Decided | _OpenVisits | Fetch | Erasure | None]" = field(
        default_factory=queue.SimpleQueue
    )
    _outbox: "queue.SimpleQueue[Outcome]" = field(default_factory=queue.SimpleQueue)
    _waiting: Waiting = field(default_factory=Waiting)
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
        try:
            self.newest_ns = self._waiting.newest_ns = read_newest(self._connection)
        except msgspec.MsgspecError as error:
            self._announce(
                f"the newest time on record cannot be read: {error}; is this machine's clock right?"
            )
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
        self._inbox.put(Decided(event, door))

    def record_act(self, act: Act) -> None:
        """Put on record what the operator did; it comes back numbered from `outcomes`."""
        self.waiting += 1
        self._inbox.put(Decided(act))

    def keep_door(self, camera: str, door: Door) -> None:
        """Note that a decided visit has ended."""
        self._inbox.put(_OpenVisits(camera, door))

    def keep_newest(self, newest_ns: int) -> None:
        """Note the newest time of day that is known; it is on disk within ten seconds."""
        self._waiting.newest_ns = newest_ns

    def fetch(self, fetch: Fetch) -> None:
        """Take a logger's question, which also says what it has; the answer comes from `outcomes`."""
        self._inbox.put(fetch)

    def erase(self, erasure: Erasure) -> None:
        """Erase a person from what was recorded before, and answer the command that asked for it."""
        self._inbox.put(erasure)

    @property
    def has_outcomes(self) -> bool:
        """Tell whether `outcomes` has something to return, without a system call."""
        return not self._outbox.empty()

    def outcomes(self) -> list[Outcome]:
        """Return what was recorded and fetched since the last call; raise what ended the thread."""
        self._worker.check()
        with suppress(BlockingIOError):
            os.read(self._read_fd, 4096)
        found: list[Outcome] = []
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
                self._waiting.refuse()
                continue
            failures, written, checkpointed = 0, self._connection.total_changes, bool(self._erasures)
            connection = self._connection
            try:
                self._commit(self._connection)
                self._answer(self._connection, fetches)
                checkpointed |= self._trim(self._connection)
                self._readers.count_backlog(self._connection)
                self._erase(self._connection)
                if self._writing.work(time.monotonic()):
                    log.info("%s: the journal can be written again", self.path)
            except sqlite3.Error as error:
                self._give_up(error)
            if self._connection is connection and (checkpointed or connection.total_changes != written):
                self._note_writing(checkpointed=checkpointed)
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()

    def _receive(self) -> tuple[bool, list[Fetch]]:
        """Wait for something to do, then take all there is; say whether to go on."""
        fetches: dict[tuple[str, str], Fetch] = {}
        wait_s = 0.0 if self._waiting.is_urgent and not self.problem else 0.2
        while True:
            try:
                one = self._inbox.get(timeout=wait_s) if wait_s else self._inbox.get_nowait()
            except queue.Empty:
                return True, list(fetches.values())
            wait_s = 0.0
            match one:
                case None:
                    return False, list(fetches.values())
                case Decided():
                    self._waiting.put(one, refused=bool(self.problem))
                case _OpenVisits(camera, door):
                    self._waiting.doors[camera] = door
                case Fetch():
                    fetches[one.name, one.instance] = one
                case Erasure():
                    self._erasures.append(one)

    def _commit(self, connection: sqlite3.Connection) -> None:
        durable = self._waiting.commit(connection, self.source, self.fault_point)
        at_ns = time.time_ns()
        for event in durable:
            self.last_seq = max(self.last_seq, event.seq)
            self._outbox.put(DurableEvent(event, at_ns))
        if durable:
            self._wake()

    def _answer(self, connection: sqlite3.Connection, fetches: Iterable[Fetch]) -> None:
        for fetch in fetches:
            found = self._readers.answer(connection, fetch)
            if found.news:
                self._announce(found.news)
            if found.log is None:
                continue
            if not found.log.refused and found.log.source != self.source:
                self.source = found.log.source
                self._outbox.put(SourceReplaced(self.source))
            self._outbox.put(Fetched(fetch, found.log))
            self._wake()

    def _erase(self, connection: sqlite3.Connection) -> None:
        """Erase whom the broker's loop has forgotten; ask it to forget whom a command wants erased."""
        request = erase_if_asked(connection, self.path, self._erasures)
        if request is not None:
            self._outbox.put(ErasureAsked(request))
            self._wake()

    def _note_writing(self, *, checkpointed: bool) -> None:
        if self._marks is not None:
            self._marks = after_writing(self._marks, marks_of(self.path), checkpointed=checkpointed)

    def _trim(self, connection: sqlite3.Connection) -> bool:
        """Forget what all readers have, if it is time to; tell whether the database file was written."""
        if time.monotonic() - self._trimmed_at < self.trim_s:
            return False
        self._trimmed_at = time.monotonic()
        self._readers.trim(connection)
        return move_wal_if_large(connection, self.path)

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
        self._waiting.refuse()

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
        self._waiting.refuse()

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
        self._waiting.doors = self._saved.doors | self._waiting.doors
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
