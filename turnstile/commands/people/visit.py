"""A visit as the log has it: which event, of whom, and with which picture."""

import argparse
import datetime as dt
import re
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, select

from turnstile.errors import LogError, PictureError
from turnstile.io.store.store import Store
from turnstile.io.store.tables import entries, personal
from turnstile.log.chain import Link
from turnstile.log.lines import Event
from turnstile.people.encodings import Encodings
from turnstile.protocol.names import name_key, same_name
from turnstile.vision.engines.engine import Engine

_EVENT = re.compile(r"(?:event=)?(?:([0-9a-f]{1,32}):)?([0-9]{1,18})")


class LoggedVisit(NamedTuple):
    """One entry with its picture."""

    event: str
    """As the log's text has it: ``9f3a…:17``."""
    link: Link
    person: str | None
    picture: bytes

    @property
    def at(self) -> str:
        """Return when and where it was, in words."""
        when = dt.datetime.fromtimestamp(self.link.record.decided_ns / 1e9, dt.UTC).astimezone()
        return f"{when.isoformat(sep=' ', timespec='seconds')} at {self.link.record.camera}"


def event(text: str) -> Event:
    """Return the event that a command line names; without a source any journal's."""
    found = _EVENT.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r}: an event is 17 or 9f3a:17, as a line of the log ends")
    return Event(found[1] or "", int(found[2]))


def visit_of(store: Store, wanted: Event) -> LoggedVisit:
    """Return the visit of an event.

    Raises:
        LogError: there is none, there are several, or its picture is gone.
    """
    where = and_(entries.c.seq == wanted.seq, entries.c.source.startswith(wanted.source))
    found = list(_visits(store, where))
    if not found:
        raise LogError(f"the log has no event {_in_words(wanted)}; its lines end in event=SOURCE:NUMBER")
    if len(found) > 1:
        several = ", ".join(f"{one.event} ({one.at})" for one in found)
        raise LogError(f"several events are called {wanted.seq}: {several}; name one of them in full")
    (visit,) = found
    if not visit.picture:
        raise LogError(f"event {visit.event} has no picture any more: the log does not keep it, or erased it")
    return visit


def grants_of(store: Store, person: str, *, at_most: int) -> list[LoggedVisit]:
    """Return the newest visits that were granted to a person and have a picture, oldest first."""
    mine = and_(
        personal.c.person.in_(store.spellings(person)),
        entries.c.verdict == "granted",
        personal.c.thumbnail.is_not(None),
    )
    newest = store.newest(at_most, mine)
    if not newest:
        return []
    since = and_(mine, entries.c.number >= newest[0].record.number)
    return [one for one in _visits(store, since) if one.picture]


def granted_to(visit: LoggedVisit, person: str) -> None:
    """Make sure that a visit was granted to a person.

    Raises:
        LogError: it was not; the text says whose it was.
    """
    if visit.link.record.verdict != "granted" or visit.person is None or not same_name(visit.person, person):
        whose = f"{visit.link.record.verdict} to {visit.person or 'unknown'}"
        raise LogError(f"event {visit.event} ({visit.at}) was {whose}, not granted to {person}")


def encoding_of(visit: LoggedVisit, engine: Engine) -> Encodings:
    """Return what a camera's frame would give of a visit's face, `(1, 128)`.

    Raises:
        PictureError: no face is found in its picture.
    """
    seen = engine.analyse(visit.picture)
    if not len(seen.encodings):
        raise PictureError(f"no face is found in the picture of event {visit.event}")
    return seen.encodings[:1]


def _visits(store: Store, where: ColumnElement[bool]) -> Iterator[LoggedVisit]:
    for link in store.links(where, pictures=True):
        name = f"{link.record.source}:{link.record.seq}"
        yield LoggedVisit(name, link, link.personal.person, link.personal.thumbnail or b"")


def _in_words(wanted: Event) -> str:
    return f"{wanted.source}:{wanted.seq}" if wanted.source else f"{wanted.seq}"


def last_seen(store: Store) -> dict[str, int]:
    """Return when each person was last recognised at a door, by key of the name: `decided_ns`."""
    same = and_(personal.c.log_id == entries.c.log_id, personal.c.number == entries.c.number)
    query = (
        select(personal.c.person, func.max(entries.c.decided_ns))
        .select_from(personal.join(entries, same))
        .where(personal.c.log_id == store.id, personal.c.person.is_not(None))
        .group_by(personal.c.person)
    )
    seen: dict[str, int] = {}
    with store.database.reading() as connection:
        for person, at_ns in connection.execute(query):
            key = name_key(person)
            seen[key] = max(seen.get(key, 0), int(at_ns))
    return seen
