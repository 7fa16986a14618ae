"""The store of one access log: entries in a chain, each event once, durable before it counts.

Entries and how far their journal has been taken are written in one transaction, so that after a crash at any
point nothing is missing and nothing is there twice. The store is the truth; ``access_log.txt`` is written
from it.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import merge
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Row, and_, func, null, select, union

from turnstile.errors import LogError
from turnstile.io.store.chained import add_notes, locked_head, read_notes
from turnstile.io.store.database import Database, StoreAbsentError
from turnstile.io.store.tables import entries, logs, notes, personal, progress
from turnstile.log.chain import START, Head, Link, Personal, Record, Salts, extend
from turnstile.log.lines import Event, Progress
from turnstile.log.notes import (
    ActWords,
    EventsMissing,
    EventsRepeated,
    Fact,
    NoteLink,
    OperatorActed,
    SourceBegan,
    read_fact,
)
from turnstile.protocol.messages import Access
from turnstile.protocol.names import same_name

PAGE = 1000
"""Entries read in one transaction, so that nobody who writes waits long for somebody who reads."""
PICTURES_PAGE = 100
"""The same when pictures come along, of up to 16 kB each."""

_FIELDS = tuple(name for name in Record.__struct_fields__ if name != "log")


class LogName(NamedTuple):
    """Whose log it is. A store may hold many."""

    site: str
    logger: str

    def __str__(self) -> str:
        return f"{self.site}/{self.logger}"


def _nowhere(_: str) -> None:
    """Do nothing at a fault point."""


class Store:
    """One log in a database. Belongs to one thread.

    Attributes:
        head: the newest entry.
        floor: the newest entry that retention removed.
        progress: which events it has.
        newest_visit: the visit of the newest event, or which act it is; empty when that is not known.
        text_number: how far the text file was, as noted with the last entries.
    """

    def __init__(
        self, database: Database, name: LogName, *, fault_point: Callable[[str], None] = _nowhere
    ) -> None:
        """Name the log; `fault_point` is called before and after each commit, for crash tests."""
        self.database = database
        self.name = name
        self.head = self.floor = START
        self.progress = Progress()
        self.newest_visit = ""
        self.text_number = 0
        self._fault_point = fault_point
        self._id = 0

    def open(self, *, create: bool = True) -> None:
        """Open the database, find the log or begin one, and read how far it is.

        Raises:
            StoreAbsentError: there is no such log, and `create` is false.
            LogError: it cannot be opened now.
            ConfigError: it never can.
        """
        self.database.open(create=create)
        transaction = self.database.writing if create else self.database.reading
        with transaction() as connection:
            if create and self._row(connection) is None:
                connection.execute(logs.insert().values(**_empty(self.name)))
            self._load(connection)

    def refresh(self) -> None:
        """Read again how far the log is, which another process may have changed.

        Raises:
            LogError: the store cannot be read.
        """
        with self.database.reading() as connection:
            self._load(connection)

    def look(self) -> None:
        """Raise a `LogError` if the store cannot be reached, or is not as this log left it."""
        with self.database.reading() as connection:
            row = self._row(connection)
            self._refuse_foreign(
                connection, START if row is None else Head(row["head_number"], row["head_hash"])
            )

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def append(self, events: Sequence[Access], *, text_number: int) -> list[Link]:
        """Store events that `progress` takes, in order; return them as entries once they are durable.

        Args:
            events: what `Progress.sift` found new.
            text_number: the newest entry that the text file is known to have.

        Raises:
            LogError: they could not be stored. Whether they were is seen on opening the store again.
        """
        links = list[Link]()
        with self.database.writing() as connection:
            head = self._own_head(connection)
            for access in events:
                salts = Salts(*(secrets.token_bytes(32) for _ in Salts._fields))
                link = extend(head, access, log=str(self.name), salts=salts)
                head = Head(link.record.number, link.hash)
                links.append(link)
            self._insert(connection, links, head, text_number=text_number)
            self._fault_point("before commit")
        self._fault_point("after commit")
        self.head, self.text_number = head, text_number
        for access in events:
            self.progress.have(Event(access.source, access.seq))
            self.newest_visit = access.visit
        return links

    def logged_visits(self, visits: Sequence[str]) -> frozenset[str]:
        """Return those of some visits, or operators' acts, that stand in the log.

        Raises:
            LogError: the store cannot be read.
        """
        mine = (entries.c.log_id == self._id, entries.c.visit.in_(visits))
        with self.database.reading() as connection:
            found = frozenset(connection.execute(select(entries.c.visit).where(*mine)).scalars())
        return found.union(fact.act for _, fact in self.acts() if fact.act in visits)

    def acts(self, *, after: int = 0) -> Iterator[tuple[NoteLink, OperatorActed]]:
        """Give what operators did, each with its note, in order of number."""
        for link in self.notes(after=after, up_to=self.head.number):
            if isinstance(link.note.fact, OperatorActed):
                yield link, link.note.fact

    def links(
        self, where: ColumnElement[bool] | None = None, *, after: int = 0, pictures: bool = False
    ) -> Iterator[Link]:
        """Give entries in order of number, page by page.

        Args:
            where: a condition on the columns of `entries` and `personal`.
            after: begin with the entry after this number.
            pictures: whether thumbnails come along.
        """
        size = PICTURES_PAGE if pictures else PAGE
        while page := self.page(where, after=after, at_most=size, pictures=pictures):
            yield from page
            after = page[-1].record.number

    def spellings(self, name: str) -> list[str]:
        """Return each way in which the log has written a person's name; none if it never did."""
        return [one for one in self.persons() if same_name(one, name)]

    def persons(self) -> list[str]:
        """Return every name that the log has, as written."""
        names = [
            select(column).where(personal.c.log_id == self._id, column.is_not(None))
            for column in (personal.c.person, personal.c.nearest)
        ]
        with self.database.reading() as connection:
            return list(connection.execute(union(*names)).scalars())

    def pseudonyms(self) -> list[str]:
        """Return what stands in place of names that were erased."""
        return self._distinct(personal.c.pseudonym)

    def cameras(self) -> list[str]:
        """Return the cameras that have entries."""
        return self._distinct(entries.c.camera)

    def page(
        self,
        where: ColumnElement[bool] | None = None,
        *,
        after: int = 0,
        at_most: int = PAGE,
        pictures: bool = False,
    ) -> list[Link]:
        """Return the next entries, in one transaction; see `links`."""
        wanted = [entries.c.number > after, *([] if where is None else [where])]
        query = self._entries(pictures=pictures).where(*wanted).order_by(entries.c.number).limit(at_most)
        with self.database.reading() as connection:
            return [self._link(row) for row in connection.execute(query)]

    def newest(
        self, count: int, where: ColumnElement[bool] | None = None, *, pictures: bool = False
    ) -> list[Link]:
        """Return the last entries, oldest first."""
        query = self._entries(pictures=pictures).order_by(entries.c.number.desc()).limit(count)
        if where is not None:
            query = query.where(where)
        with self.database.reading() as connection:
            return [self._link(row) for row in connection.execute(query)][::-1]

    def number_at(self, event: Event) -> int | None:
        """Return the number of the newest entry that is this event or one before it in the same journal.

        None when there is none: the journal is unknown, or retention removed what came of it so far.
        """
        return self._one_number(func.max, entries.c.source == event.source, entries.c.seq <= event.seq)

    def first_of(self, source: str) -> int | None:
        """Return the number of a journal's oldest entry that is kept."""
        return self._one_number(func.min, entries.c.source == source)

    def note(self, *facts: Fact, at_ns: int, told: Sequence[ActWords] = ()) -> list[NoteLink]:
        """Record what happened to the log itself. Events that a note accounts for count as taken.

        `told` is what can be erased of each, if they are accounts' acts.

        Raises:
            LogError: it could not be stored.
        """
        taken = {event: fact for fact in facts if (event := _taken_by(fact)) is not None}
        with self.database.writing() as connection:
            self._own_head(connection)
            links = add_notes(connection, self._id, facts, log=str(self.name), at_ns=at_ns, told=told)
            self._set_progress(connection, {event.source: event.seq for event in taken})
            for event in taken:
                mine = logs.update().where(logs.c.id == self._id)
                connection.execute(mine.values(source=event.source))
        self.head = Head(links[-1].note.number, links[-1].hash)
        for event, fact in taken.items():
            self.progress.have(event)
            self.newest_visit = fact.act if isinstance(fact, OperatorActed) else ""
        return links

    def notes(self, *, after: int = 0, up_to: int) -> Iterator[NoteLink]:
        """Give notes in order of number, page by page."""
        while True:
            with self.database.reading() as connection:
                links = read_notes(
                    connection, self._id, log=str(self.name), after=after, up_to=up_to, at_most=PAGE
                )
            yield from links
            if len(links) < PAGE:
                return
            after = links[-1].note.number

    def chain(
        self, *, after: int = 0, up_to: int | None = None, pictures: bool = False
    ) -> Iterator[Link | NoteLink]:
        """Give entries and notes in order of number, up to the newest now unless `up_to` says otherwise."""
        last = self.head.number if up_to is None else up_to
        entry_links = self.links(entries.c.number <= last, after=after, pictures=pictures)
        return merge(entry_links, self.notes(after=after, up_to=last), key=number_of)

    @property
    def id(self) -> int:
        """Return the log's number in this database."""
        return self._id

    def _own_head(self, connection: Connection) -> Head:
        """Return the newest entry or note, locked; a store that was put back must be opened anew."""
        head = locked_head(connection, self._id)
        self._refuse_foreign(connection, head)
        return head

    def _refuse_foreign(self, connection: Connection, head: Head) -> None:
        if head != self.head and self._taken(connection) != self.progress.last_seqs:
            raise LogError(f"the store {self.database.address} was put back or written by somebody else")

    def _taken(self, connection: Connection) -> dict[str, int]:
        taken = select(progress.c.source, progress.c.last_seq).where(progress.c.log_id == self._id)
        return {str(source): int(last_seq) for source, last_seq in connection.execute(taken)}

    def _distinct(self, column: Column[Any]) -> list[str]:
        mine = select(column).distinct().where(column.table.c.log_id == self._id, column.is_not(None))
        with self.database.reading() as connection:
            return list(connection.execute(mine).scalars())

    def _one_number(self, pick: Callable[..., Any], *where: ColumnElement[bool]) -> int | None:
        query = select(pick(entries.c.number)).where(entries.c.log_id == self._id, *where)
        with self.database.reading() as connection:
            found = connection.execute(query).scalar_one()
        return None if found is None else int(found)

    def _insert(self, connection: Connection, links: Sequence[Link], head: Head, *, text_number: int) -> None:
        connection.execute(entries.insert(), [self._entry_row(link) for link in links])
        connection.execute(personal.insert(), [self._personal_row(link) for link in links])
        self._set_progress(connection, {link.record.source: link.record.seq for link in links})
        connection.execute(
            logs.update()
            .where(logs.c.id == self._id)
            .values(
                head_number=head.number,
                head_hash=head.hash,
                source=links[-1].record.source,
                text_number=text_number,
            )
        )

    def _set_progress(self, connection: Connection, last_seqs: Mapping[str, int]) -> None:
        for source, last_seq in last_seqs.items():
            mine = and_(progress.c.log_id == self._id, progress.c.source == source)
            if not connection.execute(progress.update().where(mine).values(last_seq=last_seq)).rowcount:
                connection.execute(
                    progress.insert().values(log_id=self._id, source=source, last_seq=last_seq)
                )

    def _entry_row(self, link: Link) -> dict[str, Any]:
        row = {name: getattr(link.record, name) for name in _FIELDS}
        return {**row, "log_id": self._id, "previous": link.previous, "hash": link.hash}

    def _personal_row(self, link: Link) -> dict[str, Any]:
        return {**link.personal._asdict(), "log_id": self._id, "number": link.record.number}

    def _entries(self, *, pictures: bool) -> Any:
        same = and_(personal.c.log_id == entries.c.log_id, personal.c.number == entries.c.number)
        hidden = () if pictures else ("thumbnail", "thumbnail_salt")
        columns = (
            *(entries.c[name] for name in (*_FIELDS, "previous", "hash")),
            *(null() if name in hidden else personal.c[name] for name in Personal._fields),
        )
        joined = entries.outerjoin(personal, same)
        return select(*columns).select_from(joined).where(entries.c.log_id == self._id)

    def _link(self, row: Row[Any]) -> Link:
        fields, (previous, sealed, *rest) = row[: len(_FIELDS)], row[len(_FIELDS) :]
        record = Record(log=str(self.name), **dict(zip(_FIELDS, fields, strict=True)))
        return Link(record, Personal(*rest), previous, sealed)

    def _row(self, connection: Connection) -> Mapping[str, Any] | None:
        mine = and_(logs.c.site == self.name.site, logs.c.logger == self.name.logger)
        row = connection.execute(select(logs).where(mine)).mappings().one_or_none()
        return None if row is None else dict(row)

    def _load(self, connection: Connection) -> None:
        row = self._row(connection)
        if row is None:
            raise StoreAbsentError(f"the store {self.database.address} has no log of {self.name}")
        self._id, self.text_number = row["id"], row["text_number"]
        self.head = Head(row["head_number"], row["head_hash"])
        self.floor = Head(row["floor_number"], row["floor_hash"])
        self.progress = Progress()
        known = self._taken(connection)
        for source in sorted(known, key=lambda one: one == row["source"]):
            self.progress.have(Event(source, known[source]))
        self.newest_visit = self._visit_of(connection, self.progress.newest or Event("", 0))

    def _visit_of(self, connection: Connection, event: Event) -> str:
        """Return the visit of the newest event, or what tells the operator's act that it is."""
        there = (entries.c.log_id == self._id, entries.c.source == event.source, entries.c.seq == event.seq)
        visit = connection.execute(select(entries.c.visit).where(*there)).scalar()
        if visit is not None:
            return str(visit)
        near = (
            select(notes.c.fact).where(notes.c.log_id == self._id).order_by(notes.c.number.desc()).limit(50)
        )
        for fact in map(read_fact, connection.execute(near).scalars()):
            if isinstance(fact, OperatorActed) and (fact.source, fact.seq) == event:
                return fact.act
        return ""


def _taken_by(fact: Fact) -> Event | None:
    """Return the event up to which a note accounts for a journal's events; `None` if it is not of events."""
    match fact:
        case EventsMissing(source=source, last_seq=seq) | EventsRepeated(source=source, last_seq=seq):
            return Event(source, seq)
        case SourceBegan(source=source, after_seq=seq) | OperatorActed(source=source, seq=seq):
            return Event(source, seq)
        case _:
            return None


def number_of(link: Link | NoteLink) -> int:
    """Return the position of an entry or a note in its log."""
    return link.note.number if isinstance(link, NoteLink) else link.record.number


def _empty(name: LogName) -> dict[str, Any]:
    start = {"head_number": 0, "head_hash": START.hash, "floor_number": 0, "floor_hash": START.hash}
    return {**start, "site": name.site, "logger": name.logger, "source": "", "text_number": 0}
