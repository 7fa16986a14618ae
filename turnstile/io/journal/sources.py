"""The journal's own names for its events: a source, which is left for a new one when the journal was rewound.

Numbers go on from one source to the next, so that a reader's number keeps its meaning in this journal. A new
source takes over all events that are still there: nobody can tell apart those that a reader has from those
with the same numbers that were decided since. Readers leave out what they have, visit by visit.
"""

import secrets
import sqlite3
from contextlib import suppress
from typing import NamedTuple

import msgspec

from turnstile.io.journal.bodies import read_event, write_event

PAGE = 200
MAX_REASON_CHARS = 300


class Source(NamedTuple):
    """Whose numbers the journal's events have."""

    id: str
    began_seq: int
    """The first number that may be of this source."""
    repeats_to: int
    """Events up to this number may have been told under another source."""
    reason: str
    """Why it began; empty for the first one of a journal."""


class Extent(NamedTuple):
    """Which events the journal has: none when `oldest` is one more than `last`."""

    oldest: int
    last: int


def read_source(connection: sqlite3.Connection) -> Source:
    """Return the newest source."""
    query = "SELECT id, began_seq, repeats_to, reason FROM sources ORDER BY rowid DESC LIMIT 1"
    return Source(*connection.execute(query).fetchone())


def is_known(connection: sqlite3.Connection, source: str) -> bool:
    """Tell whether a source is this journal's or was."""
    return connection.execute("SELECT 1 FROM sources WHERE id = ?", (source,)).fetchone() is not None


def read_extent(connection: sqlite3.Connection) -> Extent:
    """Return the number of the oldest event that is kept, and of the last one that was ever numbered."""
    (last,) = connection.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()
    (oldest,) = connection.execute("SELECT coalesce(min(seq), ?) FROM events", (last + 1,)).fetchone()
    return Extent(oldest, last)


def begin_source(connection: sqlite3.Connection, reason: str) -> Source:
    """Begin a new source, and make all events that are kept its own, in one transaction.

    Raises:
        sqlite3.Error: the journal cannot be written; the old source stays.
    """
    connection.execute("BEGIN IMMEDIATE")
    extent = read_extent(connection)
    source = Source(secrets.token_hex(8), extent.oldest, extent.last, reason[:MAX_REASON_CHARS])
    connection.execute("INSERT INTO sources VALUES (?, ?, ?, ?)", source)
    after = 0
    while rows := connection.execute(
        "SELECT seq, visit, body FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (after, PAGE)
    ).fetchall():
        for seq, visit, body in rows:
            after = seq
            with suppress(msgspec.MsgspecError):  # a damaged one stays as it is, until a reader comes to it
                event = msgspec.structs.replace(read_event(body, seq=seq, visit=visit), source=source.id)
                connection.execute("UPDATE events SET body = ? WHERE seq = ?", (write_event(event), seq))
    connection.execute("COMMIT")
    return source
