"""What is on its way into the journal: decisions, open visits and the newest time, for the next commit."""

import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from turnstile.access.door import Door
from turnstile.io.journal.bodies import read_event, write_clock, write_door, write_event
from turnstile.protocol.messages import Access
from turnstile.protocol.reasons import Reason
from turnstile.protocol.requests import Act

MAX_WAITING = 10_000
"""Decisions kept in memory while the disk does not take them."""

CLOCK_EVERY_NS = 10_000_000_000
"""How old the newest time in the journal may be."""

log = logging.getLogger("turnstile")


class Decided(NamedTuple):
    """A decision, and the open visits of its camera; none with an operator's act."""

    event: Access | Act
    door: Door | None = None


@dataclass(kw_only=True)
class Waiting:
    """Belongs to the journal's thread, but for `newest_ns`, which the broker's loop sets."""

    newest_ns: int = 0
    doors: dict[str, Door] = field(default_factory=dict)
    _decided: list[Decided] = field(default_factory=list)
    _written_ns: int = 0
    """The newest time that is in the file."""

    @property
    def is_urgent(self) -> bool:
        """Tell whether decisions wait."""
        return bool(self._decided)

    def put(self, decided: Decided, *, refused: bool) -> None:
        """Queue a decision; one that would be `refused` for want of a record is a denial."""
        if isinstance(decided.event, Access):
            self.doors.pop(decided.event.camera, None)
        if len(self._decided) >= MAX_WAITING:
            log.error("journal: %d decisions wait for the disk; one is lost", MAX_WAITING)
            return
        self._decided.append(_refused(decided) if refused else decided)

    def refuse(self) -> None:
        """Deny whatever waits: the file is not the one that it was to go into."""
        self._decided = [_refused(one) for one in self._decided]
        self._written_ns = 0

    def commit(
        self, connection: sqlite3.Connection, source: str, fault_point: Callable[[str], None]
    ) -> list[Access | Act]:
        """Write what waits, and return the decisions, numbered, once they are on disk.

        Raises:
            sqlite3.Error: they cannot be written; they wait on.
        """
        newest_ns = self.newest_ns
        if not (self._decided or self.doors or abs(newest_ns - self._written_ns) >= CLOCK_EVERY_NS):
            return []
        connection.execute("BEGIN IMMEDIATE")
        durable = [_insert(connection, one.event, source) for one in self._decided]
        doors = {one.event.camera or "": one.door for one in self._decided if one.door is not None}
        for camera, door in (doors | self.doors).items():
            connection.execute(
                "INSERT INTO doors VALUES (?, ?) ON CONFLICT (camera) DO UPDATE SET body = excluded.body",
                (camera, write_door(camera, door)),
            )
        if newest_ns != self._written_ns:
            connection.execute("DELETE FROM clock")
            connection.execute("INSERT INTO clock VALUES (?)", (write_clock(newest_ns),))
        fault_point("before commit")
        connection.execute("COMMIT")
        fault_point("after commit")
        self._decided.clear()
        self.doors.clear()
        self._written_ns = newest_ns
        return durable


def _insert(connection: sqlite3.Connection, event: Access | Act, source: str) -> Access | Act:
    """Number and insert an event; one whose commit failed halfway may be there already."""
    there = connection.execute("SELECT seq, body FROM events WHERE visit = ?", (event.visit,)).fetchone()
    with suppress(msgspec.MsgspecError):
        if there is not None:
            return read_event(there[1], seq=there[0], visit=event.visit)
    connection.execute("DELETE FROM events WHERE visit = ?", (event.visit,))  # damaged, if there
    (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()
    event = msgspec.structs.replace(event, source=source, seq=last + 1)
    connection.execute("INSERT INTO events VALUES (?, ?, ?)", (event.seq, event.visit, write_event(event)))
    return event


def _refused(decided: Decided) -> Decided:
    """Turn a grant that could not be put on record in time into a denial."""
    event = decided.event
    if isinstance(event, Act) or event.verdict == "denied":
        return decided
    denied = msgspec.structs.replace(
        event, verdict="denied", reason=Reason.NO_RECORD, expires_ns=0, valid_s=0.0
    )
    return Decided(denied, decided.door)
