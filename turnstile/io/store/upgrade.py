"""A store of version 1 or 2 becomes one of version 3.

What stood beside the chain in version 1 becomes notes in it. Version 3 keeps what accounts do.
"""

import time
from collections.abc import Iterator

import msgspec
from sqlalchemy import Connection, inspect, select, text

from turnstile.io.store.chained import add_notes
from turnstile.io.store.tables import (
    VERSION,
    act_words,
    age_clocks,
    entries,
    erasures,
    logs,
    marks,
    notes,
    personal,
    schema,
)
from turnstile.log.age import DAY_NS, AgeClock
from turnstile.log.notes import EntriesRemoved, Fact, NameErased, PicturesRemoved

EARLIEST_NS = 1_577_836_800_000_000_000
"""2020: a clock that was earlier was not set yet."""

_ADDED = (
    *(entries.c.max_distance, entries.c.nearest_commitment),
    *(personal.c.nearest, personal.c.nearest_salt),
)


EARLIER = (1, 2)


def upgrade(connection: Connection, version: int) -> None:
    """Add what an earlier version lacks."""
    if version == 1:
        _from_version_1(connection)
    act_words.create(connection)
    connection.execute(schema.update().values(version=VERSION))


def _from_version_1(connection: Connection) -> None:
    """Add what version 1 lacks, and note what was erased and removed before there were any notes."""
    for table in (notes, marks, age_clocks):
        table.create(connection)
    for column in _ADDED:
        form = column.type.compile(dialect=connection.dialect)
        connection.execute(text(f"ALTER TABLE {column.table.name} ADD COLUMN {column.name} {form}"))
    for row in connection.execute(select(logs)).mappings().all():
        _begin_ages(connection, row["id"])
        facts = list(_facts(connection, row["id"], row["floor_number"], row["floor_hash"]))
        if facts:
            add_notes(
                connection, row["id"], facts, log=f"{row['site']}/{row['logger']}", at_ns=time.time_ns()
            )


def _begin_ages(connection: Connection, log_id: int) -> None:
    """Mark the entries there are, one a day, by the latest credible time up to them."""
    times = select(entries.c.number, entries.c.decided_ns).where(entries.c.log_id == log_id)
    marked, at_ns, number, now_ns = list[tuple[int, int]](), 0, 0, time.time_ns()
    for number, decided_ns in connection.execute(times.order_by(entries.c.number)):
        at_ns = max(at_ns, min(decided_ns, now_ns))
        if at_ns < EARLIEST_NS:
            continue
        if not marked or at_ns >= marked[-1][1] + DAY_NS:
            marked.append((number, at_ns))
    if not marked:
        return
    if number > marked[-1][0]:
        marked.append((number, at_ns))
    rows = [{"log_id": log_id, "number": mark, "at_ns": since_ns} for mark, since_ns in marked]
    connection.execute(marks.insert(), rows)
    clock = AgeClock(at_ns=at_ns)
    connection.execute(age_clocks.insert().values(log_id=log_id, **msgspec.structs.asdict(clock)))


def _facts(connection: Connection, log_id: int, floor: int, floor_hash: bytes) -> Iterator[Fact]:
    if floor:
        yield EntriesRemoved(up_to=floor, up_to_hash=floor_hash, before_ns=0)
    same = (entries.c.log_id == personal.c.log_id) & (entries.c.number == personal.c.number)
    bare = (
        select(entries.c.number)
        .select_from(entries.join(personal, same))
        .where(entries.c.log_id == log_id, personal.c.thumbnail.is_(None), personal.c.pseudonym.is_(None))
        .where(entries.c.thumbnail_commitment != b"")
        .order_by(entries.c.number.desc())
        .limit(1)
    )
    newest_bare = connection.execute(bare).scalar_one_or_none()
    if newest_bare is not None:
        yield PicturesRemoved(up_to=newest_bare, before_ns=0)
    if inspect(connection).has_table(erasures.name):
        where = erasures.c.log_id == log_id
        for row in connection.execute(select(erasures).where(where).order_by(erasures.c.erased_ns)):
            yield NameErased(pseudonym=row.pseudonym, entries=row.entries)
