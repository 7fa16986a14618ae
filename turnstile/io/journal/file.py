"""The journal's file: opened for one broker alone, checked, and its tables made."""

import fcntl
import logging
import os
import secrets
import sqlite3
import struct
import sys
from pathlib import Path

import msgspec

from turnstile.access.door import Door
from turnstile.errors import JournalError
from turnstile.files.private import close_to_others
from turnstile.io.journal.bodies import read_clock, read_door

VERSION = 2
"""A journal of version 1 had one source; it is brought up to date on opening."""

LARGE_WAL_BYTES = 4 * 2**20

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sources (id TEXT PRIMARY KEY, began_seq INTEGER NOT NULL, repeats_to INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY AUTOINCREMENT, visit TEXT NOT NULL UNIQUE, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS doors (camera TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS loggers (name TEXT PRIMARY KEY, acked INTEGER NOT NULL, unheard_ns INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS clock (body BLOB NOT NULL);
"""  # noqa: E501 - one table a line


_COLUMNS = (
    "SELECT id, began_seq, repeats_to, reason FROM sources LIMIT 0",
    "SELECT seq, visit, body FROM events LIMIT 0",
    "SELECT camera, body FROM doors LIMIT 0",
    "SELECT name, acked, unheard_ns FROM loggers LIMIT 0",
    "SELECT name, seq FROM sqlite_sequence LIMIT 0",
    "SELECT body FROM clock LIMIT 0",
)
"""What fails where a bit of a column's name is damaged, which no check of SQLite finds."""

log = logging.getLogger("turnstile")


def open_journal(path: Path) -> sqlite3.Connection:
    """Open or make a journal.

    Raises:
        JournalError: it cannot be opened, is damaged, of another version, or in use by another broker.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0.2)
    except (OSError, sqlite3.Error) as error:
        raise JournalError(f"journal {path} cannot be opened: {error}") from error
    try:
        _prepare(connection)
        for end in ("", "-wal", "-shm"):
            close_to_others(path.with_name(f"{path.name}{end}"))
    except OSError as error:
        connection.close()
        raise JournalError(f"journal {path} cannot be looked at: {error}") from error
    except (sqlite3.Error, UnicodeError) as error:  # SQLite's words may quote damaged bytes
        connection.close()
        if "locked" in str(error):
            raise JournalError(
                f"journal {path} cannot be used: another broker uses it{_holder(path)}; name another one "
                "under broker.journal if that is another site's"
            ) from error
        raise JournalError(
            f"journal {path} cannot be used: {error}; if it is damaged, move it away: events that "
            "no logger has fetched go with it"
        ) from error
    return connection


def read_doors(connection: sqlite3.Connection) -> dict[str, Door]:
    """Return the open visits of each camera that are decided.

    The others begin anew: in a journal that was put back they may have been decided since.
    """
    doors: dict[str, Door] = {}
    for camera, body in connection.execute("SELECT camera, body FROM doors").fetchall():
        try:
            door = read_door(camera, body)
        except msgspec.MsgspecError as error:
            log.warning("journal: the open visits of %s cannot be read, they start anew: %s", camera, error)
            continue
        decided = tuple(visit for visit in door.visits if visit.verdict is not None)
        doors[camera] = msgspec.structs.replace(door, visits=decided)
    return doors


def read_newest(connection: sqlite3.Connection) -> int:
    """Return the newest time of day that the journal knows; 0 if it knows none.

    Raises:
        msgspec.MsgspecError: it is damaged.
    """
    return max((read_clock(body) for (body,) in connection.execute("SELECT body FROM clock")), default=0)


def move_wal_if_large(connection: sqlite3.Connection, path: Path) -> bool:
    """Move a large write-ahead log into the database, and tell whether that was done.

    It is done here and by no commit: so a database file that changed otherwise was written by somebody else.

    Raises:
        sqlite3.Error: the disk does not take it.
    """
    try:
        size = path.with_name(f"{path.name}-wal").stat().st_size
    except OSError:  # it is gone, as the next look at the files tells
        return False
    if size < LARGE_WAL_BYTES:
        return False
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return True


def make_sure_of_room(connection: sqlite3.Connection) -> None:
    """Write and remove more than a decision takes; raise `sqlite3.Error` when the disk does not take it."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("CREATE TABLE room (for_one BLOB)")
    connection.execute("INSERT INTO room VALUES (zeroblob(65536))")
    connection.execute("DROP TABLE room")
    connection.execute("COMMIT")


def _holder(path: Path) -> str:
    """Return which process has locked a file, as words in brackets; empty where that is not told."""
    if sys.platform != "linux":
        return ""
    wanted = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        with path.open("rb+") as file:
            *_, pid = struct.unpack_from("hhqqi", fcntl.fcntl(file, fcntl.F_GETLK, wanted))
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return f" (process {pid}: {command.decode(errors='replace').replace(chr(0), ' ').strip()})" if pid else ""


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    _refuse_foreign(connection)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "wal_autocheckpoint=0"):
        connection.execute(f"PRAGMA {pragma}")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version not in (0, 1, VERSION):
        raise sqlite3.DatabaseError(f"it is of version {version}, this broker writes version {VERSION}")
    (state,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if state != "ok":
        raise sqlite3.DatabaseError(state)
    connection.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA.strip().split(";\n"):
        connection.execute(statement.rstrip(";"))
    if version == 1:
        connection.execute("INSERT INTO sources SELECT id, 1, 0, '' FROM source")
        connection.execute("DROP TABLE source")
        connection.execute("ALTER TABLE loggers RENAME COLUMN heard_ns TO unheard_ns")
        connection.execute("UPDATE loggers SET unheard_ns = 0")
    connection.execute(f"PRAGMA user_version={VERSION}")
    if connection.execute("SELECT id FROM sources").fetchone() is None:
        connection.execute("INSERT INTO sources VALUES (?, 1, 0, '')", (secrets.token_hex(8),))
    connection.execute("COMMIT")
    for query in _COLUMNS:
        connection.execute(query)


def _refuse_foreign(connection: sqlite3.Connection) -> None:
    """Leave alone the database of another program."""
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if names and "events" not in names:
        raise sqlite3.DatabaseError("it is a database of something else; name another journal")
