"""Erasing a person from the broker's journal, which only the broker can open while it runs.

So a request is put beside the journal, in a file that only the owner can write, and the broker's journal does
it between two commits and removes the file. Without a broker the journal is opened directly.
"""

import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

import msgspec

from turnstile.errors import JournalError
from turnstile.files.whole import write_whole
from turnstile.io.journal.file import read_event

ANSWER_WITHIN_S = 10.0
_LOOK_EVERY_S = 0.05


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is to be erased, and what to write instead of the name."""

    person: str
    pseudonym: str


def erase_from_journal(journal: Path, request: Request) -> int | None:
    """Erase a person from the journal at a path; return in how many events, if the broker did not do it.

    Raises:
        JournalError: it cannot be opened, or the broker that holds it did not answer.
    """
    if not journal.exists():
        return 0
    try:
        with closing(sqlite3.connect(journal, isolation_level=None, timeout=0.0)) as connection:
            for pragma in ("locking_mode=EXCLUSIVE", "secure_delete=ON", "synchronous=FULL"):
                connection.execute(f"PRAGMA {pragma}")
            erased = erase(connection, request)
            connection.execute("VACUUM")
            return erased
    except sqlite3.Error as error:
        if "locked" not in str(error):
            raise JournalError(f"journal {journal} cannot be used: {error}") from error
    _ask(journal, request)
    return None


def erase(connection: sqlite3.Connection, request: Request) -> int:
    """Replace a person's name in events that no logger has fetched, and drop the pictures; count the events.

    The open visits of all doors are dropped with it: any of them may hold encodings of that face. Somebody
    who stands at a door while the broker restarts just then may be logged twice.

    Raises:
        sqlite3.Error: the journal cannot be written.
    """
    connection.execute("BEGIN IMMEDIATE")
    count = 0
    for seq, body in connection.execute("SELECT seq, body FROM events").fetchall():
        event = read_event(body)
        if event.person == request.person:
            event = msgspec.structs.replace(event, person=request.pseudonym, thumbnail=b"")
        elif event.nearest == request.person:
            event = msgspec.structs.replace(event, nearest=request.pseudonym)
        else:
            continue
        connection.execute("UPDATE events SET body = ? WHERE seq = ?", (msgspec.msgpack.encode(event), seq))
        count += 1
    connection.execute("DELETE FROM doors")
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return count


def erase_if_asked(connection: sqlite3.Connection, journal: Path) -> None:
    """Do what a file beside the journal asks for, and remove it; one that is no request is removed, too.

    Raises:
        sqlite3.Error: the journal cannot be written; the request stays.
    """
    path = _request_path(journal)
    try:
        request = msgspec.json.decode(path.read_bytes(), type=Request)
    except FileNotFoundError:
        return
    except (OSError, msgspec.MsgspecError, UnicodeError):
        request = None
    if request is not None:
        erase(connection, request)
    with suppress(OSError):
        path.unlink()


def _ask(journal: Path, request: Request) -> None:
    path = _request_path(journal)
    try:
        write_whole(path, msgspec.json.encode(request))
        until = time.monotonic() + ANSWER_WITHIN_S
        while path.exists():
            if time.monotonic() > until:
                path.unlink(missing_ok=True)
                raise JournalError(f"the broker that holds {journal} did not erase anybody within 10 s")
            time.sleep(_LOOK_EVERY_S)
    except OSError as error:
        raise JournalError(f"{path} cannot be written: {error.strerror}") from error


def _request_path(journal: Path) -> Path:
    return journal.with_name(f"{journal.name}.erase")
