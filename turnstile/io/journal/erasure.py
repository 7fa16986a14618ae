"""Erasing a person from the broker's journal, which only the broker can open while it runs.

So a request is put beside the journal, in a file that belongs to the journal's owner. The broker forgets the
person's open visits, erases between two commits, and puts its answer beside the journal, too. Without a
broker the journal is opened directly.
"""

import logging
import os
import sqlite3
import stat
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from turnstile.access.door import Door, visits_of, without_visits_of
from turnstile.errors import JournalError
from turnstile.files.whole import owner_of, write_whole
from turnstile.io.journal.bodies import read_door, read_event, write_door, write_event
from turnstile.protocol.messages import Access
from turnstile.protocol.names import renamed, same_name
from turnstile.protocol.requests import Act

ANSWER_WITHIN_S = 10.0
MAX_REQUEST_BYTES = 4096
_LOOK_EVERY_S = 0.05

log = logging.getLogger("turnstile")


class ErasureRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is to be erased, and what to write instead of the name."""

    person: str
    pseudonym: str
    dry_run: bool = False
    """Only count."""


class ErasureAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was erased, or why nothing was."""

    pseudonym: str = ""
    """That of the request; empty if it could not be read."""
    events: int = 0
    visits: int = 0
    """Open visits that were forgotten."""
    problem: str = ""


class ErasureAsked(NamedTuple):
    """A request that the broker is to prepare for: the open visits of its doors are in its memory."""

    request: ErasureRequest


class Erasure(NamedTuple):
    """A request, once the broker has forgotten the open visits."""

    request: ErasureRequest
    visits: int


def erase_from_journal(
    journal: Path, request: ErasureRequest, *, answer_within_s: float = ANSWER_WITHIN_S
) -> ErasureAnswer | None:
    """Erase a person from the journal at a path; return `None` if there is no journal.

    Raises:
        JournalError: it cannot be opened, or the broker that holds it did not do it.
    """
    try:
        journal.lstat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JournalError(f"journal {journal} cannot be looked at: {error.strerror}") from error
    try:
        with closing(sqlite3.connect(journal, isolation_level=None, timeout=0.0)) as connection:
            for pragma in ("locking_mode=EXCLUSIVE", "secure_delete=ON", "synchronous=FULL"):
                connection.execute(f"PRAGMA {pragma}")
            erased = erase(connection, request)
            if not request.dry_run:
                connection.execute("VACUUM")
            return erased
    except sqlite3.Error as error:
        if "locked" not in str(error):
            raise JournalError(f"journal {journal} cannot be used: {error}") from error
    return ask_to_erase(journal, request, within_s=answer_within_s)


def erase(connection: sqlite3.Connection, request: ErasureRequest) -> ErasureAnswer:
    """Replace a person's name in events that no logger has fetched, drop the pictures, and forget visits.

    Raises:
        sqlite3.Error: the journal cannot be written.
    """
    connection.execute("BEGIN IMMEDIATE")
    events = _erase_events(connection, request)
    visits = _forget_visits(connection, request)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return ErasureAnswer(pseudonym=request.pseudonym, events=events, visits=visits)


def erase_if_asked(
    connection: sqlite3.Connection, journal: Path, prepared: list[Erasure]
) -> ErasureRequest | None:
    """Erase whom the broker has forgotten, answer the commands, and return the next request.

    Args:
        connection: the broker's own, to the journal.
        journal: its path.
        prepared: what to erase; emptied as it is done.

    Raises:
        sqlite3.Error: the journal cannot be written.
    """
    while prepared:
        erased = erase(connection, prepared[0].request)
        answer(journal, msgspec.structs.replace(erased, visits=prepared.pop(0).visits))
    return read_request(journal)


def read_request(journal: Path) -> ErasureRequest | None:
    """Return what a file beside the journal asks for, and remove it; answer if it is no request.

    Whoever may have a name erased is the journal's owner, or root.
    """
    path, problem = _request_path(journal), ""
    request: ErasureRequest | None = None
    try:
        request = msgspec.json.decode(_read_owners(path), type=ErasureRequest)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or f"{error}"
        problem = f"the request {path} cannot be read by the broker's user: {why}"
    with suppress(OSError):
        path.unlink()
    if problem:
        log.warning("somebody wants a person erased: %s", problem)
        answer(journal, ErasureAnswer(problem=problem))
    return request


def answer(journal: Path, said: ErasureAnswer) -> None:
    """Put an answer beside the journal, for the command to read."""
    try:
        write_whole(_answer_path(journal), msgspec.json.encode(said))
    except OSError as error:
        log.warning("%s cannot be written: %s", _answer_path(journal), error.strerror)


