"""The entries and notes of a log that somebody asks for."""

from collections import deque
from collections.abc import Iterator

from sqlalchemy import ColumnElement, and_, or_

from turnstile.io.store.store import Store
from turnstile.io.store.tables import entries, personal
from turnstile.log.chain import Link
from turnstile.log.notes import MAX_NS, NoteLink, OperatorActed
from turnstile.log.question import Question
from turnstile.protocol.names import same_name


def select(store: Store, question: Question, *, pictures: bool = False) -> Iterator[Link]:
    """Yield the entries that a question asks for, oldest first, with their pictures if wanted."""
    where = condition(store, question)
    if question.at_most is None:
        return store.links(where, pictures=pictures)
    newest = store.newest(question.at_most, where)
    first = newest[0].record.number if newest else 1
    return store.links(where, after=first - 1, pictures=pictures)


def acts(store: Store, question: Question) -> Iterator[tuple[NoteLink, OperatorActed]]:
    """Give what operators did at the cameras and times of a question; nothing if it is about people."""
    if _is_about_visits(question):
        return
    after = 0
    if question.at_most is not None:
        newest = store.newest(question.at_most, condition(store, question))
        after = newest[0].record.number if newest else 0
    for link, fact in store.acts(after=after):
        if _is_asked(question, fact):
            yield link, fact


def newest_notes(
    store: Store, question: Question, *, after: int, before: int, at_most: int
) -> list[NoteLink]:
    """Return the newest notes between two numbers that a question asks for, newest first.

    A question about a camera asks for what operators did there, one about visits for none.
    """
    if _is_about_visits(question):
        return []
    found = deque[NoteLink](maxlen=at_most)
    for link in store.notes(after=after, up_to=before - 1):
        if _is_asked(question, link.note.fact if isinstance(link.note.fact, OperatorActed) else link):
            found.append(link)
    return list(found)[::-1]


def condition(store: Store, question: Question) -> ColumnElement[bool]:
    """Return what a question asks as a condition on `entries` and `personal`."""
    wanted: list[ColumnElement[bool]] = [entries.c.number > 0]
    if question.person is not None:
        wanted.append(_person(store, question.person))
    for column, value in (
        (entries.c.camera, question.camera),
        (entries.c.verdict, question.verdict),
        (entries.c.reason, question.reason),
    ):
        wanted += [] if value is None else [column == value]
    wanted += [] if question.since_ns is None else [entries.c.decided_ns >= question.since_ns]
    wanted += [] if question.until_ns is None else [entries.c.decided_ns < question.until_ns]
    return and_(*wanted)


def _is_about_visits(question: Question) -> bool:
    return any(one is not None for one in (question.person, question.verdict, question.reason))


def _is_asked(question: Question, told: OperatorActed | NoteLink) -> bool:
    at_ns = told.at_ns if isinstance(told, OperatorActed) else told.note.at_ns
    camera = told.camera if isinstance(told, OperatorActed) else None
    here = question.camera in (None, camera)
    return here and (question.since_ns or 0) <= at_ns < (question.until_ns or MAX_NS)


def _person(store: Store, name: str) -> ColumnElement[bool]:
    if same_name(name, "unknown"):
        return and_(personal.c.person.is_(None), personal.c.pseudonym.is_(None))
    return or_(personal.c.person.in_(store.spellings(name)), personal.c.pseudonym == name)
