"""What is wrong with a store before any entry in it is read: its file, its values, rows out of place."""

from collections.abc import Iterator

from sqlalchemy import BigInteger, Column, Connection, Integer, LargeBinary, func, or_, select

from turnstile.io.store.store import Store
from turnstile.io.store.tables import act_words, entries, logs, metadata, notes, personal
from turnstile.log.inspection import Finding

MAX_SAID = 20


def damage_of(store: Store) -> list[str]:
    """Return what is wrong in words; none if the store can be walked along.

    SQLite takes any value in any column and checks no page until it needs it, so both are checked here.
    PostgreSQL checks both itself.

    Raises:
        LogError: the store cannot be read.
    """
    if store.database.path is None:
        return []
    with store.database.reading() as connection:
        return list(_damaged_pages(connection)) or list(_odd_values(connection))


def strays_of(store: Store) -> list[Finding]:
    """Return the rows that no walk from the oldest entry to the newest meets, but that a query might show.

    Raises:
        LogError: the store cannot be read.
    """
    log = select(logs.c.floor_number, logs.c.head_number).where(logs.c.id == store.id).subquery()
    found = list[Finding]()
    with store.database.reading() as connection:
        kinds = ("entry", "note", "the name of entry", "what an account did by note")
        for table, kind in zip((entries, notes, personal, act_words), kinds, strict=True):
            number = table.c.number
            outside = or_(number <= log.c.floor_number, number > log.c.head_number)
            query = select(number).where(table.c.log_id == store.id, outside).limit(MAX_SAID)
            for one in connection.execute(query).scalars():
                found.append(Finding(one, f"{kind} {one} stands outside the log: the log does not count it"))
    return found


def _damaged_pages(connection: Connection) -> Iterator[str]:
    for (words,) in connection.exec_driver_sql(f"PRAGMA integrity_check({MAX_SAID})"):
        if words != "ok":
            yield f"the store's file is damaged: {words}"
    for table, row, *_ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        yield f"the store is damaged: row {row} of {table} belongs to no log"


def _odd_values(connection: Connection) -> Iterator[str]:
    for table in metadata.sorted_tables:
        for column in table.columns:
            odd = func.typeof(column).not_in(_types(column))
            count = connection.execute(select(func.count()).select_from(table).where(odd)).scalar_one()
            if count:
                kind = " or ".join(_types(column))
                yield f"the store is damaged: {count} values of {table.name}.{column.name} are no {kind}"


def _types(column: Column[object]) -> list[str]:
    if isinstance(column.type, Integer | BigInteger):
        kinds = ["integer"]
    elif isinstance(column.type, LargeBinary):
        kinds = ["blob"]
    else:
        kinds = ["real"] if column.type.python_type is float else ["text"]
    return kinds + (["null"] if column.nullable else [])
