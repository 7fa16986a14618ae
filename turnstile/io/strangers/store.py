"""Visits of unknown people on the broker's disk, in a SQLite file that only its owner can read.

Of each visit it keeps event, door and time, who was nearest, the mean encoding and a picture. Rows that are
`keep_days` old are deleted and overwritten, as are the oldest of more than `MAX_VISITS`.

A face that is ignored is kept as an encoding until it was not seen for `keep_days`.
"""

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from turnstile.errors import TurnstileError
from turnstile.files.private import close_to_others
from turnstile.files.reading import is_absent
from turnstile.people.encodings import is_encoding, matrix
from turnstile.protocol.names import same_name
from turnstile.strangers.groups import FaceGroup, FaceGroups

MAX_VISITS = 20_000
DAY_NS = 86_400 * 10**9
TRIM_NS = 600 * 10**9

_TABLES = """
CREATE TABLE IF NOT EXISTS visits (
    event TEXT PRIMARY KEY, camera TEXT NOT NULL, at_ns INTEGER NOT NULL, nearest TEXT, distance REAL,
    engine TEXT NOT NULL, encoding BLOB NOT NULL, picture BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS ignored (
    event TEXT PRIMARY KEY, at_ns INTEGER NOT NULL, engine TEXT NOT NULL, encoding BLOB NOT NULL);
"""

_FROM_NOW = tuple(f"UPDATE {one} SET at_ns = ? WHERE at_ns > ?" for one in ("visits", "ignored"))  # noqa: S608

log = logging.getLogger("turnstile")


class UnknownVisit(NamedTuple):
    """One visit of somebody unknown."""

    event: str
    camera: str
    at_ns: int
    nearest: str | None
    distance: float | None
    encoding: bytes
    picture: bytes