def _read_owners(path: Path) -> bytes:
    """Return what stands in a plain file of the broker's user or of root; never wait for a pipe."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid not in {os.geteuid(), 0}:
            raise PermissionError(0, "it is no plain file of that user's")
        return file.read(MAX_REQUEST_BYTES)


def _erase_events(connection: sqlite3.Connection, request: ErasureRequest) -> int:
    count = 0
    for seq, visit, body in connection.execute("SELECT seq, visit, body FROM events").fetchall():
        try:
            event = read_event(body, seq=seq, visit=visit)
        except msgspec.MsgspecError:  # nobody can read it any more, but it may hold the name
            if not request.dry_run:
                connection.execute("UPDATE events SET body = x'' WHERE seq = ?", (seq,))
            continue
        changed: Access | Act | None = None
        if isinstance(event, Act):
            changed = _renamed(event, request)
        elif _is(event.person, request):
            changed = msgspec.structs.replace(event, person=request.pseudonym, thumbnail=b"")
        elif _is(event.nearest, request):
            changed = msgspec.structs.replace(event, nearest=request.pseudonym)
        count += changed is not None
        if changed is not None and not request.dry_run:
            encoded = write_event(changed)
            connection.execute("UPDATE events SET body = ? WHERE seq = ?", (encoded, seq))
    return count


def _renamed(act: Act, request: ErasureRequest) -> Act | None:
    """Return what an account did without the name; `None` if it does not name the person."""
    by, words = (renamed(one, request.person, request.pseudonym) for one in (act.by, act.words))
    changed = msgspec.structs.replace(act, by=by, words=words)
    return None if changed == act else changed


def _forget_visits(connection: sqlite3.Connection, request: ErasureRequest) -> int:
    """Drop the open visits that name the person, and count them; drop those that name nobody, too.

    Any of the latter may hold encodings of that face. Somebody unknown who stands at a door while the broker
    restarts just then may be logged twice.
    """
    count = 0
    for camera, body in connection.execute("SELECT camera, body FROM doors").fetchall():
        door = Door()
        with suppress(msgspec.MsgspecError):
            door = read_door(camera, body)
        count += len(visits_of(request.person, door))
        if not request.dry_run:
            named = tuple(visit for visit in door.visits if visit.person is not None)
            kept = without_visits_of(request.person, msgspec.structs.replace(door, visits=named))
            changed = write_door(camera, kept)
            connection.execute("UPDATE doors SET body = ? WHERE camera = ?", (changed, camera))
    return count


def _is(name: str | None, request: ErasureRequest) -> bool:
    return name is not None and same_name(name, request.person)


def ask_to_erase(
    journal: Path, request: ErasureRequest, *, within_s: float = ANSWER_WITHIN_S
) -> ErasureAnswer:
    """Have the broker that holds the journal do it.

    Raises:
        JournalError: it did not.
    """
    asked, answered = _request_path(journal), _answer_path(journal)
    until = time.monotonic() + within_s
    try:
        answered.unlink(missing_ok=True)
        owner = owner_of(journal) if os.geteuid() == 0 else None
        write_whole(asked, msgspec.json.encode(request), owner=owner)
        while (said := _read_answer(answered, request)) is None:
            if time.monotonic() > until:
                asked.unlink(missing_ok=True)
                raise JournalError(
                    f"the broker that holds {journal} did not answer within {within_s:g} s, so the "
                    "name may be there still; look whether it can write its disk (`turnstile status`), and "
                    "try again"
                )
            time.sleep(_LOOK_EVERY_S)
        answered.unlink(missing_ok=True)
    except OSError as error:
        raise JournalError(
            f"the broker that holds {journal} cannot be asked: {error.filename}: {error.strerror}; run this "
            "as the broker's user, or as root"
        ) from error
    if said.problem:
        raise JournalError(f"the broker that holds {journal} erased nothing: {said.problem}")
    return said


def _read_answer(path: Path, request: ErasureRequest) -> ErasureAnswer | None:
    try:
        said = msgspec.json.decode(path.read_bytes(), type=ErasureAnswer)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise JournalError(f"{path} is no answer of a broker: {error}") from error
    return said if said.pseudonym in {"", request.pseudonym} else None


def _request_path(journal: Path) -> Path:
    return journal.with_name(f"{journal.name}.erase")


def _answer_path(journal: Path) -> Path:
    return journal.with_name(f"{journal.name}.erased")
