"""What a log forgets: a person when that is asked for, pictures and entries when they are old enough."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, and_, func, or_, select

from turnstile.errors import LogError
from turnstile.io.log.aging import Ages
from turnstile.io.log.rewriting import log_files, rewrite
from turnstile.io.store.chained import add_notes
from turnstile.io.store.store import Store
from turnstile.io.store.tables import act_words, entries, logs, notes, personal, progress
from turnstile.log.age import DAY_NS
from turnstile.log.chain import Head
from turnstile.log.lines import event_of, is_remark
from turnstile.log.notes import (
    ActWords,
    EntriesRemoved,
    Fact,
    NameErased,
    PicturesRemoved,
    name_before,
    note_number,
)
from turnstile.protocol.names import renamed
from turnstile.site.settings import LoggerSettings

PERIOD_NS = 3600 * 1_000_000_000
BATCH = 1000
"""Entries forgotten in one transaction; a logger goes on with its work between two."""

log = logging.getLogger("turnstile")


def erase_person(store: Store, person: str, pseudonym: str, *, dry_run: bool = False) -> int:
    """Put a pseudonym in the place of a name, drop salts and pictures, note that; return in how many entries.

    Args:
        store: of the log.
        person: in any spelling that is the same name.
        pseudonym: the new name.
        dry_run: only count.

    Raises:
        LogError: the store failed; nothing is erased then.
    """
    nothing = dict.fromkeys(("person", "person_salt", "thumbnail", "thumbnail_salt"))
    spellings = store.spellings(person)
    theirs, near_them = (
        and_(personal.c.log_id == store.id, column.in_(spellings))
        for column in (personal.c.person, personal.c.nearest)
    )
    if dry_run:
        with store.database.reading() as connection:
            counted = select(func.count()).select_from(personal).where(or_(theirs, near_them))
            return int(connection.execute(counted).scalar_one()) + len(
                _acts_of(connection, store, person, pseudonym)
            )
    with store.database.writing() as connection:
        count = connection.execute(
            personal.update().where(theirs).values(**nothing, pseudonym=pseudonym)
        ).rowcount
        count += connection.execute(
            personal.update().where(near_them).values(nearest=pseudonym, nearest_salt=None)
        ).rowcount
        for number, changed in _acts_of(connection, store, person, pseudonym).items():
            mine = and_(act_words.c.log_id == store.id, act_words.c.number == number)
            connection.execute(act_words.update().where(mine).values(**changed._asdict()))
            count += 1
        if count:
            note(connection, store, NameErased(pseudonym=pseudonym, entries=count))
    return count


def _acts_of(connection: Connection, store: Store, person: str, pseudonym: str) -> dict[int, ActWords]:
    """Return what accounts did that names a person, by number, as it stands without the name."""
    changed: dict[int, ActWords] = {}
    for _, number, *fields in connection.execute(select(act_words).where(act_words.c.log_id == store.id)):
        before = ActWords(*fields)
        by, words = (renamed(one, person, pseudonym) for one in (before.by, before.words))
        if (by, words) != (before.by, before.words):
            salts = (
                before.by_salt if by == before.by else None,
                before.words_salt if words == before.words else None,
            )
            changed[number] = ActWords(by, salts[0], words, salts[1])
    return changed


def earlier_names(store: Store, person: str) -> Iterator[str]:
    """Say under which other names the log has a person who was renamed.

    Raises:
        LogError: the store cannot be read.
    """
    for link, fact in store.acts():
        before = "" if link.told is None else name_before(fact, link.told, person)
        if before:
            yield f"{person} was called {before!r} before, and the log has that name: erase it, too"


def note(connection: Connection, store: Store, fact: Fact) -> None:
    """Put a note after the head, in the transaction that does what it tells."""
    (link,) = add_notes(connection, store.id, [fact], log=str(store.name), at_ns=time.time_ns())
    store.head = Head(link.note.number, link.hash)


def forget_pictures(store: Store, *, up_to: int, before_ns: int) -> int:
    """Remove the pictures of some of the entries up to a number; return how many.

    Args:
        store: of the log.
        up_to: the newest entry that is old enough.
        before_ns: since when that is so, for the note.

    Raises:
        LogError: the store failed.
    """
    old = select(personal.c.number).where(
        personal.c.log_id == store.id, personal.c.thumbnail.is_not(None), personal.c.number <= up_to
    )
    with store.database.writing() as connection:
        numbers = list(connection.execute(old.order_by(personal.c.number).limit(BATCH)).scalars())
        theirs = and_(personal.c.log_id == store.id, personal.c.number.in_(numbers))
        connection.execute(personal.update().where(theirs).values(thumbnail=None, thumbnail_salt=None))
        if numbers:
            note(connection, store, PicturesRemoved(up_to=max(numbers), before_ns=before_ns))
    return len(numbers)


def forget_entries(store: Store, *, up_to: int, before_ns: int) -> int:
    """Remove the oldest entries, at most up to a number; return how many. The newest entry always stays.

    Args:
        store: of the log.
        up_to: the newest entry that is old enough.
        before_ns: since when that is so, for the note.

    Raises:
        LogError: the store failed.
    """
    mine = entries.c.log_id == store.id
    with store.database.writing() as connection:
        newest = connection.execute(select(func.max(entries.c.number)).where(mine)).scalar_one()
        last = min(up_to, (newest or 0) - 1, store.floor.number + BATCH)
        if last <= store.floor.number:
            return 0
        sealed = _hash_of(connection, store, last)
        connection.execute(personal.delete().where(personal.c.log_id == store.id, personal.c.number <= last))
        connection.execute(entries.delete().where(mine, entries.c.number <= last))
        for table in (notes, act_words):
            connection.execute(table.delete().where(table.c.log_id == store.id, table.c.number <= last))
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


def forget_lines(path: Path, store: Store) -> None:
    """Remove the lines of removed entries from the text and from what rotation moved away.

    A file that cannot be rewritten holds up no other.

    Raises:
        LogError: the folder cannot be looked into, or the store failed.
    """
    kept_from = _first_kept(store)

    def kept(line: str) -> str | None:
        if is_remark(line):
            return None if 0 < (note_number(line) or 0) <= store.floor.number else line
        event = event_of(line)
        return None if event is not None and event.seq < kept_from.get(event.source, 0) else line

    for file in log_files(path):
        try:
            rewrite(file, kept)
        except LogError as error:
            log.warning("lines of removed entries may stay: %s", error)


def _first_kept(store: Store) -> dict[str, int]:
    """Return the first event of each journal whose entry is kept, or the next one that would be."""
    oldest = select(entries.c.source, func.min(entries.c.seq)).where(entries.c.log_id == store.id)
    taken = select(progress.c.source, progress.c.last_seq + 1).where(progress.c.log_id == store.id)
    with store.database.reading() as connection:
        kept = [tuple(row) for row in connection.execute(oldest.group_by(entries.c.source))]
        return dict([*(tuple(row) for row in connection.execute(taken)), *kept])


class Retention:
    """Keeps a log to the days that the site file allows; does a little each time until nothing is due."""

    def __init__(self, settings: LoggerSettings, store: Store, ages: Ages) -> None:
        self._settings, self._store, self._ages = settings, store, ages
        self._keep_at = 0
        self._lines_due = False

    @property
    def trouble(self) -> str:
        """Return why something may be removed late; empty when nothing is."""
        removes = self._settings.keep_thumbnails_days or self._settings.keep_entries_days
        return self._ages.clock.words if removes and self._ages.clock is not None else ""

    def keep_if_due(self) -> None:
        """Forget some of what is older than it may be, if an hour has passed or the last time left some.

        Raises:
            LogError: the store or the text failed.
        """
        if self._ages.running_ns() < self._keep_at:
            return
        self._ages.look()
        if self._settings.keep_thumbnails_days and self._forget_pictures():
            return
        if self._settings.keep_entries_days and self._forget_entries():
            return
        self._keep_at = self._ages.running_ns() + PERIOD_NS

    def _forget_pictures(self) -> bool:
        before_ns = self._before(self._settings.keep_thumbnails_days)
        up_to = self._ages.older_than(before_ns)
        return forget_pictures(self._store, up_to=up_to, before_ns=before_ns) == BATCH

    def _forget_entries(self) -> bool:
        before_ns = self._before(self._settings.keep_entries_days)
        up_to = self._ages.older_than(before_ns)
        forgotten = forget_entries(self._store, up_to=up_to, before_ns=before_ns)
        self._lines_due |= forgotten > 0
        if forgotten < BATCH and self._lines_due:
            forget_lines(Path(self._settings.file), self._store)
            self._lines_due = False
        return forgotten == BATCH

    def _before(self, days: float) -> int:
        now_ns = 0 if self._ages.clock is None else self._ages.clock.at_ns
        return now_ns - round(days * DAY_NS)
