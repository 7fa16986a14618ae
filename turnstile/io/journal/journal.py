"""The broker's journal: every decision on disk before anybody hears of it, until all loggers have it.

SQLite in WAL mode with `synchronous=FULL`, which lost nothing in simulated power cuts where `NORMAL` lost up
to 923 rows; one exclusive connection, because SQLite before 3.51.3 can corrupt a WAL that two connections
share (sqlite.org/wal.html#walresetbug). The connection belongs to a thread, so that a slow disk never holds
up the hand-out of frames: what comes while one commit runs goes into the next.

With each decision goes the state of its camera's open visits, so that a broker that starts again does not
decide twice about somebody who is still there.

When the disk is full or fails, the connection is given up, never retried: a new one is opened with back-off.
Decisions wait meanwhile, and each grant among them becomes a denial for want of a record.

An event that cannot be read again is damage that no retry mends. It is a problem for as long as the broker
runs: every grant becomes a denial, and the problem says where the damage is. Any other error in the thread
ends the broker (`turnstile.io.runner.worker`), and without a broker nobody enters.
"""

import logging
import os
import queue
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

from turnstile.access.visits import Door
from turnstile.errors import JournalError
from turnstile.io.journal.erasure import erase_if_asked
from turnstile.io.journal.file import make_sure_of_room, open_journal, read_doors, read_event, read_source
from turnstile.io.runner.worker import Worker
from turnstile.protocol.messages import Access, Fetch, Log
from turnstile.protocol.reasons import Reason
from turnstile.site.backoff import delay_s

MAX_BATCH = 200
MAX_WAITING = 10_000
"""Decisions kept in memory while the disk does not take them."""

MAX_WITHOUT_LOGGERS = 100_000
"""Events kept at a site that has no logger to fetch them."""

LOGGER_FORGOTTEN_NS = 30 * 86_400 * 1_000_000_000
"""A logger that the site file does not name and that was not heard for 30 days holds up nothing."""

FIRST_RETRY_S, LAST_RETRY_S = 0.5, 5.0

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
    _inbox: "queue.SimpleQueue[_Decided | _OpenVisits | Fetch | None]" = field(
        default_factory=queue.SimpleQueue
    )
    _outbox: "queue.SimpleQueue[DurableEvent | Fetched]" = field(default_factory=queue.SimpleQueue)
    _acked: dict[str, tuple[int, int]] = field(default_factory=dict)
    _pending: list[_Decided] = field(default_factory=list)
    _doors_to_keep: dict[str, Door] = field(default_factory=dict)
    _trimmed_at: float = 0.0
    _damage: str = ""

    def __post_init__(self) -> None:
        """Open or make the file and start the thread.

        Raises:
            JournalError: it cannot be opened, is damaged, of another version, or in use by another broker.
        """
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

    def outcomes(self) -> list[DurableEvent | Fetched]:
        """Return what was recorded and fetched since the last call; raise what ended the thread."""
        self._worker.check()
        with suppress(BlockingIOError):
            os.read(self._read_fd, 4096)
        found: list[DurableEvent | Fetched] = []
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
            if self._connection is None:
                failures += 1
                self._connection = self._reopen(failures)
            if self._connection is None:
                self._pending = [_refused(one) for one in self._pending]
                continue
            failures = 0
            try:
                self._commit(self._connection)
                self._answer(self._connection, fetches)
                self._trim(self._connection)
                erase_if_asked(self._connection, self.path)
            except sqlite3.Error as error:
                self._give_up(error)
            except msgspec.MsgspecError as error:
                self._note_damage(self._connection, error)
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
                (camera, msgspec.msgpack.encode(door)),
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
        there = connection.execute("SELECT body FROM events WHERE visit = ?", (event.visit,)).fetchone()
        if there is not None:
            return read_event(there[0])
        (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()
        event = msgspec.structs.replace(event, source=self.source, seq=last + 1)
        connection.execute(
            "INSERT INTO events VALUES (?, ?, ?)", (event.seq, event.visit, msgspec.msgpack.encode(event))
        )
        return event

    def _answer(self, connection: sqlite3.Connection, fetches: Iterable[Fetch]) -> None:
        for fetch in fetches:
            ours = fetch.source == self.source
            after = fetch.after_seq if ours else 0
            self._acked[fetch.name] = (after, time.time_ns())
            rows = connection.execute(
                "SELECT body FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (after, MAX_BATCH)
            ).fetchall()
            events = tuple(read_event(body) for (body,) in rows)
            self._outbox.put(Fetched(fetch, Log(source=self.source, events=events)))
            self._wake()

    def _trim(self, connection: sqlite3.Connection) -> None:
        """Forget what every logger has; and who has what, on disk, so that a restart forgets nothing more."""
        if time.monotonic() - self._trimmed_at < self.trim_s:
            return
        self._trimmed_at = time.monotonic()
        oldest_ns = time.time_ns() - LOGGER_FORGOTTEN_NS
        connection.execute("BEGIN IMMEDIATE")
        for name, (acked, heard_ns) in self._acked.items():
            connection.execute(
                "INSERT INTO loggers VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
                "acked = excluded.acked, heard_ns = excluded.heard_ns",
                (name, acked, heard_ns),
            )
        known = {
            name: acked
            for name, acked, heard_ns in connection.execute("SELECT name, acked, heard_ns FROM loggers")
            if name in self.loggers or heard_ns >= oldest_ns
        } | {name: 0 for name in self.loggers if not self._has_fetched(connection, name)}
        last = self.last_seq - MAX_WITHOUT_LOGGERS
        connection.execute("DELETE FROM events WHERE seq <= ?", (min(known.values(), default=last),))
        connection.execute("COMMIT")

    def _has_fetched(self, connection: sqlite3.Connection, name: str) -> bool:
        found = connection.execute("SELECT 1 FROM loggers WHERE name = ?", (name,)).fetchone()
        return found is not None

    def _give_up(self, error: sqlite3.Error) -> None:
        """Let go of a connection that failed: what a failed sync left behind it is not known."""
        self.problem = f"journal cannot be written: {error}"
        log.error("%s: %s; nobody enters until it can be", self.path, error)
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.rollback()
            with suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None
        self._pending = [_refused(one) for one in self._pending]

    def _note_damage(self, connection: sqlite3.Connection, error: msgspec.MsgspecError) -> None:
        """Refuse everybody from now on: what is on record cannot be read."""
        with suppress(sqlite3.Error):
            connection.rollback()
        if not self._damage:
            self._damage = (
                f"journal is damaged: an event in it cannot be read: {error}; move it away and start the "
                "broker again: events that no logger has fetched go with it"
            )
            log.error("%s: %s; nobody enters", self.path, self._damage)
        self.problem = self._damage
        self._pending = [_refused(one) for one in self._pending]

    def _reopen(self, failures: int) -> sqlite3.Connection | None:
        self._worker.stopping.wait(delay_s(failures, first_s=FIRST_RETRY_S, longest_s=LAST_RETRY_S))
        try:
            connection = self._open()
            make_sure_of_room(connection)
        except (JournalError, sqlite3.Error):
            return None
        log.info("%s: the journal can be written again", self.path)
        self.problem = self._damage
        return connection

    def _open(self) -> sqlite3.Connection:
        connection = open_journal(self.path)
        self.source, self.last_seq = read_source(connection)
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