class UnknownStore:
    """The visits of unknown people. Belongs to one thread, which opens the file when it is first needed."""

    def __init__(self, path: Path, engine: str, *, keep_days: float) -> None:
        """Name the file; with 0 days nothing is kept."""
        self._path, self._engine = path, engine
        self._keep_ns = round(keep_days * DAY_NS)
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._groups = FaceGroups(engine)
        self._ignored = FaceGroups(engine)
        self._visits: dict[str, UnknownVisit] = {}
        self._trim_ns = 0
        self._data_version = 0

    def keep(self, visit: UnknownVisit, now_ns: int) -> None:
        """Keep a visit, and forget what is old.

        Raises:
            TurnstileError: the file cannot be written.
        """
        if not self._keep_ns or not is_encoding(visit.encoding):
            return
        with self._open() as connection:
            row = (*visit[:5], self._engine, visit.encoding, visit.picture)
            connection.execute("INSERT OR REPLACE INTO visits VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            self._add(visit)
            if self._is_ignored(self._groups.of([visit.event])[0]):
                self._ignore(connection, visit)
            if now_ns >= self._trim_ns or len(self._visits) > MAX_VISITS:
                self._trim(connection, now_ns)

    def groups(self, now_ns: int) -> list[tuple[list[UnknownVisit], bool]]:
        """Return the visits of each face, oldest first, and whether it is ignored.

        Raises:
            TurnstileError: the file cannot be read.
        """
        if not self._keep_ns:
            return []
        with self._open() as connection:
            self._trim(connection, now_ns)
        return [(self._of(group), self._is_ignored(group)) for group in self._groups.groups]

    def visits_of(self, ids: Sequence[str]) -> list[UnknownVisit]:
        """Return the visits of those faces that some events show.

        Raises:
            TurnstileError: none of them is kept any more, or the file cannot be read.
        """
        with self._open():
            found = self._groups.of(ids)
        if not found:
            raise TurnstileError("nothing is kept of these people any more")
        return sorted((one for group in found for one in self._of(group)), key=lambda one: one.at_ns)

    def ignore(self, ids: Sequence[str], *, undo: bool) -> int:
        """Ignore faces, or do not any more; return how many.

        Raises:
            TurnstileError: the file cannot be written.
        """
        visits = self.visits_of(ids)
        faces = len(self._groups.of(ids))
        with self._open() as connection:
            if not undo:
                for visit in visits:
                    self._ignore(connection, visit)
                return faces
            self._unignore_like(connection, visits)
        return faces

    def discard(self, events: Sequence[str]) -> None:
        """Delete what is kept of some visits.

        Raises:
            TurnstileError: the file cannot be written.
        """
        with self._open() as connection:
            self._delete(connection, events)

    def forget_person(self, person: str, *, dry_run: bool = False) -> int:
        """Delete the visits that came nearest to a person, or only count them; return how many.

        Raises:
            TurnstileError: the file cannot be written.
        """
        if self._is_absent():
            return 0
        with self._open() as connection:
            gone = [one for one in self._visits.values() if one.nearest and same_name(one.nearest, person)]
            if not dry_run:
                self._unignore_like(connection, gone)
                self._delete(connection, [one.event for one in gone])
        return len(gone)

    def trim(self, now_ns: int) -> None:
        """Forget what is old, also where nobody comes any more.

        Raises:
            TurnstileError: the file cannot be written.
        """
        if not self._is_absent():
            with self._open() as connection:
                self._trim(connection, now_ns)

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _of(self, group: FaceGroup) -> list[UnknownVisit]:
        return sorted((self._visits[event] for event in group.visits), key=lambda one: one.at_ns)

    def _is_ignored(self, group: FaceGroup) -> bool:
        return self._ignored.nearest(self._groups.mean(group)) is not None

    def _add(self, visit: UnknownVisit) -> None:
        self._visits[visit.event] = visit
        self._groups.add(visit.event, visit.encoding)

    def _ignore(self, connection: sqlite3.Connection, visit: UnknownVisit) -> None:
        row = (visit.event, visit.at_ns, self._engine, visit.encoding)
        connection.execute("INSERT OR REPLACE INTO ignored VALUES (?, ?, ?, ?)", row)
        self._ignored.remove([visit.event])
        self._ignored.add(visit.event, visit.encoding)

    def _unignore_like(self, connection: sqlite3.Connection, visits: Sequence[UnknownVisit]) -> None:
        """Forget the faces to ignore that some visits show."""
        near = [self._ignored.nearest(matrix(visit.encoding)[0]) for visit in visits]
        gone = [event for at in set(near) if at is not None for event in self._ignored.groups[at].visits]
        self._unignore(connection, gone)

    def _unignore(self, connection: sqlite3.Connection, events: Sequence[str]) -> None:
        connection.executemany("DELETE FROM ignored WHERE event = ?", [(event,) for event in events])
        self._ignored.remove(events)

    def _delete(self, connection: sqlite3.Connection, events: Sequence[str]) -> None:
        connection.executemany("DELETE FROM visits WHERE event = ?", [(event,) for event in events])
        self._groups.remove(events)
        for event in events:
            self._visits.pop(event, None)

    def _trim(self, connection: sqlite3.Connection, now_ns: int) -> None:
        """Delete what is too old, and the oldest of too many.

        What is of a time to come was kept while the clock was ahead; it counts from now.
        """
        early = [one for one in self._visits.values() if one.at_ns > now_ns + DAY_NS]
        for update in _FROM_NOW if early else ():
            connection.execute(update, (now_ns, now_ns + DAY_NS))
        self._visits |= {one.event: one._replace(at_ns=now_ns) for one in early}
        self._trim_ns = now_ns + min(TRIM_NS, self._keep_ns)
        oldest_ns = now_ns - self._keep_ns
        by_age = sorted(self._visits.values(), key=lambda one: one.at_ns)
        surplus = max(0, len(by_age) - MAX_VISITS)
        gone = [one.event for at, one in enumerate(by_age) if at < surplus or one.at_ns < oldest_ns]
        self._delete(connection, gone)
        old = connection.execute("SELECT event FROM ignored WHERE at_ns < ?", (oldest_ns,)).fetchall()
        self._unignore(connection, [event for (event,) in old])

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for one transaction.

        Raises:
            TurnstileError: the file cannot be used.
        """
        try:
            if self._connection is not None and _identity(self._path) != self._identity:
                log.warning("%s was removed or replaced; what is there now counts", self._path)
                self.close()
            if self._connection is None:
                self._connection = self._opened()
                self._identity = _identity(self._path)
            self._connection.execute("BEGIN IMMEDIATE")
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
            if version != self._data_version:  # `turnstile erase` has written it
                self._read(self._connection)
                self._data_version = version
            yield self._connection
            self._connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise TurnstileError(f"{self._path} cannot be used: {error}") from error
        except BaseException:
            self.close()
            raise

    def _opened(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path.touch(mode=0o600)
        close_to_others(self._path)
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=5.0)
        try:
            connection.execute("PRAGMA secure_delete=ON")
            connection.executescript(_TABLES)
            connection.execute("DELETE FROM visits WHERE engine != ?", (self._engine,))
            connection.execute("DELETE FROM ignored WHERE engine != ?", (self._engine,))
            self._data_version = 0
        except BaseException:
            connection.close()
            raise
        return connection

    def _is_absent(self) -> bool:
        try:
            return not self._path.parent.exists() or is_absent(self._path)
        except OSError as error:
            raise TurnstileError(f"{self._path} cannot be looked at: {error.strerror}") from error

    def _read(self, connection: sqlite3.Connection) -> None:
        """Take in what the file has."""
        self._groups, self._ignored = FaceGroups(self._engine), FaceGroups(self._engine)
        self._visits = {}
        query = "SELECT event, camera, at_ns, nearest, distance, encoding, picture FROM visits ORDER BY at_ns"
        for row in connection.execute(query):
            self._add(UnknownVisit(*row))
        for event, encoding in connection.execute("SELECT event, encoding FROM ignored ORDER BY at_ns"):
            self._ignored.add(event, encoding)


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another of its name; `None` if it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
