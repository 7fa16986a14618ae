"""Whether the journal's files are still those that the broker writes, and what to save when they are not.

Somebody may remove the file, put another in its place or copy one over it. SQLite notices none of that. The
old connection still reads what it wrote, so nothing that was recorded is lost: it goes into the next file.

On closing, SQLite writes what it has into the old file and removes the ``-wal`` beside the path. So what was
put there is moved aside first, and back afterwards.
"""

import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from turnstile.access.door import Door
from turnstile.io.journal.bodies import read_event, write_event
from turnstile.io.journal.file import read_doors
from turnstile.io.journal.sources import begin_source, is_known, read_extent


class FileMark(NamedTuple):
    """What tells that a file is the same and that nobody else wrote it."""

    device: int
    inode: int
    size: int
    mtime_ns: int


class Marks(NamedTuple):
    """Both files of a journal; `None` where there is none."""

    database: FileMark | None
    wal: FileMark | None


class Saved(NamedTuple):
    """What the old file had."""

    events: list[tuple[int, str, bytes]]
    doors: dict[str, Door]
    sources: list[tuple[str, int, int, str]]
    last_seq: int


def marks_of(path: Path) -> Marks:
    """Return what is to be compared later."""
    return Marks(_mark(path), _mark(_wal(path)))


def after_writing(before: Marks, now: Marks, *, checkpointed: bool) -> Marks:
    """Return what to compare with after writing: the files as they are now, if they are still the same.

    Args:
        before: what was compared before.
        now: what was written.
        checkpointed: whether the database was written, too; else only the ``-wal`` may be another.
    """
    same = (a is not None and b is not None and a[:2] == b[:2] for a, b in zip(before, now, strict=True))
    if not all(same):
        return before
    return now if checkpointed else Marks(before.database, now.wal)


def change(before: Marks, now: Marks) -> str:
    """Return what happened to the files, as words after "the journal"; empty when nothing did."""
    if now == before:
        return ""
    if now.database is None:
        return "was removed"
    if before.database is not None and now.database[:2] != before.database[:2]:
        return "was replaced by another file"
    if now.wal is None:
        return "lost its -wal file"
    return "was written by somebody else"


def let_go(connection: sqlite3.Connection, path: Path, before: Marks) -> Saved:
    """Close a journal whose files are not what they were `before`, and return what it had."""
    with suppress(sqlite3.Error):
        connection.rollback()
    saved = _save(connection)
    put_there: list[tuple[Path, Path]] = []
    for file, mark in zip((path, _wal(path)), before, strict=True):
        if _mark(file) not in (None, mark):
            with suppress(
                OSError
            ):  # a full disk: what was put there may be damaged then, but nothing is lost
                put_there.append((file, _set_aside(file, mark)))
    with suppress(sqlite3.Error):
        connection.close()
    with suppress(OSError):
        if put_there and put_there[0][0] == path:
            _wal(path).unlink(missing_ok=True)  # it belongs to the old file
        for file, aside in put_there:
            aside.replace(file)
    return saved


def put_back(connection: sqlite3.Connection, saved: Saved, reason: str) -> None:
    """Add what the old file had to a new one, each visit once, and begin a new source.

    Raises:
        sqlite3.Error: the new file cannot be written; it is as it was.
    """
    connection.execute("BEGIN IMMEDIATE")
    last = read_extent(connection).last
    same = not last or any(is_known(connection, source) for source, *_ in saved.sources)
    if same:
        connection.executemany("INSERT OR IGNORE INTO sources VALUES (?, ?, ?, ?)", saved.sources)
    for seq, visit, body in saved.events:
        if connection.execute("SELECT 1 FROM events WHERE visit = ?", (visit,)).fetchone() is None:
            last = max(last + 1, seq)
            event = msgspec.structs.replace(read_event(body, seq=seq, visit=visit), seq=last)
            connection.execute("INSERT INTO events VALUES (?, ?, ?)", (last, visit, write_event(event)))
    if same and saved.last_seq > last:
        connection.execute("DELETE FROM sqlite_sequence WHERE name = 'events'")
        connection.execute("INSERT INTO sqlite_sequence VALUES ('events', ?)", (saved.last_seq,))
    connection.execute("COMMIT")
    begin_source(connection, reason)


def _save(connection: sqlite3.Connection) -> Saved:
    """Return what can be read; a file that was written over may give nothing."""
    saved = Saved([], {}, [], 0)
    with suppress(sqlite3.Error):
        saved.sources.extend(connection.execute("SELECT * FROM sources ORDER BY rowid"))
        for row in connection.execute("SELECT seq, visit, body FROM events ORDER BY seq"):
            with suppress(msgspec.MsgspecError):
                read_event(row[2], seq=row[0], visit=row[1])
                saved.events.append(row)
        saved.doors.update(read_doors(connection))
        return saved._replace(last_seq=read_extent(connection).last)
    return saved


def _set_aside(file: Path, before: FileMark | None) -> Path:
    aside = file.with_name(f"{file.name}.aside")
    found = _mark(file)
    if before is not None and found is not None and found[:2] == before[:2]:
        try:
            shutil.copy2(file, aside)
        except OSError:
            aside.unlink(missing_ok=True)
            raise
    else:
        file.rename(aside)
    return aside


def _mark(file: Path) -> FileMark | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return FileMark(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")
