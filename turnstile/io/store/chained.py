"""The head of a log and the notes after it, read and written within a transaction of somebody else's.

The head is read again, locked, in the transaction that extends it. So a command that erases a name may write
a note while the logger runs, and the chain does not fork.
"""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, select

from turnstile.io.store.tables import logs, notes
from turnstile.log.chain import Head
from turnstile.log.notes import Fact, Note, NoteLink, link_note


def locked_head(connection: Connection, log_id: int) -> Head:
    """Return the newest entry or note, which nobody else can extend before this transaction ends."""
    query = select(logs.c.head_number, logs.c.head_hash).where(logs.c.id == log_id).with_for_update()
    number, sealed = connection.execute(query).one()
    return Head(number, sealed)


def add_notes(
    connection: Connection, log_id: int, facts: Sequence[Fact], *, log: str, at_ns: int
) -> list[NoteLink]:
    """Put notes after the head, and return them as stored."""
    head, links = locked_head(connection, log_id), list[NoteLink]()
    for fact in facts:
        link = link_note(head.hash, Note(log=log, number=head.number + 1, at_ns=at_ns, fact=fact))
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
    connection.execute(
        logs.update().where(logs.c.id == log_id).values(head_number=head.number, head_hash=head.hash)
    )
    return links
