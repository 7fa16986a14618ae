"""The head of a log and the notes after it, read and written within a transaction of somebody else's.

The head is read again, locked, in the transaction that extends it. So a command that erases a name may write
a note while the logger runs, and the chain does not fork.
"""

from collections.abc import Sequence
from itertools import zip_longest

import msgspec
from sqlalchemy import Connection, and_, select

from turnstile.io.store.tables import act_words, logs, notes
from turnstile.log.chain import Head
from turnstile.log.notes import ActWords, Fact, Note, NoteLink, link_note, read_fact


def locked_head(connection: Connection, log_id: int) -> Head:
    """Return the newest entry or note, which nobody else can extend before this transaction ends."""
    query = select(logs.c.head_number, logs.c.head_hash).where(logs.c.id == log_id).with_for_update()
    number, sealed = connection.execute(query).one()
    return Head(number, sealed)


def add_notes(
    connection: Connection,
    log_id: int,
    facts: Sequence[Fact],
    *,
    log: str,
    at_ns: int,
    told: Sequence[ActWords] = (),
) -> list[NoteLink]:
    """Put notes after the head, and return them as stored; `told` is of each if they are accounts' acts."""
    head, links = locked_head(connection, log_id), list[NoteLink]()
    for fact, words in zip_longest(facts, told):
        link = link_note(head.hash, Note(log=log, number=head.number + 1, at_ns=at_ns, fact=fact))
        link = link._replace(told=words)
        head = Head(link.note.number, link.hash)
        links.append(link)
    rows = [
        {
            "log_id": log_id,
            "number": link.note.number,
            "at_ns": link.note.at_ns,
            "fact": msgspec.json.encode(link.note.fact),
            "previous": link.previous,
            "hash": link.hash,
        }
        for link in links
    ]
    connection.execute(notes.insert(), rows)
    words_rows = [
        {"log_id": log_id, "number": link.note.number, **link.told._asdict()}
        for link in links
        if link.told is not None
    ]
    if words_rows:
        connection.execute(act_words.insert(), words_rows)
    connection.execute(
        logs.update().where(logs.c.id == log_id).values(head_number=head.number, head_hash=head.hash)
    )
    return links


def read_notes(
    connection: Connection, log_id: int, *, log: str, after: int, up_to: int, at_most: int
) -> list[NoteLink]:
    """Return the next notes of a log after a number, in their order."""
    same = and_(act_words.c.log_id == notes.c.log_id, act_words.c.number == notes.c.number)
    query = (
        select(notes, *(act_words.c[name] for name in ActWords._fields))
        .select_from(notes.outerjoin(act_words, same))
        .where(notes.c.log_id == log_id, notes.c.number > after, notes.c.number <= up_to)
    )
    links = list[NoteLink]()
    for row in connection.execute(query.order_by(notes.c.number).limit(at_most)):
        note = Note(log=log, number=row.number, at_ns=row.at_ns, fact=read_fact(row.fact))
        told = None if row.words is None else ActWords(*row[-len(ActWords._fields) :])
        links.append(NoteLink(note, row.previous, row.hash, told))
    return links
