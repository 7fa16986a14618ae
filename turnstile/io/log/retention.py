"""What a log forgets: a person when that is asked for, pictures and entries when they are old enough."""

import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, and_, func, select

from turnstile.errors import LogError
from turnstile.io.log.rewriting import log_files, rewrite
from turnstile.io.store.chained import add_notes
from turnstile.io.store.store import Store
from turnstile.io.store.tables import entries, logs, notes, personal
from turnstile.log.chain import Head
from turnstile.log.lines import parse_entry
from turnstile.log.notes import EntriesRemoved, Fact, NameErased, PicturesRemoved
from turnstile.site.settings import LoggerSettings

PERIOD_S = 3600.0
BATCH = 1000
"""Entries forgotten in one transaction; a logger goes on with its work between two."""

DAY_NS = 86_400 * 1_000_000_000


def erase_person(store: Store, person: str, pseudonym: str) -> int:
    """Put a pseudonym in the place of a name, drop salts and pictures, note that; return in how many entries.

    Raises:
        LogError: the store failed; nothing is erased then.
    """
    nothing = dict.fromkeys(("person", "person_salt", "thumbnail", "thumbnail_salt"))
    theirs = and_(personal.c.log_id == store.id, personal.c.person == person)
    near_them = and_(personal.c.log_id == store.id, personal.c.nearest == person)
    with store.database.writing() as connection:
        count = connection.execute(
            personal.update().where(theirs).values(**nothing, pseudonym=pseudonym)
        ).rowcount
        count += connection.execute(
            personal.update().where(near_them).values(nearest=pseudonym, nearest_salt=None)
        ).rowcount
        if count:
            note(connection, store, NameErased(pseudonym=pseudonym, entries=count))
    return count


def note(connection: Connection, store: Store, fact: Fact) -> None:
    """Put a note after the head, in the transaction that does what it tells."""
    (link,) = add_notes(connection, store.id, [fact], log=str(store.name), at_ns=time.time_ns())
    store.head = Head(link.note.number, link.hash)


def forget_pictures(store: Store, *, before_ns: int) -> int:
    """Remove the pictures of some of the entries decided before a time; return how many.

    Raises:
        LogError: the store failed.
    """
    same = and_(entries.c.log_id == personal.c.log_id, entries.c.number == personal.c.number)
    old = (
        select(personal.c.number)
        .select_from(personal.join(entries, same))
        .where(
            personal.c.log_id == store.id,
            personal.c.thumbnail.is_not(None),
            entries.c.decided_ns < before_ns,
        )
        .limit(BATCH)
    )
    with store.database.writing() as connection:
        numbers = list(connection.execute(old).scalars())
        theirs = and_(personal.c.log_id == store.id, personal.c.number.in_(numbers))
        connection.execute(personal.update().where(theirs).values(thumbnail=None, thumbnail_salt=None))
        if numbers:
            note(connection, store, PicturesRemoved(up_to=max(numbers), before_ns=before_ns))
    return len(numbers)


def forget_entries(store: Store, *, before_ns: int) -> int:
    """Remove the oldest entries, up to the first one decided at a time or after it; return how many.

    The newest entry always stays.

    Raises:
        LogError: the store failed.
    """
    mine = entries.c.log_id == store.id
    with store.database.writing() as connection:
        kept = connection.execute(
            select(func.min(entries.c.number)).where(mine, entries.c.decided_ns >= before_ns)
        ).scalar_one()
        newest = connection.execute(select(func.max(entries.c.number)).where(mine)).scalar_one()
        last = min((kept or newest or 0) - 1, store.floor.number + BATCH)
        if last <= store.floor.number:
            return 0
        sealed = _hash_of(connection, store, last)
        connection.execute(personal.delete().where(personal.c.log_id == store.id, personal.c.number <= last))
        connection.execute(entries.delete().where(mine, entries.c.number <= last))
        connection.execute(notes.delete().where(notes.c.log_id == store.id, notes.c.number <= last))
        connection.execute(
            logs.update().where(logs.c.id == store.id).values(floor_number=last, floor_hash=sealed)
        )
        note(connection, store, EntriesRemoved(up_to=last, up_to_hash=sealed, before_ns=before_ns))
    forgotten, store.floor = last - store.floor.number, Head(last, sealed)
    return forgotten


def _hash_of(connection: Connection, store: Store, number: int) -> bytes:
    for table in (entries, notes):
        where = (table.c.log_id == store.id, table.c.number == number)
        found = connection.execute(select(table.c.hash).where(*where)).scalar_one_or_none()
        if found is not None:
            return bytes(found)
    raise LogError(f"entry {number} is missing; nothing is removed before `verify` is content")


def forget_lines(path: Path, *, before_ns: int) -> None:
    """Remove lines decided before a time from the text and from what rotation moved away.

    Raises:
        LogError: a file cannot be rewritten.
    """
    before = datetime.fromtimestamp(before_ns / 1e9, UTC)

    def kept(line: str) -> str | None:
        try:
            return None if parse_entry(line).at < before else line
        except LogError:
            return line

    for file in log_files(path):
        rewrite(file, kept)


class Retention:
    """Keeps a log to the days that the site file allows; does a little each time until nothing is due."""

    def __init__(self, settings: LoggerSettings, store: Store) -> None:
        self._settings, self._store = settings, store
        self._keep_at = 0.0
        self._lines_due = False

    def keep_if_due(self) -> None:
        """Forget some of what is older than it may be, if an hour has passed or the last time left some.

        Raises:
            LogError: the store or the text failed.
        """
        if time.monotonic() < self._keep_at:
            return
        if self._settings.keep_thumbnails_days and self._forget_pictures():
            return
        if self._settings.keep_entries_days and self._forget_entries():
            return
        self._keep_at = time.monotonic() + PERIOD_S

    def _forget_pictures(self) -> bool:
        before_ns = self._before(self._settings.keep_thumbnails_days)
        return forget_pictures(self._store, before_ns=before_ns) == BATCH

    def _forget_entries(self) -> bool:
        before_ns = self._before(self._settings.keep_entries_days)
        forgotten = forget_entries(self._store, before_ns=before_ns)
        self._lines_due |= forgotten > 0
        if forgotten < BATCH and self._lines_due:
            forget_lines(Path(self._settings.file), before_ns=before_ns)
            self._lines_due = False
        return forgotten == BATCH

    def _before(self, days: float) -> int:
        """Return the time before which things are old. A clock set far ahead must not empty the log."""
        newest = self._store.newest(1)
        now_ns = time.time_ns()
        return min([now_ns, *(link.record.decided_ns for link in newest)]) - round(days * DAY_NS)
